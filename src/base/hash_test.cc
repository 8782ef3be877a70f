// SPDX-License-Identifier: Apache-2.0
#include "base/hash.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace loci::base {
namespace {

// The published test vectors of XXH3 for empty input: what is stored must never change.
TEST(HashTest, KnownValues) {
  EXPECT_EQ(hash64(""), 0x2D06800538D394C2u);
  const Hash128 empty = hash128("");
  EXPECT_EQ(empty.low, 0x6001C324468D497Fu);
  EXPECT_EQ(empty.high, 0x99AA06D3014798D8u);
}

TEST(HashTest, DependsOnEveryByteAndOnTheSeed) {
  std::string text(300, 'a');
  std::set<uint64_t> seen = {hash64(text), hash64(text, 1)};
  std::set<uint64_t> wide = {hash128(text).low, hash128(text, 1).low};
  for (char& c : text) {
    c = 'b';
    seen.insert(hash64(text));
    wide.insert(hash128(text).low);
    c = 'a';
  }
  EXPECT_EQ(seen.size(), 302u);
  EXPECT_EQ(wide.size(), 302u);
  EXPECT_EQ(hash64(text), hash64(as_bytes(text)));
  EXPECT_EQ(hash128(text), hash128(as_bytes(text)));
}

}  // namespace
}  // namespace loci::base

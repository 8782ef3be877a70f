// SPDX-License-Identifier: Apache-2.0
#include "base/volatile_disk.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace loci::base {
namespace {

using Files = std::map<std::string, std::string>;

TEST(VolatileDiskTest, OnlyWhatWasSyncedIsCertain) {
  VolatileDisk disk;
  const auto file = disk.add("d/f", "old");
  disk.write(file, 0, as_bytes("new"));
  EXPECT_EQ(disk.survivors(0), (Files{{"d/f", "old"}}));
  EXPECT_EQ(disk.survivors(1), (Files{{"d/f", "new"}}));
  disk.sync(file);
  EXPECT_EQ(disk.survivors(0), (Files{{"d/f", "new"}}));
}

TEST(VolatileDiskTest, NamesNeedTheirFolder) {
  VolatileDisk disk;
  const auto file = disk.create("d/f");
  disk.write(file, 0, as_bytes("x"));
  disk.sync(file);
  EXPECT_EQ(disk.survivors(0), Files{});
  disk.sync_directory("elsewhere");
  EXPECT_EQ(disk.survivors(0), Files{});
  disk.sync_directory("d");
  EXPECT_EQ(disk.survivors(0), (Files{{"d/f", "x"}}));
  disk.remove("d/f");
  EXPECT_EQ(disk.survivors(0), (Files{{"d/f", "x"}}));
  EXPECT_EQ(disk.survivors(1), Files{});
  EXPECT_FALSE(disk.find("d/f").has_value());
}

TEST(VolatileDiskTest, RenameIsAtomic) {
  VolatileDisk disk;
  disk.add("d/a", "old");
  const auto beside = disk.create("d/b");
  disk.write(beside, 0, as_bytes("new"));
  disk.sync(beside);
  disk.sync_directory("d");
  disk.rename("d/b", "d/a");
  std::set<Files> seen;
  for (uint64_t seed = 0; seed < 50; ++seed) seen.insert(disk.survivors(seed));
  EXPECT_EQ(seen, (std::set<Files>{{{"d/a", "old"}, {"d/b", "new"}}, {{"d/a", "new"}}}));
}

TEST(VolatileDiskTest, SectorsAreOldOrNewAndEveryMixIsPossible) {
  VolatileDisk disk;
  const auto file = disk.add("d/f", std::string(3 * 512, 'o'));
  disk.write(file, 256, as_bytes(std::string(2 * 512, 'n')));  // touches three sectors
  std::set<std::string> seen;
  for (uint64_t seed = 0; seed < 400; ++seed) seen.insert(disk.survivors(seed).at("d/f"));
  EXPECT_EQ(seen.size(), 8u);
  for (const std::string& bytes : seen) {
    EXPECT_EQ(bytes.substr(0, 256), std::string(256, 'o'));  // outside the write
    EXPECT_EQ(bytes.substr(3 * 512 - 256), std::string(256, 'o'));
  }
}

TEST(VolatileDiskTest, SizesAreAsUncertainAsBytes) {
  VolatileDisk disk;
  const auto file = disk.add("d/f", "abcdef");
  disk.truncate(file, 3);
  EXPECT_EQ(disk.survivors(0), (Files{{"d/f", "abcdef"}}));
  EXPECT_EQ(disk.survivors(1), (Files{{"d/f", "abc"}}));
  disk.write(file, 5, as_bytes("x"));
  disk.sync(file);
  EXPECT_EQ(disk.survivors(0), (Files{{"d/f", std::string("abc\0\0x", 6)}}));
}

}  // namespace
}  // namespace loci::base

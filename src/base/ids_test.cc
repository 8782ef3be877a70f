// SPDX-License-Identifier: Apache-2.0
#include "base/ids.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"

namespace loci::base {
namespace {

TEST(RandomTest, DiffersAndFillsAll) {
  std::set<uint64_t> seen;
  for (int i = 0; i < 1000; ++i) seen.insert(random_u64());
  EXPECT_EQ(seen.size(), 1000u);
  std::array<bool, 1000> touched{};
  for (int round = 0; round < 20; ++round) {  // a byte stays zero in all with probability 256^-20
    std::array<uint8_t, 1000> bytes{};
    random_bytes(bytes);
    for (size_t i = 0; i < bytes.size(); ++i) touched[i] = touched[i] || bytes[i] != 0;
  }
  EXPECT_TRUE(std::all_of(touched.begin(), touched.end(), [](bool t) { return t; }));
}

TEST(UuidTest, VersionAndVariantBits) {
  for (int i = 0; i < 200; ++i) {
    const std::string v4 = uuid_v4();
    const std::string v7 = uuid_v7();
    EXPECT_TRUE(is_uuid(v4)) << v4;
    EXPECT_TRUE(is_uuid(v7)) << v7;
    EXPECT_EQ(v4[14], '4');
    EXPECT_EQ(v7[14], '7');
    EXPECT_NE(std::string("89ab").find(v4[19]), std::string::npos) << v4;
    EXPECT_NE(std::string("89ab").find(v7[19]), std::string::npos) << v7;
  }
}

TEST(UuidTest, ShapeIsChecked) {
  EXPECT_TRUE(is_uuid("0190163D-8694-739b-aea5-966c26f8ad91"));
  EXPECT_FALSE(is_uuid("0190163d-8694-739b-aea5-966c26f8ad9"));
  EXPECT_FALSE(is_uuid("0190163d-8694-739b-aea5-966c26f8ad9g"));
  EXPECT_FALSE(is_uuid("0190163d+8694-739b-aea5-966c26f8ad91"));
  EXPECT_FALSE(is_uuid(""));
}

TEST(UuidV7Test, BeginsWithTheClock) {
  const std::string text = uuid_v7();
  const std::string digits = text.substr(0, 8) + text.substr(9, 4);
  const int64_t ms = std::stoll(digits, nullptr, 16);
  EXPECT_LT(std::abs(ms - now_us() / 1000), 60'000);
}

// The example of RFC 9562, appendix A.6, has these fields; the counter's top bit starts at 0.
TEST(UuidV7Test, LayoutFollowsTheRfc) {
  UuidSource source(
      [](std::span<uint8_t> out) {
        for (size_t i = 0; i < out.size(); ++i) out[i] = static_cast<uint8_t>(0x10 + i);
      },
      [] { return int64_t{0x017F22E279B0}; });
  EXPECT_EQ(source.next_v7(), "017f22e2-79b0-7617-9819-1a1b1c1d1e1f");
  EXPECT_EQ(source.next_v7(), "017f22e2-79b0-7618-9819-1a1b1c1d1e1f");
}

TEST(UuidV7Test, GrowsWhenTheClockStandsStepsBackOrTheCounterIsFull) {
  int64_t wall = 1'700'000'000'000;
  UuidSource source(
      [](std::span<uint8_t> out) { std::fill(out.begin(), out.end(), uint8_t{0xFF}); },
      [&] { return wall; });
  std::string last;
  for (int i = 0; i < 10'000; ++i) {
    if (i == 5000) wall -= 1000;
    const std::string next = source.next_v7();
    ASSERT_LT(last, next) << i;
    last = next;
  }
}

TEST(UuidV7Test, ThreadsGetGrowingAndDistinctIds) {
  std::vector<std::vector<std::string>> ids(4);
  std::vector<std::thread> threads;
  threads.reserve(ids.size());
  for (std::vector<std::string>& mine : ids) {
    threads.emplace_back([&mine] {
      for (int i = 0; i < 2000; ++i) mine.push_back(uuid_v7());
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::set<std::string> all;
  for (const std::vector<std::string>& mine : ids) {
    EXPECT_TRUE(std::is_sorted(mine.begin(), mine.end()));
    all.insert(mine.begin(), mine.end());
  }
  EXPECT_EQ(all.size(), 8000u);
}

}  // namespace
}  // namespace loci::base

// SPDX-License-Identifier: Apache-2.0
#include "base/clock.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <thread>
#include <vector>

namespace loci::base {
namespace {

TEST(ClockTest, WallAndMonotonicMove) {
  EXPECT_GT(now_us(), int64_t{1'600'000'000'000'000});  // after 2020: microseconds, not other units
  EXPECT_LT(now_us(), int64_t{10'000'000'000'000'000});
  const int64_t first = monotonic_ns();
  int64_t next = first;
  for (int i = 0; i < 10'000'000 && next == first; ++i) next = monotonic_ns();
  EXPECT_GT(next, first);
}

TEST(HybridClockTest, PacksMillisecondsAndCounter) {
  const int64_t hlc = hlc_pack(1'700'000'000'123, 65535);
  EXPECT_EQ(hlc_ms(hlc), 1'700'000'000'123);
  EXPECT_EQ(hlc_counter(hlc), 65535);
}

TEST(HybridClockTest, FollowsTheWallAndNeverGoesBack) {
  int64_t wall = 1000;
  HybridClock clock([&] { return wall; });
  EXPECT_EQ(clock.last(), 0);
  EXPECT_EQ(clock.tick(), hlc_pack(1000, 0));
  EXPECT_EQ(clock.tick(), hlc_pack(1000, 1));
  wall = 500;  // stepped back
  EXPECT_EQ(clock.tick(), hlc_pack(1000, 2));
  wall = 1001;
  EXPECT_EQ(clock.tick(), hlc_pack(1001, 0));
}

TEST(HybridClockTest, FullCounterCarries) {
  HybridClock clock([] { return int64_t{1000}; });
  int64_t last = 0;
  for (int i = 0; i < 65536 + 3; ++i) {
    const int64_t next = clock.tick();
    ASSERT_GT(next, last);
    last = next;
  }
  EXPECT_EQ(last, hlc_pack(1001, 2));
}

TEST(HybridClockTest, ObservedTimesAreBehindLaterTicks) {
  HybridClock clock([] { return int64_t{1000}; });
  const int64_t remote = hlc_pack(5000, 7);
  const Result<int64_t> tick = clock.observe(remote);
  ASSERT_TRUE(tick.has_value());
  EXPECT_GT(*tick, remote);
  EXPECT_GT(clock.tick(), *tick);
  const Result<int64_t> older = clock.observe(hlc_pack(10, 0));
  ASSERT_TRUE(older.has_value());
  EXPECT_GT(*older, *tick);
}

TEST(HybridClockTest, AbsurdPeerTimesAreRefusedAndForgotten) {
  HybridClock clock([] { return int64_t{1000}; });
  const int64_t limit = 1000 + HybridClock::kMaxDriftMs;
  EXPECT_TRUE(clock.observe(hlc_pack(limit, 0)).has_value());
  const int64_t before = clock.last();
  EXPECT_EQ(clock.observe(hlc_pack(limit + 1, 0)).error().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(clock.observe(INT64_MAX).error().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(clock.observe(-1).error().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(clock.last(), before);
}

TEST(HybridClockTest, RestoreContinues) {
  HybridClock clock([] { return int64_t{1000}; });
  clock.restore(hlc_pack(int64_t{1} << 40, 3));  // our own past: believed however far ahead
  EXPECT_EQ(clock.tick(), hlc_pack(int64_t{1} << 40, 4));
  clock.restore(5);
  EXPECT_EQ(clock.tick(), hlc_pack(int64_t{1} << 40, 5));
}

TEST(HybridClockTest, ThreadsNeverShareATime) {
  HybridClock clock([] { return int64_t{1000}; });
  constexpr size_t kThreads = 4;
  std::vector<std::vector<int64_t>> times(kThreads);
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  for (std::vector<int64_t>& mine : times) {
    threads.emplace_back([&clock, &mine] {
      for (int i = 0; i < 5000; ++i) mine.push_back(clock.tick());
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::vector<int64_t> all;
  for (const std::vector<int64_t>& mine : times) {
    EXPECT_TRUE(std::is_sorted(mine.begin(), mine.end()));
    all.insert(all.end(), mine.begin(), mine.end());
  }
  std::sort(all.begin(), all.end());
  EXPECT_EQ(std::adjacent_find(all.begin(), all.end()), all.end());
  EXPECT_EQ(all.size(), kThreads * 5000);
}

}  // namespace
}  // namespace loci::base

// SPDX-License-Identifier: Apache-2.0
//
// The hybrid clock. A tick is max(wall, last + 1): as the counter fills the low 16 bits, adding one
// to the packed time counts within a millisecond and carries into the next when 65,536 ticks fall
// into one. So the time runs ahead of the wall clock only while it is asked more than 65 million
// times a second, or after a step back or a peer's later time, and never goes back.
// Tested by clock_test.cc.
#include "base/clock.h"

#include <chrono>
#include <utility>

#include "base/strings.h"

namespace loci::base {

int64_t now_us() noexcept {
  const auto since_epoch = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::microseconds>(since_epoch).count();
}

int64_t monotonic_ns() noexcept {
  const auto since_start = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::nanoseconds>(since_start).count();
}

HybridClock::HybridClock(std::function<int64_t()> wall_ms)
    : wall_ms_(wall_ms ? std::move(wall_ms) : [] { return now_us() / 1000; }) {}

int64_t HybridClock::advance() {
  const int64_t wall = hlc_pack(wall_ms_(), 0);
  last_ = wall > last_ ? wall : last_ + 1;
  return last_;
}

int64_t HybridClock::tick() {
  const MutexLock lock(mu_);
  return advance();
}

Result<int64_t> HybridClock::observe(int64_t remote) {
  const MutexLock lock(mu_);
  const int64_t wall = wall_ms_();
  if (remote < 0 || hlc_ms(remote) - wall > kMaxDriftMs) {
    return Status::invalid_argument(str_cat("peer clock: ", hlc_ms(remote), " ms, ours ", wall,
                                            " ms, allowed ahead ", kMaxDriftMs, " ms"));
  }
  if (remote > last_) last_ = remote;
  return advance();
}

void HybridClock::restore(int64_t last) {
  const MutexLock lock(mu_);
  if (last > last_) last_ = last;
}

int64_t HybridClock::last() const {
  const MutexLock lock(mu_);
  return last_;
}

}  // namespace loci::base

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>

#include "base/mutex.h"
#include "loci/status.h"

namespace loci::base {

/// Microseconds since 1970, UTC.
[[nodiscard]] int64_t now_us() noexcept;
/// Nanoseconds of a clock that never steps; for durations only.
[[nodiscard]] int64_t monotonic_ns() noexcept;

/// A hybrid logical time: milliseconds since 1970 in the upper 48 bits, a counter in the lower 16.
/// Comparing two as integers compares them as times.
/// On disk: never change the packing.
[[nodiscard]] constexpr int64_t hlc_pack(int64_t ms, uint16_t counter) noexcept {
  return (ms << 16) | counter;
}
[[nodiscard]] constexpr int64_t hlc_ms(int64_t hlc) noexcept { return hlc >> 16; }
[[nodiscard]] constexpr uint16_t hlc_counter(int64_t hlc) noexcept {
  return static_cast<uint16_t>(hlc & 0xFFFF);
}

/// Gives times that only grow, close to the wall clock, also when that steps back.
/// Source: Kulkarni et al. 2014, "Logical Physical Clocks", figure 5. Threads: any.
class HybridClock {
 public:
  /// `wall_ms` gives milliseconds since 1970; the system's clock by default.
  explicit HybridClock(std::function<int64_t()> wall_ms = {});

  /// How far ahead of the wall clock a peer's time is believed.
  static constexpr int64_t kMaxDriftMs = int64_t{24} * 3600 * 1000;

  /// A time greater than every one given or seen before.
  [[nodiscard]] int64_t tick() LOCI_EXCLUDES(mu_);
  /// Takes note of a peer's time, so that later ticks are greater, and returns a tick.
  /// kInvalidArgument when it is negative or more than kMaxDriftMs ahead; it is then not noted.
  [[nodiscard]] Result<int64_t> observe(int64_t remote) LOCI_EXCLUDES(mu_);
  /// Continues after `last`, a time of our own from disk; smaller ones change nothing.
  void restore(int64_t last) LOCI_EXCLUDES(mu_);
  /// The newest time given or seen; 0 before the first.
  [[nodiscard]] int64_t last() const LOCI_EXCLUDES(mu_);

 private:
  int64_t advance() LOCI_REQUIRES(mu_);

  const std::function<int64_t()> wall_ms_;
  mutable Mutex mu_;
  int64_t last_ LOCI_GUARDED_BY(mu_) = 0;
};

}  // namespace loci::base

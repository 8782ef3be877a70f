// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "base/mutex.h"

namespace loci::base {

/// Fills `out` with random bytes of the operating system. Never fails; for identity, not secrets:
/// where the system has no entropy source at all, clocks and addresses are hashed and a warning is
/// logged.
void random_bytes(std::span<uint8_t> out);
[[nodiscard]] uint64_t random_u64();

/// A random UUID (RFC 9562 version 4), 36 characters, lower case.
[[nodiscard]] std::string uuid_v4();
/// A time-ordered UUID (RFC 9562 version 7): greater, as text, than every earlier one of this
/// process. Threads: any.
[[nodiscard]] std::string uuid_v7();
/// Whether `text` has the shape 8-4-4-4-12 of hexadecimal digits.
[[nodiscard]] bool is_uuid(std::string_view text) noexcept;

/// What uuid_v7() is made of, with the clock and the randomness handed in.
class UuidSource {
 public:
  using RandomFill = std::function<void(std::span<uint8_t>)>;
  using WallClockMs = std::function<int64_t()>;
  UuidSource(RandomFill random, WallClockMs wall_ms);

  [[nodiscard]] std::string next_v7() LOCI_EXCLUDES(mu_);

 private:
  const RandomFill random_;
  const WallClockMs wall_ms_;
  Mutex mu_;
  /// Milliseconds << 12 | counter of the newest UUID (RFC 9562, 6.2, method 1).
  int64_t last_ LOCI_GUARDED_BY(mu_) = -1;
};

}  // namespace loci::base

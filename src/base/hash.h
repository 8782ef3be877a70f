// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "base/bytes.h"

struct XXH3_state_s;

namespace loci::base {

struct Hash128 {
  uint64_t low = 0;
  uint64_t high = 0;
  friend bool operator==(const Hash128&, const Hash128&) = default;
};

/// XXH3, 64 bits: the same on every machine and release, so it may be stored.
[[nodiscard]] uint64_t hash64(ByteSpan bytes, uint64_t seed = 0) noexcept;
[[nodiscard]] uint64_t hash64(std::string_view text, uint64_t seed = 0) noexcept;
/// XXH3, 128 bits: checksums, and identity where a collision must not happen by accident.
[[nodiscard]] Hash128 hash128(ByteSpan bytes, uint64_t seed = 0) noexcept;
[[nodiscard]] Hash128 hash128(std::string_view text, uint64_t seed = 0) noexcept;

/// hash64() of bytes that come in pieces.
class Hasher64 {
 public:
  Hasher64();
  /// False when there was no memory for it.
  [[nodiscard]] bool ok() const noexcept { return state_ != nullptr; }
  void add(ByteSpan bytes) noexcept;
  /// Of all that was added so far.
  [[nodiscard]] uint64_t digest() const noexcept;

 private:
  struct Free {
    void operator()(XXH3_state_s* state) const noexcept;
  };
  std::unique_ptr<XXH3_state_s, Free> state_;  // null: no memory, see ok()
};

}  // namespace loci::base

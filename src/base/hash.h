// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/bytes.h"

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

}  // namespace loci::base

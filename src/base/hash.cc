// SPDX-License-Identifier: Apache-2.0
#include "base/hash.h"

#include <xxhash.h>

namespace loci::base {

uint64_t hash64(ByteSpan bytes, uint64_t seed) noexcept {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

uint64_t hash64(std::string_view text, uint64_t seed) noexcept {
  return hash64(as_bytes(text), seed);
}

Hash128 hash128(ByteSpan bytes, uint64_t seed) noexcept {
  const XXH128_hash_t hash = XXH3_128bits_withSeed(bytes.data(), bytes.size(), seed);
  return {hash.low64, hash.high64};
}

Hash128 hash128(std::string_view text, uint64_t seed) noexcept {
  return hash128(as_bytes(text), seed);
}

}  // namespace loci::base

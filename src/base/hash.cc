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

void Hasher64::Free::operator()(XXH3_state_s* state) const noexcept { XXH3_freeState(state); }

Hasher64::Hasher64() : state_(XXH3_createState()) {
  if (state_ != nullptr) XXH3_64bits_reset(state_.get());
}

void Hasher64::add(ByteSpan bytes) noexcept {
  XXH3_64bits_update(state_.get(), bytes.data(), bytes.size());
}

uint64_t Hasher64::digest() const noexcept { return XXH3_64bits_digest(state_.get()); }

}  // namespace loci::base

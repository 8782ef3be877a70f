// SPDX-License-Identifier: Apache-2.0
#include "index/bits.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/strings.h"
#include "simd/dispatch.h"

namespace loci::index {

BlockMask BlockMask::first(size_t rows) noexcept {
  BlockMask mask;
  const size_t whole = rows / 64;
  for (size_t i = 0; i < whole; ++i) mask.words[i] = ~uint64_t{0};
  if (rows % 64 != 0) mask.words[whole] = (uint64_t{1} << (rows % 64)) - 1;
  return mask;
}

// As bits that differ from none: there is a kernel for those.
size_t count_rows(std::span<const BlockMask> masks) noexcept {
  constexpr size_t kAtOnce = 64;
  constexpr std::array<uint8_t, sizeof(BlockMask)> kNone{};
  std::array<int32_t, kAtOnce> counts{};
  size_t rows = 0;
  for (size_t at = 0; at < masks.size(); at += kAtOnce) {
    const size_t n = std::min(kAtOnce, masks.size() - at);
    simd::kernels().scan_hamming(reinterpret_cast<const uint8_t*>(masks[at].words.data()),
                                 sizeof(BlockMask), n, kNone.data(), counts.data());
    for (size_t i = 0; i < n; ++i) rows += static_cast<size_t>(counts[i]);
  }
  return rows;
}

void SlotBits::reserve(size_t slots) {
  const size_t words = block_count(slots) * kBlockWords;
  if (words > words_.size()) words_.resize(words);
}

void SlotBits::set(size_t slot, bool value) noexcept {
  const uint64_t bit = uint64_t{1} << (slot % 64);
  uint64_t& word = words_[slot / 64];
  const bool old = (word & bit) != 0;
  if (old == value) return;
  word ^= bit;
  if (value) {
    ++count_;
  } else {
    --count_;
  }
}

BlockMask SlotBits::block(size_t block) const noexcept {
  BlockMask mask;
  const size_t begin = block * kBlockWords;
  if (begin + kBlockWords > words_.size()) return mask;
  std::copy_n(words_.begin() + static_cast<ptrdiff_t>(begin), kBlockWords, mask.words.begin());
  return mask;
}

Status SlotBits::assign(std::span<const uint8_t> words, size_t slots) {
  const size_t count = block_count(slots) * kBlockWords;
  if (words.size() < count * sizeof(uint64_t)) {
    return Status::corruption(
        base::str_cat("snapshot: bits of ", words.size() * 8, " rows, expected ", slots));
  }
  words_.resize(count);
  if (count > 0) std::memcpy(words_.data(), words.data(), count * sizeof(uint64_t));
  count_ = 0;
  for (const uint64_t word : words_) count_ += static_cast<size_t>(std::popcount(word));
  for (size_t slot = slots; slot < count * 64; ++slot) {
    if (test(slot)) return Status::corruption("snapshot: bits are set past the last row");
  }
  return {};
}

}  // namespace loci::index

// SPDX-License-Identifier: Apache-2.0
#include "index/bits.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/strings.h"

namespace loci::index {

BlockMask BlockMask::first(size_t rows) noexcept {
  BlockMask mask;
  const size_t whole = rows / 64;
  for (size_t i = 0; i < whole; ++i) mask.words[i] = ~uint64_t{0};
  if (rows % 64 != 0) mask.words[whole] = (uint64_t{1} << (rows % 64)) - 1;
  return mask;
}

size_t BlockMask::count() const noexcept {
  // std::popcount is a call of the compiler's library on a processor that need not have the
  // instruction; these steps take two words at once there.
  constexpr uint64_t kPairs = 0x5555555555555555;
  constexpr uint64_t kFours = 0x3333333333333333;
  constexpr uint64_t kBytes = 0x0F0F0F0F0F0F0F0F;
  constexpr uint64_t kAlternate = 0x00FF00FF00FF00FF;
  uint64_t sums = 0;  // four of 16 bits
  for (uint64_t word : words) {
    word -= (word >> 1) & kPairs;
    word = (word & kFours) + ((word >> 2) & kFours);
    word = (word + (word >> 4)) & kBytes;
    sums += (word & kAlternate) + ((word >> 8) & kAlternate);
  }
  sums += sums >> 32;
  return static_cast<size_t>((sums + (sums >> 16)) & 0xFFFF);
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

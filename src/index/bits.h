// SPDX-License-Identifier: Apache-2.0
//
// Sets of rows within a block, and growing bit arrays over all slots.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "loci/status.h"

namespace loci::index {

/// Rows are scanned and filtered in blocks of this many slots.
inline constexpr size_t kBlockRows = 1024;
inline constexpr size_t kBlockWords = kBlockRows / 64;

[[nodiscard]] constexpr size_t block_count(size_t slots) noexcept {
  return (slots + kBlockRows - 1) / kBlockRows;
}
/// Slots of block `block` when there are `slots` in all.
[[nodiscard]] constexpr size_t rows_in_block(size_t block, size_t slots) noexcept {
  const size_t left = slots - block * kBlockRows;
  return left < kBlockRows ? left : kBlockRows;
}

/// A set of rows of one block: bit j is slot block * kBlockRows + j.
struct BlockMask {
  std::array<uint64_t, kBlockWords> words{};

  /// The first `rows` rows.
  [[nodiscard]] static BlockMask first(size_t rows) noexcept;
  [[nodiscard]] bool none() const noexcept {
    uint64_t any = 0;
    for (const uint64_t word : words) any |= word;
    return any == 0;
  }
  void clear(size_t row) noexcept { words[row / 64] &= ~(uint64_t{1} << (row % 64)); }
  void set(size_t row) noexcept { words[row / 64] |= uint64_t{1} << (row % 64); }
  [[nodiscard]] bool test(size_t row) const noexcept {
    return ((words[row / 64] >> (row % 64)) & 1U) != 0;
  }
  /// The other rows of the block.
  void invert() noexcept {
    for (uint64_t& word : words) word = ~word;
  }
  void intersect(const BlockMask& other) noexcept {
    for (size_t i = 0; i < kBlockWords; ++i) words[i] &= other.words[i];
  }
  void unite(const BlockMask& other) noexcept {
    for (size_t i = 0; i < kBlockWords; ++i) words[i] |= other.words[i];
  }
  /// Takes the rows of `other` out.
  void subtract(const BlockMask& other) noexcept {
    for (size_t i = 0; i < kBlockWords; ++i) words[i] &= ~other.words[i];
  }
};

/// How many rows the masks hold in all.
[[nodiscard]] size_t count_rows(std::span<const BlockMask> masks) noexcept;

/// Makes room for slot `slot` in values by slot. Whole blocks are allocated, so that a filter reads
/// a block without a test for the end. May throw std::bad_alloc; no value has changed.
template <typename T>
void make_room(std::vector<T>& values, size_t slot) {
  if (slot < values.size()) return;
  const size_t slots = block_count(slot + 1) * kBlockRows;
  if (slots > values.capacity()) values.reserve(std::max(slots, values.capacity() * 2));
  values.resize(slots);
}

/// One bit a slot. Bits past the slots in use are zero, and whole blocks are always allocated, so
/// that a block can be read without a test for the end.
class SlotBits {
 public:
  /// Room for `slots` bits; may throw std::bad_alloc, then nothing has changed.
  void reserve(size_t slots);
  [[nodiscard]] bool test(size_t slot) const noexcept {
    return ((words_[slot / 64] >> (slot % 64)) & 1U) != 0;
  }
  void set(size_t slot, bool value) noexcept;
  /// Takes over the words of another SlotBits of `slots` slots. kCorruption: too few, or bits past
  /// the last slot.
  Status assign(std::span<const uint8_t> words, size_t slots);
  /// The bits of a block; empty set for a block past the end.
  [[nodiscard]] BlockMask block(size_t block) const noexcept;
  [[nodiscard]] size_t count() const noexcept { return count_; }
  [[nodiscard]] size_t memory_bytes() const noexcept { return words_.capacity() * 8; }
  [[nodiscard]] std::span<const uint64_t> words() const noexcept { return words_; }

 private:
  std::vector<uint64_t> words_;
  size_t count_ = 0;  ///< bits that are set
};

}  // namespace loci::index

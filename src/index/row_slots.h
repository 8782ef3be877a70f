// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "loci/types.h"

namespace loci::index {

/// Which row lies in which slot, and back. About 16 bytes a row. Slots are dense as long as rows
/// are taken out by remove(), which moves the last one into the gap; vacate() leaves a hole, which
/// the next row fills.
class RowSlots {
 public:
  [[nodiscard]] size_t size() const noexcept { return rows_.size() - hole_count_; }
  /// Slots in use and holes between them.
  [[nodiscard]] size_t slots() const noexcept { return rows_.size(); }
  [[nodiscard]] bool has_holes() const noexcept { return hole_count_ != 0; }
  /// The slot that append() gives next.
  [[nodiscard]] size_t next_slot() const noexcept {
    return holes_.empty() ? rows_.size() : holes_.front();
  }
  [[nodiscard]] RowId row(size_t slot) const noexcept { return rows_[slot]; }
  /// By slot; kNoRow is a hole.
  [[nodiscard]] std::span<const RowId> rows() const noexcept { return rows_; }
  [[nodiscard]] std::optional<size_t> find(RowId row) const noexcept;

  /// Room for one more row; may throw std::bad_alloc, then nothing has changed.
  void reserve_one();
  /// Gives `row`, which must be absent, the slot next_slot(). Needs reserve_one() before.
  size_t append(RowId row) noexcept;
  /// Takes the row of `slot` out; the last row moves to `slot`. Not when there are holes.
  void remove(size_t slot) noexcept;
  /// Takes the row of `slot` out and leaves a hole.
  void vacate(size_t slot) noexcept;

  /// Takes over the rows of another RowSlots, by slot. kCorruption when one is there twice.
  Status assign(std::span<const RowId> rows);

  [[nodiscard]] size_t memory_bytes() const noexcept;
  [[nodiscard]] Status check_invariants() const;

 private:
  static constexpr uint32_t kEmpty = 0xFFFFFFFF;

  [[nodiscard]] size_t home(RowId row) const noexcept;
  [[nodiscard]] size_t cell_of(size_t slot) const noexcept;
  void place(uint32_t slot) noexcept;
  void grow_table();
  void take_from_table(size_t slot) noexcept;

  std::vector<RowId> rows_;
  std::vector<uint32_t> holes_;  ///< a heap, the least one in front: to be filled first
  size_t hole_count_ = 0;        ///< a hole may be missing in holes_ when memory was short
  std::vector<uint32_t> table_;  ///< open addressing: slots, kEmpty; a power of two cells
};

}  // namespace loci::index

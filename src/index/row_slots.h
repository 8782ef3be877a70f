// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "loci/types.h"

namespace loci::index {

/// Which row lies in which slot, and back. Slots are dense: removing a row moves the last one into
/// its place. About 16 bytes a row.
class RowSlots {
 public:
  [[nodiscard]] size_t size() const noexcept { return rows_.size(); }
  [[nodiscard]] RowId row(size_t slot) const noexcept { return rows_[slot]; }
  /// By slot.
  [[nodiscard]] std::span<const RowId> rows() const noexcept { return rows_; }
  [[nodiscard]] std::optional<size_t> find(RowId row) const noexcept;

  /// Room for one more row; may throw std::bad_alloc, then nothing has changed.
  void reserve_one();
  /// Gives `row`, which must be absent, the slot size(). Needs reserve_one() before.
  size_t append(RowId row) noexcept;
  /// Takes the row of `slot` out; the last row moves to `slot`.
  void remove(size_t slot) noexcept;

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

  std::vector<RowId> rows_;
  std::vector<uint32_t> table_;  ///< open addressing: slots, kEmpty; a power of two cells
};

}  // namespace loci::index

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "index/bits.h"
#include "index/exact_scan.h"
#include "index/predicate_eval.h"

namespace loci::index {

/// Rows that a search may return, asked for one by one: of a set made before, or by the filter
/// itself, which pays where few are asked for.
class RowTest {
 public:
  /// `rows` must outlive this.
  explicit RowTest(const AllowedRows& rows) noexcept
      : all_(rows.all), blocks_(rows.blocks), slots_(rows.slots) {}

  /// Rows with a vector that pass a filter.
  struct Filtered {
    const BoundPredicate* filter = nullptr;
    const SlotBits* present = nullptr;
    const SlotBits* archived = nullptr;  ///< rows to leave out; null: none
    std::span<const uint32_t> hidden;    ///< slots to leave out, ascending
  };
  /// What `rows` points to must outlive this.
  RowTest(const Filtered& rows, size_t slots) noexcept : filtered_(rows), slots_(slots) {}

  [[nodiscard]] bool all() const noexcept { return all_; }
  [[nodiscard]] bool operator()(size_t slot) const noexcept {
    if (all_) return true;
    if (slot >= slots_) return false;
    if (filtered_.filter == nullptr) return blocks_[slot / kBlockRows].test(slot % kBlockRows);
    return filtered_.present->test(slot) &&
           (filtered_.archived == nullptr || !filtered_.archived->test(slot)) &&
           filtered_.filter->passes(slot) &&
           !std::binary_search(filtered_.hidden.begin(), filtered_.hidden.end(), slot);
  }

 private:
  bool all_ = false;
  std::span<const BlockMask> blocks_;
  Filtered filtered_;
  size_t slots_;
};

}  // namespace loci::index

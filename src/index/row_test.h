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
    const SlotBits* present = nullptr;   ///< rows with a vector; null: all
    const SlotBits* archived = nullptr;  ///< rows to leave out; null: none
    std::span<const uint32_t> hidden;    ///< slots to leave out, ascending
  };
  /// What `rows` points to must outlive this.
  RowTest(const Filtered& rows, size_t slots) noexcept : filtered_(rows), slots_(slots) {}

  [[nodiscard]] bool all() const noexcept { return all_; }
  /// A bit for each slot, where that is known beforehand and not all(); else empty.
  [[nodiscard]] std::span<const uint64_t> words() const noexcept {
    if (blocks_.empty()) return {};
    return {blocks_.front().words.data(), blocks_.size() * kBlockWords};
  }
  [[nodiscard]] bool operator()(size_t slot) const noexcept {
    if (all_) return true;
    if (slot >= slots_) return false;
    if (filtered_.filter == nullptr) return blocks_[slot / kBlockRows].test(slot % kBlockRows);
    return filtered_.filter->passes(slot) && is_there(slot);
  }

  /// The same of many slots, all below the number of slots: met[i] is 1 or 0. Quicker than one by
  /// one.
  void operator()(std::span<const uint32_t> slots, uint8_t* met) const noexcept {
    if (all_) {
      std::fill_n(met, slots.size(), uint8_t{1});
      return;
    }
    if (filtered_.filter == nullptr) {
      for (size_t i = 0; i < slots.size(); ++i) {
        const uint32_t slot = slots[i];
        met[i] = blocks_[slot / kBlockRows].test(slot % kBlockRows) ? 1 : 0;
      }
      return;
    }
    filtered_.filter->passes(slots, met);
    if (filtered_.present == nullptr && filtered_.archived == nullptr && filtered_.hidden.empty()) {
      return;
    }
    for (size_t i = 0; i < slots.size(); ++i)
      if (!is_there(slots[i])) met[i] = 0;
  }

 private:
  [[nodiscard]] bool is_there(size_t slot) const noexcept {
    return (filtered_.present == nullptr || filtered_.present->test(slot)) &&
           (filtered_.archived == nullptr || !filtered_.archived->test(slot)) &&
           !std::binary_search(filtered_.hidden.begin(), filtered_.hidden.end(), slot);
  }

  bool all_ = false;
  std::span<const BlockMask> blocks_;
  Filtered filtered_;
  size_t slots_;
};

}  // namespace loci::index

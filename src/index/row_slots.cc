// SPDX-License-Identifier: Apache-2.0
//
// A hash table of slots. The keys are not in the table but in rows_, which a scan needs anyway:
// 8 bytes a row there and 5.3 to 10.7 in the table.
//
// Linear probing in a power of two cells, at most three quarters full; removal shifts later cells
// of the run back (Knuth, TAOCP 3, 6.4, algorithm R), so that there are no tombstones and a table
// that lives long does not decay. The home cell is the top bits of rowid * 2^64 / phi: ascending
// rowids, the usual case, land far apart and almost never collide.
//
// Invariants: (1) every slot that is no hole is in the table once; (2) no empty cell lies between a
// slot's home and its cell. Tested by row_slots_test.cc.
#include "index/row_slots.h"

#include <algorithm>
#include <bit>
#include <functional>

#include "base/c_edge.h"
#include "base/strings.h"

namespace loci::index {

size_t RowSlots::home(RowId row) const noexcept {
  const uint64_t mixed = static_cast<uint64_t>(to_int(row)) * 0x9E3779B97F4A7C15U;
  return static_cast<size_t>(mixed >> (64 - std::countr_zero(table_.size())));
}

std::optional<size_t> RowSlots::find(RowId row) const noexcept {
  if (table_.empty()) return std::nullopt;
  const size_t mask = table_.size() - 1;
  for (size_t cell = home(row);; cell = (cell + 1) & mask) {
    const uint32_t slot = table_[cell];
    if (slot == kEmpty) return std::nullopt;
    if (rows_[slot] == row) return slot;
  }
}

size_t RowSlots::cell_of(size_t slot) const noexcept {
  const size_t mask = table_.size() - 1;
  size_t cell = home(rows_[slot]);
  while (table_[cell] != slot) cell = (cell + 1) & mask;
  return cell;
}

void RowSlots::place(uint32_t slot) noexcept {
  const size_t mask = table_.size() - 1;
  size_t cell = home(rows_[slot]);
  while (table_[cell] != kEmpty) cell = (cell + 1) & mask;
  table_[cell] = slot;
}

void RowSlots::grow_table() {
  const size_t cells = std::max<size_t>(16, table_.size() * 2);
  table_ = std::vector<uint32_t>(cells, kEmpty);
  for (size_t slot = 0; slot < rows_.size(); ++slot) {
    if (rows_[slot] != kNoRow) place(static_cast<uint32_t>(slot));
  }
}

void RowSlots::reserve_one() {
  if (holes_.empty() && rows_.size() == rows_.capacity())
    rows_.reserve(std::max<size_t>(64, rows_.size() * 2));
  if ((rows_.size() + 1) * 4 > table_.size() * 3) grow_table();
}

size_t RowSlots::append(RowId row) noexcept {
  const size_t slot = next_slot();
  if (holes_.empty()) {
    rows_.push_back(row);
  } else {
    std::pop_heap(holes_.begin(), holes_.end(), std::greater<>());
    holes_.pop_back();
    --hole_count_;
    rows_[slot] = row;
  }
  place(static_cast<uint32_t>(slot));
  return slot;
}

// Takes the cell of a slot out of the table.
void RowSlots::take_from_table(size_t slot) noexcept {
  const size_t mask = table_.size() - 1;
  size_t hole = cell_of(slot);
  // Shift back every cell of the run that may move without passing its home.
  for (size_t cell = (hole + 1) & mask; table_[cell] != kEmpty; cell = (cell + 1) & mask) {
    const size_t from_home = (cell - home(rows_[table_[cell]])) & mask;
    if (from_home < ((cell - hole) & mask)) continue;
    table_[hole] = table_[cell];
    hole = cell;
  }
  table_[hole] = kEmpty;
}

void RowSlots::remove(size_t slot) noexcept {
  const size_t last = rows_.size() - 1;
  take_from_table(slot);
  if (slot != last) table_[cell_of(last)] = static_cast<uint32_t>(slot);
  rows_[slot] = rows_[last];
  rows_.pop_back();
}

void RowSlots::vacate(size_t slot) noexcept {
  take_from_table(slot);
  rows_[slot] = kNoRow;
  ++hole_count_;
  // A hole that is not listed for lack of memory stays empty until the image is loaded anew.
  [[maybe_unused]] const Status status = base::guarded([&]() -> Status {
    holes_.push_back(static_cast<uint32_t>(slot));
    std::push_heap(holes_.begin(), holes_.end(), std::greater<>());
    return {};
  });
}

Status RowSlots::assign(std::span<const RowId> rows) {
  rows_.assign(rows.begin(), rows.end());
  const size_t cells = std::bit_ceil(std::max<size_t>(16, rows.size() / 3 * 4 + 4));
  table_ = std::vector<uint32_t>(cells, kEmpty);
  for (size_t slot = 0; slot < rows_.size(); ++slot) {  // ascending is a heap
    if (rows_[slot] != kNoRow) continue;
    holes_.push_back(static_cast<uint32_t>(slot));
    ++hole_count_;
  }
  for (size_t slot = 0; slot < rows_.size(); ++slot) {
    if (rows_[slot] == kNoRow) continue;
    if (find(rows_[slot]).has_value()) {
      return Status::corruption(
          base::str_cat("snapshot: row ", to_int(rows_[slot]), " is there twice"));
    }
    place(static_cast<uint32_t>(slot));
  }
  return {};
}

size_t RowSlots::memory_bytes() const noexcept {
  return rows_.capacity() * sizeof(RowId) +
         (table_.capacity() + holes_.capacity()) * sizeof(uint32_t);
}

Status RowSlots::check_invariants() const {
  size_t holes = 0;
  for (size_t slot = 0; slot < rows_.size(); ++slot) {
    if (rows_[slot] == kNoRow) {
      ++holes;
      continue;
    }
    if (find(rows_[slot]) != slot) {
      return Status::internal(base::str_cat("row ", to_int(rows_[slot]), " of slot ", slot,
                                            " is not found in the row table"));
    }
  }
  const auto used = static_cast<size_t>(
      std::count_if(table_.begin(), table_.end(), [](uint32_t cell) { return cell != kEmpty; }));
  if (used != size() || holes != hole_count_ || holes_.size() > holes) {
    return Status::internal(base::str_cat("row table holds ", used, " of ", size(), " rows, ",
                                          holes_.size(), " of ", holes, " holes"));
  }
  return {};
}

}  // namespace loci::index

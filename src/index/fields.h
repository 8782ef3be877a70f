// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "index/bits.h"
#include "index/dictionary.h"
#include "index/packed_ints.h"
#include "index/snapshot_file.h"
#include "loci/types.h"

namespace loci::index {

/// The values of one filter column, by slot. Text is held as dictionary codes, bool as 0 and 1.
class FieldColumn {
 public:
  explicit FieldColumn(FieldType type) : type_(type) {}

  [[nodiscard]] FieldType type() const noexcept { return type_; }
  /// kCorruption when the column cannot hold `value`. NULL fits everywhere, an integer fits a
  /// float column, 0 and 1 fit a bool column, a bool fits an integer column; NaN is NULL, as in
  /// SQLite.
  [[nodiscard]] Status check(const Value& value) const;

  /// A value ready to be stored: set() with it cannot fail.
  struct Cell {
    bool null = true;
    int64_t number = 0;  ///< integer, bool, or code of a text
    double real = 0;
  };
  /// Makes room for slot `slot` (at most one past the end) and for `value`, which passed check().
  /// May throw std::bad_alloc; then nothing has changed.
  [[nodiscard]] Cell prepare(size_t slot, const Value& value);
  /// Stores a prepared cell; `fresh` when the slot has no value yet.
  void set(size_t slot, const Cell& cell, bool fresh) noexcept;
  /// Takes the value of `slot` out; the one of `last`, the greatest slot, moves there.
  void remove(size_t slot, size_t last) noexcept;
  /// Takes the value of `slot` out and leaves the slot empty: set() of it is then `fresh`.
  void clear(size_t slot) noexcept;

  [[nodiscard]] const SlotBits& nulls() const noexcept { return nulls_; }
  /// Of integers and bools the values, of texts their codes; of NULL any.
  [[nodiscard]] const PackedInts& numbers() const noexcept { return numbers_; }
  [[nodiscard]] std::span<const double> reals() const noexcept { return reals_; }
  [[nodiscard]] const Dictionary& dictionary() const noexcept { return dictionary_; }

  /// Writes everything but the type, as the segments of filter column `number`.
  Status save(uint32_t number, size_t slots, SnapshotWriter& out) const;
  /// Takes over what save() wrote; the column is empty before. kCorruption.
  Status load(uint32_t number, size_t slots, SnapshotFile& from);

  [[nodiscard]] size_t memory_bytes() const noexcept;
  [[nodiscard]] Status check_invariants(size_t slots) const;

 private:
  [[nodiscard]] uint32_t code(size_t slot) const noexcept {
    return static_cast<uint32_t>(numbers_[slot]);
  }

  FieldType type_;
  SlotBits nulls_;
  PackedInts numbers_;         ///< kInt, kBool, kText
  std::vector<double> reals_;  ///< kFloat
  Dictionary dictionary_;      ///< kText
};

}  // namespace loci::index

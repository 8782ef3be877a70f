// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "index/bits.h"
#include "index/fields.h"
#include "index/predicate.h"
#include "index/row_slots.h"

namespace loci::index {

/// A predicate made ready for the columns of one image: constants turned into the columns' own
/// types, texts into dictionary codes. Valid until the image changes.
class BoundPredicate {
 public:
  /// Errors: kInvalidArgument (a column that is not there, text against a number, LIKE on a column
  /// that is not text, a node of the wrong shape).
  static Result<BoundPredicate> bind(const Predicate& predicate,
                                     std::span<const FieldColumn> columns, const RowSlots& rows);

  /// Whether the predicate is true for the row of one slot: some nanoseconds a leaf.
  [[nodiscard]] bool passes(size_t slot) const noexcept { return truth_of(root_, slot) > 0; }
  /// The same of many slots, in any order: met[i] is 1 or 0. Quicker than one by one.
  void passes(std::span<const uint32_t> slots, uint8_t* met) const noexcept {
    test_slots(root_, slots, met);
  }
  /// Whether kernels do all of the work of find_passing(): a fraction of a nanosecond a row.
  [[nodiscard]] bool is_quick() const noexcept { return is_quick(root_); }
  /// Adds the rows of `block` for which the predicate is true to `rows`, which is empty; bits past
  /// the last slot are unspecified.
  void find_passing(size_t block, BlockMask& rows) const { find_rows(root_, block, true, rows); }
  /// The same of all blocks from the first on; quicker than one by one.
  void find_passing(std::span<BlockMask> blocks) const;

 private:
  /// Integers, or dictionary codes, from `low` to `high`.
  struct Run {
    int64_t low = 0;
    int64_t high = -1;
  };
  /// A test of one column that needs nothing but the stored value, or a connective.
  struct Node {
    enum class Test : uint8_t { kAnd, kOr, kNot, kNever, kIsNull, kBits, kNumbers, kReals };
    Test test = Test::kNever;
    bool negated = false;  ///< kNumbers, kReals: true where the test is not met
    /// kNever, kNumbers, kReals: unknown also where nothing matched (NULL among the constants)
    bool otherwise_unknown = false;
    const FieldColumn* column = nullptr;  // must outlive this: a column of the image
    std::vector<Run> runs;                ///< kNumbers: met in these, which are few,
    std::vector<int64_t> ints;            ///< or, when not empty, at one of these, ascending,
    std::vector<uint8_t> codes;           ///< or, when not empty, by code of a text: 1 where met
    double real_low = 1;                  ///< kReals: met from real_low to real_high,
    double real_high = 0;
    std::vector<double> reals;    ///< or at one of these, ascending
    std::vector<BlockMask> bits;  ///< kBits: by block
    std::vector<Node> children;
  };
  class Binder;

  static bool is_quick(const Node& node) noexcept;
  /// 1: true, 0: unknown, -1: false.
  static int truth_of(const Node& node, size_t slot) noexcept;
  [[nodiscard]] static bool is_met(const Node& node, size_t slot) noexcept;
  static void test_slots(const Node& node, std::span<const uint32_t> slots, uint8_t* met) noexcept;
  /// The rows where the node is true, or those where it is false; rows in neither are unknown.
  static void find_rows(const Node& node, size_t block, bool truth, BlockMask& rows);
  static void find_met(const Node& node, size_t block, BlockMask& rows);
  /// Whether the node is true where its test is met and false elsewhere, and of one column.
  static bool is_plain(const Node& node) noexcept;
  /// Whether it is, and the test that of one interval.
  static bool is_interval(const Node& node) noexcept;

  Node root_;
};

}  // namespace loci::index

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
  /// The rows of `block` for which the predicate is true; bits past the last slot are unspecified.
  [[nodiscard]] BlockMask passing(size_t block) const { return rows_with(root_, block, true); }

 private:
  /// Dictionary codes that follow one another.
  struct CodeRun {
    uint32_t low = 0;
    uint32_t high = 0;
  };
  /// A test of one column that needs nothing but the stored value, or a connective.
  struct Node {
    enum class Test : uint8_t { kAnd, kOr, kNot, kNever, kIsNull, kBits, kInts, kReals, kCodes };
    Test test = Test::kNever;
    bool negated = false;  ///< kInts, kReals, kCodes: true where the test is not met
    /// kNever, kInts, kReals, kCodes: unknown also where nothing matched (NULL among the constants)
    bool otherwise_unknown = false;
    const FieldColumn* column = nullptr;  // must outlive this: a column of the image
    int64_t int_low = 0;                  ///< kInts: met from int_low to int_high,
    int64_t int_high = -1;
    double real_low = 1;  ///< kReals: met from real_low to real_high,
    double real_high = 0;
    std::vector<int64_t> ints;    ///< or at one of these, ascending
    std::vector<double> reals;    ///< or at one of these, ascending
    std::vector<CodeRun> runs;    ///< kCodes: met in these,
    std::vector<uint8_t> codes;   ///< or, when not empty, by code: 1 where met
    std::vector<BlockMask> bits;  ///< kBits: by block
    std::vector<Node> children;
  };
  class Binder;

  /// 1: true, 0: unknown, -1: false.
  static int truth_of(const Node& node, size_t slot) noexcept;
  [[nodiscard]] static bool is_met(const Node& node, size_t slot) noexcept;
  static void test_slots(const Node& node, std::span<const uint32_t> slots, uint8_t* met) noexcept;
  /// The rows where the node is true, or those where it is false; rows in neither are unknown.
  static BlockMask rows_with(const Node& node, size_t block, bool truth);
  static BlockMask rows_met(const Node& node, size_t block);

  Node root_;
};

}  // namespace loci::index

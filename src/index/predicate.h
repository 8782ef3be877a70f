// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "loci/types.h"

namespace loci::index {

/// A filter over the filter columns of an image: a tree, SQL's three-valued logic throughout.
/// A row passes when the root is true (not false, not unknown).
struct Predicate {
  enum class Kind : uint8_t {
    kAnd,      ///< all of `children`
    kOr,       ///< any of `children`
    kNot,      ///< the one of `children`
    kCompare,  ///< column `op` values[0]
    kIn,       ///< column equal to any of `values`
    kIsNull,   ///< column IS NULL
    kLike,     ///< column LIKE values[0]: SQLite's rule (%, _, ASCII case-insensitive)
    kRows,     ///< the row is in `rows`; never unknown
  };
  enum class Op : uint8_t { kEq, kNe, kLt, kLe, kGt, kGe };

  Kind kind = Kind::kAnd;
  Op op = Op::kEq;
  size_t column = 0;          ///< position in ImageLayout::filters
  std::vector<Value> values;  ///< typed as the column; int and float compare as numbers
  std::vector<RowId> rows;    ///< ascending
  std::vector<Predicate> children;
};

}  // namespace loci::index

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "index/predicate.h"
#include "store/rows.h"
#include "store/source.h"

namespace loci::query {

/// A parsed filter expression. Grammar (keywords case-insensitive):
///   expr   := and { OR and }         and := not { AND not }        not := [NOT] test
///   test   := '(' expr ')' | name op value | name [NOT] IN '(' value {',' value} ')'
///           | name [NOT] LIKE text | name IS [NOT] NULL | name [NOT] BETWEEN value AND value
///   op     := = == != <> < <= > >=   value := number | 'text' | "text" | true | false
///   name   := [A-Za-z_][A-Za-z0-9_]* { '.' name }    metadata.a.b is a path into the metadata
struct FilterExpr {
  enum class Kind : uint8_t { kAnd, kOr, kNot, kCompare, kIn, kIsNull, kLike };
  Kind kind = Kind::kAnd;
  index::Predicate::Op op = index::Predicate::Op::kEq;
  std::string name;  ///< column, or metadata path
  std::vector<Value> values;
  std::vector<FilterExpr> children;
};

/// Errors: kInvalidArgument with the position, what was found and what was expected; nesting over
/// kMaxWhereDepth (64) or text over 64 KiB.
Result<FilterExpr> parse_filter(std::string_view text);

/// An expression checked against a source: names exist, values fit the column types.
class Filter {
 public:
  /// Errors: kInvalidArgument (unknown column, with the ones there are and a near one suggested;
  /// a value of the wrong type). Empty text: passes every row. `source` must outlive the filter.
  static Result<Filter> bind(std::string_view text, const store::Source& source);
  static Result<Filter> bind(std::string_view text, const store::Source&& source) = delete;

  [[nodiscard]] bool empty() const noexcept { return !expr_.has_value(); }
  /// For SQL over the alias `t`; every value is bound, names are quoted.
  [[nodiscard]] store::SqlFilter to_sql() const;
  /// For the image, when only filter columns are named (nullopt otherwise: select rowids by
  /// to_sql() and pass a kRows predicate).
  [[nodiscard]] std::optional<index::Predicate> to_predicate() const;

 private:
  std::optional<FilterExpr> expr_;
  const store::Source* source_ = nullptr;  // must outlive this
};

}  // namespace loci::query

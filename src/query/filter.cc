// SPDX-License-Identifier: Apache-2.0
//
// A parsed filter against a source: names become columns, values are checked and brought into the
// column's type, and the tree is written as SQL or as a predicate over filter columns.
//
// Invariants: (1) the two forms agree on every row, NULLs included: values are normalised once, in
// bind(), and both are written from the same tree; (2) no byte of a value ever enters the SQL text,
// and names enter it quoted, after they were found in the source; (3) AND and OR are written as
// balanced trees, because SQLite limits the depth of an expression and reads `a OR b OR c` as a
// list that grows to the left.
//
// Metadata paths have no declared type. A number compares with numbers and a text with texts only:
// SQLite alone would order every text above every number, so that year >= 2020 would find "1999".
// Tested by filter_test.cc, filter_oracle_test.cc (against SQLite).
#include "query/filter.h"

#include <algorithm>
#include <utility>

#include "base/limits.h"
#include "base/strings.h"

namespace loci::query {
namespace {

using Kind = FilterExpr::Kind;
using Op = index::Predicate::Op;

constexpr std::string_view kMetadata = "metadata";
constexpr std::string_view kMetadataPrefix = "metadata.";
/// SQLITE_MAX_LIKE_PATTERN_LENGTH.
constexpr size_t kMaxLikeBytes = 50000;

/// What a name stands for.
struct Target {
  std::string sql;
  std::optional<FieldType> type;  ///< nullopt: any (a metadata path, a user's key column)
  std::optional<size_t> filter;   ///< position among the filter columns
};

std::string column_sql(const store::Source& source, std::string_view column) {
  std::string sql = base::str_cat("t.", sqlite::quote_identifier(column));
  // The image compares bytes; a user's column may say COLLATE NOCASE.
  if (!source.managed) sql += " COLLATE BINARY";
  return sql;
}

std::string metadata_sql(std::string_view path) {
  std::string json_path = "$";
  for (const std::string_view key : base::split(path, '.')) {
    base::str_append(json_path, ".\"", key, "\"");
  }
  // Other programs may store metadata that is no JSON: to a filter it is NULL, not an error.
  return base::str_cat("CASE WHEN json_valid(t.metadata) THEN json_extract(t.metadata, ",
                       sqlite::quote_text(json_path), ") END");
}

std::optional<Target> find_built_in(const store::Source& source, std::string_view name) {
  if (base::ascii_equal_fold(name, "rowid")) {
    if (!source.key_columns.empty()) return Target{"k.rid", FieldType::kInt, std::nullopt};
    return Target{base::str_cat("t.", sqlite::quote_identifier(source.key_column)), FieldType::kInt,
                  std::nullopt};
  }
  for (const std::string& key : source.key_columns) {
    if (base::ascii_equal_fold(name, key)) {
      return Target{column_sql(source, key), std::nullopt, std::nullopt};
    }
  }
  if (!source.managed) return std::nullopt;
  if (source.spec.text_ids && base::ascii_equal_fold(name, "id")) {
    return Target{"t.id", FieldType::kText, std::nullopt};
  }
  if (base::ascii_equal_fold(name, "created_at")) {
    return Target{"t.created_at", FieldType::kInt, std::nullopt};
  }
  if (base::ascii_equal_fold(name, "updated_at")) {
    return Target{"t.updated_at", FieldType::kInt, std::nullopt};
  }
  if (base::ascii_equal_fold(name, kMetadata)) {
    return Target{"t.metadata", FieldType::kText, std::nullopt};
  }
  if (base::ascii_equal_fold(name.substr(0, kMetadataPrefix.size()), kMetadataPrefix)) {
    return Target{metadata_sql(name.substr(kMetadataPrefix.size())), std::nullopt, std::nullopt};
  }
  return std::nullopt;
}

std::optional<Target> find_target(const store::Source& source, std::string_view name) {
  const std::vector<FilterColumn>& filters = source.spec.filters;
  for (size_t i = 0; i < filters.size(); ++i) {
    if (base::ascii_equal_fold(filters[i].name, name)) {
      return Target{column_sql(source, filters[i].name), filters[i].type, i};
    }
  }
  for (const std::string& column : source.spec.text) {
    if (base::ascii_equal_fold(column, name)) {
      return Target{column_sql(source, column), FieldType::kText, std::nullopt};
    }
  }
  return find_built_in(source, name);
}

/// The names a filter may use, as the message of an unknown one lists them.
std::vector<std::string> known_names(const store::Source& source) {
  std::vector<std::string> names;
  names.reserve(source.spec.filters.size() + source.spec.text.size() + 8);
  for (const FilterColumn& column : source.spec.filters) names.push_back(column.name);
  names.insert(names.end(), source.spec.text.begin(), source.spec.text.end());
  names.insert(names.end(), source.key_columns.begin(), source.key_columns.end());
  names.emplace_back("rowid");
  if (!source.managed) return names;
  if (source.spec.text_ids) names.emplace_back("id");
  names.emplace_back("created_at");
  names.emplace_back("updated_at");
  names.emplace_back(kMetadata);
  return names;
}

Status unknown_column(const store::Source& source, std::string_view name) {
  std::vector<std::string> names = known_names(source);
  const std::optional<std::string> near = base::closest(name, names);
  if (source.managed) names.back() += ".<key>";
  return Status::invalid_argument(base::str_cat(
      "filter: collection '", source.spec.name, "' has no column '", name, "'",
      near.has_value() ? base::str_cat("; did you mean '", *near, "'?") : std::string(),
      " Columns: ", base::join(names, ", ")));
}

std::string describe(const Value& value) {
  if (const auto* text = std::get_if<std::string>(&value)) {
    const std::string_view shown = base::utf8_prefix(*text, 40);
    return base::str_cat("the text '", shown, shown.size() < text->size() ? "..." : "", "'");
  }
  if (const auto* integer = std::get_if<int64_t>(&value)) {
    return base::str_cat("the number ", *integer);
  }
  if (const auto* real = std::get_if<double>(&value)) return base::str_cat("the number ", *real);
  if (const auto* truth = std::get_if<bool>(&value)) return *truth ? "true" : "false";
  return "NULL";
}

Status wrong_type(const FilterExpr& expr, FieldType type, const Value& value) {
  std::string_view hint;
  if (type == FieldType::kText) hint = "; texts are written between ' and '";
  if (type == FieldType::kBool) hint = "; write true or false";
  return Status::invalid_argument(base::str_cat("filter: column '", expr.name, "' is ",
                                                field_type_name(type), ", got ", describe(value),
                                                hint));
}

/// Brings `value` into the type of the column.
Status fit_value(const FilterExpr& expr, FieldType type, Value& value) {
  const bool is_number =
      std::holds_alternative<int64_t>(value) || std::holds_alternative<double>(value);
  switch (type) {
    case FieldType::kText:
      if (!std::holds_alternative<std::string>(value)) return wrong_type(expr, type, value);
      return {};
    case FieldType::kInt:
    case FieldType::kFloat:
      if (!is_number) return wrong_type(expr, type, value);
      return {};
    case FieldType::kBool:
      if (const auto* integer = std::get_if<int64_t>(&value)) {
        if (*integer != 0 && *integer != 1) return wrong_type(expr, type, value);
        value = *integer == 1;
      }
      if (!std::holds_alternative<bool>(value)) return wrong_type(expr, type, value);
      return {};
  }
  return Status::internal(base::str_cat("filter: field type ", static_cast<int>(type)));
}

Status check(FilterExpr& expr, const store::Source& source) {
  for (FilterExpr& child : expr.children) LOCI_RETURN_IF_ERROR(check(child, source));
  if (expr.name.empty()) return {};
  const std::optional<Target> target = find_target(source, expr.name);
  if (!target.has_value()) return unknown_column(source, expr.name);
  if (expr.kind == Kind::kLike) {
    if (target->type.value_or(FieldType::kText) != FieldType::kText) {
      return Status::invalid_argument(base::str_cat("filter: column '", expr.name, "' is ",
                                                    field_type_name(*target->type),
                                                    ", LIKE is for text"));
    }
    const size_t bytes = std::get<std::string>(expr.values.front()).size();
    if (bytes > kMaxLikeBytes) {
      return Status::invalid_argument(base::str_cat("filter: column '", expr.name, "': pattern of ",
                                                    bytes, " bytes, at most ", kMaxLikeBytes));
    }
  }
  if (!target->type.has_value()) return {};
  for (Value& value : expr.values) {
    LOCI_RETURN_IF_ERROR(fit_value(expr, *target->type, value));
  }
  return {};
}

std::string_view op_sql(Op op) noexcept {
  switch (op) {
    case Op::kEq:
      return " = ?";
    case Op::kNe:
      return " <> ?";
    case Op::kLt:
      return " < ?";
    case Op::kLe:
      return " <= ?";
    case Op::kGt:
      return " > ?";
    case Op::kGe:
      return " >= ?";
  }
  return " = ?";
}

/// Writes a tree as SQL, values in the order of their question marks.
class SqlWriter {
 public:
  explicit SqlWriter(const store::Source& source) : source_(source) {}

  void write(const FilterExpr& expr) {
    switch (expr.kind) {
      case Kind::kAnd:
      case Kind::kOr:
        write_list(expr.children, expr.kind == Kind::kAnd ? " AND " : " OR ");
        return;
      case Kind::kNot:
        out_.sql += "(NOT ";
        write(expr.children.front());
        out_.sql += ")";
        return;
      case Kind::kCompare:
        write_compare(expr);
        return;
      case Kind::kIn:
        write_in(expr);
        return;
      case Kind::kIsNull:
        base::str_append(out_.sql, "(", target(expr).sql, " IS NULL)");
        return;
      case Kind::kLike:
        base::str_append(out_.sql, "(", target(expr).sql, " LIKE ?)");
        out_.values.push_back(expr.values.front());
        return;
    }
  }

  store::SqlFilter take() && { return std::move(out_); }

 private:
  [[nodiscard]] Target target(const FilterExpr& expr) const {
    return find_target(source_, expr.name).value_or(Target{});  // bind() has found it before
  }

  void write_list(std::span<const FilterExpr> children, std::string_view joint) {
    if (children.size() == 1) {
      write(children.front());
      return;
    }
    const size_t half = children.size() / 2;
    out_.sql += "(";
    write_list(children.first(half), joint);
    out_.sql += joint;
    write_list(children.subspan(half), joint);
    out_.sql += ")";
  }

  void write_compare(const FilterExpr& expr) {
    const Target at = target(expr);
    base::str_append(out_.sql, "(", at.sql, op_sql(expr.op));
    if (!at.type.has_value()) {
      // Across types SQLite orders numbers below texts; NULL stays unknown either way.
      const bool text = std::holds_alternative<std::string>(expr.values.front());
      const bool less = expr.op == Op::kLt || expr.op == Op::kLe;
      const bool greater = expr.op == Op::kGt || expr.op == Op::kGe;
      if (text && less) base::str_append(out_.sql, " AND typeof(", at.sql, ") IN ('text', 'null')");
      if (!text && greater) base::str_append(out_.sql, " AND typeof(", at.sql, ") <> 'text'");
    }
    out_.sql += ")";
    out_.values.push_back(expr.values.front());
  }

  void write_in(const FilterExpr& expr) {
    base::str_append(out_.sql, "(", target(expr).sql, " IN (");
    for (size_t i = 0; i < expr.values.size(); ++i) out_.sql += i == 0 ? "?" : ",?";
    out_.sql += "))";
    out_.values.insert(out_.values.end(), expr.values.begin(), expr.values.end());
  }

  const store::Source& source_;  // must outlive this
  store::SqlFilter out_;
};

std::optional<index::Predicate> predicate_of(const FilterExpr& expr, const store::Source& source) {
  index::Predicate predicate;
  predicate.op = expr.op;
  predicate.values = expr.values;
  for (const FilterExpr& child : expr.children) {
    std::optional<index::Predicate> converted = predicate_of(child, source);
    if (!converted.has_value()) return std::nullopt;
    predicate.children.push_back(*std::move(converted));
  }
  using To = index::Predicate::Kind;
  switch (expr.kind) {
    case Kind::kAnd:
      predicate.kind = To::kAnd;
      return predicate;
    case Kind::kOr:
      predicate.kind = To::kOr;
      return predicate;
    case Kind::kNot:
      predicate.kind = To::kNot;
      return predicate;
    case Kind::kCompare:
      predicate.kind = To::kCompare;
      break;
    case Kind::kIn:
      predicate.kind = To::kIn;
      break;
    case Kind::kIsNull:
      predicate.kind = To::kIsNull;
      break;
    case Kind::kLike:
      predicate.kind = To::kLike;
      break;
  }
  const std::optional<Target> target = find_target(source, expr.name);
  if (!target.has_value() || !target->filter.has_value()) return std::nullopt;
  predicate.column = *target->filter;
  return predicate;
}

}  // namespace

Result<Filter> Filter::bind(std::string_view text, const store::Source& source) {
  Filter filter;
  filter.source_ = &source;
  if (base::trim(text).empty()) return filter;
  LOCI_ASSIGN_OR_RETURN(FilterExpr expr, parse_filter(text));
  LOCI_RETURN_IF_ERROR(check(expr, source));
  filter.expr_ = std::move(expr);
  return filter;
}

store::SqlFilter Filter::to_sql() const {
  if (!expr_.has_value()) return {};
  SqlWriter writer(*source_);
  writer.write(*expr_);
  return std::move(writer).take();
}

std::optional<index::Predicate> Filter::to_predicate() const {
  if (!expr_.has_value()) return std::nullopt;
  return predicate_of(*expr_, *source_);
}

}  // namespace loci::query

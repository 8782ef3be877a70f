// SPDX-License-Identifier: Apache-2.0
//
// What may be written. Names are looked for where the last one was found, because records mostly
// give their columns in spec order; then validation is a few hundred nanoseconds a row.
// Tested by rows_test.cc.
#include "store/rows_check.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "base/elements.h"
#include "base/limits.h"
#include "base/port.h"
#include "base/strings.h"
#include "store/rows_sql.h"

namespace loci::store {
namespace {

constexpr uint32_t kExponent = 0x7F800000;
constexpr uint32_t kMagnitude = 0x7FFFFFFF;

std::string_view value_kind(const Value& value) noexcept {
  if (std::holds_alternative<int64_t>(value)) return "an integer";
  if (std::holds_alternative<double>(value)) return "a float";
  if (std::holds_alternative<bool>(value)) return "a bool";
  if (std::holds_alternative<std::string>(value)) return "text";
  return "NULL";
}

Status unknown_column(const Source& source, std::string_view name) {
  std::vector<std::string> names = source.spec.text;
  for (const FilterColumn& column : source.spec.filters) names.push_back(column.name);
  for (const VectorColumn& column : source.spec.vectors) names.push_back(column.name);
  const std::optional<std::string> near = base::closest(name, names);
  return Status::invalid_argument(base::str_cat(
      label(source), ": no column '", name, "'",
      near.has_value() ? base::str_cat("; did you mean '", *near, "'?") : std::string(),
      " Columns: ", names.empty() ? "none" : base::join(names, ", ")));
}

Status check_text(const Source& source, std::string_view column, std::string_view text,
                  size_t max_bytes) {
  if (text.size() > max_bytes) {
    return Status::invalid_argument(
        base::str_cat(label(source, column), ": ", text.size(), " bytes, at most ", max_bytes));
  }
  if (text.find('\0') != std::string_view::npos) {
    return Status::invalid_argument(
        base::str_cat(label(source, column), ": text holds a NUL byte ", "at ", text.find('\0')));
  }
  if (!base::is_valid_utf8(text)) {
    return Status::invalid_argument(base::str_cat(label(source, column), ": text is not UTF-8"));
  }
  return {};
}

Status wrong_type(const Source& source, std::string_view column, std::string_view type,
                  const Value& value) {
  return Status::invalid_argument(
      base::str_cat(label(source, column), " is ", type, ", got ", value_kind(value)));
}

Status check_filter(const Source& source, const FilterColumn& column, const Value& value) {
  if (std::holds_alternative<std::monostate>(value)) return {};
  const std::string_view type = field_type_name(column.type);
  const auto* integer = std::get_if<int64_t>(&value);
  const auto* real = std::get_if<double>(&value);
  switch (column.type) {
    case FieldType::kText: {
      const auto* text = std::get_if<std::string>(&value);
      if (text == nullptr) return wrong_type(source, column.name, type, value);
      return check_text(source, column.name, *text, base::kMaxTextBytes);
    }
    case FieldType::kInt:
      if (integer == nullptr) return wrong_type(source, column.name, type, value);
      return {};
    case FieldType::kFloat:
      if (integer == nullptr && real == nullptr) {
        return wrong_type(source, column.name, type, value);
      }
      if (real != nullptr && !std::isfinite(*real)) {
        return Status::invalid_argument(
            base::str_cat(label(source, column.name), ": ", *real, " is not a finite number"));
      }
      return {};
    case FieldType::kBool:
      if (integer != nullptr && (*integer == 0 || *integer == 1)) return {};
      if (!std::holds_alternative<bool>(value)) {
        return wrong_type(source, column.name, type, value);
      }
      return {};
  }
  return {};
}

Status check_id(const Source& source, const std::string& id) {
  if (!source.spec.text_ids) {
    return Status::invalid_argument(
        base::str_cat(label(source), " has no text ids: rows are named by rowid, got id '",
                      base::utf8_prefix(id, 40), "'"));
  }
  if (id.empty()) return Status::invalid_argument(base::str_cat(label(source), ": id is empty"));
  return check_text(source, "id", id, base::kMaxTextIdBytes);
}

Status check_metadata(sqlite::Connection& connection, const Source& source,
                      const std::string& metadata) {
  LOCI_RETURN_IF_ERROR(check_text(source, "metadata", metadata, base::kMaxMetadataBytes));
  LOCI_ASSIGN_OR_RETURN(
      sqlite::Statement statement,
      connection.cached("SELECT CASE WHEN json_valid(?1) THEN json_type(?1) END"));
  LOCI_RETURN_IF_ERROR(statement.bind(1, std::string_view(metadata)));
  LOCI_ASSIGN_OR_RETURN(const bool there, statement.step());
  const std::string_view type = there ? statement.column_text(0) : std::string_view();
  LOCI_RETURN_IF_ERROR(connection.values_whole());
  if (type == "object") return {};
  return Status::invalid_argument(
      base::str_cat(label(source), ": metadata must be a JSON object, got ",
                    type.empty() ? std::string_view("text that is not JSON") : type, ": ",
                    base::utf8_prefix(metadata, 60)));
}

/// Where `name` is among `names`, from `hint` on first; advances the hint past it.
template <typename Columns, typename NameOf>
std::optional<size_t> find_name(const Columns& columns, std::string_view name, size_t& hint,
                                const NameOf& name_of) {
  for (size_t i = 0; i < columns.size(); ++i) {
    const size_t at = (hint + i) % columns.size();
    if (name_of(columns[at]) == name) {
      hint = at + 1;
      return at;
    }
  }
  return std::nullopt;
}

/// What a column of narrow elements asks of a finite vector.
Status check_elements(const Source& source, const VectorColumn& column, VectorView vector) {
  const size_t unfit = base::first_unfit(column.element, vector);
  if (unfit == vector.size()) return {};
  const base::ElementRange range = base::element_range(column.element);
  return Status::invalid_argument(base::str_cat(
      label(source, column.name), ": component ", unfit, " is ", base::format_float(vector[unfit]),
      ", ", element_name(column.element), " holds ", range.whole ? "whole " : "", "numbers from ",
      base::format_float(range.least), " to ", base::format_float(range.greatest)));
}

Status given_twice(const Source& source, std::string_view column) {
  return Status::invalid_argument(base::str_cat(label(source, column), " is given twice"));
}

Status lay_out_fields(const Source& source, const Record& record, RecordLayout& layout) {
  const CollectionSpec& spec = source.spec;
  size_t text_hint = 0;
  size_t filter_hint = 0;
  for (const auto& [name, value] : record.fields) {
    const auto text = find_name(spec.text, name, text_hint,
                                [](const std::string& column) { return std::string_view(column); });
    if (text.has_value()) {
      if (layout.text[*text] != nullptr) return given_twice(source, name);
      layout.text[*text] = &value;
      if (std::holds_alternative<std::monostate>(value)) continue;
      const auto* content = std::get_if<std::string>(&value);
      if (content == nullptr) return wrong_type(source, name, "text", value);
      LOCI_RETURN_IF_ERROR(check_text(source, name, *content, base::kMaxTextBytes));
      continue;
    }
    const auto filter = find_name(spec.filters, name, filter_hint, [](const FilterColumn& column) {
      return std::string_view(column.name);
    });
    if (!filter.has_value()) return unknown_column(source, name);
    if (layout.filters[*filter] != nullptr) return given_twice(source, name);
    LOCI_RETURN_IF_ERROR(check_filter(source, spec.filters[*filter], value));
    layout.filters[*filter] = &value;
  }
  return {};
}

}  // namespace

Status check_vector(const Source& source, size_t column, VectorView vector) {
  const VectorColumn& spec = source.spec.vectors[column];
  if (vector.size() != spec.dim) {
    return Status::invalid_argument(
        base::str_cat(label(source, spec.name), ": dim ", vector.size(), ", expected ", spec.dim));
  }
  uint32_t any = 0;
  uint32_t not_finite = 0;
  for (const float component : vector) {  // without branches: the compiler makes it SIMD
    const auto bits = base::bit_cast<uint32_t>(component);
    any |= bits & kMagnitude;
    not_finite |= static_cast<uint32_t>((bits & kExponent) == kExponent);
  }
  if (not_finite != 0) {
    const auto bad = std::find_if(vector.begin(), vector.end(),
                                  [](float component) { return !std::isfinite(component); });
    return Status::invalid_argument(base::str_cat(label(source, spec.name), ": component ",
                                                  bad - vector.begin(), " is ",
                                                  std::isnan(*bad) ? "NaN" : "infinite"));
  }
  const bool narrow = spec.element != Element::kF32;
  if (narrow) LOCI_RETURN_IF_ERROR(check_elements(source, spec, vector));
  const bool needs_direction = spec.metric == Metric::kCosine || spec.metric == Metric::kAngular;
  if (!needs_direction) return {};
  if (any != 0 && !(narrow && base::all_round_to_zero(spec.element, vector))) return {};
  return Status::invalid_argument(base::str_cat(
      label(source, spec.name), ": ",
      any == 0 ? std::string("a zero vector")
               : base::str_cat("as ", element_name(spec.element), " this is a zero vector, which"),
      " has no direction, so ", metric_name(spec.metric), " distance is undefined"));
}

Result<RecordLayout> lay_out(sqlite::Connection& connection, const Source& source,
                             const Record& record) {
  LOCI_RETURN_IF_ERROR(require_managed(source));
  const CollectionSpec& spec = source.spec;
  RecordLayout layout;
  layout.text.resize(spec.text.size());
  layout.filters.resize(spec.filters.size());
  layout.vectors.resize(spec.vectors.size());
  layout.sets_id = record.id.has_value();
  if (layout.sets_id) LOCI_RETURN_IF_ERROR(check_id(source, *record.id));
  if (record.rowid == kNoRow) {
    return Status::invalid_argument(
        base::str_cat(label(source), ": rowid ", to_int(kNoRow), " is reserved"));
  }
  LOCI_RETURN_IF_ERROR(lay_out_fields(source, record, layout));
  size_t hint = 0;
  for (const auto& [name, vector] : record.vectors) {
    const auto column = find_name(spec.vectors, name, hint, [](const VectorColumn& known) {
      return std::string_view(known.name);
    });
    if (!column.has_value()) return unknown_column(source, name);
    if (layout.vectors[*column] != nullptr) return given_twice(source, name);
    if (!vector.empty()) LOCI_RETURN_IF_ERROR(check_vector(source, *column, vector));
    layout.vectors[*column] = &vector;
    layout.has_vector = true;
  }
  if (record.metadata.has_value()) {
    LOCI_RETURN_IF_ERROR(check_metadata(connection, source, *record.metadata));
  }
  return layout;
}

std::span<const std::byte> encode_vector(const VectorColumn& column, VectorView vector,
                                         std::string& packed) {
  if (column.metric == Metric::kHamming) {
    packed.assign(vector_bytes(column), '\0');
    for (size_t i = 0; i < vector.size(); ++i) {
      if (!(vector[i] > 0)) continue;
      packed[i / 8] =
          static_cast<char>(static_cast<unsigned char>(packed[i / 8]) | (1U << (i % 8)));
    }
  } else if (column.element == Element::kF32 && std::endian::native == std::endian::little) {
    return std::as_bytes(vector);
  } else {
    packed = base::encode_elements(column.element, vector);
  }
  return std::as_bytes(std::span<const char>(packed));
}

Result<std::vector<float>> decode_vector(const Source& source, size_t column, RowId row,
                                         std::span<const std::byte> blob) {
  const VectorColumn& spec = source.spec.vectors[column];
  if (blob.size() != vector_bytes(spec)) {
    return Status::corruption(base::str_cat(label(source, spec.name), ", row ", to_int(row), ": ",
                                            blob.size(), " bytes, expected ", vector_bytes(spec)));
  }
  std::vector<float> vector(spec.dim);
  if (spec.metric == Metric::kHamming) {
    for (size_t i = 0; i < spec.dim; ++i) {
      vector[i] = ((std::to_integer<unsigned>(blob[i / 8]) >> (i % 8)) & 1U) != 0 ? 1.0F : 0.0F;
    }
    return vector;
  }
  const base::ByteSpan bytes(reinterpret_cast<const uint8_t*>(blob.data()), blob.size());
  static_cast<void>(base::decode_elements(spec.element, bytes, vector));  // of that length
  return vector;
}

}  // namespace loci::store

// SPDX-License-Identifier: Apache-2.0
#include "row_fields.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <utility>

#include "readers/json_parse.h"

namespace loci::cli {
namespace {

constexpr std::array<std::string_view, 4> kVectorMembers = {"embedding", "vector", "embeddings",
                                                            "vectors"};
constexpr std::array<std::string_view, 8> kRowMembers = {
    "id", "_id", "rowid", "metadata", "fields", "archived", "created_at", "updated_at"};

std::string shown(const Json& value) {
  std::string text = value.dump(-1, ' ', false, Json::error_handler_t::replace);
  if (text.size() > 60) text = text.substr(0, 57) + "...";
  return text;
}

Status wrong_type(const std::string& name, const Json& value, std::string_view expected) {
  return Status::invalid_argument("'" + name + "': " + shown(value) + ", expected " +
                                  std::string(expected));
}

Result<Value> to_int_value(const std::string& name, const Json& value) {
  if (value.is_number_unsigned() &&
      value.get<uint64_t>() > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
    return wrong_type(name, value, "int (64 bits, signed)");
  }
  if (value.is_number_integer()) return Value(value.get<int64_t>());
  if (value.is_number()) {
    constexpr double kExact = 9007199254740992.0;  // 2^53: beyond it a double skips integers
    const double number = value.get<double>();
    if (number == std::floor(number) && std::abs(number) <= kExact) {
      return Value(static_cast<int64_t>(number));
    }
  }
  return wrong_type(name, value, "int");
}

Result<Value> to_bool_value(const std::string& name, const Json& value) {
  if (value.is_boolean()) return Value(value.get<bool>());
  if (value.is_number_integer() && (value == 0 || value == 1)) return Value(value == 1);
  return wrong_type(name, value, "bool");
}

Result<Value> to_value(const std::string& name, const Json& value, FieldType type) {
  if (value.is_null()) return Value(std::monostate{});
  switch (type) {
    case FieldType::kText:
      if (value.is_string()) return Value(value.get<std::string>());
      if (value.is_structured()) return wrong_type(name, value, "text");
      return Value(value.dump());
    case FieldType::kInt:
      return to_int_value(name, value);
    case FieldType::kFloat:
      if (value.is_number()) return Value(value.get<double>());
      return wrong_type(name, value, "float");
    case FieldType::kBool:
      return to_bool_value(name, value);
  }
  return wrong_type(name, value, "a known type");
}

/// What a text of a CSV file means for a column of this type.
Result<Json> typed(const std::string& name, Json value, FieldType type) {
  if (!value.is_string() || type == FieldType::kText) return value;
  const auto text = value.get<std::string>();
  if (text.empty()) return Json(nullptr);
  if (type == FieldType::kBool) {
    if (text == "true" || text == "True" || text == "TRUE" || text == "1") return Json(true);
    if (text == "false" || text == "False" || text == "FALSE" || text == "0") return Json(false);
  } else if (is_number(text)) {
    Json parsed = Json::parse(text, nullptr, false);
    if (!parsed.is_discarded()) return parsed;
  }
  return wrong_type(name, value, field_type_name(type));
}

Status put_id(Json& value, const CollectionSpec& spec, Record& record) {
  if (value.is_null()) return {};
  if (value.is_number_integer() && !spec.text_ids) {
    LOCI_ASSIGN_OR_RETURN(const Value rowid, to_int_value("id", value));
    record.rowid = RowId{std::get<int64_t>(rowid)};
    return {};
  }
  if (value.is_string() && spec.text_ids) {
    record.id = value.get<std::string>();
    return {};
  }
  if (value.is_number_integer()) {
    record.id = value.dump();
    return {};
  }
  return wrong_type("id", value,
                    spec.text_ids ? "text or int"
                                  : "int: this collection has no "
                                    "text ids");
}

}  // namespace

bool is_vector_member(std::string_view name) {
  return std::find(kVectorMembers.begin(), kVectorMembers.end(), name) != kVectorMembers.end();
}

bool is_row_member(std::string_view name) {
  return is_vector_member(name) ||
         std::find(kRowMembers.begin(), kRowMembers.end(), name) != kRowMembers.end();
}

bool is_number(std::string_view text) {
  if (text.empty() || text.size() > 64) return false;
  if (text.find_first_not_of("0123456789+-.eE") != std::string_view::npos) return false;
  const Json parsed = Json::parse(text, nullptr, false);
  return parsed.is_number();
}

Result<std::vector<float>> vector_from_json(const Json& value) {
  if (!value.is_array()) return wrong_type("vector", value, "an array of numbers");
  std::vector<float> out;
  out.reserve(value.size());
  for (const Json& x : value) {
    if (!x.is_number()) {
      return Status::invalid_argument("component " + std::to_string(out.size()) + ": " + shown(x) +
                                      ", expected a number");
    }
    out.push_back(static_cast<float>(x.get<double>()));
  }
  return out;
}

RowFitter::RowFitter(CollectionSpec spec, bool untyped)
    : spec_(std::move(spec)), untyped_(untyped) {}

RowFitter::Target RowFitter::target(const std::string& name) const {
  for (const FilterColumn& column : spec_.filters) {
    if (column.name == name) return {Target::Kind::kFilter, column.type, name};
  }
  for (const std::string& column : spec_.text) {
    if (column == name) return {Target::Kind::kText, FieldType::kText, name};
  }
  for (const VectorColumn& column : spec_.vectors) {
    if (column.name == name) return {Target::Kind::kVector, FieldType::kText, name};
  }
  if (is_vector_member(name) && !spec_.vectors.empty()) {
    return {Target::Kind::kVector, FieldType::kText, spec_.vectors[0].name};
  }
  return {};
}

Status RowFitter::put_row_member(const std::string& name, Json& value, Record& record,
                                 Json& metadata) const {
  if (name == "id" || name == "_id") return put_id(value, spec_, record);
  if (name == "rowid" && value.is_number_integer()) {
    LOCI_ASSIGN_OR_RETURN(const Value rowid, to_int_value(name, value));
    record.rowid = RowId{std::get<int64_t>(rowid)};
    return {};
  }
  if (name == "rowid" && untyped_ && value.is_string() &&
      is_number(value.get_ref<const std::string&>())) {
    record.rowid = RowId{std::strtoll(value.get_ref<const std::string&>().c_str(), nullptr, 10)};
    return {};
  }
  if (name == "fields" && value.is_object()) {
    for (auto& [inner, inner_value] : value.items()) {
      LOCI_RETURN_IF_ERROR(put(inner, inner_value, record, metadata));
    }
    return {};
  }
  metadata[name] = std::move(value);
  return {};
}

Status RowFitter::put(const std::string& name, Json& value, Record& record, Json& metadata) const {
  const Target to = target(name);
  switch (to.kind) {
    case Target::Kind::kOther:
      if (is_row_member(name)) return put_row_member(name, value, record, metadata);
      metadata[name] = std::move(value);
      return {};
    case Target::Kind::kVector: {
      if (value.is_null()) return {};
      if (untyped_ && value.is_string()) {
        Result<Json> parsed = parse_json(value.get_ref<const std::string&>());
        LOCI_RETURN_IF_ERROR(parsed.status().with_context("'" + name + "'"));
        value = *std::move(parsed);
      }
      Result<std::vector<float>> vector = vector_from_json(value);
      LOCI_RETURN_IF_ERROR(vector.status().with_context("'" + name + "'"));
      record.vectors.emplace_back(to.column, *std::move(vector));
      return {};
    }
    case Target::Kind::kText:
    case Target::Kind::kFilter: {
      if (untyped_) {
        LOCI_ASSIGN_OR_RETURN(value, typed(name, std::move(value), to.type));
      }
      LOCI_ASSIGN_OR_RETURN(Value field, to_value(name, value, to.type));
      record.fields.emplace_back(name, std::move(field));
      return {};
    }
  }
  return {};
}

Result<Record> RowFitter::fit(InputRow& row) const {
  Record record;
  Json others = Json::object();
  if (!row.vector.empty()) {
    if (spec_.vectors.empty()) {
      return Status::invalid_argument("collection '" + spec_.name + "' has no vector column");
    }
    record.vectors.emplace_back(spec_.vectors[0].name, row.vector);
  }
  const bool whole_metadata = !row.metadata.empty();
  for (auto& [name, value] : row.object.items()) {
    if (name == "metadata" && whole_metadata) continue;
    if (name == "metadata" && untyped_ && value.is_string()) {
      const Result<Json> parsed = parse_json(value.get_ref<const std::string&>());
      LOCI_RETURN_IF_ERROR(parsed.status().with_context("'metadata'"));
      if (!parsed->is_object()) return wrong_type("metadata", value, "a JSON object");
      record.metadata = value.get<std::string>();
      continue;
    }
    if (name == "metadata" && !value.is_null()) {
      return wrong_type("metadata", value, "a JSON object");
    }
    if (name == "metadata") continue;
    LOCI_RETURN_IF_ERROR(put(name, value, record, others));
  }
  if (whole_metadata) record.metadata = row.metadata;
  if (others.empty()) return record;
  if (record.metadata.has_value()) {  // both: the other members join those of "metadata"
    LOCI_ASSIGN_OR_RETURN(Json whole, parse_json(*record.metadata));
    whole.update(others);
    others = std::move(whole);
  }
  record.metadata = others.dump(-1, ' ', false, Json::error_handler_t::replace);
  return record;
}

}  // namespace loci::cli

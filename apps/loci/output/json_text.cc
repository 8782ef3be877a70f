// SPDX-License-Identifier: Apache-2.0
#include "output/json_text.h"

#include <array>
#include <charconv>
#include <cmath>
#include <ctime>
#include <nlohmann/json.hpp>

namespace loci::cli {
namespace {

template <typename Float>
void append_shortest(std::string& out, Float value) {
  if (!std::isfinite(value)) {
    out += "null";
    return;
  }
  if (value == 0 && std::signbit(value)) {
    out += "-0.0";  // "-0" would be read back as an integer, which has no sign
    return;
  }
  std::array<char, 64> buffer{};
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value);
  out.append(buffer.data(), end.ptr);
}

}  // namespace

void append_json_string(std::string& out, std::string_view text) {
  out += nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

void append_json_number(std::string& out, double value) { append_shortest(out, value); }
void append_json_number(std::string& out, float value) { append_shortest(out, value); }

void append_json_value(std::string& out, const Value& value) {
  if (const auto* integer = std::get_if<int64_t>(&value)) {
    out += std::to_string(*integer);
  } else if (const auto* real = std::get_if<double>(&value)) {
    append_json_number(out, *real);
  } else if (const auto* boolean = std::get_if<bool>(&value)) {
    out += *boolean ? "true" : "false";
  } else if (const auto* text = std::get_if<std::string>(&value)) {
    append_json_string(out, *text);
  } else {
    out += "null";
  }
}

void append_json_vector(std::string& out, VectorView vector) {
  out += '[';
  for (size_t i = 0; i < vector.size(); ++i) {
    if (i != 0) out += ',';
    append_json_number(out, vector[i]);
  }
  out += ']';
}

void append_json_verbatim(std::string& out, std::string_view json) {
  for (const char c : json) out += c == '\n' || c == '\r' ? ' ' : c;
}

void JsonObject::begin(std::string_view name) {
  if (!first_) out_ += ',';
  first_ = false;
  append_json_string(out_, name);
  out_ += ':';
}

JsonObject& JsonObject::text(std::string_view name, std::string_view value) {
  begin(name);
  append_json_string(out_, value);
  return *this;
}

JsonObject& JsonObject::number(std::string_view name, double value) {
  begin(name);
  append_json_number(out_, value);
  return *this;
}

JsonObject& JsonObject::integer(std::string_view name, int64_t value) {
  begin(name);
  out_ += std::to_string(value);
  return *this;
}

JsonObject& JsonObject::boolean(std::string_view name, bool value) {
  begin(name);
  out_ += value ? "true" : "false";
  return *this;
}

JsonObject& JsonObject::value(std::string_view name, const Value& value) {
  begin(name);
  append_json_value(out_, value);
  return *this;
}

JsonObject& JsonObject::vector(std::string_view name, VectorView value) {
  begin(name);
  append_json_vector(out_, value);
  return *this;
}

JsonObject& JsonObject::verbatim(std::string_view name, std::string_view json) {
  begin(name);
  append_json_verbatim(out_, json);
  return *this;
}

void append_record(JsonObject& object, const Record& record, const RecordShape& shape) {
  if (record.id.has_value()) object.text("id", *record.id);
  if (record.rowid.has_value()) object.integer("rowid", to_int(*record.rowid));
  if (shape.archived && record.archived) object.boolean("archived", true);
  if (shape.flat) {
    for (const auto& [name, value] : record.fields) {
      if (!std::holds_alternative<std::monostate>(value)) object.value(name, value);
    }
  } else if (!record.fields.empty()) {
    std::string fields;
    JsonObject inner(fields);
    for (const auto& [name, value] : record.fields) inner.value(name, value);
    inner.close();
    object.verbatim("fields", fields);
  }
  if (record.metadata.has_value()) object.verbatim("metadata", *record.metadata);
  if (shape.times) {
    object.text("created_at", time_text(record.created_at_us));
    object.text("updated_at", time_text(record.updated_at_us));
  }
  if (!shape.vectors) return;
  for (const auto& [name, vector] : record.vectors) {
    if (!vector.empty()) object.vector(name, vector);
  }
}

std::string record_line(const Record& record, const RecordShape& shape) {
  std::string line;
  JsonObject object(line);
  append_record(object, record, shape);
  object.close();
  line += '\n';
  return line;
}

std::string time_text(int64_t time_us) {
  int64_t seconds = time_us / 1'000'000;
  int64_t micros = time_us % 1'000'000;
  if (micros < 0) {
    micros += 1'000'000;
    --seconds;
  }
  const auto when = static_cast<std::time_t>(seconds);
  std::tm utc{};
  if (gmtime_r(&when, &utc) == nullptr) return std::to_string(time_us);
  std::array<char, 32> date{};
  const size_t length = std::strftime(date.data(), date.size(), "%Y-%m-%dT%H:%M:%S", &utc);
  const std::string fraction = std::to_string(1'000'000 + micros);  // seven digits: leading zeros
  return std::string(date.data(), length) + "." + fraction.substr(1) + "Z";
}

std::string cell_text(const Value& value) {
  if (std::holds_alternative<std::monostate>(value)) return {};
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  std::string out;
  append_json_value(out, value);
  return out;
}

}  // namespace loci::cli

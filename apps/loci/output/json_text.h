// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "loci/loci.h"

namespace loci::cli {

/// Appends a JSON string. Broken UTF-8 becomes U+FFFD: the output is always JSON.
void append_json_string(std::string& out, std::string_view text);
/// Appends the shortest decimal that reads back as the same number; null for NaN and infinity.
void append_json_number(std::string& out, double value);
void append_json_number(std::string& out, float value);
void append_json_value(std::string& out, const Value& value);
void append_json_vector(std::string& out, VectorView vector);
/// Appends stored JSON as it is, in one line: line breaks between tokens become blanks.
void append_json_verbatim(std::string& out, std::string_view json);

/// Writes one JSON object member by member: JsonObject(out).add("id", ...).close().
class JsonObject {
 public:
  explicit JsonObject(std::string& out) : out_(out) { out_ += '{'; }
  JsonObject& text(std::string_view name, std::string_view value);
  JsonObject& number(std::string_view name, double value);
  JsonObject& integer(std::string_view name, int64_t value);
  JsonObject& boolean(std::string_view name, bool value);
  JsonObject& value(std::string_view name, const Value& value);
  JsonObject& vector(std::string_view name, VectorView value);
  JsonObject& verbatim(std::string_view name, std::string_view json);
  void close() { out_ += '}'; }

 private:
  void begin(std::string_view name);

  std::string& out_;  // must outlive this: the caller's text
  bool first_ = true;
};

/// Options of record_json.
struct RecordShape {
  bool vectors = false;   ///< vector columns too
  bool flat = false;      ///< fields beside id, as `add` reads them; else under "fields"
  bool archived = false;  ///< say "archived": true of archived rows
  bool times = false;     ///< created_at and updated_at
};

/// The members of a record: id, rowid, fields, metadata, as `shape` says.
void append_record(JsonObject& object, const Record& record, const RecordShape& shape);
/// A whole record as one line of JSON, line end included.
std::string record_line(const Record& record, const RecordShape& shape);
/// "2026-01-31T12:00:00.000000Z"
std::string time_text(int64_t time_us);
/// A value as a table cell: NULL is empty.
std::string cell_text(const Value& value);

}  // namespace loci::cli

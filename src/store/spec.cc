// SPDX-License-Identifier: Apache-2.0
#include "store/spec.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "base/limits.h"
#include "base/strings.h"
#include "sqlite/query.h"

namespace loci::store {
namespace {

using base::str_append;
using base::str_cat;

/// On disk: raised when an older build must not touch the source. 2: one that keeps history, which
/// the triggers of an older build would not. 3: one with a column of narrow elements, which an
/// older build would take for damaged float32.
constexpr int64_t kSpecFormat = 3;
constexpr int64_t kHistoryFormat = 2;
constexpr int64_t kFirstSpecFormat = 1;

int64_t format_of(const Source& source) {
  const std::vector<VectorColumn>& vectors = source.spec.vectors;
  const bool narrow = std::any_of(vectors.begin(), vectors.end(), [](const VectorColumn& column) {
    return column.element != Element::kF32;
  });
  if (narrow) return kSpecFormat;
  return source.spec.history.enabled ? kHistoryFormat : kFirstSpecFormat;
}

/// Columns of our tables, of FTS5 and of results, and the words of the filter grammar.
constexpr std::array<std::string_view, 31> kReserved = {
    "rid",     "id",    "metadata", "archived",   "created_at", "updated_at", "rowid", "oid",
    "_rowid_", "rank",  "distance", "similarity", "score",      "bm25",       "k",     "snippet",
    "and",     "or",    "not",      "in",         "is",         "null",       "like",  "between",
    "glob",    "match", "true",     "false",      "vectors",    "fields",     "escape"};

void append_json_string(std::string& out, std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  out += '"';
  for (const char c : text) {
    const auto byte = static_cast<uint8_t>(c);
    if (c == '"' || c == '\\') {
      str_append(out, '\\', c);
    } else if (byte < 0x20) {
      str_append(out, "\\u00", kHex[byte >> 4U], kHex[byte & 15U]);
    } else {
      out += c;
    }
  }
  out += '"';
}

void append_member(std::string& out, std::string_view key, std::string_view value) {
  if (out.back() != '{') out += ',';
  append_json_string(out, key);
  out += ':';
  append_json_string(out, value);
}

void append_raw(std::string& out, std::string_view key, std::string_view json) {
  if (out.back() != '{') out += ',';
  append_json_string(out, key);
  str_append(out, ":", json);
}

std::string json_strings(const std::vector<std::string>& values) {
  std::string out = "[";
  for (const std::string& value : values) {
    if (out.size() > 1) out += ',';
    append_json_string(out, value);
  }
  return out += ']';
}

std::string json_vectors(const std::vector<VectorColumn>& columns) {
  std::string out = "[";
  for (const VectorColumn& column : columns) {
    if (out.size() > 1) out += ',';
    out += '{';
    append_member(out, "name", column.name);
    append_raw(out, "dim", str_cat(column.dim));
    append_member(out, "metric",
                  column.metric == Metric::kCustom ? "custom" : metric_name(column.metric));
    if (column.metric == Metric::kCustom) append_member(out, "custom_metric", column.custom_metric);
    if (!column.model.empty()) append_member(out, "model", column.model);
    // Older builds know no such member, and wrote none for float32.
    if (column.element != Element::kF32) {
      append_member(out, "element", element_name(column.element));
    }
    out += '}';
  }
  return out += ']';
}

std::string json_filters(const std::vector<FilterColumn>& columns) {
  std::string out = "[";
  for (const FilterColumn& column : columns) {
    if (out.size() > 1) out += ',';
    out += '{';
    append_member(out, "name", column.name);
    append_member(out, "type", field_type_name(column.type));
    out += '}';
  }
  return out += ']';
}

Result<std::vector<std::string>> read_strings(sqlite::Connection& connection, std::string_view json,
                                              std::string_view path) {
  LOCI_ASSIGN_OR_RETURN(sqlite::Statement select,
                        connection.cached("SELECT value FROM json_each(?1, ?2)"));
  LOCI_RETURN_IF_ERROR(sqlite::bind_all(select, json, path));
  std::vector<std::string> values;
  LOCI_RETURN_IF_ERROR(sqlite::for_each_row(select, [&](sqlite::Statement& row) -> Status {
    values.emplace_back(row.column_text(0));
    return {};
  }));
  return values;
}

Status read_vectors(sqlite::Connection& connection, std::string_view json, CollectionSpec& spec) {
  LOCI_ASSIGN_OR_RETURN(
      sqlite::Statement select,
      connection.cached("SELECT value ->> 'name', value ->> 'dim', value ->> 'metric', "
                        "value ->> 'custom_metric', value ->> 'model', value ->> 'element' "
                        "FROM json_each(?1, '$.vectors')"));
  LOCI_RETURN_IF_ERROR(sqlite::bind_all(select, json));
  return sqlite::for_each_row(select, [&](sqlite::Statement& row) -> Status {
    VectorColumn column;
    column.name = row.column_text(0);
    const int64_t dim = row.column_int(1);
    if (dim < 1 || dim > static_cast<int64_t>(base::kMaxDim)) {
      return Status::corruption(
          str_cat("column '", column.name, "': dim ", dim, ", allowed: 1..", base::kMaxDim));
    }
    column.dim = static_cast<size_t>(dim);
    column.custom_metric = row.column_text(3);
    column.model = row.column_text(4);
    if (row.column_text(2) == "custom") {
      column.metric = Metric::kCustom;
    } else {
      LOCI_ASSIGN_OR_RETURN(column.metric, parse_metric(row.column_text(2)));
    }
    if (!row.is_null(5)) {
      LOCI_ASSIGN_OR_RETURN(column.element, parse_element(row.column_text(5)));
    }
    spec.vectors.push_back(std::move(column));
    return {};
  });
}

Status read_filters(sqlite::Connection& connection, std::string_view json, CollectionSpec& spec) {
  LOCI_ASSIGN_OR_RETURN(sqlite::Statement select,
                        connection.cached("SELECT value ->> 'name', value ->> 'type' "
                                          "FROM json_each(?1, '$.filters')"));
  LOCI_RETURN_IF_ERROR(sqlite::bind_all(select, json));
  return sqlite::for_each_row(select, [&](sqlite::Statement& row) -> Status {
    LOCI_ASSIGN_OR_RETURN(const FieldType type, parse_field_type(row.column_text(1)));
    spec.filters.push_back({.name = std::string(row.column_text(0)), .type = type});
    return {};
  });
}

Status read_members(sqlite::Connection& connection, std::string_view json, Source& source) {
  {
    LOCI_ASSIGN_OR_RETURN(
        sqlite::Statement select,
        connection.cached("SELECT ?1 ->> 'vector_table', ?1 ->> 'key_column', ?1 ->> 'fts_table', "
                          "?1 ->> 'text_ids', ?1 ->> 'history', ?1 ->> 'history_versions', "
                          "?1 ->> 'history_days'"));
    LOCI_RETURN_IF_ERROR(sqlite::bind_all(select, json));
    LOCI_ASSIGN_OR_RETURN(const bool row, select.step());
    if (!row) return Status::internal("spec: no row");
    source.vector_table = select.column_text(0);
    source.key_column = select.column_text(1);
    source.fts_table = select.column_text(2);
    source.spec.text_ids = select.column_int(3) != 0;
    HistoryOptions& history = source.spec.history;
    history.enabled = select.column_int(4) != 0;
    // Format 1 recorded the wish only: the next writer makes the table.
    if (!select.is_null(5)) history.max_versions = select.column_int(5);
    if (!select.is_null(6)) history.max_age_days = select.column_int(6);
    if (history.enabled) source.history_table = source.spec.name + "_history";
  }
  LOCI_ASSIGN_OR_RETURN(source.spec.text, read_strings(connection, json, "$.text"));
  LOCI_ASSIGN_OR_RETURN(source.key_columns, read_strings(connection, json, "$.key_columns"));
  LOCI_RETURN_IF_ERROR(read_vectors(connection, json, source.spec));
  return read_filters(connection, json, source.spec);
}

Status check_count(std::string_view collection, std::string_view what, size_t got, size_t allowed) {
  if (got <= allowed) return {};
  return Status::invalid_argument(str_cat("collection '", collection, "': ", got, " ", what,
                                          ", at most ", allowed, " are allowed"));
}

}  // namespace

std::string spec_to_json(const Source& source) {
  std::string out = "{";
  append_raw(out, "format", str_cat(format_of(source)));
  append_raw(out, "vectors", json_vectors(source.spec.vectors));
  append_raw(out, "text", json_strings(source.spec.text));
  append_raw(out, "filters", json_filters(source.spec.filters));
  append_raw(out, "text_ids", str_cat(source.spec.text_ids));
  const HistoryOptions& history = source.spec.history;
  append_raw(out, "history", str_cat(history.enabled));
  if (history.enabled) {
    append_raw(out, "history_versions", str_cat(history.max_versions));
    append_raw(out, "history_days", str_cat(history.max_age_days));
  }
  append_member(out, "vector_table", source.vector_table);
  append_member(out, "key_column", source.key_column);
  append_raw(out, "key_columns", json_strings(source.key_columns));
  append_member(out, "fts_table", source.fts_table);
  return out += '}';
}

Status spec_from_json(sqlite::Connection& connection, std::string_view json, Source& source) {
  const std::string context = str_cat("loci_indexes '", source.spec.name, "'");
  const Result<std::optional<int64_t>> format = sqlite::query_int(
      connection, "SELECT CASE WHEN json_valid(?1) THEN ?1 ->> 'format' END", json);
  if (!format.has_value()) return format.error().with_context(context);
  if (!format->has_value()) {
    return Status::corruption(str_cat(context, ": spec is no JSON with a format"));
  }
  if (**format < kFirstSpecFormat || **format > kSpecFormat) {
    return Status::failed_precondition(str_cat(context, ": spec of format ", **format,
                                               ", this build reads ", kFirstSpecFormat, " to ",
                                               kSpecFormat, "; use the newer program"));
  }
  const Status status = read_members(connection, json, source);
  if (status.code() == StatusCode::kInvalidArgument) {
    // A metric, an element or a type that a later version may know.
    return Status::failed_precondition(
        str_cat(context, ": ", status.message(), "; this build cannot read it"));
  }
  return status.with_context(context);
}

Status validate_name(std::string_view what, std::string_view name) {
  if (!base::is_identifier(name)) {
    return Status::invalid_argument(str_cat(what, " name '", base::utf8_prefix(name, 80),
                                            "': expected a letter, then letters, digits or _, at ",
                                            "most ", base::kMaxNameBytes, " bytes"));
  }
  const std::string lower = base::ascii_lower(name);
  const bool reserved = std::find(kReserved.begin(), kReserved.end(), lower) != kReserved.end() ||
                        lower.rfind("loci_", 0) == 0 || lower.rfind("sqlite_", 0) == 0;
  if (reserved) {
    return Status::invalid_argument(
        str_cat(what, " name '", name, "' is reserved: choose another"));
  }
  return {};
}

Status validate_vector_column(std::string_view name, const VectorColumn& column) {
  const std::string context = str_cat("collection '", name, "', vector column '", column.name, "'");
  if (column.dim < 1 || column.dim > base::kMaxDim) {
    return Status::invalid_argument(
        str_cat(context, ": dim ", column.dim, ", allowed: 1..", base::kMaxDim));
  }
  if (column.metric == Metric::kHamming && column.dim % 8 != 0) {
    return Status::invalid_argument(
        str_cat(context, ": dim ", column.dim, ", expected a multiple of 8 bits for hamming"));
  }
  if (column.metric == Metric::kHamming && column.element != Element::kF32) {
    return Status::invalid_argument(str_cat(context, ": element ", element_name(column.element),
                                            ", but hamming stores bits: leave the element out"));
  }
  if (column.metric == Metric::kCustom && !base::is_identifier(column.custom_metric)) {
    return Status::invalid_argument(str_cat(context, ": a custom metric needs the name that it is ",
                                            "registered by, got '", column.custom_metric, "'"));
  }
  if (column.metric != Metric::kCustom && !column.custom_metric.empty()) {
    return Status::invalid_argument(str_cat(context, ": custom_metric '", column.custom_metric,
                                            "' given with metric ", metric_name(column.metric)));
  }
  if (column.model.size() > base::kMaxModelBytes || !base::is_valid_utf8(column.model)) {
    return Status::invalid_argument(str_cat(context, ": model name of ", column.model.size(),
                                            " bytes, expected UTF-8 of at most ",
                                            base::kMaxModelBytes));
  }
  return {};
}

Status validate_history(std::string_view name, const HistoryOptions& options) {
  const auto check = [&](std::string_view what, int64_t got, int64_t allowed) -> Status {
    if (got >= 0 && got <= allowed) return {};
    return Status::invalid_argument(str_cat("collection '", name, "', history: ", what, " ", got,
                                            ", allowed: 0 (no limit) to ", allowed));
  };
  LOCI_RETURN_IF_ERROR(check("max_versions", options.max_versions, base::kMaxVersions));
  return check("max_age_days", options.max_age_days, base::kMaxHistoryDays);
}

Status validate_spec(const CollectionSpec& spec) {
  LOCI_RETURN_IF_ERROR(validate_name("collection", spec.name));
  LOCI_RETURN_IF_ERROR(
      check_count(spec.name, "vector columns", spec.vectors.size(), base::kMaxVectorColumns));
  LOCI_RETURN_IF_ERROR(
      check_count(spec.name, "text columns", spec.text.size(), base::kMaxTextColumns));
  LOCI_RETURN_IF_ERROR(
      check_count(spec.name, "filter columns", spec.filters.size(), base::kMaxFilterColumns));
  if (spec.vectors.empty() && spec.text.empty()) {
    return Status::invalid_argument(
        str_cat("collection '", spec.name, "': needs a vector column or a text column"));
  }
  LOCI_RETURN_IF_ERROR(validate_history(spec.name, spec.history));
  // The FTS5 table has a hidden column of its own name; marks of pending rows are columns too.
  std::vector<std::string> taken = {base::ascii_lower(spec.name) + "_fts"};
  const auto take = [&](std::string_view what, std::string_view name) -> Status {
    LOCI_RETURN_IF_ERROR(
        validate_name(what, name).with_context(str_cat("collection '", spec.name, "'")));
    std::string lower = base::ascii_lower(name);
    if (std::find(taken.begin(), taken.end(), lower) != taken.end()) {
      return Status::invalid_argument(str_cat("collection '", spec.name, "': ", what, " '", name,
                                              "': the name is taken already"));
    }
    taken.push_back(std::move(lower));
    return {};
  };
  for (const std::string& column : spec.text) LOCI_RETURN_IF_ERROR(take("text column", column));
  for (const FilterColumn& column : spec.filters) {
    LOCI_RETURN_IF_ERROR(take("filter column", column.name));
  }
  for (const VectorColumn& column : spec.vectors) {
    LOCI_RETURN_IF_ERROR(take("vector column", column.name));
    LOCI_RETURN_IF_ERROR(validate_vector_column(spec.name, column));
    if (column.model.empty()) continue;
    if (spec.text.empty()) {
      return Status::invalid_argument(str_cat("collection '", spec.name, "', vector column '",
                                              column.name, "': model '", column.model,
                                              "' needs a text column to embed"));
    }
    LOCI_RETURN_IF_ERROR(take("mark of pending rows", column.name + "_pending"));
  }
  return {};
}

}  // namespace loci::store

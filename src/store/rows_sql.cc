// SPDX-License-Identifier: Apache-2.0
#include "store/rows_sql.h"

#include "base/elements.h"
#include "base/strings.h"

namespace loci::store {

void append_name(std::string& sql, std::string_view name) {
  sql += '"';
  for (const char c : name) {
    if (c == '"') sql += '"';
    sql += c;
  }
  sql += '"';
}

std::string key_sql(const Source& source) {
  if (!source.key_columns.empty()) return "k.rid";
  std::string sql = "t.";
  append_name(sql, source.key_column);
  return sql;
}

std::string from_sql(const Source& source, bool with_vectors) {
  std::string sql = " FROM ";
  if (!source.key_columns.empty()) {
    // CROSS JOIN keeps the keys outermost: rows then come in the order of their integers.
    sql += "loci_keys AS k CROSS JOIN ";
    append_name(sql, source.table);
    base::str_append(sql, " AS t ON k.source = ", source.id);
    const bool has_dataset = source.key_columns.size() == 2;
    for (size_t i = 0; i < source.key_columns.size(); ++i) {
      sql += " AND t.";
      append_name(sql, source.key_columns[i]);
      sql += has_dataset && i == 0 ? " = k.dataset_id" : " = k.id";
    }
    return sql;
  }
  append_name(sql, source.table);
  sql += " AS t";
  if (with_vectors && source.managed && !source.vector_table.empty()) {
    sql += " LEFT JOIN ";
    append_name(sql, source.vector_table);
    sql += " AS v ON v.rid = t.rid";
  }
  return sql;
}

std::string where_sql(std::initializer_list<std::string_view> conditions) {
  std::string sql;
  for (const std::string_view condition : conditions) {
    if (condition.empty()) continue;
    base::str_append(sql, sql.empty() ? " WHERE " : " AND ", condition);
  }
  return sql;
}

bool has_pending(const Source& source, size_t column) noexcept {
  return source.managed && !source.spec.vectors[column].model.empty();
}

std::string vector_sql(const Source& source, size_t column) {
  std::string sql = source.managed ? "v." : "t.";
  append_name(sql, source.spec.vectors[column].name);
  return sql;
}

std::string mark_sql(const Source& source, size_t column) {
  std::string sql = "v.";
  append_name(sql, source.spec.vectors[column].name + "_pending");
  return sql;
}

std::string pending_sql(const Source& source, size_t column) {
  if (!has_pending(source, column) || source.spec.text.empty()) return "0";
  std::string sql = base::str_cat("((v.rid IS NULL OR ", mark_sql(source, column), " <> 0) AND (");
  for (size_t i = 0; i < source.spec.text.size(); ++i) {
    sql += i == 0 ? "ifnull(t." : " OR ifnull(t.";
    append_name(sql, source.spec.text[i]);
    sql += ", '') <> ''";
  }
  sql += "))";
  return sql;
}

Status bind_values(sqlite::Statement& statement, int first, std::span<const Value> values) {
  for (const Value& value : values) LOCI_RETURN_IF_ERROR(statement.bind(first++, value));
  return {};
}

Result<sqlite::Statement> prepare(sqlite::Connection& connection, const SqlFilter& filter,
                                  std::string_view sql) {
  return filter.sql.empty() ? connection.cached(sql) : connection.prepare(sql);
}

std::string label(const Source& source) {
  return base::str_cat("collection '", source.spec.name, "'");
}

std::string label(const Source& source, std::string_view column) {
  return base::str_cat("collection '", source.spec.name, "', column '", column, "'");
}

Status require_managed(const Source& source) {
  if (source.managed) return {};
  return Status::failed_precondition(
      base::str_cat("'", source.spec.name, "' is an index on your table '", source.table,
                    "', which Loci only reads: write to the table by SQL"));
}

size_t vector_bytes(const VectorColumn& column) noexcept {
  return column.metric == Metric::kHamming ? column.dim / 8
                                           : column.dim * base::element_bytes(column.element);
}

std::string vector_shape(const VectorColumn& column) {
  std::string shape = base::str_cat("dim ", column.dim);
  if (column.element != Element::kF32) {
    base::str_append(shape, " of ", element_name(column.element));
  }
  return shape;
}

}  // namespace loci::store

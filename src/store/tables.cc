// SPDX-License-Identifier: Apache-2.0
#include "store/tables.h"

#include <optional>
#include <vector>

#include "base/strings.h"
#include "sqlite/query.h"
#include "store/history_sql.h"
#include "store/rows_sql.h"

namespace loci::store {
namespace {

using base::str_append;
using base::str_cat;
using sqlite::quote_identifier;

std::string type_check(const std::string& name, std::string_view type) {
  return str_cat("CHECK(typeof(", name, ") IN ('", type, "', 'null'))");
}

std::string rows_ddl(const Source& source) {
  std::string out =
      str_cat("CREATE TABLE ", quote_identifier(source.table), "(\n  rid INTEGER PRIMARY KEY");
  if (source.spec.text_ids) out += ",\n  id TEXT NOT NULL UNIQUE CHECK(typeof(id) = 'text')";
  for (const std::string& column : source.spec.text) {
    str_append(out, ",\n  ", text_column_ddl(column));
  }
  for (const FilterColumn& column : source.spec.filters) {
    str_append(out, ",\n  ", filter_column_ddl(column));
  }
  // No CHECK(json_valid(metadata)): SQLite 3.40 with trusted_schema=OFF refuses to open a file
  // whose schema calls it. What Loci writes is validated before.
  str_append(out, ",\n  metadata TEXT",
             ",\n  archived INTEGER NOT NULL DEFAULT 0 CHECK(archived IN (0, 1))",
             ",\n  created_at INTEGER NOT NULL DEFAULT (", kNowUsSql,
             "),\n  updated_at INTEGER NOT NULL DEFAULT (", kNowUsSql, ")\n);\n");
  // Nothing to keep up while no row is archived; tells at once whether any is.
  str_append(out, "CREATE INDEX ", quote_identifier(source.table + "_archived"), " ON ",
             quote_identifier(source.table), "(archived) WHERE archived <> 0;\n");
  return out;
}

std::string vectors_ddl(const Source& source) {
  std::string out = str_cat("CREATE TABLE ", quote_identifier(source.vector_table),
                            "(\n  rid INTEGER PRIMARY KEY");
  std::string marks;
  for (const VectorColumn& column : source.spec.vectors) {
    const std::string name = quote_identifier(column.name);
    str_append(out, ",\n  ", name, " BLOB CHECK(", name, " IS NULL OR (typeof(", name,
               ") = 'blob' AND length(", name, ") = ", vector_bytes(column), "))");
    if (!column.model.empty()) {
      str_append(marks, ",\n  ", quote_identifier(column.name + "_pending"),
                 " INTEGER NOT NULL DEFAULT 0");
    }
  }
  // Marks after the vectors would lie on overflow pages: SQLite reads a row from its start.
  const size_t after_key = out.find("PRIMARY KEY") + std::string_view("PRIMARY KEY").size();
  out.insert(after_key, marks);
  return out += "\n);\n";
}

Status check_free(sqlite::Connection& connection, const Source& source,
                  const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    LOCI_ASSIGN_OR_RETURN(
        const std::optional<std::string> type,
        sqlite::query_text(connection,
                           "SELECT type FROM sqlite_schema WHERE name = ?1 COLLATE NOCASE", name));
    if (type.has_value()) {
      return Status::already_exists(str_cat("collection '", source.spec.name, "': the file has a ",
                                            *type, " '", name, "' already; choose another name"));
    }
  }
  return {};
}

}  // namespace

Result<bool> table_exists(sqlite::Connection& connection, std::string_view name) {
  LOCI_ASSIGN_OR_RETURN(const std::optional<int64_t> found,
                        sqlite::query_int(connection,
                                          "SELECT 1 FROM sqlite_schema WHERE type = 'table' "
                                          "AND name = ?1 COLLATE NOCASE",
                                          name));
  return found.has_value();
}

std::string text_column_ddl(std::string_view column) {
  const std::string name = quote_identifier(column);
  return str_cat(name, " TEXT ", type_check(name, "text"));
}

std::string filter_column_ddl(const FilterColumn& column) {
  const std::string name = quote_identifier(column.name);
  switch (column.type) {
    case FieldType::kText:
      return text_column_ddl(column.name);
    case FieldType::kInt:
      return str_cat(name, " INTEGER ", type_check(name, "integer"));
    case FieldType::kFloat:
      return str_cat(name, " REAL ", type_check(name, "real"));
    case FieldType::kBool:
      break;
  }
  return str_cat(name, " INTEGER CHECK(", name, " IN (0, 1))");
}

std::string collection_ddl(const Source& source) {
  std::string out = rows_ddl(source);
  if (!source.vector_table.empty()) out += vectors_ddl(source);
  return out;
}

std::string fts_ddl(const Source& source) {
  if (source.fts_table.empty()) return {};
  std::string out =
      str_cat("CREATE VIRTUAL TABLE ", quote_identifier(source.fts_table), " USING fts5(");
  for (const std::string& column : source.spec.text)
    str_append(out, quote_identifier(column), ", ");
  if (source.key_columns.empty()) {
    str_append(out, "content=", quote_identifier(source.table),
               ", content_rowid=", quote_identifier(source.key_column), ", ");
  }
  return out += "tokenize='porter unicode61 remove_diacritics 2');\n";
}

Status check_history_names_free(sqlite::Connection& connection, const Source& source) {
  if (source.history_table.empty()) return {};
  return check_free(connection, source, history_names(source));
}

Status check_names_free(sqlite::Connection& connection, const Source& source) {
  std::vector<std::string> names;
  if (source.managed) {
    names.push_back(source.table);
    names.push_back(source.table + "_archived");
    if (!source.vector_table.empty()) names.push_back(source.vector_table);
  }
  if (!source.fts_table.empty()) {
    for (const std::string_view suffix : {"", "_data", "_idx", "_content", "_docsize", "_config"}) {
      names.push_back(str_cat(source.fts_table, suffix));
    }
  }
  LOCI_RETURN_IF_ERROR(check_free(connection, source, names));
  LOCI_RETURN_IF_ERROR(check_history_names_free(connection, source));
  LOCI_ASSIGN_OR_RETURN(
      const std::optional<std::string> taken,
      sqlite::query_text(connection, "SELECT name FROM loci_indexes WHERE name = ?1",
                         source.spec.name));
  if (!taken.has_value()) return {};
  return Status::already_exists(str_cat("collection '", *taken, "' exists already"));
}

}  // namespace loci::store

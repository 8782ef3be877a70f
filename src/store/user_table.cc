// SPDX-License-Identifier: Apache-2.0
//
// What makes a table of the user's own fit to be followed.
//
// The log names a row by one integer that must never change while the row stays: a true alias of
// the rowid, as a plain rowid may be renumbered by VACUUM. INTEGER PRIMARY KEY DESC is none (SQLite
// keeps such a key in an index of its own), nor is any key of a WITHOUT ROWID table. Rows that are
// named otherwise get an integer from loci_keys.
//
// Tested by user_table_test.cc.
#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "base/strings.h"
#include "sqlite/query.h"
#include "store/spec.h"
#include "store/tables.h"

namespace loci::store {
namespace {

using base::ascii_equal_fold;
using base::str_cat;
using sqlite::quote_identifier;

struct UserColumn {
  std::string name;
  std::string type;
  int64_t key_position = 0;  // in the primary key, from 1; 0: not in it
};

struct UserTable {
  std::string name;  // as in the schema
  bool without_rowid = false;
  std::vector<UserColumn> columns;
  std::vector<std::vector<std::string>> unique;  // columns of each full unique index
  bool key_has_index = false;                    // the primary key is not the rowid
};

std::string where(const UserTable& table) { return str_cat("table '", table.name, "'"); }

/// Refuses what is no ordinary table of this file.
Result<UserTable> find_table(sqlite::Connection& connection, std::string_view name) {
  LOCI_ASSIGN_OR_RETURN(
      sqlite::Statement select,
      connection.cached("SELECT schema, name, type, wr FROM pragma_table_list "
                        "WHERE name = ?1 COLLATE NOCASE ORDER BY schema = 'main' DESC"));
  LOCI_RETURN_IF_ERROR(sqlite::bind_all(select, name));
  LOCI_ASSIGN_OR_RETURN(const bool row, select.step());
  if (!row) return Status::not_found(str_cat("table '", name, "': no such table"));
  const std::string_view type = select.column_text(2);
  LOCI_RETURN_IF_ERROR(connection.values_whole());
  if (select.column_text(0) != "main") {
    return Status::invalid_argument(str_cat("table '", name, "' lies in schema '",
                                            select.column_text(0),
                                            "': expected a table of the database file itself"));
  }
  if (type != "table") {
    return Status::invalid_argument(
        str_cat("'", name, "' is a ", type, type == "view" ? "" : " table",
                ": expected an ordinary table, as triggers must see its rows change"));
  }
  UserTable table;
  table.name = select.column_text(1);
  table.without_rowid = select.column_int(3) != 0;
  const std::string lower = base::ascii_lower(table.name);
  if (lower.rfind("sqlite_", 0) == 0 || lower.rfind("loci_", 0) == 0) {
    return Status::invalid_argument(str_cat("table '", name, "' is not one of your own"));
  }
  return table;
}

Status read_columns(sqlite::Connection& connection, UserTable& table) {
  LOCI_ASSIGN_OR_RETURN(
      sqlite::Statement select,
      connection.cached("SELECT name, type, pk FROM pragma_table_xinfo(?1) WHERE hidden <> 1"));
  LOCI_RETURN_IF_ERROR(sqlite::bind_all(select, table.name));
  return sqlite::for_each_row(select, [&](sqlite::Statement& row) -> Status {
    table.columns.push_back({.name = std::string(row.column_text(0)),
                             .type = std::string(row.column_text(1)),
                             .key_position = row.column_int(2)});
    return {};
  });
}

/// Full unique indexes over plain columns under the collation BINARY: what can name a row.
Status read_unique(sqlite::Connection& connection, UserTable& table) {
  LOCI_ASSIGN_OR_RETURN(
      sqlite::Statement select,
      connection.cached("SELECT l.seq, l.origin, x.name, x.coll FROM pragma_index_list(?1) l, "
                        "pragma_index_xinfo(l.name) x WHERE l.\"unique\" AND NOT l.partial "
                        "AND x.key ORDER BY l.seq, x.seqno"));
  LOCI_RETURN_IF_ERROR(sqlite::bind_all(select, table.name));
  int64_t last = -1;
  bool usable = true;
  const auto drop_unusable = [&] {
    if (!usable) table.unique.pop_back();
  };
  LOCI_RETURN_IF_ERROR(sqlite::for_each_row(select, [&](sqlite::Statement& row) -> Status {
    if (row.column_int(0) != last) {
      drop_unusable();
      table.unique.emplace_back();
      usable = true;
      last = row.column_int(0);
    }
    table.key_has_index |= row.column_text(1) == "pk";
    usable = usable && !row.is_null(2) && row.column_text(3) == "BINARY";
    table.unique.back().emplace_back(row.column_text(2));
    return {};
  }));
  drop_unusable();
  return {};
}

Result<std::string> schema_name(const UserTable& table, std::string_view what,
                                std::string_view column) {
  std::vector<std::string> names;
  for (const UserColumn& candidate : table.columns) {
    if (ascii_equal_fold(candidate.name, column)) return candidate.name;
    names.push_back(candidate.name);
  }
  return Status::not_found(str_cat(where(table), ": no column '", column, "' for ", what,
                                   "; there are: ", base::join(names, ", ")));
}

/// The name of the INTEGER PRIMARY KEY that is an alias of the rowid, if there is one.
std::optional<std::string> rowid_alias(const UserTable& table) {
  if (table.without_rowid || table.key_has_index) return std::nullopt;
  std::optional<std::string> alias;
  for (const UserColumn& column : table.columns) {
    if (column.key_position == 0) continue;
    if (alias.has_value() || !ascii_equal_fold(column.type, "INTEGER")) return std::nullopt;
    alias = column.name;
  }
  return alias;
}

Status use_key_columns(sqlite::Connection& connection, const UserTable& table,
                       const std::vector<std::string>& key, Source& source) {
  if (key.size() > 2) {
    return Status::invalid_argument(str_cat(
        where(table), ": ", key.size(), " key columns, allowed: ", "1 (id) or 2 (dataset, id)"));
  }
  for (const std::string& column : key) {
    LOCI_ASSIGN_OR_RETURN(std::string name, schema_name(table, "the key", column));
    source.key_columns.push_back(std::move(name));
  }
  std::vector<std::string> wanted = source.key_columns;
  std::sort(wanted.begin(), wanted.end());
  const bool unique = std::any_of(table.unique.begin(), table.unique.end(), [&](auto columns) {
    std::sort(columns.begin(), columns.end());
    return columns == wanted;
  });
  if (!unique || (wanted.size() == 2 && wanted[0] == wanted[1])) {
    return Status::invalid_argument(str_cat(
        where(table), ": key (", base::join(source.key_columns, ", "), ") names no row for sure: ",
        "expected exactly the columns of a PRIMARY KEY or UNIQUE index with collation BINARY"));
  }
  std::string any_null;
  for (const std::string& column : source.key_columns) {
    base::str_append(any_null, any_null.empty() ? "" : " OR ", quote_identifier(column),
                     " IS NULL");
  }
  LOCI_ASSIGN_OR_RETURN(
      const std::optional<int64_t> nulls,
      sqlite::query_int(connection, str_cat("SELECT count(*) FROM ", quote_identifier(table.name),
                                            " WHERE ", any_null)));
  if (nulls.value_or(0) == 0) return {};
  return Status::invalid_argument(
      str_cat(where(table), ": ", *nulls, " row(s) with NULL in the key (",
              base::join(source.key_columns, ", "), "): give them a key first"));
}

Status use_columns(const UserTable& table, const TableIndexSpec& spec, Source& source) {
  VectorColumn vector = spec.vector;
  LOCI_ASSIGN_OR_RETURN(vector.name, schema_name(table, "the vectors", vector.name));
  if (!vector.model.empty()) {
    return Status::invalid_argument(str_cat(where(table), ": model '", vector.model,
                                            "' given, but a table of your own brings its vectors"));
  }
  LOCI_RETURN_IF_ERROR(validate_vector_column(spec.name, vector));
  source.spec.vectors.push_back(std::move(vector));
  for (const FilterColumn& column : spec.filters) {
    LOCI_ASSIGN_OR_RETURN(std::string name, schema_name(table, "filters", column.name));
    source.spec.filters.push_back({.name = std::move(name), .type = column.type});
  }
  for (const std::string& column : spec.text) {
    LOCI_ASSIGN_OR_RETURN(std::string name, schema_name(table, "full text", column));
    if (ascii_equal_fold(name, "rank") || ascii_equal_fold(name, "rowid")) {
      return Status::invalid_argument(
          str_cat(where(table), ": FTS5 has no text column named '", name, "'"));
    }
    source.spec.text.push_back(std::move(name));
  }
  return {};
}

}  // namespace

Result<Source> source_of_user_table(sqlite::Connection& connection, const TableIndexSpec& spec) {
  LOCI_RETURN_IF_ERROR(validate_name("index", spec.name));
  LOCI_ASSIGN_OR_RETURN(UserTable table, find_table(connection, spec.table));
  LOCI_RETURN_IF_ERROR(read_columns(connection, table));
  LOCI_RETURN_IF_ERROR(read_unique(connection, table));

  Source source;
  source.managed = false;
  source.spec.name = spec.name;
  source.spec.text_ids = false;
  source.table = table.name;
  source.vector_table = table.name;
  LOCI_RETURN_IF_ERROR(use_columns(table, spec, source));
  if (!source.spec.text.empty()) source.fts_table = spec.name + "_fts";
  if (!spec.key.empty()) {
    LOCI_RETURN_IF_ERROR(use_key_columns(connection, table, spec.key, source));
    return source;
  }
  const std::optional<std::string> alias = rowid_alias(table);
  if (!alias.has_value()) {
    return Status::invalid_argument(
        str_cat(where(table), " has no INTEGER PRIMARY KEY that is its rowid",
                " (DESC and WITHOUT ROWID make none): name its unique key columns (id), or ",
                "(dataset, id)"));
  }
  source.key_column = *alias;
  return source;
}

}  // namespace loci::store

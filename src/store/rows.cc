// SPDX-License-Identifier: Apache-2.0
//
// Writing rows. A row of a collection is one row of its table and, when it has or awaits a vector,
// one of its vector table; the first is always written first. Everything that follows from a write
// (log, full text, pending marks of changed texts, the vector row of a deleted row) is done by the
// triggers of the schema, so that a plain SQLite client has the same effect. Many new rows at once
// are written without them, to the same effect (rows_insert.cc).
//
// A conflict is looked for before the write unless it is an error anyway: then the INSERT itself
// finds it, and a bulk load pays nothing. SQLite's own conflict clauses are not used: REPLACE would
// take a second row along when id and rowid name two.
//
// SQL texts are put together per call (about 0.2 us) and found in the connection's statement cache.
// Tested by rows_test.cc, rows_model_test.cc.
#include "store/rows.h"

#include <algorithm>

#include "base/clock.h"
#include "base/ids.h"
#include "base/strings.h"
#include "sqlite/query.h"
#include "store/history.h"
#include "store/rows_check.h"
#include "store/rows_insert.h"
#include "store/rows_sql.h"

namespace loci::store {
namespace {

using sqlite::Connection;
using sqlite::Statement;

constexpr size_t kSqlReserve = 512;

Result<std::optional<RowId>> find_id(Connection& connection, const Source& source,
                                     std::string_view id) {
  std::string sql = "SELECT rid FROM ";
  append_name(sql, source.table);
  sql += " WHERE id = ?";
  LOCI_ASSIGN_OR_RETURN(const std::optional<int64_t> row, query_int(connection, sql, id));
  if (!row.has_value()) return std::optional<RowId>();
  return std::optional<RowId>(RowId{*row});
}

Result<bool> row_exists(Connection& connection, const Source& source, RowId row) {
  const std::string sql =
      base::str_cat("SELECT 1", from_sql(source, false), " WHERE ", key_sql(source), " = ?");
  LOCI_ASSIGN_OR_RETURN(const std::optional<int64_t> found,
                        query_int(connection, sql, to_int(row)));
  return found.has_value();
}

Result<std::optional<std::string>> id_of(Connection& connection, const Source& source, RowId row) {
  if (!source.spec.text_ids) return std::optional<std::string>();
  std::string sql = "SELECT id FROM ";
  append_name(sql, source.table);
  sql += " WHERE rid = ?";
  return query_text(connection, sql, to_int(row));
}

/// The rows that a record's id and rowid name now.
struct Conflict {
  std::optional<RowId> by_id;
  std::optional<RowId> by_rowid;

  [[nodiscard]] bool any() const noexcept { return by_id.has_value() || by_rowid.has_value(); }
  [[nodiscard]] RowId row() const noexcept { return by_id.has_value() ? *by_id : *by_rowid; }
};

Result<Conflict> find_conflict(Connection& connection, const Source& source, const Record& record) {
  Conflict conflict;
  if (record.id.has_value() && source.spec.text_ids) {
    LOCI_ASSIGN_OR_RETURN(conflict.by_id, find_id(connection, source, *record.id));
  }
  if (record.rowid.has_value()) {
    LOCI_ASSIGN_OR_RETURN(const bool there, row_exists(connection, source, *record.rowid));
    if (there) conflict.by_rowid = record.rowid;
  }
  return conflict;
}

/// An update or replacement must mean one row: id and rowid, when both are given, name the same.
Status check_same_row(Connection& connection, const Source& source, const Record& record,
                      const Conflict& conflict) {
  if (!record.id.has_value() || !record.rowid.has_value()) return {};
  if (conflict.by_id == conflict.by_rowid) return {};
  if (conflict.by_id.has_value()) {
    return Status::invalid_argument(
        base::str_cat(label(source), ": id '", *record.id, "' is row ", to_int(*conflict.by_id),
                      ", but rowid ", to_int(*record.rowid), " is given: give one of the two"));
  }
  LOCI_ASSIGN_OR_RETURN(const std::optional<std::string> id,
                        id_of(connection, source, *record.rowid));
  return Status::invalid_argument(base::str_cat(label(source), ": row ", to_int(*record.rowid),
                                                " has id '", id.value_or(""), "', but id '",
                                                *record.id, "' is given: give one of the two"));
}

Status already_there(const Source& source, const Record& record, const Conflict& conflict) {
  if (conflict.by_id.has_value()) {
    return Status::already_exists(base::str_cat(label(source), ": id '", *record.id,
                                                "' is already there (row ", to_int(*conflict.by_id),
                                                ")"));
  }
  return Status::already_exists(
      base::str_cat(label(source), ": row ", to_int(*conflict.by_rowid), " is already there"));
}

std::string update_sql(const Source& source, const RecordLayout& layout, const Record& changes) {
  std::string sql;
  sql.reserve(kSqlReserve);
  sql += "UPDATE ";
  append_name(sql, source.table);
  sql += " SET ";
  for (size_t i = 0; i < layout.text.size(); ++i) {
    if (layout.text[i] == nullptr) continue;
    append_name(sql, source.spec.text[i]);
    sql += " = ?, ";
  }
  for (size_t i = 0; i < layout.filters.size(); ++i) {
    if (layout.filters[i] == nullptr) continue;
    append_name(sql, source.spec.filters[i].name);
    sql += " = ?, ";
  }
  if (layout.sets_id) sql += "id = ?, ";
  if (changes.metadata.has_value()) sql += "metadata = ?, ";
  sql += "updated_at = ? WHERE rid = ?";
  return sql;
}

Status change_row(Connection& connection, const Source& source, RowId row, const Record& changes,
                  const RecordLayout& layout) {
  LOCI_ASSIGN_OR_RETURN(const int64_t newest_version, newest_version_number(connection, source));
  LOCI_ASSIGN_OR_RETURN(Statement statement,
                        connection.cached(update_sql(source, layout, changes)));
  int next = 1;
  for (const auto* values : {&layout.text, &layout.filters}) {
    for (const Value* value : *values) {
      if (value != nullptr) LOCI_RETURN_IF_ERROR(statement.bind(next++, *value));
    }
  }
  if (layout.sets_id) LOCI_RETURN_IF_ERROR(statement.bind(next++, *changes.id));
  if (changes.metadata.has_value()) LOCI_RETURN_IF_ERROR(statement.bind(next++, *changes.metadata));
  LOCI_RETURN_IF_ERROR(statement.bind(next++, base::now_us()));
  LOCI_RETURN_IF_ERROR(statement.bind(next++, to_int(row)));
  LOCI_RETURN_IF_ERROR(statement.run());
  if (connection.changes() == 0) {
    return Status::not_found(base::str_cat(label(source), ": no row ", to_int(row)));
  }
  LOCI_RETURN_IF_ERROR(write_vectors(connection, source, row, layout));
  return join_versions(connection, source, row, newest_version);
}

/// A replaced row keeps what names it, its rowid and text id, and nothing else.
Result<RowId> replace_row(Connection& connection, const Source& source, RowId row,
                          const Record& record, const RecordLayout& layout) {
  Record named;
  named.rowid = row;
  named.id = record.id;
  named.metadata = record.metadata;
  if (!named.id.has_value()) {
    LOCI_ASSIGN_OR_RETURN(named.id, id_of(connection, source, row));
  }
  LOCI_RETURN_IF_ERROR(remove_row(connection, source, row).status());
  return insert_row(connection, source, named, layout);
}

}  // namespace

Result<WriteResult> put_row(Connection& connection, const Source& source, const Record& record,
                            OnConflict on_conflict) {
  LOCI_ASSIGN_OR_RETURN(RecordLayout layout, lay_out(connection, source, record));
  const bool named = record.id.has_value() || record.rowid.has_value();
  if (on_conflict != OnConflict::kError && named) {
    LOCI_ASSIGN_OR_RETURN(const Conflict conflict, find_conflict(connection, source, record));
    if (conflict.any()) {
      const RowId row = conflict.row();
      if (on_conflict == OnConflict::kIgnore) return WriteResult{row, WriteOutcome::kIgnored};
      LOCI_RETURN_IF_ERROR(check_same_row(connection, source, record, conflict));
      if (on_conflict == OnConflict::kUpdate) {
        layout.sets_id = false;  // it is the row's own
        LOCI_RETURN_IF_ERROR(change_row(connection, source, row, record, layout));
      } else {
        LOCI_RETURN_IF_ERROR(replace_row(connection, source, row, record, layout).status());
      }
      return WriteResult{row, WriteOutcome::kUpdated};
    }
  }
  Result<RowId> inserted = insert_row(connection, source, record, layout);
  if (inserted.ok()) return WriteResult{*inserted, WriteOutcome::kInserted};
  if (inserted.error().code() == StatusCode::kAlreadyExists) {
    LOCI_ASSIGN_OR_RETURN(const Conflict conflict, find_conflict(connection, source, record));
    if (conflict.any()) return already_there(source, record, conflict);
  }
  return inserted.error().with_context(label(source));
}

Result<std::optional<RowId>> put_batch(Connection& connection, const Source& source,
                                       std::span<const Record> records, OnConflict on_conflict) {
  for (const Record& record : records) {
    if (record.rowid.has_value() != records.front().rowid.has_value()) {
      return std::optional<RowId>();
    }
    if (on_conflict == OnConflict::kError) continue;
    LOCI_ASSIGN_OR_RETURN(const Conflict conflict, find_conflict(connection, source, record));
    if (conflict.any()) return std::optional<RowId>();
  }
  return insert_batch(connection, source, records);
}

Status update_row(Connection& connection, const Source& source, RowId row, const Record& changes) {
  LOCI_ASSIGN_OR_RETURN(const RecordLayout layout, lay_out(connection, source, changes));
  if (changes.rowid.has_value() && *changes.rowid != row) {
    return Status::invalid_argument(base::str_cat(label(source), ": row ", to_int(row),
                                                  " cannot become row ", to_int(*changes.rowid),
                                                  ": a row keeps its rowid"));
  }
  Status changed = change_row(connection, source, row, changes, layout);
  if (changed.code() == StatusCode::kAlreadyExists && changes.id.has_value()) {
    LOCI_ASSIGN_OR_RETURN(const Conflict conflict, find_conflict(connection, source, changes));
    if (conflict.by_id.has_value()) return already_there(source, changes, conflict);
  }
  return changed;
}

Result<bool> remove_row(Connection& connection, const Source& source, RowId row) {
  LOCI_RETURN_IF_ERROR(require_managed(source));
  std::string sql = "DELETE FROM ";
  append_name(sql, source.table);
  sql += " WHERE rid = ?";
  LOCI_RETURN_IF_ERROR(sqlite::run(connection, sql, to_int(row)));
  return connection.changes() > 0;
}

Result<int64_t> remove_rows(Connection& connection, const Source& source, const SqlFilter& filter) {
  LOCI_RETURN_IF_ERROR(require_managed(source));
  std::string sql = "DELETE FROM ";
  append_name(sql, source.table);
  base::str_append(sql, " AS t", where_sql({filter.sql}));
  LOCI_ASSIGN_OR_RETURN(Statement statement, prepare(connection, filter, sql));
  LOCI_RETURN_IF_ERROR(bind_values(statement, 1, filter.values));
  LOCI_RETURN_IF_ERROR(statement.run());
  return connection.changes();
}

Result<bool> set_archived(Connection& connection, const Source& source, RowId row, bool archived) {
  LOCI_RETURN_IF_ERROR(require_managed(source));
  std::string sql = "UPDATE ";
  append_name(sql, source.table);
  sql += " SET archived = ?1, updated_at = ?2 WHERE rid = ?3 AND archived <> ?1";
  LOCI_RETURN_IF_ERROR(
      sqlite::run(connection, sql, int64_t{archived ? 1 : 0}, base::now_us(), to_int(row)));
  return connection.changes() > 0;
}

Status put_vector(Connection& connection, const Source& source, size_t column, RowId row,
                  VectorView vector) {
  LOCI_RETURN_IF_ERROR(require_managed(source));
  LOCI_RETURN_IF_ERROR(check_vector(source, column, vector));
  LOCI_ASSIGN_OR_RETURN(const bool there, row_exists(connection, source, row));
  if (!there) return Status::not_found(base::str_cat(label(source), ": no row ", to_int(row)));
  LOCI_ASSIGN_OR_RETURN(Statement statement, connection.cached(vectors_sql(source, {&column, 1})));
  std::string packed;
  LOCI_RETURN_IF_ERROR(statement.bind(1, to_int(row)));
  LOCI_RETURN_IF_ERROR(
      statement.bind(2, encode_vector(source.spec.vectors[column], vector, packed)));
  if (has_pending(source, column)) LOCI_RETURN_IF_ERROR(statement.bind(3, int64_t{0}));
  return statement.run();
}

Result<std::optional<RowId>> find_row(Connection& connection, const Source& source,
                                      const RowKey& key) {
  if (const auto* row = std::get_if<RowId>(&key)) {
    LOCI_ASSIGN_OR_RETURN(const bool there, row_exists(connection, source, *row));
    return there ? std::optional<RowId>(*row) : std::optional<RowId>();
  }
  const auto& id = std::get<std::string>(key);
  if (source.managed && source.spec.text_ids) return find_id(connection, source, id);
  if (source.key_columns.size() == 1) {
    // Compared as text: a user's key may be an integer or a text.
    LOCI_ASSIGN_OR_RETURN(
        const std::optional<int64_t> row,
        query_int(connection,
                  base::str_cat("SELECT k.rid", from_sql(source, false),
                                " WHERE CAST(k.id AS TEXT) = ? ORDER BY k.rid LIMIT 1"),
                  id));
    return row.has_value() ? std::optional<RowId>(RowId{*row}) : std::optional<RowId>();
  }
  return Status::invalid_argument(
      base::str_cat(label(source), " has no text ids: rows are named by rowid, got id '",
                    base::utf8_prefix(id, 40), "'"));
}

}  // namespace loci::store

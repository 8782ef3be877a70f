// SPDX-License-Identifier: Apache-2.0
//
// Removing rows so that no byte of them is left. Where a row leaves traces, and what removes them:
//
//   its pages, those of its vectors and of indexes   secure_delete zeroes them, VACUUM rewrites
//   loci_log: the delete entry names its text id     blanked here
//   FTS5: old segments keep the terms, and a delete  'optimize' merges all segments into one, in
//   is itself an entry that repeats them             which deleted terms have no entry; VACUUM
//                                                    then drops the pages of the old ones
//   NAME_history: old versions, the one that the  removed here
//   deletion leaves too
//   sqlite_stat4: samples of index keys              removed; ANALYZE makes them anew
//   the WAL: earlier pages                           the truncating checkpoint
//
// FTS5 keeps whole terms and, per page, prefixes of neighbours (never of a term that is gone from
// the segment). Its tokens may be stems: they are gone with the segment all the same.
// Tested by rows_purge_test.cc, which looks for the bytes in the file.
#include "base/strings.h"
#include "sqlite/query.h"
#include "store/history.h"
#include "store/rows.h"
#include "store/rows_sql.h"

namespace loci::store {
namespace {

using sqlite::Connection;
using sqlite::Statement;

Status forget_statistics(Connection& connection, const Source& source) {
  LOCI_ASSIGN_OR_RETURN(
      const std::optional<int64_t> there,
      query_int(connection, "SELECT 1 FROM sqlite_master WHERE name = 'sqlite_stat4'"));
  if (!there.has_value()) return {};
  return sqlite::run(connection, "DELETE FROM sqlite_stat4 WHERE tbl IN (?1, ?2, ?3)", source.table,
                     source.vector_table, source.history_table);
}

Status compact_fts(Connection& connection, const Source& source) {
  if (source.fts_table.empty()) return {};
  std::string fts;
  append_name(fts, source.fts_table);
  return sqlite::run(connection,
                     base::str_cat("INSERT INTO ", fts, "(", fts, ") VALUES ('optimize')"));
}

std::string json_array(std::span<const RowId> rows) {
  std::string json = "[";
  for (const RowId row : rows) base::str_append(json, json.size() == 1 ? "" : ",", to_int(row));
  return json + "]";
}

/// The text ids of `rows` and those of `gone` as a JSON array.
Result<std::string> text_ids_of(Connection& connection, const Source& source,
                                const std::string& keys, const std::vector<std::string>& gone) {
  std::string ids = "[]";
  if (!source.spec.text_ids) return ids;
  std::string sql = "SELECT json_group_array(id) FROM ";
  append_name(sql, source.table);
  sql += " WHERE rid IN (SELECT value FROM json_each(?))";
  LOCI_ASSIGN_OR_RETURN(const std::optional<std::string> found, query_text(connection, sql, keys));
  ids = found.value_or("[]");
  for (const std::string& id : gone) {
    LOCI_ASSIGN_OR_RETURN(const std::optional<std::string> longer,
                          query_text(connection, "SELECT json_insert(?1, '$[#]', ?2)", ids, id));
    ids = longer.value_or(ids);
  }
  return ids;
}

/// How many of the rows that are gone have left versions.
Result<int64_t> count_remembered(Connection& connection, const Source& source,
                                 const GoneRows& gone) {
  int64_t count = 0;
  if (source.history_table.empty()) return count;
  const auto look = [&](std::string_view column, const auto& values) -> Status {
    std::string sql = "SELECT EXISTS(SELECT 1 FROM ";
    append_name(sql, source.history_table);
    base::str_append(sql, " WHERE loci_op > 0 AND ", column, " = ?1)");
    for (const auto& value : values) {
      LOCI_ASSIGN_OR_RETURN(const std::optional<int64_t> found, query_int(connection, sql, value));
      count += found.value_or(0);
    }
    return {};
  };
  std::vector<int64_t> rows;
  rows.reserve(gone.rows.size());
  for (const RowId row : gone.rows) rows.push_back(to_int(row));
  LOCI_RETURN_IF_ERROR(look("rid", rows));
  if (source.spec.text_ids) LOCI_RETURN_IF_ERROR(look("id", gone.ids));
  return count;
}

}  // namespace

Result<int64_t> purge_rows(Connection& connection, const Source& source,
                           std::span<const RowId> rows, const GoneRows& gone) {
  LOCI_RETURN_IF_ERROR(require_managed(source));
  LOCI_ASSIGN_OR_RETURN(const std::optional<int64_t> secure,
                        query_int(connection, "PRAGMA secure_delete"));
  LOCI_RETURN_IF_ERROR(connection.exec("PRAGMA secure_delete = ON"));
  int64_t count = 0;
  const auto purge_all = [&]() -> Status {
    const std::string keys = json_array(rows);
    LOCI_ASSIGN_OR_RETURN(const std::string ids, text_ids_of(connection, source, keys, gone.ids));
    LOCI_ASSIGN_OR_RETURN(const int64_t newest_version, newest_version_number(connection, source));
    LOCI_ASSIGN_OR_RETURN(const int64_t remembered, count_remembered(connection, source, gone));
    std::string remove = "DELETE FROM ";
    append_name(remove, source.table);
    remove += " WHERE rid IN (SELECT value FROM json_each(?))";
    LOCI_RETURN_IF_ERROR(sqlite::run(connection, remove, keys));
    count = connection.changes() + remembered;
    LOCI_RETURN_IF_ERROR(
        purge_history(connection, source, newest_version, ids, json_array(gone.rows)).status());
    // By id as well: a deleted row of another rowid may have had the same one.
    LOCI_RETURN_IF_ERROR(sqlite::run(
        connection,
        "UPDATE loci_log SET id = NULL WHERE source = ?1 AND id IS NOT NULL AND "
        "(rid IN (SELECT value FROM json_each(?2)) OR id IN (SELECT value FROM json_each(?3)))",
        source.id, keys, ids));
    LOCI_RETURN_IF_ERROR(compact_fts(connection, source));
    return forget_statistics(connection, source);
  };
  const Status purged = purge_all();
  const Status restored = connection.exec(base::str_cat(
      "PRAGMA secure_delete = ",
      secure.value_or(0) == 2 ? std::string("FAST") : base::str_cat(secure.value_or(0))));
  LOCI_RETURN_IF_ERROR(purged);
  LOCI_RETURN_IF_ERROR(restored);
  return count;
}

Status scrub(Connection& connection) {
  if (connection.in_transaction()) {
    return Status::failed_precondition("VACUUM cannot run inside a transaction: commit first");
  }
  LOCI_RETURN_IF_ERROR(connection.exec("VACUUM"));
  LOCI_ASSIGN_OR_RETURN(Statement statement, connection.prepare("PRAGMA wal_checkpoint(TRUNCATE)"));
  LOCI_ASSIGN_OR_RETURN(const bool there, statement.step());
  // busy, frames in the WAL (-1: not in WAL mode), frames checkpointed
  if (!there || statement.column_int(0) != 0) {
    return Status::busy(base::str_cat(
        "'", connection.path(), "': another connection is reading, so the WAL, which still ",
        "holds old pages, could not be emptied: try again when it is done"));
  }
  return {};
}

}  // namespace loci::store

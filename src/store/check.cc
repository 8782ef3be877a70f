// SPDX-License-Identifier: Apache-2.0
//
// Verifying a file, and mending what is derived.
//
// Idea. Everything but the rows themselves can be made again from them: triggers, full text, keys.
// What a user stored is never touched; a finding about it says what its owner can do.
//
// Invariants.
//  1. Without `repair` nothing is written. All is read in one snapshot, but for what FTS5 says of
//     its indexes, which is asked before: it takes turns with writers.
//  2. A repair is one transaction: a check that fails half-way leaves the file as it was.
//
// Cost. O(file): SQLite's integrity_check and FTS5's, which read everything.
//
// Tested by check_test.cc.
#include "store/check.h"

#include <optional>
#include <set>
#include <string>
#include <utility>

#include "base/strings.h"
#include "sqlite/query.h"
#include "store/log.h"
#include "store/maintenance.h"
#include "store/snapshot_parts.h"
#include "store/tables.h"

namespace loci::store {
namespace {

using base::str_cat;

void add(std::vector<CheckFinding>& findings, std::string_view kind, std::string message,
         bool repaired = false) {
  findings.push_back({.object = "database",
                      .kind = std::string(kind),
                      .message = std::move(message),
                      .repaired = repaired});
}

Status check_sqlite(sqlite::Connection& connection, std::vector<CheckFinding>& findings) {
  LOCI_ASSIGN_OR_RETURN(sqlite::Statement select, connection.prepare("PRAGMA integrity_check"));
  return sqlite::for_each_row(select, [&](sqlite::Statement& row) -> Status {
    const std::string_view text = row.column_text(0);
    // SQLite 3.44 and later ask FTS5 too; check_source() says more about that.
    if (text == "ok" || base::ascii_lower(text).find("fts5") != std::string::npos) return {};
    const bool constraint = text.rfind("CHECK constraint failed", 0) == 0;
    add(findings, constraint ? "constraint" : "sqlite",
        str_cat(text, constraint ? ": a row was written that its table does not allow; correct it"
                                 : "; the file is damaged: restore a backup, or save what can be "
                                   "read with the sqlite3 shell's .recover"));
    return {};
  });
}

/// A query that counts what must not be there, and what to say about it.
struct Count {
  std::string_view kind;
  std::string_view sql;
  std::string_view message;
};

constexpr Count kCounts[] = {
    {"log",
     "SELECT count(*) FROM (SELECT hlc, lag(hlc) OVER (ORDER BY scn) AS before FROM loci_log) "
     "WHERE hlc < before",
     "loci_log: entries whose time is before that of the entry before them"},
    {"log",
     "SELECT count(*) FROM loci_log WHERE typeof(token) <> 'integer' OR typeof(hlc) <> 'integer' "
     "OR typeof(rid) <> 'integer' OR typeof(origin) <> 'integer' OR op NOT BETWEEN 1 AND 4",
     "loci_log: entries with a value that no trigger writes"},
    {"follower",
     "SELECT count(*) FROM loci_followers WHERE scn > ifnull((SELECT max(scn) FROM loci_log), 0)",
     "loci_followers: followers that stand past the newest entry; they will start anew"},
    {"follower",
     "SELECT count(*) FROM loci_followers f WHERE NOT EXISTS(SELECT 1 FROM loci_indexes i "
     "WHERE i.id = f.source)",
     "loci_followers: followers of a source that does not exist"},
    {"keys",
     "SELECT count(*) FROM loci_keys k WHERE NOT EXISTS(SELECT 1 FROM loci_indexes i "
     "WHERE i.id = k.source)",
     "loci_keys: keys of a source that does not exist"},
    {"meta",
     "SELECT 3 - count(*) FROM loci_meta WHERE (key = 'node_id' AND typeof(value) = 'integer') OR "
     "(key IN ('database_uuid', 'created_at') AND value IS NOT NULL)",
     "loci_meta: node_id, database_uuid or created_at missing"},
};

Status check_tables(sqlite::Connection& connection, std::vector<CheckFinding>& findings) {
  for (const Count& count : kCounts) {
    LOCI_ASSIGN_OR_RETURN(const std::optional<int64_t> rows,
                          sqlite::query_int(connection, count.sql));
    if (rows.value_or(0) != 0) add(findings, count.kind, str_cat(count.message, ": ", *rows));
  }
  return {};
}

/// Deletes what names a source that does not exist, and compacts the log.
Status repair_tables(sqlite::Connection& connection, std::vector<CheckFinding>& findings) {
  for (const std::string_view sql :
       {"DELETE FROM loci_followers WHERE source NOT IN (SELECT id FROM loci_indexes) "
        "OR scn > ifnull((SELECT max(scn) FROM loci_log), 0)",
        "DELETE FROM loci_keys WHERE source NOT IN (SELECT id FROM loci_indexes)"}) {
    LOCI_RETURN_IF_ERROR(sqlite::run(connection, sql));
  }
  for (CheckFinding& finding : findings) {
    finding.repaired |= finding.kind == "follower" || finding.kind == "keys";
  }
  LOCI_ASSIGN_OR_RETURN(const bool parts, has_snapshot_parts(connection));
  if (parts) LOCI_RETURN_IF_ERROR(drop_unnamed_snapshot_parts(connection));  // never finished
  return compact_log(connection).status();
}

/// Sources whose full-text index fts5_sound() finds wrong, each asked in a write transaction of its
/// own: other writers wait for one index at a time.
Result<std::set<int64_t>> unsound_texts(sqlite::Connection& connection) {
  std::set<int64_t> unsound;
  LOCI_ASSIGN_OR_RETURN(const int version, schema_version(connection));
  if (version == 0 || connection.read_only()) return unsound;
  LOCI_ASSIGN_OR_RETURN(const std::vector<Source> sources, load_sources(connection));
  for (const Source& source : sources) {
    if (source.fts_table.empty()) continue;
    LOCI_ASSIGN_OR_RETURN(
        const sqlite::Transaction turn,
        sqlite::Transaction::begin(connection, sqlite::Transaction::Kind::kWrite));
    LOCI_ASSIGN_OR_RETURN(const bool there, table_exists(connection, source.fts_table));
    if (!there) continue;
    LOCI_ASSIGN_OR_RETURN(const bool sound, fts5_sound(connection, source));
    if (!sound) unsound.insert(source.id);
  }
  return unsound;
}

}  // namespace

Result<std::vector<CheckFinding>> check(sqlite::Connection& connection, bool repair) {
  std::set<int64_t> unsound;
  if (!repair) {
    LOCI_ASSIGN_OR_RETURN(unsound, unsound_texts(connection));
  }
  LOCI_ASSIGN_OR_RETURN(
      sqlite::Transaction transaction,
      sqlite::Transaction::begin(connection, repair ? sqlite::Transaction::Kind::kWrite
                                                    : sqlite::Transaction::Kind::kRead));
  std::vector<CheckFinding> findings;
  LOCI_RETURN_IF_ERROR(check_sqlite(connection, findings));
  LOCI_ASSIGN_OR_RETURN(const int version, schema_version(connection));
  if (version > 0) {
    LOCI_RETURN_IF_ERROR(check_tables(connection, findings));
    if (repair) LOCI_RETURN_IF_ERROR(repair_tables(connection, findings));
    LOCI_ASSIGN_OR_RETURN(const std::vector<Source> sources, load_sources(connection));
    for (const Source& source : sources) {
      std::optional<bool> text_sound;
      if (!repair) text_sound = unsound.count(source.id) == 0;
      LOCI_RETURN_IF_ERROR(check_source(connection, source, text_sound, repair, findings));
    }
  }
  LOCI_RETURN_IF_ERROR(transaction.commit());
  return findings;
}

}  // namespace loci::store

// SPDX-License-Identifier: Apache-2.0
//
// Reading old versions, and looking after their table.
//
// The entries of one rowid, oldest first, are the lives of one row after the other: each ends with
// a kDelete, the last may go on. Within a life a kVectors entry belongs to the row as the next
// entry that holds one says, or to the row that is there now.
//
// Tested by history_test.cc, history_model_test.cc.
#include "store/history.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "base/clock.h"
#include "base/strings.h"
#include "sqlite/query.h"
#include "store/history_sql.h"
#include "store/rows.h"
#include "store/rows_check.h"
#include "store/rows_sql.h"

namespace loci::store {
namespace {

using base::str_append;
using base::str_cat;
using sqlite::Connection;
using sqlite::quote_identifier;
using sqlite::Statement;

constexpr int64_t kDayUs = int64_t{86400} * 1000000;

struct Entry {
  int64_t number = 0;
  VersionOp op = VersionOp::kUpdate;
  int64_t changed_at_us = 0, hlc = 0, scn = 0, token = 0;
  std::optional<std::string> id;
  /// The entry that holds the row; itself but for kVectors. 0: the row that is there now.
  int64_t row_entry = 0;
};

/// What one rowid has been.
struct Timeline {
  RowId row = kNoRow;
  std::optional<Record> live;
  std::vector<Entry> entries;  // ascending
  size_t first_of_life = 0;    // of the row that is there now, else the end
};

Status require_history(const Source& source) {
  if (!source.history_table.empty()) return {};
  return Status::failed_precondition(
      str_cat(label(source), " keeps no history: turn it on first; it begins then"));
}

Result<Timeline> read_timeline(Connection& connection, const Source& source, RowId row) {
  Timeline timeline;
  timeline.row = row;
  LOCI_ASSIGN_OR_RETURN(timeline.live, get_row(connection, source, row, false));
  LOCI_ASSIGN_OR_RETURN(
      Statement select,
      connection.cached(str_cat("SELECT loci_version, loci_op, loci_at, loci_hlc, loci_scn, "
                                "loci_token",
                                source.spec.text_ids ? ", id" : ", NULL", " FROM ",
                                quote_identifier(source.history_table),
                                " WHERE loci_op > 0 AND rid = ?1 ORDER BY loci_version")));
  LOCI_RETURN_IF_ERROR(select.bind(1, to_int(row)));
  LOCI_RETURN_IF_ERROR(sqlite::for_each_row(select, [&](Statement& at) -> Status {
    Entry entry{.number = at.column_int(0),
                .op = static_cast<VersionOp>(at.column_int(1)),
                .changed_at_us = at.column_int(2),
                .hlc = at.column_int(3),
                .scn = at.column_int(4),
                .token = at.column_int(5),
                .id = {},
                .row_entry = at.column_int(0)};
    if (!at.is_null(6)) entry.id = std::string(at.column_text(6));
    timeline.entries.push_back(std::move(entry));
    return {};
  }));
  LOCI_RETURN_IF_ERROR(connection.values_whole());
  return timeline;
}

/// Gives kVectors entries the row that they belong to, and takes out those that have none.
void find_rows(Timeline& timeline) {
  std::optional<std::string> id = timeline.live.has_value() ? timeline.live->id : std::nullopt;
  int64_t row_entry = 0;
  bool there = timeline.live.has_value();
  bool this_life = true;
  std::vector<Entry>& entries = timeline.entries;
  timeline.first_of_life = entries.size();
  for (size_t i = entries.size(); i-- > 0;) {
    Entry& entry = entries[i];
    if (entry.op == VersionOp::kDelete) this_life = false;
    if (this_life) timeline.first_of_life = i;
    if (entry.op != VersionOp::kVectors) {
      id = entry.id;
      row_entry = entry.number;
      there = true;
    } else {
      entry.id = id;
      entry.row_entry = there ? row_entry : -1;
    }
  }
  if (!timeline.live.has_value()) timeline.first_of_life = entries.size();
}

/// Entries of a timeline that `key` names, those past the limits left out.
void choose(const Timeline& timeline, const RowKey& key, const HistoryOptions& options,
            std::vector<std::pair<RowId, Entry>>& out) {
  const auto* id = std::get_if<std::string>(&key);
  const bool lives = id != nullptr && timeline.live.has_value() && timeline.live->id == *id;
  const auto limit = static_cast<size_t>(options.max_versions);
  const size_t count = timeline.entries.size();
  const int64_t cutoff =
      options.max_age_days == 0 ? INT64_MIN : base::now_us() - options.max_age_days * kDayUs;
  // What is older than an entry past its age is past it too.
  size_t first = limit != 0 && count > limit ? count - limit : 0;
  for (size_t i = first; i < count; ++i) {
    if (timeline.entries[i].changed_at_us < cutoff) first = i + 1;
  }
  for (size_t i = first; i < count; ++i) {
    const Entry& entry = timeline.entries[i];
    if (entry.row_entry < 0) continue;
    const bool named = id == nullptr || entry.id == *id || (lives && i >= timeline.first_of_life);
    if (named) out.emplace_back(timeline.row, entry);
  }
}

Result<std::set<RowId>> rows_named(Connection& connection, const Source& source,
                                   const RowKey& key) {
  std::set<RowId> rows;
  if (const auto* row = std::get_if<RowId>(&key)) {
    rows.insert(*row);
    return rows;
  }
  LOCI_ASSIGN_OR_RETURN(const std::optional<RowId> live, find_row(connection, source, key));
  if (live.has_value()) rows.insert(*live);
  LOCI_ASSIGN_OR_RETURN(
      Statement select,
      connection.cached(str_cat("SELECT DISTINCT rid FROM ", quote_identifier(source.history_table),
                                " WHERE loci_op > 0 AND id = ?1")));
  LOCI_RETURN_IF_ERROR(select.bind(1, std::string_view(std::get<std::string>(key))));
  LOCI_RETURN_IF_ERROR(sqlite::for_each_row(select, [&](Statement& at) -> Status {
    rows.insert(RowId{at.column_int(0)});
    return {};
  }));
  return rows;
}

/// Reads what entries hold.
class VersionReader {
 public:
  VersionReader(Connection& connection, const Source& source, bool with_vectors)
      : connection_(connection), source_(source), with_vectors_(with_vectors) {
    for (const std::string& column : history_row_columns(source)) {
      str_append(row_sql_, row_sql_.empty() ? "" : ", ", quote_identifier(column));
    }
    for (const VectorColumn& column : source.spec.vectors) {
      str_append(vectors_sql_, vectors_sql_.empty() ? "" : ", ", quote_identifier(column.name));
    }
  }

  Result<Version> read(RowId row, const Entry& entry) {
    Version version;
    version.number = entry.number;
    version.change = entry.op == VersionOp::kDelete ? ChangeKind::kDelete : ChangeKind::kUpdate;
    version.changed_at_us = entry.changed_at_us;
    version.hlc = entry.hlc;
    version.log_scn = entry.scn;
    version.log_token = entry.token;
    if (entry.row_entry == 0) {
      LOCI_ASSIGN_OR_RETURN(std::optional<Record> live, get_row(connection_, source_, row, false));
      if (live.has_value()) version.record = *std::move(live);
    } else {
      LOCI_RETURN_IF_ERROR(read_row(entry.row_entry, version.record));
    }
    version.record.rowid = row;
    if (with_vectors_ && !vectors_sql_.empty()) {
      LOCI_RETURN_IF_ERROR(read_vectors(row, entry.number, version.record));
    }
    LOCI_RETURN_IF_ERROR(connection_.values_whole());
    return version;
  }

 private:
  Result<Statement> entry(const std::string& columns, int64_t number) {
    LOCI_ASSIGN_OR_RETURN(Statement select,
                          connection_.cached(str_cat("SELECT ", columns, " FROM ",
                                                     quote_identifier(source_.history_table),
                                                     " WHERE loci_version = ?1")));
    LOCI_RETURN_IF_ERROR(select.bind(1, number));
    LOCI_ASSIGN_OR_RETURN(const bool there, select.step());
    if (!there) return Status::corruption(str_cat(label(source_), ": no version ", number));
    return select;
  }

  Status read_row(int64_t number, Record& record) {
    LOCI_ASSIGN_OR_RETURN(const Statement at, entry(row_sql_, number));
    int column = 0;
    const CollectionSpec& spec = source_.spec;
    if (spec.text_ids && !at.is_null(column++)) record.id = std::string(at.column_text(0));
    for (const std::string& name : spec.text) {
      record.fields.emplace_back(name, at.column_value(column++));
    }
    for (const FilterColumn& filter : spec.filters) {
      Value value = at.column_value(column++);
      const auto* integer = std::get_if<int64_t>(&value);
      if (filter.type == FieldType::kBool && integer != nullptr) value = *integer != 0;
      record.fields.emplace_back(filter.name, std::move(value));
    }
    if (!at.is_null(column)) record.metadata = std::string(at.column_text(column));
    record.archived = at.column_int(++column) != 0;
    record.created_at_us = at.column_int(++column);
    record.updated_at_us = at.column_int(++column);
    return {};
  }

  Status read_vectors(RowId row, int64_t number, Record& record) {
    LOCI_ASSIGN_OR_RETURN(const Statement at, entry(vectors_sql_, number));
    for (size_t i = 0; i < source_.spec.vectors.size(); ++i) {
      const std::span<const std::byte> blob = at.column_blob(static_cast<int>(i));
      if (blob.empty()) continue;
      LOCI_ASSIGN_OR_RETURN(std::vector<float> vector, decode_vector(source_, i, row, blob));
      record.vectors.emplace_back(source_.spec.vectors[i].name, std::move(vector));
    }
    return {};
  }

  Connection& connection_;
  const Source& source_;  // must outlive this
  const bool with_vectors_;
  std::string row_sql_;
  std::string vectors_sql_;
};

Result<std::set<std::string>> columns_of(Connection& connection, const std::string& table) {
  std::set<std::string> columns;
  LOCI_ASSIGN_OR_RETURN(Statement select,
                        connection.cached("SELECT name FROM pragma_table_info(?1)"));
  LOCI_RETURN_IF_ERROR(select.bind(1, std::string_view(table)));
  LOCI_RETURN_IF_ERROR(sqlite::for_each_row(select, [&](Statement& at) -> Status {
    columns.insert(base::ascii_lower(at.column_text(0)));
    return {};
  }));
  return columns;
}

/// Columns of rows and vectors that the table lacks.
Result<std::vector<std::string>> missing_columns(Connection& connection, const Source& source) {
  LOCI_ASSIGN_OR_RETURN(const std::set<std::string> there,
                        columns_of(connection, source.history_table));
  std::vector<std::string> wanted = history_row_columns(source);
  for (const VectorColumn& column : source.spec.vectors) wanted.push_back(column.name);
  for (const char* name : {"rid", "loci_op", "loci_scn", "loci_token", "loci_hlc", "loci_at"}) {
    wanted.emplace_back(name);
  }
  std::erase_if(wanted,
                [&](const std::string& name) { return there.count(base::ascii_lower(name)) != 0; });
  return wanted;
}

}  // namespace

Result<std::vector<Version>> read_history(Connection& connection, const Source& source,
                                          const RowKey& key, bool with_vectors, int64_t limit) {
  LOCI_RETURN_IF_ERROR(require_history(source));
  LOCI_ASSIGN_OR_RETURN(const std::set<RowId> rows, rows_named(connection, source, key));
  std::vector<std::pair<RowId, Entry>> chosen;
  for (const RowId row : rows) {
    LOCI_ASSIGN_OR_RETURN(Timeline timeline, read_timeline(connection, source, row));
    find_rows(timeline);
    choose(timeline, key, source.spec.history, chosen);
  }
  std::sort(chosen.begin(), chosen.end(),
            [](const auto& a, const auto& b) { return a.second.number > b.second.number; });
  if (limit > 0 && chosen.size() > static_cast<size_t>(limit)) {
    chosen.resize(static_cast<size_t>(limit));
  }
  VersionReader reader(connection, source, with_vectors);
  std::vector<Version> versions;
  versions.reserve(chosen.size());
  for (const auto& [row, entry] : chosen) {
    LOCI_ASSIGN_OR_RETURN(Version version, reader.read(row, entry));
    versions.push_back(std::move(version));
  }
  return versions;
}

Status mend_history_table(Connection& connection, const Source& source) {
  if (source.history_table.empty()) return {};
  LOCI_RETURN_IF_ERROR(connection.exec(history_ddl(source)));
  LOCI_ASSIGN_OR_RETURN(const std::vector<std::string> missing,
                        missing_columns(connection, source));
  for (const std::string& column : missing) {
    LOCI_RETURN_IF_ERROR(
        connection.exec(str_cat("ALTER TABLE ", quote_identifier(source.history_table),
                                " ADD COLUMN ", quote_identifier(column))));
  }
  return {};
}

Result<bool> history_table_whole(Connection& connection, const Source& source) {
  if (source.history_table.empty()) return true;
  LOCI_ASSIGN_OR_RETURN(const std::vector<std::string> missing,
                        missing_columns(connection, source));
  return missing.empty();
}

Status prune_history(Connection& connection, const Source& source) {
  if (source.history_table.empty()) return {};
  return connection.exec(history_prune_all_sql(source));
}

Status forget_staged_versions(Connection& connection, const Source& source) {
  if (source.history_table.empty()) return {};
  return connection.exec(
      str_cat("DELETE FROM ", quote_identifier(source.history_table), " WHERE loci_op <= 0"));
}

Result<int64_t> newest_version_number(Connection& connection, const Source& source) {
  if (source.history_table.empty()) return 0;
  LOCI_ASSIGN_OR_RETURN(
      const std::optional<int64_t> number,
      // What is staged does not count: its number may be given again.
      sqlite::query_int(connection,
                        str_cat("SELECT loci_version FROM ", quote_identifier(source.history_table),
                                " WHERE loci_op > 0 ORDER BY loci_version DESC "
                                "LIMIT 1")));
  return number.value_or(0);
}

Status join_versions(Connection& connection, const Source& source, RowId row, int64_t after) {
  if (source.history_table.empty()) return {};
  // The first holds the row and its vectors as they were.
  const std::string table = quote_identifier(source.history_table);
  return sqlite::run(
      connection,
      str_cat("DELETE FROM ", table,
              " WHERE loci_op > 0 AND rid = ?1 AND loci_version > (SELECT "
              "min(r.loci_version) FROM ",
              table, " AS r WHERE r.loci_op > 0 AND r.rid = ?1 AND r.loci_version > ?2)"),
      to_int(row), after);
}

Result<int64_t> purge_history(Connection& connection, const Source& source, int64_t after,
                              const std::string& ids, const std::string& gone) {
  if (source.history_table.empty()) return 0;
  LOCI_RETURN_IF_ERROR(forget_staged_versions(connection, source));
  // Whole lives: those that the deletion has just ended, those in which the row bore an id of
  // `ids`, and all at a rowid of `gone`. A life is named by the entry that ended it.
  const std::string table = quote_identifier(source.history_table);
  const auto life = [&](std::string_view entry) {
    return str_cat("ifnull((SELECT min(e.loci_version) FROM ", table, " AS e WHERE e.loci_op > 0 ",
                   "AND e.rid = ", entry, ".rid AND e.loci_op = 3 AND e.loci_version >= ", entry,
                   ".loci_version), 0)");
  };
  const std::string named = str_cat(
      "SELECT n.rid, ", life("n"), " FROM ", table, " AS n WHERE n.loci_version > ?1",
      source.spec.text_ids ? " OR n.id IN (SELECT value FROM json_each(?2))" : " OR ?2 IS NULL");
  LOCI_RETURN_IF_ERROR(sqlite::run(
      connection,
      str_cat("DELETE FROM ", table, " WHERE rid IN (SELECT value FROM json_each(?3)) OR (rid, ",
              life(table), ") IN (", named, ")"),
      after, ids, gone));
  return connection.changes();
}

Result<std::vector<std::string>> check_history(Connection& connection, const Source& source) {
  std::vector<std::string> findings;
  if (source.history_table.empty()) return findings;
  const std::string table = quote_identifier(source.history_table);
  const auto count = [&](const std::string& where, std::string_view what) -> Status {
    LOCI_ASSIGN_OR_RETURN(
        const std::optional<int64_t> rows,
        sqlite::query_int(connection, str_cat("SELECT count(*) FROM ", table, " WHERE ", where)));
    if (rows.value_or(0) == 0) return {};
    findings.push_back(str_cat("'", source.history_table, "': ", *rows, " version(s) ", what,
                               "; they were written by no trigger: delete them, or turn history ",
                               "off and on"));
    return {};
  };
  LOCI_RETURN_IF_ERROR(count("loci_op NOT IN (-1, 0, 2, 3, 4) OR typeof(rid) <> 'integer'",
                             "of no known kind, or without a rowid"));
  LOCI_RETURN_IF_ERROR(
      count("loci_op > 0 AND (typeof(loci_scn) <> 'integer' OR typeof(loci_token) <> 'integer' OR "
            "typeof(loci_hlc) <> 'integer' OR typeof(loci_at) <> 'integer')",
            "without the time or the log entry of their change"));
  for (size_t i = 0; i < source.spec.vectors.size(); ++i) {
    const VectorColumn& column = source.spec.vectors[i];
    const std::string name = quote_identifier(column.name);
    LOCI_RETURN_IF_ERROR(
        count(str_cat(name, " IS NOT NULL AND NOT (typeof(", name, ") = 'blob' AND length(", name,
                      ") = ", vector_bytes(column), ")"),
              str_cat("whose '", column.name, "' is no BLOB of ", vector_bytes(column), " bytes")));
  }
  LOCI_ASSIGN_OR_RETURN(
      const std::optional<int64_t> newest,
      // The sequence may lag behind: a statement that ends by OR FAIL does not write it.
      sqlite::query_int(connection,
                        "SELECT max(ifnull((SELECT seq FROM sqlite_sequence WHERE name = "
                        "'loci_log'), 0), ifnull((SELECT max(scn) FROM loci_log), 0))"));
  LOCI_RETURN_IF_ERROR(count(str_cat("loci_op > 0 AND loci_scn > ", newest.value_or(0)),
                             "of changes that the log has not come to"));
  return findings;
}

}  // namespace loci::store

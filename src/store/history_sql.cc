// SPDX-License-Identifier: Apache-2.0
//
// The table of old versions, and how triggers fill it.
//
// Idea. A version is a row with its vectors as they were before a change. The row's own triggers
// read both. A trigger on the vector table must not name the rows' table (triggers.cc, invariant
// 5), so a change of vectors alone keeps the vectors alone; the row that belonged to them is the
// next version of the same rowid, or else the row that is there now.
//
// Rows that REPLACE displaces are seen by BEFORE triggers only, which cannot know whether the write
// will happen. As with loci_displaced they are staged there, and AFTER keeps those that are gone.
//
// Invariants.
//  1. kDelete ends the life of a row at its rowid; what comes later belongs to another row.
//  2. A kUpdate or kDelete entry is whole by itself. Vectors that change in the course of it (they
//     go with their row, or move with it) leave no entry of their own: the same trigger drops it.
//  3. Only vectors that counted are kept: not NULL, not pending. Filling in what was not there is
//  no
//     version: nothing is lost by it.
//  4. The table has no constraint but its key: a conflict clause of the writer has nothing to act
//     on.
//  5. What is staged means nothing once the statement is over; the next one empties it.
//
// Cost. On an update: one row written, of the size of the row and its vectors; on an insert one
// look-up, and nothing where rows are inserted in batches (rows_insert.cc).
//
// Tested by history_test.cc, history_model_test.cc.
#include "store/history_sql.h"

#include "base/strings.h"
#include "sqlite/connection.h"
#include "store/tables.h"

namespace loci::store {
namespace {

using base::str_append;
using base::str_cat;
using sqlite::quote_identifier;

constexpr std::string_view kStamp = "loci_scn, loci_token, loci_hlc, loci_at";
/// How many of the oldest versions a write looks at for their age.
constexpr int kAgedPerWrite = 16;

/// Both partial indexes are found by these very terms.
constexpr std::string_view kKept = "loci_op > 0";
constexpr std::string_view kStagedRows = "loci_op <= 0 AND loci_op = 0";
constexpr std::string_view kStagedVectorRows = "loci_op <= 0 AND loci_op = -1";
constexpr std::string_view kNewestEntry =
    " FROM loci_log AS e WHERE e.scn = (SELECT max(scn) FROM loci_log)";

void append_or(std::string& out, const std::string& term) {
  if (!out.empty()) out += " OR ";
  out += term;
}

}  // namespace

std::vector<std::string> history_row_columns(const Source& source) {
  std::vector<std::string> columns;
  if (source.spec.text_ids) columns.emplace_back("id");
  columns.insert(columns.end(), source.spec.text.begin(), source.spec.text.end());
  for (const FilterColumn& column : source.spec.filters) columns.push_back(column.name);
  for (const char* name : {"metadata", "archived", "created_at", "updated_at"}) {
    columns.emplace_back(name);
  }
  return columns;
}

std::string history_ddl(const Source& source) {
  const std::string table = quote_identifier(source.history_table);
  // Columns without a type keep every value as it is. Those that triggers compare need one: an
  // index on a column without affinity is of no use for a value that has one.
  std::string out = str_cat("CREATE TABLE IF NOT EXISTS ", table,
                            "(\n  loci_version INTEGER PRIMARY KEY AUTOINCREMENT,\n  rid INTEGER,\n"
                            "  loci_op INTEGER,\n  loci_scn INTEGER,\n  loci_token INTEGER,\n"
                            "  loci_hlc INTEGER,\n  loci_at INTEGER");
  for (const std::string& column : history_row_columns(source)) {
    str_append(out, ",\n  ", quote_identifier(column), column == "id" ? " TEXT" : "");
  }
  for (const VectorColumn& column : source.spec.vectors) {
    str_append(out, ",\n  ", quote_identifier(column.name));
  }
  const auto index = [&](std::string_view suffix, std::string_view column, std::string_view where) {
    str_append(out, "CREATE INDEX IF NOT EXISTS ",
               quote_identifier(str_cat(source.history_table, suffix)), " ON ", table, "(", column,
               ") WHERE ", where, ";\n");
  };
  out += "\n);\n";
  index("_rid", "rid", kKept);
  if (source.spec.text_ids) index("_id", "id", kKept);
  index("_staged", "loci_op", "loci_op <= 0");
  return out;
}

std::vector<std::string> history_names(const Source& source) {
  std::vector<std::string> names;
  for (const std::string_view suffix : {"", "_rid", "_id", "_staged"}) {
    names.push_back(str_cat(source.history_table, suffix));
  }
  return names;
}

std::string history_cutoff_sql(const HistoryOptions& options) {
  if (options.max_age_days == 0) return {};
  constexpr int64_t kDayUs = int64_t{86400} * 1000000;
  return str_cat(kNowUsSql, " - ", options.max_age_days * kDayUs);
}

std::string history_prune_all_sql(const Source& source) {
  const HistoryOptions& options = source.spec.history;
  const std::string table = quote_identifier(source.history_table);
  std::string out;
  if (options.max_versions != 0) {
    str_append(out, "DELETE FROM ", table, " WHERE ", kKept,
               " AND loci_version <= (SELECT r.loci_version FROM ", table,
               " AS r WHERE r.rid = ", table, ".rid AND r.", kKept,
               " ORDER BY r.loci_version DESC LIMIT 1 OFFSET ", options.max_versions, ");\n");
  }
  if (options.max_age_days != 0) {
    str_append(out, "DELETE FROM ", table, " WHERE loci_version <= (SELECT max(loci_version) FROM ",
               table, " WHERE loci_at < ", history_cutoff_sql(options), ");\n");
  }
  return out;
}

HistorySql::HistorySql(const Source& source)
    : source_(source),
      history_(source.history_table.empty() ? "" : quote_identifier(source.history_table)),
      table_(quote_identifier(source.table)),
      vectors_(quote_identifier(source.vector_table)),
      key_(quote_identifier(source.key_column)) {}

std::string HistorySql::row_names() const {
  std::string out;
  for (const std::string& column : history_row_columns(source_)) {
    str_append(out, ", ", quote_identifier(column));
  }
  return out;
}

std::string HistorySql::row_values(std::string_view row) const {
  std::string out;
  for (const std::string& column : history_row_columns(source_)) {
    str_append(out, ", ", row, ".", quote_identifier(column));
  }
  return out;
}

std::string HistorySql::vector_names() const {
  std::string out;
  for (const VectorColumn& column : source_.spec.vectors) {
    str_append(out, ", ", quote_identifier(column.name));
  }
  return out;
}

std::string HistorySql::counted(const VectorColumn& column, std::string_view row) const {
  std::string value = str_cat(row, ".", quote_identifier(column.name));
  if (column.model.empty()) return value;
  return str_cat("CASE WHEN ", row, ".", quote_identifier(column.name + "_pending"), " = 0 THEN ",
                 value, " END");
}

std::string HistorySql::vector_values(std::string_view row) const {
  std::string out;
  for (const VectorColumn& column : source_.spec.vectors)
    str_append(out, ", ", counted(column, row));
  return out;
}

std::string HistorySql::any_counted(std::string_view row) const {
  std::string out;
  for (const VectorColumn& column : source_.spec.vectors) {
    append_or(out, str_cat(counted(column, row), " IS NOT NULL"));
  }
  return out;
}

std::string HistorySql::row_changed() const {
  std::string out = str_cat("OLD.", key_, " IS NOT NEW.", key_);
  for (const std::string& column : history_row_columns(source_)) {
    const std::string name = quote_identifier(column);
    append_or(out, str_cat("OLD.", name, " IS NOT NEW.", name));
  }
  return out;
}

std::string HistorySql::stage_rows() const {
  if (!on()) return {};
  const std::string vectors =
      has_vectors() ? str_cat(" LEFT JOIN ", vectors_, " AS v ON v.rid = d.rid") : "";
  // CROSS JOIN: the displaced rows lead. Their log entries are the newest few.
  return str_cat(
      "  DELETE FROM ", history_, " WHERE ", kStagedRows, ";\n  INSERT INTO ", history_,
      "(rid, loci_op, ", kStamp, row_names(), vector_names(),
      ") SELECT d.rid, 0, e.scn, e.token, e.hlc, ", kNowUsSql, row_values("t"), vector_values("v"),
      " FROM loci_displaced AS d CROSS JOIN ", table_, " AS t ON t.", key_, " = d.rid", vectors,
      " CROSS JOIN loci_log AS e ON e.scn = (SELECT l.scn FROM loci_log AS l WHERE l.source = ",
      source_.id, " AND l.rid = d.rid ORDER BY l.scn DESC LIMIT 1) WHERE d.source = ", source_.id,
      ";\n");
}

std::string HistorySql::keep_old(std::string_view op, std::string_view changed) const {
  if (!on()) return {};
  std::string from = " FROM loci_log AS e";
  if (has_vectors()) str_append(from, " LEFT JOIN ", vectors_, " AS v ON v.rid = OLD.", key_);
  std::string out = str_cat(
      "  INSERT INTO ", history_, "(rid, loci_op, ", kStamp, row_names(), vector_names(),
      ") SELECT OLD.", key_, ", ", op, ", e.scn, e.token, e.hlc, ", kNowUsSql, row_values("OLD"),
      vector_values("v"), from, " WHERE e.scn = (SELECT max(scn) FROM loci_log)");
  if (!changed.empty()) str_append(out, " AND (", changed, ")");
  return out += ";\n";
}

std::string HistorySql::settle_same() const {
  if (!on()) return {};
  return str_cat("  UPDATE ", history_, " SET loci_op = 3 WHERE ", kStagedRows, " AND rid = NEW.",
                 key_, ";\n");
}

std::string HistorySql::settle_others() const {
  if (!on()) return {};
  return str_cat("  UPDATE ", history_, " SET loci_op = 3 WHERE ", kStagedRows, " AND rid <> NEW.",
                 key_, " AND NOT EXISTS(SELECT 1 FROM ", table_, " AS t WHERE t.", key_, " = ",
                 history_, ".rid);\n  DELETE FROM ", history_, " WHERE ", kStagedRows,
                 " AND rid <> NEW.", key_, ";\n");
}

std::string HistorySql::forget_staged_old() const {
  if (!on()) return {};
  return str_cat("  DELETE FROM ", history_, " WHERE ", kStagedRows, " AND rid = OLD.", key_,
                 ";\n");
}

std::string HistorySql::drop_vectors_of_gone(std::string_view rid) const {
  if (!on()) return {};
  return str_cat("  DELETE FROM ", history_, " WHERE ", kKept, " AND rid = ", rid,
                 " AND loci_op = 4 AND loci_version > ifnull((SELECT max(r.loci_version) FROM ",
                 history_, " AS r WHERE r.", kKept, " AND r.rid = ", rid,
                 " AND r.loci_op = 3), 0);\n");
}

std::string HistorySql::drop_vectors_of_all_gone(std::string_view rids) const {
  if (!on()) return {};
  std::string out = str_cat(
      "  DELETE FROM ", history_, " WHERE ", kKept, " AND rid IN ", rids,
      " AND loci_op = 4 AND loci_version > ifnull((SELECT max(r.loci_version) FROM ", history_,
      " AS r WHERE r.", kKept, " AND r.rid = ", history_, ".rid AND r.loci_op = 3), 0);\n");
  if (source_.spec.history.max_versions != 0) {
    str_append(out, "  DELETE FROM ", history_, " WHERE ", kKept, " AND rid IN ", rids,
               " AND loci_version <= (SELECT r.loci_version FROM ", history_, " AS r WHERE r.",
               kKept, " AND r.rid = ", history_,
               ".rid ORDER BY r.loci_version DESC LIMIT 1 OFFSET ",
               source_.spec.history.max_versions, ");\n");
  }
  return out;
}

std::string HistorySql::prune(std::string_view rid, int64_t more) const {
  if (!on()) return {};
  const HistoryOptions& options = source_.spec.history;
  std::string out;
  if (options.max_versions != 0) {
    str_append(out, "  DELETE FROM ", history_, " WHERE ", kKept, " AND rid = ", rid,
               " AND loci_version <= (SELECT r.loci_version FROM ", history_, " AS r WHERE r.",
               kKept, " AND r.rid = ", rid, " ORDER BY r.loci_version DESC LIMIT 1 OFFSET ",
               options.max_versions + more, ");\n");
  }
  if (options.max_age_days != 0) {
    // A version older than one past its age is past it too, whatever the clock said.
    str_append(out, "  DELETE FROM ", history_,
               " WHERE loci_version <= (SELECT max(o.loci_version) FROM (SELECT loci_version, "
               "loci_at FROM ",
               history_, " ORDER BY loci_version LIMIT ", kAgedPerWrite,
               ") AS o WHERE o.loci_at < ", history_cutoff_sql(options), ");\n");
  }
  return out;
}

std::string HistorySql::stage_vectors(const std::vector<std::string>& conditions) const {
  if (!on()) return {};
  std::string out = str_cat("  DELETE FROM ", history_, " WHERE ", kStagedVectorRows, ";\n");
  for (const std::string& condition : conditions) {
    str_append(out, "  INSERT INTO ", history_, "(rid, loci_op, loci_at", vector_names(),
               ") SELECT ", vectors_, ".rid, -1, ", kNowUsSql, vector_values(vectors_), " FROM ",
               vectors_, " WHERE (", condition, ") AND (", any_counted(vectors_),
               ") AND NOT EXISTS(SELECT 1 FROM ", history_, " AS s WHERE s.loci_op <= 0 AND ",
               "s.loci_op = -1 AND s.rid = ", vectors_, ".rid);\n");
  }
  return out;
}

std::string HistorySql::stages_vectors(const std::vector<std::string>& conditions) const {
  std::string out = str_cat("EXISTS(SELECT 1 FROM ", history_, " WHERE ", kStagedVectorRows, ")");
  for (const std::string& condition : conditions) {
    append_or(out, str_cat("EXISTS(SELECT 1 FROM ", vectors_, " WHERE ", condition, ")"));
  }
  return out;
}

std::string HistorySql::settle_vectors() const {
  if (!on()) return {};
  return str_cat(
      "  UPDATE ", history_,
      " SET (loci_op, loci_scn, loci_token, loci_hlc) = (SELECT 4, e.scn, e.token, e.hlc",
      kNewestEntry, ") WHERE ", kStagedVectorRows,
      " AND (rid = NEW.rid OR NOT EXISTS(SELECT 1 FROM ", vectors_,
      " AS v WHERE v.rid = ", history_, ".rid));\n  DELETE FROM ", history_, " WHERE ",
      kStagedVectorRows, ";\n");
}

std::string HistorySql::keep_vectors(std::string_view changed) const {
  return str_cat("  INSERT INTO ", history_, "(rid, loci_op, ", kStamp, vector_names(),
                 ") SELECT OLD.rid, 4, e.scn, e.token, e.hlc, ", kNowUsSql, vector_values("OLD"),
                 kNewestEntry, " AND (", changed, ");\n", prune("OLD.rid", 1));
}

std::string HistorySql::keep_changed_vectors() const {
  if (!on()) return {};
  std::string changed;
  for (const VectorColumn& column : source_.spec.vectors) {
    const std::string name = quote_identifier(column.name);
    append_or(changed, str_cat("(", counted(column, "OLD"), " IS NOT NULL AND (OLD.rid <> NEW.rid ",
                               "OR OLD.", name, " IS NOT NEW.", name, "))"));
  }
  return keep_vectors(changed);
}

std::string HistorySql::keep_deleted_vectors() const {
  if (!on()) return {};
  return str_cat("  DELETE FROM ", history_, " WHERE ", kStagedVectorRows, " AND rid = OLD.rid;\n",
                 keep_vectors(any_counted("OLD")));
}

}  // namespace loci::store

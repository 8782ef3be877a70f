// SPDX-License-Identifier: Apache-2.0
//
// The triggers that keep the log, the full-text index and the vector table true, whoever writes.
//
// Idea. Every program that can write the table fires them: pure SQL, no function of ours. For each
// changed row they append (source, rid) to loci_log in the writer's own transaction. An entry says
// only that the row may have changed; so logging too much is harmless and logging too little is
// not.
//
// REPLACE is the difficulty: it removes rows without delete triggers (unless recursive_triggers is
// on), and a BEFORE trigger cannot know whether the write will happen: OR IGNORE and UPSERT fire it
// too. So BEFORE copies each row that might go into loci_displaced (emptied first), and AFTER,
// which runs only if the write happened, looks which of them are gone.
//
// Invariants.
//  1. BEFORE INSERT and BEFORE UPDATE log and copy every row that a unique index could displace,
//     the row under update excepted.
//  2. FTS5 gets its 'delete' for a row exactly once and with the text it was indexed under: from
//     AFTER DELETE, from AFTER UPDATE, or from loci_displaced. AFTER DELETE takes its row out of
//     loci_displaced, so that recursive_triggers=ON does not delete twice.
//  3. Vector rows follow their row: triggers, never foreign keys, as the shell has those off.
//  4. Nothing here rests on a conflict clause inside a trigger: the writer's own clause overrides
//     it (https://sqlite.org/lang_createtrigger.html). FTS5 even reads it: see fts_insert().
//  5. No trigger on another table names the source's table: ALTER TABLE RENAME, the last of the
//     twelve steps, refuses to run while such a trigger refers to a dropped table.
//  6. What history needs is in these triggers too, and changes nothing of them where none is kept:
//     see history_sql.cc.
//  7. A text change marks the vectors of columns with a model as pending; writing a vector clears
//     the mark. A row without a vector row needs no mark.
//
// A trigger of the user's own that writes the same table again from within a write empties
// loci_displaced in between; the log stays complete, the full-text index may need a rebuild.
//
// Cost. 50,000 rows of 384 dimensions with id and two filter columns, CPU time on SQLite 3.40: 17
// us a row, 7.5 us without any trigger; one log entry for the row and one for its vector.
//
// Tested by conflicts_test.cc, triggers_model_test.cc, user_table_test.cc and source_test.cc.
#include "store/triggers.h"

#include <algorithm>

#include "base/strings.h"
#include "store/history_sql.h"
#include "store/unique_keys.h"

namespace loci::store {
namespace {

using base::str_append;
using base::str_cat;
using sqlite::quote_identifier;
using sqlite::quote_text;

/// Milliseconds of SQLite's clock in the upper 48 bits, or one more than the newest entry's time.
/// julianday: unixepoch('subsec') is newer than the oldest SQLite we run on.
constexpr std::string_view kHlc =
    "max(ifnull((SELECT hlc FROM loci_log ORDER BY scn DESC LIMIT 1), 0) + 1, "
    "CAST((julianday('now') - 2440587.5) * 86400000.0 + 0.5 AS INTEGER) << 16)";
constexpr std::string_view kOrigin =
    "ifnull((SELECT value FROM loci_meta WHERE key = 'node_id'), 0)";

/// Appends `term` to a boolean expression.
void append_or(std::string& out, const std::string& term) {
  if (!out.empty()) out += " OR ";
  out += term;
}

class Builder {
 public:
  Builder(const Source& source, const Conflicts& conflicts)
      : source_(source),
        conflicts_(conflicts),
        table_(quote_identifier(source.table)),
        fts_(quote_identifier(source.fts_table)),
        vectors_(quote_identifier(source.vector_table)),
        history_(source),
        keyed_(!source.key_columns.empty()) {}

  std::vector<Trigger> build() {
    before("insert");
    before("update");
    after_insert();
    after_update();
    after_delete();
    if (has_vectors()) vector_triggers();
    return std::move(triggers_);
  }

 private:
  [[nodiscard]] bool has_vectors() const {
    return source_.managed && !source_.vector_table.empty();
  }
  [[nodiscard]] bool has_text() const { return !source_.fts_table.empty(); }
  /// Full-text over the table's own columns; with loci_keys the index keeps a copy of the text,
  /// as a view over the table would stand in the way of ALTER TABLE RENAME (invariant 5).
  [[nodiscard]] bool external_content() const { return has_text() && !keyed_; }

  void add(std::string_view event, std::string_view head, std::string_view when,
           const std::string& body) {
    const std::string name = str_cat(trigger_prefix(source_), event);
    std::string sql = str_cat("CREATE TRIGGER ", quote_identifier(name), " ", head);
    if (!when.empty()) str_append(sql, " WHEN ", when);
    str_append(sql, " BEGIN\n", body, "END");
    triggers_.push_back({.name = name, .sql = std::move(sql)});
  }

  // The integer key of a row: a column, or a lookup in loci_keys.

  [[nodiscard]] std::string keys_where(std::string_view row) const {
    return str_cat("loci_keys.source = ", source_.id, " AND ",
                   keys_match(source_, "loci_keys", row));
  }
  [[nodiscard]] std::string key(std::string_view row) const {
    if (keyed_) return "loci_keys.rid";
    return str_cat(row, ".", quote_identifier(source_.key_column));
  }
  /// " FROM ..." that key(row) needs, with a condition; empty when it needs none.
  [[nodiscard]] std::string key_from(std::string_view row) const {
    return keyed_ ? str_cat(" FROM loci_keys WHERE ", keys_where(row)) : "";
  }
  [[nodiscard]] std::string key_subquery(std::string_view row) const {
    return keyed_ ? str_cat("(SELECT loci_keys.rid", key_from(row), ")") : key(row);
  }
  [[nodiscard]] std::string key_changed() const {
    if (!keyed_) return str_cat(key("OLD"), " IS NOT ", key("NEW"));
    std::string out;
    for (const std::string& column : source_.key_columns) {
      const std::string name = quote_identifier(column);
      append_or(out, str_cat("OLD.", name, " IS NOT NEW.", name));
    }
    return out;
  }
  [[nodiscard]] std::string text_changed() const {
    std::string out;
    for (const std::string& column : source_.spec.text) {
      const std::string name = quote_identifier(column);
      append_or(out, str_cat("OLD.", name, " IS NOT NEW.", name));
    }
    return out.empty() ? "0" : out;
  }
  [[nodiscard]] std::string text_id(std::string_view row) const {
    if (keyed_) return "loci_keys.id";
    return source_.managed && source_.spec.text_ids ? str_cat(row, ".\"id\"") : "NULL";
  }
  [[nodiscard]] std::string row_exists(std::string_view rid) const {
    if (!keyed_) {
      return str_cat("EXISTS(SELECT 1 FROM ", table_, " WHERE ",
                     quote_identifier(source_.key_column), " = ", rid, ")");
    }
    return str_cat("EXISTS(SELECT 1 FROM loci_keys, ", table_, " AS t WHERE loci_keys.rid = ", rid,
                   " AND ", keys_match(source_, "loci_keys", "t"), ")");
  }

  [[nodiscard]] std::string log(LogOp op, std::string_view row) const {
    return str_cat("  ",
                   log_entry_sql(source_.id, op, key(row),
                                 op == LogOp::kDelete ? text_id(row) : "NULL", key_from(row)),
                   ";\n");
  }

  // loci_displaced.

  [[nodiscard]] std::string displaced_where() const { return str_cat("source = ", source_.id); }
  /// Conditions under which a row of the table may be displaced by NEW.
  [[nodiscard]] std::vector<std::string> displacing() const {
    std::vector<std::string> out = conflicts_.rows;
    // The row that NEW's own rowid displaces is logged as NEW anyway; its old self is needed.
    if (stages_same()) {
      out.push_back(str_cat(table_, ".", quote_identifier(source_.key_column), " = ", key("NEW")));
    }
    return out;
  }
  /// Whether a row that bears NEW's rowid already is copied too.
  [[nodiscard]] bool stages_same() const { return external_content() || history_.on(); }
  [[nodiscard]] std::string gone(std::string_view rid) const {
    return str_cat("NOT ", row_exists(rid));
  }
  [[nodiscard]] std::string not_old() const {
    if (!keyed_) {
      return str_cat(" AND ", table_, ".", quote_identifier(source_.key_column), " <> ",
                     key("OLD"));
    }
    std::string same;
    for (const std::string& column : source_.key_columns) {
      const std::string name = quote_identifier(column);
      str_append(same, same.empty() ? "" : " AND ", table_, ".", name, " IS OLD.", name);
    }
    return str_cat(" AND NOT (", same, ")");
  }

  void before(std::string_view event) {
    const std::vector<std::string> conditions = displacing();
    if (conditions.empty()) return;
    const bool update = event == "update";
    std::string when;
    std::string body = str_cat("  DELETE FROM loci_displaced WHERE ", displaced_where(), ";\n");
    const std::string from =
        str_cat(" FROM ", table_, keyed_ ? str_cat(" JOIN loci_keys ON ", keys_where(table_)) : "");
    for (const std::string& condition : conditions) {
      const std::string where = str_cat(condition, update ? not_old() : "");
      append_or(when, str_cat("EXISTS(SELECT 1 FROM ", table_, " WHERE ", where, ")"));
      str_append(body, "  INSERT INTO loci_displaced(source, rid", displaced_columns(""),
                 ") SELECT ", source_.id, ", ", key(table_), displaced_text(), from, " WHERE ",
                 where, " AND NOT EXISTS(SELECT 1 FROM loci_displaced AS d WHERE d.",
                 displaced_where(), " AND d.rid = ", key(table_), ");\n");
    }
    append_or(when, str_cat("EXISTS(SELECT 1 FROM loci_displaced WHERE ", displaced_where(), ")"));
    str_append(body, "  ",
               log_entry_sql(source_.id, LogOp::kDelete, "d.rid", displaced_id(),
                             str_cat(" FROM loci_displaced AS d WHERE d.", displaced_where())),
               ";\n", history_.stage_rows());
    add(update ? "bu" : "bi", str_cat("BEFORE ", update ? "UPDATE" : "INSERT", " ON ", table_),
        when, body);
  }
  /// The text id of the displaced row d, while it is still there.
  [[nodiscard]] std::string displaced_id() const {
    if (keyed_) return "(SELECT id FROM loci_keys WHERE rid = d.rid)";
    if (!source_.managed || !source_.spec.text_ids) return "NULL";
    return str_cat("(SELECT \"id\" FROM ", table_, " WHERE ", quote_identifier(source_.key_column),
                   " = d.rid)");
  }
  [[nodiscard]] std::string displaced_columns(std::string_view alias) const {
    std::string out;
    if (!external_content()) return out;
    for (size_t i = 0; i < source_.spec.text.size(); ++i) str_append(out, ", ", alias, "c", i);
    return out;
  }
  [[nodiscard]] std::string displaced_text() const {
    std::string out;
    if (!external_content()) return out;
    for (const std::string& column : source_.spec.text) {
      str_append(out, ", ", table_, ".", quote_identifier(column));
    }
    return out;
  }

  // FTS5.

  [[nodiscard]] std::string fts_columns() const {
    std::string out;
    for (const std::string& column : source_.spec.text) {
      str_append(out, ", ", quote_identifier(column));
    }
    return out;
  }
  [[nodiscard]] std::string fts_values(std::string_view row) const {
    std::string out;
    for (const std::string& column : source_.spec.text) {
      str_append(out, ", ", row, ".", quote_identifier(column));
    }
    return out;
  }
  /// Removes OLD from the full-text index when `condition` (empty: always) holds.
  [[nodiscard]] std::string fts_delete_old(std::string_view condition) const {
    if (keyed_) {
      return str_cat("  DELETE FROM ", fts_, " WHERE rowid = ", key_subquery("OLD"),
                     condition.empty() ? "" : str_cat(" AND (", condition, ")"), ";\n");
    }
    return str_cat("  INSERT INTO ", fts_, "(", fts_, ", rowid", fts_columns(),
                   ") SELECT 'delete', ", key("OLD"), fts_values("OLD"),
                   condition.empty() ? "" : str_cat(" WHERE ", condition), ";\n");
  }
  [[nodiscard]] std::string fts_insert(std::string_view condition) const {
    if (keyed_) {
      const std::string extra = condition.empty() ? "" : str_cat(" AND (", condition, ")");
      return str_cat("  DELETE FROM ", fts_, " WHERE rowid = ", key_subquery("NEW"), extra,
                     ";\n  INSERT INTO ", fts_, "(rowid", fts_columns(), ") SELECT ", key("NEW"),
                     fts_values("NEW"), key_from("NEW"), extra, ";\n");
    }
    const std::string head = str_cat("  INSERT INTO ", fts_, "(rowid", fts_columns(), ") ");
    if (condition.empty()) {
      return str_cat(head, "VALUES(", key("NEW"), fts_values("NEW"), ");\n");
    }
    return str_cat(head, "SELECT ", key("NEW"), fts_values("NEW"), " WHERE ", condition, ";\n");
  }
  /// Whether a row other than NEW's own rowid (whose old text after_insert() deals with) was
  /// copied.
  [[nodiscard]] std::string any_displaced() const {
    return str_cat("EXISTS(SELECT 1 FROM loci_displaced WHERE ", others_where(), ")");
  }
  [[nodiscard]] std::string others_where() const {
    return str_cat(displaced_where(), stages_same() ? str_cat(" AND rid <> ", key("NEW")) : "");
  }
  /// Takes displaced rows that are gone, NEW's own rowid apart, out of everything that follows.
  [[nodiscard]] std::string settle_others() const {
    if (displacing().empty()) return {};
    const std::string gone_rows = str_cat("(SELECT d.rid FROM loci_displaced AS d WHERE d.",
                                          others_where(), " AND ", gone("d.rid"), ")");
    std::string out = history_.settle_others();
    if (external_content()) {
      str_append(out, "  INSERT INTO ", fts_, "(", fts_, ", rowid", fts_columns(),
                 ") SELECT 'delete', d.rid", displaced_columns("d."),
                 " FROM loci_displaced AS d WHERE d.", others_where(), " AND ", gone("d.rid"),
                 ";\n");
    } else if (has_text()) {
      str_append(out, "  DELETE FROM ", fts_, " WHERE rowid IN ", gone_rows, ";\n");
    }
    if (has_vectors()) {
      str_append(out, "  DELETE FROM ", vectors_, " WHERE rid IN ", gone_rows, ";\n");
    }
    if (keyed_) str_append(out, "  DELETE FROM loci_keys WHERE rid IN ", gone_rows, ";\n");
    out += history_.drop_vectors_of_all_gone(gone_rows);
    str_append(out, "  DELETE FROM loci_displaced WHERE ", others_where(), ";\n");
    return out;
  }
  /// Takes the old text of a displaced row that bore NEW's rowid out of the full-text index.
  [[nodiscard]] std::string settle_same() const {
    if (!stages_same()) return {};
    std::string out = history_.settle_same();
    if (external_content()) {
      str_append(out, "  INSERT INTO ", fts_, "(", fts_, ", rowid", fts_columns(),
                 ") SELECT 'delete', d.rid", displaced_columns("d."),
                 " FROM loci_displaced AS d WHERE d.", displaced_where(),
                 " AND d.rid = ", key("NEW"), ";\n");
    }
    str_append(out, "  DELETE FROM loci_displaced WHERE ", displaced_where(),
               " AND rid = ", key("NEW"), ";\n");
    return out;
  }

  /// Gives NEW an integer if it has none. Rows with NULL in their key get none and are left out.
  [[nodiscard]] std::string ensure_key() const {
    if (!keyed_) return {};
    std::string not_null;
    std::string values;
    for (const std::string& column : source_.key_columns) {
      const std::string name = str_cat("NEW.", quote_identifier(column));
      str_append(not_null, name, " IS NOT NULL AND ");
      str_append(values, ", ", name);
    }
    if (source_.key_columns.size() == 1) values = str_cat(", ''", values);
    return str_cat("  INSERT INTO loci_keys(source, dataset_id, id) SELECT ", source_.id, values,
                   " WHERE ", not_null, "NOT EXISTS(SELECT 1 FROM loci_keys WHERE ",
                   keys_where("NEW"), ");\n");
  }

  // The events.

  void after_insert() {
    std::string body = ensure_key();
    body += settle_same();
    if (has_vectors()) {
      str_append(body, "  DELETE FROM ", vectors_, " WHERE rid = ", key("NEW"), ";\n");
    }
    body += history_.drop_vectors_of_gone(key("NEW"));
    body += history_.prune(key("NEW"));
    if (has_text()) body += fts_insert("");
    body += log(LogOp::kInsert, "NEW");
    const std::string head = str_cat("AFTER INSERT ON ", table_);
    add("ai", head, "", body);
    // Apart, as its IN would make SQLite open a temporary B-tree for every row written (callgrind:
    // 27,000 of 146,000 instructions a row). Each of the two is right whichever fires first.
    if (!displacing().empty()) add("ai_displaced", head, any_displaced(), settle_others());
  }

  void after_update() {
    std::string body = ensure_key();
    body += log(LogOp::kUpdate, "NEW");
    const std::string head = str_cat("AFTER UPDATE ON ", table_);
    if (history_.on()) {
      // The old vectors are read before they are marked or moved: one trigger, one order.
      body += history_.keep_old(str_cat("CASE WHEN ", key_changed(), " THEN 3 ELSE 2 END"),
                                history_.row_changed());
      add("au", head, "", body + update_content() + settle_history());
      return;
    }
    add("au", head, "", body);
    std::string when = key_changed();
    if (has_text()) append_or(when, text_changed());
    if (!displacing().empty()) {
      append_or(when,
                str_cat("EXISTS(SELECT 1 FROM loci_displaced WHERE ", displaced_where(), ")"));
    }
    add("au_content", head, when, ensure_key() + update_content());
  }
  /// What follows from a changed key, from changed text and from displaced rows.
  [[nodiscard]] std::string update_content() const {
    std::string body = settle_same();
    body += settle_others();
    if (has_text()) {
      const std::string changed = str_cat(key_changed(), " OR ", text_changed());
      body += fts_delete_old(changed);
      body += fts_insert(changed);
    }
    if (has_vectors()) body += move_vectors();
    str_append(body, "  ",
               log_entry_sql(source_.id, LogOp::kDelete, key("OLD"), text_id("OLD"),
                             keyed_ ? str_cat(key_from("OLD"), " AND (", key_changed(), ")")
                                    : str_cat(" WHERE ", key_changed())),
               ";\n");
    if (keyed_) {
      str_append(body, "  DELETE FROM loci_keys WHERE ", keys_where("OLD"), " AND (", key_changed(),
                 ");\n");
    }
    return body;
  }
  /// A row that went on under another rowid took its vectors along.
  [[nodiscard]] std::string settle_history() const {
    std::string out;
    for (const std::string_view row : {"OLD", "NEW"}) {
      out += history_.drop_vectors_of_gone(
          str_cat("(CASE WHEN ", key_changed(), " THEN ", key(row), " END)"));
      out += history_.prune(key(row));
    }
    return out;
  }
  /// The vector row goes with its row; a text change makes the vectors of a model stale.
  [[nodiscard]] std::string move_vectors() const {
    std::string out = str_cat("  DELETE FROM ", vectors_, " WHERE rid = ", key("NEW"), " AND ",
                              key_changed(), ";\n  UPDATE ", vectors_, " SET rid = ", key("NEW"),
                              " WHERE rid = ", key("OLD"), " AND ", key_changed(), ";\n");
    std::string marks;
    for (const VectorColumn& column : source_.spec.vectors) {
      if (column.model.empty()) continue;
      str_append(marks, marks.empty() ? "" : ", ",
                 quote_identifier(str_cat(column.name, "_pending")), " = 1");
    }
    if (!marks.empty() && has_text()) {
      str_append(out, "  UPDATE ", vectors_, " SET ", marks, " WHERE rid = ", key("NEW"), " AND (",
                 text_changed(), ");\n");
    }
    return out;
  }

  void after_delete() {
    std::string body = log(LogOp::kDelete, "OLD");
    body += history_.keep_old("3", "");
    body += history_.forget_staged_old();
    if (has_text()) body += fts_delete_old("");
    if (has_vectors()) {
      str_append(body, "  DELETE FROM ", vectors_, " WHERE rid = ", key("OLD"), ";\n");
    }
    body += history_.drop_vectors_of_gone(key("OLD"));
    body += history_.prune(key("OLD"));
    if (!displacing().empty()) {
      str_append(body, "  DELETE FROM loci_displaced WHERE ", displaced_where(),
                 " AND rid = ", key_subquery("OLD"), ";\n");
    }
    if (keyed_) str_append(body, "  DELETE FROM loci_keys WHERE ", keys_where("OLD"), ";\n");
    add("ad", str_cat("AFTER DELETE ON ", table_), "", body);
  }

  /// Conditions under which NEW may displace a row of vectors, its own rowid's too.
  [[nodiscard]] std::vector<std::string> vectors_displaced(bool update) const {
    std::vector<std::string> out = conflicts_.vectors;
    out.push_back(str_cat(vectors_, ".rid = NEW.rid"));
    if (update) {
      for (std::string& condition : out) {
        condition = str_cat("(", condition, ") AND ", vectors_, ".rid <> OLD.rid");
      }
    }
    return out;
  }

  void vector_triggers() {
    const auto log_vector = [&](std::string_view rid, std::string_view from) {
      return str_cat("  ", log_entry_sql(source_.id, LogOp::kUpdate, rid, "NULL", from), ";\n");
    };
    // Its own rowid apart, only a UNIQUE index that a user added can displace a vector row.
    for (const bool update : {false, true}) {
      std::string body;
      for (const std::string& condition : conflicts_.vectors) {
        body += log_vector(str_cat(vectors_, ".rid"),
                           str_cat(" FROM ", vectors_, " WHERE ", condition));
      }
      std::string when;
      if (history_.on()) {
        const std::vector<std::string> staged = vectors_displaced(update);
        body += history_.stage_vectors(staged);
        when = history_.stages_vectors(staged);
      }
      if (body.empty()) break;
      add(update ? "vectors_bu" : "vectors_bi",
          str_cat("BEFORE ", update ? "UPDATE" : "INSERT", " ON ", vectors_), when, body);
    }
    add("vectors_ai", str_cat("AFTER INSERT ON ", vectors_), "",
        log_vector("NEW.rid", "") + history_.settle_vectors());
    add("vectors_au", str_cat("AFTER UPDATE ON ", vectors_), "",
        log_vector("NEW.rid", "") + history_.keep_changed_vectors() + history_.settle_vectors());
    add("vectors_au_moved", str_cat("AFTER UPDATE OF rid ON ", vectors_), "OLD.rid <> NEW.rid",
        log_vector("OLD.rid", ""));
    add("vectors_ad", str_cat("AFTER DELETE ON ", vectors_), "",
        log_vector("OLD.rid", "") + history_.keep_deleted_vectors());
    for (const VectorColumn& column : source_.spec.vectors) {
      if (column.model.empty()) continue;
      const std::string mark = quote_identifier(str_cat(column.name, "_pending"));
      add(str_cat("fresh_", column.name),
          str_cat("AFTER UPDATE OF ", quote_identifier(column.name), " ON ", vectors_),
          str_cat("NEW.", mark, " <> 0"),
          str_cat("  UPDATE ", vectors_, " SET ", mark, " = 0 WHERE rid = NEW.rid;\n"));
    }
  }

  const Source& source_;
  const Conflicts& conflicts_;
  const std::string table_;
  const std::string fts_;
  const std::string vectors_;
  const HistorySql history_;
  const bool keyed_;
  std::vector<Trigger> triggers_;
};

}  // namespace

std::string trigger_prefix(const Source& source) { return str_cat("loci_", source.spec.name, "_"); }

std::string log_entry_sql(int64_t source, LogOp op, std::string_view rid, std::string_view id,
                          std::string_view from) {
  const std::string values = str_cat(source, ", ", rid, ", ", static_cast<int64_t>(op), ", ", kHlc,
                                     ", ", kOrigin, ", ", id);
  const std::string head = "INSERT INTO loci_log(source, rid, op, hlc, origin, id) ";
  if (from.empty()) return str_cat(head, "VALUES(", values, ")");
  return str_cat(head, "SELECT ", values, from);
}

std::string log_stamp_sql() { return str_cat("SELECT ", kHlc, ", ", kOrigin); }

std::string keys_match(const Source& source, std::string_view keys_alias, std::string_view alias) {
  const std::vector<std::string>& columns = source.key_columns;
  const std::string id =
      str_cat(keys_alias, ".id = ", alias, ".", quote_identifier(columns.back()));
  if (columns.size() == 1) return str_cat(keys_alias, ".dataset_id = '' AND ", id);
  return str_cat(keys_alias, ".dataset_id = ", alias, ".", quote_identifier(columns.front()),
                 " AND ", id);
}

std::vector<Trigger> build_triggers(const Source& source, const Conflicts& conflicts) {
  return Builder(source, conflicts).build();
}

}  // namespace loci::store

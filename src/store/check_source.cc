// SPDX-License-Identifier: Apache-2.0
//
// What check() looks at in one source. Tested by check_test.cc.
#include <optional>
#include <string>
#include <utility>

#include "base/strings.h"
#include "sqlite/query.h"
#include "store/check.h"
#include "store/history.h"
#include "store/rows_sql.h"
#include "store/triggers.h"

namespace loci::store {
namespace {

using base::str_append;
using base::str_cat;
using sqlite::quote_identifier;

class SourceCheck {
 public:
  SourceCheck(sqlite::Connection& connection, const Source& source, std::optional<bool> text_sound,
              bool repair, std::vector<CheckFinding>& findings)
      : connection_(connection),
        source_(source),
        text_sound_(text_sound),
        repair_(repair),
        findings_(findings),
        table_(quote_identifier(source.table)),
        vectors_(quote_identifier(source.vector_table)) {}

  Status run() {
    LOCI_ASSIGN_OR_RETURN(const bool complete, triggers());
    if (!complete) return {};  // a table is gone: nothing else can be asked
    LOCI_RETURN_IF_ERROR(displaced());
    LOCI_RETURN_IF_ERROR(keys());
    if (source_.managed && !source_.vector_table.empty()) LOCI_RETURN_IF_ERROR(orphans());
    for (const VectorColumn& column : source_.spec.vectors) {
      LOCI_RETURN_IF_ERROR(blob_lengths(column));
    }
    LOCI_RETURN_IF_ERROR(history());
    return full_text();
  }

 private:
  void add(std::string_view kind, std::string message, bool repaired) {
    findings_.push_back({.object = source_.spec.name,
                         .kind = std::string(kind),
                         .message = std::move(message),
                         .repaired = repaired});
  }

  Result<int64_t> count(const std::string& sql) {
    LOCI_ASSIGN_OR_RETURN(const std::optional<int64_t> rows, sqlite::query_int(connection_, sql));
    return rows.value_or(0);
  }

  /// False when the source's tables are gone.
  Result<bool> triggers() {
    LOCI_ASSIGN_OR_RETURN(const bool intact, triggers_intact(connection_, source_));
    if (intact) return true;
    if (repair_) {
      const Status mended = recreate_triggers(connection_, source_);
      if (!mended.ok() && mended.code() != StatusCode::kFailedPrecondition) return mended;
      if (mended.ok()) {
        add("trigger",
            str_cat("triggers of table '", source_.table, "' were missing or altered; rows may ",
                    "have changed unlogged, so everything is read anew"),
            true);
        // What was written meanwhile is not in the full-text index either.
        LOCI_RETURN_IF_ERROR(rebuild_fts(connection_, source_));
        return true;
      }
      add("trigger", std::string(mended.message()), false);
      return false;
    }
    const Result<std::vector<Trigger>> expected = expected_triggers(connection_, source_);
    if (!expected.has_value() && expected.error().code() == StatusCode::kFailedPrecondition) {
      add("trigger", std::string(expected.error().message()), false);
      return false;
    }
    add("trigger",
        str_cat("triggers of table '", source_.table, "' are missing or altered: changes are not ",
                "logged and searches read the whole table; run check with repair, or reindex"),
        false);
    return true;
  }

  Status displaced() {
    LOCI_ASSIGN_OR_RETURN(
        const int64_t rows,
        count(str_cat("SELECT count(*) FROM loci_displaced WHERE source = ", source_.id)));
    // A write that was ignored leaves its copies until the next write: normal, but not for ever.
    if (rows == 0 || !repair_) return {};
    return connection_.exec(str_cat("DELETE FROM loci_displaced WHERE source = ", source_.id));
  }

  Status keys() {
    if (source_.key_columns.empty()) return {};
    const std::string orphan =
        str_cat(" FROM loci_keys WHERE source = ", source_.id, " AND NOT EXISTS(SELECT 1 FROM ",
                table_, " AS t WHERE ", keys_match(source_, "loci_keys", "t"), ")");
    std::string not_null;
    for (const std::string& column : source_.key_columns) {
      str_append(not_null, " AND t.", quote_identifier(column), " IS NOT NULL");
    }
    LOCI_ASSIGN_OR_RETURN(const int64_t orphans, count(str_cat("SELECT count(*)", orphan)));
    LOCI_ASSIGN_OR_RETURN(
        const int64_t missing,
        count(str_cat("SELECT count(*) FROM ", table_,
                      " AS t WHERE NOT EXISTS(SELECT 1 FROM loci_keys AS k WHERE k.source = ",
                      source_.id, " AND ", keys_match(source_, "k", "t"), ")", not_null)));
    if (orphans == 0 && missing == 0) return {};
    if (repair_) LOCI_RETURN_IF_ERROR(recreate_triggers(connection_, source_));
    add("keys",
        str_cat("loci_keys: ", orphans, " key(s) without a row, ", missing,
                " row(s) without a key, expected none: the table was written with triggers off",
                repair_ ? "" : "; run check with repair"),
        repair_);
    return {};
  }

  Status orphans() {
    const std::string orphan =
        str_cat(" FROM ", vectors_, " WHERE NOT EXISTS(SELECT 1 FROM ", table_, " AS t WHERE t.",
                quote_identifier(source_.key_column), " = ", vectors_, ".rid)");
    LOCI_ASSIGN_OR_RETURN(const int64_t rows, count(str_cat("SELECT count(*)", orphan)));
    if (rows == 0) return {};
    if (repair_) LOCI_RETURN_IF_ERROR(connection_.exec(str_cat("DELETE", orphan)));
    add("orphan_vector",
        str_cat(rows, " row(s) of '", source_.vector_table, "' have no row in '", source_.table,
                "', expected none", repair_ ? "" : "; run check with repair to delete them"),
        repair_);
    return {};
  }

  Status blob_lengths(const VectorColumn& column) {
    const std::string name = quote_identifier(column.name);
    const size_t bytes = vector_bytes(column);
    LOCI_ASSIGN_OR_RETURN(
        const int64_t rows,
        count(str_cat("SELECT count(*) FROM ", vectors_, " WHERE ", name, " IS NOT NULL AND NOT (",
                      "typeof(", name, ") = 'blob' AND length(", name, ") = ", bytes, ")")));
    if (rows == 0) return {};
    // What a user stored is never deleted: only the owner knows what it should be.
    add("vector",
        str_cat("column '", column.name, "' of '", source_.vector_table, "': ", rows,
                " value(s) are no BLOB of ", bytes, " bytes (", vector_shape(column),
                ") and are left out of searches; write them again or set them to NULL"),
        false);
    return {};
  }

  Status history() {
    LOCI_ASSIGN_OR_RETURN(const bool whole, history_table_whole(connection_, source_));
    if (!whole) return {};  // said by triggers() already
    if (repair_) {
      LOCI_RETURN_IF_ERROR(forget_staged_versions(connection_, source_));
      LOCI_RETURN_IF_ERROR(prune_history(connection_, source_));
    }
    LOCI_ASSIGN_OR_RETURN(const std::vector<std::string> wrong,
                          check_history(connection_, source_));
    for (const std::string& message : wrong) add("history", message, false);
    return {};
  }

  Status full_text() {
    if (source_.fts_table.empty()) return {};
    LOCI_ASSIGN_OR_RETURN(const bool sound, text_sound());
    if (sound) return {};
    if (repair_) LOCI_RETURN_IF_ERROR(rebuild_fts(connection_, source_));
    add("fts",
        str_cat("full-text index '", source_.fts_table, "' does not match the text of '",
                source_.table, "'", repair_ ? "" : "; run check with repair, or reindex"),
        repair_);
    return {};
  }

  Result<bool> text_sound() {
    if (!text_sound_.has_value() && !connection_.read_only()) {
      LOCI_ASSIGN_OR_RETURN(text_sound_, fts5_sound(connection_, source_));
    }
    if (text_sound_ == false) return false;
    if (source_.key_columns.empty()) return true;
    const std::string fts = quote_identifier(source_.fts_table);
    std::string differs;
    for (const std::string& column : source_.spec.text) {
      const std::string name = quote_identifier(column);
      str_append(differs, " OR f.", name, " IS NOT t.", name);
    }
    LOCI_ASSIGN_OR_RETURN(
        const int64_t wrong,
        count(str_cat("SELECT (SELECT count(*) FROM loci_keys AS k JOIN ", table_, " AS t ON ",
                      keys_match(source_, "k", "t"), " LEFT JOIN ", fts,
                      " AS f ON f.rowid = k.rid WHERE k.source = ", source_.id,
                      " AND (f.rowid IS NULL", differs, ")) + (SELECT count(*) FROM ", fts,
                      " AS f WHERE NOT EXISTS(SELECT 1 FROM loci_keys WHERE rid = f.rowid))")));
    return wrong == 0;
  }

  sqlite::Connection& connection_;
  const Source& source_;
  std::optional<bool> text_sound_;
  const bool repair_;
  std::vector<CheckFinding>& findings_;
  const std::string table_;
  const std::string vectors_;
};

}  // namespace

Result<bool> fts5_sound(sqlite::Connection& connection, const Source& source) {
  const std::string fts = quote_identifier(source.fts_table);
  // Rank 1 makes FTS5 compare its index with the table's text.
  const Status status = connection.exec(
      str_cat("INSERT INTO ", fts, "(", fts, ", rank) VALUES('integrity-check', 1)"));
  if (status.code() == StatusCode::kCorruption) return false;
  LOCI_RETURN_IF_ERROR(status);
  return true;
}

Status check_source(sqlite::Connection& connection, const Source& source,
                    std::optional<bool> text_sound, bool repair,
                    std::vector<CheckFinding>& findings) {
  return SourceCheck(connection, source, text_sound, repair, findings).run();
}

}  // namespace loci::store

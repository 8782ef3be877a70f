// SPDX-License-Identifier: Apache-2.0
//
// Sources: made, read, changed, dropped, and compared with what the schema holds.
//
// Invariants.
//  1. Everything about a source changes in one transaction, or not at all.
//  2. A file holds nothing of Loci's until its first source is made.
//  3. The id of a dropped source is never given again: what stood for it in memory cannot be taken
//     for another's.
//  4. triggers_intact() compares text with text: what the schema holds, with what the builder gives
//     for the schema as it is now. A program with another builder sees its triggers as altered and
//     writes its own.
//
// Tested by source_test.cc, schema_change_test.cc.
#include "store/source.h"

#include <optional>
#include <utility>

#include "base/hash.h"
#include "base/strings.h"
#include "sqlite/query.h"
#include "store/history.h"
#include "store/history_sql.h"
#include "store/log.h"
#include "store/maintenance.h"
#include "store/snapshot_parts.h"
#include "store/spec.h"
#include "store/tables.h"
#include "store/triggers.h"
#include "store/unique_keys.h"

namespace loci::store {
namespace {

using base::str_append;
using base::str_cat;
using sqlite::quote_identifier;
using sqlite::Transaction;

constexpr std::string_view kSelectSources =
    "SELECT id, name, kind = 'collection', table_name, spec, triggers FROM loci_indexes";

Status read_source(sqlite::Connection& connection, sqlite::Statement& row, Source& source) {
  source.id = row.column_int(0);
  source.spec.name = row.column_text(1);
  source.managed = row.column_int(2) != 0;
  source.table = row.column_text(3);
  source.trigger_digest = row.column_text(5);
  const std::string json(row.column_text(4));
  return spec_from_json(connection, json, source);
}

std::string digest(const std::vector<Trigger>& triggers) {
  std::string all;
  for (const Trigger& trigger : triggers) str_append(all, trigger.sql, "\n");
  const base::Hash128 hash = base::hash128(all);
  std::string out;
  for (const uint64_t half : {hash.high, hash.low}) {
    for (int shift = 56; shift >= 0; shift -= 8) {
      const auto byte = static_cast<uint8_t>(half >> static_cast<unsigned>(shift));
      out += base::to_hex(std::span(&byte, 1));
    }
  }
  return out;
}

Status drop_triggers(sqlite::Connection& connection, const Source& source) {
  std::vector<std::string> names;
  {
    LOCI_ASSIGN_OR_RETURN(sqlite::Statement select,
                          connection.cached("SELECT name FROM sqlite_schema WHERE type = 'trigger' "
                                            "AND substr(name, 1, length(?1)) = ?1 "
                                            "AND tbl_name COLLATE NOCASE IN (?2, ?3)"));
    const std::string prefix = trigger_prefix(source);
    LOCI_RETURN_IF_ERROR(sqlite::bind_all(select, prefix, source.table, source.vector_table));
    LOCI_RETURN_IF_ERROR(sqlite::for_each_row(select, [&](sqlite::Statement& row) -> Status {
      names.emplace_back(row.column_text(0));
      return {};
    }));
  }
  for (const std::string& name : names) {
    LOCI_RETURN_IF_ERROR(connection.exec(str_cat("DROP TRIGGER ", quote_identifier(name))));
  }
  return {};
}

Status log_reset(sqlite::Connection& connection, const Source& source) {
  return connection.exec(log_entry_sql(source.id, LogOp::kReset, "0", "NULL", ""));
}

/// Gives every row of a table with key columns its integer, and takes it from rows that are gone.
Status refresh_keys(sqlite::Connection& connection, const Source& source) {
  if (source.key_columns.empty()) return {};
  const std::string table = quote_identifier(source.table);
  LOCI_RETURN_IF_ERROR(connection.exec(
      str_cat("DELETE FROM loci_keys WHERE source = ", source.id, " AND NOT EXISTS(SELECT 1 FROM ",
              table, " AS t WHERE ", keys_match(source, "loci_keys", "t"), ")")));
  std::string values = source.key_columns.size() == 1 ? ", ''" : "";
  std::string not_null;
  for (const std::string& column : source.key_columns) {
    str_append(values, ", t.", quote_identifier(column));
    str_append(not_null, " AND t.", quote_identifier(column), " IS NOT NULL");
  }
  return connection.exec(str_cat(
      "INSERT INTO loci_keys(source, dataset_id, id) SELECT ", source.id, values, " FROM ", table,
      " AS t WHERE NOT EXISTS(SELECT 1 FROM loci_keys AS k WHERE k.source = ", source.id, " AND ",
      keys_match(source, "k", "t"), ")", not_null));
}

/// Replaces the triggers by those that the schema asks for now, and records their digest.
Status write_triggers(sqlite::Connection& connection, Source& source) {
  LOCI_RETURN_IF_ERROR(drop_triggers(connection, source));
  LOCI_ASSIGN_OR_RETURN(const std::vector<Trigger> triggers, expected_triggers(connection, source));
  for (const Trigger& trigger : triggers) LOCI_RETURN_IF_ERROR(connection.exec(trigger.sql));
  source.trigger_digest = digest(triggers);
  return sqlite::run(connection, "UPDATE loci_indexes SET triggers = ?2 WHERE id = ?1", source.id,
                     source.trigger_digest);
}

Status exec_fts(sqlite::Connection& connection, const Source& source, const std::string& sql) {
  Status status = connection.exec(sql);
  if (!status.ok() && status.message().find("no such module") != std::string_view::npos) {
    return Status::unsupported(str_cat("collection '", source.spec.name,
                                       "': text columns need an SQLite with FTS5, this one (",
                                       sqlite::library_version(), ") has none"));
  }
  return status;
}

/// Creates what is missing of a source whose spec is complete. In the caller's transaction.
Status create_source(sqlite::Connection& connection, Source& source) {
  LOCI_RETURN_IF_ERROR(migrate(connection, -1));
  LOCI_RETURN_IF_ERROR(check_names_free(connection, source));
  LOCI_RETURN_IF_ERROR(
      sqlite::run(connection,
                  "INSERT INTO loci_indexes(name, kind, table_name, spec, triggers) "
                  "VALUES(?1, ?2, ?3, ?4, '')",
                  source.spec.name, source.managed ? "collection" : "table", source.table,
                  spec_to_json(source)));
  source.id = connection.last_insert_rowid();
  if (source.managed) LOCI_RETURN_IF_ERROR(connection.exec(collection_ddl(source)));
  LOCI_RETURN_IF_ERROR(mend_history_table(connection, source));
  LOCI_RETURN_IF_ERROR(refresh_keys(connection, source));
  if (!source.fts_table.empty()) {
    LOCI_RETURN_IF_ERROR(exec_fts(connection, source, fts_ddl(source)));
    if (!source.managed) LOCI_RETURN_IF_ERROR(rebuild_fts(connection, source));
  }
  LOCI_RETURN_IF_ERROR(write_triggers(connection, source));
  // Followers never stand before the first entry: {0, 0} is no position of a file with sources.
  return log_reset(connection, source);
}

Result<Source> create(sqlite::Connection& connection, Source source) {
  LOCI_ASSIGN_OR_RETURN(Transaction transaction,
                        Transaction::begin(connection, Transaction::Kind::kWrite));
  LOCI_RETURN_IF_ERROR(create_source(connection, source));
  LOCI_RETURN_IF_ERROR(transaction.commit());
  return source;
}

Status require_collection(const Source& source) {
  if (source.managed) return {};
  return Status::failed_precondition(
      str_cat("'", source.spec.name, "' is an index on table '", source.table,
              "', whose columns are yours to change; drop the index and create it anew"));
}

Status write_spec(sqlite::Connection& connection, const Source& source) {
  return sqlite::run(connection, "UPDATE loci_indexes SET spec = ?2 WHERE id = ?1", source.id,
                     spec_to_json(source));
}

/// Adds a column's DDL and stores the changed spec; triggers and FTS5 are the caller's.
Status alter_table(sqlite::Connection& connection, const Source& source, const std::string& ddl) {
  LOCI_RETURN_IF_ERROR(connection.exec(
      str_cat("ALTER TABLE ", quote_identifier(source.table), " ADD COLUMN ", ddl)));
  LOCI_RETURN_IF_ERROR(mend_history_table(connection, source));
  return write_spec(connection, source);
}

/// Every table and column that the triggers name must be there: SQLite would say so only when they
/// fire.
Status require_columns(sqlite::Connection& connection, const Source& source, std::string_view table,
                       const std::vector<std::string>& columns) {
  LOCI_ASSIGN_OR_RETURN(const bool present, table_exists(connection, table));
  if (!present) {
    return Status::failed_precondition(
        str_cat("collection '", source.spec.name, "': table '", table,
                "' is gone; drop the collection, or bring the ", "table back"));
  }
  for (const std::string& column : columns) {
    LOCI_ASSIGN_OR_RETURN(const std::optional<int64_t> found,
                          sqlite::query_int(connection,
                                            "SELECT 1 FROM pragma_table_xinfo(?1) "
                                            "WHERE name = ?2 COLLATE NOCASE",
                                            table, column));
    if (found.has_value()) continue;
    return Status::failed_precondition(str_cat("collection '", source.spec.name, "': table '",
                                               table, "' has lost its column '", column,
                                               "'; drop the collection, or bring the column back"));
  }
  return {};
}

Status require_tables(sqlite::Connection& connection, const Source& source) {
  std::vector<std::string> rows = source.spec.text;
  for (const FilterColumn& column : source.spec.filters) rows.push_back(column.name);
  if (!source.key_column.empty()) rows.push_back(source.key_column);
  rows.insert(rows.end(), source.key_columns.begin(), source.key_columns.end());
  if (source.managed) rows.insert(rows.end(), {"metadata", "archived", "created_at", "updated_at"});
  if (source.managed && source.spec.text_ids) rows.emplace_back("id");
  LOCI_RETURN_IF_ERROR(require_columns(connection, source, source.table, rows));
  if (source.vector_table.empty()) return {};
  std::vector<std::string> vectors;
  for (const VectorColumn& column : source.spec.vectors) {
    vectors.push_back(column.name);
    if (!column.model.empty()) vectors.push_back(column.name + "_pending");
  }
  if (source.managed) vectors.emplace_back("rid");
  return require_columns(connection, source, source.vector_table, vectors);
}

}  // namespace

Result<std::vector<Trigger>> expected_triggers(sqlite::Connection& connection,
                                               const Source& source) {
  LOCI_RETURN_IF_ERROR(require_tables(connection, source));
  Conflicts conflicts;
  LOCI_ASSIGN_OR_RETURN(conflicts.rows, displacing_conditions(connection, source.table));
  if (source.managed && !source.vector_table.empty()) {
    LOCI_ASSIGN_OR_RETURN(conflicts.vectors,
                          displacing_conditions(connection, source.vector_table));
  }
  return build_triggers(source, conflicts);
}

Result<std::vector<Source>> load_sources(sqlite::Connection& connection) {
  LOCI_ASSIGN_OR_RETURN(const int version, schema_version(connection));
  std::vector<Source> sources;
  if (version == 0) return sources;
  LOCI_ASSIGN_OR_RETURN(sqlite::Statement select,
                        connection.cached(str_cat(kSelectSources, " ORDER BY name")));
  LOCI_RETURN_IF_ERROR(sqlite::for_each_row(select, [&](sqlite::Statement& row) -> Status {
    Source source;
    LOCI_RETURN_IF_ERROR(read_source(connection, row, source));
    sources.push_back(std::move(source));
    return {};
  }));
  return sources;
}

Result<Source> load_source(sqlite::Connection& connection, std::string_view name) {
  LOCI_ASSIGN_OR_RETURN(const std::vector<Source> sources, load_sources(connection));
  std::vector<std::string> names;
  for (const Source& source : sources) {
    if (base::ascii_equal_fold(source.spec.name, name)) return source;
    names.push_back(source.spec.name);
  }
  return Status::not_found(str_cat("no collection '", name, "'; ",
                                   names.empty() ? std::string("the database has none yet")
                                                 : "there are: " + base::join(names, ", ")));
}

Result<Source> create_collection(sqlite::Connection& connection, const CollectionSpec& spec) {
  LOCI_RETURN_IF_ERROR(validate_spec(spec));
  Source source;
  source.spec = spec;
  source.table = spec.name;
  source.key_column = "rid";
  if (!spec.vectors.empty()) source.vector_table = spec.name + "_vectors";
  if (!spec.text.empty()) source.fts_table = spec.name + "_fts";
  if (spec.history.enabled) source.history_table = spec.name + "_history";
  return create(connection, std::move(source));
}

Result<Source> create_table_index(sqlite::Connection& connection, const TableIndexSpec& spec) {
  LOCI_ASSIGN_OR_RETURN(Source source, source_of_user_table(connection, spec));
  return create(connection, std::move(source));
}

Status drop_source(sqlite::Connection& connection, const Source& source) {
  LOCI_ASSIGN_OR_RETURN(Transaction transaction,
                        Transaction::begin(connection, Transaction::Kind::kWrite));
  LOCI_RETURN_IF_ERROR(drop_triggers(connection, source));
  const auto drop = [&](const std::string& table) {
    if (table.empty()) return Status();
    return connection.exec(str_cat("DROP TABLE IF EXISTS ", quote_identifier(table)));
  };
  LOCI_RETURN_IF_ERROR(drop(source.fts_table));
  if (source.managed) {
    LOCI_RETURN_IF_ERROR(drop(source.history_table));
    LOCI_RETURN_IF_ERROR(drop(source.vector_table));
    LOCI_RETURN_IF_ERROR(drop(source.table));
  }
  // The entries stay, as others may stand on them; what they tell of the rows goes.
  for (const std::string_view sql :
       {"DELETE FROM loci_displaced WHERE source = ?1", "DELETE FROM loci_keys WHERE source = ?1",
        "DELETE FROM loci_followers WHERE source = ?1", "DELETE FROM loci_indexes WHERE id = ?1",
        "UPDATE loci_log SET id = NULL WHERE source = ?1 AND id IS NOT NULL"}) {
    LOCI_RETURN_IF_ERROR(sqlite::run(connection, sql, source.id));
  }
  LOCI_ASSIGN_OR_RETURN(const bool parts, has_snapshot_parts(connection));
  if (parts) LOCI_RETURN_IF_ERROR(drop_unnamed_snapshot_parts(connection));
  return transaction.commit();
}

Result<Source> add_text_column(sqlite::Connection& connection, const Source& source,
                               std::string_view column) {
  LOCI_RETURN_IF_ERROR(require_collection(source));
  Source changed = source;
  changed.spec.text.emplace_back(column);
  changed.fts_table = source.spec.name + "_fts";
  LOCI_RETURN_IF_ERROR(validate_spec(changed.spec));
  LOCI_ASSIGN_OR_RETURN(Transaction transaction,
                        Transaction::begin(connection, Transaction::Kind::kWrite));
  LOCI_RETURN_IF_ERROR(alter_table(connection, changed, text_column_ddl(column)));
  LOCI_RETURN_IF_ERROR(
      connection.exec(str_cat("DROP TABLE IF EXISTS ", quote_identifier(changed.fts_table))));
  LOCI_RETURN_IF_ERROR(exec_fts(connection, changed, fts_ddl(changed)));
  LOCI_RETURN_IF_ERROR(rebuild_fts(connection, changed));
  LOCI_RETURN_IF_ERROR(write_triggers(connection, changed));
  LOCI_RETURN_IF_ERROR(transaction.commit());
  return changed;
}

Result<Source> add_filter_column(sqlite::Connection& connection, const Source& source,
                                 const FilterColumn& column) {
  LOCI_RETURN_IF_ERROR(require_collection(source));
  Source changed = source;
  changed.spec.filters.push_back(column);
  LOCI_RETURN_IF_ERROR(validate_spec(changed.spec));
  LOCI_ASSIGN_OR_RETURN(Transaction transaction,
                        Transaction::begin(connection, Transaction::Kind::kWrite));
  LOCI_RETURN_IF_ERROR(alter_table(connection, changed, filter_column_ddl(column)));
  LOCI_RETURN_IF_ERROR(write_triggers(connection, changed));
  LOCI_RETURN_IF_ERROR(log_reset(connection, changed));
  LOCI_RETURN_IF_ERROR(transaction.commit());
  return changed;
}

Result<Source> set_history(sqlite::Connection& connection, const Source& source,
                           const HistoryOptions& options) {
  LOCI_RETURN_IF_ERROR(require_collection(source));
  LOCI_RETURN_IF_ERROR(validate_history(source.spec.name, options));
  LOCI_ASSIGN_OR_RETURN(Transaction transaction,
                        Transaction::begin(connection, Transaction::Kind::kWrite));
  Source changed = source;
  changed.spec.history = options;
  changed.history_table = options.enabled ? source.spec.name + "_history" : "";
  if (options.enabled && source.history_table.empty()) {
    LOCI_RETURN_IF_ERROR(check_history_names_free(connection, changed));
  }
  if (!options.enabled && !source.history_table.empty()) {
    LOCI_RETURN_IF_ERROR(drop_triggers(connection, source));
    LOCI_RETURN_IF_ERROR(
        connection.exec(str_cat("DROP TABLE IF EXISTS ", quote_identifier(source.history_table))));
  }
  LOCI_RETURN_IF_ERROR(mend_history_table(connection, changed));
  LOCI_RETURN_IF_ERROR(prune_history(connection, changed));
  LOCI_RETURN_IF_ERROR(write_spec(connection, changed));
  LOCI_RETURN_IF_ERROR(write_triggers(connection, changed));
  LOCI_RETURN_IF_ERROR(transaction.commit());
  return changed;
}

Result<bool> triggers_intact(sqlite::Connection& connection, const Source& source) {
  const Result<std::vector<Trigger>> expected = expected_triggers(connection, source);
  if (!expected.has_value()) {
    // A table or column that is gone takes its triggers along.
    if (expected.error().code() == StatusCode::kFailedPrecondition) return false;
    return expected.error();
  }
  if (!source.fts_table.empty()) {
    LOCI_ASSIGN_OR_RETURN(const bool fts, table_exists(connection, source.fts_table));
    if (!fts) return false;
  }
  LOCI_ASSIGN_OR_RETURN(const bool history, history_table_whole(connection, source));
  if (!history) return false;
  for (const Trigger& trigger : *expected) {
    LOCI_ASSIGN_OR_RETURN(
        const std::optional<std::string> sql,
        sqlite::query_text(connection,
                           "SELECT sql FROM sqlite_schema WHERE type = 'trigger' AND name = ?1",
                           trigger.name));
    if (sql != trigger.sql) return false;
  }
  return true;
}

Status recreate_triggers(sqlite::Connection& connection, const Source& source) {
  LOCI_ASSIGN_OR_RETURN(Transaction transaction,
                        Transaction::begin(connection, Transaction::Kind::kWrite));
  Source written = source;
  LOCI_RETURN_IF_ERROR(require_tables(connection, source));
  LOCI_RETURN_IF_ERROR(refresh_keys(connection, source));
  LOCI_RETURN_IF_ERROR(
      sqlite::run(connection, "DELETE FROM loci_displaced WHERE source = ?1", source.id));
  if (!source.fts_table.empty()) {
    LOCI_ASSIGN_OR_RETURN(const bool fts, table_exists(connection, source.fts_table));
    if (!fts) {
      LOCI_RETURN_IF_ERROR(exec_fts(connection, source, fts_ddl(source)));
      LOCI_RETURN_IF_ERROR(rebuild_fts(connection, source));
    }
  }
  if (!source.history_table.empty()) {
    LOCI_RETURN_IF_ERROR(mend_history_table(connection, source));
    LOCI_RETURN_IF_ERROR(forget_staged_versions(connection, source));
    LOCI_RETURN_IF_ERROR(write_spec(connection, source));
  }
  LOCI_RETURN_IF_ERROR(write_triggers(connection, written));
  LOCI_RETURN_IF_ERROR(log_reset(connection, source));
  return transaction.commit();
}

Status rebuild_fts(sqlite::Connection& connection, const Source& source) {
  if (source.fts_table.empty()) return {};
  const std::string fts = quote_identifier(source.fts_table);
  if (source.key_columns.empty()) {
    return connection.exec(str_cat("INSERT INTO ", fts, "(", fts, ") VALUES('rebuild')"));
  }
  std::string columns;
  std::string values;
  for (const std::string& column : source.spec.text) {
    str_append(columns, ", ", quote_identifier(column));
    str_append(values, ", t.", quote_identifier(column));
  }
  LOCI_ASSIGN_OR_RETURN(Transaction transaction,
                        Transaction::begin(connection, Transaction::Kind::kWrite));
  LOCI_RETURN_IF_ERROR(connection.exec(str_cat("DELETE FROM ", fts)));
  LOCI_RETURN_IF_ERROR(connection.exec(
      str_cat("INSERT INTO ", fts, "(rowid", columns, ") SELECT k.rid", values,
              " FROM loci_keys AS k, ", quote_identifier(source.table),
              " AS t WHERE k.source = ", source.id, " AND ", keys_match(source, "k", "t"))));
  return transaction.commit();
}

}  // namespace loci::store

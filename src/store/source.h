// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "loci/collection.h"
#include "loci/database.h"
#include "sqlite/connection.h"

namespace loci::store {

/// A table that an index follows: a collection's own pair of tables, or a table of the user's.
/// Read from loci_indexes; everything that differs between the two kinds is decided here, so that
/// reading and searching know only these names.
struct Source {
  int64_t id = 0;  ///< loci_indexes.id, also loci_log.source
  CollectionSpec spec;
  bool managed = true;       ///< a collection; false: a user's table, which Loci only reads
  std::string table;         ///< rows: `notes`
  std::string vector_table;  ///< `notes_vectors`; for a user's table the table itself
  std::string key_column;    ///< integer key of `table`: `rid`, or the user's rowid alias
  std::vector<std::string> key_columns;  ///< with loci_keys: the user's key (id, or dataset and id)
  std::string fts_table;                 ///< `notes_fts`; empty without text columns
  std::string history_table;             ///< `notes_history`; empty where none is kept
  std::string trigger_digest;            ///< of the DDL that create_triggers() wrote
};

/// Every source, by name order. kFailedPrecondition for a spec this build cannot read.
Result<std::vector<Source>> load_sources(sqlite::Connection& connection);
/// kNotFound lists the names that are there.
Result<Source> load_source(sqlite::Connection& connection, std::string_view name);

/// Creates tables, FTS5, triggers and the loci_indexes row, in one transaction.
Result<Source> create_collection(sqlite::Connection& connection, const CollectionSpec& spec);
Result<Source> create_table_index(sqlite::Connection& connection, const TableIndexSpec& spec);
Status drop_source(sqlite::Connection& connection, const Source& source);
Result<Source> add_text_column(sqlite::Connection& connection, const Source& source,
                               std::string_view column);
Result<Source> add_filter_column(sqlite::Connection& connection, const Source& source,
                                 const FilterColumn& column);
/// Begins to keep history, changes its limits, or drops it.
Result<Source> set_history(sqlite::Connection& connection, const Source& source,
                           const HistoryOptions& options);

/// Compares the triggers in the schema with those this source needs now (unique indexes included).
/// True: as they should be. False: the source is detached; its log may have missed changes.
Result<bool> triggers_intact(sqlite::Connection& connection, const Source& source);
/// Writes the triggers anew and logs a "everything may have changed" entry (op kReset).
Status recreate_triggers(sqlite::Connection& connection, const Source& source);
/// Rebuilds the FTS5 index from the table.
Status rebuild_fts(sqlite::Connection& connection, const Source& source);

/// Validates a spec: names, duplicates, reserved words, dimensions, limits, models.
Status validate_spec(const CollectionSpec& spec);

}  // namespace loci::store

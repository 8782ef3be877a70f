// SPDX-License-Identifier: Apache-2.0
//
// Old versions of the rows of a collection. The triggers write them (history_sql.cc); here they are
// read, joined, pruned and purged. Where a source keeps no history, everything does nothing.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "loci/collection.h"
#include "sqlite/connection.h"
#include "store/source.h"

namespace loci::store {

/// Old versions of a row, newest first; see Collection::history.
/// kFailedPrecondition when the source keeps none.
Result<std::vector<Version>> read_history(sqlite::Connection& connection, const Source& source,
                                          const RowKey& key, bool with_vectors, int64_t limit);

/// Makes what is missing of the table: itself, columns, indexes.
Status mend_history_table(sqlite::Connection& connection, const Source& source);
/// Whether the table is there with every column that the triggers name.
Result<bool> history_table_whole(sqlite::Connection& connection, const Source& source);
/// Removes every version past the limits of the source.
Status prune_history(sqlite::Connection& connection, const Source& source);
/// Removes what writes that came to nothing have left.
Status forget_staged_versions(sqlite::Connection& connection, const Source& source);

/// The number of the newest version; 0 without any.
Result<int64_t> newest_version_number(sqlite::Connection& connection, const Source& source);
/// Makes one version of those that a single change of `row` left after number `after`: its columns
/// and its vectors are written by two statements.
Status join_versions(sqlite::Connection& connection, const Source& source, RowId row,
                     int64_t after);

/// Removes the versions of rows that are purged: after their deletion, which left `after` as the
/// newest version before it. `ids`, `rows`: JSON arrays of what was named; a rowid names every row
/// that has had it only where the row itself is gone (`gone`).
/// Returns how many versions went.
Result<int64_t> purge_history(sqlite::Connection& connection, const Source& source, int64_t after,
                              const std::string& ids, const std::string& gone);

/// What is wrong with the table, in words; empty when nothing is.
Result<std::vector<std::string>> check_history(sqlite::Connection& connection,
                                               const Source& source);

}  // namespace loci::store

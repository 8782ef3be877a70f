// SPDX-License-Identifier: Apache-2.0
//
// INSERT statements of one row and of many.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "sqlite/connection.h"
#include "store/rows_check.h"
#include "store/source.h"

namespace loci::store {

/// Inserts a row and its vectors; a text id is made where the collection has them and none is
/// given.
Result<RowId> insert_row(sqlite::Connection& connection, const Source& source, const Record& record,
                         const RecordLayout& layout);
/// Inserts rows and their vectors together, with the triggers off (see the .cc). All of `records`
/// give a rowid, or none does. Returns the last rowid; nullopt, with nothing written, when a record
/// is wrong, a row is in the way or a trigger is not ours: then the caller goes row by row, and
/// finds out which is at fault.
Result<std::optional<RowId>> insert_batch(sqlite::Connection& connection, const Source& source,
                                          std::span<const Record> records);
/// The statement that writes `columns` of one row's vectors, over those that are there: its rid,
/// then each column's BLOB and, where it has a model, its pending mark.
std::string vectors_sql(const Source& source, std::span<const size_t> columns);
/// Writes the vectors that a record gives to the row.
Status write_vectors(sqlite::Connection& connection, const Source& source, RowId row,
                     const RecordLayout& layout);

}  // namespace loci::store

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
/// Inserts kBatchRows rows by one statement, and their vectors by another. All of `records` give a
/// rowid, or none does. Returns the last rowid; nullopt, with nothing written, when they are not of
/// one shape or a row is in the way: then the caller goes row by row and finds out which.
Result<std::optional<RowId>> insert_batch(sqlite::Connection& connection, const Source& source,
                                          std::span<const Record> records);
/// The statement that writes `columns` of `rows` rows' vectors: per row its rid, then each column's
/// BLOB and, where it has a model, its pending mark.
std::string vectors_sql(const Source& source, std::span<const size_t> columns, size_t rows);
/// Writes the vectors that a record gives to the row.
Status write_vectors(sqlite::Connection& connection, const Source& source, RowId row,
                     const RecordLayout& layout);

}  // namespace loci::store

// SPDX-License-Identifier: Apache-2.0
//
// The tables of one source: their DDL, and what makes a user's table fit to be followed.
#pragma once

#include <string>
#include <string_view>

#include "loci/database.h"
#include "sqlite/connection.h"
#include "store/source.h"

namespace loci::store {

/// SQL of the time now in microseconds since 1970 UTC; SQLite's clock has milliseconds. In schemas
/// and triggers: a change of it detaches every source.
inline constexpr std::string_view kNowUsSql =
    "CAST((julianday('now') - 2440587.5) * 86400000.0 + 0.5 AS INTEGER) * 1000";

/// Whether the file has a table of this name.
Result<bool> table_exists(sqlite::Connection& connection, std::string_view name);
/// The two tables of a collection and their indexes, without FTS5 and triggers.
std::string collection_ddl(const Source& source);
/// One column of a collection's table: `"lang" TEXT CHECK(...)`.
std::string text_column_ddl(std::string_view column);
std::string filter_column_ddl(const FilterColumn& column);
/// The FTS5 table over the text columns; empty without any.
std::string fts_ddl(const Source& source);

/// Checks that a user's table can be followed, and how its rows are named.
/// Errors: kNotFound (no such table or column), kInvalidArgument (a view, a virtual or temporary
/// table, no usable key, a key that is not unique).
Result<Source> source_of_user_table(sqlite::Connection& connection, const TableIndexSpec& spec);

/// kAlreadyExists when the file holds a table, view or index that `source` would make.
Status check_names_free(sqlite::Connection& connection, const Source& source);
/// The same for the names that only its history takes.
Status check_history_names_free(sqlite::Connection& connection, const Source& source);

}  // namespace loci::store

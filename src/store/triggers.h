// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sqlite/connection.h"
#include "store/log.h"
#include "store/source.h"

namespace loci::store {

/// One trigger: its name and its text exactly as sqlite_schema keeps it.
struct Trigger {
  std::string name;
  std::string sql;
};

/// What the triggers of a source depend on besides the source itself.
struct Conflicts {
  std::vector<std::string> rows;     ///< displacing_conditions() of the source's table
  std::vector<std::string> vectors;  ///< of its vector table
};

/// Every trigger that a source needs, in a fixed order. Pure: the same input, the same text.
std::vector<Trigger> build_triggers(const Source& source, const Conflicts& conflicts);

/// build_triggers() over the unique indexes that are in the schema now.
/// kFailedPrecondition when a table or a column that the source needs is gone.
Result<std::vector<Trigger>> expected_triggers(sqlite::Connection& connection,
                                               const Source& source);

/// "loci_notes_": every trigger of source `notes` starts like this and goes on with the event.
std::string trigger_prefix(const Source& source);

/// The SQL that appends a log entry; `rid` and `id` are SQL expressions, `from` a FROM clause or
/// empty. Used by triggers and by Loci itself, so that both count time alike.
std::string log_entry_sql(int64_t source, LogOp op, std::string_view rid, std::string_view id,
                          std::string_view from);

/// The SQL that gives the next entry's hlc and its origin.
std::string log_stamp_sql();

/// SQL, true for a row of `alias` (a row of the source's table) whose integer key is `rid`.
std::string keys_match(const Source& source, std::string_view keys_alias, std::string_view alias);

}  // namespace loci::store

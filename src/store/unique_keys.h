// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sqlite/connection.h"

namespace loci::store {

/// Which rows of `table` a write of NEW could displace through a UNIQUE constraint or index other
/// than the rowid: one SQL condition per constraint, over "table"."column" and NEW."column", for
/// use in a trigger. A condition may name too many rows, never too few.
/// Errors: kUnsupported for an index whose text cannot be taken apart.
Result<std::vector<std::string>> displacing_conditions(sqlite::Connection& connection,
                                                       std::string_view table);

/// The parts of a CREATE INDEX statement as sqlite_schema stores it, comments left out.
struct IndexText {
  std::vector<std::string> terms;  ///< key expressions without ASC and DESC
  std::string where;               ///< of a partial index; empty otherwise
};
IndexText parse_index_text(std::string_view sql);

}  // namespace loci::store

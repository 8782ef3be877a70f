// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "loci/loci.h"

namespace loci::cli {

/// How results are written.
enum class Output { kAuto, kTable, kJson };

/// What every command is given: the options that stand before or after any verb.
struct Context {
  std::string db_path = "loci.db";
  bool json = false;                            ///< --json
  bool table = false;                           ///< --table
  bool progress = false;                        ///< --progress: also when stderr is no terminal
  SnapshotMode snapshot = SnapshotMode::kFile;  ///< --snapshot: where verbs that write keep them

  /// Lists of rows: a table on a terminal, JSON lines in a pipe, unless told.
  [[nodiscard]] bool rows_as_json() const;
};

/// Opens the file for reading. Never makes it.
/// kNotFound names the file and says how to make one.
Result<Database> open_for_reading(const Context& context);
/// Opens the file for writing; it must be there.
Result<Database> open_for_writing(const Context& context);
/// Opens the file for writing; it and its folders are made when absent.
Result<Database> open_or_create(const Context& context);

/// The collection, or kNotFound with the nearest name that there is.
Result<Collection> find_collection(Database& database, std::string_view name);

}  // namespace loci::cli

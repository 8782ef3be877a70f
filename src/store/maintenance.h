// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "loci/database.h"
#include "sqlite/connection.h"
#include "store/source.h"

namespace loci::store {

/// The newest schema version this build writes and reads.
[[nodiscard]] int newest_schema_version() noexcept;
/// 0 when the file holds no Loci tables. kFailedPrecondition when newer than this build.
Result<int> schema_version(sqlite::Connection& connection);
Result<std::vector<MigrationState>> migration_states(sqlite::Connection& connection);
/// Moves up or down in one transaction; -1: newest. kUnsupported for a step that has no way down,
/// kFailedPrecondition when the step down would lose collections.
Status migrate(sqlite::Connection& connection, int version);

/// Verifies SQLite, FTS5, log, followers, triggers, and orphans of every source.
Result<std::vector<CheckFinding>> check(sqlite::Connection& connection, bool repair);

}  // namespace loci::store

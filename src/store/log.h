// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "loci/types.h"
#include "sqlite/connection.h"

namespace loci::store {

/// What an entry hints at; nothing relies on it but kReset. On disk: never renumber.
enum class LogOp : int64_t { kInsert = 1, kUpdate = 2, kDelete = 3, kReset = 4 };

/// An entry's identity. SCNs are reused after rollback, power loss and restore; the token tells.
struct LogPosition {
  int64_t scn = 0;
  int64_t token = 0;
  friend bool operator==(const LogPosition&, const LogPosition&) = default;
};

/// The newest entry of the whole log in this connection's snapshot; {0, 0} when empty.
Result<LogPosition> newest(sqlite::Connection& connection);

/// What identifies one committed state of the file.
struct FileState {
  int64_t schema_cookie = 0;
  LogPosition newest;
};
/// The state of this connection's snapshot, or of one that begins and ends here; nullopt when the
/// log is empty.
Result<std::optional<FileState>> file_state(sqlite::Connection& connection);

/// What happened to one source between two positions.
struct Changes {
  bool rebuild = false;     ///< the entry at `from` is gone or another: read the table anew
  std::vector<RowId> rows;  ///< that may have changed, sorted, distinct
  LogPosition to;           ///< newest() of the snapshot
};
Result<Changes> changes_since(sqlite::Connection& connection, int64_t source, LogPosition from);

/// Drops every superseded entry below the followers of its source; keeps the newest. Returns how
/// many went. By itself it happens in slices: log_compactor.h.
Result<int64_t> compact_log(sqlite::Connection& connection);

}  // namespace loci::store

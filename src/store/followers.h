// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "sqlite/connection.h"
#include "store/log.h"

namespace loci::store {

/// The snapshot that counts for a source: a row of loci_followers. What lies in the folder beside
/// the database counts only if it is the one named here.
struct SnapshotRecord {
  int64_t source = 0;
  std::array<uint8_t, 16> database{};  ///< uuid of the database
  std::array<uint8_t, 16> root{};      ///< random id of the snapshot
  uint64_t generation = 0;             ///< 1, 2, ... of this source
  uint64_t checksum = 0;               ///< of its root
  LogPosition position;                ///< up to which it holds the source's rows
};

/// The record of a source in this snapshot of the database.
Result<std::optional<SnapshotRecord>> find_snapshot(sqlite::Connection& connection, int64_t source);
/// Every record, by source.
Result<std::vector<SnapshotRecord>> list_snapshots(sqlite::Connection& connection);
/// Makes `record` the one that counts. kFailedPrecondition when the source or the log entry that it
/// stands on is gone, as it must not count then, and when the source was reset (reindexed) since,
/// as nobody could follow the log from there.
Status record_snapshot(sqlite::Connection& connection, const SnapshotRecord& record);
/// No snapshot counts for the source any more, nor does one that is being written by whoever did
/// not see this: its rows are about to be purged (purge_count).
Status withdraw_snapshot(sqlite::Connection& connection, int64_t source);
/// The database's uuid as bytes.
Result<std::array<uint8_t, 16>> database_uuid(sqlite::Connection& connection);
/// Log entries of the source after `position`, counted up to `limit`.
Result<int64_t> count_changes(sqlite::Connection& connection, int64_t source,
                              const LogPosition& position, int64_t limit);

}  // namespace loci::store

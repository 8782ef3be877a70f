// SPDX-License-Identifier: Apache-2.0
//
// Snapshots inside the database file: their bytes in parts, under the random id of their root.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "base/aligned.h"
#include "base/bytes.h"
#include "sqlite/connection.h"

namespace loci::store {

/// Of every part but the last. One part is written in one transaction, which holds the write lock
/// for some milliseconds.
inline constexpr size_t kSnapshotPartBytes = size_t{1} << 20;

using SnapshotRootId = std::array<uint8_t, 16>;

/// Whether the file has room for parts: its schema is version 2 or later.
Result<bool> has_snapshot_parts(sqlite::Connection& connection);
Status put_snapshot_part(sqlite::Connection& connection, const SnapshotRootId& root, int64_t part,
                         base::ByteSpan bytes);
Result<int64_t> count_snapshot_parts(sqlite::Connection& connection, const SnapshotRootId& root);
/// All parts, one after the other; nullopt when there are none.
Result<std::optional<base::Buffer>> read_snapshot_parts(sqlite::Connection& connection,
                                                        const SnapshotRootId& root);
/// Removes the parts that no follower names: those of older snapshots and of ones never finished.
Status drop_unnamed_snapshot_parts(sqlite::Connection& connection);

/// How many purges the file has seen. Who began to write a snapshot before one must not go on: it
/// may hold what was purged.
Result<int64_t> purge_count(sqlite::Connection& connection);

}  // namespace loci::store

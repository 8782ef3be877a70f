// SPDX-License-Identifier: Apache-2.0
//
// Tested by snapshot_parts_test.cc.
#include "store/snapshot_parts.h"

#include <algorithm>
#include <utility>

#include "base/strings.h"
#include "sqlite/query.h"
#include "store/meta.h"
#include "store/tables.h"

namespace loci::store {
namespace {

std::span<const std::byte> as_blob(base::ByteSpan bytes) { return std::as_bytes(bytes); }

}  // namespace

Result<bool> has_snapshot_parts(sqlite::Connection& connection) {
  return table_exists(connection, "loci_snapshots");
}

Status put_snapshot_part(sqlite::Connection& connection, const SnapshotRootId& root, int64_t part,
                         base::ByteSpan bytes) {
  return sqlite::run(connection,
                     "INSERT INTO loci_snapshots(root_id, part, data) VALUES(?1, ?2, ?3)",
                     as_blob(root), part, as_blob(bytes));
}

Result<int64_t> count_snapshot_parts(sqlite::Connection& connection, const SnapshotRootId& root) {
  LOCI_ASSIGN_OR_RETURN(
      const std::optional<int64_t> count,
      sqlite::query_int(connection, "SELECT count(*) FROM loci_snapshots WHERE root_id = ?1",
                        as_blob(root)));
  return count.value_or(0);
}

Result<std::optional<base::Buffer>> read_snapshot_parts(sqlite::Connection& connection,
                                                        const SnapshotRootId& root) {
  LOCI_ASSIGN_OR_RETURN(
      const std::optional<int64_t> size,
      sqlite::query_int(connection,
                        "SELECT sum(CASE typeof(data) WHEN 'blob' THEN length(data) "
                        "ELSE length(CAST(data AS BLOB)) END) FROM loci_snapshots "
                        "WHERE root_id = ?1",
                        as_blob(root)));
  if (!size.has_value()) return std::optional<base::Buffer>();
  LOCI_ASSIGN_OR_RETURN(base::Buffer bytes, base::Buffer::try_allocate(static_cast<size_t>(*size),
                                                                       base::Buffer::Fill::kNone));
  LOCI_ASSIGN_OR_RETURN(
      sqlite::Statement select,
      connection.cached("SELECT data FROM loci_snapshots WHERE root_id = ?1 ORDER BY part"));
  LOCI_RETURN_IF_ERROR(select.bind(1, as_blob(root)));
  size_t end = 0;
  LOCI_RETURN_IF_ERROR(sqlite::for_each_row(select, [&](sqlite::Statement& row) -> Status {
    const std::span<const std::byte> part = row.column_blob(0);
    if (part.size() > bytes.size() - end) return Status::internal("snapshot: its parts grew");
    std::transform(part.begin(), part.end(), bytes.data() + end,
                   [](std::byte byte) { return std::to_integer<uint8_t>(byte); });
    end += part.size();
    return {};
  }));
  if (end != bytes.size()) return Status::internal("snapshot: its parts shrank");
  return std::optional<base::Buffer>(std::move(bytes));
}

Status drop_unnamed_snapshot_parts(sqlite::Connection& connection) {
  return sqlite::run(connection,
                     "DELETE FROM loci_snapshots WHERE root_id NOT IN (SELECT root_id FROM "
                     "loci_followers WHERE root_id IS NOT NULL)");
}

Result<int64_t> purge_count(sqlite::Connection& connection) {
  LOCI_ASSIGN_OR_RETURN(const std::optional<int64_t> count, meta_int(connection, "purge_count"));
  return count.value_or(0);
}

}  // namespace loci::store

// SPDX-License-Identifier: Apache-2.0
//
// Reading the log.
//
// Idea. An entry is named by (scn, token). SCNs are given again after a rollback, a power loss or
// in a restored backup; the random token tells such an entry from the one a follower has seen.
//
// Invariants.
//  1. A follower at (s, t) is current up to s exactly if the entry s is there with token t.
//  2. Compaction keeps the newest entry, each follower's own, and the newest of each row: the last
//     says when, and where, the row was last written. See log_compactor.cc.
//
// Cost. newest(): one seek to the end of the log. changes_since(): the entries after `from`.
//
// Tested by log_test.cc.
#include "store/log.h"

#include <algorithm>
#include <optional>
#include <string_view>

#include "base/strings.h"
#include "sqlite/query.h"
#include "store/log_compactor.h"
#include "store/maintenance.h"

namespace loci::store {
namespace {

constexpr std::string_view kSelectNewest =
    "SELECT scn, token FROM loci_log ORDER BY scn DESC LIMIT 1";

LogPosition position_of(const sqlite::Statement& row) {
  return {.scn = row.column_int(0), .token = row.column_int(1)};
}

}  // namespace

Result<LogPosition> newest(sqlite::Connection& connection) {
  Result<sqlite::Statement> select = connection.cached(kSelectNewest);
  if (!select.has_value()) {
    LOCI_ASSIGN_OR_RETURN(const int version, schema_version(connection));
    if (version == 0) return LogPosition{};
    return std::move(select).error();
  }
  LOCI_ASSIGN_OR_RETURN(const bool row, select->step());
  if (!row) return LogPosition{};
  return position_of(*select);
}

Result<std::optional<FileState>> file_state(sqlite::Connection& connection) {
  LOCI_ASSIGN_OR_RETURN(sqlite::Statement select, connection.cached(kSelectNewest));
  LOCI_ASSIGN_OR_RETURN(const bool row, select.step());
  if (!row) return std::optional<FileState>();
  FileState state{.newest = position_of(select)};
  LOCI_ASSIGN_OR_RETURN(state.schema_cookie, select.schema_cookie());
  return std::optional<FileState>(state);
}

Result<Changes> changes_since(sqlite::Connection& connection, int64_t source, LogPosition from) {
  Changes changes;
  LOCI_ASSIGN_OR_RETURN(changes.to, newest(connection));
  if (from == changes.to) return changes;
  LOCI_ASSIGN_OR_RETURN(
      const std::optional<int64_t> token,
      sqlite::query_int(connection, "SELECT token FROM loci_log WHERE scn = ?1", from.scn));
  if (token != from.token) {
    changes.rebuild = true;
    return changes;
  }
  LOCI_ASSIGN_OR_RETURN(
      sqlite::Statement select,
      connection.cached("SELECT rid, op FROM loci_log WHERE scn > ?1 AND source = ?2"));
  LOCI_RETURN_IF_ERROR(sqlite::bind_all(select, from.scn, source));
  LOCI_RETURN_IF_ERROR(sqlite::for_each_row(select, [&](sqlite::Statement& row) -> Status {
    changes.rows.push_back(RowId{row.column_int(0)});
    changes.rebuild |= row.column_int(1) == static_cast<int64_t>(LogOp::kReset);
    return {};
  }));
  if (changes.rebuild) changes.rows.clear();
  std::sort(changes.rows.begin(), changes.rows.end());
  changes.rows.erase(std::unique(changes.rows.begin(), changes.rows.end()), changes.rows.end());
  return changes;
}

Result<int64_t> compact_log(sqlite::Connection& connection) {
  constexpr int64_t kSliceEntries = 65536;
  CompactionLimits limits;
  limits.keep_newest = 0;
  LogCompactor compactor(limits);
  for (bool more = true; more;) {
    LOCI_ASSIGN_OR_RETURN(more, compactor.slice(connection, kSliceEntries));
  }
  return compactor.dropped();
}

}  // namespace loci::store

// SPDX-License-Identifier: Apache-2.0
//
// When a slice of the log is compacted: after a commit of this process, on the writer's connection,
// once the log has grown past what is live (store/log_compactor.cc). A slice is as long as the
// commit before it was, within bounds: a bulk load pays in larger pieces, a single row in small
// ones. Another writer that is waiting, or at it, comes first: no lock is waited for.
//
// Tested by log_care_test.cc.
#include "db/log_care.h"

#include <algorithm>

#include "base/c_edge.h"
#include "base/clock.h"
#include "base/log.h"

namespace loci::db {
namespace {

/// On a busy machine a slice of 4,096 entries took 1 ms to read and 3 to 7 ms where half of them or
/// more were dropped (400,000 entries, SQLite 3.40); one of 65,536 held the write lock for 50 ms.
constexpr int64_t kMinEntries = 4096;
constexpr int64_t kMaxEntries = 16384;
/// Entries read for each that the commit wrote.
constexpr int64_t kEntriesEach = 8;
constexpr int64_t kCloseMs = 200;

}  // namespace

bool LogCare::slice(sqlite::Connection& connection, int64_t entries) noexcept {
  if (!connection.sound()) return false;
  bool more = false;
  const Status status = base::guarded([&]() -> Status {
    LOCI_ASSIGN_OR_RETURN(const bool due, compactor_.due(connection, newest_scn_));
    if (!due) return {};
    const sqlite::NoWait no_wait(connection);
    LOCI_ASSIGN_OR_RETURN(more, compactor_.slice(connection, entries));
    return {};
  });
  if (status.ok()) return more;
  if (status.code() != StatusCode::kBusy) {
    base::log_quietly(LogLevel::kWarning, "log not compacted: ", status.message());
  }
  return false;
}

void LogCare::after_commit(sqlite::Connection& connection, int64_t newest_scn) noexcept {
  const int64_t written = std::clamp<int64_t>(newest_scn - newest_scn_, 0, kMaxEntries);
  newest_scn_ = newest_scn;
  static_cast<void>(
      slice(connection, std::clamp(written * kEntriesEach, kMinEntries, kMaxEntries)));
}

void LogCare::before_close(sqlite::Connection& connection) noexcept {
  const int64_t start_ns = base::monotonic_ns();
  while (slice(connection, kMaxEntries)) {
    if (base::monotonic_ns() - start_ns > kCloseMs * int64_t{1000000}) return;
  }
}

}  // namespace loci::db

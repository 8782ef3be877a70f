// SPDX-License-Identifier: Apache-2.0
//
// Keeping the WAL small under many writers and readers.
//
// Idea. After a commit SQLite copies the WAL into the database whenever it has 1,000 frames; but
// the next writer may begin it anew only at a moment when no reader is inside it. With a few busy
// readers that moment never comes by itself: five writers and five readers made 1.6 GB of WAL in
// 15 s. So the writer that finds it over kWalLimitBytes makes the moment: it holds further writers
// off and waits for the readers of the day to end (wal_checkpoint(RESTART)). Readers that begin
// meanwhile find all in the database file and do not touch the WAL.
//
// Invariants.
//  1. A commit has happened before any of this, and no failure of it reaches the caller: what could
//     not be copied now is copied by a later checkpoint.
//  2. The wait is bounded by kRestartWaitMs and by the connection's own time-out. A reader that
//     stays inside longer costs one such wait for each kRetryBytes written, not one a commit.
//  3. A WAL that grew past the limit all the same, by one great transaction or a long reader, is
//  cut
//     back to it by SQLite when it is begun anew (journal_size_limit).
//
// Cost. One comparison a commit; a checkpoint as SQLite itself would make it.
//
// Tested by wal_care_test.cc, tests/many_processes_test.cc.
#include "sqlite/wal_care.h"

#include <algorithm>
#include <optional>

#include "base/strings.h"
#include "sqlite/connection_impl.h"
#include "sqlite/query.h"
#include "sqlite/sqlite_api.h"

namespace loci::sqlite {
namespace {

constexpr int kCheckpointFrames = 1000;  // as SQLite's own wal_autocheckpoint
constexpr int kFrameHeaderBytes = 24;
constexpr int kRestartWaitMs = 500;
constexpr int64_t kRetryBytes = int64_t{8} << 20U;

int after_commit(void* context, sqlite3* db, const char* schema, int frames) noexcept {
  if (frames < kCheckpointFrames) return SQLITE_OK;
  WalCare& care = *static_cast<WalCare*>(context);
  const int64_t bytes = frames * (care.page_bytes + kFrameHeaderBytes);
  if (bytes < kWalLimitBytes) care.restart_at_bytes = kWalLimitBytes;
  if (bytes < care.restart_at_bytes) {
    sqlite3_wal_checkpoint_v2(db, schema, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
    return SQLITE_OK;
  }
  const int timeout_ms = care.busy->timeout_ms;
  care.busy->timeout_ms = std::min(timeout_ms, kRestartWaitMs);
  int frames_seen = -1;  // stays so when another connection is at a checkpoint: no wait was made
  const int code =
      sqlite3_wal_checkpoint_v2(db, schema, SQLITE_CHECKPOINT_RESTART, &frames_seen, nullptr);
  care.busy->timeout_ms = timeout_ms;
  if (code != SQLITE_OK && frames_seen != -1) care.restart_at_bytes = bytes + kRetryBytes;
  return SQLITE_OK;  // an error would be reported as one of the commit, which has happened
}

}  // namespace

Status keep_wal_small(Connection& connection, WalCare& care) {
  LOCI_ASSIGN_OR_RETURN(const std::optional<int64_t> page_bytes,
                        query_int(connection, "PRAGMA page_size"));
  care.page_bytes = page_bytes.value_or(0);
  sqlite3_wal_hook(connection.handle(), after_commit, &care);
  return connection.exec(base::str_cat("PRAGMA journal_size_limit = ", kWalLimitBytes));
}

}  // namespace loci::sqlite

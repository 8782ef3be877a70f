// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "sqlite/connection.h"
#include "store/log_compactor.h"

namespace loci::db {

/// Keeps the log of a database small, after the commits of this process. Nothing of it reaches a
/// caller: what could not be done now is done after a later commit.
///
/// Threads: the one that holds the writer.
class LogCare {
 public:
  /// After a commit, outside of any transaction. newest_scn: the newest entry that was written.
  void after_commit(sqlite::Connection& connection, int64_t newest_scn) noexcept;
  /// Whether this process has written at all.
  [[nodiscard]] bool has_written() const noexcept { return newest_scn_ != 0; }
  /// When the database is closed: goes on with what is due, for a bounded time. A process that
  /// writes a row and ends would never come to the end of a long log.
  void before_close(sqlite::Connection& connection) noexcept;

 private:
  /// Returns whether there is more to do.
  bool slice(sqlite::Connection& connection, int64_t entries) noexcept;

  store::LogCompactor compactor_;
  int64_t newest_scn_ = 0;
};

}  // namespace loci::db

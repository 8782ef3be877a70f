// SPDX-License-Identifier: Apache-2.0
//
// What state the file is in, told without a transaction around the search.
#pragma once

#include <cstdint>
#include <optional>

#include "base/mutex.h"
#include "sqlite/connection.h"
#include "store/log.h"

namespace loci::db {

/// The newest state that a search of this process saw, and the wal-index header it was seen under.
/// While the header stays, so does the state: then a search needs no transaction, which would cost
/// more than the search of a small collection and hold up other threads.
///
/// Threads: safe from any thread.
class Freshness {
 public:
  /// The state of the file now. Where others have committed since, the log says it, in a snapshot
  /// that begins and ends here: that costs less than a transaction around the search.
  /// nullopt: nobody has remembered a state yet, commits go on meanwhile, or the log cannot be
  /// read.
  std::optional<store::FileState> now(sqlite::Connection& connection) {
    const std::optional<sqlite::WalStamp> stamp = connection.wal_stamp();
    if (!stamp.has_value()) return std::nullopt;
    {
      const base::MutexLock lock(mu_);
      if (!stamp_.has_value()) return std::nullopt;
      if (stamp == stamp_) return state_;
    }
    const Result<std::optional<store::FileState>> state = store::file_state(connection);
    const bool known = state.has_value() && state->has_value();
    if (!known || stamp != connection.wal_stamp()) return std::nullopt;
    remember(*stamp, **state);
    return *state;
  }
  /// `state` was read in a snapshot during which the header was `stamp`.
  void remember(const sqlite::WalStamp& stamp, const store::FileState& state) {
    const base::MutexLock lock(mu_);
    stamp_ = stamp;
    state_ = state;
  }

 private:
  base::Mutex mu_;
  std::optional<sqlite::WalStamp> stamp_ LOCI_GUARDED_BY(mu_);
  store::FileState state_ LOCI_GUARDED_BY(mu_);
};

/// The state of the file in which an operation runs.
struct Snapshot {
  int64_t schema_cookie = 0;
  /// Holds rows of this thread's open transaction, perhaps.
  bool uncommitted = false;
  /// Of Database::read: others may have moved on, and it stays.
  bool pinned = false;
  /// The header under which the snapshot was begun, if it stayed the same meanwhile.
  std::optional<sqlite::WalStamp> stamp;
  /// Known beforehand: then no transaction is open, and SQL must not be asked.
  std::optional<store::LogPosition> newest;

  [[nodiscard]] bool open() const noexcept { return !newest.has_value(); }
};

}  // namespace loci::db

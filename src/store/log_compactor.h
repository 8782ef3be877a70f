// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "sqlite/connection.h"
#include "store/log.h"

namespace loci::store {

/// When the log is compacted, and what a follower may cost. docs/limits.md.
struct CompactionLimits {
  /// A pass begins when the log has grown by this, and by twice the rows that it named then.
  int64_t grown_entries = 20000;
  /// The newest entries stay: an image in memory that stands on one need not be built anew.
  int64_t keep_newest = 10000;
  /// A follower that holds back so many superseded entries is too old,
  int64_t held_entries = 100000;
  /// or one that holds back so many and stands on an entry older than this.
  int64_t held_entries_when_aged = 1000;
  int64_t age_days = 30;
  /// Rows remembered at a time, 16 MiB at most: a log of more is read once for each part of them.
  int64_t seen_rows = int64_t{1} << 19U;
};

/// Drops superseded entries of the log, a slice at a time. Its progress is in memory: when it is
/// lost, or another process was faster, nothing is but the time.
/// Threads: one at a time.
class LogCompactor {
 public:
  explicit LogCompactor(const CompactionLimits& limits = {}) : limits_(limits) {}

  /// Whether a slice has something to do when `newest_scn` is the newest entry. Costs a comparison,
  /// and now and then a look at loci_meta.
  Result<bool> due(sqlite::Connection& connection, int64_t newest_scn);
  /// Begins or goes on with a pass: reads about `entries` of the log and drops what it may, in one
  /// transaction of its own (a savepoint in the caller's). Returns whether the pass goes on.
  Result<bool> slice(sqlite::Connection& connection, int64_t entries);
  [[nodiscard]] int64_t dropped() const noexcept { return dropped_; }  ///< since it was made

 private:
  struct Follower {
    std::string name;
    int64_t source = 0;
    int64_t scn = 0;
    int64_t hlc = 0;
  };
  struct Key {
    int64_t source = 0;  // negative: the resets of a source; 0: a free slot
    int64_t rid = 0;
  };
  /// Numbers of entries to drop that follow one another in the log.
  struct Range {
    int64_t first = 0, last = 0, count = 0;
  };
  enum class Seen : uint8_t { kNew, kBefore, kNoRoom };

  Status begin(sqlite::Connection& connection);
  Result<bool> still_valid(sqlite::Connection& connection) const;
  Result<bool> work(sqlite::Connection& connection, int64_t entries);
  Status read_followers(sqlite::Connection& connection);
  /// Returns whether the end of the log was reached.
  Result<bool> scan(sqlite::Connection& connection, int64_t entries, std::vector<Range>& ranges);
  [[nodiscard]] bool may_drop(int64_t scn, int64_t source);
  void clear_seen();
  Seen see(const Key& key);
  Result<bool> finish(sqlite::Connection& connection);
  Result<bool> mark_too_old(sqlite::Connection& connection);

  const CompactionLimits limits_;
  int64_t check_at_ = 0;  ///< not due before this entry
  int64_t dropped_ = 0;

  // The pass.
  bool running_ = false;
  LogPosition anchor_;         ///< the newest entry when it began
  int64_t compacted_scn_ = 0;  ///< of loci_meta when it began
  uint64_t parts_ = 1;         ///< rows are taken in so many parts, one after the other
  uint64_t part_ = 0;
  int64_t below_ = 0;                    ///< entries from here on are read
  int64_t position_ = 0;                 ///< how many of them were read, in this part
  int64_t live_ = 0;                     ///< rows that were met
  std::map<std::string, int64_t> held_;  ///< by follower: superseded entries that it holds back
  std::vector<Follower> followers_;      ///< those that count, read anew for each slice
  std::vector<int64_t> kept_scns_;       ///< entries that followers stand on, sorted
  std::vector<Key> seen_;
  size_t seen_count_ = 0;
};

}  // namespace loci::store

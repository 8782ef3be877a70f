// SPDX-License-Identifier: Apache-2.0
//
// Dropping superseded entries of the log in slices.
//
// Idea. The log is read from its newest entry backwards; an entry of a row that was met before is
// superseded. That an entry is superseded never changes: a newer one of the row is there, and is
// dropped only for one that is newer still. So a pass may be spread over many short transactions.
// What it remembers are the rows that it has met, in a table of bounded size; where the log may
// have more rows than fit, they are taken in parts by their hash, and the log is read once for
// each. No index: one on (source, rid) would be paid by every insert of every program.
//
// Invariants.
//  1. An entry is dropped only if a newer one of its row is in the log; a reset only for a reset.
//  2. It is not the newest, nor one of the newest limits.keep_newest, nor does a follower stand on
//     it.
//  3. It is below every follower of its source that counts: one that is too old does not, nor one
//     that stands on no entry of this log, which must start anew in any case.
//  4. Before each slice the newest entry of the pass's beginning must still be there with its
//     token: else the log is another one (restored), and what was met in it means nothing.
//  5. Nobody waits for a slice but by SQLite's own write lock, for the time of one slice.
//
// Cost. On a busy machine reading took 0.3 us an entry, dropping single entries 4 us each; those
// that lie side by side go by one statement. A pass begins when the log has grown by
// limits.grown_entries and by twice the rows that it names, so while nothing is superseded each
// entry is read about 1.5 times in all.
//
// Tested by log_compactor_test.cc.
#include "store/log_compactor.h"

#include <algorithm>
#include <bit>
#include <optional>

#include "base/clock.h"
#include "base/log.h"
#include "base/strings.h"
#include "sqlite/query.h"
#include "store/meta.h"

namespace loci::store {
namespace {

constexpr std::string_view kCompactedScn = "log_compacted_scn";
constexpr std::string_view kLiveEntries = "log_live_entries";
constexpr int64_t kDayMs = int64_t{86400} * 1000;
constexpr size_t kMaxRanges = 1024;  // dropped by one slice: each is a statement

Result<int64_t> read_meta(sqlite::Connection& connection, std::string_view key) {
  LOCI_ASSIGN_OR_RETURN(const std::optional<int64_t> value, meta_int(connection, key));
  return value.value_or(0);
}

uint64_t mix(uint64_t value) noexcept {  // the finalizer of splitmix64
  value ^= value >> 30U;
  value *= 0xBF58476D1CE4E5B9U;
  value ^= value >> 27U;
  value *= 0x94D049BB133111EBU;
  return value ^ (value >> 31U);
}

}  // namespace

Result<bool> LogCompactor::due(sqlite::Connection& connection, int64_t newest_scn) {
  if (running_) return true;
  if (newest_scn < check_at_) return false;
  LOCI_ASSIGN_OR_RETURN(const int64_t compacted, read_meta(connection, kCompactedScn));
  LOCI_ASSIGN_OR_RETURN(const int64_t live, read_meta(connection, kLiveEntries));
  check_at_ = compacted + 2 * live + limits_.grown_entries;
  return newest_scn >= check_at_;
}

Result<bool> LogCompactor::slice(sqlite::Connection& connection, int64_t entries) {
  LOCI_ASSIGN_OR_RETURN(sqlite::Transaction transaction,
                        sqlite::Transaction::begin(connection, sqlite::Transaction::Kind::kWrite));
  Result<bool> more = work(connection, entries);
  if (!more.has_value()) {
    running_ = false;
    return more.error();
  }
  Status committed = transaction.commit();
  if (!committed.ok()) {
    running_ = false;  // what it has counted as dropped is there still
    return committed;
  }
  return more;
}

Result<bool> LogCompactor::work(sqlite::Connection& connection, int64_t entries) {
  if (running_) {
    LOCI_ASSIGN_OR_RETURN(running_, still_valid(connection));
    if (!running_) return false;
  } else {
    LOCI_RETURN_IF_ERROR(begin(connection));
    if (!running_) return false;
  }
  LOCI_RETURN_IF_ERROR(read_followers(connection));
  std::vector<Range> ranges;
  LOCI_ASSIGN_OR_RETURN(const bool end, scan(connection, entries, ranges));
  for (const Range& range : ranges) {
    LOCI_RETURN_IF_ERROR(sqlite::run(connection, "DELETE FROM loci_log WHERE scn BETWEEN ?1 AND ?2",
                                     range.first, range.last));
    dropped_ += range.count;
  }
  if (!end) return true;
  if (++part_ < parts_) {
    below_ = anchor_.scn + 1;
    position_ = 0;
    clear_seen();
    return true;
  }
  return finish(connection);
}

Status LogCompactor::begin(sqlite::Connection& connection) {
  LOCI_ASSIGN_OR_RETURN(anchor_, newest(connection));
  if (anchor_.scn == 0) return {};
  LOCI_ASSIGN_OR_RETURN(compacted_scn_, read_meta(connection, kCompactedScn));
  LOCI_ASSIGN_OR_RETURN(const int64_t live, read_meta(connection, kLiveEntries));
  const int64_t most =
      std::max(live, int64_t{0}) + std::max(anchor_.scn - compacted_scn_, int64_t{1});
  const int64_t rows = std::min(most, limits_.seen_rows);
  parts_ = static_cast<uint64_t>(1 + (most - 1) / limits_.seen_rows);
  part_ = 0;
  below_ = anchor_.scn + 1;
  position_ = 0;
  live_ = 0;
  held_.clear();
  seen_.assign(std::bit_ceil(static_cast<size_t>(2 * rows)), {});
  seen_count_ = 0;
  running_ = true;
  return {};
}

Result<bool> LogCompactor::still_valid(sqlite::Connection& connection) const {
  LOCI_ASSIGN_OR_RETURN(
      const std::optional<int64_t> token,
      sqlite::query_int(connection, "SELECT token FROM loci_log WHERE scn = ?1", anchor_.scn));
  LOCI_ASSIGN_OR_RETURN(const int64_t compacted, read_meta(connection, kCompactedScn));
  return token == anchor_.token && compacted == compacted_scn_;
}

Status LogCompactor::read_followers(sqlite::Connection& connection) {
  followers_.clear();
  kept_scns_.clear();
  LOCI_ASSIGN_OR_RETURN(
      sqlite::Statement select,
      connection.cached("SELECT f.name, f.source, f.scn, e.hlc FROM loci_followers AS f JOIN "
                        "loci_log AS e ON e.scn = f.scn AND e.token = f.token "
                        "WHERE f.state <> 'too_old'"));
  LOCI_RETURN_IF_ERROR(sqlite::for_each_row(select, [&](sqlite::Statement& row) -> Status {
    followers_.push_back({.name = std::string(row.column_text(0)),
                          .source = row.column_int(1),
                          .scn = row.column_int(2),
                          .hlc = row.column_int(3)});
    kept_scns_.push_back(followers_.back().scn);
    return {};
  }));
  std::sort(kept_scns_.begin(), kept_scns_.end());
  return connection.values_whole();
}

Result<bool> LogCompactor::scan(sqlite::Connection& connection, int64_t entries,
                                std::vector<Range>& ranges) {
  LOCI_ASSIGN_OR_RETURN(sqlite::Statement select,
                        connection.cached("SELECT scn, source, rid, op FROM loci_log "
                                          "WHERE scn < ?1 ORDER BY scn DESC LIMIT ?2"));
  LOCI_RETURN_IF_ERROR(sqlite::bind_all(select, below_, entries));
  bool in_range = false;
  int64_t read = 0;
  for (; ranges.size() < kMaxRanges; ++read) {
    LOCI_ASSIGN_OR_RETURN(const bool there, select.step());
    if (!there) return read < entries;
    const int64_t scn = select.column_int(0);
    const int64_t source = select.column_int(1);
    const int64_t rid = select.column_int(2);
    const bool reset = select.column_int(3) == static_cast<int64_t>(LogOp::kReset);
    below_ = scn;
    ++position_;
    bool drop = false;
    if (source > 0) {  // nothing else is written by a trigger
      const Key key = reset ? Key{-source, 0} : Key{source, rid};
      const Seen seen = see(key);
      live_ += seen == Seen::kNew ? 1 : 0;
      drop = seen == Seen::kBefore && may_drop(scn, source);
    }
    if (!drop) {
      in_range = false;
    } else if (in_range) {
      ranges.back().first = scn;
      ++ranges.back().count;
    } else {
      ranges.push_back({.first = scn, .last = scn, .count = 1});
      in_range = true;
    }
  }
  return false;
}

bool LogCompactor::may_drop(int64_t scn, int64_t source) {
  if (position_ <= limits_.keep_newest || scn == anchor_.scn) return false;
  if (std::binary_search(kept_scns_.begin(), kept_scns_.end(), scn)) return false;
  bool held = false;
  for (const Follower& follower : followers_) {
    if (follower.source != source || scn < follower.scn) continue;
    ++held_[follower.name];
    held = true;
  }
  return !held;
}

void LogCompactor::clear_seen() {
  std::fill(seen_.begin(), seen_.end(), Key{});
  seen_count_ = 0;
}

LogCompactor::Seen LogCompactor::see(const Key& key) {
  const uint64_t hash =
      mix(static_cast<uint64_t>(key.rid) ^ mix(static_cast<uint64_t>(key.source)));
  if (hash % parts_ != part_) return Seen::kNoRoom;
  const size_t mask = seen_.size() - 1;
  // The upper bits: the lower ones are alike within a part.
  for (size_t slot = static_cast<size_t>(hash >> 20U) & mask;; slot = (slot + 1) & mask) {
    Key& there = seen_[slot];
    if (there.source == key.source && there.rid == key.rid) return Seen::kBefore;
    if (there.source != 0) continue;
    if (seen_count_ >= seen_.size() / 4 * 3) return Seen::kNoRoom;
    there = key;
    ++seen_count_;
    return Seen::kNew;
  }
}

Result<bool> LogCompactor::mark_too_old(sqlite::Connection& connection) {
  bool marked = false;
  const int64_t now_ms = base::now_us() / 1000;
  for (const Follower& follower : followers_) {
    const auto found = held_.find(follower.name);
    const int64_t held = found == held_.end() ? 0 : found->second;
    const bool aged = now_ms - base::hlc_ms(follower.hlc) > limits_.age_days * kDayMs;
    if (held <= limits_.held_entries && !(aged && held > limits_.held_entries_when_aged)) continue;
    LOCI_RETURN_IF_ERROR(sqlite::run(
        connection, "UPDATE loci_followers SET state = 'too_old' WHERE name = ?1", follower.name));
    base::log(LogLevel::kInfo,
              base::str_cat("follower '", follower.name, "' holds back ", held,
                            " superseded log entries: it is too old, and starts anew when it "
                            "comes back"));
    marked = true;
  }
  return marked;
}

Result<bool> LogCompactor::finish(sqlite::Connection& connection) {
  running_ = false;
  seen_ = {};
  LOCI_ASSIGN_OR_RETURN(const bool marked, mark_too_old(connection));
  if (marked) return true;  // another pass, at once: what they held may go now
  LOCI_RETURN_IF_ERROR(set_meta_int(connection, kCompactedScn, anchor_.scn));
  LOCI_RETURN_IF_ERROR(set_meta_int(connection, kLiveEntries, live_));
  check_at_ = 0;
  return false;
}

}  // namespace loci::store

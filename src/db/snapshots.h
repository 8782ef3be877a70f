// SPDX-License-Identifier: Apache-2.0
//
// The folder beside a database in which its snapshots lie.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "base/mutex.h"
#include "base/os_file.h"
#include "index/snapshot_file.h"
#include "loci/database.h"
#include "sqlite/connection.h"
#include "store/followers.h"

namespace loci::db {

/// Threads: safe from any thread.
class Snapshots {
 public:
  /// `path`: of the database, as SQLite resolved it.
  Snapshots(base::FileSystem& files, std::string path, const DatabaseOptions& options);

  /// Why none are written; empty when they are.
  [[nodiscard]] const std::string& off() const noexcept { return off_; }
  /// Whether they are written into the database file.
  [[nodiscard]] bool is_inline() const noexcept { return inline_; }

  /// The snapshot that counts for `source` in the connection's open read snapshot; null when there
  /// is none, or none that can be used (which is logged).
  Result<std::shared_ptr<index::SnapshotFile>> open(sqlite::Connection& connection, int64_t source);
  /// `file` was found damaged: it is not opened again in this process.
  void distrust(const index::SnapshotFile& file, const Status& why);

  /// kCorruption when the snapshot that counts for `source` is there and damaged.
  Status verify(sqlite::Connection& connection, int64_t source);

  /// The right to write a snapshot beside the database, held by one program at a time; null while
  /// another holds it.
  Result<std::unique_ptr<base::File>> try_lock();
  /// The same, waited for up to the busy time-out (kBusy); null where no snapshots are written.
  Result<std::unique_ptr<base::File>> lock();
  /// What is known of a snapshot before it is written.
  struct Plan {
    index::SnapshotRoot root;  ///< write() gives it an id
    int64_t purge_count = 0;   ///< of the database, when the rows were read
    /// Somebody has asked for the snapshot: wait as long as for any write; else shortly.
    bool asked_for = false;
  };
  /// Writes a snapshot under an id that nobody knows yet. `fill` writes the segments; `written` is
  /// called before the file is synced, which may take long.
  Result<store::SnapshotRecord> write(const Plan& plan,
                                      const std::function<Status(index::SnapshotWriter&)>& fill,
                                      const std::function<void()>& written);
  /// Makes `record` count, in a transaction of its own that survives power loss, and removes what
  /// counts no longer. kBusy when another program is writing: the snapshot is removed again.
  Status record(const Plan& plan, const store::SnapshotRecord& record);
  /// Removes every file of the folder that `keep` does not name. Who reads one keeps what it has.
  /// Errors: the first; the other files are removed all the same.
  Status sweep(const std::vector<store::SnapshotRecord>& keep);

  [[nodiscard]] const std::string& folder() const noexcept { return folder_; }

 private:
  /// A connection of our own to the database, and how long it waits for other writers.
  Result<std::unique_ptr<sqlite::Connection>> connect(const Plan& plan, bool full_sync) const;
  using OpenedFile = Result<std::shared_ptr<index::SnapshotFile>>;
  /// The outer error is the database's, whose transaction may be over; the inner one the
  /// snapshot's, without which one can do.
  Result<OpenedFile> open_recorded(sqlite::Connection& connection,
                                   const store::SnapshotRecord& record);
  Result<uint64_t> write_file(const Plan& plan,
                              const std::function<Status(index::SnapshotWriter&)>& fill,
                              const std::function<void()>& written);
  Result<uint64_t> write_inline(const Plan& plan,
                                const std::function<Status(index::SnapshotWriter&)>& fill,
                                const std::function<void()>& written);
  [[nodiscard]] std::string why_off(const DatabaseOptions& options) const;
  [[nodiscard]] std::string file_of(const index::SnapshotId& id) const;
  Status make_folder();
  Status like_the_database(const std::string& path, bool folder);
  Status sync_and_name(base::File& file, const std::string& made, const index::SnapshotId& id);

  base::FileSystem& files_;  // must outlive this
  const std::string path_;
  const std::string folder_;
  const int busy_timeout_ms_;
  const bool inline_;
  const std::string off_;
  index::SnapshotFile::Access access_ = index::SnapshotFile::Access::kMap;
  base::Mutex mu_;
  std::set<index::SnapshotId> distrusted_ LOCI_GUARDED_BY(mu_);
};

}  // namespace loci::db

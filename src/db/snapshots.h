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

  /// The snapshot that counts for `source` in the connection's open read snapshot; null when there
  /// is none, or none that can be used (which is logged).
  Result<std::shared_ptr<index::SnapshotFile>> open(sqlite::Connection& connection, int64_t source);
  /// `file` was found damaged: it is not opened again in this process.
  void distrust(const index::SnapshotFile& file, const Status& why);

  /// The right to write a snapshot, held by one program at a time; null while another holds it.
  Result<std::unique_ptr<base::File>> try_lock();
  /// The same, waited for up to the busy time-out (kBusy); null where no snapshots are written.
  Result<std::unique_ptr<base::File>> lock();
  /// Writes a snapshot under a name that nobody knows yet. `fill` writes the segments; `written` is
  /// called before the file is synced, which may take long.
  Result<store::SnapshotRecord> write(index::SnapshotRoot root,
                                      const std::function<Status(index::SnapshotWriter&)>& fill,
                                      const std::function<void()>& written);
  /// Makes `record` count, in a transaction of its own that survives power loss, and removes files
  /// that count no longer. kBusy when another program is writing: the file is removed again.
  /// asked_for  somebody has asked for the snapshot: wait as long as for any write; else shortly
  Status record(const store::SnapshotRecord& record, bool asked_for);
  /// Removes every file of the folder that `keep` does not name. Who reads one keeps what it has.
  /// Errors: the first; the other files are removed all the same.
  Status sweep(const std::vector<store::SnapshotRecord>& keep);

  [[nodiscard]] const std::string& folder() const noexcept { return folder_; }

 private:
  [[nodiscard]] std::string why_off(const DatabaseOptions& options) const;
  [[nodiscard]] std::string file_of(const index::SnapshotId& id) const;
  Status make_folder();
  Status like_the_database(const std::string& path, bool folder);
  Status sync_and_name(base::File& file, const std::string& made, const index::SnapshotId& id);

  base::FileSystem& files_;  // must outlive this
  const std::string path_;
  const std::string folder_;
  const int busy_timeout_ms_;
  const std::string off_;
  index::SnapshotFile::Access access_ = index::SnapshotFile::Access::kMap;
  base::Mutex mu_;
  std::set<index::SnapshotId> distrusted_ LOCI_GUARDED_BY(mu_);
};

}  // namespace loci::db

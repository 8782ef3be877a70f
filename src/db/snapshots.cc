// SPDX-License-Identifier: Apache-2.0
//
// Snapshots are derived: whatever happens to them, the rows are in the database. So a reader asks
// the database, in its own read snapshot, which file counts; opens it by that name; and takes it
// only if its root is the one recorded. Everything else is no snapshot, and the rows are read.
//
// A file is named by its root's random id and written once. The steps of making one:
//   1. write ID.making (segments, table, root) and sync it;
//   2. rename it to ID.snapshot and sync the folder;
//   3. record it in loci_followers, in a transaction with synchronous=FULL that first looks whether
//      the log entry that it stands on is (still) there;
//   4. remove the files that no record names.
// A crash before 3 leaves a file that nobody knows; the next maker removes it in step 4. After 3
// the file is on disk for sure. A power loss that sets the database back (synchronous=NORMAL) sets
// the record back with the rows, and the older file is still there unless step 4 took it: then the
// rows are read.
//
// Inside the database (SnapshotMode::kInline) a snapshot is rows of loci_snapshots, a part of 1 MiB
// each, under the same id: written in a transaction each, counted and recorded in the last one.
// Parts that no record names are removed by the next maker, which the one in progress notices.
//
// Locks. A maker of a file holds an exclusive lock on the file `lock`, which is only ever tried
// for. Readers need none: a file is never changed under its name, and what a reader has mapped
// stays when the name is taken away. (When files are changed in place one day, readers must say
// what they use.) Step 3 waits for SQLite's write lock for a moment at most, and nobody who has
// that one waits for ours. Inside the database SQLite's own locks do; a purge is told by its count.
//
// Tested by tests/snapshot_test.cc.
#include "db/snapshots.h"

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include "base/clock.h"
#include "base/ids.h"
#include "base/log.h"
#include "base/strings.h"
#include "db/parts_file.h"
#include "store/snapshot_parts.h"

namespace loci::db {
namespace {

constexpr std::string_view kSuffix = ".snapshot";
constexpr std::string_view kMaking = ".making";
/// A snapshot that nobody has asked for gives way to writers.
constexpr int kRecordWaitMs = 250;

bool ends_with(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

index::SnapshotRoot root_of(const store::SnapshotRecord& record) {
  index::SnapshotRoot root;
  root.database = record.database;
  root.id = record.root;
  root.source = record.source;
  root.generation = record.generation;
  root.scn = record.position.scn;
  root.token = record.position.token;
  return root;
}

/// A purge has removed rows that a snapshot of this plan may hold.
Status refuse_purged(sqlite::Connection& connection, const Snapshots::Plan& plan) {
  LOCI_ASSIGN_OR_RETURN(const int64_t count, store::purge_count(connection));
  if (count == plan.purge_count) return {};
  return Status::failed_precondition(base::str_cat(
      "snapshot of source ", plan.root.source, ": rows were purged while it was being written"));
}

}  // namespace

Snapshots::Snapshots(base::FileSystem& files, std::string path, const DatabaseOptions& options)
    : files_(files),
      path_(std::move(path)),
      folder_(path_ + "-loci"),
      busy_timeout_ms_(options.busy_timeout_ms),
      inline_(options.snapshot == SnapshotMode::kInline),
      off_(why_off(options)) {
  // On a network file system a mapping may not see what others write, or fail when read.
  const auto on_network = [&] {
    const Result<bool> network = files_.is_network(base::parent_directory(path_));
    return !network.has_value() || *network;
  };
  if (!options.snapshot_mmap || (off_.empty() && on_network())) {
    access_ = index::SnapshotFile::Access::kRead;
  }
}

std::string Snapshots::why_off(const DatabaseOptions& options) const {
  if (path_.empty()) return "the database is in memory";
  if (options.snapshot == SnapshotMode::kMemory) return "the option snapshot is 'memory'";
  return {};
}

std::string Snapshots::file_of(const index::SnapshotId& id) const {
  return base::str_cat(folder_, "/", index::snapshot_file_name(id));
}

Result<std::shared_ptr<index::SnapshotFile>> Snapshots::open(sqlite::Connection& connection,
                                                             int64_t source) {
  const std::shared_ptr<index::SnapshotFile> none;
  if (!off_.empty()) return none;
  LOCI_ASSIGN_OR_RETURN(const std::optional<store::SnapshotRecord> record,
                        store::find_snapshot(connection, source));
  if (!record.has_value()) return none;
  if (record->too_old) {
    base::log(LogLevel::kInfo, base::str_cat("snapshot of source ", source, " is too old: the log ",
                                             "has gone on without it; the rows are read instead"));
    return none;
  }
  {
    const base::MutexLock lock(mu_);
    if (distrusted_.count(record->root) != 0) return none;
  }
  LOCI_ASSIGN_OR_RETURN(OpenedFile file, open_recorded(connection, *record));
  if (file.has_value()) return std::move(*file);
  // A copy of the database without its folder is nothing to speak of.
  const bool absent = file.error().code() == StatusCode::kNotFound;
  base::log(absent ? LogLevel::kInfo : LogLevel::kWarning,
            base::str_cat(file.error().message(), "; the rows are read instead"));
  return none;
}

Result<Snapshots::OpenedFile> Snapshots::open_recorded(sqlite::Connection& connection,
                                                       const store::SnapshotRecord& record) {
  LOCI_ASSIGN_OR_RETURN(const auto database, store::database_uuid(connection));
  if (database != record.database) {
    return OpenedFile(Status::not_found(
        base::str_cat("snapshot of source ", record.source, ": of another database")));
  }
  LOCI_ASSIGN_OR_RETURN(const bool has_parts, store::has_snapshot_parts(connection));
  if (has_parts) {
    LOCI_ASSIGN_OR_RETURN(std::optional<base::Buffer> bytes,
                          store::read_snapshot_parts(connection, record.root));
    if (bytes.has_value()) {
      return index::SnapshotFile::from_bytes(
          *std::move(bytes), base::str_cat(path_, "' inline '", base::to_hex(record.root)),
          root_of(record), record.checksum);
    }
  }
  return index::SnapshotFile::open(files_, file_of(record.root), root_of(record), record.checksum,
                                   access_);
}

Status Snapshots::verify(sqlite::Connection& connection, int64_t source) {
  if (path_.empty()) return {};
  LOCI_ASSIGN_OR_RETURN(const std::optional<store::SnapshotRecord> record,
                        store::find_snapshot(connection, source));
  if (!record.has_value()) return {};
  LOCI_ASSIGN_OR_RETURN(const OpenedFile file, open_recorded(connection, *record));
  if (file.has_value()) return (*file)->verify_all();
  return file.error().code() == StatusCode::kNotFound ? Status() : file.error();
}

void Snapshots::distrust(const index::SnapshotFile& file, const Status& why) {
  base::log(LogLevel::kWarning, base::str_cat(why.message(), "; the rows are read instead"));
  const base::MutexLock lock(mu_);
  distrusted_.insert(file.root().id);
}

Status Snapshots::like_the_database(const std::string& path, bool folder) {
  LOCI_ASSIGN_OR_RETURN(const base::FileInfo database, files_.info(path_));
  LOCI_ASSIGN_OR_RETURN(const base::FileInfo made, files_.info(path));
  // Who may read a file may pass through its folder.
  const uint32_t pass = folder ? (database.mode & 0444U) >> 2U : 0U;
  const uint32_t mode = (database.mode & 0666U) | pass;
  if ((made.mode & 0777U) != mode) LOCI_RETURN_IF_ERROR(files_.set_mode(path, mode));
  if (made.owner == database.owner && made.group == database.group) return {};
  // Only root may give files away; anybody else owns what it makes, as with SQLite's own -wal.
  files_.set_owner(path, database.owner, database.group).ignore();
  return {};
}

Status Snapshots::make_folder() {
  LOCI_ASSIGN_OR_RETURN(const bool there, files_.exists(folder_));
  if (there) return {};
  LOCI_RETURN_IF_ERROR(files_.make_directories(folder_, 0700));
  LOCI_RETURN_IF_ERROR(like_the_database(folder_, true));
  return files_.sync_directory(base::parent_directory(folder_));
}

Result<std::unique_ptr<base::File>> Snapshots::try_lock() {
  LOCI_RETURN_IF_ERROR(make_folder());
  const std::string path = folder_ + "/lock";
  LOCI_ASSIGN_OR_RETURN(std::unique_ptr<base::File> file,
                        files_.open(path, base::OpenMode::kCreate, 0600));
  LOCI_RETURN_IF_ERROR(like_the_database(path, false));
  const Status locked = file->try_lock(base::LockKind::kExclusive, 0, 1);
  if (locked.code() == StatusCode::kBusy) return std::unique_ptr<base::File>();
  LOCI_RETURN_IF_ERROR(locked);
  return file;
}

Result<std::unique_ptr<base::File>> Snapshots::lock() {
  if (!off_.empty() || inline_) {
    LOCI_ASSIGN_OR_RETURN(const bool there,
                          path_.empty() ? Result<bool>(false) : files_.exists(folder_));
    if (!there) return std::unique_ptr<base::File>();
  }
  const int64_t start_ns = base::monotonic_ns();
  for (;;) {
    LOCI_ASSIGN_OR_RETURN(std::unique_ptr<base::File> file, try_lock());
    if (file != nullptr) return file;
    if (base::monotonic_ns() - start_ns > busy_timeout_ms_ * int64_t{1000000}) {
      return Status::busy(base::str_cat("'", folder_, "': another program has been writing a ",
                                        "snapshot for ", busy_timeout_ms_, " ms"));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

Status Snapshots::sync_and_name(base::File& file, const std::string& made,
                                const index::SnapshotId& id) {
  LOCI_RETURN_IF_ERROR(file.sync());
  LOCI_RETURN_IF_ERROR(like_the_database(made, false));
  LOCI_RETURN_IF_ERROR(files_.rename(made, file_of(id)));
  return files_.sync_directory(folder_);
}

Result<uint64_t> Snapshots::write_file(const Plan& plan,
                                       const std::function<Status(index::SnapshotWriter&)>& fill,
                                       const std::function<void()>& written) {
  const std::string made = base::str_cat(folder_, "/", base::to_hex(plan.root.id), kMaking);
  LOCI_ASSIGN_OR_RETURN(const std::unique_ptr<base::File> file,
                        files_.open(made, base::OpenMode::kCreateNew, 0600));
  index::SnapshotWriter writer(*file, plan.root);
  Status status = fill(writer);
  Result<uint64_t> checksum = status.ok() ? writer.finish() : Result<uint64_t>(status);
  written();
  status = checksum.has_value() ? sync_and_name(*file, made, plan.root.id) : checksum.error();
  if (status.ok()) return checksum;
  files_.remove_file(made).ignore();
  return status;
}

Result<std::unique_ptr<sqlite::Connection>> Snapshots::connect(const Plan& plan,
                                                               bool full_sync) const {
  return sqlite::Connection::open(
      path_, {.create = false,
              .full_sync = full_sync,
              .busy_timeout_ms =
                  plan.asked_for ? busy_timeout_ms_ : std::min(busy_timeout_ms_, kRecordWaitMs)});
}

Result<uint64_t> Snapshots::write_inline(const Plan& plan,
                                         const std::function<Status(index::SnapshotWriter&)>& fill,
                                         const std::function<void()>& written) {
  LOCI_ASSIGN_OR_RETURN(const std::unique_ptr<sqlite::Connection> connection, connect(plan, false));
  LOCI_ASSIGN_OR_RETURN(const bool has_parts, store::has_snapshot_parts(*connection));
  if (!has_parts) {
    return Status::unsupported(base::str_cat(
        "'", path_, "': its schema has no room for snapshots inside the file: migrate it first"));
  }
  // A transaction for each part, so that other writers get their turn.
  const auto put = [&](int64_t number, base::ByteSpan bytes) -> Status {
    LOCI_ASSIGN_OR_RETURN(
        sqlite::Transaction transaction,
        sqlite::Transaction::begin(*connection, sqlite::Transaction::Kind::kWrite));
    LOCI_RETURN_IF_ERROR(refuse_purged(*connection, plan));
    LOCI_RETURN_IF_ERROR(store::put_snapshot_part(*connection, plan.root.id, number, bytes));
    return transaction.commit();
  };
  PartsFile file(store::kSnapshotPartBytes, put);
  index::SnapshotWriter writer(file, plan.root);
  const Status status = fill(writer);
  Result<uint64_t> checksum = status.ok() ? writer.finish() : Result<uint64_t>(status);
  written();
  if (!checksum.has_value()) return checksum;
  LOCI_ASSIGN_OR_RETURN(const int64_t parts, file.finish());
  LOCI_ASSIGN_OR_RETURN(const int64_t kept, store::count_snapshot_parts(*connection, plan.root.id));
  if (kept == parts) return checksum;
  return Status::failed_precondition(
      base::str_cat("snapshot of source ", plan.root.source,
                    ": another program has removed parts of it as those of no snapshot"));
}

Result<store::SnapshotRecord> Snapshots::write(
    const Plan& plan, const std::function<Status(index::SnapshotWriter&)>& fill,
    const std::function<void()>& written) {
  Plan named = plan;
  base::random_bytes(named.root.id);
  LOCI_ASSIGN_OR_RETURN(const uint64_t checksum, inline_ ? write_inline(named, fill, written)
                                                         : write_file(named, fill, written));
  store::SnapshotRecord record;
  record.source = named.root.source;
  record.database = named.root.database;
  record.root = named.root.id;
  record.generation = named.root.generation;
  record.checksum = checksum;
  record.position = {.scn = named.root.scn, .token = named.root.token};
  return record;
}

Status Snapshots::record(const Plan& plan, const store::SnapshotRecord& record) {
  std::vector<store::SnapshotRecord> keep;
  const auto write = [&]() -> Status {
    LOCI_ASSIGN_OR_RETURN(const std::unique_ptr<sqlite::Connection> connection,
                          connect(plan, true));
    LOCI_ASSIGN_OR_RETURN(
        sqlite::Transaction transaction,
        sqlite::Transaction::begin(*connection, sqlite::Transaction::Kind::kWrite));
    LOCI_RETURN_IF_ERROR(refuse_purged(*connection, plan));
    LOCI_ASSIGN_OR_RETURN(const bool has_parts, store::has_snapshot_parts(*connection));
    if (inline_) {
      LOCI_ASSIGN_OR_RETURN(const int64_t parts,
                            store::count_snapshot_parts(*connection, record.root));
      if (parts == 0) return Status::failed_precondition("snapshot: its parts are gone");
    }
    LOCI_RETURN_IF_ERROR(store::record_snapshot(*connection, record));
    if (has_parts) LOCI_RETURN_IF_ERROR(store::drop_unnamed_snapshot_parts(*connection));
    LOCI_ASSIGN_OR_RETURN(keep, store::list_snapshots(*connection));
    return transaction.commit();
  };
  if (Status status = write(); !status.ok()) {
    if (!inline_) files_.remove_file(file_of(record.root)).ignore();
    return status;
  }
  // What is left over costs room until the next snapshot is written, and nothing else.
  const Status swept = sweep(keep);
  if (!swept.ok()) {
    base::log_quietly(LogLevel::kWarning, "an older snapshot is left: ", swept.message());
  }
  return {};
}

Status Snapshots::sweep(const std::vector<store::SnapshotRecord>& keep) {
  const Result<std::vector<std::string>> names = files_.list(folder_);
  if (!names.has_value()) {
    return names.error().code() == StatusCode::kNotFound ? Status() : names.error();
  }
  Status status;
  for (const std::string& name : *names) {
    if (!ends_with(name, kSuffix) && !ends_with(name, kMaking)) continue;
    const bool counts = std::any_of(keep.begin(), keep.end(), [&](const auto& record) {
      return index::snapshot_file_name(record.root) == name;
    });
    if (counts) continue;
    Status removed = files_.remove_file(base::str_cat(folder_, "/", name));
    if (removed.ok() || removed.code() == StatusCode::kNotFound) continue;
    if (status.ok()) status = std::move(removed);
  }
  return status;
}

}  // namespace loci::db

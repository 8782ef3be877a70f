// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "loci/collection.h"

namespace loci {

namespace db {
class DatabaseImpl;
}

/// What survives a power failure. A process crash loses no commit in either.
enum class Durability : uint8_t {
  kNormal,  ///< WAL, synchronous=NORMAL: power loss may undo the last commits, never part of one
  kFull,    ///< synchronous=FULL: power loss undoes no commit
};

/// Where the search image is kept between processes. It is derived: the rows are in the database,
/// and what is missing or damaged is made anew.
enum class SnapshotMode : uint8_t {
  kFile,    ///< in the folder PATH-loci beside the database, with its mode and owner
  kInline,  ///< inside the database file: one file in all, and copies of it start warm too; the
            ///< file is twice as large, and a new process reads the image instead of mapping it
  kMemory,  ///< nowhere: every process builds it from the rows
};

struct DatabaseOptions {
  bool create = true;      ///< make the file and its folders when absent
  bool read_only = false;  ///< never writes; works on read-only files and folders
  Durability durability = Durability::kNormal;
  int busy_timeout_ms = 5000;                   ///< how long a writer waits for another
  SnapshotMode snapshot = SnapshotMode::kFile;  ///< where they are written; found wherever they are
  /// Maps snapshots; false: reads them into memory. A mapped file that someone shortens in place (a
  /// copy written over it) ends the process; one that is replaced or removed does no harm.
  bool snapshot_mmap = true;
  /// Snapshots that are due are written by a thread that the Database starts for that; false: by
  /// the call that finds them due, before it returns.
  bool background = true;
  /// A vector column of so many rows gets a graph: searches that ask for a recall below 1 are then
  /// answered by it. 0: never. Below some 10,000 rows the exact scan is as fast.
  size_t graph_rows = 10000;
};

/// How far the building of a graph is.
struct IndexProgress {
  std::string_view column;  ///< of vectors; valid during the call
  size_t done = 0;          ///< rows
  size_t total = 0;
};

/// How graphs are built, in the words of HNSW.
struct IndexOptions {
  size_t m = 0;                ///< a node has up to 2 * m neighbours, 4 to 64; 0: 16
  size_t ef_construction = 0;  ///< candidates kept for a new node, 16 to 1,000; 0: 128
  size_t threads = 1;          ///< that build, 1 to 64
  /// Called between slices of the work, on the calling thread; must not throw.
  std::function<void(const IndexProgress&)> progress = nullptr;
  /// Looked at between slices: true ends the building with kCancelled; rows and searches are as
  /// they were. Must outlive the call.
  const std::atomic<bool>* cancel = nullptr;
};

/// A user's distance: smaller is nearer. Called from several threads; must not throw.
using DistanceFunction = std::function<double(VectorView a, VectorView b)>;

/// An index on a BLOB column of a table of your own. The table stays yours; triggers keep the
/// index current whoever writes.
struct TableIndexSpec {
  std::string name;  ///< of the index; becomes the collection's name
  std::string table;
  VectorColumn vector;                ///< `name` is the BLOB column: little-endian elements
  std::vector<FilterColumn> filters;  ///< existing columns
  std::vector<std::string> text;      ///< existing columns, full-text indexed
  /// Key columns when the table has no INTEGER PRIMARY KEY: one (id) or two (dataset, id).
  std::vector<std::string> key;
};

/// One thing that check() found.
struct CheckFinding {
  std::string object;   ///< collection or table
  std::string kind;     ///< "sqlite", "fts", "log", "orphan_vector", "trigger", ...
  std::string message;  ///< what, which, got, expected, and what to do next
  bool repaired = false;
};

/// One schema migration of the file.
struct MigrationState {
  int version = 0;
  std::string name;
  bool applied = false;
  bool reversible = false;
};

/// One SQLite file with collections in it. Cheap to copy: a handle; the file is closed with the
/// last handle (and Collection). Threads: see Collection. What returns a Status or a Result throws
/// nothing: a lack of memory is kOutOfMemory, an exception of a callback kInternal.
class LOCI_API Database {
 public:
  /// Opens or creates `path` (":memory:" for a private one).
  /// Errors: kNotFound (absent and !create), kInvalidArgument (a directory), kCorruption (not an
  /// SQLite file), kFailedPrecondition (format of a newer Loci), kIoError.
  static Result<Database> open(const std::string& path, const DatabaseOptions& options = {});

  /// Errors: kAlreadyExists, kInvalidArgument (names, dimensions, limits).
  Result<Collection> create_collection(const CollectionSpec& spec);
  /// kNotFound with the names that are there.
  Result<Collection> collection(std::string_view name);
  [[nodiscard]] Result<std::vector<CollectionSpec>> list_collections();
  Status drop_collection(std::string_view name);

  /// Puts an index on a table of the user's own; the Collection it returns is read through
  /// search, get, count and scan, and written by SQL.
  Result<Collection> create_table_index(const TableIndexSpec& spec);

  /// Runs `body` in one write transaction on this thread: every Collection call of this thread
  /// joins it, and its searches see the uncommitted rows. Committed when `body` returns ok, rolled
  /// back otherwise. Nested calls are savepoints.
  Status transaction(const std::function<Status()>& body);

  /// Runs `body` in one read snapshot on this thread: every read and search of this thread sees the
  /// file as it was when `body` began, whatever others commit meanwhile. Writes of this thread are
  /// kFailedPrecondition. Nested, or inside a transaction, it runs in what is open already.
  /// Cost: a search of rows that changed since may have to read its own from the table; and while
  /// it lasts, the write-ahead log grows. Keep it short.
  Status read(const std::function<Status()>& body);

  /// Names a distance for columns with Metric::kCustom. Register before use in each process:
  /// searching such a column without it is kFailedPrecondition naming the metric.
  Status register_metric(std::string_view name, DistanceFunction distance);

  /// Runs one SQL query; calls `row(names, values)` for each row (BLOBs as X'..' text).
  /// Writes are allowed unless the database is read-only.
  Status sql(std::string_view query,
             const std::function<Status(std::span<const std::string> names,
                                        std::span<const Value> values)>& row);

  /// Verifies everything (SQLite, FTS5, log, followers, orphans, triggers); with `repair` mends
  /// what is derived. An empty list is a clean file. Progress is cancelled by nothing: O(file).
  Result<std::vector<CheckFinding>> check(bool repair = false);
  /// Drops and rebuilds what is derived of one collection: FTS5, triggers, image, graphs, snapshot.
  /// Searches go on meanwhile. Errors: kInvalidArgument (options), kCancelled: only the graphs are
  /// missing then.
  Status reindex(std::string_view name, const IndexOptions& options = {});
  /// Writes the collection's search image beside the database, for other processes and the next
  /// start; ok when there is nothing to do or another process is at it. Also done by itself: by a
  /// search or a write that finds many rows changed since the last one, and when the database is
  /// closed. Not inside a transaction (kFailedPrecondition).
  /// Graphs that are missing (DatabaseOptions::graph_rows) or lack rows are completed first; else a
  /// thread of the Database does that after a search has found it due. One that was built with
  /// another m or ef_construction than `options` gives is built anew. Errors: as reindex.
  /// Cost: writes the codes and vectors of all rows; a graph some 50 us a row at 384 dimensions.
  Status publish(std::string_view name, const IndexOptions& options = {});
  /// A consistent copy to `path`, which must not exist (VACUUM INTO).
  Status backup(const std::string& path);

  [[nodiscard]] Result<std::vector<MigrationState>> migrations();
  /// Moves the schema up (or down) to `version`; -1 is the newest. In one transaction.
  Status migrate(int version = -1);

  [[nodiscard]] const std::string& path() const;

  explicit Database(std::shared_ptr<db::DatabaseImpl> impl);  ///< for internal use

 private:
  std::shared_ptr<db::DatabaseImpl> impl_;  // owners: Database and Collection handles
};

/// "0.1.0".
[[nodiscard]] LOCI_API std::string_view version() noexcept;
/// The SQLite that is linked, such as "3.53.2".
[[nodiscard]] LOCI_API std::string_view sqlite_version() noexcept;
/// The SIMD tier in use: "scalar", "avx2", "avx512", "avx512vnni", "neon".
/// kInvalidArgument when LOCI_SIMD names a tier that is unknown or that this CPU lacks.
[[nodiscard]] LOCI_API Result<std::string> simd_tier();

enum class LogLevel : uint8_t { kError, kWarning, kInfo, kDebug };
/// Receives the library's messages; null drops them (the default). Process-wide; thread-safe.
using LogHook = std::function<void(LogLevel, std::string_view)>;
LOCI_API void set_log_hook(LogHook hook);

}  // namespace loci

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "base/mutex.h"
#include "db/background.h"
#include "db/catalog.h"
#include "db/connections.h"
#include "db/freshness.h"
#include "db/log_care.h"
#include "db/snapshots.h"
#include "loci/database.h"
#include "store/log.h"

namespace loci::db {

/// What the handles of one database share: its connections, catalog, embedders and metrics.
///
/// Threads: safe from any thread.
class DatabaseImpl {
  struct Private {
    explicit Private() = default;
  };  // lets make_shared reach the constructor, and nobody else

 public:
  DatabaseImpl(Private /*key*/, std::unique_ptr<Connections> connections,
               const DatabaseOptions& options);
  DatabaseImpl(const DatabaseImpl&) = delete;
  DatabaseImpl& operator=(const DatabaseImpl&) = delete;
  /// Waits for the snapshot that is being written, and writes those that are due.
  ~DatabaseImpl();
  static Result<std::shared_ptr<DatabaseImpl>> open(const std::string& path,
                                                    const DatabaseOptions& options);

  using EntryPtr = std::shared_ptr<const CatalogEntry>;

  /// Runs `body` in a write transaction (a savepoint inside one of this thread's own).
  Status write(const std::function<Status(sqlite::Connection&)>& body);
  /// write() on one source, attached again first when its triggers were lost; rows that other
  /// programs left pending are embedded in the same transaction.
  Status write_source(std::string_view name,
                      const std::function<Status(sqlite::Connection&, const CatalogEntry&)>& body);
  /// Runs `body` with one read snapshot for all that this thread reads, begun here.
  Status read(const std::function<Status()>& body);
  using ReadBody = std::function<Status(sqlite::Connection&, const CatalogEntry&, const Snapshot&)>;
  /// Runs `body` in one read snapshot.
  Status read_source(std::string_view name, const ReadBody& body);
  /// Runs `body` without a transaction if the file is known to be as a search last saw it; returns
  /// whether it ran. The snapshot is not open then: no SQL may be asked of the connection.
  Result<bool> read_unchanged(std::string_view name, const ReadBody& body);

  /// A view of what the snapshot sees of an entry; nullopt asks the caller for a newer snapshot,
  /// or for an open one.
  Result<std::optional<ImageView>> image_view(sqlite::Connection& connection,
                                              const CatalogEntry& entry, const Snapshot& snapshot);

  /// What the search of a view failed with: ok when that was damage of the snapshot that the view
  /// came from, which is not used again; else `why`. Ends the view.
  Status distrust(const CatalogEntry& entry, ImageView view, const Status& why);

  enum class Publish : uint8_t { kIfLong, kIfChanged, kAnyway };
  /// Writes a snapshot of a source; ok when there is nothing to do or another program is at it
  /// (kAnyway waits for that one first).
  /// kFailedPrecondition inside a transaction of this thread.
  Status publish(std::string_view name, Publish when);
  /// publish() by ourselves: errors are logged.
  void publish_quietly(std::string_view name, Publish when);
  /// Builds the graphs that the source should have, and completes those that lack more than `tail`
  /// rows. One thread of all processes at a time, where snapshots are files: kBusy for the others.
  /// Errors: kInvalidArgument (options), kCancelled.
  Status tend_graphs(std::string_view name, const IndexOptions& options, size_t tail);
  /// What has become due, on another thread, when the source's image has asked for it; errors are
  /// logged.
  void tend_if_wanted(std::string_view name, SharedImage& image);
  /// Notes that this process wrote `rows` rows and committed them; may publish() on another thread.
  void note_written(std::string_view name, SharedImage& image, int64_t rows);
  [[nodiscard]] Snapshots& snapshots() noexcept { return snapshots_; }

  /// The embedder of a column, or null when its model is neither built in nor given.
  std::shared_ptr<Embedder> embedder(const CollectionSpec& spec, const VectorColumn& column);
  Status set_embedder(const CollectionSpec& spec, std::string_view column,
                      std::shared_ptr<Embedder> embedder);
  [[nodiscard]] bool has_metric(const std::string& name) const {
    return metric_lookup_(name) != nullptr;
  }
  void register_metric(std::string_view name, DistanceFunction distance);

  /// Embeds up to `limit` (0: all) pending rows of every model column, inside a write transaction.
  Result<int64_t> embed_pending(sqlite::Connection& connection, const store::Source& source,
                                int64_t limit, const std::function<void(int64_t)>& progress);

  [[nodiscard]] Connections& connections() noexcept { return *connections_; }
  [[nodiscard]] Catalog& catalog() noexcept { return catalog_; }
  [[nodiscard]] const std::string& path() const noexcept { return connections_->path(); }

 private:
  Status attach(sqlite::Connection& connection, const store::Source& source);
  Status publish_once(std::string_view name, Publish when);
  void publish_later(std::string_view name);
  void tend_in_background(const std::string& name);
  Status tend_graphs_once(std::string_view name, const IndexOptions& options, size_t tail);
  [[nodiscard]] ImageReader image_reader(const CatalogEntry& entry) {
    return {entry.source, metric_lookup_, snapshots_, graph_rows_};
  }
  void tend_log_before_close();

  std::unique_ptr<Connections> connections_;
  Snapshots snapshots_;
  Catalog catalog_;
  Freshness freshness_;
  base::Mutex mu_;
  // owners: this and the operations in progress
  std::map<std::string, std::shared_ptr<Embedder>> embedders_ LOCI_GUARDED_BY(mu_);
  std::map<std::string, DistanceFunction, std::less<>> metrics_ LOCI_GUARDED_BY(mu_);
  MetricLookup metric_lookup_;
  /// Where the log stood after this process's last write: moved since means others have written.
  store::LogPosition last_written_;  // by the thread that holds the writer
  LogCare log_care_;                 // by the thread that holds the writer
  /// Sources without a row that a model at hand could embed, as long as only we write.
  std::set<int64_t> settled_;                // by the thread that holds the writer
  std::atomic<bool> embedder_given_{false};  ///< since the last write: nothing is settled
  const bool in_background_;
  const size_t graph_rows_;
  std::atomic<bool> closing_{false};  ///< graphs that nobody has asked for are not finished
  /// Publishes. Last: what it uses must outlive it.
  Background background_;
};

}  // namespace loci::db

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/mutex.h"
#include "db/snapshots.h"
#include "index/image.h"
#include "sqlite/connection.h"
#include "store/log.h"
#include "store/rows.h"
#include "store/source.h"

namespace loci::db {

/// The search image of one source, shared by every connection of a Database, and the position in
/// the log that it stands at. It only ever holds committed rows.
struct SharedImage {
  base::SharedMutex mu;
  std::optional<index::Image> image LOCI_GUARDED_BY(mu);
  store::LogPosition position LOCI_GUARDED_BY(mu);
  /// The snapshot whose memory the image shares; null: its own.
  std::shared_ptr<index::SnapshotFile> file LOCI_GUARDED_BY(mu);
  /// Rows read from the table since the last snapshot that this process loaded or wrote: what a
  /// new process would have to read.
  size_t tail LOCI_GUARDED_BY(mu) = 0;
  /// Whether a snapshot counts for what lies before the tail.
  bool rooted LOCI_GUARDED_BY(mu) = false;
  /// How often graphs were built or completed, and how often when the last snapshot was written.
  uint64_t graph_changes LOCI_GUARDED_BY(mu) = 0;
  uint64_t graphs_saved LOCI_GUARDED_BY(mu) = 0;
  /// The newest snapshot that this process has loaded or written.
  index::SnapshotId last_root LOCI_GUARDED_BY(mu){};

  std::atomic<bool> wants_snapshot{false};  ///< the tail has grown long
  std::atomic<bool> wants_graphs{false};    ///< one is missing, or lacks many rows
  /// Monotonic time in ns; before it graphs are not asked for unasked.
  std::atomic<int64_t> graphs_not_before{0};
  base::Mutex graphs_mu;  ///< held by the thread that builds or completes them
  /// A snapshot is being written from the image: who finds newer rows scans them apart, as waiting
  /// for the writer would take too long.
  std::atomic<bool> being_written{false};
  std::atomic<int64_t> rows_written{0};  ///< by this process since the last snapshot

  void reset() LOCI_REQUIRES(mu) {
    image.reset();
    file.reset();
    tail = 0;
    rooted = false;
    graph_changes = 0;
    graphs_saved = 0;
  }
};

/// From here on a tail is long: reading as many rows takes some milliseconds.
inline constexpr size_t kLongTail = 2000;
/// Whether a snapshot is worth its writing: with the tail an eighth of the rows, all snapshots of a
/// growing collection together write each row some nine times at most.
[[nodiscard]] constexpr bool is_long(size_t tail, size_t rows) noexcept {
  return tail >= kLongTail && tail >= rows / 8;
}

/// What one snapshot of the database sees, ready to be searched: the shared image, held against
/// change, and over it the rows that only this snapshot has (those of an open transaction, or all
/// of them when the shared image cannot serve).
class ImageView {
 public:
  [[nodiscard]] Result<index::ScanOutcome> search(const index::ScanQuery& query) const;
  [[nodiscard]] size_t rows() const;
  [[nodiscard]] size_t vector_count(size_t column) const;
  [[nodiscard]] std::vector<RowId> rowids() const;
  /// Why the shared image did not serve alone; empty when it did.
  [[nodiscard]] const std::string& note() const noexcept { return note_; }
  /// Whether what lies before the newest rows is in a snapshot on disk.
  [[nodiscard]] bool rooted() const noexcept { return rooted_; }
  /// How many rows were read from the table since.
  [[nodiscard]] size_t tail() const noexcept { return tail_; }
  /// The snapshot whose memory is read; null: none.
  [[nodiscard]] const std::shared_ptr<index::SnapshotFile>& file() const noexcept { return file_; }
  /// SharedImage::graph_changes.
  [[nodiscard]] uint64_t graph_changes() const noexcept { return graph_changes_; }
  [[nodiscard]] uint64_t graphs_saved() const noexcept { return graphs_saved_; }
  /// The shared image alone, with committed rows only; null when there is more to this view.
  [[nodiscard]] const index::Image* whole() const noexcept {
    return own_.has_value() ? nullptr : base_;
  }

 private:
  friend class ImageReader;
  /// What `shared`, which hold_ holds, says of itself.
  void take(const SharedImage& shared) LOCI_NO_THREAD_SAFETY_ANALYSIS;
  std::shared_ptr<SharedImage> shared_;  // owners: the catalog and the views in use
  std::shared_lock<base::SharedMutex> hold_;
  const index::Image* base_ = nullptr;  // into shared_, while hold_ is held
  std::optional<index::Image> own_;
  std::vector<RowId> hidden_;  // rows of base_ that own_ replaces or that are gone
  std::string note_;
  bool rooted_ = false;
  size_t tail_ = 0;
  uint64_t graph_changes_ = 0;
  uint64_t graphs_saved_ = 0;
  std::shared_ptr<index::SnapshotFile> file_;
};

using MetricLookup =
    std::function<std::function<double(VectorView, VectorView)>(const std::string& name)>;

/// Brings images up to what a connection's snapshot sees.
class ImageReader {
 public:
  /// graph_rows  as DatabaseOptions
  ImageReader(const store::Source& source, const MetricLookup& metrics, Snapshots& snapshots,
              size_t graph_rows)
      : source_(source), metrics_(metrics), snapshots_(snapshots), graph_rows_(graph_rows) {}

  /// A view of `connection`'s open snapshot, of committed rows only, whose newest log entry is
  /// `newest`; `shared` is brought forward to it.
  /// nullopt: the shared image is already past this snapshot; begin a newer one and ask again.
  Result<std::optional<ImageView>> view(sqlite::Connection& connection,
                                        const std::shared_ptr<SharedImage>& shared,
                                        const store::LogPosition& newest) const;
  /// The same without a connection; nullopt unless the shared image stands at `newest`.
  std::optional<ImageView> unchanged_view(const std::shared_ptr<SharedImage>& shared,
                                          const store::LogPosition& newest) const
      LOCI_NO_THREAD_SAFETY_ANALYSIS;  // the lock moves into the view
  /// A view of a snapshot that may hold rows of an open transaction: they stay private.
  Result<ImageView> overlay(sqlite::Connection& connection,
                            const std::shared_ptr<SharedImage>& shared) const
      LOCI_NO_THREAD_SAFETY_ANALYSIS;  // the lock moves into the view
  /// A view of a snapshot that the shared image may have passed, whose newest log entry is
  /// `newest`. `log` is a connection without a transaction: its log tells what changed since.
  Result<ImageView> past_view(sqlite::Connection& connection, sqlite::Connection& log,
                              const std::shared_ptr<SharedImage>& shared,
                              const store::LogPosition& newest) const
      LOCI_NO_THREAD_SAFETY_ANALYSIS;  // the lock moves into the view
  /// Takes over a snapshot that another process has written since, with its graphs.
  Status adopt(sqlite::Connection& connection, SharedImage& shared) const;
  /// The image was found damaged by what came from its snapshot: it is made anew from the rows.
  void distrust(SharedImage& shared, const index::SnapshotFile& file, const Status& why) const;
  [[nodiscard]] index::ImageLayout layout() const;
  /// An image of this snapshot alone: for a source whose log cannot be trusted.
  Result<ImageView> private_view(sqlite::Connection& connection, std::string_view note) const;

 private:
  Status put(const store::IndexRow& row, index::Image& image) const;
  /// The shared image, held by `hold`, and over it the rows of `changes` as `connection` sees them;
  /// or all of its rows when the image is of no use (changes.rebuild).
  Result<ImageView> over(sqlite::Connection& connection, const std::shared_ptr<SharedImage>& shared,
                         std::shared_lock<base::SharedMutex> hold, store::Changes changes) const
      LOCI_NO_THREAD_SAFETY_ANALYSIS;  // held by `hold`
  Result<index::Image> build(sqlite::Connection& connection) const;
  Status apply(sqlite::Connection& connection, const std::vector<RowId>& rows,
               index::Image& image) const;
  Result<bool> advance(sqlite::Connection& connection, SharedImage& shared,
                       const store::LogPosition& newest) const;
  /// Takes over the snapshot that counts, if there is one.
  Status load(sqlite::Connection& connection, SharedImage& shared) const LOCI_REQUIRES(shared.mu);
  /// Applies the log from the image's position on. False: not possible, build it anew.
  Result<bool> follow(sqlite::Connection& connection, SharedImage& shared,
                      const store::LogPosition& newest) const LOCI_REQUIRES(shared.mu);

  const store::Source& source_;  // must outlive this
  const MetricLookup& metrics_;  // must outlive this
  Snapshots& snapshots_;         // must outlive this
  size_t graph_rows_;
};

}  // namespace loci::db

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/mutex.h"
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
};

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

 private:
  friend class ImageReader;
  std::shared_ptr<SharedImage> shared_;  // owners: the catalog and the views in use
  std::shared_lock<base::SharedMutex> hold_;
  const index::Image* base_ = nullptr;  // into shared_, while hold_ is held
  std::optional<index::Image> own_;
  std::vector<RowId> hidden_;  // rows of base_ that own_ replaces or that are gone
  std::string note_;
};

using MetricLookup =
    std::function<std::function<double(VectorView, VectorView)>(const std::string& name)>;

/// Brings images up to what a connection's snapshot sees.
class ImageReader {
 public:
  ImageReader(const store::Source& source, const MetricLookup& metrics)
      : source_(source), metrics_(metrics) {}

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
  /// An image of this snapshot alone: for a source whose log cannot be trusted.
  Result<ImageView> private_view(sqlite::Connection& connection, std::string_view note) const;

 private:
  Status put(const store::IndexRow& row, index::Image& image) const;
  Result<index::Image> build(sqlite::Connection& connection) const;
  Status apply(sqlite::Connection& connection, const std::vector<RowId>& rows,
               index::Image& image) const;
  Result<bool> advance(sqlite::Connection& connection, SharedImage& shared,
                       const store::LogPosition& newest) const;
  [[nodiscard]] index::ImageLayout layout() const;

  const store::Source& source_;  // must outlive this
  const MetricLookup& metrics_;  // must outlive this
};

}  // namespace loci::db

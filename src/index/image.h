// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <span>
#include <vector>

#include "index/predicate.h"
#include "loci/types.h"

namespace loci::index {

class SnapshotFile;
class SnapshotWriter;

/// A vector column of an image.
struct ColumnLayout {
  size_t dim = 0;
  Metric metric = Metric::kCosine;
  /// Of the BLOBs that are put; the image itself is float32. Not looked at under kHamming.
  Element element = Element::kF32;
  /// With kCustom; null when it was not registered: search is then kFailedPrecondition.
  std::function<double(VectorView, VectorView)> custom;
};

struct ImageLayout {
  std::vector<ColumnLayout> columns;
  std::vector<FieldType> filters;
};

/// A row to put. Vectors are little-endian BLOBs as stored: the column's elements, or packed bits
/// under kHamming; empty means the row has none in that column.
struct ImageRow {
  RowId rowid = kNoRow;
  bool archived = false;
  std::span<const std::span<const std::byte>> vectors;
  std::span<const Value> filters;
};

struct Neighbor {
  RowId rowid = kNoRow;
  double distance = 0;
};

struct ScanQuery {
  size_t column = 0;
  VectorView vector;
  size_t k = 10;  ///< 0: every row within max_distance
  double max_distance = std::numeric_limits<double>::infinity();
  const Predicate* filter = nullptr;  ///< null: every row
  bool include_archived = false;
  std::span<const RowId> hidden;  ///< rows to leave out (changed in the own transaction)
};

struct ScanOutcome {
  std::vector<Neighbor> neighbors;  ///< nearest first, ties by rowid
  size_t passed_filter = 0;
  size_t scanned = 0;   ///< codes compared
  size_t reranked = 0;  ///< full vectors compared
  double filter_us = 0;
  double scan_us = 0;
};

/// The rows of one source in memory, laid out for scanning: per vector column codes with
/// error bounds and the full vectors, per filter column its values, one slot a row.
///
/// Threads: search() beside search(); put(), erase() and clear() alone (the owner locks).
class Image {
 public:
  /// Errors: kInvalidArgument (dimension), kOutOfMemory.
  static Result<Image> create(ImageLayout layout);
  Image(Image&&) noexcept;
  Image& operator=(Image&&) noexcept;
  ~Image();

  /// Adds or replaces a row. Errors: kCorruption (a BLOB of the wrong length or not finite),
  /// kOutOfMemory; the image is then unchanged.
  Status put(const ImageRow& row);
  /// Forgets a row; nothing happens when it is not there.
  void erase(RowId row) noexcept;
  [[nodiscard]] bool contains(RowId row) const noexcept;
  [[nodiscard]] size_t size() const noexcept;
  [[nodiscard]] size_t memory_bytes() const noexcept;
  /// Every row held, ascending: for check().
  [[nodiscard]] std::vector<RowId> rowids() const;
  /// Rows with a vector in `column`.
  [[nodiscard]] size_t vector_count(size_t column) const noexcept;

  /// The true nearest rows. Errors: kInvalidArgument (dimension, NaN or infinity, zero vector under
  /// cosine or angular, k == 0 without a finite max_distance), kFailedPrecondition (custom metric
  /// that is not registered). Cost: one pass over the codes of passing rows, O(rows * dim) bytes.
  [[nodiscard]] Result<ScanOutcome> search(const ScanQuery& query) const;

  /// Writes everything but the layout. Errors: of the file; kCorruption when part of this came from
  /// a snapshot that is found damaged now.
  Status save(SnapshotWriter& out) const;
  /// Takes over a snapshot, most of it without copying; its bytes are verified when first read.
  /// kCorruption: damaged, or of another layout.
  static Result<Image> load(ImageLayout layout, const std::shared_ptr<SnapshotFile>& from);
  /// Identifies the bytes that an image of this layout writes.
  [[nodiscard]] static uint64_t layout_hash(const ImageLayout& layout);

  /// Internal consistency, for tests and check().
  [[nodiscard]] Status check_invariants() const;

 private:
  struct Impl;
  explicit Image(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace loci::index

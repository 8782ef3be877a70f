// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <span>
#include <vector>

#include "base/page_warmer.h"
#include "index/graph_build.h"
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

struct ScanQuery {
  size_t column = 0;
  VectorView vector;
  size_t k = 10;  ///< 0: every row within max_distance
  double max_distance = std::numeric_limits<double>::infinity();
  const Predicate* filter = nullptr;  ///< null: every row
  bool include_archived = false;
  std::span<const RowId> hidden;  ///< rows to leave out (changed in the own transaction)
  /// The share of the true nearest k that is to be found, on average: the graph may be used, with
  /// the ef that reached this for the column's own rows. 0, or 1: the exact scan, all of them.
  double recall = 0;
  size_t ef = 0;       ///< not 0: the graph with this ef, whatever `recall`
  bool exact = false;  ///< the exact scan, whatever the two above say
};

/// How a search went about it.
enum class ScanPlan : uint8_t {
  kExactScan,     ///< every allowed row was compared by code
  kPassingRows,   ///< few rows pass: they were ranked by code, in place of the graph
  kGraph,         ///< the graph alone
  kGraphAndTail,  ///< the graph, and a scan of the rows that it does not have yet
};

struct ScanOutcome {
  std::vector<Neighbor> neighbors;  ///< nearest first, ties by rowid
  size_t passed_filter = 0;
  bool passed_is_estimate = false;  ///< the filter was only evaluated where the graph went
  size_t scanned = 0;               ///< codes compared
  size_t reranked = 0;              ///< full vectors compared
  double filter_us = 0;
  double scan_us = 0;
  ScanPlan plan = ScanPlan::kExactScan;
  size_t ef = 0;       ///< what the graph was searched with; 0: it was not
  size_t visited = 0;  ///< rows compared by code in the graph; `scanned` has them too
  size_t tail = 0;     ///< allowed rows scanned because the graph does not have them yet
};

/// The rows of one source in memory, laid out for scanning: per vector column codes with
/// error bounds and the full vectors, per filter column its values, one slot a row.
///
/// Threads: search() and GraphBuild::run() beside each other; all that is not const alone (the
/// owner locks).
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

  /// The true nearest rows, or, asked for less (ScanQuery::recall, ef) where there is a graph,
  /// nearly those: k rows whenever k are allowed, each with its true distance. Errors:
  /// kInvalidArgument (dimension, NaN or infinity, zero vector under cosine or angular, k == 0
  /// without a finite max_distance), kFailedPrecondition (custom metric that is not registered).
  /// Cost: one pass over the codes of passing rows, O(rows * dim) bytes.
  [[nodiscard]] Result<ScanOutcome> search(const ScanQuery& query) const;

  /// For a load of many rows: memory is warmed for those to come until it is set to null. `warmer`
  /// must live until then.
  void set_warmer(base::PageWarmer* warmer) noexcept;

  // Graphs. Without LOCI_WITH_GRAPH those that return a Status say kUnsupported, as they do for a
  // column that can have none (l1, hamming, custom).

  /// Whether the metric of `column` is one that a graph serves, and graphs are compiled in.
  [[nodiscard]] bool can_have_graph(size_t column) const noexcept;
  /// Begins a graph of `column`; one begun before is void. Quick, but that all rows are coded anew
  /// (1 us each) when the mean of the rows has moved since they were.
  [[nodiscard]] Result<GraphBuild> begin_graph(size_t column, const GraphOptions& options);
  /// Takes over a build that is done(), instead of the graph that is there, and links what changed
  /// since its last run(). Quick. Errors: as GraphBuild::run.
  Status install_graph(GraphBuild build);
  /// All of it at once.
  Status build_graph(size_t column, const GraphOptions& options);
  /// Whether put() links the row in the graph at once (it does at first), or leaves it to
  /// link_rows(): for bulk loads. A search scans rows that are not linked.
  void set_link_on_put(bool link) noexcept;
  /// Links up to `rows` rows of `column` that are not linked yet; returns how many are left.
  [[nodiscard]] Result<size_t> link_rows(size_t column, size_t rows);
  void drop_graph(size_t column) noexcept;
  [[nodiscard]] GraphStats graph_stats(size_t column) const;

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
  friend class GraphBuild;
  struct Impl;
  explicit Image(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace loci::index

// SPDX-License-Identifier: Apache-2.0
//
// What an Image is made of, for image.cc and for image_graphs.cc, which is left out of a build
// without graphs (image_no_graphs.cc is in its place).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "index/bits.h"
#include "index/columns.h"
#include "index/exact_scan.h"
#include "index/fields.h"
#include "index/image.h"
#include "index/row_slots.h"

namespace loci::index {

class BoundPredicate;

/// The graphs of an image's columns, and the rows changed since a build began.
struct ImageGraphs;

struct Image::Impl {
  Impl();
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl();

  RowSlots slots;
  SlotBits archived;
  std::vector<VectorColumn> columns;
  std::vector<FieldColumn> fields;
  std::vector<FieldColumn::Cell> cells;  ///< of the row being put
  std::unique_ptr<ImageGraphs> graphs;   ///< null: there never was one

  Status check(const ImageRow& row);
  Status reserve(const ImageRow& row, size_t slot);
  /// `filter`: that of the query, bound; null when it has none.
  [[nodiscard]] AllowedRows allowed_rows(const ScanQuery& query,
                                         const BoundPredicate* filter) const;
  void hide(std::span<const RowId> hidden, AllowedRows& allowed) const;

  /// Whether slots must keep their rows: there is a graph, or one is being built.
  [[nodiscard]] bool keeps_slots() const noexcept;
  /// When the vector of a slot in `column` goes or changes.
  void unlink(size_t column, size_t slot) noexcept;
  /// After a new vector was put into a slot that was unlinked.
  void link(size_t column, size_t slot) noexcept;
  /// Answers the query by the graph of its column; false: that must be left to the exact scan.
  [[nodiscard]] Result<bool> search_graph(const ScanQuery& query, const AllowedRows& allowed,
                                          ScanOutcome& outcome) const;
  /// The same without evaluating the filter for all rows before.
  [[nodiscard]] Result<bool> search_filtered(const ScanQuery& query, const BoundPredicate& filter,
                                             ScanOutcome& outcome) const;
  struct Rows;
  [[nodiscard]] Result<bool> search_rows(const ScanQuery& query, const Rows& rows,
                                         ScanOutcome& outcome) const;
  Status save_graphs(SnapshotWriter& out) const;
  Status load_graphs(SnapshotFile& from);
  [[nodiscard]] size_t graph_bytes() const noexcept;
  [[nodiscard]] Status check_graphs() const;
};

}  // namespace loci::index

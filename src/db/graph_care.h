// SPDX-License-Identifier: Apache-2.0
//
// When the graphs of a shared image are built and completed, and how beside searches.
#pragma once

#include <cstddef>
#include <functional>

#include "db/image_cache.h"
#include "index/graph_build.h"
#include "loci/database.h"

namespace loci::db {

enum class GraphNeed : uint8_t {
  kNone,
  kLink,   ///< the graph lacks rows
  kBuild,  ///< there is none, or one that lacks more rows than it has
};

/// From so many rows on that a graph lacks, it is worth completing it unasked.
inline constexpr size_t kLongGraphTail = 1000;

/// What the graph of `column` needs when columns of `graph_rows` rows (0: none) have one. Columns
/// that can have none need none. `tail`: rows that it may lack. `options`: one that was built with
/// another m or ef_construction than they give is built anew.
[[nodiscard]] GraphNeed graph_need(const index::Image& image, size_t column, size_t graph_rows,
                                   size_t tail, const IndexOptions& options);
/// Whether any column of the image needs something, unasked.
[[nodiscard]] bool graphs_are_due(const index::Image& image, size_t columns, size_t graph_rows);

/// With the defaults for what is 0.
[[nodiscard]] index::GraphOptions graph_options(const IndexOptions& options);
/// The image was replaced while a graph of it was built: kFailedPrecondition.
[[nodiscard]] Status graph_replaced();

/// Builds or completes the graph of one column in slices, so that nobody waits for more than one.
///
/// Threads: one at a time for each SharedImage; beside searches and whoever moves the image on.
class GraphCare {
 public:
  /// Both must outlive this. `stop` is looked at between slices: kCancelled.
  GraphCare(const IndexOptions& options, std::function<bool()> stop)
      : options_(options), stop_(std::move(stop)) {}

  /// Errors: kCancelled, kOutOfMemory, kCorruption; kFailedPrecondition when the image was replaced
  /// meanwhile.
  Status tend(SharedImage& shared, size_t column, std::string_view name, GraphNeed need) const;

 private:
  Status build(SharedImage& shared, size_t column, std::string_view name) const;
  Status link(SharedImage& shared, size_t column, std::string_view name) const;
  Status pause(std::string_view name, size_t done, size_t total) const;

  const IndexOptions& options_;  // must outlive this
  std::function<bool()> stop_;
};

}  // namespace loci::db

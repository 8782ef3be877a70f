// SPDX-License-Identifier: Apache-2.0
//
// Building the graph of a vector column beside searches, in slices.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "loci/status.h"

namespace loci::index {

class Image;

/// How a graph is built. In the words of HNSW; what they mean here: docs/design/index.md.
struct GraphOptions {
  size_t m = 16;  ///< a node has up to 2 * m neighbours; 4 to 64
  size_t ef_construction =
      128;             ///< candidates kept while the place of a row is sought; 16 to 1,000
  size_t threads = 1;  ///< of GraphBuild::run; the same graph whatever their number
  /// Asked between batches of rows: true stops the build with kCancelled. Must outlive the build.
  const std::atomic<bool>* cancel = nullptr;
};

/// kInvalidArgument names what is outside its limits.
Status check_graph_options(const GraphOptions& options);

/// What a graph found of its own rows with a given ef: for asking for recall.
struct GraphRecall {
  size_t ef = 0;
  double recall = 0;
};

struct GraphStats {
  bool built = false;
  size_t m = 0;
  size_t ef_construction = 0;
  size_t linked = 0;    ///< rows that the graph finds
  size_t unlinked = 0;  ///< rows with a vector that are scanned beside it
  size_t memory_bytes = 0;
  std::vector<GraphRecall> recall;  ///< ascending by ef; empty: not calibrated
};

/// A graph in the making. The owner of the image:
///
///   under the exclusive lock   auto build = image.begin_graph(column, options);
///   under the shared lock      while (!build.done()) build.run(image, 4096);   // may let go
///   between under the exclusive lock   image.install_graph(std::move(build));
///
/// Rows that are put or erased between two calls are taken in by the next one. Dropping the build
/// cancels it.
class GraphBuild {
 public:
  struct Job;
  explicit GraphBuild(std::unique_ptr<Job> job);
  GraphBuild(GraphBuild&&) noexcept;
  GraphBuild& operator=(GraphBuild&&) noexcept;
  ~GraphBuild();

  /// Links up to `rows` further rows (about 40 us each at 384 dimensions, by thread). The last call
  /// also calibrates recall. Errors: kOutOfMemory, kCorruption (a damaged snapshot), kCancelled;
  /// kFailedPrecondition when another build of the column was begun since.
  /// Threads: beside search() of `image`, not beside put() and erase().
  Status run(const Image& image, size_t rows);
  [[nodiscard]] bool done() const noexcept;
  [[nodiscard]] size_t linked() const noexcept;
  [[nodiscard]] size_t total() const noexcept;

 private:
  friend class Image;
  std::unique_ptr<Job> job_;
};

}  // namespace loci::index

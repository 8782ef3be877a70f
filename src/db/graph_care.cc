// SPDX-License-Identifier: Apache-2.0
//
// A graph is built from the shared image while searches read it and others move it on. The image is
// held against change for one slice of rows at a time; what changes between two slices the next one
// takes in (index::GraphBuild). Only beginning and installing a graph take the image alone, and
// completing one does for a few rows at a time: kLinkSlice rows are some 0.7 ms at 384 dimensions,
// which is what a search may have to wait.
//
// Tested by tests/graph_test.cc.
#include "db/graph_care.h"

#include <optional>
#include <utility>

#include "base/strings.h"

namespace loci::db {
namespace {

constexpr size_t kBuildSlice = 64;  // rows and thread, some 3 ms: a commit may wait for as long
constexpr size_t kLinkSlice = 16;

}  // namespace

Status graph_replaced() {
  return Status::failed_precondition("graph: the image was replaced while it was built");
}

GraphNeed graph_need(const index::Image& image, size_t column, size_t graph_rows, size_t tail,
                     const IndexOptions& options) {
  const size_t rows = image.vector_count(column);
  if (graph_rows == 0 || rows < graph_rows || !image.can_have_graph(column)) {
    return GraphNeed::kNone;
  }
  const index::GraphStats stats = image.graph_stats(column);
  const bool of_others =
      (options.m != 0 && options.m != stats.m) ||
      (options.ef_construction != 0 && options.ef_construction != stats.ef_construction);
  if (!stats.built || of_others || stats.unlinked > stats.linked) return GraphNeed::kBuild;
  return stats.unlinked > tail ? GraphNeed::kLink : GraphNeed::kNone;
}

bool graphs_are_due(const index::Image& image, size_t columns, size_t graph_rows) {
  for (size_t column = 0; column < columns; ++column) {
    if (graph_need(image, column, graph_rows, kLongGraphTail, {}) != GraphNeed::kNone) return true;
  }
  return false;
}

index::GraphOptions graph_options(const IndexOptions& options) {
  index::GraphOptions out;
  if (options.m != 0) out.m = options.m;
  if (options.ef_construction != 0) out.ef_construction = options.ef_construction;
  out.threads = options.threads;
  out.cancel = options.cancel;
  return out;
}

Status GraphCare::pause(std::string_view name, size_t done, size_t total) const {
  if (options_.progress) options_.progress({.column = name, .done = done, .total = total});
  const bool cancelled = options_.cancel != nullptr && *options_.cancel;
  if (!cancelled && !stop_()) return {};
  return Status::cancelled(base::str_cat("graph of '", name, "': stopped at ", done, " of ", total,
                                         " rows; searches scan instead"));
}

Status GraphCare::tend(SharedImage& shared, size_t column, std::string_view name,
                       GraphNeed need) const {
  switch (need) {
    case GraphNeed::kNone:
      return {};
    case GraphNeed::kLink:
      return link(shared, column, name);
    case GraphNeed::kBuild:
      break;
  }
  return build(shared, column, name);
}

Status GraphCare::build(SharedImage& shared, size_t column, std::string_view name) const {
  std::optional<index::GraphBuild> graph;
  {
    const base::WriterLock lock(shared.mu);
    if (!shared.image.has_value()) return graph_replaced();
    LOCI_ASSIGN_OR_RETURN(graph, shared.image->begin_graph(column, graph_options(options_)));
  }
  while (!graph->done()) {
    {
      const base::ReaderLock lock(shared.mu);
      if (!shared.image.has_value()) return graph_replaced();
      LOCI_RETURN_IF_ERROR(graph->run(*shared.image, kBuildSlice * options_.threads)
                               .with_context(base::str_cat("graph of '", name, "'")));
    }
    LOCI_RETURN_IF_ERROR(pause(name, graph->linked(), graph->total()));
  }
  const base::WriterLock lock(shared.mu);
  if (!shared.image.has_value()) return graph_replaced();
  LOCI_RETURN_IF_ERROR(shared.image->install_graph(*std::move(graph)));
  ++shared.graph_changes;
  return {};
}

Status GraphCare::link(SharedImage& shared, size_t column, std::string_view name) const {
  size_t total = 0;
  size_t left = 0;
  do {
    {
      const base::WriterLock lock(shared.mu);
      if (!shared.image.has_value()) return graph_replaced();
      if (total == 0) total = shared.image->vector_count(column);
      LOCI_ASSIGN_OR_RETURN(left, shared.image->link_rows(column, kLinkSlice));
      ++shared.graph_changes;
    }
    LOCI_RETURN_IF_ERROR(pause(name, total - std::min(left, total), total));
  } while (left != 0);
  return {};
}

}  // namespace loci::db

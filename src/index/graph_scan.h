// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>

#include "index/exact_scan.h"
#include "index/graph.h"
#include "index/image.h"
#include "index/row_test.h"
#include "index/top_k.h"

namespace loci::index {

/// What a search in a graph works on; all must outlive it.
struct GraphScan {
  const VectorColumn& column;
  const Graph& graph;
  const ScanQuery& query;    ///< validated; k is not 0
  const RowTest& allowed;    ///< rows that are not linked are passed over
  size_t allowed_count = 0;  ///< about so many rows
  std::span<const RowId> rowids;
  /// Whether a walk that steps over nodes knows beforehand which rows are allowed.
  bool known = false;
};

/// How a graph is searched under a filter.
struct GraphWalk {
  size_t ef = 0;         ///< nodes kept
  bool through = false;  ///< keep passing rows only, stepping over the others
  size_t enough = 0;     ///< not 0: until so many passing nodes were found
};

/// The cheapest way to search: `wanted` is the ef without a filter. An ef of 0: a scan of the
/// allowed rows is cheaper than the graph.
[[nodiscard]] GraphWalk plan_walk(const GraphScan& scan, size_t wanted) noexcept;

/// Offers the allowed rows that the graph finds near the query, at their true distances. Returns
/// how many there were, beyond max_distance or not. Fills outcome.visited, .scanned and .reranked.
/// Errors: kCorruption, kOutOfMemory.
Result<size_t> graph_scan(const GraphScan& scan, const GraphWalk& walk, TopK& best,
                          ScanOutcome& outcome);

/// The same of all linked rows of `rows`, without the graph: the `wanted` nearest by 4-bit codes
/// are compared as those that a walk leaves.
Result<size_t> code_scan(const GraphScan& scan, const AllowedRows& rows, size_t wanted, TopK& best,
                         ScanOutcome& outcome);

}  // namespace loci::index

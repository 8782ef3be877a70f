// SPDX-License-Identifier: Apache-2.0
//
// From a walk through the graph to rows at their true distances.
//
// A walk leaves ef nodes, ranked by 4-bit codes. Where they are many more than k they are ranked
// again by both planes, 8 bits a component, and the k best of them by their full vectors. The
// estimate by 8 bits is itself off by a little: every node within kSlack deviations of the k-th is
// compared in full too, 0.5 on average for k = 10 (without: recall on notes384 never exceeds
// 0.9945, whatever ef; with: 0.9978 at ef 40). The full vectors, a page of memory each and in no
// cache, are asked for before the 8-bit codes are read.
//
// Under a filter: see plan_walk().
// Tested by graph_test.cc, image_graph_test.cc.
#include "index/graph_scan.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "index/exact_distance.h"
#include "index/graph_traversal.h"
#include "simd/dispatch.h"

namespace loci::index {

namespace {

// Deviations of the difference of two 8-bit estimates within which full vectors decide.
constexpr float kSlack = 3;
// So many nodes beyond k are compared by their full vectors without being ranked by 8 bits before:
// waiting for those costs as much. On notes384: queries/s at ef 12, 14, 16, 20 100,500, 96,900,
// 92,400, 80,200 with none, 115,700, 106,700, 95,300, 83,900 with 10; on mnist784 as good up to 6.
constexpr size_t kComparedAnyway = 8;
// Nodes whose codes are on their way while one is refined.
constexpr size_t kAhead = 16;

struct FineNode {
  float score = 0;
  uint32_t node = 0;
};

/// Memory of a thread's searches.
struct Work {
  RankedQuery query;
  std::vector<FineNode> nodes;

  static Work& local() {
    thread_local Work work;
    return work;
  }
};

/// Asks for all that offering a node takes.
void prefetch_row(const GraphScan& scan, size_t slot) noexcept {
  const auto* bytes = reinterpret_cast<const char*>(scan.column.vector(slot));
  for (size_t at = 0; at < scan.column.dim() * sizeof(float); at += 64) {
    __builtin_prefetch(bytes + at, 0, 2);  // into the second-level cache
  }
  scan.column.prefetch_norm(slot);
  __builtin_prefetch(&scan.rowids[slot]);
  scan.graph.prefetch_twin(slot);
}

void prefetch_low(const VectorColumn& column, size_t slot) noexcept {
  const uint8_t* const code = column.low_code(slot);
  for (size_t at = 0; at < column.codec()->stride(); at += 64) __builtin_prefetch(code + at);
  const quant::RowParams* const fine = &column.fine_params(slot);
  __builtin_prefetch(fine);  // may lie in two lines
  __builtin_prefetch(reinterpret_cast<const char*>(fine + 1) - 1);
}

/// Scores nodes by both planes of their codes.
void refine(const GraphScan& scan, const RankedQuery& query, std::span<FineNode> nodes) noexcept {
  const VectorColumn& column = scan.column;
  const size_t stride = column.codec()->stride();
  const auto dot = simd::kernels().dot_u8_at;
  const simd::RankQuery& rank = query.rank;
  for (size_t i = 0; i < nodes.size(); ++i) {
    if (i + kAhead < nodes.size()) prefetch_low(column, nodes[i + kAhead].node);
    const uint32_t node = nodes[i].node;
    const uint32_t first = 0;
    int32_t raw = 0;
    dot({column.scan_code(node), column.low_code(node), stride}, &first, 1, query.planes, &raw);
    const quant::RowParams& fine = column.fine_params(node);
    nodes[i].score = rank.base + rank.shift_scale * scan.graph.codes().params()[node].shift +
                     rank.lo_scale * fine.lo +
                     (rank.raw_scale * static_cast<float>(raw)) * fine.step;
  }
}

/// The variance of a node's refined score, times the dimension: <r, what is lost> of directions
/// that have nothing to do with each other, for row and query.
float variance(const GraphScan& scan, const RankedQuery& query, uint32_t node) noexcept {
  const float err = scan.column.fine_params(node).err;
  const float row2 = scan.graph.codes().params()[node].shift;
  return 4 * (query.norm * query.norm * err * err + query.lost * query.lost * row2);
}

/// Orders the nodes so that those whose full vectors must be looked at come first: how many?
size_t pick(const GraphScan& scan, const RankedQuery& query, std::vector<FineNode>& nodes) {
  const size_t k = scan.query.k;
  const bool all = nodes.size() <= k + kComparedAnyway;
  if (!all) {  // what is needed first is asked for first
    for (size_t i = 0; i < std::min(kAhead, nodes.size()); ++i) {
      prefetch_low(scan.column, nodes[i].node);
    }
  }
  for (size_t i = 0; i < (all ? nodes.size() : k); ++i) prefetch_row(scan, nodes[i].node);
  if (all) return nodes.size();
  refine(scan, query, nodes);
  const auto nth = nodes.begin() + static_cast<ptrdiff_t>(k - 1);
  std::nth_element(nodes.begin(), nth, nodes.end(),
                   [](const FineNode& a, const FineNode& b) { return a.score < b.score; });
  const float own = variance(scan, query, nth->node);
  const float scale = kSlack * kSlack / static_cast<float>(scan.column.dim());
  const auto end = std::partition(nth + 1, nodes.end(), [&](const FineNode& node) {
    const float behind = node.score - nth->score;
    return behind * behind <= scale * (own + variance(scan, query, node.node));
  });
  return static_cast<size_t>(end - nodes.begin());
}

/// Offers the allowed rows of a ring, which have one distance. Of many only some: they are alike.
size_t offer_ring(const GraphScan& scan, const ExactDistance& distance, uint32_t node, TopK& best) {
  const size_t most = 4 * scan.query.k + 1024;
  const double at_distance = distance(node);
  size_t offered = 0;
  uint32_t at = node;
  for (size_t steps = 0; steps < most; ++steps) {
    if (scan.allowed(at)) {
      best.offer({.rowid = scan.rowids[at], .distance = at_distance});
      ++offered;
    }
    at = scan.graph.next_twin(at);
    if (at == node) break;
  }
  return offered;
}

}  // namespace

GraphWalk plan_walk(const GraphScan& scan, size_t wanted) noexcept {
  const auto rows = static_cast<double>(std::max<size_t>(1, scan.graph.linked_count()));
  const auto passing = static_cast<double>(scan.allowed_count);
  const auto ef = static_cast<double>(wanted);
  // In units of a row scanned in a run; measured on notes384.
  constexpr double kScatteredRow = 4;
  constexpr double kGraphNode = 35;
  const double scan_cost = std::min(rows, kScatteredRow * passing);
  const double share = std::min(1.0, passing / rows);
  if (scan.allowed.all() || share >= kWideFilter) {
    // So that but one walk in a thousand has ef nodes that pass: of binomial chance, three
    // deviations.
    const double larger = (ef + 3 * std::sqrt(ef * (1 - share))) / std::max(share, kWideFilter);
    if (kGraphNode * larger >= scan_cost) return {};
    return {.ef = static_cast<size_t>(std::ceil(larger)), .through = false};
  }
  // Of fewer a walk meets too few to go on from, and a scan of them takes as long.
  constexpr double kNarrowFilter = 0.05;
  if (share < kNarrowFilter || 2 * kGraphNode * ef >= scan_cost) return {};
  return {.ef = wanted, .through = true};
}

Result<size_t> graph_scan(const GraphScan& scan, const GraphWalk& walk, TopK& best,
                          ScanOutcome& outcome) {
  Work& work = Work::local();
  LOCI_RETURN_IF_ERROR(scan.graph.codes().prepare(scan.column, scan.query.vector, work.query));
  Traversal& traversal = Traversal::local();
  const RowTest* const only = walk.through ? &scan.allowed : nullptr;
  traversal.run(scan.graph, scan.column, work.query.rank, {.ef = walk.ef, .only = only});
  outcome.visited += traversal.visited();
  outcome.scanned += traversal.visited();
  work.nodes.clear();
  for (const Found& found : traversal.found()) {
    if (!scan.allowed.all() && !any_allowed(scan.graph, scan.allowed, found.slot)) continue;
    work.nodes.push_back({.score = found.score, .node = found.slot});
  }
  const size_t compared = pick(scan, work.query, work.nodes);
  const ExactDistance distance(scan.column, scan.query.vector);
  size_t offered = 0;
  for (size_t i = 0; i < compared; ++i) {
    const auto* bytes = reinterpret_cast<const char*>(scan.column.vector(work.nodes[i].node));
    for (size_t at = 0; at < scan.column.dim() * sizeof(float); at += 64) {
      __builtin_prefetch(bytes + at);  // from the second-level cache into the first, in the main
    }
  }
  for (size_t i = 0; i < compared; ++i) {
    LOCI_RETURN_IF_ERROR(scan.column.verify_vector(work.nodes[i].node));
    offered += offer_ring(scan, distance, work.nodes[i].node, best);
  }
  outcome.reranked += compared;
  return offered;
}

}  // namespace loci::index

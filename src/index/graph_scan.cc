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
// Under a filter there are three ways, and plan_walk() takes the cheapest:
//   - most rows pass: a walk as without a filter, that goes on until enough of what it has looked
//     around passes. The filter is asked for those nodes alone;
//   - a walk that keeps passing nodes only, and steps over the others. Up to some 262,144 rows the
//     filter is evaluated for all before;
//   - few rows pass: no walk. All that pass are scored by 4-bit codes (code_scan), and the best of
//     them go the way of what a walk leaves.
// Tested by graph_test.cc, image_graph_test.cc.
#include "index/graph_scan.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>
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
// Under a filter that a share of the rows pass, a walk that steps over the others keeps 1 + this /
// share times as many nodes.
constexpr double kMoreWhereFewPass = 0.018;
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
  std::vector<uint64_t> met;  ///< nodes of a scan by code, where rows share nodes

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

// Nanoseconds on notes384 and mnist784, whatever is the same for all ways left out. A walk that
// steps over nodes looks at fewer lists the more nodes pass.
GraphWalk plan_walk(const GraphScan& scan, size_t wanted) noexcept {
  constexpr double kRowInRun = 10;  // of an exact scan of all
  constexpr double kNode = 350;
  const auto rows = static_cast<double>(std::max<size_t>(1, scan.graph.linked_count()));
  const auto ef = static_cast<double>(wanted);
  if (scan.allowed.all()) {
    if (kNode * ef >= kRowInRun * rows) return {};
    return {.ef = wanted, .through = false, .enough = 0};
  }
  constexpr double kRowAlone =
      7.5;                         // of a scan by code, of up to 192 bytes; longer ones take longer
  constexpr double kValue = 0.06;  // to be evaluated for all rows before that
  // A node of a walk that steps over others: where the filter is known for all, and where not.
  constexpr double kKnownNode = 800;
  constexpr double kThroughNode = 500;
  constexpr double kList = 80;
  constexpr double kMostLists = 16;
  // Of fewer a walk meets too few to go on from.
  constexpr double kNarrowFilter = 0.03;
  const auto passing = static_cast<double>(scan.allowed_count);
  const double share = std::min(1.0, passing / rows);
  const double evaluated = kValue * rows;
  const double length = std::max(1.0, static_cast<double>(scan.column.codec()->stride()) / 192);
  const double scanned = kRowAlone * length * passing + evaluated;
  const double wide = ef * kNode / std::max(share, kNarrowFilter);
  const double through = scan.known ? ef * kKnownNode + evaluated
                                    : ef * (kThroughNode + kList * std::min(kMostLists, 2 / share));
  if (share < kNarrowFilter || std::min(wide, through) >= scanned) return {};
  if (through < wide) {
    // Where few pass their graph is a poorer one: recall on notes384 at 5 % is 0.940 with an ef for
    // 0.95 as it is, 0.970 with 1.4 times as much.
    const double larger = ef * (1 + kMoreWhereFewPass / share);
    return {.ef = static_cast<size_t>(std::ceil(larger)), .through = true, .enough = 0};
  }
  // Room for all that lies nearer than the last of `wanted` nodes that pass: of binomial chance,
  // three deviations.
  const double larger = (ef + 3 * std::sqrt(ef * (1 - share))) / share;
  return {.ef = static_cast<size_t>(std::ceil(larger)), .through = false, .enough = wanted};
}

namespace {

/// Compares the nodes of `work` by full vectors, as far as they must be.
Result<size_t> compare(const GraphScan& scan, Work& work, TopK& best, ScanOutcome& outcome) {
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

/// The nearest nodes so far by 4-bit codes: a heap of at most `room`, the farthest on top.
class NearestByCode {
 public:
  NearestByCode(const GraphScan& scan, Work& work, size_t room)
      : scan_(scan), work_(work), room_(room) {
    work.nodes.clear();
  }

  void add(uint32_t slot) {
    rows_[count_] = scan_.column.scan_code(slot);
    slots_[count_++] = slot;
    if (count_ == kBatch) rank();
  }

  void rank() {
    const simd::RankRows rows = {rows_.data(), scan_.graph.codes().params(), slots_.data(),
                                 scan_.column.codec()->stride(), count_};
    std::vector<FineNode>& nodes = work_.nodes;
    const float limit =
        nodes.size() < room_ ? std::numeric_limits<float>::infinity() : nodes.front().score;
    const size_t kept = rank_(rows, work_.query.rank, limit, which_.data(), scores_.data());
    for (size_t i = 0; i < kept; ++i) {
      if (nodes.size() == room_) {
        if (!(scores_[i] < nodes.front().score)) continue;
        std::pop_heap(nodes.begin(), nodes.end(), nearer_by_code);
        nodes.pop_back();
      }
      nodes.push_back({scores_[i], slots_[which_[i]]});
      std::push_heap(nodes.begin(), nodes.end(), nearer_by_code);
    }
    count_ = 0;
  }

 private:
  static constexpr size_t kBatch = 256;
  static bool nearer_by_code(const FineNode& a, const FineNode& b) noexcept {
    return a.score < b.score;
  }

  const GraphScan& scan_;  // these two must outlive this
  Work& work_;
  size_t room_;
  size_t count_ = 0;
  decltype(simd::Kernels::rank_u4) rank_ = simd::kernels().rank_u4;
  std::array<uint32_t, kBatch> slots_{};
  std::array<const uint8_t*, kBatch> rows_{};
  std::array<uint32_t, kBatch + 16> which_{};
  std::array<float, kBatch + 16> scores_{};
};

}  // namespace

Result<size_t> graph_scan(const GraphScan& scan, const GraphWalk& walk, TopK& best,
                          ScanOutcome& outcome) {
  Work& work = Work::local();
  LOCI_RETURN_IF_ERROR(scan.graph.codes().prepare(scan.column, scan.query.vector, work.query));
  Traversal& traversal = Traversal::local();
  const RowTest* const only = walk.through || walk.enough != 0 ? &scan.allowed : nullptr;
  traversal.run(scan.graph, scan.column, work.query.rank,
                {.ef = walk.ef, .only = only, .enough = walk.enough});
  outcome.visited += traversal.visited();
  outcome.scanned += traversal.visited();
  work.nodes.clear();
  for (const Found& found : traversal.found()) {
    work.nodes.push_back({.score = found.score, .node = found.slot});
  }
  return compare(scan, work, best, outcome);
}

Result<size_t> code_scan(const GraphScan& scan, const AllowedRows& rows, size_t wanted, TopK& best,
                         ScanOutcome& outcome) {
  Work& work = Work::local();
  LOCI_RETURN_IF_ERROR(scan.graph.codes().prepare(scan.column, scan.query.vector, work.query));
  NearestByCode nearest(scan, work, wanted);
  // Of rows with one vector only the node has what scores it; it must come once.
  const bool rings = scan.graph.node_count() != scan.graph.linked_count();
  work.met.assign(rings ? (scan.graph.slots() + 63) / 64 : 0, 0);
  const std::span<const uint64_t> linked = scan.graph.linked().words();
  for (size_t w = 0; w < std::min(linked.size(), rows.blocks.size() * kBlockWords); ++w) {
    uint64_t word = rows.blocks[w / kBlockWords].words[w % kBlockWords] & linked[w];
    for (; word != 0; word &= word - 1) {
      auto node = static_cast<uint32_t>(w * 64 + static_cast<size_t>(std::countr_zero(word)));
      if (rings) {
        node = scan.graph.node_of(node);
        const uint64_t bit = uint64_t{1} << (node % 64);
        if ((work.met[node / 64] & bit) != 0) continue;
        work.met[node / 64] |= bit;
      }
      nearest.add(node);
      ++outcome.scanned;
    }
  }
  nearest.rank();
  return compare(scan, work, best, outcome);
}

}  // namespace loci::index

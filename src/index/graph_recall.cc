// SPDX-License-Identifier: Apache-2.0
//
// Which ef gives which recall.
//
// A user asks for recall. What ef that takes depends on the data, so it is measured on the data: a
// few hundred rows are held out while the graph is built, the graph is asked for their neighbours
// with one ef after the other, the answers are compared with those of the exact scan, and then they
// are linked too. Rows that are in the graph already would be poor queries: their own lists lead
// from them to their neighbours.
//
// Between two measured ef the share that is missed is taken to fall by a constant factor.
//
// Tested by image_graph_test.cc, and on real data and real queries by graph_data_test.cc.
#include "index/graph_recall.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "base/c_edge.h"
#include "index/exact_scan.h"
#include "index/graph_scan.h"
#include "index/top_k.h"
#include "index/workers.h"

namespace loci::index {

namespace {

constexpr size_t kNeighbors = 10;
constexpr std::array<size_t, 20> kEfs = {10, 12, 14, 17,  20,  24,  28,  34,  40,  48,
                                         57, 68, 80, 113, 160, 226, 320, 452, 640, 905};
// Enough: what is asked beyond is answered by the exact scan.
constexpr double kEnough = 0.9995;

/// A held-out row as a query, and how far its k-th neighbour is.
struct Probe {
  uint32_t slot = 0;
  double limit = 0;
  size_t found = 0;
  Status status;
};

class RecallTrial {
 public:
  RecallTrial(const VectorColumn& column, const Graph& graph)
      : column_(column), graph_(graph), rowids_(graph.slots()) {
    for (size_t slot = 0; slot < rowids_.size(); ++slot) {
      rowids_[slot] = RowId{static_cast<int64_t>(slot)};
    }
    allowed_.slots = graph.slots();
    allowed_.count = graph.linked_count();
    allowed_.blocks.resize(block_count(graph.slots()));
    for (size_t b = 0; b < allowed_.blocks.size(); ++b) {
      allowed_.blocks[b] = graph.linked().block(b);
    }
  }

  /// Sets the probe's limit by the exact scan.
  Status settle(Probe& probe) const {
    const ScanQuery query = query_of(probe);
    ScanOutcome outcome;
    LOCI_RETURN_IF_ERROR(exact_scan(column_, query, allowed_, rowids_, outcome));
    if (outcome.neighbors.empty()) return Status::internal("no row to be found");
    probe.limit = outcome.neighbors.back().distance;
    return {};
  }

  /// Counts what a walk with `ef` finds of the probe's nearest.
  Status attempt(size_t ef, Probe& probe) const {
    const ScanQuery query = query_of(probe);
    TopK best(kNeighbors, query.max_distance);
    ScanOutcome outcome;
    const RowTest everything(all_);
    LOCI_ASSIGN_OR_RETURN(
        [[maybe_unused]] const size_t seen,
        graph_scan({column_, graph_, query, everything, graph_.linked_count(), rowids_},
                   {.ef = ef, .through = false}, best, outcome));
    probe.found = 0;
    for (const Neighbor& neighbor : std::move(best).take_sorted()) {
      if (neighbor.distance <= probe.limit) ++probe.found;
    }
    return {};
  }

  [[nodiscard]] size_t wanted() const noexcept {
    return std::min(kNeighbors, graph_.linked_count());
  }

 private:
  [[nodiscard]] ScanQuery query_of(const Probe& probe) const {
    ScanQuery query;
    query.vector = VectorView(column_.vector(probe.slot), column_.dim());
    query.k = kNeighbors;
    return query;
  }

  const VectorColumn& column_;  // both must outlive this
  const Graph& graph_;
  std::vector<RowId> rowids_;
  AllowedRows allowed_;  ///< the linked rows
  AllowedRows all_{.slots = 0, .count = 0, .all = true, .blocks = {}};
};

template <typename Body>
Status for_probes(std::span<Probe> probes, Workers* workers, const Body& body) {
  const auto one = [&](size_t i) {
    probes[i].status = base::guarded([&] { return body(probes[i]); });
  };
  if (workers == nullptr) {
    for (size_t i = 0; i < probes.size(); ++i) one(i);
  } else {
    workers->run(probes.size(), one);
  }
  for (Probe& probe : probes) LOCI_RETURN_IF_ERROR(std::move(probe.status));
  return {};
}

}  // namespace

Result<std::vector<GraphRecall>> measure_recall(const VectorColumn& column, const Graph& graph,
                                                std::span<const uint32_t> held_out,
                                                Workers* workers) {
  std::vector<GraphRecall> measured;
  const RecallTrial trial(column, graph);
  std::vector<Probe> probes;
  for (const uint32_t slot : held_out) {
    if (!graph.codes().can_rank(column, slot)) continue;
    LOCI_RETURN_IF_ERROR(column.verify_vector(slot));
    probes.push_back({.slot = slot, .limit = 0, .found = 0, .status = {}});
  }
  if (probes.empty() || graph.linked_count() == 0) return measured;
  LOCI_RETURN_IF_ERROR(
      for_probes(probes, workers, [&](Probe& probe) { return trial.settle(probe); }));
  for (const size_t ef : kEfs) {
    LOCI_RETURN_IF_ERROR(
        for_probes(probes, workers, [&](Probe& probe) { return trial.attempt(ef, probe); }));
    size_t found = 0;
    for (const Probe& probe : probes) found += std::min(probe.found, trial.wanted());
    const double recall =
        static_cast<double>(found) / static_cast<double>(probes.size() * trial.wanted());
    measured.push_back({.ef = ef, .recall = recall});
    if (recall >= kEnough || ef >= graph.node_count()) break;
  }
  return measured;
}

size_t ef_for(std::span<const GraphRecall> measured, double asked, size_t k) noexcept {
  // A deviation above what was asked, as what so few rows say is off by as much: 0.0006 at 0.999.
  double most = 0;
  for (const GraphRecall& at : measured) most = std::max(most, at.recall);
  constexpr double kSamples = kHeldOutRows * kNeighbors;
  const double recall =
      std::max(asked, std::min(most, asked + std::sqrt(asked * (1 - asked) / kSamples)));
  double best = 0;
  double best_ef = 0;
  double ef = 0;
  for (const GraphRecall& at : measured) {
    if (at.recall >= recall) {
      ef = static_cast<double>(at.ef);
      if (best > 0 && at.recall > best && at.recall < 1) {
        const double share =
            std::log((1 - best) / (1 - recall)) / std::log((1 - best) / (1 - at.recall));
        ef = best_ef + std::clamp(share, 0.0, 1.0) * (ef - best_ef);
      }
      break;
    }
    best = std::max(best, at.recall);
    best_ef = static_cast<double>(at.ef);
  }
  if (ef == 0) return 0;
  // Measured for the nearest 10. For more the pool has as much room beyond k, and a tenth more.
  const double more = k > kNeighbors ? 1.1 * static_cast<double>(k - kNeighbors) : 0.0;
  return static_cast<size_t>(std::ceil(ef + more));
}

}  // namespace loci::index

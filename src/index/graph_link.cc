// SPDX-License-Identifier: Apache-2.0
//
// Where a row is put in the graph, and how the graph is mended where one is taken out.
//
// Insertion (HNSW, arXiv:1603.09320, Algorithms 1 and 4, on one level). The row is sought from the
// entries with ef_construction; of what is found, nearest first, a candidate becomes a neighbour
// unless a chosen one is nearer to it than the row is:
//     kAlpha * d(candidate, chosen) <= d(candidate, row)  drops it.
// Equality drops: with `<` rows at distance 0 from each other fill whole lists and form cliques
// that nothing leads out of (recall stuck at 0.97 for any ef on data with near-duplicates). kAlpha
// above 1 (Vamana, NeurIPS 2019, section 2.3) keeps a few more and longer links; measured in
// docs/design/index.md. The entries that the walk began at become neighbours too, where there is
// room, unless a neighbour of theirs is that much nearer to the row: clusters that no entry lies in
// are found by such links alone once the first rows of the graph are gone. Each neighbour then gets
// a link back; a list that is full is chosen anew from itself and the newcomer by the same rule.
// Distances are estimates from 4-bit codes (one side coded at 8 bits), see rank_codes.cc.
//
// Twins. A row with the vector of a node is put into the node's ring and gets no list: a thousand
// equal rows are one node. The twin is among the nearest that the search finds, in practice always;
// if it is not, there are two nodes with one vector, which harms nothing.
//
// Batches. Rows of a batch are placed side by side in the graph as it was before, and each also
// compares itself with the rows of the batch before it. Then links back are made, each thread
// those into its share of the slots. No list is written by two threads, none while it is read, so
// there is no lock, and the graph does not depend on the number of threads. Rows that follow one
// another in a source are often near to one another: hence the comparison within the batch.
//
// Erasing (after FreshDiskANN, arXiv:2105.09613, section 4.2, but at once and for lists around
// only). Links into the lost node are looked for in the lists within two links of it, which needs
// no vector. Each list that had it gets instead the nearest of the lost node's neighbours that the
// rule above does not drop, and a link back from it where there is room: a link that goes one way
// only would not be found when its end is erased. A link that was not found stays: its node is not
// scored any more (its parameters are cleared), or, when the slot is taken again, is a random link
// that the next choice drops.
//
// Tested by graph_test.cc (recall, invariants, churn), workers under the thread sanitizer.
#include <algorithm>
#include <array>
#include <cstring>
#include <limits>

#include "base/c_edge.h"
#include "index/graph.h"
#include "index/graph_traversal.h"
#include "index/workers.h"
#include "simd/dispatch.h"

namespace loci::index {

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kAlpha = 1.1F;
// Rows scored by one call.
constexpr size_t kScored = 256;
// Of the nearest found, how many are compared with the row itself: twins have the same code, so
// that only as many can come before them as there are rows with that very code.
constexpr size_t kTwinsLookedAt = 16;

struct NearerFound {
  bool operator()(const Found& a, const Found& b) const noexcept {
    return a.score != b.score ? a.score < b.score : a.slot < b.slot;
  }
};

/// Whether one of these is that much nearer to a row than what is at `distance`.
bool hidden_by(std::span<const Found> scored, float distance) noexcept {
  return std::any_of(scored.begin(), scored.end(),
                     [=](const Found& other) { return kAlpha * other.score <= distance; });
}

/// Memory that choosing neighbours takes, kept by each thread.
struct Selection {
  RankedQuery query;
  std::vector<uint8_t> dropped;
  std::array<uint32_t, kScored> slots{};
  std::array<uint32_t, kScored> numbers{};
  std::array<const uint8_t*, kScored> rows{};
  std::array<uint32_t, kScored + 16> which{};
  std::array<float, kScored + 16> scores{};

  static Selection& local() {
    thread_local Selection selection;
    return selection;
  }
  /// Scores the first `count` of `slots` for `row`; returns how many were kept.
  size_t rank(const VectorColumn& column, const RankCodes& codes, const RankedQuery& row,
              size_t count) noexcept {
    for (size_t i = 0; i < count; ++i) rows[i] = column.scan_code(slots[i]);
    const simd::RankRows ranked = {rows.data(), codes.params(), slots.data(),
                                   column.codec()->stride(), count};
    return simd::kernels().rank_u4(ranked, row.rank, kInfinity, which.data(), scores.data());
  }
};

}  // namespace

Status Graph::select(const VectorColumn& column, std::span<const Found> near,
                     std::vector<Found>& chosen) const {
  Selection& work = Selection::local();
  work.dropped.assign(near.size(), 0);
  chosen.clear();
  for (size_t i = 0; i < near.size() && chosen.size() < degree_; ++i) {
    if (work.dropped[i] != 0) continue;
    chosen.push_back(near[i]);
    if (chosen.size() == degree_ || i + 1 == near.size()) break;
    LOCI_RETURN_IF_ERROR(codes_.prepare_set_row(column, near[i].slot, work.query));
    for (size_t j = i + 1; j < near.size();) {
      size_t count = 0;
      for (; j < near.size() && count < kScored; ++j) {
        if (work.dropped[j] != 0) continue;
        work.numbers[count] = static_cast<uint32_t>(j);
        work.slots[count++] = near[j].slot;
      }
      const size_t kept = work.rank(column, codes_, work.query, count);
      for (size_t k = 0; k < kept; ++k) {
        const size_t number = work.numbers[work.which[k]];
        const float between = work.scores[k] + codes_.lift_between(work.query, near[number].slot);
        if (kAlpha * between <= near[number].score) work.dropped[number] = 1;
      }
    }
  }
  return {};
}

uint32_t Graph::find_twin(const VectorColumn& column, uint32_t slot,
                          std::span<const Found> near) const noexcept {
  const uint8_t* const code = column.scan_code(slot);
  const size_t stride = column.codec()->stride();
  for (const Found& found : near.first(std::min(near.size(), kTwinsLookedAt))) {
    if (std::memcmp(code, column.scan_code(found.slot), stride) != 0) continue;
    if (!column.verify_vector(found.slot).ok()) continue;
    if (std::memcmp(column.vector(slot), column.vector(found.slot), column.dim() * sizeof(float)) ==
        0) {
      return found.slot;
    }
  }
  return kNone;
}

// Adds the rows of the batch before this one to what was found, which stays sorted.
Status Graph::add_from_batch(const VectorColumn& column, const RankedQuery& row,
                             std::span<const Placement> earlier, std::vector<Found>& near) const {
  Selection& work = Selection::local();
  std::array<simd::RankParams, kBatch> params;
  size_t count = 0;
  for (const Placement& other : earlier) {
    if (other.slot == kNone) continue;
    work.slots[count] = other.slot;
    work.rows[count] = column.scan_code(other.slot);
    params[count++] = other.params;
  }
  const simd::RankRows rows = {work.rows.data(), params.data(), nullptr, column.codec()->stride(),
                               count};
  const float limit = near.size() >= placing_ef_ ? near.back().score : kInfinity;
  const size_t kept = simd::kernels().rank_u4(rows, row.rank, codes_.lifted() ? kInfinity : limit,
                                              work.which.data(), work.scores.data());
  if (kept == 0) return {};
  for (size_t i = 0; i < kept; ++i) {
    const uint32_t slot = work.slots[work.which[i]];
    const Found found = {work.scores[i] + codes_.lift_between(row, slot), slot};
    near.insert(std::upper_bound(near.begin(), near.end(), found, NearerFound()), found);
  }
  if (near.size() > placing_ef_) near.resize(placing_ef_);
  return {};
}

Status Graph::find_place(const VectorColumn& column, std::span<Placement> batch,
                         size_t number) const {
  thread_local RankedQuery query;
  thread_local std::vector<Found> near;
  Placement& place = batch[number];
  LOCI_RETURN_IF_ERROR(column.verify_vector(place.slot));
  LOCI_RETURN_IF_ERROR(codes_.prepare_row(column, place.slot, query));
  Traversal& traversal = Traversal::local();
  traversal.run(*this, column, query.rank, {.ef = placing_ef_, .only = nullptr});
  near.assign(traversal.found().begin(), traversal.found().end());
  if (codes_.lifted()) {
    for (Found& found : near) found.score += codes_.lift_between(query, found.slot);
    std::sort(near.begin(), near.end(), NearerFound());
  }
  LOCI_RETURN_IF_ERROR(add_from_batch(column, query, batch.first(number), near));
  place.twin = find_twin(column, place.slot, near);
  if (place.twin != kNone) return {};
  LOCI_RETURN_IF_ERROR(select(column, near, place.neighbors));
  add_starts(column, query, traversal.starts(), place.neighbors);
  return {};
}

// Adds those of the nodes that a walk began at of whose neighbours none hides the row from them.
void Graph::add_starts(const VectorColumn& column, const RankedQuery& row,
                       std::span<const Found> starts, std::vector<Found>& chosen) const {
  thread_local std::vector<Found> scored;
  for (const Found& found : starts) {
    if (chosen.size() == degree_) return;
    const auto same = [&](const Found& other) { return other.slot == found.slot; };
    if (std::any_of(chosen.begin(), chosen.end(), same)) continue;
    const Found start = {found.score + codes_.lift_between(row, found.slot), found.slot};
    score_for(column, row, in_use(neighbors(start.slot)), scored);
    if (!hidden_by(scored, start.score)) chosen.push_back(start);
  }
}

void Graph::place(const VectorColumn& column, std::span<Placement> batch, size_t number) const {
  if (batch[number].slot == kNone) return;
  batch[number].status = base::guarded([&] { return find_place(column, batch, number); });
}

// Whether the list of `from` has the link now.
bool Graph::link_if_room(uint32_t from, uint32_t to) noexcept {
  const std::span<uint32_t> list = list_of(from);
  const auto at = std::find_if(list.begin(), list.end(),
                               [to](uint32_t slot) { return slot == to || slot == kNone; });
  if (at == list.end()) return false;
  *at = to;
  return true;
}

// A link from a node to another one. A full list is chosen anew.
Status Graph::link(const VectorColumn& column, uint32_t from, const Found& to) {
  if (link_if_room(from, to.slot)) return {};
  const std::span<uint32_t> list = list_of(from);
  thread_local std::vector<Found> near;
  thread_local std::vector<Found> chosen;
  LOCI_RETURN_IF_ERROR(score_slots(column, from, list, near));
  near.push_back(to);
  std::sort(near.begin(), near.end(), NearerFound());
  LOCI_RETURN_IF_ERROR(select(column, near, chosen));
  for (size_t i = 0; i < list.size(); ++i) list[i] = i < chosen.size() ? chosen[i].slot : kNone;
  return {};
}

// Distances of slots from the node at `at`; those that are no nodes any more are left out.
Status Graph::score_slots(const VectorColumn& column, uint32_t at, std::span<const uint32_t> slots,
                          std::vector<Found>& scored) const {
  RankedQuery& query = Selection::local().query;
  LOCI_RETURN_IF_ERROR(codes_.prepare_set_row(column, at, query));
  score_for(column, query, slots, scored);
  return {};
}

// The same from a row that was prepared.
void Graph::score_for(const VectorColumn& column, const RankedQuery& row,
                      std::span<const uint32_t> slots, std::vector<Found>& scored) const {
  Selection& work = Selection::local();
  scored.clear();
  const size_t count = std::min(slots.size(), kScored);
  std::copy_n(slots.begin(), count, work.slots.begin());
  const size_t kept = work.rank(column, codes_, row, count);
  for (size_t i = 0; i < kept; ++i) {
    const uint32_t slot = work.slots[work.which[i]];
    scored.push_back({work.scores[i] + codes_.lift_between(row, slot), slot});
  }
}

Status Graph::link_batch(const VectorColumn& column, std::span<const Placement> batch,
                         Workers* workers) {
  const size_t shares = workers == nullptr ? 1 : workers->count();
  std::vector<Status> results(shares);
  const auto link_share = [&](size_t share) {
    results[share] = base::guarded([&]() -> Status {
      for (const Placement& place : batch) {
        if (place.slot == kNone) continue;
        for (const Found& neighbor : place.neighbors) {
          if (neighbor.slot % shares != share) continue;
          LOCI_RETURN_IF_ERROR(link(column, neighbor.slot, {neighbor.score, place.slot}));
        }
      }
      return {};
    });
  };
  if (workers == nullptr) {
    link_share(0);
  } else {
    workers->run(shares, link_share);
  }
  for (Status& result : results) LOCI_RETURN_IF_ERROR(std::move(result));
  return {};
}

Status Graph::insert(const VectorColumn& column, std::span<const uint32_t> slots,
                     Workers* workers) {
  size_t room = slots_;
  for (const uint32_t slot : slots) room = std::max<size_t>(room, size_t{slot} + 1);
  LOCI_RETURN_IF_ERROR(reserve(room));
  std::vector<Placement> batch(std::min(slots.size(), kBatch));
  for (size_t i = 0; i < batch.size(); ++i) {
    if (is_linked(slots[i]) || !codes_.can_rank(column, slots[i])) continue;
    batch[i].slot = slots[i];
    batch[i].params = codes_.params_of(column, slots[i]);
    codes_.set_lift(column, slots[i]);
  }
  const auto place_one = [&](size_t i) { place(column, batch, i); };
  if (workers == nullptr) {
    for (size_t i = 0; i < batch.size(); ++i) place_one(i);
  } else {
    workers->run(batch.size(), place_one);
  }
  for (Placement& place : batch) {
    if (!place.status.ok()) return std::move(place.status);
  }
  for (Placement& place : batch) {
    if (place.slot == kNone) continue;
    if (linked_.test(place.slot)) place.slot = kNone;  // it was given twice
    if (place.slot != kNone) add_placed(column, place);
  }
  return link_batch(column, batch, workers);
}

Status Graph::occluded(const VectorColumn& column, const Found& candidate,
                       std::span<const uint32_t> list, bool* result) const {
  thread_local std::vector<Found> scored;
  LOCI_RETURN_IF_ERROR(score_slots(column, candidate.slot, list, scored));
  *result = hidden_by(scored, candidate.score);
  return {};
}

// The node at `at` has lost a neighbour, which was taken out of its list; one of `instead` may
// take its place.
Status Graph::mend_list(const VectorColumn& column, uint32_t at,
                        std::span<const uint32_t> instead) {
  constexpr size_t kTried = 8;
  constexpr size_t kAdded = 2;
  const std::span<uint32_t> list = list_of(at);
  size_t count = in_use(list).size();
  const auto end = list.begin() + static_cast<ptrdiff_t>(count);
  const size_t most = std::min(list.size(), count + kAdded);
  std::vector<uint32_t> fresh;
  for (const uint32_t slot : instead) {
    if (slot == kNone) break;
    if (slot != at && std::find(list.begin(), end, slot) == end) fresh.push_back(slot);
  }
  std::vector<Found> scored;
  LOCI_RETURN_IF_ERROR(score_slots(column, at, fresh, scored));
  std::sort(scored.begin(), scored.end(), NearerFound());
  for (size_t i = 0; i < std::min(kTried, scored.size()) && count < most; ++i) {
    bool hidden = false;
    LOCI_RETURN_IF_ERROR(occluded(column, scored[i], list.first(count), &hidden));
    if (hidden) continue;
    list[count++] = scored[i].slot;
    link_if_room(scored[i].slot, at);
  }
  return {};
}

// The nodes within two links of a node, ascending.
std::vector<uint32_t> Graph::around(uint32_t node) const {
  std::vector<uint32_t> near;
  for (const uint32_t slot : neighbors(node)) {
    if (slot == kNone) break;
    if (!nodes_.test(slot)) continue;
    near.push_back(slot);
    for (const uint32_t next : neighbors(slot)) {
      if (next == kNone) break;
      if (next != node && nodes_.test(next)) near.push_back(next);
    }
  }
  std::sort(near.begin(), near.end());
  near.erase(std::unique(near.begin(), near.end()), near.end());
  return near;
}

// Takes links to `lost` out of the lists around it, or lets them lead to `replacement`.
void Graph::mend(const VectorColumn& column, uint32_t lost, uint32_t replacement) {
  [[maybe_unused]] const Status status = base::guarded([&]() -> Status {
    const std::span<const uint32_t> lost_list = neighbors(lost);
    for (const uint32_t node : around(lost)) {
      const std::span<uint32_t> list = list_of(node);
      const auto at = std::find(list.begin(), list.end(), lost);
      if (at == list.end()) continue;
      const bool there = std::find(list.begin(), list.end(), replacement) != list.end();
      if (replacement != kNone && replacement != node && !there) {
        *at = replacement;
        continue;
      }
      std::copy(at + 1, list.end(), at);
      list.back() = kNone;
      if (replacement == kNone) LOCI_RETURN_IF_ERROR(mend_list(column, node, lost_list));
    }
    return {};
  });
}

}  // namespace loci::index

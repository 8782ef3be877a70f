// SPDX-License-Identifier: Apache-2.0
//
// Best-first search (HNSW, arXiv:1603.09320, Algorithm 2) over one level, in the order that a
// processor likes.
//
// A step takes the nearest node that was not looked around yet, reads its list, and scores those of
// it that were not seen before, all in one kernel call that fetches rows ahead. Half of the time
// of a step is waiting for memory, so that what is needed next is asked for early:
//   - the list of the node that is next if this step finds nothing nearer, before scoring;
//   - the lists of nodes that enter the front of the pool, when they do;
//   - the eight bytes of parameters of all nodes of a step, with their codes.
// Together 7 % on notes384; the second and third 4 % and 3 %. Asking for the codes of the next
// node's neighbours as well, before it is known to be the next, gains nothing.
//
// There are no upper levels. A walk begins at the best of a thousand nodes spread over all rows,
// whose codes lie side by side in groups, of which it looks at a few (graph_entries.cc): that takes
// less than a microsecond. Descending through levels of HNSW costs 2 us, one miss after the other
// (docs/design/index.md).
//
// The pool is a sorted array: ef is small, and what is inserted lands near its end.
//
// With a filter that most rows pass, a walk ends when enough of the nodes it looked around pass and
// are nearer than those that are left. With a filter that few rows pass, nodes that do not pass are
// not kept and not scored: the lists of such neighbours are read in their place, as many nodes a
// step as a list has (ACORN-1, arXiv:2403.04871, section 5.2).
//
// Tested by graph_test.cc.
#include "index/graph_traversal.h"

#include <algorithm>
#include <limits>

#include "simd/dispatch.h"

namespace loci::index {

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
// Entries that a walk begins with: notes384 and mnist784 do not tell 1, 4 and 8 apart; where rows
// lie in clusters the nearest entry alone may be in the wrong one.
constexpr size_t kStarts = 4;
// Up to so many slots all bits of what was seen are cleared after a walk: 64 KB.
constexpr size_t kDenseSlots = size_t{1} << 19;
// In a pool of more nodes than these a place is sought by halves.
constexpr size_t kLongPool = 48;
// Nodes looked around at once where a filter makes a walk long: nearly all of them would be anyway.
// On notes384, where 20 % pass: 2.6 times a search without a filter, with one at once 3.0 to 4.0.
constexpr size_t kTogether = 3;
// A step over nodes that do not pass ends when so many more than `ef` were found that do. notes384
// where 20, 10 and 5 % pass, 0.95 asked: recall 0.963, 0.963, 0.956 with 14 in all in 15.4, 16.7,
// 17.8 us, 0.976, 0.973, 0.962 with 20 in 16.3, 17.8, 18.1, 0.985, 0.980, 0.965 with 32 in 17.7,
// 18.7, 18.3.
constexpr size_t kMoreThrough = 4;
// Entries scored at once, against the best so far.
constexpr size_t kEntryRound = 64;
// The nearest groups of entries are looked at, one after the other, until they are as many entries,
// or as many groups. With 64, 112, 160: mean of least times of 20,000 queries of notes384 at ef 12
// 8.4, 8.5, 8.8 us (256 entries one and all: 8.7), of mnist784 14.3, 15.3, 15.8 (15.5); recall of
// 200 clusters at ef 48 after all rows were replaced 0.970, 0.985, - (0.970).
constexpr size_t kEnoughEntries = 96;
constexpr size_t kMostGroups = 16;

/// Whether the slot is seen for the first time.
bool see(uint64_t* seen, uint32_t slot) noexcept {
  uint64_t& word = seen[slot / 64];
  const uint64_t bit = uint64_t{1} << (slot % 64);
  const bool fresh = (word & bit) == 0;
  word |= bit;
  return fresh;
}

void prefetch_list(const Graph& graph, uint32_t slot) noexcept {
  const std::span<const uint32_t> list = graph.neighbors(slot);
  for (size_t i = 0; i < list.size(); i += 16) __builtin_prefetch(list.data() + i);
}

/// Whether a row of the node's ring is allowed; of a long ring only the first are asked.
bool any_allowed(const Graph& graph, const RowTest& allowed, uint32_t node) noexcept {
  constexpr size_t kAsked = 64;
  if (graph.node_count() == graph.linked_count()) return allowed(node);  // no rings
  uint32_t at = node;
  for (size_t asked = 0; asked < kAsked; ++asked) {
    if (allowed(at)) return true;
    at = graph.next_twin(at);
    if (at == node || at == Graph::kNone) break;
  }
  return false;
}

// The groups of entries whose pivots `query` is nearest to, the nearest first; how many?
size_t nearest_groups(const GraphEntries& entries, const simd::RankQuery& query,
                      std::array<size_t, kMostGroups>& groups) noexcept {
  std::array<uint32_t, GraphEntries::kPivots + 16> which{};
  std::array<float, GraphEntries::kPivots + 16> scores{};
  const size_t kept =
      simd::kernels().rank_u4(entries.pivots(), query, kInfinity, which.data(), scores.data());
  std::array<float, kMostGroups> best{};
  best.fill(kInfinity);
  for (size_t i = 0; i < kept; ++i) {
    if (!(scores[i] < best.back())) continue;
    size_t at = kMostGroups - 1;
    for (; at > 0 && best[at - 1] > scores[i]; --at) {
      best[at] = best[at - 1];
      groups[at] = groups[at - 1];
    }
    best[at] = scores[i];
    groups[at] = which[i];
  }
  return std::min(kept, kMostGroups);
}

}  // namespace

Traversal& Traversal::local() {
  thread_local Traversal traversal;
  return traversal;
}

float Traversal::limit() const noexcept {
  return size_ == ef_ ? std::min(bound_, pool_[ef_ - 1].score) : bound_;
}

// Keeps those of a round that are below the limit, as the pool's nearest may change it.
void Traversal::insert(const Graph& graph, size_t kept, const uint32_t* slots) noexcept {
  Found* const pool = pool_.data();
  for (size_t i = 0; i < kept; ++i) {
    const float score = scores_[i];
    const uint32_t slot = slots[which_[i]];
    if (size_ == ef_ && !(score < pool[ef_ - 1].score)) continue;
    size_t at = size_ == ef_ ? size_ - 1 : size_++;
    if (at > kLongPool) {
      Found* const place =
          std::upper_bound(pool, pool + at, score,
                           [](float limit, const Found& other) { return limit < other.score; });
      std::move_backward(place, pool + at, pool + at + 1);
      at = static_cast<size_t>(place - pool);
    }
    while (at > 0 && pool[at - 1].score > score) {
      pool[at] = pool[at - 1];
      --at;
    }
    pool[at] = {score, slot};
    if (at < next_) next_ = at;
    if (at < next_ + 2) prefetch_list(graph, slot);
  }
}

// Keeps the best of the entries from `first` to `end`.
void Traversal::enter_range(const Graph& graph, const simd::RankQuery& query, size_t first,
                            size_t end) {
  const GraphEntries& entries = graph.entries();
  for (size_t at = first; at < end; at += kEntryRound) {
    const simd::RankRows rows = entries.rows(at, std::min(kEntryRound, end - at));
    const size_t kept =
        simd::kernels().rank_u4(rows, query, limit(), which_.data(), scores_.data());
    insert(graph, kept, entries.slots().data() + at);
  }
}

void Traversal::enter(const Graph& graph, const simd::RankQuery& query) {
  const GraphEntries& entries = graph.entries();
  const size_t ef = ef_;
  ef_ = std::min(ef, kStarts);  // insert() keeps the best few
  if (entries.grouped()) {
    std::array<size_t, kMostGroups> groups{};
    const size_t near = nearest_groups(entries, query, groups);
    size_t met = 0;
    for (size_t i = 0; i < near && met < kEnoughEntries; ++i) {
      const auto [first, end] = entries.group(groups[i]);
      enter_range(graph, query, first, end);
      met += end - first;
    }
  } else {
    enter_range(graph, query, 0, entries.size());
  }
  ef_ = ef;
  starts_.assign(pool_.begin(), pool_.begin() + static_cast<ptrdiff_t>(size_));
  for (size_t i = 0; i < size_; ++i) {
    see(seen_.data(), pool_[i].slot);
    note_touched(&pool_[i].slot, 1);
    if (open_known_) take(pool_[i].slot);
  }
}

// What is seen is taken back one by one where that is less than clearing all.
void Traversal::note_touched(const uint32_t* slots, size_t count) {
  if (sparse_) touched_.insert(touched_.end(), slots, slots + count);
}

void Traversal::gather(const Graph& graph, uint32_t node) {
  uint64_t* const seen = seen_.data();
  size_t count = round_;
  for (const uint32_t slot : graph.neighbors(node)) {
    if (slot == Graph::kNone) break;
    slots_[count] = slot;
    count += see(seen, slot) ? 1 : 0;
  }
  round_ = count;
}

// Which of the nodes pass, into passes_.
void Traversal::test(const Graph& graph, const RowTest& only, std::span<const uint32_t> nodes) {
  if (graph.node_count() == graph.linked_count()) {  // no rings
    only(nodes, passes_.data());
    return;
  }
  for (size_t i = 0; i < nodes.size(); ++i) passes_[i] = any_allowed(graph, only, nodes[i]) ? 1 : 0;
}

// Without a branch where a node passes or not, which cannot be foreseen.
void Traversal::gather_through(const Graph& graph, uint32_t node, const RowTest& only) {
  gather(graph, node);
  const size_t around = round_;
  test(graph, only, {slots_.data(), around});
  note_touched(slots_.data(), around);
  size_t steps = 0;
  round_ = 0;
  for (size_t i = 0; i < around; ++i) {
    const uint32_t slot = slots_[i];
    stepped_[steps] = slot;
    slots_[round_] = slot;
    steps += passes_[i] ^ 1U;
    round_ += passes_[i];
  }
  for (size_t i = 0; i < steps; ++i) prefetch_list(graph, stepped_[i]);
  if (open_known_) {
    for (size_t i = 0; i < round_; ++i) take(slots_[i]);
  }
  const size_t most = std::min(graph.degree(), ef_ + kMoreThrough);
  for (size_t i = 0; i < steps && round_ < most; ++i) {
    const std::span<const uint32_t> list = graph.neighbors(stepped_[i]);
    if (open_known_) {
      step_open(list);
    } else {
      step_asking(graph, in_use(list), only);
    }
  }
}

// Takes those of a list that pass and were not seen, of which the filter must be asked.
void Traversal::step_asking(const Graph& graph, std::span<const uint32_t> list,
                            const RowTest& only) {
  test(graph, only, list);
  uint32_t* const slots = slots_.data() + round_;
  size_t passing = 0;
  for (size_t k = 0; k < list.size(); ++k) {
    slots[passing] = list[k];
    passing += passes_[k];
  }
  for (size_t k = 0; k < passing; ++k) {
    const uint32_t slot = slots[k];
    slots_[round_] = slot;
    round_ += see(seen_.data(), slot) ? 1 : 0;
  }
}

// The same where it is known of all nodes whether they pass: in one kernel call.
void Traversal::step_open(std::span<const uint32_t> list) noexcept {
  const size_t kept =
      simd::kernels().keep_set(list.data(), list.size(), open_.data(), slots_.data() + round_);
  for (size_t k = 0; k < kept; ++k) take(slots_[round_++]);
}

// A node that comes to be scored, or was.
void Traversal::take(uint32_t slot) noexcept {
  const uint64_t bit = uint64_t{1} << (slot % 64);
  open_[slot / 64] &= ~bit;
  seen_[slot / 64] |= bit;
}

void Traversal::score_round(const Graph& graph, const VectorColumn& column,
                            const simd::RankQuery& query) {
  const simd::Kernels& kernels = simd::kernels();
  visited_ += round_;
  note_touched(slots_.data(), round_);
  for (size_t i = 0; i < round_; ++i) rows_[i] = column.scan_code(slots_[i]);
  const simd::RankRows rows = {rows_.data(), graph.codes().params(), slots_.data(),
                               column.codec()->stride(), round_};
  const size_t kept = kernels.rank_u4(rows, query, limit(), which_.data(), scores_.data());

  insert(graph, kept, slots_.data());
}

void Traversal::note_passing(const Found& node) {
  const auto at =
      std::upper_bound(passing_.begin(), passing_.end(), node.score,
                       [](float score, const Found& other) { return score < other.score; });
  passing_.insert(at, node);
  if (passing_.size() >= enough_) bound_ = passing_[enough_ - 1].score;
}

// Takes the node that is next out of the pool.
void Traversal::drop_next() noexcept {
  const auto next = pool_.begin() + static_cast<ptrdiff_t>(next_);
  std::move(next + 1, pool_.begin() + static_cast<ptrdiff_t>(size_), next);
  --size_;
}

// Looks around the nearest node that was not looked around before.
void Traversal::look_at(const Graph& graph, const Walk& walk) {
  const Found node = pool_[next_];
  // In the pool of a walk that steps over nodes only the entries may be such that do not pass: they
  // lead on, and must not stay in the place of one that does.
  const bool found = walk.only == nullptr || any_allowed(graph, *walk.only, node.slot);
  const bool through = walk.only != nullptr && walk.enough == 0;
  if (through && !found) {
    drop_next();
  } else {
    pool_[next_].slot |= kDone;
    if (walk.enough != 0 && found) note_passing(node);
  }
  while (next_ < size_ && (pool_[next_].slot & kDone) != 0) ++next_;
  if (through) {
    gather_through(graph, node.slot, *walk.only);
  } else {
    gather(graph, node.slot);
  }
}

void Traversal::forget_seen(size_t slots) noexcept {
  if (sparse_) {
    for (const uint32_t slot : touched_) seen_[slot / 64] = 0;
  } else {
    std::fill_n(seen_.begin(), (slots + 63) / 64, 0);
  }
}

void Traversal::run(const Graph& graph, const VectorColumn& column, const simd::RankQuery& query,
                    const Walk& walk) {
  if (seen_.size() * 64 < graph.slots()) seen_.resize(block_count(graph.slots()) * kBlockWords);
  ef_ = std::min(std::max<size_t>(1, walk.ef), std::max<size_t>(1, graph.node_count()));
  if (pool_.size() < ef_) pool_.resize(ef_);
  if (running_) std::fill(seen_.begin(), seen_.end(), 0);  // the last run ended by an exception
  running_ = true;
  sparse_ = graph.slots() > kDenseSlots;
  enough_ = walk.enough;
  bound_ = kInfinity;
  size_ = 0;
  next_ = 0;
  visited_ = 0;
  touched_.clear();
  passing_.clear();
  open_known_ = walk.only != nullptr && walk.enough == 0 && !walk.only->words().empty() &&
                graph.node_count() == graph.linked_count();
  if (open_known_) open_.assign(walk.only->words().begin(), walk.only->words().end());
  enter(graph, query);
  next_ = 0;
  const size_t together = walk.enough != 0 ? std::min(kTogether, kRound / graph.degree()) : 1;
  while (next_ < size_ && pool_[next_].score <= bound_) {
    round_ = 0;
    look_at(graph, walk);
    for (size_t i = 1; i < together && next_ < size_ && pool_[next_].score <= bound_; ++i) {
      look_at(graph, walk);
    }
    if (next_ < size_) prefetch_list(graph, pool_[next_].slot);
    if (round_ != 0) score_round(graph, column, query);
    while (next_ < size_ && (pool_[next_].slot & kDone) != 0) ++next_;
  }
  for (size_t i = 0; i < size_; ++i) pool_[i].slot &= ~kDone;
  forget_seen(graph.slots());
  running_ = false;
}

}  // namespace loci::index

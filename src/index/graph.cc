// SPDX-License-Identifier: Apache-2.0
//
// What a graph holds. How rows get in and out: graph_link.cc; how it is walked: graph_traversal.cc;
// on disk: graph_snapshot.cc.
//
// Invariants: (1) a linked slot has a vector, and is a node or in the ring of exactly one node;
// (2) rows of a ring have the same vector; (3) exactly the nodes can be ranked; (4) a list holds
// slots below slots(), none twice, none its own, then kNone to its end; (5) the list of a twin
// holds its node alone, that of a slot that is not linked nothing; (6) entries are nodes, each
// once, with the codes and parameters of their slots. A list may name a slot that is no node, or
// another row than it once was: graph_link.cc says why. Tested by graph_test.cc.
#include "index/graph.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <utility>

#include "base/strings.h"

namespace loci::index {

namespace {

// A small graph has an entry for so many rows.
constexpr size_t kRowsAnEntry = 32;

uint64_t mix(uint64_t x) noexcept {
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9U;  // splitmix64
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBU;
  return x ^ (x >> 31);
}

}  // namespace

Status Graph::check(Metric metric, const GraphOptions& options) {
  const bool supported = metric == Metric::kL2 || metric == Metric::kCosine ||
                         metric == Metric::kAngular || metric == Metric::kDot;
  if (!supported) {
    return Status::unsupported(base::str_cat("a graph of a column under ", metric_name(metric),
                                             ": l2, cosine, angular and dot can have one"));
  }
  return check_graph_options(options);
}

Result<Graph> Graph::create(const VectorColumn& column, const GraphOptions& options) {
  LOCI_RETURN_IF_ERROR(check(column.layout().metric, options));
  Graph graph;
  graph.degree_ = 2 * options.m;
  graph.ef_construction_ = options.ef_construction;
  graph.placing_ef_ = options.ef_construction;
  graph.codings_ = column.codings();
  graph.codes_ = RankCodes(column);
  LOCI_RETURN_IF_ERROR(graph.entries_.reserve(column));
  return graph;
}

Status Graph::reserve(size_t slots) {
  if (slots > kMaxSlots) {
    return Status::full(base::str_cat("graph of ", slots, " slots, at most ", kMaxSlots));
  }
  const size_t list_bytes = degree_ * sizeof(uint32_t);
  const size_t room = lists_.size() / list_bytes;
  if (slots > room) {
    const size_t larger = std::max(slots, room / 4 * 5);
    LOCI_ASSIGN_OR_RETURN(base::Buffer lists, base::Buffer::try_allocate_array(
                                                  larger, list_bytes, base::Buffer::Fill::kNone));
    if (!lists_.empty()) std::copy_n(lists_.data(), slots_ * list_bytes, lists.data());
    lists_ = std::move(lists);
  }
  codes_.reserve(slots);
  if (slots > twins_.capacity()) twins_.reserve(std::max(slots, twins_.size() / 4 * 5));
  linked_.reserve(slots);
  nodes_.reserve(slots);
  if (slots <= slots_) return {};
  twins_.resize(slots, kNone);
  std::fill_n(lists_.as<uint32_t>().begin() + static_cast<ptrdiff_t>(slots_ * degree_),
              (slots - slots_) * degree_, kNone);
  slots_ = slots;
  return {};
}

// What place() found out about a row, all but the links back.
void Graph::add_placed(const VectorColumn& column, Placement& place) {
  linked_.set(place.slot, true);
  if (place.twin != kNone) {
    const uint32_t node = node_of(place.twin);  // the twin may be a twin itself, of its batch
    twins_[place.slot] = twins_[node];
    twins_[node] = place.slot;
    list_of(place.slot)[0] = node;
    return;
  }
  twins_[place.slot] = place.slot;
  nodes_.set(place.slot, true);
  codes_.set(column, place.slot);
  const std::span<uint32_t> list = list_of(place.slot);
  size_t count = 0;
  for (const Found& neighbor : place.neighbors) {
    // A row of the same batch that became a twin has no list: its node stands for it.
    const uint32_t slot = node_of(neighbor.slot);
    const auto end = list.begin() + static_cast<ptrdiff_t>(count);
    if (slot == place.slot || std::find(list.begin(), end, slot) != end) continue;
    place.neighbors[count] = {neighbor.score, slot};
    list[count++] = slot;
  }
  place.neighbors.resize(count);
  offer_entry(column, place.slot);
}

void Graph::offer_entry(const VectorColumn& column, uint32_t slot) {
  ++inserted_;
  const size_t wanted = std::clamp<size_t>(node_count() / kRowsAnEntry, 1, GraphEntries::kMost);
  if (entries_.size() < wanted) {
    entries_.add(codes_, column, slot);
    return;
  }
  // Reservoir sampling: every node ever inserted is as likely to be an entry.
  const uint64_t drawn = mix(inserted_) % inserted_;
  if (drawn < entries_.size() && entries_.size() == GraphEntries::kMost) {
    entries_.remove(static_cast<size_t>(drawn));
    entries_.add(codes_, column, slot);
  }
}

void Graph::replace_entry(const VectorColumn& column, uint32_t lost, uint32_t by) noexcept {
  const std::optional<size_t> entry = entries_.find(lost);
  if (!entry.has_value()) return;
  if (by == kNone) {  // a neighbour: it lies where the lost one lay
    for (const uint32_t slot : in_use(neighbors(lost))) {
      if (slot != lost && nodes_.test(slot) && !entries_.find(slot).has_value()) by = slot;
      if (by != kNone) break;
    }
  }
  // A graph of few nodes may have none left that is not an entry; one of all nodes is better than
  // no entry.
  if (by == kNone && entries_.size() == 1) by = any_node(lost);
  entries_.remove(*entry);
  if (by != kNone) entries_.add(codes_, column, by);
}

uint32_t Graph::any_node(uint32_t but) const noexcept {
  const std::span<const uint64_t> words = nodes_.words();
  for (size_t w = 0; w < words.size(); ++w) {
    for (uint64_t word = words[w]; word != 0; word &= word - 1) {
      const auto slot = static_cast<uint32_t>(w * 64 + static_cast<size_t>(std::countr_zero(word)));
      if (slot != but) return slot;
    }
  }
  return kNone;
}

// Takes a slot out of its ring.
void Graph::unring(uint32_t slot) noexcept {
  uint32_t before = slot;
  while (twins_[before] != slot) before = twins_[before];
  twins_[before] = twins_[slot];
  twins_[slot] = kNone;
}

void Graph::erase(const VectorColumn& column, size_t erased) noexcept {
  if (!is_linked(erased)) return;
  const auto slot = static_cast<uint32_t>(erased);
  const uint32_t heir = twins_[slot] == slot ? kNone : twins_[slot];
  linked_.set(slot, false);
  unring(slot);
  if (!nodes_.test(slot)) {
    list_of(slot)[0] = kNone;
    return;
  }
  nodes_.set(slot, false);
  codes_.clear(slot);
  if (heir != kNone) {  // the next twin takes the node's place
    std::copy_n(neighbors(slot).begin(), degree_, list_of(heir).begin());
    nodes_.set(heir, true);
    codes_.set(column, heir);
    for (uint32_t twin = twins_[heir]; twin != heir; twin = twins_[twin]) list_of(twin)[0] = heir;
  }
  mend(column, slot, heir);
  replace_entry(column, slot, heir);
  std::fill_n(list_of(slot).begin(), degree_, kNone);
}

void Graph::follow_codes(const VectorColumn& column) {
  if (codings_ == column.codings()) return;
  codings_ = column.codings();
  codes_.follow(column);
  for (size_t slot = 0; slot < slots_; ++slot) {
    if (nodes_.test(slot)) codes_.set(column, slot);
  }
  entries_.follow(codes_, column);
}

size_t Graph::memory_bytes() const noexcept {
  return lists_.size() + codes_.memory_bytes() + twins_.capacity() * sizeof(uint32_t) +
         linked_.memory_bytes() + nodes_.memory_bytes() + entries_.memory_bytes() +
         recall_.capacity() * sizeof(GraphRecall);
}

Status Graph::check_node(size_t slot) const {
  const std::span<const uint32_t> list = neighbors(slot);
  if (!nodes_.test(slot)) {
    const size_t wanted = linked_.test(slot) ? 1 : 0;
    const bool empty = std::all_of(list.begin() + static_cast<ptrdiff_t>(wanted), list.end(),
                                   [](uint32_t at) { return at == kNone; });
    if (!empty || (wanted == 1 && !is_node(list[0]))) {
      return Status::internal(base::str_cat("slot ", slot, ": a list without being a node"));
    }
    return {};
  }
  bool ended = false;
  for (const uint32_t neighbor : list) {
    const bool none = neighbor == kNone;
    if ((ended && !none) || neighbor == slot || (!none && neighbor >= slots_)) {
      return Status::internal(base::str_cat("node ", slot, " has the neighbour ", neighbor));
    }
    ended = none;
  }
  return {};
}

Status Graph::check_ring(uint32_t node, size_t* size) const {
  *size = 1;
  for (uint32_t at = twins_[node]; at != node; at = twins_[at], ++*size) {
    if (at >= slots_ || *size > slots_ || nodes_.test(at) || !linked_.test(at) ||
        neighbors(at)[0] != node) {
      return Status::internal(base::str_cat("slot ", at, " in the ring of node ", node));
    }
  }
  return {};
}

Status Graph::check_structure(const VectorColumn& column) const {
  size_t in_rings = 0;
  for (size_t slot = 0; slot < slots_; ++slot) {
    LOCI_RETURN_IF_ERROR(check_node(slot));
    const bool linked = linked_.test(slot);
    if (nodes_.test(slot) != codes_.is_set(slot) || (nodes_.test(slot) && !linked)) {
      return Status::internal(
          base::str_cat("slot ", slot, ": ranked without being a node, or not"));
    }
    if (linked != (twins_[slot] != kNone) || (linked && !column.present().test(slot))) {
      return Status::internal(base::str_cat("slot ", slot, ": linked without a vector or a ring"));
    }
    if (!nodes_.test(slot)) continue;
    size_t size = 0;
    LOCI_RETURN_IF_ERROR(check_ring(static_cast<uint32_t>(slot), &size));
    in_rings += size;
  }
  if (in_rings != linked_.count()) {
    return Status::internal(
        base::str_cat(linked_.count(), " slots linked, ", in_rings, " in rings"));
  }
  if (entries_.empty() && node_count() != 0) return Status::internal("no entry");
  return {};
}

Status Graph::check_invariants(const VectorColumn& column) const {
  LOCI_RETURN_IF_ERROR(check_structure(column));
  for (uint32_t slot = 0; slot < slots_; ++slot) {
    if (!nodes_.test(slot)) continue;
    std::vector<uint32_t> list(neighbors(slot).begin(), neighbors(slot).end());
    list.erase(std::find(list.begin(), list.end(), kNone), list.end());
    std::sort(list.begin(), list.end());
    if (std::adjacent_find(list.begin(), list.end()) != list.end()) {
      return Status::internal(base::str_cat("node ", slot, " has a neighbour twice"));
    }
    for (uint32_t at = twins_[slot]; at != slot; at = twins_[at]) {
      if (std::memcmp(column.vector(slot), column.vector(at), column.dim() * sizeof(float)) != 0) {
        return Status::internal(base::str_cat("slot ", at, ": no twin of node ", slot));
      }
    }
    const simd::RankParams want = codes_.params_of(column, slot);
    const simd::RankParams& got = codes_.params()[slot];
    if (want.shift != got.shift || want.lo_step != got.lo_step) {
      return Status::internal(base::str_cat("node ", slot, ": parameters of another code"));
    }
  }
  for (const uint32_t slot : entries_.slots()) {
    if (!is_node(slot)) return Status::internal(base::str_cat("entry ", slot, " is no node"));
  }
  return entries_.check_invariants(column);
}

}  // namespace loci::index

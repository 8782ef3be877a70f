// SPDX-License-Identifier: Apache-2.0
//
// A graph to and from a snapshot (docs/format/snapshot.md): a head, the entries, and by slot the
// lists, in blocks of 1,024 slots, the parameters that rank them, and rings. Each record has a
// fixed size and a place of its own, so that a later version can write only blocks that changed.
//
// A graph is loaded whole: a walk goes anywhere at its first step, so that nothing would be gained
// by verifying late. What the file says is believed only after it was compared with its checksum,
// and then only when no number of it leads out of the graph.
//
// Tested by image_graph_test.cc.
#include <algorithm>
#include <array>
#include <cmath>

#include "base/bytes.h"
#include "base/strings.h"
#include "index/graph.h"

namespace loci::index {

namespace {

// Raised when lists or parameters are to be read in another way.
constexpr uint32_t kGraphFormat = 2;
constexpr size_t kMostMeasured = 1000;

template <typename T>
base::ByteSpan bytes_of(const T* data, size_t count) {
  return {reinterpret_cast<const uint8_t*>(data), count * sizeof(T)};
}

Status damaged(std::string_view what) {
  return Status::corruption(base::str_cat("snapshot: graph with ", what));
}

template <typename T>
Status take(std::span<const uint8_t> bytes, std::span<T> into, std::string_view what) {
  if (bytes.size() < into.size_bytes()) return damaged(base::str_cat(what, " cut off"));
  std::copy_n(bytes.begin(), into.size_bytes(), reinterpret_cast<uint8_t*>(into.data()));
  return {};
}

/// The bytes of a piece of a segment, padded to 64.
size_t padded(size_t bytes) noexcept { return base::round_up(bytes, base::Buffer::kAlignment); }

}  // namespace

Status Graph::save(uint32_t number, SnapshotWriter& out) const {
  base::ByteWriter head;
  head.u32le(kGraphFormat);
  head.u32le(static_cast<uint32_t>(degree_));
  head.u32le(static_cast<uint32_t>(ef_construction_));
  head.u32le(static_cast<uint32_t>(entries_.size()));
  head.u64le(slots_);
  head.u64le(inserted_);
  head.f32le(codes_.greatest_norm2());
  head.f32le_array(codes_.center());
  head.u32le(static_cast<uint32_t>(recall_.size()));
  for (const GraphRecall& measured : recall_) {
    head.u32le(static_cast<uint32_t>(measured.ef));
    head.f64le(measured.recall);
  }
  LOCI_RETURN_IF_ERROR(out.add({SegmentKind::kGraph, number, 0}, slots_, head.view()));
  LOCI_RETURN_IF_ERROR(
      out.add({SegmentKind::kGraphEntries, number, 0}, entries_.size(), entries_.pieces()));
  const std::array<base::ByteSpan, 5> slot_pieces = {
      bytes_of(linked_.words().data(), linked_.words().size()),
      bytes_of(nodes_.words().data(), nodes_.words().size()), bytes_of(twins_.data(), slots_),
      bytes_of(codes_.params(), slots_),
      bytes_of(codes_.lifts().data(), codes_.lifts().empty() ? 0 : slots_)};
  LOCI_RETURN_IF_ERROR(
      out.add({SegmentKind::kGraphSlots, number, 0}, linked_.words().size(), slot_pieces));
  for (size_t block = 0; block * kBlockRows < slots_; ++block) {
    const size_t first = block * kBlockRows;
    const size_t count = std::min(kBlockRows, slots_ - first);
    LOCI_RETURN_IF_ERROR(
        out.add({SegmentKind::kGraphLists, number, block}, count,
                bytes_of(lists_.as<uint32_t>().data() + first * degree_, count * degree_)));
  }
  return {};
}

Status Graph::load_head(const VectorColumn& column, std::span<const uint8_t> bytes,
                        size_t* entries) {
  base::ByteReader in{base::ByteSpan(bytes)};
  const uint32_t format = in.u32le();
  GraphOptions options;
  const uint32_t degree = in.u32le();
  options.m = degree / 2;
  options.ef_construction = in.u32le();
  *entries = in.u32le();
  const uint64_t slots = in.u64le();
  const uint64_t inserted = in.u64le();
  const float greatest_norm2 = in.f32le();
  std::vector<float> center(column.dim());
  in.f32le_array(center);
  const uint32_t measured = in.u32le();
  if (!in.ok() || format != kGraphFormat || degree % 2 != 0 || *entries > GraphEntries::kMost ||
      measured > kMostMeasured || slots > kMaxSlots || inserted > uint64_t{1} << 62) {
    return damaged("a head that is cut off or of another build");
  }
  if (!check(column.layout().metric, options).ok()) return damaged("options out of range");
  for (uint32_t i = 0; i < measured; ++i) {
    const size_t ef = in.u32le();
    recall_.push_back({.ef = ef, .recall = in.f64le()});
    if (!in.ok() || !(recall_.back().recall >= 0 && recall_.back().recall <= 1)) {
      return damaged("a recall out of range");
    }
  }
  degree_ = degree;
  ef_construction_ = options.ef_construction;
  placing_ef_ = options.ef_construction;
  inserted_ = inserted;
  codings_ = column.codings();
  codes_.restore(column, std::move(center), greatest_norm2);
  return reserve(static_cast<size_t>(slots));
}

Status Graph::load_slots(std::span<const uint8_t> bytes, size_t words) {
  const std::array<size_t, 5> sizes = {words * 8, words * 8, slots_ * sizeof(uint32_t),
                                       slots_ * sizeof(simd::RankParams),
                                       codes_.lifted() ? slots_ * sizeof(float) : 0};
  std::array<std::span<const uint8_t>, 5> pieces;
  size_t at = 0;
  for (size_t i = 0; i < pieces.size(); ++i) {
    if (words > slots_ / 64 + kBlockWords || at + sizes[i] > bytes.size()) {
      return damaged("its slots cut off");
    }
    pieces[i] = bytes.subspan(at, sizes[i]);
    at += padded(sizes[i]);
    at = std::min(at, bytes.size());
  }
  LOCI_RETURN_IF_ERROR(linked_.assign(pieces[0], slots_));
  LOCI_RETURN_IF_ERROR(nodes_.assign(pieces[1], slots_));
  LOCI_RETURN_IF_ERROR(take(pieces[2], std::span(twins_), "rings"));
  return codes_.restore_params(pieces[3], pieces[4]);
}

Status Graph::load_entries(const VectorColumn& column, std::span<const uint8_t> bytes,
                           size_t count) {
  LOCI_RETURN_IF_ERROR(entries_.reserve(column));
  if (const Status status = entries_.load(bytes, count); !status.ok()) {
    return damaged(status.message());
  }
  const auto node = [this](uint32_t slot) { return is_node(slot); };
  const std::span<const uint32_t> slots = entries_.slots();
  if (!std::all_of(slots.begin(), slots.end(), node)) return damaged("an entry that is no node");
  return {};
}

Result<std::optional<Graph>> Graph::load(const VectorColumn& column, uint32_t number,
                                         SnapshotFile& from, size_t slots) {
  if (!from.contains({SegmentKind::kGraph, number, 0})) return std::optional<Graph>();
  Graph graph;
  size_t entries = 0;
  LOCI_ASSIGN_OR_RETURN(const SnapshotFile::Segment head,
                        from.read({SegmentKind::kGraph, number, 0}));
  if (head.items > slots) return damaged(base::str_cat(head.items, " slots of ", slots));
  LOCI_RETURN_IF_ERROR(graph.load_head(column, head.bytes, &entries));
  if (graph.slots_ != head.items) return damaged("two numbers of slots");
  LOCI_ASSIGN_OR_RETURN(const SnapshotFile::Segment state,
                        from.read({SegmentKind::kGraphSlots, number, 0}));
  LOCI_RETURN_IF_ERROR(graph.load_slots(state.bytes, static_cast<size_t>(state.items)));
  for (size_t block = 0; block * kBlockRows < graph.slots_; ++block) {
    const size_t first = block * kBlockRows;
    const size_t count = std::min(kBlockRows, graph.slots_ - first);
    LOCI_ASSIGN_OR_RETURN(const SnapshotFile::Segment lists,
                          from.read({SegmentKind::kGraphLists, number, block}));
    LOCI_RETURN_IF_ERROR(
        take(std::span<const uint8_t>(lists.bytes),
             graph.lists_.as<uint32_t>().subspan(first * graph.degree_, count * graph.degree_),
             "lists"));
  }
  LOCI_ASSIGN_OR_RETURN(const SnapshotFile::Segment entry_segment,
                        from.read({SegmentKind::kGraphEntries, number, 0}));
  LOCI_RETURN_IF_ERROR(graph.load_entries(column, entry_segment.bytes, entries));
  if (const Status status = graph.check_structure(column); !status.ok()) {
    return damaged(status.message());
  }
  return std::optional<Graph>(std::move(graph));
}

}  // namespace loci::index

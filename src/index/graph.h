// SPDX-License-Identifier: Apache-2.0
//
// The graph of a vector column: which rows are near which. See docs/design/index.md first.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/aligned.h"
#include "index/bits.h"
#include "index/columns.h"
#include "index/graph_build.h"
#include "index/graph_entries.h"
#include "index/rank_codes.h"
#include "index/snapshot_file.h"
#include "simd/kernels.h"

namespace loci::index {

class Workers;

/// A slot and how far it looks by its code.
struct Found {
  float score = 0;
  uint32_t slot = 0;
};

/// A graph over slots of one column, which every call is given and which must be the same.
///
/// A linked slot is a *node*, with a list of neighbours, or the *twin* of a node: a row with the
/// same vector. Twins are in a ring with their node; in place of a list they have its number.
///
/// Threads: const methods beside each other; all else alone.
class Graph {
 public:
  static constexpr uint32_t kNone = simd::kNoNumber;
  /// Pools mark slots in their upper bit.
  static constexpr size_t kMaxSlots = size_t{1} << 31;
  /// Rows that insert() places side by side.
  static constexpr size_t kBatch = 128;

  /// A graph without nodes. Errors: kUnsupported (metric), kInvalidArgument (options).
  static Result<Graph> create(const VectorColumn& column, const GraphOptions& options);
  /// What create() would say.
  [[nodiscard]] static Status check(Metric metric, const GraphOptions& options);

  [[nodiscard]] size_t m() const noexcept { return degree_ / 2; }
  [[nodiscard]] size_t ef_construction() const noexcept { return ef_construction_; }
  /// Rows are sought with `ef` from now on, not with ef_construction().
  void set_placing_ef(size_t ef) noexcept { placing_ef_ = ef; }
  [[nodiscard]] size_t linked_count() const noexcept { return linked_.count(); }
  [[nodiscard]] size_t node_count() const noexcept { return nodes_.count(); }
  [[nodiscard]] const SlotBits& linked() const noexcept { return linked_; }
  [[nodiscard]] bool is_linked(size_t slot) const noexcept {
    return slot < slots_ && linked_.test(slot);
  }
  [[nodiscard]] size_t slots() const noexcept { return slots_; }
  [[nodiscard]] const RankCodes& codes() const noexcept { return codes_; }

  /// Links up to kBatch slots that are not linked and can be ranked (others are passed over). The
  /// same graph whatever the number of workers; null: none but the caller. Errors: kOutOfMemory
  /// (may also throw std::bad_alloc), kCorruption; then some of the rows are not linked.
  Status insert(const VectorColumn& column, std::span<const uint32_t> slots, Workers* workers);
  /// Unlinks a slot, whose vector may be gone or another one already, and mends the graph around
  /// it.
  void erase(const VectorColumn& column, size_t slot) noexcept;
  /// To be called when the column may have coded all rows anew, before anything else.
  void follow_codes(const VectorColumn& column);

  /// The neighbours of a node: up to degree() slots, then kNone.
  [[nodiscard]] std::span<const uint32_t> neighbors(size_t slot) const noexcept {
    return {lists_.as<uint32_t>().data() + slot * degree_, degree_};
  }
  [[nodiscard]] size_t degree() const noexcept { return degree_; }
  [[nodiscard]] bool is_node(size_t slot) const noexcept {
    return slot < slots_ && nodes_.test(slot);
  }
  /// The node of a linked slot: the slot itself, or whose twin it is.
  [[nodiscard]] uint32_t node_of(size_t slot) const noexcept {
    return nodes_.test(slot) ? static_cast<uint32_t>(slot) : neighbors(slot)[0];
  }
  /// The next of the rows with the same vector, the slot itself at last.
  [[nodiscard]] uint32_t next_twin(size_t slot) const noexcept { return twins_[slot]; }

  void prefetch_twin(size_t slot) const noexcept { __builtin_prefetch(&twins_[slot]); }

  [[nodiscard]] const GraphEntries& entries() const noexcept { return entries_; }

  /// Which ef found which share of the nearest; see graph_recall.cc. Ascending.
  [[nodiscard]] std::span<const GraphRecall> recall() const noexcept { return recall_; }
  void set_recall(std::vector<GraphRecall> recall) { recall_ = std::move(recall); }

  /// Writes the graph as segments of vector column `number`.
  Status save(uint32_t number, SnapshotWriter& out) const;
  /// Takes over what save() wrote; nullopt when there is none. kCorruption.
  static Result<std::optional<Graph>> load(const VectorColumn& column, uint32_t number,
                                           SnapshotFile& from, size_t slots);

  [[nodiscard]] size_t memory_bytes() const noexcept;
  [[nodiscard]] Status check_invariants(const VectorColumn& column) const;

 private:
  /// Where a row is to be put.
  struct Placement {
    uint32_t slot = kNone;  ///< kNone: it is passed over
    uint32_t twin = kNone;
    simd::RankParams params;
    std::vector<Found> neighbors;
    Status status;
  };

  Graph() = default;
  Status reserve(size_t slots);
  // graph_link.cc
  void place(const VectorColumn& column, std::span<Placement> batch, size_t number) const;
  Status find_place(const VectorColumn& column, std::span<Placement> batch, size_t number) const;
  void add_starts(const VectorColumn& column, const RankedQuery& row, std::span<const Found> starts,
                  std::vector<Found>& chosen) const;
  void score_for(const VectorColumn& column, const RankedQuery& row,
                 std::span<const uint32_t> slots, std::vector<Found>& scored) const;
  bool link_if_room(uint32_t from, uint32_t to) noexcept;
  [[nodiscard]] uint32_t find_twin(const VectorColumn& column, uint32_t slot,
                                   std::span<const Found> near) const noexcept;
  Status add_from_batch(const VectorColumn& column, const RankedQuery& row,
                        std::span<const Placement> earlier, std::vector<Found>& near) const;
  Status select(const VectorColumn& column, std::span<const Found> near,
                std::vector<Found>& chosen) const;
  Status link(const VectorColumn& column, uint32_t from, const Found& to);
  Status link_batch(const VectorColumn& column, std::span<const Placement> batch, Workers* workers);
  [[nodiscard]] std::vector<uint32_t> around(uint32_t node) const;
  void mend(const VectorColumn& column, uint32_t lost, uint32_t replacement);
  Status mend_list(const VectorColumn& column, uint32_t at, std::span<const uint32_t> instead);
  Status score_slots(const VectorColumn& column, uint32_t at, std::span<const uint32_t> slots,
                     std::vector<Found>& scored) const;
  [[nodiscard]] Status occluded(const VectorColumn& column, const Found& candidate,
                                std::span<const uint32_t> list, bool* result) const;

  [[nodiscard]] std::span<uint32_t> list_of(size_t slot) noexcept {
    return {lists_.as<uint32_t>().data() + slot * degree_, degree_};
  }
  // graph.cc
  void unring(uint32_t slot) noexcept;
  void offer_entry(const VectorColumn& column, uint32_t slot);
  void replace_entry(const VectorColumn& column, uint32_t lost, uint32_t by) noexcept;
  [[nodiscard]] uint32_t any_node(uint32_t but) const noexcept;
  void add_placed(const VectorColumn& column, Placement& place);
  [[nodiscard]] Status check_node(size_t slot) const;
  /// Invariants that need no vector: no number leads out of the graph, rings close.
  [[nodiscard]] Status check_structure(const VectorColumn& column) const;
  [[nodiscard]] Status check_ring(uint32_t node, size_t* size) const;
  // graph_snapshot.cc
  Status load_head(const VectorColumn& column, std::span<const uint8_t> bytes, size_t* entries);
  Status load_slots(std::span<const uint8_t> bytes, size_t words);
  Status load_entries(const VectorColumn& column, std::span<const uint8_t> bytes, size_t count);

  size_t degree_ = 32;
  size_t ef_construction_ = 128;
  size_t placing_ef_ = 128;  ///< what rows are sought with
  size_t slots_ = 0;         ///< room that is in use: one past the greatest slot ever linked
  uint64_t codings_ = 0;
  uint64_t inserted_ = 0;  ///< nodes ever: what entries are drawn from
  RankCodes codes_;
  base::Buffer lists_;           ///< degree_ slots for each slot
  std::vector<uint32_t> twins_;  ///< by slot
  SlotBits linked_;
  SlotBits nodes_;
  GraphEntries entries_;
  std::vector<GraphRecall> recall_;
};

/// The part of a list that is before its first Graph::kNone.
[[nodiscard]] inline std::span<const uint32_t> in_use(std::span<const uint32_t> list) noexcept {
  const auto end = std::find(list.begin(), list.end(), Graph::kNone);
  return list.first(static_cast<size_t>(end - list.begin()));
}

}  // namespace loci::index

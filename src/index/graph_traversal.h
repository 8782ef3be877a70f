// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "index/graph.h"
#include "index/row_test.h"
#include "simd/kernels.h"

namespace loci::index {

/// How a graph is walked.
struct Walk {
  size_t ef = 10;  ///< nodes kept, all of which are looked around
  /// Not null: the rows of which a node that is found must have one.
  const RowTest* only = nullptr;
  /// With `only`, 0: other nodes are not kept but stepped over: their neighbours are looked at in
  /// their place. Else they are walked like all, until so many were found that are nearer than all
  /// that is left to be looked around.
  size_t enough = 0;
};

/// One walk after the other through graphs, best node first. Keeps its memory between walks.
/// Threads: one each.
class Traversal {
 public:
  /// The one of this thread.
  static Traversal& local();

  /// May throw std::bad_alloc.
  void run(const Graph& graph, const VectorColumn& column, const simd::RankQuery& query,
           const Walk& walk);
  /// The nodes found by the last run(), nearest first, at most ef.
  [[nodiscard]] std::span<const Found> found() const noexcept {
    if (enough_ != 0) return {passing_.data(), std::min(passing_.size(), enough_)};
    return {pool_.data(), size_};
  }
  /// The entries that the last run() began at, nearest first.
  [[nodiscard]] std::span<const Found> starts() const noexcept { return starts_; }
  /// Nodes that were scored, entries apart.
  [[nodiscard]] size_t visited() const noexcept { return visited_; }

 private:
  static constexpr uint32_t kDone = 0x80000000;
  /// Nodes scored at once: some lists, or one and the last that was stepped to. The longest has
  /// 128 places (GraphOptions::m is at most 64).
  static constexpr size_t kRound = 256;

  void enter(const Graph& graph, const simd::RankQuery& query);
  void enter_range(const Graph& graph, const simd::RankQuery& query, size_t first, size_t end);
  void note_touched(const uint32_t* slots, size_t count);
  void gather(const Graph& graph, uint32_t node);
  void gather_through(const Graph& graph, uint32_t node, const RowTest& only);
  void step_asking(const Graph& graph, std::span<const uint32_t> list, const RowTest& only);
  void step_open(std::span<const uint32_t> list) noexcept;
  void take(uint32_t slot) noexcept;
  void test(const Graph& graph, const RowTest& only, std::span<const uint32_t> nodes);
  void look_at(const Graph& graph, const Walk& walk);
  void note_passing(const Found& node);
  void drop_next() noexcept;
  void forget_seen(size_t slots) noexcept;
  void score_round(const Graph& graph, const VectorColumn& column, const simd::RankQuery& query);
  void insert(const Graph& graph, size_t kept, const uint32_t* slots) noexcept;
  [[nodiscard]] float limit() const noexcept;

  std::vector<uint64_t> seen_;  ///< all zero between runs
  std::vector<uint64_t> open_;  ///< with open_known_: passing nodes that were not scored yet
  bool open_known_ = false;
  std::vector<uint32_t> touched_;
  std::vector<Found> pool_;
  std::vector<Found> starts_;
  std::vector<Found> passing_;  ///< with enough_: looked around, nearest first
  size_t enough_ = 0;
  float bound_ = 0;  ///< score of the last of enough_, or infinite
  bool running_ = false;
  bool sparse_ = false;
  size_t size_ = 0;  ///< of pool_, in use
  size_t ef_ = 0;
  size_t next_ = 0;  ///< the first of pool_ that was not looked around
  size_t visited_ = 0;
  size_t round_ = 0;  ///< nodes to be scored
  std::array<uint32_t, kRound> slots_{};
  std::array<uint32_t, kRound> stepped_{};
  std::array<uint8_t, kRound> passes_{};
  std::array<const uint8_t*, kRound> rows_{};
  std::array<uint32_t, kRound + 16> which_{};
  std::array<float, kRound + 16> scores_{};
};

}  // namespace loci::index

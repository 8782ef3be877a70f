// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/aligned.h"
#include "index/rank_codes.h"
#include "simd/kernels.h"

namespace loci::index {

/// Where walks through a graph begin: nodes spread over all, with codes that lie side by side. Many
/// of them lie in groups, each around a pivot, so that a walk looks at the pivots and a few groups
/// instead of all. Entries have positions, which move when entries come or go.
///
/// Threads: const methods beside each other; all else alone.
class GraphEntries {
 public:
  /// Entries at most, and how many pivots there are (graph_entries.cc).
  static constexpr size_t kMost = 1024;
  static constexpr size_t kPivots = 64;
  /// As many are looked at one and all.
  static constexpr size_t kFlat = 256;

  /// Memory for kMost. Errors: kOutOfMemory; may also throw std::bad_alloc.
  Status reserve(const VectorColumn& column);

  [[nodiscard]] size_t size() const noexcept { return slots_.size(); }
  [[nodiscard]] bool empty() const noexcept { return slots_.empty(); }
  [[nodiscard]] std::span<const uint32_t> slots() const noexcept { return slots_; }
  /// The entries from position `first` on, to be ranked.
  [[nodiscard]] simd::RankRows rows(size_t first, size_t count) const noexcept {
    return {rows_.data() + first, params_.data() + first, nullptr, stride_, count};
  }
  [[nodiscard]] bool grouped() const noexcept { return size() > kFlat; }
  /// Only while grouped().
  [[nodiscard]] simd::RankRows pivots() const noexcept {
    return {rows_.data() + kMost, params_.data() + kMost, nullptr, stride_, kPivots};
  }
  /// Where the entries around a pivot begin and end. Only while grouped().
  [[nodiscard]] std::pair<size_t, size_t> group(size_t pivot) const noexcept {
    return {begins_[pivot], begins_[pivot + 1]};
  }
  /// The position of the entry that is `slot`.
  [[nodiscard]] std::optional<size_t> find(uint32_t slot) const noexcept;

  /// Adds a node; there must be less than kMost. `codes` have its parameters.
  void add(const RankCodes& codes, const VectorColumn& column, uint32_t slot) noexcept;
  void remove(size_t position) noexcept;
  /// To be called when the nodes have other codes.
  void follow(const RankCodes& codes, const VectorColumn& column) noexcept;

  /// What is saved, in pieces (docs/format/snapshot.md).
  [[nodiscard]] std::array<base::ByteSpan, 6> pieces() const noexcept;
  /// Takes over such pieces, padded each, of `count` entries; after reserve(). kCorruption.
  Status load(std::span<const uint8_t> bytes, size_t count);

  [[nodiscard]] size_t memory_bytes() const noexcept;
  [[nodiscard]] Status check_invariants(const VectorColumn& column) const;

 private:
  void copy_node(const RankCodes& codes, const VectorColumn& column, size_t position) noexcept;
  void choose_pivots(const RankCodes& codes, const VectorColumn& column) noexcept;
  [[nodiscard]] size_t nearest_pivot(const RankCodes& codes, const VectorColumn& column,
                                     uint32_t slot) const noexcept;
  [[nodiscard]] bool groups_in_order() const noexcept;
  [[nodiscard]] uint8_t* code(size_t position) noexcept {
    return codes_.data() + position * stride_;
  }

  size_t stride_ = 0;
  std::vector<uint32_t> slots_;
  // By position; the pivots' from kMost on. Those of rows_ point into codes_.
  std::vector<simd::RankParams> params_;
  std::vector<const uint8_t*> rows_;
  base::Buffer codes_;
  size_t changes_ = 0;  ///< since the pivots were chosen
  std::array<uint32_t, kPivots + 1> begins_{};
};

}  // namespace loci::index

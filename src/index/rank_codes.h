// SPDX-License-Identifier: Apache-2.0
//
// What a graph is traversed by: the 4-bit codes of a column, and eight bytes a row to score them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/aligned.h"
#include "index/columns.h"
#include "loci/types.h"
#include "simd/kernels.h"

namespace loci::index {

/// A vector prepared for scoring rows. Made by RankCodes; may be used again, which allocates
/// nothing.
struct RankedQuery {
  simd::RankQuery rank;
  simd::QueryPlanes planes;  ///< the same integers, for codes of both planes
  float norm = 0;            ///< length of what was coded
  float lost = 0;            ///< length of what rounding lost of it
  float lift = 0;            ///< of a row under kDot: see RankCodes

  base::Buffer memory;
};

/// Scores are estimates of squared distances (l2; cosine and angular: between unit vectors), or for
/// a query under dot of -2 <q, x>, all up to a number of the query's own where that is said.
///
/// Threads: const methods from any.
class RankCodes {
 public:
  /// Codes of no row yet. The centre that scores are relative to is the mean of the rows that the
  /// column has now. May throw std::bad_alloc.
  explicit RankCodes(const VectorColumn& column);
  /// For load().
  RankCodes() = default;

  /// Room for `slots` slots; may throw std::bad_alloc, then nothing has changed.
  void reserve(size_t slots);
  /// Whether the row of `slot` can be scored at all: it has a code, and is not out of all scale.
  [[nodiscard]] bool can_rank(const VectorColumn& column, size_t slot) const noexcept;
  /// The parameters of `slot`, which can be ranked.
  [[nodiscard]] simd::RankParams params_of(const VectorColumn& column, size_t slot) const noexcept;
  /// From now on rank() finds the row. Needs reserve().
  void set(const VectorColumn& column, size_t slot) noexcept;
  /// Under dot: what lift_between() needs of a slot that is not set yet. Needs reserve().
  void set_lift(const VectorColumn& column, size_t slot) noexcept;
  /// From now on rank() never keeps the row.
  void clear(size_t slot) noexcept;
  [[nodiscard]] bool is_set(size_t slot) const noexcept;
  [[nodiscard]] const simd::RankParams* params() const noexcept { return params_.data(); }
  [[nodiscard]] size_t size() const noexcept { return params_.size(); }

  /// Prepares a query: scores are less a number of the query's own. kOutOfMemory.
  Status prepare(const VectorColumn& column, VectorView vector, RankedQuery& out) const;
  /// Prepares the row of `slot` as a query among rows: scores are estimates of squared distances,
  /// under dot between rows lifted to one length, which orders rows as <q, x> does for all q
  /// (Bachrach et al., RecSys 2014, section 3).
  Status prepare_row(const VectorColumn& column, size_t slot, RankedQuery& out) const;
  /// The same of a slot that is set, quicker and nearly as well: by its 8-bit code where codes are
  /// around center(), which is a quarter of the bytes. kCorruption too.
  Status prepare_set_row(const VectorColumn& column, size_t slot, RankedQuery& out) const;
  /// What is missing in a score of prepare_row(): under dot the difference of the lifts.
  [[nodiscard]] float lift_between(const RankedQuery& row, size_t slot) const noexcept {
    if (lifts_.empty()) return 0;
    const float difference = row.lift - lifts_[slot];
    return difference * difference;
  }
  /// Whether lift_between() is ever other than 0.
  [[nodiscard]] bool lifted() const noexcept { return dot_; }

  [[nodiscard]] std::span<const float> center() const noexcept { return center_; }
  [[nodiscard]] float greatest_norm2() const noexcept { return greatest_norm2_; }
  /// To be called when the codes of the column have another origin: then set() all rows again.
  void follow(const VectorColumn& column) noexcept;
  /// Takes over what center() and greatest_norm2() were.
  void restore(const VectorColumn& column, std::vector<float> center, float greatest_norm2);
  /// By slot; empty but under dot.
  [[nodiscard]] std::span<const float> lifts() const noexcept { return lifts_; }
  /// Takes over what the bytes of params() and lifts() were, for size() slots. kCorruption.
  Status restore_params(std::span<const uint8_t> params, std::span<const uint8_t> lifts);
  [[nodiscard]] size_t memory_bytes() const noexcept;

 private:
  Status prepare_scaled(const VectorColumn& column, const simd::CodingRow& row, bool as_query,
                        RankedQuery& out) const;
  void fit_center(const VectorColumn& column);
  [[nodiscard]] static Status reserve_memory(const VectorColumn& column, RankedQuery& out);

  bool dot_ = false;
  bool codes_are_centered_ = false;  ///< the codes' origin is the centre
  std::vector<float> center_;
  std::vector<float> nothing_;       ///< kDot: what queries are relative to, zeros
  std::vector<float> origin_shift_;  ///< the codes' origin less the centre
  float greatest_norm2_ = 0;         ///< kDot: of the rows at first, ||x - center||^2
  std::vector<simd::RankParams> params_;
  std::vector<float> lifts_;  ///< kDot: sqrt(greatest_norm2 - ||x - center||^2)
};

}  // namespace loci::index

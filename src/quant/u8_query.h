// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/aligned.h"
#include "loci/status.h"
#include "loci/types.h"
#include "quant/u8_codec.h"
#include "simd/kernels.h"

namespace loci::quant {

/// Bounds on one row's reduced distance: lower <= true <= upper, also for a "true" distance that
/// was computed by simd's double kernels.
struct Bounds {
  double lower = 0;
  double upper = 0;
};

/// A run of coded rows, borrowed. Each pointer is at the run's first row.
struct RowBlock {
  const uint8_t* codes = nullptr;  ///< count rows of stride() bytes, 64-byte aligned
  const float* lo = nullptr;
  const float* step = nullptr;
  const float* err = nullptr;
  const float* aux = nullptr;
  const float* delta = nullptr;
  const uint64_t* allowed = nullptr;  ///< bit i % 64 of word i / 64 lets row i in; null: all rows
  size_t count = 0;
};

/// A query prepared once for many rows:
///
///   query.scan(block, raw);                       // integer dot products, at memory speed
///   query.set_threshold(kth_best);                // reduced distance
///   n = query.select(block, raw, positions);      // drops only rows that are truly farther
///   query.bounds(params_of(i), raw[i])            // for the few that are left
///
/// Threads: const methods from any.
class U8Query {
 public:
  /// Prepares `vector` (codec.dim() components). `kernels` must outlive this.
  /// Errors: kInvalidArgument (dimension, NaN or infinity, zero under cosine or angular),
  /// kOutOfMemory.
  static Result<U8Query> create(const U8Codec& codec, VectorView vector,
                                const simd::Kernels& kernels);

  /// raw[i] of each row, allowed or not; raw.size() >= block.count.
  void scan(const RowBlock& block, std::span<int32_t> raw) const noexcept;
  /// Rows whose reduced distance is surely above `reduced` are dropped by select. +infinity at
  /// first. Never drops a row at exactly `reduced`.
  void set_threshold(double reduced) noexcept;
  [[nodiscard]] double threshold() const noexcept { return threshold_; }
  /// Positions within the block, ascending, of the rows that are left; returns how many.
  /// positions.size() >= block.count + 16.
  [[nodiscard]] size_t select(const RowBlock& block, std::span<const int32_t> raw,
                              std::span<uint32_t> positions) const noexcept;
  /// Tighter than select's test: all in double.
  [[nodiscard]] Bounds bounds(const RowParams& row, int32_t raw) const noexcept;

 private:
  U8Query(const U8Codec& codec, const simd::Kernels& kernels) noexcept
      : metric_(codec.metric()), dim_(codec.dim()), stride_(codec.stride()), kernels_(&kernels) {}
  Status prepare_dot(VectorView vector);
  Status prepare_codes(const U8Codec& codec, VectorView vector);
  [[nodiscard]] Bounds dot_bounds(const RowParams& row, double product) const noexcept;
  [[nodiscard]] Bounds l2_bounds(const RowParams& row, double product) const noexcept;
  void set_l2_threshold(double squared) noexcept;

  Metric metric_;
  size_t dim_;
  size_t stride_;
  const simd::Kernels* kernels_;
  base::Buffer memory_;  ///< the planes, or the query's own code row
  simd::QueryPlanes planes_;
  simd::SelectQuery select_;
  double threshold_ = 0;
  double scale_ = 0;   ///< decoded query = scale_ * q
  double sum_ = 0;     ///< sum of q
  double norm_ = 0;    ///< at least ||query|| (of unit length for cosine and angular)
  double norm2_ = 0;   ///< ||query||^2
  double coded2_ = 0;  ///< ||decoded query||^2
  double err_ = 0;     ///< at least ||query - decoded query||; infinite: nothing can be bounded
};

}  // namespace loci::quant

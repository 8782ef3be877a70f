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
  const uint8_t* high =
      nullptr;                   ///< count rows of stride() bytes, 64-byte aligned: what is scanned
  const uint8_t* low = nullptr;  ///< the second plane; null when the codec has one
  const float* lo = nullptr;     ///< CodedRow::scan as parallel arrays
  const float* step = nullptr;
  const float* err = nullptr;
  const float* aux = nullptr;
  const float* delta = nullptr;
  const RowParams* fine = nullptr;    ///< CodedRow::fine; null when the codec has one plane
  const uint64_t* allowed = nullptr;  ///< bit i % 64 of word i / 64 lets row i in; null: all rows
  size_t count = 0;
};

/// A row that the fine test left.
struct FineRow {
  uint32_t position = 0;
  Bounds bounds;
};

/// A query prepared once for many rows:
///
///   query.scan(block, raw);                       // integer dot products, at memory speed
///   query.set_threshold(kth_best);                // reduced distance
///   n = query.select(block, raw, positions);      // drops only rows that are truly farther
///   m = query.refine(block, raw, positions, out)  // the same by both planes, and proven bounds
///
/// Threads: const methods from any.
class U8Query {
 public:
  /// Rows that refine() takes at once.
  static constexpr size_t kRefineRows = 256;

  /// Prepares `vector` (codec.dim() components). `kernels` must outlive this.
  /// Errors: kInvalidArgument (dimension, NaN or infinity, zero under cosine or angular),
  /// kOutOfMemory.
  static Result<U8Query> create(const U8Codec& codec, VectorView vector,
                                const simd::Kernels& kernels);

  /// raw[i] of each row, allowed or not; raw.size() >= block.count. Reads the first plane.
  void scan(const RowBlock& block, std::span<int32_t> raw) const noexcept;
  /// out[i]: about how far each row is, on a scale of the query's own; for ordering rows, without
  /// any promise. out.size() >= block.count.
  void estimate(const RowBlock& block, std::span<const int32_t> raw,
                std::span<float> out) const noexcept;
  /// Rows whose reduced distance is surely above `reduced` are dropped by select and refine.
  /// +infinity at first. Never drops a row at exactly `reduced`.
  void set_threshold(double reduced) noexcept;
  [[nodiscard]] double threshold() const noexcept { return threshold_; }
  /// Positions within the block, ascending, of the rows that are left; returns how many.
  /// positions.size() >= block.count + 16.
  [[nodiscard]] size_t select(const RowBlock& block, std::span<const int32_t> raw,
                              std::span<uint32_t> positions) const noexcept;
  /// Of the rows at `positions` (at most kRefineRows) those that their finer codes leave, in the
  /// same order; returns how many. out.size() >= positions.size().
  [[nodiscard]] size_t refine(const RowBlock& block, std::span<const int32_t> raw,
                              std::span<const uint32_t> positions,
                              std::span<FineRow> out) const noexcept;

 private:
  /// The query in one resolution: what rounding it kept and lost, and the test that follows.
  struct Level {
    simd::SelectQuery select;
    double scale = 0;   ///< decoded query = scale * n
    double sum = 0;     ///< sum of n
    double coded2 = 0;  ///< ||decoded query||^2
    double err = 0;     ///< at least ||query - decoded||; infinite: nothing can be bounded
  };

  U8Query(const U8Codec& codec, const simd::Kernels& kernels) noexcept
      : metric_(codec.metric()),
        two_planes_(codec.two_planes()),
        dim_(codec.dim()),
        stride_(codec.stride()),
        kernels_(&kernels) {}
  Status prepare_dot(const U8Codec& codec, VectorView vector, double square);
  Status prepare_codes(const U8Codec& codec, VectorView vector);
  void prepare_test(Level& level) const noexcept;
  [[nodiscard]] Bounds bounds(const RowParams& row, int32_t raw) const noexcept;
  [[nodiscard]] Bounds plain_bounds(const RowParams& row, int32_t raw) const noexcept;
  [[nodiscard]] Bounds dot_bounds(const RowParams& row, double product) const noexcept;
  [[nodiscard]] Bounds l2_bounds(const RowParams& row, double product) const noexcept;
  void set_l2_threshold(double squared, Level& level) const noexcept;
  size_t keep(const FineRow& row, std::span<FineRow> out, size_t count) const noexcept;

  Metric metric_;
  bool two_planes_;
  size_t dim_;
  size_t stride_;
  const simd::Kernels* kernels_;
  base::Buffer memory_;             ///< the planes, or the query's own code row
  const int8_t* coarse_ = nullptr;  ///< the query for scans of 4-bit codes
  simd::QueryPlanes planes_;        ///< the query for both planes
  Level scan_;                      ///< what scan() and select() work with
  Level fine_;                      ///< what refine() works with, when there are two planes
  double threshold_ = 0;
  double norm_ = 0;          ///< at least ||query||, what is coded of it (see u8_codec.cc)
  double norm2_ = 0;         ///< its square
  double origin_dot_ = 0;    ///< kDot: <query, origin> ...
  double origin_slack_ = 0;  ///< ... and what rounding may change about it
};

}  // namespace loci::quant

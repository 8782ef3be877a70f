// SPDX-License-Identifier: Apache-2.0
//
// Rows as 8 bits a component in two planes of 4 (l1: in one plane of 8; hamming: one bit), with
// proven bounds on what was lost.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "loci/status.h"
#include "loci/types.h"
#include "simd/dispatch.h"
#include "simd/kernels.h"

namespace loci::quant {

/// What a code needs beside its bytes. The meaning of aux and delta depends on the metric and is
/// proven in u8_codec.cc, where x is the row less the origin.
struct RowParams {
  float lo = 0;  ///< component j, less the origin's, is about lo + step * code[j]
  float step = 0;
  float err = 0;    ///< at least ||x - decoded x|| (L2 norm; L1 norm for kL1), rounding included
  float aux = 0;    ///< l2, cosine, angular: at most ||decoded x||^2; dot: at least ||x||
  float delta = 0;  ///< l2, cosine, angular: at most ||x||^2 - aux; else 0
};

/// A row's parameters in both resolutions. Codecs of one plane have the first only.
struct CodedRow {
  RowParams scan;  ///< of what scans read: the high plane alone, or the only plane
  RowParams fine;  ///< of both planes, code = 16 * high + low
};

/// Component j of a row of one 4-bit plane (simd::CodePlanes has the layout).
[[nodiscard]] inline unsigned half_byte(const uint8_t* row, size_t j) noexcept {
  const unsigned byte = row[j / 128 * 64 + j % 64];
  return j % 128 < 64 ? byte & 15U : byte >> 4U;
}

/// Raised when the same row would get other codes or parameters: snapshots hold them.
inline constexpr uint64_t kCodeFormat = 1;

/// The data range that a kL1 codec spreads its grid over. Values outside are clamped: sound, as
/// each row stores its true error, but looser. Other metrics fit each row and ignore it.
struct U8Range {
  float min = 0;
  float max = 1;
};

/// Encodes rows. Threads: const methods from any.
///
/// Distances here are *reduced*: monotone in the metric's distance and free of roots.
///   kL2 squared L2    kCosine, kAngular 1 - cos    kDot -dot    kL1, kHamming as they are
class U8Codec {
 public:
  /// kInvalidArgument: dim not in 1..8192, a range that is not finite or empty;
  /// kUnsupported: kCustom.
  static Result<U8Codec> create(Metric metric, size_t dim, U8Range range = {},
                                const simd::Kernels& kernels = simd::kernels());

  [[nodiscard]] Metric metric() const noexcept { return metric_; }
  [[nodiscard]] size_t dim() const noexcept { return dim_; }
  /// Two planes of 4 bits (l2, cosine, angular, dot), or one of 8 bits (l1) or 1 bit (hamming).
  [[nodiscard]] bool two_planes() const noexcept { return two_planes_; }
  /// Bytes of a row in one plane, padding included: a multiple of 64.
  [[nodiscard]] size_t stride() const noexcept { return stride_; }

  /// Encodes `row` (dim() finite components; not all zero for cosine and angular) into stride()
  /// bytes of each plane (`low`: of the second one, unused when there is one); padding is zeroed.
  /// Cost O(dim). Whatever the values, even non-finite ones, the row is never wrongly dropped: what
  /// cannot be coded gets an infinite `err`.
  [[nodiscard]] CodedRow encode(VectorView row, std::span<uint8_t> high,
                                std::span<uint8_t> low) const noexcept;

  /// What codes of two planes are relative to: dim() floats, at first zero. The nearer it is to
  /// the rows, the less is lost; any origin is sound. Empty when there is one plane.
  [[nodiscard]] VectorView origin() const noexcept { return origin_; }
  /// Codes made before, and queries, no longer fit: make them anew. Nothing happens when `origin`
  /// has not the length of origin().
  void set_origin(VectorView origin) noexcept;

  /// The grid of kL1.
  [[nodiscard]] float grid_lo() const noexcept { return grid_lo_; }
  [[nodiscard]] float grid_step() const noexcept { return grid_step_; }

 private:
  U8Codec(Metric metric, size_t dim, const simd::Kernels& kernels) noexcept;

  Metric metric_;
  size_t dim_;
  bool two_planes_;
  size_t stride_;
  const simd::Kernels* kernels_;  // must outlive this
  std::vector<float> origin_;
  float grid_lo_ = 0;
  float grid_step_ = 0;
};

}  // namespace loci::quant

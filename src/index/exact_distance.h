// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

#include "index/columns.h"
#include "loci/types.h"
#include "simd/kernels.h"

namespace loci::index {

/// Distances between a query and full vectors, in double, as a search returns them. The same two
/// vectors always give the same bits, whatever the image and the slot, so that ties are ties.
///   l2       sqrt(sum (q - x)^2)
///   cosine   1 - q.x / (|q| |x|), not below 0; a zero x has cos = 0
///   angular  acos(cos) / pi
///   dot      -q.x
///   l1       sum |q - x|
class ExactDistance {
 public:
  /// `query` and `column` must outlive this. Not for kHamming and kCustom.
  ExactDistance(const VectorColumn& column, VectorView query) noexcept;

  [[nodiscard]] double operator()(size_t slot) const noexcept;

  /// A reduced distance (see quant::U8Codec) above which no row's distance is <= `distance`.
  [[nodiscard]] double reduced_limit(double distance) const noexcept;
  /// `reduced`, raised by more than two equal distances can differ by when reduced.
  [[nodiscard]] double widened(double reduced) const noexcept;

 private:
  const VectorColumn& column_;  // must outlive this
  VectorView query_;
  Metric metric_;
  double query_norm_ = 1;
  double (*kernel_)(const float*, const float*, size_t) noexcept;
};

}  // namespace loci::index

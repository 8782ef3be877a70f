// SPDX-License-Identifier: Apache-2.0
#include "index/exact_distance.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "simd/dispatch.h"

namespace loci::index {

namespace {

// Far above the rounding of the last steps of a distance (a root, a division, an arc cosine: a few
// 1e-16), far below what an 8-bit code leaves open (1e-4 and more). It costs no re-ranking.
constexpr double kSlack = 1e-13;

}  // namespace

ExactDistance::ExactDistance(const VectorColumn& column, VectorView query) noexcept
    : column_(column), query_(query), metric_(column.layout().metric) {
  const simd::Kernels& kernels = simd::kernels();
  kernel_ = metric_ == Metric::kL2   ? kernels.l2sq_f32
            : metric_ == Metric::kL1 ? kernels.l1_f32
                                     : kernels.dot_f32;
  if (metric_ == Metric::kCosine || metric_ == Metric::kAngular) {
    query_norm_ = std::sqrt(kernels.dot_f32(query.data(), query.data(), query.size()));
  }
}

double ExactDistance::operator()(size_t slot) const noexcept {
  const double value = kernel_(query_.data(), column_.vector(slot), query_.size());
  switch (metric_) {
    case Metric::kL2:
      return std::sqrt(value);
    case Metric::kDot:
      return -value;
    case Metric::kCosine:
    case Metric::kAngular: {
      const double norm = column_.norm(slot);
      const double cosine = norm == 0 ? 0.0 : std::clamp(value / (query_norm_ * norm), -1.0, 1.0);
      return metric_ == Metric::kCosine ? 1.0 - cosine : std::acos(cosine) / std::numbers::pi;
    }
    default:
      return value;
  }
}

double ExactDistance::widened(double reduced) const noexcept {
  const bool of_unit_scale = metric_ == Metric::kCosine || metric_ == Metric::kAngular;
  return reduced + (of_unit_scale ? kSlack : std::abs(reduced) * kSlack);
}

double ExactDistance::reduced_limit(double distance) const noexcept {
  if (std::isinf(distance)) return distance;
  switch (metric_) {
    case Metric::kL2:
      return distance < 0 ? -std::numeric_limits<double>::infinity() : widened(distance * distance);
    case Metric::kAngular:
      if (distance < 0) return -std::numeric_limits<double>::infinity();
      return distance >= 1 ? std::numeric_limits<double>::infinity()
                           : widened(1.0 - std::cos(distance * std::numbers::pi));
    default:
      return widened(distance);
  }
}

}  // namespace loci::index

// SPDX-License-Identifier: Apache-2.0
#include "exact_distance.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

namespace loci::cli {

double exact_distance(Metric metric, VectorView a, VectorView b) {
  double squares = 0;
  double absolute = 0;
  double dot = 0;
  double norm_a = 0;
  double norm_b = 0;
  double bits = 0;
  for (size_t i = 0; i < a.size() && i < b.size(); ++i) {
    const auto x = static_cast<double>(a[i]);
    const auto y = static_cast<double>(b[i]);
    squares += (x - y) * (x - y);
    absolute += std::abs(x - y);
    dot += x * y;
    norm_a += x * x;
    norm_b += y * y;
    bits += (x > 0) != (y > 0) ? 1 : 0;
  }
  const double norms = std::sqrt(norm_a) * std::sqrt(norm_b);
  const double cosine = norms > 0 ? std::clamp(dot / norms, -1.0, 1.0) : 0;
  switch (metric) {
    case Metric::kL2:
      return std::sqrt(squares);
    case Metric::kCosine:
      return 1 - cosine;
    case Metric::kDot:
      return -dot;
    case Metric::kAngular:
      return std::acos(cosine) / std::numbers::pi;
    case Metric::kL1:
      return absolute;
    case Metric::kHamming:
      return bits;
    case Metric::kCustom:
      break;
  }
  return std::numeric_limits<double>::quiet_NaN();
}

}  // namespace loci::cli

// SPDX-License-Identifier: Apache-2.0
//
// Sums kept apart in lanes: floating-point addition may not be reordered, so a single running sum
// is computed one term after the other, and eight are computed as fast as the machine can.
#pragma once

#include <array>
#include <cstddef>
#include <numeric>

#include "loci/types.h"

namespace loci::quant {

inline constexpr size_t kLanes = 8;
using LaneSums = std::array<double, kLanes>;

inline double total(const LaneSums& sums) noexcept {
  return std::accumulate(sums.begin(), sums.end(), 0.0);
}

/// take(j, lane) for j = 0..count-1; j = 8 i + k goes to lane k.
template <typename Take>
void for_lanes(size_t count, const Take& take) noexcept {
  size_t j = 0;
  for (; j + kLanes <= count; j += kLanes) {
    for (size_t lane = 0; lane < kLanes; ++lane) take(j + lane, lane);
  }
  for (size_t lane = 0; j + lane < count; ++lane) take(j + lane, lane);
}

/// Sum of a * b, of the same length.
inline double dot(VectorView a, VectorView b) noexcept {
  LaneSums sums{};
  for_lanes(a.size(), [&](size_t j, size_t lane) noexcept {
    sums[lane] += static_cast<double>(a[j]) * static_cast<double>(b[j]);
  });
  return total(sums);
}

}  // namespace loci::quant

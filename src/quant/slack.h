// SPDX-License-Identifier: Apache-2.0
//
// Rounding allowances shared by encoder and query. Where they come from: u8_codec.cc, section 3.
#pragma once

#include <cfloat>
#include <cmath>
#include <cstddef>
#include <limits>

namespace loci::quant {

/// 128 units of float rounding (2^-24 each): what one evaluation of the select test may be off, in
/// units of the magnitudes that enter it. The proof needs 80.
inline constexpr double kSlack = 128.0 / (1 << 24);
/// Relative widening of a bound that float arithmetic then multiplies and adds to a few times.
inline constexpr double kWiden = 1e-6;
/// Covers underflow to subnormal floats, which has no relative bound.
inline constexpr double kTiny = 1e-34;
/// Relative error of the double kernels against exact arithmetic is below 8192 * 2^-53 = 1e-12.
inline constexpr double kExactSlack = 1e-11;
/// Squared norms beyond this could overflow floats: such rows and queries are not bounded at all.
inline constexpr double kMaxNorm2 = 1e36;

/// A float that is not less than `value` (nor more than two float steps above).
inline float round_up_float(double value) noexcept {
  const auto rounded = static_cast<float>(value);
  if (static_cast<double>(rounded) >= value || std::isnan(value)) return rounded;
  return std::nextafterf(rounded, std::numeric_limits<float>::infinity());
}
/// A float that is not greater than `value`.
inline float round_down_float(double value) noexcept { return -round_up_float(-value); }

/// M^2 of section 3: dim times the square of the largest magnitude a code of 0..top decodes to.
inline double magnitude2(size_t dim, float lo, float step, int top) noexcept {
  const double low = std::fabs(static_cast<double>(lo));
  const double high = std::fabs(static_cast<double>(lo) + top * static_cast<double>(step));
  const double largest = low > high ? low : high;
  return static_cast<double>(dim) * largest * largest;
}

}  // namespace loci::quant

// SPDX-License-Identifier: Apache-2.0
//
// Scalar quantisation to 8 bits with a proven bound.
//
// 1. The code. A row x (scaled to unit length in double for cosine and angular) becomes
// x^ = lo + step * c, c in 0..255, with a float lo and step of its own that span its least and
// greatest component. Whole numbers within a range of 255 (images, bvecs) take step 1 and lose
// nothing. The query q becomes q^ = s * n, n 16-bit integers. What was lost is measured, not
// estimated:  err >= ||x - x^||  is stored with the row,  E = ||q - q^||  is kept with the query.
//
// 2. The bounds, in exact arithmetic. Let p = <q^, x^> = s * (lo * sum n + step * D), where the
// integer D = sum n[j] * c[j] is what the scan computes, and d^2 = ||q^||^2 + ||x^||^2 - 2p.
//   (a) Triangle:  | ||q - x|| - d |  <=  err + E,   as q - x = (q^ - x^) + (q - q^) - (x - x^).
//   (b) Cauchy-Schwarz:  <q, x> - p = <q, x - x^> + <q - q^, x^>,  so
//       |<q, x> - p|  <=  ||q|| err + E ||x^||.
//   l2:      max of (a): (d - err - E)^2 when positive, and of (b):
//            ||q||^2 + ||x||^2 - 2p - 2 ||q|| err - 2 E ||x^||. (a) is tighter for rows nearer to q
//            than q is to the origin, (b) for the others.
//            2 E ||x^|| <= E (||x^||^2 / ||q|| + ||q||) makes (b) linear in what a row stores.
//   cosine, angular: 1 - cos = ||q - x||^2 / 2 for unit vectors: l2's bounds, halved.
//   dot:     -p - ||q|| err - E ||x^||.
//   l1:      both are coded on one grid, q^ = lo + step * k, and sum |x^ - q^| = step * SAD; the
//            triangle inequality of the L1 norm gives |true - step * SAD| <= err + E in L1 norms.
//   hamming: exact.
// A row is dropped only when a lower bound exceeds the threshold; upper bounds are symmetric.
//
// 3. Rounding. u = 2^-24 is half a float step; M = sqrt(dim) * max(|lo|, |lo + 255 step|) bounds
// ||x^||. All that is stored is computed in double (relative error < 1e-12, absorbed below) and
// then rounded to float in the safe direction. The float test in simd::select_below computes
//     e = base + aux + lo_scale * lo + (raw_scale * D) * step,
// rounding at most 10 times: lo_scale, raw_scale, float(D), two products, up to five sums. Every
// intermediate is at most B = ||q^||^2 + M^2 + 2 sum |q^[j]| (|lo| + 255 step), and as
// |lo| + 255 step <= 3 max(...), sum |q^[j]| <= sqrt(dim) ||q^|| and 6ab <= 3a^2 + 3b^2,
//     B <= ||q^||^2 + M^2 + 6 ||q^|| M <= 4 (||q^||^2 + M^2),   |error of e| <= 40u (same).
// Hence with kSlack = 128u:
//   (i)   l2: base = ||q^||^2 - kSlack ||q^||^2 - kTiny and aux = ||x^||^2 - kSlack M^2 make the
//         computed e <= d^2 in spite of rounding.
//   (ii)  l2, test (a), e > (root + err)^2: root and err are widened by kWiden = 16u, the float sum
//         and square lose at most 3u.
//   (iii) l2, test (b), e + delta > limit + err_weight err + aux_weight aux: delta is
//         ||x||^2 - ||x^||^2 less 3 kSlack M^2, of which one covers the rounding of e + delta
//         (<= u (|e| + |delta|) <= 2uB), one that aux is less than ||x^||^2 (its weight
//         E / ||q|| is <= 1, since rounding to nearest never moves a component by more than
//         itself), one is spare; limit gains kSlack ||q^||^2 and kWiden of each of its terms.
//   (iv)  dot: err gains kSlack M. The error of e is at most 12u * 3 sqrt(dim) ||q^|| max(...) =
//         36u ||q^|| M <= 72u ||q|| M, as ||q^|| <= 2 ||q|| by the same remark.
//   (v)   Overflow: rows and queries with M^2 or norm^2 above kMaxNorm2 get err = infinity, and
//   every
//         comparison with infinity or NaN keeps the row. Underflow: lo and step are normal floats
//         or zero, s >= FLT_MIN, so only products underflow, by at most 2^-149 each: kTiny.
//   (vi)  The caller compares with distances from the double kernels, off by 1e-12 relative to
//         ||q|| ||x|| or d^2: kExactSlack, and (i)-(iv), exceed that.
//
// Why 8 bits a component: the codec needs no training, rows are coded one by one as they come, and
// the bound is tight enough that few rows are compared in full.
// Cost: encode O(dim), no allocation. Tested by u8_codec_test.cc (bounds, every tier).
#include "quant/u8_codec.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/aligned.h"
#include "base/limits.h"
#include "base/strings.h"
#include "quant/slack.h"
#include "simd/kernels.h"

namespace loci::quant {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

/// Least, greatest and norm of a row, and whether all its components are whole numbers.
struct RowSummary {
  double min = 0;
  double max = 0;
  double norm2 = 0;
  bool integral = false;
};

RowSummary summarize(VectorView row) noexcept {
  float least = row[0];
  float greatest = row[0];
  double norm2 = 0;
  bool integral = true;
  for (const float x : row) {
    least = std::min(least, x);
    greatest = std::max(greatest, x);
    norm2 += static_cast<double>(x) * static_cast<double>(x);
    integral = integral && std::nearbyintf(x) == x;
  }
  return {least, greatest, norm2, integral};
}

/// Rounds to the nearest code. `value` is finite or NaN (which gives 0).
uint8_t to_code(double value) noexcept {
  const double shifted = value + 0.5;
  if (!(shifted > 0)) return 0;
  return static_cast<uint8_t>(shifted < 255.0 ? shifted : 255.0);
}

/// A float near `value` that is zero or normal.
float flush(double value) noexcept {
  const auto rounded = static_cast<float>(value);
  return std::fabs(rounded) < FLT_MIN ? 0.0F : rounded;
}

bool unit_length(Metric metric) noexcept {
  return metric == Metric::kCosine || metric == Metric::kAngular;
}

RowParams unbounded() noexcept {
  RowParams params;
  params.err = kInfinity;
  return params;
}

RowParams encode_bits(VectorView row, std::span<uint8_t> code) noexcept {
  for (size_t j = 0; j < row.size(); ++j) {
    if (row[j] > 0) code[j / 8] = static_cast<uint8_t>(code[j / 8] | (1u << (j % 8)));
  }
  RowParams params;
  params.step = 1;
  return params;
}

RowParams encode_grid(VectorView row, float lo, float step, std::span<uint8_t> code) noexcept {
  double lost = 0;
  for (size_t j = 0; j < row.size(); ++j) {
    const double x = row[j];
    code[j] = to_code((x - static_cast<double>(lo)) / static_cast<double>(step));
    lost += std::fabs(x - (static_cast<double>(lo) + static_cast<double>(step) * code[j]));
  }
  if (!std::isfinite(lost)) return unbounded();
  RowParams params;
  params.step = step;
  params.err = round_up_float(lost * (1 + kWiden));
  return params;
}

/// What encoding lost and kept: ||x - x^||^2, ||x^||^2, ||x||^2.
struct Measured {
  double lost2 = 0;
  double coded2 = 0;
  double true2 = 0;
};

Measured fill_codes(VectorView row, double scale, const RowParams& params,
                    std::span<uint8_t> code) noexcept {
  const double lo = params.lo;
  const double step = params.step;
  const double inverse = 1.0 / step;
  Measured sums;
  for (size_t j = 0; j < row.size(); ++j) {
    const double x = static_cast<double>(row[j]) * scale;
    code[j] = to_code((x - lo) * inverse);
    const double decoded = lo + step * code[j];
    sums.lost2 += (x - decoded) * (x - decoded);
    sums.coded2 += decoded * decoded;
    sums.true2 += x * x;
  }
  return sums;
}

RowParams encode_fitted(Metric metric, VectorView row, std::span<uint8_t> code) noexcept {
  const RowSummary summary = summarize(row);
  const double scale = unit_length(metric) ? 1.0 / std::sqrt(summary.norm2) : 1.0;
  // Non-finite components make norm2 non-finite (a NaN may escape min and max).
  if (!std::isfinite(summary.norm2) || !std::isfinite(scale)) return unbounded();
  RowParams params;
  params.lo = flush(summary.min * scale);
  const double span = summary.max * scale - static_cast<double>(params.lo);
  const bool whole = summary.integral && scale == 1.0 && span <= 255.0;
  params.step = whole ? 1.0F : std::max(static_cast<float>(span / 255.0), FLT_MIN);
  const double m2 = magnitude2(row.size(), params.lo, params.step);
  if (!(m2 <= kMaxNorm2) || !(summary.norm2 * scale * scale <= kMaxNorm2)) return unbounded();

  const Measured sums = fill_codes(row, scale, params, code);
  const double err = std::sqrt(sums.lost2) + kSlack * std::sqrt(m2);
  params.err = round_up_float(err * (1 + kWiden) + kTiny);
  if (metric == Metric::kDot) {
    params.aux = round_up_float(std::sqrt(std::max(sums.true2, sums.coded2)) * (1 + kWiden));
  } else {
    params.aux = round_down_float(sums.coded2 - kSlack * m2);
    params.delta = round_down_float(sums.true2 - sums.coded2 - 3 * kSlack * m2);
  }
  return params;
}

}  // namespace

U8Codec::U8Codec(Metric metric, size_t dim) noexcept
    : metric_(metric),
      dim_(dim),
      stride_(
          base::round_up(metric == Metric::kHamming ? (dim + 7) / 8 : dim, simd::kRowAlignment)) {}

Result<U8Codec> U8Codec::create(Metric metric, size_t dim, U8Range range) {
  if (metric == Metric::kCustom) {
    return Status::unsupported("metric 'custom' has no codec: it is compared in full");
  }
  if (dim == 0 || dim > base::kMaxDim) {
    return Status::invalid_argument(base::str_cat("dim ", dim, ", expected 1..", base::kMaxDim));
  }
  U8Codec codec(metric, dim);
  if (metric == Metric::kL1) {
    const double span = static_cast<double>(range.max) - static_cast<double>(range.min);
    if (!std::isfinite(span) || span < 0) {
      return Status::invalid_argument(
          base::str_cat("range ", range.min, "..", range.max, ", expected finite and ordered"));
    }
    codec.grid_lo_ = flush(range.min);
    codec.grid_step_ = std::max(round_up_float(span / 255.0), FLT_MIN);
  }
  return codec;
}

RowParams U8Codec::encode(VectorView row, std::span<uint8_t> code) const noexcept {
  std::fill(code.begin(), code.end(), uint8_t{0});
  if (row.size() != dim_ || code.size() < stride_) return unbounded();
  switch (metric_) {
    case Metric::kHamming:
      return encode_bits(row, code);
    case Metric::kL1:
      return encode_grid(row, grid_lo_, grid_step_, code);
    default:
      return encode_fitted(metric_, row, code);
  }
}

}  // namespace loci::quant

// SPDX-License-Identifier: Apache-2.0
//
// Scalar quantisation in two resolutions with proven bounds.
//
// 1. The code. A row x (scaled to unit length in double for cosine and angular) becomes
// x^ = lo + step * c, c in 0..255, with a float lo and step of its own that span its least and
// greatest component. Whole numbers within a range of 255 (images, bvecs) take step 1 and lose
// nothing. With c = 16 h + l the upper halves are a code themselves, the coarse one:
// x^ = lo' + step' * h, h in 0..15, lo' = lo + 7.5 step, step' = 16 step. It lies in a plane of its
// own, so that a scan reads half a byte a component; the lower halves are read for rows that the
// coarse code cannot tell. The query q becomes q^ = s * n, n integers of 8 bits beside the coarse
// code and of 16 beside the fine one. What was lost is measured for each resolution, not estimated:
// err >= ||x - x^||  is stored with the row,  E = ||q - q^||  is kept with the query. All that
// follows holds for either resolution, with its own x^, lo, step, err, q^, s, n and E; the largest
// code is called top: 255 or 15.
//
// The origin. Vectors of one source share much: on notes384 the mean has two thirds of the rows'
// squared length. So what is coded is x - o, with an origin o that the codec has; it may be any
// vector, and the nearer it is to the rows the less is lost. For l2, cosine and angular (there
// after scaling to unit length) q moves along, as ||(q - o) - (x - o)|| = ||q - x||: below, read
// q - o for q and x - o for x. For dot only rows move: <q, x> = <q, x - o> + <q, o>, and the last
// term is a number of the query's.
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
//   dot:     -p - <q, o> - ||q|| err - E ||x^||.
//   l1:      both are coded on one grid, q^ = lo + step * k, and sum |x^ - q^| = step * SAD; the
//            triangle inequality of the L1 norm gives |true - step * SAD| <= err + E in L1 norms.
//   hamming: exact.
// A row is dropped only when a lower bound exceeds the threshold; upper bounds are symmetric.
//
// 3. Rounding. u = 2^-24 is half a float step; M = sqrt(dim) * max(|lo|, |lo + top step|) bounds
// ||x^||. All that is stored is computed in double (relative error < 1e-12, absorbed below) and
// then rounded to float in the safe direction. The float test in simd::select_below computes
//     e = base + aux + lo_scale * lo + (raw_scale * D) * step,
// rounding at most 10 times: lo_scale, raw_scale, float(D), two products, up to five sums. Every
// intermediate is at most B = ||q^||^2 + M^2 + 2 sum |q^[j]| (|lo| + top step), and as
// |lo| + top step <= 3 max(...), sum |q^[j]| <= sqrt(dim) ||q^|| and 6ab <= 3a^2 + 3b^2,
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
//   (vi)  x - o is taken in double. For l2 and dot it is the difference of two floats, off by 2^-53
//         of itself at most. For cosine the scaled x and q are off by 2^-51 of their unit length,
//         which changes d^2 by less than 1e-14: kExactSlack in the threshold exceeds that. For dot
//         <q, o> and the caller's own <q, x> are off by 1e-12 ||q|| (||o|| + ||x - o||) each: limit
//         gains kExactSlack ||q|| ||o||, the rest is in kSlack M.
//   (vii) The caller compares with distances from the double kernels, off by 1e-12 relative to
//         ||q|| ||x|| or d^2: kExactSlack, and (i)-(iv), exceed that.
//
// Why this code: it needs no training, rows are coded one by one as they come. Around a fitting
// origin 4 bits a component leave some tens or hundreds of rows of tens of thousands, 8 bits hardly
// more than are asked for.
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

/// Completes lo and step by what a resolution lost and kept; `true2` is ||x||^2.
void complete(Metric metric, double m2, double lost2, double coded2, double true2,
              RowParams* params) noexcept {
  const double err = std::sqrt(lost2) + kSlack * std::sqrt(m2);
  params->err = round_up_float(err * (1 + kWiden) + kTiny);
  if (metric == Metric::kDot) {
    params->aux = round_up_float(std::sqrt(std::max(true2, coded2)) * (1 + kWiden));
  } else {
    params->aux = round_down_float(coded2 - kSlack * m2);
    params->delta = round_down_float(true2 - coded2 - 3 * kSlack * m2);
  }
}

CodedRow encode_fitted(Metric metric, const simd::Kernels& kernels, simd::CodingRow row,
                       uint8_t* high, uint8_t* low) noexcept {
  if (unit_length(metric)) row.scale = 1.0 / std::sqrt(kernels.dot_f32(row.row, row.row, row.dim));
  if (!std::isfinite(row.scale)) return {unbounded(), unbounded()};
  simd::RowSummary summary;
  kernels.summarize_f32(row, &summary);
  // Non-finite components make norm2 non-finite (a NaN may escape min and max).
  if (!(summary.norm2 <= kMaxNorm2)) return {unbounded(), unbounded()};
  CodedRow params;
  RowParams& fine = params.fine;
  RowParams& scan = params.scan;
  fine.lo = flush(summary.min);
  const double span = summary.max - static_cast<double>(fine.lo);
  const bool whole = summary.fraction == 0 && row.scale == 1.0 && span <= 255.0;
  fine.step = whole ? 1.0F : std::max(static_cast<float>(span / 255.0), FLT_MIN);
  const double m2 = magnitude2(row.dim, fine.lo, fine.step, 255);
  if (!(m2 <= kMaxNorm2)) return {unbounded(), unbounded()};
  scan.lo = flush(static_cast<double>(fine.lo) + 7.5 * static_cast<double>(fine.step));
  scan.step = 16 * fine.step;

  simd::CodeLoss loss;
  kernels.encode_u8(row,
                    {.lo = fine.lo,
                     .step = fine.step,
                     .inverse = 1.0 / static_cast<double>(fine.step),
                     .scan_lo = scan.lo,
                     .scan_step = scan.step},
                    high, low, &loss);
  const double scan_m2 = magnitude2(row.dim, scan.lo, scan.step, 15);
  complete(metric, scan_m2, loss.scan_lost2, loss.scan_coded2, summary.norm2, &scan);
  complete(metric, m2, loss.fine_lost2, loss.fine_coded2, summary.norm2, &fine);
  return params;
}

}  // namespace

U8Codec::U8Codec(Metric metric, size_t dim, const simd::Kernels& kernels) noexcept
    : metric_(metric),
      dim_(dim),
      two_planes_(metric != Metric::kL1 && metric != Metric::kHamming),
      stride_(two_planes_ ? base::round_up(dim, 2 * simd::kRowAlignment) / 2
                          : base::round_up(metric == Metric::kHamming ? (dim + 7) / 8 : dim,
                                           simd::kRowAlignment)),
      kernels_(&kernels) {}

Result<U8Codec> U8Codec::create(Metric metric, size_t dim, U8Range range,
                                const simd::Kernels& kernels) {
  if (metric == Metric::kCustom) {
    return Status::unsupported("metric 'custom' has no codec: it is compared in full");
  }
  if (dim == 0 || dim > base::kMaxDim) {
    return Status::invalid_argument(base::str_cat("dim ", dim, ", expected 1..", base::kMaxDim));
  }
  U8Codec codec(metric, dim, kernels);
  if (codec.two_planes_) codec.origin_.resize(dim);
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

CodedRow U8Codec::encode(VectorView row, std::span<uint8_t> high,
                         std::span<uint8_t> low) const noexcept {
  if (row.size() != dim_ || high.size() < stride_ || (two_planes_ && low.size() < stride_)) {
    return {unbounded(), unbounded()};
  }
  std::fill(high.begin(), high.end(), uint8_t{0});
  std::fill(low.begin(), low.end(), uint8_t{0});
  switch (metric_) {
    case Metric::kHamming:
      return {encode_bits(row, high), {}};
    case Metric::kL1:
      return {encode_grid(row, grid_lo_, grid_step_, high), {}};
    default:
      return encode_fitted(metric_, *kernels_, {row.data(), origin_.data(), dim_, 1}, high.data(),
                           low.data());
  }
}

void U8Codec::set_origin(VectorView origin) noexcept {
  if (origin.size() == origin_.size()) std::copy(origin.begin(), origin.end(), origin_.begin());
}

}  // namespace loci::quant

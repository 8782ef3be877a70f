// SPDX-License-Identifier: Apache-2.0
//
// The query's side of the 8-bit codec. The integers n of q^ = s * n are as fine as two limits
// allow: |n| <= 32,639, so that n = 256 hi + lo with signed bytes, and sum |n| * 255 < 2^31, so
// that no 32-bit dot product with codes overflows. At 384 dimensions that is 16 bits a component,
// at 8192 about 11; either way the query loses far less than the rows. The bounds and the roundings
// are proven in u8_codec.cc; names here follow it. Tested by u8_codec_test.cc.
#include "quant/u8_query.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "base/strings.h"
#include "quant/slack.h"

namespace loci::quant {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr float kInfinityF = std::numeric_limits<float>::infinity();
constexpr double kMaxInteger = 127 * 256 + 127;
constexpr double kMaxIntegerSum = 2147483647.0 / 255.0;

/// Largest component, sum of magnitudes and of squares, of a vector times `scale`.
struct Sizes {
  double largest = 0;
  double sum = 0;
  double norm2 = 0;
};

Sizes measure(VectorView vector, double scale) noexcept {
  Sizes sizes;
  for (const float component : vector) {
    const double x = std::fabs(static_cast<double>(component)) * scale;
    sizes.largest = std::max(sizes.largest, x);
    sizes.sum += x;
    sizes.norm2 += x * x;
  }
  return sizes;
}

/// The smallest unit whose integers keep both limits; rounding adds at most 1/2 a component.
double integer_unit(const Sizes& sizes, size_t dim) noexcept {
  const double by_size = sizes.largest / kMaxInteger;
  const double by_sum = sizes.sum / (kMaxIntegerSum - 0.5 * static_cast<double>(dim) - 1);
  return std::max({by_size * (1 + 1e-12), by_sum * (1 + 1e-12), static_cast<double>(FLT_MIN)});
}

bool all_finite(VectorView vector) noexcept {
  return std::all_of(vector.begin(), vector.end(), [](float x) { return std::isfinite(x); });
}

/// A limit that e is compared with: widened for the float sums that follow.
float widened_up(double value, double magnitude) noexcept {
  return round_up_float(value + kWiden * magnitude + kTiny);
}

}  // namespace

Result<U8Query> U8Query::create(const U8Codec& codec, VectorView vector,
                                const simd::Kernels& kernels) {
  if (vector.size() != codec.dim()) {
    return Status::invalid_argument(
        base::str_cat("query: dim ", vector.size(), ", expected ", codec.dim()));
  }
  if (!all_finite(vector)) {
    return Status::invalid_argument("query: NaN or infinity among its components");
  }
  U8Query query(codec, kernels);
  if (codec.metric() == Metric::kL1 || codec.metric() == Metric::kHamming) {
    LOCI_RETURN_IF_ERROR(query.prepare_codes(codec, vector));
  } else {
    LOCI_RETURN_IF_ERROR(query.prepare_dot(vector));
  }
  query.set_threshold(kInfinity);
  return query;
}

Status U8Query::prepare_codes(const U8Codec& codec, VectorView vector) {
  LOCI_ASSIGN_OR_RETURN(memory_, base::Buffer::try_allocate(stride_));
  err_ = static_cast<double>(codec.encode(vector, memory_.as<uint8_t>()).err);
  select_.root = kInfinityF;
  select_.err_weight = round_up_float(1 + kWiden);
  // Hamming distances are small integers: exact. l1: e must not round above step * SAD.
  select_.raw_scale = metric_ == Metric::kHamming ? 1.0F : round_down_float(1 - kWiden);
  return {};
}

Status U8Query::prepare_dot(VectorView vector) {
  double unit = 1;
  if (metric_ == Metric::kCosine || metric_ == Metric::kAngular) {
    unit = 1.0 / std::sqrt(measure(vector, 1).norm2);
    if (!std::isfinite(unit)) {
      return Status::invalid_argument("query: a zero vector has no direction");
    }
  }
  const Sizes sizes = measure(vector, unit);
  const size_t padded = base::round_up(dim_, simd::kRowAlignment);
  LOCI_ASSIGN_OR_RETURN(memory_, base::Buffer::try_allocate(4 * padded));
  auto* const hi = reinterpret_cast<int8_t*>(memory_.data());
  auto* const lo = hi + padded;
  auto* const wide = reinterpret_cast<int16_t*>(memory_.data() + 2 * padded);
  planes_ = {hi, lo, wide, padded};

  scale_ = integer_unit(sizes, dim_);
  double lost2 = 0;
  for (size_t j = 0; j < dim_; ++j) {
    const double x = static_cast<double>(vector[j]) * unit;
    const double quotient = x / scale_;
    const int integer = static_cast<int>(quotient < 0 ? quotient - 0.5 : quotient + 0.5);
    const double n = integer;
    const int low = ((integer + 128) & 255) - 128;  // the balanced digit, in -128..127
    wide[j] = static_cast<int16_t>(integer);
    lo[j] = static_cast<int8_t>(low);
    hi[j] = static_cast<int8_t>((integer - low) / 256);
    sum_ += n;
    lost2 += (x - scale_ * n) * (x - scale_ * n);
    coded2_ += (scale_ * n) * (scale_ * n);
  }
  norm2_ = sizes.norm2;
  norm_ = std::sqrt(norm2_) * (1 + kExactSlack);
  err_ = std::sqrt(lost2) * (1 + kExactSlack);
  if (!(norm2_ <= kMaxNorm2) || !(coded2_ <= kMaxNorm2)) {
    err_ = kInfinity;  // select keeps every row; see set_threshold
    return {};
  }
  const double factor = metric_ == Metric::kDot ? 1 : 2;
  select_.lo_scale = static_cast<float>(-factor * scale_ * sum_);
  select_.raw_scale = static_cast<float>(-factor * scale_);
  select_.err_weight = round_up_float(factor * norm_ * (1 + kWiden));
  if (metric_ == Metric::kDot) {
    select_.aux_weight = round_up_float(err_ * (1 + kWiden));
  } else {
    select_.base = round_down_float(coded2_ - kSlack * coded2_ - kTiny);
    select_.aux_scale = 1;
    select_.aux_weight = norm_ > 0 ? round_up_float(err_ / norm_ * (1 + kWiden)) : 0.0F;
  }
  return {};
}

void U8Query::set_threshold(double reduced) noexcept {
  threshold_ = reduced;
  if (std::isnan(reduced) || !std::isfinite(err_)) {
    select_.root = kInfinityF;
    select_.limit = kInfinityF;
    return;
  }
  switch (metric_) {
    case Metric::kL2:
      set_l2_threshold(reduced * (1 + kExactSlack));
      break;
    case Metric::kCosine:
    case Metric::kAngular:
      set_l2_threshold(2 * (reduced + kExactSlack));
      break;
    case Metric::kHamming:
      select_.limit = round_up_float(reduced);
      break;
    default:  // kDot; kL1, whose err_ is an L1 norm that counts in full
      select_.root = kInfinityF;
      const double own = metric_ == Metric::kL1 ? err_ : 0;
      select_.limit = widened_up(reduced + own, std::fabs(reduced) + own);
      break;
  }
}

void U8Query::set_l2_threshold(double squared) noexcept {
  const double reach = std::sqrt(std::max(squared, 0.0));
  select_.root = round_up_float((reach + err_) * (1 + kWiden) + kTiny);
  const double shift = norm2_ - coded2_;
  const double lost = err_ * norm_;
  const double magnitude = std::fabs(squared) + std::fabs(shift) + lost;
  select_.limit = widened_up(squared - shift + lost + kSlack * coded2_, magnitude);
}

void U8Query::scan(const RowBlock& block, std::span<int32_t> raw) const noexcept {
  if (metric_ == Metric::kHamming) {
    kernels_->scan_hamming(block.codes, stride_, block.count, memory_.data(), raw.data());
  } else if (metric_ == Metric::kL1) {
    kernels_->scan_sad_u8(block.codes, stride_, block.count, memory_.data(), raw.data());
  } else {
    kernels_->scan_dot_u8(block.codes, stride_, block.count, planes_, raw.data());
  }
}

size_t U8Query::select(const RowBlock& block, std::span<const int32_t> raw,
                       std::span<uint32_t> positions) const noexcept {
  const simd::SelectRows rows = {raw.data(), block.lo,    block.step,    block.err,
                                 block.aux,  block.delta, block.allowed, block.count};
  return kernels_->select_below(rows, select_, positions.data());
}

Bounds U8Query::bounds(const RowParams& row, int32_t raw) const noexcept {
  if (!std::isfinite(row.err) || !std::isfinite(err_)) return {-kInfinity, kInfinity};
  const auto integer = static_cast<double>(raw);
  if (metric_ == Metric::kHamming) return {integer, integer};
  if (metric_ == Metric::kL1) {
    const double distance = static_cast<double>(row.step) * integer;
    const double lost = static_cast<double>(row.err) + err_;
    const double rounding = kExactSlack * distance;
    return {std::max(0.0, distance - lost - rounding), distance + lost + rounding};
  }
  const double product =
      scale_ * (static_cast<double>(row.lo) * sum_ + static_cast<double>(row.step) * integer);
  return metric_ == Metric::kDot ? dot_bounds(row, product) : l2_bounds(row, product);
}

Bounds U8Query::dot_bounds(const RowParams& row, double product) const noexcept {
  // err holds kSlack M already, far more than double arithmetic loses.
  const double lost = norm_ * static_cast<double>(row.err) + err_ * static_cast<double>(row.aux);
  return {-product - lost, -product + lost};
}

Bounds U8Query::l2_bounds(const RowParams& row, double product) const noexcept {
  // What rounding down took from aux and delta is known up to a float step of either, or up to a
  // subnormal one.
  const double slack = kSlack * magnitude2(dim_, row.lo, row.step);
  const double aux = row.aux;
  const double delta = row.delta;
  const double step = kSlack * (std::fabs(aux) + std::fabs(delta));
  const double coded_max = aux + 1.01 * slack + step + kTiny;
  const double true_max = coded_max + delta + 3.03 * slack + step + kTiny;
  const double err = row.err;

  const double reach = err + err_;
  const double near = std::sqrt(std::max(0.0, coded2_ + aux - 2 * product)) - reach;
  const double far = std::sqrt(std::max(0.0, coded2_ + coded_max - 2 * product)) + reach;
  const double lost =
      2 * norm_ * err + (norm_ > 0 ? err_ * (std::max(0.0, coded_max) / norm_ + norm_) : 0.0);
  // aux + delta is below ||x||^2 by 4 kSlack M^2: more than the double sums lose.
  const double linear = norm2_ - 2 * product;
  double lower = std::max(near > 0 ? near * near : 0.0, linear + aux + delta - lost);
  double upper = std::min(far * far, linear + true_max + lost + kExactSlack * norm2_);
  lower -= kExactSlack * (norm2_ + lower);
  upper += kExactSlack * (norm2_ + upper);
  if (metric_ == Metric::kL2) return {std::max(0.0, lower), std::max(0.0, upper)};
  return {lower / 2 - kExactSlack, upper / 2 + kExactSlack};
}

}  // namespace loci::quant

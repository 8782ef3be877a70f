// SPDX-License-Identifier: Apache-2.0
//
// The query's side of the codec. Beside coarse codes its integers n, of q^ = s * n, are signed
// bytes, -127..127: a dot product is at most 8192 * 15 * 127 < 2^24. Beside the 8-bit codes n is as
// fine as two limits allow: |n| <= 32,639, so that n = 256 hi + lo with signed bytes, and
// sum |n| * 255 < 2^31, so that no 32-bit dot product overflows. At 384 dimensions that is 16 bits
// a component, at 8192 about 11. Either way the query loses far less than the rows. The bounds and
// the roundings are proven in u8_codec.cc; names here follow it. Tested by u8_codec_test.cc.
#include "quant/u8_query.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include "base/strings.h"
#include "quant/slack.h"

namespace loci::quant {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr float kInfinityF = std::numeric_limits<float>::infinity();
constexpr double kMaxInteger = 127 * 256 + 127;
constexpr double kMaxIntegerSum = 2147483647.0 / 255.0;

// Both in eight lanes: sums may not be reordered by the compiler, and a single running sum waits
// for itself.
constexpr size_t kLanes = 8;

double norm2_of(std::span<const double> x) noexcept {
  std::array<double, kLanes> sums{};
  size_t j = 0;
  for (; j + kLanes <= x.size(); j += kLanes) {
    for (size_t lane = 0; lane < kLanes; ++lane) sums[lane] += x[j + lane] * x[j + lane];
  }
  for (; j < x.size(); ++j) sums[0] += x[j] * x[j];
  return std::accumulate(sums.begin(), sums.end(), 0.0);
}

double largest_of(std::span<const double> x) noexcept {
  std::array<double, kLanes> largest{};
  size_t j = 0;
  for (; j + kLanes <= x.size(); j += kLanes) {
    for (size_t lane = 0; lane < kLanes; ++lane) {
      const double size = std::fabs(x[j + lane]);
      largest[lane] = size > largest[lane] ? size : largest[lane];
    }
  }
  for (; j < x.size(); ++j) largest[0] = std::max(largest[0], std::fabs(x[j]));
  return *std::max_element(largest.begin(), largest.end());
}

/// The smallest unit whose integers are at most `most`.
double unit_of(double largest, double most) noexcept {
  return std::max(largest / most * (1 + 1e-12), static_cast<double>(FLT_MIN));
}

/// The same for 16 bits, and such that the sum of magnitudes keeps its limit: before rounding it is
/// at most sqrt(dim) * norm (Cauchy-Schwarz), and rounding adds at most 1/2 a component.
double fine_unit(double largest, double norm, size_t dim) noexcept {
  const auto components = static_cast<double>(dim);
  const double by_sum = std::sqrt(components) * norm / (kMaxIntegerSum - 0.5 * components - 1);
  return std::max(unit_of(largest, kMaxInteger), by_sum * (1 + 1e-11));
}

/// Splits n = 256 * hi + lo with balanced digits, -128..127.
void split(const int16_t* wide, size_t count, int8_t* hi, int8_t* lo) noexcept {
  for (size_t j = 0; j < count; ++j) {
    const int low = ((wide[j] + 128) & 255) - 128;
    lo[j] = static_cast<int8_t>(low);
    hi[j] = static_cast<int8_t>((wide[j] - low) >> 8);
  }
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
  // Sums of squares of floats do not overflow in double.
  const double square = kernels.dot_f32(vector.data(), vector.data(), vector.size());
  if (!std::isfinite(square)) {
    return Status::invalid_argument("query: NaN or infinity among its components");
  }
  U8Query query(codec, kernels);
  if (codec.metric() == Metric::kL1 || codec.metric() == Metric::kHamming) {
    LOCI_RETURN_IF_ERROR(query.prepare_codes(codec, vector));
  } else {
    LOCI_RETURN_IF_ERROR(query.prepare_dot(codec, vector, square));
  }
  query.set_threshold(kInfinity);
  return query;
}

Status U8Query::prepare_codes(const U8Codec& codec, VectorView vector) {
  LOCI_ASSIGN_OR_RETURN(memory_, base::Buffer::try_allocate(stride_));
  scan_.err = static_cast<double>(codec.encode(vector, memory_.as<uint8_t>(), {}).scan.err);
  scan_.select.root = kInfinityF;
  scan_.select.err_weight = round_up_float(1 + kWiden);
  // Hamming distances are small integers: exact. l1: e must not round above step * SAD.
  scan_.select.raw_scale = metric_ == Metric::kHamming ? 1.0F : round_down_float(1 - kWiden);
  return {};
}

Status U8Query::prepare_dot(const U8Codec& codec, VectorView vector, double square) {
  double unit = 1;
  if (metric_ == Metric::kCosine || metric_ == Metric::kAngular) {
    unit = 1.0 / std::sqrt(square);
    if (!std::isfinite(unit)) {
      return Status::invalid_argument("query: a zero vector has no direction");
    }
  }
  const size_t padded = 2 * stride_;
  LOCI_ASSIGN_OR_RETURN(memory_, base::Buffer::try_allocate(padded * (5 + sizeof(double))));
  auto* const wide = reinterpret_cast<int16_t*>(memory_.data());
  auto* const hi = reinterpret_cast<int8_t*>(memory_.data() + 2 * padded);
  auto* const lo = hi + padded;
  auto* const coarse = lo + padded;
  auto* const x = reinterpret_cast<double*>(memory_.data() + 5 * padded);
  planes_ = {hi, lo, wide};
  coarse_ = coarse;

  const VectorView origin = codec.origin();
  if (metric_ == Metric::kDot) {  // the origin is the rows' alone
    const double origin2 = kernels_->dot_f32(origin.data(), origin.data(), dim_);
    origin_dot_ = kernels_->dot_f32(vector.data(), origin.data(), dim_);
    origin_slack_ = kExactSlack * std::sqrt(square) * std::sqrt(origin2);
    for (size_t j = 0; j < dim_; ++j) x[j] = static_cast<double>(vector[j]);
    norm2_ = square;
  } else {
    for (size_t j = 0; j < dim_; ++j) {
      x[j] = static_cast<double>(vector[j]) * unit - static_cast<double>(origin[j]);
    }
    norm2_ = norm2_of({x, dim_});
  }
  norm_ = std::sqrt(norm2_) * (1 + kExactSlack);
  const double largest = largest_of({x, dim_});
  const auto round = [&](double scale, Level& level) {
    simd::RoundingSums sums;
    kernels_->round_to_units(x, dim_, scale, wide, &sums);
    level.scale = scale;
    level.sum = sums.sum;
    level.coded2 = scale * scale * sums.square;
    level.err = std::sqrt(sums.lost2) * (1 + kExactSlack);
  };
  round(unit_of(largest, 127), scan_);
  std::copy_n(wide, dim_, coarse);  // within a byte
  round(fine_unit(largest, norm_, dim_), fine_);
  split(wide, dim_, hi, lo);
  prepare_test(scan_);
  prepare_test(fine_);
  return {};
}

void U8Query::prepare_test(Level& level) const noexcept {
  if (!(norm2_ <= kMaxNorm2) || !(level.coded2 <= kMaxNorm2)) {
    level.err = kInfinity;  // every row is kept; see set_threshold
    return;
  }
  simd::SelectQuery& select = level.select;
  const double factor = metric_ == Metric::kDot ? 1 : 2;
  select.lo_scale = static_cast<float>(-factor * level.scale * level.sum);
  select.raw_scale = static_cast<float>(-factor * level.scale);
  select.err_weight = round_up_float(factor * norm_ * (1 + kWiden));
  if (metric_ == Metric::kDot) {
    select.aux_weight = round_up_float(level.err * (1 + kWiden));
  } else {
    select.base = round_down_float(level.coded2 - kSlack * level.coded2 - kTiny);
    select.aux_scale = 1;
    select.aux_weight = norm_ > 0 ? round_up_float(level.err / norm_ * (1 + kWiden)) : 0.0F;
  }
}

void U8Query::set_threshold(double reduced) noexcept {
  threshold_ = reduced;
  for (Level* const level : {&scan_, &fine_}) {
    simd::SelectQuery& select = level->select;
    if (std::isnan(reduced) || !std::isfinite(level->err)) {
      select.root = kInfinityF;
      select.limit = kInfinityF;
      continue;
    }
    switch (metric_) {
      case Metric::kL2:
        set_l2_threshold(reduced * (1 + kExactSlack), *level);
        break;
      case Metric::kCosine:
      case Metric::kAngular:
        set_l2_threshold(2 * (reduced + kExactSlack), *level);
        break;
      case Metric::kHamming:
        select.limit = round_up_float(reduced);
        break;
      default:  // kDot; kL1, whose err is an L1 norm that counts in full
        select.root = kInfinityF;
        const double own = metric_ == Metric::kL1 ? level->err : origin_dot_ + origin_slack_;
        select.limit = widened_up(reduced + own, std::fabs(reduced) + std::fabs(own));
        break;
    }
  }
}

void U8Query::set_l2_threshold(double squared, Level& level) const noexcept {
  const double reach = std::sqrt(std::max(squared, 0.0));
  level.select.root = round_up_float((reach + level.err) * (1 + kWiden) + kTiny);
  const double shift = norm2_ - level.coded2;
  const double lost = level.err * norm_;
  const double magnitude = std::fabs(squared) + std::fabs(shift) + lost;
  level.select.limit = widened_up(squared - shift + lost + kSlack * level.coded2, magnitude);
}

void U8Query::scan(const RowBlock& block, std::span<int32_t> raw) const noexcept {
  if (metric_ == Metric::kHamming) {
    kernels_->scan_hamming(block.high, stride_, block.count, memory_.data(), raw.data());
  } else if (metric_ == Metric::kL1) {
    kernels_->scan_sad_u8(block.high, stride_, block.count, memory_.data(), raw.data());
  } else {
    kernels_->scan_dot_u4(block.high, stride_, block.count, coarse_, raw.data());
  }
}

void U8Query::estimate(const RowBlock& block, std::span<const int32_t> raw,
                       std::span<float> out) const noexcept {
  const simd::SelectQuery& q = scan_.select;
  for (size_t i = 0; i < block.count; ++i) {
    out[i] = q.aux_scale * block.aux[i] + q.lo_scale * block.lo[i] +
             q.raw_scale * static_cast<float>(raw[i]) * block.step[i];
  }
}

size_t U8Query::select(const RowBlock& block, std::span<const int32_t> raw,
                       std::span<uint32_t> positions) const noexcept {
  const simd::SelectRows rows = {raw.data(), block.lo,    block.step,    block.err,
                                 block.aux,  block.delta, block.allowed, block.count};
  return kernels_->select_below(rows, scan_.select, positions.data());
}

size_t U8Query::keep(const FineRow& row, std::span<FineRow> out, size_t count) const noexcept {
  if (row.bounds.lower > threshold_) return count;
  out[count] = row;
  return count + 1;
}

size_t U8Query::refine(const RowBlock& block, std::span<const int32_t> raw,
                       std::span<const uint32_t> positions, std::span<FineRow> out) const noexcept {
  size_t kept = 0;
  if (!two_planes_) {
    for (const uint32_t at : positions) {
      const RowParams row = {.lo = block.lo[at], .step = block.step[at], .err = block.err[at]};
      kept = keep({at, plain_bounds(row, raw[at])}, out, kept);
    }
    return kept;
  }
  struct {  // NOLINT(*-member-init): 7 KB, of which a few rows are used
    alignas(64) std::array<int32_t, kRefineRows> raw;
    std::array<std::array<float, kRefineRows>, 5> params;
    std::array<uint32_t, kRefineRows + 16> left;
  } rows;
  const size_t count = positions.size();
  kernels_->dot_u8_at({block.high, block.low, stride_}, positions.data(), count, planes_,
                      rows.raw.data());
  for (size_t i = 0; i < count; ++i) {
    const RowParams& row = block.fine[positions[i]];
    rows.params[0][i] = row.lo;
    rows.params[1][i] = row.step;
    rows.params[2][i] = row.err;
    rows.params[3][i] = row.aux;
    rows.params[4][i] = row.delta;
  }
  const simd::SelectRows tested = {rows.raw.data(),
                                   rows.params[0].data(),
                                   rows.params[1].data(),
                                   rows.params[2].data(),
                                   rows.params[3].data(),
                                   rows.params[4].data(),
                                   nullptr,
                                   count};
  const size_t left = kernels_->select_below(tested, fine_.select, rows.left.data());
  for (size_t i = 0; i < left; ++i) {
    const uint32_t at = positions[rows.left[i]];
    kept = keep({at, bounds(block.fine[at], rows.raw[rows.left[i]])}, out, kept);
  }
  return kept;
}

Bounds U8Query::plain_bounds(const RowParams& row, int32_t raw) const noexcept {
  if (!std::isfinite(row.err) || !std::isfinite(scan_.err)) return {-kInfinity, kInfinity};
  const auto integer = static_cast<double>(raw);
  if (metric_ == Metric::kHamming) return {integer, integer};
  const double distance = static_cast<double>(row.step) * integer;
  const double lost = static_cast<double>(row.err) + scan_.err;
  const double rounding = kExactSlack * distance;
  return {std::max(0.0, distance - lost - rounding), distance + lost + rounding};
}

Bounds U8Query::bounds(const RowParams& row, int32_t raw) const noexcept {
  if (!std::isfinite(row.err) || !std::isfinite(fine_.err)) return {-kInfinity, kInfinity};
  const double product = fine_.scale * (static_cast<double>(row.lo) * fine_.sum +
                                        static_cast<double>(row.step) * static_cast<double>(raw));
  return metric_ == Metric::kDot ? dot_bounds(row, product) : l2_bounds(row, product);
}

Bounds U8Query::dot_bounds(const RowParams& row, double product) const noexcept {
  // err holds kSlack M already, far more than double arithmetic loses.
  const double lost =
      norm_ * static_cast<double>(row.err) + fine_.err * static_cast<double>(row.aux);
  const double dot = product + origin_dot_;
  const double slack = lost + origin_slack_;
  return {-dot - slack, -dot + slack};
}

Bounds U8Query::l2_bounds(const RowParams& row, double product) const noexcept {
  // What rounding down took from aux and delta is known up to a float step of either, or up to a
  // subnormal one.
  const double slack = kSlack * magnitude2(dim_, row.lo, row.step, 255);
  const double aux = row.aux;
  const double delta = row.delta;
  const double step = kSlack * (std::fabs(aux) + std::fabs(delta));
  const double coded_max = aux + 1.01 * slack + step + kTiny;
  const double true_max = coded_max + delta + 3.03 * slack + step + kTiny;
  const double err = row.err;

  const double reach = err + fine_.err;
  const double near = std::sqrt(std::max(0.0, fine_.coded2 + aux - 2 * product)) - reach;
  const double far = std::sqrt(std::max(0.0, fine_.coded2 + coded_max - 2 * product)) + reach;
  const double lost =
      2 * norm_ * err + (norm_ > 0 ? fine_.err * (std::max(0.0, coded_max) / norm_ + norm_) : 0.0);
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

// SPDX-License-Identifier: Apache-2.0
//
// Scores from 4-bit codes.
//
// A row x (of unit length under cosine and angular) is coded relative to the column's origin o as
// x - o = lo + step * h + what is lost, h in 0..15. The column's own lo and step bound what is lost
// (quant/u8_codec.cc). Here no bound is wanted but the best estimate: lo and step are those of the
// least squares fit of x - o by h, which makes what is lost orthogonal to what is coded.
// On notes384, ef 10: recall 0.948 instead of 0.935 with the column's own.
//
// With any centre c, and r = q - c,
//     ||q - x||^2 = ||r||^2 + ||x - c||^2 - 2 <r, x - o> - 2 <r, o - c>.
// The first and the last term are the query's own. The second is stored exactly (`shift`), so that
// only <r, x - o> is estimated, and the error is that of <r, what is lost>: smallest when r is. So
// c is the mean of the rows, whether or not the origin is.
//
// Eight bytes a row: shift in float, lo and step without their lower halves (the fit is made with
// the rounded step). In full they would take 12 or 16 and cost 3 % of the speed on notes384, for no
// recall above ef 12.
//
// A row that is not to be found has an infinite shift: its score is infinite or not a number, and
// rank_u4 keeps neither. So the inner loop has no test for it.
//
// Tested by graph_test.cc.
#include "index/rank_codes.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "simd/dispatch.h"

namespace loci::index {

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
// Rows that the centre is the mean of. Of 10,000 it is off by a hundredth of the rows' spread.
constexpr size_t kCenterRows = 10000;

uint32_t bits_of(float value) noexcept {
  uint32_t bits = 0;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

float from_bits(uint32_t bits) noexcept {
  float value = 0;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

/// The nearest float without a lower half; may round to infinity.
float upper_half(float value) noexcept {
  return from_bits((bits_of(value) + 0x8000U) & 0xFFFF0000U);
}

double scale_of(const VectorColumn& column, size_t slot) noexcept {
  const Metric metric = column.layout().metric;
  return metric == Metric::kCosine || metric == Metric::kAngular ? 1.0 / column.norm(slot) : 1.0;
}

/// Sums over the components of a row, x being less the origin.
struct FitSums {
  double h = 0;
  double hh = 0;
  double x = 0;
  double xh = 0;
  double from_center2 = 0;
};

FitSums sum_row(const simd::CodingRow& row, const uint8_t* code, const float* center) noexcept {
  FitSums sums;
  for (size_t line = 0; line < row.dim; line += 128) {
    for (size_t half = 0; half < 2; ++half) {
      const size_t first = line + 64 * half;
      const size_t end = std::min<size_t>(row.dim, first + 64);
      for (size_t j = first; j < end; ++j) {
        const auto h = static_cast<double>((code[line / 2 + j - first] >> (4 * half)) & 15);
        const double full = static_cast<double>(row.row[j]) * row.scale;
        const double x = full - static_cast<double>(row.origin[j]);
        const double away = full - static_cast<double>(center[j]);
        sums.h += h;
        sums.hh += h * h;
        sums.x += x;
        sums.xh += x * h;
        sums.from_center2 += away * away;
      }
    }
  }
  return sums;
}

}  // namespace

RankCodes::RankCodes(const VectorColumn& column)
    : dot_(column.layout().metric == Metric::kDot),
      center_(column.dim()),
      nothing_(column.dim()),
      origin_shift_(column.dim()) {
  fit_center(column);
  follow(column);
}

void RankCodes::follow(const VectorColumn& column) noexcept {
  const VectorView origin = column.codec()->origin();
  for (size_t j = 0; j < origin_shift_.size(); ++j) origin_shift_[j] = origin[j] - center_[j];
  codes_are_centered_ = std::all_of(origin_shift_.begin(), origin_shift_.end(),
                                    [](float shift) { return shift == 0; });
}

// Rows far longer than most are left out of the mean: a single one could move it away from all.
// Where the codes' origin is as good, it is the centre (prepare_set_row()).
void RankCodes::fit_center(const VectorColumn& column) {
  constexpr double kFar2 = 100;    // times the median of squared lengths
  constexpr double kNear2 = 0.01;  // times the mean squared distance from the centre
  const std::span<const uint64_t> words = column.present().words();
  const size_t slots = words.size() * 64;
  const size_t step = std::max<size_t>(1, column.present().count() / kCenterRows);
  struct Sampled {
    size_t slot;
    double norm2;
  };
  std::vector<Sampled> sampled;
  size_t seen = 0;
  for (size_t slot = 0; slot < slots; ++slot) {
    if (!column.present().test(slot) || seen++ % step != 0) continue;
    const double scale = scale_of(column, slot);
    if (!std::isfinite(scale) || !column.verify_vector(slot).ok()) continue;
    const float* const vector = column.vector(slot);
    sampled.push_back(
        {slot, scale * scale * simd::kernels().dot_f32(vector, vector, column.dim())});
  }
  if (sampled.empty()) return;
  std::vector<double> norms(sampled.size());
  std::transform(sampled.begin(), sampled.end(), norms.begin(),
                 [](const Sampled& row) { return row.norm2; });
  const auto middle = norms.begin() + static_cast<ptrdiff_t>(norms.size() / 2);
  std::nth_element(norms.begin(), middle, norms.end());
  std::vector<double> sum(column.dim());
  size_t used = 0;
  double norms2 = 0;
  for (const Sampled& row : sampled) {
    if (!(row.norm2 <= kFar2 * *middle)) continue;
    norms2 += row.norm2;
    const double scale = scale_of(column, row.slot);
    const float* const vector = column.vector(row.slot);
    for (size_t j = 0; j < sum.size(); ++j) sum[j] += static_cast<double>(vector[j]) * scale;
    ++used;
  }
  const VectorView origin = column.codec()->origin();
  const auto count = static_cast<double>(std::max<size_t>(1, used));
  double spread2 = norms2 / count;
  double gap2 = 0;
  for (size_t j = 0; j < sum.size(); ++j) {
    const double mean = sum[j] / count;
    spread2 -= mean * mean;
    gap2 += (mean - static_cast<double>(origin[j])) * (mean - static_cast<double>(origin[j]));
    center_[j] = static_cast<float>(mean);
  }
  if (gap2 <= kNear2 * spread2) std::copy(origin.begin(), origin.end(), center_.begin());
  if (!dot_) return;
  double greatest = 0;
  for (size_t slot = 0; slot < slots; ++slot) {
    if (!column.present().test(slot) || !column.verify_vector(slot).ok()) continue;
    greatest = std::max(
        greatest, simd::kernels().l2sq_f32(column.vector(slot), center_.data(), column.dim()));
  }
  greatest_norm2_ = static_cast<float>(greatest);
}

void RankCodes::restore(const VectorColumn& column, std::vector<float> center,
                        float greatest_norm2) {
  dot_ = column.layout().metric == Metric::kDot;
  center_ = std::move(center);
  nothing_.assign(column.dim(), 0);
  origin_shift_.assign(column.dim(), 0);
  follow(column);
  greatest_norm2_ = greatest_norm2;
}

Status RankCodes::restore_params(std::span<const uint8_t> params, std::span<const uint8_t> lifts) {
  if (params.size() != params_.size() * sizeof(simd::RankParams) ||
      lifts.size() != lifts_.size() * sizeof(float)) {
    return Status::corruption("snapshot: graph with parameters cut off");
  }
  if (!params.empty()) std::memcpy(params_.data(), params.data(), params.size());
  if (!lifts.empty()) std::memcpy(lifts_.data(), lifts.data(), lifts.size());
  return {};
}

void RankCodes::reserve(size_t slots) {
  if (slots <= params_.size()) return;
  // By a quarter: a copy now and then, and little room that is not used.
  if (slots > params_.capacity()) params_.reserve(std::max(slots, params_.size() / 4 * 5));
  if (dot_ && slots > lifts_.capacity()) lifts_.reserve(params_.capacity());
  params_.resize(slots, {.shift = kInfinity, .lo_step = 0});
  if (dot_) lifts_.resize(slots);
}

bool RankCodes::is_set(size_t slot) const noexcept {
  return slot < params_.size() && std::isfinite(params_[slot].shift);
}

simd::RankParams RankCodes::params_of(const VectorColumn& column, size_t slot) const noexcept {
  const simd::CodingRow row = {column.vector(slot), column.codec()->origin().data(), column.dim(),
                               scale_of(column, slot)};
  const FitSums sums = sum_row(row, column.scan_code(slot), center_.data());
  const auto n = static_cast<double>(row.dim);
  const double spread = sums.hh - sums.h * sums.h / n;
  const double slope = spread > 0 ? (sums.xh - sums.x * sums.h / n) / spread : 0;
  const float step = upper_half(static_cast<float>(slope));
  const float lo =
      upper_half(static_cast<float>((sums.x - static_cast<double>(step) * sums.h) / n));
  return {.shift = static_cast<float>(sums.from_center2),
          .lo_step = bits_of(lo) | (bits_of(step) >> 16)};
}

bool RankCodes::can_rank(const VectorColumn& column, size_t slot) const noexcept {
  if (!column.present().test(slot)) return false;
  const quant::RowBlock row = column.rows(slot, 1);
  if (!std::isfinite(row.fine->err) || !std::isfinite(row.err[0])) return false;
  const simd::RankParams params = params_of(column, slot);
  return std::isfinite(params.shift) && std::isfinite(from_bits(params.lo_step & 0xFFFF0000U)) &&
         std::isfinite(from_bits(params.lo_step << 16));
}

void RankCodes::set(const VectorColumn& column, size_t slot) noexcept {
  params_[slot] = params_of(column, slot);
  set_lift(column, slot);
}

void RankCodes::set_lift(const VectorColumn& column, size_t slot) noexcept {
  if (!dot_) return;
  const double norm2 = simd::kernels().l2sq_f32(column.vector(slot), center_.data(), column.dim());
  lifts_[slot] =
      static_cast<float>(std::sqrt(std::max(0.0, static_cast<double>(greatest_norm2_) - norm2)));
}

void RankCodes::clear(size_t slot) noexcept {
  if (slot < params_.size()) params_[slot].shift = kInfinity;
}

Status RankCodes::prepare(const VectorColumn& column, VectorView vector, RankedQuery& out) const {
  double scale = 1;
  const Metric metric = column.layout().metric;
  if (metric == Metric::kCosine || metric == Metric::kAngular) {
    scale = 1 / std::sqrt(simd::kernels().dot_f32(vector.data(), vector.data(), vector.size()));
  }
  const float* const origin = dot_ ? nothing_.data() : center_.data();
  return prepare_scaled(column, {vector.data(), origin, column.dim(), scale}, true, out);
}

Status RankCodes::prepare_row(const VectorColumn& column, size_t slot, RankedQuery& out) const {
  LOCI_RETURN_IF_ERROR(prepare_scaled(
      column, {column.vector(slot), center_.data(), column.dim(), scale_of(column, slot)}, false,
      out));
  if (dot_) out.lift = std::sqrt(std::max(0.0F, greatest_norm2_ - out.norm * out.norm));
  return {};
}

// With the origin as centre r = x - c is lo + step * code, code in 0..255. Half of code - zero,
// zero being the code of 0, fits a byte. Halves are rounded up and down in turn: all up or all down
// would move the row.
Status RankCodes::prepare_set_row(const VectorColumn& column, size_t slot, RankedQuery& out) const {
  const quant::RowParams& fine = column.fine_params(slot);
  const double zero = std::nearbyint(-static_cast<double>(fine.lo) / fine.step);
  if (!codes_are_centered_ || !is_set(slot) || !(zero >= 1 && zero <= 253)) {
    LOCI_RETURN_IF_ERROR(column.verify_vector(slot));
    return prepare_row(column, slot, out);
  }
  LOCI_RETURN_IF_ERROR(reserve_memory(column, out));
  const size_t padded = 2 * column.codec()->stride();
  auto* const codes = reinterpret_cast<int8_t*>(out.memory.data()) + padded;
  const uint8_t* const high = column.scan_code(slot);
  const uint8_t* const low = column.low_code(slot);
  const auto up = static_cast<unsigned>(256 - zero);
  const auto half_of = [up](unsigned code, size_t j) {
    // (code - zero + 256) / 2, less 128: -127 to 127
    return static_cast<int8_t>(static_cast<int>((code + up - (j & 1)) / 2) - 128);
  };
  for (size_t line = 0; line < padded / 2; line += 64) {
    int8_t* const first = codes + 2 * line;
    for (size_t j = 0; j < 64; ++j) {
      const unsigned h = high[line + j];
      const unsigned l = low[line + j];
      first[j] = half_of((h & 15U) << 4 | (l & 15U), j);
      first[j + 64] = half_of((h & 0xF0U) | l >> 4, j);
    }
  }
  std::fill(codes + column.dim(), codes + padded, int8_t{0});
  int32_t sum = 0;
  for (size_t j = 0; j < padded; ++j) sum += codes[j];
  const float unit = 2 * fine.step;
  const float norm2 = params_[slot].shift;
  out.planes = {};
  out.norm = std::sqrt(norm2);
  out.lost = fine.err;
  out.rank = {.codes = codes,
              .base = norm2,
              .shift_scale = 1.0F,
              .lo_scale = -2 * unit * static_cast<float>(sum),
              .raw_scale = -2 * unit};
  if (dot_) out.lift = std::sqrt(std::max(0.0F, greatest_norm2_ - norm2));
  return {};
}

Status RankCodes::reserve_memory(const VectorColumn& column, RankedQuery& out) {
  const size_t padded = 2 * column.codec()->stride();
  if (out.memory.size() == 4 * padded) return {};  // zeros, bytes, words
  LOCI_ASSIGN_OR_RETURN(out.memory, base::Buffer::try_allocate(4 * padded));
  return {};
}

Status RankCodes::prepare_scaled(const VectorColumn& column, const simd::CodingRow& row,
                                 bool as_query, RankedQuery& out) const {
  const size_t padded = 2 * column.codec()->stride();
  LOCI_RETURN_IF_ERROR(reserve_memory(column, out));
  auto* const zeros = reinterpret_cast<int8_t*>(out.memory.data());
  int8_t* const codes = zeros + padded;
  auto* const wide = reinterpret_cast<int16_t*>(codes + padded);
  simd::ByteRounding rounded;
  simd::kernels().round_to_bytes(row, origin_shift_.data(), codes, &rounded);
  out.planes = {zeros, codes, wide};
  out.norm = std::sqrt(rounded.norm2);
  out.lost = std::sqrt(rounded.lost2);
  out.rank.codes = codes;
  out.rank.lo_scale = -2 * rounded.unit * rounded.sum;
  out.rank.raw_scale = -2 * rounded.unit;
  out.rank.shift_scale = as_query && dot_ ? 0.0F : 1.0F;
  // Among rows the terms of its own count: ||r||^2 - 2 <r, o - c>. One that is not finite keeps
  // every row out.
  out.rank.base = rounded.norm2 - 2 * rounded.dot;
  if (as_query && std::isfinite(rounded.norm2)) out.rank.base = 0;
  if (as_query) std::copy_n(codes, row.dim, wide);
  return {};
}

size_t RankCodes::memory_bytes() const noexcept {
  return (center_.capacity() + nothing_.capacity() + origin_shift_.capacity() + lifts_.capacity()) *
             sizeof(float) +
         params_.capacity() * sizeof(simd::RankParams);
}

}  // namespace loci::index

// SPDX-License-Identifier: Apache-2.0
//
// What a code loses grows with the length of what is coded. Embeddings share much of it: on
// notes384 the mean has two thirds of the rows' squared length, and around the mean of the first
// 1,024 rows the coarse codes leave 45 rows of 54,821 instead of 624 (100 queries, k = 10).
//
// The mean is looked at when the rows have doubled, from 64 to 1,024, then when they have become
// four times as many; rows are coded anew only when their squared length would fall by more than a
// tenth. So a row is coded at most twice more in the long run, and in most collections nothing
// happens after 1,024 rows. Rows of whole numbers that a code holds exactly are left alone.
//
// Any origin is sound (quant/u8_codec.cc): rows that come in an unlucky order, or change, cost time
// and never an answer. Tested by origin_fit_test.cc, image_test.cc.
#include "index/origin_fit.h"

#include <cmath>

#include "simd/dispatch.h"

namespace loci::index {

namespace {

constexpr size_t kDoubling = 1024;   // looked at whenever rows have doubled up to here
constexpr double kWorthwhile = 0.1;  // of the squared length that is left
// Before a graph is built, which ranks by the codes: on notes384, ef 10, recall 0.948 around the
// mean of all rows, 0.939 around that of the first 1,024.
constexpr double kNoticeable = 0.01;

}  // namespace

void OriginFit::note(VectorView row, double scale, bool lossless) noexcept {
  for (size_t j = 0; j < sum_.size(); ++j) {
    sum_[j] += static_cast<double>(row[j]) * scale;
  }
  // A plain loop waits for every addition: 35 of 250 ms that 50,000 x 384 take.
  square_sum_ += simd::kernels().dot_f32(row.data(), row.data(), row.size()) * scale * scale;
  ++rows_;
  if (lossless) ++lossless_;
}

bool OriginFit::due(VectorView origin) noexcept {
  if (rows_ < next_look_) return false;
  next_look_ = rows_ * (rows_ < kDoubling ? 2 : 4);
  return is_away(origin, kWorthwhile);
}

bool OriginFit::has_moved(VectorView origin) noexcept {
  return rows_ != 0 && is_away(origin, kNoticeable);
}

// Also computes the mean.
bool OriginFit::is_away(VectorView origin, double share) noexcept {
  if (2 * lossless_ > rows_) return false;
  const auto rows = static_cast<double>(rows_);
  double mean2 = 0;
  double shift2 = 0;
  for (size_t j = 0; j < sum_.size(); ++j) {
    const double mean = sum_[j] / rows;
    const double shift = mean - static_cast<double>(origin[j]);
    mean_[j] = static_cast<float>(mean);
    mean2 += mean * mean;
    shift2 += shift * shift;
  }
  // Not for rows whose squares overflow: the comparison is then with infinity or no number.
  return shift2 > share * (square_sum_ / rows - mean2);
}

void OriginFit::save(base::ByteWriter& out) const {
  for (const double sum : sum_) out.f64le(sum);
  out.f64le(square_sum_);
  out.u64le(rows_);
  out.u64le(lossless_);
  out.u64le(next_look_);
}

void OriginFit::load(base::ByteReader& in) {
  for (double& sum : sum_) sum = in.f64le();
  square_sum_ = in.f64le();
  rows_ = static_cast<size_t>(in.u64le());
  lossless_ = static_cast<size_t>(in.u64le());
  next_look_ = static_cast<size_t>(in.u64le());
}

}  // namespace loci::index

// SPDX-License-Identifier: Apache-2.0
#include "quant/u8_codec.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <iostream>
#include <limits>
#include <numeric>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "base/aligned.h"
#include "base/strings.h"
#include "quant/u8_query.h"
#include "simd/dispatch.h"

namespace loci::quant {
namespace {

using base::str_cat;

constexpr uint32_t kSeed = 20261121;
constexpr std::array kMetrics = {Metric::kL2,      Metric::kCosine, Metric::kDot,
                                 Metric::kAngular, Metric::kL1,     Metric::kHamming};

enum class Data {
  kGaussian,
  kMagnitudes,  // components of very different size
  kHuge,        // up to the largest float
  kConstant,
  kDenormal,
  kOneHot,
  kDuplicates,  // the query, disturbed by little or nothing
  kWhole,       // whole numbers 0..255
  kOffset,      // far from the origin, close together
  kCount,
};

/// The reduced distance in long double: the oracle. Extended precision carries 64 bits.
long double true_distance(Metric metric, VectorView a, VectorView b) {
  long double dot = 0;
  long double aa = 0;
  long double bb = 0;
  long double l2 = 0;
  long double l1 = 0;
  long double bits = 0;
  for (size_t j = 0; j < a.size(); ++j) {
    const long double x = a[j];
    const long double y = b[j];
    dot += x * y;
    aa += x * x;
    bb += y * y;
    l2 += (x - y) * (x - y);
    l1 += std::fabs(x - y);
    bits += (a[j] > 0) != (b[j] > 0) ? 1 : 0;
  }
  switch (metric) {
    case Metric::kL2:
      return l2;
    case Metric::kDot:
      return -dot;
    case Metric::kL1:
      return l1;
    case Metric::kHamming:
      return bits;
    default:
      return 1 - dot / (std::sqrt(aa) * std::sqrt(bb));
  }
}

/// The same as a search computes it: by the double kernels of one tier.
double kernel_distance(Metric metric, const simd::Kernels& k, VectorView a, VectorView b) {
  const size_t dim = a.size();
  switch (metric) {
    case Metric::kL2:
      return k.l2sq_f32(a.data(), b.data(), dim);
    case Metric::kDot:
      return -k.dot_f32(a.data(), b.data(), dim);
    case Metric::kL1:
      return k.l1_f32(a.data(), b.data(), dim);
    case Metric::kHamming:
      return static_cast<double>(true_distance(metric, a, b));
    default:
      return 1 - k.dot_f32(a.data(), b.data(), dim) / std::sqrt(k.dot_f32(a.data(), a.data(), dim) *
                                                                k.dot_f32(b.data(), b.data(), dim));
  }
}

/// Rows of one kind, coded.
class CodedRows {
 public:
  CodedRows(const U8Codec& codec, std::vector<std::vector<float>> rows)
      : rows_(std::move(rows)),
        high_(*base::Buffer::try_allocate_array(rows_.size(), codec.stride())),
        low_(*base::Buffer::try_allocate_array(rows_.size(), codec.stride())),
        two_planes_(codec.two_planes()) {
    const size_t stride = codec.stride();
    for (size_t i = 0; i < rows_.size(); ++i) {
      const CodedRow row = codec.encode(
          rows_[i], high_.as<uint8_t>().subspan(i * stride, stride),
          two_planes_ ? low_.as<uint8_t>().subspan(i * stride, stride) : std::span<uint8_t>());
      const RowParams& scan = row.scan;
      const std::array fields = {scan.lo, scan.step, scan.err, scan.aux, scan.delta};
      for (size_t f = 0; f < fields.size(); ++f) arrays_[f].push_back(fields[f]);
      fine_.push_back(row.fine);
    }
  }
  [[nodiscard]] RowBlock block() const {
    RowBlock block;
    block.high = high_.data();
    block.lo = arrays_[0].data();
    block.step = arrays_[1].data();
    block.err = arrays_[2].data();
    block.aux = arrays_[3].data();
    block.delta = arrays_[4].data();
    block.count = rows_.size();
    if (two_planes_) {
      block.low = low_.data();
      block.fine = fine_.data();
    }
    return block;
  }
  [[nodiscard]] const std::vector<std::vector<float>>& rows() const { return rows_; }

 private:
  std::vector<std::vector<float>> rows_;
  base::Buffer high_;
  base::Buffer low_;
  bool two_planes_;
  std::array<std::vector<float>, 5> arrays_;
  std::vector<RowParams> fine_;
};

std::vector<uint32_t> all_positions(size_t count) {
  std::vector<uint32_t> positions(count);
  std::iota(positions.begin(), positions.end(), 0U);
  return positions;
}

/// What refine leaves of the rows at `positions`.
std::vector<FineRow> refined(const U8Query& query, const RowBlock& block,
                             const std::vector<int32_t>& raw,
                             const std::vector<uint32_t>& positions) {
  std::vector<FineRow> rows(positions.size());
  size_t kept = 0;
  for (size_t at = 0; at < positions.size(); at += U8Query::kRefineRows) {
    const size_t count = std::min(U8Query::kRefineRows, positions.size() - at);
    kept += query.refine(block, raw, std::span(positions).subspan(at, count),
                         std::span(rows).subspan(kept));
  }
  rows.resize(kept);
  return rows;
}

class Generator {
 public:
  std::vector<float> vector(Data kind, size_t dim, const std::vector<float>& query) {
    std::vector<float> x(dim);
    const float level = normal();
    const size_t hot = static_cast<size_t>(uniform(0, static_cast<int>(dim) - 1));
    const int distance = uniform(-30, 0);
    for (size_t j = 0; j < dim; ++j) x[j] = component(kind, j == hot, level, query, j, distance);
    // Cosine has no meaning for zero vectors, and the facade refuses them.
    if (std::all_of(x.begin(), x.end(), [](float c) { return c == 0; })) x[0] = 1;
    return x;
  }
  std::vector<std::vector<float>> rows(size_t count, Data kind, size_t dim,
                                       const std::vector<float>& query) {
    std::vector<std::vector<float>> all(count);
    for (std::vector<float>& row : all) row = vector(kind, dim, query);
    return all;
  }
  int uniform(int low, int high) { return std::uniform_int_distribution<int>(low, high)(random_); }

 private:
  float normal() { return std::normal_distribution<float>()(random_); }

  float component(Data kind, bool hot, float level, const std::vector<float>& query, size_t j,
                  int distance) {
    constexpr float kMax = std::numeric_limits<float>::max();
    switch (kind) {
      case Data::kMagnitudes:
        return std::ldexp(normal(), uniform(-50, 50));
      case Data::kHuge:
        return uniform(0, 1) == 0 ? kMax : -kMax / 3;
      case Data::kConstant:
        return level;
      case Data::kDenormal:
        return normal() * std::numeric_limits<float>::denorm_min() * 500;
      case Data::kOneHot:
        return hot ? level * 100 : 0;
      case Data::kDuplicates:
        return query[j] + std::ldexp(normal(), distance);
      case Data::kWhole:
        return static_cast<float>(uniform(0, 255));
      case Data::kOffset:
        return 1000 + normal();
      default:
        return normal();
    }
  }

  std::mt19937 random_{kSeed};
};

/// (upper - lower) / distance of many pairs.
struct Looseness {
  std::vector<double> ratios;

  double median() {
    if (ratios.empty()) return 0;
    const auto middle = ratios.begin() + static_cast<std::ptrdiff_t>(ratios.size() / 2);
    std::nth_element(ratios.begin(), middle, ratios.end());
    return *middle;
  }
};

/// Checks every row of `rows` against one query; adds how loose the bounds were.
void check_bounds(const U8Query& query, const std::vector<float>& vector, const CodedRows& rows,
                  Metric metric, Looseness* looseness) {
  std::vector<int32_t> raw(rows.rows().size());
  query.scan(rows.block(), raw);
  const std::vector<FineRow> all = refined(query, rows.block(), raw, all_positions(raw.size()));
  ASSERT_EQ(all.size(), raw.size()) << "no threshold is set: nothing can be too far";
  for (size_t i = 0; i < raw.size(); ++i) {
    const long double truth = true_distance(metric, vector, rows.rows()[i]);
    const Bounds bounds = all[i].bounds;
    ASSERT_EQ(all[i].position, i);
    ASSERT_LE(bounds.lower, truth) << "row " << i << " upper " << bounds.upper;
    ASSERT_GE(bounds.upper, truth) << "row " << i << " lower " << bounds.lower;
    if (std::isfinite(bounds.upper) && truth != 0) {
      looseness->ratios.push_back((bounds.upper - bounds.lower) /
                                  static_cast<double>(std::fabs(truth)));
    }
  }
}

/// With each row's own distance as threshold: no row at or below it may be dropped, neither by
/// select nor by refine.
void check_select(U8Query& query, const std::vector<float>& vector, const CodedRows& rows,
                  Metric metric, const simd::Kernels& kernels) {
  const size_t count = rows.rows().size();
  std::vector<int32_t> raw(count);
  std::vector<double> truth(count);
  query.scan(rows.block(), raw);
  for (size_t i = 0; i < count; ++i) {
    truth[i] = kernel_distance(metric, kernels, vector, rows.rows()[i]);
  }
  std::vector<uint32_t> positions(count + 16);
  for (size_t i = 0; i < count; ++i) {
    query.set_threshold(truth[i]);
    const size_t kept = query.select(rows.block(), raw, positions);
    const std::vector<uint32_t> left(positions.begin(),
                                     positions.begin() + static_cast<std::ptrdiff_t>(kept));
    std::vector<uint32_t> fine;
    for (const FineRow& row : refined(query, rows.block(), raw, all_positions(count))) {
      fine.push_back(row.position);
    }
    for (uint32_t r = 0; r < count; ++r) {
      if (truth[r] > truth[i]) continue;
      ASSERT_TRUE(std::binary_search(left.begin(), left.end(), r))
          << "row " << r << " at " << truth[r] << " dropped under " << truth[i];
      ASSERT_TRUE(std::binary_search(fine.begin(), fine.end(), r))
          << "row " << r << " at " << truth[r] << " dropped by refine under " << truth[i];
    }
  }
}

U8Codec make_codec(Metric metric, size_t dim, Data kind,
                   const simd::Kernels& kernels = simd::kernels()) {
  const U8Range range = kind == Data::kWhole ? U8Range{0, 255} : U8Range{-3, 3};
  return *U8Codec::create(metric, dim, range, kernels);
}

/// Codes around nothing, around the rows' mean, or around something that is not theirs.
void place_origin(U8Codec& codec, const std::vector<std::vector<float>>& rows, int round) {
  std::vector<float> origin(codec.origin().size());
  if (origin.empty() || round % 3 == 0) return;
  for (size_t j = 0; j < origin.size(); ++j) {
    const float other = static_cast<float>(j % 7) * 0.01F - 0.02F;
    // In double: sums of huge rows are beyond a float, their mean is not.
    double mean = 0;
    for (const auto& row : rows) mean += row[j] / static_cast<double>(rows.size());
    origin[j] = round % 3 == 1 ? static_cast<float>(mean) : other;
  }
  if (codec.metric() == Metric::kCosine || codec.metric() == Metric::kAngular) {
    const double norm =
        std::sqrt(std::inner_product(origin.begin(), origin.end(), origin.begin(), 0.0));
    for (float& x : origin) x = norm > 0 ? static_cast<float>(x / norm * 0.8) : 0;
  }
  codec.set_origin(origin);
}

class U8CodecTest : public testing::TestWithParam<Metric> {};

TEST_P(U8CodecTest, TrueDistanceIsNeverOutsideTheBounds) {
  const Metric metric = GetParam();
  Generator generator;
  size_t pairs = 0;
  for (int k = 0; k < static_cast<int>(Data::kCount); ++k) {
    const auto kind = static_cast<Data>(k);
    Looseness looseness;
    for (const size_t dim : {1, 2, 3, 8, 17, 64, 65, 100, 384}) {
      U8Codec codec = make_codec(metric, dim, kind);
      for (int round = 0; round < 60; ++round) {
        SCOPED_TRACE(str_cat("seed ", kSeed, " data ", k, " dim ", dim, " round ", round));
        const auto other = static_cast<Data>(generator.uniform(0, 8));
        const Data query_kind = round % 3 == 0 && other != Data::kDuplicates ? other
                                : kind == Data::kDuplicates                  ? Data::kGaussian
                                                                             : kind;
        const std::vector<float> vector = generator.vector(query_kind, dim, {});
        std::vector<std::vector<float>> rows = generator.rows(40, kind, dim, vector);
        rows.push_back(vector);
        place_origin(codec, rows, round / 3);
        const CodedRows coded(codec, std::move(rows));
        const Result<U8Query> query = U8Query::create(codec, vector, simd::kernels());
        ASSERT_TRUE(query.has_value()) << query.error().to_string();
        check_bounds(*query, vector, coded, metric, &looseness);
        if (HasFatalFailure()) return;
        pairs += coded.rows().size();
      }
    }
    std::cout << "[ bounds   ] " << metric_name(metric) << " data " << k << ": "
              << looseness.ratios.size() << " finite pairs, median width/distance "
              << looseness.median() << "\n";
  }
  EXPECT_EQ(pairs, 9u * 9u * 60u * 41u);
}

TEST_P(U8CodecTest, SelectNeverDropsARowAtOrBelowTheThresholdInAnyTier) {
  const Metric metric = GetParam();
  for (const simd::Kernels* const kernels : simd::available_kernels()) {
    Generator generator;
    for (int k = 0; k < static_cast<int>(Data::kCount); ++k) {
      const auto kind = static_cast<Data>(k);
      for (const size_t dim : {1, 3, 17, 64, 100, 384}) {
        U8Codec codec = make_codec(metric, dim, kind, *kernels);
        for (int round = 0; round < 12; ++round) {
          SCOPED_TRACE(str_cat("seed ", kSeed, " tier ", kernels->tier, " data ", k, " dim ", dim));
          const Data query_kind = kind == Data::kDuplicates ? Data::kOffset : kind;
          const std::vector<float> vector = generator.vector(query_kind, dim, {});
          std::vector<std::vector<float>> rows = generator.rows(37, kind, dim, vector);
          rows.push_back(vector);
          place_origin(codec, rows, round);
          const CodedRows coded(codec, std::move(rows));
          Result<U8Query> query = U8Query::create(codec, vector, *kernels);
          ASSERT_TRUE(query.has_value());
          check_select(*query, vector, coded, metric, *kernels);
          if (HasFatalFailure()) return;
        }
      }
    }
  }
}

// Soundness alone could be had by keeping everything; this is what the codec is for.
TEST_P(U8CodecTest, SelectDropsNearlyAllFarRows) {
  const Metric metric = GetParam();
  Generator generator;
  constexpr size_t kRows = 2000;
  const U8Codec codec = make_codec(metric, 384, Data::kGaussian);
  const std::vector<float> vector = generator.vector(Data::kGaussian, 384, {});
  std::vector<std::vector<float>> rows = generator.rows(kRows, Data::kGaussian, 384, {});
  for (size_t i = 0; i < 10; ++i) {  // ten near ones
    for (size_t j = 0; j < 384; ++j) rows[i * 7][j] = vector[j] + 0.3F * rows[i * 7][j];
  }
  const CodedRows coded(codec, std::move(rows));
  for (const simd::Kernels* const kernels : simd::available_kernels()) {
    Result<U8Query> query = U8Query::create(codec, vector, *kernels);
    ASSERT_TRUE(query.has_value());
    std::vector<int32_t> raw(kRows);
    query->scan(coded.block(), raw);
    double threshold = -std::numeric_limits<double>::infinity();
    for (size_t i = 0; i < 10; ++i) {
      const double near = kernel_distance(metric, *kernels, vector, coded.rows()[i * 7]);
      threshold = std::max(threshold, near);
    }
    query->set_threshold(threshold);
    std::vector<uint32_t> positions(kRows + 16);
    positions.resize(query->select(coded.block(), raw, positions));
    // Gaussian rows are all about as far from each other: 4 bits tell the ten from most of them.
    EXPECT_GE(positions.size(), 10u) << kernels->tier << " seed " << kSeed;
    EXPECT_LE(positions.size(), 100u) << kernels->tier << " seed " << kSeed;
    const size_t kept = refined(*query, coded.block(), raw, positions).size();
    EXPECT_GE(kept, 10u) << kernels->tier << " seed " << kSeed;
    EXPECT_LE(kept, 20u) << kernels->tier << " seed " << kSeed;
  }
}

INSTANTIATE_TEST_SUITE_P(Metrics, U8CodecTest, testing::ValuesIn(kMetrics),
                         [](const auto& tested) { return std::string(metric_name(tested.param)); });

/// A row's code, by component: of both planes or of the high one alone.
struct Code {
  explicit Code(const U8Codec& codec, VectorView row)
      : high(codec.stride(), 255), low(codec.stride(), 255), params(codec.encode(row, high, low)) {}
  [[nodiscard]] double decoded(size_t j, bool fine) const {
    const RowParams& p = fine ? params.fine : params.scan;
    const unsigned code = fine ? 16 * half_byte(high.data(), j) + half_byte(low.data(), j)
                               : half_byte(high.data(), j);
    return static_cast<double>(p.lo) + static_cast<double>(p.step) * code;
  }
  std::vector<uint8_t> high;
  std::vector<uint8_t> low;
  CodedRow params;
};

TEST(U8CodecLossTest, WholeNumbersLoseNothing) {
  Generator generator;
  const U8Codec codec = make_codec(Metric::kL2, 784, Data::kWhole);
  for (const float shift : {0.0F, -3.0F, 1e6F, -255.0F}) {
    std::vector<float> row = generator.vector(Data::kWhole, 784, {});
    for (float& x : row) x += shift;
    const Code code(codec, row);
    EXPECT_EQ(code.params.fine.step, 1.0F);
    EXPECT_EQ(code.params.scan.step, 16.0F);
    for (size_t j = 0; j < row.size(); ++j) ASSERT_EQ(code.decoded(j, true), row[j]) << j;
    // What is left of err is the rounding allowance: 1e-5 of the row's largest possible norm.
    EXPECT_LT(code.params.fine.err, 1e-5 * (255 + std::fabs(shift)) * std::sqrt(784.0));
  }
}

TEST(U8CodecLossTest, ErrorIsThatOfTheDecodedRow) {
  Generator generator;
  for (const size_t dim : {1, 7, 8, 63, 64, 65, 100, 127, 128, 129, 200, 777}) {
    const U8Codec codec = make_codec(Metric::kDot, dim, Data::kGaussian);
    const std::vector<float> row = generator.vector(Data::kGaussian, dim, {});
    const Code code(codec, row);
    for (const bool fine : {false, true}) {
      SCOPED_TRACE(str_cat("seed ", kSeed, " dim ", dim, fine ? " fine" : " scan"));
      const RowParams& params = fine ? code.params.fine : code.params.scan;
      double lost2 = 0;
      for (size_t j = 0; j < dim; ++j) {
        const double lost = row[j] - code.decoded(j, fine);
        lost2 += lost * lost;
        EXPECT_LE(std::fabs(lost), 0.54 * static_cast<double>(params.step)) << j;
      }
      EXPECT_GE(static_cast<double>(params.err), std::sqrt(lost2));
      EXPECT_LE(static_cast<double>(params.err), std::sqrt(lost2) + 3e-3);
      for (size_t j = dim; j < 2 * codec.stride(); ++j) {
        ASSERT_EQ(half_byte(code.high.data(), j), 0u) << "padding " << j;
        ASSERT_EQ(half_byte(code.low.data(), j), 0u) << "padding " << j;
      }
    }
  }
}

TEST(U8CodecEdgeTest, NonFiniteAndZeroRowsAreKeptBySelect) {
  const float inf = std::numeric_limits<float>::infinity();
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const Metric metric : kMetrics) {
    if (metric == Metric::kHamming) continue;  // every float has a sign: all rows can be coded
    const U8Codec codec = make_codec(metric, 3, Data::kGaussian);
    std::vector<std::vector<float>> bad = {{nan, 1, 2}, {1, inf, 2}, {1, 2, -inf}};
    if (metric == Metric::kCosine || metric == Metric::kAngular) bad.push_back({0, 0, 0});
    const size_t count = bad.size();
    const CodedRows coded(codec, std::move(bad));
    const std::vector<float> vector = {1, 0, 0};
    for (const simd::Kernels* const kernels : simd::available_kernels()) {
      Result<U8Query> query = U8Query::create(codec, vector, *kernels);
      ASSERT_TRUE(query.has_value());
      query->set_threshold(-0.5);
      std::vector<int32_t> raw(count);
      std::vector<uint32_t> positions(count + 16);
      query->scan(coded.block(), raw);
      EXPECT_EQ(query->select(coded.block(), raw, positions), count)
          << metric_name(metric) << " " << kernels->tier;
      const auto fine = refined(*query, coded.block(), raw, all_positions(count));
      ASSERT_EQ(fine.size(), count) << metric_name(metric) << " " << kernels->tier;
      EXPECT_EQ(fine[0].bounds.lower, -inf);
    }
  }
}

TEST(U8CodecEdgeTest, BadArgumentsAreRefused) {
  EXPECT_EQ(U8Codec::create(Metric::kCustom, 3).error().code(), StatusCode::kUnsupported);
  EXPECT_EQ(U8Codec::create(Metric::kL2, 0).error().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(U8Codec::create(Metric::kL2, 8193).error().code(), StatusCode::kInvalidArgument);
  const float inf = std::numeric_limits<float>::infinity();
  EXPECT_FALSE(U8Codec::create(Metric::kL1, 3, {0, inf}).has_value());
  EXPECT_FALSE(U8Codec::create(Metric::kL1, 3, {1, 0}).has_value());

  const U8Codec codec = *U8Codec::create(Metric::kCosine, 3);
  const simd::Kernels& kernels = simd::kernels();
  const std::vector<std::vector<float>> bad = {{1, 2}, {1, 2, inf}, {0, 0, 0}, {}};
  for (const std::vector<float>& vector : bad) {
    const Result<U8Query> query = U8Query::create(codec, vector, kernels);
    ASSERT_FALSE(query.has_value());
    EXPECT_EQ(query.error().code(), StatusCode::kInvalidArgument);
  }
}

TEST(U8CodecEdgeTest, LargestDimensionDoesNotOverflow) {
  Generator generator;
  for (const Metric metric : kMetrics) {
    for (const size_t dim : {8192, 8191}) {
      const std::vector<float> vector(dim, 255.0F);  // every product at its largest
      std::vector<std::vector<float>> rows = {vector, generator.vector(Data::kWhole, dim, {})};
      rows.push_back(generator.vector(Data::kGaussian, dim, {}));
      rows.push_back(std::vector<float>(dim, -255.0F));
      rows.back()[dim - 1] = 255;
      for (const simd::Kernels* const kernels : simd::available_kernels()) {
        SCOPED_TRACE(str_cat(metric_name(metric), " ", kernels->tier, " dim ", dim));
        U8Codec codec = make_codec(metric, dim, Data::kWhole, *kernels);
        for (int round = 0; round < 3; ++round) {
          place_origin(codec, rows, round);
          const CodedRows coded(codec, rows);
          Result<U8Query> query = U8Query::create(codec, vector, *kernels);
          ASSERT_TRUE(query.has_value());
          Looseness looseness;
          check_bounds(*query, vector, coded, metric, &looseness);
          check_select(*query, vector, coded, metric, *kernels);
        }
      }
    }
  }
}

TEST(U8CodecEdgeTest, MaskLetsOnlyItsRowsThrough) {
  Generator generator;
  const U8Codec codec = make_codec(Metric::kL2, 8, Data::kGaussian);
  std::vector<std::vector<float>> rows = generator.rows(130, Data::kGaussian, 8, {});
  const CodedRows coded(codec, std::move(rows));
  const std::vector<uint64_t> allowed = {uint64_t{1} << 63, 1, 2};  // rows 63, 64, 129
  RowBlock block = coded.block();
  block.allowed = allowed.data();
  for (const simd::Kernels* const kernels : simd::available_kernels()) {
    const Result<U8Query> query = U8Query::create(codec, coded.rows()[0], *kernels);
    ASSERT_TRUE(query.has_value());
    std::vector<int32_t> raw(130);
    std::vector<uint32_t> positions(146);
    query->scan(block, raw);
    positions.resize(query->select(block, raw, positions));
    EXPECT_EQ(positions, (std::vector<uint32_t>{63, 64, 129})) << kernels->tier;
  }
}

}  // namespace
}  // namespace loci::quant

// SPDX-License-Identifier: Apache-2.0
#include "index/origin_fit.h"

#include <gtest/gtest.h>

#include <limits>
#include <random>
#include <vector>

namespace loci::index {
namespace {

constexpr uint32_t kSeed = 20261121;
constexpr size_t kDim = 5;

class Rows {
 public:
  // Uniform within `spread` of `centre`.
  std::vector<float> next(float centre, float spread) {
    std::vector<float> row(kDim);
    std::uniform_real_distribution<float> noise(-spread, spread);
    for (float& x : row) x = centre + noise(random_);
    return row;
  }

 private:
  std::mt19937 random_{kSeed};
};

// Numbers of rows after which the rows were due to be coded anew, as a column would do it.
std::vector<size_t> fits(size_t rows, float centre, float spread, bool lossless = false) {
  Rows maker;
  OriginFit fit(kDim);
  std::vector<float> origin(kDim);
  std::vector<size_t> at;
  for (size_t i = 1; i <= rows; ++i) {
    fit.note(maker.next(centre, spread), 1, lossless);
    if (!fit.due(origin)) continue;
    at.push_back(i);
    origin.assign(fit.mean().begin(), fit.mean().end());
  }
  return at;
}

TEST(OriginFitTest, RowsFarFromTheOriginAreCodedOnceMore) {
  EXPECT_EQ(fits(100000, 10, 1), std::vector<size_t>{64});
}

TEST(OriginFitTest, RowsAroundTheOriginAreLeftAlone) {
  EXPECT_EQ(fits(100000, 0, 1), std::vector<size_t>{});
}

TEST(OriginFitTest, RowsWithoutLossAreLeftAlone) {
  EXPECT_EQ(fits(5000, 10, 1, true), std::vector<size_t>{});
}

TEST(OriginFitTest, MeanIsThatOfScaledRows) {
  OriginFit fit(kDim);
  for (int i = 0; i < 64; ++i) {
    const std::vector<float> row = {1, 2, 3, static_cast<float>(i), -1};
    fit.note(row, 0.5, false);
  }
  ASSERT_TRUE(fit.due(std::vector<float>(kDim)));
  EXPECT_EQ(std::vector<float>(fit.mean().begin(), fit.mean().end()),
            (std::vector<float>{0.5F, 1, 1.5F, 15.75F, -0.5F}));
}

TEST(OriginFitTest, OrderThatMisleadsIsMendedLater) {
  Rows maker;
  OriginFit fit(kDim);
  std::vector<float> origin(kDim);
  size_t fitted = 0;
  for (int i = 1; i <= 20000; ++i) {
    fit.note(maker.next(i <= 1024 ? 10.0F : -10.0F, 1), 1, false);
    if (!fit.due(origin)) continue;
    origin.assign(fit.mean().begin(), fit.mean().end());
    ++fitted;
  }
  EXPECT_LT(origin[0], -7) << "seed " << kSeed;
  EXPECT_LE(fitted, 3U);
}

TEST(OriginFitTest, RowsWhoseSquaresOverflowAreLeftAlone) {
  OriginFit fit(kDim);
  const std::vector<float> row(kDim, std::numeric_limits<float>::max());
  for (int i = 0; i < 64; ++i) fit.note(row, 1e300, false);
  EXPECT_FALSE(fit.due(std::vector<float>(kDim)));
}

}  // namespace
}  // namespace loci::index

// SPDX-License-Identifier: Apache-2.0
//
// Scores of rows by rows against squared distances computed in double: a row prepared from its
// vector, and one prepared from its 8-bit code.
#include "index/rank_codes.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <optional>
#include <random>
#include <vector>

#include "simd/dispatch.h"

namespace loci::index {
namespace {

constexpr size_t kRows = 200;

class RankCodesTest : public ::testing::TestWithParam<size_t> {
 protected:
  /// Rows around a point away from zero, one component far larger than the others.
  void fill(size_t dim) {
    column_.emplace(
        VectorColumn::create({.dim = dim, .metric = Metric::kL2, .custom = {}}).value());
    std::mt19937 random(20261129);
    std::normal_distribution<float> normal;
    rows_.resize(kRows, std::vector<float>(dim));
    for (size_t slot = 0; slot < kRows; ++slot) {
      for (size_t j = 0; j < dim; ++j) rows_[slot][j] = 3 + (j == 0 ? 4 : 1) * normal(random);
      ASSERT_TRUE(column_->stage(std::as_bytes(std::span<const float>(rows_[slot]))).ok());
      ASSERT_TRUE(column_->reserve(slot).ok());
      column_->commit(slot);
    }
    ASSERT_TRUE(column_->recenter().ok());
    codes_ = RankCodes(*column_);
    codes_.reserve(kRows);
    for (size_t slot = 0; slot < kRows; ++slot) codes_.set(*column_, slot);
  }
  /// How far scores of all rows by `query` are off, as a share of the distance: root mean square.
  double error(const RankedQuery& query, size_t of) {
    std::vector<uint32_t> slots(kRows);
    std::vector<const uint8_t*> rows(kRows);
    for (uint32_t slot = 0; slot < kRows; ++slot) {
      slots[slot] = slot;
      rows[slot] = column_->scan_code(slot);
    }
    std::vector<uint32_t> which(kRows + 16);
    std::vector<float> scores(kRows + 16);
    const size_t kept = simd::kernels().rank_u4(
        {rows.data(), codes_.params(), slots.data(), column_->codec()->stride(), kRows}, query.rank,
        std::numeric_limits<float>::infinity(), which.data(), scores.data());
    EXPECT_EQ(kept, kRows);
    double sum = 0;
    for (size_t i = 0; i < kept; ++i) {
      if (which[i] == of) continue;
      double distance2 = 0;
      for (size_t j = 0; j < rows_[of].size(); ++j) {
        const double difference = static_cast<double>(rows_[of][j]) - rows_[which[i]][j];
        distance2 += difference * difference;
      }
      const double off = (static_cast<double>(scores[i]) - distance2) / distance2;
      sum += off * off;
    }
    return std::sqrt(sum / static_cast<double>(kRows - 1));
  }

  std::optional<VectorColumn> column_;
  RankCodes codes_;
  std::vector<std::vector<float>> rows_;
};

TEST_P(RankCodesTest, ARowPreparedFromItsCodeScoresAsWellAsFromItsVector) {
  fill(GetParam());
  RankedQuery query;
  double by_vector = 0;
  double by_code = 0;
  size_t from_code = 0;
  for (size_t slot = 0; slot < kRows; ++slot) {
    ASSERT_TRUE(codes_.prepare_row(*column_, slot, query).ok());
    by_vector += error(query, slot);
    const float norm = query.norm;
    ASSERT_TRUE(codes_.prepare_set_row(*column_, slot, query).ok());
    from_code += query.planes.wide == nullptr ? 1 : 0;
    by_code += error(query, slot);
    EXPECT_NEAR(query.norm, norm, 1e-4 * norm);
  }
  EXPECT_LT(by_vector / kRows, 0.05);
  EXPECT_LT(by_code, 1.15 * by_vector);
  EXPECT_GT(from_code, kRows * 9 / 10) << "but for rows of few values of one sign";
}

// What the shortcut does not fit is prepared from the vector.
TEST_P(RankCodesTest, WithoutACodeAroundTheCentreTheVectorIsUsed) {
  fill(GetParam());
  RankedQuery query;
  codes_.clear(7);
  ASSERT_TRUE(codes_.prepare_set_row(*column_, 7, query).ok());
  EXPECT_NE(query.planes.wide, nullptr) << "a slot that is not set";
  std::vector<float> elsewhere(GetParam(), 1.0F);
  codes_.restore(*column_, elsewhere, 0);
  ASSERT_TRUE(codes_.prepare_set_row(*column_, 8, query).ok());
  EXPECT_NE(query.planes.wide, nullptr) << "another centre";
}

INSTANTIATE_TEST_SUITE_P(Dims, RankCodesTest, ::testing::Values(16, 64, 128, 200, 384));

}  // namespace
}  // namespace loci::index

// SPDX-License-Identifier: Apache-2.0
#include "index/graph_entries.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <set>

#include "base/bytes.h"

namespace loci::index {
namespace {

/// Rows of a column, all of which could be nodes.
class GraphEntriesTest : public ::testing::Test {
 protected:
  static constexpr size_t kDim = 20;
  static constexpr size_t kRows = 2000;

  GraphEntriesTest()
      : column_(VectorColumn::create({.dim = kDim, .metric = Metric::kL2, .custom = {}}).value()) {
    for (size_t slot = 0; slot < kRows; ++slot) put(slot);
    codes_ = RankCodes(column_);
    codes_.reserve(kRows);
    for (size_t slot = 0; slot < kRows; ++slot) codes_.set(column_, slot);
    EXPECT_TRUE(entries_.reserve(column_).ok());
  }

  void put(size_t slot) {
    std::vector<float> vector(kDim);
    std::normal_distribution<float> normal;
    const float center = 8 * static_cast<float>(random_() % 16);
    for (float& x : vector) x = normal(random_);
    vector[random_() % 2] += center;
    ASSERT_TRUE(column_.stage(std::as_bytes(std::span<const float>(vector))).ok());
    ASSERT_TRUE(column_.reserve(slot).ok());
    column_.commit(slot);
  }
  void expect_sound(const GraphEntries& entries) const {
    const Status status = entries.check_invariants(column_);
    EXPECT_TRUE(status.ok()) << status.to_string();
  }
  void fill(size_t count) {
    for (uint32_t slot = 0; slot < count; ++slot) entries_.add(codes_, column_, slot);
  }
  /// Bytes as a segment holds them.
  static std::vector<uint8_t> saved(const GraphEntries& entries) {
    std::vector<uint8_t> bytes;
    for (const base::ByteSpan piece : entries.pieces()) {
      bytes.insert(bytes.end(), piece.begin(), piece.end());
      bytes.resize(base::round_up(bytes.size(), base::Buffer::kAlignment));
    }
    return bytes;
  }

  std::mt19937_64 random_{7};
  VectorColumn column_;
  RankCodes codes_;
  GraphEntries entries_;
};

TEST_F(GraphEntriesTest, FewAreNotGrouped) {
  fill(GraphEntries::kFlat);
  EXPECT_FALSE(entries_.grouped());
  expect_sound(entries_);
  entries_.add(codes_, column_, GraphEntries::kFlat);
  EXPECT_TRUE(entries_.grouped());
  expect_sound(entries_);
  entries_.remove(7);
  EXPECT_FALSE(entries_.grouped());
  expect_sound(entries_);
}

// Rows lie around 32 places far from each other.
TEST_F(GraphEntriesTest, ThoseOfAGroupAreNearToEachOther) {
  fill(GraphEntries::kMost);
  const auto distance = [&](size_t a, size_t b) {
    float sum = 0;
    for (size_t j = 0; j < kDim; ++j) {
      const float by = column_.vector(a)[j] - column_.vector(b)[j];
      sum += by * by;
    }
    return std::sqrt(sum);
  };
  float within = 0;
  float among_all = 0;
  for (size_t pivot = 0; pivot < GraphEntries::kPivots; ++pivot) {
    const auto [first, end] = entries_.group(pivot);
    for (size_t at = first; at + 1 < end; ++at) {
      within += distance(entries_.slots()[at], entries_.slots()[at + 1]);
      among_all += distance(entries_.slots()[at], (entries_.slots()[at] + 500) % kRows);
    }
  }
  EXPECT_LT(within, among_all / 4);
}

TEST_F(GraphEntriesTest, StaySoundThroughRandomChanges) {
  std::set<uint32_t> in;
  for (int step = 0; step < 4000; ++step) {
    const auto slot = static_cast<uint32_t>(random_() % kRows);
    const std::optional<size_t> entry = entries_.find(slot);
    EXPECT_EQ(entry.has_value(), in.count(slot) == 1);
    if (entry.has_value()) {
      entries_.remove(*entry);
      in.erase(slot);
    } else if (entries_.size() < GraphEntries::kMost) {
      entries_.add(codes_, column_, slot);
      in.insert(slot);
    }
    if (step % 50 == 0) expect_sound(entries_);
  }
  EXPECT_TRUE(entries_.grouped());
  expect_sound(entries_);
  for (size_t slot = 0; slot < kRows; ++slot) put(slot);  // other vectors, and codes
  for (size_t slot = 0; slot < kRows; ++slot) codes_.set(column_, slot);
  entries_.follow(codes_, column_);
  expect_sound(entries_);
}

TEST_F(GraphEntriesTest, ComeBackAsTheyWereSaved) {
  for (const size_t count : {size_t{3}, GraphEntries::kFlat + 44, GraphEntries::kMost}) {
    GraphEntries entries;
    ASSERT_TRUE(entries.reserve(column_).ok());
    for (uint32_t slot = 0; slot < count; ++slot) entries.add(codes_, column_, slot);
    const std::vector<uint8_t> bytes = saved(entries);
    GraphEntries loaded;
    ASSERT_TRUE(loaded.reserve(column_).ok());
    ASSERT_TRUE(loaded.load(bytes, count).ok());
    expect_sound(loaded);
    EXPECT_EQ(saved(loaded), bytes);
    for (const size_t cut : {size_t{0}, bytes.size() / 2, bytes.size() - 64}) {
      GraphEntries none;
      ASSERT_TRUE(none.reserve(column_).ok());
      EXPECT_EQ(none.load(std::span(bytes).first(cut), count).code(), StatusCode::kCorruption);
    }
    if (!entries.grouped()) continue;
    std::vector<uint8_t> damaged = bytes;
    const size_t begins = base::round_up(count * 4, 64) + base::round_up(count * 8, 64) +
                          base::round_up(count * column_.codec()->stride(), 64);
    damaged[begins + 2] = 1;  // the first group begins at 65,536
    EXPECT_EQ(loaded.load(damaged, count).code(), StatusCode::kCorruption);
  }
}

}  // namespace
}  // namespace loci::index

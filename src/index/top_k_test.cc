// SPDX-License-Identifier: Apache-2.0
#include "index/top_k.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <random>
#include <vector>

namespace loci::index {
namespace {

bool same(const std::vector<Neighbor>& a, const std::vector<Neighbor>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& x, const auto& y) {
    return x.rowid == y.rowid && x.distance == y.distance;
  });
}

TEST(TopKTest, KeepsTheFirstOfTheSortedOrder) {
  std::mt19937_64 random(21);
  for (int round = 0; round < 2000; ++round) {
    std::vector<Neighbor> all;
    for (int64_t i = 0; i < 60; ++i) {
      all.push_back({.rowid = RowId{i}, .distance = static_cast<double>(random() % 12)});
    }
    std::shuffle(all.begin(), all.end(), random);
    const size_t k = random() % 70;
    const double max_distance =
        k == 0 || random() % 2 == 0 ? 6.0 : std::numeric_limits<double>::infinity();
    TopK best(k, max_distance);
    for (const Neighbor& candidate : all) {
      if (best.rejects(candidate.distance)) continue;
      best.offer(candidate);
    }
    std::erase_if(all, [&](const Neighbor& n) { return n.distance > max_distance; });
    std::sort(all.begin(), all.end(), nearer);
    if (k != 0 && all.size() > k) all.resize(k);
    ASSERT_EQ(best.full(), k != 0 && all.size() == k);
    ASSERT_TRUE(same(std::move(best).take_sorted(), all)) << "seed 21, round " << round;
  }
}

TEST(TopKTest, LimitKeepsTies) {
  TopK best(1, std::numeric_limits<double>::infinity());
  best.offer({.rowid = RowId{5}, .distance = 1});
  EXPECT_FALSE(best.rejects(1));
  EXPECT_TRUE(best.rejects(1.5));
  best.offer({.rowid = RowId{3}, .distance = 1});
  best.offer({.rowid = RowId{4}, .distance = 1});
  EXPECT_EQ(std::move(best).take_sorted()[0].rowid, RowId{3});
}

}  // namespace
}  // namespace loci::index

// SPDX-License-Identifier: Apache-2.0
//
// The exact scan against plain loops in double, for every metric, many dimensions and unkind data.
#include "index/exact_scan.h"

#include <gtest/gtest.h>

#include <limits>
#include <random>
#include <string>
#include <tuple>
#include <vector>

#include "index/image.h"
#include "index/image_oracle.h"

namespace loci::index {
namespace {

constexpr Metric kCodedMetrics[] = {Metric::kL2,      Metric::kCosine, Metric::kDot,
                                    Metric::kAngular, Metric::kL1,     Metric::kHamming};

struct Fixture {
  ImageLayout layout;
  OracleRows rows;
  Image image;
};

// `count` rows with rowids in no order; filter column 0 is uniform in 0..999.
Fixture make(Metric metric, size_t dim, size_t count, DataKind kind, uint64_t seed) {
  ImageLayout layout;
  layout.columns = {{.dim = dim, .metric = metric, .custom = {}}};
  layout.filters = {FieldType::kInt};
  Result<Image> image = Image::create(layout);
  EXPECT_TRUE(image.has_value());
  Fixture fixture{layout, {}, std::move(image).value()};
  VectorMaker maker(kind, dim, seed);
  std::mt19937_64 random(seed);
  for (size_t i = 0; i < count; ++i) {
    // Odd multiples visit all residues, so rowids are distinct and their order is not the slots'.
    const RowId rowid{static_cast<int64_t>((i * 7919 + 13) % 1'000'003) - 500};
    OracleRow row;
    row.vectors = {maker.next()};
    row.filters = {static_cast<int64_t>(random() % 1000)};
    const Status status = put_row(fixture.image, layout, rowid, row);
    EXPECT_TRUE(status.ok()) << status.to_string();
    fixture.rows[rowid] = std::move(row);
  }
  return fixture;
}

void expect_right(const Fixture& fixture, const OracleDistances& distances, const ScanQuery& query,
                  int64_t below = 1000) {
  const Result<ScanOutcome> outcome = fixture.image.search(query);
  ASSERT_TRUE(outcome.has_value()) << outcome.error().to_string();
  const OracleCase oracle = {fixture.layout, fixture.rows, distances, [below](const auto& row) {
                               return std::get<int64_t>(row.filters[0]) < below;
                             }};
  const std::string fault = find_fault(oracle, query, *outcome);
  ASSERT_EQ(fault, "") << "k " << query.k << ", max_distance " << query.max_distance << ", below "
                       << below;
}

ScanQuery nearest(const std::vector<float>& vector, size_t k) {
  ScanQuery query;
  query.vector = vector;
  query.k = k;
  return query;
}

Predicate below(int64_t bound) {
  Predicate predicate;
  predicate.kind = Predicate::Kind::kCompare;
  predicate.op = Predicate::Op::kLt;
  predicate.values = {bound};
  return predicate;
}

void search_in_many_ways(const Fixture& fixture, const std::vector<float>& vector) {
  ScanQuery query;
  query.vector = vector;
  const OracleDistances distances = oracle_distances(fixture.layout, fixture.rows, query);
  double closest = 0;
  double middle = 0;
  for (const size_t k : {size_t{1}, size_t{10}, size_t{100}, fixture.rows.size() + 5}) {
    query.k = k;
    expect_right(fixture, distances, query);
    if (testing::Test::HasFatalFailure()) return;
    const Result<ScanOutcome> outcome = fixture.image.search(query);
    closest = outcome->neighbors[0].distance;
    middle = outcome->neighbors[outcome->neighbors.size() / 2].distance;
  }
  for (const double limit : {closest, middle, -1e30, 1e300}) {  // distances that rows have exactly
    for (const size_t k : {size_t{0}, size_t{10}}) {
      query.k = k;
      query.max_distance = limit;
      expect_right(fixture, distances, query);
      if (testing::Test::HasFatalFailure()) return;
    }
  }
  query.max_distance = std::numeric_limits<double>::infinity();
  for (const int64_t bound : {0, 5, 100, 500, 950, 1000}) {
    const Predicate filter = below(bound);
    query.filter = &filter;
    expect_right(fixture, distances, query, bound);
    if (testing::Test::HasFatalFailure()) return;
  }
}

class ExactScanTest : public testing::TestWithParam<std::tuple<Metric, size_t>> {};

TEST_P(ExactScanTest, AgreesWithPlainLoops) {
  const auto [metric, dim] = GetParam();
  for (const DataKind kind : kDataKinds) {
    const uint64_t seed = 100 + dim;
    SCOPED_TRACE(testing::Message() << "kind " << static_cast<int>(kind) << ", seed " << seed);
    const size_t count = dim > 100 ? 1100 : 2500;
    const Fixture fixture = make(metric, dim, count, kind, seed);
    const Status status = fixture.image.check_invariants();
    ASSERT_TRUE(status.ok()) << status.to_string();
    VectorMaker other(kind, dim, seed + 1);
    search_in_many_ways(fixture, other.next());
    if (HasFatalFailure()) return;
    // A stored vector, at distance 0, among its twins when there are any.
    search_in_many_ways(fixture, fixture.rows.begin()->second.vectors[0]);
    if (HasFatalFailure()) return;
  }
}

INSTANTIATE_TEST_SUITE_P(Metrics, ExactScanTest,
                         testing::Combine(testing::ValuesIn(kCodedMetrics),
                                          testing::Values(size_t{1}, size_t{2}, size_t{3},
                                                          size_t{17}, size_t{64}, size_t{384},
                                                          size_t{785}, size_t{1024})),
                         [](const auto& tuple) {
                           return std::string(metric_name(std::get<0>(tuple.param))) + "_" +
                                  std::to_string(std::get<1>(tuple.param));
                         });

// Many groups of blocks, and filters on either side of where coarse codes are left out: nearly no
// row, rows alone, most rows of 64.
TEST(ExactScanLargeTest, AgreesWithPlainLoopsOverManyBlocks) {
  for (const Metric metric : {Metric::kL2, Metric::kCosine, Metric::kDot, Metric::kL1}) {
    SCOPED_TRACE(testing::Message() << metric_name(metric) << ", seed 7");
    const Fixture fixture = make(metric, 12, 40500, DataKind::kClustered, 7);
    VectorMaker other(DataKind::kClustered, 12, 8);
    for (int round = 0; round < 3; ++round) {
      const std::vector<float> vector = other.next();
      ScanQuery query = nearest(vector, 10);
      const OracleDistances distances = oracle_distances(fixture.layout, fixture.rows, query);
      for (const size_t k : {size_t{10}, size_t{5000}}) {
        query.k = k;
        expect_right(fixture, distances, query);
        for (const int64_t bound : {1, 150, 230, 300, 700}) {
          const Predicate filter = below(bound);
          query.filter = &filter;
          expect_right(fixture, distances, query, bound);
          if (HasFatalFailure()) return;
        }
        query.filter = nullptr;
      }
    }
  }
}

// The origin of the codes moves while rows come: at 64 rows and, as the later ones lie elsewhere,
// again. Rows and searches in between and afterwards are right, also when rows go.
TEST(ExactScanOriginTest, RowsThatDriftAreCodedAnew) {
  for (const Metric metric : {Metric::kL2, Metric::kCosine, Metric::kDot, Metric::kAngular}) {
    SCOPED_TRACE(testing::Message() << metric_name(metric) << ", seed 9");
    Fixture fixture = make(metric, 20, 0, DataKind::kNormal, 9);
    VectorMaker maker(DataKind::kNormal, 20, 9);
    const auto row_at = [&](int64_t i) {
      OracleRow row;
      row.vectors = {maker.next()};
      for (float& x : row.vectors[0]) x += i < 1000 ? 30.0F : -20.0F;
      row.filters = {i % 1000};
      return row;
    };
    for (int64_t i = 0; i < 5000; ++i) {
      OracleRow row = row_at(i);
      ASSERT_TRUE(put_row(fixture.image, fixture.layout, RowId{i}, row).ok());
      fixture.rows[RowId{i}] = std::move(row);
      if (i % 7 == 3) {
        fixture.image.erase(RowId{i / 2});
        fixture.rows.erase(RowId{i / 2});
      }
      if (i != 63 && i != 900 && i != 1500 && i != 4999) continue;
      const Status status = fixture.image.check_invariants();
      ASSERT_TRUE(status.ok()) << status.to_string();
      search_in_many_ways(fixture, row_at(i).vectors[0]);
      if (HasFatalFailure()) return;
    }
  }
}

TEST(ExactScanTiesTest, EqualDistancesGoByRowid) {
  for (const Metric metric : kCodedMetrics) {
    SCOPED_TRACE(metric_name(metric));
    ImageLayout layout;
    layout.columns = {{.dim = 8, .metric = metric, .custom = {}}};
    Result<Image> image = Image::create(layout);
    ASSERT_TRUE(image.has_value());
    OracleRow row;
    row.vectors = {{1, -2, 3, 4, -5, 6, 7, 8}};
    for (int64_t i = 3000; i > 0; --i) ASSERT_TRUE(put_row(*image, layout, RowId{i}, row).ok());
    const std::vector<float> vector = {1, 1, 1, 1, 1, 1, -1, 1};
    const Result<ScanOutcome> outcome = image->search(nearest(vector, 25));
    ASSERT_TRUE(outcome.has_value());
    ASSERT_EQ(outcome->neighbors.size(), 25U);
    for (int64_t i = 0; i < 25; ++i) {
      EXPECT_EQ(to_int(outcome->neighbors[static_cast<size_t>(i)].rowid), i + 1);
    }
  }
}

// Distances a and b with a < b whose codes' bounds overlap entirely: only full vectors tell.
TEST(ExactScanTiesTest, DifferencesBelowTheCodesAreSeen) {
  ImageLayout layout;
  layout.columns = {{.dim = 64, .metric = Metric::kL2, .custom = {}}};
  Result<Image> image = Image::create(layout);
  ASSERT_TRUE(image.has_value());
  OracleRow row;
  row.vectors = {std::vector<float>(64, 100.0F)};
  row.vectors[0][0] = -100.0F;
  for (int64_t i = 1; i <= 2000; ++i) {
    row.vectors[0][5] = 100.0F - 1e-4F * static_cast<float>((i * 7) % 2000);
    ASSERT_TRUE(put_row(*image, layout, RowId{i}, row).ok());
  }
  std::vector<float> vector(64, 100.0F);
  vector[0] = -100.0F;
  vector[5] = 100.0F - 1e-4F * 1000;
  const Result<ScanOutcome> outcome = image->search(nearest(vector, 1));
  ASSERT_TRUE(outcome.has_value());
  EXPECT_EQ(to_int(outcome->neighbors[0].rowid) * 7 % 2000, 1000);
  EXPECT_EQ(outcome->neighbors[0].distance, 0);
}

TEST(ExactScanCostTest, FewFullVectorsAreRead) {
  const Fixture fixture = make(Metric::kCosine, 128, 20000, DataKind::kNormal, 3);
  VectorMaker other(DataKind::kNormal, 128, 4);
  const std::vector<float> vector = other.next();
  const Result<ScanOutcome> outcome = fixture.image.search(nearest(vector, 10));
  ASSERT_TRUE(outcome.has_value());
  EXPECT_EQ(outcome->scanned, 20000U);
  EXPECT_LT(outcome->reranked, 60U);
  const Predicate filter = below(10);
  ScanQuery query = nearest(vector, 10);
  query.filter = &filter;
  const Result<ScanOutcome> narrow = fixture.image.search(query);
  ASSERT_TRUE(narrow.has_value());
  EXPECT_EQ(narrow->scanned, narrow->passed_filter);  // one row in 100: each alone
  EXPECT_GT(narrow->filter_us + narrow->scan_us, 0);
}

}  // namespace
}  // namespace loci::index

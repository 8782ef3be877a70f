// SPDX-License-Identifier: Apache-2.0
#include "index/image.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "index/image_oracle.h"

namespace loci::index {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInf = std::numeric_limits<float>::infinity();

double taxicab_plus_one(VectorView a, VectorView b) {
  double sum = 1;
  for (size_t j = 0; j < a.size(); ++j) sum += std::abs(double{a[j]} - double{b[j]});
  return sum;
}

ScanQuery nearest(const std::vector<float>& vector, size_t k, size_t column = 0) {
  ScanQuery query;
  query.column = column;
  query.vector = vector;
  query.k = k;
  return query;
}

Image make_image(const ImageLayout& layout) {
  Result<Image> image = Image::create(layout);
  EXPECT_TRUE(image.has_value()) << image.error().to_string();
  return std::move(image).value();
}

ImageLayout one_column(Metric metric, size_t dim) {
  ImageLayout layout;
  layout.columns = {{.dim = dim, .metric = metric, .custom = {}}};
  return layout;
}

// --- A model driven by random operations -----------------------------------------------------

ImageLayout mixed_layout() {
  ImageLayout layout;
  layout.columns = {{.dim = 8, .metric = Metric::kL2, .custom = {}},
                    {.dim = 20, .metric = Metric::kHamming, .custom = {}},
                    {.dim = 33, .metric = Metric::kCosine, .custom = {}},
                    {.dim = 4, .metric = Metric::kCustom, .custom = taxicab_plus_one},
                    {.dim = 5, .metric = Metric::kL1, .custom = {}},
                    {.dim = 7, .metric = Metric::kDot, .element = Element::kF16, .custom = {}},
                    {.dim = 9, .metric = Metric::kCosine, .element = Element::kBf16, .custom = {}},
                    {.dim = 6, .metric = Metric::kL2, .element = Element::kI8, .custom = {}}};
  layout.filters = {FieldType::kText, FieldType::kInt, FieldType::kFloat, FieldType::kBool};
  return layout;
}

// A row whose vectors are small integers (ties!), each absent one time in eight.
OracleRow random_row(const ImageLayout& layout, std::mt19937_64& random) {
  OracleRow row;
  row.archived = random() % 9 == 0;
  const int64_t range = random() % 50 == 0 ? 1000 : 3;  // now and then outside the kL1 grid
  for (const ColumnLayout& column : layout.columns) {
    std::vector<float> vector;
    if (random() % 8 != 0) {
      for (size_t j = 0; j < column.dim; ++j) {
        const auto x = static_cast<int64_t>(random() % static_cast<uint64_t>(2 * range + 1));
        vector.push_back(static_cast<float>(x - range));
      }
      if (column.metric == Metric::kCosine) vector[0] = 1;
    }
    row.vectors.push_back(as_stored(column, std::move(vector)));
  }
  const auto null_or = [&random](Value value) {
    return random() % 6 == 0 ? Value(std::monostate{}) : std::move(value);
  };
  row.filters = {null_or("lang" + std::to_string(random() % 40)),
                 null_or(static_cast<int64_t>(random() % 100)),
                 null_or(static_cast<double>(random() % 100) / 8), null_or(random() % 2 == 0)};
  return row;
}

// lang IS NULL OR (year < bound AND NOT flag)
Predicate some_filter(int64_t bound) {
  Predicate no_lang;
  no_lang.kind = Predicate::Kind::kIsNull;
  Predicate year;
  year.kind = Predicate::Kind::kCompare;
  year.op = Predicate::Op::kLt;
  year.column = 1;
  year.values = {bound};
  Predicate flag;
  flag.kind = Predicate::Kind::kCompare;
  flag.column = 3;
  flag.values = {true};
  Predicate no_flag;
  no_flag.kind = Predicate::Kind::kNot;
  no_flag.children = {flag};
  Predicate both;
  both.children = {year, no_flag};
  Predicate either;
  either.kind = Predicate::Kind::kOr;
  either.children = {no_lang, both};
  return either;
}

bool passes_some_filter(const OracleRow& row, int64_t bound) {
  const auto* year = std::get_if<int64_t>(&row.filters[1]);
  const auto* flag = std::get_if<bool>(&row.filters[3]);
  return std::holds_alternative<std::monostate>(row.filters[0]) ||
         (year != nullptr && *year < bound && flag != nullptr && !*flag);
}

void search_at_random(const Image& image, const ImageLayout& layout, const OracleRows& rows,
                      std::mt19937_64& random) {
  const OracleRow like = random_row(layout, random);
  ScanQuery query;
  query.column = random() % layout.columns.size();
  if (like.vectors[query.column].empty()) return;
  query.vector = like.vectors[query.column];
  query.k = random() % 20;
  if (query.k == 0 || random() % 3 == 0) query.max_distance = static_cast<double>(random() % 12);
  query.include_archived = random() % 2 == 0;
  const auto bound = static_cast<int64_t>(random() % 110);
  const Predicate filter = some_filter(bound);
  if (random() % 2 == 0) query.filter = &filter;
  std::vector<RowId> hidden;
  for (uint64_t i = random() % 3 * 20; i > 0; --i) {
    hidden.push_back(RowId{static_cast<int64_t>(random() % 3000)});
  }
  query.hidden = hidden;
  const Result<ScanOutcome> outcome = image.search(query);
  ASSERT_TRUE(outcome.has_value()) << outcome.error().to_string();
  const OracleDistances distances = oracle_distances(layout, rows, query);
  const OracleCase oracle = {layout, rows, distances, [bound](const OracleRow& row) {
                               return passes_some_filter(row, bound);
                             }};
  ASSERT_EQ(find_fault(oracle, query, *outcome), "")
      << "column " << query.column << ", k " << query.k;
}

TEST(ImageModelTest, RandomOperationsAgreeWithAMap) {
  for (const uint64_t seed : {1, 2, 3}) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    std::mt19937_64 random(seed);
    const ImageLayout layout = mixed_layout();
    Image image = make_image(layout);
    OracleRows rows;
    const uint64_t range = seed == 1 ? 100 : 3000;
    for (int step = 0; step < 6000; ++step) {
      const RowId rowid{static_cast<int64_t>(random() % range)};
      // Growing first, then shrinking to nothing.
      if (random() % 6000 > static_cast<uint64_t>(step)) {
        OracleRow row = random_row(layout, random);
        ASSERT_TRUE(put_row(image, layout, rowid, row).ok());
        rows[rowid] = std::move(row);
      } else {
        const auto at = rows.lower_bound(rowid);
        const RowId gone = at == rows.end() ? rowid : at->first;  // one that is not there, too
        image.erase(gone);
        rows.erase(gone);
      }
      ASSERT_EQ(image.size(), rows.size());
      ASSERT_EQ(image.contains(rowid), rows.contains(rowid));
      if (step % 7 == 0) search_at_random(image, layout, rows, random);
      if (HasFatalFailure()) return;
      if (step % 500 != 0) continue;
      const Status status = image.check_invariants();
      ASSERT_TRUE(status.ok()) << status.to_string();
      std::vector<RowId> expected;
      size_t with_hamming = 0;
      for (const auto& [id, row] : rows) {
        expected.push_back(id);
        with_hamming += row.vectors[1].empty() ? 0 : 1;
      }
      ASSERT_EQ(image.rowids(), expected);
      ASSERT_EQ(image.vector_count(1), with_hamming);
    }
    while (!rows.empty()) {
      image.erase(rows.begin()->first);
      rows.erase(rows.begin());
    }
    EXPECT_EQ(image.size(), 0U);
    EXPECT_TRUE(image.check_invariants().ok());
  }
}

// --- Growth ----------------------------------------------------------------------------------

TEST(ImageTest, RowsCrossChunksAndComeBack) {
  // 8,192 dimensions make chunks of 1,024 rows.
  const ImageLayout layout = one_column(Metric::kDot, 8192);
  Image image = make_image(layout);
  OracleRow row;
  row.vectors = {std::vector<float>(8192, 0.5F)};
  for (int64_t i = 0; i < 2100; ++i) {
    row.vectors[0][0] = static_cast<float>(i);
    ASSERT_TRUE(put_row(image, layout, RowId{i}, row).ok());
  }
  const size_t full = image.memory_bytes();
  EXPECT_GT(full, 2100U * 8192 * 5);
  std::vector<float> axis(8192, 0.0F);
  axis[0] = 1;
  Result<ScanOutcome> outcome = image.search(nearest(axis, 3));
  ASSERT_TRUE(outcome.has_value());
  EXPECT_EQ(outcome->neighbors[0].rowid, RowId{2099});
  EXPECT_EQ(outcome->neighbors[2].distance, -2097);
  for (int64_t i = 1000; i < 2100; ++i) image.erase(RowId{i});
  EXPECT_LT(image.memory_bytes(), full * 3 / 4);
  outcome = image.search(nearest(axis, 3));
  ASSERT_TRUE(outcome.has_value());
  EXPECT_EQ(outcome->neighbors[0].rowid, RowId{999});
  EXPECT_TRUE(image.check_invariants().ok());
}

TEST(ImageTest, FewRowsTakeLittleMemory) {
  const ImageLayout layout = one_column(Metric::kCosine, 384);
  Image image = make_image(layout);
  OracleRow row;
  row.vectors = {std::vector<float>(384, 1.0F)};
  ASSERT_TRUE(put_row(image, layout, RowId{1}, row).ok());
  EXPECT_LT(image.memory_bytes(), 200'000U);
}

TEST(ImageTest, GridFollowsDataThatGrows) {
  const ImageLayout layout = one_column(Metric::kL1, 6);
  Image image = make_image(layout);
  OracleRows rows;
  std::mt19937_64 random(9);
  for (int64_t i = 0; i < 4000; ++i) {
    OracleRow row;
    row.vectors.emplace_back();
    for (int j = 0; j < 6; ++j) {
      row.vectors[0].push_back(static_cast<float>(random() % 1000) *
                               static_cast<float>(i < 2000 ? 1 : i) * 1e-3F);
    }
    ASSERT_TRUE(put_row(image, layout, RowId{i}, row).ok());
    rows[RowId{i}] = std::move(row);
  }
  ASSERT_TRUE(image.check_invariants().ok());
  const std::vector<float> vector = rows[RowId{3500}].vectors[0];
  const ScanQuery query = nearest(vector, 10);
  const Result<ScanOutcome> outcome = image.search(query);
  ASSERT_TRUE(outcome.has_value());
  const OracleDistances distances = oracle_distances(layout, rows, query);
  EXPECT_EQ(find_fault({layout, rows, distances, {}}, query, *outcome), "");
  EXPECT_LT(outcome->reranked, 200U);  // a grid that stayed at 0..1 would bound nothing
}

// --- What is refused ---------------------------------------------------------------------------

TEST(ImageTest, BadRowsChangeNothing) {
  const ImageLayout layout = mixed_layout();
  Image image = make_image(layout);
  std::mt19937_64 random(4);
  OracleRow good = random_row(layout, random);
  for (size_t c = 0; c < good.vectors.size(); ++c) {
    good.vectors[c].assign(layout.columns[c].dim, 1.0F);
  }
  ASSERT_TRUE(put_row(image, layout, RowId{1}, good).ok());
  const auto code_of = [&](const OracleRow& row) {
    const StatusCode code = put_row(image, layout, RowId{1}, row).code();
    EXPECT_EQ(put_row(image, layout, RowId{2}, row).code(), code);
    return code;
  };
  OracleRow bad = good;
  bad.vectors[0].pop_back();
  EXPECT_EQ(code_of(bad), StatusCode::kCorruption);
  bad = good;
  bad.vectors[1].resize(40, 1.0F);  // 5 bytes for 20 bits
  EXPECT_EQ(code_of(bad), StatusCode::kCorruption);
  bad = good;
  bad.vectors[7].pop_back();  // i8
  EXPECT_EQ(code_of(bad), StatusCode::kCorruption);
  for (const float value : {kNan, kInf, -kInf}) {
    for (const size_t column : {0, 2, 3, 4, 5, 6}) {
      bad = good;
      bad.vectors[column][3] = value;
      EXPECT_EQ(code_of(bad), StatusCode::kCorruption);
    }
  }
  bad = good;
  bad.filters[1] = std::string("1999");
  EXPECT_EQ(code_of(bad), StatusCode::kCorruption);
  bad = good;
  bad.filters.pop_back();
  EXPECT_EQ(code_of(bad), StatusCode::kInvalidArgument);
  bad = good;
  bad.vectors.pop_back();
  EXPECT_EQ(code_of(bad), StatusCode::kInvalidArgument);
  EXPECT_EQ(image.size(), 1U);
  EXPECT_FALSE(image.contains(RowId{2}));
  EXPECT_TRUE(image.check_invariants().ok());
  const Result<ScanOutcome> outcome = image.search(nearest(good.vectors[0], 1));
  ASSERT_TRUE(outcome.has_value());
  EXPECT_EQ(outcome->neighbors[0].distance, 0);
}

TEST(ImageTest, BadQueriesAreRefused) {
  ImageLayout layout = mixed_layout();
  layout.columns[3].custom = nullptr;
  const Image image = make_image(layout);
  const auto code_of = [&](const ScanQuery& query) { return image.search(query).error().code(); };
  const std::vector<float> eight(8, 1.0F);
  const std::vector<float> zero(33, 0.0F);
  EXPECT_EQ(code_of(nearest(eight, 5, 9)), StatusCode::kInvalidArgument);  // no such column
  EXPECT_EQ(code_of(nearest(eight, 5, 2)), StatusCode::kInvalidArgument);  // dimension
  EXPECT_EQ(code_of(nearest(zero, 5, 2)), StatusCode::kInvalidArgument);   // no direction
  EXPECT_EQ(code_of(nearest(eight, 0)), StatusCode::kInvalidArgument);     // k and no threshold
  EXPECT_EQ(code_of(nearest(std::vector<float>(4, 1.0F), 5, 3)), StatusCode::kFailedPrecondition);
  for (const float value : {kNan, kInf}) {
    std::vector<float> vector = eight;
    vector[7] = value;
    EXPECT_EQ(code_of(nearest(vector, 5)), StatusCode::kInvalidArgument);
  }
  ScanQuery query = nearest(eight, 5);
  query.max_distance = std::nan("");
  EXPECT_EQ(code_of(query), StatusCode::kInvalidArgument);
  Predicate filter;
  filter.kind = Predicate::Kind::kIsNull;
  filter.column = 4;
  query = nearest(eight, 5);
  query.filter = &filter;
  EXPECT_EQ(code_of(query), StatusCode::kInvalidArgument);
  const Result<ScanOutcome> empty = image.search(nearest(eight, 5));
  ASSERT_TRUE(empty.has_value());
  EXPECT_TRUE(empty->neighbors.empty());
}

TEST(ImageTest, BadLayoutsAreRefused) {
  for (const size_t dim : {size_t{0}, size_t{8193}}) {
    EXPECT_EQ(Image::create(one_column(Metric::kL2, dim)).error().code(),
              StatusCode::kInvalidArgument);
  }
}

// --- Corners -----------------------------------------------------------------------------------

TEST(ImageTest, ZeroVectorsAreOrthogonalToAll) {
  for (const Metric metric : {Metric::kCosine, Metric::kAngular}) {
    const ImageLayout layout = one_column(metric, 3);
    Image image = make_image(layout);
    OracleRow row;
    row.vectors = {{0, 0, 0}};
    ASSERT_TRUE(put_row(image, layout, RowId{1}, row).ok());
    row.vectors = {{-1, 0, 0}};
    ASSERT_TRUE(put_row(image, layout, RowId{2}, row).ok());
    const Result<ScanOutcome> outcome = image.search(nearest({1, 0, 0}, 2));
    ASSERT_TRUE(outcome.has_value());
    ASSERT_EQ(outcome->neighbors.size(), 2U);
    EXPECT_EQ(outcome->neighbors[0].rowid, RowId{1});
    EXPECT_EQ(outcome->neighbors[0].distance, metric == Metric::kCosine ? 1.0 : 0.5);
    EXPECT_TRUE(image.check_invariants().ok());
  }
}

TEST(ImageTest, BitsPastTheDimensionDoNotCount) {
  const ImageLayout layout = one_column(Metric::kHamming, 5);
  Image image = make_image(layout);
  const std::byte blob[1] = {std::byte{0xFF}};
  const std::span<const std::byte> view(blob);
  ASSERT_TRUE(
      image.put({.rowid = RowId{1}, .archived = false, .vectors = {&view, 1}, .filters = {}}).ok());
  const Result<ScanOutcome> outcome = image.search(nearest({1, 1, 1, 1, -1}, 1));
  ASSERT_TRUE(outcome.has_value());
  EXPECT_EQ(outcome->neighbors[0].distance, 1);
}

TEST(ImageTest, CustomMetricThatIsNotANumberIsAnError) {
  ImageLayout layout;
  layout.columns = {{.dim = 1, .metric = Metric::kCustom, .custom = [](VectorView a, VectorView b) {
                       return static_cast<double>(b[0]) > 1 ? std::nan("") : double{a[0]};
                     }}};
  Image image = make_image(layout);
  OracleRow row;
  row.vectors = {{1}};
  ASSERT_TRUE(put_row(image, layout, RowId{1}, row).ok());
  EXPECT_TRUE(image.search(nearest({1}, 1)).has_value());
  row.vectors = {{2}};
  ASSERT_TRUE(put_row(image, layout, RowId{2}, row).ok());
  EXPECT_EQ(image.search(nearest({1}, 1)).error().code(), StatusCode::kFailedPrecondition);
}

TEST(ImageTest, MovedImagesKeepTheirRows) {
  const ImageLayout layout = one_column(Metric::kL2, 2);
  Image image = make_image(layout);
  OracleRow row;
  row.vectors = {{1, 2}};
  ASSERT_TRUE(put_row(image, layout, RowId{7}, row).ok());
  Image moved = std::move(image);
  image = make_image(layout);
  EXPECT_TRUE(moved.contains(RowId{7}));
  EXPECT_FALSE(image.contains(RowId{7}));
}

}  // namespace
}  // namespace loci::index

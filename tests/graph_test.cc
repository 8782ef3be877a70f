// SPDX-License-Identifier: Apache-2.0
//
// Searches by graph through the public interface, beside the exact answer: near enough at true
// distances, of exactly the rows that the reader's snapshot has, whatever is written meanwhile.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <limits>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "loci/loci.h"
#include "support/fixture.h"
#include "support/temp_dir.h"

namespace loci::testing {
namespace {

constexpr size_t kDim = 24;
constexpr size_t kParts = 400;
constexpr size_t kRows = 3 * kParts;
constexpr size_t kGraphRows = 300;

/// A point near one of 40 centres.
std::vector<float> clustered(Random& random) {
  std::vector<float> point = sine_vector(kDim, 1.0 + static_cast<double>(random.below(40)));
  for (float& value : point) value += 0.5F * static_cast<float>(random.unit() - 0.5);
  return point;
}

class GraphSearchTest : public ::testing::Test {
 protected:
  void SetUp() override {
    options_.graph_rows = kGraphRows;
    options_.background = false;
    open();
    CollectionSpec spec;
    spec.name = "notes";
    spec.text_ids = false;
    spec.vectors = {vector_column("embedding", kDim, Metric::kL2)};
    spec.filters = {{"part", FieldType::kInt}};
    ASSERT_OK(database_->create_collection(spec));
    add(1, kRows);
    ASSERT_OK(database_->publish("notes"));
  }

  void open() {
    database_.reset();
    Result<Database> database = Database::open(dir_.file("a.db"), options_);
    ASSERT_OK(database);
    database_.emplace(*std::move(database));
  }
  [[nodiscard]] Collection notes() const { return *Database(*database_).collection("notes"); }

  std::vector<Record> records(size_t first, size_t count) {
    std::vector<Record> made(count);
    for (size_t i = 0; i < count; ++i) {
      const auto number = static_cast<int64_t>(first + i);
      made[i] = vector_record("", clustered(random_));
      made[i].rowid = RowId{number};
      made[i].fields = {{"part", number % int64_t{kParts}}};
    }
    return made;
  }
  void add(size_t first, size_t count) { ASSERT_OK(notes().insert_many(records(first, count))); }

  SearchRequest request(VectorView query) {
    SearchRequest request;
    request.mode = SearchMode::kVector;
    request.vector = query;
    request.with_fields = false;
    return request;
  }
  SearchResult ask(const SearchRequest& asked) {
    Result<SearchResult> result = notes().search(asked);
    EXPECT_OK(result);
    return result.has_value() ? *std::move(result) : SearchResult();
  }
  /// The share of the exact answer that `asked` finds, and whether each distance is the true one.
  double recall(const SearchRequest& asked) {
    SearchRequest exact = asked;
    exact.exact = true;
    const SearchResult wanted = ask(exact);
    const SearchResult found = ask(asked);
    EXPECT_EQ(wanted.explain.ef, 0U);
    EXPECT_EQ(found.hits.size(), wanted.hits.size());
    if (wanted.hits.empty()) return 1;
    const double limit = *wanted.hits.back().distance;
    size_t near = 0;
    double last = 0;
    for (const Hit& hit : found.hits) {
      const auto row = notes().get(hit.rowid, true);
      EXPECT_OK(row);
      EXPECT_NEAR(*hit.distance,
                  oracle_distance(Metric::kL2, asked.vector, (*row)->vectors[0].second), 1e-9);
      EXPECT_GE(*hit.distance, last);
      last = *hit.distance;
      near += *hit.distance <= limit + 1e-9 ? 1 : 0;
    }
    return static_cast<double>(near) / static_cast<double>(wanted.hits.size());
  }
  /// The mean over queries of the same distribution.
  double mean_recall(const std::function<void(SearchRequest&)>& change, int queries = 40) {
    Random random(77);
    double sum = 0;
    for (int i = 0; i < queries; ++i) {
      const std::vector<float> query = clustered(random);
      SearchRequest asked = request(query);
      change(asked);
      sum += recall(asked);
    }
    return sum / queries;
  }
  std::string plan_of(const std::function<void(SearchRequest&)>& change = [](SearchRequest&) {}) {
    const std::vector<float> query = sine_vector(kDim, 3);
    SearchRequest asked = request(query);
    change(asked);
    return ask(asked).explain.plan;
  }

  TempDir dir_;
  DatabaseOptions options_;
  std::optional<Database> database_;
  Random random_{2024};
};

TEST_F(GraphSearchTest, OneGraphIsBuiltWhateverTheNumberOfThoseWhoAsk) {
  open();
  ASSERT_OK(database_->reindex("notes"));
  add(kRows + 1, 2 * kRows);  // more rows than are linked: due to be built anew
  std::atomic<int> builders = 0;
  const auto publish = [&] {
    bool built = false;
    IndexOptions options;
    options.progress = [&](const IndexProgress& /*progress*/) { built = true; };
    EXPECT_OK(database_->publish("notes", options));
    builders += built ? 1 : 0;
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) threads.emplace_back(publish);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(builders, 1);
}

TEST_F(GraphSearchTest, AnotherMBuildsTheGraphAnew) {
  IndexOptions options;
  size_t calls = 0;
  options.progress = [&](const IndexProgress& /*progress*/) { ++calls; };
  ASSERT_OK(database_->publish("notes", options));
  EXPECT_EQ(calls, 0U) << "nothing to do";
  options.m = 8;
  ASSERT_OK(database_->publish("notes", options));
  EXPECT_GT(calls, 0U);
  calls = 0;
  ASSERT_OK(database_->publish("notes", options));
  EXPECT_EQ(calls, 0U) << "it has that m";
}

TEST_F(GraphSearchTest, FindsWhatWasAskedFor) {
  EXPECT_EQ(plan_of(), "graph");
  for (const double asked : {0.9, 0.95, 0.99}) {
    EXPECT_GE(mean_recall([&](SearchRequest& r) { r.recall = asked; }), asked - 0.02) << asked;
  }
  EXPECT_GE(mean_recall([](SearchRequest& r) { r.ef = 200; }), 0.99);
}

TEST_F(GraphSearchTest, IsExactWhenThatIsAskedFor) {
  EXPECT_EQ(plan_of([](SearchRequest& r) { r.exact = true; }), "exact scan");
  EXPECT_EQ(plan_of([](SearchRequest& r) { r.recall = 1; }), "exact scan");
  const auto by_threshold = [](SearchRequest& r) {
    r.k = 0;
    r.max_distance = 2.0;
  };
  EXPECT_EQ(plan_of(by_threshold), "exact scan");
  EXPECT_EQ(mean_recall(by_threshold, 5), 1.0);
}

TEST_F(GraphSearchTest, NewRowsAreFoundAtOnceAndGoneOnesNever) {
  Random random(5);
  for (int64_t row = 10001; row < 10081; ++row) {
    Record record = vector_record("", clustered(random));
    record.rowid = RowId{row};
    record.fields = {{"part", int64_t{-1}}};
    ASSERT_OK(notes().insert(record));
    const std::vector<float>& vector = record.vectors[0].second;
    const auto found = notes().nearest(vector, 1);
    ASSERT_OK(found);
    ASSERT_EQ(rowids(*found), std::vector<int64_t>{row});
    if (row % 2 == 0) continue;
    const std::vector<RowKey> gone = {RowKey(RowId{row})};
    ASSERT_OK(notes().remove(gone));
    const auto after = notes().nearest(vector, 10);
    ASSERT_OK(after);
    for (const Hit& hit : *after) EXPECT_NE(to_int(hit.rowid), row);
  }
  EXPECT_GE(mean_recall([](SearchRequest&) {}), 0.97);
  EXPECT_EQ(check_report(*database_), "");
}

TEST_F(GraphSearchTest, ManyNewRowsAreScannedBesideItUntilItHasThem) {
  add(20001, 200);
  EXPECT_EQ(plan_of(), "graph + scan of new rows");
  EXPECT_GE(mean_recall([](SearchRequest&) {}), 0.97);
  ASSERT_OK(database_->publish("notes"));
  EXPECT_EQ(plan_of(), "graph");
  EXPECT_GE(mean_recall([](SearchRequest&) {}), 0.97);
}

TEST_F(GraphSearchTest, FiltersHoldAtEverySelectivity) {
  for (const int part : {1, 4, 12, 40, 120, 280, 399}) {
    const std::string where = "part < " + std::to_string(part);
    const double mean = mean_recall([&](SearchRequest& r) { r.where = where; }, 20);
    EXPECT_GE(mean, 0.95) << where;
    const std::vector<float> query = sine_vector(kDim, 7);
    SearchRequest asked = request(query);
    asked.where = where;
    const SearchResult found = ask(asked);
    EXPECT_EQ(found.hits.size(), std::min<size_t>(10, static_cast<size_t>(part) * 3)) << where;
    for (const Hit& hit : found.hits) EXPECT_LT(to_int(hit.rowid) % int64_t{kParts}, part) << where;
  }
}

TEST_F(GraphSearchTest, AnOpenTransactionSeesItsOwnRowsAndARollbackUndoesThem) {
  const std::vector<float> far(kDim, 9.0F);
  const Status status = database_->transaction([&]() -> Status {
    Record record = vector_record("", far);
    record.rowid = RowId{77777};
    LOCI_RETURN_IF_ERROR(notes().insert(record).status());
    const std::vector<RowKey> gone = {RowKey(RowId{1})};
    LOCI_RETURN_IF_ERROR(notes().remove(gone).status());
    const auto nearest = notes().nearest(far, 1);
    EXPECT_EQ(rowids(*nearest), std::vector<int64_t>{77777});
    return Status::cancelled("undone");
  });
  EXPECT_TRUE(fails_with(status, StatusCode::kCancelled));
  const auto nearest = notes().nearest(far, 5);
  ASSERT_OK(nearest);
  for (const Hit& hit : *nearest) EXPECT_NE(to_int(hit.rowid), 77777);
  const auto first = notes().get(RowId{1}, true);
  ASSERT_OK(first);
  const auto again = notes().nearest((*first)->vectors[0].second, 1);
  EXPECT_EQ(rowids(*again), std::vector<int64_t>{1});
}

TEST_F(GraphSearchTest, TheNextProcessHasItFromTheSnapshot) {
  options_.graph_rows = 0;  // this handle would never build one
  open();
  EXPECT_EQ(plan_of(), "graph");
  EXPECT_GE(mean_recall([](SearchRequest&) {}), 0.97);
  database_.reset();
  std::filesystem::remove_all(dir_.file("a.db-loci"));
  open();
  EXPECT_EQ(plan_of(), "exact scan");
  EXPECT_EQ(mean_recall([](SearchRequest&) {}, 5), 1.0);
}

TEST_F(GraphSearchTest, ReindexBuildsItAsAskedAndCanBeCancelled) {
  size_t last = 0;
  IndexOptions index;
  index.m = 8;
  index.ef_construction = 64;
  index.threads = 2;
  index.progress = [&](const IndexProgress& at) {
    EXPECT_EQ(at.column, "embedding");
    EXPECT_EQ(at.total, kRows);
    EXPECT_GE(at.done, last);
    last = at.done;
  };
  ASSERT_OK(database_->reindex("notes", index));
  EXPECT_EQ(last, kRows);
  EXPECT_EQ(plan_of(), "graph");
  EXPECT_GE(mean_recall([](SearchRequest& r) { r.ef = 200; }), 0.97);
  std::atomic<bool> cancel{true};
  index.cancel = &cancel;
  index.progress = nullptr;
  EXPECT_TRUE(
      fails_with(database_->reindex("notes", index), StatusCode::kCancelled, {"embedding"}));
  EXPECT_EQ(plan_of(), "exact scan");
  ASSERT_OK(database_->publish("notes"));
  EXPECT_EQ(plan_of(), "graph");
}

TEST_F(GraphSearchTest, WrongWishesAreNamed) {
  const std::vector<float> query = sine_vector(kDim, 1);
  for (const double recall : {0.0, -1.0, 1.01, std::nan("")}) {
    SearchRequest asked = request(query);
    asked.recall = recall;
    EXPECT_TRUE(fails_with(notes().search(asked), StatusCode::kInvalidArgument, {"recall"}));
  }
  SearchRequest asked = request(query);
  asked.ef = 1000000;
  EXPECT_TRUE(fails_with(notes().search(asked), StatusCode::kInvalidArgument, {"ef 1000000"}));
  for (const auto& [options, part] : std::vector<std::pair<IndexOptions, std::string>>{
           {{.m = 3}, "m 3"},
           {{.m = 65}, "m 65"},
           {{.ef_construction = 15}, "ef_construction 15"},
           {{.ef_construction = 1001}, "ef_construction 1001"},
           {{.threads = 0}, "threads 0"},
           {{.threads = 65}, "threads 65"}}) {
    EXPECT_TRUE(
        fails_with(database_->reindex("notes", options), StatusCode::kInvalidArgument, {part}));
    EXPECT_TRUE(
        fails_with(database_->publish("notes", options), StatusCode::kInvalidArgument, {part}));
  }
}

TEST_F(GraphSearchTest, NumbersAloneAreThoseOfASearch) {
  Random random(9);
  std::vector<float> queries;
  for (int i = 0; i < 7; ++i) {
    const std::vector<float> query = clustered(random);
    queries.insert(queries.end(), query.begin(), query.end());
  }
  std::vector<Neighbor> out(7 * 4);
  ASSERT_OK(notes().nearest(queries, {.k = 4}, out));
  for (size_t i = 0; i < 7; ++i) {
    SearchRequest asked = request(VectorView(queries).subspan(i * kDim, kDim));
    asked.k = 4;
    const SearchResult wanted = ask(asked);
    for (size_t j = 0; j < 4; ++j) {
      EXPECT_EQ(out[i * 4 + j].rowid, wanted.hits[j].rowid);
      EXPECT_EQ(out[i * 4 + j].distance, *wanted.hits[j].distance);
    }
  }
  std::vector<Neighbor> more(kRows + 5);
  ASSERT_OK(
      notes().nearest(VectorView(queries).first(kDim), {.k = kRows + 5, .exact = true}, more));
  EXPECT_NE(more[kRows - 1].rowid, kNoRow);
  EXPECT_EQ(more[kRows].rowid, kNoRow);
  EXPECT_EQ(more[kRows].distance, std::numeric_limits<double>::infinity());
  const auto refused = StatusCode::kInvalidArgument;
  EXPECT_TRUE(fails_with(notes().nearest(queries, {.k = 3}, out), refused, {"room for 28"}));
  EXPECT_TRUE(fails_with(notes().nearest(queries, {.k = 0}, out), refused, {"k is 0"}));
  EXPECT_TRUE(fails_with(notes().nearest(VectorView(queries).first(5), {.k = 4}, out), refused,
                         {"5 floats", "dim 24"}));
  EXPECT_TRUE(fails_with(notes().nearest(queries, {.column = "other", .k = 4}, out), refused,
                         {"'other'", "'embedding'"}));
}

TEST_F(GraphSearchTest, AThreadOfTheDatabaseBuildsIt) {
  database_.reset();
  std::filesystem::remove_all(dir_.file("a.db-loci"));
  options_.background = true;
  open();
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  std::string plan = plan_of();
  while (plan != "graph" && std::chrono::steady_clock::now() < deadline) plan = plan_of();
  EXPECT_EQ(plan, "graph");
}

TEST_F(GraphSearchTest, ClosingDoesNotWaitForIt) {
  database_.reset();
  std::filesystem::remove_all(dir_.file("a.db-loci"));
  options_.background = true;
  open();
  EXPECT_EQ(plan_of(), "exact scan");  // and asks for a graph
  open();
  EXPECT_EQ(check_report(*database_), "");
}

/// Rows are written, a graph is built anew again and again, and every search finds k live rows.
TEST_F(GraphSearchTest, SearchesGoOnWhileRowsComeAndGraphsAreBuilt) {
  std::atomic<bool> stop{false};
  std::atomic<int> searches{0};
  const auto search = [&](uint64_t seed) {
    Random random(seed);
    Collection collection = notes();
    while (!stop) {
      const auto found = collection.nearest(clustered(random), 10);
      if (!found.has_value() || found->size() != 10) {
        ADD_FAILURE() << (found.has_value() ? "not 10 hits" : found.error().to_string());
        return;
      }
      std::set<RowId> rows;
      for (const Hit& hit : *found) rows.insert(hit.rowid);
      if (rows.size() != 10) ADD_FAILURE() << "a row came twice";
      ++searches;
    }
  };
  std::thread first(search, 1);
  std::thread second(search, 2);
  std::thread writer([&] {
    for (size_t round = 0; round < 8; ++round) {
      add(30001 + round * 100, 100);
      std::vector<RowKey> gone;
      for (size_t i = 0; i < 60; ++i) {
        gone.emplace_back(RowId{static_cast<int64_t>(1 + round * 60 + i)});
      }
      EXPECT_OK(notes().remove(gone));
    }
  });
  EXPECT_OK(database_->reindex("notes", {.m = 8, .ef_construction = 32}));
  writer.join();
  EXPECT_OK(database_->publish("notes"));
  stop = true;
  first.join();
  second.join();
  EXPECT_GT(searches, 0);
  EXPECT_EQ(check_report(*database_), "");
  EXPECT_GE(mean_recall([](SearchRequest& r) { r.ef = 200; }, 20), 0.95);
}

}  // namespace
}  // namespace loci::testing

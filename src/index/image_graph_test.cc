// SPDX-License-Identifier: Apache-2.0
//
// Images with graphs. The oracle is the exact search of the same image, which image_test.cc holds
// against plain loops.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <iterator>
#include <random>
#include <set>
#include <thread>

#include "base/temp_dir.h"
#include "index/image_oracle.h"
#include "index/snapshot_file.h"

namespace loci::index {
namespace {

constexpr uint64_t kSeed = 1128;
constexpr size_t kDim = 48;

/// Rows around centres; the filter column has 0 to 9,999, each as often.
class ImageGraphTest : public ::testing::Test {
 protected:
  ImageGraphTest() {
    layout_.columns = {{.dim = kDim, .metric = Metric::kCosine, .custom = {}}};
    layout_.filters = {FieldType::kInt};
    for (int c = 0; c < 100; ++c) centers_.push_back(noise(1));
    image_ = std::make_unique<Image>(Image::create(layout_).value());
  }

  std::vector<float> noise(float size) {
    std::vector<float> vector(kDim);
    for (float& x : vector) x = size * normal_(random_);
    return vector;
  }
  std::vector<float> next() {
    std::vector<float> vector = centers_[random_() % centers_.size()];
    const std::vector<float> off = noise(0.5F);
    for (size_t j = 0; j < kDim; ++j) vector[j] += off[j];
    return vector;
  }
  void put(int64_t row, bool with_vector = true) {
    OracleRow content;
    content.vectors = {with_vector ? next() : std::vector<float>{}};
    content.filters = {(row * 7919) % 10000};
    ASSERT_TRUE(put_row(*image_, layout_, RowId{row}, content).ok());
    rows_.insert(row);
  }
  void erase(int64_t row) {
    image_->erase(RowId{row});
    rows_.erase(row);
  }
  void fill(int64_t rows) {
    for (int64_t row = 0; row < rows; ++row) put(row);
  }
  void build(GraphOptions options = {}) {
    const Status built = image_->build_graph(0, options);
    ASSERT_TRUE(built.ok()) << built.to_string();
  }
  void expect_sound() const {
    const Status sound = image_->check_invariants();
    ASSERT_TRUE(sound.ok()) << sound.to_string();
  }

  static ScanOutcome search(const Image& image, const ScanQuery& query) {
    Result<ScanOutcome> outcome = image.search(query);
    EXPECT_TRUE(outcome.has_value()) << outcome.error().to_string();
    return std::move(outcome).value();
  }
  /// Share of the exact answer that the query's answer has, by distance. Also: as many rows, each
  /// row once, there, and at the distance that the exact search gives it.
  double recall_of(const ScanQuery& query, ScanOutcome* outcome = nullptr) {
    ScanQuery exactly = query;
    exactly.exact = true;
    const ScanOutcome want = search(*image_, exactly);
    const ScanOutcome got = search(*image_, query);
    if (outcome != nullptr) *outcome = got;
    EXPECT_EQ(got.neighbors.size(), want.neighbors.size());
    if (got.passed_is_estimate) {
      EXPECT_NEAR(static_cast<double>(got.passed_filter), static_cast<double>(want.passed_filter),
                  0.1 * static_cast<double>(rows_.size()));
    } else {
      EXPECT_EQ(got.passed_filter, want.passed_filter);
    }
    if (want.neighbors.empty()) return 1;
    std::set<RowId> different;
    size_t found = 0;
    for (size_t i = 0; i < got.neighbors.size(); ++i) {
      const Neighbor& neighbor = got.neighbors[i];
      EXPECT_TRUE(rows_.contains(to_int(neighbor.rowid))) << "a row that is gone";
      different.insert(neighbor.rowid);
      EXPECT_LE(got.neighbors[i == 0 ? 0 : i - 1].distance, neighbor.distance);
      if (neighbor.distance <= want.neighbors.back().distance) ++found;
      for (const Neighbor& exact : want.neighbors) {
        const bool same = exact.rowid == neighbor.rowid;
        EXPECT_TRUE(!same || exact.distance == neighbor.distance);
      }
    }
    EXPECT_EQ(different.size(), got.neighbors.size());
    return static_cast<double>(found) / static_cast<double>(want.neighbors.size());
  }
  double mean_recall(ScanQuery query, int queries, std::set<ScanPlan>* plans = nullptr) {
    double sum = 0;
    for (int i = 0; i < queries; ++i) {
      const std::vector<float> vector = next();
      query.vector = vector;
      ScanOutcome outcome;
      sum += recall_of(query, &outcome);
      if (plans != nullptr) plans->insert(outcome.plan);
    }
    return sum / queries;
  }
  static ScanQuery asking(double recall, size_t k = 10) {
    ScanQuery query;
    query.k = k;
    query.recall = recall;
    return query;
  }

  std::mt19937_64 random_{kSeed};
  std::normal_distribution<float> normal_;
  ImageLayout layout_;
  std::vector<std::vector<float>> centers_;
  std::unique_ptr<Image> image_;
  std::set<int64_t> rows_;
};

TEST_F(ImageGraphTest, FindsWhatWasAskedFor) {
  fill(12000);
  build();
  expect_sound();
  const GraphStats stats = image_->graph_stats(0);
  EXPECT_TRUE(stats.built);
  EXPECT_EQ(stats.linked, 12000U);
  EXPECT_EQ(stats.unlinked, 0U);
  ASSERT_FALSE(stats.recall.empty());
  for (const double asked : {0.9, 0.95, 0.99}) {
    EXPECT_GE(mean_recall(asking(asked), 200), asked - 0.015) << "seed " << kSeed;
  }
  std::set<ScanPlan> plans;
  (void)mean_recall(asking(0.95), 10, &plans);
  EXPECT_EQ(plans, std::set<ScanPlan>{ScanPlan::kGraph});
  EXPECT_EQ(mean_recall(asking(1), 10, &plans), 1.0);
  EXPECT_TRUE(plans.contains(ScanPlan::kExactScan));
}

TEST_F(ImageGraphTest, WithoutAskingEverySearchIsExact) {
  fill(3000);
  build();
  std::set<ScanPlan> plans;
  EXPECT_EQ(mean_recall(asking(0), 10, &plans), 1.0);
  ScanQuery exact = asking(0.9);
  exact.exact = true;
  EXPECT_EQ(mean_recall(exact, 10, &plans), 1.0);
  EXPECT_EQ(plans, std::set<ScanPlan>{ScanPlan::kExactScan});
}

TEST_F(ImageGraphTest, FiltersGiveKRowsAtEverySelectivity) {
  fill(20000);
  build();
  Predicate filter;
  filter.kind = Predicate::Kind::kCompare;
  filter.op = Predicate::Op::kLt;
  filter.column = 0;
  std::set<ScanPlan> plans;
  for (const int64_t below : {9000, 5000, 3000, 2000, 1000, 500, 100, 10, 3, 1, 0}) {
    filter.values = {below};
    ScanQuery query = asking(0.95);
    query.filter = &filter;
    EXPECT_GE(mean_recall(query, 50, &plans), 0.93) << below << " of 10,000, seed " << kSeed;
  }
  EXPECT_TRUE(plans.contains(ScanPlan::kGraph));
  EXPECT_TRUE(plans.contains(ScanPlan::kPassingRows));
  for (const size_t k : {1, 3, 100, 500}) {  // recall_of() compares how many rows there are
    filter.values = {int64_t{4000}};
    ScanQuery query = asking(0.9, k);
    query.filter = &filter;
    EXPECT_GE(mean_recall(query, 20), 0.8) << "k " << k;
  }
}

// No kernel evaluates a long list of integers: it is asked for the rows that a walk meets.
TEST_F(ImageGraphTest, FiltersWithoutAKernelGiveKRowsToo) {
  fill(20000);
  build();
  Predicate filter;
  filter.kind = Predicate::Kind::kIn;
  filter.column = 0;
  for (const int64_t every : {2, 5, 10, 20, 200}) {
    filter.values.clear();
    for (int64_t n = 0; n < 10000; n += every) filter.values.emplace_back(n);
    ScanQuery query = asking(0.95);
    query.filter = &filter;
    std::set<ScanPlan> plans;
    EXPECT_GE(mean_recall(query, 50, &plans), 0.93) << "one of " << every << ", seed " << kSeed;
    if (every > 10) continue;
    EXPECT_EQ(plans, std::set<ScanPlan>{ScanPlan::kGraph});
  }
}

TEST_F(ImageGraphTest, FiltersHoldWithTheShortestAndTheLongestLists) {
  Predicate filter;
  filter.kind = Predicate::Kind::kCompare;
  filter.op = Predicate::Op::kGe;
  filter.column = 0;
  fill(4000);
  for (const size_t m : {4, 64}) {
    GraphOptions options;
    options.m = m;
    build(options);
    for (const int64_t from : {500, 4000, 7000, 9000, 9900}) {
      filter.values = {from};
      ScanQuery query = asking(0.95);
      query.ef = 40;
      query.filter = &filter;
      EXPECT_GE(mean_recall(query, 30), 0.9) << "m " << m << " from " << from;
    }
  }
}

TEST_F(ImageGraphTest, HiddenAndArchivedRowsAreLeftOut) {
  fill(3000);
  build();
  const std::vector<float> vector = next();
  ScanQuery query = asking(0.99);
  query.vector = vector;
  const ScanOutcome all = search(*image_, query);
  const std::vector<RowId> hidden = {all.neighbors[0].rowid, all.neighbors[3].rowid};
  query.hidden = hidden;
  const ScanOutcome without = search(*image_, query);
  EXPECT_EQ(without.neighbors.size(), 10U);
  EXPECT_EQ(without.plan, ScanPlan::kGraph);
  for (const Neighbor& neighbor : without.neighbors) {
    EXPECT_EQ(std::count(hidden.begin(), hidden.end(), neighbor.rowid), 0);
  }
}

TEST_F(ImageGraphTest, MaxDistanceBoundsTheAnswer) {
  fill(3000);
  build();
  ScanQuery query = asking(0.99);
  query.max_distance = 0.15;
  EXPECT_GE(mean_recall(query, 50), 0.95);
}

TEST_F(ImageGraphTest, RowsComeAndGo) {
  fill(3000);
  build({.m = 8, .ef_construction = 40, .threads = 1, .cancel = nullptr});
  int64_t fresh = 3000;
  for (int step = 0; step < 3000; ++step) {
    const auto some = std::next(rows_.begin(), static_cast<ptrdiff_t>(random_() % rows_.size()));
    switch (random_() % 5) {
      case 0:
        put(*some, random_() % 4 != 0);
        break;
      case 1:
      case 2:
        erase(*some);
        break;
      default:
        put(fresh++, random_() % 10 != 0);
    }
    if (step % 300 == 0) expect_sound();
    if (HasFatalFailure()) return;
  }
  expect_sound();
  EXPECT_EQ(image_->rowids().size(), rows_.size());
  EXPECT_EQ(image_->size(), rows_.size());
  ScanQuery query;
  query.k = 10;
  query.ef = 40;
  std::set<ScanPlan> plans;
  EXPECT_GE(mean_recall(query, 100, &plans), 0.95);
  EXPECT_EQ(plans, std::set<ScanPlan>{ScanPlan::kGraph});
  for (const int64_t row : std::set<int64_t>(rows_)) erase(row);
  expect_sound();
  EXPECT_EQ(image_->size(), 0U);
  put(5);
  EXPECT_EQ(mean_recall(query, 1), 1.0);
}

TEST_F(ImageGraphTest, ARowWhoseVectorStaysKeepsItsPlace) {
  fill(1200);
  build();
  OracleRow content;
  content.vectors = {next()};
  content.filters = {int64_t{1}};
  ASSERT_TRUE(put_row(*image_, layout_, RowId{7}, content).ok());
  image_->set_link_on_put(false);
  content.filters = {int64_t{2}};
  ASSERT_TRUE(put_row(*image_, layout_, RowId{7}, content).ok());
  EXPECT_EQ(image_->graph_stats(0).unlinked, 0U);
  content.vectors = {next()};
  ASSERT_TRUE(put_row(*image_, layout_, RowId{7}, content).ok());
  EXPECT_EQ(image_->graph_stats(0).unlinked, 1U);
}

TEST_F(ImageGraphTest, UnlinkedRowsAreScannedBeside) {
  fill(3000);
  build();
  image_->set_link_on_put(false);
  for (int64_t row = 3000; row < 3500; ++row) put(row);
  EXPECT_EQ(image_->graph_stats(0).unlinked, 500U);
  std::set<ScanPlan> plans;
  EXPECT_GE(mean_recall(asking(0.95), 100, &plans), 0.93);
  EXPECT_EQ(plans, std::set<ScanPlan>{ScanPlan::kGraphAndTail});
  ASSERT_EQ(image_->link_rows(0, 200).value(), 300U);
  expect_sound();
  ASSERT_EQ(image_->link_rows(0, 1000).value(), 0U);
  plans.clear();
  EXPECT_GE(mean_recall(asking(0.95), 100, &plans), 0.93);
  EXPECT_EQ(plans, std::set<ScanPlan>{ScanPlan::kGraph});
}

TEST_F(ImageGraphTest, IsBuiltInSlicesWhileRowsChange) {
  fill(4000);
  Result<GraphBuild> build = image_->begin_graph(0, {});
  ASSERT_TRUE(build.has_value());
  int64_t fresh = 4000;
  while (!build->done()) {
    const Status run = build->run(*image_, 500);
    ASSERT_TRUE(run.ok()) << run.to_string();
    for (int i = 0; i < 40 && fresh < 4600; ++i) {
      erase(*std::next(rows_.begin(), static_cast<ptrdiff_t>(random_() % rows_.size())));
      put(*std::next(rows_.begin(), static_cast<ptrdiff_t>(random_() % rows_.size())));
      put(fresh++);
    }
  }
  put(fresh++);
  erase(*rows_.begin());
  const Status installed = image_->install_graph(std::move(*build));
  ASSERT_TRUE(installed.ok()) << installed.to_string();
  expect_sound();
  EXPECT_EQ(image_->graph_stats(0).unlinked, 0U);
  EXPECT_EQ(image_->graph_stats(0).linked, rows_.size());
  EXPECT_GE(mean_recall(asking(0.95), 100), 0.93);
}

TEST_F(ImageGraphTest, OnlyTheLastBuildBegunCounts) {
  fill(300);
  GraphBuild first = image_->begin_graph(0, {}).value();
  GraphBuild second = image_->begin_graph(0, {}).value();
  EXPECT_EQ(first.run(*image_, 1000).code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(image_->install_graph(std::move(second)).code(), StatusCode::kFailedPrecondition);
}

TEST_F(ImageGraphTest, ABuildCanBeCancelled) {
  fill(1000);
  std::atomic<bool> cancel{false};
  GraphBuild build =
      image_->begin_graph(0, {.m = 16, .ef_construction = 64, .threads = 2, .cancel = &cancel})
          .value();
  ASSERT_TRUE(build.run(*image_, 400).ok());
  EXPECT_GE(build.linked(), 400U);
  cancel = true;
  EXPECT_EQ(build.run(*image_, 400).code(), StatusCode::kCancelled);
  EXPECT_FALSE(image_->graph_stats(0).built);
}

TEST_F(ImageGraphTest, SearchesRunBesideABuild) {
  fill(3000);
  GraphBuild build =
      image_->begin_graph(0, {.m = 8, .ef_construction = 40, .threads = 2, .cancel = nullptr})
          .value();
  std::vector<std::vector<float>> vectors;
  for (int i = 0; i < 50; ++i) vectors.push_back(next());
  std::thread reader([&] {
    for (const std::vector<float>& vector : vectors) {
      ScanQuery query = asking(0.9);
      query.vector = vector;
      EXPECT_EQ(search(*image_, query).neighbors.size(), 10U);
    }
  });
  while (!build.done()) ASSERT_TRUE(build.run(*image_, 1000).ok());
  reader.join();
  ASSERT_TRUE(image_->install_graph(std::move(build)).ok());
  std::vector<std::thread> readers;
  for (int t = 0; t < 3; ++t) {
    readers.emplace_back([&] {
      for (const std::vector<float>& vector : vectors) {
        ScanQuery query = asking(0.9);
        query.vector = vector;
        EXPECT_EQ(search(*image_, query).neighbors.size(), 10U);
      }
    });
  }
  for (std::thread& thread : readers) thread.join();
}

TEST_F(ImageGraphTest, EveryMetricButThoseWithoutAGraph) {
  for (const Metric metric :
       {Metric::kL2, Metric::kDot, Metric::kAngular, Metric::kL1, Metric::kHamming}) {
    ImageLayout layout;
    layout.columns = {{.dim = 16, .metric = metric, .custom = {}}};
    Image image = Image::create(layout).value();
    for (int64_t row = 0; row < 400; ++row) {
      OracleRow content;
      std::vector<float> vector = noise(1);
      vector.resize(16);
      content.vectors = {vector};
      ASSERT_TRUE(put_row(image, layout, RowId{row}, content).ok());
    }
    const Status built = image.build_graph(0, {});
    const bool graph = metric != Metric::kL1 && metric != Metric::kHamming;
    EXPECT_EQ(built.ok(), graph) << metric_name(metric);
    EXPECT_TRUE(graph || built.code() == StatusCode::kUnsupported);
    const Status sound = image.check_invariants();
    EXPECT_TRUE(sound.ok()) << sound.to_string();
  }
  EXPECT_EQ(image_->build_graph(3, {}).code(), StatusCode::kInvalidArgument);
}

class ImageGraphSnapshotTest : public ImageGraphTest {
 protected:
  void save() {
    auto file = base::real_file_system().open(path_, base::OpenMode::kCreateReplace);
    ASSERT_TRUE(file.has_value());
    root_.layout = Image::layout_hash(layout_);
    SnapshotWriter writer(**file, root_);
    const Status saved = image_->save(writer);
    ASSERT_TRUE(saved.ok()) << saved.to_string();
    checksum_ = writer.finish().value();
  }
  Result<Image> load() {
    LOCI_ASSIGN_OR_RETURN(const std::shared_ptr<SnapshotFile> file,
                          SnapshotFile::open(base::real_file_system(), path_, root_, checksum_,
                                             SnapshotFile::Access::kMap));
    return Image::load(layout_, file);
  }

  base::TempDir folder_;
  std::string path_ = folder_.file("image");
  SnapshotRoot root_;
  uint64_t checksum_ = 0;
};

TEST_F(ImageGraphSnapshotTest, AnswersAsTheImageItWasMadeOf) {
  fill(3000);
  for (int64_t row = 100; row < 150; ++row) put(row + 5000);
  build();
  for (int64_t row = 0; row < 3000; row += 7) erase(row);  // leaves holes
  save();
  Result<Image> loaded = load();
  ASSERT_TRUE(loaded.has_value()) << loaded.error().to_string();
  const Status sound = loaded->check_invariants();
  ASSERT_TRUE(sound.ok()) << sound.to_string();
  EXPECT_EQ(loaded->rowids(), image_->rowids());
  EXPECT_EQ(loaded->graph_stats(0).linked, image_->graph_stats(0).linked);
  EXPECT_EQ(loaded->graph_stats(0).recall.size(), image_->graph_stats(0).recall.size());
  for (int i = 0; i < 50; ++i) {
    const std::vector<float> vector = next();
    ScanQuery query = asking(0.95);
    query.vector = vector;
    const ScanOutcome want = search(*image_, query);
    const ScanOutcome got = search(*loaded, query);
    EXPECT_EQ(got.plan, ScanPlan::kGraph);
    ASSERT_EQ(got.neighbors.size(), want.neighbors.size());
    for (size_t n = 0; n < got.neighbors.size(); ++n) {
      EXPECT_EQ(got.neighbors[n].rowid, want.neighbors[n].rowid);
      EXPECT_EQ(got.neighbors[n].distance, want.neighbors[n].distance);
    }
  }
  // It goes on: holes are filled, rows are linked and unlinked.
  image_ = std::make_unique<Image>(std::move(*loaded));
  for (int64_t row = 10000; row < 10600; ++row) put(row);
  for (int64_t row = 10000; row < 10100; ++row) erase(row);
  expect_sound();
  EXPECT_GE(mean_recall(asking(0.95), 100), 0.93);
}

TEST_F(ImageGraphSnapshotTest, AFlippedByteIsFoundOrHarmless) {
  const auto saved = [this] {
    save();
    std::ifstream in(path_, std::ios::binary);
    return std::string{std::istreambuf_iterator<char>(in), {}};
  };
  fill(1500);
  const size_t without_graph = saved().size();
  build({.m = 4, .ef_construction = 16, .threads = 1, .cancel = nullptr});
  const std::string whole = saved();
  const size_t first = without_graph;  // the graph lies at the end, before the table of segments
  size_t found = 0;
  for (size_t at = first; at < whole.size(); at += (whole.size() - first) / 200) {
    std::string flipped = whole;
    flipped[at] = static_cast<char>(flipped[at] ^ 16);
    std::ofstream(path_, std::ios::binary | std::ios::trunc) << flipped;
    Result<Image> loaded = load();
    if (!loaded.has_value()) {
      EXPECT_EQ(loaded.error().code(), StatusCode::kCorruption);
      ++found;
      continue;
    }
    const std::vector<float> vector = next();  // padding, or a part that is verified later
    ScanQuery query = asking(0.9);
    query.vector = vector;
    const Result<ScanOutcome> outcome = loaded->search(query);
    if (!outcome.has_value()) {
      EXPECT_EQ(outcome.error().code(), StatusCode::kCorruption);
    }
  }
  EXPECT_GT(found, 100U);
}

}  // namespace
}  // namespace loci::index

// SPDX-License-Identifier: Apache-2.0
//
// Bugs that were found in published designs and guides of this field, each kept out by a test. The
// names of the tests say what must not happen again.
#include <gtest/gtest.h>

#include <signal.h>  // kill: POSIX
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "loci/loci.h"
#include "support/fixture.h"
#include "support/process.h"
#include "support/temp_dir.h"

namespace loci::testing {
namespace {

CollectionSpec small_spec(size_t dim, Metric metric = Metric::kCosine) {
  CollectionSpec spec;
  spec.name = "notes";
  spec.vectors = {vector_column("embedding", dim, metric)};
  spec.text = {"body"};
  spec.filters = {{"bucket", FieldType::kInt}};
  return spec;
}

class RegressionTest : public ::testing::Test {
 protected:
  void create(const CollectionSpec& spec) {
    reopen();
    Result<Collection> notes = database_->create_collection(spec);
    ASSERT_OK(notes);
    notes_.emplace(*std::move(notes));
  }
  void reopen() {
    notes_.reset();
    database_.reset();
    Result<Database> database = Database::open(path());
    ASSERT_OK(database);
    database_.emplace(*std::move(database));
  }
  void reopen_notes() {
    reopen();
    Result<Collection> notes = database_->collection("notes");
    ASSERT_OK(notes);
    notes_.emplace(*std::move(notes));
  }
  std::vector<int64_t> rows_with(const std::string& word) {
    SearchRequest request;
    request.mode = SearchMode::kText;
    request.text = word;
    const auto found = notes_->search(request);
    EXPECT_OK(found);
    if (!found.ok()) return {-1};
    std::vector<int64_t> rows = rowids(found->hits);
    std::sort(rows.begin(), rows.end());
    return rows;
  }
  std::vector<int64_t> nearest_rows(const std::vector<float>& query, size_t k) {
    const auto found = notes_->nearest(query, k);
    EXPECT_OK(found);
    return found.ok() ? rowids(*found) : std::vector<int64_t>{-1};
  }
  void expect_fts_intact() {
    const ProcessResult shell = sqlite_shell(
        path(), "INSERT INTO notes_fts(notes_fts, rank) VALUES('integrity-check', 1);");
    EXPECT_EQ(shell.exit_code, 0) << shell.error;
    EXPECT_EQ(check_report(*database_), "");
  }
  [[nodiscard]] std::string path() const { return dir_.file("regression.db"); }

  TempDir dir_;
  std::optional<Database> database_;
  std::optional<Collection> notes_;
};

Record text_record(const std::string& body) {
  Record record;
  record.fields = {{"body", body}};
  return record;
}

// The published external-content triggers used plain UPDATE and DELETE: the old word of row 1 and
// the deleted row 2 were still found, and the integrity check called the file malformed.
TEST_F(RegressionTest, FullTextForgetsUpdatedAndDeletedWords) {
  create(small_spec(3));
  ASSERT_OK(notes_->insert(text_record("alphawort erste")));
  ASSERT_OK(notes_->insert(text_record("betawort zweite")));
  ASSERT_OK(notes_->update(RowId{1}, text_record("gammawort erste")));
  const std::vector<RowKey> second = {RowKey(RowId{2})};
  ASSERT_OK(notes_->remove(second));
  EXPECT_TRUE(rows_with("alphawort").empty());
  EXPECT_TRUE(rows_with("betawort").empty());
  EXPECT_EQ(rows_with("gammawort"), (std::vector<int64_t>{1}));
  expect_fts_intact();
}

TEST_F(RegressionTest, FullTextForgetsWhatThePlainShellChanged) {
  create(small_spec(3));
  for (const char* body : {"alphawort", "betawort", "deltawort"}) {
    ASSERT_OK(notes_->insert(text_record(body)));
  }
  const ProcessResult shell = sqlite_shell(path(),
                                           "UPDATE notes SET body = 'gammawort' WHERE rid = 1;\n"
                                           "DELETE FROM notes WHERE rid = 2;\n"
                                           "INSERT OR REPLACE INTO notes(rid, id, body) "
                                           "VALUES(3, 'other', 'epsilonwort');");
  ASSERT_EQ(shell.exit_code, 0) << shell.error;
  for (const char* gone : {"alphawort", "betawort", "deltawort"}) {
    EXPECT_TRUE(rows_with(gone).empty()) << gone;
  }
  EXPECT_EQ(rows_with("gammawort"), (std::vector<int64_t>{1}));
  EXPECT_EQ(rows_with("epsilonwort"), (std::vector<int64_t>{3}));
  expect_fts_intact();
}

// A pre-filter by norms "eliminated 70-90 %" of the candidates for cosine. The norm says nothing
// about the angle: parallel vectors of norms 1 and 100 are at distance 0 from each other.
TEST_F(RegressionTest, NormsDoNotDecideUnderCosine) {
  create(small_spec(3));
  ASSERT_OK(notes_->insert(vector_record("unit", {1, 0, 0})));
  ASSERT_OK(notes_->insert(vector_record("long", {100, 0, 0})));
  ASSERT_OK(notes_->insert(vector_record("tiny", {1e-6F, 0, 0})));
  for (int i = 0; i < 200; ++i) {  // of the query's norm, yet at an angle
    const float x = 0.5F + 0.001F * static_cast<float>(i);
    ASSERT_OK(notes_->insert(vector_record("", {x, 1 - x, 0.5F})));
  }
  for (const float norm : {1.0F, 100.0F, 1e-3F}) {
    const std::vector<float> query = {norm, 0, 0};
    const auto found = notes_->nearest(query, 3);
    ASSERT_OK(found);
    EXPECT_EQ(rowids(*found), (std::vector<int64_t>{1, 2, 3})) << norm;
    for (const Hit& hit : *found) {
      EXPECT_NEAR(*hit.distance, 0.0, 1e-7);
      EXPECT_NEAR(*hit.similarity, 1.0, 1e-7);
    }
  }
}

// A memory-mapped index that had been reopened refused every insert: "immutable index".
TEST_F(RegressionTest, ReopenedThenInserted) {
  create(small_spec(16));
  for (int i = 1; i <= 5; ++i) {
    ASSERT_OK(notes_->insert(vector_record("a" + std::to_string(i), sine_vector(16, i))));
  }
  reopen_notes();
  EXPECT_EQ(nearest_rows(sine_vector(16, 3), 1), (std::vector<int64_t>{3}));
  ASSERT_OK(notes_->insert(vector_record("later", sine_vector(16, 6))));
  EXPECT_EQ(nearest_rows(sine_vector(16, 6), 1), (std::vector<int64_t>{6}));
  reopen_notes();
  EXPECT_EQ(nearest_rows(sine_vector(16, 6), 1), (std::vector<int64_t>{6}));
}

// Reserving 1,000 slots once was the source's whole plan for growth.
TEST_F(RegressionTest, GrowsPastAThousandRows) {
  create(small_spec(8));
  for (int batch = 0; batch < 5; ++batch) {
    std::vector<Record> records;
    for (int i = 0; i < 500; ++i) {
      records.push_back(vector_record("", sine_vector(8, 1 + batch * 500 + i)));
    }
    ASSERT_OK(notes_->insert_many(records));
    const int64_t last = (batch + 1) * 500;
    EXPECT_EQ(nearest_rows(sine_vector(8, static_cast<double>(last)), 1),
              (std::vector<int64_t>{last}));
  }
}

// The index was saved only when the caller remembered to: here a process is killed right after the
// insert, without closing anything.
TEST_F(RegressionTest, NothingIsLostWithoutAnExplicitSave) {
  create(small_spec(16));
  notes_.reset();
  database_.reset();
  const int ended = in_child([&] {
    Result<Database> database = Database::open(path());
    if (!database.ok()) return 1;
    Result<Collection> notes = database->collection("notes");
    if (!notes.ok()) return 2;
    Record record = vector_record("kept", sine_vector(16, 4.5));
    record.fields = {{"body", "keepsake"}};
    if (!notes->insert(record).ok()) return 3;
    ::kill(::getpid(), SIGKILL);
    return 4;
  });
  ASSERT_EQ(ended, 128 + SIGKILL);
  reopen_notes();
  EXPECT_EQ(nearest_rows(sine_vector(16, 4.5), 1), (std::vector<int64_t>{1}));
  EXPECT_EQ(rows_with("keepsake"), (std::vector<int64_t>{1}));
  EXPECT_EQ(check_report(*database_), "");
}

// Comparing row counts at start-up was the whole consistency check: a row replaced by another left
// the counts equal and the index wrong.
TEST_F(RegressionTest, DivergenceWithEqualCountsIsNoticed) {
  create(small_spec(16));
  for (int i = 1; i <= 20; ++i) ASSERT_OK(notes_->insert(vector_record("", sine_vector(16, i))));
  EXPECT_EQ(nearest_rows(sine_vector(16, 7), 1), (std::vector<int64_t>{7}));
  const ProcessResult shell =
      sqlite_shell(path(),
                   "DELETE FROM notes WHERE rid = 7;\n"
                   "INSERT INTO notes(rid, id) VALUES(100, 'instead');\n"
                   "INSERT INTO notes_vectors(rid, embedding) VALUES(100, " +
                       blob_literal(sine_vector(16, 7)) + ");");
  ASSERT_EQ(shell.exit_code, 0) << shell.error;
  EXPECT_EQ(nearest_rows(sine_vector(16, 7), 1), (std::vector<int64_t>{100}));
  const auto count = notes_->count();
  ASSERT_OK(count);
  EXPECT_EQ(*count, 20);
  // The same rowid with another vector: no count and no key has changed.
  const ProcessResult swap = sqlite_shell(
      path(), "UPDATE notes_vectors SET embedding = " + blob_literal(sine_vector(16, 50.5)) +
                  " WHERE rid = 3;");
  ASSERT_EQ(swap.exit_code, 0) << swap.error;
  EXPECT_EQ(nearest_rows(sine_vector(16, 50.5), 1), (std::vector<int64_t>{3}));
  EXPECT_EQ(check_report(*database_), "");
}

// Filtering four times k candidates afterwards finds nothing when one row in a thousand passes.
TEST_F(RegressionTest, NarrowFilterStillFindsK) {
  create(small_spec(8));
  constexpr int64_t kRows = 20000;
  for (int64_t begin = 0; begin < kRows; begin += 2000) {
    std::vector<Record> records;
    for (int64_t i = begin; i < begin + 2000; ++i) {
      records.push_back(vector_record("", sine_vector(8, 0.01 * static_cast<double>(i + 1))));
      records.back().fields = {{"bucket", i % 1000}};
    }
    ASSERT_OK(notes_->insert_many(records));
  }
  const std::vector<float> query = sine_vector(8, 3.3);
  SearchRequest request;
  request.mode = SearchMode::kVector;
  request.vector = query;
  request.where = "bucket = 437";  // 20 of 20,000
  const auto found = notes_->search(request);
  ASSERT_OK(found);
  ASSERT_EQ(found->hits.size(), 10U);
  std::vector<double> distances;
  for (int64_t i = 437; i < kRows; i += 1000) {
    const std::vector<float> row = sine_vector(8, 0.01 * static_cast<double>(i + 1));
    distances.push_back(oracle_distance(Metric::kCosine, query, row));
  }
  std::sort(distances.begin(), distances.end());
  for (size_t i = 0; i < 10; ++i) EXPECT_NEAR(*found->hits[i].distance, distances[i], 1e-6);
  EXPECT_EQ(found->explain.passed_filter, 20U);
}

// The guide's fixture filled a column of 768 little-endian floats with three big-endian ones.
TEST_F(RegressionTest, VectorOfTheWrongLengthIsRefusedOrReported) {
  create(small_spec(8));
  ASSERT_OK(notes_->insert(vector_record("one", sine_vector(8, 1))));
  const std::string before = dump(*notes_);
  const ProcessResult shell = sqlite_shell(path(),
                                           "INSERT OR REPLACE INTO notes_vectors(rid, embedding) "
                                           "VALUES(1, X'3dcccccd3e4ccccd3e99999a');");
  if (shell.exit_code != 0) {
    EXPECT_EQ(dump(*notes_), before);
    EXPECT_EQ(check_report(*database_), "");
  } else {
    const std::string report = check_report(*database_);
    EXPECT_NE(report.find("12"), std::string::npos) << report;
    EXPECT_NE(report.find("notes"), std::string::npos) << report;
  }
}

// Bytes in the wrong order are numbers too; those that are no finite number are told apart.
TEST_F(RegressionTest, BlobThatIsNotFiniteIsNeverReturned) {
  create(small_spec(2));
  ASSERT_OK(notes_->insert(vector_record("one", {1, 0})));
  ASSERT_OK(notes_->insert(vector_record("two", {0, 1})));
  const ProcessResult shell = sqlite_shell(
      path(), "UPDATE notes_vectors SET embedding = X'0000C07F0000807F' WHERE rid = 1;");
  if (shell.exit_code == 0) {
    EXPECT_NE(check_report(*database_), "");
  }
  const std::vector<float> query = {1, 1};
  const auto found = notes_->nearest(query, 5);
  if (found.ok()) {
    for (const Hit& hit : *found) EXPECT_EQ(*hit.distance, *hit.distance) << "NaN";
  } else {
    EXPECT_TRUE(fails_with(found, StatusCode::kCorruption, {"notes"}));
  }
}

// The guide's benchmark asserts 100 ms for one query over 10,000 x 768; so does this test, which
// also runs under sanitizers. What the scan really takes is measured by bench/.
TEST_F(RegressionTest, TenThousandTimes768UnderAHundredMilliseconds) {
  constexpr size_t kDim = 768;
  create(small_spec(kDim));
  for (int batch = 0; batch < 10; ++batch) {
    std::vector<Record> records;
    for (int i = 0; i < 1000; ++i) {
      records.push_back(vector_record("", sine_vector(kDim, 0.37 * (1 + batch * 1000 + i))));
    }
    ASSERT_OK(notes_->insert_many(records));
  }
  const std::vector<float> query = sine_vector(kDim, 0.37 * 4321);
  EXPECT_EQ(nearest_rows(query, 1), (std::vector<int64_t>{4321}));  // builds the image
  double best_ms = 1e9;
  for (int i = 0; i < 5; ++i) {
    const auto start = std::chrono::steady_clock::now();
    const auto found = notes_->nearest(query, 10);
    const std::chrono::duration<double, std::milli> taken =
        std::chrono::steady_clock::now() - start;
    ASSERT_OK(found);
    best_ms = std::min(best_ms, taken.count());
    for (const Hit& hit : *found) {
      EXPECT_GE(*hit.distance, -1e-6);
      EXPECT_LE(*hit.distance, 2.0);
    }
  }
  EXPECT_LT(best_ms, 100.0);
}

TEST_F(RegressionTest, MissingFoldersAreMade) {
  const std::string deep = (dir_.path() / "a" / "b" / "c.db").string();
  Result<Database> database = Database::open(deep);
  ASSERT_OK(database);
  ASSERT_OK(database->create_collection(small_spec(3)));
  EXPECT_TRUE(std::filesystem::exists(deep));
}

// A row of the fusion's text arm must be found though the vector index knows nothing of it.
TEST_F(RegressionTest, HybridFindsWhatEitherArmMisses) {
  create(small_spec(4));
  ASSERT_OK(notes_->insert(text_record("zebrafisch")));            // no vector
  ASSERT_OK(notes_->insert(vector_record("near", {1, 0, 0, 0})));  // no words
  SearchRequest request;
  request.mode = SearchMode::kHybrid;
  request.text = "zebrafisch";
  const std::vector<float> query = {1, 0, 0, 0};
  request.vector = query;
  const auto found = notes_->search(request);
  ASSERT_OK(found);
  std::vector<int64_t> rows = rowids(found->hits);
  std::sort(rows.begin(), rows.end());
  EXPECT_EQ(rows, (std::vector<int64_t>{1, 2}));
  for (const Hit& hit : found->hits) {
    EXPECT_NEAR(hit.score, 1.0 / 61, 1e-9);  // rank 1 in one arm, absent from the other
  }
  EXPECT_EQ(found->explain.degraded, "");
}

}  // namespace
}  // namespace loci::testing

// SPDX-License-Identifier: Apache-2.0
#include "db/log_care.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "base/temp_dir.h"
#include "loci/loci.h"
#include "sqlite/query.h"

namespace loci::db {
namespace {

constexpr size_t kDim = 4;

std::vector<float> vector_of(int64_t n) {
  return {1.0F, static_cast<float>(n % 97), static_cast<float>(n % 31), static_cast<float>(n % 7)};
}

class LogCareTest : public ::testing::Test {
 protected:
  void SetUp() override { reopen(); }
  void reopen() {
    docs_.reset();
    database_.reset();
    Result<Database> opened = Database::open(path_, options_);
    ASSERT_TRUE(opened.has_value()) << opened.error().to_string();
    database_.emplace(*std::move(opened));
    CollectionSpec spec;
    spec.name = "docs";
    spec.vectors.emplace_back();
    spec.vectors[0].dim = kDim;
    spec.vectors[0].metric = Metric::kL2;
    database_->create_collection(spec).status().ignore();  // is there at the second opening
    Result<Collection> docs = database_->collection("docs");
    ASSERT_TRUE(docs.has_value()) << docs.error().to_string();
    docs_.emplace(*std::move(docs));
  }
  /// Writes rows first..first+count under `rows` ids, over those that are there.
  void write(int64_t first, int64_t count, int64_t rows) {
    constexpr int64_t kBatch = 1000;
    for (int64_t begin = 0; begin < count; begin += kBatch) {
      std::vector<Record> records;
      for (int64_t i = begin; i < std::min(count, begin + kBatch); ++i) {
        Record record;
        record.id = std::to_string((first + i) % rows);
        record.vectors = {{"embedding", vector_of(first + i)}};
        records.push_back(std::move(record));
      }
      const auto written = docs_->insert_many(records, OnConflict::kUpdate);
      ASSERT_TRUE(written.has_value()) << written.error().to_string();
    }
  }
  int64_t number(const std::string& sql) {
    int64_t value = -1;
    const Status status =
        database_->sql(sql, [&](std::span<const std::string>, std::span<const Value> values) {
          value = std::get<int64_t>(values[0]);
          return Status();
        });
    EXPECT_TRUE(status.ok()) << status.to_string();
    return value;
  }
  int64_t entries() { return number("SELECT count(*) FROM loci_log"); }
  void expect_right(int64_t rows, int64_t newest_first) {
    const auto hits = docs_->nearest(vector_of(newest_first), 1);
    ASSERT_TRUE(hits.has_value()) << hits.error().to_string();
    EXPECT_EQ(*hits->at(0).distance, 0.0);
    EXPECT_EQ(*docs_->count(), rows);
    const auto findings = database_->check();
    ASSERT_TRUE(findings.has_value());
    for (const CheckFinding& finding : *findings) ADD_FAILURE() << finding.message;
  }

  const base::TempDir folder_;
  const std::string path_ = folder_.file("a.db");
  DatabaseOptions options_;
  std::optional<Database> database_;
  std::optional<Collection> docs_;
};

TEST_F(LogCareTest, TheLogStaysSmallWhileRowsAreWrittenAgainAndAgain) {
  write(0, 60000, 500);
  EXPECT_GT(number("SELECT max(scn) FROM loci_log"), 60000);
  EXPECT_LT(entries(), 34000);
  expect_right(500, 59999);
}

TEST_F(LogCareTest, ARowATransactionToo) {
  write(0, 26000, 500);
  for (int64_t i = 0; i < 40; ++i) write(26000 + i, 1, 500);
  EXPECT_LT(entries(), 34000);
  expect_right(500, 26039);
}

TEST_F(LogCareTest, NothingIsDroppedInsideACallersTransaction) {
  const Status status = database_->transaction([&] {
    write(0, 40000, 500);
    EXPECT_GT(entries(), 40000);
    return Status();
  });
  ASSERT_TRUE(status.ok());
  EXPECT_GT(entries(), 11000) << "one slice has run";
  write(40000, 1, 500);
  reopen();  // closing goes on with what is due, for a while
  for (int i = 0; i < 100 && entries() >= 15000; ++i) {
    write(40000, 1, 500);
    reopen();
  }
  EXPECT_LT(entries(), 15000);
  expect_right(500, 40000);
}

TEST_F(LogCareTest, AnImageThatStoodOnADroppedEntryIsBuiltAnew) {
  options_.snapshot = SnapshotMode::kMemory;  // a snapshot would hold the log back
  reopen();
  write(0, 3000, 3000);
  Result<Database> other = Database::open(path_, options_);
  ASSERT_TRUE(other.has_value());
  Result<Collection> reader = other->collection("docs");
  ASSERT_TRUE(reader.has_value());
  ASSERT_EQ(*reader->nearest(vector_of(17), 1)->at(0).distance, 0.0);
  write(0, 60000, 3000);
  ASSERT_LT(entries(), 40000);
  const auto hits = reader->nearest(vector_of(59990), 1);
  ASSERT_TRUE(hits.has_value());
  EXPECT_EQ(*hits->at(0).distance, 0.0);
}

TEST_F(LogCareTest, ASnapshotThatIsTooOldIsMadeAnewAndSearchesStayRight) {
  write(0, 3000, 3000);
  ASSERT_TRUE(database_->publish("docs").ok());
  ASSERT_EQ(number("SELECT count(*) FROM loci_followers WHERE state = 'current'"), 1);
  const int64_t first = number("SELECT scn FROM loci_followers");
  write(0, 130000, 200);  // of 3,000 rows 200 change: no reason to write another snapshot
  EXPECT_EQ(number("SELECT count(*) FROM loci_followers WHERE state = 'too_old'"), 1);
  EXPECT_EQ(number("SELECT scn FROM loci_followers"), first);
  write(0, 30000, 200);
  EXPECT_LT(entries(), 90000);
  reopen();
  SearchRequest request;
  const std::vector<float> query = vector_of(29999);
  request.vector = query;
  request.k = 1;
  const auto found = docs_->search(request);
  ASSERT_TRUE(found.has_value()) << found.error().to_string();
  EXPECT_EQ(found->explain.snapshot, "memory");
  EXPECT_EQ(*found->hits[0].distance, 0.0);
  expect_right(3000, 29999);
  // The search has read all rows, and has left a snapshot that counts.
  EXPECT_EQ(number("SELECT count(*) FROM loci_followers WHERE state = 'current'"), 1);
  EXPECT_EQ(number("SELECT generation FROM loci_followers"), 2);
  reopen();
  const auto again = docs_->search(request);
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(again->explain.snapshot, "file");
  EXPECT_EQ(*again->hits[0].distance, 0.0);
}

TEST_F(LogCareTest, AnotherWriterIsNotWaitedFor) {
  write(0, 19000, 500);
  auto opened = sqlite::Connection::open(path_, {});
  ASSERT_TRUE(opened.has_value());
  LogCare care;
  const std::unique_ptr<sqlite::Connection> connection = *std::move(opened);
  const Status status = database_->transaction([&] {
    care.after_commit(*connection, 1 << 30);  // due, and busy
    return Status();
  });
  ASSERT_TRUE(status.ok());
  const int64_t before = entries();
  care.after_commit(*connection, 1 << 30);
  care.before_close(*connection);
  EXPECT_LT(entries(), before);
  expect_right(500, 18999);
}

}  // namespace
}  // namespace loci::db

// SPDX-License-Identifier: Apache-2.0
//
// Searches that ask no table (rowids and distances only) run without a transaction while the file
// is as it was. They must see every commit of anybody all the same.
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "base/temp_dir.h"
#include "loci/database.h"
#include "sqlite/connection.h"
#include "sqlite/query.h"

namespace loci {
namespace {

constexpr const char* kName = "points";

class FreshnessTest : public ::testing::Test {
 protected:
  FreshnessTest() : path_(folder_.file("points.db")), db_(open()) {
    CollectionSpec spec;
    spec.name = kName;
    spec.vectors.resize(1);
    spec.vectors[0].dim = 2;
    spec.vectors[0].metric = Metric::kL2;
    spec.text_ids = false;
    spec.filters = {{"year", FieldType::kInt}};
    EXPECT_TRUE(db_.create_collection(spec).has_value());
  }
  Database open() {
    Result<Database> db = Database::open(path_);
    EXPECT_TRUE(db.has_value()) << db.status().to_string();
    return *std::move(db);
  }
  static Status insert(Database& db, int64_t rowid) {
    Record record;
    record.rowid = RowId{rowid};
    record.vectors = {{"embedding", {static_cast<float>(rowid), 1}}};
    record.fields = {{"year", rowid % 10}};
    Collection points = db.collection(kName).value();
    return points.insert(record).status();
  }
  static SearchRequest all() {
    static constexpr float kOrigin[] = {0, 0};
    SearchRequest request;
    request.vector = kOrigin;
    request.k = 10000;
    request.with_fields = false;
    return request;
  }
  static size_t count(Collection& points, const SearchRequest& request = all()) {
    const Result<SearchResult> result = points.search(request);
    EXPECT_TRUE(result.has_value()) << result.status().to_string();
    return result.has_value() ? result->hits.size() : 0;
  }

  base::TempDir folder_;
  std::string path_;
  Database db_;
};

TEST_F(FreshnessTest, EveryCommitOfAnotherHandleIsSeenAtOnce) {
  Database other = open();
  Collection points = db_.collection(kName).value();
  for (int64_t i = 1; i <= 200; ++i) {
    ASSERT_TRUE(insert(i % 2 == 0 ? other : db_, i).ok());
    ASSERT_EQ(count(points), static_cast<size_t>(i));
    ASSERT_EQ(count(points), static_cast<size_t>(i));  // now without a transaction
  }
}

TEST_F(FreshnessTest, UncommittedAndRolledBackRowsAreNotSeen) {
  Collection points = db_.collection(kName).value();
  ASSERT_TRUE(insert(db_, 1).ok());
  ASSERT_EQ(count(points), 1U);
  const Status status = db_.transaction([&] {
    EXPECT_TRUE(insert(db_, 2).ok());
    EXPECT_EQ(count(points), 2U);  // this thread's own
    std::thread([&] { EXPECT_EQ(count(points), 1U); }).join();
    return Status::invalid_argument("undo");
  });
  EXPECT_FALSE(status.ok());
  EXPECT_EQ(count(points), 1U);
  ASSERT_TRUE(insert(db_, 3).ok());  // the rolled-back entry's number is given again
  EXPECT_EQ(count(points), 2U);
}

TEST_F(FreshnessTest, ADroppedAndANewCollectionAreNoticed) {
  Database other = open();
  Collection points = db_.collection(kName).value();
  ASSERT_TRUE(insert(db_, 1).ok());
  ASSERT_EQ(count(points), 1U);
  ASSERT_EQ(count(points), 1U);
  ASSERT_TRUE(other.drop_collection(kName).ok());
  EXPECT_EQ(points.search(all()).status().code(), StatusCode::kNotFound);
  CollectionSpec spec;
  spec.name = kName;
  spec.vectors.resize(1);
  spec.vectors[0].dim = 3;
  ASSERT_TRUE(other.create_collection(spec).has_value());
  EXPECT_EQ(points.search(all()).status().code(), StatusCode::kInvalidArgument);
}

TEST_F(FreshnessTest, FiltersThatNeedTheTableAreAskedOfIt) {
  Collection points = db_.collection(kName).value();
  for (int64_t i = 1; i <= 30; ++i) ASSERT_TRUE(insert(db_, i).ok());
  SearchRequest request = all();
  for (int i = 0; i < 3; ++i) {
    request.where = "year = 3";
    EXPECT_EQ(count(points, request), 3U);
    request.where = "metadata.kind IS NULL AND year < 2";
    EXPECT_EQ(count(points, request), 6U);
  }
}

TEST_F(FreshnessTest, SearchesBesideAWriterNeverGoBack) {
  Collection points = db_.collection(kName).value();
  std::atomic<bool> stop{false};
  std::atomic<size_t> committed{0};
  std::vector<std::thread> readers;
  for (int i = 0; i < 2; ++i) {
    readers.emplace_back([&] {
      size_t last = 0;
      while (!stop) {
        const size_t before = committed;
        const size_t seen = count(points);
        EXPECT_GE(seen, before);
        EXPECT_GE(seen, last);
        last = seen;
      }
    });
  }
  Database other = open();
  for (int64_t i = 1; i <= 300; ++i) {
    EXPECT_TRUE(insert(i % 2 == 0 ? other : db_, i).ok());
    committed = static_cast<size_t>(i);
  }
  stop = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(count(points), 300U);
}

// The log has then nothing new to say: it is the schema that does.
TEST_F(FreshnessTest, LostTriggersAreNoticedByTheFirstSearch) {
  Collection points = db_.collection(kName).value();
  ASSERT_TRUE(insert(db_, 1).ok());
  const auto other = sqlite::Connection::open(path_, {.create = false}).value();
  ASSERT_TRUE(other->exec("CREATE TABLE theirs(n)").ok());
  ASSERT_EQ(count(points), 1U);
  std::vector<std::string> triggers;
  {
    sqlite::Statement names =
        other->prepare("SELECT name FROM sqlite_schema WHERE type = 'trigger'").value();
    ASSERT_TRUE(sqlite::for_each_row(names, [&](sqlite::Statement& row) {
                  triggers.emplace_back(row.column_text(0));
                  return Status();
                }).ok());
  }
  ASSERT_FALSE(triggers.empty());
  ASSERT_TRUE(other->exec("INSERT INTO theirs VALUES(1)").ok());
  ASSERT_EQ(count(points), 1U);
  const sqlite::TriggersOff quiet(*other);
  for (const std::string& trigger : triggers) {
    ASSERT_TRUE(other->exec("DROP TRIGGER " + sqlite::quote_identifier(trigger)).ok());
    ASSERT_EQ(count(points), 1U);
  }
  ASSERT_TRUE(other->exec("DELETE FROM points; DELETE FROM points_vectors").ok());
  EXPECT_EQ(count(points), 0U);
}

}  // namespace
}  // namespace loci

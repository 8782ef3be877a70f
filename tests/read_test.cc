// SPDX-License-Identifier: Apache-2.0
//
// Database::read: one snapshot for all that a thread reads, whatever others do meanwhile.
#include <string>
#include <thread>
#include <vector>

#include "support/consistency.h"
#include "support/fixture.h"
#include "support/temp_dir.h"

namespace loci::testing {
namespace {

constexpr size_t kDim = 16;

class ReadTest : public ::testing::Test {
 protected:
  static CollectionSpec spec() {
    CollectionSpec spec;
    spec.name = "notes";
    spec.vectors = {vector_column("embedding", kDim, Metric::kL2)};
    spec.text = {"body"};
    spec.filters = {{"year", FieldType::kInt}};
    return spec;
  }
  Record record(int64_t i) {
    Record record = vector_record("id" + std::to_string(i), random_.vector(kDim));
    record.fields = {{"body", "word" + std::to_string(i % 50)}, {"year", int64_t{2000} + i % 20}};
    return record;
  }
  std::vector<Record> records(int64_t from, int64_t count) {
    std::vector<Record> out;
    for (int64_t i = from; i < from + count; ++i) out.push_back(record(i));
    return out;
  }
  /// All that can be asked, as text.
  static std::string seen(Database& database) {
    Collection notes = database.collection("notes").value();
    std::string out = dump(notes) + search_differs_from_rows(notes);
    out += std::to_string(notes.count().value());
    SearchRequest words;
    words.text = "word7";
    words.mode = SearchMode::kText;
    words.k = 100;
    const SearchResult by_words = notes.search(words).value();
    for (const Hit& hit : by_words.hits) out += describe(hit.record);
    SearchRequest near;
    const std::vector<float> query = sine_vector(kDim, 3);
    near.vector = query;
    near.where = "year > 2004";
    const SearchResult filtered = notes.search(near).value();
    for (const Hit& hit : filtered.hits) out += describe(hit.record);
    for (const int64_t row : rowids(notes.nearest(query, 7).value())) out += std::to_string(row);
    return out;
  }
  /// Changes of every kind, some of them to what sine_vector(kDim, 3) is near to.
  void change(Database& database, int64_t at) {
    Collection notes = database.collection("notes").value();
    ASSERT_OK(notes.insert_many(records(10000 + at * 100, 50)));
    Record near = record(20000 + at);
    near.vectors = {{"embedding", sine_vector(kDim, 3)}};
    ASSERT_OK(notes.insert(near));
    const std::vector<Hit> nearest = notes.nearest(sine_vector(kDim, 3), 4).value();
    for (const Hit& hit : nearest) {
      Record away;
      away.vectors = {{"embedding", random_.vector(kDim)}};
      away.fields = {{"body", std::string("word7")}};
      ASSERT_OK(notes.update(hit.rowid, away));
    }
    ASSERT_OK(notes.remove_where("year = " + std::to_string(2000 + at % 20)));
  }

  TempDir folder_;
  std::string path_ = folder_.file("a.db");
  Random random_{11};
};

TEST_F(ReadTest, AnOlderReaderKeepsItsPastWhileOthersWriteAndPublish) {
  Database db = Database::open(path_).value();
  ASSERT_OK(db.create_collection(spec()).value().insert_many(records(0, 500)));
  for (const bool image_first : {true, false}) {
    SCOPED_TRACE(image_first ? "with an image" : "without one");
    Database other = Database::open(path_).value();
    Database reader = Database::open(path_).value();
    if (image_first) seen(reader);
    const std::string before = seen(db);
    const Status read = reader.read([&]() -> Status {
      EXPECT_EQ(seen(reader), before);
      for (int64_t i = 0; i < 4; ++i) {
        SCOPED_TRACE(i);
        change(other, i + (image_first ? 4 : 0));
        EXPECT_OK(other.publish("notes"));
        EXPECT_EQ(seen(reader), before);
        // Another thread of the same handle sees what is new, and moves the shared image on.
        std::string of_thread;
        std::thread([&] { of_thread = seen(reader); }).join();
        EXPECT_EQ(of_thread, seen(other));
        EXPECT_NE(of_thread, before);
        EXPECT_EQ(seen(reader), before);
      }
      EXPECT_OK(other.reindex("notes"));
      EXPECT_EQ(seen(reader), before);
      std::thread([&] { seen(reader); }).join();
      EXPECT_EQ(seen(reader), before);
      return {};
    });
    EXPECT_OK(read);
    EXPECT_EQ(seen(reader), seen(other)) << "after it the reader sees what is new";
    EXPECT_EQ(check_report(reader), "");
  }
}

TEST_F(ReadTest, OnlyRowsThatChangedAreReadApart) {
  Database db = Database::open(path_).value();
  Collection notes = db.create_collection(spec()).value();
  ASSERT_OK(notes.insert_many(records(0, 500)));
  SearchRequest request;
  const std::vector<float> query = sine_vector(kDim, 3);
  request.vector = query;
  const auto reason = [&] { return notes.search(request).value().explain.reason; };
  const Status read = db.read([&]() -> Status {
    EXPECT_EQ(reason().find("apart"), std::string::npos);
    std::thread([&] {
      EXPECT_OK(notes.insert_many(records(500, 10)));
      reason();
    }).join();
    EXPECT_NE(reason().find("scanned apart"), std::string::npos) << reason();
    return {};
  });
  EXPECT_OK(read);
}

TEST_F(ReadTest, NothingIsWrittenInside) {
  for (const std::string& path : {path_, std::string(":memory:")}) {
    SCOPED_TRACE(path);
    Database db = Database::open(path).value();
    Collection notes = db.create_collection(spec()).value();
    ASSERT_OK(notes.insert_many(records(0, 10)));
    const Status read = db.read([&]() -> Status {
      const auto refused = [](const Status& status) {
        return fails_with(status, StatusCode::kFailedPrecondition, {"Database::read"});
      };
      EXPECT_TRUE(refused(notes.insert(record(10)).status()));
      EXPECT_TRUE(refused(notes.remove_where("year > 0").status()));
      EXPECT_TRUE(refused(db.transaction([] { return Status(); })));
      EXPECT_TRUE(refused(db.sql("DELETE FROM notes", nullptr)));
      if (path == path_) {
        EXPECT_TRUE(refused(db.publish("notes")));
      }
      int64_t rows = 0;
      EXPECT_OK(db.sql("SELECT * FROM notes", [&](auto, auto) {
        ++rows;
        return Status();
      }));
      EXPECT_EQ(rows, 10);
      return db.read([&] {
        EXPECT_EQ(notes.count().value(), 10);
        return Status::not_found("what the body returns is returned");
      });
    });
    EXPECT_TRUE(fails_with(read, StatusCode::kNotFound, {"what the body"}));
    EXPECT_OK(notes.insert(record(10)));
    EXPECT_EQ(notes.count().value(), 11);
  }
}

TEST_F(ReadTest, InsideATransactionItIsPartOfIt) {
  Database db = Database::open(path_).value();
  Collection notes = db.create_collection(spec()).value();
  const Status written = db.transaction([&]() -> Status {
    EXPECT_OK(notes.insert(record(0)));
    EXPECT_OK(db.read([&]() -> Status {
      EXPECT_EQ(notes.count().value(), 1);
      EXPECT_OK(notes.insert(record(1)));
      EXPECT_EQ(notes.count().value(), 2);
      return {};
    }));
    return {};
  });
  EXPECT_OK(written);
  EXPECT_EQ(notes.count().value(), 2);
}

TEST_F(ReadTest, AnExceptionOfTheBodyEndsIt) {
  Database db = Database::open(path_).value();
  Collection notes = db.create_collection(spec()).value();
  const Status read = db.read([]() -> Status { throw std::runtime_error("of the body"); });
  EXPECT_TRUE(fails_with(read, StatusCode::kInternal, {"of the body"}));
  EXPECT_OK(notes.insert(record(0)));
  EXPECT_OK(db.read([] { return Status(); }));
}

TEST_F(ReadTest, OfAnEmptyFile) {
  Database db = Database::open(path_).value();
  const Status read = db.read([&]() -> Status {
    EXPECT_TRUE(db.list_collections().value().empty());
    Database other = Database::open(path_).value();
    EXPECT_OK(other.create_collection(spec()));
    EXPECT_TRUE(db.list_collections().value().empty());
    EXPECT_TRUE(fails_with(db.collection("notes"), StatusCode::kNotFound));
    return {};
  });
  EXPECT_OK(read);
  EXPECT_OK(db.collection("notes"));
}

}  // namespace
}  // namespace loci::testing

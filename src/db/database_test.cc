// SPDX-License-Identifier: Apache-2.0
#include "loci/database.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "base/temp_dir.h"

namespace loci {
namespace {

constexpr size_t kDim = 8;

std::vector<float> vector_of(uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> vector(kDim);
  for (float& x : vector) x = normal(random);
  return vector;
}

VectorColumn vector_column(size_t dim, Metric metric, const std::string& model = {}) {
  VectorColumn column;
  column.dim = dim;
  column.metric = metric;
  column.model = model;
  return column;
}

CollectionSpec notes_spec() {
  CollectionSpec spec;
  spec.name = "notes";
  spec.vectors.push_back(vector_column(kDim, Metric::kL2));
  spec.text = {"body"};
  spec.filters = {{.name = "year", .type = FieldType::kInt}};
  return spec;
}

Record note(const std::string& id, uint32_t seed, const std::string& body, int64_t year) {
  Record record;
  record.id = id;
  record.vectors = {{"embedding", vector_of(seed)}};
  record.fields = {{"body", body}, {"year", year}};
  return record;
}

class DatabaseTest : public ::testing::Test {
 protected:
  DatabaseTest() : path_(dir_.path() + "/test.db"), db_(open()) {}

  Database open(const DatabaseOptions& options = {}) {
    Result<Database> db = Database::open(path_, options);
    EXPECT_TRUE(db.has_value()) << db.status().to_string();
    return *std::move(db);
  }
  Collection make_notes(int rows = 20) {
    Result<Collection> notes = db_.create_collection(notes_spec());
    EXPECT_TRUE(notes.has_value()) << notes.status().to_string();
    for (int i = 0; i < rows; ++i) {
      const auto row = notes->insert(note("n" + std::to_string(i), static_cast<uint32_t>(i),
                                          "word" + std::to_string(i), 2000 + i));
      EXPECT_TRUE(row.has_value()) << row.status().to_string();
    }
    return *std::move(notes);
  }
  static std::vector<std::string> ids(const Result<SearchResult>& result) {
    EXPECT_TRUE(result.has_value()) << result.status().to_string();
    std::vector<std::string> ids;
    if (!result.has_value()) return ids;
    for (const Hit& hit : result->hits) ids.push_back(hit.record.id.value_or("?"));
    return ids;
  }
  static Result<SearchResult> near(Collection& notes, uint32_t seed, size_t k,
                                   const std::string& where = {}) {
    const std::vector<float> query = vector_of(seed);
    SearchRequest request;
    request.vector = query;
    request.k = k;
    request.where = where;
    return notes.search(request);
  }

  base::TempDir dir_;
  std::string path_;
  Database db_;
};

TEST_F(DatabaseTest, FindsTheNearestRowFirst) {
  Collection notes = make_notes();
  for (uint32_t i = 0; i < 20; ++i) {
    EXPECT_EQ(ids(near(notes, i, 1)), std::vector<std::string>{"n" + std::to_string(i)});
  }
  EXPECT_EQ(near(notes, 3, 100)->hits.size(), 20U);
}

TEST_F(DatabaseTest, FilterHoldsInsideTheSearch) {
  Collection notes = make_notes();
  const Result<SearchResult> result = near(notes, 3, 5, "year >= 2015");
  ASSERT_TRUE(result.has_value()) << result.status().to_string();
  EXPECT_EQ(result->hits.size(), 5U);
  EXPECT_EQ(result->explain.passed_filter, 5U);
}

TEST_F(DatabaseTest, FilterOnAnUnknownColumnNamesIt) {
  Collection notes = make_notes(1);
  const Result<SearchResult> result = near(notes, 3, 5, "yaer >= 2015");
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.status().code(), StatusCode::kInvalidArgument);
  EXPECT_NE(result.status().message().find("yaer"), std::string_view::npos);
}

TEST_F(DatabaseTest, DeletedRowIsNeverReturned) {
  Collection notes = make_notes();
  ASSERT_EQ(ids(near(notes, 3, 1)).front(), "n3");
  const std::vector<RowKey> keys = {std::string("n3")};
  ASSERT_EQ(notes.remove(keys).value(), 1);
  EXPECT_NE(ids(near(notes, 3, 1)).front(), "n3");
}

TEST_F(DatabaseTest, OwnTransactionIsSeenByItsThreadOnlyUntilCommit) {
  Collection notes = make_notes();
  ASSERT_TRUE(near(notes, 0, 1).has_value());
  const Status status = db_.transaction([&]() -> Status {
    LOCI_RETURN_IF_ERROR(notes.insert(note("new", 77, "fresh", 2050)).status());
    EXPECT_EQ(ids(near(notes, 77, 1)).front(), "new");
    std::string seen_elsewhere;
    std::thread other([&] { seen_elsewhere = ids(near(notes, 77, 1)).front(); });
    other.join();
    EXPECT_NE(seen_elsewhere, "new");
    return Status::cancelled("roll it back");
  });
  EXPECT_EQ(status.code(), StatusCode::kCancelled);
  EXPECT_NE(ids(near(notes, 77, 1)).front(), "new");
  ASSERT_TRUE(db_.transaction([&]() -> Status {
                   return notes.insert(note("new", 77, "fresh", 2050)).status();
                 })
                  .ok());
  EXPECT_EQ(ids(near(notes, 77, 1)).front(), "new");
}

TEST_F(DatabaseTest, FailedInnerTransactionUndoesItsOwnRowsOnly) {
  Collection notes = make_notes(2);
  ASSERT_TRUE(db_.transaction([&]() -> Status {
                   LOCI_RETURN_IF_ERROR(notes.insert(note("outer", 50, "o", 1)).status());
                   const Status inner = db_.transaction([&]() -> Status {
                     LOCI_RETURN_IF_ERROR(notes.insert(note("inner", 51, "i", 1)).status());
                     return Status::cancelled("undo");
                   });
                   EXPECT_FALSE(inner.ok());
                   EXPECT_NE(ids(near(notes, 51, 1)).front(), "inner");
                   return {};
                 })
                  .ok());
  EXPECT_EQ(ids(near(notes, 50, 1)).front(), "outer");
  EXPECT_EQ(notes.count().value(), 3);
}

TEST_F(DatabaseTest, OtherHandleOfTheFileSeesCommittedRows) {
  Collection notes = make_notes();
  Database second = open();
  Result<Collection> other = second.collection("NOTES");
  ASSERT_TRUE(other.has_value()) << other.status().to_string();
  ASSERT_EQ(ids(near(*other, 5, 1)).front(), "n5");
  ASSERT_TRUE(notes.insert(note("late", 99, "late", 1)).has_value());
  EXPECT_EQ(ids(near(*other, 99, 1)).front(), "late");
}

TEST_F(DatabaseTest, HybridFusesWordsAndVectors) {
  Collection notes = make_notes();
  const std::vector<float> query = vector_of(4);
  SearchRequest request;
  request.vector = query;
  request.text = "word4";
  request.k = 3;
  const Result<SearchResult> result = notes.search(request);
  ASSERT_EQ(ids(result).front(), "n4");
  EXPECT_EQ(result->explain.plan, "hybrid: exact scan + text");
  EXPECT_NEAR(result->hits.front().score, 2.0 / 61.0, 1e-12);
  EXPECT_TRUE(result->explain.degraded.empty()) << result->explain.degraded;
}

TEST_F(DatabaseTest, WordsWithoutAModelAreAnsweredByTextAndSaidSo) {
  Collection notes = make_notes();
  SearchRequest request;
  request.text = "word4";
  const Result<SearchResult> result = notes.search(request);
  ASSERT_EQ(ids(result), std::vector<std::string>{"n4"});
  EXPECT_FALSE(result->explain.degraded.empty());
  request.mode = SearchMode::kVector;
  EXPECT_EQ(notes.search(request).status().code(), StatusCode::kFailedPrecondition);
}

TEST_F(DatabaseTest, ModelColumnEmbedsOnInsertAndOnUpdate) {
  CollectionSpec spec;
  spec.name = "docs";
  spec.vectors.push_back(vector_column(0, Metric::kCosine, "hash"));
  spec.text = {"title", "body"};
  Result<Collection> docs = db_.create_collection(spec);
  ASSERT_TRUE(docs.has_value()) << docs.status().to_string();
  EXPECT_EQ(docs->spec().vectors.front().model, "hash:384:v1");
  Record record;
  record.id = "a";
  record.fields = {{"title", std::string("quantum entanglement")}, {"body", std::string("spin")}};
  ASSERT_TRUE(docs->insert(record).has_value());
  SearchRequest request;
  request.mode = SearchMode::kVector;
  request.text = "quantum entanglement spin";
  const Result<SearchResult> before = docs->search(request);
  ASSERT_EQ(ids(before), std::vector<std::string>{"a"});
  Record changes;
  changes.fields = {{"title", std::string("cabbage soup")}};
  ASSERT_TRUE(docs->update(std::string("a"), changes).ok());
  const Result<SearchResult> after = docs->search(request);
  ASSERT_EQ(ids(after), std::vector<std::string>{"a"});
  EXPECT_GT(*after->hits.front().distance, *before->hits.front().distance + 0.1);
  EXPECT_EQ(docs->stats()->pending, 0);
}

TEST_F(DatabaseTest, CustomMetricNeedsItsFunction) {
  CollectionSpec spec;
  spec.name = "odd";
  spec.vectors.push_back(vector_column(kDim, Metric::kCustom));
  spec.vectors.front().custom_metric = "first";
  Result<Collection> odd = db_.create_collection(spec);
  ASSERT_TRUE(odd.has_value()) << odd.status().to_string();
  for (uint32_t i = 0; i < 9; ++i) {
    Record record;
    record.id = std::to_string(i);
    record.vectors = {{"embedding", vector_of(i)}};
    ASSERT_TRUE(odd->insert(record).has_value());
  }
  const Result<SearchResult> missing = near(*odd, 3, 1);
  EXPECT_EQ(missing.status().code(), StatusCode::kFailedPrecondition);
  EXPECT_NE(missing.status().message().find("first"), std::string_view::npos)
      << missing.status().to_string();
  ASSERT_TRUE(db_.register_metric("first",
                                  [](VectorView a, VectorView b) {
                                    return std::abs(static_cast<double>(a[0]) -
                                                    static_cast<double>(b[0]));
                                  })
                  .ok());
  EXPECT_EQ(ids(near(*odd, 3, 1)).front(), "3");
}

TEST_F(DatabaseTest, DroppedCollectionMadeAgainIsEmpty) {
  Collection notes = make_notes();
  ASSERT_EQ(near(notes, 1, 5)->hits.size(), 5U);
  ASSERT_TRUE(db_.drop_collection("notes").ok());
  EXPECT_EQ(near(notes, 1, 5).status().code(), StatusCode::kNotFound);
  Result<Collection> again = db_.create_collection(notes_spec());
  ASSERT_TRUE(again.has_value()) << again.status().to_string();
  EXPECT_TRUE(near(*again, 1, 5)->hits.empty());
}

TEST_F(DatabaseTest, RolledBackCollectionLeavesNoTrace) {
  ASSERT_FALSE(db_.transaction([&]() -> Status {
                    LOCI_RETURN_IF_ERROR(db_.create_collection(notes_spec()).status());
                    return Status::cancelled("undo");
                  })
                   .ok());
  EXPECT_EQ(db_.collection("notes").status().code(), StatusCode::kNotFound);
  Collection notes = make_notes(3);
  EXPECT_EQ(notes.count().value(), 3);
}

TEST_F(DatabaseTest, RolledBackSchemaIsForgottenWhenItsCookieComesAgain) {
  Collection notes = make_notes(3);
  Database second = open();
  const auto make = [](Database& database, const std::string& column) {
    CollectionSpec spec = notes_spec();
    spec.name = "twice";
    spec.filters = {{.name = column, .type = FieldType::kInt}};
    return database.create_collection(spec).status();
  };
  // The same number of schema changes, undone here and then committed there with another column.
  EXPECT_EQ(db_.transaction([&]() -> Status {
                 LOCI_RETURN_IF_ERROR(make(db_, "undone"));
                 LOCI_RETURN_IF_ERROR(db_.collection("twice").status());
                 // A write that fails inside must not vouch for what was read inside.
                 EXPECT_EQ(notes.update("absent", note("absent", 1, "x", 1)).code(),
                           StatusCode::kNotFound);
                 return Status::cancelled("undo");
               })
                .code(),
            StatusCode::kCancelled);
  ASSERT_TRUE(make(second, "kept").ok());
  const Result<Collection> twice = db_.collection("twice");
  ASSERT_TRUE(twice.has_value()) << twice.status().to_string();
  EXPECT_EQ(twice->spec().filters.at(0).name, "kept");
}

TEST_F(DatabaseTest, LostTriggersAreNoticedAndSearchesStayRight) {
  Collection notes = make_notes();
  ASSERT_EQ(ids(near(notes, 1, 1)).front(), "n1");
  std::vector<std::string> triggers;
  ASSERT_TRUE(db_.sql("SELECT name FROM sqlite_schema WHERE type = 'trigger'",
                      [&](std::span<const std::string>, std::span<const Value> values) -> Status {
                        triggers.push_back(std::get<std::string>(values[0]));
                        return {};
                      })
                  .ok());
  ASSERT_FALSE(triggers.empty());
  for (const std::string& name : triggers) {
    ASSERT_TRUE(db_.sql("DROP TRIGGER \"" + name + "\"", {}).ok());
  }
  ASSERT_TRUE(db_.sql("DELETE FROM notes WHERE id = 'n1'", {}).ok());
  const Result<SearchResult> detached = near(notes, 1, 1);
  EXPECT_NE(ids(detached).front(), "n1");
  EXPECT_NE(detached->explain.reason.find("detached"), std::string::npos);
  ASSERT_TRUE(db_.reindex("notes").ok());
  EXPECT_EQ(near(notes, 2, 1)->explain.reason.find("detached"), std::string::npos);
}

TEST_F(DatabaseTest, MemoryDatabaseWorksFromTwoThreads) {
  Result<Database> memory = Database::open(":memory:");
  ASSERT_TRUE(memory.has_value()) << memory.status().to_string();
  Result<Collection> notes = memory->create_collection(notes_spec());
  ASSERT_TRUE(notes.has_value()) << notes.status().to_string();
  std::thread writer([&] {
    for (uint32_t i = 0; i < 50; ++i) {
      EXPECT_TRUE(notes->insert(note("m" + std::to_string(i), i, "w", 1)).has_value());
    }
  });
  for (int i = 0; i < 50; ++i) EXPECT_TRUE(near(*notes, 7, 3).has_value());
  writer.join();
  EXPECT_EQ(ids(near(*notes, 7, 1)).front(), "m7");
}

TEST_F(DatabaseTest, ReadOnlyRefusesWritesAndReads) {
  make_notes();
  Database reader = open({.create = false, .read_only = true});
  Result<Collection> notes = reader.collection("notes");
  ASSERT_TRUE(notes.has_value()) << notes.status().to_string();
  EXPECT_EQ(ids(near(*notes, 2, 1)).front(), "n2");
  EXPECT_EQ(notes->insert(note("x", 1, "x", 1)).status().code(), StatusCode::kFailedPrecondition);
}

TEST_F(DatabaseTest, BackupIsACompleteDatabase) {
  make_notes();
  const std::string copy = dir_.path() + "/copy.db";
  ASSERT_TRUE(db_.backup(copy).ok());
  EXPECT_EQ(db_.backup(copy).code(), StatusCode::kAlreadyExists);
  Result<Database> restored = Database::open(copy, {.create = false});
  ASSERT_TRUE(restored.has_value()) << restored.status().to_string();
  Result<Collection> notes = restored->collection("notes");
  ASSERT_TRUE(notes.has_value());
  EXPECT_EQ(ids(near(*notes, 9, 1)).front(), "n9");
  EXPECT_TRUE(restored->check()->empty());
}

/// Everything a collection holds, to compare two with.
std::vector<std::string> contents(Collection& collection) {
  std::vector<std::string> rows;
  const Status scanned =
      collection.scan({}, true, true, -1, 0, [&](const Record& record) -> Status {
        std::string row =
            std::to_string(to_int(record.rowid.value_or(kNoRow))) + "|" + record.id.value_or("-");
        for (const auto& [name, value] : record.fields) {
          if (const auto* text = std::get_if<std::string>(&value)) row += "|" + *text;
          if (const auto* number = std::get_if<int64_t>(&value)) {
            row += "|" + std::to_string(*number);
          }
        }
        for (const auto& [name, vector] : record.vectors) {
          for (const float x : vector) row += "|" + std::to_string(x);
        }
        rows.push_back(row);
        return {};
      });
  EXPECT_TRUE(scanned.ok()) << scanned.to_string();
  return rows;
}

TEST_F(DatabaseTest, ManyAtOnceAreTheSameAsOneByOne) {
  constexpr OnConflict kModes[] = {OnConflict::kError, OnConflict::kUpdate, OnConflict::kReplace,
                                   OnConflict::kIgnore};
  for (uint32_t seed = 0; seed < 24; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const OnConflict mode = kModes[seed % 4];
    std::mt19937 random(seed);
    CollectionSpec spec = notes_spec();
    Collection one = db_.create_collection(spec).value();
    spec.name = "many";
    Collection many = db_.create_collection(spec).value();
    for (int round = 0; round < 3; ++round) {
      std::vector<Record> records;
      // Ids that come again within a batch and from batch to batch; under kError they are new.
      for (uint32_t i = 0; i < 100; ++i) {
        const uint32_t id = mode == OnConflict::kError
                                ? static_cast<uint32_t>(round) * 100 + i
                                : static_cast<uint32_t>(random() % (seed < 12 ? 2000 : 200));
        Record record = note("r" + std::to_string(id), static_cast<uint32_t>(random()),
                             "word" + std::to_string(random() % 50), random() % 9);
        if (random() % 40 == 0) record.vectors.clear();
        records.push_back(std::move(record));
      }
      WriteCount by_one;
      for (const Record& record : records) {
        const auto written = one.insert_many({&record, 1}, mode);
        ASSERT_TRUE(written.has_value()) << written.status().to_string();
        by_one.inserted += written->inserted;
        by_one.updated += written->updated;
        by_one.ignored += written->ignored;
      }
      const auto written = many.insert_many(records, mode);
      ASSERT_TRUE(written.has_value()) << written.status().to_string();
      EXPECT_EQ(written->inserted, by_one.inserted);
      EXPECT_EQ(written->updated, by_one.updated);
      EXPECT_EQ(written->ignored, by_one.ignored);
      ASSERT_EQ(contents(many), contents(one));
    }
    if (mode == OnConflict::kError) {
      std::vector<Record> again(40, note("r5", 1, "again", 1));
      EXPECT_EQ(many.insert_many(again).status().code(), StatusCode::kAlreadyExists);
      EXPECT_EQ(many.count().value(), 300);
    }
    EXPECT_TRUE(db_.check()->empty());
    ASSERT_TRUE(db_.drop_collection("notes").ok());
    ASSERT_TRUE(db_.drop_collection("many").ok());
  }
}

TEST_F(DatabaseTest, MetadataThatIsNoJsonIsNullToAFilter) {
  Collection notes = make_notes(2);
  Record changes;
  changes.metadata = R"({"stars": 5})";
  ASSERT_TRUE(notes.update(std::string("n0"), changes).ok());
  ASSERT_TRUE(db_.sql("UPDATE notes SET metadata = '{broken' WHERE id = 'n1'", {}).ok());
  EXPECT_EQ(ids(near(notes, 1, 5, "metadata.stars = 5")), std::vector<std::string>{"n0"});
}

TEST_F(DatabaseTest, CheckFindsNothingOnAHealthyFile) {
  Collection notes = make_notes();
  ASSERT_TRUE(near(notes, 1, 1).has_value());
  const auto findings = db_.check();
  ASSERT_TRUE(findings.has_value()) << findings.status().to_string();
  for (const CheckFinding& finding : *findings) ADD_FAILURE() << finding.message;
}

}  // namespace
}  // namespace loci

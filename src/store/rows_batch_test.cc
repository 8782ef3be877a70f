// SPDX-License-Identifier: Apache-2.0
//
// put_batch() against put_row() of the same records: the same rows, vectors, text index and log.
#include <gtest/gtest.h>

#include <random>

#include "base/temp_dir.h"
#include "store/rows.h"
#include "store/store_testing.h"

namespace loci::store {
namespace {

using testing::query;
using testing::query_one;
using testing::take;

struct Shape {
  bool text_ids = true;
  bool text = true;
  bool vectors = true;
  bool model = false;
  bool given_rowids = false;
};

CollectionSpec spec_of(const Shape& shape) {
  CollectionSpec spec;
  spec.name = "notes";
  spec.text_ids = shape.text_ids;
  if (shape.vectors) {
    spec.vectors.resize(2);
    spec.vectors[0].dim = 8;
    spec.vectors[1].name = "bits";
    spec.vectors[1].dim = 16;
    spec.vectors[1].metric = Metric::kHamming;
    if (shape.model) spec.vectors[0].model = "hash:8";
  }
  if (shape.text) spec.text = {"title", "body"};
  spec.filters = {{"lang", FieldType::kText}, {"year", FieldType::kInt}};
  return spec;
}

std::vector<Record> make_records(const Shape& shape, size_t count, uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<Record> records(count);
  for (size_t i = 0; i < count; ++i) {
    Record& record = records[i];
    if (shape.text_ids) record.id = base::str_cat("id", seed, "-", i);
    if (shape.given_rowids) record.rowid = RowId{static_cast<int64_t>(1000 + i * 7)};
    if (shape.text && random() % 10 != 0) {
      record.fields.emplace_back("title", base::str_cat("title ", random() % 20));
      record.fields.emplace_back("body", base::str_cat("w", random() % 30, " w", random() % 30));
    }
    if (random() % 3 != 0) record.fields.emplace_back("year", static_cast<int64_t>(random() % 50));
    if (random() % 4 == 0) record.metadata = R"({"n": 1})";
    if (!shape.vectors) continue;
    // Runs of rows that bring the same columns, and rows that differ from their neighbours.
    const auto columns = (i / 50) % 2 == 0 ? 3U : random() % 4;
    if ((columns & 1) != 0) {
      std::vector<float> vector(8);
      for (float& x : vector) x = static_cast<float>(random() % 1000) + 1;
      record.vectors.emplace_back("embedding", std::move(vector));
    }
    if ((columns & 2) != 0) {
      std::vector<float> bits(16);
      for (float& x : bits) x = static_cast<float>(random() % 2);
      record.vectors.emplace_back("bits", std::move(bits));
    }
  }
  return records;
}

/// A database of its own with one collection.
struct Fixture {
  explicit Fixture(const Shape& shape)
      : connection(testing::open(folder.file("rows.db"))),
        notes(take(create_collection(*connection, spec_of(shape)))) {}

  void put_each(const std::vector<Record>& records) {
    for (const Record& record : records) {
      take(put_row(*connection, notes, record, OnConflict::kError));
    }
  }
  std::optional<RowId> put_all(const std::vector<Record>& records) {
    return take(put_batch(*connection, notes, records, OnConflict::kError));
  }
  /// Rows, vectors and what the text index finds; without times.
  std::vector<std::string> state() {
    const std::string text = notes.fts_table.empty() ? "" : ", title, body";
    const std::string id = notes.spec.text_ids ? ", id" : "";
    std::vector<std::string> out =
        query(*connection, base::str_cat("SELECT rid", id, text, ", lang, year, metadata, archived",
                                         " FROM notes ORDER BY rid"));
    const auto append = [&](const std::string& sql) {
      for (std::string& row : query(*connection, sql)) out.push_back(std::move(row));
    };
    if (!notes.vector_table.empty()) {
      append(base::str_cat("SELECT ", testing::quoted_columns(*connection, notes.vector_table),
                           " FROM notes_vectors ORDER BY rid"));
    }
    if (!notes.fts_table.empty()) {
      append("SELECT rowid FROM notes_fts('w1 OR w2 OR title') ORDER BY rowid");
    }
    append(
        "SELECT DISTINCT source, rid, id, origin = (SELECT value FROM loci_meta WHERE key = "
        "'node_id') FROM loci_log ORDER BY rid");
    return out;
  }

  base::TempDir folder;
  std::unique_ptr<sqlite::Connection> connection;
  Source notes;
};

TEST(RowsBatchTest, LeavesWhatRowByRowLeaves) {
  uint32_t seed = 0;
  for (const bool text_ids : {false, true}) {
    for (const bool text : {false, true}) {
      for (const bool vectors : {false, true}) {
        for (const bool given_rowids : {false, true}) {
          for (const bool model : {false, true}) {
            if (!text && !vectors) continue;  // no such collection
            if (model && !(text && vectors)) continue;
            const Shape shape{text_ids, text, vectors, model, given_rowids};
            SCOPED_TRACE(base::str_cat("ids ", text_ids, ", text ", text, ", vectors ", vectors,
                                       ", rowids ", given_rowids, ", model ", model));
            const std::vector<Record> records = make_records(shape, 150, ++seed);
            Fixture one(shape);
            Fixture many(shape);
            one.put_each(records);
            const std::optional<RowId> last = many.put_all(records);
            ASSERT_TRUE(last.has_value());
            EXPECT_EQ(std::to_string(to_int(*last)),
                      query_one(*one.connection, "SELECT max(rid) FROM notes"));
            EXPECT_EQ(many.state(), one.state());
            testing::expect_check_clean(*many.connection);
          }
        }
      }
    }
  }
}

TEST(RowsBatchTest, TheLogGrowsByOneEntryARowInOrder) {
  const Shape shape;
  Fixture many(shape);
  many.put_each(make_records(shape, 3, 1));
  const std::string before = query_one(*many.connection, "SELECT max(scn) FROM loci_log");
  ASSERT_TRUE(many.put_all(make_records(shape, 100, 2)).has_value());
  EXPECT_EQ(query_one(*many.connection,
                      base::str_cat("SELECT count(*), count(DISTINCT rid), count(DISTINCT token), "
                                    "min(op), max(op) FROM loci_log WHERE scn > ",
                                    before)),
            "100|100|100|1|1");
  // Time does not run backwards along the log, neither within the batch nor after it.
  many.put_each(make_records(shape, 3, 3));
  EXPECT_EQ(query_one(*many.connection,
                      "SELECT count(*) FROM loci_log AS a JOIN loci_log AS b ON b.scn = a.scn + 1 "
                      "WHERE b.hlc < a.hlc"),
            "0");
}

TEST(RowsBatchTest, NothingIsLeftWhenOneRowIsInTheWay) {
  const Shape shape;
  Fixture many(shape);
  many.put_each(make_records(shape, 10, 1));
  const std::vector<std::string> before = many.state();
  std::vector<Record> records = make_records(shape, 200, 2);
  records[170].id = "id1-4";  // there already
  EXPECT_FALSE(many.put_all(records).has_value());
  records[170].id = records[3].id;  // twice in the batch
  EXPECT_FALSE(many.put_all(records).has_value());
  records[170].id = "new";
  records[170].vectors = {{"embedding", {1, 2}}};  // of another dimension
  EXPECT_FALSE(many.put_all(records).has_value());
  EXPECT_EQ(many.state(), before);
  testing::expect_check_clean(*many.connection);
}

TEST(RowsBatchTest, TriggersFireAgainAfterwards) {
  const Shape shape;
  Fixture many(shape);
  ASSERT_TRUE(many.put_all(make_records(shape, 100, 1)).has_value());
  std::vector<Record> twice = make_records(shape, 100, 2);
  twice[99].id = twice[0].id;
  ASSERT_FALSE(many.put_all(twice).has_value());
  const std::string scn = query_one(*many.connection, "SELECT max(scn) FROM loci_log");
  ASSERT_OK(many.connection->exec("UPDATE notes SET body = 'zebra' WHERE rid = 5"));
  EXPECT_EQ(testing::logged_since(*many.connection, many.notes, std::stoll(scn)),
            std::set<int64_t>{5});
  EXPECT_EQ(query_one(*many.connection, "SELECT rowid FROM notes_fts('zebra')"), "5");
}

TEST(RowsBatchTest, ATriggerOfAnotherProgramIsNeverSilenced) {
  const Shape shape;
  for (const char* trigger :
       {"CREATE TRIGGER audit AFTER INSERT ON notes BEGIN INSERT INTO seen VALUES(NEW.rid); END",
        "CREATE TRIGGER audit BEFORE INSERT ON NOTES BEGIN SELECT 1; END",
        "CREATE TRIGGER audit AFTER INSERT ON notes_vectors BEGIN SELECT 1; END",
        "CREATE TRIGGER audit AFTER INSERT ON loci_log BEGIN SELECT 1; END",
        "CREATE TEMP TRIGGER audit AFTER INSERT ON main.notes BEGIN SELECT 1; END"}) {
    SCOPED_TRACE(trigger);
    Fixture many(shape);
    ASSERT_OK(many.connection->exec("CREATE TABLE seen(rid)"));
    ASSERT_OK(
        many.connection->exec("CREATE TRIGGER elsewhere AFTER INSERT ON seen BEGIN SELECT 1; END"));
    ASSERT_TRUE(many.put_all(make_records(shape, 70, 1)).has_value());
    ASSERT_OK(many.connection->exec(trigger));
    EXPECT_FALSE(many.put_all(make_records(shape, 70, 2)).has_value());
    EXPECT_EQ(query_one(*many.connection, "SELECT count(*) FROM notes"), "70");
  }
}

TEST(RowsBatchTest, AConflictClauseOfTheTableDisplacesNothing) {
  const Shape shape{.text = false};
  Fixture many(shape);
  many.put_each(make_records(shape, 20, 1));
  // The table is made anew by its owner, with a constraint that replaces rows.
  const std::string ddl = query_one(
      *many.connection, "SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = 'notes'");
  const size_t open = ddl.find('(');
  const size_t close = ddl.rfind(')');
  ASSERT_OK(many.connection->exec(base::str_cat(
      "CREATE TABLE made", ddl.substr(open, close - open), ", UNIQUE(year) ON CONFLICT REPLACE",
      ddl.substr(close),
      "; INSERT INTO made SELECT * FROM notes; DROP TABLE notes; ALTER TABLE made RENAME TO "
      "notes;")));
  ASSERT_OK(recreate_triggers(*many.connection, many.notes));
  const std::vector<std::string> before = many.state();
  std::vector<Record> records = make_records(shape, 100, 2);
  for (Record& record : records) record.fields = {{"year", int64_t{7}}};
  EXPECT_FALSE(many.put_all(records).has_value());
  EXPECT_EQ(many.state(), before);
}

// Switching triggers off makes SQLite prepare every statement in use anew: among other work a batch
// of few rows would cost more than it saves.
TEST(RowsBatchTest, FewRowsAreNoBatchAmongOtherStatements) {
  Fixture many(Shape{});
  sqlite::Connection& connection = *many.connection;
  ASSERT_TRUE(many.put_all(make_records(Shape{}, kMinBatchRows, 1)).has_value());
  EXPECT_FALSE(batch_pays(connection, kMinBatchRows - 1));
  EXPECT_TRUE(batch_pays(connection, kMinBatchRows)) << "one batch after the other";
  for (int i = 0; i < 50; ++i) {
    ASSERT_OK(sqlite::run(connection, base::str_cat("SELECT ", i)));
  }
  EXPECT_FALSE(batch_pays(connection, kMinBatchRows));
  EXPECT_TRUE(batch_pays(connection, kBatchRows));
}

TEST(RowsBatchTest, AVectorLeftUnderANewRowidIsForgotten) {
  const Shape shape;
  Fixture many(shape);
  many.put_each(make_records(shape, 1, 1));
  const std::string blob = "zeroblob(32), NULL";
  ASSERT_OK(many.connection->exec("INSERT INTO notes_vectors(rid, embedding, bits) VALUES(5, " +
                                  blob + ")"));
  std::vector<Record> records = make_records(shape, 100, 2);
  for (Record& record : records) record.vectors.clear();
  ASSERT_TRUE(many.put_all(records).has_value());
  EXPECT_EQ(query_one(*many.connection, "SELECT count(*) FROM notes_vectors WHERE rid = 5"), "0");
  testing::expect_check_clean(*many.connection);
}

}  // namespace
}  // namespace loci::store

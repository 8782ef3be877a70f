// SPDX-License-Identifier: Apache-2.0
#include "store/history.h"

#include <fstream>
#include <sstream>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/temp_dir.h"
#include "store/store_testing.h"

namespace loci::store {
namespace {

using testing::open;
using testing::query;
using testing::query_one;
using testing::take;

class HistoryTest : public ::testing::Test {
 protected:
  HistoryTest() {
    spec_.name = "notes";
    spec_.vectors.resize(1);
    spec_.vectors[0].dim = 2;
    spec_.vectors[0].metric = Metric::kL2;
    spec_.text = {"title"};
    spec_.filters = {{"year", FieldType::kInt}, {"seen", FieldType::kBool}};
    spec_.history.enabled = true;
  }
  void create() { notes_ = take(create_collection(*connection_, spec_)); }
  RowId put(const std::string& id, const std::string& title, std::vector<float> vector = {}) {
    Record record;
    record.id = id;
    record.fields = {{"title", title}};
    if (!vector.empty()) record.vectors = {{"embedding", std::move(vector)}};
    return take(put_row(*connection_, notes_, record, OnConflict::kUpdate)).rowid;
  }
  std::vector<Version> history(const RowKey& key, int64_t limit = 0) {
    return take(read_history(*connection_, notes_, key, true, limit));
  }
  std::vector<std::string> titles(const RowKey& key) {
    std::vector<std::string> out;
    for (const Version& version : history(key)) {
      out.push_back(testing::text_of(version.record.fields[0].second));
    }
    return out;
  }
  std::string kinds_found() {
    std::string kinds;
    for (const CheckFinding& finding : take(check(*connection_, false)))
      kinds += finding.kind + " ";
    return kinds;
  }

  const base::TempDir folder_;
  std::string path_ = folder_.file("a.db");
  std::unique_ptr<sqlite::Connection> connection_ = open(path_);
  CollectionSpec spec_;
  Source notes_;
};

TEST_F(HistoryTest, AVersionSaysWhatWasUntilWhenAndByWhichEntry) {
  create();
  const RowId row = put("a", "first", {1, 2});
  EXPECT_TRUE(history("a").empty()) << "an insert leaves no version";
  const int64_t before_us = base::now_us();
  ASSERT_OK(connection_->exec("UPDATE notes SET title = 'second', year = 7, seen = 1"));
  const LogPosition update = take(newest(*connection_));
  ASSERT_OK(connection_->exec("DELETE FROM notes"));
  const std::vector<Version> versions = history("a");
  ASSERT_EQ(versions.size(), 2U);
  EXPECT_EQ(versions[0].change, ChangeKind::kDelete);
  EXPECT_EQ(versions[1].change, ChangeKind::kUpdate);
  EXPECT_GT(versions[0].number, versions[1].number);
  EXPECT_GT(versions[0].hlc, versions[1].hlc);
  EXPECT_EQ((LogPosition{versions[1].log_scn, versions[1].log_token}), update);
  EXPECT_NEAR(static_cast<double>(versions[1].changed_at_us), static_cast<double>(before_us), 5e6);
  EXPECT_NEAR(static_cast<double>(base::hlc_ms(versions[1].hlc)),
              static_cast<double>(before_us) / 1000, 5e3);
  EXPECT_EQ(versions[1].record.rowid, row);
  EXPECT_EQ(versions[1].record.id, "a");
  EXPECT_EQ(versions[1].record.fields[0].second, Value(std::string("first")));
  EXPECT_EQ(versions[1].record.fields[1].second, Value());
  EXPECT_EQ(versions[0].record.fields[1].second, Value(int64_t{7}));
  EXPECT_EQ(versions[0].record.fields[2].second, Value(true));
  ASSERT_EQ(versions[0].record.vectors.size(), 1U);
  EXPECT_EQ(versions[0].record.vectors[0].second, (std::vector<float>{1, 2}));
  EXPECT_GT(versions[0].record.created_at_us, 0);
  EXPECT_EQ(history("a", 1).size(), 1U);
  EXPECT_EQ(history(row).size(), 2U);
  EXPECT_TRUE(history("nobody").empty());
  testing::expect_check_clean(*connection_);
}

TEST_F(HistoryTest, OneUpdateOfColumnsAndVectorIsOneVersion) {
  create();
  put("a", "first", {1, 2});
  put("a", "second", {3, 4});
  ASSERT_EQ(history("a").size(), 1U);
  EXPECT_EQ(history("a")[0].record.vectors[0].second, (std::vector<float>{1, 2}));
  // A vector alone: the row is the one that is there now, or that came after.
  ASSERT_OK(connection_->exec("UPDATE notes_vectors SET embedding = x'0000A0400000A040'"));
  ASSERT_EQ(history("a").size(), 2U);
  EXPECT_EQ(history("a")[0].record.vectors[0].second, (std::vector<float>{3, 4}));
  EXPECT_EQ(titles("a"), (std::vector<std::string>{"'second'", "'first'"}));
  put("a", "third");
  EXPECT_EQ(titles("a"), (std::vector<std::string>{"'second'", "'second'", "'first'"}));
}

TEST_F(HistoryTest, AnIdNamesDeletedRowsAndTheRowThatBearsItNow) {
  create();
  put("a", "one");
  ASSERT_OK(connection_->exec("DELETE FROM notes"));
  put("b", "two");  // SQLite gives the rowid again
  ASSERT_OK(connection_->exec("UPDATE notes SET id = 'c', title = 'three'"));
  EXPECT_EQ(titles("a"), (std::vector<std::string>{"'one'"}));
  EXPECT_EQ(titles("b"), (std::vector<std::string>{"'two'"}));
  EXPECT_EQ(titles("c"), (std::vector<std::string>{"'two'"})) << "the same row under its old id";
  EXPECT_EQ(titles(RowId{1}), (std::vector<std::string>{"'two'", "'one'"}));
}

TEST_F(HistoryTest, NumberAndAgeAreLimited) {
  spec_.history.max_versions = 3;
  spec_.history.max_age_days = 10;
  create();
  for (int i = 0; i < 9; ++i) put("a", base::str_cat("title ", i));
  for (int i = 0; i < 9; ++i) put("b", base::str_cat("title ", i));
  EXPECT_EQ(titles("a"), (std::vector<std::string>{"'title 7'", "'title 6'", "'title 5'"}));
  EXPECT_EQ(query_one(*connection_, "SELECT count(*) FROM notes_history"), "6");
  ASSERT_OK(connection_->exec(
      "UPDATE notes_history SET loci_at = loci_at - 11 * 86400000000 WHERE id = 'a' AND title <> "
      "'title 7'"));
  EXPECT_EQ(titles("a"), (std::vector<std::string>{"'title 7'"})) << "not shown any more";
  put("b", "more");
  EXPECT_EQ(query_one(*connection_, "SELECT count(*) FROM notes_history WHERE id = 'a'"), "1")
      << "and gone with the next change of any row";
  EXPECT_EQ(titles("b").size(), 3U);
  testing::expect_check_clean(*connection_);
}

TEST_F(HistoryTest, ItIsTurnedOnLimitedAndDropped) {
  spec_.history.enabled = false;
  create();
  EXPECT_EQ(read_history(*connection_, notes_, "a", false, 0).error().code(),
            StatusCode::kFailedPrecondition);
  put("a", "zero");
  put("a", "one");
  notes_ = take(set_history(*connection_, notes_, {.enabled = true}));
  for (const char* title : {"two", "three", "four"}) put("a", title);
  EXPECT_EQ(titles("a"), (std::vector<std::string>{"'three'", "'two'", "'one'"}));
  notes_ = take(set_history(*connection_, notes_, {.enabled = true, .max_versions = 1}));
  EXPECT_EQ(titles("a"), (std::vector<std::string>{"'three'"}));
  EXPECT_TRUE(take(triggers_intact(*connection_, take(load_source(*connection_, "notes")))));
  EXPECT_EQ(query_one(*connection_, "SELECT spec ->> 'format' FROM loci_indexes"), "2");
  notes_ = take(set_history(*connection_, notes_, {}));
  EXPECT_EQ(query_one(*connection_,
                      "SELECT count(*) FROM sqlite_schema WHERE name LIKE "
                      "'notes_history%' OR sql LIKE '%notes_history%'"),
            "0");
  EXPECT_EQ(query_one(*connection_, "SELECT spec ->> 'format' FROM loci_indexes"), "1");
  put("a", "five");
  testing::expect_check_clean(*connection_);
}

TEST_F(HistoryTest, LimitsAndNamesAreChecked) {
  create();
  for (const HistoryOptions& wrong :
       {HistoryOptions{.enabled = true, .max_versions = -1},
        HistoryOptions{.enabled = true, .max_versions = 10001},
        HistoryOptions{.enabled = true, .max_versions = 1, .max_age_days = -1},
        HistoryOptions{.enabled = true, .max_versions = 1, .max_age_days = 36501}}) {
    EXPECT_EQ(set_history(*connection_, notes_, wrong).error().code(),
              StatusCode::kInvalidArgument);
  }
  spec_.name = "other";
  spec_.history.enabled = false;
  ASSERT_OK(connection_->exec("CREATE TABLE other_history(x)"));
  const Source other = take(create_collection(*connection_, spec_));
  EXPECT_EQ(set_history(*connection_, other, {.enabled = true}).error().code(),
            StatusCode::kAlreadyExists);
  EXPECT_EQ(query_one(*connection_, "SELECT count(*) FROM other_history"), "0");
}

TEST_F(HistoryTest, NewColumnsAreKeptToo) {
  create();
  put("a", "first", {1, 2});
  put("a", "second");
  notes_ = take(add_text_column(*connection_, notes_, "body"));
  notes_ = take(add_filter_column(*connection_, notes_, {"stars", FieldType::kInt}));
  ASSERT_OK(connection_->exec("UPDATE notes SET body = 'b', stars = 5"));
  ASSERT_OK(connection_->exec("DELETE FROM notes"));
  const std::vector<Version> versions = history("a");
  ASSERT_EQ(versions.size(), 3U);
  EXPECT_EQ(testing::text_of(versions[0].record, false),
            "id a title='second' body='b' year=NULL seen=NULL stars=5 -");
  EXPECT_EQ(testing::text_of(versions[2].record, false),
            "id a title='first' body=NULL year=NULL seen=NULL stars=NULL -");
  testing::expect_check_clean(*connection_);
}

TEST_F(HistoryTest, ColumnsMayBeNamedAsOurs) {
  spec_.filters = {{"op", FieldType::kInt},  {"version", FieldType::kText},
                   {"e", FieldType::kInt},   {"v", FieldType::kInt},
                   {"d", FieldType::kInt},   {"t", FieldType::kInt},
                   {"r", FieldType::kInt},   {"scn", FieldType::kInt},
                   {"hlc", FieldType::kInt}, {"token", FieldType::kInt}};
  spec_.vectors[0].name = "l";
  create();
  ASSERT_OK(
      connection_->exec("INSERT INTO notes(id, op, version, e, v, d, t, r, scn, hlc, token) "
                        "VALUES('a', 1, 'x', 2, 3, "
                        "4, 5, 6, 7, 8, 9); UPDATE notes SET op = 11; "
                        "INSERT OR REPLACE INTO notes(id, op) VALUES('a', 12)"));
  const std::vector<Version> versions = history("a");
  ASSERT_EQ(versions.size(), 2U);
  EXPECT_EQ(testing::text_of(versions[0].record, false),
            "id a title=NULL op=11 version='x' e=2 v=3 d=4 t=5 r=6 scn=7 hlc=8 token=9 -");
  EXPECT_EQ(versions[0].change, ChangeKind::kDelete);
}

TEST_F(HistoryTest, TwelveStepAlterOfEitherTableIsNotRefused) {
  create();
  put("a", "first", {1, 2});
  for (const std::string table : {"notes", "notes_vectors"}) {
    std::string ddl = query_one(
        *connection_, base::str_cat("SELECT sql FROM sqlite_schema WHERE name = '", table, "'"));
    ddl.replace(ddl.find(table), table.size(), "made_anew");
    // The triggers of notes name notes_vectors: legacy_alter_table, as SQLite's own steps advise.
    ASSERT_OK(connection_->exec(
        base::str_cat("PRAGMA legacy_alter_table = ", table == "notes" ? "OFF" : "ON", "; BEGIN; ",
                      ddl, "; INSERT INTO made_anew SELECT * FROM ", table, "; DROP TABLE ", table,
                      "; ALTER TABLE made_anew RENAME TO ", table, "; COMMIT")));
    EXPECT_FALSE(take(triggers_intact(*connection_, notes_)));
    ASSERT_OK(recreate_triggers(*connection_, notes_));
  }
  put("a", "second", {3, 4});
  EXPECT_EQ(titles("a"), (std::vector<std::string>{"'first'"}));
  testing::expect_check_clean(*connection_);
}

TEST_F(HistoryTest, ALostTableIsNoticedAndMadeAgain) {
  create();
  put("a", "first");
  ASSERT_OK(connection_->exec("DROP TABLE notes_history"));
  EXPECT_FALSE(take(triggers_intact(*connection_, notes_)));
  EXPECT_EQ(kinds_found(), "trigger ");
  for (const CheckFinding& finding : take(check(*connection_, true))) {
    EXPECT_TRUE(finding.repaired) << finding.message;
  }
  put("a", "second");
  EXPECT_EQ(titles("a"), (std::vector<std::string>{"'first'"}));
  ASSERT_OK(
      connection_->exec("DROP INDEX notes_history_rid;"
                        "ALTER TABLE notes_history DROP COLUMN year"));
  EXPECT_FALSE(take(triggers_intact(*connection_, notes_)));
  ASSERT_OK(recreate_triggers(*connection_, notes_));
  EXPECT_TRUE(take(triggers_intact(*connection_, notes_)));
  EXPECT_EQ(titles("a"), (std::vector<std::string>{"'first'"}));
}

TEST_F(HistoryTest, ASpecThatOnlyRecordedTheWishIsTakenUpByTheNextWriter) {
  spec_.history.enabled = false;
  create();
  ASSERT_OK(connection_->exec(
      "UPDATE loci_indexes SET spec = json_set(spec, '$.history', json('true'))"));
  notes_ = take(load_source(*connection_, "notes"));
  EXPECT_TRUE(notes_.spec.history.enabled);
  EXPECT_FALSE(take(triggers_intact(*connection_, notes_)));
  ASSERT_OK(recreate_triggers(*connection_, notes_));
  put("a", "first");
  put("a", "second");
  EXPECT_EQ(titles("a"), (std::vector<std::string>{"'first'"}));
  EXPECT_EQ(query_one(*connection_, "SELECT spec ->> 'format' FROM loci_indexes"), "2");
  testing::expect_check_clean(*connection_);
}

TEST_F(HistoryTest, CheckFindsDamage) {
  create();
  for (const char* damage : {"loci_op = 9", "rid = 'x'", "loci_hlc = NULL", "loci_scn = 1 << 50",
                             "loci_at = 'now'", "embedding = x'00'", "embedding = 5"}) {
    SCOPED_TRACE(damage);
    put("a", "first", {1, 2});
    put("a", base::str_cat("second", damage));
    testing::expect_check_clean(*connection_);
    ASSERT_OK(connection_->exec(base::str_cat("SAVEPOINT s; UPDATE notes_history SET ", damage)));
    EXPECT_EQ(kinds_found(), "history ");
    for (const CheckFinding& finding : take(check(*connection_, true))) {
      EXPECT_FALSE(finding.repaired) << "it cannot be made again from anything";
    }
    ASSERT_OK(connection_->exec("ROLLBACK TO s; RELEASE s"));
  }
}

TEST_F(HistoryTest, WhatAnIgnoredWriteLeavesMeansNothing) {
  create();
  put("a", "first", {1, 2});
  ASSERT_OK(
      connection_->exec("INSERT OR IGNORE INTO notes(id, title) VALUES('a', 'x');"
                        "INSERT OR IGNORE INTO notes_vectors(rid) VALUES(1)"));
  EXPECT_TRUE(history("a").empty());
  testing::expect_check_clean(*connection_);
  put("b", "other");
  EXPECT_TRUE(history("a").empty());
  ASSERT_OK(connection_->exec("DELETE FROM notes"));
  EXPECT_EQ(titles("a"), (std::vector<std::string>{"'first'"}));
}

class HistoryPurgeTest : public HistoryTest {
 protected:
  std::string found(const std::vector<std::string>& traces) {
    std::string out;
    for (const std::string_view suffix : {"", "-wal"}) {
      std::ifstream in(base::str_cat(path_, suffix), std::ios::binary);
      std::ostringstream bytes;
      bytes << in.rdbuf();
      for (const std::string& trace : traces) {
        if (bytes.str().find(trace) != std::string::npos) base::str_append(out, trace, suffix, " ");
      }
    }
    return out;
  }
};

TEST_F(HistoryPurgeTest, NoByteOfAnyVersionIsLeft) {
  create();
  const float number = 123456.789F;
  const RowId row = put("id-xyzzyq", "zugzwangification", {number, 5});
  put("id-xyzzyq", "quuxly words", {1, 2});
  put("id-other", "stays", {3, 4});
  put("id-other", "stays on");
  ASSERT_OK(connection_->exec("ANALYZE; PRAGMA wal_checkpoint(FULL)"));
  const std::vector<std::string> traces = {"xyzzyq", "zugzwang", "quuxly",
                                           base::encode_f32(std::vector<float>{number, 5})};
  ASSERT_NE(found(traces), "");
  const std::vector<RowId> rows = {row};
  EXPECT_EQ(take(purge_rows(*connection_, notes_, rows)), 1);
  ASSERT_OK(scrub(*connection_));
  EXPECT_EQ(found(traces), "");
  EXPECT_EQ(titles("id-other"), (std::vector<std::string>{"'stays'"}));
  EXPECT_TRUE(history("id-xyzzyq").empty());
  testing::expect_check_clean(*connection_);
}

TEST_F(HistoryPurgeTest, RowsThatAreGoneArePurgedByIdOrRowid) {
  create();
  put("id-xyzzyq", "zugzwangification");
  ASSERT_OK(connection_->exec("DELETE FROM notes"));
  put("id-next", "of the same rowid");
  put("id-next", "changed");
  GoneRows gone;
  gone.ids = {"id-xyzzyq", "id-nobody"};
  EXPECT_EQ(take(purge_rows(*connection_, notes_, {}, gone)), 1);
  ASSERT_OK(scrub(*connection_));
  EXPECT_EQ(found({"xyzzyq", "zugzwang"}), "");
  EXPECT_EQ(titles("id-next"), (std::vector<std::string>{"'of the same rowid'"}));
  ASSERT_OK(connection_->exec("DELETE FROM notes"));
  gone = {.ids = {}, .rows = {RowId{1}}};
  EXPECT_EQ(take(purge_rows(*connection_, notes_, {}, gone)), 1);
  EXPECT_EQ(query_one(*connection_, "SELECT count(*) FROM notes_history"), "0");
}

TEST_F(HistoryPurgeTest, AnIndexOfTheVectorsIsForgottenToo) {
  spec_.history.enabled = false;
  create();
  ASSERT_OK(connection_->exec("CREATE INDEX own ON notes_vectors(embedding)"));
  const float number = 123456.789F;
  const RowId row = put("a", "title", {number, 5});
  ASSERT_OK(connection_->exec("ANALYZE; PRAGMA wal_checkpoint(FULL)"));
  const std::vector<RowId> rows = {row};
  EXPECT_EQ(take(purge_rows(*connection_, notes_, rows)), 1);
  ASSERT_OK(scrub(*connection_));
  EXPECT_EQ(found({base::encode_f32(std::vector<float>{number, 5})}), "");
}

TEST_F(HistoryTest, AChangeCostsTheSameWhateverIsKept) {
  create();
  ASSERT_OK(connection_->exec(
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) "
      "INSERT INTO notes(id, title) SELECT i, 'title' FROM n"));
  const auto some = [&] {
    const int64_t start_ns = base::monotonic_ns();
    EXPECT_OK(
        connection_->exec("BEGIN; UPDATE notes SET year = ifnull(year, 0) + 1 WHERE rid <= 500;"
                          "INSERT OR REPLACE INTO notes(id, title) SELECT id, 'again' FROM "
                          "notes WHERE rid <= 500; ROLLBACK"));
    return static_cast<double>(base::monotonic_ns() - start_ns);
  };
  const double with_none = some();
  ASSERT_OK(connection_->exec("UPDATE notes SET seen = 1"));
  // An index that goes unused makes it a thousand times as much.
  EXPECT_LT(some(), 30 * with_none + 100e6);
}

TEST_F(HistoryTest, DropTakesItAlong) {
  create();
  put("a", "first");
  put("a", "second");
  ASSERT_OK(drop_source(*connection_, notes_));
  EXPECT_EQ(query(*connection_, "SELECT name FROM sqlite_schema WHERE name LIKE 'notes%'").size(),
            0U);
  create();
  EXPECT_TRUE(history("a").empty());
}

}  // namespace
}  // namespace loci::store

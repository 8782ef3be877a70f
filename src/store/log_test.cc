// SPDX-License-Identifier: Apache-2.0
#include "store/log.h"

#include "base/clock.h"
#include "base/temp_dir.h"
#include "store/store_testing.h"

namespace loci::store {
namespace {

using sqlite::Transaction;
using testing::open;
using testing::query_one;
using testing::take;

Source make(sqlite::Connection& connection, std::string_view name = "notes") {
  CollectionSpec spec;
  spec.name = name;
  spec.text = {"title"};
  return take(create_collection(connection, spec));
}

std::vector<int64_t> rows_since(sqlite::Connection& connection, const Source& source,
                                LogPosition from) {
  std::vector<int64_t> rows;
  const Changes changes = take(changes_since(connection, source.id, from));
  EXPECT_FALSE(changes.rebuild);
  EXPECT_EQ(changes.to, take(newest(connection)));
  for (const RowId row : changes.rows) rows.push_back(to_int(row));
  return rows;
}

bool rebuild_since(sqlite::Connection& connection, const Source& source, LogPosition from) {
  const Changes changes = take(changes_since(connection, source.id, from));
  EXPECT_TRUE(!changes.rebuild || changes.rows.empty());
  return changes.rebuild;
}

TEST(LogTest, EmptyFileHasNoPosition) {
  const auto connection = open(":memory:");
  EXPECT_EQ(take(newest(*connection)), (LogPosition{0, 0}));
  make(*connection);
  EXPECT_GT(take(newest(*connection)).scn, 0) << "a file with a source has one";
}

TEST(LogTest, ChangesAreSortedDistinctAndOfOneSource) {
  const auto connection = open(":memory:");
  const Source notes = make(*connection);
  const Source other = make(*connection, "other");
  const LogPosition start = take(newest(*connection));
  EXPECT_TRUE(rows_since(*connection, notes, start).empty());
  ASSERT_OK(connection->exec(
      "INSERT INTO notes(rid, id) VALUES(7, 'g'), (3, 'c'), (-9, 'm');"
      "INSERT INTO other(rid, id) VALUES(1, 'x');"
      "UPDATE notes SET title = 'new' WHERE rid = 7; DELETE FROM notes WHERE rid = 3"));
  EXPECT_EQ(rows_since(*connection, notes, start), (std::vector<int64_t>{-9, 3, 7}));
  EXPECT_EQ(rows_since(*connection, other, start), (std::vector<int64_t>{1}));
}

TEST(LogTest, ReusedNumberAfterRollbackIsSeenByItsToken) {
  const auto connection = open(":memory:");
  const Source notes = make(*connection);
  LogPosition seen;
  {
    const Transaction txn = take(Transaction::begin(*connection, Transaction::Kind::kWrite));
    ASSERT_OK(connection->exec("INSERT INTO notes(id) VALUES('a')"));
    seen = take(newest(*connection));
  }
  EXPECT_TRUE(rebuild_since(*connection, notes, seen)) << "the entry is gone";
  ASSERT_OK(connection->exec("INSERT INTO notes(id) VALUES('b')"));
  const LogPosition now = take(newest(*connection));
  ASSERT_EQ(now.scn, seen.scn) << "SQLite gives the number again";
  EXPECT_TRUE(rebuild_since(*connection, notes, seen));
  EXPECT_FALSE(rebuild_since(*connection, notes, now));
}

TEST(LogTest, ReusedNumberAfterRollbackToSavepointToo) {
  const auto connection = open(":memory:");
  const Source notes = make(*connection);
  Transaction outer = take(Transaction::begin(*connection, Transaction::Kind::kWrite));
  LogPosition seen;
  {
    const Transaction inner = take(Transaction::begin(*connection, Transaction::Kind::kWrite));
    ASSERT_OK(connection->exec("INSERT INTO notes(id) VALUES('a')"));
    seen = take(newest(*connection));
  }
  ASSERT_OK(connection->exec("INSERT INTO notes(id) VALUES('b')"));
  EXPECT_TRUE(rebuild_since(*connection, notes, seen));
  ASSERT_OK(outer.commit());
}

TEST(LogTest, NumbersGoOnAfterTheLogWasEmptied) {
  const auto connection = open(":memory:");
  const Source notes = make(*connection);
  ASSERT_OK(connection->exec("INSERT INTO notes(id) VALUES('a')"));
  const LogPosition before = take(newest(*connection));
  ASSERT_OK(connection->exec("DELETE FROM loci_log"));
  EXPECT_TRUE(rebuild_since(*connection, notes, before));
  ASSERT_OK(connection->exec("INSERT INTO notes(id) VALUES('b')"));
  EXPECT_GT(take(newest(*connection)).scn, before.scn);
  EXPECT_TRUE(rebuild_since(*connection, notes, before));
  EXPECT_TRUE(rebuild_since(*connection, notes, {0, 0}));
}

TEST(LogTest, ResetMeansRebuildForItsSourceOnly) {
  const auto connection = open(":memory:");
  const Source notes = make(*connection);
  const Source other = make(*connection, "other");
  const LogPosition start = take(newest(*connection));
  ASSERT_OK(recreate_triggers(*connection, notes));
  EXPECT_TRUE(rebuild_since(*connection, notes, start));
  EXPECT_FALSE(rebuild_since(*connection, other, start));
}

TEST(LogTest, TimesOnlyGrowAndAreNear) {
  const auto connection = open(":memory:");
  make(*connection);
  ASSERT_OK(connection->exec("INSERT INTO notes(id) VALUES('a')"));
  const std::string hlc = query_one(*connection, "SELECT max(hlc) FROM loci_log");
  EXPECT_NEAR(static_cast<double>(base::hlc_ms(std::stoll(hlc))),
              static_cast<double>(base::now_us()) / 1000.0, 60000.0);
  // A clock that was ahead: later entries still come after.
  ASSERT_OK(connection->exec("UPDATE loci_log SET hlc = hlc + (1 << 40)"));
  const int64_t ahead = std::stoll(query_one(*connection, "SELECT max(hlc) FROM loci_log"));
  ASSERT_OK(connection->exec("INSERT INTO notes(id) VALUES('b')"));
  EXPECT_EQ(query_one(*connection, "SELECT hlc FROM loci_log ORDER BY scn DESC LIMIT 1"),
            std::to_string(ahead + 1));
}

TEST(LogTest, EntriesNameNodeAndTheIdOfADeletedRow) {
  const auto connection = open(":memory:");
  make(*connection);
  ASSERT_OK(connection->exec("INSERT INTO notes(id) VALUES('gone')"));
  ASSERT_OK(connection->exec("DELETE FROM notes"));
  EXPECT_EQ(query_one(*connection, "SELECT op || id FROM loci_log ORDER BY scn DESC LIMIT 1"),
            "3gone");
  EXPECT_EQ(query_one(*connection,
                      "SELECT count(DISTINCT origin) || '|' || (min(origin) = (SELECT value FROM "
                      "loci_meta WHERE key = 'node_id')) FROM loci_log"),
            "1|1");
}

TEST(LogTest, CompactionKeepsNewestFollowersAndTheLastOfEachRow) {
  const auto connection = open(":memory:");
  const Source notes = make(*connection);
  ASSERT_OK(connection->exec("INSERT INTO notes(rid, id) VALUES(1, 'a'), (2, 'b')"));
  for (int i = 0; i < 10; ++i) ASSERT_OK(connection->exec("UPDATE notes SET title = 'x'"));
  const LogPosition middle = take(newest(*connection));
  ASSERT_OK(sqlite::run(*connection,
                        "INSERT INTO loci_followers(name, kind, source, scn, token, state) "
                        "VALUES('f', 'test', ?1, ?2, ?3, '')",
                        notes.id, middle.scn, middle.token));
  for (int i = 0; i < 10; ++i) ASSERT_OK(connection->exec("UPDATE notes SET title = 'y'"));
  const LogPosition end = take(newest(*connection));
  EXPECT_GT(take(compact_log(*connection)), 15);
  EXPECT_EQ(take(newest(*connection)), end);
  EXPECT_EQ(rows_since(*connection, notes, middle), (std::vector<int64_t>{1, 2}));
  EXPECT_EQ(query_one(*connection,
                      "SELECT count(*) FROM loci_log WHERE scn > " + std::to_string(middle.scn)),
            "20")
      << "nothing past the follower goes";
  ASSERT_OK(connection->exec("DELETE FROM loci_followers"));
  take(compact_log(*connection));
  EXPECT_EQ(query_one(*connection, "SELECT count(*) FROM loci_log WHERE op <> 4"), "2");
  EXPECT_EQ(take(newest(*connection)), end);
  testing::expect_check_clean(*connection);
}

}  // namespace
}  // namespace loci::store

// SPDX-License-Identifier: Apache-2.0
//
// Each kind of damage is found, named, mended where it is derived, and left alone where it is not.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include "base/temp_dir.h"
#include "store/store_testing.h"

namespace loci::store {
namespace {

using testing::open;
using testing::query_one;
using testing::take;

Source make_notes(sqlite::Connection& connection) {
  CollectionSpec spec;
  spec.name = "notes";
  VectorColumn column;
  column.dim = 2;
  spec.vectors = {column};
  spec.text = {"title"};
  const Source source = take(create_collection(connection, spec));
  EXPECT_OK(
      connection.exec("INSERT INTO notes(id, title) VALUES('a', 'one'), ('b', 'two');"
                      "INSERT INTO notes_vectors VALUES(1, zeroblob(8)), (2, zeroblob(8))"));
  return source;
}

/// Damages a sound file, and expects exactly this kind of finding, mended or not.
void expect_finding(std::string_view damage, std::string_view kind, bool mendable) {
  SCOPED_TRACE(damage);
  const auto connection = open(":memory:");
  make_notes(*connection);
  testing::expect_check_clean(*connection);
  ASSERT_OK(connection->exec(damage));
  for (const bool repair : {false, true}) {
    const std::vector<CheckFinding> findings = take(check(*connection, repair));
    ASSERT_FALSE(findings.empty());
    for (const CheckFinding& finding : findings) {
      EXPECT_EQ(finding.kind, kind) << finding.message;
      EXPECT_EQ(finding.repaired, repair && mendable) << finding.message;
      EXPECT_FALSE(finding.message.empty());
    }
  }
  EXPECT_EQ(take(check(*connection, false)).empty(), mendable);
}

TEST(CheckTest, TakesItsTurnBesideAWriter) {
  const base::TempDir folder;
  const std::string path = folder.file("a.db");
  const auto connection = open(path);
  make_notes(*connection);
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    const auto other = open(path);
    while (!stop) {
      auto transaction =
          take(sqlite::Transaction::begin(*other, sqlite::Transaction::Kind::kWrite));
      EXPECT_OK(other->exec("UPDATE notes SET title = title || 'x' WHERE rid = 1"));
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      EXPECT_OK(transaction.commit());
    }
  });
  for (int i = 0; i < 50; ++i) testing::expect_check_clean(*connection);
  stop = true;
  writer.join();
}

TEST(CheckTest, EachKindOfDamageIsFoundAndMendedWhereItCanBe) {
  expect_finding("DROP TRIGGER loci_notes_au", "trigger", true);
  expect_finding("INSERT INTO notes_fts(rowid, title) VALUES(77, 'nobody')", "fts", true);
  expect_finding("INSERT INTO notes_fts(notes_fts, rowid, title) VALUES('delete', 1, 'one')", "fts",
                 true);
  expect_finding("INSERT INTO notes_vectors VALUES(99, zeroblob(8))", "orphan_vector", true);
  expect_finding(
      "PRAGMA ignore_check_constraints = ON; UPDATE notes SET archived = 7 WHERE rid = 1;"
      "PRAGMA ignore_check_constraints = OFF",
      "constraint", false);
  expect_finding("UPDATE loci_log SET hlc = 5 WHERE scn = (SELECT max(scn) FROM loci_log)", "log",
                 false);
  expect_finding(
      "INSERT INTO loci_followers(name, kind, source, scn, token, state) "
      "VALUES('f', 'x', 1, 99999, 1, '')",
      "follower", true);
  expect_finding("INSERT INTO loci_keys(source, dataset_id, id) VALUES(77, '', 'x')", "keys", true);
  expect_finding("DELETE FROM loci_meta WHERE key = 'node_id'", "meta", false);
}

TEST(CheckTest, CheckWithoutRepairWritesNothing) {
  const base::TempDir folder;
  const auto connection = open(folder.file("a.db"));
  make_notes(*connection);
  ASSERT_OK(connection->exec("DROP TRIGGER loci_notes_au"));
  const std::string before = query_one(*connection, "PRAGMA data_version");
  const auto watcher = open(folder.file("a.db"));
  const std::string seen = query_one(*watcher, "PRAGMA data_version");
  EXPECT_FALSE(take(check(*connection, false)).empty());
  EXPECT_EQ(query_one(*watcher, "PRAGMA data_version"), seen);
}

TEST(CheckTest, ReadOnlyConnectionCanCheck) {
  const base::TempDir folder;
  const std::string path = folder.file("a.db");
  make_notes(*open(path));
  const auto reader = take(sqlite::Connection::open(path, {.read_only = true}));
  testing::expect_check_clean(*reader);
}

TEST(CheckTest, VectorsOfAUserTableOfAnotherLengthAreCounted) {
  const auto connection = open(":memory:");
  ASSERT_OK(
      connection->exec("CREATE TABLE docs(id INTEGER PRIMARY KEY, vec);"
                       "INSERT INTO docs(vec) VALUES(zeroblob(8)), (x'00'), ('text'), (NULL)"));
  TableIndexSpec spec;
  spec.name = "docs_index";
  spec.table = "docs";
  spec.vector.name = "vec";
  spec.vector.dim = 2;
  take(create_table_index(*connection, spec));
  const std::vector<CheckFinding> findings = take(check(*connection, true));
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_EQ(findings[0].kind, "vector");
  EXPECT_FALSE(findings[0].repaired) << "what a user stored is not touched";
  EXPECT_NE(findings[0].message.find(": 2 value(s)"), std::string::npos) << findings[0].message;
}

TEST(CheckTest, KeysOfAUserTableWrittenWithTriggersOff) {
  const auto connection = open(":memory:");
  ASSERT_OK(
      connection->exec("CREATE TABLE docs(id TEXT PRIMARY KEY, body, vec);"
                       "INSERT INTO docs VALUES('a', 'one', NULL), ('b', 'two', NULL)"));
  TableIndexSpec spec;
  spec.name = "docs_index";
  spec.table = "docs";
  spec.vector.name = "vec";
  spec.vector.dim = 2;
  spec.key = {"id"};
  spec.text = {"body"};
  take(create_table_index(*connection, spec));
  testing::expect_check_clean(*connection);
  ASSERT_OK(connection->exec("DELETE FROM loci_keys WHERE id = 'a'"));
  EXPECT_FALSE(take(check(*connection, false)).empty());
  take(check(*connection, true));
  testing::expect_check_clean(*connection);
  EXPECT_EQ(query_one(*connection,
                      "SELECT count(*) FROM docs_index_fts WHERE docs_index_fts MATCH "
                      "'one'"),
            "1");
}

TEST(CheckTest, DamagedPagesAreSaid) {
  const base::TempDir folder;
  const std::string path = folder.file("a.db");
  {
    const auto connection = open(path);
    make_notes(*connection);
    ASSERT_OK(connection->exec("PRAGMA wal_checkpoint(TRUNCATE)"));
  }
  {
    const int64_t page = std::stoll(query_one(*open(path),
                                              "SELECT rootpage FROM sqlite_schema WHERE name = "
                                              "'sqlite_autoindex_notes_1'"));
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp((page - 1) * 4096 + 3);
    file.put('\x00').put('\x00');  // the number of cells: none
  }
  const std::vector<CheckFinding> findings = take(check(*open(path), false));
  EXPECT_TRUE(std::any_of(findings.begin(), findings.end(),
                          [](const CheckFinding& finding) { return finding.kind == "sqlite"; }));
}

}  // namespace
}  // namespace loci::store

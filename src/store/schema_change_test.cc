// SPDX-License-Identifier: Apache-2.0
//
// What others do to a file: the twelve steps of ALTER, DROP and CREATE, dump and restore, VACUUM,
// trusted_schema off. An index is detached when its triggers are gone, and attached again.
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/temp_dir.h"
#include "store/store_testing.h"

namespace loci::store {
namespace {

using testing::open;
using testing::query_one;
using testing::take;

CollectionSpec notes_spec(bool with_text) {
  CollectionSpec spec;
  spec.name = "notes";
  VectorColumn column;
  column.dim = 2;
  spec.vectors = {column};
  if (with_text) spec.text = {"title"};
  spec.filters = {{"year", FieldType::kInt}};
  return spec;
}

Source make_notes(sqlite::Connection& connection, bool with_text = true) {
  const Source source = take(create_collection(connection, notes_spec(with_text)));
  EXPECT_OK(
      connection.exec("INSERT INTO notes(id, year) VALUES('a', 1), ('b', 2), ('c', 3);"
                      "INSERT INTO notes_vectors VALUES(1, zeroblob(8)), (2, zeroblob(8))"));
  if (with_text) EXPECT_OK(connection.exec("UPDATE notes SET title = 'title of ' || id"));
  return source;
}

/// Lost triggers are noticed; attaching again logs a reset and makes everything right.
void expect_detached_then_attach(sqlite::Connection& connection, const Source& source) {
  EXPECT_FALSE(take(triggers_intact(connection, source)));
  const LogPosition before = take(newest(connection));
  EXPECT_OK(
      connection.exec(base::str_cat("INSERT INTO ", source.table, "(id) VALUES('zzz unlogged')")));
  EXPECT_FALSE(take(check(connection, false)).empty()) << "check finds what went unlogged";
  EXPECT_OK(recreate_triggers(connection, source));
  EXPECT_OK(rebuild_fts(connection, source));
  EXPECT_TRUE(take(triggers_intact(connection, source)));
  EXPECT_TRUE(take(changes_since(connection, source.id, before)).rebuild);
  testing::expect_check_clean(connection);
}

TEST(SchemaChangeTest, TwelveStepAlterOfACollection) {
  const auto connection = open(":memory:");
  const Source source = make_notes(*connection);
  const std::string ddl =
      query_one(*connection, "SELECT sql FROM sqlite_schema WHERE name = 'notes'");
  std::string renamed = ddl;
  renamed.replace(renamed.find("\"notes\""), 7, "new_notes");
  ASSERT_OK(connection->exec("PRAGMA foreign_keys = OFF; BEGIN"));
  ASSERT_OK(connection->exec(renamed));
  ASSERT_OK(
      connection->exec("INSERT INTO new_notes SELECT * FROM notes; DROP TABLE notes;"
                       "ALTER TABLE new_notes RENAME TO notes; COMMIT"));
  expect_detached_then_attach(*connection, source);
  EXPECT_EQ(query_one(*connection, "SELECT count(*) FROM notes_fts WHERE notes_fts MATCH 'title'"),
            "3");
}

TEST(SchemaChangeTest, TwelveStepAlterOfUserTables) {
  struct Case {
    const char* columns;
    std::vector<std::string> key;
  };
  for (const Case& tried : {Case{"id INTEGER PRIMARY KEY, title, vec", {}},
                            Case{"id TEXT PRIMARY KEY, title, vec", {"id"}}}) {
    SCOPED_TRACE(tried.columns);
    const auto connection = open(":memory:");
    ASSERT_OK(connection->exec(base::str_cat("CREATE TABLE docs(", tried.columns, ");",
                                             "INSERT INTO docs VALUES(1, 'one', NULL)")));
    TableIndexSpec spec;
    spec.name = "docs_index";
    spec.table = "docs";
    spec.vector.name = "vec";
    spec.vector.dim = 2;
    spec.text = {"title"};
    spec.key = tried.key;
    const Source source = take(create_table_index(*connection, spec));
    ASSERT_OK(connection->exec(
        base::str_cat("BEGIN; CREATE TABLE new_docs(", tried.columns, ", extra);",
                      "INSERT INTO new_docs SELECT *, 5 FROM docs; DROP TABLE docs;",
                      "ALTER TABLE new_docs RENAME TO docs; COMMIT; INSERT INTO docs VALUES(2, "
                      "'two', NULL, 1)")));
    EXPECT_FALSE(take(triggers_intact(*connection, source)));
    const std::vector<CheckFinding> findings = take(check(*connection, true));
    ASSERT_FALSE(findings.empty());
    for (const CheckFinding& finding : findings) EXPECT_TRUE(finding.repaired) << finding.message;
    EXPECT_TRUE(take(triggers_intact(*connection, source)));
    testing::expect_check_clean(*connection);
  }
}

TEST(SchemaChangeTest, DropAndCreateAndAlteredTriggersDetach) {
  const auto connection = open(":memory:");
  const Source source = make_notes(*connection);
  const std::string sql =
      query_one(*connection, "SELECT sql FROM sqlite_schema WHERE name = 'loci_notes_ad'");
  ASSERT_OK(connection->exec("DROP TRIGGER loci_notes_ad"));
  EXPECT_FALSE(take(triggers_intact(*connection, source)));
  ASSERT_OK(connection->exec(sql));
  EXPECT_TRUE(take(triggers_intact(*connection, source))) << "the same text again";
  ASSERT_OK(
      connection->exec("DROP TRIGGER loci_notes_vectors_ai;"
                       "CREATE TRIGGER loci_notes_vectors_ai AFTER INSERT ON notes_vectors "
                       "BEGIN SELECT 1; END"));
  EXPECT_FALSE(take(triggers_intact(*connection, source)));
  ASSERT_OK(recreate_triggers(*connection, source));
  const std::string ddl =
      query_one(*connection, "SELECT sql FROM sqlite_schema WHERE name = 'notes'");
  ASSERT_OK(connection->exec("DROP TABLE notes"));
  EXPECT_FALSE(take(triggers_intact(*connection, source)));
  EXPECT_EQ(recreate_triggers(*connection, source).code(), StatusCode::kFailedPrecondition);
  EXPECT_FALSE(take(check(*connection, true)).empty()) << "said, and not mended";
  ASSERT_OK(connection->exec(ddl));
  EXPECT_FALSE(take(check(*connection, true)).empty());
  testing::expect_check_clean(*connection);
  EXPECT_EQ(query_one(*connection, "SELECT count(*) FROM notes_vectors"), "0")
      << "vectors of the dropped rows are orphans";
}

TEST(SchemaChangeTest, RenamedTableAndColumnDetach) {
  const auto connection = open(":memory:");
  const Source source = make_notes(*connection);
  ASSERT_OK(connection->exec("ALTER TABLE notes RENAME COLUMN year TO born"));
  EXPECT_FALSE(take(triggers_intact(*connection, source)));
  const Status lost = recreate_triggers(*connection, source);
  EXPECT_EQ(lost.code(), StatusCode::kFailedPrecondition);
  EXPECT_NE(std::string(lost.message()).find("year"), std::string::npos);
  ASSERT_OK(
      connection->exec("ALTER TABLE notes RENAME COLUMN born TO year;"
                       "ALTER TABLE notes RENAME TO other"));
  EXPECT_FALSE(take(triggers_intact(*connection, source)));
  ASSERT_OK(connection->exec("ALTER TABLE other RENAME TO notes"));
  ASSERT_OK(recreate_triggers(*connection, source));
  testing::expect_check_clean(*connection);
}

TEST(SchemaChangeTest, ColumnsAddedByOthersChangeNothing) {
  const auto connection = open(":memory:");
  const Source source = make_notes(*connection);
  ASSERT_OK(connection->exec("ALTER TABLE notes ADD COLUMN theirs; UPDATE notes SET theirs = 1"));
  EXPECT_TRUE(take(triggers_intact(*connection, source)));
  testing::expect_check_clean(*connection);
}

TEST(SchemaChangeTest, LostTextIndexIsMadeAgain) {
  const auto connection = open(":memory:");
  const Source source = make_notes(*connection);
  ASSERT_OK(connection->exec("DROP TABLE notes_fts"));
  EXPECT_FALSE(take(triggers_intact(*connection, source)));
  ASSERT_OK(recreate_triggers(*connection, source));
  EXPECT_EQ(query_one(*connection, "SELECT count(*) FROM notes_fts WHERE notes_fts MATCH 'title'"),
            "3");
  testing::expect_check_clean(*connection);
}

TEST(SchemaChangeTest, VacuumKeepsEverything) {
  const base::TempDir folder;
  const auto connection = open(folder.file("a.db"));
  const Source source = make_notes(*connection);
  ASSERT_OK(connection->exec("DELETE FROM notes WHERE id = 'a'"));
  const LogPosition before = take(newest(*connection));
  const testing::Contents contents = testing::read_contents(*connection, source);
  ASSERT_OK(connection->exec("VACUUM"));
  EXPECT_EQ(take(newest(*connection)), before);
  EXPECT_EQ(testing::read_contents(*connection, source), contents);
  EXPECT_TRUE(take(triggers_intact(*connection, source)));
  ASSERT_OK(connection->exec(base::str_cat("VACUUM INTO '", folder.file("b.db"), "'")));
  const auto copy = open(folder.file("b.db"));
  EXPECT_EQ(take(newest(*copy)), before);
  testing::expect_check_clean(*copy);
}

TEST(SchemaChangeTest, DumpAndRestoreKeepLogAndTriggers) {
  if (std::system("sqlite3 --version >/dev/null 2>&1") != 0) {  // NOLINT: fixed text
    GTEST_SKIP() << "no sqlite3 shell on this machine";
  }
  const base::TempDir folder;
  const std::string path = folder.file("a.db");
  LogPosition before;
  testing::Contents contents;
  Source source;
  {
    const auto connection = open(path);
    source = make_notes(*connection);
    before = take(newest(*connection));
    contents = testing::read_contents(*connection, source);
  }
  const std::string copy = folder.file("b.db");
  const std::string command =
      base::str_cat("sqlite3 '", path, "' .dump | sqlite3 -bail '", copy, "'");
  ASSERT_EQ(std::system(command.c_str()), 0);  // NOLINT: names of this test's own
  const auto restored = open(copy);
  const Source read = take(load_source(*restored, "notes"));
  EXPECT_EQ(take(newest(*restored)), before);
  EXPECT_EQ(testing::read_contents(*restored, read), contents);
  EXPECT_TRUE(take(triggers_intact(*restored, read)));
  ASSERT_OK(restored->exec("DELETE FROM notes WHERE id = 'b'; INSERT INTO notes(id) VALUES('n')"));
  EXPECT_GT(take(newest(*restored)).scn, before.scn);
  testing::expect_check_clean(*restored);
}

TEST(SchemaChangeTest, UntrustedSchemaNeverHalfWrites) {
  const base::TempDir folder;
  for (const bool with_text : {false, true}) {
    SCOPED_TRACE(base::str_cat("text ", with_text));
    const auto connection = open(folder.file(with_text ? "text.db" : "plain.db"));
    const Source source = make_notes(*connection, with_text);
    const testing::Contents before = testing::read_contents(*connection, source);
    ASSERT_OK(connection->exec("PRAGMA trusted_schema = OFF"));
    const Status status = connection->exec("INSERT INTO notes(id) VALUES('new')");
    ASSERT_OK(connection->exec("PRAGMA trusted_schema = ON"));
    EXPECT_TRUE(with_text || status.ok()) << status.to_string();
    if (!status.ok()) {
      // SQLite before the release that marks FTS5 innocuous.
      EXPECT_NE(std::string(status.message()).find("unsafe use"), std::string::npos);
      EXPECT_EQ(testing::read_contents(*connection, source), before);
    }
    testing::expect_check_clean(*connection);
  }
}

TEST(SchemaChangeTest, UntrustedSchemaCanOpenTheFile) {
  const base::TempDir folder;
  const std::string path = folder.file("a.db");
  make_notes(*open(path), true);
  const auto connection = open(path);
  // The schema is read again after this: what it calls must be innocuous.
  ASSERT_OK(connection->exec("PRAGMA trusted_schema = OFF; CREATE TABLE t(x); DROP TABLE t"));
  open(path)->exec("CREATE TABLE u(x)").ignore();
  EXPECT_EQ(query_one(*connection, "SELECT count(*) FROM notes"), "3");
}

TEST(SchemaChangeTest, SnapshotOfAnotherConnectionSeesItsOwnTriggers) {
  const base::TempDir folder;
  const auto writer = open(folder.file("a.db"));
  const auto reader = open(folder.file("a.db"));
  const Source source = make_notes(*writer);
  const auto snapshot = take(sqlite::Transaction::begin(*reader, sqlite::Transaction::Kind::kRead));
  EXPECT_TRUE(take(triggers_intact(*reader, source)));
  ASSERT_OK(writer->exec("DROP TRIGGER loci_notes_ai"));
  EXPECT_TRUE(take(triggers_intact(*reader, source)));
  EXPECT_FALSE(take(triggers_intact(*writer, source)));
}

}  // namespace
}  // namespace loci::store

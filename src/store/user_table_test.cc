// SPDX-License-Identifier: Apache-2.0
//
// A table of the user's own: which may be followed, and that it is, whatever writes it.
#include "base/temp_dir.h"
#include "store/store_testing.h"

namespace loci::store {
namespace {

using testing::open;
using testing::query_one;
using testing::take;

TableIndexSpec index_spec(std::string table, std::vector<std::string> key = {},
                          std::vector<std::string> text = {}) {
  TableIndexSpec spec;
  spec.name = "posts_index";
  spec.table = std::move(table);
  spec.vector.name = "vec";
  spec.vector.dim = 2;
  spec.key = std::move(key);
  spec.text = std::move(text);
  return spec;
}

StatusCode refusal(std::string_view ddl, const TableIndexSpec& spec) {
  const auto connection = open(":memory:");
  EXPECT_OK(connection->exec(ddl));
  const std::string before = query_one(*connection, "SELECT group_concat(name) FROM sqlite_schema");
  const StatusCode code = create_table_index(*connection, spec).error().code();
  const std::string after = query_one(*connection, "SELECT group_concat(name) FROM sqlite_schema");
  EXPECT_TRUE(code == StatusCode::kOk || after == before) << "left behind: " << after;
  return code;
}

TEST(UserTableTest, OnlyTablesWithASureKeyAreTaken) {
  const TableIndexSpec plain = index_spec("t");
  constexpr auto kInvalid = StatusCode::kInvalidArgument;
  EXPECT_EQ(refusal("", plain), StatusCode::kNotFound);
  EXPECT_EQ(refusal("CREATE TABLE t(id INTEGER PRIMARY KEY, other)", plain), StatusCode::kNotFound);
  EXPECT_EQ(refusal("CREATE TABLE t(id INTEGER PRIMARY KEY, vec)", plain), StatusCode::kOk);
  EXPECT_EQ(refusal("CREATE TABLE t(vec)", plain), kInvalid) << "a bare rowid may be renumbered";
  EXPECT_EQ(refusal("CREATE TABLE t(id INT PRIMARY KEY, vec)", plain), kInvalid);
  EXPECT_EQ(refusal("CREATE TABLE t(id INTEGER PRIMARY KEY DESC, vec)", plain), kInvalid);
  EXPECT_EQ(refusal("CREATE TABLE t(id INTEGER PRIMARY KEY, vec) WITHOUT ROWID", plain), kInvalid);
  EXPECT_EQ(refusal("CREATE TABLE t(a INTEGER, b, vec, PRIMARY KEY(a, b))", plain), kInvalid);
  EXPECT_EQ(refusal("CREATE VIEW t AS SELECT 1 AS id, 2 AS vec", plain), kInvalid);
  EXPECT_EQ(refusal("CREATE VIRTUAL TABLE t USING fts5(vec)", plain), kInvalid);
  EXPECT_EQ(refusal("CREATE TEMP TABLE t(id INTEGER PRIMARY KEY, vec)", plain), kInvalid);
  TableIndexSpec model = plain;
  model.vector.model = "hash";
  EXPECT_EQ(refusal("CREATE TABLE t(id INTEGER PRIMARY KEY, vec)", model), kInvalid);
}

TEST(UserTableTest, KeyColumnsMustBeUnique) {
  const TableIndexSpec one = index_spec("t", {"a"});
  const TableIndexSpec two = index_spec("t", {"a", "b"});
  constexpr auto kInvalid = StatusCode::kInvalidArgument;
  EXPECT_EQ(refusal("CREATE TABLE t(a TEXT, vec)", one), kInvalid);
  EXPECT_EQ(refusal("CREATE TABLE t(a TEXT UNIQUE COLLATE NOCASE, vec)", one), kInvalid);
  EXPECT_EQ(refusal("CREATE TABLE t(a, vec); CREATE UNIQUE INDEX u ON t(a) WHERE a > 1", one),
            kInvalid);
  EXPECT_EQ(refusal("CREATE TABLE t(a UNIQUE, vec); INSERT INTO t VALUES(NULL, 1)", one), kInvalid);
  EXPECT_EQ(refusal("CREATE TABLE t(a, b UNIQUE, vec)", two), kInvalid);
  EXPECT_EQ(refusal("CREATE TABLE t(a, b, vec)", index_spec("t", {"a", "b", "vec"})), kInvalid);
  EXPECT_EQ(refusal("CREATE TABLE t(a, vec)", index_spec("t", {"nope"})), StatusCode::kNotFound);
  const char* const taken[] = {"CREATE TABLE t(b, a, vec, UNIQUE(b, a))",
                               "CREATE TABLE t(a, b, vec, PRIMARY KEY(a, b)) WITHOUT ROWID"};
  for (const char* ddl : taken) EXPECT_EQ(refusal(ddl, two), StatusCode::kOk) << ddl;
}

/// Runs statements one by one; after each the log must name every row that changed.
void follow(std::string_view ddl, const TableIndexSpec& spec,
            const std::vector<std::string>& statements) {
  for (const char* recursive : {"OFF", "ON"}) {
    const auto connection = open(":memory:");
    ASSERT_OK(connection->exec(ddl));
    ASSERT_OK(connection->exec(base::str_cat("PRAGMA recursive_triggers = ", recursive)));
    const Source source = take(create_table_index(*connection, spec));
    EXPECT_TRUE(take(triggers_intact(*connection, source)));
    testing::Contents before = testing::read_contents(*connection, source);
    for (const std::string& sql : statements) {
      SCOPED_TRACE(base::str_cat(sql, "; recursive ", recursive));
      const int64_t scn = take(newest(*connection)).scn;
      ASSERT_OK(connection->exec(sql));
      testing::Contents after = testing::read_contents(*connection, source);
      EXPECT_TRUE(after != before) << "a statement of this test must change something";
      testing::expect_logged(before, after, testing::logged_since(*connection, source, scn));
      testing::expect_consistent(*connection, source);
      testing::expect_check_clean(*connection);
      if (::testing::Test::HasFailure()) return;
      before = std::move(after);
    }
  }
}

TEST(UserTableTest, IntegerKeyedTableIsFollowed) {
  follow(
      "CREATE TABLE authors(id INTEGER PRIMARY KEY);"
      "CREATE TABLE posts(id INTEGER PRIMARY KEY, author REFERENCES authors(id) ON DELETE "
      "CASCADE ON UPDATE CASCADE, slug TEXT UNIQUE, title, vec BLOB);"
      "INSERT INTO authors VALUES(1), (2), (3);"
      "INSERT INTO posts VALUES(1, 1, 'a', 'alpha', zeroblob(8)), (2, 2, 'b', 'beta', NULL), "
      "(3, 2, 'c', 42, zeroblob(8)), (4, 3, 'd', NULL, zeroblob(8))",
      index_spec("posts", {}, {"title"}),
      {"INSERT INTO posts(slug, author, title) VALUES('e', 1, 'epsilon')",
       "INSERT OR REPLACE INTO posts(slug, title) VALUES('a', 'new alpha')",
       "REPLACE INTO posts(id, slug, title) VALUES(3, 'b', 'takes two')",
       "UPDATE OR REPLACE posts SET slug = 'd' WHERE id = 3",
       "UPDATE posts SET vec = x'0000803F0000803F'",
       "UPDATE posts SET title = x'6162', id = id + 100", "DELETE FROM authors WHERE id = 1",
       "INSERT INTO posts(id, author, slug) VALUES(7, 2, 'z')",
       "UPDATE authors SET id = 20 WHERE id = 2", "DELETE FROM authors WHERE id = 20",
       "DELETE FROM posts"});
}

TEST(UserTableTest, TextKeyedTableIsFollowedThroughLociKeys) {
  follow(
      "CREATE TABLE docs(id TEXT PRIMARY KEY, body, slug UNIQUE, vec);"
      "INSERT INTO docs VALUES('one', 'first body', 's1', zeroblob(8)), "
      "('two', 'second body', 's2', NULL), ('three', NULL, 's3', zeroblob(8))",
      index_spec("docs", {"id"}, {"body"}),
      {"INSERT INTO docs(id, body) VALUES('four', 'fourth body')",
       "REPLACE INTO docs(id, body, slug) VALUES('one', 'rewritten', 's2')",
       "UPDATE docs SET body = body || ' more' WHERE id = 'one'",
       "UPDATE docs SET id = 'uno' WHERE id = 'one'",
       "UPDATE OR REPLACE docs SET id = 'four' WHERE id = 'three'",
       "UPDATE docs SET vec = zeroblob(8)", "DELETE FROM docs WHERE id = 'uno'",
       "INSERT INTO docs(id, body) VALUES('uno', 'again')", "DELETE FROM docs"});
}

TEST(UserTableTest, DatasetKeyedTableWithoutRowidIsFollowed) {
  follow(
      "CREATE TABLE shadow(dataset TEXT, id TEXT, body TEXT, vec BLOB, "
      "PRIMARY KEY(dataset, id)) WITHOUT ROWID;"
      "INSERT INTO shadow VALUES('a', '1', 'one', zeroblob(8)), ('a', '2', 'two', NULL), "
      "('b', '1', 'three', zeroblob(8))",
      index_spec("shadow", {"dataset", "id"}, {"body"}),
      {"INSERT INTO shadow VALUES('b', '2', 'four', NULL)",
       "REPLACE INTO shadow VALUES('a', '1', 'one again', NULL)",
       "UPDATE shadow SET dataset = 'c' WHERE dataset = 'b'",
       "UPDATE OR REPLACE shadow SET id = '9'", "DELETE FROM shadow WHERE dataset = 'a'",
       "DELETE FROM shadow"});
}

TEST(UserTableTest, RowsWithNullInTheirKeyAreLeftOut) {
  const auto connection = open(":memory:");
  ASSERT_OK(connection->exec("CREATE TABLE docs(id TEXT PRIMARY KEY, body, vec)"));
  take(create_table_index(*connection, index_spec("docs", {"id"}, {"body"})));
  ASSERT_OK(
      connection->exec("INSERT INTO docs VALUES(NULL, 'nobody', 1), ('a', 'one', NULL);"
                       "UPDATE docs SET body = 'still nobody' WHERE id IS NULL;"
                       "DELETE FROM docs WHERE id IS NULL"));
  EXPECT_EQ(query_one(*connection, "SELECT group_concat(id) FROM loci_keys"), "a");
  EXPECT_EQ(query_one(*connection,
                      "SELECT count(*) FROM posts_index_fts WHERE posts_index_fts MATCH 'nobody'"),
            "0");
  testing::expect_check_clean(*connection);
}

TEST(UserTableTest, DroppingTheIndexLeavesTheTable) {
  const auto connection = open(":memory:");
  ASSERT_OK(
      connection->exec("CREATE TABLE docs(id TEXT PRIMARY KEY, body, vec);"
                       "INSERT INTO docs VALUES('a', 'one', NULL)"));
  const Source source = take(create_table_index(*connection, index_spec("docs", {"id"}, {"body"})));
  ASSERT_OK(drop_source(*connection, source));
  EXPECT_EQ(query_one(*connection, "SELECT count(*) FROM docs"), "1");
  EXPECT_EQ(query_one(*connection, "SELECT count(*) FROM loci_keys"), "0");
  EXPECT_EQ(query_one(*connection, "SELECT count(*) FROM sqlite_schema WHERE type = 'trigger'"),
            "0");
}

}  // namespace
}  // namespace loci::store

// SPDX-License-Identifier: Apache-2.0
//
// Every conflict clause, under both settings of recursive_triggers and foreign_keys, beside every
// kind of unique index: after each statement the log names every row that changed, FTS5 agrees with
// the text, no vector is left without its row, and with history each row that changed or went has
// left a version that says what it was.
#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <tuple>

#include "base/temp_dir.h"
#include "store/store_testing.h"

namespace loci::store {
namespace {

using testing::open;
using testing::query_one;
using testing::take;

struct IndexKind {
  const char* name;
  const char* sql;
};

constexpr std::array kIndexKinds = {
    IndexKind{"none", ""},
    IndexKind{"column", "CREATE UNIQUE INDEX u ON notes(year)"},
    IndexKind{"two columns", "CREATE UNIQUE INDEX u ON notes(lang, year DESC)"},
    IndexKind{"partial", "CREATE UNIQUE INDEX u ON notes(year) WHERE lang = 'en' -- only some"},
    IndexKind{"collation", "CREATE UNIQUE INDEX u ON notes(lang COLLATE NOCASE, year)"},
    IndexKind{"expression", "CREATE UNIQUE INDEX u ON notes(/* x, y */ abs(year), lower(lang))"},
    IndexKind{"text column", "CREATE UNIQUE INDEX u ON notes(title)"},
    IndexKind{"vector", "CREATE UNIQUE INDEX u ON notes_vectors(embedding)"},
    IndexKind{"two indexes",
              "CREATE UNIQUE INDEX u ON notes(year); CREATE UNIQUE INDEX w ON notes(title)"},
};

constexpr std::array kClauses = {"",          " OR REPLACE", " OR IGNORE",
                                 " OR ABORT", " OR FAIL",    " OR ROLLBACK"};

/// Statements in which %s stands for the conflict clause.
constexpr std::array kTemplates = {
    "INSERT%s INTO notes(id, title, body, lang, year) VALUES('new', 'fresh one', 'text', 'pt', "
    "2050)",
    "INSERT%s INTO notes(id, title, body, lang, year) VALUES('b', 'taken id', 'text', 'pt', 2051)",
    "INSERT%s INTO notes(rid, id, title) VALUES(3, 'n3', 'taken rid')",
    "INSERT%s INTO notes(rid, id, title) VALUES(3, 'c', 'taken rid and its id')",
    "INSERT%s INTO notes(rid, id, title) VALUES(3, 'd', 'taken rid and the id of another')",
    "INSERT%s INTO notes(rid, id, title, lang, year) VALUES(2, 'd', 'three at once', 'en', 2005)",
    "INSERT%s INTO notes(id, title, lang, year) VALUES('y', 'taken year', 'en', 2001)",
    "INSERT%s INTO notes(id, title, lang, year) VALUES('y', 'taken year', 'EN', -2001)",
    "INSERT%s INTO notes(id, title, lang, year) VALUES('y', 'taken year', 'EN', 2001)",
    "INSERT%s INTO notes(id, title, lang, year) VALUES('y', 'alpha one', 'xx', 2060)",
    "INSERT%s INTO notes(rid, id, title) VALUES(-1, 'minus', 'row minus one')",
    "INSERT%s INTO notes(id, title, year) VALUES('p', 'many', 2070), ('b', 'many', 2001), "
    "('q', 'many', 2071), ('q', 'twice', 2002), ('e', 'many', 2003)",
    "INSERT%s INTO notes(id, title, body, lang, year) SELECT 'x' || (rid % 3), body, title, lang, "
    "year FROM notes WHERE rid > 0",
    "INSERT%s INTO notes(rid, id, title) SELECT rid + 1, id, title FROM notes WHERE rid > 0",
    "INSERT%s INTO notes(id, title, archived) VALUES('bad', 'violates a CHECK', 7)",
    "INSERT%s INTO notes(id, title) VALUES('ok1', 'first'), (NULL, 'no id'), ('ok2', 'third')",
    "UPDATE%s notes SET id = 'b' WHERE rid = 4",
    "UPDATE%s notes SET id = 'same'",
    "UPDATE%s notes SET id = 'b', title = 'new text' WHERE rid IN (1, 2, 3)",
    "UPDATE%s notes SET rid = 2 WHERE rid = 5",
    "UPDATE%s notes SET rid = rid + 1",
    "UPDATE%s notes SET rid = rid - 1 WHERE rid > 0",
    "UPDATE%s notes SET rid = 40 + rid, title = title || ' moved'",
    "UPDATE%s notes SET rid = 4, id = 'b', year = 2005 WHERE rid = 1",
    "UPDATE%s notes SET year = 2001",
    "UPDATE%s notes SET year = year + 1, body = body || ' later'",
    "UPDATE%s notes SET lang = upper(lang), year = 2003 WHERE rid IN (2, 3)",
    "UPDATE%s notes SET title = 'alpha one'",
    "UPDATE%s notes SET archived = 1 WHERE rid = 2",
    "UPDATE%s notes SET archived = 5 WHERE rid >= 2",
    "INSERT%s INTO notes_vectors(rid, embedding) VALUES(4, x'0000803F00000040')",
    "INSERT%s INTO notes_vectors(rid, embedding) VALUES(1, x'0000803F00000040')",
    "INSERT%s INTO notes_vectors(rid, embedding) VALUES(5, x'0000803F00000000')",
    "UPDATE%s notes_vectors SET rid = 2 WHERE rid = 1",
    "UPDATE%s notes_vectors SET embedding = x'0000803F00000000'",
};

constexpr std::array kPlain = {
    "INSERT INTO notes(id, title) VALUES('b', 'x') ON CONFLICT DO NOTHING",
    "INSERT INTO notes(id, title) VALUES('b', 'x'), ('n', 'y'), ('c', 'z') ON CONFLICT DO NOTHING",
    "INSERT INTO notes(id, title) VALUES('b', 'upserted') ON CONFLICT(id) DO UPDATE SET title = "
    "excluded.title",
    "INSERT INTO notes(rid, id, title) VALUES(3, 'zz', 'upserted') ON CONFLICT(rid) DO UPDATE SET "
    "rid = 77, title = 'moved'",
    "INSERT INTO notes(id, title) VALUES('b', 'x'), ('c', 'y') ON CONFLICT(id) DO UPDATE SET id = "
    "'d' || rid, year = 2005 WHERE title <> 'y'",
    "INSERT INTO notes(id, title, year) VALUES('b', 'x', 2003) ON CONFLICT(id) DO UPDATE SET year "
    "= "
    "excluded.year",
    "INSERT OR REPLACE INTO notes(id, title, year) VALUES('b', 'x', 2003) ON CONFLICT(id) DO "
    "UPDATE "
    "SET year = excluded.year",
    "INSERT INTO notes_vectors(rid, embedding) VALUES(1, x'0000004000000040') ON CONFLICT(rid) DO "
    "UPDATE SET embedding = excluded.embedding",
    "DELETE FROM notes WHERE rid = 3",
    "DELETE FROM notes WHERE rid = 99",
    "DELETE FROM notes",
    "DELETE FROM notes_vectors",
    "UPDATE notes SET title = title",
    "UPDATE notes SET title = NULL, body = NULL",
    "UPDATE notes_vectors SET embedding = NULL",
    "UPDATE notes SET id = id || '!' RETURNING rid",
    "WITH n(i) AS (VALUES(1), (2), (3)) DELETE FROM notes WHERE rid IN (SELECT i FROM n)",
};

std::vector<std::string> statements() {
  std::vector<std::string> out(kPlain.begin(), kPlain.end());
  for (const std::string_view text : kTemplates) {
    const size_t mark = text.find("%s");
    for (const char* clause : kClauses) {
      out.push_back(base::str_cat(text.substr(0, mark), clause, text.substr(mark + 2)));
    }
  }
  return out;
}

CollectionSpec notes_spec(bool with_text, bool with_history) {
  CollectionSpec spec;
  spec.name = "notes";
  spec.history.enabled = with_history;
  spec.vectors = {{.name = "embedding",
                   .dim = 2,
                   .metric = Metric::kL2,
                   .custom_metric = "",
                   .model = with_text ? "test:2" : ""}};
  if (with_text) {
    spec.text = {"title", "body"};
    spec.filters = {{"lang", FieldType::kText}, {"year", FieldType::kInt}};
  } else {
    spec.filters = {{"lang", FieldType::kText},
                    {"year", FieldType::kInt},
                    {"title", FieldType::kText},
                    {"body", FieldType::kText}};
  }
  return spec;
}

constexpr std::string_view kRows = R"sql(
INSERT INTO notes(rid, id, title, body, lang, year) VALUES
  (-1, 'm', 'minus row', 'below zero', 'xx', 1990),
  (1, 'a', 'alpha one', 'first body', 'en', 2001), (2, 'b', 'beta two', 'second body', 'en', 2002),
  (3, 'c', 'gamma three', 'third body', 'de', 2003), (4, 'd', 'delta four', NULL, 'fr', 2004),
  (5, 'e', NULL, 'fifth body', NULL, 2005);
INSERT INTO notes_vectors(rid, embedding) VALUES
  (1, x'0000803F00000000'), (2, x'000000000000803F'), (3, x'0000803F0000803F'), (5, NULL);
CREATE TABLE comments(id INTEGER PRIMARY KEY, note INTEGER
  REFERENCES notes(rid) ON DELETE CASCADE ON UPDATE CASCADE);
INSERT INTO comments(note) VALUES(1), (2), (3), (5);
)sql";

Source make_notes(sqlite::Connection& connection, bool with_text, bool with_history,
                  const IndexKind& kind) {
  Source source = take(create_collection(connection, notes_spec(with_text, with_history)));
  EXPECT_OK(connection.exec(kRows));
  EXPECT_OK(connection.exec(kind.sql));
  if (kind.sql[0] != '\0') {
    EXPECT_FALSE(take(triggers_intact(connection, source))) << "a new unique index is noticed";
    EXPECT_OK(recreate_triggers(connection, source));
    EXPECT_TRUE(take(triggers_intact(connection, source)));
  }
  return source;
}

void run_all(bool with_text, bool with_history, const IndexKind& kind) {
  const std::unique_ptr<sqlite::Connection> connection = open(":memory:");
  const Source source = make_notes(*connection, with_text, with_history, kind);
  testing::Contents before = testing::read_contents(*connection, source);
  int changed = 0;
  for (const char* recursive : {"OFF", "ON"}) {
    for (const char* foreign : {"OFF", "ON"}) {
      if (with_history && foreign[1] == 'N') continue;  // changes nothing of it; half the time
      ASSERT_OK(connection->exec(base::str_cat("PRAGMA recursive_triggers = ", recursive)));
      ASSERT_OK(connection->exec(base::str_cat("PRAGMA foreign_keys = ", foreign)));
      for (const std::string& sql : statements()) {
        SCOPED_TRACE(base::str_cat(sql, "; index ", kind.name, ", text ", with_text, ", recursive ",
                                   recursive, ", foreign keys ", foreign, ", history ",
                                   with_history));
        ASSERT_OK(connection->exec("BEGIN"));
        const int64_t scn = take(newest(*connection)).scn;
        const int64_t version = take(newest_version_number(*connection, source));
        testing::States states;
        if (with_history) states = testing::read_states(*connection, source);
        connection->exec(sql).ignore();  // many are meant to fail: the state counts, not the code
        const testing::Contents after = testing::read_contents(*connection, source);
        changed += after != before ? 1 : 0;
        testing::expect_logged(before, after, testing::logged_since(*connection, source, scn));
        testing::expect_consistent(*connection, source);
        if (with_history) {
          testing::expect_kept(*connection, source, states,
                               testing::read_states(*connection, source), version,
                               sql.find("REPLACE") != std::string::npos);
        }
        // Twice: what an ignored write left behind must not be taken for the next one's.
        connection->exec(sql).ignore();
        connection->exec("DELETE FROM notes WHERE rid IN (1, 3)").ignore();
        testing::expect_consistent(*connection, source);
        if (connection->in_transaction()) ASSERT_OK(connection->exec("ROLLBACK"));
        if (::testing::Test::HasFailure()) return;  // the first says it
        if (testing::read_contents(*connection, source) != before) {
          // OR ROLLBACK ended the transaction, and what came after it was committed.
          ASSERT_OK(
              connection->exec("DELETE FROM comments; DELETE FROM notes; DROP TABLE comments"));
          ASSERT_OK(connection->exec(kRows));
          before = testing::read_contents(*connection, source);
        }
      }
    }
  }
  EXPECT_GT(changed, with_history ? 100 : 200)
      << "most statements must change something, or nothing was tested";
  testing::expect_check_clean(*connection);
}

using Parameters = std::tuple<size_t, bool, bool>;
class ConflictsTest : public ::testing::TestWithParam<Parameters> {};

TEST_P(ConflictsTest, LogTextIndexVectorsAndHistoryStayTrue) {
  const auto [kind, with_text, with_history] = GetParam();
  run_all(with_text, with_history, kIndexKinds[kind]);
}

std::string param_name(const ::testing::TestParamInfo<Parameters>& info) {
  std::string name = base::str_cat(kIndexKinds[std::get<0>(info.param)].name,
                                   std::get<1>(info.param) ? "_with_text" : "_without_text",
                                   std::get<2>(info.param) ? "_with_history" : "");
  std::replace(name.begin(), name.end(), ' ', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(UniqueIndexes, ConflictsTest,
                         ::testing::Combine(::testing::Range<size_t>(0, kIndexKinds.size()),
                                            ::testing::Bool(), ::testing::Bool()),
                         param_name);

/// Runs a script by the sqlite3 shell; false when there is none.
bool run_shell(const std::string& database, const std::string& script) {
  const std::string file = database + ".sql";
  std::ofstream(file) << script;
  const std::string command =
      base::str_cat("sqlite3 '", database, "' < '", file, "' >'", file, ".out' 2>&1");
  return std::system(command.c_str()) != 127 * 256;  // NOLINT: a test, with names of its own
}

bool shell_present() {
  return std::system("sqlite3 --version >/dev/null 2>&1") == 0;  // NOLINT: as above
}

TEST(ConflictsShellTest, ShellWritesAreFollowedToo) {
  if (!shell_present()) GTEST_SKIP() << "no sqlite3 shell on this machine";
  const base::TempDir folder;
  const std::string original = folder.file("original.db");
  const IndexKind kind = kIndexKinds.back();
  testing::Contents before;
  testing::States states;
  int64_t scn = 0;
  Source source;
  {
    const auto connection = open(original);
    source = make_notes(*connection, true, true, kind);
    before = testing::read_contents(*connection, source);
    states = testing::read_states(*connection, source);
    scn = take(newest(*connection)).scn;
  }
  const std::string copy = folder.file("copy.db");
  int number = 0;
  int changed = 0;
  for (const std::string& sql : statements()) {
    // Each statement under one of the four settings in turn; all four are run above.
    const int setting = number++ % 4;
    SCOPED_TRACE(base::str_cat(sql, "; setting ", setting));
    std::filesystem::remove(copy + "-wal");
    std::filesystem::remove(copy + "-shm");
    std::filesystem::copy_file(original, copy, std::filesystem::copy_options::overwrite_existing);
    ASSERT_TRUE(run_shell(
        copy, base::str_cat("PRAGMA recursive_triggers = ", setting % 2,
                            ";\nPRAGMA foreign_keys = ", setting / 2, ";\n", sql, ";\n")));
    const auto connection = open(copy);
    const testing::Contents after = testing::read_contents(*connection, source);
    changed += after != before ? 1 : 0;
    testing::expect_logged(before, after, testing::logged_since(*connection, source, scn));
    testing::expect_consistent(*connection, source);
    testing::expect_kept(*connection, source, states, testing::read_states(*connection, source), 0,
                         sql.find("REPLACE") != std::string::npos);
    testing::expect_check_clean(*connection);
    if (HasFailure()) return;
  }
  EXPECT_GT(changed, 50);
}

}  // namespace
}  // namespace loci::store

// SPDX-License-Identifier: Apache-2.0
//
// Every conflict clause of SQL, from the plain shell, under every setting that changes which
// triggers fire; schema changes behind Loci's back; dump and restore, VACUUM. After each one the
// full-text index is intact, check() finds nothing, and searches say what the rows say.
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "loci/loci.h"
#include "support/consistency.h"
#include "support/fixture.h"
#include "support/process.h"
#include "support/temp_dir.h"

namespace loci::testing {
namespace {

constexpr size_t kDim = 6;

CollectionSpec notes_spec() {
  CollectionSpec spec;
  spec.name = "notes";
  spec.vectors = {vector_column("embedding", kDim, Metric::kCosine)};
  spec.text = {"title", "body"};
  spec.filters = {{"code", FieldType::kInt}};
  return spec;
}

class ClausesTest : public ::testing::Test {
 protected:
  void create() {
    open();
    Result<Collection> notes = database_->create_collection(notes_spec());
    ASSERT_OK(notes);
    notes_.emplace(*std::move(notes));
    refill();
  }
  /// Six rows: ids a..f, rowids 1..6, codes 10..60, words and vectors of their own.
  void refill() {
    ASSERT_OK(notes_->clear());
    std::vector<Record> records;
    for (int i = 1; i <= 6; ++i) {
      Record record =
          vector_record(std::string(1, static_cast<char>('a' + i - 1)), sine_vector(kDim, i));
      record.rowid = RowId{i};
      record.fields = {{"title", "titel" + std::to_string(i)},
                       {"body", "gemein wort" + std::to_string(i)},
                       {"code", int64_t{10} * i}};
      records.push_back(std::move(record));
    }
    ASSERT_OK(notes_->insert_many(records));
  }
  void open() {
    notes_.reset();
    database_.reset();
    Result<Database> database = Database::open(path());
    ASSERT_OK(database);
    database_.emplace(*std::move(database));
  }
  void reopen() {
    open();
    Result<Collection> notes = database_->collection("notes");
    ASSERT_OK(notes);
    notes_.emplace(*std::move(notes));
  }
  ProcessResult shell(const std::string& script) { return sqlite_shell(path(), script); }
  void expect_sound() {
    EXPECT_EQ(search_differs_from_rows(*notes_), "");
    EXPECT_EQ(file_is_damaged(*database_, "notes_fts"), "");
  }
  [[nodiscard]] std::string path() const { return dir_.file("clauses.db"); }

  TempDir dir_;
  std::optional<Database> database_;
  std::optional<Collection> notes_;
};

/// Statements that meet 0, 1, 2 or 3 rows in the way: by rowid, by id, by a later unique index.
std::vector<std::string> statements() {
  std::vector<std::string> all;
  const std::string values = "(rid, id, title, body, code) VALUES";
  for (const char* verb :
       {"INSERT OR REPLACE", "INSERT OR IGNORE", "INSERT OR ABORT", "INSERT OR FAIL", "REPLACE"}) {
    const std::string insert = std::string(verb) + " INTO notes";
    all.push_back(insert + values + "(2, 'x', 'neu', 'neuwort', 99)");   // by rowid
    all.push_back(insert + values + "(50, 'c', 'neu', 'neuwort', 99)");  // by id
    all.push_back(insert + values + "(50, 'x', 'neu', 'neuwort', 40)");  // by code
    all.push_back(insert + values + "(1, 'b', 'neu', 'neuwort', 30)");   // three rows
    all.push_back(insert + "(id, title, body, code) VALUES('d', 'neu', 'neuwort', 99)");
    all.push_back(insert + "(id, title, code) VALUES('p', 'neu', 98), ('e', 'neu2', 97)");
    all.push_back(insert + "(rid, id) VALUES(-1, 'minus')");
  }
  for (const char* verb : {"UPDATE OR REPLACE", "UPDATE OR IGNORE", "UPDATE OR ABORT"}) {
    const std::string update = std::string(verb) + " notes SET ";
    all.push_back(update + "id = 'c', body = 'anders' WHERE rid = 1");
    all.push_back(update + "rid = 4 WHERE rid = 1");
    all.push_back(update + "rid = 77 WHERE rid = 5");
    all.push_back(update + "code = 60 WHERE rid < 3");
    all.push_back(update + "rid = 2, id = 'f', code = 30 WHERE id = 'a'");
    all.push_back(update + "body = 'gleich' || rid");
  }
  const std::string upsert = "INSERT INTO notes" + values;
  all.push_back(upsert + "(9, 'b', 't', 'u', 1) ON CONFLICT(id) DO NOTHING");
  all.push_back(upsert + "(9, 'b', 't', 'u', 1) ON CONFLICT(id) DO UPDATE SET body = 'upwort'");
  all.push_back(upsert +
                "(3, 'z', 't', 'u', 1) ON CONFLICT(rid) DO UPDATE SET body = 'upwort', "
                "id = excluded.id");
  all.push_back(upsert + "(9, 'z', 't', 'u', 20) ON CONFLICT DO NOTHING");
  all.push_back("DELETE FROM notes WHERE rid IN (2, 3)");
  all.push_back("DELETE FROM notes");
  all.push_back("INSERT OR REPLACE INTO notes_vectors(rid, embedding) VALUES(2, " +
                blob_literal(sine_vector(kDim, 9)) + ")");
  all.push_back("UPDATE notes_vectors SET embedding = NULL WHERE rid = 2");
  all.push_back("DELETE FROM notes_vectors WHERE rid > 3");
  return all;
}

TEST_F(ClausesTest, EveryClauseUnderEverySetting) {
  create();
  ASSERT_EQ(shell("CREATE UNIQUE INDEX notes_code ON notes(code);").exit_code, 0);
  ASSERT_OK(notes_->update("a", vector_record("", sine_vector(kDim, 1))));  // attaches again
  for (const char* recursive : {"0", "1"}) {
    for (const char* foreign_keys : {"0", "1"}) {
      const std::string pragmas = std::string("PRAGMA recursive_triggers = ") + recursive +
                                  ";\nPRAGMA foreign_keys = " + foreign_keys + ";\n";
      for (const std::string& statement : statements()) {
        SCOPED_TRACE(pragmas + statement);
        refill();
        // ABORT and FAIL meet a constraint: the shell's error is theirs and changes nothing more.
        const ProcessResult result = shell(pragmas + statement + ";");
        if (result.exit_code != 0) {
          EXPECT_NE(result.error.find("constraint failed"), std::string::npos) << result.error;
        }
        EXPECT_EQ(search_differs_from_rows(*notes_), "");
        if (::testing::Test::HasFailure()) return;
      }
      expect_sound();
    }
  }
}

TEST_F(ClausesTest, EveryStatementLeavesTheFileSound) {
  create();
  ASSERT_EQ(shell("CREATE UNIQUE INDEX notes_code ON notes(code);").exit_code, 0);
  ASSERT_OK(notes_->update("a", vector_record("", sine_vector(kDim, 1))));
  for (const std::string& statement : statements()) {
    SCOPED_TRACE(statement);
    refill();
    static_cast<void>(shell(statement + ";"));  // a constraint may refuse it
    expect_sound();
    if (::testing::Test::HasFailure()) return;
  }
}

TEST_F(ClausesTest, RolledBackStatementsLeaveNoTrace) {
  create();
  const std::string before = dump(*notes_);
  ASSERT_EQ(search_differs_from_rows(*notes_), "");
  const ProcessResult result = shell(
      "BEGIN;\nINSERT OR REPLACE INTO notes(rid, id, body) VALUES(1, 'b', 'weg');\nSAVEPOINT s;\n"
      "DELETE FROM notes WHERE rid > 3;\nROLLBACK TO s;\nUPDATE notes SET body = 'weg';\n"
      "ROLLBACK;");
  ASSERT_EQ(result.exit_code, 0) << result.error;
  EXPECT_EQ(dump(*notes_), before);
  expect_sound();
  // The log's numbers are used again, for other changes: the images must not be taken in.
  ASSERT_EQ(shell("UPDATE notes SET body = 'bleibt' WHERE rid = 6;").exit_code, 0);
  expect_sound();
}

TEST_F(ClausesTest, TwelveStepAlterDetachesAndTheNextWriterAttaches) {
  create();
  ASSERT_EQ(search_differs_from_rows(*notes_), "");
  std::string ddl;
  ASSERT_OK(database_->sql("SELECT sql FROM sqlite_schema WHERE name = 'notes'",
                           [&](std::span<const std::string>, std::span<const Value> values) {
                             ddl = std::get<std::string>(values[0]);
                             return Status();
                           }));
  const size_t name = ddl.find("notes");
  ASSERT_NE(name, std::string::npos);
  std::string new_ddl = ddl;
  new_ddl.replace(name, 5, "notes_new");
  // SQLite's documented procedure, as migration tools run it: the triggers are gone afterwards.
  const ProcessResult altered = shell(
      "PRAGMA foreign_keys = 0;\nPRAGMA legacy_alter_table = 1;\nBEGIN;\n" + new_ddl +
      ";\nINSERT INTO notes_new SELECT * FROM notes;\nDROP TABLE notes;\n"
      "ALTER TABLE notes_new RENAME TO notes;\nUPDATE notes SET body = 'umgebaut' WHERE rid = 2;\n"
      "DELETE FROM notes WHERE rid = 3;\nCOMMIT;");
  ASSERT_EQ(altered.exit_code, 0) << altered.error;
  // Detached: vector searches read the table itself and say so.
  const auto nearest = notes_->nearest(sine_vector(kDim, 2), 6);
  ASSERT_OK(nearest);
  for (const Hit& hit : *nearest) EXPECT_NE(to_int(hit.rowid), 3);
  ASSERT_OK(notes_->insert(vector_record("neu", sine_vector(kDim, 8))));
  EXPECT_EQ(search_differs_from_rows(*notes_), "");
  const auto repaired = database_->check(true);
  ASSERT_OK(repaired);
  expect_sound();
}

TEST_F(ClausesTest, DroppedTriggersAreNoticed) {
  create();
  ASSERT_EQ(search_differs_from_rows(*notes_), "");
  std::string drops;
  ASSERT_OK(
      database_->sql("SELECT name FROM sqlite_schema WHERE type = 'trigger' AND tbl_name IN "
                     "('notes', 'notes_vectors')",
                     [&](std::span<const std::string>, std::span<const Value> values) {
                       drops += "DROP TRIGGER \"" + std::get<std::string>(values[0]) + "\";\n";
                       return Status();
                     }));
  ASSERT_NE(drops, "");
  ASSERT_EQ(shell(drops +
                  "DELETE FROM notes WHERE rid = 4;\n"
                  "UPDATE notes_vectors SET embedding = " +
                  blob_literal(sine_vector(kDim, 11)) + " WHERE rid = 1;")
                .exit_code,
            0);
  const auto nearest = notes_->nearest(sine_vector(kDim, 11), 6);
  ASSERT_OK(nearest);
  ASSERT_EQ(nearest->size(), 5U);
  EXPECT_EQ(to_int(nearest->at(0).rowid), 1);
  EXPECT_NE(check_report(*database_), "");
  const auto repaired = database_->check(true);
  ASSERT_OK(repaired);
  expect_sound();
  ASSERT_EQ(shell("UPDATE notes SET body = 'wieder' WHERE rid = 5;").exit_code, 0);
  expect_sound();
}

TEST_F(ClausesTest, DumpAndRestore) {
  create();
  ASSERT_EQ(shell("INSERT OR REPLACE INTO notes(rid, id, body) VALUES(3, 'a', 'neu');").exit_code,
            0);
  const std::string before = dump(*notes_);
  const ProcessResult text = shell(".dump");
  ASSERT_EQ(text.exit_code, 0) << text.error;
  notes_.reset();
  database_.reset();
  std::filesystem::remove(path());
  std::filesystem::remove(path() + "-wal");
  std::filesystem::remove(path() + "-shm");
  const ProcessResult restored = shell(text.out);
  ASSERT_EQ(restored.exit_code, 0) << restored.error;
  reopen();
  EXPECT_EQ(dump(*notes_), before);
  expect_sound();
  ASSERT_OK(notes_->insert(vector_record("later", sine_vector(kDim, 21))));
  ASSERT_EQ(shell("UPDATE notes SET body = 'spaeter' WHERE rid = 2;").exit_code, 0);
  expect_sound();
}

TEST_F(ClausesTest, RestoredBackupWithTheSameLogNumbers) {
  create();
  const std::string copy = dir_.file("copy.db");
  ASSERT_OK(database_->backup(copy));
  EXPECT_FALSE(database_->backup(copy).ok()) << "an existing file is never overwritten";
  ASSERT_OK(notes_->update("a", vector_record("", sine_vector(kDim, 31))));
  Result<Database> other = Database::open(copy);
  ASSERT_OK(other);
  Result<Collection> copied = other->collection("notes");
  ASSERT_OK(copied);
  ASSERT_OK(copied->update("b", vector_record("", sine_vector(kDim, 32))));
  EXPECT_EQ(search_differs_from_rows(*copied), "");
  EXPECT_EQ(search_differs_from_rows(*notes_), "");
  EXPECT_EQ(check_report(*other), "");
  expect_sound();
}

TEST_F(ClausesTest, VacuumKeepsEverything) {
  create();
  ASSERT_EQ(shell("DELETE FROM notes WHERE rid = 1;\nVACUUM;").exit_code, 0);
  expect_sound();
  ASSERT_EQ(shell("UPDATE notes SET body = 'danach' WHERE rid = 2;").exit_code, 0);
  expect_sound();
  reopen();
  expect_sound();
}

TEST_F(ClausesTest, UntrustedSchemaWritesOrIsRefusedWhole) {
  create();
  const std::string before = dump(*notes_);
  const ProcessResult result =
      shell("PRAGMA trusted_schema = OFF;\nUPDATE notes SET body = 'misstrauen' WHERE rid = 2;");
  if (result.exit_code != 0) {  // older SQLite calls FTS5 unsafe there
    EXPECT_NE(result.error.find("unsafe"), std::string::npos) << result.error;
    EXPECT_EQ(dump(*notes_), before);
  }
  expect_sound();
}

TEST_F(ClausesTest, IndexOnAUsersTableFollowsCascades) {
  open();
  ASSERT_EQ(shell("CREATE TABLE author(id INTEGER PRIMARY KEY, name TEXT);\n"
                  "CREATE TABLE book(id INTEGER PRIMARY KEY, author INTEGER REFERENCES author(id) "
                  "ON DELETE CASCADE ON UPDATE CASCADE, title TEXT, vec BLOB, isbn TEXT UNIQUE);\n"
                  "INSERT INTO author VALUES(1, 'x'), (2, 'y');")
                .exit_code,
            0);
  std::string books;
  for (int i = 1; i <= 8; ++i) {
    const std::string n = std::to_string(i);
    books += "INSERT INTO book VALUES(" + n + ", " + std::to_string(1 + i % 2) + ", 'buch" + n +
             "', " + blob_literal(sine_vector(kDim, i)) + ", 'isbn" + n + "');\n";
  }
  ASSERT_EQ(shell(books).exit_code, 0);
  TableIndexSpec spec;
  spec.name = "books";
  spec.table = "book";
  spec.vector = vector_column("vec", kDim, Metric::kL2);
  spec.filters = {{"author", FieldType::kInt}};
  spec.text = {"title"};
  Result<Collection> made = database_->create_table_index(spec);
  ASSERT_OK(made);
  EXPECT_EQ(search_differs_from_rows(*made), "");
  for (const std::string& statement : std::vector<std::string>{
           "UPDATE author SET id = 7 WHERE id = 2", "DELETE FROM author WHERE id = 1",
           "INSERT OR REPLACE INTO book VALUES(2, NULL, 'ersatz', NULL, 'isbn6')",
           "UPDATE OR REPLACE book SET isbn = 'isbn4' WHERE id = 2",
           "UPDATE book SET id = 100 WHERE id = 2",
           "INSERT INTO book(title, vec) VALUES('neues', " + blob_literal(sine_vector(kDim, 40)) +
               ")"}) {
    SCOPED_TRACE(statement);
    const ProcessResult result = shell("PRAGMA foreign_keys = ON;\n" + statement + ";");
    ASSERT_EQ(result.exit_code, 0) << result.error;
    EXPECT_EQ(search_differs_from_rows(*made), "");
    EXPECT_EQ(check_report(*database_), "");
  }
  SearchRequest request;
  request.mode = SearchMode::kVector;
  const std::vector<float> query = sine_vector(kDim, 1);
  request.vector = query;
  request.where = "author IS NULL";
  const auto found = made->search(request);
  ASSERT_OK(found);
  EXPECT_EQ(found->hits.size(), 1U);  // 'neues'; row 100 has no vector
  EXPECT_TRUE(fails_with(made->insert(vector_record("", sine_vector(kDim, 1))),
                         StatusCode::kFailedPrecondition, {"book"}));
}

TEST_F(ClausesTest, IndexOnATableWithTextKeys) {
  open();
  ASSERT_EQ(shell("CREATE TABLE shadow(dataset_id TEXT NOT NULL, id TEXT NOT NULL, content TEXT, "
                  "vec BLOB, PRIMARY KEY(dataset_id, id));\n"
                  "INSERT INTO shadow VALUES('A', '1', 'eins', " +
                  blob_literal(sine_vector(kDim, 1)) + "), ('B', '1', 'zwei', " +
                  blob_literal(sine_vector(kDim, 2)) + ");")
                .exit_code,
            0);
  TableIndexSpec spec;
  spec.name = "shadows";
  spec.table = "shadow";
  spec.vector = vector_column("vec", kDim, Metric::kCosine);
  spec.text = {"content"};
  spec.key = {"dataset_id", "id"};
  Result<Collection> made = database_->create_table_index(spec);
  ASSERT_OK(made);
  for (const std::string& statement : std::vector<std::string>{
           "SELECT 1",
           "INSERT OR REPLACE INTO shadow VALUES('A', '1', 'neu', " +
               blob_literal(sine_vector(kDim, 3)) + ")",
           "UPDATE shadow SET id = '9' WHERE dataset_id = 'B'",
           "UPDATE OR REPLACE shadow SET dataset_id = 'A', id = '1' WHERE dataset_id = 'B'",
           "INSERT INTO shadow VALUES('C', '1', 'drei', NULL), ('C', '2', 'vier', NULL)",
           "DELETE FROM shadow WHERE id = '1'"}) {
    SCOPED_TRACE(statement);
    const ProcessResult result = shell(statement + ";");
    ASSERT_EQ(result.exit_code, 0) << result.error;
    EXPECT_EQ(search_differs_from_rows(*made), "");
    EXPECT_EQ(check_report(*database_), "");
  }
}

}  // namespace
}  // namespace loci::testing

// SPDX-License-Identifier: Apache-2.0
//
// Old versions of rows through the public interface, with the plain sqlite3 shell writing in
// between: what a model says was kept is what every later reader of the file finds, also in a
// backup, after .dump and restore, after reindex.
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "loci/loci.h"
#include "support/fixture.h"
#include "support/process.h"
#include "support/temp_dir.h"

namespace loci::testing {
namespace {

constexpr size_t kDim = 4;
constexpr size_t kIds = 8;

struct Row {
  std::string title;
  int64_t year = 0;
  std::vector<float> vector;
  bool archived = false;
};

std::string text(const Row& row) {
  std::string out = row.title + " " + std::to_string(row.year) + (row.archived ? " archived" : "");
  for (const float x : row.vector) out += " " + std::to_string(x);
  return out;
}

std::string text(const Version& version) {
  Row row;
  row.title = std::get<std::string>(field(version.record, "title"));
  row.year = std::get<int64_t>(field(version.record, "year"));
  row.archived = version.record.archived;
  if (!version.record.vectors.empty()) row.vector = version.record.vectors[0].second;
  return (version.change == ChangeKind::kDelete ? "deleted " : "updated ") + text(row);
}

class HistoryFileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    open(path());
    CollectionSpec spec;
    spec.name = "notes";
    spec.vectors = {vector_column("embedding", kDim, Metric::kL2)};
    spec.text = {"title"};
    spec.filters = {{"year", FieldType::kInt}};
    spec.history.enabled = true;
    spec.history.max_versions = 0;
    Result<Collection> notes = database_->create_collection(spec);
    ASSERT_OK(notes);
    notes_.emplace(*std::move(notes));
  }
  [[nodiscard]] std::string path() const { return dir_.file("notes.db"); }
  void open(const std::string& file) {
    notes_.reset();
    database_.reset();
    Result<Database> database = Database::open(file);
    ASSERT_OK(database);
    database_.emplace(*std::move(database));
    Result<Collection> notes = database_->collection("notes");
    if (notes.ok()) notes_.emplace(*std::move(notes));
  }
  void keep(const std::string& id, const char* how) {
    kept_[id].insert(kept_[id].begin(), std::string(how) + " " + text(rows_.at(id)));
  }
  void shell(const std::string& script) {
    const ProcessResult result = sqlite_shell(path(), script);
    ASSERT_EQ(result.exit_code, 0) << script << ": " << result.error;
  }
  void expect_versions() {
    for (size_t i = 0; i < kIds; ++i) {
      const std::string id = "n" + std::to_string(i);
      const auto versions = notes_->history(id, true);
      ASSERT_OK(versions);
      std::vector<std::string> found;
      for (const Version& version : *versions) found.push_back(text(version));
      EXPECT_EQ(found, kept_[id]) << id;
    }
    EXPECT_EQ(check_report(*database_), "");
  }
  void step(Random& random) {
    const std::string id = "n" + std::to_string(random.below(kIds));
    const bool there = rows_.count(id) != 0;
    Row row{.title = "t" + std::to_string(random.below(1000)),
            .year = static_cast<int64_t>(random.below(50)),
            .vector = random.vector(kDim),
            .archived = false};
    const std::string values = "'" + id + "', '" + row.title + "', " + std::to_string(row.year);
    switch (random.below(8)) {
      case 0:
      case 1: {  // all of the row by one call: one version
        Record record = vector_record(id, row.vector);
        record.fields = {{"title", row.title}, {"year", row.year}};
        if (there) keep(id, "updated");
        row.archived = there && rows_[id].archived;
        ASSERT_OK(notes_->insert(record, OnConflict::kUpdate));
        rows_[id] = row;
        return;
      }
      case 2: {
        Record record = vector_record(id, row.vector);
        record.fields = {{"title", row.title}, {"year", row.year}};
        if (there) keep(id, "deleted");
        ASSERT_OK(notes_->insert(record, OnConflict::kReplace));
        rows_[id] = row;
        return;
      }
      case 3: {
        const std::vector<RowKey> keys = {id};
        const bool archived = there && rows_[id].archived;
        ASSERT_OK(archived ? notes_->restore(keys) : notes_->archive(keys));
        if (!there) return;
        keep(id, "updated");
        rows_[id].archived = !archived;
        return;
      }
      case 4: {
        const std::vector<RowKey> keys = {id};
        ASSERT_OK(notes_->remove(keys));
        break;
      }
      case 5: {
        shell("INSERT OR REPLACE INTO notes(id, title, year) VALUES(" + values + ");");
        if (there) keep(id, "deleted");
        row.vector.clear();
        rows_[id] = row;
        return;
      }
      case 6: {
        shell(
            "BEGIN; UPDATE notes SET year = -1; ROLLBACK; INSERT OR IGNORE INTO notes(id, title, "
            "year) VALUES(" +
            values + "); UPDATE notes_vectors SET embedding = " + blob_literal(row.vector) +
            " WHERE rid = (SELECT rid FROM notes WHERE id = '" + id + "');");
        if (!there) {
          row.vector.clear();
          rows_[id] = row;
        } else if (!rows_[id].vector.empty()) {
          keep(id, "updated");
          rows_[id].vector = row.vector;
        }
        return;
      }
      default:
        shell("DELETE FROM notes WHERE id = '" + id + "';");
    }
    if (!there) return;
    keep(id, "deleted");
    rows_.erase(id);
  }

  TempDir dir_;
  std::optional<Database> database_;
  std::optional<Collection> notes_;
  std::map<std::string, Row> rows_;
  std::map<std::string, std::vector<std::string>> kept_;
};

TEST_F(HistoryFileTest, EveryWriterLeavesWhatTheModelSays) {
  for (int round = 0; round < test_rounds(3); ++round) {
    Random random(static_cast<uint64_t>(round) + 11);
    for (int i = 0; i < 120; ++i) {
      step(random);
      if (i % 20 == 0) expect_versions();
      if (HasFailure()) FAIL() << "round " << round << ", step " << i;
    }
  }
  expect_versions();
  ASSERT_OK(database_->reindex("notes"));
  expect_versions();
  ASSERT_OK(database_->backup(dir_.file("copy.db")));
  const ProcessResult dumped = run_program({"sqlite3", path(), ".dump"});
  ASSERT_EQ(dumped.exit_code, 0);
  ASSERT_EQ(sqlite_shell(dir_.file("restored.db"), dumped.out).exit_code, 0);
  for (const char* name : {"copy.db", "restored.db"}) {
    SCOPED_TRACE(name);
    open(dir_.file(name));
    expect_versions();
    // And it goes on there.
    const std::vector<RowKey> keys = {rows_.begin()->first};
    ASSERT_OK(notes_->remove(keys));
    EXPECT_EQ(notes_->history(keys[0])->size(), kept_[rows_.begin()->first].size() + 1);
  }
}

TEST_F(HistoryFileTest, PurgeLeavesNoByteOfAVersion) {
  const std::vector<float> secret = {123456.78F, 2, 3, 4};
  Record record = vector_record("n-zugzwang", secret);
  record.fields = {{"title", std::string("quuxification")}, {"year", int64_t{1}}};
  ASSERT_OK(notes_->insert(record));
  record = vector_record("n-zugzwang", {1, 2, 3, 4});
  record.fields = {{"title", std::string("ordinary")}};
  ASSERT_OK(notes_->insert(record, OnConflict::kUpdate));
  const std::vector<RowKey> keys = {"n-zugzwang"};
  ASSERT_OK(notes_->remove(keys));
  const std::string needle(reinterpret_cast<const char*>(secret.data()), 8);
  const auto bytes = [&] {
    return read_bytes_elsewhere(path()) + read_bytes_elsewhere(path() + "-wal");
  };
  ASSERT_NE(bytes().find(needle), std::string::npos);
  const auto purged = notes_->purge(keys);
  ASSERT_OK(purged);
  EXPECT_EQ(*purged, 1) << "only its history was left";
  for (const std::string& trace : {needle, std::string("quuxific"), std::string("zugzwang")}) {
    EXPECT_EQ(bytes().find(trace), std::string::npos) << trace;
  }
  EXPECT_TRUE(notes_->history("n-zugzwang")->empty());
  EXPECT_EQ(check_report(*database_), "");
}

TEST_F(HistoryFileTest, ItIsTurnedOffAndOnAgain) {
  Record record = vector_record("a", {1, 2, 3, 4});
  ASSERT_OK(notes_->insert(record));
  const std::vector<RowKey> keys = {"a"};
  ASSERT_OK(notes_->archive(keys));
  ASSERT_EQ(notes_->history("a")->size(), 1U);
  ASSERT_OK(notes_->set_history({}));
  EXPECT_FALSE(notes_->spec().history.enabled);
  EXPECT_TRUE(fails_with(notes_->history("a"), StatusCode::kFailedPrecondition, {"notes"}));
  ASSERT_OK(notes_->restore(keys));
  ASSERT_OK(notes_->set_history({.enabled = true, .max_versions = 2, .max_age_days = 7}));
  EXPECT_TRUE(notes_->history("a")->empty());
  ASSERT_OK(notes_->archive(keys));
  EXPECT_EQ(notes_->history("a")->size(), 1U);
  EXPECT_TRUE(fails_with(notes_->set_history({.enabled = true, .max_versions = 10001}),
                         StatusCode::kInvalidArgument, {"10001", "10000"}));
  Result<Database> reader = Database::open(path(), {.create = false, .read_only = true});
  ASSERT_OK(reader);
  EXPECT_EQ(reader->collection("notes")->history("a")->size(), 1U);
  EXPECT_EQ(check_report(*database_), "");
}

}  // namespace
}  // namespace loci::testing

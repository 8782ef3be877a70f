// SPDX-License-Identifier: Apache-2.0
//
// Every released format stays readable: the databases kept here as SQL text are restored by the
// plain sqlite3 shell, opened, searched, written and checked. The rows are those of
// make_database.cc.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "loci/loci.h"
#include "support/fixture.h"
#include "support/process.h"
#include "support/temp_dir.h"

namespace loci::testing {
namespace {

std::string read_text(const std::string& path) {
  std::ifstream in(path);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

class CompatTest : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    const std::string dump = read_text(std::string(LOCI_COMPAT_DIR "/") + GetParam() + ".sql");
    ASSERT_NE(dump, "") << "no database of format " << GetParam();
    const ProcessResult shell = sqlite_shell(dir_.file("old.db"), dump);
    ASSERT_EQ(shell.exit_code, 0) << shell.error;
    Result<Database> database = Database::open(dir_.file("old.db"));
    ASSERT_OK(database);
    database_.emplace(*std::move(database));
  }
  Collection open(std::string_view name) {
    Result<Collection> collection = database_->collection(name);
    EXPECT_OK(collection);
    return *std::move(collection);
  }

  TempDir dir_;
  std::optional<Database> database_;
};

TEST_P(CompatTest, RowsAreAllThere) {
  Collection notes = open("notes");
  const CollectionSpec spec = notes.spec();
  ASSERT_EQ(spec.vectors.size(), 2U);
  EXPECT_EQ(spec.vectors[0].metric, Metric::kCosine);
  EXPECT_EQ(spec.vectors[1].metric, Metric::kL2);
  ASSERT_EQ(spec.filters.size(), 4U);
  const auto live = notes.count();
  const auto all = notes.count({}, true);
  ASSERT_OK(live);
  ASSERT_OK(all);
  EXPECT_EQ(*live, 10);
  EXPECT_EQ(*all, 11);
  const auto record = notes.get("note-8", true);
  ASSERT_OK(record);
  ASSERT_TRUE(record->has_value());
  EXPECT_EQ(field(**record, "title"), Value(std::string("note number 8")));
  EXPECT_EQ(field(**record, "lang"), Value(std::string("rust")));
  EXPECT_EQ(field(**record, "year"), Value(int64_t{2018}));
  EXPECT_EQ(field(**record, "rating"), Value(4.0));
  EXPECT_EQ(field(**record, "draft"), Value(true));
  EXPECT_EQ((*record)->metadata, R"({"n": 8})");
  ASSERT_EQ((*record)->vectors.size(), 2U);
  EXPECT_EQ((*record)->vectors[0].second, sine_vector(8, 8));
  EXPECT_EQ((*record)->vectors[1].second, sine_vector(8, 8.5));
}

TEST_P(CompatTest, SearchesAnswer) {
  Collection notes = open("notes");
  const auto nearest = notes.nearest(sine_vector(8, 7), 3);
  ASSERT_OK(nearest);
  ASSERT_EQ(nearest->size(), 3U);
  EXPECT_EQ(to_int(nearest->at(0).rowid), 7);
  EXPECT_NEAR(*nearest->at(0).distance, 0.0, 1e-6);
  SearchRequest words;
  words.mode = SearchMode::kText;
  words.text = "gamma";
  words.where = "year < 2019";
  const auto found = notes.search(words);
  ASSERT_OK(found);
  EXPECT_EQ(found->hits.size(), 2U);  // 3 and 6, not 9
  words.text = "delta";
  words.where = "";
  const auto updated = notes.search(words);
  ASSERT_OK(updated);
  ASSERT_EQ(updated->hits.size(), 1U);
  EXPECT_EQ(updated->hits[0].record.id, "note-5");

  Collection modelled = open("modelled");
  SearchRequest meaning;
  meaning.mode = SearchMode::kVector;
  meaning.text = "apple pie";
  const auto pie = modelled.search(meaning);
  ASSERT_OK(pie);
  ASSERT_EQ(pie->hits.size(), 3U);
  EXPECT_EQ(pie->hits[0].record.id, "apple pie");
  EXPECT_NEAR(*pie->hits[0].distance, 0.0, 1e-6) << "the built-in model has changed";

  Collection bits = open("bits");
  const auto codes = bits.nearest(std::vector<float>(16, 0.0F), 4);
  ASSERT_OK(codes);
  EXPECT_EQ(rowids(*codes), (std::vector<int64_t>{1, 2, 3, 4}));
  EXPECT_EQ(*codes->at(3).distance, 12.0);
}

TEST_P(CompatTest, IndexOnAUsersTableAnswers) {
  Collection shelves = open("shelves");
  const std::vector<float> query = {0, 1};
  const auto nearest = shelves.nearest(query, 2);
  ASSERT_OK(nearest);
  ASSERT_EQ(nearest->size(), 2U);
  EXPECT_EQ(*nearest->at(0).distance, 0.0);
  SearchRequest words;
  words.mode = SearchMode::kText;
  words.text = "third";
  const auto found = shelves.search(words);
  ASSERT_OK(found);
  ASSERT_EQ(found->hits.size(), 1U);
  EXPECT_EQ(found->hits[0].rowid, nearest->at(0).rowid);
}

TEST_P(CompatTest, IsWrittenAndCheckedClean) {
  EXPECT_EQ(check_report(*database_), "");
  Collection notes = open("notes");
  Record record = vector_record("added", sine_vector(8, 40));
  record.fields = {{"body", std::string("omega three")}};
  ASSERT_OK(notes.insert(record));
  const std::vector<RowKey> removed = {RowKey("note-1")};
  ASSERT_OK(notes.remove(removed));
  const auto nearest = notes.nearest(sine_vector(8, 40), 1);
  ASSERT_OK(nearest);
  EXPECT_EQ(nearest->at(0).distance.has_value(), true);
  EXPECT_NEAR(*nearest->at(0).distance, 0.0, 1e-6);
  EXPECT_EQ(check_report(*database_), "");
}

TEST_P(CompatTest, OldVersionsAreAllThere) {
  if (std::string_view(GetParam()) == "v1") GTEST_SKIP() << "format 1 keeps no old versions";
  Collection diary = open("diary");
  const auto versions = diary.history("monday", true);
  ASSERT_OK(versions);
  ASSERT_EQ(versions->size(), 2U);
  EXPECT_EQ(field(versions->at(0).record, "body"), Value(std::string("sun")));
  EXPECT_EQ(versions->at(0).record.vectors.at(0).second, sine_vector(8, 1));
  EXPECT_EQ(field(versions->at(1).record, "body"), Value(std::string("rain")));
  Record changes;
  changes.fields = {{"body", std::string("fog")}};
  ASSERT_OK(diary.update("monday", changes));
  const auto after = diary.history("monday", true);
  ASSERT_OK(after);
  ASSERT_EQ(after->size(), 3U);
  EXPECT_EQ(after->at(0).record.vectors.at(0).second, sine_vector(8, 2));
  EXPECT_EQ(check_report(*database_), "");
}

INSTANTIATE_TEST_SUITE_P(Formats, CompatTest, ::testing::Values("v1", "v2"),
                         [](const auto& format) { return std::string(format.param); });

}  // namespace
}  // namespace loci::testing

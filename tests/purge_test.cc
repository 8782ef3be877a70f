// SPDX-License-Identifier: Apache-2.0
//
// After a purge no byte of the row is left: not in the database file, not in its WAL, not in the
// full-text index. The files are read byte by byte, with the database still open.
#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "loci/loci.h"
#include "support/fixture.h"
#include "support/process.h"
#include "support/temp_dir.h"

namespace loci::testing {
namespace {

constexpr size_t kDim = 96;

std::string bytes_of(const std::vector<float>& vector) {
  std::string bytes(vector.size() * sizeof(float), '\0');
  std::memcpy(bytes.data(), vector.data(), bytes.size());
  return bytes;
}

/// The two files that hold rows. The -shm holds page numbers only, yet it is read too.
std::string all_bytes(const std::string& path) {
  return read_bytes_elsewhere(path) + read_bytes_elsewhere(path + "-wal") +
         read_bytes_elsewhere(path + "-shm");
}

/// What must not be found, each with its name. Words are looked for without their first letters
/// too: FTS5 stores a term without the prefix that it shares with the term before it.
struct Secrets {
  std::vector<std::pair<std::string, std::string>> needles;

  void add_word(const std::string& word) { needles.emplace_back(word, word.substr(4)); }
  void add_vector(const std::string& name, const std::vector<float>& vector) {
    const std::string bytes = bytes_of(vector);
    needles.emplace_back(name + " begin", bytes.substr(0, 24));
    needles.emplace_back(name + " middle", bytes.substr(bytes.size() / 2, 24));
    needles.emplace_back(name + " end", bytes.substr(bytes.size() - 24));
  }
  [[nodiscard]] std::string found_in(const std::string& bytes) const {
    std::string found;
    for (const auto& [name, needle] : needles) {
      if (bytes.find(needle) != std::string::npos) found += name + "; ";
    }
    return found;
  }
};

class PurgeTest : public ::testing::Test {
 protected:
  void SetUp() override {
    Result<Database> database = Database::open(path());
    ASSERT_OK(database);
    database_.emplace(*std::move(database));
    CollectionSpec spec;
    spec.name = "diary";
    spec.vectors = {vector_column("embedding", kDim, Metric::kCosine)};
    spec.text = {"title", "body"};
    spec.filters = {{"place", FieldType::kText}};
    Result<Collection> diary = database_->create_collection(spec);
    ASSERT_OK(diary);
    diary_.emplace(*std::move(diary));
    std::vector<Record> records;
    Random random(7);
    for (int i = 0; i < 200; ++i) {
      Record record = vector_record("day-" + std::to_string(i), random.vector(kDim));
      record.fields = {{"title", "an ordinary day"},
                       {"body", "nothing of note happened on day " + std::to_string(i)},
                       {"place", std::string("home")}};
      records.push_back(std::move(record));
    }
    ASSERT_OK(diary_->insert_many(records));
  }

  [[nodiscard]] std::string path() const { return dir_.file("diary.db"); }

  /// A row whose every word, vector and id is found nowhere else.
  Record secret_row() {
    Record record = vector_record("idqwvertomprasil", sine_vector(kDim, 0.7321));
    record.fields = {{"title", "the xylobrastomine plan"},
                     {"body", "we met quorzinabelthu at noon; wherfumblick came late"},
                     {"place", std::string("vrekkonstamural")}};
    record.metadata = R"({"who": "jhumplydrastic"})";
    for (const char* word : {"idqwvertomprasil", "xylobrastomine", "quorzinabelthu", "wherfumblick",
                             "vrekkonstamural", "jhumplydrastic"}) {
      secrets_.add_word(word);
    }
    secrets_.add_vector("vector", record.vectors[0].second);
    return record;
  }

  TempDir dir_;
  Secrets secrets_;
  std::optional<Database> database_;
  std::optional<Collection> diary_;
};

TEST_F(PurgeTest, NoByteOfThePurgedRowIsLeft) {
  const Record secret = secret_row();
  ASSERT_OK(diary_->insert(secret));
  // The needles are real: before the purge nearly every one is found.
  const std::string before = secrets_.found_in(all_bytes(path()));
  for (const char* name :
       {"idqwvertomprasil", "xylobrastomine", "vrekkonstamural", "vector end", "jhumplydrastic"}) {
    EXPECT_NE(before.find(name), std::string::npos) << name << " not in: " << before;
  }
  const std::vector<RowKey> keys = {RowKey(*secret.id), RowKey("day-7"), RowKey("day-absent")};
  const auto purged = diary_->purge(keys);
  ASSERT_OK(purged);
  EXPECT_EQ(*purged, 2);
  EXPECT_EQ(secrets_.found_in(all_bytes(path())), "");

  SearchRequest words;
  words.mode = SearchMode::kText;
  words.text = "quorzinabelthu";
  const auto found = diary_->search(words);
  ASSERT_OK(found);
  EXPECT_TRUE(found->hits.empty());
  const auto nearest = diary_->nearest(secret.vectors[0].second, 300);
  ASSERT_OK(nearest);
  EXPECT_EQ(nearest->size(), 199U);
  EXPECT_EQ(check_report(*database_), "");
}

TEST_F(PurgeTest, FormerVersionsOfTheRowGoToo) {
  Record secret = secret_row();
  ASSERT_OK(diary_->insert(secret));
  Record changes = vector_record("", sine_vector(kDim, 1.931));
  changes.fields = {{"body", "now it says plomdrivagusto"}, {"place", std::string("elsewhere")}};
  secrets_.add_word("plomdrivagusto");
  secrets_.add_vector("second vector", changes.vectors[0].second);
  ASSERT_OK(diary_->update(*secret.id, changes));
  const std::vector<RowKey> keys = {RowKey(*secret.id)};
  ASSERT_OK(diary_->archive(keys));
  const auto purged = diary_->purge(keys);
  ASSERT_OK(purged);
  EXPECT_EQ(*purged, 1);
  EXPECT_EQ(secrets_.found_in(all_bytes(path())), "");
}

TEST_F(PurgeTest, RowsWrittenAndPurgedAmongManyOthers) {
  // Spread over many pages and several FTS5 segments, so that merges have copied the words about.
  const Record secret = secret_row();
  Random random(8);
  for (int i = 0; i < 30; ++i) {
    if (i == 10) {
      ASSERT_OK(diary_->insert(secret));
    }
    std::vector<Record> records;
    for (int j = 0; j < 20; ++j) {
      records.push_back(vector_record("", random.vector(kDim)));
      records.back().fields = {{"body", "filler " + std::to_string(i * 20 + j) + " words"}};
    }
    ASSERT_OK(diary_->insert_many(records));
  }
  const std::vector<RowKey> keys = {RowKey(*secret.id)};
  const auto purged = diary_->purge(keys);
  ASSERT_OK(purged);
  EXPECT_EQ(*purged, 1);
  EXPECT_EQ(secrets_.found_in(all_bytes(path())), "");
  EXPECT_EQ(check_report(*database_), "");
}

TEST_F(PurgeTest, IsRefusedInsideATransaction) {
  const std::vector<RowKey> keys = {RowKey("day-1")};
  const Status status =
      database_->transaction([&]() -> Status { return diary_->purge(keys).status(); });
  EXPECT_TRUE(fails_with(status, StatusCode::kFailedPrecondition, {"purge", "transaction"}));
  const auto record = diary_->get("day-1");
  ASSERT_OK(record);
  EXPECT_TRUE(record->has_value());
}

}  // namespace
}  // namespace loci::testing

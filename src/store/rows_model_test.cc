// SPDX-License-Identifier: Apache-2.0
//
// Random writes through store/rows.h beside a model in memory, with transactions, savepoints and
// rollbacks. After every few operations everything that can be read must be what the model says:
// rows, vectors, pending marks, full text, counts.
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

#include "base/strings.h"
#include "sqlite/query.h"
#include "store/rows.h"

namespace loci::store {
namespace {

constexpr std::string_view kWords[] = {"apple", "pear", "plum", "fig", "date", "lime"};

struct ModelRow {
  std::string id;
  std::optional<std::string> title, body, lang;
  std::optional<std::string> metadata;
  bool archived = false;
  std::vector<float> embedding;  ///< of the model's column
  bool stale = false;            ///< the text changed after it
  bool has_vector_row = false;
  std::vector<float> extra;

  [[nodiscard]] bool has_text() const {
    return !title.value_or("").empty() || !body.value_or("").empty();
  }
  [[nodiscard]] bool pending() const { return has_text() && (!has_vector_row || stale); }
};
using Model = std::map<int64_t, ModelRow>;

class RowsModelTest : public testing::TestWithParam<uint32_t> {
 protected:
  void SetUp() override {
    random_.seed(GetParam());
    auto opened = sqlite::Connection::open(":memory:", {});
    ASSERT_TRUE(opened.ok()) << opened.error().to_string();
    connection_ = *std::move(opened);
    CollectionSpec spec;
    spec.name = "notes";
    spec.vectors.resize(2);
    spec.vectors[0].dim = 2;
    spec.vectors[0].model = "hash:16:v1";
    spec.vectors[1].name = "extra";
    spec.vectors[1].dim = 1;
    spec.vectors[1].metric = Metric::kL2;
    spec.text = {"title", "body"};
    spec.filters = {{"lang", FieldType::kText}};
    auto created = create_collection(*connection_, spec);
    ASSERT_TRUE(created.ok()) << created.error().to_string();
    notes_ = *std::move(created);
  }

  uint32_t random(uint32_t below) { return static_cast<uint32_t>(random_()) % below; }
  bool chance(uint32_t of) { return random(of) == 0; }

  std::optional<std::string> random_text() {
    if (chance(6)) return std::nullopt;
    std::string text;
    for (uint32_t i = random(4); i > 0; --i) {
      base::str_append(text, text.empty() ? "" : " ", kWords[random(6)]);
    }
    return text;
  }
  static Value as_value(const std::optional<std::string>& text) {
    return text.has_value() ? Value(*text) : Value();
  }

  Record random_record() {
    Record record;
    if (!chance(3)) record.fields.emplace_back("title", as_value(random_text()));
    if (!chance(3)) record.fields.emplace_back("body", as_value(random_text()));
    if (!chance(3)) record.fields.emplace_back("lang", as_value(random_text()));
    if (chance(2)) record.metadata = base::str_cat("{\"n\":", random(100), "}");
    if (chance(2)) {
      record.vectors.emplace_back("embedding", chance(4) ? std::vector<float>{} : random_vector(2));
    }
    if (chance(3)) {
      record.vectors.emplace_back("extra", chance(4) ? std::vector<float>{} : random_vector(1));
    }
    return record;
  }
  std::vector<float> random_vector(size_t dim) {
    std::vector<float> vector(dim);
    for (float& x : vector) x = static_cast<float>(random(100) + 1);
    return vector;
  }

  /// Applies a record's columns to a row of the model, as an insert or an update would.
  static void apply(ModelRow& row, const Record& record) {
    const auto before = std::make_pair(row.title, row.body);
    for (const auto& [name, value] : record.fields) {
      const auto* text = std::get_if<std::string>(&value);
      auto& column = name == "title" ? row.title : (name == "body" ? row.body : row.lang);
      column = text != nullptr ? std::optional<std::string>(*text) : std::nullopt;
    }
    if (row.has_vector_row && before != std::make_pair(row.title, row.body)) row.stale = true;
    if (record.metadata.has_value()) row.metadata = record.metadata;
    const bool first = !row.has_vector_row;
    bool gave_embedding = false;
    for (const auto& [name, vector] : record.vectors) {
      row.has_vector_row = true;
      (name == "embedding" ? row.embedding : row.extra) = vector;
      gave_embedding = gave_embedding || name == "embedding";
    }
    if (gave_embedding) row.stale = false;
    if (first && row.has_vector_row && !gave_embedding) row.stale = true;
  }

  /// 0: no row has it.
  [[nodiscard]] int64_t find_id(const std::string& id) const {
    for (const auto& [rowid, row] : model_) {
      if (row.id == id) return rowid;
    }
    return 0;
  }

  void put_one() {
    Record record = random_record();
    if (!chance(4)) record.id = base::str_cat("id", random(30));
    if (chance(3)) record.rowid = RowId{static_cast<int64_t>(random(40)) + 1};
    constexpr OnConflict kAll[] = {OnConflict::kError, OnConflict::kUpdate, OnConflict::kReplace,
                                   OnConflict::kIgnore};
    const OnConflict on_conflict = kAll[random(4)];
    const int64_t by_id = record.id.has_value() ? find_id(*record.id) : 0;
    int64_t by_rowid = 0;
    if (record.rowid.has_value() && model_.count(to_int(*record.rowid)) != 0) {
      by_rowid = to_int(*record.rowid);
    }
    const bool conflict = by_id != 0 || by_rowid != 0;
    const bool mixed = record.id.has_value() && record.rowid.has_value() && by_id != by_rowid;
    const auto written = put_row(*connection_, notes_, record, on_conflict);
    if (!conflict) {
      ASSERT_TRUE(written.ok()) << written.error().to_string();
      ASSERT_EQ(written->outcome, WriteOutcome::kInserted);
      ModelRow row;
      row.id = record.id.has_value() ? *record.id : stored_id(written->rowid);
      apply(row, record);
      model_[to_int(written->rowid)] = row;
      return;
    }
    const int64_t target = by_id != 0 ? by_id : by_rowid;
    if (on_conflict == OnConflict::kError) {
      ASSERT_EQ(written.error().code(), StatusCode::kAlreadyExists);
    } else if (on_conflict == OnConflict::kIgnore) {
      ASSERT_TRUE(written.ok());
      ASSERT_EQ(written->outcome, WriteOutcome::kIgnored);
    } else if (mixed) {
      ASSERT_EQ(written.error().code(), StatusCode::kInvalidArgument);
    } else {
      ASSERT_TRUE(written.ok()) << written.error().to_string();
      ASSERT_EQ(to_int(written->rowid), target);
      ModelRow& row = model_[target];
      if (on_conflict == OnConflict::kReplace) {
        ModelRow fresh;
        fresh.id = row.id;
        row = fresh;
      }
      apply(row, record);
    }
  }

  std::string stored_id(RowId row) {
    return sqlite::query_text(*connection_, "SELECT id FROM notes WHERE rid = ?", to_int(row))
        .value()
        .value_or("");
  }

  void change_one() {
    if (model_.empty()) return;
    auto at = model_.begin();
    std::advance(at, random(static_cast<uint32_t>(model_.size())));
    auto& [rowid, row] = *at;
    const RowId key{rowid};
    switch (random(6)) {
      case 0:
        ASSERT_TRUE(*remove_row(*connection_, notes_, key));
        model_.erase(at);
        return;
      case 1:
        ASSERT_TRUE(*set_archived(*connection_, notes_, key, !row.archived));
        row.archived = !row.archived;
        return;
      case 2: {
        const std::vector<float> vector = random_vector(2);
        ASSERT_TRUE(put_vector(*connection_, notes_, 0, key, vector).ok());
        row.embedding = vector;
        row.stale = false;
        row.has_vector_row = true;
        return;
      }
      case 3: {
        ASSERT_EQ(*purge_rows(*connection_, notes_, {{key}}), 1);
        model_.erase(at);
        return;
      }
      default: {
        const Record record = random_record();
        ASSERT_TRUE(update_row(*connection_, notes_, key, record).ok());
        apply(row, record);
        return;
      }
    }
  }

  void remove_some() {
    const std::string lang(kWords[random(6)]);
    const auto removed = remove_rows(*connection_, notes_, {"(t.\"lang\" = ?)", {lang}});
    ASSERT_TRUE(removed.ok());
    const auto gone =
        std::erase_if(model_, [&](const auto& entry) { return entry.second.lang == lang; });
    ASSERT_EQ(*removed, static_cast<int64_t>(gone));
  }

  void check_all() {
    auto expected = model_.begin();
    const Status scanned = scan_rows(
        *connection_, notes_, {}, {.with_archived = true, .with_vectors = true},
        [&](const Record& record) -> Status {
          EXPECT_NE(expected, model_.end()) << "a row too many: " << to_int(*record.rowid);
          if (expected == model_.end()) return Status::cancelled("");
          const ModelRow& row = expected->second;
          EXPECT_EQ(to_int(*record.rowid), expected->first);
          EXPECT_EQ(record.id, row.id);
          EXPECT_EQ(record.fields[0].second, as_value(row.title));
          EXPECT_EQ(record.fields[1].second, as_value(row.body));
          EXPECT_EQ(record.fields[2].second, as_value(row.lang));
          EXPECT_EQ(record.metadata, row.metadata);
          EXPECT_EQ(record.archived, row.archived);
          std::vector<std::pair<std::string, std::vector<float>>> vectors;
          if (!row.embedding.empty() && !row.stale)
            vectors.emplace_back("embedding", row.embedding);
          if (!row.extra.empty()) vectors.emplace_back("extra", row.extra);
          EXPECT_EQ(record.vectors, vectors) << "row " << expected->first;
          ++expected;
          return {};
        });
    ASSERT_TRUE(scanned.ok()) << scanned.to_string();
    ASSERT_EQ(expected, model_.end());
    check_pending_and_index();
    check_text();
  }

  void check_pending_and_index() {
    std::vector<int64_t> pending;
    for (const auto& [rowid, row] : model_) {
      if (row.pending()) pending.push_back(rowid);
    }
    std::vector<int64_t> found;
    const auto read = read_pending(*connection_, notes_, 0, kNoRow, 1000);
    ASSERT_TRUE(read.ok()) << read.error().to_string();
    for (const PendingRow& row : *read) {
      found.push_back(to_int(row.rowid));
    }
    ASSERT_EQ(found, pending);
    ASSERT_EQ(*count_pending(*connection_, notes_, 0), static_cast<int64_t>(pending.size()));
    auto expected = model_.begin();
    ASSERT_TRUE(read_all(*connection_, notes_, [&](const IndexRow& at) -> Status {
                  EXPECT_EQ(to_int(at.rowid), expected->first);
                  const bool counts =
                      !expected->second.stale && !expected->second.embedding.empty();
                  EXPECT_EQ(at.vectors[0].empty(), !counts);
                  EXPECT_EQ(at.vectors[1].empty(), expected->second.extra.empty());
                  ++expected;
                  return {};
                }).ok());
    ASSERT_EQ(expected, model_.end());
  }

  void check_text() {
    ASSERT_TRUE(
        connection_->exec("INSERT INTO notes_fts(notes_fts, rank) VALUES ('integrity-check', 1)")
            .ok());
    for (const std::string_view word : kWords) {
      std::set<int64_t> expected;
      for (const auto& [rowid, row] : model_) {
        const std::string text = row.title.value_or("") + " " + row.body.value_or("");
        if (!row.archived && text.find(word) != std::string::npos) expected.insert(rowid);
      }
      std::set<int64_t> found;
      const auto hits = search_text(*connection_, notes_, base::str_cat("\"", word, "\""), {}, {});
      ASSERT_TRUE(hits.ok()) << hits.error().to_string();
      for (const TextHit& hit : *hits) {
        found.insert(to_int(hit.rowid));
      }
      ASSERT_EQ(found, expected) << word;
    }
  }

  std::unique_ptr<sqlite::Connection> connection_;
  Source notes_;
  Model model_;
  std::mt19937 random_;
};

TEST_P(RowsModelTest, EverythingReadIsWhatTheModelSays) {
  SCOPED_TRACE(testing::Message() << "seed " << GetParam());
  std::vector<std::pair<sqlite::Transaction, Model>> open;  // and the model as it was before
  for (int step = 0; step < 600; ++step) {
    SCOPED_TRACE(testing::Message() << "step " << step);
    const uint32_t choice = random(20);
    if (choice == 0 && open.size() < 3) {
      auto begun = sqlite::Transaction::begin(*connection_, sqlite::Transaction::Kind::kWrite);
      ASSERT_TRUE(begun.ok()) << begun.error().to_string();
      open.emplace_back(*std::move(begun), model_);
    } else if (choice == 1 && !open.empty()) {
      if (chance(2)) {
        ASSERT_TRUE(open.back().first.commit().ok());
      } else {
        open.back().first.rollback();
        model_ = open.back().second;
      }
      open.pop_back();
    } else if (choice == 2 && chance(3)) {
      remove_some();
    } else if (choice < 12) {
      put_one();
    } else {
      change_one();
    }
    if (HasFatalFailure()) return;
    if (step % 10 == 0) check_all();
    if (HasFailure()) return;
  }
  while (!open.empty()) {
    ASSERT_TRUE(open.back().first.commit().ok());
    open.pop_back();
  }
  check_all();
}

INSTANTIATE_TEST_SUITE_P(Seeds, RowsModelTest, testing::Range(1U, 9U));

}  // namespace
}  // namespace loci::store

// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "base/strings.h"
#include "sqlite/query.h"
#include "store/rows.h"

namespace loci::store {
namespace {

class RowsTextTest : public testing::Test {
 protected:
  void SetUp() override {
    auto opened = sqlite::Connection::open(":memory:", {});
    ASSERT_TRUE(opened.ok()) << opened.error().to_string();
    connection_ = *std::move(opened);
    CollectionSpec spec;
    spec.name = "notes";
    spec.text = {"title", "body"};
    spec.filters = {{"year", FieldType::kInt}};
    auto created = create_collection(*connection_, spec);
    ASSERT_TRUE(created.ok()) << created.error().to_string();
    notes_ = *std::move(created);
  }

  RowId put(const std::string& title, const std::string& body, int64_t year) {
    Record record;
    record.fields = {{"title", title}, {"body", body}, {"year", year}};
    const auto written = put_row(*connection_, notes_, record, OnConflict::kError);
    EXPECT_TRUE(written.ok()) << written.error().to_string();
    return written.ok() ? written->rowid : kNoRow;
  }
  std::vector<TextHit> search(std::string_view query, const SqlFilter& filter = {},
                              const ScanOptions& options = {}) {
    const auto hits = search_text(*connection_, notes_, query, filter, options);
    EXPECT_TRUE(hits.ok()) << hits.error().to_string();
    return hits.ok() ? *hits : std::vector<TextHit>();
  }
  std::vector<int64_t> rows(std::string_view query, const SqlFilter& filter = {},
                            const ScanOptions& options = {}) {
    std::vector<int64_t> out;
    for (const TextHit& hit : search(query, filter, options)) out.push_back(to_int(hit.rowid));
    return out;
  }

  std::unique_ptr<sqlite::Connection> connection_;
  Source notes_;
};

TEST_F(RowsTextTest, BestFirstByBm25TiesByRowid) {
  for (int64_t i = 0; i < 200; ++i) {
    put(base::str_cat("title ", i), i % 3 == 0 ? "apple apple pear" : "plum and other fruit", i);
  }
  put("apple", "apple apple apple", 1);
  const std::vector<TextHit> hits = search("\"apple\" OR \"pear\"");
  std::vector<std::pair<double, int64_t>> expected;
  auto statement = connection_->prepare(
      "SELECT rowid, bm25(notes_fts) FROM notes_fts WHERE notes_fts MATCH '\"apple\" OR \"pear\"'");
  ASSERT_TRUE(statement.ok());
  ASSERT_TRUE(sqlite::for_each_row(*statement, [&](sqlite::Statement& at) -> Status {
                expected.emplace_back(at.column_double(1), at.column_int(0));
                return {};
              }).ok());
  std::sort(expected.begin(), expected.end());
  ASSERT_EQ(hits.size(), expected.size());
  for (size_t i = 0; i < hits.size(); ++i) {
    EXPECT_EQ(to_int(hits[i].rowid), expected[i].second) << i;
    EXPECT_DOUBLE_EQ(hits[i].bm25, -expected[i].first);
    EXPECT_GT(hits[i].bm25, 0);
  }
  const std::vector<int64_t> page = rows("\"apple\" OR \"pear\"", {}, {.limit = 3, .offset = 2});
  ASSERT_EQ(page.size(), 3U);
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(page[i], expected[i + 2].second);
}

TEST_F(RowsTextTest, ArchivedRowsAndFiltersAreRespected) {
  const RowId first = put("apple", "", 2019);
  const RowId second = put("apple", "", 2020);
  const RowId third = put("apples", "", 2021);
  EXPECT_EQ(rows("\"apple\"").size(), 3U) << "porter stems";
  ASSERT_TRUE(*set_archived(*connection_, notes_, second, true));
  EXPECT_EQ(rows("\"apple\""), (std::vector<int64_t>{to_int(first), to_int(third)}));
  EXPECT_EQ(rows("\"apple\"", {}, {.with_archived = true}).size(), 3U);
  const SqlFilter late = {"(t.\"year\" >= ?)", {int64_t{2020}}};
  EXPECT_EQ(rows("\"apple\"", late), (std::vector<int64_t>{to_int(third)}));
  EXPECT_EQ(rows("\"apple\"", late, {.with_archived = true}).size(), 2U);
  EXPECT_EQ(rows("\"apple\"", late, {.with_archived = true, .limit = 1}).size(), 1U);
  ASSERT_TRUE(*remove_row(*connection_, notes_, third));
  EXPECT_EQ(rows("\"apple\""), (std::vector<int64_t>{to_int(first)}));
}

TEST_F(RowsTextTest, QueriesFtsCannotReadAreErrorsAndEmptyOnesFindNothing) {
  put("apple", "", 1);
  EXPECT_TRUE(rows("").empty());
  const auto broken = search_text(*connection_, notes_, "AND (", {}, {});
  ASSERT_FALSE(broken.ok());
  EXPECT_EQ(broken.error().code(), StatusCode::kInvalidArgument);
  EXPECT_NE(broken.error().message().find("full-text query `AND (`"), std::string_view::npos)
      << broken.error().message();
  Source no_text = notes_;
  no_text.fts_table.clear();
  EXPECT_EQ(search_text(*connection_, no_text, "\"apple\"", {}, {}).error().code(),
            StatusCode::kFailedPrecondition);
}

TEST_F(RowsTextTest, SnippetMarksTheMatchedWords) {
  std::string body = "start ";
  for (int i = 0; i < 60; ++i) base::str_append(body, "filler", i, " ");
  const RowId row = put("A title", body + "the sweet apple pie of the house", 1);
  const auto text = snippet(*connection_, notes_, "\"apples\" OR \"pie\"", row);
  ASSERT_TRUE(text.ok()) << text.error().to_string();
  EXPECT_NE(text->find("[apple] [pie]"), std::string::npos) << *text;
  EXPECT_EQ(text->rfind(" ... ", 0), 0U) << *text;
  EXPECT_LT(text->size(), 200U);
  EXPECT_EQ(*snippet(*connection_, notes_, "\"pear\"", row), "");
  EXPECT_EQ(*snippet(*connection_, notes_, "\"apple\"", RowId{99}), "");
  EXPECT_EQ(*snippet(*connection_, notes_, "", row), "");
}

}  // namespace
}  // namespace loci::store

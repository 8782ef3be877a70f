// SPDX-License-Identifier: Apache-2.0
#include "query/ranking.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "base/strings.h"
#include "sqlite/query.h"

namespace loci::query {
namespace {

TEST(FtsQueryTest, WordsAreQuotedAndJoinedByOr) {
  EXPECT_EQ(fts_query("image viewer"), R"("image" OR "viewer")");
  EXPECT_EQ(fts_query("  state-of-the-art, isn't it?"), R"("state" OR "art" OR "isn" OR "t")");
  EXPECT_EQ(fts_query("What is The image?"), R"("image")");
  EXPECT_EQ(fts_query("to be or not to be"), R"("to" OR "be" OR "or" OR "not")");
  EXPECT_EQ(fts_query("b b \"b\""), R"("b")");
  EXPECT_EQ(fts_query("na\xc3\xafve \xe2\x80\x9cquoted\xe2\x80\x9d\xe2\x80\xa6"),
            "\"na\xc3\xafve\" OR \"quoted\"");
  for (const std::string_view nothing : {"", "  ", "\"*()\"", "\xe2\x80\x94", "\xff\xfe"}) {
    EXPECT_EQ(fts_query(nothing), "") << nothing;
  }
}

TEST(FtsQueryTest, AtMost64Words) {
  std::string text;
  for (int i = 0; i < 1000; ++i) base::str_append(text, "w", i, " ");
  const std::string query = fts_query(text);
  EXPECT_TRUE(query.ends_with("\"w63\"")) << query;
}

/// Whatever a user types, FTS5 reads the query: it is never a syntax error.
TEST(FtsQueryTest, NoTextIsASyntaxError) {
  constexpr uint32_t kSeed = 99;
  SCOPED_TRACE(testing::Message() << "seed " << kSeed);
  std::mt19937 random(kSeed);
  auto connection = sqlite::Connection::open(":memory:", {});
  ASSERT_TRUE(connection.ok());
  ASSERT_TRUE((*connection)->exec("CREATE VIRTUAL TABLE f USING fts5(body)").ok());
  const std::vector<std::string> pieces = {"AND",
                                           "OR",
                                           "NOT",
                                           "NEAR(",
                                           "\"",
                                           "'",
                                           "*",
                                           "^",
                                           "body:",
                                           "{",
                                           "}",
                                           "(",
                                           ")",
                                           "+",
                                           "-",
                                           "\xc3\xa9",
                                           "\xff",
                                           "word",
                                           "\xe6\x97\xa5",
                                           "\xcc\x81",
                                           std::string(1, '\0')};
  for (int round = 0; round < 5000; ++round) {
    std::string text;
    for (uint32_t i = random() % 8; i > 0; --i) {
      text += pieces[random() % pieces.size()];
      if (random() % 2 == 0) text += ' ';
    }
    const std::string query = fts_query(text);
    if (query.empty()) continue;
    const auto count =
        sqlite::query_int(**connection, "SELECT count(*) FROM f WHERE f MATCH ?", query);
    ASSERT_TRUE(count.ok()) << text << " -> " << query << ": " << count.error().to_string();
  }
}

TEST(FusionTest, DepthIsAtLeast100AndFourTimesK) {
  EXPECT_EQ(fusion_depth(1), 100U);
  EXPECT_EQ(fusion_depth(25), 100U);
  EXPECT_EQ(fusion_depth(26), 104U);
  EXPECT_GE(fusion_depth(SIZE_MAX), SIZE_MAX / 2);
}

TEST(FusionTest, RowsSeenByBothArmsComeFirst) {
  const std::vector<Neighbor> vector = {{RowId{1}, 0.1}, {RowId{2}, 0.2}, {RowId{3}, 0.3}};
  const std::vector<store::TextHit> text = {{RowId{3}, 9.0}, {RowId{4}, 8.0}};
  const std::vector<FusedHit> hits = fuse_rrf(vector, text, 0);
  ASSERT_EQ(hits.size(), 4U);
  EXPECT_EQ(hits[0].rowid, RowId{3});
  EXPECT_DOUBLE_EQ(hits[0].score, 1.0 / 63 + 1.0 / 61);
  EXPECT_EQ(hits[0].distance, 0.3);
  EXPECT_EQ(hits[0].bm25, 9.0);
  EXPECT_EQ(hits[1].rowid, RowId{1});
  EXPECT_FALSE(hits[1].bm25.has_value());
  EXPECT_EQ(hits[2].rowid, RowId{2});  // ties with 4: by rowid
  EXPECT_EQ(hits[3].rowid, RowId{4});
  EXPECT_FALSE(hits[3].distance.has_value());
  EXPECT_EQ(fuse_rrf(vector, text, 2).size(), 2U);
  EXPECT_TRUE(fuse_rrf({}, {}, 5).empty());
}

TEST(FusionTest, AgreesWithTheFormulaOnRandomLists) {
  constexpr uint32_t kSeed = 5;
  SCOPED_TRACE(testing::Message() << "seed " << kSeed);
  std::mt19937 random(kSeed);
  for (int round = 0; round < 100; ++round) {
    std::vector<int64_t> rows(50);
    for (size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<int64_t>(i);
    std::shuffle(rows.begin(), rows.end(), random);
    std::vector<Neighbor> vector;
    std::vector<store::TextHit> text;
    vector.reserve(30);
    text.reserve(20);
    for (size_t i = 0; i < 30; ++i) vector.push_back({RowId{rows[i]}, static_cast<double>(i)});
    std::shuffle(rows.begin(), rows.end(), random);
    for (size_t i = 0; i < 20; ++i) text.push_back({RowId{rows[i]}, 20.0 - static_cast<double>(i)});
    std::vector<std::pair<double, int64_t>> expected;  // -score, row
    for (int64_t row = 0; row < 50; ++row) {
      double score = 0;
      for (size_t i = 0; i < vector.size(); ++i) {
        if (vector[i].rowid == RowId{row}) score += 1 / (61 + static_cast<double>(i));
      }
      for (size_t i = 0; i < text.size(); ++i) {
        if (text[i].rowid == RowId{row}) score += 1 / (61 + static_cast<double>(i));
      }
      if (score > 0) expected.emplace_back(-score, row);
    }
    std::sort(expected.begin(), expected.end());
    const std::vector<FusedHit> hits = fuse_rrf(vector, text, 10);
    ASSERT_EQ(hits.size(), 10U);
    for (size_t i = 0; i < hits.size(); ++i) {
      EXPECT_EQ(to_int(hits[i].rowid), expected[i].second) << "round " << round << ", place " << i;
      EXPECT_DOUBLE_EQ(hits[i].score, -expected[i].first);
    }
  }
}

}  // namespace
}  // namespace loci::query

// SPDX-License-Identifier: Apache-2.0
#include "query/filter.h"

#include <gtest/gtest.h>

#include <random>

#include "base/limits.h"
#include "base/strings.h"

namespace loci::query {
namespace {

store::Source make_notes() {
  store::Source source;
  source.id = 1;
  source.spec.name = "notes";
  source.spec.text = {"title", "body"};
  source.spec.filters = {{"lang", FieldType::kText},
                         {"year", FieldType::kInt},
                         {"rating", FieldType::kFloat},
                         {"draft", FieldType::kBool}};
  source.table = "notes";
  source.vector_table = "notes_vectors";
  source.key_column = "rid";
  return source;
}

const store::Source& notes() {
  static const store::Source source = make_notes();
  return source;
}

std::string sql_of(std::string_view text) {
  const Result<Filter> filter = Filter::bind(text, notes());
  return filter.ok() ? filter->to_sql().sql : filter.error().to_string();
}

std::string error_of(std::string_view text) {
  const Result<Filter> filter = Filter::bind(text, notes());
  return filter.ok() ? "accepted: " + filter->to_sql().sql : filter.error().to_string();
}

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

TEST(FilterTest, EmptyTextPassesEveryRow) {
  for (const std::string_view text : {"", "  \n\t "}) {
    const Result<Filter> filter = Filter::bind(text, notes());
    ASSERT_TRUE(filter.ok());
    EXPECT_TRUE(filter->empty());
    EXPECT_EQ(filter->to_sql().sql, "");
    EXPECT_FALSE(filter->to_predicate().has_value());
  }
}

TEST(FilterTest, ValuesAreBoundNeverPasted) {
  const Result<Filter> filter =
      Filter::bind("lang = 'x''; DROP TABLE notes; --' AND year IN (1, 2.5)", notes());
  ASSERT_TRUE(filter.ok()) << filter.error().to_string();
  const store::SqlFilter sql = filter->to_sql();
  EXPECT_EQ(sql.sql, R"(((t."lang" = ?) AND (t."year" IN (?,?))))");
  ASSERT_EQ(sql.values.size(), 3U);
  EXPECT_EQ(std::get<std::string>(sql.values[0]), "x'; DROP TABLE notes; --");
  EXPECT_EQ(std::get<int64_t>(sql.values[1]), 1);
  EXPECT_EQ(std::get<double>(sql.values[2]), 2.5);
}

TEST(FilterTest, PrecedenceIsNotThenAndThenOr) {
  EXPECT_EQ(sql_of("NOT year = 1 AND lang = 'a' OR draft = true"),
            R"((((NOT (t."year" = ?)) AND (t."lang" = ?)) OR (t."draft" = ?)))");
  EXPECT_EQ(sql_of("year = 1 and (lang = 'a' or lang = 'b')"),
            R"(((t."year" = ?) AND ((t."lang" = ?) OR (t."lang" = ?))))");
}

TEST(FilterTest, EveryTestAndSpellingIsRead) {
  EXPECT_EQ(sql_of("year == 1"), R"((t."year" = ?))");
  EXPECT_EQ(sql_of("year <> 1"), R"((t."year" <> ?))");
  EXPECT_EQ(sql_of("year != 1"), R"((t."year" <> ?))");
  EXPECT_EQ(sql_of("YEAR<=1"), R"((t."year" <= ?))");
  EXPECT_EQ(sql_of("year not in(1)"), R"((NOT (t."year" IN (?))))");
  EXPECT_EQ(sql_of("lang LIKE 'a%'"), R"((t."lang" LIKE ?))");
  EXPECT_EQ(sql_of("lang Is Not Null"), R"((NOT (t."lang" IS NULL)))");
  EXPECT_EQ(sql_of("year not between -1 and +2"), R"((NOT ((t."year" >= ?) AND (t."year" <= ?))))");
  EXPECT_EQ(sql_of("rowid > 5"), R"((t."rid" > ?))");
  EXPECT_EQ(sql_of("id = \"a\"\"b\""), "(t.id = ?)");
  EXPECT_EQ(sql_of("created_at >= 0 AND updated_at < 9"),
            "((t.created_at >= ?) AND (t.updated_at < ?))");
}

TEST(FilterTest, NumbersKeepTheirKind) {
  const auto value = [](std::string_view literal) {
    const Result<FilterExpr> expr = parse_filter(base::str_cat("year = ", literal));
    return expr.ok() ? expr->values.at(0) : Value(expr.error().to_string());
  };
  EXPECT_EQ(value("-7"), Value(int64_t{-7}));
  EXPECT_EQ(value("9223372036854775807"), Value(INT64_MAX));
  EXPECT_EQ(value("9223372036854775808"), Value(9223372036854775808.0));
  EXPECT_EQ(value(".5"), Value(0.5));
  EXPECT_EQ(value("1.5e-3"), Value(1.5e-3));
  EXPECT_TRUE(contains(std::get<std::string>(value("1e999")), "position 8")) << "infinite";
  EXPECT_TRUE(contains(std::get<std::string>(value("12abc")), "not a number"));
  EXPECT_TRUE(contains(std::get<std::string>(value("1.2.3")), "not a number"));
  EXPECT_TRUE(contains(std::get<std::string>(value("1e")), "not a number"));
}

TEST(FilterTest, MetadataPathsAreJsonPathsAndCompareWithinAType) {
  EXPECT_EQ(
      sql_of("metadata.a.b = 'x'"),
      R"((CASE WHEN json_valid(t.metadata) THEN json_extract(t.metadata, '$."a"."b"') END = ?))");
  EXPECT_EQ(
      sql_of("metadata.in.not IS NULL"),
      R"((CASE WHEN json_valid(t.metadata) THEN json_extract(t.metadata, '$."in"."not"') END IS NULL))");
  EXPECT_TRUE(contains(sql_of("metadata.n > 5"), "typeof(")) << sql_of("metadata.n > 5");
}

TEST(FilterTest, OnlyFilterColumnsMakeAPredicate) {
  EXPECT_TRUE(Filter::bind("lang = 'a' OR NOT draft = 1", notes())->to_predicate().has_value());
  for (const std::string_view text : {"title = 'a'", "metadata.x = 1", "lang = 'a' AND rowid = 1",
                                      "NOT (year = 1 OR id = 'a')"}) {
    EXPECT_FALSE(Filter::bind(text, notes())->to_predicate().has_value()) << text;
  }
}

TEST(FilterTest, PredicateValuesHaveTheTypeOfTheColumn) {
  const auto predicate = Filter::bind("draft IN (0, true)", notes())->to_predicate();
  ASSERT_TRUE(predicate.has_value());
  EXPECT_EQ(predicate->column, 3U);
  EXPECT_EQ(predicate->values.at(0), Value(false));
  EXPECT_EQ(predicate->values.at(1), Value(true));
}

TEST(FilterTest, ErrorsSayWhatWhichAndWhere) {
  const struct {
    std::string_view text;
    std::string_view part;
  } cases[] = {
      {"lang = null", "write `lang IS NULL`"},
      {"year IN (1, NULL)", "IS NOT NULL"},
      {"lang = 5", "column 'lang' is text, got the number 5"},
      {"year = '5'", "column 'year' is int, got the text '5'"},
      {"year = true", "column 'year' is int, got true"},
      {"draft = 2", "column 'draft' is bool, got the number 2"},
      {"draft = 0.5", "column 'draft' is bool"},
      {"year LIKE '1%'", "LIKE is for text"},
      {"lnag = 'a'", "did you mean 'lang'?"},
      {"nothing_like_it = 'a'", "Columns: lang, year, rating, draft, title, body, rowid, id"},
      {"notes.lang = 'a'", "no column 'notes.lang'"},
      {"lang", "position 5: found the end, expected a comparison"},
      {"lang = ", "position 8: found the end, expected a value"},
      {"lang = rust", "position 8: found `rust`, expected a value (texts are written"},
      {"lang = 'a' lang = 'b'", "position 12: found `lang`, expected AND, OR or the end"},
      {"(lang = 'a'", "position 12: found the end, expected `)`"},
      {"lang = 'a", "position 8: text is not closed"},
      {"'lang' = 'a'", "position 1: found `'lang'`, expected a column name"},
      {"lang = 'a' && year = 1", "expected AND"},
      {"lang = 'a' || year = 1", "expected OR"},
      {"lang = 'a'; year = 1", "position 11: `;` is not part of the filter language"},
      {"year IN ()", "position 10: found `)`, expected a value"},
      {"year IN (1", "expected `,` or `)`"},
      {"year NOT = 1", "expected IN, LIKE or BETWEEN"},
      {"year BETWEEN 1 OR 2", "expected AND"},
      {"year IS 1", "expected NULL"},
      {"and = 1", "expected a column name"},
      {"metadata. = 1", "`.` is not part"},
      {"lang LIKE 5", "expected a pattern"},
      {std::string_view("lang = 'a\0b'", 12), "position 10: a NUL"},
      {"lang = '\xff'", "position 9: a NUL or a byte that is not UTF-8"},
  };
  for (const auto& [text, part] : cases) {
    const std::string error = error_of(text);
    EXPECT_TRUE(contains(error, part)) << text << "\n -> " << error;
    EXPECT_TRUE(contains(error, "invalid_argument: filter")) << error;
  }
}

TEST(FilterTest, LimitsHoldAndAreNamed) {
  std::string deep;
  for (size_t i = 0; i <= base::kMaxWhereDepth; ++i) deep += "(";
  EXPECT_TRUE(contains(error_of(deep + "year = 1"), "nested deeper than")) << error_of(deep);
  std::string nots;
  for (int i = 0; i < 2000; ++i) nots += "NOT ";
  EXPECT_TRUE(contains(error_of(nots + "year = 1"), "nested deeper than"));
  std::string many = "year = 0";
  for (size_t i = 0; i < base::kMaxWhereTerms; ++i) many += " OR year = 1";
  EXPECT_TRUE(contains(error_of(many), "comparisons"));
  EXPECT_TRUE(contains(error_of(std::string(base::kMaxWhereBytes + 1, ' ') + "x"), "bytes long"));
  EXPECT_TRUE(contains(error_of("lang LIKE '" + std::string(50001, 'a') + "'"), "50000"));
}

TEST(FilterTest, UserTablesHaveTheirOwnKeysAndNoMetadata) {
  store::Source table = notes();
  table.managed = false;
  table.table = "docs";
  table.key_column = "doc_no";
  EXPECT_EQ(Filter::bind("rowid = 1", table)->to_sql().sql, R"((t."doc_no" = ?))");
  EXPECT_FALSE(Filter::bind("metadata.a = 1", table).ok());
  EXPECT_FALSE(Filter::bind("id = 'a'", table).ok());
  EXPECT_EQ(Filter::bind("lang = 'a'", table)->to_sql().sql, R"((t."lang" COLLATE BINARY = ?))");
  table.key_columns = {"dataset", "id"};
  EXPECT_EQ(Filter::bind("rowid = 1 AND dataset = 'x'", table)->to_sql().sql,
            R"(((k.rid = ?) AND (t."dataset" COLLATE BINARY = ?)))");
}

/// Garbage made of the language's own pieces, of bytes, and of broken valid filters: never a crash,
/// always an answer, and every refusal of the parser names a position.
TEST(FilterTest, GarbageIsAlwaysAnsweredWithAPosition) {
  constexpr uint32_t kSeed = 20240611;
  SCOPED_TRACE(testing::Message() << "seed " << kSeed);
  std::mt19937 random(kSeed);
  const std::vector<std::string> pieces = {
      "lang",     "year", "metadata.a", "(",  ")",    ",",       "=",
      "==",       "!=",   "<",          "<=", ">",    "'a'",     "\"b\"",
      "5",        "-1.5", ".",          "'",  "\"",   "AND",     "OR",
      "NOT",      "IN",   "LIKE",       "IS", "NULL", "BETWEEN", "true",
      "\xc3\xa9", "\xff", "--",         ";",  "%",    "1e",      std::string(1, '\0')};
  for (int round = 0; round < 20000; ++round) {
    std::string text;
    const size_t count = random() % 12;
    for (size_t i = 0; i < count; ++i) {
      text += random() % 8 == 0 ? std::string(1, static_cast<char>(random() % 256))
                                : pieces[random() % pieces.size()];
      if (random() % 3 != 0) text += ' ';
    }
    const Result<FilterExpr> expr = parse_filter(text);
    if (expr.ok()) continue;
    EXPECT_EQ(expr.error().code(), StatusCode::kInvalidArgument);
    EXPECT_TRUE(contains(expr.error().message(), "filter, position ")) << expr.error().message();
    EXPECT_TRUE(base::is_valid_utf8(expr.error().message())) << expr.error().message();
  }
}

}  // namespace
}  // namespace loci::query

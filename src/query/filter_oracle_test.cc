// SPDX-License-Identifier: Apache-2.0
//
// The filter language is a subset of SQLite's, so SQLite itself reads the same text as a WHERE
// clause: it is the oracle for to_sql(), and for to_predicate() through a plain evaluator below.
#include <gtest/gtest.h>

#include <optional>
#include <random>

#include "base/strings.h"
#include "query/filter.h"
#include "sqlite/query.h"

namespace loci::query {
namespace {

using index::Predicate;

store::Source make_notes() {
  store::Source source;
  source.spec.name = "notes";
  source.spec.text = {"title"};
  source.spec.filters = {{"lang", FieldType::kText},
                         {"year", FieldType::kInt},
                         {"rating", FieldType::kFloat},
                         {"draft", FieldType::kBool}};
  source.table = "notes";
  source.key_column = "rid";
  return source;
}

const store::Source& notes() {
  static const store::Source source = make_notes();
  return source;
}

/// Rows of random values, a fifth of them NULL.
class FilterOracleTest : public testing::Test {
 protected:
  static constexpr uint32_t kSeed = 7;
  static constexpr int kRows = 300;

  void SetUp() override {
    auto opened = sqlite::Connection::open(":memory:", {});
    ASSERT_TRUE(opened.ok()) << opened.error().to_string();
    connection_ = *std::move(opened);
    ASSERT_TRUE(connection_
                    ->exec("CREATE TABLE notes(rid INTEGER PRIMARY KEY, id TEXT, title TEXT, "
                           "lang TEXT, year INTEGER, rating REAL, draft INTEGER, metadata TEXT, "
                           "archived INTEGER DEFAULT 0, created_at INTEGER, updated_at INTEGER)")
                    .ok());
    for (int64_t row = 1; row <= kRows; ++row) {
      std::vector<Value> values = {random_text(), random_int(), random_float(), random() % 2 == 0};
      for (Value& value : values) {
        if (random() % 5 == 0) value = std::monostate();
      }
      ASSERT_TRUE(sqlite::run(*connection_,
                              "INSERT INTO notes(rid, title, lang, year, rating, draft, metadata) "
                              "VALUES (?, ?, ?, ?, ?, ?, ?)",
                              row, random_text(), values[0], values[1], values[2], values[3],
                              random_metadata())
                      .ok());
      rows_.push_back(std::move(values));
    }
  }

  uint32_t random() { return static_cast<uint32_t>(random_()); }
  std::string random_text() {
    constexpr std::string_view kTexts[] = {"",    "a",        "A",        "ab",   "aB", "b%",
                                           "a_b", "\xc3\xa9", "\xc3\x89", "it's", "10", "9"};
    return std::string(kTexts[random() % std::size(kTexts)]);
  }
  int64_t random_int() {
    constexpr int64_t kInts[] = {-5, -1, 0, 1, 2, 3, 2020, 9007199254740993, INT64_MAX, INT64_MIN};
    return kInts[random() % std::size(kInts)];
  }
  double random_float() {
    constexpr double kFloats[] = {-5.5, -1, 0, 0.5, 1, 2, 2.5, 9007199254740992.0, 1e300};
    return kFloats[random() % std::size(kFloats)];
  }
  std::string random_metadata() {
    constexpr std::string_view kMetadata[] = {"{}",           R"({"n":1})",         R"({"n":2.5})",
                                              R"({"n":"2"})", R"({"n":null})",      R"({"n":true})",
                                              R"({"n":[1]})", R"({"deep":{"n":7}})"};
    return std::string(kMetadata[random() % std::size(kMetadata)]);
  }

  std::string text_literal() {
    std::string literal = "'";
    for (const char c : random_text()) {
      if (c == '\'') literal += '\'';
      literal += c;
    }
    return literal + "'";
  }
  std::string number_literal() {
    if (random() % 2 == 0) return base::str_cat(random_int());
    const std::string text = base::str_cat(random_float());
    const bool integer = text.find_first_of(".e") == std::string::npos;
    return integer ? text + ".0" : text;
  }
  std::string literal(size_t column) {
    switch (column) {
      case 0:
        return text_literal();
      case 3:
        return random() % 2 == 0 ? "true" : (random() % 2 == 0 ? "0" : "1");
      default:
        return number_literal();
    }
  }

  std::string random_test() {
    constexpr std::string_view kNames[] = {"lang", "year", "rating", "draft"};
    constexpr std::string_view kOps[] = {"=", "==", "!=", "<>", "<", "<=", ">", ">="};
    const size_t column = random() % 4;
    const std::string name(kNames[column]);
    const std::string negate = random() % 2 == 0 ? "NOT " : "";
    switch (random() % 6) {
      case 0:
        return base::str_cat(name, " IS ", negate, "NULL");
      case 1: {
        std::string list = literal(column);
        for (uint32_t i = random() % 4; i > 0; --i) list += ", " + literal(column);
        return base::str_cat(name, " ", negate, "IN (", list, ")");
      }
      case 2:
        return base::str_cat(name, " ", negate, "BETWEEN ", literal(column), " AND ",
                             literal(column));
      case 3: {
        constexpr std::string_view kPatterns[] = {"%", "_", "a%", "%B", "a_b", "", "\xc3\xa9", "A"};
        return base::str_cat("lang ", negate, "LIKE '", kPatterns[random() % std::size(kPatterns)],
                             "'");
      }
      default:
        return base::str_cat(name, " ", kOps[random() % std::size(kOps)], " ", literal(column));
    }
  }

  std::string random_expression(int depth) {
    if (depth == 0 || random() % 4 == 0) return random_test();
    switch (random() % 4) {
      case 0:
        return base::str_cat("NOT ", random_expression(depth - 1));
      case 1:
        return base::str_cat("(", random_expression(depth - 1), ")");
      case 2:
        return base::str_cat(random_expression(depth - 1), " AND ", random_expression(depth - 1));
      default:
        return base::str_cat(random_expression(depth - 1), " OR ", random_expression(depth - 1));
    }
  }

  std::vector<int64_t> select(const std::string& where, std::span<const Value> values) {
    std::vector<int64_t> found;
    auto statement = connection_->prepare(
        base::str_cat("SELECT rid FROM notes AS t WHERE ", where, " ORDER BY rid"));
    EXPECT_TRUE(statement.ok()) << where << ": " << statement.error().to_string();
    if (!statement.ok()) return found;
    int next = 1;
    for (const Value& value : values) EXPECT_TRUE(statement->bind(next++, value).ok());
    const Status status = sqlite::for_each_row(*statement, [&](sqlite::Statement& at) -> Status {
      found.push_back(at.column_int(0));
      return {};
    });
    EXPECT_TRUE(status.ok()) << where << ": " << status.to_string();
    return found;
  }

  std::unique_ptr<sqlite::Connection> connection_;
  std::vector<std::vector<Value>> rows_;  // of rid 1, 2, ...
  std::mt19937 random_{kSeed};
};

using Truth = std::optional<bool>;  // nullopt: unknown

long double as_number(const Value& value) {
  if (const auto* integer = std::get_if<int64_t>(&value)) return static_cast<long double>(*integer);
  return static_cast<long double>(std::get<double>(value));
}

/// -1, 0, 1; both of the same kind (long double holds every int64 and double exactly on x86-64).
int order(const Value& a, const Value& b) {
  if (const auto* text = std::get_if<std::string>(&a))
    return text->compare(std::get<std::string>(b));
  if (const auto* truth = std::get_if<bool>(&a)) return int{*truth} - int{std::get<bool>(b)};
  const long double x = as_number(a);
  const long double y = as_number(b);
  return x < y ? -1 : (x > y ? 1 : 0);
}

bool like(std::string_view pattern, std::string_view text) {
  if (pattern.empty()) return text.empty();
  size_t next = 0;
  if (pattern.front() == '%') {
    for (size_t i = 0; i <= text.size(); ++i) {
      if (like(pattern.substr(1), text.substr(i))) return true;
    }
    return false;
  }
  if (text.empty()) return false;
  static_cast<void>(base::next_codepoint(text, &next));
  if (pattern.front() == '_') return like(pattern.substr(1), text.substr(next));
  const bool same = base::ascii_equal_fold(pattern.substr(0, 1), text.substr(0, 1));
  return same && like(pattern.substr(1), text.substr(1));
}

Truth evaluate(const Predicate& predicate, std::span<const Value> row) {
  using Kind = Predicate::Kind;
  if (predicate.kind == Kind::kAnd || predicate.kind == Kind::kOr) {
    const bool decisive = predicate.kind == Kind::kOr;
    Truth result = !decisive;
    for (const Predicate& child : predicate.children) {
      const Truth truth = evaluate(child, row);
      if (truth == decisive) return decisive;
      if (!truth.has_value()) result = std::nullopt;
    }
    return result;
  }
  if (predicate.kind == Kind::kNot) {
    const Truth truth = evaluate(predicate.children.at(0), row);
    return truth.has_value() ? Truth(!*truth) : Truth();
  }
  const Value& value = row[predicate.column];
  const bool null = std::holds_alternative<std::monostate>(value);
  if (predicate.kind == Kind::kIsNull) return null;
  if (null) return std::nullopt;
  if (predicate.kind == Kind::kLike) {
    return like(std::get<std::string>(predicate.values.at(0)), std::get<std::string>(value));
  }
  if (predicate.kind == Kind::kIn) {
    for (const Value& each : predicate.values) {
      if (order(value, each) == 0) return true;
    }
    return false;
  }
  const int sign = order(value, predicate.values.at(0));
  switch (predicate.op) {
    case Predicate::Op::kEq:
      return sign == 0;
    case Predicate::Op::kNe:
      return sign != 0;
    case Predicate::Op::kLt:
      return sign < 0;
    case Predicate::Op::kLe:
      return sign <= 0;
    case Predicate::Op::kGt:
      return sign > 0;
    case Predicate::Op::kGe:
      return sign >= 0;
  }
  return std::nullopt;
}

TEST_F(FilterOracleTest, SqlAndPredicatePassWhatSqlitePasses) {
  const store::Source source = notes();
  size_t passed = 0;
  for (int round = 0; round < 3000; ++round) {
    const std::string text = random_expression(4);
    SCOPED_TRACE(testing::Message() << "seed " << kSeed << ", round " << round << ": " << text);
    const Result<Filter> filter = Filter::bind(text, source);
    ASSERT_TRUE(filter.ok()) << filter.error().to_string();
    const std::vector<int64_t> expected = select(text, {});
    passed += expected.size();
    const store::SqlFilter sql = filter->to_sql();
    ASSERT_EQ(select(sql.sql, sql.values), expected) << sql.sql;
    const auto predicate = filter->to_predicate();
    ASSERT_TRUE(predicate.has_value());
    std::vector<int64_t> by_predicate;
    for (size_t i = 0; i < rows_.size(); ++i) {
      if (evaluate(*predicate, rows_[i]) == true) {
        by_predicate.push_back(static_cast<int64_t>(i) + 1);
      }
    }
    ASSERT_EQ(by_predicate, expected);
  }
  EXPECT_GT(passed, 100000U);  // the expressions do pass rows: about half of 900,000
}

TEST_F(FilterOracleTest, MetadataComparesNumbersWithNumbersAndTextsWithTexts) {
  const store::Source source = notes();
  const auto found = [&](std::string_view text) {
    const Result<Filter> filter = Filter::bind(text, source);
    EXPECT_TRUE(filter.ok()) << filter.error().to_string();
    const store::SqlFilter sql = filter->to_sql();
    return select(sql.sql, sql.values);
  };
  const auto where = [&](const std::string& sql) { return select(sql, {}); };
  const std::string n = "json_extract(metadata, '$.n')";
  EXPECT_EQ(found("metadata.n >= 1"),
            where(n + " >= 1 AND typeof(" + n + ") IN ('integer', 'real')"));
  EXPECT_EQ(found("metadata.n < '9'"), where(n + " < '9' AND typeof(" + n + ") = 'text'"));
  EXPECT_EQ(found("NOT metadata.n >= 1"),
            where(n + " IS NOT NULL AND NOT (" + n + " >= 1 AND typeof(" + n + ") <> 'text')"));
  EXPECT_EQ(found("metadata.n = true"), where(n + " = 1"));
  EXPECT_EQ(found("metadata.deep.n IN (7, 'x')"), where("json_extract(metadata, '$.deep.n') = 7"));
  EXPECT_EQ(found("metadata.n IS NULL"), where(n + " IS NULL"));
  EXPECT_FALSE(found("metadata.n >= 1").empty());
  EXPECT_FALSE(found("metadata.n < '9'").empty());
}

TEST_F(FilterOracleTest, TheLongestAllowedListsRunInSqlite) {
  std::string any = "year = 0";
  for (int i = 1; i < 1000; ++i) base::str_append(any, " OR year = ", i);
  const Result<Filter> filter = Filter::bind(any, notes());
  ASSERT_TRUE(filter.ok()) << filter.error().to_string();
  const store::SqlFilter sql = filter->to_sql();
  EXPECT_EQ(select(sql.sql, sql.values), select("year BETWEEN 0 AND 999", {}));
  std::string list = "year IN (0";
  for (int i = 0; i < 29999; ++i) list += ",1";
  const Result<Filter> in = Filter::bind(list + ")", notes());
  ASSERT_TRUE(in.ok()) << in.error().to_string();
  EXPECT_EQ(select(in->to_sql().sql, in->to_sql().values), select("year IN (0, 1)", {}));
}

}  // namespace
}  // namespace loci::query

// SPDX-License-Identifier: Apache-2.0
#include "index/predicate_eval.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "base/strings.h"
#include "index/like.h"

namespace loci::index {
namespace {

BlockMask passing(const BoundPredicate& predicate, size_t block) {
  BlockMask rows;
  predicate.find_passing(block, rows);
  return rows;
}

using Kind = Predicate::Kind;
using Op = Predicate::Op;
using Row = std::vector<Value>;

// A table of rows held both ways: in columns, and as they are for the oracle.
struct Table {
  explicit Table(const std::vector<FieldType>& types) {
    for (const FieldType type : types) columns.emplace_back(type);
  }
  void add(RowId rowid, const Row& row) {
    slots.reserve_one();
    const size_t slot = slots.append(rowid);
    for (size_t c = 0; c < columns.size(); ++c) {
      ASSERT_TRUE(columns[c].check(row[c]).ok());
      columns[c].set(slot, columns[c].prepare(slot, row[c]), true);
    }
    rows.push_back(row);
  }
  std::vector<FieldColumn> columns;
  RowSlots slots;
  std::vector<Row> rows;
};

// The oracle: SQL's three-valued logic, one row at a time. nullopt is unknown.
using Truth = std::optional<bool>;

bool null(const Value& value) {
  const auto* real = std::get_if<double>(&value);
  return std::holds_alternative<std::monostate>(value) || (real != nullptr && std::isnan(*real));
}

// Holds every int64_t and every double exactly (64 bits of mantissa).
long double number(const Value& value) {
  static_assert(std::numeric_limits<long double>::digits >= 64);
  if (const auto* integer = std::get_if<int64_t>(&value)) return static_cast<long double>(*integer);
  if (const auto* flag = std::get_if<bool>(&value)) return *flag ? 1 : 0;
  return static_cast<long double>(std::get<double>(value));
}

int order_of(const Value& a, const Value& b) {
  if (const auto* text = std::get_if<std::string>(&a)) {
    const int order = text->compare(std::get<std::string>(b));
    return order < 0 ? -1 : order > 0 ? 1 : 0;
  }
  return number(a) < number(b) ? -1 : number(a) > number(b) ? 1 : 0;
}

Truth compare(Op op, const Value& a, const Value& b) {
  if (null(a) || null(b)) return std::nullopt;
  const int order = order_of(a, b);
  switch (op) {
    case Op::kEq:
      return order == 0;
    case Op::kNe:
      return order != 0;
    case Op::kLt:
      return order < 0;
    case Op::kLe:
      return order <= 0;
    case Op::kGt:
      return order > 0;
    case Op::kGe:
      return order >= 0;
  }
  return std::nullopt;
}

// LIKE by the definition; for well-formed text.
bool like_oracle(const std::u32string& pattern, size_t p, const std::u32string& text, size_t t) {
  if (p == pattern.size()) return t == text.size();
  if (pattern[p] == '%') {
    for (size_t skip = t; skip <= text.size(); ++skip) {
      if (like_oracle(pattern, p + 1, text, skip)) return true;
    }
    return false;
  }
  if (t == text.size()) return false;
  const auto lower = [](char32_t c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; };
  return (pattern[p] == '_' || lower(pattern[p]) == lower(text[t])) &&
         like_oracle(pattern, p + 1, text, t + 1);
}

std::u32string decode(const std::string& text) {
  std::u32string out;
  size_t position = 0;
  while (position < text.size()) out += base::next_codepoint(text, &position);
  return out;
}

Truth truth_of(const Predicate& predicate, const Row& row, RowId rowid) {
  switch (predicate.kind) {
    case Kind::kAnd:
    case Kind::kOr: {
      const bool decides = predicate.kind == Kind::kOr;
      Truth all = !decides;
      for (const Predicate& child : predicate.children) {
        const Truth truth = truth_of(child, row, rowid);
        if (truth == Truth(decides)) return decides;
        if (!truth.has_value()) all = std::nullopt;
      }
      return all;
    }
    case Kind::kNot: {
      const Truth truth = truth_of(predicate.children[0], row, rowid);
      return truth.has_value() ? Truth(!*truth) : truth;
    }
    case Kind::kCompare:
      return compare(predicate.op, row[predicate.column], predicate.values[0]);
    case Kind::kIn: {
      Truth any = false;
      for (const Value& value : predicate.values) {
        const Truth truth = compare(Op::kEq, row[predicate.column], value);
        if (truth == Truth(true)) return true;
        if (!truth.has_value()) any = std::nullopt;
      }
      return any;
    }
    case Kind::kIsNull:
      return null(row[predicate.column]);
    case Kind::kLike: {
      if (null(row[predicate.column]) || null(predicate.values[0])) return std::nullopt;
      return like_oracle(decode(std::get<std::string>(predicate.values[0])), 0,
                         decode(std::get<std::string>(row[predicate.column])), 0);
    }
    case Kind::kRows:
      return std::find(predicate.rows.begin(), predicate.rows.end(), rowid) != predicate.rows.end();
  }
  return std::nullopt;
}

void expect_agrees(const Table& table, const Predicate& predicate) {
  const Result<BoundPredicate> bound = BoundPredicate::bind(predicate, table.columns, table.slots);
  ASSERT_TRUE(bound.has_value()) << bound.error().to_string();
  std::vector<BlockMask> all(block_count(table.rows.size()));
  bound->find_passing(all);
  for (size_t slot = 0; slot < table.rows.size(); ++slot) {
    const bool passes = passing(*bound, slot / kBlockRows).test(slot % kBlockRows);
    EXPECT_EQ(bound->passes(slot), passes) << "slot " << slot;
    EXPECT_EQ(all[slot / kBlockRows].test(slot % kBlockRows), passes) << "slot " << slot;
    const Truth truth = truth_of(predicate, table.rows[slot], table.slots.row(slot));
    ASSERT_EQ(passes, truth == Truth(true)) << "slot " << slot;
  }
  std::vector<uint32_t> slots;  // in no order, more than are tested at once
  for (size_t i = 0; i < table.rows.size(); ++i) {
    slots.push_back(static_cast<uint32_t>(i * 7919 % table.rows.size()));
  }
  std::vector<uint8_t> met(slots.size() + 1, 7);
  bound->passes(slots, met.data());
  for (size_t i = 0; i < slots.size(); ++i) {
    ASSERT_EQ(met[i], bound->passes(slots[i]) ? 1 : 0) << "slot " << slots[i];
  }
  EXPECT_EQ(met.back(), 7);
}

const std::vector<FieldType> kTypes = {FieldType::kText, FieldType::kInt, FieldType::kFloat,
                                       FieldType::kBool};

// Values that meet each other often, with the corners of both number types.
Value random_value(std::mt19937_64& random, FieldType type) {
  static const std::vector<std::string> texts = {
      "",     "a", "A", "ab", "b", "abc", "a%c", "rust", "Rust", "\xC3\xA9", "\xC3\x89t\xC3\xA9",
      "zebra"};
  static const std::vector<int64_t> ints = {0,
                                            1,
                                            -1,
                                            2,
                                            3,
                                            7,
                                            (int64_t{1} << 53),
                                            (int64_t{1} << 53) + 1,
                                            -(int64_t{1} << 53) - 1,
                                            std::numeric_limits<int64_t>::min(),
                                            std::numeric_limits<int64_t>::max(),
                                            std::numeric_limits<int64_t>::max() - 1};
  static const std::vector<double> reals = {0.0,
                                            -0.0,
                                            1.0,
                                            1.5,
                                            -1.0,
                                            2.0,
                                            0.5,
                                            9007199254740992.0,
                                            9007199254740994.0,
                                            9223372036854775808.0,
                                            -9223372036854775808.0,
                                            1e300,
                                            -1e300,
                                            std::numeric_limits<double>::infinity(),
                                            -std::numeric_limits<double>::infinity(),
                                            std::numeric_limits<double>::denorm_min(),
                                            std::nan("")};
  const uint64_t pick = random();
  if (pick % 7 == 0) return std::monostate{};
  switch (type) {
    case FieldType::kText:
      return texts[(pick / 7) % texts.size()];
    case FieldType::kInt:
      return ints[(pick / 7) % ints.size()];
    case FieldType::kFloat:
      return reals[(pick / 7) % reals.size()];
    case FieldType::kBool:
      return (pick / 7) % 2 == 0;
  }
  return std::monostate{};
}

// A constant to compare a column with: a number may be of any number type.
Value random_constant(std::mt19937_64& random, FieldType type) {
  if (type == FieldType::kText) return random_value(random, type);
  static constexpr FieldType kNumbers[] = {FieldType::kInt, FieldType::kFloat, FieldType::kBool};
  return random_value(random, kNumbers[random() % 3]);
}

Predicate random_predicate(std::mt19937_64& random, const Table& table, int depth) {
  Predicate predicate;
  const uint64_t kind = random() % (depth > 0 ? 10 : 7);
  predicate.column = random() % kTypes.size();
  const FieldType type = kTypes[predicate.column];
  if (kind <= 2) {
    predicate.kind = Kind::kCompare;
    predicate.op = static_cast<Op>(random() % 6);
    predicate.values = {random_constant(random, type)};
  } else if (kind == 3) {
    predicate.kind = Kind::kIn;
    for (uint64_t i = random() % 14; i > 0; --i) {
      predicate.values.push_back(random_constant(random, type));
    }
  } else if (kind == 4) {
    predicate.kind = Kind::kIsNull;
  } else if (kind == 5) {
    predicate.kind = Kind::kLike;
    predicate.column = 0;
    static const std::vector<std::string> patterns = {
        "%", "a%", "%B", "_", "_b%", "%a%c%", "", "rUST", "\xC3\xA9", "_t_", "%%_", "a\\%c"};
    predicate.values = {patterns[random() % patterns.size()]};
  } else if (kind == 6) {
    predicate.kind = Kind::kRows;
    for (const RowId row : table.slots.rows()) {
      if (random() % 3 == 0) predicate.rows.push_back(row);
    }
    predicate.rows.push_back(RowId{1 << 30});  // not there
    std::sort(predicate.rows.begin(), predicate.rows.end());
  } else {
    predicate.kind = kind == 7 ? Kind::kAnd : kind == 8 ? Kind::kOr : Kind::kNot;
    const uint64_t children = kind == 9 ? 1 : random() % 4;
    for (uint64_t i = 0; i < children; ++i) {
      predicate.children.push_back(random_predicate(random, table, depth - 1));
    }
  }
  return predicate;
}

TEST(PredicateTest, RandomTreesAgreeWithThreeValuedLogic) {
  for (const size_t rows : {size_t{1}, size_t{64}, size_t{1024}, size_t{1500}}) {
    std::mt19937_64 random(17 + rows);
    SCOPED_TRACE(testing::Message() << "seed " << 17 + rows);
    Table table(kTypes);
    for (size_t i = 0; i < rows; ++i) {
      Row row;
      for (const FieldType type : kTypes) row.push_back(random_value(random, type));
      table.add(RowId{static_cast<int64_t>(i * 3 + 1)}, row);
    }
    for (int round = 0; round < 150; ++round) {
      SCOPED_TRACE(testing::Message() << "round " << round);
      expect_agrees(table, random_predicate(random, table, 3));
      if (testing::Test::HasFatalFailure()) return;
    }
  }
}

Predicate compare_with(size_t column, Op op, Value value) {
  Predicate predicate;
  predicate.kind = Kind::kCompare;
  predicate.op = op;
  predicate.column = column;
  predicate.values = {std::move(value)};
  return predicate;
}

TEST(PredicateTest, IntegersBeyondDoublesCompareByValue) {
  Table table({FieldType::kText, FieldType::kInt, FieldType::kFloat, FieldType::kBool});
  const int64_t big = (int64_t{1} << 53) + 1;  // no double equals it
  table.add(RowId{1}, {std::monostate{}, big, 9007199254740992.0, true});
  for (const Op op : {Op::kEq, Op::kNe, Op::kLt, Op::kLe, Op::kGt, Op::kGe}) {
    expect_agrees(table, compare_with(1, op, 9007199254740992.0));
    expect_agrees(table, compare_with(1, op, 9007199254740994.0));
    expect_agrees(table, compare_with(2, op, big));
    expect_agrees(table, compare_with(2, op, big - 1));
  }
}

// A column without NULL and one with, as their rows are tested by different code.
TEST(PredicateTest, ColumnsOfOneKindAgreeWithThreeValuedLogic) {
  for (const bool with_null : {false, true}) {
    Table table(kTypes);
    for (int64_t i = 0; i < 1100; ++i) {
      if (with_null && i % 9 == 0) {
        table.add(RowId{i}, Row(kTypes.size(), std::monostate{}));
        continue;
      }
      table.add(RowId{i}, {"text " + std::to_string(i % 100), i % 50 - 25,
                           static_cast<double>(i % 50) / 4, i % 3 == 0});
    }
    for (const Op op : {Op::kEq, Op::kNe, Op::kLt, Op::kLe, Op::kGt, Op::kGe}) {
      expect_agrees(table, compare_with(0, op, std::string("text 42")));
      expect_agrees(table, compare_with(0, op, std::string("text")));
      expect_agrees(table, compare_with(1, op, int64_t{3}));
      expect_agrees(table, compare_with(2, op, 2.25));
      expect_agrees(table, compare_with(3, op, true));
    }
  }
}

TEST(PredicateTest, FewTextsAreRunsOfCodesAndManyALookup) {
  Table table({FieldType::kText});
  for (int64_t i = 0; i < 1500; ++i) {
    const bool is_null = i % 11 == 5;
    table.add(RowId{i}, {is_null ? Value() : Value("text " + std::to_string(i % 100))});
  }
  Predicate like;
  like.kind = Kind::kLike;
  like.column = 0;
  for (const char* const pattern : {"text 7", "text 7%", "%7", "%", "nothing"}) {
    like.values = {std::string(pattern)};
    expect_agrees(table, like);
  }
  for (const int64_t step : {1, 2, 7}) {
    for (const int64_t count : {1, 8, 9, 14}) {
      Predicate in;
      in.kind = Kind::kIn;
      in.column = 0;
      for (int64_t i = 0; i < count; ++i) {
        in.values.emplace_back("text " + std::to_string(step * (count - i)));
      }
      expect_agrees(table, in);
      in.values.emplace_back(std::monostate{});
      in.values.push_back(in.values.front());
      expect_agrees(table, in);
      Predicate inverse;
      inverse.kind = Kind::kNot;
      inverse.children = {in};
      expect_agrees(table, inverse);
    }
  }
}

TEST(PredicateTest, InWithNullIsNeverFalse) {
  Table table(kTypes);
  table.add(RowId{1}, {std::string("x"), int64_t{5}, 0.0, false});
  table.add(RowId{2}, {std::monostate{}, std::monostate{}, std::monostate{}, std::monostate{}});
  Predicate in;
  in.kind = Kind::kIn;
  in.column = 1;
  in.values = {int64_t{4}, std::monostate{}};
  Predicate inverse;
  inverse.kind = Kind::kNot;
  inverse.children = {in};
  const auto bound = BoundPredicate::bind(inverse, table.columns, table.slots);
  ASSERT_TRUE(bound.has_value());
  EXPECT_FALSE(passing(*bound, 0).test(0));
  EXPECT_FALSE(passing(*bound, 0).test(1));
  inverse.children[0].values.clear();  // NOT IN (): true, for NULL too
  const auto empty = BoundPredicate::bind(inverse, table.columns, table.slots);
  ASSERT_TRUE(empty.has_value());
  EXPECT_TRUE(passing(*empty, 0).test(0));
  EXPECT_TRUE(passing(*empty, 0).test(1));
}

TEST(PredicateTest, WrongShapesAreRefused) {
  Table table(kTypes);
  const auto code = [&](const Predicate& predicate) {
    return BoundPredicate::bind(predicate, table.columns, table.slots).error().code();
  };
  EXPECT_EQ(code(compare_with(4, Op::kEq, int64_t{1})), StatusCode::kInvalidArgument);
  EXPECT_EQ(code(compare_with(0, Op::kEq, int64_t{1})), StatusCode::kInvalidArgument);
  EXPECT_EQ(code(compare_with(1, Op::kEq, std::string("1"))), StatusCode::kInvalidArgument);
  Predicate none = compare_with(1, Op::kEq, int64_t{1});
  none.values.clear();
  EXPECT_EQ(code(none), StatusCode::kInvalidArgument);
  Predicate like_number = compare_with(1, Op::kEq, std::monostate{});
  like_number.kind = Kind::kLike;
  EXPECT_EQ(code(like_number), StatusCode::kInvalidArgument);
  Predicate inverse;
  inverse.kind = Kind::kNot;
  EXPECT_EQ(code(inverse), StatusCode::kInvalidArgument);
  Predicate deep = compare_with(1, Op::kEq, int64_t{1});
  for (int i = 0; i < 1000; ++i) {
    Predicate outer;
    outer.kind = Kind::kNot;
    outer.children.push_back(std::move(deep));
    deep = std::move(outer);
  }
  EXPECT_EQ(code(deep), StatusCode::kInvalidArgument);
}

TEST(LikeTest, AgreesWithTheDefinitionOnRandomText) {
  std::mt19937_64 random(5);
  const auto make = [&](const std::vector<std::string>& pieces) {
    std::string text;
    for (uint64_t i = random() % 9; i > 0; --i) text += pieces[random() % pieces.size()];
    return text;
  };
  for (int round = 0; round < 20000; ++round) {
    const std::string pattern = make({"a", "B", "%", "_", "\xC3\xA9", "%"});
    const std::string text = make({"a", "b", "A", "\xC3\xA9", "\xE2\x82\xAC"});
    ASSERT_EQ(like(pattern, text), like_oracle(decode(pattern), 0, decode(text), 0))
        << "seed 5, '" << text << "' LIKE '" << pattern << "'";
  }
}

TEST(LikeTest, FollowsSqliteOnMalformedText) {
  const std::string with_zero("ab\0cd", 5);
  EXPECT_TRUE(like("ab", with_zero));  // both end at the first zero byte
  EXPECT_FALSE(like("ab_cd", with_zero));
  EXPECT_TRUE(like("_", "\x80"));              // a stray continuation byte is a character
  EXPECT_TRUE(like("\xEF\xBF\xBD", "\xC3"));   // a cut sequence reads as U+FFFD
  EXPECT_FALSE(like("\xC3\x89", "\xC3\xA9"));  // only ASCII letters lose their case
}

TEST(LikeTest, ManyWildcardsStayFast) {
  std::string pattern;
  for (int i = 0; i < 200; ++i) pattern += "%a";
  EXPECT_FALSE(like(pattern + "b", std::string(5000, 'a')));  // exponential when done naively
}

}  // namespace
}  // namespace loci::index

// SPDX-License-Identifier: Apache-2.0
#include "store/unique_keys.h"

#include "store/store_testing.h"

namespace loci::store {
namespace {

using testing::open;
using testing::query_one;
using testing::take;

using Terms = std::vector<std::string>;

TEST(UniqueKeysTest, IndexTextIsTakenApart) {
  IndexText text = parse_index_text(
      "CREATE UNIQUE INDEX \"odd(name,\" ON [t(]( a, lower(b || ',)') DESC, /* c, d) */ "
      "coalesce(c, (d + 1)) COLLATE NOCASE ASC -- e\n) WHERE a > ')' AND b IN (1, 2)");
  EXPECT_EQ(text.terms, (Terms{"a", "lower(b || ',)')", "coalesce(c, (d + 1)) COLLATE NOCASE"}));
  EXPECT_EQ(text.where, "a > ')' AND b IN (1, 2)");
  text = parse_index_text("CREATE UNIQUE INDEX i ON t(basc, `x desc`, 'it''s, fine')");
  EXPECT_EQ(text.terms, (Terms{"basc", "`x desc`", "'it''s, fine'"}));
  EXPECT_EQ(text.where, "");
  EXPECT_TRUE(parse_index_text("").terms.empty());
  EXPECT_TRUE(parse_index_text("CREATE INDEX i ON t(never, ends").terms.size() <= 1);
}

/// The conditions must be true for exactly the rows that the index sees as equal to the new one.
TEST(UniqueKeysTest, ConditionsFindWhatWouldBeDisplaced) {
  const auto connection = open(":memory:");
  ASSERT_OK(connection->exec(
      "CREATE TABLE \"odd table\"(k INTEGER PRIMARY KEY, \"a b\" TEXT, n INT NOT NULL DEFAULT 5, "
      "g AS (n * 2), UNIQUE(\"a b\" COLLATE NOCASE));"
      "CREATE UNIQUE INDEX i ON \"odd table\"(n) WHERE \"a b\" <> 'out';"
      "CREATE UNIQUE INDEX j ON \"odd table\"(length(\"a b\"), g);"
      "CREATE INDEX plain ON \"odd table\"(n);"
      "INSERT INTO \"odd table\"(k, \"a b\", n) VALUES(1, 'One', 1), (2, 'Three', 2), "
      "(3, 'out', 5), (4, NULL, 4), (5, 'five5', 5);"
      "CREATE TABLE hits(k)"));
  const std::vector<std::string> conditions = take(displacing_conditions(*connection, "odd table"));
  ASSERT_EQ(conditions.size(), 3U) << "a plain index displaces nothing";
  std::string trigger = "CREATE TRIGGER t BEFORE INSERT ON \"odd table\" BEGIN DELETE FROM hits;";
  for (const std::string& condition : conditions) {
    base::str_append(trigger, "INSERT INTO hits SELECT k FROM \"odd table\" WHERE ", condition,
                     ";");
  }
  ASSERT_OK(connection->exec(trigger + "END"));
  const auto hits = [&](std::string_view insert) {
    EXPECT_OK(connection->exec("SAVEPOINT s"));
    EXPECT_OK(connection->exec(insert));
    std::string found = query_one(*connection, "SELECT group_concat(DISTINCT k) FROM hits");
    EXPECT_OK(connection->exec("ROLLBACK TO s; RELEASE s"));
    return found;
  };
  constexpr const char* kInto = "INSERT OR IGNORE INTO \"odd table\"(\"a b\", n) VALUES";
  EXPECT_EQ(hits(std::string(kInto) + "('ONE', 9)"), "1");
  EXPECT_EQ(hits(std::string(kInto) + "('new', 4)"), "NULL") << "row 4 is not in the index";
  EXPECT_EQ(hits(std::string(kInto) + "('xxxxx', 2)"), "2");
  EXPECT_EQ(hits(std::string(kInto) + "(NULL, 77)"), "NULL") << "NULL equals nothing";
  // n becomes its default 5 under OR REPLACE, after the trigger has run.
  EXPECT_EQ(hits("INSERT OR REPLACE INTO \"odd table\"(\"a b\", n) VALUES('zz', NULL)"), "5");
}

}  // namespace
}  // namespace loci::store

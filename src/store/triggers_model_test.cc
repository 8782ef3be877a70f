// SPDX-License-Identifier: Apache-2.0
//
// Random statements with savepoints and rollbacks, beside a follower in memory that knows nothing
// but the log: wherever it stands, replaying the log gives it the table. FTS5 and the vector table
// are compared as well.
#include <algorithm>
#include <random>

#include "store/store_testing.h"

namespace loci::store {
namespace {

using testing::Contents;
using testing::open;
using testing::take;

/// What an index does: remembers a position and follows the log.
class Follower {
 public:
  void catch_up(sqlite::Connection& connection, const Source& source, const Contents& truth) {
    const Changes changes = take(changes_since(connection, source.id, position_));
    if (changes.rebuild) {
      rows_ = truth;
      ++rebuilds;
    } else {
      for (const RowId row : changes.rows) {
        const auto found = truth.find(to_int(row));
        if (found == truth.end()) {
          rows_.erase(to_int(row));
        } else {
          rows_[to_int(row)] = found->second;
        }
      }
    }
    position_ = changes.to;
  }
  [[nodiscard]] const Contents& rows() const { return rows_; }
  int rebuilds = 0;

 private:
  LogPosition position_;
  Contents rows_;
};

class Statements {
 public:
  explicit Statements(uint32_t seed) : random_(seed) {}

  int pick(int count) { return static_cast<int>(random_() % static_cast<uint32_t>(count)); }

  std::string next() {
    switch (pick(12)) {
      case 0:
      case 1:
      case 2:
        return base::str_cat("INSERT", clause(), " INTO notes(id, title, body, year) VALUES(", id(),
                             ", ", text(), ", ", text(), ", ", pick(40), ")");
      case 3:
        return base::str_cat("INSERT", clause(), " INTO notes(rid, id, title, year) VALUES(",
                             pick(30) - 2, ", ", id(), ", ", text(), ", ", pick(40), "), (",
                             pick(30), ", ", id(), ", ", text(), ", ", pick(40), ")");
      case 4:
        return base::str_cat(
            "INSERT INTO notes(id, title, year) VALUES(", id(), ", ", text(), ", ", pick(40),
            ") ON CONFLICT DO UPDATE SET title = excluded.title, year = ", pick(40));
      case 5:
        return base::str_cat("UPDATE", clause(), " notes SET id = ", id(), ", title = ", text(),
                             where());
      case 6:
        return base::str_cat("UPDATE", clause(), " notes SET rid = rid + ", pick(5) - 2, where());
      case 7:
        return base::str_cat("UPDATE", clause(), " notes SET year = year + ", pick(3),
                             ", body = ", text(), where());
      case 8:
        return base::str_cat("DELETE FROM notes", where());
      case 9:
      case 10:
        return base::str_cat(
            "INSERT OR REPLACE INTO notes_vectors(rid, embedding) SELECT rid, "
            "randomblob(8) FROM notes",
            where());
      default:
        return base::str_cat("UPDATE", clause(), " notes_vectors SET embedding = randomblob(8)",
                             where());
    }
  }

 private:
  std::string clause() {
    constexpr const char* kClauses[] = {"",           " OR REPLACE", " OR REPLACE",
                                        " OR IGNORE", " OR FAIL",    " OR ABORT"};
    return kClauses[pick(6)];
  }
  std::string id() { return base::str_cat("'id", pick(25), "'"); }
  std::string text() {
    constexpr const char* kWords[] = {"red", "green", "blue", "stone", "water", "light"};
    if (pick(8) == 0) return "NULL";
    std::string out = "'";
    for (int i = pick(4); i >= 0; --i) base::str_append(out, kWords[pick(6)], " ");
    return out += "'";
  }
  std::string where() {
    if (pick(20) == 0) return "";
    return base::str_cat(" WHERE rid % ", 2 + pick(5), " = ", pick(3));
  }

  std::mt19937 random_;
};

void run_model(uint32_t seed, bool recursive) {
  SCOPED_TRACE(base::str_cat("seed ", seed, ", recursive triggers ", recursive));
  const auto connection = open(":memory:");
  CollectionSpec spec;
  spec.name = "notes";
  VectorColumn column;
  column.dim = 2;
  column.model = "test:2";
  spec.vectors = {column};
  spec.text = {"title", "body"};
  spec.filters = {{"year", FieldType::kInt}};
  const Source source = take(create_collection(*connection, spec));
  ASSERT_OK(connection->exec("CREATE UNIQUE INDEX u ON notes(year) WHERE title IS NOT NULL"));
  ASSERT_OK(recreate_triggers(*connection, source));
  ASSERT_OK(connection->exec(base::str_cat("PRAGMA recursive_triggers = ", recursive)));

  Statements statements(seed);
  Follower follower;
  std::vector<std::string> done;
  int depth = 0;
  for (int i = 0; i < 600; ++i) {
    const int dice = statements.pick(10);
    std::string sql = statements.next();
    if (dice == 0 && depth < 3) {
      sql = base::str_cat("SAVEPOINT s", ++depth);
    } else if (dice == 1 && depth > 0) {
      sql = base::str_cat("RELEASE s", depth--);
    } else if (dice == 2 && depth > 0) {
      sql = base::str_cat("ROLLBACK TO s", depth);
    }
    done.push_back(sql);
    connection->exec(sql).ignore();  // conflicts fail: what they leave behind is what is tested
    if (statements.pick(4) != 0) continue;  // the follower does not look after each statement
    const Contents truth = testing::read_contents(*connection, source);
    follower.catch_up(*connection, source, truth);
    EXPECT_TRUE(follower.rows() == truth);
    testing::expect_consistent(*connection, source);
    if (::testing::Test::HasFailure()) {
      for (size_t k = done.size() - std::min<size_t>(done.size(), 8); k < done.size(); ++k) {
        ADD_FAILURE() << k << ": " << done[k];
      }
      return;
    }
  }
  EXPECT_GT(follower.rebuilds, 1) << "some rollback must have been noticed";
  EXPECT_LT(follower.rebuilds, 120) << "most changes must have been replayed";
  if (connection->in_transaction()) ASSERT_OK(connection->exec("COMMIT"));
  testing::expect_check_clean(*connection);
}

TEST(TriggersModelTest, ReplayingTheLogGivesTheTable) {
  for (uint32_t seed = 1; seed <= 8; ++seed) {
    run_model(seed, seed % 2 == 0);
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace loci::store

// SPDX-License-Identifier: Apache-2.0
#include "store/log_compactor.h"

#include <algorithm>
#include <random>

#include "base/temp_dir.h"
#include "store/followers.h"
#include "store/store_testing.h"

namespace loci::store {
namespace {

using testing::open;
using testing::query;
using testing::query_one;
using testing::take;

struct LogRow {
  int64_t scn, token, source, rid, op;
  friend bool operator==(const LogRow&, const LogRow&) = default;
};
struct FollowerRow {
  int64_t source, scn, token;
};

std::vector<LogRow> read_log(sqlite::Connection& connection) {
  std::vector<LogRow> rows;
  sqlite::Statement select =
      take(connection.prepare("SELECT scn, token, source, rid, op FROM loci_log ORDER BY scn"));
  EXPECT_OK(sqlite::for_each_row(select, [&](sqlite::Statement& row) -> Status {
    rows.push_back({row.column_int(0), row.column_int(1), row.column_int(2), row.column_int(3),
                    row.column_int(4)});
    return {};
  }));
  return rows;
}

/// The rule by its definition.
std::vector<LogRow> oracle(const std::vector<LogRow>& log,
                           const std::vector<FollowerRow>& followers, int64_t keep_newest) {
  std::vector<LogRow> kept;
  for (size_t i = 0; i < log.size(); ++i) {
    const LogRow& entry = log[i];
    const bool superseded = std::any_of(
        log.begin() + static_cast<std::ptrdiff_t>(i) + 1, log.end(), [&](const LogRow& later) {
          return later.source == entry.source && later.rid == entry.rid &&
                 (later.op == 4) == (entry.op == 4);
        });
    const bool recent = static_cast<int64_t>(log.size() - i) <= keep_newest;
    const bool needed =
        std::any_of(followers.begin(), followers.end(), [&](const FollowerRow& follower) {
          const bool stands = std::any_of(log.begin(), log.end(), [&](const LogRow& row) {
            return row.scn == follower.scn && row.token == follower.token;
          });
          return stands && (follower.scn == entry.scn ||
                            (follower.source == entry.source && follower.scn <= entry.scn));
        });
    if (!superseded || recent || needed) kept.push_back(entry);
  }
  return kept;
}

class LogCompactorTest : public ::testing::Test {
 protected:
  LogCompactorTest() {
    for (const char* name : {"notes", "other"}) {
      CollectionSpec spec;
      spec.name = name;
      spec.text_ids = false;
      spec.text = {"title"};
      sources_.push_back(take(create_collection(*connection_, spec)));
    }
  }
  void change(const char* table, int64_t rid) {
    ASSERT_OK(connection_->exec(
        base::str_cat("INSERT INTO ", table, "(rid, title) VALUES(", rid,
                      ", 'x') ON CONFLICT(rid) DO UPDATE SET title = ", "title || 'x'")));
  }
  void follow(const std::string& name, size_t source, const LogPosition& at) {
    ASSERT_OK(sqlite::run(*connection_,
                          "INSERT OR REPLACE INTO loci_followers(name, kind, source, scn, token, "
                          "state) VALUES(?1, 'test', ?2, ?3, ?4, 'current')",
                          name, sources_[source].id, at.scn, at.token));
  }
  std::vector<FollowerRow> followers() {
    std::vector<FollowerRow> rows;
    sqlite::Statement select = take(connection_->prepare(
        "SELECT source, scn, token FROM loci_followers WHERE state <> 'too_old'"));
    EXPECT_OK(sqlite::for_each_row(select, [&](sqlite::Statement& row) -> Status {
      rows.push_back({row.column_int(0), row.column_int(1), row.column_int(2)});
      return {};
    }));
    return rows;
  }
  int64_t entries() { return std::stoll(query_one(*connection_, "SELECT count(*) FROM loci_log")); }
  int run_pass(LogCompactor& compactor, int64_t slice) {
    int slices = 1;
    while (take(compactor.slice(*connection_, slice))) ++slices;
    return slices;
  }

  std::unique_ptr<sqlite::Connection> connection_ = open(":memory:");
  std::vector<Source> sources_;
};

TEST_F(LogCompactorTest, DropsWhatTheRuleSaysWhateverTheSlices) {
  std::mt19937 random(7);
  const auto pick = [&](uint32_t below) { return static_cast<int64_t>(random() % below); };
  for (int round = 0; round < 40; ++round) {
    SCOPED_TRACE(round);
    const int64_t rows = 1 + pick(60);
    for (int64_t i = pick(400); i >= 0; --i) {
      const char* table = pick(3) == 0 ? "other" : "notes";
      if (pick(8) == 0) {
        ASSERT_OK(
            connection_->exec(base::str_cat("DELETE FROM ", table, " WHERE rid = ", 1 + pick(60))));
      } else {
        change(table, 1 + pick(static_cast<uint32_t>(rows)));
      }
      if (pick(60) == 0) ASSERT_OK(recreate_triggers(*connection_, sources_[0]));
      if (pick(80) == 0) {
        follow(base::str_cat("f", pick(3)), static_cast<size_t>(pick(2)),
               take(newest(*connection_)));
      }
    }
    if (pick(4) == 0) ASSERT_OK(connection_->exec("DELETE FROM loci_followers"));
    if (pick(4) == 0) follow("lost", 0, {.scn = 3, .token = 1});  // stands on no entry
    CompactionLimits limits;
    limits.keep_newest = pick(2) == 0 ? 0 : pick(50);
    limits.seen_rows = pick(3) == 0 ? 16 : 1 << 19;  // many parts
    const std::vector<LogRow> before = read_log(*connection_);
    LogCompactor compactor(limits);
    run_pass(compactor, 1 + pick(300));
    const std::vector<LogRow> after = read_log(*connection_);
    std::vector<LogRow> expected = oracle(before, followers(), limits.keep_newest);
    if (limits.seen_rows > 16) {
      EXPECT_EQ(after.size(), expected.size());
      EXPECT_TRUE(after == expected);
    } else {  // a part may have more rows than there is room for: these wait
      EXPECT_TRUE(std::includes(after.begin(), after.end(), expected.begin(), expected.end(),
                                [](const LogRow& a, const LogRow& b) { return a.scn < b.scn; }));
      EXPECT_TRUE(std::includes(before.begin(), before.end(), after.begin(), after.end(),
                                [](const LogRow& a, const LogRow& b) { return a.scn < b.scn; }));
    }
    EXPECT_EQ(static_cast<size_t>(compactor.dropped()), before.size() - after.size());
    if (HasFailure()) return;
  }
  testing::expect_check_clean(*connection_);
}

TEST_F(LogCompactorTest, WritesBetweenSlicesAreNeverDropped) {
  for (int i = 0; i < 300; ++i) change("notes", 1 + i % 20);
  CompactionLimits limits;
  limits.keep_newest = 0;
  LogCompactor compactor(limits);
  int64_t next = 1;
  while (take(compactor.slice(*connection_, 10))) {
    change("notes", next++ % 20 + 1);
    change("other", next);
    const std::vector<LogRow> log = read_log(*connection_);
    for (int64_t rid = 1; rid <= 20; ++rid) {
      EXPECT_TRUE(std::any_of(log.begin(), log.end(), [&](const LogRow& row) {
        return row.source == sources_[0].id && row.rid == rid;
      })) << rid;
    }
  }
  EXPECT_LT(entries(), 4 * next + 30) << "an upsert logs up to three entries";
}

TEST_F(LogCompactorTest, ItIsDueWhenTheLogHasGrownPastWhatIsLive) {
  CompactionLimits limits;
  limits.grown_entries = 100;
  limits.keep_newest = 10;
  LogCompactor compactor(limits);
  const auto due = [&] {
    return take(compactor.due(*connection_, take(newest(*connection_)).scn));
  };
  EXPECT_FALSE(due());
  for (int i = 0; i < 150; ++i) change("notes", 1 + i % 40);
  ASSERT_TRUE(due());
  run_pass(compactor, 1000);
  EXPECT_LT(entries(), 60);
  EXPECT_FALSE(due());
  for (int i = 0; i < 40; ++i) change("notes", 1 + i);
  EXPECT_FALSE(due()) << "twice what is live, and a hundred";
  for (int i = 0; i < 150; ++i) change("notes", 1 + i % 40);
  EXPECT_TRUE(due());
  LogCompactor another(limits);
  EXPECT_TRUE(take(another.due(*connection_, take(newest(*connection_)).scn)));
  run_pass(another, 1000);
  run_pass(compactor, 1000);
  EXPECT_FALSE(due());
}

TEST_F(LogCompactorTest, AnotherProcessThatWasFasterEndsThePass) {
  for (int i = 0; i < 300; ++i) change("notes", 1 + i % 20);
  LogCompactor slow;
  LogCompactor fast;
  EXPECT_TRUE(take(slow.slice(*connection_, 5)));
  run_pass(fast, 1000);
  EXPECT_FALSE(take(slow.slice(*connection_, 5)));
}

TEST_F(LogCompactorTest, ALogThatIsAnotherOneEndsThePass) {
  CompactionLimits limits;
  limits.keep_newest = 0;
  ASSERT_OK(connection_->exec("SAVEPOINT restored"));
  for (int i = 0; i < 300; ++i) change("notes", 1 + i % 20);
  LogCompactor compactor(limits);
  EXPECT_TRUE(take(compactor.slice(*connection_, 100)));
  ASSERT_OK(connection_->exec("ROLLBACK TO restored; RELEASE restored"));
  for (int i = 0; i < 400; ++i) change("other", 1 + i);  // the same numbers, other rows
  const std::vector<LogRow> before = read_log(*connection_);
  EXPECT_FALSE(take(compactor.slice(*connection_, 100)));
  EXPECT_TRUE(read_log(*connection_) == before);
}

TEST_F(LogCompactorTest, AFollowerThatHoldsBackTooMuchIsTooOld) {
  change("notes", 1);
  follow("abandoned", 0, take(newest(*connection_)));
  for (int i = 0; i < 500; ++i) change("notes", 1 + i % 5);
  follow("near", 0, take(newest(*connection_)));
  follow("quiet", 1, take(newest(*connection_)));
  change("notes", 1);
  CompactionLimits limits;
  limits.keep_newest = 0;
  limits.held_entries = 1000;
  LogCompactor patient(limits);
  run_pass(patient, 100);
  EXPECT_GT(entries(), 500) << "it is waited for";
  limits.held_entries = 100;
  LogCompactor strict(limits);
  run_pass(strict, 100);
  EXPECT_EQ(query(*connection_, "SELECT name || ' ' || state FROM loci_followers ORDER BY name"),
            (std::vector<std::string>{"abandoned too_old", "near current", "quiet current"}));
  EXPECT_LT(entries(), 20);
  testing::expect_check_clean(*connection_);
}

TEST_F(LogCompactorTest, AnOldFollowerMayHoldBackLess) {
  change("notes", 1);
  follow("slow", 0, take(newest(*connection_)));
  for (int i = 0; i < 300; ++i) change("notes", 1 + i % 5);
  CompactionLimits limits;
  limits.keep_newest = 0;
  limits.held_entries_when_aged = 100;
  LogCompactor young(limits);
  run_pass(young, 100);
  EXPECT_GT(entries(), 300);
  ASSERT_OK(
      connection_->exec("UPDATE loci_log SET hlc = hlc - (CAST(31 AS INTEGER) * 86400000 << 16)"));
  LogCompactor compactor(limits);
  run_pass(compactor, 100);
  EXPECT_EQ(query_one(*connection_, "SELECT state FROM loci_followers"), "too_old");
  EXPECT_LT(entries(), 20);
}

TEST_F(LogCompactorTest, ASnapshotThatIsTooOldDoesNotCount) {
  SnapshotRecord record;
  record.source = sources_[0].id;
  record.database = take(database_uuid(*connection_));
  record.generation = 5;
  record.position = take(newest(*connection_));
  ASSERT_OK(record_snapshot(*connection_, record));
  ASSERT_OK(connection_->exec("UPDATE loci_followers SET state = 'too_old'"));
  const std::optional<SnapshotRecord> found = take(find_snapshot(*connection_, record.source));
  ASSERT_TRUE(found.has_value());
  EXPECT_TRUE(found->too_old);
  EXPECT_EQ(found->generation, 5U);
  EXPECT_TRUE(take(list_snapshots(*connection_)).empty()) << "its file may go";
  change("notes", 1);
  record.generation = 6;
  record.position = take(newest(*connection_));
  ASSERT_OK(record_snapshot(*connection_, record));
  EXPECT_FALSE(take(find_snapshot(*connection_, record.source))->too_old);
}

TEST_F(LogCompactorTest, ABusyFileIsLeftAlone) {
  const base::TempDir folder;
  const auto mine = open(folder.file("a.db"));
  CollectionSpec spec;
  spec.name = "notes";
  spec.text = {"title"};
  take(create_collection(*mine, spec));
  const auto theirs = open(folder.file("a.db"));
  const sqlite::Transaction writing =
      take(sqlite::Transaction::begin(*theirs, sqlite::Transaction::Kind::kWrite));
  LogCompactor compactor;
  const sqlite::NoWait no_wait(*mine);
  EXPECT_EQ(compactor.slice(*mine, 100).error().code(), StatusCode::kBusy);
}

}  // namespace
}  // namespace loci::store

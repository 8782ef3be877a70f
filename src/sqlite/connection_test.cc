// SPDX-License-Identifier: Apache-2.0
#include "sqlite/connection.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <future>
#include <optional>
#include <thread>

#include "base/temp_dir.h"
#include "sqlite/query.h"

namespace loci::sqlite {
namespace {

using base::TempDir;

std::unique_ptr<Connection> open(const std::string& path, const OpenOptions& options = {}) {
  Result<std::unique_ptr<Connection>> opened = Connection::open(path, options);
  EXPECT_TRUE(opened.has_value()) << opened.error().to_string();
  return opened.has_value() ? std::move(opened).value() : nullptr;
}

StatusCode open_code(const std::string& path, const OpenOptions& options = {}) {
  return Connection::open(path, options).error().code();
}

int64_t number(Connection& connection, std::string_view sql) {
  const Result<std::optional<int64_t>> value = query_int(connection, sql);
  EXPECT_TRUE(value.has_value()) << value.error().to_string();
  return value.has_value() ? value->value_or(-1) : -2;
}

std::string text(Connection& connection, std::string_view sql) {
  const Result<std::optional<std::string>> value = query_text(connection, sql);
  EXPECT_TRUE(value.has_value()) << value.error().to_string();
  return value.has_value() ? value->value_or("NULL") : "";
}

/// Runs `body` in a child process without root's power over permissions; its return is the verdict.
template <typename Body>
bool as_nobody(Body&& body) {
  const pid_t child = fork();
  if (child == 0) {
    const bool dropped = geteuid() != 0 || (setgid(65534) == 0 && setuid(65534) == 0);
    _exit(dropped && body() ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

void allow(const std::string& path, unsigned mode) {
  std::filesystem::permissions(path, static_cast<std::filesystem::perms>(mode));
}

TEST(ConnectionTest, EveryConnectionIsSetUpAlike) {
  const TempDir folder;
  const auto connection = open(folder.file("a/b/new.db"));
  EXPECT_EQ(text(*connection, "PRAGMA journal_mode"), "wal");
  EXPECT_EQ(number(*connection, "PRAGMA synchronous"), 1);
  EXPECT_EQ(number(*connection, "PRAGMA cache_size"), -64000);
  EXPECT_EQ(number(*connection, "PRAGMA mmap_size"), 0);
  {
    const MappedReads mapped(*connection);
    EXPECT_EQ(number(*connection, "PRAGMA mmap_size"), 268435456);
  }
  EXPECT_EQ(number(*connection, "PRAGMA mmap_size"), 0);
  EXPECT_EQ(number(*connection, "PRAGMA temp_store"), 2);
  EXPECT_EQ(number(*connection, "PRAGMA foreign_keys"), 1);
  EXPECT_EQ(number(*open(folder.file("full.db"), {.full_sync = true}), "PRAGMA synchronous"), 2);
}

TEST(ConnectionTest, OpenErrorsSayWhatIsWrong) {
  const TempDir folder;
  EXPECT_EQ(open_code(folder.file("absent.db"), {.create = false}), StatusCode::kNotFound);
  EXPECT_EQ(open_code(folder.file("absent.db"), {.read_only = true}), StatusCode::kNotFound);
  EXPECT_FALSE(std::filesystem::exists(folder.file("absent.db")));
  EXPECT_EQ(open_code(folder.path()), StatusCode::kInvalidArgument);
  EXPECT_EQ(open_code(""), StatusCode::kInvalidArgument);
  const std::string text_file = folder.file("text.db");
  std::ofstream(text_file) << std::string(5000, 'x');
  for (const bool read_only : {false, true}) {
    EXPECT_EQ(open_code(text_file, {.read_only = read_only}), StatusCode::kCorruption);
  }
  EXPECT_EQ(std::filesystem::file_size(text_file), 5000U);
}

TEST(ConnectionTest, NamesThatLookLikeUrisAreFileNames) {
  const TempDir folder;
  const std::string odd = folder.file("a%20b?mode=memory#x.db");
  open(odd)->exec("CREATE TABLE t(x)").ignore();
  EXPECT_TRUE(std::filesystem::exists(odd));
}

TEST(ConnectionTest, AnotherProgramsFileIsNotWrittenByOpening) {
  const TempDir folder;
  const std::string path = folder.file("foreign.db");
  {
    const auto maker = open(path);
    ASSERT_TRUE(maker->exec("PRAGMA journal_mode = DELETE; CREATE TABLE mine(x)").ok());
  }
  const auto stamp = std::filesystem::last_write_time(path);
  {
    const auto connection = open(path);
    EXPECT_EQ(text(*connection, "PRAGMA journal_mode"), "delete");
    EXPECT_EQ(number(*connection, "SELECT count(*) FROM mine"), 0);
  }
  EXPECT_EQ(std::filesystem::last_write_time(path), stamp);
}

TEST(ConnectionTest, OpeningWaitsForAReaderBeforeItSwitchesToWal) {
  const TempDir folder;
  const std::string path = folder.file("a.db");
  const auto reader = open(path);
  ASSERT_TRUE(reader->exec("PRAGMA journal_mode = DELETE; CREATE TABLE loci_meta(x)").ok());
  std::optional<Transaction> snapshot =
      Transaction::begin(*reader, Transaction::Kind::kRead).value();
  EXPECT_EQ(number(*reader, "SELECT count(*) FROM loci_meta"), 0);
  EXPECT_EQ(open_code(path, {.busy_timeout_ms = 20}), StatusCode::kBusy);
  auto second = std::async(std::launch::async, [&] { return open(path); });
  EXPECT_EQ(second.wait_for(std::chrono::milliseconds(50)), std::future_status::timeout);
  snapshot.reset();
  EXPECT_EQ(text(*second.get(), "PRAGMA journal_mode"), "wal");
}

TEST(ConnectionTest, ReadOnlyFileIsReadAndNotWritten) {
  const TempDir folder;
  const std::string path = folder.file("a.db");
  open(path)->exec("CREATE TABLE t(x); INSERT INTO t VALUES(7)").ignore();
  allow(folder.path(), 0777);
  allow(path, 0444);
  EXPECT_TRUE(as_nobody([&] {
    const auto reader = Connection::open(path, {.read_only = true});
    if (!reader.has_value()) return false;
    if ((*reader)->exec("INSERT INTO t VALUES(8)").code() != StatusCode::kFailedPrecondition) {
      return false;
    }
    return number(**reader, "SELECT x FROM t") == 7 &&
           open_code(path) == StatusCode::kFailedPrecondition;
  }));
}

TEST(ConnectionTest, WalFileInReadOnlyFolderIsReadAsImmutable) {
  const TempDir folder;
  const std::string path = folder.file("odd name?#%.db");
  open(path)->exec("CREATE TABLE t(x); INSERT INTO t VALUES(7)").ignore();
  ASSERT_FALSE(std::filesystem::exists(path + "-wal")) << "the last connection takes it away";
  allow(path, 0444);
  allow(folder.path(), 0555);
  EXPECT_TRUE(as_nobody([&] {
    const auto reader = Connection::open(path, {.read_only = true});
    return reader.has_value() && number(**reader, "SELECT x FROM t") == 7 &&
           (geteuid() == 0 || (*reader)->immutable());
  }));
  allow(folder.path(), 0755);
}

TEST(ConnectionTest, CommitsInAWalThatCannotBeReadAreNotLeftOut) {
  const TempDir folder;
  const std::string path = folder.file("a.db");
  const auto writer = open(path);
  ASSERT_TRUE(writer->exec("CREATE TABLE t(x); INSERT INTO t VALUES(7)").ok());
  const std::filesystem::path copy = folder.file("copy");
  std::filesystem::create_directory(copy);
  std::filesystem::copy_file(path, copy / "a.db");
  std::filesystem::copy_file(path + "-wal", copy / "a.db-wal");
  allow(copy.string(), 0555);
  EXPECT_TRUE(as_nobody([&] {
    const auto reader = Connection::open((copy / "a.db").string(), {.read_only = true});
    return !reader.has_value() &&
           std::string(reader.error().message()).find("-wal") != std::string::npos;
  }));
  allow(copy.string(), 0755);
}

TEST(ConnectionTest, ConstraintCodesTellDuplicatesFromWrongValues) {
  const auto connection = open(":memory:");
  ASSERT_TRUE(connection
                  ->exec("CREATE TABLE t(a INTEGER PRIMARY KEY, b UNIQUE, c NOT NULL DEFAULT 1, "
                         "d CHECK(d > 0)); INSERT INTO t(a, b) VALUES(1, 1)")
                  .ok());
  const auto code = [&](std::string_view sql) { return connection->exec(sql).code(); };
  EXPECT_EQ(code("INSERT INTO t(a) VALUES(1)"), StatusCode::kAlreadyExists);
  EXPECT_EQ(code("INSERT INTO t(b) VALUES(1)"), StatusCode::kAlreadyExists);
  EXPECT_EQ(code("INSERT INTO t(c) VALUES(NULL)"), StatusCode::kInvalidArgument);
  EXPECT_EQ(code("INSERT INTO t(d) VALUES(-1)"), StatusCode::kInvalidArgument);
  EXPECT_EQ(code("INSERT INTO nowhere VALUES(1)"), StatusCode::kInvalidArgument);
  EXPECT_EQ(code("SELECT"), StatusCode::kInvalidArgument);
  const Status full =
      connection->exec("PRAGMA max_page_count = 5; CREATE TABLE big AS SELECT zeroblob(100000)");
  EXPECT_EQ(full.code(), StatusCode::kFull) << full.to_string();
}

TEST(ConnectionTest, TheMessageNamesTheConstraint) {
  const auto connection = open(":memory:");
  ASSERT_TRUE(connection->exec("CREATE TABLE t(b UNIQUE); INSERT INTO t VALUES(1)").ok());
  EXPECT_EQ(run(*connection, "INSERT INTO t VALUES(?1)", 1).to_string(),
            "already_exists: UNIQUE constraint failed: t.b");
}

TEST(ConnectionTest, CachedStatementInUseIsNotGivenTwice) {
  const auto connection = open(":memory:");
  constexpr std::string_view kSql = "VALUES(1), (2), (3)";
  Statement outer = connection->cached(kSql).value();
  ASSERT_TRUE(outer.step().value());
  {
    Statement inner = connection->cached(kSql).value();
    int rows = 0;
    ASSERT_TRUE(for_each_row(inner, [&](Statement&) { return ++rows, Status(); }).ok());
    EXPECT_EQ(rows, 3);
  }
  ASSERT_TRUE(outer.step().value());
  EXPECT_EQ(outer.column_int(0), 2) << "the inner use left the outer one alone";
}

TEST(ConnectionTest, AStatementTellsTheSchemaCookieOfItsSnapshot) {
  const base::TempDir folder;
  const auto own = open(folder.file("a.db"));
  const auto other = open(folder.file("a.db"));
  ASSERT_TRUE(own->exec("CREATE TABLE t(n); INSERT INTO t VALUES(1)").ok());
  const auto told = [&](bool cached) {
    Statement select =
        cached ? own->cached("SELECT n FROM t").value() : own->prepare("SELECT n FROM t").value();
    EXPECT_TRUE(select.step().value());
    return select.schema_cookie().value();
  };
  const auto expect_told = [&](const char* after) {
    const int64_t cookie = number(*other, "PRAGMA schema_version");
    for (int i = 0; i < 2; ++i) EXPECT_EQ(told(true), cookie) << after;
    EXPECT_EQ(told(false), cookie) << after;
  };
  expect_told("the first time");
  ASSERT_TRUE(other->exec("INSERT INTO t VALUES(2)").ok());
  expect_told("rows");
  ASSERT_TRUE(other->exec("CREATE TABLE u(n)").ok());
  expect_told("a table of another connection");
  ASSERT_TRUE(own->exec("DROP TABLE u").ok());
  expect_told("one of its own");
  ASSERT_TRUE(other->exec("CREATE INDEX i ON t(n)").ok());
  ASSERT_TRUE(run(*own, "INSERT INTO t VALUES(3)").ok());  // it is this that meets the new schema
  expect_told("a change that another statement met before");
  {
    const Transaction undone = Transaction::begin(*own, Transaction::Kind::kWrite).value();
    const int64_t before = told(true);
    ASSERT_TRUE(own->exec("CREATE TABLE v(n)").ok());
    EXPECT_EQ(told(true), before + 1);
  }
  expect_told("a rollback");
}

TEST(ConnectionTest, StatementsAtStakeAreThoseUsedSinceTriggersWereSwitched) {
  const auto connection = open(":memory:");
  const size_t before = connection->statements_at_stake();
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(connection->cached("VALUES(1)").value().run().ok());
    ASSERT_TRUE(connection->cached("VALUES(2)").value().run().ok());
  }
  EXPECT_EQ(connection->statements_at_stake(), before + 2);
  {
    const TriggersOff quiet(*connection);
    EXPECT_EQ(connection->statements_at_stake(), 0U);
    ASSERT_TRUE(connection->cached("VALUES(3)").value().run().ok());
    EXPECT_EQ(connection->statements_at_stake(), 1U);
  }
  EXPECT_EQ(connection->statements_at_stake(), 0U);
  ASSERT_TRUE(connection->cached("VALUES(1)").value().run().ok());
  EXPECT_EQ(connection->statements_at_stake(), 1U);
}

TEST(ConnectionTest, StatementForgetsItsBindingsAndResetsAfterFailure) {
  const auto connection = open(":memory:");
  ASSERT_TRUE(connection->exec("CREATE TABLE t(a PRIMARY KEY) WITHOUT ROWID").ok());
  Statement insert = connection->prepare("INSERT INTO t VALUES(?1)").value();
  ASSERT_TRUE(insert.bind(1, 5).ok());
  ASSERT_TRUE(insert.run().ok());
  EXPECT_EQ(insert.run().code(), StatusCode::kInvalidArgument) << "NULL: the 5 is forgotten";
  ASSERT_TRUE(insert.bind(1, 5).ok()) << "a statement that was not reset could not be bound";
  EXPECT_EQ(insert.run().code(), StatusCode::kAlreadyExists);
  EXPECT_EQ(insert.bind(2, 5).code(), StatusCode::kInvalidArgument) << "there is no parameter 2";
}

TEST(ConnectionTest, ValuesComeBackAsTheyWere) {
  const auto connection = open(":memory:");
  Statement echo = connection->prepare("SELECT ?1, typeof(?1)").value();
  const auto check = [&](const Value& value, const Value& expected, std::string_view type) {
    ASSERT_TRUE(echo.bind(1, value).ok());
    ASSERT_TRUE(echo.step().value());
    EXPECT_EQ(echo.column_value(0), expected);
    EXPECT_EQ(echo.column_text(1), type);
    echo.reset();
  };
  check(std::monostate(), std::monostate(), "null");
  check(int64_t{INT64_MIN}, int64_t{INT64_MIN}, "integer");
  check(0.1, 0.1, "real");
  check(true, int64_t{1}, "integer");
  check(std::string("a\0b", 3), std::string("a\0b", 3), "text");
  check(std::string(), std::string(), "text");
  const std::byte blob[] = {std::byte{0}, std::byte{0xFE}};
  ASSERT_TRUE(echo.bind(1, std::span<const std::byte>(blob)).ok());
  ASSERT_TRUE(echo.step().value());
  EXPECT_EQ(echo.column_blob(0).size(), 2U);
  EXPECT_EQ(echo.column_value(0), Value(std::string("X'00fe'")));
  echo.reset();
  ASSERT_TRUE(echo.bind(1, std::span<const std::byte>()).ok());
  ASSERT_TRUE(echo.step().value());
  EXPECT_EQ(echo.column_text(1), "blob") << "an empty blob is not NULL";
}

TEST(ConnectionTest, OneStatementPerText) {
  const auto connection = open(":memory:");
  EXPECT_TRUE(connection->prepare("SELECT 1; -- and a comment").has_value());
  EXPECT_EQ(connection->prepare("SELECT 1; SELECT 2").error().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(connection->prepare("  -- nothing").error().code(), StatusCode::kInvalidArgument);
}

TEST(ConnectionTest, NamesAreQuoted) {
  EXPECT_EQ(quote_identifier("a\"b"), "\"a\"\"b\"");
  EXPECT_EQ(quote_text("it's"), "'it''s'");
}

TEST(TransactionTest, RollsBackUnlessCommittedAndNests) {
  const auto connection = open(":memory:");
  ASSERT_TRUE(connection->exec("CREATE TABLE t(x)").ok());
  const auto begin = [&] {
    return Transaction::begin(*connection, Transaction::Kind::kWrite).value();
  };
  {
    Transaction outer = begin();
    ASSERT_TRUE(connection->exec("INSERT INTO t VALUES(1)").ok());
    {
      Transaction dropped = begin();
      ASSERT_TRUE(connection->exec("INSERT INTO t VALUES(2)").ok());
    }
    {
      Transaction kept = begin();
      ASSERT_TRUE(connection->exec("INSERT INTO t VALUES(3)").ok());
      {
        Transaction inner = begin();
        ASSERT_TRUE(connection->exec("INSERT INTO t VALUES(4)").ok());
        ASSERT_TRUE(inner.commit().ok());
      }
      ASSERT_TRUE(kept.commit().ok());
    }
    ASSERT_TRUE(outer.commit().ok());
    EXPECT_EQ(outer.commit().code(), StatusCode::kFailedPrecondition);
  }
  EXPECT_EQ(number(*connection, "SELECT group_concat(x, '') FROM t"), 134);
  {
    const Transaction dropped = begin();
    connection->exec("DELETE FROM t").ignore();
  }
  EXPECT_EQ(number(*connection, "SELECT count(*) FROM t"), 3);
  EXPECT_FALSE(connection->in_transaction());
}

TEST(ConnectionTest, TriggersAreOffForAScope) {
  const auto connection = open(":memory:");
  ASSERT_TRUE(
      connection
          ->exec("CREATE TABLE t(x); CREATE TABLE fired(x);"
                 "CREATE TRIGGER a AFTER INSERT ON t BEGIN INSERT INTO fired VALUES(1); END")
          .ok());
  const auto insert = [&] {
    EXPECT_TRUE(connection->cached("INSERT INTO t VALUES(1)").value().run().ok());
    return number(*connection, "SELECT count(*) FROM fired");
  };
  EXPECT_EQ(insert(), 1);
  {
    const TriggersOff quiet(*connection);
    EXPECT_EQ(insert(), 1);  // the statement that was prepared with the trigger in it
  }
  EXPECT_EQ(insert(), 2);
  EXPECT_EQ(number(*connection, "SELECT count(*) FROM t"), 3);
}

TEST(TransactionTest, CommitAfterSqliteRolledBackIsAnError) {
  const auto connection = open(":memory:");
  ASSERT_TRUE(connection->exec("CREATE TABLE t(x UNIQUE); INSERT INTO t VALUES(1)").ok());
  Transaction outer = Transaction::begin(*connection, Transaction::Kind::kWrite).value();
  Transaction inner = Transaction::begin(*connection, Transaction::Kind::kWrite).value();
  EXPECT_FALSE(connection->exec("INSERT OR ROLLBACK INTO t VALUES(1)").ok());
  EXPECT_EQ(inner.commit().code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(outer.commit().code(), StatusCode::kFailedPrecondition);
  EXPECT_TRUE(Transaction::begin(*connection, Transaction::Kind::kWrite).value().commit().ok());
}

TEST(TransactionTest, WritersWaitForOneAnotherAndTheTimeoutIsBusy) {
  const TempDir folder;
  const std::string path = folder.file("a.db");
  const auto first = open(path);
  ASSERT_TRUE(first->exec("CREATE TABLE t(x)").ok());
  const auto second = open(path, {.busy_timeout_ms = 20});
  {
    const Transaction holder = Transaction::begin(*first, Transaction::Kind::kWrite).value();
    const Result<Transaction> refused = Transaction::begin(*second, Transaction::Kind::kWrite);
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code(), StatusCode::kBusy);
    EXPECT_NE(std::string(refused.error().message()).find("20 ms"), std::string::npos);
    EXPECT_TRUE(Transaction::begin(*second, Transaction::Kind::kRead).value().commit().ok());
  }
  constexpr int kThreads = 4;
  constexpr int kWrites = 50;
  std::atomic<int> failures = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      const auto connection = open(path, {.busy_timeout_ms = 60000});
      for (int i = 0; i < kWrites; ++i) {
        auto txn = Transaction::begin(*connection, Transaction::Kind::kWrite);
        if (!txn.has_value() || !connection->exec("INSERT INTO t VALUES(1)").ok() ||
            !txn->commit().ok()) {
          ++failures;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(failures, 0);
  EXPECT_EQ(number(*first, "SELECT count(*) FROM t"), kThreads * kWrites);
}

}  // namespace
}  // namespace loci::sqlite

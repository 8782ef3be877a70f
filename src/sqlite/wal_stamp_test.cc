// SPDX-License-Identifier: Apache-2.0
//
// The header must move with every commit, whoever makes it, and with nothing else.
#include <gtest/gtest.h>

#include <filesystem>

#include "base/temp_dir.h"
#include "sqlite/connection.h"
#include "sqlite/query.h"

namespace loci::sqlite {
namespace {

std::unique_ptr<Connection> open(const std::string& path, const OpenOptions& options = {}) {
  Result<std::unique_ptr<Connection>> opened = Connection::open(path, options);
  EXPECT_TRUE(opened.has_value()) << opened.status().to_string();
  return *std::move(opened);
}

TEST(WalStampTest, MovesWithEveryCommitOfAnyConnection) {
  const base::TempDir folder;
  const std::string path = folder.file("a.db");
  const auto writer = open(path);
  const auto reader = open(path);
  ASSERT_TRUE(writer->exec("CREATE TABLE t(x)").ok());
  std::optional<WalStamp> last = reader->wal_stamp();
  ASSERT_TRUE(last.has_value());
  for (int i = 0; i < 50; ++i) {
    ASSERT_TRUE(writer->exec("INSERT INTO t VALUES(1)").ok());
    const std::optional<WalStamp> now = reader->wal_stamp();
    ASSERT_TRUE(now.has_value());
    EXPECT_FALSE(now == last) << "commit " << i;
    EXPECT_EQ(now, writer->wal_stamp());
    last = now;
    if (i % 10 != 0) continue;
    // A checkpoint lets the WAL begin anew with the next commit.
    ASSERT_TRUE(writer->exec("PRAGMA wal_checkpoint(RESTART)").ok());
    last = reader->wal_stamp();
  }
}

TEST(WalStampTest, StaysWithoutACommit) {
  const base::TempDir folder;
  const std::string path = folder.file("a.db");
  const auto writer = open(path);
  const auto reader = open(path);
  ASSERT_TRUE(writer->exec("CREATE TABLE t(x)").ok());
  const std::optional<WalStamp> before = reader->wal_stamp();
  ASSERT_TRUE(before.has_value());
  {
    Transaction transaction = Transaction::begin(*writer, Transaction::Kind::kWrite).value();
    // More than the page cache holds, so that frames go to the WAL before the rollback.
    ASSERT_TRUE(writer->exec("PRAGMA cache_size = 10; PRAGMA cache_spill = ON").ok());
    ASSERT_TRUE(writer
                    ->exec("WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r "
                           "WHERE i < 2000) INSERT INTO t SELECT randomblob(1000) FROM r")
                    .ok());
    EXPECT_EQ(reader->wal_stamp(), before);
  }
  ASSERT_TRUE(reader->exec("SELECT * FROM t").ok());
  EXPECT_EQ(reader->wal_stamp(), before);
}

TEST(WalStampTest, ThereIsNoneWithoutAWal) {
  const auto memory = open(":memory:");
  EXPECT_FALSE(memory->wal_stamp().has_value());
  const base::TempDir folder;
  const std::string path = folder.file("a.db");
  {
    const auto other = open(path);
    ASSERT_TRUE(other->exec("CREATE TABLE t(x); PRAGMA journal_mode = DELETE").ok());
  }
  const auto rollback = open(path, {.read_only = true});
  EXPECT_FALSE(rollback->wal_stamp().has_value());
  EXPECT_FALSE(std::filesystem::exists(path + "-shm")) << "looking must make no file";
}

TEST(WalStampTest, LookingBeginsNoTransaction) {
  const base::TempDir folder;
  const auto connection = open(folder.file("a.db"));
  ASSERT_TRUE(connection->exec("CREATE TABLE t(x)").ok());
  ASSERT_TRUE(connection->wal_stamp().has_value());
  EXPECT_FALSE(connection->in_transaction());
  // Not sought before the transaction: then not within it either.
  const auto second = open(folder.file("a.db"));
  const Transaction open = Transaction::begin(*second, Transaction::Kind::kRead).value();
  EXPECT_FALSE(second->wal_stamp().has_value());
}

}  // namespace
}  // namespace loci::sqlite

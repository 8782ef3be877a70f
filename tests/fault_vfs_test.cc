// SPDX-License-Identifier: Apache-2.0
//
// The harness itself: that what it says to fail fails, in the way it says.
#include "support/fault_vfs.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>

#include "base/bytes.h"
#include "base/os_file.h"
#include "sqlite/sqlite_api.h"
#include "support/process.h"
#include "support/temp_dir.h"

namespace loci::testing {
namespace {

int run(sqlite3* database, const char* sql) {
  sqlite3_extended_result_codes(database, 1);
  return sqlite3_exec(database, sql, nullptr, nullptr, nullptr);
}

struct Close {
  void operator()(sqlite3* database) const { sqlite3_close(database); }
};
using Handle = std::unique_ptr<sqlite3, Close>;

Handle open(const std::string& path) {
  FaultVfs::get();
  sqlite3* database = nullptr;
  EXPECT_EQ(sqlite3_open(path.c_str(), &database), SQLITE_OK);
  return Handle(database);
}

TEST(FaultVfsTest, CountsByKindAndFailsTheNth) {
  const TempDir dir;
  const Handle database = open(dir.file("a.db"));
  FaultVfs& vfs = FaultVfs::get();
  vfs.arm({.calls = only(IoCall::kWrite)});
  ASSERT_EQ(run(database.get(), "CREATE TABLE t(x)"), SQLITE_OK);
  EXPECT_GT(vfs.calls(), 2);
  EXPECT_EQ(vfs.calls(), vfs.calls(IoCall::kWrite));
  EXPECT_GT(vfs.calls(IoCall::kSync), 0);
  EXPECT_FALSE(vfs.disarm());

  vfs.arm({.nth = 1, .calls = only(IoCall::kSync)});
  EXPECT_EQ(run(database.get(), "INSERT INTO t VALUES(1)"), SQLITE_IOERR_FSYNC);
  EXPECT_EQ(run(database.get(), "INSERT INTO t VALUES(2)"), SQLITE_OK) << "once is once";
  EXPECT_TRUE(vfs.disarm());

  vfs.arm({.nth = 1, .fault = IoFault::kFull, .from_then_on = true});
  EXPECT_NE(run(database.get(), "INSERT INTO t VALUES(3)"), SQLITE_OK);
  EXPECT_NE(run(database.get(), "SELECT * FROM t"), SQLITE_OK) << "from then on";
  EXPECT_TRUE(vfs.disarm());
  EXPECT_EQ(run(database.get(), "INSERT INTO t VALUES(4)"), SQLITE_OK);
}

TEST(FaultVfsTest, FullIsOfWritesAlone) {
  const TempDir dir;
  const Handle database = open(dir.file("a.db"));
  FaultVfs::get().arm({.nth = 1, .fault = IoFault::kFull, .calls = only(IoCall::kWrite)});
  EXPECT_EQ(run(database.get(), "CREATE TABLE t(x)"), SQLITE_FULL);
  FaultVfs::get().arm({.nth = 1, .fault = IoFault::kFull, .calls = only(IoCall::kSync)});
  EXPECT_EQ(run(database.get(), "CREATE TABLE t(x)"), SQLITE_IOERR_FSYNC);
  EXPECT_TRUE(FaultVfs::get().disarm());
}

TEST(FaultVfsTest, NothingIsMapped) {
  const TempDir dir;
  const Handle database = open(dir.file("a.db"));
  ASSERT_EQ(run(database.get(),
                "PRAGMA mmap_size = 1000000; CREATE TABLE t(x);"
                "INSERT INTO t VALUES(zeroblob(100000)); PRAGMA cache_size = 1"),
            SQLITE_OK);
  FaultVfs::get().arm({});
  ASSERT_EQ(run(database.get(), "SELECT sum(length(hex(x))) FROM t"), SQLITE_OK);
  EXPECT_GT(FaultVfs::get().calls(IoCall::kRead), 20) << "pages came from somewhere else";
  FaultVfs::get().disarm();
}

/// Rows in the table after a power failure that follows an INSERT with this synchronous setting.
int64_t rows_after_power_loss(const char* synchronous, uint64_t seed) {
  const TempDir dir;
  const std::string path = dir.file("a.db");
  FaultVfs& vfs = FaultVfs::get();
  vfs.record();
  {
    const Handle database = open(path);
    EXPECT_EQ(run(database.get(),
                  "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                  "CREATE TABLE t(x)"),
              SQLITE_OK);
    EXPECT_EQ(run(database.get(), synchronous), SQLITE_OK);
    EXPECT_EQ(run(database.get(), "INSERT INTO t VALUES(1)"), SQLITE_OK);
    vfs.lose_power();
    EXPECT_NE(run(database.get(), "INSERT INTO t VALUES(2)"), SQLITE_OK);
  }
  vfs.disarm();
  vfs.leave_survivors(seed);
  EXPECT_FALSE(std::filesystem::exists(path + "-shm"));
  const Handle database = open(path);
  sqlite3_stmt* statement = nullptr;
  EXPECT_EQ(sqlite3_prepare_v2(database.get(), "SELECT count(*) FROM t", -1, &statement, nullptr),
            SQLITE_OK);
  sqlite3_step(statement);
  const int64_t rows = sqlite3_column_int64(statement, 0);
  sqlite3_finalize(statement);
  return rows;
}

TEST(FaultVfsTest, PowerLossTakesWhatWasNotSynced) {
  EXPECT_EQ(rows_after_power_loss("PRAGMA synchronous = FULL", 0), 1);
  EXPECT_EQ(rows_after_power_loss("PRAGMA synchronous = OFF", 0), 0);
  EXPECT_EQ(rows_after_power_loss("PRAGMA synchronous = OFF", 1), 1);
}

TEST(FaultVfsTest, TheLibrarysOwnFilesAreCountedAndLoseTheirPowerWithIt) {
  const TempDir dir;
  FaultVfs& vfs = FaultVfs::get();
  base::FileSystem& files = base::file_system();
  vfs.record();
  vfs.arm({.nth = 2, .calls = only(IoCall::kFiles)});
  {
    const auto file = files.open(dir.file("a"), base::OpenMode::kCreateNew, 0600);
    ASSERT_TRUE(file.ok());
    EXPECT_EQ((*file)->pwrite(0, base::as_bytes("x")).code(), StatusCode::kIoError);
    EXPECT_TRUE((*file)->pwrite(0, base::as_bytes("x")).ok());
    EXPECT_EQ(vfs.calls(), 3);
    vfs.lose_power();
    EXPECT_FALSE((*file)->sync().ok());
  }
  vfs.disarm();
  vfs.leave_survivors(0);
  EXPECT_FALSE(std::filesystem::exists(dir.file("a"))) << "its folder was never synced";
  vfs.leave_survivors(1);
  EXPECT_EQ(std::filesystem::file_size(dir.file("a")), 1U);
}

TEST(FaultVfsTest, ExitEndsTheProcessAtTheCall) {
  const TempDir dir;
  const int code = in_child([&] {
    const Handle database = open(dir.file("a.db"));
    FaultVfs::get().arm({.nth = 2, .fault = IoFault::kExit, .calls = only(IoCall::kWrite)});
    run(database.get(), "CREATE TABLE t(x)");
    return 0;
  });
  EXPECT_EQ(code, kExitCode);
}

}  // namespace
}  // namespace loci::testing

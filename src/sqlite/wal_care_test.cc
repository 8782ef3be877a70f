// SPDX-License-Identifier: Apache-2.0
#include "sqlite/wal_care.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <filesystem>
#include <optional>
#include <thread>
#include <vector>

#include "base/temp_dir.h"
#include "sqlite/query.h"

namespace loci::sqlite {
namespace {

constexpr int64_t kMiB = int64_t{1} << 20U;

class WalCareTest : public ::testing::Test {
 protected:
  void SetUp() override {
    writer_ = open();
    ASSERT_TRUE(writer_->exec("CREATE TABLE t(x)").ok());
  }

  std::unique_ptr<Connection> open() {
    Result<std::unique_ptr<Connection>> opened = Connection::open(path_, {});
    EXPECT_TRUE(opened.has_value()) << opened.error().to_string();
    return std::move(opened).value();
  }

  /// One commit of about one MiB.
  Status write_mib() { return run(*writer_, "INSERT INTO t VALUES(zeroblob(?1))", kMiB); }

  [[nodiscard]] int64_t wal_bytes() const {
    return static_cast<int64_t>(std::filesystem::file_size(path_ + "-wal"));
  }

  base::TempDir folder_;
  const std::string path_ = folder_.file("a.db");
  std::unique_ptr<Connection> writer_;
};

TEST_F(WalCareTest, StaysSmallWhileReadersAlwaysOverlap) {
  // Each reader begins its next snapshot before the other ends its own: some reader is always
  // inside the WAL, so that it is never begun anew by chance.
  std::array<std::unique_ptr<Connection>, 2> readers = {open(), open()};
  std::array<std::optional<Transaction>, 2> snapshots;
  const auto begin = [&](size_t i) {
    snapshots[i].reset();
    snapshots[i] = Transaction::begin(*readers[i], Transaction::Kind::kRead).value();
    ASSERT_TRUE(query_int(*readers[i], "SELECT count(*) FROM t").has_value());
  };
  begin(0);
  begin(1);
  std::atomic<bool> writing{true};
  std::thread reading([&] {
    for (size_t turn = 0; writing.load(); ++turn) begin(turn % 2);
  });
  int64_t largest = 0;
  for (int i = 0; i < 200; ++i) {
    EXPECT_TRUE(write_mib().ok());
    largest = std::max(largest, wal_bytes());
  }
  writing.store(false);
  reading.join();
  EXPECT_LT(largest, 80 * kMiB);
  EXPECT_EQ(query_int(*writer_, "SELECT count(*) FROM t").value(), 200);
}

TEST_F(WalCareTest, AReaderThatStaysCostsNoErrorAndTheWalIsCutBackAfterwards) {
  const auto reader = open();
  writer_ = Connection::open(path_, {.busy_timeout_ms = 20}).value();  // waits no longer than this
  std::optional<Transaction> snapshot =
      Transaction::begin(*reader, Transaction::Kind::kRead).value();
  EXPECT_EQ(query_int(*reader, "SELECT count(*) FROM t").value(), 0);
  for (int i = 0; i < 90; ++i) ASSERT_TRUE(write_mib().ok());
  EXPECT_GT(wal_bytes(), kWalLimitBytes);
  EXPECT_EQ(query_int(*reader, "SELECT count(*) FROM t").value(), 0) << "its past is kept";
  snapshot.reset();
  for (int i = 0; i < 12; ++i) ASSERT_TRUE(write_mib().ok());
  EXPECT_LE(wal_bytes(), kWalLimitBytes);
  EXPECT_EQ(query_int(*writer_, "SELECT count(*) FROM t").value(), 102);
}

}  // namespace
}  // namespace loci::sqlite

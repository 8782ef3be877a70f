// SPDX-License-Identifier: Apache-2.0
//
// Five writer and five reader processes on one file. No call may fail; every answer that a reader
// gets is in order and true to the rows of its snapshot; at the end every reader finds exactly the
// rows that a plain SQLite sees, and the file holds exactly what the writers committed.
//
// How fast and how evenly it went is printed. It is asserted only when LOCI_TEST_SECONDS asks for a
// run of its own (scripts/soak): beside other tests a share of the machine is nobody's promise.
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include "crash/child.h"
#include "crash/transactions.h"
#include "loci/loci.h"
#include "support/consistency.h"
#include "support/fixture.h"
#include "support/process.h"
#include "support/temp_dir.h"

namespace loci::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr int kWriters = 5;
constexpr int kReaders = 5;
constexpr uint64_t kSeed = 4001;
constexpr int64_t kMiB = int64_t{1} << 20U;

int long_run_seconds() {
  const char* text = std::getenv("LOCI_TEST_SECONDS");  // NOLINT(concurrency-mt-unsafe): at start
  return text == nullptr ? 0 : std::atoi(text);         // NOLINT(cert-err34-c): 0 is the short run
}

/// What the whole run came to.
struct Figures {
  std::vector<int64_t> commits;  // by writer
  int64_t longest_wait_us = 0;
  int64_t longest_transaction_us = 0;
  int64_t searches = 0;
  int64_t largest_wal = 0;

  [[nodiscard]] int64_t all_commits() const {
    int64_t sum = 0;
    for (const int64_t one : commits) sum += one;
    return sum;
  }
  /// The smallest share, as a part of an equal one.
  [[nodiscard]] double smallest_share() const {
    const auto least = *std::min_element(commits.begin(), commits.end());
    return static_cast<double>(least) * kWriters / static_cast<double>(all_commits());
  }
};

class ManyProcessesTest : public ::testing::Test {
 protected:
  void start();
  void let_run(int time_s);
  void stop();
  void compare_with_sqlite();
  void compare_with_model();
  void print(int time_s) const;

  TempDir dir_;
  const std::string path_ = dir_.file("shared.db");
  std::vector<Child> writers_;
  std::vector<Child> readers_;
  Figures figures_;
};

void ManyProcessesTest::start() {
  for (int i = 1; i <= kWriters; ++i) {
    writers_.emplace_back(std::vector<std::string>{LOCI_CRASH_WORKER, "write", path_,
                                                   std::to_string(kSeed), std::to_string(i), "1",
                                                   "0", "steady"});
  }
  for (int i = 0; i < kReaders; ++i) {
    readers_.emplace_back(std::vector<std::string>{LOCI_CRASH_WORKER, "read", path_});
  }
}

void ManyProcessesTest::let_run(int time_s) {
  const auto end = Child::Clock::now() + seconds(time_s);
  size_t turn = 0;
  while (Child::Clock::now() < end) {
    // Their lines are read on in turn, so that no pipe fills up.
    writers_[turn++ % writers_.size()].read_for(milliseconds(2));
    std::error_code gone;  // no -wal yet
    const auto size = std::filesystem::file_size(path_ + "-wal", gone);
    if (!gone) figures_.largest_wal = std::max(figures_.largest_wal, static_cast<int64_t>(size));
  }
}

/// Writers first: what the readers report last is the final state.
void ManyProcessesTest::stop() {
  for (std::vector<Child>* children : {&writers_, &readers_}) {
    for (const Child& child : *children) child.send(SIGTERM);
    for (Child& child : *children) {
      const int code = child.wait();
      ASSERT_FALSE(child.lines().empty());
      ASSERT_EQ(code, 0) << child.lines().back();
      std::istringstream figures(child.lines().back());
      char kind = 0;
      int64_t count = 0, wait_us = 0, total_us = 0;
      figures >> kind >> count;
      ASSERT_TRUE(figures && kind == 'W') << child.lines().back();
      if (children == &readers_) {
        figures_.searches += count;
        continue;
      }
      figures >> wait_us >> total_us;
      ASSERT_TRUE(figures) << child.lines().back();
      figures_.commits.push_back(count);
      figures_.longest_wait_us = std::max(figures_.longest_wait_us, wait_us);
      figures_.longest_transaction_us = std::max(figures_.longest_transaction_us, total_us);
    }
  }
}

/// Each reader has said what its search for everything found: the same as SQLite's own SELECT.
void ManyProcessesTest::compare_with_sqlite() {
  const ProcessResult shell = sqlite_shell(
      path_,
      "SELECT 'A', count(*), ifnull(sum(n.rowid % 1000003), 0) FROM notes n JOIN notes_vectors v "
      "ON v.rowid = n.rowid WHERE v.embedding IS NOT NULL;");
  ASSERT_EQ(shell.exit_code, 0) << shell.error;
  std::string expected = shell.out;
  std::replace(expected.begin(), expected.end(), '|', ' ');
  for (const Child& reader : readers_) {
    const auto& lines = reader.lines();
    ASSERT_GE(lines.size(), 2U);
    EXPECT_EQ(lines[lines.size() - 2] + "\n", expected);
  }
}

void ManyProcessesTest::compare_with_model() {
  CrashModel model;
  for (int worker = 1; worker <= kWriters; ++worker) {
    const Stream stream{kSeed, worker, Workload::kSteady};
    for (const std::string& line : writers_[static_cast<size_t>(worker) - 1].lines()) {
      if (line[0] != 'C') continue;
      model.apply(worker, make_transaction(stream, std::stoll(line.substr(2))).operations);
    }
  }
  Result<Database> database = Database::open(path_);
  ASSERT_OK(database);
  Result<Collection> notes = database->collection("notes");
  ASSERT_OK(notes);
  EXPECT_TRUE(same_rows(*notes, model.notes()));
  EXPECT_EQ(search_differs_from_rows(*notes), "");
  EXPECT_EQ(file_is_damaged(*database, "notes_fts"), "");
}

void ManyProcessesTest::print(int time_s) const {
  std::cout << kWriters << " writers and " << kReaders << " readers, " << time_s << " s, seed "
            << kSeed << ": " << figures_.all_commits() / time_s << " commits/s in all, by writer";
  for (const int64_t commits : figures_.commits) std::cout << ' ' << commits;
  std::cout << "; smallest share " << static_cast<int>(figures_.smallest_share() * 100)
            << " % of an equal one; longest wait " << figures_.longest_wait_us / 1000
            << " ms, longest transaction " << figures_.longest_transaction_us / 1000 << " ms; "
            << figures_.searches / time_s << " searches/s; largest WAL "
            << figures_.largest_wal / kMiB << " MiB\n";
}

TEST_F(ManyProcessesTest, ShareOneFileWithoutAnError) {
  const int asked_s = long_run_seconds();
  const int time_s = asked_s > 0 ? asked_s : 4;
  if (asked_s > 0) {  // what is asserted is what users have
    const std::string rows = std::to_string(DatabaseOptions().graph_rows);
    ::setenv("LOCI_TEST_GRAPH_ROWS", rows.c_str(), 1);  // NOLINT(concurrency-mt-unsafe): one thread
  }
  start();
  let_run(time_s);
  stop();
  if (HasFatalFailure()) return;
  compare_with_sqlite();
  compare_with_model();
  print(time_s);
  EXPECT_LT(figures_.largest_wal, 128 * kMiB);
  if (asked_s == 0) return;
  EXPECT_GE(figures_.all_commits() / time_s, 200);
  EXPECT_GE(figures_.smallest_share(), 0.1);
  EXPECT_LT(figures_.longest_wait_us, 5'000'000);
}

}  // namespace
}  // namespace loci::testing

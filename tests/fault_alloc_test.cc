// SPDX-License-Identifier: Apache-2.0
//
// Every allocation of every operation fails in turn: those of SQLite, and those of C++.
// LOCI_SOAK=1: each of them, but see kOpeningStep; else a spread of LOCI_TEST_ROUNDS of them. It
// alone fails, or all later ones with it: in turn, but both for C++ with LOCI_SOAK=1 (of SQLite's
// there are some 220,000).
#include <gtest/gtest.h>

#include <iostream>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/fault_alloc.h"
#include "support/fault_vfs.h"
#include "support/fault_workload.h"
#include "support/fixture.h"
#include "support/temp_dir.h"

namespace loci::testing {
namespace {

/// About how many runs of each allocator, handle and operation the short form makes.
constexpr int kShortRuns = 25;
/// Opening a file takes SQLite 8,000 allocations, the same in all operations: all of them would be
/// half of the time of LOCI_SOAK=1. The operation "open" has each of them fail.
constexpr int64_t kOpeningStep = 7;

/// Before anything of the program uses SQLite.
const bool kPrepared = [] {
  fail_sqlite_memory();
  FaultVfs::get();  // nothing of it fails; it spares the time of the real syncs
  return true;
}();

class FaultAllocTest : public ::testing::TestWithParam<Workload> {};

Injector injector(Allocator allocator, int64_t nth, bool from_then_on, bool in_publication) {
  return {.arm = [=] { AllocFault::arm(allocator, nth, from_then_on); },
          .disarm = [] { return AllocFault::disarm(); },
          .count = [] { return AllocFault::count(); },
          .in_publication = in_publication,
          .sqlite_memory = allocator == Allocator::kSqlite};
}

void fail_each(const FaultRun& run, FaultRun::Handle handle, Allocator allocator) {
  ASSERT_TRUE(kPrepared);
  const FaultRun::Calls calls = run.count(handle, injector(allocator, 0, false, false));
  ASSERT_GT(calls.all, 0);
  const std::vector<int64_t> chosen = run.chosen(calls, test_rounds(kShortRuns), kOpeningStep);
  int64_t runs = 0;
  int64_t fired = 0;
  for (size_t i = 0; i < chosen.size(); ++i) {
    const int64_t n = chosen[i];
    for (const bool from_then_on : {false, true}) {
      const bool both = soak() && allocator == Allocator::kCxx;
      if (!both && from_then_on != (i % 2 == 1)) continue;
      SCOPED_TRACE((allocator == Allocator::kCxx ? "C++ allocation " : "SQLite allocation ") +
                   std::to_string(n) + " of " + std::to_string(calls.all) +
                   (from_then_on ? " and all later ones" : "") +
                   (handle == FaultRun::Handle::kFresh ? ", fresh handle" : ", kept handle"));
      ++runs;
      fired += run.run(handle, injector(allocator, n, from_then_on, n > calls.own)) ? 1 : 0;
      if (::testing::Test::HasFailure()) return;
    }
  }
  EXPECT_GT(fired, 0);
  std::cout << calls.all << " allocations, " << runs << " runs\n";
}

void fail_each_handle(const Workload& workload, Allocator allocator) {
  const FaultRun run(workload);
  fail_each(run, FaultRun::Handle::kFresh, allocator);
  if (::testing::Test::HasFailure() || workload.fresh_only()) return;
  fail_each(run, FaultRun::Handle::kKept, allocator);
}

TEST_P(FaultAllocTest, AllOrNothingWhateverSqliteCannotAllocate) {
  fail_each_handle(GetParam(), Allocator::kSqlite);
}

TEST_P(FaultAllocTest, AllOrNothingWhateverCxxCannotAllocate) {
  fail_each_handle(GetParam(), Allocator::kCxx);
}

/// Fails every allocation of SQLite from now on: even a ROLLBACK cannot be prepared.
Status no_more_memory() {
  AllocFault::arm(Allocator::kSqlite, 1, true);
  return Status::cancelled("changed its mind");
}

class UndoFailsTest : public ::testing::TestWithParam<Workload> {};

TEST_P(UndoFailsTest, OuterTransactionIsNeverCommitted) {
  const TempDir dir;
  auto database = Database::open(GetParam().name == "memory" ? ":memory:" : dir.file("a.db"));
  ASSERT_OK(database);
  ASSERT_OK(fill(*database));
  const std::string before = digest(*database);
  const Status outer = database->transaction([&]() -> Status {
    Collection notes = *database->collection("notes");
    EXPECT_OK(notes.insert_many(fault_rows(500, 1)));
    const Status inner = database->transaction([&]() -> Status {
      EXPECT_OK(notes.insert_many(fault_rows(501, 1)));
      return no_more_memory();
    });
    EXPECT_TRUE(AllocFault::disarm());
    EXPECT_TRUE(fails_with(inner, StatusCode::kCancelled));
    return {};  // as if the caller could do without the inner part
  });
  EXPECT_TRUE(fails_with(outer, StatusCode::kOutOfMemory));
  EXPECT_EQ(digest(*database), before);
  EXPECT_OK(database->collection("notes")->insert_many(fault_rows(502, 1)));
  EXPECT_EQ(*database->collection("notes")->count(), 40);
  EXPECT_EQ(check_report(*database), "");
}

TEST_P(UndoFailsTest, NobodyWaitsForItAndNobodyCommitsIt) {
  const TempDir dir;
  const bool memory = GetParam().name == "memory";
  const std::string path = memory ? ":memory:" : dir.file("a.db");
  auto database = Database::open(path);
  ASSERT_OK(database);
  ASSERT_OK(fill(*database));
  const Status status = database->transaction([&]() -> Status {
    EXPECT_OK(database->collection("notes")->insert_many(fault_rows(500, 1)));
    return no_more_memory();
  });
  EXPECT_TRUE(AllocFault::disarm());
  EXPECT_TRUE(fails_with(status, StatusCode::kCancelled));
  if (!memory) {
    auto other = Database::open(path, {.busy_timeout_ms = 0});
    ASSERT_OK(other);
    EXPECT_OK(other->collection("notes")->insert_many(fault_rows(501, 1)));
  }
  EXPECT_OK(database->collection("notes")->insert_many(fault_rows(502, 1)));
  EXPECT_EQ(*database->collection("notes")->count(), memory ? 40 : 41);
  EXPECT_EQ(check_report(*database), "");
}

INSTANTIATE_TEST_SUITE_P(Of, UndoFailsTest,
                         ::testing::Values(Workload{.name = "file", .prepare = {}, .act = {}},
                                           Workload{.name = "memory", .prepare = {}, .act = {}}),
                         [](const auto& test) { return test.param.name; });

TEST(CallbackThrowsTest, ItsTransactionIsUndoneAndItsWordsAreKept) {
  const TempDir dir;
  auto database = Database::open(dir.file("a.db"));
  ASSERT_OK(database);
  ASSERT_OK(fill(*database));
  const std::string before = digest(*database);
  const Status status = database->transaction([&]() -> Status {
    EXPECT_OK(database->create_collection(fault_spec("second")));
    throw std::runtime_error("of the caller's own");
  });
  EXPECT_TRUE(fails_with(status, StatusCode::kInternal, {"of the caller's own"}));
  EXPECT_EQ(digest(*database), before);
  EXPECT_OK(database->create_collection(fault_spec("second")));
}

INSTANTIATE_TEST_SUITE_P(Every, FaultAllocTest, ::testing::ValuesIn(fault_workloads()),
                         [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace loci::testing

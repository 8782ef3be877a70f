// SPDX-License-Identifier: Apache-2.0
//
// Every I/O call of every operation fails in turn. LOCI_SOAK=1: each call, each fault, each kind of
// handle; else every few calls, with the faults taken in turn.
#include <gtest/gtest.h>

#include <iostream>
#include <string>
#include <vector>

#include "support/fault_vfs.h"
#include "support/fault_workload.h"
#include "support/fixture.h"
#include "support/temp_dir.h"

namespace loci::testing {
namespace {

class FaultIoTest : public ::testing::TestWithParam<Workload> {};

/// About how many runs of each operation and handle the short form makes.
constexpr int kShortRuns = 80;

constexpr IoFault kFaults[] = {IoFault::kError, IoFault::kFull, IoFault::kShort, IoFault::kTorn};

Injector injector(const IoPlan& plan, bool in_publication) {
  return {.arm = [plan] { FaultVfs::get().arm(plan); },
          .disarm = [] { return FaultVfs::get().disarm(); },
          .count = [] { return FaultVfs::get().calls(); },
          .in_publication = in_publication};
}

void fail_each(const FaultRun& run, FaultRun::Handle handle) {
  const FaultRun::Calls calls = run.count(handle, injector({}, false));
  ASSERT_GT(calls.all, 0);
  const std::vector<int64_t> chosen = run.chosen(calls, test_rounds(kShortRuns), 1);
  int64_t runs = 0;
  int64_t fired = 0;
  for (size_t i = 0; i < chosen.size(); ++i) {
    const int64_t n = chosen[i];
    for (size_t variant = 0; variant < 8; ++variant) {
      if (!soak() && variant != i % 8) continue;
      const IoPlan plan = {.nth = n,
                           .fault = kFaults[variant % 4],
                           .from_then_on = variant >= 4,
                           .seed = static_cast<uint64_t>(n)};
      SCOPED_TRACE("call " + std::to_string(n) + " of " + std::to_string(calls.all) + ", " +
                   io_fault_name(plan.fault) + (plan.from_then_on ? " from then on" : "") +
                   (handle == FaultRun::Handle::kFresh ? ", fresh handle" : ", kept handle"));
      ++runs;
      fired += run.run(handle, injector(plan, n > calls.own)) ? 1 : 0;
      if (::testing::Test::HasFailure()) return;  // the first one tells enough
    }
  }
  EXPECT_GT(fired, 0);
  std::cout << calls.all << " calls, " << runs << " runs\n";
}

TEST_P(FaultIoTest, AllOrNothingWhateverCallFails) {
  FaultVfs::get();
  const FaultRun run(GetParam());
  fail_each(run, FaultRun::Handle::kFresh);
  if (!HasFailure() && !GetParam().fresh_only()) fail_each(run, FaultRun::Handle::kKept);
}

/// A transaction whose caller passes over the failure of one of its parts. Returns whether it
/// failed.
bool pass_over_failure(int64_t nth, bool from_then_on) {
  const TempDir dir;
  auto database = Database::open(dir.file("a.db"));
  EXPECT_OK(database);
  EXPECT_OK(fill(*database));
  const std::string before = digest(*database);
  bool failed = false;
  const Status status = database->transaction([&]() -> Status {
    LOCI_ASSIGN_OR_RETURN(Collection notes, database->collection("notes"));
    EXPECT_OK(notes.insert_many(fault_rows(100, 1)));
    EXPECT_OK(database->sql("PRAGMA cache_size = 5", nullptr));  // so that pages are read again
    FaultVfs::get().arm({.nth = nth, .from_then_on = from_then_on});
    failed = !notes.insert_many(fault_rows(200, 60)).ok();
    FaultVfs::get().disarm();
    notes.insert_many(fault_rows(300, 1)).status().ignore();
    return {};
  });
  const std::string after = digest(*database);
  const bool middle = after.find("id=note-200 ") != std::string::npos;
  const bool ends = after.find("id=note-100 ") != std::string::npos &&
                    after.find("id=note-300 ") != std::string::npos;
  if (status.ok()) {
    EXPECT_TRUE(ends) << after;
    EXPECT_NE(middle, failed);
  } else {
    EXPECT_EQ(after, before) << status.to_string();
  }
  EXPECT_EQ(check_report(*database), "");
  EXPECT_OK(database->collection("notes")->insert_many(fault_rows(400, 1)));
  EXPECT_EQ(check_report(*database), "");
  return failed;
}

TEST(PassedOverFailureTest, TransactionIsWholeOrNothing) {
  FaultVfs::get();
  bool failed = false;
  for (int64_t n = 1; n <= 40 && !::testing::Test::HasFailure(); ++n) {
    for (const bool from_then_on : {false, true}) {
      SCOPED_TRACE("call " + std::to_string(n) + (from_then_on ? " from then on" : ""));
      failed |= pass_over_failure(n, from_then_on);
    }
  }
  EXPECT_TRUE(failed);
}

INSTANTIATE_TEST_SUITE_P(Every, FaultIoTest, ::testing::ValuesIn(fault_workloads()),
                         [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace loci::testing

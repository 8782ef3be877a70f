// SPDX-License-Identifier: Apache-2.0
//
// Every allocation of every operation fails in turn: those of SQLite, and those of C++.
// LOCI_SOAK=1: each of them, once and from then on; else a spread of them.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "support/fault_alloc.h"
#include "support/fault_workload.h"
#include "support/fixture.h"

namespace loci::testing {
namespace {

/// Runs of each allocator, handle and operation in the short form.
constexpr int64_t kShortRuns = 25;

class FaultAllocTest : public ::testing::TestWithParam<Workload> {
 protected:
  static void SetUpTestSuite() {
    static const bool kOnce = (fail_sqlite_memory(), true);
    static_cast<void>(kOnce);
  }
};

int64_t count_allocations(const FaultRun& run, FaultRun::Handle handle, Allocator allocator) {
  int64_t count = 0;
  const Injector counter = {.arm = [&] { AllocFault::arm(allocator, 0, false); },
                            .disarm =
                                [&count] {
                                  const bool fired = AllocFault::disarm();
                                  count = AllocFault::count();
                                  return fired;
                                }};
  EXPECT_FALSE(run.run(handle, counter));
  return count;
}

void fail_each(const FaultRun& run, FaultRun::Handle handle, Allocator allocator) {
  const int64_t count = count_allocations(run, handle, allocator);
  ASSERT_GT(count, 0);
  // The first ones by one; a step of odd length meets loops at other places each time.
  const int64_t stride = soak() ? 1 : std::max<int64_t>(1, count / kShortRuns) | 1;
  int64_t fired = 0;
  for (int64_t n = 1; n <= count; n += stride) {
    for (const bool from_then_on : {false, true}) {
      if (!soak() && from_then_on != ((n / stride) % 2 == 1)) continue;
      SCOPED_TRACE((allocator == Allocator::kCxx ? "C++ allocation " : "SQLite allocation ") +
                   std::to_string(n) + " of " + std::to_string(count) +
                   (from_then_on ? " and all later ones" : "") +
                   (handle == FaultRun::Handle::kFresh ? ", fresh handle" : ", kept handle"));
      const Injector injector = {.arm = [=] { AllocFault::arm(allocator, n, from_then_on); },
                                 .disarm = [] { return AllocFault::disarm(); }};
      fired += run.run(handle, injector) ? 1 : 0;
      if (::testing::Test::HasFailure()) return;
    }
  }
  EXPECT_GT(fired, 0);
}

void fail_each_handle(const Workload& workload, Allocator allocator) {
  const FaultRun run(workload);
  fail_each(run, FaultRun::Handle::kFresh, allocator);
  if (::testing::Test::HasFailure() || !workload.prepare) return;
  fail_each(run, FaultRun::Handle::kKept, allocator);
}

TEST_P(FaultAllocTest, AllOrNothingWhateverSqliteCannotAllocate) {
  fail_each_handle(GetParam(), Allocator::kSqlite);
}

TEST_P(FaultAllocTest, AllOrNothingWhateverCxxCannotAllocate) {
  fail_each_handle(GetParam(), Allocator::kCxx);
}

INSTANTIATE_TEST_SUITE_P(Every, FaultAllocTest, ::testing::ValuesIn(fault_workloads()),
                         [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace loci::testing

// SPDX-License-Identifier: Apache-2.0
//
// Every I/O call and every allocation fails in turn while old versions of rows are kept, read,
// limited and purged, and while the log is compacted in slices.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "base/c_edge.h"
#include "sqlite/connection.h"
#include "store/log_compactor.h"
#include "support/fault_alloc.h"
#include "support/fault_vfs.h"
#include "support/fault_workload.h"
#include "support/fixture.h"

namespace loci::testing {
namespace {

/// About how many runs of each kind of fault, handle and operation the short form makes.
constexpr int kShortRuns = 25;

/// Before anything of the program uses SQLite.
const bool kPrepared = [] {
  fail_sqlite_memory();
  FaultVfs::get();
  return true;
}();

/// Rows that have been changed, and one that is gone.
Status fill_with_history(Database& database) {
  CollectionSpec spec = fault_spec("notes");
  spec.history.enabled = true;
  LOCI_ASSIGN_OR_RETURN(Collection notes, database.create_collection(spec));
  LOCI_RETURN_IF_ERROR(notes.insert_many(fault_rows(0, 40)).status());
  LOCI_RETURN_IF_ERROR(notes.insert_many(fault_rows(5, 20), OnConflict::kUpdate).status());
  const std::vector<RowKey> gone = {std::string("note-7")};
  return notes.remove(gone).status();
}

/// Every version of every row, without what differs from run to run.
std::string versions_of(Database& database) {
  auto notes = database.collection("notes");
  if (!notes.ok()) return notes.error().to_string();
  std::string out;
  for (int i = 0; i < 60; ++i) {
    const auto versions = notes->history("note-" + std::to_string(i), true);
    if (!versions.ok()) return versions.error().to_string();
    for (const Version& version : *versions) {
      out += (version.change == ChangeKind::kDelete ? "deleted " : "updated ") +
             describe(version.record) + "\n";
    }
  }
  return out;
}

std::string versions_in(const std::string& path) {
  auto database = Database::open(path, {.create = false});
  return database.ok() ? versions_of(*database) : database.error().to_string();
}

template <typename Act>
Workload workload(const char* name, const Act& act) {
  const auto run = [act](Database& database, std::string& /*seen*/) -> Status {
    LOCI_ASSIGN_OR_RETURN(Collection notes, database.collection("notes"));
    return act(notes);
  };
  return {name, fill_with_history, run, versions_in};
}

Status read_versions(Database& database, std::string& seen) {
  LOCI_ASSIGN_OR_RETURN(Collection notes, database.collection("notes"));
  const RowKey key = [] {
    const TestCode mine;
    return RowKey(std::string("note-7"));
  }();
  LOCI_ASSIGN_OR_RETURN(const std::vector<Version> versions, notes.history(key, true));
  const TestCode mine;
  for (const Version& version : versions) seen += describe(version.record);
  return {};
}

Status compact_in_slices(Database& database, std::string& /*seen*/) {
  return base::guarded([&]() -> Status {
    LOCI_ASSIGN_OR_RETURN(const std::unique_ptr<sqlite::Connection> connection,
                          sqlite::Connection::open(database.path(), {}));
    store::LogCompactor compactor({.keep_newest = 5});
    for (bool more = true; more;) {
      LOCI_ASSIGN_OR_RETURN(more, compactor.slice(*connection, 20));
    }
    return {};
  });
}

/// How many entries the log has.
std::string entries_in(const std::string& path) {
  std::string entries;
  auto database = Database::open(path, {.create = false});
  if (!database.ok()) return database.error().to_string();
  EXPECT_OK(database->sql("SELECT count(*) FROM loci_log",
                          [&](std::span<const std::string>, std::span<const Value> values) {
                            entries = std::to_string(std::get<int64_t>(values[0]));
                            return Status();
                          }));
  return entries;
}

std::vector<Workload> workloads() {
  const auto keys = [](const char* id) {
    const TestCode mine;
    return std::vector<RowKey>{std::string(id)};
  };
  return {
      workload("update",
               [](Collection& notes) {
                 return notes.insert_many(fault_rows(15, 5), OnConflict::kUpdate).status();
               }),
      workload("replace",
               [](Collection& notes) {
                 return notes.insert_many(fault_rows(15, 5), OnConflict::kReplace).status();
               }),
      workload("remove",
               [](Collection& notes) { return notes.remove_where("year > 2018").status(); }),
      workload("limit",
               [](Collection& notes) {
                 return notes.set_history({.enabled = true, .max_versions = 1});
               }),
      workload("turn_off", [](Collection& notes) { return notes.set_history({}); }),
      workload("purge", [keys](Collection& notes) { return notes.purge(keys("note-7")).status(); }),
      {"read", fill_with_history, read_versions},
      {"compact", fill_with_history, compact_in_slices, entries_in},
  };
}

struct Fault {
  const char* name;
  bool io;
  Allocator allocator;
};
constexpr Fault kFaults[] = {{"io", true, Allocator::kCxx},
                             {"cxx", false, Allocator::kCxx},
                             {"sqlite", false, Allocator::kSqlite}};

void arm(const Fault& fault, int64_t nth, bool from_then_on) {
  if (fault.io) {
    FaultVfs::get().arm({.nth = nth,
                         .fault = nth % 2 == 0 ? IoFault::kError : IoFault::kFull,
                         .from_then_on = from_then_on});
  } else {
    AllocFault::arm(fault.allocator, nth, from_then_on);
  }
}

int64_t fail_each(const FaultRun& run, FaultRun::Handle handle, const Fault& fault) {
  int64_t count = 0;
  const auto disarm = [&] {
    if (fault.io) {
      count = FaultVfs::get().calls();
      return FaultVfs::get().disarm();
    }
    const bool fired = AllocFault::disarm();
    count = AllocFault::count();
    return fired;
  };
  EXPECT_FALSE(run.run(handle, {.arm = [&] { arm(fault, 0, false); }, .disarm = disarm}));
  const int64_t calls = count;
  const int64_t stride = soak() ? 1 : std::max<int64_t>(1, calls / test_rounds(kShortRuns)) | 1;
  int64_t fired = 0;
  for (int64_t n = 1; n <= calls; n += stride) {
    const bool from_then_on = (n / stride) % 2 == 1;
    SCOPED_TRACE(std::string(fault.name) + " call " + std::to_string(n) + " of " +
                 std::to_string(calls) + (from_then_on ? " and all later ones" : ""));
    fired += run.run(handle, {.arm = [&] { arm(fault, n, from_then_on); },
                              .disarm = disarm,
                              .sqlite_memory = !fault.io && fault.allocator == Allocator::kSqlite})
                 ? 1
                 : 0;
    if (::testing::Test::HasFailure()) return fired;
  }
  return fired;
}

class HistoryFaultTest : public ::testing::TestWithParam<Workload> {};

TEST_P(HistoryFaultTest, AllOrNothingWhateverFails) {
  ASSERT_TRUE(kPrepared);
  const FaultRun run(GetParam());
  for (const Fault& fault : kFaults) {
    for (const FaultRun::Handle handle : {FaultRun::Handle::kFresh, FaultRun::Handle::kKept}) {
      EXPECT_GT(fail_each(run, handle, fault), 0);
      if (HasFailure()) return;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Every, HistoryFaultTest, ::testing::ValuesIn(workloads()),
                         [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace loci::testing

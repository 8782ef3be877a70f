// SPDX-License-Identifier: Apache-2.0
//
// The power fails, or the process is stopped, at every call that changes a file. LOCI_SOAK=1: at
// each of them, with more ways in which the disk may have kept or lost what was not synced.
#include <gtest/gtest.h>

#include <sys/mman.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "support/consistency.h"
#include "support/fault_vfs.h"
#include "support/fault_workload.h"
#include "support/fixture.h"
#include "support/process.h"
#include "support/temp_dir.h"

namespace loci::testing {
namespace {

/// A program that works on one file: each step ends with a commit, or changes nothing to be seen.
class Program {
 public:
  Program(std::string path, Durability durability)
      : path_(std::move(path)), durability_(durability) {}

  using Step = Status (Program::*)();

  Status open() {
    DatabaseOptions options;
    options.durability = durability_;
    options.snapshot = snapshot_;
    LOCI_ASSIGN_OR_RETURN(database_, Database::open(path_, options));
    return {};
  }
  Status open_inline() {
    snapshot_ = SnapshotMode::kInline;
    return open();
  }
  Status create() { return database_->create_collection(fault_spec("notes")).status(); }
  Status insert() {
    return with([](Collection& c) { return c.insert_many(fault_rows(1, 1)); });
  }
  Status insert_many() {
    return with([](Collection& c) { return c.insert_many(fault_rows(100, 100)); });
  }
  Status replace() {
    return with(
        [](Collection& c) { return c.insert_many(fault_rows(90, 40), OnConflict::kReplace); });
  }
  Status update() {
    Record changes;
    changes.fields = {{"body", std::string("willow")}, {"year", int64_t{1970}}};
    return with([&](Collection& c) { return c.update("note-108", changes); });
  }
  Status remove() {
    return with([](Collection& c) { return c.remove_where("lang = 'de' AND year > 2004"); });
  }
  Status archive() {
    const std::vector<RowKey> keys = {std::string("note-102"), std::string("note-104")};
    return with([&](Collection& c) { return c.archive(keys); });
  }
  Status alter() {
    return with([](Collection& c) {
      return c.add_filter_column({.name = "stars", .type = FieldType::kFloat});
    });
  }
  Status purge() {
    const std::vector<RowKey> keys = {std::string("note-106"), std::string("note-1")};
    return with([&](Collection& c) { return c.purge(keys); });
  }
  Status create_second() { return database_->create_collection(fault_spec("second")).status(); }
  Status drop_second() { return database_->drop_collection("second"); }
  Status checkpoint() { return database_->sql("PRAGMA wal_checkpoint(TRUNCATE)", nullptr); }
  Status compact_log() {
    std::string ignored;
    return compact(*database_, durability_ == Durability::kFull, ignored);
  }
  Status reindex() { return database_->reindex("notes"); }
  Status publish() { return database_->publish("notes"); }
  Status reopen() {
    database_.reset();  // the last connection: the WAL is emptied and removed
    return open();
  }
  Status drop() { return database_->drop_collection("notes"); }
  Status migrate_down() { return database_->migrate(0); }
  Status migrate_up() { return database_->migrate(); }

  [[nodiscard]] std::string state() { return digest(*database_); }

 private:
  template <typename Change>
  Status with(const Change& change) {
    LOCI_ASSIGN_OR_RETURN(Collection notes, database_->collection("notes"));
    return status_of(change(notes));
  }
  static Status status_of(const Status& status) { return status; }
  template <typename T>
  static Status status_of(const Result<T>& result) {
    return result.status();
  }

  std::string path_;
  Durability durability_;
  SnapshotMode snapshot_ = SnapshotMode::kFile;
  std::optional<Database> database_;
};

const std::vector<Program::Step> kRows = {
    &Program::open,    &Program::create,      &Program::insert,     &Program::insert_many,
    &Program::update,  &Program::checkpoint,  &Program::replace,    &Program::remove,
    &Program::archive, &Program::compact_log, &Program::checkpoint, &Program::update};
const std::vector<Program::Step> kSchema = {
    &Program::open,        &Program::migrate_up,    &Program::migrate_down, &Program::create,
    &Program::insert_many, &Program::create_second, &Program::alter,        &Program::checkpoint,
    &Program::drop_second, &Program::reindex,       &Program::drop,         &Program::migrate_down};
const std::vector<Program::Step> kFile = {
    &Program::open,   &Program::create,  &Program::insert_many, &Program::publish,
    &Program::reopen, &Program::insert,  &Program::purge,       &Program::update,
    &Program::reopen, &Program::publish, &Program::remove,      &Program::reopen};
const std::vector<Program::Step> kSnapshots = {
    &Program::open,   &Program::create,     &Program::insert_many, &Program::publish,
    &Program::update, &Program::checkpoint, &Program::publish,     &Program::remove,
    &Program::reopen, &Program::insert,     &Program::publish,     &Program::compact_log,
    &Program::update, &Program::reindex,    &Program::archive,     &Program::publish};

const std::vector<Program::Step> kInlineSnapshots = [] {
  std::vector<Program::Step> steps = kSnapshots;
  steps[0] = &Program::open_inline;
  return steps;
}();

/// What can be seen before the first step and after each.
std::vector<std::string> states_of(const std::vector<Program::Step>& steps) {
  const TempDir dir;
  Program program(dir.file("base.db"), Durability::kNormal);
  std::vector<std::string> states;
  for (const Program::Step step : steps) {
    EXPECT_OK((program.*step)());
    if (states.empty()) states.push_back(program.state());
    states.push_back(program.state());
  }
  return states;
}

/// How many steps were reported as done; stops at the first that was not.
size_t run_program(const std::vector<Program::Step>& steps, const std::string& path,
                   Durability durability, const std::function<void(size_t)>& report) {
  Program program(path, durability);
  for (size_t done = 0; done < steps.size(); ++done) {
    if (!(program.*steps[done])().ok()) return done;
    report(done + 1);
  }
  return steps.size();
}

/// What is wrong with the records of snapshots: empty when each stands on an entry of the log.
std::string false_snapshot_records(Database& database) {
  const auto collections = database.list_collections();
  if (!collections.ok() || collections->empty()) return "";
  int64_t wrong = -1;
  const Status status = database.sql(
      "SELECT count(*) FROM loci_followers f WHERE NOT EXISTS("
      "SELECT 1 FROM loci_log l WHERE l.scn = f.scn AND l.token = f.token)",
      [&](std::span<const std::string>, std::span<const Value> values) {
        wrong = std::get<int64_t>(values[0]);
        return Status();
      });
  return wrong == 0 ? "" : std::to_string(wrong) + " claim what is not there " + status.to_string();
}

/// While it lives, collects what the library says of snapshots that it could not use.
class UnusableSnapshots {
 public:
  UnusableSnapshots() {
    set_log_hook([this](LogLevel, std::string_view message) {
      if (message.find("the rows are read instead") == std::string_view::npos) return;
      messages_ += std::string(message) + "\n";
    });
  }
  UnusableSnapshots(const UnusableSnapshots&) = delete;
  UnusableSnapshots& operator=(const UnusableSnapshots&) = delete;
  ~UnusableSnapshots() { set_log_hook(nullptr); }
  [[nodiscard]] const std::string& messages() const { return messages_; }

 private:
  std::string messages_;
};

/// The file is whole, and holds what it held after one of the steps first..reported + 1. Returns
/// whether a reported step was lost.
bool verify(const std::string& path, const std::vector<std::string>& states, size_t first,
            size_t reported, bool purges) {
  auto database = Database::open(path);
  EXPECT_OK(database);
  if (!database.ok()) return false;
  EXPECT_EQ(check_report(*database), "");
  EXPECT_EQ(false_snapshot_records(*database), "");
  const std::string state = digest(*database);
  const auto holds = [&](size_t from) {  // steps may leave equal states
    for (size_t i = from; i <= reported + 1 && i < states.size(); ++i) {
      if (state == states[i]) return true;
    }
    return false;
  };
  EXPECT_TRUE(holds(first)) << "expected the state after one of the steps " << first << ".."
                            << reported + 1 << ", got:\n"
                            << state;
  const UnusableSnapshots unusable;
  if (auto notes = database->collection("notes"); notes.ok()) {
    EXPECT_EQ(search_differs_from_rows(*notes), "");
  }
  // A file is removed when the record of a newer one is on disk; but purge removes it at once.
  if (!purges) {
    EXPECT_EQ(unusable.messages(), "");
  }
  return !holds(reported);
}

constexpr uint32_t kChanges = only(IoCall::kWrite) | only(IoCall::kSync) | only(IoCall::kTruncate) |
                              only(IoCall::kDelete) | only(IoCall::kFiles);

bool purges(const std::vector<Program::Step>& steps) {
  return std::find(steps.begin(), steps.end(), &Program::purge) != steps.end();
}

int64_t count_changes(const std::vector<Program::Step>& steps, Durability durability) {
  const TempDir dir;
  FaultVfs::get().arm({.calls = kChanges});
  run_program(steps, dir.file("base.db"), durability, [](size_t) {});
  const int64_t calls = FaultVfs::get().calls();
  FaultVfs::get().disarm();
  return calls;
}

void lose_power_at_every_change(const std::vector<Program::Step>& steps, Durability durability,
                                int64_t stride) {
  FaultVfs& vfs = FaultVfs::get();
  const std::vector<std::string> states = states_of(steps);
  const int64_t changes = count_changes(steps, durability);
  ASSERT_GT(changes, 50);
  const uint64_t seeds = soak() ? 8 : 3;
  bool lost = false;
  for (int64_t n = 1; n <= changes; n += stride) {
    const TempDir dir;
    const std::string path = dir.file("base.db");
    vfs.record();
    vfs.arm({.nth = n, .fault = IoFault::kPowerLoss, .calls = kChanges});
    const size_t reported = run_program(steps, path, durability, [](size_t) {});
    ASSERT_TRUE(vfs.disarm());
    for (uint64_t i = 0; i < seeds; ++i) {
      const uint64_t seed = i < 2 ? i : static_cast<uint64_t>(n) * 16 + i;
      SCOPED_TRACE("change " + std::to_string(n) + " of " + std::to_string(changes) + ", seed " +
                   std::to_string(seed) + ", " + std::to_string(reported) + " steps reported");
      vfs.leave_survivors(seed);
      const size_t first = durability == Durability::kFull ? reported : 0;
      lost |= verify(path, states, first, reported, purges(steps));
      if (::testing::Test::HasFailure()) return;
    }
  }
  // NORMAL may lose reported commits. Had it never, the harness would lose nothing, and FULL would
  // have passed for nothing.
  EXPECT_EQ(lost, durability == Durability::kNormal);
}

class PowerLossTest : public ::testing::TestWithParam<Durability> {};

TEST_P(PowerLossTest, RowsAreAPrefixOfTheCommits) {
  lose_power_at_every_change(kRows, GetParam(), soak() ? 1 : 7);
}

TEST_P(PowerLossTest, SchemasAreAPrefixOfTheCommits) {
  lose_power_at_every_change(kSchema, GetParam(), soak() ? 1 : 11);
}

TEST_P(PowerLossTest, ClosedAndRewrittenFilesAreAPrefixOfTheCommits) {
  lose_power_at_every_change(kFile, GetParam(), soak() ? 1 : 7);
}

TEST_P(PowerLossTest, SnapshotsClaimNothingThatIsNotThere) {
  lose_power_at_every_change(kSnapshots, GetParam(), soak() ? 1 : 7);
}

TEST_P(PowerLossTest, SnapshotsInTheFileClaimNothingThatIsNotThere) {
  lose_power_at_every_change(kInlineSnapshots, GetParam(), soak() ? 1 : 11);
}

INSTANTIATE_TEST_SUITE_P(Every, PowerLossTest,
                         ::testing::Values(Durability::kNormal, Durability::kFull),
                         [](const auto& test) {
                           return test.param == Durability::kFull ? "full" : "normal";
                         });

/// Memory that a child shares with its parent: what it has reported until it was stopped.
class SharedCount {
 public:
  SharedCount()
      : at_(static_cast<volatile size_t*>(::mmap(nullptr, sizeof(size_t), PROT_READ | PROT_WRITE,
                                                 MAP_SHARED | MAP_ANONYMOUS, -1, 0))) {}
  SharedCount(const SharedCount&) = delete;
  SharedCount& operator=(const SharedCount&) = delete;
  ~SharedCount() { ::munmap(const_cast<size_t*>(at_), sizeof(size_t)); }
  void set(size_t value) { *at_ = value; }
  [[nodiscard]] size_t get() const { return *at_; }

 private:
  volatile size_t* at_;
};

void stop_at_every_change(const std::vector<Program::Step>& steps) {
  const std::vector<std::string> states = states_of(steps);
  const int64_t changes = count_changes(steps, Durability::kNormal);
  for (int64_t n = 1; n <= changes; n += soak() ? 1 : 23) {
    SCOPED_TRACE("stopped at change " + std::to_string(n) + " of " + std::to_string(changes));
    const TempDir dir;
    const std::string path = dir.file("base.db");
    SharedCount reported;
    reported.set(0);
    const int code = in_child([&] {
      FaultVfs::get().arm({.nth = n, .fault = IoFault::kExit, .calls = kChanges});
      run_program(steps, path, Durability::kNormal, [&](size_t done) { reported.set(done); });
      return 0;
    });
    ASSERT_EQ(code, kExitCode);
    verify(path, states, reported.get(), reported.get(), purges(steps));
    if (::testing::Test::HasFailure()) return;
  }
}

TEST(ProcessStopTest, NoReportedCommitIsLostWhereverTheProcessStops) {
  stop_at_every_change(kRows);
  stop_at_every_change(kSchema);
  stop_at_every_change(kFile);
  stop_at_every_change(kSnapshots);
}

}  // namespace
}  // namespace loci::testing

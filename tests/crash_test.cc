// SPDX-License-Identifier: Apache-2.0
//
// kill -9. Workers write to a file and are killed at random instants, over and over on the same
// file; after each death the file must hold exactly the transactions that were acknowledged, and of
// the one in doubt all or nothing: compared row by row with a model that the test keeps outside the
// file, then every search with the rows.
//
// The seed decides what is written and when the kill is due; the machine decides what the worker
// was doing then. The counts of each kind are printed.
#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <filesystem>
#include <iostream>
#include <optional>
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

using std::chrono::microseconds;
using std::chrono::seconds;

/// Where a writer begins the WAL anew (docs/threads.md).
constexpr uintmax_t kWalLimitBytes = 64U << 20U;

std::string number(int64_t value) { return std::to_string(value); }

/// What a worker has said when it was killed.
struct LastWords {
  bool ready = false;
  bool publishing = false;   // inside an S
  bool maintaining = false;  // inside an M
  bool reindexing = false;   // inside one that is a reindex
  bool published = false;
  int64_t acknowledged = 0;  // the last C
  int64_t in_doubt = 0;      // a P without its C
  std::vector<int64_t> committed;
  std::string error;
};

LastWords last_words(const std::vector<std::string>& lines) {
  LastWords words;
  for (const std::string& line : lines) {
    const int64_t value =
        line.size() > 2 && line[0] != 'E' ? std::strtoll(line.c_str() + 2, nullptr, 10) : 0;
    switch (line[0]) {
      case 'R':
        words.ready = true;
        break;
      case 'P':
        words.in_doubt = value;
        break;
      case 'C':
        words.in_doubt = 0;
        words.acknowledged = value;
        words.committed.push_back(value);
        break;
      case 'S':
      case 'M':
      case 'F':
        words.published = words.published || (words.publishing && line[0] == 'F');
        words.publishing = line[0] == 'S';
        words.maintaining = line[0] == 'M';
        words.reindexing = words.maintaining && care_after(value) == Care::kReindex;
        break;
      case 'E':
        words.error = line;
        break;
      default:
        break;
    }
  }
  return words;
}

/// Waits for the `count`-th line of this kind from now on, then for some time more.
void wait_for(Child& child, char kind, size_t count, microseconds more) {
  const auto wanted = [&](const std::string& line) {
    return line[0] == 'E' || (line[0] == kind && --count == 0);
  };
  child.read_until(Child::Clock::now() + seconds(30), wanted);
  child.read_for(more);
}

struct Kills {
  int all = 0, opening = 0, in_doubt = 0, in_doubt_committed = 0, publishing = 0, maintaining = 0,
      long_wal = 0;
  int from_file = 0, built_anew = 0;  // images of the rounds after the first publication
  int64_t commits = 0;
};

struct RunOptions {
  uint64_t seed = 0;
  size_t writers = 1;
  size_t readers = 0;  ///< that keep the WAL in use; killed last
  Workload workload = Workload::kCrash;
};

/// One file, the workers on it, and what the file must hold.
class CrashRun {
 public:
  explicit CrashRun(const RunOptions& options)
      : options_(options), random_(options.seed), next_(options.writers, 1) {}

  /// Starts the workers, kills them, checks the file.
  void round();
  [[nodiscard]] const Kills& kills() const { return kills_; }

 private:
  void kill_all(std::vector<Child>& children);
  void settle(const Child& child, int worker, Database& database);
  void compare(Database& database);
  void compare_side(Database& database, int worker);
  [[nodiscard]] bool bulk() const { return options_.workload == Workload::kBulk; }
  [[nodiscard]] Stream stream(int worker) const {
    return {options_.seed, worker, options_.workload};
  }

  const RunOptions options_;
  Random random_;
  TempDir dir_;
  const std::string path_ = dir_.file("crash.db");
  std::vector<int64_t> next_;  // by worker: the number of the next transaction
  CrashModel model_;
  Kills kills_;
  bool publish_ = false;    // in this round
  bool published_ = false;  // ever
  /// A reindex was killed since an image last came from a snapshot. Its commit makes every older
  /// snapshot useless, and the new one may not have been written yet.
  bool reindex_killed_ = false;
};

void CrashRun::round() {
  publish_ = !random_.one_in(bulk() ? 1 : 3);
  std::vector<Child> children;
  children.reserve(next_.size());
  for (size_t i = 0; i < next_.size(); ++i) {
    children.emplace_back(std::vector<std::string>{
        LOCI_CRASH_WORKER, "write", path_, number(static_cast<int64_t>(options_.seed)),
        number(static_cast<int64_t>(i) + 1), number(next_[i]), publish_ ? "2" : "0",
        bulk() ? "bulk" : "crash"});
  }
  std::vector<Child> readers;
  readers.reserve(options_.readers);
  for (size_t i = 0; i < options_.readers; ++i) {
    readers.emplace_back(std::vector<std::string>{LOCI_CRASH_WORKER, "linger", path_});
  }
  kill_all(children);
  for (Child& reader : readers) {
    reader.kill();
    ASSERT_EQ(last_words(reader.lines()).error, "");
  }
  if (random_.one_in(4)) std::filesystem::remove(path_ + "-shm");  // SQLite makes it again
  if (random_.one_in(4) && std::filesystem::exists(path_)) {
    // Reading alone must work on what a dead process left, before anybody has written again.
    Result<Database> reader = Database::open(path_, {.read_only = true});
    ASSERT_OK(reader);
    ASSERT_OK(reader->list_collections());
  }
  Result<Database> database = Database::open(path_);
  ASSERT_OK(database);
  ASSERT_OK(open_notes(*database));
  for (size_t i = 0; i < children.size(); ++i) {
    settle(children[i], static_cast<int>(i) + 1, *database);
    if (::testing::Test::HasFatalFailure()) return;
  }
  compare(*database);
}

void CrashRun::kill_all(std::vector<Child>& children) {
  const auto is_ready = [](const std::string& line) { return line[0] == 'R' || line[0] == 'E'; };
  const bool while_opening = random_.one_in(6);
  for (Child& child : children) {
    if (!while_opening) child.read_until(Child::Clock::now() + seconds(30), is_ready);
  }
  for (size_t i = 0; i < children.size(); ++i) {
    if (while_opening) {
      wait_for(children[i], 'B', 1, microseconds(random_.below(3'000)));
    } else if (bulk()) {
      wait_for(children[i], 'P', 20 + random_.below(60), microseconds(random_.below(50'000)));
    } else if (publish_) {
      wait_for(children[i], 'S', 1 + random_.below(4), microseconds(random_.below(2'000)));
    } else if (random_.one_in(3)) {
      wait_for(children[i], 'P', 1 + random_.below(4), microseconds(random_.below(120)));
    } else {
      children[i].read_for(microseconds(random_.below(i == 0 ? 80'000 : 20'000)));
    }
    children[i].kill();
    ++kills_.all;
    std::error_code none;  // killed before it had made one
    const auto wal_bytes = std::filesystem::file_size(path_ + "-wal", none);
    kills_.long_wal += !none && wal_bytes >= kWalLimitBytes ? 1 : 0;
    if (i + 1 < children.size() && !while_opening && random_.one_in(2)) {
      // Whatever the dead one held, the other goes on.
      int more = 0;
      const auto commits = [&](const std::string& line) {
        return line[0] == 'E' || (line[0] == 'C' && ++more == 3);
      };
      ASSERT_TRUE(children[i + 1].read_until(Child::Clock::now() + seconds(30), commits))
          << "the other worker did not go on";
    }
  }
}

/// Finds out from the file which of a worker's transactions are there.
void CrashRun::settle(const Child& child, int worker, Database& database) {
  const LastWords words = last_words(child.lines());
  ASSERT_EQ(words.error, "") << "worker " << worker;
  const auto apply = [&](int64_t committed) {
    const CrashTransaction transaction = make_transaction(stream(worker), committed);
    ASSERT_FALSE(transaction.undone);
    model_.apply(worker, transaction.operations);
  };
  const int64_t before = next_[static_cast<size_t>(worker) - 1] - 1;
  for (const int64_t committed : words.committed) apply(committed);
  const Result<int64_t> last = last_committed(database, worker);
  ASSERT_OK(last);
  kills_.commits += static_cast<int64_t>(words.committed.size());
  kills_.opening += words.ready ? 0 : 1;
  kills_.publishing += words.publishing ? 1 : 0;
  kills_.maintaining += words.maintaining ? 1 : 0;
  published_ = published_ || words.published;
  reindex_killed_ = reindex_killed_ || words.reindexing;
  kills_.in_doubt += words.in_doubt != 0 ? 1 : 0;
  if (words.in_doubt != 0 && *last == words.in_doubt) {
    ++kills_.in_doubt_committed;
    apply(words.in_doubt);
  } else if (words.acknowledged != 0) {
    ASSERT_EQ(*last, words.acknowledged) << "worker " << worker << ": the last acknowledged commit";
  } else {
    ASSERT_LE(*last, before) << "worker " << worker << " has acknowledged nothing";
  }
  // Numbers are not used twice: past the one in doubt and those that were undone.
  next_[static_cast<size_t>(worker) - 1] = std::max({before, words.acknowledged, words.in_doubt}) +
                                           1 + static_cast<int64_t>(random_.below(8));
}

void CrashRun::compare(Database& database) {
  Result<Collection> notes = database.collection("notes");
  ASSERT_OK(notes);
  ASSERT_TRUE(same_rows(*notes, model_.notes()));
  if (published_) {
    SearchRequest request;
    request.mode = SearchMode::kVector;
    const std::vector<float> query = sine_vector(kModelDim, 0.5);
    request.vector = query;
    const auto first = notes->search(request);
    ASSERT_OK(first);
    if (first->explain.snapshot == "file") {
      ++kills_.from_file;
      reindex_killed_ = false;
    } else {
      ++kills_.built_anew;
      ASSERT_TRUE(reindex_killed_) << "the image was built anew, and no reindex had been killed";
    }
  }
  ASSERT_EQ(search_differs_from_rows(*notes), "");
  for (size_t i = 0; i < next_.size(); ++i) compare_side(database, static_cast<int>(i) + 1);
  ASSERT_EQ(file_is_damaged(database, "notes_fts"), "");
}

void CrashRun::compare_side(Database& database, int worker) {
  Result<Collection> side = database.collection(side_name(worker));
  const CrashModel::Side& expected = model_.side(worker);
  if (!expected.has_value()) {
    ASSERT_TRUE(fails_with(side, StatusCode::kNotFound));
    return;
  }
  ASSERT_OK(side);
  std::map<std::string, std::string> stored;
  ASSERT_OK(side->scan({}, true, false, -1, 0, [&](const Record& record) {
    stored[record.id.value_or("")] = std::get<std::string>(field(record, "note"));
    return Status();
  }));
  ASSERT_EQ(stored, *expected);
  const auto stats = side->stats();
  ASSERT_OK(stats);
  ASSERT_EQ(stats->pending, 0) << "a text was committed without its vector";
  ASSERT_EQ(search_differs_from_rows(*side), "");
}

void print(const char* what, uint64_t seed, const Kills& kills) {
  std::cout << what << ", seed " << seed << ": " << kills.all << " kills (" << kills.opening
            << " while opening, " << kills.in_doubt << " with a commit in doubt of which "
            << kills.in_doubt_committed << " had happened, " << kills.publishing
            << " inside publication, " << kills.maintaining
            << " inside a reindex, repair or VACUUM, " << kills.long_wal
            << " with a WAL at its limit), " << kills.commits
            << " commits acknowledged, none lost; image from the snapshot " << kills.from_file
            << " times, built anew " << kills.built_anew << ", each after a killed reindex\n";
}

/// Rounds until that many are killed.
Kills run(const char* what, const RunOptions& options, int kills) {
  CrashRun run(options);
  for (int round = 0; run.kills().all < kills; ++round) {
    SCOPED_TRACE("seed " + number(static_cast<int64_t>(options.seed)) + ", round " + number(round));
    run.round();
    if (::testing::Test::HasFatalFailure()) return run.kills();
  }
  print(what, options.seed, run.kills());
  EXPECT_GE(run.kills().commits, kills / 2);  // they were killed at work
  return run.kills();
}

TEST(CrashTest, KilledWriterLosesNothing) {
  const int rounds = test_rounds(1) * 16;
  const Kills kills = run("one writer", {.seed = 3002}, rounds);
  if (rounds >= 500) {
    EXPECT_GE(kills.publishing, 100);
  }
}

TEST(CrashTest, TwoKilledWritersLoseNothing) {
  run("two writers", {.seed = 3003, .writers = 2}, test_rounds(1) * 14);
}

TEST(CrashTest, KilledWithALongWalLosesNothing) {
  const RunOptions options{.seed = 3004, .readers = 2, .workload = Workload::kBulk};
  run("large rows", options, (test_rounds(1) + 1) / 2);
}

TEST(CrashTest, NextWriterGoesOnWhenTheOneBeforeDiesWithTheLock) {
  const TempDir dir;
  const std::string path = dir.file("held.db");
  Result<Database> database = Database::open(path);
  ASSERT_OK(database);
  Result<Collection> notes = open_notes(*database);
  ASSERT_OK(notes);
  for (int i = 0; i < test_rounds(1) * 3; ++i) {
    Child holder({LOCI_CRASH_WORKER, "hold", path});
    ASSERT_TRUE(holder.read_until(Child::Clock::now() + seconds(30),
                                  [](const std::string& line) { return line == "L"; }));
    // A reader that opens now does not wait for the writer, nor see its row.
    Child reader({LOCI_CRASH_WORKER, "look", path});
    ASSERT_EQ(reader.wait(), 0);
    ASSERT_EQ(reader.lines().back(), "N " + number(i));
    holder.kill();
    // The lock went with its holder. That this one is not waiting for the time-out shows in it
    // having none.
    Result<Database> next = Database::open(path, {.busy_timeout_ms = 0});
    ASSERT_OK(next);
    Result<Collection> rows = next->collection("notes");
    ASSERT_OK(rows);
    Record record;
    record.id = "after-" + number(i);
    ASSERT_OK(rows->insert(record));
  }
  const auto count = notes->count();
  ASSERT_OK(count);
  EXPECT_EQ(*count, test_rounds(1) * 3);
  EXPECT_EQ(file_is_damaged(*database, "notes_fts"), "");
}

TEST(CrashTest, KilledWhileCreatingTheFile) {
  const uint64_t seed = 3101;
  Random random(seed);
  int made = 0;
  const int rounds = test_rounds(1) * 12;
  for (int round = 0; round < rounds; ++round) {
    SCOPED_TRACE("seed " + number(static_cast<int64_t>(seed)) + ", round " + number(round));
    const TempDir dir;
    const std::string path = dir.file("new.db");
    Child maker({LOCI_CRASH_WORKER, "open", path, "1"});
    // From microseconds to 64 ms: how far it comes in a time depends on the machine.
    wait_for(maker, 'B', 1, microseconds(random.below(1'000) << (1 + random.below(6))));
    maker.kill();
    Result<Database> database = Database::open(path);
    ASSERT_OK(database);
    Result<Collection> notes = database->collection("notes");
    if (notes.ok()) {
      ++made;
    } else {
      ASSERT_TRUE(fails_with(notes, StatusCode::kNotFound));
      notes = open_notes(*database);
      ASSERT_OK(notes);
    }
    Record record;
    record.id = "after";
    ASSERT_OK(notes->insert(record));
    ASSERT_EQ(search_differs_from_rows(*notes), "");
    ASSERT_EQ(file_is_damaged(*database, "notes_fts"), "");
  }
  std::cout << rounds << " kills while creating, seed " << seed << ": " << made
            << " files had their collection, the others took it afterwards\n";
}

TEST(CrashTest, EightProcessesOpenWhatAKilledOneLeft) {
  for (int round = 0; round < test_rounds(1) * 2; ++round) {
    const TempDir dir;
    const std::string path = dir.file("left.db");
    Child writer({LOCI_CRASH_WORKER, "write", path, number(3201 + round), "1", "1", "0", "crash"});
    int commits = 0;
    ASSERT_TRUE(writer.read_until(Child::Clock::now() + seconds(30), [&](const std::string& line) {
      return line[0] == 'C' && ++commits == 10;
    }));
    writer.kill();
    ASSERT_GT(std::filesystem::file_size(path + "-wal"), 0U);
    if (round % 2 == 0) std::filesystem::remove(path + "-shm");
    std::vector<Child> children;
    children.reserve(8);
    for (int i = 0; i < 8; ++i) {
      children.emplace_back(std::vector<std::string>{LOCI_CRASH_WORKER, "look", path});
    }
    CrashModel model;
    for (const int64_t committed : last_words(writer.lines()).committed) {
      const Stream stream{3201 + static_cast<uint64_t>(round), 1, Workload::kCrash};
      model.apply(1, make_transaction(stream, committed).operations);
    }
    Result<Database> database = Database::open(path);
    ASSERT_OK(database);
    Result<Collection> notes = database->collection("notes");
    ASSERT_OK(notes);
    const auto count = notes->count({}, true);
    ASSERT_OK(count);
    for (Child& child : children) {
      ASSERT_EQ(child.wait(), 0) << (child.lines().empty() ? "" : child.lines().back());
      EXPECT_EQ(child.lines().back(), "N " + number(*count));
    }
    if (last_words(writer.lines()).in_doubt == 0) {
      EXPECT_TRUE(same_rows(*notes, model.notes()));
    }
  }
}

TEST(CrashTest, OpeningAndClosingWhileOthersDo) {
  const TempDir dir;
  const std::string path = dir.file("churn.db");
  const int64_t turns = int64_t{25} * test_rounds(1);
  {
    Result<Database> database = Database::open(path);
    ASSERT_OK(database);
    ASSERT_OK(open_notes(*database));
  }
  std::vector<Child> children;
  for (int i = 1; i <= 2; ++i) {
    children.emplace_back(
        std::vector<std::string>{LOCI_CRASH_WORKER, "churn", path, number(i), number(turns)});
    children.emplace_back(
        std::vector<std::string>{LOCI_CRASH_WORKER, "peek", path, number(turns * 2)});
  }
  for (Child& child : children) {
    const int code = child.wait();
    EXPECT_EQ(code, 0) << child.lines().back();
  }
  Result<Database> database = Database::open(path);
  ASSERT_OK(database);
  Result<Collection> notes = database->collection("notes");
  ASSERT_OK(notes);
  const auto count = notes->count();
  ASSERT_OK(count);
  EXPECT_EQ(*count, turns * 2);
  EXPECT_EQ(file_is_damaged(*database, "notes_fts"), "");
}

TEST(CrashTest, EightProcessesCreateOneFileAtOnce) {
  for (int round = 0; round < test_rounds(1) * 3; ++round) {
    const TempDir dir;
    const std::string path = dir.file("new.db");
    std::vector<Child> children;
    children.reserve(8);
    for (int i = 0; i < 8; ++i) {
      children.emplace_back(std::vector<std::string>{LOCI_CRASH_WORKER, "open", path, number(i)});
    }
    for (Child& child : children) {
      const int code = child.wait();
      ASSERT_EQ(code, 0) << (child.lines().empty() ? "" : child.lines().back());
    }
    Result<Database> database = Database::open(path);
    ASSERT_OK(database);
    Result<Collection> notes = database->collection("notes");
    ASSERT_OK(notes);
    const auto count = notes->count();
    ASSERT_OK(count);
    EXPECT_EQ(*count, 8);
    EXPECT_EQ(search_differs_from_rows(*notes), "");
    EXPECT_EQ(file_is_damaged(*database, "notes_fts"), "");
  }
}

}  // namespace
}  // namespace loci::testing

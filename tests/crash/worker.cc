// SPDX-License-Identifier: Apache-2.0
//
// loci_crash_worker: a process that uses a database until it is told to stop or killed. It tells
// what it does in lines on its standard output, each written at once:
//   B            begins: the database is about to be opened
//   R            ready: it is open
//   P n          about to commit transaction n
//   C n          transaction n is committed
//   S n          begins to publish the snapshot (after every `publish`-th transaction)
//   M n          or, each fourth time: a reindex, a repairing check or a VACUUM
//   F n          ends either
//   L            holds the write lock (hold)
//   W ...        figures, at the end
//   E ...        a call failed that must not fail; the process then ends with code 1
// SIGTERM: finish what is begun, report, end with code 0.
//
//   loci_crash_worker write PATH SEED WORKER FROM PUBLISH crash|steady|bulk
//   loci_crash_worker read PATH            searches and scans until SIGTERM, then compares all
//   loci_crash_worker linger PATH          slow scans
//   loci_crash_worker open PATH WORKER     create or open, one row, close
//   loci_crash_worker hold PATH            an open write transaction until SIGTERM or kill
//   loci_crash_worker look PATH            open, count, say so, end
//   loci_crash_worker churn PATH WORKER N  N times: open, one row, close
//   loci_crash_worker peek PATH N          N times: open read-only, count, close
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <sstream>
#include <string>
#include <vector>

#include "crash/transactions.h"
#include "loci/loci.h"
#include "support/consistency.h"
#include "support/fixture.h"

namespace loci::testing {
namespace {

using Clock = std::chrono::steady_clock;

volatile sig_atomic_t stopping = 0;  // NOLINT: a signal handler reaches nothing else

void on_terminate(int /*signal*/) { stopping = 1; }

/// One line, in one write: it is whole in the pipe, or not there.
void say(const std::string& line) {
  const std::string text = line + "\n";
  if (::write(STDOUT_FILENO, text.data(), text.size()) < 0) ::_exit(2);  // the parent is gone
}

int fail(const Status& status) {
  say("E " + status.to_string());
  return 1;
}

int64_t microseconds(Clock::duration time) {
  return std::chrono::duration_cast<std::chrono::microseconds>(time).count();
}

struct WriteOptions {
  Stream stream;
  int64_t from = 1;
  int64_t publish_every = 0;  ///< 0: never
};

/// Commits transaction after transaction and keeps the figures.
class Writer {
 public:
  Writer(Database database, const WriteOptions& options)
      : database_(std::move(database)), options_(options) {}

  Status run();

 private:
  Status commit(int64_t number);
  Status publish(int64_t number);

  Database database_;
  const WriteOptions options_;
  int64_t commits_ = 0;
  int64_t wait_us_max_ = 0;  // for the write lock, and in COMMIT with what follows it
  int64_t total_us_max_ = 0;
};

Status Writer::commit(int64_t number) {
  const CrashTransaction transaction = make_transaction(options_.stream, number);
  const Clock::time_point called = Clock::now();
  Clock::time_point begun = called;
  Clock::time_point done = called;
  const Status status = database_.transaction([&]() -> Status {
    begun = Clock::now();
    LOCI_RETURN_IF_ERROR(run_operations(database_, options_.stream.worker, transaction.operations));
    if (transaction.undone) return Status::cancelled("undone");
    say("P " + std::to_string(number));
    done = Clock::now();
    return {};
  });
  if (transaction.undone && status.code() == StatusCode::kCancelled) return {};
  LOCI_RETURN_IF_ERROR(status.with_context("transaction " + std::to_string(number)));
  say("C " + std::to_string(number));
  const Clock::time_point now = Clock::now();
  ++commits_;
  wait_us_max_ = std::max({wait_us_max_, microseconds(begun - called), microseconds(now - done)});
  total_us_max_ = std::max(total_us_max_, microseconds(now - called));
  return {};
}

Status Writer::publish(int64_t number) {
  const Care care = care_after(number);
  say((care == Care::kPublish ? "S " : "M ") + std::to_string(number));
  if (care == Care::kPublish) {
    LOCI_RETURN_IF_ERROR(database_.publish("notes").with_context("publish"));
  } else if (care == Care::kRepair) {  // makes the log short too
    LOCI_ASSIGN_OR_RETURN(const std::vector<CheckFinding> findings, database_.check(true));
    if (!findings.empty()) return Status::internal("check found: " + findings[0].message);
  } else if (care == Care::kVacuum) {
    LOCI_RETURN_IF_ERROR(database_.sql("VACUUM", {}).with_context("VACUUM"));
  } else {
    LOCI_RETURN_IF_ERROR(database_.reindex("notes").with_context("reindex"));
  }
  say("F " + std::to_string(number));
  return {};
}

Status Writer::run() {
  LOCI_RETURN_IF_ERROR(open_notes(database_).status());
  say("R");
  for (int64_t number = options_.from; stopping == 0; ++number) {
    LOCI_RETURN_IF_ERROR(commit(number));
    if (options_.publish_every > 0 && number % options_.publish_every == 0) {
      LOCI_RETURN_IF_ERROR(publish(number));
    }
  }
  say("W " + std::to_string(commits_) + " " + std::to_string(wait_us_max_) + " " +
      std::to_string(total_us_max_));
  return {};
}

/// What is wrong with one answer: empty when it is in order and each hit is at the distance of the
/// vector that its row holds in the same snapshot.
std::string wrong_answer(const std::vector<Hit>& hits, VectorView query) {
  double last = -2;
  for (const Hit& hit : hits) {
    const std::string row = "row " + std::to_string(to_int(hit.rowid));
    const auto& vectors = hit.record.vectors;
    const auto vector = std::find_if(vectors.begin(), vectors.end(),
                                     [](const auto& one) { return one.first == "embedding"; });
    if (vector == vectors.end() || vector->second.empty()) return row + " was found, has no vector";
    const double expected = oracle_distance(Metric::kCosine, query, vector->second);
    if (!(std::abs(*hit.distance - expected) <= 1e-6)) return row + " has another vector";
    if (*hit.distance < last) return row + " is out of order";
    last = *hit.distance;
  }
  return "";
}

Status search_once(Collection& notes, int64_t turn) {
  const std::vector<float> query = sine_vector(kModelDim, 0.1 + 0.01 * static_cast<double>(turn));
  SearchRequest request;
  request.mode = SearchMode::kVector;
  request.vector = query;
  request.with_vectors = true;
  request.include_archived = turn % 2 == 0;
  LOCI_ASSIGN_OR_RETURN(const SearchResult found, notes.search(request));
  const std::string wrong = wrong_answer(found.hits, query);
  if (!wrong.empty()) return Status::internal(wrong);
  if (turn % 4 == 0) {
    SearchRequest words;
    words.mode = SearchMode::kText;
    words.text = model_word(static_cast<size_t>(turn) % kModelWords);
    LOCI_RETURN_IF_ERROR(notes.search(words).status());
  }
  if (turn % 16 != 0) return {};
  return notes.scan({}, true, true, -1, 0, [](const Record&) { return Status(); });
}

/// The rows that a search for all of them finds: how many, and their ids folded into one number.
Status say_all_found(Collection& notes) {
  const std::vector<float> query = sine_vector(kModelDim, 0.77);
  SearchRequest request;
  request.mode = SearchMode::kVector;
  request.vector = query;
  request.k = 1'000'000;
  request.include_archived = true;
  request.with_fields = false;
  LOCI_ASSIGN_OR_RETURN(const SearchResult found, notes.search(request));
  int64_t sum = 0;
  for (const Hit& hit : found.hits) sum += to_int(hit.rowid) % 1'000'003;
  say("A " + std::to_string(found.hits.size()) + " " + std::to_string(sum));
  return {};
}

Status read(Database& database) {
  LOCI_ASSIGN_OR_RETURN(Collection notes, open_notes(database));
  say("R");
  int64_t turn = 0;
  for (; stopping == 0; ++turn) LOCI_RETURN_IF_ERROR(search_once(notes, turn));
  const std::string difference = search_differs_from_rows(notes);
  if (!difference.empty()) return Status::internal(difference);
  LOCI_RETURN_IF_ERROR(say_all_found(notes));
  say("W " + std::to_string(turn));
  return {};
}

/// A program that takes its time between two rows: its snapshots keep the WAL in use.
Status linger(Database& database) {
  LOCI_ASSIGN_OR_RETURN(Collection notes, open_notes(database));
  say("R");
  while (stopping == 0) {
    LOCI_RETURN_IF_ERROR(notes.scan({}, true, false, -1, 0, [](const Record&) {
      ::poll(nullptr, 0, 15);
      return Status();
    }));
  }
  return {};
}

Status open_and_write(Database& database, int worker) {
  LOCI_ASSIGN_OR_RETURN(Collection notes, open_notes(database));
  Record record;
  record.id = "opened-" + std::to_string(worker);
  record.fields = {{"title", model_word(static_cast<size_t>(worker) % kModelWords)}};
  return notes.insert(record).status();
}

Status hold(Database& database) {
  LOCI_ASSIGN_OR_RETURN(Collection notes, open_notes(database));
  return database.transaction([&]() -> Status {
    Record record;
    record.id = "held";
    LOCI_RETURN_IF_ERROR(notes.insert(record).status());
    say("L");
    while (stopping == 0) ::poll(nullptr, 0, 100);  // a signal ends it early
    return {};
  });
}

Status look(Database& database) {
  LOCI_ASSIGN_OR_RETURN(Collection notes, database.collection("notes"));
  LOCI_ASSIGN_OR_RETURN(const int64_t count, notes.count({}, true));
  LOCI_RETURN_IF_ERROR(search_once(notes, 0));
  say("N " + std::to_string(count));
  return {};
}

/// Opens, adds a row, closes, and again: the last to close removes the -wal under the others.
Status churn(const std::string& path, int worker, int turns) {
  for (int turn = 0; turn < turns; ++turn) {
    LOCI_ASSIGN_OR_RETURN(Database database, Database::open(path));
    LOCI_RETURN_IF_ERROR(open_and_write(database, worker * 100'000 + turn)
                             .with_context("turn " + std::to_string(turn)));
  }
  return {};
}

/// Opens read-only and counts, again and again: there are never fewer rows than before.
Status peek(const std::string& path, int turns) {
  Status logged;  // opening as immutable would leave out what others write
  set_log_hook([&](LogLevel, std::string_view message) {
    logged = Status::internal("logged: " + std::string(message));
  });
  int64_t before = 0;
  for (int turn = 0; turn < turns; ++turn) {
    LOCI_ASSIGN_OR_RETURN(Database database, Database::open(path, {.read_only = true}));
    LOCI_ASSIGN_OR_RETURN(Collection notes, database.collection("notes"));
    LOCI_ASSIGN_OR_RETURN(const int64_t count, notes.count());
    LOCI_RETURN_IF_ERROR(logged);
    if (count < before) return Status::internal("rows are gone");
    before = count;
  }
  return {};
}

Result<Workload> parse_workload(const std::string& name) {
  if (name == "crash") return Workload::kCrash;
  if (name == "steady") return Workload::kSteady;
  if (name == "bulk") return Workload::kBulk;
  return Status::invalid_argument("unknown workload " + name);
}

/// So few that graphs are built and completed, and killed at it, unless LOCI_TEST_GRAPH_ROWS is
/// set.
size_t graph_rows() {
  const char* text =
      std::getenv("LOCI_TEST_GRAPH_ROWS");  // NOLINT(concurrency-mt-unsafe): at start
  return text == nullptr ? 100 : std::stoull(text);
}

Status run(const std::vector<std::string>& arguments) {
  if (arguments.size() < 2) return Status::invalid_argument("usage: see worker.cc");
  const std::string& verb = arguments[0];
  if (verb == "churn" && arguments.size() == 4) {
    return churn(arguments[1], std::stoi(arguments[2]), std::stoi(arguments[3]));
  }
  if (verb == "peek" && arguments.size() == 3) return peek(arguments[1], std::stoi(arguments[2]));
  LOCI_ASSIGN_OR_RETURN(Database database,
                        Database::open(arguments[1], {.graph_rows = graph_rows()}));
  if (verb == "write" && arguments.size() == 7) {
    WriteOptions options;
    options.stream.seed = std::stoull(arguments[2]);
    options.stream.worker = std::stoi(arguments[3]);
    options.from = std::stoll(arguments[4]);
    options.publish_every = std::stoll(arguments[5]);
    LOCI_ASSIGN_OR_RETURN(options.stream.workload, parse_workload(arguments[6]));
    return Writer(database, options).run();
  }
  if (verb == "read") return read(database);
  if (verb == "linger") return linger(database);
  if (verb == "open" && arguments.size() == 3) {
    return open_and_write(database, std::stoi(arguments[2]));
  }
  if (verb == "hold") return hold(database);
  if (verb == "look") return look(database);
  return Status::invalid_argument("unknown verb " + verb);
}

}  // namespace
}  // namespace loci::testing

int main(int argc, char** argv) {
  struct sigaction action{};
  action.sa_handler = loci::testing::on_terminate;
  sigaction(SIGTERM, &action, nullptr);
  loci::testing::say("B");
  const loci::Status status = loci::testing::run({argv + 1, argv + argc});
  return status.ok() ? 0 : loci::testing::fail(status);
}

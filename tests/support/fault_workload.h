// SPDX-License-Identifier: Apache-2.0
//
// What the fault tests do while something fails, and what must be true afterwards.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "loci/loci.h"

namespace loci::testing {

/// While one lives, the thread runs the test's own code: its allocations are not those under test.
class TestCode {
 public:
  TestCode() { ++depth; }
  TestCode(const TestCode&) = delete;
  TestCode& operator=(const TestCode&) = delete;
  ~TestCode() { --depth; }
  [[nodiscard]] static bool runs() { return depth > 0; }

 private:
  static inline thread_local int depth = 0;
};

/// One operation. It is deterministic: on equal databases it does and sees the same.
struct Workload {
  std::string name;
  /// Makes the database that it begins with; null: there is none.
  std::function<Status(Database&)> prepare;
  /// The operation. `seen`: what it read, to be compared with a run without faults.
  std::function<Status(Database&, std::string& seen)> act;
  /// What the operation left beside the database at `path`; asked, without a fault, when it has
  /// succeeded. May be null.
  std::function<std::string(const std::string& path)> left = nullptr;
  DatabaseOptions options = {};
  /// At its end a snapshot is published that it was not asked for: what fails from there on is
  /// logged, and the operation succeeds.
  bool publishes = false;
  /// What comes before that publication is long, and that of another workload: a spread of it is
  /// enough.
  bool long_before = false;
  /// It does little more than opening the file, which every other does too.
  bool opening = false;
  /// Whether nothing is left to do for it in a handle that was open before.
  [[nodiscard]] bool fresh_only() const { return !prepare || long_before || opening; }

  /// For GoogleTest.
  friend void PrintTo(const Workload& workload, std::ostream* out) { *out << workload.name; }
};

/// The collection of the workloads: a vector, a text, two filter columns; and its rows by number.
CollectionSpec fault_spec(std::string_view name);
std::vector<Record> fault_rows(int first, int count);
/// Makes collection "notes" with 40 rows, one of them changed, one archived.
Status fill(Database& database);
/// Compacts the log, as the maintenance of a follower does it: on a connection of its own.
Status compact(Database& database, bool full_sync, std::string& seen);

/// Create, insert (one, many), update, remove, search (vector, text, hybrid, from a snapshot),
/// migrate, backup, compaction, schema change, transaction of several calls, purge, reindex,
/// publication: asked for, by a search, in closing.
const std::vector<Workload>& fault_workloads();

/// Everything a user can see of a database, as text.
std::string digest(Database& database);

/// Where and how a fault is made; a test of its own kind gives these.
struct Injector {
  std::function<void()> arm;
  /// Ends the fault; whether it has happened.
  std::function<bool()> disarm;
  /// What was counted since arm(), until disarm(); FaultRun::count() alone asks.
  std::function<int64_t()> count = nullptr;
  /// Told when a fresh handle is open; may be null.
  std::function<void()> opened = nullptr;
  /// It hits nothing but a publication that nobody has asked for.
  bool in_publication = false;
  /// It takes SQLite's memory: before 3.45 its JSON functions take that for wrong JSON, and the
  /// code is then not what it should be.
  bool sqlite_memory = false;
};

/// Runs one workload under faults and checks the rules after each:
///  - without a fault, or when it reports success, everything has happened and was seen right;
///  - else the caller got a code that fits, and everything or nothing has happened;
///  - what hits only a publication that nobody has asked for is not reported;
///  - the file passes check() and searches find its rows, in the handle that met the fault too;
///  - when nothing has happened, the next run succeeds.
class FaultRun {
 public:
  explicit FaultRun(const Workload& workload);

  enum class Handle {
    kFresh,  ///< opened under the fault too, closed after it
    kKept,   ///< opened before, used on after it
  };
  struct Calls {
    int64_t all = 0;
    int64_t own = 0;     ///< before a publication that nobody has asked for
    int64_t opened = 0;  ///< before the handle was open
  };
  /// What `injector` counts in a run without a fault.
  Calls count(Handle handle, const Injector& injector) const;
  /// Which of them are to fail, each in its own run. With LOCI_SOAK=1 all, but for what is
  /// Workload::long_before, and of opening an existing file only each `opening_step`-th unless it
  /// is Workload::opening. Else some `runs` of the operation's own and as many of a publication.
  [[nodiscard]] std::vector<int64_t> chosen(const Calls& calls, int runs,
                                            int64_t opening_step) const;
  /// One run; whether the fault has happened. Failures are reported under SCOPED_TRACE of the
  /// caller.
  bool run(Handle handle, const Injector& injector) const;

 private:
  void prepare(const std::string& path) const;
  Status act_once(const std::string& path, std::string& seen, const Injector& injector) const;
  void rerun(Database& database) const;
  void verify_outcome(const std::string& path, const Status& status, const std::string& seen,
                      bool fired, const Injector& injector) const;
  void verify_state(Database& database, bool happened) const;
  void verify_closed(const std::string& path, bool happened) const;

  const Workload& workload_;                           // must outlive this
  std::map<std::string, std::string> template_files_;  ///< by what their paths add to the file's
  std::string before_;
  std::string after_;
  std::string seen_;
  std::string left_;
};

}  // namespace loci::testing

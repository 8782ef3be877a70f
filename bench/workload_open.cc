// SPDX-License-Identifier: Apache-2.0
//
// open: a new process opens the file and asks once. Cold means that the process has nothing; the
// pages of the file are in the kernel's cache ("cached") or were dropped from it ("dropped").
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <memory>
#include <span>

#include "sqlite/connection.h"
#include "sqlite/query.h"
#include "workloads.h"

extern "C" char** environ;  // NOLINT(readability-identifier-naming): named by POSIX

namespace loci::bench {
namespace {

constexpr int kRuns = 7;
constexpr int kLoads = 3;

std::vector<float> child_query(size_t dim) {
  std::vector<float> query(dim, 0.1F);
  query[0] = 1.0F;
  return query;
}

struct ChildTimes {
  double open_us = 0;
  double answer_us = 0;
};

Result<ChildTimes> run_child(const Options& options, const std::string& path) {
  const std::string result = options.folder + "/open.txt";
  std::string arguments[] = {options.self, "--open-child", path, result};
  char* argv[] = {arguments[0].data(), arguments[1].data(), arguments[2].data(),
                  arguments[3].data(), nullptr};
  pid_t pid = 0;
  if (::posix_spawn(&pid, argv[0], nullptr, nullptr, argv, environ) != 0) {
    return Status::io_error("cannot start " + options.self);
  }
  int wait_status = 0;
  if (::waitpid(pid, &wait_status, 0) != pid || !WIFEXITED(wait_status) ||
      WEXITSTATUS(wait_status) != 0) {
    return Status::internal("the child that opens '" + path + "' failed");
  }
  std::ifstream in(result);
  ChildTimes times;
  if (!(in >> times.open_us >> times.answer_us)) {
    return Status::internal("the child wrote no times");
  }
  return times;
}

/// Asks the kernel to forget the file's pages. No handle of this process is open on it.
void drop_pages(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return;
  ::fdatasync(fd);
  ::posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
  ::close(fd);
}

Status measure_rows(const Options& options, size_t rows, Report& report) {
  const std::string path = options.folder + "/open.db";
  const Dataset data = notes(options.data, rows);
  LOCI_RETURN_IF_ERROR(store_dataset(path, data, false).status());  // closed at once
  for (const bool dropped : {false, true}) {
    std::vector<double> open_us;
    std::vector<double> answer_us;
    for (int run = 0; run < kRuns; ++run) {
      if (dropped) drop_pages(path);
      LOCI_ASSIGN_OR_RETURN(const ChildTimes times, run_child(options, path));
      open_us.push_back(times.open_us);
      answer_us.push_back(times.open_us + times.answer_us);
    }
    Numbers numbers = {{"open_ms", median_of(open_us) / 1e3},
                       {"open_and_first_answer_ms", median_of(answer_us) / 1e3},
                       {"runs", int64_t{kRuns}},
                       {"data", data.source}};
    if (!dropped) numbers.emplace_back("open_and_first_answer_ms_target", 50.0);
    report.add("open", data.name + (dropped ? " dropped" : " cached"), std::move(numbers));
  }
  return {};
}

/// Rows that another program has written: no image knows them.
Status load_by_sql(const std::string& path, const Dataset& data) {
  Dataset none;
  none.dim = data.dim;
  none.metric = data.metric;
  LOCI_RETURN_IF_ERROR(store_dataset(path, none, false).status());
  LOCI_ASSIGN_OR_RETURN(const std::unique_ptr<sqlite::Connection> connection,
                        sqlite::Connection::open(path, {.create = false}));
  LOCI_RETURN_IF_ERROR(connection->exec("BEGIN"));
  for (size_t i = 0; i < data.rows(); ++i) {
    const auto rid = static_cast<int64_t>(i + 1);
    LOCI_RETURN_IF_ERROR(
        sqlite::run(*connection, "INSERT INTO docs(rid, id) VALUES(?1, 'row' || ?1)", rid));
    LOCI_RETURN_IF_ERROR(sqlite::run(*connection,
                                     "INSERT INTO docs_vectors(rid, embedding) VALUES(?1, ?2)", rid,
                                     std::as_bytes(data.row(i))));
  }
  return connection->exec("COMMIT");
}

Status measure_after_load(const Options& options, Report& report) {
  const std::string path = options.folder + "/open.db";
  const Dataset data = notes(options.data, 50000);
  std::vector<double> answer_us;
  for (int run = 0; run < kLoads; ++run) {
    LOCI_RETURN_IF_ERROR(load_by_sql(path, data));
    LOCI_ASSIGN_OR_RETURN(const ChildTimes times, run_child(options, path));
    answer_us.push_back(times.answer_us);
  }
  report.add("open", data.name + " after a load by SQL",
             {{"first_answer_ms", median_of(answer_us) / 1e3},
              {"first_answer_ms_target", 250.0},
              {"runs", int64_t{kLoads}},
              {"data", data.source}});
  return {};
}

}  // namespace

Status open_child(const std::string& path, const std::string& result) {
  const Stopwatch open_watch;
  LOCI_ASSIGN_OR_RETURN(Database database, Database::open(path));
  LOCI_ASSIGN_OR_RETURN(Collection docs, database.collection("docs"));
  const double opened = open_watch.us();
  const std::vector<float> query = child_query(docs.spec().vectors[0].dim);
  const Stopwatch answer_watch;
  LOCI_ASSIGN_OR_RETURN(const std::vector<Hit> hits, docs.nearest(query, 10));
  const double answered = answer_watch.us();
  if (hits.size() != 10) return Status::internal("the first answer is not 10 rows");
  std::ofstream(result) << opened << " " << answered << "\n";
  return {};
}

Status run_open(const Options& options, Report& report) {
  for (const size_t rows : {size_t{10000}, size_t{50000}}) {
    LOCI_RETURN_IF_ERROR(measure_rows(options, rows, report));
  }
  return measure_after_load(options, report);
}

}  // namespace loci::bench

// SPDX-License-Identifier: Apache-2.0
//
// loci_bench: measures Loci. Workloads:
//   kernels  scan_dot_u4 of every tier beside a plain memory-read loop
//   exact    Collection::nearest, k = 10 and 100, one thread, warm: 1,000, 10,000 and all of
//            notes384; 10,000 x 768 (notes joined in pairs); mnist784
//   filter   all of notes384 behind a filter that 50 % .. 0.01 % of the rows pass
//   graph    the bare index: building, ef sweep, recall as asked, filters, churn; notes384,
//   mnist784 insert   insert_many, 384-d, text id, two filter columns, with and without 30 words of
//   text,
//            10,000 and 100,000 rows, NORMAL and FULL, beside the same tables without Loci
//   open     a new process: open and first answer, 10,000 and 50,000 rows; the same after plain SQL
//            has written as many rows
//   fresh    knowing that the image is current; searches a second of one thread and of two
//
// Usage: loci_bench [--out FILE] [--folder DIR] [--data DIR] [--rounds N] [--seed N] [WORKLOAD...]
// A table goes to stderr, JSON to FILE (default: stdout). Without the real data (LOCI_DATA or
// --data) seeded vectors stand in, and every result says so. Exit code 0 even when a target is
// missed: the numbers are the result.
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include "workloads.h"

#ifndef LOCI_BENCH_COMMIT
#define LOCI_BENCH_COMMIT "unknown"
#endif

namespace loci::bench {
namespace {

struct Workload {
  const char* name;
  Status (*run)(const Options&, Report&);
};
constexpr Workload kWorkloads[] = {
    {"kernels", run_kernels}, {"exact", run_exact}, {"filter", run_filter}, {"insert", run_insert},
    {"graph", run_graph},     {"open", run_open},   {"fresh", run_fresh}};

struct Arguments {
  Options options;
  std::string out;
  std::vector<std::string> workloads;
};

std::string environment(const char* name) {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): read once, at start
  return value == nullptr ? "" : value;
}

Result<Arguments> parse(const std::vector<std::string>& words) {
  Arguments arguments;
  arguments.options.data = {environment("LOCI_DATA"), 42};
  arguments.options.folder = (std::filesystem::temp_directory_path() / "loci_bench").string();
  for (size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (word.rfind("--", 0) != 0) {
      const bool known = std::any_of(std::begin(kWorkloads), std::end(kWorkloads),
                                     [&](const Workload& one) { return word == one.name; });
      if (!known) return Status::invalid_argument("no workload '" + word + "'");
      arguments.workloads.push_back(word);
      continue;
    }
    if (++i == words.size()) return Status::invalid_argument(word + " wants a value");
    if (word == "--out") {
      arguments.out = words[i];
    } else if (word == "--folder") {
      arguments.options.folder = words[i];
    } else if (word == "--data") {
      arguments.options.data.folder = words[i];
    } else if (word == "--rounds") {
      arguments.options.rounds = std::max(1, std::atoi(words[i].c_str()));  // NOLINT(cert-err34-c)
    } else if (word == "--seed") {
      arguments.options.data.seed = std::strtoull(words[i].c_str(), nullptr, 10);
    } else {
      return Status::invalid_argument("unknown option " + word);
    }
  }
  return arguments;
}

std::string cpu_model() {
  std::ifstream in("/proc/cpuinfo");
  for (std::string line; std::getline(in, line);) {
    const size_t colon = line.find(": ");
    if (line.rfind("model name", 0) == 0 && colon != std::string::npos) {
      return line.substr(colon + 2);
    }
  }
  return "unknown";
}

Status run(Arguments& arguments) {
  Report report(std::cerr);
  LOCI_ASSIGN_OR_RETURN(const std::string tier, simd_tier());
  report.fact("commit", std::string(LOCI_BENCH_COMMIT));
  report.fact("loci", std::string(version()));
  report.fact("cpu", cpu_model());
  report.fact("simd", tier);
  report.fact("sqlite", std::string(sqlite_version()));
  report.fact("data",
              arguments.options.data.folder.empty()
                  ? std::string("generated")
                  : std::filesystem::path(arguments.options.data.folder).filename().string());
  report.fact("seed", static_cast<int64_t>(arguments.options.data.seed));
  std::filesystem::create_directories(arguments.options.folder);
  for (const Workload& workload : kWorkloads) {
    const auto& chosen = arguments.workloads;
    if (!chosen.empty() && std::find(chosen.begin(), chosen.end(), workload.name) == chosen.end()) {
      continue;
    }
    const Stopwatch watch;
    LOCI_RETURN_IF_ERROR(workload.run(arguments.options, report).with_context(workload.name));
    std::cerr << workload.name << ": " << watch.us() / 1e6 << " s\n";
  }
  std::filesystem::remove_all(arguments.options.folder);
  std::cerr << (report.missed().empty() ? "every target reached\n" : "targets missed:\n");
  for (const std::string& line : report.missed()) std::cerr << "  " << line << "\n";
  if (arguments.out.empty()) {
    report.write_json(std::cout);
    return {};
  }
  std::ofstream out(arguments.out);
  report.write_json(out);
  out.close();
  return out ? Status() : Status::io_error("cannot write " + arguments.out);
}

}  // namespace
}  // namespace loci::bench

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  loci::Status status;
  if (words.size() == 3 && words[0] == "--open-child") {
    status = loci::bench::open_child(words[1], words[2]);
  } else {
    auto arguments = loci::bench::parse(words);
    if (arguments.ok()) {
      arguments->options.self = "/proc/self/exe";
      status = loci::bench::run(*arguments);
    } else {
      status = arguments.error();
    }
  }
  if (status.ok()) return 0;
  std::cerr << "loci_bench: " << status.to_string() << "\n";
  return 1;
}

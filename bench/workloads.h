// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "data.h"
#include "loci/loci.h"
#include "report.h"

namespace loci::bench {

struct Options {
  std::string folder;  ///< for database files; emptied as the run goes
  DataSource data;
  int rounds = 3;    ///< of insert; the median is reported
  std::string self;  ///< this program, to be started anew by `open`
};

// One per workload; see the list at the top of loci_bench.cc.
Status run_kernels(const Options& options, Report& report);
Status run_exact(const Options& options, Report& report);
Status run_graph(const Options& options, Report& report);
Status run_insert(const Options& options, Report& report);
Status run_fresh(const Options& options, Report& report);
Status run_open(const Options& options, Report& report);
Status run_filter(const Options& options, Report& report);

/// The other end of `open`: opens `path`, asks once, writes both times to `result`.
Status open_child(const std::string& path, const std::string& result);

/// Microseconds since it was made.
class Stopwatch {
 public:
  [[nodiscard]] double us() const {
    return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start_)
        .count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

/// Microseconds of processor time of this process: on a busy machine steadier than the clock.
[[nodiscard]] double cpu_us();

/// A database of one collection "docs" that holds the dataset, in a file of its own.
/// filters: none, or one int column "bucket" with bucket(i).
Result<Collection> store_dataset(const std::string& path, const Dataset& data, bool with_bucket);
/// The "bucket" of row i: 0..9999, spread evenly and out of step with the rows.
inline int64_t bucket_of(size_t i) { return static_cast<int64_t>((i * 7919) % 10000); }
/// Removes a database file and what lies beside it.
void remove_database(const std::string& path);

}  // namespace loci::bench

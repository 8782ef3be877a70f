// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace loci::bench {

using Number = std::variant<int64_t, double, bool, std::string>;
using Numbers = std::vector<std::pair<std::string, Number>>;

/// p50, p95 and p99 of latencies, and what they come to.
struct Latency {
  double p50_us = 0;
  double p95_us = 0;
  double p99_us = 0;
  double qps = 0;  ///< of one thread: samples / their sum
  size_t samples = 0;
};
Latency latency_of(std::vector<double> samples_us);
double median_of(std::vector<double> samples);

/// Collects what was measured: a line of the human table at once, all of it as JSON at the end.
class Report {
 public:
  explicit Report(std::ostream& table) : table_(table) {}
  /// Facts about the run: commit, processor, tier, data, seed.
  void fact(std::string_view name, Number value);
  /// One measurement. A name that ends in "_target" must be reached by the number of the same name
  /// without it; below is better.
  void add(std::string_view workload, std::string_view name, Numbers numbers);
  void write_json(std::ostream& out) const;
  /// Targets that were missed, one a line.
  [[nodiscard]] const std::vector<std::string>& missed() const { return missed_; }

 private:
  struct Row {
    std::string workload;
    std::string name;
    Numbers numbers;
  };
  std::ostream& table_;
  Numbers facts_;
  std::vector<Row> rows_;
  std::vector<std::string> missed_;
};

}  // namespace loci::bench

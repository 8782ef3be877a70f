// SPDX-License-Identifier: Apache-2.0
//
// graph: the bare index (index::Image), one thread, k = 10. Building with one and two threads,
// bytes a row, then ef after ef: recall beside latency. `qps` is of the least time of each query
// over the passes, which a busy machine disturbs least; p50, p95 and p99 are of all samples. Then
// recall as it is asked for, filters beside the exact scan of the passing rows, and churn: all rows
// replaced, one in a hundred at a time, beside a graph built fresh of the same rows.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <memory>

#include "index/image.h"
#include "workloads.h"

namespace loci::bench {
namespace {

constexpr size_t kNearest = 10;
constexpr int kPasses = 5;
constexpr double kSlack = 1e-6;  // of float rounding, in recall by distance
constexpr size_t kEfs[] = {10, 12, 16, 20, 28, 40, 80, 160};

struct Measured {
  Latency latency;
  double least_qps = 0;
  double recall = 0;
  double short_answers = 0;  ///< share with fewer than k rows
  index::ScanOutcome last;
};

using Limits = std::vector<double>;

/// The k-th true distance of every query, by the exact search of the image.
Result<Limits> limits_of(const index::Image& image, const Dataset& data,
                         const index::Predicate* filter) {
  Limits limits;
  for (size_t q = 0; q < data.query_count(); ++q) {
    index::ScanQuery query;
    query.vector = data.query(q);
    query.filter = filter;
    LOCI_ASSIGN_OR_RETURN(const index::ScanOutcome outcome, image.search(query));
    limits.push_back(outcome.neighbors.empty() ? -HUGE_VAL : outcome.neighbors.back().distance);
  }
  return limits;
}

Result<Measured> measure(const index::Image& image, const Dataset& data, const Limits& limits,
                         index::ScanQuery query) {
  Measured measured;
  std::vector<double> samples;
  std::vector<double> least(data.query_count(), HUGE_VAL);
  size_t found = 0;
  size_t wanted = 0;
  size_t cut = 0;
  for (int pass = 0; pass < kPasses; ++pass) {
    for (size_t q = 0; q < data.query_count(); ++q) {
      query.vector = data.query(q);
      const Stopwatch watch;
      Result<index::ScanOutcome> outcome = image.search(query);
      const double us = watch.us();
      if (!outcome.ok()) return std::move(outcome).error();
      samples.push_back(us);
      least[q] = std::min(least[q], us);
      if (pass != 0) continue;
      const size_t all = std::min(kNearest, outcome->passed_filter);
      wanted += all;
      cut += outcome->neighbors.size() < all ? 1 : 0;
      for (const Neighbor& neighbor : outcome->neighbors) {
        found += neighbor.distance <= limits[q] + kSlack ? 1 : 0;
      }
      measured.last = *std::move(outcome);
    }
  }
  double sum = 0;
  for (const double us : least) sum += us;
  measured.latency = latency_of(std::move(samples));
  measured.least_qps = 1e6 * static_cast<double>(least.size()) / sum;
  measured.recall = wanted == 0 ? 1 : static_cast<double>(found) / static_cast<double>(wanted);
  measured.short_answers = static_cast<double>(cut) / static_cast<double>(least.size());
  return measured;
}

Numbers numbers_of(const Dataset& data, const Measured& measured) {
  return {{"recall", measured.recall},
          {"qps", measured.least_qps},
          {"p50_us", measured.latency.p50_us},
          {"p95_us", measured.latency.p95_us},
          {"p99_us", measured.latency.p99_us},
          {"ef", static_cast<int64_t>(measured.last.ef)},
          {"short_answers", measured.short_answers},
          {"data", data.source}};
}

Status put(index::Image& image, const Dataset& data, size_t row, size_t as) {
  const VectorView vector = data.row(row);
  const std::span<const std::byte> blob = std::as_bytes(vector);
  const Value bucket = bucket_of(as);
  index::ImageRow record;
  record.rowid = RowId{static_cast<int64_t>(as)};
  record.vectors = {&blob, 1};
  record.filters = {&bucket, 1};
  return image.put(record);
}

/// An image of rows first, first + step, ... of the dataset.
Result<index::Image> fill(const Dataset& data, size_t first, size_t step) {
  index::ImageLayout layout;
  layout.columns = {{.dim = data.dim, .metric = data.metric, .custom = {}}};
  layout.filters = {FieldType::kInt};
  LOCI_ASSIGN_OR_RETURN(index::Image image, index::Image::create(layout));
  for (size_t row = first; row < data.rows(); row += step) {
    LOCI_RETURN_IF_ERROR(put(image, data, row, row));
  }
  return image;
}

Status measure_builds(index::Image& image, const Dataset& data, Report& report) {
  Numbers numbers;
  for (const size_t threads : {size_t{2}, size_t{1}}) {
    index::GraphOptions options;
    options.threads = threads;
    const double cpu = cpu_us();
    const Stopwatch watch;
    LOCI_RETURN_IF_ERROR(image.build_graph(0, options));
    const std::string name = "build_s_" + std::to_string(threads);
    numbers.emplace_back(name, watch.us() / 1e6);
    numbers.emplace_back(name + "_cpu", (cpu_us() - cpu) / 1e6);
  }
  const index::GraphStats stats = image.graph_stats(0);
  const auto rows = static_cast<double>(data.rows());
  numbers.emplace_back("graph_bytes_a_row", static_cast<double>(stats.memory_bytes) / rows);
  const size_t plane = (data.dim + 127) / 128 * 64;
  // The upper plane and its parameters; the lower one is only read to rank again.
  numbers.emplace_back(
      "codes_and_graph_bytes_a_row",
      static_cast<double>(plane + 20) + static_cast<double>(stats.memory_bytes) / rows);
  numbers.emplace_back("data", data.source);
  report.add("graph", data.name + " build", std::move(numbers));
  return {};
}

Status measure_asked(const index::Image& image, const Dataset& data, Report& report) {
  LOCI_ASSIGN_OR_RETURN(const Limits limits, limits_of(image, data, nullptr));
  for (const size_t ef : kEfs) {
    index::ScanQuery query;
    query.ef = ef;
    LOCI_ASSIGN_OR_RETURN(const Measured measured, measure(image, data, limits, query));
    report.add("graph", data.name + " ef=" + std::to_string(ef), numbers_of(data, measured));
  }
  for (const double asked : {0.9, 0.95, 0.99, 0.999}) {
    index::ScanQuery query;
    query.recall = asked;
    LOCI_ASSIGN_OR_RETURN(const Measured measured, measure(image, data, limits, query));
    Numbers numbers = numbers_of(data, measured);
    numbers.emplace_back("asked", asked);
    report.add("graph", data.name + " asked", std::move(numbers));
  }
  return {};
}

Status measure_filters(const index::Image& image, const Dataset& data, Report& report) {
  index::Predicate filter;
  filter.kind = index::Predicate::Kind::kCompare;
  filter.op = index::Predicate::Op::kLt;
  for (const int64_t below : {5000, 2000, 1000, 500, 200, 100, 10, 1}) {
    filter.values = {below};
    LOCI_ASSIGN_OR_RETURN(const Limits limits, limits_of(image, data, &filter));
    index::ScanQuery query;
    query.filter = &filter;
    LOCI_ASSIGN_OR_RETURN(const Measured exact, measure(image, data, limits, query));
    query.recall = 0.95;
    LOCI_ASSIGN_OR_RETURN(const Measured measured, measure(image, data, limits, query));
    Numbers numbers = numbers_of(data, measured);
    numbers.emplace_back("plan", static_cast<int64_t>(measured.last.plan));
    numbers.emplace_back("filter_us", measured.last.filter_us);
    numbers.emplace_back("exact_qps", exact.least_qps);
    report.add("graph", data.name + " filter " + std::to_string(below) + "/10000",
               std::move(numbers));
  }
  return {};
}

/// Every second row is replaced by the one after it, one in a hundred at a time.
Status measure_churn(const Dataset& data, Report& report) {
  const size_t pairs = data.rows() / 2;
  LOCI_ASSIGN_OR_RETURN(index::Image image, fill(data, 0, 2));
  LOCI_RETURN_IF_ERROR(image.build_graph(0, {}));
  LOCI_ASSIGN_OR_RETURN(index::Image fresh, fill(data, 1, 2));
  LOCI_RETURN_IF_ERROR(fresh.build_graph(0, {}));
  const Stopwatch watch;
  for (size_t step = 0; step < 100; ++step) {
    for (size_t pair = step; pair < pairs; pair += 100) {
      image.erase(RowId{static_cast<int64_t>(2 * pair)});
      LOCI_RETURN_IF_ERROR(put(image, data, 2 * pair + 1, 2 * pair + 1));
    }
  }
  if (data.rows() % 2 == 1) image.erase(RowId{static_cast<int64_t>(data.rows() - 1)});
  const double us = watch.us() / static_cast<double>(pairs);
  LOCI_ASSIGN_OR_RETURN(const Limits limits, limits_of(fresh, data, nullptr));
  for (const size_t ef : {size_t{12}, size_t{24}, size_t{48}}) {
    index::ScanQuery query;
    query.ef = ef;
    LOCI_ASSIGN_OR_RETURN(const Measured after, measure(image, data, limits, query));
    LOCI_ASSIGN_OR_RETURN(const Measured built, measure(fresh, data, limits, query));
    Numbers numbers = numbers_of(data, after);
    numbers.emplace_back("fresh_recall", built.recall);
    numbers.emplace_back("fresh_qps", built.least_qps);
    numbers.emplace_back("replace_us", us);
    numbers.emplace_back("memory_share",
                         static_cast<double>(image.graph_stats(0).memory_bytes) /
                             static_cast<double>(fresh.graph_stats(0).memory_bytes));
    report.add("graph", data.name + " churned ef=" + std::to_string(ef), std::move(numbers));
  }
  return {};
}

Status measure_graph(const Dataset& data, Report& report) {
  LOCI_ASSIGN_OR_RETURN(index::Image image, fill(data, 0, 1));
  LOCI_RETURN_IF_ERROR(measure_builds(image, data, report));
  LOCI_RETURN_IF_ERROR(measure_asked(image, data, report));
  LOCI_RETURN_IF_ERROR(measure_filters(image, data, report));
  return measure_churn(data, report);
}

}  // namespace

Status run_graph(const Options& options, Report& report) {
  const size_t all = std::numeric_limits<size_t>::max();
  LOCI_RETURN_IF_ERROR(measure_graph(notes(options.data, all), report));
  const std::optional<Dataset> images = mnist(options.data);
  return images.has_value() ? measure_graph(*images, report) : Status();
}

}  // namespace loci::bench

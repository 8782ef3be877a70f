// SPDX-License-Identifier: Apache-2.0
//
// `eval`: recall and latency of one collection against a ground truth that was computed elsewhere.
// Recall is by distance: a hit counts when it is as near as the true k-th neighbour, plus 1e-6,
// both distances computed here in double from the stored vectors. (By id alone, ties would be
// counted against an index that is right.) Ids of the ground truth are 0-based positions of
// insertion: rowid = id + 1.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "exact_distance.h"
#include "exit_code.h"
#include "output/json_text.h"
#include "output/terminal.h"
#include "progress.h"
#include "readers/row_reader.h"
#include "search_options.h"
#include "verbs.h"

namespace loci::cli {
namespace {

constexpr double kTieEpsilon = 1e-6;

struct EvalOptions {
  std::string name;
  std::string queries;
  std::string groundtruth;
  std::string column;
  std::string where;
  size_t k = 10;
  size_t limit = 0;
  double recall = SearchRequest().recall;
  size_t ef = 0;
  bool exact = false;
};

/// Vectors of one column by rowid, read once.
class VectorCache {
 public:
  VectorCache(Collection& collection, std::string column)
      : collection_(collection), column_(std::move(column)) {}

  Result<VectorView> vector(RowId row) {
    const auto found = vectors_.find(to_int(row));
    if (found != vectors_.end()) return VectorView(found->second);
    LOCI_ASSIGN_OR_RETURN(const std::optional<Record> record, collection_.get(row, true));
    if (record.has_value()) {
      for (const auto& [name, values] : record->vectors) {
        if (name != column_ || values.empty()) continue;
        return VectorView(vectors_.emplace(to_int(row), values).first->second);
      }
    }
    return Status::not_found("row " + std::to_string(to_int(row)) + " of the ground truth has no " +
                             "vector in '" + column_ + "': was this collection made of the file " +
                             "that the ground truth belongs to?");
  }

 private:
  Collection& collection_;  // must outlive this: the command's
  std::string column_;
  std::unordered_map<int64_t, std::vector<float>> vectors_;
};

struct Evaluation {
  std::vector<double> times_us;
  double recall_sum = 0;
  size_t judged = 0;
  std::string plan;
  size_t ef = 0;
};

/// The share of the true neighbours that the hits hold.
Result<double> judge(VectorCache& cache, Metric metric, VectorView query,
                     std::span<const int32_t> truth, std::span<const Hit> hits) {
  LOCI_ASSIGN_OR_RETURN(const VectorView last,
                        cache.vector(RowId{static_cast<int64_t>(truth.back()) + 1}));
  const double limit = exact_distance(metric, query, last) + kTieEpsilon;
  const std::unordered_set<int64_t> known(truth.begin(), truth.end());
  size_t found = 0;
  for (const Hit& hit : hits.first(std::min(hits.size(), truth.size()))) {
    if (known.count(to_int(hit.rowid) - 1) != 0) {
      ++found;
      continue;
    }
    LOCI_ASSIGN_OR_RETURN(const VectorView vector, cache.vector(hit.rowid));
    if (exact_distance(metric, query, vector) <= limit) ++found;
  }
  return static_cast<double>(found) / static_cast<double>(truth.size());
}

double percentile(std::vector<double> sorted, double share) {
  if (sorted.empty()) return 0;
  std::sort(sorted.begin(), sorted.end());
  const double rank = std::ceil(share * static_cast<double>(sorted.size()));
  return sorted[static_cast<size_t>(std::max(rank, 1.0)) - 1];
}

Result<VectorColumn> choose_column(const CollectionSpec& spec, const std::string& name) {
  for (const VectorColumn& column : spec.vectors) {
    if (name.empty() || column.name == name) {
      if (column.metric != Metric::kCustom) return column;
      return Status::invalid_argument("column '" + column.name + "' has the custom metric '" +
                                      column.custom_metric + "', which this program does not know");
    }
  }
  return Status::invalid_argument("collection '" + spec.name + "' has no vector column '" + name +
                                  "'");
}

Status check_input(const VectorColumn& column, const VectorTable& queries,
                   const std::vector<std::vector<int32_t>>& truth, size_t k) {
  if (queries.dim != column.dim) {
    return Status::invalid_argument("queries: dim " + std::to_string(queries.dim) + ", expected " +
                                    std::to_string(column.dim));
  }
  if (queries.rows() == 0 || truth.size() < queries.rows()) {
    return Status::invalid_argument(std::to_string(queries.rows()) + " queries, " +
                                    std::to_string(truth.size()) + " rows of ground truth: one " +
                                    "is needed for each query");
  }
  for (const std::vector<int32_t>& row : truth) {
    if (row.size() >= k) continue;
    return Status::invalid_argument("the ground truth has " + std::to_string(row.size()) +
                                    " neighbours of a query, expected k = " + std::to_string(k));
  }
  return {};
}

/// The first k ids of one row of ground truth; padding (negative ids) is left out.
std::vector<int32_t> true_neighbours(const std::vector<int32_t>& row, size_t k) {
  std::vector<int32_t> out;
  for (const int32_t id : row) {
    if (id >= 0 && out.size() < k) out.push_back(id);
  }
  return out;
}

Result<Evaluation> evaluate(const Context& context, const EvalOptions& options,
                            Collection& collection, const VectorColumn& column) {
  LOCI_ASSIGN_OR_RETURN(const VectorTable queries, read_vectors(options.queries, options.limit));
  LOCI_ASSIGN_OR_RETURN(const auto truth, read_ivecs(options.groundtruth, options.limit));
  LOCI_RETURN_IF_ERROR(check_input(column, queries, truth, options.k));
  SearchRequest request;
  request.mode = SearchMode::kVector;
  request.column = column.name;
  request.k = options.k;
  request.where = options.where;
  request.with_fields = false;
  request.recall = options.recall;
  request.ef = options.ef;
  request.exact = options.exact;
  VectorCache cache(collection, column.name);
  Progress progress("eval", context.progress);
  Evaluation out;
  request.vector = VectorView(queries.values).first(queries.dim);
  LOCI_RETURN_IF_ERROR(collection.search(request).status());  // warms up: builds the image
  for (size_t i = 0; i < queries.rows(); ++i) {
    request.vector = VectorView(queries.values).subspan(i * queries.dim, queries.dim);
    const auto begin = std::chrono::steady_clock::now();
    LOCI_ASSIGN_OR_RETURN(const SearchResult result, collection.search(request));
    const std::chrono::duration<double, std::micro> took = std::chrono::steady_clock::now() - begin;
    out.times_us.push_back(took.count());
    out.plan = result.explain.plan;
    out.ef = result.explain.ef;
    const std::vector<int32_t> wanted = true_neighbours(truth[i], options.k);
    if (wanted.empty()) continue;
    LOCI_ASSIGN_OR_RETURN(const double recall,
                          judge(cache, column.metric, request.vector, wanted, result.hits));
    out.recall_sum += recall;
    ++out.judged;
    progress.update(static_cast<int64_t>(i + 1),
                    static_cast<double>(i + 1) / static_cast<double>(queries.rows()));
  }
  return out;
}

Result<int> eval(const Context& context, const EvalOptions& options) {
  LOCI_ASSIGN_OR_RETURN(Database database, open_for_reading(context));
  LOCI_ASSIGN_OR_RETURN(Collection collection, find_collection(database, options.name));
  LOCI_ASSIGN_OR_RETURN(const VectorColumn column,
                        choose_column(collection.spec(), options.column));
  LOCI_ASSIGN_OR_RETURN(const Evaluation found, evaluate(context, options, collection, column));
  double total_us = 0;
  for (const double us : found.times_us) total_us += us;
  const auto queries = static_cast<double>(found.times_us.size());
  std::string line;
  JsonObject(line)
      .number("recall",
              found.judged == 0 ? 0 : found.recall_sum / static_cast<double>(found.judged))
      .number("qps", total_us > 0 ? queries * 1e6 / total_us : 0)
      .number("p50_us", percentile(found.times_us, 0.50))
      .number("p95_us", percentile(found.times_us, 0.95))
      .number("p99_us", percentile(found.times_us, 0.99))
      .text("plan", found.plan)
      .integer("ef", static_cast<int64_t>(found.ef))
      .integer("k", static_cast<int64_t>(options.k))
      .integer("queries", static_cast<int64_t>(found.times_us.size()))
      .close();
  put(line + "\n");
  return kExitOk;
}

}  // namespace

Action configure_eval(CLI::App& app, const Context& context) {
  const auto options = std::make_shared<EvalOptions>();  // owners: the parser and the action
  app.add_option("NAME", options->name, "The collection")->required();
  app.add_option("--queries", options->queries, ".fvecs, .bvecs, .npy, .npz or .fbin")->required();
  app.add_option("--groundtruth", options->groundtruth,
                 ".ivecs: for each query the 0-based positions of its true neighbours")
      ->required();
  app.add_option("-k", options->k, "Neighbours asked for")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  app.add_option("--column", options->column, "The vector column; the first when left out");
  app.add_option("--where", options->where, "A filter; the ground truth must be for it");
  app.add_option("--limit", options->limit, "Only the first so many queries");
  add_effort_options(app, options->recall, options->ef, options->exact);
  return [options, &context] { return eval(context, *options); };
}

}  // namespace loci::cli

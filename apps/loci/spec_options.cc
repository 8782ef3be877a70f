// SPDX-License-Identifier: Apache-2.0
#include "spec_options.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <utility>

#include "suggest.h"

namespace loci::cli {
namespace {

constexpr std::string_view kVectorName = "embedding";

/// The identity and dimension of "hash", "hash:512", or "" for "none".
Status apply_model(const SpecOptions& options, VectorColumn& column) {
  if (options.model.empty() || options.model == "none") return {};
  std::string model = options.model;
  if (model == "hash" && options.dim != 0) model += ":" + std::to_string(options.dim);
  LOCI_ASSIGN_OR_RETURN(const std::shared_ptr<Embedder> embedder, make_embedder(model));
  if (options.dim != 0 && options.dim != embedder->dim()) {
    return Status::invalid_argument("--dim " + std::to_string(options.dim) + ", model '" +
                                    options.model + "' gives " + std::to_string(embedder->dim()));
  }
  column.model = embedder->identity();
  column.dim = embedder->dim();
  return {};
}

/// "name:dim", "name:dim:metric" or "name:dim:metric:element".
Result<VectorColumn> parse_vector_column(const std::string& text) {
  const std::vector<std::string> parts = split_list(text, ':');
  if (parts.size() < 2 || parts.size() > 4) {
    return Status::invalid_argument("--vector '" + text + "': expected name:dim, " +
                                    "name:dim:metric or name:dim:metric:element, such as " +
                                    "title_vec:384:cosine:f16");
  }
  VectorColumn column = vector_column(parts[0], 0, Metric::kCosine);
  char* end = nullptr;
  column.dim = std::strtoul(parts[1].c_str(), &end, 10);
  if (*end != '\0' || column.dim == 0) {
    return Status::invalid_argument("--vector '" + text + "': '" + parts[1] +
                                    "' is no dimension, expected 1 to 8192");
  }
  if (parts.size() > 2) {
    LOCI_ASSIGN_OR_RETURN(column.metric, parse_metric(parts[2]));
  }
  if (parts.size() > 3) {
    LOCI_ASSIGN_OR_RETURN(column.element, parse_element(parts[3]));
  }
  return column;
}

/// The vector columns that the options name.
Status add_vectors(const SpecOptions& options, CollectionSpec& spec) {
  for (const std::string& text : options.vectors) {
    LOCI_ASSIGN_OR_RETURN(VectorColumn column, parse_vector_column(text));
    spec.vectors.push_back(std::move(column));
  }
  const bool model = !options.model.empty() && options.model != "none";
  if (!options.vectors.empty()) {
    if (options.dim != 0 || model || !options.metric.empty() || !options.element.empty()) {
      return Status::invalid_argument(
          "--vector says name, dim, metric and element itself: leave out --dim, --metric, "
          "--element and --model");
    }
    return {};
  }
  if (options.dim == 0 && !model) {
    if (options.element.empty()) return {};
    return Status::invalid_argument("--element " + options.element +
                                    " is of vectors: give their --dim, or a --model");
  }
  VectorColumn column = vector_column(std::string(kVectorName), options.dim, Metric::kCosine);
  if (!options.metric.empty()) {
    LOCI_ASSIGN_OR_RETURN(column.metric, parse_metric(options.metric));
  }
  if (!options.element.empty()) {
    LOCI_ASSIGN_OR_RETURN(column.element, parse_element(options.element));
  }
  LOCI_RETURN_IF_ERROR(apply_model(options, column));
  spec.vectors.push_back(std::move(column));
  return {};
}

}  // namespace

bool SpecOptions::any() const {
  return dim != 0 || !metric.empty() || !element.empty() || !text.empty() || !filter.empty() ||
         !model.empty() || !vectors.empty() || no_text_ids || says_history(*this);
}

void add_spec_options(CLI::App& app, SpecOptions& options) {
  const std::string group = "A new collection";
  app.add_option("--dim", options.dim, "Components of each vector, 1 to 8192")->group(group);
  app.add_option("--metric", options.metric, "l2, cosine (default), dot, angular, l1 or hamming")
      ->group(group);
  app.add_option("--element", options.element,
                 "What a component is stored as: f32 (default), f16, bf16 or i8")
      ->group(group);
  app.add_option("--text", options.text, "Full-text columns: title,body")->group(group);
  app.add_option("--filter", options.filter,
                 "Columns for --where, with types text, int, float, bool: lang:text,year:int")
      ->group(group);
  app.add_option("--model", options.model,
                 "What makes vectors of texts: hash, hash:DIM, or none (you bring them)")
      ->group(group);
  app.add_option("--vector", options.vectors,
                 "A vector column name:dim:metric:element; repeat it for several")
      ->allow_extra_args(false)
      ->group(group);
  app.add_flag("--no-text-ids", options.no_text_ids, "Rows are named by their integer only")
      ->group(group);
  add_history_options(app, options, group);
}

void add_history_options(CLI::App& app, SpecOptions& options, const std::string& group) {
  app.add_flag("--history", options.history, "Keep old versions of rows")->group(group);
  app.add_option("--history-versions", options.history_versions,
                 "Keep so many of each row, 1 to 10000; 0: no limit (default 100)")
      ->check(CLI::NonNegativeNumber)
      ->group(group);
  app.add_option("--history-days", options.history_days,
                 "Keep them for so many days, up to 36500; 0: for ever (default)")
      ->check(CLI::NonNegativeNumber)
      ->group(group);
}

bool says_history(const SpecOptions& options) {
  return options.history || options.history_versions >= 0 || options.history_days >= 0;
}

HistoryOptions make_history(const SpecOptions& options, HistoryOptions history) {
  if (!says_history(options)) return history;
  history.enabled = true;
  if (options.history_versions >= 0) history.max_versions = options.history_versions;
  if (options.history_days >= 0) history.max_age_days = options.history_days;
  return history;
}

Result<std::vector<FilterColumn>> parse_filters(const std::string& text) {
  std::vector<FilterColumn> filters;
  for (const std::string& part : split_list(text)) {
    const size_t colon = part.find(':');
    FilterColumn column{.name = part.substr(0, colon)};
    if (colon != std::string::npos) {
      LOCI_ASSIGN_OR_RETURN(column.type, parse_field_type(part.substr(colon + 1)));
    }
    filters.push_back(std::move(column));
  }
  return filters;
}

Result<SpecChoice> make_spec(const SpecOptions& options) {
  SpecChoice choice;
  CollectionSpec& spec = choice.spec;
  spec.name = options.name;
  spec.text = split_list(options.text);
  LOCI_ASSIGN_OR_RETURN(spec.filters, parse_filters(options.filter));
  spec.text_ids = !options.no_text_ids;
  spec.history = make_history(options, {});
  SpecOptions vectors = options;
  if (!spec.text.empty() && options.dim == 0 && options.model.empty() && options.vectors.empty()) {
    vectors.model = "hash";
    choice.chosen.emplace_back("model hash (built in; matches spelling, not meaning)");
  }
  LOCI_RETURN_IF_ERROR(add_vectors(vectors, spec));
  if (spec.vectors.empty() && spec.text.empty()) {
    return Status::invalid_argument("collection '" + spec.name +
                                    "' would have nothing to search: " +
                                    "give --dim N for vectors, --text COLUMNS for words, or both");
  }
  return choice;
}

VectorColumn vector_column(std::string name, size_t dim, Metric metric) {
  VectorColumn column;
  column.name = std::move(name);
  column.dim = dim;
  column.metric = metric;
  return column;
}

std::string describe(const CollectionSpec& spec) {
  std::vector<std::string> parts;
  for (const VectorColumn& column : spec.vectors) {
    std::string part = "vector " + column.name + " (" + std::to_string(column.dim) + ", ";
    part += column.metric == Metric::kCustom ? column.custom_metric
                                             : std::string(metric_name(column.metric));
    if (column.element != Element::kF32) part += ", " + std::string(element_name(column.element));
    if (!column.model.empty()) part += ", model " + column.model;
    parts.push_back(part + ")");
  }
  if (!spec.text.empty()) parts.push_back("text " + join(spec.text, ", "));
  if (!spec.filters.empty()) {
    std::vector<std::string> filters;
    filters.reserve(spec.filters.size());
    for (const FilterColumn& column : spec.filters) {
      filters.push_back(column.name + ":" + std::string(field_type_name(column.type)));
    }
    parts.push_back("filter " + join(filters, ", "));
  }
  parts.emplace_back(spec.text_ids ? "text ids" : "rowids only");
  if (spec.history.enabled) {
    std::string part = "history";
    const HistoryOptions& history = spec.history;
    if (history.max_versions != 0)
      part += ", " + std::to_string(history.max_versions) + " versions a row";
    if (history.max_age_days != 0) part += ", " + std::to_string(history.max_age_days) + " days";
    parts.push_back(std::move(part));
  }
  return join(parts, "; ");
}

}  // namespace loci::cli

// SPDX-License-Identifier: Apache-2.0
#include "search_options.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <utility>

#include "readers/byte_source.h"
#include "readers/json_parse.h"
#include "row_fields.h"
#include "suggest.h"

namespace loci::cli {
namespace {

constexpr size_t kMaxVectorText = size_t{4} << 20;

Result<std::vector<float>> parse_numbers(std::string_view text) {
  std::string json(trim(text));
  if (!json.starts_with("[")) {
    std::replace(json.begin(), json.end(), ';', ',');
    json = "[" + json + "]";
  }
  const Result<Json> parsed = parse_json(json);
  if (!parsed.has_value() || !parsed->is_array() || parsed->empty()) {
    return Status::invalid_argument("--vector '" + std::string(text.substr(0, 40)) +
                                    "': expected numbers such as '[0.1, 0.2]' or 0.1,0.2");
  }
  const Json& first = parsed->front();
  Result<std::vector<float>> vector = vector_from_json(first.is_array() ? first : *parsed);
  LOCI_RETURN_IF_ERROR(vector.status().with_context("--vector"));
  return vector;
}

Result<std::vector<float>> read_vector_file(const std::string& path) {
  const size_t dot = path.rfind('.');
  const std::string extension = dot == std::string::npos ? "" : path.substr(dot);
  for (const std::string_view binary : {".fvecs", ".bvecs", ".npy", ".npz", ".fbin"}) {
    if (extension != binary) continue;
    LOCI_ASSIGN_OR_RETURN(VectorTable table, read_vectors(path, 1));
    if (table.rows() == 0) return Status::invalid_argument("'" + path + "' holds no vectors");
    return std::move(table.values);
  }
  LOCI_ASSIGN_OR_RETURN(std::unique_ptr<ByteSource> source, open_source(path));
  Input input(std::move(source));
  LOCI_ASSIGN_OR_RETURN(const std::string_view text, input.peek(kMaxVectorText));
  if (text.size() == kMaxVectorText) {
    return Status::invalid_argument("'" + path + "': more than " + std::to_string(kMaxVectorText) +
                                    " bytes for one vector");
  }
  return parse_numbers(text);
}

Result<SearchMode> parse_mode(const std::string& text) {
  if (text == "auto") return SearchMode::kAuto;
  if (text == "vector") return SearchMode::kVector;
  if (text == "text") return SearchMode::kText;
  if (text == "hybrid") return SearchMode::kHybrid;
  return Status::invalid_argument("--mode '" + text + "': allowed auto, vector, text, hybrid");
}

}  // namespace

Result<std::vector<float>> parse_vector(const std::string& text) {
  if (text == "-") return read_vector_file("-");
  if (text.starts_with("@")) return read_vector_file(text.substr(1));
  return parse_numbers(text);
}

void add_effort_options(CLI::App& app, double& recall, size_t& ef, bool& exact) {
  auto* share = app.add_option("--recall", recall,
                               "The share of the true neighbours that is enough, from a graph")
                    ->capture_default_str();
  auto* kept = app.add_option("--ef", ef, "Candidates that the search of a graph keeps, instead");
  auto* all = app.add_flag("--exact", exact, "The true neighbours, by a scan");
  share->excludes(kept)->excludes(all);
  kept->excludes(all);
}

void add_search_options(CLI::App& app, SearchOptions& options) {
  app.add_option("NAME", options.name, "The collection")->required();
  app.add_option("WORDS", options.words, "What to look for");
  app.add_option("--vector", options.vector, "A query vector: '[0.1, 0.2]', 0.1,0.2, @FILE or -");
  app.add_option("--column", options.column, "The vector column; the first when left out");
  app.add_option("--mode", options.mode, "auto, vector, text or hybrid")->capture_default_str();
  app.add_option("-k", options.k, "How many hits; 0: all within a threshold")
      ->capture_default_str();
  app.add_option("--where", options.where, "A filter: \"lang = 'rust' AND year >= 2020\"");
  app.add_option("--max-distance", options.max_distance, "Hits with at most this distance");
  app.add_option("--min-similarity", options.min_similarity, "Hits with at least this similarity");
  add_effort_options(app, options.recall, options.ef, options.exact);
  app.add_flag("--archived", options.archived, "Archived rows too");
  app.add_flag("--with-vectors", options.with_vectors, "Vectors too");
}

Status make_request(const SearchOptions& options, SearchInput& input) {
  if (options.words.empty() && options.vector.empty()) {
    return Status::invalid_argument("what to look for? Give words, or --vector");
  }
  SearchRequest& request = input.request;
  LOCI_ASSIGN_OR_RETURN(request.mode, parse_mode(options.mode));
  if (!options.vector.empty()) {
    LOCI_ASSIGN_OR_RETURN(input.vector, parse_vector(options.vector));
    request.vector = input.vector;
  }
  request.text = join(options.words, " ");
  request.column = options.column;
  request.k = options.k;
  request.max_distance = options.max_distance;
  request.min_similarity = options.min_similarity;
  request.where = options.where;
  request.recall = options.recall;
  request.ef = options.ef;
  request.exact = options.exact;
  request.include_archived = options.archived;
  request.with_vectors = options.with_vectors;
  request.snippets = true;
  return {};
}

}  // namespace loci::cli

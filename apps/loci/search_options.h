// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "loci/loci.h"

namespace CLI {  // NOLINT(readability-identifier-naming): CLI11's own
class App;
}

namespace loci::cli {

/// What `search` and `explain` are asked.
struct SearchOptions {
  std::string name;
  std::vector<std::string> words;
  std::string vector;
  std::string column;
  std::string mode = "auto";
  size_t k = 10;
  std::string where;
  std::optional<double> max_distance;
  std::optional<double> min_similarity;
  double recall = SearchRequest().recall;
  size_t ef = 0;
  bool exact = false;
  bool archived = false;
  bool with_vectors = false;
};

void add_search_options(CLI::App& app, SearchOptions& options);
/// --recall, --ef and --exact: one of them at most.
void add_effort_options(CLI::App& app, double& recall, size_t& ef, bool& exact);

/// A request and the vector that it borrows.
struct SearchInput {
  std::vector<float> vector;
  SearchRequest request;
};
/// Errors: kInvalidArgument (mode, a vector that is no list of numbers), kNotFound (@FILE).
Status make_request(const SearchOptions& options, SearchInput& input);

/// "[1, 2]", "1,2", "@file" (that text, or the first row of a file of vectors) or "-" (stdin).
Result<std::vector<float>> parse_vector(const std::string& text);

}  // namespace loci::cli

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "loci/loci.h"
#include "readers/row_reader.h"

namespace CLI {  // NOLINT(readability-identifier-naming): CLI11's own
class App;
}

namespace loci::cli {

/// What a user may say of a collection that is to be made, by `create` or by `add`.
struct SpecOptions {
  std::string name;
  size_t dim = 0;
  std::string metric;
  std::string element;
  std::string text;                  ///< "title,body"
  std::string filter;                ///< "lang:text,year:int"
  std::string model;                 ///< "hash", "hash:512", "none"
  std::vector<std::string> vectors;  ///< "name:dim:metric:element" each; the last two may be absent
  bool no_text_ids = false;
  bool history = false;
  int64_t history_versions = -1;  ///< -1: not said
  int64_t history_days = -1;

  /// Whether anything but the name was said.
  [[nodiscard]] bool any() const;
};

void add_spec_options(CLI::App& app, SpecOptions& options);
/// --history, --history-versions, --history-days.
void add_history_options(CLI::App& app, SpecOptions& options, const std::string& group);
/// What those say, on top of what there is.
HistoryOptions make_history(const SpecOptions& options, HistoryOptions history);
/// Whether any of them was given.
bool says_history(const SpecOptions& options);

/// A collection to make, and what was chosen for the user, in words.
struct SpecChoice {
  CollectionSpec spec;
  std::vector<std::string> chosen;
};

/// "lang:text,year:int"; a name without a type is text.
Result<std::vector<FilterColumn>> parse_filters(const std::string& text);
/// The spec that the options describe. kInvalidArgument says what is missing.
Result<SpecChoice> make_spec(const SpecOptions& options);
/// The same for the rows at the beginning of a file, which fill in what the options leave open.
Result<SpecChoice> infer_spec(const SpecOptions& options, const RowReader& reader,
                              std::span<const InputRow> sample);
/// A vector column of float32 without a model.
VectorColumn vector_column(std::string name, size_t dim, Metric metric);
/// "vector embedding (384, cosine, f16, model hash:384:v1); text title, body; filter year:int"
std::string describe(const CollectionSpec& spec);

}  // namespace loci::cli

// SPDX-License-Identifier: Apache-2.0
//
// Choosing a collection for a file when the user has not made one. The rows at the beginning
// decide; whatever is chosen is said, and any option overrides it:
//   vectors   an array of numbers named embedding, vector, ... ; or the rows of a vector file
//   element   f32, unless --element says otherwise
//   metric    bytes: l2. Other vector files: cosine when the rows have unit length, else l2.
//             Vectors inside JSON or CSV: cosine
//   text      members with the usual names (title, text, body, ...), else strings of some length
//   filters   the other members that are one number, bool or short string in every row
//   ids       text ids when the rows bring ids or are no vector file, else rowids
#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <string>
#include <utility>

#include "row_fields.h"
#include "spec_options.h"
#include "suggest.h"

namespace loci::cli {
namespace {

constexpr std::array<std::string_view, 9> kTextNames = {
    "title", "text", "body", "content", "description", "summary", "abstract", "document", "note"};
constexpr double kLongText = 48;      // mean bytes of a member that is text, not a label
constexpr double kUnitLength = 1e-3;  // how far from 1 a unit vector may be
constexpr size_t kMaxFilters = 64;    // the library's limit
constexpr size_t kMaxText = 16;

/// What the sample shows of one member.
struct Member {
  size_t rows = 0;
  size_t texts = 0, ints = 0, floats = 0, bools = 0, vectors = 0, others = 0;
  size_t text_bytes = 0;
  size_t vector_dim = 0;
  bool dims_differ = false;

  [[nodiscard]] bool is_vector() const { return vectors > 0 && vectors == rows && !dims_differ; }
  [[nodiscard]] bool is_text() const { return texts > 0 && texts == rows; }
  [[nodiscard]] double mean_bytes() const {
    return texts == 0 ? 0 : static_cast<double>(text_bytes) / static_cast<double>(texts);
  }
};

/// A member's value as the sample counts it. CSV holds texts that may stand for other types.
Json typed_value(const Json& value, bool untyped) {
  if (!untyped || !value.is_string()) return value;
  const auto& text = value.get_ref<const std::string&>();
  if (text.empty()) return value;
  if (text.front() == '[' || text == "true" || text == "false" || is_number(text)) {
    Json parsed = Json::parse(text, nullptr, false);
    if (!parsed.is_discarded()) return parsed;
  }
  return value;
}

void count(const Json& value, Member& member) {
  if (value.is_null()) return;
  ++member.rows;
  if (value.is_string()) {
    ++member.texts;
    member.text_bytes += value.get_ref<const std::string&>().size();
  } else if (value.is_boolean()) {
    ++member.bools;
  } else if (value.is_number_integer()) {
    ++member.ints;
  } else if (value.is_number()) {
    ++member.floats;
  } else if (value.is_array() && !value.empty() && value.front().is_number()) {
    member.dims_differ |= member.vectors > 0 && member.vector_dim != value.size();
    member.vector_dim = value.size();
    ++member.vectors;
  } else {
    ++member.others;
  }
}

/// Members by name, in the order of their first appearance.
struct Sample {
  std::vector<std::string> names;
  std::map<std::string, Member> members;
};

Sample look_at(std::span<const InputRow> rows, bool untyped) {
  Sample sample;
  for (const InputRow& row : rows) {
    for (const auto& [name, value] : row.object.items()) {
      const auto [found, made] = sample.members.try_emplace(name);
      if (made) sample.names.push_back(name);
      count(typed_value(value, untyped), found->second);
    }
  }
  return sample;
}

/// A name that a column may have: see CollectionSpec.
bool is_column_name(const std::string& name) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  if (name.empty() || name.size() > 64 || !letter(name.front()) || is_row_member(name))
    return false;
  return std::all_of(name.begin(), name.end(),
                     [&](char c) { return letter(c) || (c >= '0' && c <= '9') || c == '_'; });
}

bool unit_length(std::span<const InputRow> rows) {
  return std::all_of(rows.begin(), rows.end(), [](const InputRow& row) {
    double sum = 0;
    for (const float x : row.vector) sum += static_cast<double>(x) * static_cast<double>(x);
    return std::abs(std::sqrt(sum) - 1) <= kUnitLength;
  });
}

void choose_text(const Sample& sample, CollectionSpec& spec) {
  for (const std::string_view usual : kTextNames) {
    const auto found = sample.members.find(std::string(usual));
    if (found != sample.members.end() && found->second.is_text()) spec.text.emplace_back(usual);
  }
  if (!spec.text.empty()) return;
  for (const std::string& name : sample.names) {
    const Member& member = sample.members.at(name);
    const bool text = member.is_text() && member.mean_bytes() >= kLongText;
    if (text && is_column_name(name) && spec.text.size() < kMaxText) spec.text.push_back(name);
  }
}

bool is_taken(const CollectionSpec& spec, const std::string& name) {
  const auto same = [&](const auto& column) { return column.name == name; };
  return std::find(spec.text.begin(), spec.text.end(), name) != spec.text.end() ||
         std::any_of(spec.vectors.begin(), spec.vectors.end(), same) ||
         std::any_of(spec.filters.begin(), spec.filters.end(), same);
}

void choose_filters(const Sample& sample, CollectionSpec& spec) {
  for (const std::string& name : sample.names) {
    const Member& member = sample.members.at(name);
    if (!is_column_name(name) || is_taken(spec, name) || member.rows == 0) continue;
    if (spec.filters.size() == kMaxFilters) return;
    if (member.is_text() && member.mean_bytes() < kLongText) {
      spec.filters.push_back({name, FieldType::kText});
    } else if (member.bools == member.rows) {
      spec.filters.push_back({name, FieldType::kBool});
    } else if (member.ints == member.rows) {
      spec.filters.push_back({name, FieldType::kInt});
    } else if (member.ints + member.floats == member.rows) {
      spec.filters.push_back({name, FieldType::kFloat});
    }
  }
}

/// The vector columns of rows with names: one for each member that holds vectors.
void choose_member_vectors(const Sample& sample, Metric metric, CollectionSpec& spec) {
  for (const std::string& name : sample.names) {
    const Member& member = sample.members.at(name);
    if (!member.is_vector() || member.vector_dim > 8192) continue;
    const bool usual = is_vector_member(name);
    if (!usual && !is_column_name(name)) continue;
    if (!usual && member.vector_dim < 8) continue;  // a short list of numbers is metadata
    spec.vectors.push_back(vector_column(usual ? "embedding" : name, member.vector_dim, metric));
    return;
  }
}

/// A file of bytes holds 0 to 255, of which i8 takes the lower half.
Status check_bytes_fit(const RowReader& reader, std::span<const InputRow> rows) {
  for (const InputRow& row : rows) {
    const auto over = std::find_if(row.vector.begin(), row.vector.end(),
                                   [](float component) { return component > 127; });
    if (over == row.vector.end()) continue;
    return Status::invalid_argument(
        reader.where(row) + ": component " + std::to_string(over - row.vector.begin()) + " is " +
        std::to_string(static_cast<int>(*over)) + ", --element i8 holds whole numbers from -128 " +
        "to 127; f16 and bf16 hold the bytes 0 to 255 exactly");
  }
  return {};
}

/// Fills spec.vectors when the options have not.
Status choose_vectors(const SpecOptions& options, const RowReader& reader, const Sample& sample,
                      std::span<const InputRow> rows, SpecChoice& choice) {
  CollectionSpec& spec = choice.spec;
  Metric metric = Metric::kCosine;
  if (!options.metric.empty()) {
    LOCI_ASSIGN_OR_RETURN(metric, parse_metric(options.metric));
  }
  Element element = Element::kF32;
  if (!options.element.empty()) {
    LOCI_ASSIGN_OR_RETURN(element, parse_element(options.element));
  }
  if (reader.vector_dim() != 0) {
    const bool bytes = reader.format() == "bvecs";
    if (bytes && element == Element::kI8) LOCI_RETURN_IF_ERROR(check_bytes_fit(reader, rows));
    const bool unit = !bytes && unit_length(rows);
    if (options.metric.empty()) {
      metric = unit ? Metric::kCosine : Metric::kL2;
      choice.chosen.push_back("metric " + std::string(metric_name(metric)) +
                              (unit    ? " (the vectors have unit length)"
                               : bytes ? " (the vectors are bytes)"
                                       : " (the vectors are not of unit length)"));
    }
    spec.vectors.push_back(vector_column("embedding", reader.vector_dim(), metric));
  } else {
    choose_member_vectors(sample, metric, spec);
  }
  for (VectorColumn& column : spec.vectors) column.element = element;
  if (!spec.vectors.empty() && options.dim != 0 && options.dim != spec.vectors[0].dim) {
    return Status::invalid_argument("--dim " + std::to_string(options.dim) + ", the vectors have " +
                                    std::to_string(spec.vectors[0].dim));
  }
  return {};
}

}  // namespace

Result<SpecChoice> infer_spec(const SpecOptions& options, const RowReader& reader,
                              std::span<const InputRow> sample_rows) {
  const Sample sample = look_at(sample_rows, reader.untyped());
  SpecOptions said = options;
  SpecChoice choice;
  const bool brings_columns = !options.vectors.empty();
  const bool brings_model = !options.model.empty() && options.model != "none";
  if (!brings_columns && !brings_model) {
    LOCI_RETURN_IF_ERROR(choose_vectors(options, reader, sample, sample_rows, choice));
  }
  if (options.text.empty() && reader.vector_dim() == 0) {
    choose_text(sample, choice.spec);
    said.text = join(choice.spec.text, ",");
  }
  if (!choice.spec.vectors.empty()) said.dim = choice.spec.vectors[0].dim;
  LOCI_ASSIGN_OR_RETURN(SpecChoice made, make_spec(said));
  if (!choice.spec.vectors.empty()) made.spec.vectors = choice.spec.vectors;
  made.chosen.insert(made.chosen.begin(), choice.chosen.begin(), choice.chosen.end());
  if (options.filter.empty()) choose_filters(sample, made.spec);
  const bool has_ids = sample.members.count("id") + sample.members.count("_id") > 0;
  if (reader.vector_dim() != 0 && !has_ids) made.spec.text_ids = false;
  return made;
}

}  // namespace loci::cli

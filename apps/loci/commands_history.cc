// SPDX-License-Identifier: Apache-2.0
//
// The verb `history`: what a row was, until when, and what changed then.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "exit_code.h"
#include "output/json_text.h"
#include "output/table.h"
#include "output/terminal.h"
#include "row_key.h"
#include "spec_options.h"
#include "verbs.h"

namespace loci::cli {
namespace {

struct HistoryVerbOptions {
  std::string name;
  std::string id;
  bool rowid = false;
  bool with_vectors = false;
  int64_t limit = 20;
};

/// One column that a change gave another value.
struct Difference {
  std::string column;
  std::string was;
  std::string became;
};

const std::vector<float>* vector_of(const Record& record, const std::string& column) {
  const auto found = std::find_if(record.vectors.begin(), record.vectors.end(),
                                  [&](const auto& vector) { return vector.first == column; });
  return found == record.vectors.end() ? nullptr : &found->second;
}

std::vector<Difference> differences(const CollectionSpec& spec, const Record& was,
                                    const Record& became) {
  std::vector<Difference> out;
  const auto compare = [&](const std::string& column, std::string before, std::string after) {
    if (before != after) out.push_back({column, std::move(before), std::move(after)});
  };
  compare("id", was.id.value_or(""), became.id.value_or(""));
  for (size_t i = 0; i < std::min(was.fields.size(), became.fields.size()); ++i) {
    if (was.fields[i].second == became.fields[i].second) continue;
    out.push_back(
        {was.fields[i].first, cell_text(was.fields[i].second), cell_text(became.fields[i].second)});
  }
  compare("metadata", was.metadata.value_or(""), became.metadata.value_or(""));
  compare("archived", was.archived ? "true" : "false", became.archived ? "true" : "false");
  for (const VectorColumn& column : spec.vectors) {
    const std::vector<float>* before = vector_of(was, column.name);
    const std::vector<float>* after = vector_of(became, column.name);
    const bool same = before == nullptr || after == nullptr ? before == after : *before == *after;
    if (same) continue;
    out.push_back({column.name, before == nullptr ? "none" : "a vector",
                   after == nullptr ? "none" : "another"});
  }
  return out;
}

std::string names_json(const std::vector<Difference>& changed) {
  std::string out = "[";
  for (const Difference& difference : changed) {
    if (out.size() > 1) out += ',';
    append_json_string(out, difference.column);
  }
  return out + "]";
}

std::string words(const std::vector<Difference>& changed) {
  std::string out;
  for (const Difference& difference : changed) {
    out += out.empty() ? "" : "; ";
    out += difference.column + ": " + difference.was + " -> " + difference.became;
  }
  return out.empty() ? "times only" : out;
}

/// What the row became by the change that ended `versions[i]`; null when it ended there.
const Record* next_state(const std::vector<Version>& versions, size_t i, const Record* now) {
  if (versions[i].change == ChangeKind::kDelete) return nullptr;
  for (size_t newer = i; newer-- > 0;) {
    if (versions[newer].record.rowid == versions[i].record.rowid) return &versions[newer].record;
  }
  return now != nullptr && now->rowid == versions[i].record.rowid ? now : nullptr;
}

void put_json(const Record* now, const std::vector<Version>& versions, const CollectionSpec& spec,
              bool with_vectors) {
  const RecordShape shape{.vectors = with_vectors, .archived = true, .times = true};
  std::string out;
  if (now != nullptr) {
    JsonObject object(out);
    object.text("change", "now");
    append_record(object, *now, shape);
    object.close();
    out += '\n';
  }
  for (size_t i = 0; i < versions.size(); ++i) {
    const Version& version = versions[i];
    const Record* next = next_state(versions, i, now);
    JsonObject object(out);
    object.text("change", version.change == ChangeKind::kDelete ? "delete" : "update");
    object.integer("version", version.number).text("until", time_text(version.changed_at_us));
    object.integer("hlc", version.hlc).integer("log_scn", version.log_scn);
    object.integer("log_token", version.log_token);
    if (next != nullptr) {
      object.verbatim("changed", names_json(differences(spec, version.record, *next)));
    }
    append_record(object, version.record, shape);
    object.close();
    out += '\n';
  }
  put(out);
}

void put_table(const Record* now, const std::vector<Version>& versions,
               const CollectionSpec& spec) {
  Table table;
  table.add_column("version", Table::Align::kRight);
  table.add_column("until");
  table.add_column("row", Table::Align::kRight);
  table.add_column("change");
  if (now != nullptr) {
    table.add_row({"", "now", std::to_string(to_int(now->rowid.value_or(kNoRow))), ""});
  }
  for (size_t i = 0; i < versions.size(); ++i) {
    const Version& version = versions[i];
    const Record* next = next_state(versions, i, now);
    std::string change = "deleted";
    if (version.change == ChangeKind::kUpdate) {
      change = next == nullptr ? "updated" : words(differences(spec, version.record, *next));
    }
    table.add_row({std::to_string(version.number), time_text(version.changed_at_us),
                   std::to_string(to_int(version.record.rowid.value_or(kNoRow))),
                   std::move(change)});
  }
  put(table.render(terminal_width(), stdout_has_colour()));
}

Result<int> history(const Context& context, const HistoryVerbOptions& options) {
  LOCI_ASSIGN_OR_RETURN(Database database, open_for_reading(context));
  LOCI_ASSIGN_OR_RETURN(Collection collection, find_collection(database, options.name));
  const CollectionSpec spec = collection.spec();
  LOCI_ASSIGN_OR_RETURN(const RowKey key, parse_key(options.id, options.rowid || !spec.text_ids));
  LOCI_ASSIGN_OR_RETURN(const std::vector<Version> versions,
                        collection.history(key, true, options.limit));
  LOCI_ASSIGN_OR_RETURN(const std::optional<Record> now, collection.get(key, true));
  if (versions.empty() && !now.has_value()) {
    return Status::not_found("collection '" + options.name + "' has and had no row " +
                             key_text(key));
  }
  const Record* current = now.has_value() ? &*now : nullptr;
  if (context.rows_as_json()) {
    put_json(current, versions, spec, options.with_vectors);
  } else {
    put_table(current, versions, spec);
  }
  return kExitOk;
}

}  // namespace

Action configure_history(CLI::App& app, const Context& context) {
  const auto options = std::make_shared<HistoryVerbOptions>();  // owners: the parser, the action
  app.add_option("NAME", options->name, "The collection")->required();
  app.add_option("ID", options->id, "Row id; of a deleted row too")->required();
  app.add_flag("--rowid", options->rowid, "The id is a rowid (an integer)");
  app.add_option("--limit", options->limit, "At most so many versions; 0: all")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  app.add_flag("--with-vectors", options->with_vectors, "Vectors too (JSON)");
  return [options, &context] { return history(context, *options); };
}

}  // namespace loci::cli

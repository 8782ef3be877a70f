// SPDX-License-Identifier: Apache-2.0
//
// Verbs on rows by key or by filter: get, list, rm, archive, restore, purge.
#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "exit_code.h"
#include "output/json_text.h"
#include "output/row_table.h"
#include "output/spec_json.h"
#include "output/table.h"
#include "output/terminal.h"
#include "row_key.h"
#include "spec_options.h"
#include "verbs.h"

namespace loci::cli {
namespace {

struct RowOptions {
  std::string name;
  std::vector<std::string> ids;
  std::string where;
  bool rowid = false;
  bool all = false;
  bool yes = false;
  bool dry_run = false;
  bool archived = false;
  bool with_vectors = false;
  int64_t limit = 100;
  int64_t offset = 0;
};

/// Collections without text ids are addressed by rowid without being told.
Result<std::vector<RowKey>> parse_keys(const Collection& collection, const RowOptions& options) {
  const bool rowid = options.rowid || !collection.spec().text_ids;
  std::vector<RowKey> keys;
  keys.reserve(options.ids.size());
  for (const std::string& id : options.ids) {
    LOCI_ASSIGN_OR_RETURN(RowKey key, parse_key(id, rowid));
    keys.push_back(std::move(key));
  }
  return keys;
}

Result<int> get(const Context& context, const RowOptions& options) {
  LOCI_ASSIGN_OR_RETURN(Database database, open_for_reading(context));
  LOCI_ASSIGN_OR_RETURN(Collection collection, find_collection(database, options.name));
  LOCI_ASSIGN_OR_RETURN(const std::vector<RowKey> keys, parse_keys(collection, options));
  std::vector<std::string> missing;
  for (const RowKey& key : keys) {
    LOCI_ASSIGN_OR_RETURN(const std::optional<Record> record,
                          collection.get(key, options.with_vectors));
    if (!record.has_value()) {
      missing.push_back(key_text(key));
    } else if (context.rows_as_json()) {
      put(record_line(*record, {.vectors = options.with_vectors, .archived = true, .times = true}));
    } else {
      put(record_sheet(*record, options.with_vectors));
    }
  }
  if (missing.empty()) return kExitOk;
  std::string names;
  for (const std::string& name : missing) names += (names.empty() ? "" : ", ") + name;
  return Status::not_found("collection '" + options.name + "' has no row " + names);
}

Result<int> list_collections(const Context& context) {
  LOCI_ASSIGN_OR_RETURN(Database database, open_for_reading(context));
  LOCI_ASSIGN_OR_RETURN(const std::vector<CollectionSpec> specs, database.list_collections());
  Table table;
  table.add_column("collection");
  table.add_column("rows", Table::Align::kRight);
  table.add_column("columns");
  for (const CollectionSpec& spec : specs) {
    LOCI_ASSIGN_OR_RETURN(Collection collection, database.collection(spec.name));
    LOCI_ASSIGN_OR_RETURN(const int64_t rows, collection.count());
    if (context.rows_as_json()) {
      std::string line;
      JsonObject(line)
          .text("name", spec.name)
          .integer("rows", rows)
          .verbatim("spec", spec_json(spec))
          .close();
      put(line + "\n");
    } else {
      table.add_row({spec.name, std::to_string(rows), describe(spec)});
    }
  }
  if (context.rows_as_json()) return kExitOk;
  put(specs.empty() ? "no collections: make one with 'loci create' or 'loci add'\n"
                    : table.render(terminal_width(), stdout_has_colour()));
  return kExitOk;
}

Result<int> list(const Context& context, const RowOptions& options) {
  if (options.name.empty()) return list_collections(context);
  LOCI_ASSIGN_OR_RETURN(Database database, open_for_reading(context));
  LOCI_ASSIGN_OR_RETURN(Collection collection, find_collection(database, options.name));
  RowTable table(collection.spec());
  const int64_t limit = options.limit == 0 ? -1 : options.limit;
  LOCI_RETURN_IF_ERROR(collection.scan(
      options.where, options.archived, options.with_vectors, limit, options.offset,
      [&](const Record& record) -> Status {
        if (context.rows_as_json()) {
          put(record_line(record, {.vectors = options.with_vectors, .archived = true}));
        } else {
          table.add(record);
        }
        return {};
      }));
  if (!context.rows_as_json()) put(table.render());
  return kExitOk;
}

enum class Change { kRemove, kArchive, kRestore, kPurge };

struct Words {
  std::string_view past;  // "removed 3 rows"
  std::string_view json;
};

Words words_of(Change change) {
  switch (change) {
    case Change::kRemove:
      return {"removed", "removed"};
    case Change::kArchive:
      return {"archived", "archived"};
    case Change::kRestore:
      return {"restored", "restored"};
    case Change::kPurge:
      return {"purged", "purged"};
  }
  return {};
}

/// The rows that a command is about: by key, by filter, or all.
struct Chosen {
  std::vector<RowKey> keys;
  std::vector<std::string> labels;
  std::vector<std::string> missing;
};

Result<Chosen> choose_rows(Collection& collection, const RowOptions& options, Change change) {
  const bool with_archived = change != Change::kArchive;
  Chosen chosen;
  const auto add = [&](const Record& record) -> Status {
    const RowId rowid = record.rowid.value_or(kNoRow);
    chosen.keys.emplace_back(rowid);
    chosen.labels.push_back(record.id.value_or(std::to_string(to_int(rowid))));
    return {};
  };
  if (options.all || !options.where.empty()) {
    LOCI_RETURN_IF_ERROR(collection.scan(options.where, with_archived, false, -1, 0, add));
    return chosen;
  }
  LOCI_ASSIGN_OR_RETURN(const std::vector<RowKey> keys, parse_keys(collection, options));
  for (const RowKey& key : keys) {
    LOCI_ASSIGN_OR_RETURN(const std::optional<Record> record, collection.get(key));
    if (record.has_value()) {
      LOCI_RETURN_IF_ERROR(add(*record));
      continue;
    }
    // A row that is gone but for its history is purged too.
    const bool remembered = change == Change::kPurge && collection.spec().history.enabled;
    LOCI_ASSIGN_OR_RETURN(const std::vector<Version> versions,
                          remembered ? collection.history(key, false, 1)
                                     : Result<std::vector<Version>>(std::vector<Version>()));
    if (versions.empty()) {
      chosen.missing.push_back(key_text(key));
    } else {
      chosen.keys.push_back(key);
      chosen.labels.push_back(key_text(key) + " (its history)");
    }
  }
  return chosen;
}

Result<int64_t> apply(Collection& collection, Change change, const Chosen& chosen) {
  switch (change) {
    case Change::kRemove:
      return collection.remove(chosen.keys);
    case Change::kArchive:
      return collection.archive(chosen.keys);
    case Change::kRestore:
      return collection.restore(chosen.keys);
    case Change::kPurge:
      return collection.purge(chosen.keys);
  }
  return Status::internal("no such change");
}

int put_dry_run(const Context& context, Change change, const Chosen& chosen) {
  constexpr size_t kShown = 20;
  if (context.json) {
    for (const std::string& label : chosen.labels) {
      std::string line;
      JsonObject(line).text("would_be", words_of(change).past).text("id", label).close();
      put(line + "\n");
    }
    return kExitOk;
  }
  put("would be " + std::string(words_of(change).past) + ": " + std::to_string(chosen.keys.size()) +
      " rows\n");
  for (size_t i = 0; i < chosen.labels.size() && i < kShown; ++i) {
    put("  " + one_line(chosen.labels[i]) + "\n");
  }
  if (chosen.labels.size() > kShown) {
    put("  and " + std::to_string(chosen.labels.size() - kShown) + " more\n");
  }
  return kExitOk;
}

Result<int> change_rows(const Context& context, const RowOptions& options, Change change) {
  const int ways =
      (options.ids.empty() ? 0 : 1) + (options.where.empty() ? 0 : 1) + (options.all ? 1 : 0);
  if (ways != 1) {
    return Status::invalid_argument(change == Change::kRemove
                                        ? "say which rows: ids, or --where EXPRESSION, or --all"
                                        : "say which rows: ids, or --where EXPRESSION");
  }
  LOCI_ASSIGN_OR_RETURN(Database database,
                        options.dry_run ? open_for_reading(context) : open_for_writing(context));
  LOCI_ASSIGN_OR_RETURN(Collection collection, find_collection(database, options.name));
  Chosen chosen;
  int64_t changed = 0;
  if (options.dry_run || change == Change::kPurge) {  // purge rewrites the file: no transaction
    LOCI_ASSIGN_OR_RETURN(chosen, choose_rows(collection, options, change));
    if (options.dry_run) return put_dry_run(context, change, chosen);
  }
  if (options.all && !options.yes) {
    LOCI_ASSIGN_OR_RETURN(const int64_t rows, collection.count({}, true));
    return Status::failed_precondition("this removes all " + std::to_string(rows) + " rows of '" +
                                       options.name + "': repeat it with --yes");
  }
  if (change == Change::kPurge) {
    LOCI_ASSIGN_OR_RETURN(changed, apply(collection, change, chosen));
  } else {  // rows are chosen and changed in one transaction
    LOCI_RETURN_IF_ERROR(database.transaction([&]() -> Status {
      LOCI_ASSIGN_OR_RETURN(chosen, choose_rows(collection, options, change));
      LOCI_ASSIGN_OR_RETURN(changed, apply(collection, change, chosen));
      return {};
    }));
  }
  for (const std::string& id : chosen.missing) {
    warn("collection '" + options.name + "' has no row " + id);
  }
  if (context.json) {
    std::string line;
    JsonObject(line).integer(words_of(change).json, changed).close();
    put(line + "\n");
  } else {
    put(std::string(words_of(change).past) + " " + std::to_string(changed) + " rows\n");
  }
  return chosen.missing.empty() ? kExitOk : exit_code(StatusCode::kNotFound);
}

Action configure_change(CLI::App& app, const Context& context, Change change) {
  const auto options = std::make_shared<RowOptions>();  // owners: the parser and the action
  app.add_option("NAME", options->name, "The collection")->required();
  app.add_option("ID", options->ids, "Row ids");
  app.add_option("--where", options->where, "Rows that match a filter");
  app.add_flag("--rowid", options->rowid, "The ids are rowids (integers)");
  if (change == Change::kRemove) {
    app.add_flag("--all", options->all, "Every row");
    app.add_flag("--yes", options->yes, "Yes, all of them");
  }
  app.add_flag("--dry-run", options->dry_run, "Say what would happen, change nothing");
  return [options, &context, change] { return change_rows(context, *options, change); };
}

}  // namespace

Action configure_get(CLI::App& app, const Context& context) {
  const auto options = std::make_shared<RowOptions>();
  app.add_option("NAME", options->name, "The collection")->required();
  app.add_option("ID", options->ids, "Row ids")->required();
  app.add_flag("--rowid", options->rowid, "The ids are rowids (integers)");
  app.add_flag("--with-vectors", options->with_vectors, "Vectors too");
  return [options, &context] { return get(context, *options); };
}

Action configure_list(CLI::App& app, const Context& context) {
  const auto options = std::make_shared<RowOptions>();
  app.add_option("NAME", options->name, "The collection; without it the collections are listed");
  app.add_option("--where", options->where, "A filter: \"lang = 'rust' AND year >= 2020\"");
  app.add_option("--limit", options->limit, "At most so many rows; 0: all")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  app.add_option("--offset", options->offset, "Leave out so many rows first")
      ->check(CLI::NonNegativeNumber);
  app.add_flag("--archived", options->archived, "Archived rows too");
  app.add_flag("--with-vectors", options->with_vectors, "Vectors too");
  return [options, &context] { return list(context, *options); };
}

Action configure_rm(CLI::App& app, const Context& context) {
  return configure_change(app, context, Change::kRemove);
}
Action configure_archive(CLI::App& app, const Context& context) {
  return configure_change(app, context, Change::kArchive);
}
Action configure_restore(CLI::App& app, const Context& context) {
  return configure_change(app, context, Change::kRestore);
}
Action configure_purge(CLI::App& app, const Context& context) {
  return configure_change(app, context, Change::kPurge);
}

}  // namespace loci::cli

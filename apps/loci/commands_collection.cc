// SPDX-License-Identifier: Apache-2.0
//
// Verbs on collections as a whole: create, alter, drop, count, stats, embed.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <string>

#include "exit_code.h"
#include "output/json_text.h"
#include "output/spec_json.h"
#include "output/table.h"
#include "output/terminal.h"
#include "progress.h"
#include "spec_options.h"
#include "suggest.h"
#include "verbs.h"

namespace loci::cli {
namespace {

struct NameOptions {
  std::string name;
  std::string where;
  bool archived = false;
  bool yes = false;
  bool dry_run = false;
  int64_t limit = 0;
};

Result<int> create(const Context& context, const SpecOptions& options) {
  LOCI_ASSIGN_OR_RETURN(const SpecChoice choice, make_spec(options));
  LOCI_ASSIGN_OR_RETURN(Database database, open_or_create(context));
  LOCI_ASSIGN_OR_RETURN(const Collection collection, database.create_collection(choice.spec));
  const CollectionSpec spec = collection.spec();
  if (context.json) {
    put(spec_json(spec) + "\n");
    return kExitOk;
  }
  put("created '" + spec.name + "' in '" + context.db_path + "': " + describe(spec) + "\n");
  if (!choice.chosen.empty()) put("chosen for you: " + join(choice.chosen, "; ") + "\n");
  return kExitOk;
}

struct AlterOptions {
  std::string name;
  std::vector<std::string> text;
  std::vector<std::string> filters;
  SpecOptions history;  // only what is said of it
  bool no_history = false;
  bool yes = false;
};

/// Turns history on or off, or changes its limits, as the options say.
Status alter_history(Collection& collection, const AlterOptions& options) {
  const HistoryOptions before = collection.spec().history;
  if (says_history(options.history)) {
    return collection.set_history(make_history(options.history, before));
  }
  if (!options.no_history || !before.enabled) return {};
  if (!options.yes) {
    return Status::failed_precondition("this removes every old version of the rows of '" +
                                       options.name + "': repeat it with --yes");
  }
  return collection.set_history({});
}

Result<int> alter(const Context& context, const AlterOptions& options) {
  const bool history = says_history(options.history) || options.no_history;
  if (options.text.empty() && options.filters.empty() && !history) {
    return Status::invalid_argument(
        "nothing to change: give --add-text NAME, "
        "--add-filter NAME:TYPE, --history or --no-history");
  }
  if (says_history(options.history) && options.no_history) {
    return Status::invalid_argument("--history and --no-history: give one of the two");
  }
  LOCI_ASSIGN_OR_RETURN(const std::vector<FilterColumn> filters,
                        parse_filters(join(options.filters, ",")));
  LOCI_ASSIGN_OR_RETURN(Database database, open_for_writing(context));
  LOCI_ASSIGN_OR_RETURN(Collection collection, find_collection(database, options.name));
  LOCI_RETURN_IF_ERROR(database.transaction([&]() -> Status {
    for (const std::string& list : options.text) {
      for (const std::string& column : split_list(list)) {
        LOCI_RETURN_IF_ERROR(collection.add_text_column(column));
      }
    }
    for (const FilterColumn& column : filters) {
      LOCI_RETURN_IF_ERROR(collection.add_filter_column(column));
    }
    return alter_history(collection, options);
  }));
  const CollectionSpec spec = collection.spec();
  put(context.json ? spec_json(spec) + "\n"
                   : "'" + spec.name + "' is now: " + describe(spec) + "\n");
  return kExitOk;
}

Result<int> drop(const Context& context, const NameOptions& options) {
  LOCI_ASSIGN_OR_RETURN(Database database,
                        options.dry_run ? open_for_reading(context) : open_for_writing(context));
  LOCI_ASSIGN_OR_RETURN(Collection collection, find_collection(database, options.name));
  LOCI_ASSIGN_OR_RETURN(const int64_t rows, collection.count({}, true));
  const std::string what =
      "collection '" + options.name + "' with " + std::to_string(rows) + " rows";
  if (options.dry_run) {
    put("would drop " + what + "\n");
    return kExitOk;
  }
  if (rows != 0 && !options.yes) {
    return Status::failed_precondition("this drops " + what + ": repeat it with --yes");
  }
  LOCI_RETURN_IF_ERROR(database.drop_collection(options.name));
  if (context.json) {
    std::string line;
    JsonObject(line).text("dropped", options.name).integer("rows", rows).close();
    put(line + "\n");
  } else {
    put("dropped " + what + "\n");
  }
  return kExitOk;
}

Result<int> count(const Context& context, const NameOptions& options) {
  LOCI_ASSIGN_OR_RETURN(Database database, open_for_reading(context));
  LOCI_ASSIGN_OR_RETURN(Collection collection, find_collection(database, options.name));
  LOCI_ASSIGN_OR_RETURN(const int64_t rows, collection.count(options.where, options.archived));
  if (context.json) {
    std::string line;
    JsonObject(line).integer("count", rows).close();
    put(line + "\n");
  } else {
    put(std::to_string(rows) + "\n");
  }
  return kExitOk;
}

void put_stats(const Context& context, const CollectionSpec& spec, const CollectionStats& stats) {
  std::string vectors;
  JsonObject object(vectors);
  for (const auto& [name, rows] : stats.vectors) object.integer(name, rows);
  object.close();
  if (context.json) {
    std::string line;
    JsonObject(line)
        .text("name", spec.name)
        .integer("rows", stats.rows)
        .integer("archived", stats.archived)
        .integer("pending", stats.pending)
        .verbatim("vectors", vectors)
        .integer("log_entries", stats.log_entries)
        .integer("image_bytes", stats.image_bytes)
        .verbatim("spec", spec_json(spec))
        .close();
    put(line + "\n");
    return;
  }
  Table table;
  table.add_column(spec.name);
  table.add_column("", Table::Align::kLeft);
  table.add_row({"columns", describe(spec)});
  table.add_row({"rows", std::to_string(stats.rows)});
  table.add_row({"archived", std::to_string(stats.archived)});
  table.add_row(
      {"pending", std::to_string(stats.pending) +
                      (stats.pending > 0 ? "  (run 'loci embed " + spec.name + "')" : "")});
  for (const auto& [name, rows] : stats.vectors) {
    table.add_row({"vectors in " + name, std::to_string(rows)});
  }
  table.add_row({"log entries", std::to_string(stats.log_entries)});
  put(table.render(terminal_width(), stdout_has_colour()) + "\n");
}

Result<int> stats(const Context& context, const NameOptions& options) {
  LOCI_ASSIGN_OR_RETURN(Database database, open_for_reading(context));
  std::vector<std::string> names;
  if (!options.name.empty()) {
    names.push_back(options.name);
  } else {
    LOCI_ASSIGN_OR_RETURN(const std::vector<CollectionSpec> specs, database.list_collections());
    for (const CollectionSpec& spec : specs) names.push_back(spec.name);
    if (specs.empty() && !context.json) put("'" + context.db_path + "' has no collections\n");
  }
  for (const std::string& name : names) {
    LOCI_ASSIGN_OR_RETURN(Collection collection, find_collection(database, name));
    LOCI_ASSIGN_OR_RETURN(const CollectionStats found, collection.stats());
    put_stats(context, collection.spec(), found);
  }
  return kExitOk;
}

Result<int> embed(const Context& context, const NameOptions& options) {
  LOCI_ASSIGN_OR_RETURN(Database database, open_for_writing(context));
  LOCI_ASSIGN_OR_RETURN(Collection collection, find_collection(database, options.name));
  int64_t done = 0;
  {
    Progress progress("embed", context.progress);
    LOCI_ASSIGN_OR_RETURN(done, collection.embed_pending(options.limit, [&](int64_t now,
                                                                            int64_t total) {
      progress.update(now, total > 0 ? static_cast<double>(now) / static_cast<double>(total) : -1);
    }));
  }
  if (context.json) {
    std::string line;
    JsonObject(line).integer("embedded", done).close();
    put(line + "\n");
  } else {
    put("embedded " + std::to_string(done) + " rows\n");
  }
  return kExitOk;
}

}  // namespace

Action configure_create(CLI::App& app, const Context& context) {
  const auto options = std::make_shared<SpecOptions>();  // owners: the parser and the action
  app.add_option("NAME", options->name, "Its name: letters, digits and _")->required();
  add_spec_options(app, *options);
  return [options, &context] { return create(context, *options); };
}

Action configure_alter(CLI::App& app, const Context& context) {
  const auto options = std::make_shared<AlterOptions>();
  app.add_option("NAME", options->name, "The collection")->required();
  app.add_option("--add-text", options->text, "A full-text column")->allow_extra_args(false);
  app.add_option("--add-filter", options->filters, "A filter column NAME:TYPE")
      ->allow_extra_args(false);
  add_history_options(app, options->history, "Options");
  app.add_flag("--no-history", options->no_history, "Keep none, and remove those that are there");
  app.add_flag("--yes", options->yes, "Yes, remove them");
  return [options, &context] { return alter(context, *options); };
}

Action configure_drop(CLI::App& app, const Context& context) {
  const auto options = std::make_shared<NameOptions>();
  app.add_option("NAME", options->name, "The collection")->required();
  app.add_flag("--yes", options->yes, "Drop it though it has rows");
  app.add_flag("--dry-run", options->dry_run, "Say what would go, change nothing");
  return [options, &context] { return drop(context, *options); };
}

Action configure_count(CLI::App& app, const Context& context) {
  const auto options = std::make_shared<NameOptions>();
  app.add_option("NAME", options->name, "The collection")->required();
  app.add_option("--where", options->where, "A filter: \"lang = 'rust' AND year >= 2020\"");
  app.add_flag("--archived", options->archived, "Archived rows too");
  return [options, &context] { return count(context, *options); };
}

Action configure_stats(CLI::App& app, const Context& context) {
  const auto options = std::make_shared<NameOptions>();
  app.add_option("NAME", options->name, "The collection; all when left out");
  return [options, &context] { return stats(context, *options); };
}

Action configure_embed(CLI::App& app, const Context& context) {
  const auto options = std::make_shared<NameOptions>();
  app.add_option("NAME", options->name, "The collection")->required();
  app.add_option("--limit", options->limit, "At most so many rows; 0: all");
  return [options, &context] { return embed(context, *options); };
}

}  // namespace loci::cli

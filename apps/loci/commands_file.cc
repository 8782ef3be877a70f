// SPDX-License-Identifier: Apache-2.0
//
// Verbs on the file as a whole: backup, sql, reindex, check, migrate.
#include <CLI/CLI.hpp>
#include <memory>
#include <optional>
#include <string>

#include "exit_code.h"
#include "indexing.h"
#include "output/json_text.h"
#include "output/table.h"
#include "output/terminal.h"
#include "verbs.h"

namespace loci::cli {
namespace {

struct FileOptions {
  std::string argument;
  bool repair = false;
  bool read_only = false;
  std::string direction = "status";
  int version = -1;
  IndexOptions index;
};

Result<int> backup(const Context& context, const FileOptions& options) {
  LOCI_ASSIGN_OR_RETURN(Database database, open_for_reading(context));
  LOCI_RETURN_IF_ERROR(database.backup(options.argument));
  if (context.json) {
    std::string line;
    JsonObject(line).text("backup", options.argument).close();
    put(line + "\n");
  } else {
    put("copied '" + context.db_path + "' to '" + options.argument + "'\n");
  }
  return kExitOk;
}

/// Opens for writing; where the file or its folder forbids that, for reading.
Result<Database> open_as_allowed(const Context& context) {
  Result<Database> database = open_for_writing(context);
  if (database.has_value()) return database;
  const StatusCode code = database.error().code();
  if (code != StatusCode::kFailedPrecondition && code != StatusCode::kIoError) return database;
  Result<Database> readable = open_for_reading(context);
  return readable.has_value() ? std::move(readable) : std::move(database);
}

Result<int> sql(const Context& context, const FileOptions& options) {
  LOCI_ASSIGN_OR_RETURN(Database database,
                        options.read_only ? open_for_reading(context) : open_as_allowed(context));
  Table table;
  bool begun = false;
  const auto show = [&](std::span<const std::string> names,
                        std::span<const Value> values) -> Status {
    if (context.rows_as_json()) {
      std::string line;
      JsonObject object(line);
      for (size_t i = 0; i < names.size(); ++i) object.value(names[i], values[i]);
      object.close();
      put(line + "\n");
      return {};
    }
    if (!begun) {
      for (size_t i = 0; i < names.size(); ++i) {
        const bool number =
            std::holds_alternative<int64_t>(values[i]) || std::holds_alternative<double>(values[i]);
        table.add_column(names[i], number ? Table::Align::kRight : Table::Align::kLeft);
      }
      begun = true;
    }
    std::vector<std::string> cells;
    cells.reserve(values.size());
    for (const Value& value : values) {
      cells.push_back(std::holds_alternative<std::monostate>(value) ? "NULL" : cell_text(value));
    }
    table.add_row(std::move(cells));
    return {};
  };
  LOCI_RETURN_IF_ERROR(database.sql(options.argument, show));
  if (begun) put(table.render(terminal_width(), stdout_has_colour()));
  return kExitOk;
}

Result<int> reindex(const Context& context, const FileOptions& options) {
  LOCI_ASSIGN_OR_RETURN(Database database, open_for_writing(context));
  LOCI_RETURN_IF_ERROR(find_collection(database, options.argument).status());
  LOCI_RETURN_IF_ERROR(with_progress(
      context, options.argument, options.index,
      [&](const IndexOptions& index) { return database.reindex(options.argument, index); }));
  if (context.json) {
    std::string line;
    JsonObject(line).text("reindexed", options.argument).close();
    put(line + "\n");
  } else {
    put("rebuilt what is derived of '" + options.argument + "'\n");
  }
  return kExitOk;
}

Result<int> check(const Context& context, const FileOptions& options) {
  // FTS5's own check is an INSERT, although it writes nothing: it needs a file open for writing.
  LOCI_ASSIGN_OR_RETURN(Database database,
                        options.repair ? open_for_writing(context) : open_as_allowed(context));
  LOCI_ASSIGN_OR_RETURN(const std::vector<CheckFinding> findings, database.check(options.repair));
  size_t left = 0;
  for (const CheckFinding& finding : findings) {
    left += finding.repaired ? 0 : 1;
    if (context.json) {
      std::string line;
      JsonObject(line)
          .text("object", finding.object)
          .text("kind", finding.kind)
          .text("message", finding.message)
          .boolean("repaired", finding.repaired)
          .close();
      put(line + "\n");
    } else {
      put(finding.object + ": " + finding.kind + ": " + finding.message +
          (finding.repaired ? " [repaired]" : "") + "\n");
    }
  }
  if (!context.json) {
    if (findings.empty()) {
      put("'" + context.db_path + "' is clean\n");
    } else {
      put(std::to_string(findings.size()) + " findings, " + std::to_string(findings.size() - left) +
          " repaired\n");
    }
  }
  return left == 0 ? kExitOk : kExitFindings;
}

Status put_migrations(const Context& context, Database& database) {
  LOCI_ASSIGN_OR_RETURN(const std::vector<MigrationState> states, database.migrations());
  Table table;
  table.add_column("version", Table::Align::kRight);
  table.add_column("name");
  table.add_column("applied");
  table.add_column("reversible");
  for (const MigrationState& state : states) {
    if (context.rows_as_json()) {
      std::string line;
      JsonObject(line)
          .integer("version", state.version)
          .text("name", state.name)
          .boolean("applied", state.applied)
          .boolean("reversible", state.reversible)
          .close();
      put(line + "\n");
    } else {
      table.add_row({std::to_string(state.version), state.name, state.applied ? "yes" : "no",
                     state.reversible ? "yes" : "no"});
    }
  }
  if (!context.rows_as_json()) put(table.render(terminal_width(), stdout_has_colour()));
  return {};
}

/// The version below the newest that is applied.
Result<int> one_down(Database& database) {
  LOCI_ASSIGN_OR_RETURN(const std::vector<MigrationState> states, database.migrations());
  int newest = 0;
  int below = 0;
  for (const MigrationState& state : states) {
    if (!state.applied) continue;
    below = newest;
    newest = state.version;
  }
  return below;
}

Result<int> migrate(const Context& context, const FileOptions& options) {
  const std::string& direction = options.direction;
  if (direction != "status" && direction != "up" && direction != "down") {
    return Status::invalid_argument("migrate '" + direction + "': allowed status, up, down");
  }
  LOCI_ASSIGN_OR_RETURN(Database database, direction == "status" ? open_for_reading(context)
                                                                 : open_for_writing(context));
  if (direction != "status") {
    int version = options.version;
    if (direction == "down" && version < 0) {
      LOCI_ASSIGN_OR_RETURN(version, one_down(database));
    }
    LOCI_RETURN_IF_ERROR(database.migrate(version));
  }
  LOCI_RETURN_IF_ERROR(put_migrations(context, database));
  return kExitOk;
}

}  // namespace

Action configure_backup(CLI::App& app, const Context& context) {
  const auto options = std::make_shared<FileOptions>();  // owners: the parser and the action
  app.add_option("FILE", options->argument, "The copy; it must not exist")->required();
  return [options, &context] { return backup(context, *options); };
}

Action configure_sql(CLI::App& app, const Context& context) {
  const auto options = std::make_shared<FileOptions>();
  app.add_option("QUERY", options->argument, "One SQL statement")->required();
  app.add_flag("--read-only", options->read_only, "Refuse to write");
  return [options, &context] { return sql(context, *options); };
}

Action configure_reindex(CLI::App& app, const Context& context) {
  const auto options = std::make_shared<FileOptions>();
  app.add_option("NAME", options->argument, "The collection")->required();
  add_index_options(app, options->index);
  return [options, &context] { return reindex(context, *options); };
}

Action configure_check(CLI::App& app, const Context& context) {
  const auto options = std::make_shared<FileOptions>();
  app.add_flag("--repair", options->repair, "Mend what is derived");
  return [options, &context] { return check(context, *options); };
}

Action configure_migrate(CLI::App& app, const Context& context) {
  const auto options = std::make_shared<FileOptions>();
  app.add_option("DIRECTION", options->direction, "status, up or down")->capture_default_str();
  app.add_option("VERSION", options->version, "Where to; up: the newest, down: one step");
  return [options, &context] { return migrate(context, *options); };
}

}  // namespace loci::cli

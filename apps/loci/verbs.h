// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <span>
#include <string_view>

#include "context.h"

namespace CLI {  // NOLINT(readability-identifier-naming): CLI11's own
class App;
}

namespace loci::cli {

/// What a command does once its options are read. Returns the exit code.
using Action = std::function<Result<int>()>;

/// One verb of the program.
struct Verb {
  std::string_view name;
  std::string_view summary;
  std::string_view examples;  ///< shown under --help; each line runs as it is
  /// Declares options on `app`; the returned action runs when the verb was given.
  Action (*configure)(CLI::App& app, const Context& context);
};

/// Every verb, in the order of --help.
std::span<const Verb> verbs();

Action configure_create(CLI::App& app, const Context& context);
Action configure_alter(CLI::App& app, const Context& context);
Action configure_drop(CLI::App& app, const Context& context);
Action configure_add(CLI::App& app, const Context& context);
Action configure_get(CLI::App& app, const Context& context);
Action configure_history(CLI::App& app, const Context& context);
Action configure_list(CLI::App& app, const Context& context);
Action configure_search(CLI::App& app, const Context& context);
Action configure_explain(CLI::App& app, const Context& context);
Action configure_rm(CLI::App& app, const Context& context);
Action configure_archive(CLI::App& app, const Context& context);
Action configure_restore(CLI::App& app, const Context& context);
Action configure_purge(CLI::App& app, const Context& context);
Action configure_count(CLI::App& app, const Context& context);
Action configure_stats(CLI::App& app, const Context& context);
Action configure_embed(CLI::App& app, const Context& context);
Action configure_export(CLI::App& app, const Context& context);
Action configure_import(CLI::App& app, const Context& context);
Action configure_backup(CLI::App& app, const Context& context);
Action configure_sql(CLI::App& app, const Context& context);
Action configure_reindex(CLI::App& app, const Context& context);
Action configure_check(CLI::App& app, const Context& context);
Action configure_eval(CLI::App& app, const Context& context);
Action configure_migrate(CLI::App& app, const Context& context);

}  // namespace loci::cli

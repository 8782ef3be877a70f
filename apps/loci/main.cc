// SPDX-License-Identifier: Apache-2.0
//
// The program `loci`: options that every verb shares, one table of verbs (verbs.cc), and one way
// out for every error.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <map>
#include <new>
#include <string>
#include <vector>

#include "exit_code.h"
#include "log.h"
#include "output/terminal.h"
#include "suggest.h"
#include "verbs.h"

namespace loci::cli {
namespace {

constexpr std::string_view kAbout =
    "loci: text and vectors in one SQLite file, searched together.\n"
    "Begin with:  loci add notes notes.jsonl  and then  loci search notes \"some words\"";

constexpr std::string_view kFooter =
    "Environment:\n"
    "  LOCI_DB     the file when --db is not given (default loci.db)\n"
    "  LOCI_LOG    error, warning, info or debug: the library's messages on stderr\n"
    "  LOCI_SIMD   scalar, avx2, avx512, avx512vnni or neon: force one instruction set\n"
    "  NO_COLOR    no bold and dim text\n"
    "Exit codes: 0 ok, 1 check found something, 2 usage, 3 invalid argument, 4 not found,\n"
    "  5 already exists, 6 state forbids it, 7 busy, 8 full, 9 I/O, 10 corruption, 11 other.\n"
    "'loci VERB --help' shows examples.";

std::string version_text() {
  const Result<std::string> tier = simd_tier();
  return "loci " + std::string(version()) + "\nSQLite " + std::string(sqlite_version()) +
         "\nSIMD " + (tier.has_value() ? *tier : std::string(tier.error().message()));
}

void add_shared_options(CLI::App& app, Context& context) {
  app.add_option("--db", context.db_path, "The database file")
      ->envname("LOCI_DB")
      ->capture_default_str();
  app.add_flag("--json", context.json, "JSON output; JSON lines for lists");
  app.add_flag("--table", context.table, "A table even when the output is a pipe")
      ->excludes("--json");
  app.add_flag("--progress", context.progress, "Progress on stderr even when it is no terminal");
  const auto take_place = [&context](const std::string& place) {
    static const std::map<std::string, SnapshotMode> places = {{"file", SnapshotMode::kFile},
                                                               {"inline", SnapshotMode::kInline},
                                                               {"memory", SnapshotMode::kMemory}};
    const auto found = places.find(place);
    if (found == places.end()) {
      throw CLI::ValidationError("--snapshot", "'" + place + "': allowed are file, inline, memory");
    }
    context.snapshot = found->second;
  };
  app.add_option_function<std::string>(
         "--snapshot", take_place,
         "Where the search image is kept: file (FILE-loci), inline (in FILE), memory (nowhere)")
      ->type_name("PLACE");
  app.set_version_flag("--version", version_text, "Versions of loci and SQLite, SIMD tier");
}

/// CLI11 takes a list option's value "[a,b]" apart. To us it is one value: an id or a vector. So it
/// is parsed with a mark before the bracket, which is taken away again.
constexpr char kBracketMark = '\x1F';

std::vector<std::string> with_marks(const std::vector<std::string>& args) {
  std::vector<std::string> out;
  for (const std::string& arg : args) {
    const bool bracketed = arg.size() >= 2 && arg.front() == '[' && arg.back() == ']';
    out.push_back(bracketed ? kBracketMark + arg : arg);
  }
  return out;
}

void take_marks_away(CLI::App& app) {
  for (CLI::Option* option : app.get_options()) {
    if (option->get_items_expected_max() == 0) continue;  // a flag
    option->transform([](const std::string& value) {
      return value.starts_with(kBracketMark) ? value.substr(1) : value;
    });
  }
}

/// The first word of the command line that is neither an option nor the value of one.
std::string first_word(const std::vector<std::string>& args) {
  for (size_t i = 0; i < args.size(); ++i) {
    if (args[i] == "--db" || args[i] == "--snapshot") {
      ++i;
    } else if (!args[i].starts_with("-")) {
      return args[i];
    }
  }
  return {};
}

/// An error when the verb is missing or unknown; empty when it is there.
std::string verb_problem(const std::vector<std::string>& args) {
  const std::string word = first_word(args);
  if (word.empty()) return {};
  std::vector<std::string> names;
  for (const Verb& verb : verbs()) names.emplace_back(verb.name);
  if (std::find(names.begin(), names.end(), word) != names.end()) return {};
  const std::string near = nearest_name(word, names);
  if (!near.empty()) return "no command '" + word + "': did you mean '" + near + "'?";
  return "no command '" + word + "': there are " + join(names, ", ");
}

int finish(const Result<int>& result) {
  const bool closed = std::fflush(stdout) != 0 || std::ferror(stdout) != 0;
  if (!result.has_value()) {
    warn(result.error().message());
    return exit_code(result.error().code());
  }
  if (closed) {
    warn("cannot write the output: is the disk full or the pipe closed?");
    return exit_code(StatusCode::kIoError);
  }
  return *result;
}

int run(int argc, char** argv) {
  const std::vector<std::string> args(argv + (argc > 0 ? 1 : 0), argv + argc);
  if (const std::string problem = verb_problem(args); !problem.empty()) {
    warn(problem);
    return kExitUsage;
  }
  if (const Status logging = install_log(); !logging.ok()) return finish(logging);
  CLI::App app{std::string(kAbout), "loci"};
  Context context;
  add_shared_options(app, context);
  app.require_subcommand(1);
  app.footer(std::string(kFooter));
  std::map<const CLI::App*, Action> actions;
  for (const Verb& verb : verbs()) {
    CLI::App* sub = app.add_subcommand(std::string(verb.name), std::string(verb.summary));
    sub->fallthrough();
    sub->footer("Shared options: --db FILE, --json, --table, --progress\n\nExamples:\n" +
                std::string(verb.examples));
    actions[sub] = verb.configure(*sub, context);
    take_marks_away(*sub);
  }
  try {
    std::vector<std::string> marked = with_marks(args);
    std::reverse(marked.begin(), marked.end());  // as CLI11 takes a vector: last argument first
    app.parse(std::move(marked));
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
    warn(std::string(error.what()) + "; see 'loci --help' or 'loci VERB --help'");
    return kExitUsage;
  }
  return finish(actions.at(app.get_subcommands().front())());
}

}  // namespace
}  // namespace loci::cli

int main(int argc, char** argv) {
  try {
    return loci::cli::run(argc, argv);
  } catch (const std::bad_alloc&) {
    loci::cli::warn("out of memory");
  } catch (const std::exception& error) {
    loci::cli::warn(std::string("internal error, please report it: ") + error.what());
  }
  return loci::cli::exit_code(loci::StatusCode::kInternal);
}

// SPDX-License-Identifier: Apache-2.0
#include "indexing.h"

#include <CLI/CLI.hpp>
#include <atomic>
#include <csignal>

#include "progress.h"

namespace loci::cli {
namespace {

/// Set by the signal handler, which can reach nothing else.
std::atomic<bool>& interrupted() {
  static std::atomic<bool> flag{false};
  return flag;
}

extern "C" void note_interrupt(int /*signal*/) { interrupted() = true; }

/// Takes SIGINT while it lives; once, then it is as before.
class Interrupts {
 public:
  Interrupts() {
    interrupted() = false;  // the flag is made before a handler may look for it
    struct sigaction action = {};
    action.sa_handler = note_interrupt;
    action.sa_flags = static_cast<int>(SA_RESETHAND);
    ::sigaction(SIGINT, &action, &before_);
  }
  Interrupts(const Interrupts&) = delete;
  Interrupts& operator=(const Interrupts&) = delete;
  ~Interrupts() { ::sigaction(SIGINT, &before_, nullptr); }

 private:
  struct sigaction before_ = {};
};

}  // namespace

void add_index_options(CLI::App& app, IndexOptions& options) {
  app.add_option("--m", options.m, "A node of the graph has up to 2 m neighbours; 0: 16")
      ->capture_default_str();
  app.add_option("--efc", options.ef_construction, "Candidates kept for a new node; 0: 128")
      ->capture_default_str();
  app.add_option("--threads", options.threads, "Threads that build the graph")
      ->capture_default_str();
}

Status with_progress(const Context& context, const std::string& name, IndexOptions options,
                     const std::function<Status(const IndexOptions&)>& work) {
  Progress progress("index " + name, context.progress);
  options.progress = [&](const IndexProgress& at) {
    const double share =
        at.total > 0 ? static_cast<double>(at.done) / static_cast<double>(at.total) : -1;
    progress.update(static_cast<int64_t>(at.done), share);
  };
  options.cancel = &interrupted();
  const Interrupts taken;
  return work(options);
}

}  // namespace loci::cli

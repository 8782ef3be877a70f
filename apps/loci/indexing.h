// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>

#include "context.h"
#include "loci/loci.h"

namespace CLI {  // NOLINT(readability-identifier-naming): CLI11's own
class App;
}

namespace loci::cli {

/// How graphs are to be built: --m, --efc, --threads.
void add_index_options(CLI::App& app, IndexOptions& options);

/// Runs `work` with `options` that show progress on standard error and are cancelled by the first
/// interrupt (Ctrl-C); a second one ends the program.
Status with_progress(const Context& context, const std::string& name, IndexOptions options,
                     const std::function<Status(const IndexOptions&)>& work);

}  // namespace loci::cli

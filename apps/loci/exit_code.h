// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "loci/status.h"

namespace loci::cli {

/// What the program returns. Listed in docs/cli.md: never renumber.
inline constexpr int kExitOk = 0;
inline constexpr int kExitFindings = 1;  ///< check found something that is still there
inline constexpr int kExitUsage = 2;     ///< the command line itself is wrong

/// The exit code that belongs to a failure.
int exit_code(StatusCode code);

}  // namespace loci::cli

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "loci/status.h"

namespace loci::cli {

/// Sends the library's messages to standard error as LOCI_LOG asks.
/// kInvalidArgument lists the levels.
Status install_log();

}  // namespace loci::cli

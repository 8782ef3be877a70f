// SPDX-License-Identifier: Apache-2.0
//
// The parts of check(): each appends what it finds; with `repair` it mends what is derived.
#pragma once

#include <vector>

#include "loci/database.h"
#include "sqlite/connection.h"
#include "store/source.h"

namespace loci::store {

/// Triggers, full text, orphans, vectors and keys of one source.
Status check_source(sqlite::Connection& connection, const Source& source, bool repair,
                    std::vector<CheckFinding>& findings);

}  // namespace loci::store

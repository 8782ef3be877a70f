// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "loci/loci.h"

namespace loci::testing {

/// Compares what a collection's searches find with what its rows say, whoever wrote them: every
/// vector column against distances computed in double, every word of every text column against the
/// rows that hold it. Empty when all agree, else the first difference.
std::string search_differs_from_rows(Collection& collection);

/// FTS5's own integrity check, run by the plain shell, then check(): empty when both are clean.
std::string file_is_damaged(Database& database, const std::string& fts_table);

}  // namespace loci::testing

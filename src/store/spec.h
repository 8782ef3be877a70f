// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "loci/collection.h"
#include "sqlite/connection.h"
#include "store/source.h"

namespace loci::store {

/// The JSON of loci_indexes.spec. On disk: docs/format.
std::string spec_to_json(const Source& source);
/// Fills `source` from such JSON. kFailedPrecondition for a format or a name (metric, element) that
/// this build does not know, kCorruption for JSON that is none.
Status spec_from_json(sqlite::Connection& connection, std::string_view json, Source& source);

/// Validates a name for something of `what` ("collection", "text column"): an identifier, none of
/// the words that tables, queries or results use themselves.
Status validate_name(std::string_view what, std::string_view name);
/// Validates dimension, metric, element, model of one vector column of collection `name`.
Status validate_vector_column(std::string_view name, const VectorColumn& column);
/// Validates the limits of the history of collection `name`.
Status validate_history(std::string_view name, const HistoryOptions& options);

}  // namespace loci::store

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "loci/loci.h"

namespace loci::cli {

/// A collection's spec as one line of JSON, as `create --json`, `stats --json` and spec.json show
/// it. spec_from_json reads it back.
std::string spec_json(const CollectionSpec& spec);
/// kInvalidArgument says which member is missing or wrong.
Result<CollectionSpec> spec_from_json(std::string_view text);

}  // namespace loci::cli

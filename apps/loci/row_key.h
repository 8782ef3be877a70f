// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "loci/loci.h"

namespace loci::cli {

/// What a user typed to name a row; `rowid`: an integer is expected.
Result<RowKey> parse_key(const std::string& id, bool rowid);
/// "'n1'" or "17".
std::string key_text(const RowKey& key);

}  // namespace loci::cli

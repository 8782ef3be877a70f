// SPDX-License-Identifier: Apache-2.0
//
// Facts of the file: the table loci_meta (docs/format/database.md).
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "sqlite/connection.h"

namespace loci::store {

/// The value of `key`; nullopt when it is absent or no integer.
Result<std::optional<int64_t>> meta_int(sqlite::Connection& connection, std::string_view key);
Status set_meta_int(sqlite::Connection& connection, std::string_view key, int64_t value);

}  // namespace loci::store

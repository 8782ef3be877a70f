// SPDX-License-Identifier: Apache-2.0
#include "store/meta.h"

#include "sqlite/query.h"

namespace loci::store {

Result<std::optional<int64_t>> meta_int(sqlite::Connection& connection, std::string_view key) {
  return sqlite::query_int(
      connection, "SELECT value FROM loci_meta WHERE key = ?1 AND typeof(value) = 'integer'", key);
}

Status set_meta_int(sqlite::Connection& connection, std::string_view key, int64_t value) {
  return sqlite::run(connection, "INSERT OR REPLACE INTO loci_meta(key, value) VALUES(?1, ?2)", key,
                     value);
}

}  // namespace loci::store

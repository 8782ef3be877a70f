// SPDX-License-Identifier: Apache-2.0
#include "row_key.h"

#include <charconv>

namespace loci::cli {

Result<RowKey> parse_key(const std::string& id, bool rowid) {
  if (!rowid) return RowKey(id);
  int64_t number = 0;
  const auto end = std::from_chars(id.data(), id.data() + id.size(), number);
  if (end.ec != std::errc() || end.ptr != id.data() + id.size()) {
    return Status::invalid_argument("rowid '" + id + "': expected an integer");
  }
  return RowKey(RowId{number});
}

std::string key_text(const RowKey& key) {
  const auto* id = std::get_if<std::string>(&key);
  return id != nullptr ? "'" + *id + "'" : std::to_string(to_int(std::get<RowId>(key)));
}

}  // namespace loci::cli

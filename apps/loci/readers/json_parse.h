// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "readers/row_reader.h"

namespace loci::cli {

/// Parses one JSON value. kInvalidArgument says where it is broken; deeper than 256 is refused.
Result<Json> parse_json(std::string_view text);
/// Parses one row, which must be an object, and keeps its "metadata" member as it was written.
Status parse_row(std::string_view text, InputRow& row);
/// The text of a member of a JSON object that parse_json has accepted; empty when it has none.
std::string_view raw_member(std::string_view object, std::string_view name);

}  // namespace loci::cli

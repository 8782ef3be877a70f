// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace loci::index {

/// SQLite's `text LIKE pattern` without ESCAPE: % any run, _ one character, ASCII letters without
/// case, all else as it is. Linear for patterns with one %, O(text * pattern) at worst.
[[nodiscard]] bool like(std::string_view pattern, std::string_view text) noexcept;

}  // namespace loci::index

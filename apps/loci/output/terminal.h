// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace loci::cli {

[[nodiscard]] bool stdout_is_terminal();
[[nodiscard]] bool stderr_is_terminal();
/// Columns of the terminal: COLUMNS, else what the terminal says, else 100.
[[nodiscard]] size_t terminal_width();
/// Whether dim and bold may be used: a terminal, and NO_COLOR is not set.
[[nodiscard]] bool stdout_has_colour();

/// Cells that a UTF-8 text takes: wide East Asian characters and emoji two, combining marks none.
/// A byte that is no UTF-8 counts as one.
[[nodiscard]] size_t display_width(std::string_view text);
/// The beginning of `text` that fits into `width` cells, ended by "..." when something was left
/// out. Never cuts a character in two.
[[nodiscard]] std::string fit(std::string_view text, size_t width);
/// One line that is safe to show: line breaks and tabs become blanks, other control characters
/// (an escape sequence in a stored text must not reach the terminal) and broken UTF-8 a '?'.
[[nodiscard]] std::string one_line(std::string_view text);

/// A number with `digits` decimals.
[[nodiscard]] std::string decimal(double value, int digits);

/// Writes to standard output; false when it is closed.
bool put(std::string_view text);
/// Writes to standard error. There is nobody to tell when that fails.
void put_error(std::string_view text);
/// Writes "loci: `text`" and a line end to standard error.
void warn(std::string_view text);

}  // namespace loci::cli

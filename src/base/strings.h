// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/port.h"

namespace loci::base {

namespace internal {

template <typename T>
void append_piece(std::string& out, const T& piece) {
  if constexpr (std::is_same_v<T, bool>) {
    out += piece ? "true" : "false";
  } else if constexpr (std::is_same_v<T, char>) {
    out += piece;
  } else if constexpr (std::is_same_v<T, float>) {
    out += format_float(piece);
  } else if constexpr (std::is_floating_point_v<T>) {
    out += format_double(static_cast<double>(piece));
  } else if constexpr (std::is_integral_v<T>) {
    out += std::to_string(piece);
  } else {
    out += std::string_view(piece);
  }
}

}  // namespace internal

/// Joins strings, characters, numbers (shortest text that reads back the same) and bools
/// ("true"). For messages: str_cat("dim ", got, ", expected ", want).
template <typename... Pieces>
[[nodiscard]] std::string str_cat(const Pieces&... pieces) {
  std::string out;
  (internal::append_piece(out, pieces), ...);
  return out;
}

/// str_cat onto the end of `out`.
template <typename... Pieces>
void str_append(std::string& out, const Pieces&... pieces) {
  (internal::append_piece(out, pieces), ...);
}

/// `parts` with `separator` between them.
[[nodiscard]] std::string join(std::span<const std::string> parts, std::string_view separator);
/// The pieces between separators; empty pieces are kept, "" gives one empty piece.
[[nodiscard]] std::vector<std::string_view> split(std::string_view text, char separator);
/// `text` without ASCII white space at both ends.
[[nodiscard]] std::string_view trim(std::string_view text) noexcept;

/// A-Z to a-z, all other bytes (UTF-8 too) as they are.
[[nodiscard]] std::string ascii_lower(std::string_view text);
[[nodiscard]] bool ascii_equal_fold(std::string_view a, std::string_view b) noexcept;
[[nodiscard]] constexpr bool is_ascii_alpha(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
[[nodiscard]] constexpr bool is_ascii_digit(char c) noexcept { return c >= '0' && c <= '9'; }
[[nodiscard]] constexpr bool is_ascii_space(char c) noexcept {
  return c == ' ' || (c >= '\t' && c <= '\r');
}
/// [A-Za-z][A-Za-z0-9_]*, 1..kMaxNameBytes bytes: what a collection or column may be called.
[[nodiscard]] bool is_identifier(std::string_view text) noexcept;

/// Whether all of `text` is well-formed UTF-8 (no surrogates, no overlong forms, <= U+10FFFF).
[[nodiscard]] bool is_valid_utf8(std::string_view text) noexcept;
inline constexpr char32_t kReplacementCharacter = 0xFFFD;
/// Decodes the code point at `*position` (< text.size()) and advances past it. A malformed byte
/// gives kReplacementCharacter and advances by one, so every input ends.
[[nodiscard]] char32_t next_codepoint(std::string_view text, size_t* position) noexcept;
/// Appends the UTF-8 form of `codepoint` (kReplacementCharacter's when it is none).
void append_utf8(std::string& out, char32_t codepoint);
/// Code points in `text`, malformed bytes counted as one each.
[[nodiscard]] size_t utf8_length(std::string_view text) noexcept;
/// The longest prefix of at most `max_bytes` bytes that does not cut a code point.
[[nodiscard]] std::string_view utf8_prefix(std::string_view text, size_t max_bytes) noexcept;

/// Damerau-Levenshtein distance (optimal string alignment) in bytes; O(a * b).
[[nodiscard]] size_t edit_distance(std::string_view a, std::string_view b);
/// The candidate that `word` was probably meant to be (ASCII case ignored), for "did you mean";
/// nullopt when none is within a third of its length (at least 1).
[[nodiscard]] std::optional<std::string> closest(std::string_view word,
                                                 std::span<const std::string> candidates);

/// Lower-case hexadecimal.
[[nodiscard]] std::string to_hex(std::span<const uint8_t> bytes);

}  // namespace loci::base

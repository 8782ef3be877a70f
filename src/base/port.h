// SPDX-License-Identifier: Apache-2.0
//
// What the C++ library of some supported compiler lacks. Everything else uses these, never the
// std originals, so that one file changes when the oldest compiler does.
#pragma once

#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

namespace loci::base {

/// std::bit_cast: the bytes of `from` as a `To` of the same size.
template <typename To, typename From>
[[nodiscard]] To bit_cast(const From& from) noexcept {
  static_assert(sizeof(To) == sizeof(From));
  static_assert(std::is_trivially_copyable_v<To> && std::is_trivially_copyable_v<From>);
  To to;
  std::memcpy(&to, &from, sizeof(To));
  return to;
}

/// The number that the whole of `text` spells, whatever the locale: "1", "-2.5e-3", "inf", "nan".
/// A leading '+' is allowed, white space and hexadecimal are not. Overflow gives +-infinity and
/// underflow the nearest (sub)normal or zero. nullopt when any byte is not part of the number.
[[nodiscard]] std::optional<double> parse_double(std::string_view text);

/// As parse_double, rounded once to float (not through double).
[[nodiscard]] std::optional<float> parse_float(std::string_view text);

/// A decimal integer with an optional sign; nullopt on any other byte or overflow.
[[nodiscard]] std::optional<int64_t> parse_int(std::string_view text);

/// The shortest text that reads back as the same double: "0.1", "1e+300", "inf", "-nan" as "nan".
[[nodiscard]] std::string format_double(double value);
/// The shortest text that reads back as the same float.
[[nodiscard]] std::string format_float(float value);

}  // namespace loci::base

// SPDX-License-Identifier: Apache-2.0
#include "base/port.h"

#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <system_error>

namespace loci::base {
namespace {

/// from_chars takes no '+'; strip one that is followed by something other than a sign.
std::string_view without_plus(std::string_view text) {
  if (text.size() > 1 && text[0] == '+' && text[1] != '-' && text[1] != '+') text.remove_prefix(1);
  return text;
}

/// Whether the decimal exponent of `text`, a well-formed number that is out of range, is that of
/// a number above 1: from_chars does not say on which side it fell.
bool is_overflow(std::string_view text) {
  size_t at = 0;
  if (at < text.size() && text[at] == '-') ++at;
  int64_t digits_before_point = 0;  // of the first significant digit; negative behind the point
  bool point = false;
  bool significant = false;
  for (; at < text.size() && text[at] != 'e' && text[at] != 'E'; ++at) {
    if (text[at] == '.') {
      point = true;
    } else {
      significant = significant || text[at] != '0';
      if (significant && !point) ++digits_before_point;
      if (!significant && point) --digits_before_point;
    }
  }
  if (at == text.size()) return digits_before_point > 0;
  std::string_view exponent = without_plus(text.substr(at + 1));
  int64_t power = 0;
  const auto [end, error] =
      std::from_chars(exponent.data(), exponent.data() + exponent.size(), power);
  if (error == std::errc::result_out_of_range) return exponent[0] != '-';
  // Neither side can overflow: a text has fewer than 2^62 digits, so clamp the exponent alone.
  constexpr int64_t kBound = int64_t{1} << 62;
  power = power > kBound ? kBound : power;
  power = power < -kBound ? -kBound : power;
  return digits_before_point + power > 0;
}

template <typename T>
std::optional<T> parse_floating(std::string_view text) {
  text = without_plus(text);
  T value = 0;
  const char* const end = text.data() + text.size();
  const char* const begin = end - text.size();
  const auto [stop, error] = std::from_chars(begin, end, value);
  if (stop != end || error == std::errc::invalid_argument) return std::nullopt;
  if (error == std::errc::result_out_of_range) {
    const T magnitude = is_overflow(text) ? std::numeric_limits<T>::infinity() : T{0};
    return text[0] == '-' ? -magnitude : magnitude;
  }
  return value;
}

template <typename T>
std::string format_floating(T value) {
  if (std::isnan(value)) return "nan";
  std::array<char, 64> text{};  // the shortest form of a double has at most 24 characters
  const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), value);
  return {text.data(), end};
}

}  // namespace

std::optional<double> parse_double(std::string_view text) { return parse_floating<double>(text); }
std::optional<float> parse_float(std::string_view text) { return parse_floating<float>(text); }

std::optional<int64_t> parse_int(std::string_view text) {
  text = without_plus(text);
  int64_t value = 0;
  const char* const end = text.data() + text.size();
  const char* const begin = end - text.size();
  const auto [stop, error] = std::from_chars(begin, end, value);
  if (stop != end || error != std::errc()) return std::nullopt;
  return value;
}

std::string format_double(double value) { return format_floating(value); }
std::string format_float(float value) { return format_floating(value); }

}  // namespace loci::base

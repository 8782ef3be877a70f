// SPDX-License-Identifier: Apache-2.0
#include "output/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

namespace loci::cli {
namespace {

struct Range {
  char32_t first;
  char32_t last;
};

/// Unicode 15 blocks whose characters take two cells (East Asian Width W and F), in coarse blocks.
constexpr std::array<Range, 12> kWide = {{{0x1100, 0x115F},
                                          {0x2E80, 0x303E},
                                          {0x3041, 0x33FF},
                                          {0x3400, 0x4DBF},
                                          {0x4E00, 0x9FFF},
                                          {0xA000, 0xA4CF},
                                          {0xAC00, 0xD7A3},
                                          {0xF900, 0xFAFF},
                                          {0xFE30, 0xFE6F},
                                          {0xFF00, 0xFF60},
                                          {0x1F300, 0x1FAFF},
                                          {0x20000, 0x3FFFD}}};
/// Blocks of marks that take no cell of their own.
constexpr std::array<Range, 7> kMarks = {{{0x0300, 0x036F},
                                          {0x200B, 0x200F},
                                          {0x202A, 0x202E},
                                          {0x20D0, 0x20FF},
                                          {0xFE00, 0xFE0F},
                                          {0xFE20, 0xFE2F},
                                          {0xE0100, 0xE01EF}}};

template <size_t N>
bool contains(const std::array<Range, N>& ranges, char32_t c) {
  return std::any_of(ranges.begin(), ranges.end(),
                     [c](const Range& range) { return c >= range.first && c <= range.last; });
}

struct Character {
  size_t bytes = 1;
  size_t cells = 1;
  bool valid = true;
  char32_t code = 0;
};

/// Reads the first character of a text that is not empty.
Character read_character(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return {.bytes = 1, .cells = 1, .valid = true, .code = lead};
  size_t length = 0;
  char32_t code = 0;
  char32_t least = 0;
  if (lead >= 0xC2 && lead <= 0xDF) {
    length = 2, code = lead & 0x1FU, least = 0x80;
  } else if (lead >= 0xE0 && lead <= 0xEF) {
    length = 3, code = lead & 0x0FU, least = 0x800;
  } else if (lead >= 0xF0 && lead <= 0xF4) {
    length = 4, code = lead & 0x07U, least = 0x10000;
  }
  if (length == 0 || text.size() < length) return {.valid = false};
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0U) != 0x80) return {.valid = false};
    code = (code << 6U) | (byte(i) & 0x3FU);
  }
  if (code < least || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) {
    return {.valid = false};
  }
  const size_t cells = contains(kMarks, code) ? 0 : (contains(kWide, code) ? 2 : 1);
  return {.bytes = length, .cells = cells, .valid = true, .code = code};
}

}  // namespace

bool stdout_is_terminal() { return isatty(STDOUT_FILENO) == 1; }
bool stderr_is_terminal() { return isatty(STDERR_FILENO) == 1; }

size_t terminal_width() {
  constexpr size_t kDefault = 100;
  constexpr size_t kLeast = 40;
  constexpr size_t kMost = 1000;
  if (const char* columns = std::getenv("COLUMNS"); columns != nullptr) {
    if (const long n = std::strtol(columns, nullptr, 10); n > 0) {
      return std::clamp(static_cast<size_t>(n), kLeast, kMost);
    }
  }
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
    return std::clamp<size_t>(size.ws_col, kLeast, kMost);
  }
  return kDefault;
}

bool stdout_has_colour() { return stdout_is_terminal() && std::getenv("NO_COLOR") == nullptr; }

size_t display_width(std::string_view text) {
  size_t cells = 0;
  while (!text.empty()) {
    const Character c = read_character(text);
    cells += c.cells;
    text.remove_prefix(c.bytes);
  }
  return cells;
}

std::string fit(std::string_view text, size_t width) {
  if (display_width(text) <= width) return std::string(text);
  constexpr std::string_view kDots = "...";
  const size_t room = width > kDots.size() ? width - kDots.size() : width;
  size_t cells = 0;
  size_t end = 0;
  while (end < text.size()) {
    const Character c = read_character(text.substr(end));
    if (cells + c.cells > room) break;
    cells += c.cells;
    end += c.bytes;
  }
  std::string out(text.substr(0, end));
  if (width > kDots.size()) out += kDots;
  return out;
}

std::string one_line(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const Character c = read_character(text);
    const bool control = c.code < 0x20 || (c.code >= 0x7F && c.code < 0xA0) ||
                         (c.code >= 0x202A && c.code <= 0x202E);
    if (c.code == '\n' || c.code == '\r' || c.code == '\t') {
      if (!out.empty() && out.back() != ' ') out += ' ';
    } else if (control || !c.valid) {
      out += '?';
    } else {
      out += text.substr(0, c.bytes);
    }
    text.remove_prefix(c.bytes);
  }
  return out;
}

bool put(std::string_view text) {
  return std::fwrite(text.data(), 1, text.size(), stdout) == text.size();
}

void put_error(std::string_view text) {
  static_cast<void>(std::fwrite(text.data(), 1, text.size(), stderr));
}

void warn(std::string_view text) { put_error("loci: " + std::string(text) + "\n"); }

std::string decimal(double value, int digits) {
  std::array<char, 400> text{};  // the largest double has 309 digits before the point
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value,
                                 std::chars_format::fixed, digits);
  return {text.data(), end.ptr};
}

}  // namespace loci::cli

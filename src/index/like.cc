// SPDX-License-Identifier: Apache-2.0
//
// LIKE as sqlite3's patternCompare() has it (func.c), iteratively: only the newest % can need to
// take in more, because everything before it has matched as early as it could. Characters are what
// sqlite3Utf8Read() reads, malformed bytes included, and both strings end at the first zero byte,
// so that the answer is SQLite's for every BLOB that poses as text.
// Tested by predicate_test.cc, and against SQLite in tests/.
#include "index/like.h"

#include <cstddef>
#include <cstdint>

namespace loci::index {

namespace {

constexpr uint32_t kReplacement = 0xFFFD;

// The character at *position, 0 at the end, where *position stays.
uint32_t next(std::string_view text, size_t* position) noexcept {
  if (*position >= text.size()) return 0;
  uint32_t c = static_cast<uint8_t>(text[*position]);
  if (c == 0) return 0;
  ++*position;
  if (c < 0xC0) return c;
  // The payload bits of a lead byte: one fewer for every byte of the sequence.
  c = c < 0xE0   ? c & 0x1F
      : c < 0xF0 ? c & 0x0F
      : c < 0xF8 ? c & 0x07
      : c < 0xFC ? c & 0x03
      : c < 0xFE ? c & 1
                 : 0;
  while (*position < text.size() && (static_cast<uint8_t>(text[*position]) & 0xC0) == 0x80) {
    c = (c << 6) + (static_cast<uint8_t>(text[*position]) & 0x3F);
    ++*position;
  }
  if (c < 0x80 || (c & 0xFFFFF800) == 0xD800 || (c & 0xFFFFFFFE) == 0xFFFE) return kReplacement;
  return c;
}

uint32_t fold(uint32_t c) noexcept { return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c; }

}  // namespace

bool like(std::string_view pattern, std::string_view text) noexcept {
  size_t p = 0;
  size_t t = 0;
  size_t retry_pattern = SIZE_MAX;  // just after the newest %
  size_t retry_text = 0;            // where that % gives up the text
  for (;;) {
    size_t p_next = p;
    const uint32_t want = next(pattern, &p_next);
    if (want == '%') {
      retry_pattern = p_next;
      retry_text = t;
      p = p_next;
      continue;
    }
    size_t t_next = t;
    const uint32_t got = next(text, &t_next);
    const bool same = want == '_' ? got != 0 : fold(want) == fold(got);
    if (same && got == 0) return true;  // both at their ends
    if (same) {
      p = p_next;
      t = t_next;
      continue;
    }
    if (retry_pattern == SIZE_MAX || next(text, &retry_text) == 0) return false;
    p = retry_pattern;
    t = retry_text;
  }
}

}  // namespace loci::index

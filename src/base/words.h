// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>

#include "base/strings.h"

namespace loci::base {

/// Whether a code point may be part of a word: letters, digits and marks, as SQLite's unicode61
/// tokenizer sees them, roughly. Beyond ASCII only the blocks that hold no letters are cut out.
[[nodiscard]] inline bool is_word_codepoint(char32_t c) noexcept {
  if (c < 0x80) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
  }
  if (c == 0xAA || c == 0xB5 || c == 0xBA) return true;  // ordinals, micro
  if (c < 0xC0 || c == 0xD7 || c == 0xF7) return false;  // signs of Latin-1
  if (c >= 0x2000 && c <= 0x2BFF) {                      // spaces, punctuation, arrows, symbols
    return (c >= 0x2070 && c <= 0x209F) || (c >= 0x2100 && c <= 0x218F) ||
           (c >= 0x2460 && c <= 0x249B);
  }
  if (c >= 0x3000 && c <= 0x3004) return false;  // ideographic space and stops
  if (c >= 0x3008 && c <= 0x3020) return false;  // brackets
  if (c >= 0xFF00 && c <= 0xFF0F) return false;  // full-width punctuation
  return c != kReplacementCharacter && c != 0xFEFF;
}

/// Calls `visit(std::string_view word)` for each maximal run of word code points.
template <typename Visit>
void for_each_word(std::string_view text, Visit&& visit) {
  size_t begin = 0;
  for (size_t i = 0; i < text.size();) {
    const size_t at = i;
    if (is_word_codepoint(next_codepoint(text, &i))) continue;
    if (at > begin) visit(text.substr(begin, at - begin));
    begin = i;
  }
  if (begin < text.size()) visit(text.substr(begin));
}

/// The commonest English words, sorted. The model "hash", version 1, depends on them: never change.
inline constexpr auto kStopWords = std::to_array<std::string_view>(
    {"a",    "about", "all",    "also", "am",   "an",    "and",  "any",   "are",  "as",    "at",
     "be",   "been",  "but",    "by",   "can",  "could", "did",  "do",    "does", "for",   "from",
     "had",  "has",   "have",   "he",   "her",  "his",   "how",  "i",     "if",   "in",    "into",
     "is",   "it",    "its",    "me",   "more", "my",    "no",   "not",   "of",   "on",    "or",
     "our",  "she",   "should", "so",   "some", "such",  "than", "that",  "the",  "their", "them",
     "then", "there", "these",  "they", "this", "those", "to",   "was",   "we",   "were",  "what",
     "when", "where", "which",  "who",  "why",  "will",  "with", "would", "you",  "your"});

/// Whether `word`, in lower case, tells nothing about what a text is about.
[[nodiscard]] inline bool is_stop_word(std::string_view word) noexcept {
  return std::binary_search(kStopWords.begin(), kStopWords.end(), word);
}

}  // namespace loci::base

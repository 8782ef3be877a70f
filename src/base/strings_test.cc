// SPDX-License-Identifier: Apache-2.0
#include "base/strings.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace loci::base {
namespace {

TEST(StrCatTest, JoinsEveryKind) {
  const std::string s = "abc";
  EXPECT_EQ(str_cat(s, ' ', 1, " ", -2L, ' ', uint8_t{7}, ' ', 0.1, ' ', 0.1F, ' ', true, "!"),
            "abc 1 -2 7 0.1 0.1 true!");
  EXPECT_EQ(str_cat(), "");
  EXPECT_EQ(str_cat(SIZE_MAX), "18446744073709551615");
}

TEST(StringsTest, SplitJoinTrim) {
  EXPECT_EQ(split("a,,b", ','), (std::vector<std::string_view>{"a", "", "b"}));
  EXPECT_EQ(split("", ','), (std::vector<std::string_view>{""}));
  const std::vector<std::string> parts = {"x", "y", "z"};
  EXPECT_EQ(join(parts, ", "), "x, y, z");
  EXPECT_EQ(join({}, ","), "");
  EXPECT_EQ(trim(" \t a b\n"), "a b");
  EXPECT_EQ(trim("  "), "");
}

TEST(StringsTest, CaseFoldingIsAsciiOnly) {
  EXPECT_EQ(ascii_lower("AbC\xC3\x84"), "abc\xC3\x84");
  EXPECT_TRUE(ascii_equal_fold("Lang", "lANG"));
  EXPECT_FALSE(ascii_equal_fold("lang", "lan"));
  EXPECT_FALSE(ascii_equal_fold("[", "{"));
}

TEST(StringsTest, Identifiers) {
  for (const char* const good : {"a", "Notes_2", "x1"}) EXPECT_TRUE(is_identifier(good)) << good;
  for (const char* const bad : {"", "1a", "_a", "a-b", "a b", "\xC3\xA4", "a;"}) {
    EXPECT_FALSE(is_identifier(bad)) << bad;
  }
  EXPECT_TRUE(is_identifier(std::string(64, 'a')));
  EXPECT_FALSE(is_identifier(std::string(65, 'a')));
}

TEST(Utf8Test, EveryCodePointReadsBack) {
  for (char32_t c = 0; c <= 0x10FFFF; ++c) {
    if (c >= 0xD800 && c <= 0xDFFF) continue;
    std::string text;
    append_utf8(text, c);
    ASSERT_TRUE(is_valid_utf8(text)) << static_cast<uint32_t>(c);
    size_t position = 0;
    ASSERT_EQ(next_codepoint(text, &position), c);
    ASSERT_EQ(position, text.size());
  }
}

TEST(Utf8Test, MalformedInputIsSeenAndEnds) {
  const char* const bad[] = {"\x80",
                             "\xC0\x80",
                             "\xC1\xBF",
                             "\xE0\x80\x80",
                             "\xED\xA0\x80",
                             "\xF0\x80\x80\x80",
                             "\xF4\x90\x80\x80",
                             "\xF5\x80\x80\x80",
                             "\xC3",
                             "\xE2\x82",
                             "\xFF"};
  for (const std::string text : bad) {
    EXPECT_FALSE(is_valid_utf8(text))
        << to_hex({reinterpret_cast<const uint8_t*>(text.data()), text.size()});
    size_t position = 0;
    EXPECT_EQ(next_codepoint(text, &position), kReplacementCharacter);
    EXPECT_EQ(position, 1u);
  }
  std::string replaced;
  append_utf8(replaced, 0xD800);
  append_utf8(replaced, 0x110000);
  EXPECT_EQ(replaced, "\xEF\xBF\xBD\xEF\xBF\xBD");
}

TEST(Utf8Test, RandomBytesAlwaysEnd) {
  constexpr uint32_t kSeed = 3;
  std::mt19937 random(kSeed);
  for (int i = 0; i < 2000; ++i) {
    std::string text(random() % 40, '\0');
    for (char& c : text) c = static_cast<char>(random());
    size_t steps = 0;
    for (size_t position = 0; position < text.size(); ++steps) {
      const size_t before = position;
      static_cast<void>(next_codepoint(text, &position));
      ASSERT_GT(position, before) << "seed " << kSeed;
      ASSERT_LE(position, text.size()) << "seed " << kSeed;
    }
    EXPECT_EQ(utf8_length(text), steps) << "seed " << kSeed;
  }
}

TEST(Utf8Test, PrefixNeverCutsACodePoint) {
  const std::string text = "a\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80";
  for (size_t bytes = 0; bytes <= text.size() + 1; ++bytes) {
    const std::string_view prefix = utf8_prefix(text, bytes);
    EXPECT_TRUE(is_valid_utf8(prefix)) << bytes;
    EXPECT_LE(prefix.size(), bytes);
    EXPECT_GE(prefix.size() + 3, std::min(bytes, text.size()));
  }
}

TEST(EditDistanceTest, KnownDistances) {
  EXPECT_EQ(edit_distance("", ""), 0u);
  EXPECT_EQ(edit_distance("abc", ""), 3u);
  EXPECT_EQ(edit_distance("", "abc"), 3u);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3u);
  EXPECT_EQ(edit_distance("lnag", "lang"), 1u);  // neighbours swapped
  EXPECT_EQ(edit_distance("same", "same"), 0u);
}

TEST(EditDistanceTest, ClosestMeansWhatWasMeant) {
  const std::vector<std::string> names = {"lang", "year", "title"};
  EXPECT_EQ(closest("Langg", names), "lang");
  EXPECT_EQ(closest("titel", names), "title");
  EXPECT_EQ(closest("author", names), std::nullopt);
  EXPECT_EQ(closest("x", {}), std::nullopt);
}

TEST(HexTest, TwoDigitsAByte) {
  const uint8_t bytes[] = {0, 0x0F, 0xA0, 0xFF};
  EXPECT_EQ(to_hex(bytes), "000fa0ff");
}

}  // namespace
}  // namespace loci::base

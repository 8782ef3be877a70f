// SPDX-License-Identifier: Apache-2.0
#include "output/table.h"

#include <gtest/gtest.h>

#include <sstream>
#include <string>

#include "output/terminal.h"

namespace loci::cli {
namespace {

TEST(TableTest, ColumnsLineUp) {
  Table table;
  table.add_column("id");
  table.add_column("n", Table::Align::kRight);
  table.add_column("text");
  table.add_row({"a", "1", "one"});
  table.add_row({"long", "100", "two\nlines"});
  EXPECT_EQ(table.render(80, false),
            "id      n  text\n"
            "a       1  one\n"
            "long  100  two lines\n");
}

TEST(TableTest, NoLineIsWiderThanTheTerminal) {
  Table table;
  table.add_column("id");
  table.add_column("text");
  table.add_column("more");
  table.add_row({"1", std::string(300, 'x'), std::string(50, 'y')});
  table.add_row(
      {"2", "\xE6\xBC\xA2\xE5\xAD\x97 wide \xF0\x9F\x98\x80 text that goes on and on", ""});
  for (const size_t width : {size_t{40}, size_t{61}, size_t{80}}) {
    std::istringstream lines(table.render(width, false));
    std::string line;
    while (std::getline(lines, line)) EXPECT_LE(display_width(line), width) << line;
  }
  // The two long columns share the room.
  const size_t more = table.render(40, false).find("more");
  EXPECT_GE(more, 21U);
  EXPECT_LE(more, 23U);
}

TEST(TerminalTest, FitNeverCutsACharacterInTwo) {
  const std::string text = "a\xC3\xA9\xE6\xBC\xA2\xF0\x9F\x98\x80z";  // a, e acute, han, emoji, z
  EXPECT_EQ(display_width(text), 7U);
  for (size_t width = 0; width < 8; ++width) {
    const std::string shown = fit(text, width);
    EXPECT_LE(display_width(shown), width);
    EXPECT_EQ(one_line(shown).find('?'), std::string::npos) << shown;
  }
  EXPECT_EQ(fit("abcdef", 5), "ab...");
  EXPECT_EQ(fit("abc", 3), "abc");
}

TEST(TerminalTest, ControlCharactersAndBrokenUtf8NeverReachTheTerminal) {
  EXPECT_EQ(one_line("a\033[31mb\r\n\tc\x80\x7F"), "a?[31mb c??");
  EXPECT_EQ(one_line("\xC2\x9B"
                     "1m"),
            "?1m");  // CSI as one character
  EXPECT_EQ(one_line("\xE2\x80\xAE"
                     "abc"),
            "?abc");                           // right-to-left override
  EXPECT_EQ(one_line("\xED\xA0\x80"), "???");  // a surrogate is no UTF-8
}

}  // namespace
}  // namespace loci::cli

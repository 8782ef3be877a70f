// SPDX-License-Identifier: Apache-2.0
#include "suggest.h"

#include <gtest/gtest.h>

namespace loci::cli {
namespace {

TEST(SuggestTest, SlipsOfAFingerAreMended) {
  const std::vector<std::string> names = {"search", "stats", "sql", "add", "archive"};
  EXPECT_EQ(nearest_name("serach", names), "search");
  EXPECT_EQ(nearest_name("seach", names), "search");
  EXPECT_EQ(nearest_name("SEARCH", names), "search");
  EXPECT_EQ(nearest_name("arch", names), "archive");
  EXPECT_EQ(nearest_name("ad", names), "add");
  EXPECT_EQ(nearest_name("xyzzy", names), "");
  EXPECT_EQ(nearest_name("", names), "");
}

TEST(SuggestTest, ListsAreTrimmedAndSplit) {
  EXPECT_EQ(split_list(" a, b ,,c "), (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_TRUE(split_list("").empty());
  EXPECT_EQ(join(std::vector<std::string>{"a", "b"}, "; "), "a; b");
}

}  // namespace
}  // namespace loci::cli

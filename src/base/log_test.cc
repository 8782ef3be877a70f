// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "base/env.h"

namespace loci::base {
namespace {

TEST(LogTest, GoesToTheHookUntilItIsRemoved) {
  std::vector<std::pair<LogLevel, std::string>> seen;
  log(LogLevel::kError, "before");
  EXPECT_FALSE(log_enabled());
  set_log_hook(
      [&](LogLevel level, std::string_view message) { seen.emplace_back(level, message); });
  EXPECT_TRUE(log_enabled());
  log(LogLevel::kWarning, "during");
  set_log_hook(nullptr);
  log(LogLevel::kError, "after");
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_EQ(seen[0].first, LogLevel::kWarning);
  EXPECT_EQ(seen[0].second, "during");
}

TEST(LogTest, HookMayReplaceItself) {
  int calls = 0;
  set_log_hook([&](LogLevel, std::string_view) {
    ++calls;
    set_log_hook(nullptr);
    log(LogLevel::kInfo, "dropped");
  });
  log(LogLevel::kInfo, "one");
  log(LogLevel::kInfo, "two");
  EXPECT_EQ(calls, 1);
}

TEST(EnvTest, UnsetIsNothing) {
  EXPECT_FALSE(env("LOCI_SURELY_NOT_SET_ANYWHERE").has_value());
  EXPECT_TRUE(env("PATH").has_value());
}

}  // namespace
}  // namespace loci::base

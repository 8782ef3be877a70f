// SPDX-License-Identifier: Apache-2.0
#include "db/background.h"

#include <gtest/gtest.h>

#include <sys/wait.h>
#include <unistd.h>

#include <future>
#include <string>
#include <thread>
#include <vector>

namespace loci::db {
namespace {

TEST(BackgroundTest, WorksOffNamesInOrderOnAThreadOfItsOwn) {
  std::vector<std::string> done;
  std::vector<std::thread::id> threads;
  {
    Background background([&](const std::string& name) {
      done.push_back(name);
      threads.push_back(std::this_thread::get_id());
    });
    EXPECT_TRUE(background.ask("a").ok());
    EXPECT_TRUE(background.ask("b").ok());
    EXPECT_TRUE(background.ask("c").ok());
  }
  EXPECT_EQ(done, (std::vector<std::string>{"a", "b", "c"}));
  for (const std::thread::id thread : threads) EXPECT_NE(thread, std::this_thread::get_id());
}

TEST(BackgroundTest, WhatWaitsIsNotTakenTwiceButWhatHasBegunIsTakenAgain) {
  std::promise<void> begun;
  std::promise<void> go;
  std::shared_future<void> may_go(go.get_future());
  std::vector<std::string> done;
  Background background([&](const std::string& name) {
    if (done.empty()) {
      begun.set_value();
      may_go.wait();
    }
    done.push_back(name);
  });
  ASSERT_TRUE(background.ask("first").ok());
  begun.get_future().wait();
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(background.ask("first").ok());
    EXPECT_TRUE(background.ask("second").ok());
  }
  go.set_value();
  background.stop();
  EXPECT_EQ(done, (std::vector<std::string>{"first", "first", "second"}));
  EXPECT_EQ(background.ask("third").code(), StatusCode::kFailedPrecondition);
}

TEST(BackgroundTest, AForkedChildLetsGoOfIt) {
  std::promise<void> begun;
  std::promise<void> go;
  std::shared_future<void> may_go(go.get_future());
  auto background = std::make_unique<Background>([&](const std::string&) {
    begun.set_value();
    may_go.wait();
  });
  ASSERT_TRUE(background->ask("work").ok());
  begun.get_future().wait();
  const pid_t child = ::fork();
  if (child == 0) {
    background->abandon();
    const bool refused = !background->ask("more").ok();
    background.reset();  // would wait for ever for a thread that is not there
    ::_exit(refused ? 0 : 1);
  }
  go.set_value();
  int how = 0;
  ASSERT_EQ(::waitpid(child, &how, 0), child);
  EXPECT_TRUE(WIFEXITED(how));
  EXPECT_EQ(WEXITSTATUS(how), 0);
}

}  // namespace
}  // namespace loci::db

// SPDX-License-Identifier: Apache-2.0
//
// The library several times in one process: two plugins that each carry a copy, and the program's
// own, on one file. All share the system's SQLite; two copies of SQLite itself would lose each
// other's locks (docs/design/dependencies.md).
#include <dlfcn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <thread>

#include "support/consistency.h"
#include "support/fixture.h"
#include "support/temp_dir.h"
#include "twice/plugin.h"

namespace loci::testing {
namespace {

/// A loaded copy.
class Copy {
 public:
  explicit Copy(const char* file) : handle_(::dlopen(file, RTLD_NOW | RTLD_LOCAL)) {
    EXPECT_NE(handle_, nullptr) << ::dlerror();
    if (handle_ == nullptr) return;
    const auto entry = reinterpret_cast<LociPluginEntry>(::dlsym(handle_, "loci_plugin"));
    EXPECT_NE(entry, nullptr);
    if (entry != nullptr) entry(&plugin_);
  }
  Copy(const Copy&) = delete;
  Copy& operator=(const Copy&) = delete;
  ~Copy() {
    if (handle_ != nullptr) ::dlclose(handle_);
  }
  const LociPlugin* operator->() const { return &plugin_; }
  [[nodiscard]] bool finds(int64_t number) const {
    bool found = false;
    EXPECT_EQ(plugin_.finds(number, &found), 0);
    return found;
  }

 private:
  void* handle_;
  LociPlugin plugin_{};
};

class TwiceTest : public ::testing::Test {
 protected:
  TempDir folder_;
  std::string path_ = folder_.file("a.db");
};

TEST_F(TwiceTest, EachCopySeesWhatTheOthersCommit) {
  const Copy a(LOCI_PLUGIN_A);
  const Copy b(LOCI_PLUGIN_B);
  ASSERT_NE(a->open, b->open) << "one copy was loaded, not two";
  ASSERT_EQ(a->open(path_.c_str()), 0);
  ASSERT_EQ(b->open(path_.c_str()), 0);
  Database own = Database::open(path_).value();
  for (int64_t round = 0; round < 5; ++round) {
    SCOPED_TRACE(round);
    const int64_t first = round * 1000;
    const std::string id = std::to_string(round);
    ASSERT_EQ(a->insert(("a" + id).c_str(), first, 200, nullptr), 0);
    ASSERT_EQ(b->insert(("b" + id).c_str(), first + 500, 200, nullptr), 0);
    EXPECT_TRUE(a.finds(first + 599));
    EXPECT_TRUE(b.finds(first + 100));
    EXPECT_FALSE(b.finds(first + 300));
    ASSERT_EQ((round % 2 == 0 ? a : b)->publish(), 0);
  }
  Collection notes = own.collection("notes").value();
  EXPECT_EQ(notes.count().value(), 2000);
  EXPECT_EQ(search_differs_from_rows(notes), "");
  EXPECT_EQ(a->close(), 0);
  EXPECT_TRUE(b.finds(100)) << "closing one copy took the other's file";
  EXPECT_EQ(b->close(), 0);
  EXPECT_EQ(check_report(own), "");
}

const Copy* closed_in_the_middle = nullptr;

TEST_F(TwiceTest, ACopyThatClosesLeavesTheOthersTheirLocks) {
  const Copy a(LOCI_PLUGIN_A);
  const Copy b(LOCI_PLUGIN_B);
  ASSERT_EQ(a->open(path_.c_str()), 0);
  ASSERT_EQ(b->open(path_.c_str()), 0);
  ASSERT_EQ(b->insert("b", 0, 10, nullptr), 0);
  closed_in_the_middle = &b;
  const auto close_other = [] { (*closed_in_the_middle)->close(); };
  ASSERT_EQ(a->insert("a", 1000, 100, close_other), 0);
  ASSERT_EQ(b->open(path_.c_str()), 0);
  // Both write at once: each commit is there afterwards.
  int b_result = 0;
  std::thread other([&] {
    for (int i = 0; i < 50 && b_result == 0; ++i) {
      b_result = b->insert(("t" + std::to_string(i)).c_str(), 5000 + i * 10, 10, nullptr);
    }
  });
  for (int i = 0; i < 50; ++i) {
    EXPECT_EQ(a->insert(("u" + std::to_string(i)).c_str(), 9000 + i * 10, 10, nullptr), 0);
  }
  other.join();
  EXPECT_EQ(b_result, 0);
  EXPECT_EQ(a->close(), 0);
  EXPECT_EQ(b->close(), 0);
  Database own = Database::open(path_).value();
  EXPECT_EQ(own.collection("notes").value().count().value(), 1110);
  EXPECT_EQ(check_report(own), "");
}

TEST_F(TwiceTest, AProcessForksAfterACopyIsUnloaded) {
  {
    const Copy a(LOCI_PLUGIN_A);
    ASSERT_EQ(a->open(path_.c_str()), 0);
    ASSERT_EQ(a->insert("a", 0, 10, nullptr), 0);
    ASSERT_EQ(a->close(), 0);
  }
  const pid_t child = ::fork();
  if (child == 0) ::_exit(7);
  int how = 0;
  ASSERT_EQ(::waitpid(child, &how, 0), child);
  EXPECT_TRUE(WIFEXITED(how));
  EXPECT_EQ(WEXITSTATUS(how), 7);
}

}  // namespace
}  // namespace loci::testing

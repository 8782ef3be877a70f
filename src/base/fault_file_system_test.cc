// SPDX-License-Identifier: Apache-2.0
#include "base/fault_file_system.h"

#include <gtest/gtest.h>

#include <string>

#include "base/temp_dir.h"

namespace loci::base {
namespace {

/// The usual way to replace a file: write beside it, sync, rename, sync the folder.
Status replace_file(FileSystem& files, const std::string& path, std::string_view text) {
  const std::string beside = path + ".new";
  {
    LOCI_ASSIGN_OR_RETURN(const std::unique_ptr<File> file,
                          files.open(beside, OpenMode::kCreateReplace));
    LOCI_RETURN_IF_ERROR(file->pwrite(0, as_bytes(text)));
    LOCI_RETURN_IF_ERROR(file->sync());
  }
  LOCI_RETURN_IF_ERROR(files.rename(beside, path));
  return files.sync_directory(parent_directory(path));
}

TEST(FaultFileSystemTest, EveryCallOfASequenceFailsOnce) {
  const TempDir folder;
  FaultFileSystem files(real_file_system());
  const std::string path = folder.file("f");
  ASSERT_TRUE(replace_file(files, path, "old").ok());
  int64_t n = 1;
  for (;; ++n) {
    files.fail_nth(n, Status::io_error("injected"));
    const Status status = replace_file(files, path, "new");
    if (!files.fired()) {
      EXPECT_TRUE(status.ok()) << status.to_string();
      break;
    }
    EXPECT_EQ(status.message(), "injected") << "n=" << n;
    files.fail_nth(0, Status());
    const Result<std::string> text = read_file(files, path, 100);
    ASSERT_TRUE(text.has_value());
    EXPECT_TRUE(*text == "old" || *text == "new") << "n=" << n << ": " << *text;
  }
  EXPECT_EQ(n, 6);  // open, pwrite, sync, rename, sync_directory
}

TEST(FaultFileSystemTest, AGateIsAskedBeforeEachCall) {
  const TempDir folder;
  FaultFileSystem files(real_file_system());
  files.set_gate([](std::string_view path) -> Fault {
    if (!path.empty()) return {};  // open, rename, sync_directory
    return {.status = Status::full("gate"), .kind = FaultKind::kShortWrite};
  });
  EXPECT_EQ(replace_file(files, folder.file("f"), "abcdef").message(), "gate");
  EXPECT_EQ(*read_file(real_file_system(), folder.file("f.new"), 100), "abc");
  files.set_gate(nullptr);
  EXPECT_TRUE(replace_file(files, folder.file("f"), "abcdef").ok());
}

TEST(FaultFileSystemTest, TakesThePlaceOfTheRealOne) {
  FaultFileSystem files(real_file_system());
  EXPECT_EQ(&file_system(), &real_file_system());
  set_file_system(&files);
  EXPECT_EQ(&file_system(), &files);
  set_file_system(nullptr);
  EXPECT_EQ(&file_system(), &real_file_system());
}

TEST(FaultFileSystemTest, ShortWriteLeavesHalf) {
  const TempDir folder;
  FaultFileSystem files(real_file_system());
  files.fail_nth(2, Status::full("disk"), FaultKind::kShortWrite);
  EXPECT_EQ(replace_file(files, folder.file("f"), "abcdef").code(), StatusCode::kFull);
  EXPECT_EQ(*read_file(real_file_system(), folder.file("f.new"), 100), "abc");
}

TEST(FaultFileSystemTest, DiskThatIsGoneStaysGone) {
  const TempDir folder;
  FaultFileSystem files(real_file_system());
  files.fail_nth(3, Status::io_error("gone"), FaultKind::kAllAfter);
  EXPECT_TRUE(files.make_directories(folder.file("a"), 0777).ok());
  EXPECT_TRUE(files.info(folder.path()).has_value());
  EXPECT_FALSE(files.list(folder.path()).has_value());
  EXPECT_FALSE(files.map(folder.file("f")).has_value());
  EXPECT_FALSE(files.remove_directory(folder.file("a")).ok());
  EXPECT_FALSE(files.exists(folder.path()).has_value());
  EXPECT_EQ(files.calls(), 6);
}

TEST(FaultFileSystemTest, FileCallsCountAndFail) {
  const TempDir folder;
  FaultFileSystem files(real_file_system());
  const auto file = *files.open(folder.file("f"), OpenMode::kCreate, 0600);
  files.fail_nth(1, Status::busy("all"), FaultKind::kAllAfter);
  uint8_t byte = 0;
  EXPECT_FALSE(file->pread(0, {&byte, 1}).has_value());
  EXPECT_FALSE(file->truncate(1).ok());
  EXPECT_FALSE(file->allocate(1).ok());
  EXPECT_FALSE(file->size().has_value());
  EXPECT_FALSE(file->try_lock(LockKind::kShared, 0, 1).ok());
  EXPECT_FALSE(file->unlock(0, 1).ok());
  EXPECT_FALSE(file->is_locked(0, 1).has_value());
  EXPECT_EQ(files.calls(), 7);
  files.fail_nth(0, Status());
  EXPECT_TRUE(file->pwrite(0, as_bytes("x")).ok());
  EXPECT_EQ(*file->size(), 1u);
}

TEST(FaultFileSystemTest, TornWriteLeavesSomeSectors) {
  const TempDir folder;
  FaultFileSystem files(real_file_system());
  const auto file = *files.open(folder.file("f"), OpenMode::kCreate, 0600);
  ASSERT_TRUE(file->pwrite(0, as_bytes(std::string(64 * 512, 'o'))).ok());
  files.fail_nth(1, Status::io_error("torn"), FaultKind::kTornWrite);
  EXPECT_FALSE(file->pwrite(0, as_bytes(std::string(64 * 512, 'n'))).ok());
  const std::string left = *read_file(real_file_system(), folder.file("f"), 1 << 20);
  int fresh = 0;
  for (size_t sector = 0; sector < 64; ++sector) {
    const std::string bytes = left.substr(sector * 512, 512);
    EXPECT_EQ(bytes, std::string(512, bytes[0])) << sector;  // a sector is old or new
    fresh += bytes[0] == 'n' ? 1 : 0;
  }
  EXPECT_GT(fresh, 0);
  EXPECT_LT(fresh, 64);
}

TEST(FaultFileSystemTest, StepRunsBeforeTheNthCall) {
  const TempDir folder;
  FaultFileSystem files(real_file_system());
  std::string seen = "not run";
  files.run_before_nth(4, [&] {
    seen = *read_file(real_file_system(), folder.file("f.new"), 100);
    EXPECT_FALSE(*real_file_system().exists(folder.file("f")));
  });
  EXPECT_TRUE(replace_file(files, folder.file("f"), "text").ok());  // 4 is the rename
  EXPECT_EQ(seen, "text");
  EXPECT_TRUE(files.fired());
}

TEST(FaultFileSystemTest, PowerLossAtEveryCallLeavesOldOrNew) {
  const TempDir folder;
  const std::string path = folder.file("f");
  bool saw_old = false;
  bool saw_new = false;
  for (int64_t n = 1; n <= 6; ++n) {
    for (uint64_t seed = 0; seed < 20; ++seed) {
      FaultFileSystem files(real_file_system());
      ASSERT_TRUE(replace_file(files, path, "old").ok());
      files.record();
      files.fail_nth(n, Status::io_error("power"), FaultKind::kAllAfter);
      const bool done = replace_file(files, path, "new").ok();
      files.fail_nth(0, Status());
      ASSERT_TRUE(files.leave_survivors(seed).ok());
      const Result<std::string> text = read_file(real_file_system(), path, 100);
      ASSERT_TRUE(text.has_value()) << "n=" << n << " seed=" << seed;
      EXPECT_TRUE(*text == "new" || (*text == "old" && !done))
          << "n=" << n << " seed=" << seed << ": " << *text;
      saw_old |= *text == "old";
      saw_new |= *text == "new";
    }
  }
  EXPECT_TRUE(saw_old && saw_new);
}

TEST(FaultFileSystemTest, PowerLossShowsAReplacementWithoutSync) {
  const TempDir folder;
  const std::string path = folder.file("f");
  bool lost = false;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    FaultFileSystem files(real_file_system());
    ASSERT_TRUE(replace_file(files, path, "old").ok());
    files.record();
    {
      const auto file = *files.open(path + ".new", OpenMode::kCreateReplace, 0600);
      ASSERT_TRUE(file->pwrite(0, as_bytes("new")).ok());  // and no sync
    }
    ASSERT_TRUE(files.rename(path + ".new", path).ok());
    ASSERT_TRUE(files.leave_survivors(seed).ok());
    lost |= read_file(real_file_system(), path, 100)->empty();
  }
  EXPECT_TRUE(lost) << "the name was durable before the bytes, and no seed showed it";
}

}  // namespace
}  // namespace loci::base

// SPDX-License-Identifier: Apache-2.0
#include "base/os_file.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "base/os_system.h"
#include "base/temp_dir.h"

namespace loci::base {
namespace {

class OsFileTest : public testing::Test {
 protected:
  std::unique_ptr<File> open(const std::string& name, OpenMode how) {
    Result<std::unique_ptr<File>> file = files_.open(folder_.file(name), how);
    EXPECT_TRUE(file.has_value()) << file.error().to_string();
    return file.has_value() ? *std::move(file) : nullptr;
  }
  void write(const std::string& name, std::string_view text) {
    const auto file = open(name, OpenMode::kCreateReplace);
    ASSERT_TRUE(file->pwrite(0, as_bytes(text)).ok());
  }
  std::string read(const std::string& name) {
    Result<std::string> text = read_file(files_, folder_.file(name), 1 << 20);
    EXPECT_TRUE(text.has_value()) << text.error().to_string();
    return text.has_value() ? *text : "";
  }

  TempDir folder_;
  FileSystem& files_ = real_file_system();
};

TEST_F(OsFileTest, WritesAndReadsAtOffsets) {
  const auto file = open("a", OpenMode::kCreateNew);
  ASSERT_TRUE(file->pwrite(3, as_bytes("def")).ok());
  ASSERT_TRUE(file->pwrite(0, as_bytes("abc")).ok());
  ASSERT_TRUE(file->sync().ok());
  EXPECT_EQ(*file->size(), 6u);
  std::vector<uint8_t> out(10);
  EXPECT_EQ(*file->pread(2, out), 4u);  // short at the end
  EXPECT_EQ(as_text(ByteSpan(out).first(4)), "cdef");
  EXPECT_EQ(*file->pread(100, out), 0u);
  ASSERT_TRUE(file->truncate(2).ok());
  EXPECT_EQ(read("a"), "ab");
  ASSERT_TRUE(file->allocate(4096).ok());
  EXPECT_EQ(*file->size(), 4096u);
}

TEST_F(OsFileTest, OpenModesDoWhatTheySay) {
  const std::string path = folder_.file("m");
  EXPECT_EQ(files_.open(path, OpenMode::kRead).error().code(), StatusCode::kNotFound);
  EXPECT_EQ(files_.open(path, OpenMode::kReadWrite).error().code(), StatusCode::kNotFound);
  write("m", "text");
  EXPECT_EQ(files_.open(path, OpenMode::kCreateNew).error().code(), StatusCode::kAlreadyExists);
  EXPECT_NE(open("m", OpenMode::kCreate), nullptr);
  EXPECT_EQ(read("m"), "text");
  EXPECT_EQ(open("m", OpenMode::kRead)->pwrite(0, as_bytes("x")).code(), StatusCode::kIoError);
  EXPECT_NE(open("m", OpenMode::kCreateReplace), nullptr);
  EXPECT_EQ(read("m"), "");
}

TEST_F(OsFileTest, ErrorsNameThePathAndTheReason) {
  const Status status = files_.open(folder_.file("none"), OpenMode::kRead).error();
  EXPECT_NE(status.message().find(folder_.file("none")), std::string_view::npos);
  EXPECT_NE(status.message().find("open"), std::string_view::npos);
  const auto file = open("big", OpenMode::kCreate);
  const uint64_t beyond = std::numeric_limits<uint64_t>::max() / 2 + 10;
  EXPECT_EQ(file->pwrite(beyond, as_bytes("x")).code(), StatusCode::kFull);
  EXPECT_EQ(file->truncate(beyond).code(), StatusCode::kFull);
}

TEST_F(OsFileTest, DeviceWithoutSpaceIsFull) {
  Result<std::unique_ptr<File>> full = files_.open("/dev/full", OpenMode::kReadWrite);
  if (!full.has_value()) GTEST_SKIP() << "no /dev/full here";
  EXPECT_EQ((*full)->pwrite(0, as_bytes("x")).code(), StatusCode::kFull);
}

TEST_F(OsFileTest, LocksBelongToTheFileNotTheProcess) {
  const auto first = open("l", OpenMode::kCreate);
  const auto second = open("l", OpenMode::kReadWrite);
  ASSERT_TRUE(first->try_lock(LockKind::kShared, 10, 5).ok());
  EXPECT_TRUE(second->try_lock(LockKind::kShared, 10, 5).ok());
  EXPECT_EQ(second->try_lock(LockKind::kExclusive, 12, 1).code(), StatusCode::kBusy);
  EXPECT_TRUE(second->try_lock(LockKind::kExclusive, 15, 1).ok());  // beside the range
  EXPECT_TRUE(*first->is_locked(0, 100));
  ASSERT_TRUE(second->unlock(0, 100).ok());
  EXPECT_FALSE(*first->is_locked(0, 100));
  EXPECT_TRUE(*second->is_locked(0, 100));
  {
    const auto third = open("l", OpenMode::kRead);
  }  // closing another descriptor frees nothing
  EXPECT_TRUE(*second->is_locked(10, 1));
  ASSERT_TRUE(first->try_lock(LockKind::kExclusive, 10, 5).ok());  // upgrade of its own
  EXPECT_EQ(second->try_lock(LockKind::kShared, 14, 1).code(), StatusCode::kBusy);
}

TEST_F(OsFileTest, ClosingFreesLocks) {
  auto first = open("l", OpenMode::kCreate);
  const auto second = open("l", OpenMode::kReadWrite);
  ASSERT_TRUE(first->try_lock(LockKind::kExclusive, 0, 1).ok());
  EXPECT_EQ(second->try_lock(LockKind::kExclusive, 0, 1).code(), StatusCode::kBusy);
  first.reset();
  EXPECT_TRUE(second->try_lock(LockKind::kExclusive, 0, 1).ok());
  EXPECT_EQ(second->try_lock(LockKind::kShared, 0, 0).code(), StatusCode::kInvalidArgument);
}

TEST_F(OsFileTest, MapsWholeFiles) {
  write("m", "mapped");
  write("e", "");
  const auto mapped = files_.map(folder_.file("m"));
  ASSERT_TRUE(mapped.has_value());
  EXPECT_EQ(as_text((*mapped)->bytes()), "mapped");
  (*mapped)->bytes()[0] = 'M';
  EXPECT_EQ(as_text((*files_.map(folder_.file("m")))->bytes()), "mapped") << "a write got out";
  const auto empty = files_.map(folder_.file("e"));
  ASSERT_TRUE(empty.has_value());
  EXPECT_TRUE((*empty)->bytes().empty());
  EXPECT_EQ(files_.map(folder_.file("none")).error().code(), StatusCode::kNotFound);
}

TEST_F(OsFileTest, FoldersAndNames) {
  const std::string deep = folder_.file("x/y/z");
  ASSERT_TRUE(files_.make_directories(deep).ok());
  ASSERT_TRUE(files_.make_directories(deep).ok());  // again
  EXPECT_TRUE(files_.info(deep)->is_directory);
  write("f", "1");
  EXPECT_FALSE(files_.make_directories(folder_.file("f")).ok());
  EXPECT_FALSE(files_.make_directories(folder_.file("f/g")).ok());
  EXPECT_EQ(*files_.list(folder_.path()), (std::vector<std::string>{"f", "x"}));
  ASSERT_TRUE(files_.rename(folder_.file("f"), folder_.file("g")).ok());
  EXPECT_FALSE(*files_.exists(folder_.file("f")));
  EXPECT_TRUE(*files_.exists(folder_.file("g")));
  ASSERT_TRUE(files_.sync_directory(folder_.path()).ok());
  ASSERT_TRUE(files_.remove_file(folder_.file("g")).ok());
  EXPECT_EQ(files_.remove_file(folder_.file("g")).code(), StatusCode::kNotFound);
  EXPECT_FALSE(files_.remove_directory(folder_.file("x")).ok());  // not empty
  ASSERT_TRUE(files_.remove_directory(deep).ok());
  EXPECT_EQ(files_.list(folder_.file("none")).error().code(), StatusCode::kNotFound);
}

TEST_F(OsFileTest, ModeAndOwnerAreSeenAndSet) {
  write("f", "12345");
  const std::string path = folder_.file("f");
  ASSERT_TRUE(files_.set_mode(path, 0640).ok());
  const FileInfo info = *files_.info(path);
  EXPECT_EQ(info.mode, 0640u);
  EXPECT_EQ(info.size, 5u);
  EXPECT_FALSE(info.is_directory);
  EXPECT_GT(info.modified_ns, int64_t{1'600'000'000} * 1'000'000'000);
  EXPECT_TRUE(files_.set_owner(path, info.owner, info.group).ok());
}

TEST_F(OsFileTest, SpaceAndKindOfTheFileSystem) {
  EXPECT_TRUE(files_.free_bytes(folder_.path()).has_value());
  EXPECT_TRUE(files_.is_network(folder_.path()).has_value());
  EXPECT_FALSE(*files_.is_network("/proc"));
  EXPECT_EQ(files_.free_bytes(folder_.file("none")).error().code(), StatusCode::kNotFound);
}

TEST_F(OsFileTest, ReadFileRefusesTooMuch) {
  write("f", "12345");
  EXPECT_EQ(*read_file(files_, folder_.file("f"), 5), "12345");
  EXPECT_EQ(read_file(files_, folder_.file("f"), 4).error().code(), StatusCode::kFull);
  EXPECT_FALSE(read_file(files_, folder_.path(), 1 << 20).has_value());  // a directory
}

TEST(PathTest, ParentDirectory) {
  EXPECT_EQ(parent_directory("a/b"), "a");
  EXPECT_EQ(parent_directory("a/b/"), "a");
  EXPECT_EQ(parent_directory("a//b"), "a");
  EXPECT_EQ(parent_directory("b"), ".");
  EXPECT_EQ(parent_directory("/b"), "/");
  EXPECT_EQ(parent_directory("/"), "/");
  EXPECT_EQ(parent_directory(""), ".");
}

TEST(OsSystemTest, ProcessHasAnId) { EXPECT_GT(os_process_id(), 0); }

}  // namespace
}  // namespace loci::base

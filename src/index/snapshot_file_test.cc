// SPDX-License-Identifier: Apache-2.0
#include "index/snapshot_file.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "base/temp_dir.h"

namespace loci::index {
namespace {

SnapshotRoot some_root() {
  SnapshotRoot root;
  root.database[3] = 7;
  root.id[0] = 1;
  root.id[15] = 255;
  root.source = 5;
  root.generation = 9;
  root.scn = 1234;
  root.token = -77;
  root.rows = 3;
  root.layout = 99;
  return root;
}

class SnapshotFileTest : public ::testing::TestWithParam<SnapshotFile::Access> {
 protected:
  base::FileSystem& files() { return base::real_file_system(); }

  void write() {
    auto file = files().open(path_, base::OpenMode::kCreateReplace);
    ASSERT_TRUE(file.has_value()) << file.error().to_string();
    SnapshotWriter writer(**file, some_root());
    ASSERT_TRUE(writer.add({SegmentKind::kRowIds, 0, 0}, 3, base::as_bytes("three rows")).ok());
    const std::string large(10000, 'x');
    const std::array<base::ByteSpan, 2> pieces = {base::as_bytes("first"), base::as_bytes(large)};
    ASSERT_TRUE(writer.add({SegmentKind::kCodes, 2, 8}, 11, pieces).ok());
    const Result<uint64_t> checksum = writer.finish();
    ASSERT_TRUE(checksum.has_value()) << checksum.error().to_string();
    checksum_ = *checksum;
  }
  std::string bytes() const {
    std::ifstream in(path_, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  void put_bytes(const std::string& bytes) const {
    std::ofstream(path_, std::ios::binary | std::ios::trunc) << bytes;
  }
  Result<std::shared_ptr<SnapshotFile>> open(const SnapshotRoot& expected = some_root()) {
    return SnapshotFile::open(files(), path_, expected, checksum_, GetParam());
  }

  base::TempDir folder_;
  std::string path_ = folder_.file("s");
  uint64_t checksum_ = 0;
};

std::string access_name(const ::testing::TestParamInfo<SnapshotFile::Access>& access) {
  return access.param == SnapshotFile::Access::kMap ? "map" : "read";
}

INSTANTIATE_TEST_SUITE_P(Access, SnapshotFileTest,
                         ::testing::Values(SnapshotFile::Access::kMap, SnapshotFile::Access::kRead),
                         access_name);

TEST_P(SnapshotFileTest, GivesBackWhatWasWritten) {
  write();
  const auto file = open();
  ASSERT_TRUE(file.has_value()) << file.error().to_string();
  EXPECT_EQ((*file)->root(), some_root());
  const auto rows = (*file)->read({SegmentKind::kRowIds, 0, 0});
  ASSERT_TRUE(rows.has_value());
  EXPECT_EQ(rows->items, 3U);
  EXPECT_EQ(base::as_text(base::ByteSpan(rows->bytes).first(10)), "three rows");
  const auto codes = (*file)->read({SegmentKind::kCodes, 2, 8});
  ASSERT_TRUE(codes.has_value());
  EXPECT_EQ(codes->items, 11U);
  EXPECT_EQ(base::as_text(base::ByteSpan(codes->bytes).first(5)), "first");
  EXPECT_EQ(codes->bytes[64], 'x');
  EXPECT_EQ(reinterpret_cast<uintptr_t>(codes->bytes.data()) % 64, 0U);
  EXPECT_EQ((*file)->read({SegmentKind::kCodes, 2, 9}).error().code(), StatusCode::kCorruption);
}

TEST_P(SnapshotFileTest, WritesToItsMemoryStayInTheProcess) {
  write();
  const std::string before = bytes();
  {
    const auto file = open();
    ASSERT_TRUE(file.has_value());
    (*file)->read({SegmentKind::kRowIds, 0, 0})->bytes[0] = 'T';
  }
  EXPECT_EQ(bytes(), before);
}

TEST_P(SnapshotFileTest, AnotherRootIsNotTaken) {
  write();
  for (int field = 0; field < 6; ++field) {
    SCOPED_TRACE(field);
    SnapshotRoot other = some_root();
    if (field == 0) other.database[0] ^= 1;
    if (field == 1) other.id[0] ^= 1;
    if (field == 2) ++other.source;
    if (field == 3) ++other.generation;
    if (field == 4) ++other.scn;
    if (field == 5) ++other.token;
    EXPECT_EQ(open(other).error().code(), StatusCode::kCorruption);
  }
  checksum_ ^= 1;
  EXPECT_EQ(open().error().code(), StatusCode::kCorruption);
}

TEST_P(SnapshotFileTest, EveryFlippedByteIsFound) {
  write();
  const std::string whole = bytes();
  size_t harmless = 0;
  for (size_t at = 0; at < whole.size(); at += at < 200 ? 1 : 13) {
    SCOPED_TRACE(at);
    std::string flipped = whole;
    flipped[at] = static_cast<char>(flipped[at] ^ (1 << (at % 8)));
    put_bytes(flipped);
    const auto file = open();
    if (!file.has_value()) {
      EXPECT_EQ(file.error().code(), StatusCode::kCorruption);
      continue;
    }
    const auto rows = (*file)->read({SegmentKind::kRowIds, 0, 0});
    const auto codes = (*file)->read({SegmentKind::kCodes, 2, 8});
    if (rows.has_value() && codes.has_value()) {
      ++harmless;  // between segments, or in the root slot that does not count
      EXPECT_EQ(base::as_text(base::ByteSpan(rows->bytes).first(10)), "three rows");
      EXPECT_EQ(base::as_text(base::ByteSpan(codes->bytes).first(5)), "first");
    } else {
      EXPECT_EQ((rows.has_value() ? codes : rows).error().code(), StatusCode::kCorruption);
    }
  }
  EXPECT_LT(harmless, whole.size() / 13);
}

TEST_P(SnapshotFileTest, EveryCutIsFound) {
  write();
  const std::string whole = bytes();
  for (size_t size = 0; size < whole.size(); size += 509) {
    put_bytes(whole.substr(0, size));
    EXPECT_EQ(open().error().code(), StatusCode::kCorruption) << size;
  }
  ASSERT_TRUE(files().remove_file(path_).ok());
  EXPECT_EQ(open().error().code(), StatusCode::kNotFound);
}

TEST_P(SnapshotFileTest, StaysReadableWhenItsNameIsTakenAway) {
  write();
  const auto file = open();
  ASSERT_TRUE(file.has_value());
  ASSERT_TRUE(files().remove_file(path_).ok());
  EXPECT_TRUE((*file)->verify_all().ok());
}

}  // namespace
}  // namespace loci::index

// SPDX-License-Identifier: Apache-2.0
#include "store/snapshot_parts.h"

#include <vector>

#include "store/followers.h"
#include "store/log.h"
#include "store/store_testing.h"

namespace loci::store {
namespace {

using testing::open;
using testing::take;

class SnapshotPartsTest : public ::testing::Test {
 protected:
  static SnapshotRootId id(uint8_t number) {
    SnapshotRootId id{};
    id.fill(number);
    return id;
  }
  void put(uint8_t root, int64_t part, const std::vector<uint8_t>& bytes) {
    ASSERT_OK(put_snapshot_part(*connection_, id(root), part, bytes));
  }
  std::optional<std::vector<uint8_t>> read(uint8_t root) {
    const std::optional<base::Buffer> bytes = take(read_snapshot_parts(*connection_, id(root)));
    if (!bytes.has_value()) return std::nullopt;
    return std::vector<uint8_t>(bytes->data(), bytes->data() + bytes->size());
  }
  void record(int64_t source, uint8_t root) {
    SnapshotRecord record;
    record.source = source;
    record.root = id(root);
    record.position = take(newest(*connection_));
    ASSERT_OK(record_snapshot(*connection_, record));
  }
  static CollectionSpec spec() {
    CollectionSpec spec;
    spec.name = "notes";
    spec.text = {"body"};
    return spec;
  }

  std::unique_ptr<sqlite::Connection> connection_ = open(":memory:");
  Source notes_ = take(create_collection(*connection_, spec()));
};

TEST_F(SnapshotPartsTest, PartsComeBackInTheirOrder) {
  EXPECT_EQ(read(1), std::nullopt);
  put(1, 2, {5, 6});
  put(1, 0, {1, 2, 3});
  put(2, 0, {9});
  put(1, 1, {4});
  EXPECT_EQ(read(1), (std::vector<uint8_t>{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(take(count_snapshot_parts(*connection_, id(1))), 3);
  EXPECT_EQ(take(count_snapshot_parts(*connection_, id(3))), 0);
}

TEST_F(SnapshotPartsTest, OnlyWhatAFollowerNamesStays) {
  ASSERT_OK(connection_->exec("INSERT INTO notes(id, body) VALUES('a', 'x')"));
  put(1, 0, {1});
  put(2, 0, {2});
  record(notes_.id, 2);
  ASSERT_OK(drop_unnamed_snapshot_parts(*connection_));
  EXPECT_EQ(read(1), std::nullopt);
  EXPECT_TRUE(read(2).has_value());
  EXPECT_EQ(take(purge_count(*connection_)), 0);
  put(3, 0, {3});
  ASSERT_OK(withdraw_snapshot(*connection_, notes_.id));
  EXPECT_EQ(read(2), std::nullopt);
  EXPECT_EQ(read(3), std::nullopt) << "it is being written by who does not know of the purge";
  EXPECT_EQ(take(purge_count(*connection_)), 1);
}

TEST_F(SnapshotPartsTest, TheyGoWithTheirSource) {
  ASSERT_OK(connection_->exec("INSERT INTO notes(id, body) VALUES('a', 'x')"));
  put(1, 0, {1});
  record(notes_.id, 1);
  ASSERT_OK(drop_source(*connection_, notes_));
  EXPECT_EQ(read(1), std::nullopt);
}

TEST_F(SnapshotPartsTest, AnOlderSchemaHasNoRoomForThem) {
  EXPECT_TRUE(take(has_snapshot_parts(*connection_)));
  ASSERT_OK(migrate(*connection_, 1));
  EXPECT_FALSE(take(has_snapshot_parts(*connection_)));
  ASSERT_OK(withdraw_snapshot(*connection_, notes_.id));
  ASSERT_OK(migrate(*connection_, -1));
  EXPECT_TRUE(take(has_snapshot_parts(*connection_)));
}

}  // namespace
}  // namespace loci::store

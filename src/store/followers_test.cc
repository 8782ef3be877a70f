// SPDX-License-Identifier: Apache-2.0
#include "store/followers.h"

#include <gtest/gtest.h>

#include "base/temp_dir.h"
#include "store/store_testing.h"

namespace loci::store {
namespace {

using testing::take;

class FollowersTest : public ::testing::Test {
 protected:
  FollowersTest() : connection_(testing::open(folder_.file("a.db"))) {
    CollectionSpec spec;
    spec.name = "notes";
    spec.text = {"body"};
    notes_ = take(create_collection(*connection_, spec));
  }
  SnapshotRecord some_record() {
    SnapshotRecord record;
    record.source = notes_.id;
    record.database = take(database_uuid(*connection_));
    record.root[0] = 1;
    record.root[15] = 255;
    record.generation = 3;
    record.checksum = 0xFEDCBA9876543210U;
    record.position = take(newest(*connection_));
    return record;
  }

  base::TempDir folder_;
  std::unique_ptr<sqlite::Connection> connection_;
  Source notes_;
};

TEST_F(FollowersTest, ARecordComesBackAsItWas) {
  EXPECT_FALSE(take(find_snapshot(*connection_, notes_.id)).has_value());
  const SnapshotRecord record = some_record();
  ASSERT_OK(record_snapshot(*connection_, record));
  const std::optional<SnapshotRecord> found = take(find_snapshot(*connection_, notes_.id));
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->database, record.database);
  EXPECT_EQ(found->root, record.root);
  EXPECT_EQ(found->generation, record.generation);
  EXPECT_EQ(found->checksum, record.checksum);
  EXPECT_EQ(found->position, record.position);
  EXPECT_EQ(take(list_snapshots(*connection_)).size(), 1U);
  testing::expect_check_clean(*connection_);
  ASSERT_OK(withdraw_snapshot(*connection_, notes_.id));
  EXPECT_FALSE(take(find_snapshot(*connection_, notes_.id)).has_value());
}

TEST_F(FollowersTest, TheNewestRecordTakesThePlaceOfTheLast) {
  SnapshotRecord record = some_record();
  ASSERT_OK(record_snapshot(*connection_, record));
  record.generation = 4;
  record.root[1] = 9;
  ASSERT_OK(record_snapshot(*connection_, record));
  EXPECT_EQ(take(find_snapshot(*connection_, notes_.id))->generation, 4U);
  EXPECT_EQ(take(list_snapshots(*connection_)).size(), 1U);
}

TEST_F(FollowersTest, ARootMustNotClaimMoreThanTheDatabaseHas) {
  SnapshotRecord record = some_record();
  ++record.position.scn;
  EXPECT_EQ(record_snapshot(*connection_, record).code(), StatusCode::kFailedPrecondition);
  record = some_record();
  record.position.token ^= 1;
  EXPECT_EQ(record_snapshot(*connection_, record).code(), StatusCode::kFailedPrecondition);
  record = some_record();
  record.source = 99;
  EXPECT_EQ(record_snapshot(*connection_, record).code(), StatusCode::kFailedPrecondition);
}

TEST_F(FollowersTest, NoRecordIsMadeThatStandsBeforeAReset) {
  const SnapshotRecord before = some_record();
  ASSERT_OK(recreate_triggers(*connection_, notes_));
  EXPECT_EQ(record_snapshot(*connection_, before).code(), StatusCode::kFailedPrecondition);
  ASSERT_OK(record_snapshot(*connection_, some_record()));
}

TEST_F(FollowersTest, CompactionKeepsWhatASnapshotStandsOn) {
  const auto change = [&] {
    ASSERT_OK(connection_->exec("INSERT OR REPLACE INTO notes(rid, id, body) VALUES(1, 'a', 'x')"));
  };
  change();
  const SnapshotRecord record = some_record();
  ASSERT_OK(record_snapshot(*connection_, record));
  for (int i = 0; i < 20; ++i) change();
  EXPECT_EQ(take(count_changes(*connection_, notes_.id, record.position, 7)), 7);
  ASSERT_GT(take(count_changes(*connection_, notes_.id, record.position, 1000)), 10);
  static_cast<void>(take(compact_log(*connection_)));
  EXPECT_FALSE(take(changes_since(*connection_, notes_.id, record.position)).rebuild);
}

TEST_F(FollowersTest, ARowOfAnotherProgramIsPassedOver) {
  ASSERT_OK(connection_->exec(base::str_cat(
      "INSERT INTO loci_followers(name, kind, source, scn, token, state) VALUES('snapshot/",
      notes_.id, "', 'snapshot', ", notes_.id, ", 1, 1, 'x')")));
  EXPECT_FALSE(take(find_snapshot(*connection_, notes_.id)).has_value());
  EXPECT_TRUE(take(list_snapshots(*connection_)).empty());
}

}  // namespace
}  // namespace loci::store

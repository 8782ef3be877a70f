// SPDX-License-Identifier: Apache-2.0
#include "base/ids.h"
#include "base/temp_dir.h"
#include "store/store_testing.h"

namespace loci::store {
namespace {

using testing::open;
using testing::query_one;
using testing::take;

CollectionSpec text_spec() {
  CollectionSpec spec;
  spec.name = "notes";
  spec.text = {"title"};
  return spec;
}

TEST(MigrationsTest, UpAndDownLeaveNothingBehind) {
  const auto connection = open(":memory:");
  EXPECT_EQ(take(schema_version(*connection)), 0);
  ASSERT_OK(migrate(*connection, -1));
  EXPECT_EQ(take(schema_version(*connection)), newest_schema_version());
  for (const MigrationState& state : take(migration_states(*connection))) {
    EXPECT_TRUE(state.applied) << state.name;
  }
  EXPECT_TRUE(base::is_uuid(
      query_one(*connection, "SELECT value FROM loci_meta WHERE key = 'database_uuid'")));
  ASSERT_OK(migrate(*connection, 0));
  EXPECT_EQ(take(schema_version(*connection)), 0);
  EXPECT_EQ(query_one(*connection, "SELECT count(*) FROM sqlite_schema WHERE name LIKE 'loci%'"),
            "0");
  EXPECT_FALSE(take(migration_states(*connection)).front().applied);
  ASSERT_OK(migrate(*connection, -1));
}

TEST(MigrationsTest, OwnersVersionNumbersAreLeftAlone) {
  const auto connection = open(":memory:");
  ASSERT_OK(connection->exec("PRAGMA user_version = 41; PRAGMA application_id = 42"));
  take(create_collection(*connection, text_spec()));
  EXPECT_EQ(query_one(*connection, "PRAGMA user_version"), "41");
  EXPECT_EQ(query_one(*connection, "PRAGMA application_id"), "42");
}

TEST(MigrationsTest, DownNeverLosesCollections) {
  const auto connection = open(":memory:");
  take(create_collection(*connection, text_spec()));
  EXPECT_EQ(migrate(*connection, 0).code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(take(schema_version(*connection)), newest_schema_version());
  EXPECT_EQ(migrate(*connection, 99).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(migrate(*connection, -2).code(), StatusCode::kInvalidArgument);
}

TEST(MigrationsTest, NewerFileIsRefusedUnchanged) {
  const auto connection = open(":memory:");
  take(create_collection(*connection, text_spec()));
  ASSERT_OK(connection->exec("UPDATE loci_meta SET value = 99 WHERE key = 'schema_version'"));
  const Status refused = schema_version(*connection).error();
  EXPECT_EQ(refused.code(), StatusCode::kFailedPrecondition);
  EXPECT_NE(std::string(refused.message()).find("99"), std::string::npos);
  EXPECT_EQ(load_sources(*connection).error().code(), StatusCode::kFailedPrecondition);
  CollectionSpec other = text_spec();
  other.name = "other";
  EXPECT_EQ(create_collection(*connection, other).error().code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(query_one(*connection, "SELECT count(*) FROM sqlite_schema WHERE name = 'other'"), "0");
}

TEST(MigrationsTest, BrokenMetaIsCorruption) {
  const auto connection = open(":memory:");
  ASSERT_OK(migrate(*connection, -1));
  ASSERT_OK(connection->exec("UPDATE loci_meta SET value = 'x' WHERE key = 'schema_version'"));
  EXPECT_EQ(schema_version(*connection).error().code(), StatusCode::kCorruption);
}

TEST(MigrationsTest, ReadingAFileWithoutLociTablesWritesNothing) {
  const auto connection = open(":memory:");
  EXPECT_TRUE(take(load_sources(*connection)).empty());
  EXPECT_EQ(load_source(*connection, "x").error().code(), StatusCode::kNotFound);
  EXPECT_TRUE(take(check(*connection, true)).empty());
  EXPECT_EQ(query_one(*connection, "SELECT count(*) FROM sqlite_schema"), "0");
}

}  // namespace
}  // namespace loci::store

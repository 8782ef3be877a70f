// SPDX-License-Identifier: Apache-2.0
//
// Snapshots inside the database file.
#include <atomic>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "support/consistency.h"
#include "support/fixture.h"
#include "support/process.h"
#include "support/temp_dir.h"

namespace loci::testing {
namespace {

namespace fs = std::filesystem;

constexpr size_t kDim = 256;
constexpr int64_t kRows = 3000;  // some 4 MB: several parts

class InlineSnapshotTest : public ::testing::Test {
 protected:
  static Database open(const std::string& path, SnapshotMode mode = SnapshotMode::kInline) {
    Result<Database> db = Database::open(path, {.snapshot = mode});
    EXPECT_OK(db);
    return *std::move(db);
  }
  Record record(int64_t i) {
    Record record = vector_record("id" + std::to_string(i), random_.vector(kDim));
    record.fields = {{"lang", std::string(i % 3 == 0 ? "en" : "de")}};
    return record;
  }
  std::vector<Record> records(int64_t from, int64_t count) {
    std::vector<Record> out;
    for (int64_t i = from; i < from + count; ++i) out.push_back(record(i));
    return out;
  }
  /// A file with kRows rows, and the snapshot that closing it leaves.
  void make() {
    CollectionSpec spec;
    spec.name = "notes";
    spec.vectors = {vector_column("embedding", kDim, Metric::kCosine)};
    spec.filters = {{"lang", FieldType::kText}};
    Database db = open(path_);
    ASSERT_OK(db.create_collection(spec).value().insert_many(records(0, kRows)));
  }
  static SearchResult nearest(Collection& notes) {
    const std::vector<float> query = sine_vector(kDim, 3);
    SearchRequest request;
    request.vector = query;
    request.with_fields = false;
    return notes.search(request).value();
  }
  /// Opens the file anew; searches must agree with the rows. Returns where the image came from.
  static std::string verify(const std::string& path, const DatabaseOptions& options) {
    Database db = Database::open(path, options).value();
    Collection notes = db.collection("notes").value();
    const SearchResult first = nearest(notes);
    EXPECT_EQ(search_differs_from_rows(notes), "");
    EXPECT_EQ(check_report(db), "");
    return first.explain.snapshot;
  }
  static std::string verify(const std::string& path) {
    return verify(path, {.snapshot = SnapshotMode::kInline});
  }
  static int64_t number(Database& db, const std::string& sql) {
    int64_t out = -1;
    EXPECT_OK(db.sql(sql, [&](auto, std::span<const Value> values) {
      out = std::get<int64_t>(values[0]);
      return Status();
    }));
    return out;
  }
  static int64_t roots(Database& db) {
    return number(db, "SELECT count(DISTINCT root_id) FROM loci_snapshots");
  }

  TempDir folder_;
  std::string path_ = folder_.file("a.db");
  Random random_{7};
};

TEST_F(InlineSnapshotTest, OneFileIsAllThereIs) {
  make();
  EXPECT_FALSE(fs::exists(path_ + "-loci"));
  EXPECT_EQ(verify(path_), "inline");
  EXPECT_EQ(verify(path_, {.snapshot = SnapshotMode::kFile}), "inline") << "it is found anyhow";
  EXPECT_EQ(verify(path_, {.read_only = true}), "inline");
  EXPECT_EQ(verify(path_, {.snapshot = SnapshotMode::kMemory}), "memory");
  Database db = open(path_);
  EXPECT_GT(number(db, "SELECT count(*) FROM loci_snapshots"), 2) << "it should have several parts";
}

TEST_F(InlineSnapshotTest, CopiesAndBackupsStartWarm) {
  make();
  const std::string copy = folder_.file("copy.db");
  fs::copy_file(path_, copy);
  EXPECT_EQ(verify(copy), "inline");
  const std::string backup = folder_.file("backup.db");
  {
    Database db = open(path_);
    ASSERT_OK(db.backup(backup));
  }
  EXPECT_EQ(verify(backup), "inline");
}

TEST_F(InlineSnapshotTest, RowsWrittenSinceAreFollowedAndALongTailIsFolded) {
  make();
  Database db = open(path_);
  Collection notes = db.collection("notes").value();
  ASSERT_OK(notes.insert_many(records(kRows, 100)));
  ASSERT_OK(notes.remove_where("lang = 'en'"));
  EXPECT_EQ(verify(path_), "inline");
  const int64_t before = number(db, "SELECT generation FROM loci_followers");
  EXPECT_EQ(sqlite_shell(path_, "UPDATE notes SET lang = 'fr';").exit_code, 0);
  verify(path_);
  EXPECT_EQ(number(db, "SELECT generation FROM loci_followers"), before + 1);
  EXPECT_EQ(roots(db), 1) << "the old one is of no use to anybody";
}

TEST_F(InlineSnapshotTest, ThePlaceMayChange) {
  make();
  {
    Database db = open(path_, SnapshotMode::kFile);
    ASSERT_OK(db.collection("notes").value().insert(record(kRows)));
    ASSERT_OK(db.publish("notes"));
    EXPECT_EQ(roots(db), 0);
  }
  EXPECT_EQ(verify(path_), "file");
  {
    Database db = open(path_);
    ASSERT_OK(db.collection("notes").value().insert(record(kRows + 1)));
    ASSERT_OK(db.publish("notes"));
    EXPECT_EQ(roots(db), 1);
  }
  EXPECT_EQ(verify(path_), "inline");
  for (const auto& file : fs::directory_iterator(path_ + "-loci")) {
    EXPECT_EQ(file.path().filename(), "lock");
  }
}

TEST_F(InlineSnapshotTest, OfDamageNeverAWrongAnswer) {
  make();
  const auto change = [&](const std::string& set) {
    EXPECT_EQ(sqlite_shell(path_, "UPDATE loci_snapshots SET " + set).exit_code, 0);
    {
      // This one reads no snapshot and writes none.
      Database db = open(path_, SnapshotMode::kMemory);
      EXPECT_NE(check_report(db).find("snapshot"), std::string::npos) << set;
    }
    Database db = open(path_);
    Collection notes = db.collection("notes").value();
    EXPECT_EQ(search_differs_from_rows(notes), "") << set;
    EXPECT_OK(db.check(true));
    EXPECT_EQ(check_report(db), "") << set;
    EXPECT_EQ(search_differs_from_rows(notes), "") << set;
    EXPECT_OK(db.reindex("notes"));
  };
  change("data = substr(data, 1, 9000) || X'FF' || substr(data, 9002) WHERE part = 0;");  // a text
  change(
      "data = CAST(substr(data, 1, 9000) || X'FF' || substr(data, 9002) AS BLOB) WHERE part = 0;");
  change("data = substr(data, 1, 500000) WHERE part = 1;");
  change("data = zeroblob(length(data)) WHERE part = 2;");
  change("part = part + 10 WHERE part = 1;");
  EXPECT_EQ(verify(path_), "inline");
}

TEST_F(InlineSnapshotTest, WhatWasNeverFinishedIsRemovedByTheNext) {
  make();
  EXPECT_EQ(sqlite_shell(path_, "INSERT INTO loci_snapshots VALUES(X'0102', 0, X'03');").exit_code,
            0);
  Database db = open(path_);
  EXPECT_EQ(check_report(db), "");
  ASSERT_OK(db.reindex("notes"));
  EXPECT_EQ(roots(db), 1);
}

TEST_F(InlineSnapshotTest, OfAPurgedRowNoByteIsLeft) {
  make();
  const std::vector<float> secret(kDim, 123.456F);
  const std::string bytes(reinterpret_cast<const char*>(secret.data()), kDim * sizeof(float));
  const auto holds = [&] {
    std::ifstream in(path_, std::ios::binary);
    const std::string file{std::istreambuf_iterator<char>(in), {}};
    return file.find(bytes) != std::string::npos;
  };
  {
    Database db = open(path_);
    ASSERT_OK(db.collection("notes").value().insert(vector_record("secret", secret)));
    ASSERT_OK(db.publish("notes"));
  }
  ASSERT_TRUE(holds());
  Database db = open(path_);
  Collection notes = db.collection("notes").value();
  const RowKey key("secret");
  ASSERT_OK(notes.purge({&key, 1}));
  EXPECT_FALSE(holds());
  EXPECT_EQ(search_differs_from_rows(notes), "");
  ASSERT_OK(db.publish("notes"));
  EXPECT_EQ(verify(path_), "inline");
  EXPECT_FALSE(fs::exists(path_ + "-loci"));
}

TEST_F(InlineSnapshotTest, APurgeStopsTheOneInProgress) {
  make();
  Database db = open(path_);
  std::atomic<bool> stop{false};
  std::thread publisher([&] {
    while (!stop) {
      EXPECT_OK(db.reindex("notes"));
    }
  });
  Collection notes = db.collection("notes").value();
  for (int i = 0; i < 10; ++i) {
    const std::vector<float> secret(kDim, 123.456F);
    ASSERT_OK(notes.insert(vector_record("secret", secret)));
    const RowKey key("secret");
    Result<int64_t> purged = notes.purge({&key, 1});
    while (purged.status().code() == StatusCode::kBusy) purged = notes.purge({&key, 1});
    EXPECT_OK(purged);
  }
  stop = true;
  publisher.join();
  ASSERT_OK(db.publish("notes"));
  EXPECT_EQ(roots(db), 1);
  EXPECT_EQ(verify(path_), "inline");
}

TEST_F(InlineSnapshotTest, WritersAndMakersShareTheFile) {
  make();
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back([&] {
      Database db = open(path_);
      while (!stop) {
        // Another may remove parts of ours as those of no snapshot: then there is one less.
        db.publish("notes").ignore();
      }
    });
  }
  Database db = open(path_);
  Collection notes = db.collection("notes").value();
  for (int64_t i = 0; i < 300; ++i) {
    ASSERT_OK(notes.insert(record(kRows + i)));
    if (i % 50 == 0) nearest(notes);
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(search_differs_from_rows(notes), "");
  ASSERT_OK(db.publish("notes"));
  EXPECT_EQ(roots(db), 1);
  EXPECT_EQ(verify(path_), "inline");
}

TEST_F(InlineSnapshotTest, AnOlderSchemaIsToldToMigrate) {
  make();
  Database db = open(path_);
  ASSERT_OK(db.migrate(1));
  EXPECT_EQ(verify(path_), "memory");
  ASSERT_OK(db.collection("notes").value().insert(record(kRows)));
  EXPECT_TRUE(fails_with(db.publish("notes"), StatusCode::kUnsupported, {"migrate"}));
  ASSERT_OK(db.migrate());
  ASSERT_OK(db.publish("notes"));
  EXPECT_EQ(verify(path_), "inline");
}

}  // namespace
}  // namespace loci::testing

// SPDX-License-Identifier: Apache-2.0
//
// Searching a table that its user made and writes; and what a plain client can do to ours.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/temp_dir.h"
#include "loci/loci.h"
#include "sqlite/connection.h"

namespace loci::db {
namespace {

/// Every component a float of 32 bits: 1 is 0000803f.
constexpr std::string_view kOneZero = "x'0000803f00000000'";

class UserTableTest : public ::testing::Test {
 protected:
  void exec(const std::string& sql) {
    Result<std::unique_ptr<sqlite::Connection>> user = sqlite::Connection::open(path_, {});
    ASSERT_TRUE(user.has_value()) << user.status().to_string();
    const Status status = (*user)->exec(sql);
    ASSERT_TRUE(status.ok()) << status.to_string();
  }
  /// `docs(id, vec)` of the user, searched as `docs_index`.
  void make_table_index() {
    exec("CREATE TABLE docs(id INTEGER PRIMARY KEY, vec)");
    TableIndexSpec spec;
    spec.name = "docs_index";
    spec.table = "docs";
    spec.vector.name = "vec";
    spec.vector.dim = 2;
    spec.vector.metric = Metric::kL2;
    const auto made = database().create_table_index(spec);
    ASSERT_TRUE(made.has_value()) << made.status().to_string();
  }
  std::string found(std::string_view name) {
    Result<Collection> docs = database().collection(name);
    if (!docs.has_value()) return docs.status().to_string();
    std::vector<Neighbor> neighbors(10);
    const std::vector<float> query = {1, 0};
    const Status status = docs->nearest(query, NearestRequest{.k = 10}, neighbors);
    if (!status.ok()) return status.to_string();
    std::string rows;
    for (const Neighbor& neighbor : neighbors) {
      if (neighbor.rowid != kNoRow) rows += std::to_string(to_int(neighbor.rowid)) + " ";
    }
    return rows;
  }
  std::vector<std::string> findings() {
    Result<std::vector<CheckFinding>> all = database().check(false);
    if (!all.has_value()) return {all.status().to_string()};
    std::vector<std::string> out;
    for (const CheckFinding& finding : *all) out.push_back(finding.kind);
    return out;
  }
  Database& database() {
    if (database_ == nullptr) {
      Result<Database> opened = Database::open(path_);
      EXPECT_TRUE(opened.has_value()) << opened.status().to_string();
      database_ = std::make_unique<Database>(*std::move(opened));
    }
    return *database_;
  }

  base::TempDir dir_;
  const std::string path_ = dir_.file("user.db");
  std::unique_ptr<Database> database_;
};

TEST_F(UserTableTest, OneBadBlobStopsNoSearchAndCheckTells) {
  make_table_index();
  const std::string good(kOneZero);
  exec("INSERT INTO docs VALUES(1, " + good + "), (2, x'00'), (3, " + good + ")");
  EXPECT_EQ(found("docs_index"), "1 3 ");
  EXPECT_EQ(findings(), std::vector<std::string>{"vector"});
  exec("UPDATE docs SET vec = x'0000c07f00000000' WHERE id = 3");  // not a number
  EXPECT_EQ(found("docs_index"), "1 ");
  exec("UPDATE docs SET vec = " + good + " WHERE id > 1");
  EXPECT_EQ(found("docs_index"), "1 2 3 ");
  EXPECT_EQ(findings(), std::vector<std::string>{});
}

TEST_F(UserTableTest, ABadBlobInOurOwnTableIsAFindingOfCheck) {
  CollectionSpec spec;
  spec.name = "notes";
  spec.text_ids = false;
  spec.vectors.resize(1);
  spec.vectors[0].dim = 2;
  spec.vectors[0].metric = Metric::kL2;
  Result<Collection> notes = database().create_collection(spec);
  ASSERT_TRUE(notes.has_value()) << notes.status().to_string();
  Record record;
  record.vectors = {{"embedding", {1, 0}}};
  ASSERT_TRUE(notes->insert(record).has_value());
  exec("UPDATE notes_vectors SET embedding = x'0000c07f00000000'");
  EXPECT_NE(found("notes").find("corruption"), std::string::npos) << found("notes");
  EXPECT_EQ(findings(), std::vector<std::string>{"image"});
  exec("UPDATE notes_vectors SET embedding = " + std::string(kOneZero));
  EXPECT_EQ(found("notes"), "1 ");
  EXPECT_EQ(findings(), std::vector<std::string>{});
}

}  // namespace
}  // namespace loci::db

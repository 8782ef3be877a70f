// SPDX-License-Identifier: Apache-2.0
//
// After a purge the bytes of the database file and its WAL are searched for what the rows held.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/bytes.h"
#include "base/strings.h"
#include "base/temp_dir.h"
#include "sqlite/query.h"
#include "store/rows.h"

namespace loci::store {
namespace {

std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

class RowsPurgeTest : public testing::Test {
 protected:
  void SetUp() override {
    auto opened = sqlite::Connection::open(path_, {});
    ASSERT_TRUE(opened.ok()) << opened.error().to_string();
    connection_ = *std::move(opened);
    CollectionSpec spec;
    spec.name = "notes";
    spec.vectors.resize(1);
    spec.vectors[0].dim = 8;
    spec.text = {"title", "body"};
    spec.filters = {{"lang", FieldType::kText}};
    auto created = create_collection(*connection_, spec);
    ASSERT_TRUE(created.ok()) << created.error().to_string();
    notes_ = *std::move(created);
  }

  RowId put(const std::string& id, const std::string& body, const std::string& lang, float first) {
    Record record;
    record.id = id;
    record.fields = {{"title", "common title"}, {"body", body}, {"lang", lang}};
    record.vectors = {{"embedding", {first, 2, 3, 4, 5, 6, 7, 8}}};
    record.metadata = base::str_cat("{\"secret\":\"", lang, "meta\"}");
    const auto written = put_row(*connection_, notes_, record, OnConflict::kError);
    EXPECT_TRUE(written.ok()) << written.error().to_string();
    return written.ok() ? written->rowid : kNoRow;
  }
  /// Rows as other users of the file would have them, in several transactions: several segments.
  void put_others() {
    for (int batch = 0; batch < 8; ++batch) {
      auto transaction =
          sqlite::Transaction::begin(*connection_, sqlite::Transaction::Kind::kWrite);
      for (int i = 0; i < 100; ++i) {
        put(base::str_cat("row-", batch, "-", i), base::str_cat("words of row number ", i), "en",
            static_cast<float>(i + 1));
      }
      ASSERT_TRUE(transaction->commit().ok());
    }
  }
  /// Which of `traces` is in a file of the database.
  std::string found(const std::vector<std::string>& traces) {
    std::string out;
    for (const std::string_view suffix : {"", "-wal", "-journal"}) {
      const std::string bytes = read_file(base::str_cat(path_, suffix));
      for (const std::string& trace : traces) {
        if (bytes.find(trace) != std::string::npos) base::str_append(out, trace, suffix, " ");
      }
    }
    return out;
  }

  base::TempDir folder_;
  std::string path_ = folder_.file("purge.db");
  std::unique_ptr<sqlite::Connection> connection_;
  Source notes_;
};

TEST_F(RowsPurgeTest, NoByteOfAPurgedRowIsLeft) {
  put_others();
  const float first = 123456.789F;
  const RowId secret =
      put("id-xyzzyq", "the zugzwangification of quuxification", "langplugh", first);
  put("id-xyzzyq-2", "another quuxly row that stays", "en", 5);
  // Written again and again, so that older pages and segments hold it too.
  for (const char* body : {"the zugzwangification again", "zugzwangifications third"}) {
    Record change;
    change.fields = {{"body", body}};
    ASSERT_TRUE(update_row(*connection_, notes_, secret, change).ok());
  }
  ASSERT_TRUE(connection_->exec("ANALYZE").ok());
  ASSERT_TRUE(connection_->exec("PRAGMA wal_checkpoint(FULL)").ok());
  const std::vector<std::string> traces = {"zugzwang", "zugzw", "langplugh",
                                           base::encode_f32(std::vector<float>{first, 2, 3})};
  ASSERT_NE(found(traces), "");
  ASSERT_NE(found({"id-xyzzyq"}), "");

  {
    auto transaction = sqlite::Transaction::begin(*connection_, sqlite::Transaction::Kind::kWrite);
    ASSERT_TRUE(transaction.ok());
    const std::vector<RowId> rows = {secret, RowId{999999}};
    const auto purged = purge_rows(*connection_, notes_, rows);
    ASSERT_TRUE(purged.ok()) << purged.error().to_string();
    EXPECT_EQ(*purged, 1);
    ASSERT_TRUE(transaction->commit().ok());
  }
  const Status scrubbed = scrub(*connection_);
  ASSERT_TRUE(scrubbed.ok()) << scrubbed.to_string();
  EXPECT_EQ(found(traces), "");
  const std::string bytes = read_file(path_);
  for (size_t at = bytes.find("id-xyzzyq"); at != std::string::npos;
       at = bytes.find("id-xyzzyq", at + 1)) {
    EXPECT_EQ(bytes.substr(at, 11), "id-xyzzyq-2") << "only the row that stays has such an id";
  }
  EXPECT_EQ(std::filesystem::file_size(path_ + "-wal"), 0U);
  EXPECT_EQ(count_rows(*connection_, notes_, {}, true).value(), 801);
  EXPECT_EQ(search_text(*connection_, notes_, "\"quuxly\"", {}, {})->size(), 1U);
  EXPECT_TRUE(
      connection_->exec("INSERT INTO notes_fts(notes_fts) VALUES ('integrity-check')").ok());
  EXPECT_EQ(*sqlite::query_text(*connection_, "PRAGMA integrity_check"), "ok");
}

TEST_F(RowsPurgeTest, AnIdIsBlankedInTheLogOfOlderRowsToo) {
  const RowId first = put("id-xyzzyq", "a", "en", 1);
  put_others();
  ASSERT_TRUE(*remove_row(*connection_, notes_, first));
  const RowId second = put("id-xyzzyq", "b", "en", 1);
  ASSERT_NE(first, second);
  ASSERT_TRUE(purge_rows(*connection_, notes_, {{second}}).ok());
  ASSERT_TRUE(scrub(*connection_).ok());
  EXPECT_EQ(found({"id-xyzzyq"}), "");
}

TEST_F(RowsPurgeTest, TheOnlyRowLeavesNothingEither) {
  const RowId row = put("id-xyzzyq", "zugzwangification", "langplugh", 7.5F);
  ASSERT_TRUE(purge_rows(*connection_, notes_, {{row}}).ok());
  ASSERT_TRUE(scrub(*connection_).ok());
  EXPECT_EQ(found({"id-xyzzyq", "zugzw", "langplugh"}), "");
}

TEST_F(RowsPurgeTest, InsertAndPurgeInOneTransactionLeaveNothing) {
  put_others();
  auto transaction = sqlite::Transaction::begin(*connection_, sqlite::Transaction::Kind::kWrite);
  const RowId row = put("id-xyzzyq", "zugzwangification", "langplugh", 7.5F);
  ASSERT_TRUE(purge_rows(*connection_, notes_, {{row}}).ok());
  ASSERT_TRUE(transaction->commit().ok());
  ASSERT_TRUE(scrub(*connection_).ok());
  EXPECT_EQ(found({"id-xyzzyq", "zugzw", "langplugh"}), "");
}

TEST_F(RowsPurgeTest, AReaderKeepsTheWalAndIsReported) {
  const RowId row = put("id-xyzzyq", "zugzwangification", "langplugh", 7.5F);
  auto reader = sqlite::Connection::open(path_, {.busy_timeout_ms = 1});
  ASSERT_TRUE(reader.ok());
  auto open_read = sqlite::Transaction::begin(**reader, sqlite::Transaction::Kind::kRead);
  ASSERT_TRUE(open_read.ok());
  EXPECT_EQ(count_rows(**reader, notes_, {}, true).value(), 1);
  ASSERT_TRUE(connection_->exec("PRAGMA busy_timeout = 1").ok());
  ASSERT_TRUE(purge_rows(*connection_, notes_, {{row}}).ok());
  const Status scrubbed = scrub(*connection_);
  EXPECT_EQ(scrubbed.code(), StatusCode::kBusy) << scrubbed.to_string();
  open_read->rollback();
  EXPECT_TRUE(scrub(*connection_).ok());
  EXPECT_EQ(found({"id-xyzzyq", "zugzw", "langplugh"}), "");
}

TEST_F(RowsPurgeTest, ScrubIsRefusedInsideATransaction) {
  auto transaction = sqlite::Transaction::begin(*connection_, sqlite::Transaction::Kind::kWrite);
  ASSERT_TRUE(transaction.ok());
  EXPECT_EQ(scrub(*connection_).code(), StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace loci::store

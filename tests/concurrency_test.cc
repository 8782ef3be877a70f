// SPDX-License-Identifier: Apache-2.0
//
// Threads that search while others write. Writers move amounts between accounts, so that the sum
// over all rows is the same in every committed state; each row holds its amount twice, as a filter
// column and as a vector, so that an answer made of two states, or of an image and rows that do not
// belong together, is seen at once. Run under ThreadSanitizer too.
#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include "loci/loci.h"
#include "support/fixture.h"
#include "support/temp_dir.h"

namespace loci::testing {
namespace {

constexpr int64_t kAccounts = 24;
constexpr int64_t kSum = kAccounts * 100;

CollectionSpec account_spec() {
  CollectionSpec spec;
  spec.name = "accounts";
  spec.vectors = {vector_column("embedding", 4, Metric::kL2)};
  spec.text = {"note"};
  spec.filters = {{"amount", FieldType::kInt}, {"batch", FieldType::kInt}};
  return spec;
}

/// Far from the origin by exactly its amount.
std::vector<float> amount_vector(int64_t amount) {
  return {static_cast<float>(amount), 0.0F, 0.0F, 0.0F};
}

Record account(int64_t amount) {
  Record record;
  record.vectors.emplace_back("embedding", amount_vector(amount));
  record.fields = {{"amount", amount}, {"note", "holds " + std::to_string(amount)}};
  return record;
}

/// Opens a file with all accounts at 100.
class ConcurrencyTest : public ::testing::Test {
 protected:
  void SetUp() override {
    Result<Database> database = Database::open(path());
    ASSERT_OK(database);
    database_.emplace(*std::move(database));
    Result<Collection> accounts = database_->create_collection(account_spec());
    ASSERT_OK(accounts);
    std::vector<Record> records;
    for (int64_t i = 1; i <= kAccounts; ++i) {
      records.push_back(account(100));
      records.back().rowid = RowId{i};
      records.back().id = "account-" + std::to_string(i);
    }
    ASSERT_OK(accounts->insert_many(records));
    accounts_.emplace(*std::move(accounts));
  }

  [[nodiscard]] std::string path() const { return dir_.file("accounts.db"); }

  TempDir dir_;
  std::optional<Database> database_;
  std::optional<Collection> accounts_;
};

/// Moves an amount from one account to another in one transaction.
Status transfer(Database& database, Collection& accounts, Random& random) {
  const RowId from{1 + static_cast<int64_t>(random.below(kAccounts))};
  const RowId to{1 + static_cast<int64_t>(random.below(kAccounts))};
  if (from == to) return {};
  return database.transaction([&]() -> Status {
    int64_t amounts[2] = {0, 0};
    const RowId rows[2] = {from, to};
    for (int i = 0; i < 2; ++i) {
      LOCI_ASSIGN_OR_RETURN(const std::optional<Record> record, accounts.get(rows[i]));
      if (!record.has_value()) return Status::internal("an account is gone");
      amounts[i] = std::get<int64_t>(field(*record, "amount"));
    }
    const int64_t moved = static_cast<int64_t>(random.below(20));
    if (amounts[0] < moved) return {};
    LOCI_RETURN_IF_ERROR(accounts.update(from, account(amounts[0] - moved)));
    // Between the two updates the sum is wrong: nobody else may see this state.
    if (random.one_in(8)) return Status::cancelled("changed my mind");
    return accounts.update(to, account(amounts[1] + moved));
  });
}

/// One full answer: every account, once, with the sum intact and vector equal to field.
std::string inconsistency(Collection& accounts) {
  SearchRequest request;
  request.mode = SearchMode::kVector;
  const std::vector<float> origin = amount_vector(0);
  request.vector = origin;
  request.k = 2 * kAccounts;
  request.where = "amount >= 0";
  const auto found = accounts.search(request);
  if (!found.ok()) return found.error().to_string();
  if (found->hits.size() != kAccounts) return std::to_string(found->hits.size()) + " hits";
  int64_t sum = 0;
  double last = 0;
  for (const Hit& hit : found->hits) {
    const Value amount = field(hit.record, "amount");
    if (!std::holds_alternative<int64_t>(amount)) return "a hit without its row";
    sum += std::get<int64_t>(amount);
    const double distance = hit.distance.value_or(-1);
    if (std::fabs(distance - static_cast<double>(std::get<int64_t>(amount))) > 1e-3) {
      return "vector of another state: " + std::to_string(distance) + ", row " +
             describe(hit.record);
    }
    if (distance < last) return "out of order";
    last = distance;
  }
  return sum == kSum ? "" : "sum " + std::to_string(sum);
}

TEST_F(ConcurrencyTest, EveryAnswerIsOneCommittedState) {
  std::atomic<bool> writing{true};
  std::atomic<int64_t> answers{0};
  const int transfers = test_rounds(1) * 150;
  auto search = [&](Collection accounts) -> std::string {
    std::string problem;
    while (problem.empty() && (writing.load() || answers.load() < 20)) {
      problem = inconsistency(accounts);
      answers.fetch_add(1);
    }
    return problem;
  };
  // A second Database on the file: its images follow the log, not the writer's memory.
  Result<Database> second = Database::open(path());
  ASSERT_OK(second);
  Result<Collection> second_accounts = second->collection("accounts");
  ASSERT_OK(second_accounts);
  auto write = [&](Database database, Collection accounts, uint64_t seed) -> std::string {
    Random random(seed);
    for (int i = 0; i < transfers; ++i) {
      const Status status = transfer(database, accounts, random);
      if (!status.ok() && status.code() != StatusCode::kCancelled) return status.to_string();
    }
    return "";
  };
  auto reader_a = std::async(std::launch::async, search, *accounts_);  // two on one image
  auto reader_a2 = std::async(std::launch::async, search, *accounts_);
  auto reader_b = std::async(std::launch::async, search, *second_accounts);
  auto writer_a = std::async(std::launch::async, write, *database_, *accounts_, 11);
  auto writer_b = std::async(std::launch::async, write, *second, *second_accounts, 12);
  const std::string write_a = writer_a.get();
  const std::string write_b = writer_b.get();
  writing.store(false);
  EXPECT_EQ(write_a, "");
  EXPECT_EQ(write_b, "");
  EXPECT_EQ(reader_a.get(), "");
  EXPECT_EQ(reader_a2.get(), "");
  EXPECT_EQ(reader_b.get(), "");
  EXPECT_EQ(inconsistency(*accounts_), "");
  EXPECT_EQ(check_report(*database_), "");
}

TEST_F(ConcurrencyTest, UncommittedRowsAreSeenByTheirThreadOnly) {
  std::promise<void> inserted;
  std::promise<void> looked;
  std::string seen_by_other;
  std::thread other([&] {
    inserted.get_future().wait();
    seen_by_other = inconsistency(*accounts_);
    looked.set_value();
  });
  const Status status = database_->transaction([&]() -> Status {
    LOCI_RETURN_IF_ERROR(accounts_->insert(account(7)).status());
    EXPECT_EQ(inconsistency(*accounts_), std::to_string(kAccounts + 1) + " hits");
    const auto count = accounts_->count();
    EXPECT_OK(count);
    EXPECT_EQ(*count, kAccounts + 1);
    inserted.set_value();
    looked.get_future().wait();
    return Status::cancelled("roll back");
  });
  other.join();
  EXPECT_TRUE(fails_with(status, StatusCode::kCancelled));
  EXPECT_EQ(seen_by_other, "");
  EXPECT_EQ(inconsistency(*accounts_), "");
}

TEST_F(ConcurrencyTest, BatchesAppearWhole) {
  constexpr int64_t kBatch = 5;
  std::atomic<bool> writing{true};
  const int64_t batches = test_rounds(1) * 60;
  std::thread writer([&] {
    for (int64_t batch = 1; batch <= batches; ++batch) {
      std::vector<Record> records(kBatch, account(0));
      for (Record& record : records) record.fields.emplace_back("batch", batch);
      EXPECT_OK(accounts_->insert_many(records));
    }
    writing.store(false);
  });
  int64_t last = 0;
  while (writing.load()) {
    const auto count = accounts_->count("batch IS NOT NULL");
    ASSERT_OK(count);
    EXPECT_EQ(*count % kBatch, 0);
    EXPECT_GE(*count, last) << "a committed batch was lost from sight";
    last = *count;
    SearchRequest words;
    words.mode = SearchMode::kText;
    words.text = "holds";
    words.where = "batch IS NOT NULL";
    words.k = 100000;
    words.with_fields = false;
    const auto found = accounts_->search(words);
    ASSERT_OK(found);
    EXPECT_EQ(static_cast<int64_t>(found->hits.size()) % kBatch, 0);
  }
  writer.join();
  const auto count = accounts_->count("batch IS NOT NULL");
  ASSERT_OK(count);
  EXPECT_EQ(*count, batches * kBatch);
}

TEST_F(ConcurrencyTest, WriterPastTheTimeOutIsBusy) {
  DatabaseOptions impatient;
  impatient.busy_timeout_ms = 20;
  Result<Database> second = Database::open(path(), impatient);
  ASSERT_OK(second);
  Result<Collection> accounts = second->collection("accounts");
  ASSERT_OK(accounts);
  // Another connection holds the write lock: the wait is SQLite's.
  ASSERT_OK(database_->transaction([&]() -> Status {
    LOCI_RETURN_IF_ERROR(accounts_->update(RowId{1}, account(100)));
    EXPECT_TRUE(fails_with(accounts->insert(account(1)), StatusCode::kBusy));
    EXPECT_EQ(inconsistency(*accounts), "");  // reading goes on
    return {};
  }));
  // Another thread of the same handle holds the writer: the wait is the handle's.
  ASSERT_OK(second->transaction([&]() -> Status {
    std::thread other(
        [&] { EXPECT_TRUE(fails_with(accounts->insert(account(1)), StatusCode::kBusy, {"20"})); });
    other.join();
    return {};
  }));
  EXPECT_EQ(inconsistency(*accounts_), "");
}

TEST_F(ConcurrencyTest, SchemaChangesBesideSearches) {
  std::atomic<bool> changing{true};
  std::thread changer([&] {
    for (int i = 0; i < 4; ++i) {
      EXPECT_OK(accounts_->add_filter_column({"extra" + std::to_string(i), FieldType::kInt}));
      CollectionSpec spec = account_spec();
      spec.name = "other" + std::to_string(i);
      EXPECT_OK(database_->create_collection(spec));
      if (i % 2 == 0) {
        EXPECT_OK(database_->drop_collection(spec.name));
      }
    }
    changing.store(false);
  });
  do {
    EXPECT_EQ(inconsistency(*accounts_), "");
  } while (changing.load());
  changer.join();
  EXPECT_EQ(accounts_->spec().filters.size(), 6U);
}

}  // namespace
}  // namespace loci::testing

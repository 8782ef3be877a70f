// SPDX-License-Identifier: Apache-2.0
//
// Transactions as a function of (seed, worker, number). A worker that is killed needs to tell its
// parent no more than the number that it is about to commit: the parent makes the transaction again
// and knows every row of it.
//
// A worker owns the rows of its own places, which are written over and over, and of its
// batches, which are new rows each and are removed some transactions later. The last operation of a
// transaction writes its number into place 0.
#include "crash/transactions.h"

#include <algorithm>
#include <array>
#include <utility>

#include "support/fixture.h"

namespace loci::testing {
namespace {

using Kind = Operation::Kind;

constexpr size_t kSlots = 120;
constexpr size_t kBulkSlots = 24;
constexpr int64_t kRowsOfWorker = 1'000'000'000'000;
constexpr int64_t kBatchBase = 1'000'000;
constexpr int64_t kBatchStride = 1000;
constexpr int64_t kLargeBatch = 600;  // written together whatever else was done (store::batch_pays)
constexpr int64_t kBatchLife = 12;    // transactions until a batch may go

int64_t slot_rowid(int worker, size_t slot) {
  return worker * kRowsOfWorker + static_cast<int64_t>(slot) + 1;
}

std::string slot_id(int worker, size_t slot) {
  return "w" + std::to_string(worker) + "-" + std::to_string(slot);
}

int64_t batch_rowid(int worker, int64_t number) {
  return worker * kRowsOfWorker + kBatchBase + number * kBatchStride;
}

/// Makes the operations of one transaction.
class Maker {
 public:
  Maker(const Stream& stream, int64_t number)
      : stream_(stream),
        number_(number),
        random_(stream.seed * 0x9E3779B97F4A7C15U +
                static_cast<uint64_t>(stream.worker) * 0xD1B54A32D192ED03U +
                static_cast<uint64_t>(number)) {}

  CrashTransaction make();

 private:
  Operation operation(int depth);
  Operation of_kind(Kind kind, int depth);
  Operation batch();
  Operation side_rows();
  Record slot_record(size_t slot);
  std::vector<std::string> some_ids();
  [[nodiscard]] size_t slots() const {
    return stream_.workload == Workload::kBulk ? kBulkSlots : kSlots;
  }
  [[nodiscard]] bool steady() const { return stream_.workload == Workload::kSteady; }

  const Stream& stream_;
  const int64_t number_;
  Random random_;
  int64_t batch_rows_ = 0;
  int64_t side_rows_ = 0;
};

Record Maker::slot_record(size_t slot) {
  Record record = random_record(random_);
  record.rowid = RowId{slot_rowid(stream_.worker, slot)};
  record.id = slot_id(stream_.worker, slot);
  const bool bulk = stream_.workload == Workload::kBulk;
  if (random_.one_in(bulk ? 2 : 8)) {  // a row on pages of its own
    const size_t bytes = bulk ? 200'000 + random_.below(1'000'000) : 1000 + random_.below(9000);
    record.metadata = "{\"pad\": \"" + std::string(bytes, 'p') + "\"}";
  }
  return record;
}

std::vector<std::string> Maker::some_ids() {
  std::vector<std::string> ids;
  for (size_t i = 1 + random_.below(4); i > 0; --i) {
    ids.push_back(slot_id(stream_.worker, 1 + random_.below(slots() - 1)));
  }
  return ids;
}

Operation Maker::batch() {
  Operation operation;
  operation.kind = Kind::kInsert;
  const int64_t room = kBatchStride - batch_rows_;
  const bool large = !steady() && random_.one_in(4);
  const int64_t wanted = large ? kLargeBatch : 32 + static_cast<int64_t>(random_.below(33));
  const int64_t count = std::min(room, wanted);
  for (int64_t i = 0; i < count; ++i, ++batch_rows_) {
    Record record = random_record(random_);
    record.rowid = RowId{batch_rowid(stream_.worker, number_) + batch_rows_};
    record.id = "w" + std::to_string(stream_.worker) + "-t" + std::to_string(number_) + "-" +
                std::to_string(batch_rows_);
    operation.records.push_back(std::move(record));
  }
  return operation;
}

Operation Maker::side_rows() {
  Operation operation;
  operation.kind = Kind::kSideInsert;
  for (size_t i = random_.one_in(3) ? 40 : 1 + random_.below(3); i > 0; --i, ++side_rows_) {
    Record record;
    record.id = "s-" + std::to_string(number_) + "-" + std::to_string(side_rows_);
    record.fields = {{"note", model_word(random_.below(kModelWords)) + " " +
                                  model_word(random_.below(kModelWords))}};
    operation.records.push_back(std::move(record));
  }
  return operation;
}

Operation Maker::of_kind(Kind kind, int depth) {
  constexpr std::array<OnConflict, 4> kAll = {OnConflict::kError, OnConflict::kUpdate,
                                              OnConflict::kReplace, OnConflict::kIgnore};
  Operation operation;
  operation.kind = kind;
  operation.on_conflict = kAll[random_.below(kAll.size())];
  switch (kind) {
    case Kind::kInsert: {
      const size_t start = 1 + random_.below(slots() - 1);
      for (size_t i = random_.one_in(2) ? 1 : 1 + random_.below(8); i > 0; --i) {
        operation.records.push_back(slot_record(1 + (start + i) % (slots() - 1)));
      }
      break;
    }
    case Kind::kUpdate:
      operation.records.push_back(slot_record(1 + random_.below(slots() - 1)));
      operation.records[0].rowid.reset();
      break;
    case Kind::kRemoveWhere:
      operation.first = batch_rowid(stream_.worker, 0);
      operation.last = batch_rowid(stream_.worker, std::max<int64_t>(0, number_ - kBatchLife)) - 1;
      break;
    case Kind::kNested:
      operation.undone = random_.one_in(2);
      for (size_t i = 1 + random_.below(3); i > 0; --i) {
        operation.nested.push_back(this->operation(depth + 1));
      }
      break;
    case Kind::kSideUpdate:
      operation = side_rows();
      operation.kind = kind;
      operation.records.resize(1);
      operation.records[0].id = "s-" + std::to_string(number_ - 1) + "-0";
      break;
    default:
      operation.keys = some_ids();
      break;
  }
  return operation;
}

Operation Maker::operation(int depth) {
  const size_t choice = random_.below(steady() ? 120 : 40);
  if (choice < 2) return of_kind(Kind::kRemoveWhere, depth);
  if (choice < 5 && batch_rows_ < kBatchStride - 32) return batch();
  // A changed schema is read anew by every process: in steady work it is rare.
  const bool keep_schema = steady() && !random_.one_in(10);
  if (choice < 6 && !keep_schema) return of_kind(Kind::kCreateSide, depth);
  if (choice < 8) return side_rows();
  if (choice < 9) return of_kind(Kind::kSideUpdate, depth);
  if (choice < 10 && !keep_schema && random_.one_in(3)) return of_kind(Kind::kDropSide, depth);
  if (choice < 13 && depth < 3) return of_kind(Kind::kNested, depth);
  if (choice < 15) return of_kind(Kind::kArchive, depth);
  if (choice < 17) return of_kind(Kind::kRestore, depth);
  if (choice < 20) return of_kind(Kind::kRemove, depth);
  if (choice < 22) return of_kind(Kind::kSearch, depth);
  return of_kind(choice % 2 == 0 ? Kind::kInsert : Kind::kUpdate, depth);
}

CrashTransaction Maker::make() {
  CrashTransaction transaction;
  transaction.undone = random_.one_in(12);
  for (size_t i = 1 + random_.below(steady() ? 3 : 10); i > 0; --i) {
    transaction.operations.push_back(operation(0));
  }
  Operation mark;
  mark.kind = Kind::kInsert;
  mark.on_conflict = OnConflict::kReplace;
  mark.records.push_back(slot_record(0));
  mark.records[0].metadata = "{\"number\": " + std::to_string(number_) + "}";
  transaction.operations.push_back(std::move(mark));
  return transaction;
}

/// What the rules of the model allow to fail: the row or collection is missing or there already.
Status expected(const Status& status) {
  if (status.code() == StatusCode::kNotFound || status.code() == StatusCode::kAlreadyExists) {
    return {};
  }
  return status;
}

std::vector<RowKey> row_keys(const std::vector<std::string>& ids) {
  return {ids.begin(), ids.end()};
}

Status search(Collection& notes) {
  SearchRequest request;
  request.text = model_word(3);
  const std::vector<float> vector = sine_vector(kModelDim, 0.3);
  request.vector = vector;
  return notes.search(request).status();
}

Status run_nested(Database& database, int worker, const Operation& operation) {
  const Status status = database.transaction([&]() -> Status {
    LOCI_RETURN_IF_ERROR(run_operations(database, worker, operation.nested));
    return operation.undone ? Status::cancelled("undone") : Status();
  });
  return operation.undone && status.code() == StatusCode::kCancelled ? Status() : status;
}

Status create_side(Database& database, int worker) {
  CollectionSpec spec;
  spec.name = side_name(worker);
  spec.vectors = {VectorColumn{}};
  spec.vectors[0].model = "hash:16";
  spec.text = {"note"};
  return expected(database.create_collection(spec).status());
}

Status run_side(Database& database, int worker, const Operation& operation) {
  Result<Collection> side = database.collection(side_name(worker));
  if (!side.ok()) return expected(side.error());
  if (operation.kind == Kind::kSideInsert) return side->insert_many(operation.records).status();
  return expected(side->update(*operation.records[0].id, operation.records[0]));
}

Status run_operation(Database& database, Collection& notes, int worker,
                     const Operation& operation) {
  switch (operation.kind) {
    case Kind::kInsert:
      if (operation.records.size() == 1) {
        return expected(notes.insert(operation.records[0], operation.on_conflict).status());
      }
      return expected(notes.insert_many(operation.records, operation.on_conflict).status());
    case Kind::kUpdate:
      return expected(notes.update(*operation.records[0].id, operation.records[0]));
    case Kind::kRemove:
      return notes.remove(row_keys(operation.keys)).status();
    case Kind::kRemoveWhere:
      return notes
          .remove_where("rowid BETWEEN " + std::to_string(operation.first) + " AND " +
                        std::to_string(operation.last))
          .status();
    case Kind::kArchive:
      return notes.archive(row_keys(operation.keys)).status();
    case Kind::kRestore:
      return notes.restore(row_keys(operation.keys)).status();
    case Kind::kSearch:
      return search(notes);
    case Kind::kNested:
      return run_nested(database, worker, operation);
    case Kind::kCreateSide:
      return create_side(database, worker);
    case Kind::kDropSide:
      return expected(database.drop_collection(side_name(worker)));
    case Kind::kSideInsert:
    case Kind::kSideUpdate:
      return run_side(database, worker, operation);
  }
  return {};
}

}  // namespace

CrashTransaction make_transaction(const Stream& stream, int64_t number) {
  return Maker(stream, number).make();
}

std::string side_name(int worker) { return "side" + std::to_string(worker); }

Care care_after(int64_t number) {
  if (number % 4 != 0) return Care::kPublish;
  if (number % 16 == 0) return Care::kRepair;
  return number % 16 == 8 ? Care::kVacuum : Care::kReindex;
}

Result<Collection> open_notes(Database& database) {
  Result<Collection> notes = database.collection("notes");
  if (notes.ok() || notes.error().code() != StatusCode::kNotFound) return notes;
  notes = database.create_collection(model_spec());
  // Another process may have been faster.
  if (notes.error().code() == StatusCode::kAlreadyExists) return database.collection("notes");
  return notes;
}

Status run_operations(Database& database, int worker, const std::vector<Operation>& operations) {
  LOCI_ASSIGN_OR_RETURN(Collection notes, database.collection("notes"));
  for (const Operation& operation : operations) {
    LOCI_RETURN_IF_ERROR(
        run_operation(database, notes, worker, operation)
            .with_context("operation " + std::to_string(static_cast<int>(operation.kind))));
  }
  return {};
}

Result<int64_t> last_committed(Database& database, int worker) {
  Result<Collection> notes = database.collection("notes");
  if (!notes.ok()) {
    if (notes.error().code() == StatusCode::kNotFound) return int64_t{0};
    return notes.error();
  }
  LOCI_ASSIGN_OR_RETURN(const std::optional<Record> mark, notes->get(slot_id(worker, 0)));
  if (!mark.has_value()) return int64_t{0};
  const std::string text = mark->metadata.value_or("");
  const size_t digits = text.find_first_of("0123456789");
  if (digits == std::string::npos) return Status::internal("no number in " + text);
  return static_cast<int64_t>(std::stoll(text.substr(digits)));
}

void CrashModel::insert(const Operation& operation) {
  const auto taken = [&](const Record& record) {
    return notes_.rows.count(to_int(*record.rowid)) == 1;
  };
  const std::vector<Record>& records = operation.records;
  if (operation.on_conflict == OnConflict::kError &&
      std::any_of(records.begin(), records.end(), taken)) {
    return;  // all or none
  }
  for (const Record& record : records) {
    ModelRow& row = notes_.rows[to_int(*record.rowid)];
    const bool there = !row.id.empty();
    if (there && operation.on_conflict == OnConflict::kIgnore) continue;
    if (there && operation.on_conflict == OnConflict::kUpdate) {
      StoreModel::apply(row, record);
      continue;
    }
    row = StoreModel::make(record);
  }
}

void CrashModel::apply(int worker, const std::vector<Operation>& operations) {
  Side& side = sides_[worker];
  for (const Operation& operation : operations) {
    const auto each_row = [&](auto change) {
      for (const std::string& id : operation.keys) {
        const std::optional<int64_t> rowid = notes_.find_id(id);
        if (rowid.has_value()) change(*rowid);
      }
    };
    switch (operation.kind) {
      case Kind::kInsert:
        insert(operation);
        break;
      case Kind::kUpdate: {
        const std::optional<int64_t> rowid = notes_.find_id(*operation.records[0].id);
        if (rowid.has_value()) StoreModel::apply(notes_.rows[*rowid], operation.records[0]);
        break;
      }
      case Kind::kRemove:
        each_row([&](int64_t rowid) { notes_.rows.erase(rowid); });
        break;
      case Kind::kRemoveWhere:
        notes_.rows.erase(notes_.rows.lower_bound(operation.first),
                          notes_.rows.upper_bound(operation.last));
        break;
      case Kind::kArchive:
      case Kind::kRestore:
        each_row(
            [&](int64_t rowid) { notes_.rows[rowid].archived = operation.kind == Kind::kArchive; });
        break;
      case Kind::kSearch:
        break;
      case Kind::kNested:
        if (!operation.undone) apply(worker, operation.nested);
        break;
      case Kind::kCreateSide:
        if (!side.has_value()) side.emplace();
        break;
      case Kind::kDropSide:
        side.reset();
        break;
      case Kind::kSideInsert:
        if (!side.has_value()) break;
        for (const Record& record : operation.records) {
          (*side)[*record.id] = std::get<std::string>(field(record, "note"));
        }
        break;
      case Kind::kSideUpdate:
        if (side.has_value() && side->count(*operation.records[0].id) == 1) {
          (*side)[*operation.records[0].id] =
              std::get<std::string>(field(operation.records[0], "note"));
        }
        break;
    }
  }
}

}  // namespace loci::testing

// SPDX-License-Identifier: Apache-2.0
//
// Random operations on a collection, each also done to an in-memory model; after every operation
// searches, reads and counts are compared with the model's. Four settings: one handle; two handles
// (two connections, two images) on one file; the plain sqlite3 shell writing in between; and many
// short histories of two or three handles with all that may happen to a file and its snapshots.
// LOCI_TEST_SEED=N: the history N alone.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "loci/loci.h"
#include "support/fixture.h"
#include "support/process.h"
#include "support/store_model.h"
#include "support/temp_dir.h"

namespace loci::testing {
namespace {

/// Which clients write to the file.
enum class Clients { kOne, kTwoHandles, kShell, kHistory };

struct Handle {
  Database database;
  Collection collection;
};

/// A collection, its model, and the operations that are done to both.
class Driver {
 public:
  Driver(uint64_t seed, Clients clients)
      : random_(seed),
        clients_(clients),
        dir_(clients == Clients::kHistory ? TempDir::Where::kMemory : TempDir::Where::kDisk),
        path_(dir_.file("model.db")) {}

  void run(int operations);

 private:
  void open_handles(size_t count);
  Result<Handle> open_handle();
  void step();
  void write_step(int depth);
  void transaction_step(int depth);
  void history_step();
  void shell_step();
  std::string shell_script(int64_t rowid, const std::string& id);

  void insert_one();
  void insert_batch();
  void update_one();
  void remove_some();
  void remove_matching();
  void set_archived(bool archived);
  void purge_some();
  void apply_insert(const Record& record, OnConflict on_conflict, const Result<RowId>& result);
  void add_made_id(int64_t rowid, ModelRow& row);

  void publish();
  void publish_beside_a_writer();
  void reopen_one();
  void keep_a_backup();
  void restore_the_backup();
  void read_the_past();
  void read_an_older_snapshot();

  void compare_search();
  void compare_vectors(Collection& collection, const StoreModel& model);
  void compare_words(Collection& collection, const StoreModel& model);
  void compare_reads();
  void compare_committed();

  Handle& handle() { return handles_[active_]; }
  Collection& collection() { return handle().collection; }
  std::string fresh_id() { return "row-" + std::to_string(next_id_++); }
  int64_t some_rowid();
  std::string some_id();
  std::vector<RowKey> some_keys();
  [[nodiscard]] std::vector<int64_t> rows_of(const std::vector<RowKey>& keys) const;

  Random random_;
  const Clients clients_;
  TempDir dir_;
  const std::string path_;
  std::vector<Handle> handles_;
  size_t active_ = 0;
  StoreModel model_;
  StoreModel committed_;  // what other connections see while a transaction is open
  int next_id_ = 0;
  const std::string backup_ = dir_.file("backup.db");
  std::optional<StoreModel> backed_up_;
};

Result<Handle> Driver::open_handle() {
  DatabaseOptions options;
  if (clients_ == Clients::kHistory) {
    options.busy_timeout_ms = 5;  // one thread: who is busy stays so
    options.snapshot_mmap = !random_.one_in(4);
    const size_t mode = random_.below(8);
    if (mode == 0) options.snapshot = SnapshotMode::kMemory;
    if (mode == 1 || mode == 2) options.snapshot = SnapshotMode::kInline;
  }
  LOCI_ASSIGN_OR_RETURN(Database database, Database::open(path_, options));
  Result<Collection> collection = database.collection("notes");
  if (!collection.ok()) collection = database.create_collection(model_spec());
  if (!collection.ok()) return collection.error();
  return Handle{std::move(database), *std::move(collection)};
}

void Driver::open_handles(size_t count) {
  for (size_t i = 0; i < count; ++i) {
    Result<Handle> handle = open_handle();
    ASSERT_OK(handle);
    handles_.push_back(*std::move(handle));
  }
}

int64_t Driver::some_rowid() {
  if (model_.rows.empty() || random_.one_in(8)) {
    return 5000 + static_cast<int64_t>(random_.below(40));
  }
  auto row = model_.rows.begin();
  std::advance(row, static_cast<std::ptrdiff_t>(random_.below(model_.rows.size())));
  return row->first;
}

std::string Driver::some_id() {
  const auto row = model_.rows.find(some_rowid());
  return row == model_.rows.end() ? "absent" : row->second.id;
}

std::vector<RowKey> Driver::some_keys() {
  std::vector<RowKey> keys;
  for (size_t i = random_.below(4); i > 0; --i) {
    if (random_.one_in(2)) {
      keys.emplace_back(RowId{some_rowid()});
    } else {
      keys.emplace_back(some_id());
    }
  }
  return keys;
}

std::vector<int64_t> Driver::rows_of(const std::vector<RowKey>& keys) const {
  std::vector<int64_t> rows;
  for (const RowKey& key : keys) {
    const auto* id = std::get_if<std::string>(&key);
    const std::optional<int64_t> row =
        id != nullptr ? model_.find_id(*id) : to_int(std::get<RowId>(key));
    if (row.has_value() && model_.rows.count(*row) == 1) rows.push_back(*row);
  }
  std::sort(rows.begin(), rows.end());
  rows.erase(std::unique(rows.begin(), rows.end()), rows.end());
  return rows;
}

void Driver::apply_insert(const Record& record, OnConflict on_conflict,
                          const Result<RowId>& result) {
  std::optional<int64_t> by_id;  // the rows that hold this id and this rowid now
  std::optional<int64_t> by_rowid;
  if (record.id.has_value()) by_id = model_.find_id(*record.id);
  if (record.rowid.has_value() && model_.rows.count(to_int(*record.rowid)) == 1) {
    by_rowid = to_int(*record.rowid);
  }
  const bool taken = by_id.has_value() || by_rowid.has_value();
  if (taken && on_conflict == OnConflict::kError) {
    ASSERT_TRUE(fails_with(result, StatusCode::kAlreadyExists, {"notes"}));
    return;
  }
  if (taken && on_conflict == OnConflict::kIgnore) {
    ASSERT_OK(result);
    return;
  }
  if (taken && record.id.has_value() && record.rowid.has_value() && by_id != by_rowid) {
    ASSERT_TRUE(fails_with(result, StatusCode::kInvalidArgument, {"notes", "one of the two"}));
    return;  // two rows are named, or a row and an id that is not its own
  }
  ASSERT_OK(result);
  const int64_t rowid = to_int(*result);
  if (taken) {
    ASSERT_EQ(rowid, by_id.has_value() ? *by_id : *by_rowid);
    if (on_conflict == OnConflict::kUpdate) {
      StoreModel::apply(model_.rows.at(rowid), record);
      return;
    }
    // A replaced row keeps what names it, its rowid and id, and nothing else.
    ModelRow row = StoreModel::make(record);
    row.id = model_.rows.at(rowid).id;
    model_.rows.at(rowid) = std::move(row);
    return;
  }
  ASSERT_EQ(model_.rows.count(rowid), 0U) << "the new row took the place of row " << rowid;
  if (record.rowid.has_value()) {
    ASSERT_EQ(rowid, to_int(*record.rowid));
  }
  ModelRow row = StoreModel::make(record);
  if (!record.id.has_value()) add_made_id(rowid, row);
  model_.rows[rowid] = std::move(row);
}

/// An id that the library made: a UUID, and unlike every other.
void Driver::add_made_id(int64_t rowid, ModelRow& row) {
  const auto stored = collection().get(RowId{rowid});
  ASSERT_OK(stored);
  ASSERT_TRUE(stored->has_value());
  row.id = (*stored)->id.value_or("");
  ASSERT_EQ(row.id.size(), 36U) << row.id;
  ASSERT_FALSE(model_.find_id(row.id).has_value()) << row.id;
}

void Driver::insert_one() {
  constexpr OnConflict kAll[] = {OnConflict::kError, OnConflict::kUpdate, OnConflict::kReplace,
                                 OnConflict::kIgnore};
  const OnConflict on_conflict = kAll[random_.below(4)];
  Record record = random_record(random_);
  switch (random_.below(6)) {
    case 0:
      break;
    case 1:
      record.id = some_id();
      break;
    case 2:
      record.rowid = RowId{some_rowid()};
      break;
    case 3:
      record.rowid = RowId{some_rowid()};
      record.id = random_.one_in(2) ? some_id() : fresh_id();
      break;
    default:
      record.id = fresh_id();
      break;
  }
  apply_insert(record, on_conflict, collection().insert(record, on_conflict));
}

void Driver::insert_batch() {
  std::vector<Record> records;
  for (size_t i = 1 + random_.below(6); i > 0; --i) {
    records.push_back(random_record(random_));
    records.back().id = fresh_id();
  }
  const bool spoiled = random_.one_in(4);
  if (spoiled) records.back().vectors = {{"embedding", std::vector<float>(kModelDim + 1, 1.0F)}};
  const auto written = collection().insert_many(records);
  if (spoiled) {
    ASSERT_TRUE(fails_with(written, StatusCode::kInvalidArgument, {"embedding", "9", "8"}));
    return;  // all or none
  }
  ASSERT_OK(written);
  ASSERT_EQ(written->inserted, static_cast<int64_t>(records.size()));
  for (const Record& record : records) {
    const auto stored = collection().get(*record.id);
    ASSERT_OK(stored);
    ASSERT_TRUE(stored->has_value()) << *record.id;
    model_.rows[to_int(*(*stored)->rowid)] = StoreModel::make(record);
  }
}

void Driver::update_one() {
  Record changes = random_record(random_);
  if (random_.one_in(4)) changes.vectors = {{"aux", {}}};  // clears it
  const RowKey key = random_.one_in(2) ? RowKey(some_id()) : RowKey(RowId{some_rowid()});
  const std::vector<int64_t> rows = rows_of({key});
  const Status status = collection().update(key, changes);
  if (rows.empty()) {
    ASSERT_TRUE(fails_with(status, StatusCode::kNotFound, {"notes"}));
    return;
  }
  ASSERT_OK(status);
  StoreModel::apply(model_.rows.at(rows.front()), changes);
}

void Driver::remove_some() {
  const std::vector<RowKey> keys = some_keys();
  const std::vector<int64_t> rows = rows_of(keys);
  const auto removed = collection().remove(keys);
  ASSERT_OK(removed);
  ASSERT_EQ(*removed, static_cast<int64_t>(rows.size()));
  for (const int64_t row : rows) model_.rows.erase(row);
}

void Driver::remove_matching() {
  if (random_.one_in(10)) {
    const auto cleared = collection().clear();
    ASSERT_OK(cleared);
    ASSERT_EQ(*cleared, static_cast<int64_t>(model_.rows.size()));
    model_.rows.clear();
    return;
  }
  const ModelFilter filter = ModelFilter::random(random_, 2);
  const std::vector<int64_t> rows = model_.visible(filter, true);
  if (rows.size() * 4 > model_.rows.size()) return;  // keep enough rows to search among
  const auto removed = collection().remove_where(filter.text());
  ASSERT_OK(removed);
  ASSERT_EQ(*removed, static_cast<int64_t>(rows.size())) << filter.text();
  for (const int64_t row : rows) model_.rows.erase(row);
}

void Driver::set_archived(bool archived) {
  const std::vector<RowKey> keys = some_keys();
  int64_t changed = 0;
  for (const int64_t row : rows_of(keys)) {
    changed += model_.rows.at(row).archived != archived ? 1 : 0;
    model_.rows.at(row).archived = archived;
  }
  const auto count = archived ? collection().archive(keys) : collection().restore(keys);
  ASSERT_OK(count);
  ASSERT_EQ(*count, changed);
}

void Driver::purge_some() {
  const std::vector<RowKey> keys = some_keys();
  const std::vector<int64_t> rows = rows_of(keys);
  const auto purged = collection().purge(keys);
  ASSERT_OK(purged);
  ASSERT_EQ(*purged, static_cast<int64_t>(rows.size()));
  for (const int64_t row : rows) model_.rows.erase(row);
}

void Driver::write_step(int depth) {
  switch (random_.below(20)) {
    case 0:
      return remove_matching();
    case 1:
    case 2:
      return remove_some();
    case 3:
      return set_archived(true);
    case 4:
      return set_archived(false);
    case 5:
    case 6:
    case 7:
      return insert_batch();
    case 8:
    case 9:
    case 10:
    case 11:
      return update_one();
    case 12:
    case 13:
      return depth < 3 ? transaction_step(depth + 1) : insert_one();
    case 14:
      return depth == 0 && random_.one_in(4) ? purge_some() : update_one();
    default:
      return insert_one();
  }
}

void Driver::transaction_step(int depth) {
  const StoreModel before = model_;
  if (depth == 1) committed_ = model_;
  const bool fail = random_.one_in(2);
  const Status status = handle().database.transaction([&]() -> Status {
    for (size_t i = 1 + random_.below(4); i > 0; --i) {
      write_step(depth);
      if (::testing::Test::HasFatalFailure()) return Status::internal("the test has failed");
      compare_search();
      if (clients_ == Clients::kHistory && random_.one_in(8)) publish_beside_a_writer();
    }
    compare_committed();
    return fail ? Status::cancelled("rolled back on purpose") : Status();
  });
  if (::testing::Test::HasFatalFailure()) return;
  if (fail) {
    ASSERT_TRUE(fails_with(status, StatusCode::kCancelled, {"rolled back on purpose"}));
    model_ = before;
  } else {
    ASSERT_OK(status);
  }
}

void Driver::publish() { ASSERT_OK(handle().database.publish("notes")); }

/// While a transaction is open: its own thread is refused, as is a handle that this thread reads an
/// older snapshot of; another may find the write lock taken. None does any harm; where no snapshots
/// are written there is nothing to do.
void Driver::publish_beside_a_writer() {
  for (Handle& one : handles_) {
    const Status status = one.database.publish("notes");
    if (status.ok()) continue;
    if (&one == &handle() || status.code() != StatusCode::kBusy) {
      ASSERT_TRUE(fails_with(status, StatusCode::kFailedPrecondition));
    }
  }
}

void Driver::reopen_one() {
  handles_.erase(handles_.begin() + static_cast<std::ptrdiff_t>(active_));
  Result<Handle> handle = open_handle();
  ASSERT_OK(handle);
  handles_.push_back(*std::move(handle));
}

void Driver::keep_a_backup() {
  std::filesystem::remove(backup_);
  if (random_.one_in(2)) {
    ASSERT_OK(handle().database.backup(backup_));
  } else {
    const size_t count = handles_.size();
    handles_.clear();  // what is in the WAL comes into the file
    std::filesystem::copy_file(path_, backup_);
    open_handles(count);
  }
  backed_up_ = model_;
}

/// The older file beside the newer folder: the numbers of its log are given a second time. Another
/// program may put it there through SQLite, under handles that are open.
void Driver::restore_the_backup() {
  if (!backed_up_.has_value()) return keep_a_backup();
  if (random_.one_in(2)) {
    const ProcessResult shell = sqlite_shell(path_, ".restore " + backup_ + "\n");
    ASSERT_EQ(shell.exit_code, 0) << shell.error;
    model_ = *backed_up_;
    return;
  }
  const size_t count = handles_.size();
  handles_.clear();
  for (const char* suffix : {"", "-wal", "-shm"}) std::filesystem::remove(path_ + suffix);
  std::filesystem::copy_file(backup_, path_);
  model_ = *backed_up_;
  open_handles(count);
}

/// In Database::read a handle keeps the past while another writes and publishes.
void Driver::read_the_past() {
  const StoreModel before = model_;
  const size_t reader = random_.below(handles_.size());
  Collection past = handles_[reader].collection;
  const auto compare = [&]() -> Status {
    compare_vectors(past, before);
    if (!::testing::Test::HasFatalFailure()) compare_words(past, before);
    return ::testing::Test::HasFatalFailure() ? Status::internal("the test has failed") : Status();
  };
  ASSERT_OK(handles_[reader].database.read([&]() -> Status {
    if (random_.one_in(2)) LOCI_RETURN_IF_ERROR(compare());
    active_ = (reader + 1 + random_.below(handles_.size() - 1)) % handles_.size();
    transaction_step(1);
    if (!::testing::Test::HasFatalFailure()) publish();
    LOCI_RETURN_IF_ERROR(compare());
    EXPECT_TRUE(same_rows(past, before));
    EXPECT_TRUE(fails_with(past.insert(random_record(random_)), StatusCode::kFailedPrecondition));
    return {};
  }));
  compare_vectors(past, model_);
}

/// One handle is in the midst of reading while another, or itself, writes and publishes.
void Driver::read_an_older_snapshot() {
  const std::vector<int64_t> before = model_.visible({}, true);
  std::vector<int64_t> seen;
  const size_t reader = random_.below(handles_.size());
  Collection reading = handles_[reader].collection;
  ASSERT_OK(reading.scan({}, true, false, -1, 0, [&](const Record& record) {
    if (seen.empty()) {
      active_ = random_.below(handles_.size());
      transaction_step(1);
      if (!::testing::Test::HasFatalFailure()) publish();
      if (!::testing::Test::HasFatalFailure()) compare_vectors(reading, model_);
    }
    seen.push_back(to_int(record.rowid.value_or(kNoRow)));
    return ::testing::Test::HasFatalFailure() ? Status::internal("the test has failed") : Status();
  }));
  ASSERT_EQ(seen, before);
}

void Driver::history_step() {
  switch (random_.below(18)) {
    case 0:
    case 1:
    case 2:
      return publish();
    case 3:
      ASSERT_OK(handle().database.reindex("notes"));
      return;
    case 4:
    case 5:
      return reopen_one();
    case 6:
      std::filesystem::remove_all(path_ + "-loci");
      return;
    case 7:
      return random_.one_in(3) ? keep_a_backup() : restore_the_backup();
    case 8:
      return read_an_older_snapshot();
    case 9:
    case 10:
      return read_the_past();
    default:
      return write_step(0);
  }
}

std::string Driver::shell_script(int64_t rowid, const std::string& id) {
  const std::string row = std::to_string(rowid);
  const bool there = model_.rows.count(rowid) == 1;
  switch (random_.below(7)) {
    case 0: {  // displaces whoever holds the rowid and whoever holds the id
      Record record;
      record.id = id;
      record.fields = {{"body", model_word(3) + " " + model_word(5)}, {"year", int64_t{2021}}};
      if (const auto holder = model_.find_id(id)) model_.rows.erase(*holder);
      model_.rows[rowid] = StoreModel::make(record);
      return "INSERT OR REPLACE INTO notes(rid, id, body, year) VALUES(" + row + ", '" + id +
             "', '" + std::get<std::string>(record.fields[0].second) + "', 2021);";
    }
    case 1:
      if (there) {
        Record changes;
        changes.fields = {{"title", model_word(7)}, {"lang", std::string("go")}};
        StoreModel::apply(model_.rows.at(rowid), changes);
      }
      return "UPDATE notes SET title = '" + model_word(7) + "', lang = 'go' WHERE rid = " + row +
             ";";
    case 2:
      if (const auto holder = model_.find_id(id)) model_.rows.erase(*holder);
      return "DELETE FROM notes WHERE id = '" + id + "';";
    case 3: {
      if (!there) return "";
      const std::vector<float> vector = random_.vector(kModelDim);
      model_.rows.at(rowid).vectors = {{"embedding", vector}};
      return "INSERT OR REPLACE INTO notes_vectors(rid, embedding) VALUES(" + row + ", " +
             blob_literal(vector) + ");";
    }
    case 4: {
      if (!there) return "";
      const std::vector<float> vector = random_.vector(kModelAuxDim);
      model_.rows.at(rowid).vectors["aux"] = vector;
      return "INSERT OR IGNORE INTO notes_vectors(rid) VALUES(" + row +
             ");\nUPDATE notes_vectors SET aux = " + blob_literal(vector) + " WHERE rid = " + row +
             ";";
    }
    case 5:
      if (there) model_.rows.at(rowid).vectors.clear();
      return "DELETE FROM notes_vectors WHERE rid = " + row + ";";
    default: {  // takes the id of another row, which is displaced
      if (!there) return "";
      if (const auto holder = model_.find_id(id); holder.has_value() && *holder != rowid) {
        model_.rows.erase(*holder);
      }
      model_.rows.at(rowid).id = id;
      return "UPDATE OR REPLACE notes SET id = '" + id + "' WHERE rid = " + row + ";";
    }
  }
}

void Driver::shell_step() {
  std::string script;
  for (size_t i = 1 + random_.below(4); i > 0; --i) {
    const std::string id = random_.one_in(2) ? some_id() : fresh_id();
    script += shell_script(some_rowid(), id) + "\n";
  }
  const bool rolled_back = random_.one_in(5);
  const StoreModel after = model_;
  const ProcessResult shell =
      sqlite_shell(path_, "BEGIN IMMEDIATE;\n" + script + (rolled_back ? "ROLLBACK;" : "COMMIT;"));
  ASSERT_EQ(shell.exit_code, 0) << shell.error << script;
  SCOPED_TRACE(script);
  model_ = rolled_back ? committed_ : after;
  ASSERT_TRUE(same_rows(collection(), model_));
}

void Driver::compare_vectors(Collection& collection, const StoreModel& model) {
  SearchRequest request;
  request.mode = SearchMode::kVector;
  request.column = random_.one_in(3) ? "aux" : "embedding";
  const std::vector<float> query =
      random_.vector(request.column == "aux" ? kModelAuxDim : kModelDim);
  request.vector = query;
  request.k = 1 + random_.below(12);
  request.include_archived = random_.one_in(4);
  const ModelFilter filter = random_.one_in(2) ? ModelFilter() : ModelFilter::random(random_, 3);
  request.where = filter.text();
  request.with_fields = !random_.one_in(4);  // without: the image is asked alone
  SCOPED_TRACE("vector search in " + request.column + " where " + request.where);
  const auto expected = model.neighbors(request.column, query, filter, request.include_archived);
  const auto found = collection.search(request);
  ASSERT_OK(found);
  ASSERT_TRUE(same_neighbors(found->hits, expected, request.k));
  for (const Hit& hit : found->hits) {
    if (!request.with_fields) break;
    ASSERT_EQ(hit.record.id.value_or(""), model.rows.at(to_int(hit.rowid)).id);
  }
}

void Driver::compare_words(Collection& collection, const StoreModel& model) {
  SearchRequest request;
  request.mode = SearchMode::kText;
  request.text = model_word(random_.below(kModelWords));
  request.k = 100000;
  request.include_archived = random_.one_in(4);
  const ModelFilter filter = random_.one_in(2) ? ModelFilter() : ModelFilter::random(random_, 2);
  request.where = filter.text();
  SCOPED_TRACE("text search for " + request.text + " where " + request.where);
  const auto found = collection.search(request);
  ASSERT_OK(found);
  std::vector<int64_t> rows = rowids(found->hits);
  std::sort(rows.begin(), rows.end());
  ASSERT_EQ(rows, model.containing(request.text, filter, request.include_archived));
}

void Driver::compare_reads() {
  const ModelFilter filter = ModelFilter::random(random_, 3);
  const bool with_archived = random_.one_in(2);
  const std::vector<int64_t> expected = model_.visible(filter, with_archived);
  SCOPED_TRACE("where " + filter.text());
  const auto count = collection().count(filter.text(), with_archived);
  ASSERT_OK(count);
  ASSERT_EQ(*count, static_cast<int64_t>(expected.size()));
  std::vector<int64_t> scanned;
  ASSERT_OK(
      collection().scan(filter.text(), with_archived, false, -1, 0, [&](const Record& record) {
        scanned.push_back(to_int(record.rowid.value_or(kNoRow)));
        return Status();
      }));
  ASSERT_EQ(scanned, expected);
  const int64_t rowid = some_rowid();
  const auto record = collection().get(RowId{rowid}, true);
  ASSERT_OK(record);
  ASSERT_EQ(record->has_value(), model_.rows.count(rowid) == 1);
}

void Driver::compare_search() {
  switch (random_.below(3)) {
    case 0:
      return compare_words(collection(), model_);
    case 1:
      return compare_reads();
    default:
      return compare_vectors(collection(), model_);
  }
}

/// While a transaction is open every other handle sees the rows as they were before it.
void Driver::compare_committed() {
  if (handles_.size() < 2) return;
  const size_t next = 1 + random_.below(handles_.size() - 1);
  Collection& other = handles_[(active_ + next) % handles_.size()].collection;
  ASSERT_TRUE(same_rows(other, committed_));
  compare_vectors(other, committed_);
  compare_words(other, committed_);
}

void Driver::step() {
  active_ = random_.below(handles_.size());
  committed_ = model_;
  if (clients_ == Clients::kShell && random_.one_in(3)) {
    shell_step();
  } else if (clients_ == Clients::kHistory) {
    history_step();
  } else {
    write_step(0);
  }
  if (::testing::Test::HasFatalFailure()) return;
  active_ = random_.below(handles_.size());
  compare_search();
}

void Driver::run(int operations) {
  switch (clients_) {
    case Clients::kOne:
    case Clients::kShell:
      open_handles(1);
      break;
    case Clients::kTwoHandles:
      open_handles(2);
      break;
    case Clients::kHistory:
      open_handles(2 + random_.below(2));
      break;
  }
  for (int i = 0; i < operations && !::testing::Test::HasFatalFailure(); ++i) {
    SCOPED_TRACE("operation " + std::to_string(i));
    step();
    if (i % 25 == 0) {
      EXPECT_TRUE(same_rows(collection(), model_));
    }
  }
  if (::testing::Test::HasFatalFailure()) return;
  EXPECT_TRUE(same_rows(collection(), model_));
  EXPECT_EQ(check_report(handle().database), "");
  handles_.clear();
  Result<Database> reopened = Database::open(path_);
  ASSERT_OK(reopened);
  Result<Collection> collection = reopened->collection("notes");
  ASSERT_OK(collection);
  EXPECT_TRUE(same_rows(*collection, model_));
  compare_vectors(*collection, model_);
  compare_words(*collection, model_);
}

void run_seeds(Clients clients, int seeds, int operations) {
  for (int seed = 1; seed <= test_rounds(seeds); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Driver driver(static_cast<uint64_t>(seed), clients);
    driver.run(operations);
    if (::testing::Test::HasFailure()) return;
  }
}

TEST(StoreModelTest, OneHandleDoesWhatTheModelDoes) { run_seeds(Clients::kOne, 4, 250); }

TEST(StoreModelTest, TwoHandlesSeeEachOthersCommits) { run_seeds(Clients::kTwoHandles, 3, 150); }

TEST(StoreModelTest, WritesOfThePlainShellAreFollowed) { run_seeds(Clients::kShell, 3, 120); }

/// Histories in parts, so that a machine with several processors runs them beside each other.
class HistoriesTest : public ::testing::TestWithParam<uint64_t> {};
constexpr uint64_t kParts = 4;

TEST_P(HistoriesTest, SearchesAreTrueWhateverHappensToAFile) {
  const uint64_t only = test_seed();
  const auto count = static_cast<uint64_t>(soak() ? 10'000 : 200 + 20 * test_rounds(0));
  for (uint64_t seed = GetParam() + 1; seed <= std::max(count, only); seed += kParts) {
    if (only != 0 && seed != only) continue;
    SCOPED_TRACE("LOCI_TEST_SEED=" + std::to_string(seed));
    Driver driver(seed, Clients::kHistory);
    driver.run(25);
    if (HasFailure()) return;
  }
}

INSTANTIATE_TEST_SUITE_P(Part, HistoriesTest, ::testing::Range<uint64_t>(0, kParts));

}  // namespace
}  // namespace loci::testing

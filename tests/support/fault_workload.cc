// SPDX-License-Identifier: Apache-2.0
#include "support/fault_workload.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <sstream>
#include <utility>

#include "base/c_edge.h"
#include "sqlite/connection.h"
#include "store/log.h"
#include "support/consistency.h"
#include "support/fault_vfs.h"
#include "support/fixture.h"
#include "support/temp_dir.h"

namespace loci::testing {
namespace {

constexpr const char* kFolder = "-loci";
constexpr size_t kDim = 16;
constexpr int kBaseRows = 40;
constexpr size_t kLongDim = 3;

Record note(int i) {
  const TestCode mine;
  static constexpr const char* kWords[] = {"alder", "birch", "cedar", "elm", "fir", "gum", "hazel"};
  Record record;
  record.id = "note-" + std::to_string(i);
  record.vectors.emplace_back("embedding", sine_vector(kDim, 0.1 + 0.37 * i));
  record.fields = {{"body", std::string(kWords[i % 7]) + " " + kWords[(i / 7) % 7] + " tree"},
                   {"lang", std::string(i % 2 == 0 ? "en" : "de")},
                   {"year", int64_t{2000 + i % 25}}};
  record.metadata = R"({"n":)" + std::to_string(i) + "}";
  return record;
}

std::vector<float> vector(double seed, size_t dim = kDim) {
  const TestCode mine;
  return sine_vector(dim, seed);
}

std::vector<RowKey> keys(std::initializer_list<const char*> ids) {
  const TestCode mine;
  return {ids.begin(), ids.end()};
}

std::string text_of(int64_t number) {
  const TestCode mine;
  return std::to_string(number);
}

}  // namespace

CollectionSpec fault_spec(std::string_view name) {
  const TestCode mine;
  CollectionSpec spec;
  spec.name = name;
  spec.vectors = {vector_column("embedding", kDim, Metric::kCosine)};
  spec.text = {"body"};
  spec.filters = {{.name = "lang", .type = FieldType::kText},
                  {.name = "year", .type = FieldType::kInt}};
  return spec;
}

std::vector<Record> fault_rows(int first, int count) {
  const TestCode mine;
  std::vector<Record> records;
  for (int i = first; i < first + count; ++i) records.push_back(note(i));
  return records;
}

Status fill(Database& database) {
  LOCI_ASSIGN_OR_RETURN(Collection made, database.create_collection(fault_spec("notes")));
  LOCI_RETURN_IF_ERROR(made.insert_many(fault_rows(0, kBaseRows)).status());
  Record changes;
  changes.fields = {{"year", int64_t{1999}}};
  LOCI_RETURN_IF_ERROR(made.update("note-3", changes));
  return made.archive(keys({"note-5"})).status();
}

namespace {

Status fill_and_publish(Database& database) {
  LOCI_RETURN_IF_ERROR(fill(database));
  return database.publish("notes");
}

/// A snapshot that newer rows make old.
Status fill_after_publishing(Database& database) {
  LOCI_RETURN_IF_ERROR(fill_and_publish(database));
  LOCI_ASSIGN_OR_RETURN(Collection notes, database.collection("notes"));
  return notes.insert_many(fault_rows(kBaseRows, 20)).status();
}

Status create_long(Database& database) {
  CollectionSpec spec;
  spec.name = "notes";
  spec.vectors = {vector_column("embedding", kLongDim, Metric::kL2)};
  return database.create_collection(spec).status();
}

/// So many rows that who writes them publishes a snapshot in closing.
std::vector<Record> long_rows() {
  const TestCode mine;
  constexpr int kRows = 2100;
  std::vector<Record> rows;
  rows.reserve(kRows);
  for (int i = 0; i < kRows; ++i) {
    rows.push_back(vector_record("note-" + std::to_string(i), sine_vector(kLongDim, 0.1 + i % 3)));
  }
  return rows;
}

/// The same, written past the library: who reads them publishes a snapshot.
Status fill_long(Database& database) {
  LOCI_RETURN_IF_ERROR(create_long(database));
  const auto blob = [](double seed) { return blob_literal(sine_vector(kLongDim, seed)); };
  const std::string numbers =
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2100) ";
  LOCI_RETURN_IF_ERROR(database.sql(
      "INSERT INTO notes(rid, id) " + numbers + "SELECT i, 'note-' || i FROM n", nullptr));
  return database.sql("INSERT INTO notes_vectors(rid, embedding) " + numbers +
                          "SELECT i, CASE i % 3 WHEN 0 THEN " + blob(0.3) + " WHEN 1 THEN " +
                          blob(0.5) + " ELSE " + blob(0.7) + " END FROM n",
                      nullptr);
}

}  // namespace

Status compact(Database& database, bool full_sync, std::string& seen) {
  return base::guarded([&]() -> Status {
    LOCI_ASSIGN_OR_RETURN(const std::unique_ptr<sqlite::Connection> connection,
                          sqlite::Connection::open(database.path(), {.full_sync = full_sync}));
    LOCI_ASSIGN_OR_RETURN(const int64_t dropped, store::compact_log(*connection));
    seen = text_of(dropped);
    return {};
  });
}

namespace {

Status insert_one(Database& database, std::string& seen) {
  LOCI_ASSIGN_OR_RETURN(Collection notes, database.collection("notes"));
  LOCI_ASSIGN_OR_RETURN(const RowId row, notes.insert(note(1000)));
  seen = text_of(to_int(row));
  return {};
}

Status insert_hundred(Database& database, std::string& seen) {
  LOCI_ASSIGN_OR_RETURN(Collection collection, database.collection("notes"));
  LOCI_ASSIGN_OR_RETURN(const WriteCount count, collection.insert_many(fault_rows(2000, 100)));
  seen = text_of(count.inserted);
  return {};
}

/// Rows that are there already: each takes the way of its own instead of the batch.
Status replace_some(Database& database, std::string& seen) {
  LOCI_ASSIGN_OR_RETURN(Collection collection, database.collection("notes"));
  std::vector<Record> records = fault_rows(20, 40);
  for (Record& record : records) record.vectors[0].second = vector(0.9);
  LOCI_ASSIGN_OR_RETURN(const WriteCount count,
                        collection.insert_many(records, OnConflict::kReplace));
  seen = text_of(count.inserted * 1000 + count.updated);
  return {};
}

Record new_text() {
  const TestCode mine;
  Record changes;
  changes.fields = {{"body", std::string("willow tree")}, {"lang", std::string("fr")}};
  changes.vectors.emplace_back("embedding", sine_vector(kDim, 0.55));
  return changes;
}

Status update_row(Database& database, std::string& /*seen*/) {
  LOCI_ASSIGN_OR_RETURN(Collection notes, database.collection("notes"));
  return notes.update("note-7", new_text());
}

Status remove_rows(Database& database, std::string& seen) {
  LOCI_ASSIGN_OR_RETURN(Collection notes, database.collection("notes"));
  LOCI_ASSIGN_OR_RETURN(const int64_t count, notes.remove_where("lang = 'de' AND year >= 2010"));
  seen = text_of(count);
  return {};
}

Status search(Database& database, std::string& seen, SearchMode mode) {
  LOCI_ASSIGN_OR_RETURN(Collection notes, database.collection("notes"));
  const std::vector<float> query = vector(0.42);
  SearchRequest request;
  request.mode = mode;
  if (mode != SearchMode::kText) request.vector = query;
  if (mode != SearchMode::kVector) request.text = "cedar";
  request.where = "year >= 2003";
  request.snippets = mode != SearchMode::kVector;
  LOCI_ASSIGN_OR_RETURN(const SearchResult found, notes.search(request));
  const TestCode mine;
  for (const Hit& hit : found.hits) {
    // FTS5 loses the marks of a snippet, and does not say so, when memory runs out in it.
    std::string snippet = hit.snippet;
    std::erase_if(snippet, [](char c) { return c == '[' || c == ']'; });
    seen += describe(hit.record) + " score " + std::to_string(hit.score) + snippet + "\n";
  }
  return {};
}

std::string copy_of(const std::string& path) {
  const TestCode mine;
  return path + ".copy";
}

Status back_up(Database& database, std::string& /*seen*/) {
  return database.backup(copy_of(database.path()));
}

std::string backed_up(const std::string& path) {
  auto copy = Database::open(copy_of(path), {.create = false});
  return copy.ok() ? digest(*copy) + check_report(*copy) : copy.error().to_string();
}

Status several_in_one(Database& database, std::string& /*seen*/) {
  return database.transaction([&]() -> Status {
    LOCI_ASSIGN_OR_RETURN(Collection collection, database.collection("notes"));
    LOCI_RETURN_IF_ERROR(collection.insert_many(fault_rows(3000, 35)).status());
    LOCI_RETURN_IF_ERROR(collection.remove(keys({"note-1", "note-3001"})).status());
    LOCI_ASSIGN_OR_RETURN(const std::vector<Hit> hits, collection.nearest(vector(0.2), 3));
    return hits.size() == 3 ? Status() : Status::internal("fewer hits than rows");
  });
}

Status alter(Database& database, std::string& /*seen*/) {
  LOCI_ASSIGN_OR_RETURN(Collection notes, database.collection("notes"));
  return notes.add_filter_column({.name = "stars", .type = FieldType::kFloat});
}

Status purge_some(Database& database, std::string& seen) {
  LOCI_ASSIGN_OR_RETURN(Collection notes, database.collection("notes"));
  LOCI_ASSIGN_OR_RETURN(const int64_t count, notes.purge(keys({"note-2", "note-9"})));
  seen = text_of(count);
  return {};
}

Status publish(Database& database, std::string& /*seen*/) { return database.publish("notes"); }

Status search_long(Database& database, std::string& seen) {
  LOCI_ASSIGN_OR_RETURN(Collection notes, database.collection("notes"));
  LOCI_ASSIGN_OR_RETURN(const std::vector<Hit> hits, notes.nearest(vector(0.5, kLongDim), 5));
  const TestCode mine;
  for (const Hit& hit : hits) seen += text_of(to_int(hit.rowid)) + " ";
  return {};
}

Status insert_long(Database& database, std::string& seen) {
  LOCI_ASSIGN_OR_RETURN(Collection notes, database.collection("notes"));
  LOCI_ASSIGN_OR_RETURN(const WriteCount count, notes.insert_many(long_rows()));
  seen = text_of(count.inserted);
  return {};
}

/// How many files a database's folder holds beside the lock.
std::string snapshot_files(const std::string& path) {
  int64_t files = 0;
  std::error_code none;  // there is no folder
  for (const auto& file : std::filesystem::directory_iterator(path + kFolder, none)) {
    files += file.path().filename() == "lock" ? 0 : 1;
  }
  return text_of(files);
}

/// Whether a new handle starts from the snapshot.
std::string published(const std::string& path) {
  auto database = Database::open(path);
  if (!database.ok()) return database.error().to_string();
  auto notes = database->collection("notes");
  if (!notes.ok()) return notes.error().to_string();
  const std::vector<float> query = vector(0.42);
  SearchRequest request;
  request.mode = SearchMode::kVector;
  request.vector = query;
  const auto found = notes->search(request);
  if (!found.ok()) return found.error().to_string();
  return found->explain.snapshot;
}

Status search_vector(Database& database, std::string& seen) {
  return search(database, seen, SearchMode::kVector);
}

/// Rows that a graph takes in at once, and rows that go from it.
Status insert_and_search(Database& database, std::string& seen) {
  LOCI_ASSIGN_OR_RETURN(Collection notes, database.collection("notes"));
  LOCI_RETURN_IF_ERROR(notes.nearest(vector(0.42), 3).status());
  LOCI_RETURN_IF_ERROR(database.transaction([&]() -> Status {
    LOCI_RETURN_IF_ERROR(notes.insert_many(fault_rows(600, 5)).status());
    return notes.remove(keys({"note-2", "note-7"})).status();
  }));
  return search(database, seen, SearchMode::kVector);
}

/// Those that write, read or remove a snapshot.
std::vector<Workload> snapshot_workloads() {
  DatabaseOptions in_the_file;
  in_the_file.snapshot = SnapshotMode::kInline;
  in_the_file.background = false;
  DatabaseOptions with_graph;
  with_graph.background = false;
  with_graph.graph_rows = 16;
  return {
      {"purge_published", fill_and_publish, purge_some, snapshot_files},
      {.name = "reindex",
       .prepare = fill,
       .act = [](Database& database, std::string&) { return database.reindex("notes"); },
       .publishes = true},
      {"publish", fill, publish, published},
      {"publish_again", fill_after_publishing, publish, published},
      {"search_mapped", fill_and_publish, search_vector},
      {.name = "search_read",
       .prepare = fill_and_publish,
       .act = search_vector,
       .options = {.snapshot_mmap = false}},
      {.name = "publish_inline",
       .prepare = fill_after_publishing,
       .act = publish,
       .left = published,
       .options = in_the_file},
      {.name = "search_inline",
       .prepare = fill_and_publish,
       .act = search_vector,
       .options = in_the_file},
      {.name = "purge_inline",
       .prepare = fill_and_publish,
       .act = purge_some,
       .options = in_the_file},
      {.name = "publish_graph",
       .prepare = fill_after_publishing,
       .act = publish,
       .left = published,
       .options = with_graph},
      {.name = "search_graph",
       .prepare = fill_and_publish,
       .act = insert_and_search,
       .options = with_graph},
      {.name = "search_long_tail",
       .prepare = fill_long,
       .act = search_long,
       .options = {.background = false},
       .publishes = true,
       .long_before = true},
      {.name = "close_long_tail",
       .prepare = create_long,
       .act = insert_long,
       .publishes = true,
       .long_before = true},
  };
}

std::vector<Workload> make_workloads() {
  const auto nothing = [](Database&) { return Status(); };
  const auto create = [](Database& database, std::string&) {
    return database.create_collection(fault_spec("notes")).status();
  };
  const auto search_with = [](SearchMode mode) {
    return [mode](Database& database, std::string& seen) { return search(database, seen, mode); };
  };
  std::vector<Workload> workloads = {
      {"create_database", nullptr, create},
      {.name = "open",
       .prepare = fill,
       .act = [](Database& database, std::string&) { return database.list_collections().status(); },
       .opening = true},
      {"create_second", fill,
       [](Database& database, std::string&) {
         return database.create_collection(fault_spec("others")).status();
       }},
      {"drop", fill,
       [](Database& database, std::string&) { return database.drop_collection("notes"); }},
      {"insert_one", fill, insert_one},
      {"insert_many", fill, insert_hundred},
      {"replace_many", fill, replace_some},
      {"update", fill, update_row},
      {"remove", fill, remove_rows},
      {"search_vector", fill, search_with(SearchMode::kVector)},
      {"search_text", fill, search_with(SearchMode::kText)},
      {"search_hybrid", fill, search_with(SearchMode::kHybrid)},
      {"migrate_up", nothing, [](Database& database, std::string&) { return database.migrate(); }},
      {"migrate_down", [](Database& database) { return database.migrate(); },
       [](Database& database, std::string&) { return database.migrate(0); }},
      {"backup", fill, back_up, backed_up},
      {"compact_log", fill,
       [](Database& database, std::string& seen) { return compact(database, false, seen); }},
      {"transaction", fill, several_in_one},
      {"alter", fill, alter},
      {"purge", fill, purge_some},
  };
  for (Workload& workload : snapshot_workloads()) workloads.push_back(std::move(workload));
  return workloads;
}

/// Whether a code may follow a fault of the disk or of memory. kCorruption is not among them: what
/// cannot be read is not thereby wrong.
bool fits_fault(StatusCode code) {
  return code == StatusCode::kIoError || code == StatusCode::kFull ||
         code == StatusCode::kOutOfMemory;
}

std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream bytes;
  bytes << in.rdbuf();
  return bytes.str();
}

}  // namespace

const std::vector<Workload>& fault_workloads() {
  static const std::vector<Workload> kWorkloads = make_workloads();
  return kWorkloads;
}

std::string digest(Database& database) {
  std::string text;
  const auto migrations = database.migrations();
  if (!migrations.ok()) return migrations.error().to_string();
  for (const MigrationState& step : *migrations) text += step.applied ? "applied " : "open ";
  const auto specs = database.list_collections();
  if (!specs.ok()) return specs.error().to_string();
  for (const CollectionSpec& spec : *specs) {
    text += "\n" + spec.name + ":";
    for (const FilterColumn& column : spec.filters) text += " " + column.name;
    auto collection = database.collection(spec.name);
    if (!collection.ok()) return collection.error().to_string();
    text += "\n" + dump(*collection);
  }
  return text;
}

FaultRun::FaultRun(const Workload& workload) : workload_(workload) {
  const TempDir dir;
  const std::string path = dir.file("base.db");
  if (workload_.prepare) {
    auto database = Database::open(path, workload_.options);
    EXPECT_OK(database);
    EXPECT_OK(workload_.prepare(*database));
    before_ = digest(*database);
  }
  template_files_[""] = read_file(path);  // closed: the WAL is in it
  std::error_code none;                   // no folder
  for (const auto& file : std::filesystem::directory_iterator(path + kFolder, none)) {
    template_files_[std::string(kFolder) + "/" + file.path().filename().string()] =
        read_file(file.path().string());
  }
  auto database = Database::open(path, workload_.options);
  EXPECT_OK(database);
  if (!workload_.prepare) before_ = digest(*database);
  EXPECT_OK(workload_.act(*database, seen_));
  after_ = digest(*database);
  if (workload_.left) left_ = workload_.left(path);
}

void FaultRun::prepare(const std::string& path) const {
  if (!workload_.prepare) return;
  if (template_files_.size() > 1) std::filesystem::create_directory(path + kFolder);
  for (const auto& [name, bytes] : template_files_) {
    std::ofstream(path + name, std::ios::binary) << bytes;
  }
}

Status FaultRun::act_once(const std::string& path, std::string& seen,
                          const Injector& injector) const {
  LOCI_ASSIGN_OR_RETURN(Database database, Database::open(path, workload_.options));
  if (injector.opened) injector.opened();
  return workload_.act(database, seen);
}

void FaultRun::verify_outcome(const std::string& path, const Status& status,
                              const std::string& seen, bool fired, const Injector& injector) const {
  if (injector.in_publication) {
    EXPECT_OK(status) << "its own job was done";
  }
  const bool any_code = injector.sqlite_memory && sqlite_version() < "3.45";
  if (status.ok()) {
    EXPECT_EQ(seen, seen_) << "success was reported, and something else was seen";
    if (workload_.left) {
      EXPECT_EQ(workload_.left(path), left_);
    }
  } else {
    EXPECT_TRUE(fired) << "failed without a fault: " << status.to_string();
    EXPECT_TRUE(any_code || fits_fault(status.code())) << status.to_string();
  }
}

void FaultRun::verify_state(Database& database, bool happened) const {
  const std::string state = digest(database);
  if (happened) {
    EXPECT_EQ(state, after_) << "success was reported";
  } else if (state != after_) {
    EXPECT_EQ(state, before_) << "neither all nor nothing has happened";
  }
  EXPECT_EQ(check_report(database), "");
  const auto specs = database.list_collections();
  ASSERT_OK(specs);
  for (const CollectionSpec& spec : *specs) {
    auto collection = database.collection(spec.name);
    ASSERT_OK(collection);
    EXPECT_EQ(search_differs_from_rows(*collection), "");
  }
  if (!happened && state == before_) rerun(database);
}

void FaultRun::rerun(Database& database) const {
  std::string seen;
  const Status status = workload_.act(database, seen);
  // What was left whole though its end had failed is not made again.
  if (status.code() != StatusCode::kAlreadyExists || !workload_.left) {
    EXPECT_OK(status) << "the run after the fault";
    EXPECT_EQ(seen, seen_);
  }
  EXPECT_EQ(digest(database), after_);
  if (workload_.left) {
    EXPECT_EQ(workload_.left(database.path()), left_);
  }
}

void FaultRun::verify_closed(const std::string& path, bool happened) const {
  auto database = Database::open(path, workload_.options);
  ASSERT_OK(database);
  verify_state(*database, happened);
}

FaultRun::Calls FaultRun::count(Handle handle, const Injector& injector) const {
  Calls calls;
  const Injector counter = {.arm =
                                [&] {
                                  FaultVfs::get().at_snapshot_folder([&] {
                                    if (workload_.publishes && calls.own == 0)
                                      calls.own = injector.count();
                                  });
                                  injector.arm();
                                },
                            .disarm =
                                [&] {
                                  calls.all = injector.count();
                                  FaultVfs::get().at_snapshot_folder(nullptr);
                                  return injector.disarm();
                                },
                            .count = injector.count,
                            .opened = [&] { calls.opened = injector.count(); }};
  EXPECT_FALSE(run(handle, counter));
  if (calls.own == 0) {
    EXPECT_FALSE(workload_.publishes) << "nothing was published";
    calls.own = calls.all;
  }
  return calls;
}

std::vector<int64_t> FaultRun::chosen(const Calls& calls, int runs, int64_t opening_step) const {
  std::vector<int64_t> chosen;
  const auto add = [&](int64_t first, int64_t last, int64_t step) {
    for (int64_t n = first; n <= last; n += step) chosen.push_back(n);
  };
  // A step of odd length does not meet the same place of every row.
  const auto spread = [](int64_t count, int64_t wanted) {
    return std::max<int64_t>(1, count / std::max<int64_t>(1, wanted)) | 1;
  };
  if (!soak() || workload_.long_before) {
    add(1, calls.own, spread(calls.own, workload_.long_before ? runs / 4 : runs));
  } else {
    const bool opens_alike = workload_.prepare != nullptr && !workload_.opening;
    add(1, calls.opened, opens_alike ? opening_step : 1);
    add(calls.opened + 1, calls.own, 1);
  }
  add(calls.own + 1, calls.all, soak() ? 1 : spread(calls.all - calls.own, runs));
  return chosen;
}

bool FaultRun::run(Handle handle, const Injector& injector) const {
  const TempDir dir;
  const std::string path = dir.file("base.db");
  prepare(path);
  std::string seen;
  Status status;
  bool fired = false;
  if (handle == Handle::kFresh) {
    injector.arm();
    status = act_once(path, seen, injector);
    fired = injector.disarm();
    verify_outcome(path, status, seen, fired, injector);
  } else {
    auto database = Database::open(path, workload_.options);
    EXPECT_OK(database);
    if (!database.ok()) return false;
    if (auto notes = database->collection("notes"); notes.ok()) {
      EXPECT_OK(notes->nearest(sine_vector(kDim, 0.3), 1));  // its image is built
    }
    injector.arm();
    status = workload_.act(*database, seen);
    fired = injector.disarm();
    verify_outcome(path, status, seen, fired, injector);
    verify_state(*database, status.ok());
  }
  if (handle == Handle::kFresh) {
    verify_closed(path, status.ok());
  } else {
    auto database = Database::open(path);
    EXPECT_OK(database);
    if (database.ok()) {
      EXPECT_EQ(check_report(*database), "");
    }
  }
  return fired;
}

}  // namespace loci::testing

// SPDX-License-Identifier: Apache-2.0
//
// Bad input: each case is a clear error that says what, which, got and allowed, and changes
// nothing. The contents are compared before and after.
#include <gtest/gtest.h>

#include <signal.h>  // SIGXFSZ: POSIX
#include <sys/resource.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <string>
#include <vector>

#include "loci/loci.h"
#include "support/fixture.h"
#include "support/process.h"
#include "support/temp_dir.h"

namespace loci::testing {
namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

CollectionSpec docs_spec() {
  CollectionSpec spec;
  spec.name = "docs";
  spec.vectors = {vector_column("embedding", 4, Metric::kCosine)};
  spec.text = {"body"};
  spec.filters = {{"lang", FieldType::kText}, {"year", FieldType::kInt}};
  return spec;
}

Record good_record(const std::string& id) {
  Record record = vector_record(id, {1, 2, 3, 4});
  record.fields = {{"body", "some words"}, {"lang", std::string("rust")}, {"year", int64_t{2020}}};
  record.metadata = R"({"a": 1})";
  return record;
}

/// A file with three rows; every test must leave them as they are.
class BadInputTest : public ::testing::Test {
 protected:
  void SetUp() override {
    open();
    Result<Collection> docs = database_->create_collection(docs_spec());
    ASSERT_OK(docs);
    docs_.emplace(*std::move(docs));
    for (const char* id : {"a", "b", "c"}) ASSERT_OK(docs_->insert(good_record(id)));
    before_ = dump(*docs_);
  }
  void TearDown() override {
    if (!docs_.has_value()) return;
    EXPECT_EQ(dump(*docs_), before_) << "something was changed";
    EXPECT_EQ(check_report(*database_), "");
  }
  void open() {
    Result<Database> database = Database::open(path());
    ASSERT_OK(database);
    database_.emplace(*std::move(database));
  }
  void close() {
    docs_.reset();
    database_.reset();
  }
  void shell(std::string_view script) {
    const ProcessResult result = sqlite_shell(path(), script);
    ASSERT_EQ(result.exit_code, 0) << result.error;
  }
  /// The record is refused by insert, by insert_many after a good one, and by update.
  void expect_refused(const Record& record, std::initializer_list<std::string_view> parts) {
    EXPECT_TRUE(fails_with(docs_->insert(record), StatusCode::kInvalidArgument, parts));
    const std::vector<Record> batch = {good_record("d"), record};
    EXPECT_TRUE(fails_with(docs_->insert_many(batch), StatusCode::kInvalidArgument, parts));
    EXPECT_TRUE(fails_with(docs_->update("a", record), StatusCode::kInvalidArgument, parts));
    EXPECT_EQ(dump(*docs_), before_);
  }
  [[nodiscard]] std::string path() const { return dir_.file("bad.db"); }

  TempDir dir_;
  std::optional<Database> database_;
  std::optional<Collection> docs_;
  std::string before_;
};

TEST_F(BadInputTest, WrongDimension) {
  expect_refused(vector_record("", {1, 2, 3}), {"docs", "embedding", "3", "4"});
  expect_refused(vector_record("", {1, 2, 3, 4, 5}), {"docs", "embedding", "5", "4"});
  const std::vector<float> query = {1, 2};
  EXPECT_TRUE(fails_with(docs_->nearest(query, 5), StatusCode::kInvalidArgument,
                         {"docs", "embedding", "2", "4"}));
}

TEST_F(BadInputTest, NotANumberAndInfinity) {
  for (const float bad : {kNaN, kInfinity, -kInfinity}) {
    expect_refused(vector_record("", {1, 2, bad, 4}), {"docs", "embedding", "2"});
    const std::vector<float> query = {1, bad, 3, 4};
    EXPECT_TRUE(fails_with(docs_->nearest(query, 5), StatusCode::kInvalidArgument));
  }
  SearchRequest request;
  request.mode = SearchMode::kVector;
  const std::vector<float> query = {1, 2, 3, 4};
  request.vector = query;
  request.max_distance = std::nan("");
  EXPECT_TRUE(fails_with(docs_->search(request), StatusCode::kInvalidArgument, {"max_distance"}));
}

TEST_F(BadInputTest, ZeroVectorHasNoDirection) {
  expect_refused(vector_record("", {0, 0, 0, 0}), {"docs", "embedding", "zero", "cosine"});
  const std::vector<float> zero = {0, 0, 0, 0};
  EXPECT_TRUE(fails_with(docs_->nearest(zero, 5), StatusCode::kInvalidArgument, {"zero"}));
}

TEST_F(BadInputTest, UnknownColumnOrWrongType) {
  Record unknown = good_record("");
  unknown.id.reset();
  unknown.fields.emplace_back("colour", std::string("red"));
  expect_refused(unknown, {"docs", "colour"});
  Record wrong_type;
  wrong_type.fields = {{"year", std::string("twenty")}};
  expect_refused(wrong_type, {"docs", "year", "int"});
  Record wrong_vector;
  wrong_vector.vectors = {{"picture", {1, 2, 3, 4}}};
  expect_refused(wrong_vector, {"docs", "picture"});
  Record bad_metadata;
  for (const char* text : {"{\"a\": ", "[1, 2]", "7", ""}) {
    bad_metadata.metadata = text;
    expect_refused(bad_metadata, {"docs", "metadata"});
  }
}

TEST_F(BadInputTest, BrokenFilterExpression) {
  const auto refused = [&](std::string_view where, std::initializer_list<std::string_view> parts) {
    EXPECT_TRUE(fails_with(docs_->count(where), StatusCode::kInvalidArgument, parts)) << where;
    EXPECT_TRUE(fails_with(docs_->remove_where(where), StatusCode::kInvalidArgument, parts));
    SearchRequest request;
    request.mode = SearchMode::kText;
    request.text = "words";
    request.where = where;
    EXPECT_TRUE(fails_with(docs_->search(request), StatusCode::kInvalidArgument, parts)) << where;
  };
  refused("langg = 'rust'", {"langg", "lang"});  // names what is there
  refused("lang = ", {});
  refused("lang = 'rust", {});
  refused("lang = 'rust' AND", {});
  refused("(lang = 'rust'", {});
  refused("year = 'x'", {"year"});
  refused("1; DROP TABLE docs", {});
  refused("lang = 'a'); DELETE FROM docs; --", {});
}

TEST_F(BadInputTest, SearchThatCannotBeServed) {
  SearchRequest request;
  EXPECT_FALSE(docs_->search(request).ok()) << "neither words nor a vector";
  request.text = "words";
  request.k = 0;
  EXPECT_TRUE(fails_with(docs_->search(request), StatusCode::kInvalidArgument, {"k"}));
  request.k = 5;
  request.mode = SearchMode::kVector;  // words alone, and the column has no model
  EXPECT_TRUE(fails_with(docs_->search(request), StatusCode::kFailedPrecondition,
                         {"docs", "embedding", "model"}));
}

TEST_F(BadInputTest, TakenId) {
  EXPECT_TRUE(
      fails_with(docs_->insert(good_record("b")), StatusCode::kAlreadyExists, {"docs", "b"}));
  Record record;
  record.rowid = RowId{2};
  EXPECT_TRUE(fails_with(docs_->insert(record), StatusCode::kAlreadyExists, {"docs", "2"}));
  const std::vector<Record> batch = {good_record("d"), good_record("d")};
  EXPECT_TRUE(fails_with(docs_->insert_many(batch), StatusCode::kAlreadyExists, {"docs", "d"}));
}

TEST_F(BadInputTest, CollectionThatIsNotThere) {
  EXPECT_TRUE(fails_with(database_->collection("dcos"), StatusCode::kNotFound, {"dcos", "docs"}));
  EXPECT_TRUE(fails_with(database_->drop_collection("dcos"), StatusCode::kNotFound, {"dcos"}));
  EXPECT_TRUE(
      fails_with(database_->create_collection(docs_spec()), StatusCode::kAlreadyExists, {"docs"}));
  CollectionSpec spec = docs_spec();
  for (const char* name : {"", "1st", "a b", "x\";DROP TABLE docs", "loci_meta", "sqlite_x"}) {
    spec.name = name;
    EXPECT_TRUE(fails_with(database_->create_collection(spec), StatusCode::kInvalidArgument))
        << name;
  }
  spec.name = "huge";
  spec.vectors[0].dim = 8193;
  EXPECT_TRUE(fails_with(database_->create_collection(spec), StatusCode::kInvalidArgument,
                         {"8193", "8192"}));
  spec.vectors[0].dim = 0;
  EXPECT_TRUE(fails_with(database_->create_collection(spec), StatusCode::kInvalidArgument));
}

TEST_F(BadInputTest, DirectoryInsteadOfAFile) {
  EXPECT_TRUE(fails_with(Database::open(dir_.path().string()), StatusCode::kInvalidArgument,
                         {dir_.path().string(), "directory"}));
}

TEST_F(BadInputTest, FileThatIsNotADatabase) {
  const std::string text = dir_.file("letter.txt");
  const std::string letter =
      "Dear Sir or Madam, this is no database at all. " + std::string(5000, 'x');
  std::ofstream(text) << letter;
  EXPECT_TRUE(fails_with(Database::open(text), StatusCode::kCorruption, {"letter.txt"}));
  EXPECT_EQ(read_bytes_elsewhere(text), letter);
  DatabaseOptions must_exist;
  must_exist.create = false;
  EXPECT_TRUE(fails_with(Database::open(dir_.file("absent.db"), must_exist), StatusCode::kNotFound,
                         {"absent.db"}));
  EXPECT_FALSE(std::filesystem::exists(dir_.file("absent.db")));
}

TEST_F(BadInputTest, DatabaseOfANewerVersion) {
  close();
  shell("UPDATE loci_meta SET value = 999 WHERE key = 'schema_version';");
  const std::string bytes = read_bytes_elsewhere(path());
  const auto opened = Database::open(path());
  EXPECT_TRUE(fails_with(opened, StatusCode::kFailedPrecondition, {"999", "newer"}));
  EXPECT_EQ(read_bytes_elsewhere(path()), bytes) << "the newer file was touched";
}

TEST_F(BadInputTest, ReadOnlyHandleReadsAndRefusesToWrite) {
  DatabaseOptions options;
  options.read_only = true;
  Result<Database> reader = Database::open(path(), options);
  ASSERT_OK(reader);
  Result<Collection> docs = reader->collection("docs");
  ASSERT_OK(docs);
  const std::vector<float> query = {1, 2, 3, 4};
  const auto found = docs->nearest(query, 5);
  ASSERT_OK(found);
  EXPECT_EQ(found->size(), 3U);
  EXPECT_TRUE(
      fails_with(docs->insert(good_record("d")), StatusCode::kFailedPrecondition, {"read-only"}));
  EXPECT_TRUE(fails_with(reader->create_collection(docs_spec()), StatusCode::kFailedPrecondition,
                         {"read-only"}));
}

/// Reads the file, tries to write it; 0, or the number of the step that failed.
int read_where_nothing_may_be_written(const std::string& path, const std::string& expected) {
  DatabaseOptions options;
  options.read_only = true;
  Result<Database> reader = Database::open(path, options);
  if (!reader.ok()) return 1;
  Result<Collection> docs = reader->collection("docs");
  if (!docs.ok()) return 2;
  const std::vector<float> query = {1, 2, 3, 4};
  const auto found = docs->nearest(query, 5);
  if (!found.ok() || found->size() != 3) return 3;
  if (dump(*docs) != expected) return 4;
  if (docs->insert(good_record("d")).status().code() != StatusCode::kFailedPrecondition) return 5;
  // Opened for writing it must be refused, or refuse to write: with a message, never a crash.
  Result<Database> writer = Database::open(path);
  if (!writer.ok()) return writer.error().message().empty() ? 6 : 0;
  Result<Collection> same = writer->collection("docs");
  return same.ok() && same->insert(good_record("d")).ok() ? 7 : 0;
}

TEST_F(BadInputTest, ReadOnlyFileAndFolderAreStillRead) {
  close();
  namespace fs = std::filesystem;
  constexpr uid_t kNobody = 65534;
  const bool root = ::geteuid() == 0;  // root may write anywhere: then a child gives that up
  if (root) {
    ASSERT_EQ(::chown(path().c_str(), kNobody, kNobody), 0);
    ASSERT_EQ(::chown(dir_.path().c_str(), kNobody, kNobody), 0);
  }
  fs::permissions(path(), fs::perms::owner_read);
  fs::permissions(dir_.path(), fs::perms::owner_read | fs::perms::owner_exec);
  const int step = in_child([&] {
    if (root && (::setgid(kNobody) != 0 || ::setuid(kNobody) != 0)) return 99;
    return read_where_nothing_may_be_written(path(), before_);
  });
  EXPECT_EQ(step, 0) << "failed at this step of read_where_nothing_may_be_written";
  fs::permissions(dir_.path(), fs::perms::owner_all);
  fs::permissions(path(), fs::perms::owner_read | fs::perms::owner_write);
}

/// Writes until the file may not grow any more; 0, or the number of the step that failed.
int write_until_full(const std::string& path) {
  ::signal(SIGXFSZ, SIG_IGN);
  struct rlimit limit{};
  limit.rlim_cur = limit.rlim_max = 400 * 1024;
  if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) return 99;
  Result<Database> database = Database::open(path);
  if (!database.ok()) return 1;
  Result<Collection> docs = database->collection("docs");
  if (!docs.ok()) return 2;
  Record record = good_record("");
  record.id.reset();
  record.fields[0].second = std::string(2000, 'w');
  for (int i = 0; i < 100; ++i) {
    const std::vector<Record> batch(20, record);
    const auto written = docs->insert_many(batch);
    if (written.ok()) continue;
    const StatusCode code = written.error().code();
    if (code != StatusCode::kFull && code != StatusCode::kIoError) return 3;
    if (written.error().message().empty()) return 4;
    const auto count = docs->count();
    return count.ok() && (*count - 3) % 20 == 0 ? 0 : 5;  // all of a batch or none
  }
  return 6;
}

TEST_F(BadInputTest, FullDiskLosesNothingThatWasCommitted) {
  close();
  // A limit on the size of files stands in for a full disk, which takes rights to set up.
  EXPECT_EQ(in_child([&] { return write_until_full(path()); }), 0)
      << "failed at this step of write_until_full";
  open();
  Result<Collection> docs = database_->collection("docs");
  ASSERT_OK(docs);
  const auto count = docs->count();
  ASSERT_OK(count);
  EXPECT_EQ((*count - 3) % 20, 0);
  EXPECT_EQ(check_report(*database_), "");
  ASSERT_OK(docs->insert(good_record("there is room again")));
}

TEST_F(BadInputTest, TruncatedFileIsNeverReadAsWhole) {
  for (int i = 0; i < 300; ++i) {
    ASSERT_OK(docs_->insert(good_record("more-" + std::to_string(i))));
  }
  close();
  shell("PRAGMA wal_checkpoint(TRUNCATE);");
  const auto size = std::filesystem::file_size(path());
  std::filesystem::resize_file(path(), size / 2);
  Result<Database> opened = Database::open(path());
  if (!opened.ok()) {
    EXPECT_TRUE(fails_with(opened, StatusCode::kCorruption, {"bad.db"}));
    return;
  }
  const auto findings = opened->check();
  const bool reported =
      findings.ok() ? !findings->empty() : findings.error().code() == StatusCode::kCorruption;
  EXPECT_TRUE(reported) << "half of the file is gone and check() found nothing";
}

TEST_F(BadInputTest, ModelsAreNeverMixed) {
  CollectionSpec spec;
  spec.name = "modelled";
  spec.vectors = {vector_column("embedding", 64, Metric::kCosine)};
  spec.vectors[0].model = "hash:64:v1";
  spec.text = {"body"};
  Result<Collection> modelled = database_->create_collection(spec);
  ASSERT_OK(modelled);
  Record record;
  record.fields = {{"body", "some words"}};
  ASSERT_OK(modelled->insert(record));
  Result<std::shared_ptr<Embedder>> other = make_hash_embedder(32);
  ASSERT_OK(other);
  EXPECT_TRUE(fails_with(modelled->set_embedder("embedding", *other),
                         StatusCode::kFailedPrecondition, {"hash:64:v1", "hash:32:v1"}));
  EXPECT_FALSE(modelled->set_embedder("picture", *other).ok());
  EXPECT_FALSE(modelled->set_embedder("embedding", nullptr).ok());
  SearchRequest request;
  request.text = "words";
  request.mode = SearchMode::kVector;
  EXPECT_OK(modelled->search(request)) << "the recorded model still answers";
  EXPECT_TRUE(fails_with(make_embedder("none"), StatusCode::kInvalidArgument, {"hash"}));
  EXPECT_TRUE(fails_with(make_embedder("gpt-9"), StatusCode::kInvalidArgument, {"gpt-9", "hash"}));
  EXPECT_TRUE(fails_with(make_hash_embedder(4), StatusCode::kInvalidArgument, {"4", "16"}));
}

TEST_F(BadInputTest, CustomMetricThatIsNotRegistered) {
  CollectionSpec spec;
  spec.name = "custom";
  spec.vectors = {vector_column("embedding", 2, Metric::kCustom)};
  spec.vectors[0].custom_metric = "chebyshev";
  const auto chebyshev = [](VectorView a, VectorView b) {
    double most = 0;
    for (size_t i = 0; i < a.size(); ++i) {
      most = std::fmax(most, std::fabs(static_cast<double>(a[i]) - static_cast<double>(b[i])));
    }
    return most;
  };
  ASSERT_OK(database_->register_metric("chebyshev", chebyshev));
  Result<Collection> custom = database_->create_collection(spec);
  ASSERT_OK(custom);
  ASSERT_OK(custom->insert(vector_record("", {0, 3})));
  ASSERT_OK(custom->insert(vector_record("", {2, 2})));
  const std::vector<float> query = {0, 0};
  const auto found = custom->nearest(query, 2);
  ASSERT_OK(found);
  EXPECT_EQ(rowids(*found), (std::vector<int64_t>{2, 1}));
  EXPECT_DOUBLE_EQ(*found->at(0).distance, 2.0);

  Result<Database> stranger = Database::open(path());
  ASSERT_OK(stranger);
  Result<Collection> unregistered = stranger->collection("custom");
  ASSERT_OK(unregistered);
  EXPECT_TRUE(
      fails_with(unregistered->nearest(query, 2), StatusCode::kFailedPrecondition, {"chebyshev"}));
  ASSERT_OK(stranger->register_metric("chebyshev", chebyshev));
  const auto after = unregistered->nearest(query, 2);
  ASSERT_OK(after);
  EXPECT_EQ(rowids(*after), (std::vector<int64_t>{2, 1}));
}

TEST_F(BadInputTest, SqlErrorsSayWhere) {
  const auto drop = [](std::span<const std::string>, std::span<const Value>) { return Status(); };
  EXPECT_TRUE(fails_with(database_->sql("SELEC 1", drop), StatusCode::kInvalidArgument, {"SELEC"}));
  EXPECT_FALSE(database_->sql("SELECT * FROM absent", drop).ok());
}

}  // namespace
}  // namespace loci::testing

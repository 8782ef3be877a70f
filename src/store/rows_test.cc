// SPDX-License-Identifier: Apache-2.0
#include "store/rows.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>

#include "base/ids.h"
#include "base/strings.h"
#include "sqlite/query.h"

namespace loci::store {
namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

VectorColumn vector_column(std::string name, size_t dim, Metric metric, std::string model = {}) {
  VectorColumn column;
  column.name = std::move(name);
  column.dim = dim;
  column.metric = metric;
  column.model = std::move(model);
  return column;
}

Value field(const Record& record, std::string_view name) {
  for (const auto& [column, value] : record.fields) {
    if (column == name) return value;
  }
  ADD_FAILURE() << "no field " << name;
  return {};
}

std::map<std::string, std::vector<float>> vectors(const Record& record) {
  return {record.vectors.begin(), record.vectors.end()};
}

/// A collection with every kind of column, in memory.
class RowsTest : public testing::Test {
 protected:
  void SetUp() override {
    auto opened = sqlite::Connection::open(":memory:", {});
    ASSERT_TRUE(opened.ok()) << opened.error().to_string();
    connection_ = *std::move(opened);
    CollectionSpec spec;
    spec.name = "notes";
    spec.vectors = {vector_column("embedding", 3, Metric::kCosine, "hash:16:v1"),
                    vector_column("bits", 16, Metric::kHamming),
                    vector_column("flat", 2, Metric::kL2)};
    spec.text = {"title", "body"};
    spec.filters = {{"lang", FieldType::kText},
                    {"year", FieldType::kInt},
                    {"rating", FieldType::kFloat},
                    {"draft", FieldType::kBool}};
    auto created = create_collection(*connection_, spec);
    ASSERT_TRUE(created.ok()) << created.error().to_string();
    notes_ = *std::move(created);
    spec.name = "plain";
    spec.text_ids = false;
    spec.text = {"body"};
    spec.vectors.clear();
    auto plain = create_collection(*connection_, spec);
    ASSERT_TRUE(plain.ok()) << plain.error().to_string();
    plain_ = *std::move(plain);
  }

  WriteResult put(const Record& record, OnConflict on_conflict = OnConflict::kError) {
    const Result<WriteResult> written = put_row(*connection_, notes_, record, on_conflict);
    EXPECT_TRUE(written.ok()) << written.error().to_string();
    return written.ok() ? *written : WriteResult{};
  }
  Status put_error(const Record& record, OnConflict on_conflict = OnConflict::kError) {
    const Result<WriteResult> written = put_row(*connection_, notes_, record, on_conflict);
    EXPECT_FALSE(written.ok());
    return written.error();
  }
  Record get(RowId row) {
    const auto record = get_row(*connection_, notes_, row, true);
    EXPECT_TRUE(record.ok()) << record.error().to_string();
    EXPECT_TRUE(record.ok() && record->has_value()) << "no row " << to_int(row);
    return record.ok() && record->has_value() ? **record : Record{};
  }
  int64_t count(const SqlFilter& filter = {}, bool with_archived = true) {
    return count_rows(*connection_, notes_, filter, with_archived).value();
  }
  int64_t pending() { return count_pending(*connection_, notes_, 0).value(); }

  static Record full_record() {
    Record record;
    record.id = "a";
    record.fields = {{"title", "Alpha"},      {"body", "first words"}, {"lang", "en"},
                     {"year", int64_t{2020}}, {"rating", 0.5},         {"draft", true}};
    record.vectors = {{"embedding", {1, 2, 3}},
                      {"bits", {1, 0, 0, 0, 0, 0, 0, 1, -1, 2, 0, 0, 0, 0, 0, 0}},
                      {"flat", {0, 0}}};
    record.metadata = R"({"n": 1, "deep": {"x": "y"}})";
    return record;
  }

  std::unique_ptr<sqlite::Connection> connection_;
  Source notes_;
  Source plain_;
};

TEST_F(RowsTest, WhatIsPutIsGot) {
  const Record put_in = full_record();
  const WriteResult written = put(put_in);
  EXPECT_EQ(written.outcome, WriteOutcome::kInserted);
  const Record record = get(written.rowid);
  EXPECT_EQ(record.rowid, written.rowid);
  EXPECT_EQ(record.id, "a");
  EXPECT_EQ(record.fields, put_in.fields);
  EXPECT_EQ(record.metadata, put_in.metadata);
  EXPECT_FALSE(record.archived);
  EXPECT_GT(record.created_at_us, int64_t{1700000000} * 1000000);
  EXPECT_EQ(record.created_at_us, record.updated_at_us);
  EXPECT_EQ(vectors(record)["embedding"], (std::vector<float>{1, 2, 3}));
  EXPECT_EQ(vectors(record)["bits"],
            (std::vector<float>{1, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0}));
  EXPECT_EQ(vectors(record)["flat"], (std::vector<float>{0, 0}));
  const auto bits = sqlite::query_text(*connection_, "SELECT hex(bits) FROM notes_vectors");
  EXPECT_EQ(bits.value(), "8102");  // least significant bit first
}

TEST_F(RowsTest, AbsentColumnsAreNullAndIdsAreMade) {
  const WriteResult written = put({});
  const Record record = get(written.rowid);
  ASSERT_TRUE(record.id.has_value());
  EXPECT_TRUE(base::is_uuid(*record.id)) << *record.id;
  for (const Field& each : record.fields) EXPECT_EQ(each.second, Value()) << each.first;
  EXPECT_EQ(record.fields.size(), 6U);
  EXPECT_TRUE(record.vectors.empty());
  EXPECT_FALSE(record.metadata.has_value());
}

TEST_F(RowsTest, IntegersAreGoodForFloatAndBoolColumns) {
  Record record;
  record.fields = {{"rating", int64_t{3}}, {"draft", int64_t{0}}};
  const Record got = get(put(record).rowid);
  EXPECT_EQ(field(got, "rating"), Value(3.0));
  EXPECT_EQ(field(got, "draft"), Value(false));
}

TEST_F(RowsTest, BadInputIsRefusedAndChangesNothing) {
  const auto one_field = [](std::string name, Value value) {
    Record record;
    record.fields = {{std::move(name), std::move(value)}};
    return record;
  };
  const auto one_vector = [](std::string name, std::vector<float> vector) {
    Record record;
    record.vectors = {{std::move(name), std::move(vector)}};
    return record;
  };
  const auto with_id = [](std::string id) {
    Record record;
    record.id = std::move(id);
    return record;
  };
  const auto with_metadata = [](std::string metadata) {
    Record record;
    record.metadata = std::move(metadata);
    return record;
  };
  Record twice;
  twice.fields = {{"lang", "a"}, {"lang", "b"}};
  Record no_row;
  no_row.rowid = kNoRow;
  const std::pair<Record, std::string_view> cases[] = {
      {one_field("lnag", "en"), "collection 'notes': no column 'lnag'; did you mean 'lang'?"},
      {one_field("x_y_z", "en"), "Columns: title, body, lang, year, rating, draft, embedding"},
      {one_field("title", int64_t{1}), "column 'title' is text, got an integer"},
      {one_field("lang", 1.5), "column 'lang' is text, got a float"},
      {one_field("year", 1.5), "column 'year' is int, got a float"},
      {one_field("year", "1"), "column 'year' is int, got text"},
      {one_field("year", true), "column 'year' is int, got a bool"},
      {one_field("rating", "1"), "column 'rating' is float, got text"},
      {one_field("rating", std::nan("")), "column 'rating': nan is not a finite number"},
      {one_field("draft", int64_t{2}), "column 'draft' is bool, got an integer"},
      {one_field("title", std::string("a\0b", 3)), "column 'title': text holds a NUL byte at 1"},
      {one_field("body", "\xff"), "column 'body': text is not UTF-8"},
      {twice, "column 'lang' is given twice"},
      {no_row, "is reserved"},
      {one_vector("embedding", {1, 2}),
       "collection 'notes', column 'embedding': dim 2, expected 3"},
      {one_vector("embedding", {1, kNaN, 1}), "column 'embedding': component 1 is NaN"},
      {one_vector("flat", {1, -kInfinity}), "column 'flat': component 1 is infinite"},
      {one_vector("embedding", {0, -0.0F, 0}), "a zero vector has no direction"},
      {one_vector("embeding", {1, 2, 3}), "did you mean 'embedding'?"},
      {with_id(""), "id is empty"},
      {with_id("\xc3"), "column 'id': text is not UTF-8"},
      {with_id(std::string(1025, 'a')), "column 'id': 1025 bytes, at most 1024"},
      {with_metadata("[1]"), "metadata must be a JSON object, got array: [1]"},
      {with_metadata("{"), "got text that is not JSON: {"},
      {with_metadata("null"), "got null"},
      {with_metadata("\xff"), "column 'metadata': text is not UTF-8"},
  };
  for (const auto& [record, part] : cases) {
    const Status error = put_error(record);
    EXPECT_EQ(error.code(), StatusCode::kInvalidArgument) << part;
    EXPECT_TRUE(contains(error.message(), part)) << error.message() << "\n expected: " << part;
  }
  EXPECT_EQ(count(), 0);
  const auto id_error = put_row(*connection_, plain_, with_id("x"), OnConflict::kError);
  EXPECT_TRUE(contains(id_error.error().message(), "has no text ids"))
      << id_error.error().message();
}

TEST_F(RowsTest, ConflictIsAnErrorThatNamesTheRow) {
  Record record = full_record();
  record.rowid = RowId{7};
  put(record);
  record.rowid.reset();
  Status error = put_error(record);
  EXPECT_EQ(error.code(), StatusCode::kAlreadyExists);
  EXPECT_EQ(error.message(), "collection 'notes': id 'a' is already there (row 7)");
  record.id = "b";
  record.rowid = RowId{7};
  error = put_error(record);
  EXPECT_EQ(error.code(), StatusCode::kAlreadyExists);
  EXPECT_EQ(error.message(), "collection 'notes': row 7 is already there");
  EXPECT_EQ(count(), 1);
}

TEST_F(RowsTest, UpdateChangesOnlyTheGivenColumns) {
  const RowId row = put(full_record()).rowid;
  Record change;
  change.id = "a";
  change.fields = {{"year", int64_t{2021}}, {"lang", Value()}};
  change.vectors = {{"flat", {5, 6}}};
  const WriteResult written = put(change, OnConflict::kUpdate);
  EXPECT_EQ(written.outcome, WriteOutcome::kUpdated);
  EXPECT_EQ(written.rowid, row);
  const Record record = get(row);
  EXPECT_EQ(field(record, "year"), Value(int64_t{2021}));
  EXPECT_EQ(field(record, "lang"), Value());
  EXPECT_EQ(field(record, "title"), Value("Alpha"));
  EXPECT_EQ(record.metadata, full_record().metadata);
  EXPECT_EQ(vectors(record)["flat"], (std::vector<float>{5, 6}));
  EXPECT_EQ(vectors(record)["embedding"], (std::vector<float>{1, 2, 3}));
  EXPECT_GE(record.updated_at_us, record.created_at_us);
}

TEST_F(RowsTest, ReplaceKeepsOnlyWhatNamesTheRow) {
  const RowId row = put(full_record()).rowid;
  ASSERT_TRUE(*set_archived(*connection_, notes_, row, true));
  Record next;
  next.rowid = row;
  next.fields = {{"title", "Beta"}};
  EXPECT_EQ(put(next, OnConflict::kReplace).outcome, WriteOutcome::kUpdated);
  const Record record = get(row);
  EXPECT_EQ(record.id, "a");
  EXPECT_EQ(field(record, "title"), Value("Beta"));
  EXPECT_EQ(field(record, "lang"), Value());
  EXPECT_FALSE(record.metadata.has_value());
  EXPECT_TRUE(record.vectors.empty());
  EXPECT_FALSE(record.archived);
  EXPECT_EQ(count(), 1);
}

TEST_F(RowsTest, IgnoreLeavesTheRowAndSaysWhichItIs) {
  const RowId row = put(full_record()).rowid;
  Record other = full_record();
  other.fields = {{"title", "Other"}};
  const WriteResult written = put(other, OnConflict::kIgnore);
  EXPECT_EQ(written.outcome, WriteOutcome::kIgnored);
  EXPECT_EQ(written.rowid, row);
  EXPECT_EQ(field(get(row), "title"), Value("Alpha"));
  other.id = "new";
  EXPECT_EQ(put(other, OnConflict::kIgnore).outcome, WriteOutcome::kInserted);
}

TEST_F(RowsTest, IdAndRowidThatNameDifferentRowsAreRefused) {
  const RowId a = put(full_record()).rowid;
  Record b;
  b.id = "b";
  const RowId row_b = put(b).rowid;
  for (const OnConflict on_conflict : {OnConflict::kUpdate, OnConflict::kReplace}) {
    Record mixed;
    mixed.id = "a";
    mixed.rowid = row_b;
    Status error = put_error(mixed, on_conflict);
    EXPECT_EQ(error.code(), StatusCode::kInvalidArgument);
    EXPECT_TRUE(contains(error.message(), "id 'a' is row 1, but rowid 2")) << error.message();
    mixed.rowid = RowId{99};
    error = put_error(mixed, on_conflict);
    EXPECT_TRUE(contains(error.message(), "id 'a' is row 1, but rowid 99")) << error.message();
    mixed.id = "unknown";
    mixed.rowid = a;
    error = put_error(mixed, on_conflict);
    EXPECT_TRUE(contains(error.message(), "row 1 has id 'a', but id 'unknown'")) << error.message();
  }
  EXPECT_EQ(count(), 2);
}

TEST_F(RowsTest, UpdateRowGivesAnotherIdUnlessItIsTaken) {
  const RowId row = put(full_record()).rowid;
  Record b;
  b.id = "b";
  put(b);
  Record change;
  change.id = "b";
  const Status taken = update_row(*connection_, notes_, row, change);
  EXPECT_EQ(taken.code(), StatusCode::kAlreadyExists);
  EXPECT_TRUE(contains(taken.message(), "id 'b' is already there (row 2)")) << taken.message();
  change.id = "c";
  ASSERT_TRUE(update_row(*connection_, notes_, row, change).ok());
  EXPECT_EQ(*find_row(*connection_, notes_, RowKey("c")), row);
  EXPECT_EQ(*find_row(*connection_, notes_, RowKey("a")), std::nullopt);
  EXPECT_EQ(update_row(*connection_, notes_, RowId{99}, change).code(), StatusCode::kNotFound);
  change.rowid = RowId{5};
  EXPECT_EQ(update_row(*connection_, notes_, row, change).code(), StatusCode::kInvalidArgument);
}

TEST_F(RowsTest, ChangedTextMakesItsVectorPendingUntilOneIsPut) {
  const RowId row = put(full_record()).rowid;
  EXPECT_EQ(pending(), 0);
  Record change;
  change.fields = {{"body", "other words"}};
  ASSERT_TRUE(update_row(*connection_, notes_, row, change).ok());
  EXPECT_EQ(pending(), 1);
  EXPECT_EQ(vectors(get(row)).count("embedding"), 0U) << "a stale vector is not handed out";
  EXPECT_EQ(vectors(get(row)).count("flat"), 1U) << "no model, never stale";
  const auto rows = read_pending(*connection_, notes_, 0, kNoRow, 10);
  ASSERT_EQ(rows->size(), 1U);
  EXPECT_EQ(rows->at(0).rowid, row);
  EXPECT_EQ(rows->at(0).text, "Alpha\nother words");
  EXPECT_TRUE(read_pending(*connection_, notes_, 0, row, 10)->empty());
  EXPECT_TRUE(read_pending(*connection_, notes_, 1, kNoRow, 10)->empty());
  const std::vector<float> vector = {3, 2, 1};
  ASSERT_TRUE(put_vector(*connection_, notes_, 0, row, vector).ok());
  EXPECT_EQ(pending(), 0);
  EXPECT_EQ(vectors(get(row))["embedding"], vector);
  change.fields = {{"body", "again"}};
  change.vectors = {{"embedding", {1, 1, 1}}};
  ASSERT_TRUE(update_row(*connection_, notes_, row, change).ok());
  EXPECT_EQ(pending(), 0) << "text and vector came together";
  EXPECT_EQ(put_vector(*connection_, notes_, 0, RowId{99}, vector).code(), StatusCode::kNotFound);
}

TEST_F(RowsTest, TextWithoutVectorIsPendingAndAnEmptyTextIsNot) {
  Record text_only;
  text_only.fields = {{"body", "words"}};
  const RowId first = put(text_only).rowid;
  Record beside;  // another vector column is given: the model's is still awaited
  beside.fields = {{"title", "more"}};
  beside.vectors = {{"flat", {1, 2}}};
  const RowId second = put(beside).rowid;
  put({});
  Record empty;
  empty.fields = {{"title", ""}};
  put(empty);
  Record cleared = text_only;  // the caller wants no vector
  cleared.vectors = {{"embedding", {}}};
  put(cleared);
  EXPECT_EQ(pending(), 2);
  const auto rows = read_pending(*connection_, notes_, 0, kNoRow, 10);
  ASSERT_EQ(rows->size(), 2U);
  EXPECT_EQ(rows->at(0).rowid, first);
  EXPECT_EQ(rows->at(1).rowid, second);
  EXPECT_EQ(read_pending(*connection_, notes_, 0, kNoRow, 1)->size(), 1U);
}

TEST_F(RowsTest, AnEmptyVectorClearsTheColumn) {
  const RowId row = put(full_record()).rowid;
  Record change;
  change.vectors = {{"embedding", {}}, {"bits", {}}};
  ASSERT_TRUE(update_row(*connection_, notes_, row, change).ok());
  const Record record = get(row);
  EXPECT_EQ(vectors(record).size(), 1U);
  EXPECT_EQ(pending(), 0);
}

TEST_F(RowsTest, EmbeddingTextJoinsTextColumnsInSpecOrder) {
  Record record;
  record.fields = {{"body", "b"}, {"lang", "x"}, {"title", "t"}};
  EXPECT_EQ(embedding_text(notes_, record), "t\nb");
  record.fields = {{"body", "b"}, {"title", Value()}};
  EXPECT_EQ(embedding_text(notes_, record), "b");
  EXPECT_EQ(embedding_text(notes_, {}), "");
}

TEST_F(RowsTest, ArchivedRowsAreHiddenUnlessAskedFor) {
  const RowId row = put(full_record()).rowid;
  put({});
  EXPECT_TRUE(*set_archived(*connection_, notes_, row, true));
  EXPECT_FALSE(*set_archived(*connection_, notes_, row, true));
  EXPECT_FALSE(*set_archived(*connection_, notes_, RowId{99}, true));
  EXPECT_EQ(count({}, false), 1);
  EXPECT_EQ(count({}, true), 2);
  EXPECT_TRUE(get(row).archived);
  const CollectionStats counted = *stats(*connection_, notes_);
  EXPECT_EQ(counted.rows, 1);
  EXPECT_EQ(counted.archived, 1);
  EXPECT_TRUE(*set_archived(*connection_, notes_, row, false));
  EXPECT_EQ(count({}, false), 2);
}

TEST_F(RowsTest, ScanGoesByRowidWithFilterLimitAndOffset) {
  for (int64_t i = 1; i <= 20; ++i) {
    Record record;
    record.rowid = RowId{21 - i};
    record.fields = {{"year", int64_t{21 - i} % 4}};
    put(record);
  }
  ASSERT_TRUE(*set_archived(*connection_, notes_, RowId{6}, true));
  const auto scan = [&](const SqlFilter& filter, const ScanOptions& options) {
    std::vector<int64_t> rows;
    const Status status =
        scan_rows(*connection_, notes_, filter, options, [&](const Record& record) -> Status {
          rows.push_back(to_int(*record.rowid));
          return {};
        });
    EXPECT_TRUE(status.ok()) << status.to_string();
    return rows;
  };
  const SqlFilter even = {"(t.\"year\" = ?)", {int64_t{2}}};
  EXPECT_EQ(scan(even, {}), (std::vector<int64_t>{2, 10, 14, 18}));
  EXPECT_EQ(scan(even, {.with_archived = true}), (std::vector<int64_t>{2, 6, 10, 14, 18}));
  EXPECT_EQ(scan(even, {.limit = 2, .offset = 1}), (std::vector<int64_t>{10, 14}));
  EXPECT_EQ(scan({}, {.with_vectors = true, .limit = 3}), (std::vector<int64_t>{1, 2, 3}));
  EXPECT_EQ(count(even, false), 4);
  EXPECT_EQ(select_rowids(*connection_, notes_, even)->size(), 5U);
  const Status stopped = scan_rows(*connection_, notes_, {}, {},
                                   [](const Record&) { return Status::cancelled("enough"); });
  EXPECT_EQ(stopped.code(), StatusCode::kCancelled);
  EXPECT_EQ(*remove_rows(*connection_, notes_, even), 5);
  EXPECT_EQ(count(), 15);
  EXPECT_EQ(*remove_rows(*connection_, notes_, {}), 15);
}

TEST_F(RowsTest, RemovedRowsTakeTheirVectorsAlong) {
  const RowId row = put(full_record()).rowid;
  EXPECT_TRUE(*remove_row(*connection_, notes_, row));
  EXPECT_FALSE(*remove_row(*connection_, notes_, row));
  EXPECT_EQ(*sqlite::query_int(*connection_, "SELECT count(*) FROM notes_vectors"), 0);
  EXPECT_FALSE(get_row(*connection_, notes_, row, true)->has_value());
  EXPECT_EQ(*find_row(*connection_, notes_, RowKey(row)), std::nullopt);
}

TEST_F(RowsTest, IndexReadsEveryRowInOrderWithoutPendingVectors) {
  Record record = full_record();
  record.rowid = RowId{5};
  put(record);
  put({});
  record.id = "c";
  record.rowid = RowId{-3};
  put(record);
  ASSERT_TRUE(*set_archived(*connection_, notes_, RowId{5}, true));
  Record change;
  change.fields = {{"body", "stale now"}};
  ASSERT_TRUE(update_row(*connection_, notes_, RowId{-3}, change).ok());
  std::string log;
  const auto visit = [&](const IndexRow& row) -> Status {
    base::str_append(log, to_int(row.rowid), row.archived ? "a" : "");
    for (const auto& vector : row.vectors) base::str_append(log, ",", vector.size());
    for (const Value& value : row.filters) base::str_append(log, "/", value.index());
    log += " ";
    return {};
  };
  ASSERT_TRUE(read_all(*connection_, notes_, visit).ok());
  EXPECT_EQ(log, "-3,0,2,8/4/1/2/3 5a,12,2,8/4/1/2/3 6,0,0,0/0/0/0/0 ");
  log.clear();
  EXPECT_TRUE(*read_one(*connection_, notes_, RowId{5}, visit));
  EXPECT_FALSE(*read_one(*connection_, notes_, RowId{99}, visit));
  EXPECT_EQ(log, "5a,12,2,8/4/1/2/3 ");
}

TEST_F(RowsTest, StatsCountVectorsThatCount) {
  const RowId row = put(full_record()).rowid;
  put({});
  Record change;
  change.fields = {{"body", "stale now"}};
  ASSERT_TRUE(update_row(*connection_, notes_, row, change).ok());
  const Result<CollectionStats> counted = stats(*connection_, notes_);
  ASSERT_TRUE(counted.ok()) << counted.error().to_string();
  EXPECT_EQ(counted->rows, 2);
  EXPECT_EQ(counted->pending, 1);
  const std::vector<std::pair<std::string, int64_t>> expected = {
      {"embedding", 0}, {"bits", 1}, {"flat", 1}};
  EXPECT_EQ(counted->vectors, expected);
  EXPECT_GT(counted->log_entries, 2);
  EXPECT_EQ(stats(*connection_, plain_)->rows, 0);
}

TEST_F(RowsTest, IntegerKeysOnlyWithoutTextIds) {
  Record record;
  record.rowid = RowId{42};
  record.fields = {{"lang", "en"}};
  ASSERT_TRUE(put_row(*connection_, plain_, record, OnConflict::kError).ok());
  ASSERT_EQ(put_row(*connection_, plain_, record, OnConflict::kReplace)->outcome,
            WriteOutcome::kUpdated);
  EXPECT_EQ(*find_row(*connection_, plain_, RowKey(RowId{42})), RowId{42});
  EXPECT_EQ(find_row(*connection_, plain_, RowKey("42")).error().code(),
            StatusCode::kInvalidArgument);
  const auto got = get_row(*connection_, plain_, RowId{42}, true);
  EXPECT_FALSE((*got)->id.has_value());
}

class UserTableRowsTest : public RowsTest {
 protected:
  Source index(const TableIndexSpec& spec) {
    Result<Source> source = create_table_index(*connection_, spec);
    EXPECT_TRUE(source.ok()) << source.error().to_string();
    return source.ok() ? *std::move(source) : Source{};
  }
  std::string rows(const Source& source) {
    std::string log;
    const Status status =
        scan_rows(*connection_, source, {}, {.with_vectors = true}, [&](const Record& record) {
          base::str_append(log, to_int(*record.rowid), ":", record.id.value_or("-"), ":",
                           record.vectors.size(), " ");
          return Status();
        });
    EXPECT_TRUE(status.ok()) << status.to_string();
    return log;
  }
};

TEST_F(UserTableRowsTest, ARowidAliasIsTheKeyAndNothingIsWritten) {
  ASSERT_TRUE(
      connection_
          ->exec("CREATE TABLE docs(no INTEGER PRIMARY KEY, body TEXT, lang TEXT, vec BLOB);"
                 "INSERT INTO docs VALUES (5, 'some words', 'en', x'0000803f00000040'),"
                 "(2, 'other words', NULL, NULL)")
          .ok());
  const Source docs = index({.name = "docs_index",
                             .table = "docs",
                             .vector = vector_column("vec", 2, Metric::kL2),
                             .filters = {{"lang", FieldType::kText}},
                             .text = {"body"},
                             .key = {}});
  EXPECT_EQ(rows(docs), "2:-:0 5:-:1 ");
  const auto five = get_row(*connection_, docs, RowId{5}, true);
  ASSERT_TRUE(five.ok() && five->has_value());
  EXPECT_EQ((*five)->vectors[0].second, (std::vector<float>{1, 2}));
  EXPECT_EQ(search_text(*connection_, docs, "\"words\"", {}, {})->size(), 2U);
  EXPECT_EQ(search_text(*connection_, docs, "\"words\"", {"t.lang = ?", {"en"}}, {})->size(), 1U);
  EXPECT_EQ(put_row(*connection_, docs, {}, OnConflict::kError).error().code(),
            StatusCode::kFailedPrecondition);
  EXPECT_EQ(remove_row(*connection_, docs, RowId{5}).error().code(),
            StatusCode::kFailedPrecondition);
  EXPECT_EQ(stats(*connection_, docs)->vectors.at(0).second, 1);
}

TEST_F(UserTableRowsTest, OtherKeysGetIntegersFromLociKeys) {
  ASSERT_TRUE(connection_
                  ->exec("CREATE TABLE docs(ds TEXT, id TEXT, body TEXT, vec BLOB, "
                         "PRIMARY KEY(ds, id)) WITHOUT ROWID;"
                         "INSERT INTO docs VALUES ('a', 'x', 'apple', x'0000803f00000040'),"
                         "('a', 'y', 'pear', NULL)")
                  .ok());
  const Source docs = index({.name = "docs_index",
                             .table = "docs",
                             .vector = vector_column("vec", 2, Metric::kL2),
                             .filters = {},
                             .text = {"body"},
                             .key = {"ds", "id"}});
  ASSERT_TRUE(
      connection_->exec("INSERT INTO docs VALUES ('b', 'x', 'plum', x'0000803f00000040')").ok());
  EXPECT_EQ(rows(docs), "1:-:1 2:-:0 3:-:1 ");
  std::string log;
  ASSERT_TRUE(read_all(*connection_, docs, [&](const IndexRow& row) -> Status {
                base::str_append(log, to_int(row.rowid), ":", row.vectors[0].size(), " ");
                return {};
              }).ok());
  EXPECT_EQ(log, "1:8 2:0 3:8 ");
  EXPECT_EQ(count_rows(*connection_, docs, {"t.ds = ?", {"a"}}, false).value(), 2);
  const auto hits = search_text(*connection_, docs, "\"plum\"", {"t.ds = ?", {"b"}}, {});
  ASSERT_TRUE(hits.ok()) << hits.error().to_string();
  ASSERT_EQ(hits->size(), 1U);
  EXPECT_EQ(hits->at(0).rowid, RowId{3});
  EXPECT_EQ(find_row(*connection_, docs, RowKey("x")).error().code(), StatusCode::kInvalidArgument);
}

TEST_F(UserTableRowsTest, ASingleKeyIsTheId) {
  ASSERT_TRUE(connection_
                  ->exec("CREATE TABLE docs(code TEXT PRIMARY KEY, vec BLOB);"
                         "INSERT INTO docs VALUES ('x', x'0000803f00000040'), ('y', NULL)")
                  .ok());
  const Source docs = index({.name = "docs_index",
                             .table = "docs",
                             .vector = vector_column("vec", 2, Metric::kL2),
                             .filters = {},
                             .text = {},
                             .key = {"code"}});
  EXPECT_EQ(rows(docs), "1:x:1 2:y:0 ");
  EXPECT_EQ(*find_row(*connection_, docs, RowKey("y")), RowId{2});
  EXPECT_EQ(*find_row(*connection_, docs, RowKey("z")), std::nullopt);
}

}  // namespace
}  // namespace loci::store

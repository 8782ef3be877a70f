// SPDX-License-Identifier: Apache-2.0
//
// Columns of narrow elements: what is stored is the input rounded, and what is got, searched, found
// by another process and mapped from a snapshot is what is stored.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "support/fixture.h"
#include "support/process.h"
#include "support/temp_dir.h"

namespace loci::testing {
namespace {

constexpr size_t kDim = 19;  // no multiple of anything
constexpr Element kElements[] = {Element::kF32, Element::kF16, Element::kBf16, Element::kI8};
constexpr Metric kMetrics[] = {Metric::kL2,      Metric::kCosine, Metric::kDot,
                               Metric::kAngular, Metric::kL1,     Metric::kCustom};

double squares(VectorView a, VectorView b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const double difference = static_cast<double>(a[i]) - static_cast<double>(b[i]);
    sum += difference * difference;
  }
  return sum;
}

std::string column_name(Metric metric) { return "by_" + std::string(metric_name(metric)); }

/// A column for each metric, all of one element.
CollectionSpec every_metric(Element element) {
  CollectionSpec spec;
  spec.name = "notes";
  for (const Metric metric : kMetrics) {
    spec.vectors.push_back(vector_column(column_name(metric), kDim, metric));
    if (metric == Metric::kCustom) spec.vectors.back().custom_metric = "squares";
    spec.vectors.back().element = element;
  }
  return spec;
}

/// What is stored of a component, by the definition of the formats: a multiple of the unit in the
/// last place, of so many significant bits and of at least the least subnormal.
float stored(Element element, float x) {
  if (element == Element::kF32 || element == Element::kI8 || x == 0) return x;
  const int bits = element == Element::kF16 ? 11 : 8;
  const int least = element == Element::kF16 ? -24 : -133;
  int exponent = 0;
  static_cast<void>(std::frexp(x, &exponent));
  const double unit = std::ldexp(1.0, std::max(exponent - bits, least));
  return static_cast<float>(std::nearbyint(static_cast<double>(x) / unit) * unit);
}

std::vector<float> stored(Element element, std::vector<float> vector) {
  for (float& x : vector) x = stored(element, x);
  return vector;
}

/// Components that the element can hold, few of them exactly.
std::vector<float> random_vector(Random& random, Element element) {
  std::vector<float> vector = random.vector(kDim);
  if (element == Element::kI8) {
    for (float& x : vector) x = std::floor(x * 128);
    vector[0] = 1;
  } else {
    const int scale = static_cast<int>(random.below(20)) - 12;  // some are subnormal halves
    for (float& x : vector) x = std::ldexp(x, scale);
  }
  return vector;
}

/// Every vector of every row: what must be there.
using Rows = std::map<int64_t, std::map<std::string, std::vector<float>>>;

double distance(Metric metric, VectorView a, VectorView b) {
  return metric == Metric::kCustom ? squares(a, b) : oracle_distance(metric, a, b);
}

/// "" when the nearest rows, and their distances, are those of what is stored.
std::string compare_search(Collection& notes, const Rows& rows, Metric metric,
                           const std::vector<float>& query) {
  constexpr size_t kNearest = 12;
  std::map<int64_t, double> expected;
  std::vector<double> sorted;
  for (const auto& [rowid, vectors] : rows) {
    const auto vector = vectors.find(column_name(metric));
    if (vector == vectors.end()) continue;
    expected[rowid] = distance(metric, query, vector->second);
    sorted.push_back(expected[rowid]);
  }
  std::sort(sorted.begin(), sorted.end());
  SearchRequest request;
  request.vector = query;
  request.column = column_name(metric);
  request.k = kNearest;
  request.with_fields = false;
  const Result<SearchResult> found = notes.search(request);
  if (!found.ok()) return found.error().to_string();
  if (found->hits.size() != std::min(kNearest, sorted.size())) return "wrong number of hits";
  for (size_t i = 0; i < found->hits.size(); ++i) {
    const Hit& hit = found->hits[i];
    const double tolerance = 1e-7 + 1e-9 * std::abs(sorted[i]);
    const double of_row = expected.at(to_int(hit.rowid));
    if (!(std::abs(*hit.distance - of_row) <= tolerance)) {
      return request.column + ": row " + std::to_string(to_int(hit.rowid)) + " at " +
             std::to_string(*hit.distance) + ", expected " + std::to_string(of_row);
    }
    if (!(std::abs(*hit.distance - sorted[i]) <= tolerance))
      return request.column + ": not nearest";
  }
  return "";
}

/// "" when reads and searches agree with the model.
std::string compare(Collection& notes, const Rows& rows, Element element) {
  size_t seen = 0;
  const Status scanned = notes.scan({}, false, true, -1, 0, [&](const Record& record) -> Status {
    const auto row = rows.find(to_int(*record.rowid));
    if (row == rows.end()) return Status::internal("a row too many");
    const std::map<std::string, std::vector<float>> got(record.vectors.begin(),
                                                        record.vectors.end());
    if (got != row->second) {
      return Status::internal("row " + std::to_string(row->first) + " has other vectors");
    }
    ++seen;
    return {};
  });
  if (!scanned.ok()) return scanned.to_string();
  if (seen != rows.size()) return "rows are missing";
  Random random(99);
  for (const Metric metric : kMetrics) {
    // Queries are not rounded; a row's own vector is found at its distance to what was stored.
    for (int i = 0; i < 4; ++i) {
      std::string fault = compare_search(notes, rows, metric, random_vector(random, element));
      if (fault.empty()) fault = compare_search(notes, rows, metric, random.vector(kDim));
      if (!fault.empty()) return fault;
    }
  }
  return "";
}

class ElementsTest : public ::testing::Test {
 protected:
  static Database open(const std::string& path, const DatabaseOptions& options = {}) {
    Result<Database> database = Database::open(path, options);
    EXPECT_OK(database);
    EXPECT_OK(database->register_metric("squares", squares));
    return *std::move(database);
  }
  Record random_record(Element element, Rows* rows, int64_t rowid) {
    Record record;
    record.rowid = RowId{rowid};
    for (const Metric metric : kMetrics) {
      if (random_.one_in(10)) continue;
      const std::string name = column_name(metric);
      record.vectors.emplace_back(name, random_vector(random_, element));
      if (rows != nullptr) (*rows)[rowid][name] = stored(element, record.vectors.back().second);
    }
    if (rows != nullptr) (*rows)[rowid];
    return record;
  }
  void fill(Collection& notes, Element element, Rows& rows) {
    std::vector<Record> batch;
    for (int64_t i = 1; i <= 300; ++i) batch.push_back(random_record(element, &rows, i));
    ASSERT_OK(notes.insert_many(batch));
    for (int64_t i = 301; i <= 330; ++i) {
      ASSERT_OK(notes.insert(random_record(element, &rows, i)));
    }
    for (int64_t i = 5; i <= 330; i += 6) {
      const Record changes = random_record(element, &rows, i);
      ASSERT_OK(notes.update(RowId{i}, changes));
    }
    for (int64_t i = 7; i <= 330; i += 11) {
      const RowKey key(RowId{i});
      ASSERT_OK(notes.remove({&key, 1}));
      rows.erase(i);
    }
  }

  TempDir dir_;
  Random random_{31};
};

TEST_F(ElementsTest, EveryElementAndMetricAnswersByWhatIsStored) {
  for (const Element element : kElements) {
    SCOPED_TRACE(element_name(element));
    const std::string path = dir_.file(std::string(element_name(element)) + ".db");
    Rows rows;
    {
      Database database = open(path);
      Result<Collection> notes = database.create_collection(every_metric(element));
      ASSERT_OK(notes);
      ASSERT_NO_FATAL_FAILURE(fill(*notes, element, rows));
      ASSERT_EQ(compare(*notes, rows, element), "");
      // The image follows what is written after it was built.
      for (int64_t i = 400; i < 420; ++i) {
        ASSERT_OK(notes->insert(random_record(element, &rows, i)));
      }
      ASSERT_EQ(compare(*notes, rows, element), "");
      ASSERT_EQ(check_report(database), "");
    }
    Database again = open(path, {.snapshot = SnapshotMode::kMemory});
    Collection notes = again.collection("notes").value();
    const CollectionSpec spec = notes.spec();
    for (const VectorColumn& column : spec.vectors) EXPECT_EQ(column.element, element);
    EXPECT_EQ(compare(notes, rows, element), "");
  }
}

TEST_F(ElementsTest, AnotherProcessMapsTheSnapshot) {
  for (const Element element : kElements) {
    for (const SnapshotMode mode : {SnapshotMode::kFile, SnapshotMode::kInline}) {
      SCOPED_TRACE(element_name(element));
      const std::string wanted = mode == SnapshotMode::kFile ? "file" : "inline";
      const std::string path = dir_.file(wanted + std::string(element_name(element)) + ".db");
      Rows rows;
      {
        Database database = open(path, {.snapshot = mode, .background = false});
        Result<Collection> notes = database.create_collection(every_metric(element));
        ASSERT_OK(notes);
        ASSERT_NO_FATAL_FAILURE(fill(*notes, element, rows));
        ASSERT_OK(database.publish("notes"));
      }
      const int failed = in_child([&]() -> int {
        Database database = open(path, {.snapshot = mode, .background = false});
        Collection notes = database.collection("notes").value();
        const std::vector<float> query = sine_vector(kDim, 1);
        SearchRequest request;
        request.vector = query;
        const Result<SearchResult> first = notes.search(request);
        if (!first.ok() || first->explain.snapshot != wanted) return 1;
        if (!compare(notes, rows, element).empty()) return 2;
        // Rows that join those of the snapshot.
        for (int64_t i = 500; i < 510; ++i) {
          if (!notes.insert(random_record(element, &rows, i)).ok()) return 3;
        }
        return compare(notes, rows, element).empty() ? 0 : 4;
      });
      EXPECT_EQ(failed, 0);
    }
  }
}

// Every input that cannot be stored, and the nearest ones that can.
TEST_F(ElementsTest, WhatAnElementCannotHoldIsNamedAndNothingIsWritten) {
  constexpr float kMax = std::numeric_limits<float>::max();
  struct Case {
    Element element;
    float bad;
    std::string said;
    float good;
  };
  const Case cases[] = {
      {Element::kF16, 65505, "component 2 is 65505, f16 holds numbers from -65504 to 65504", 65504},
      {Element::kF16, -1e9F, "component 2 is -1e+09, f16", -65504},
      {Element::kBf16, kMax, "component 2 is 3.4028235e+38, bf16 holds numbers from -3.3895314e+38",
       3.3895e38F},
      {Element::kI8, 0.5F, "component 2 is 0.5, i8 holds whole numbers from -128 to 127", 0},
      {Element::kI8, 128, "component 2 is 128, i8", 127},
      {Element::kI8, -129, "component 2 is -129, i8", -128},
      {Element::kI8, 1e30F, "component 2 is 1e+30, i8", 1},
      {Element::kF16, std::nanf(""), "component 2 is NaN", 1e-9F},
      {Element::kI8, -HUGE_VALF, "component 2 is infinite", -0.0F},
  };
  Database database = open(dir_.file("a.db"));
  int number = 0;
  for (const Case& each : cases) {
    SCOPED_TRACE(each.said);
    CollectionSpec spec;
    spec.name = "c" + std::to_string(number++);
    spec.vectors = {vector_column("embedding", 3, Metric::kCosine)};
    spec.vectors[0].element = each.element;
    Collection notes = database.create_collection(spec).value();
    ASSERT_OK(notes.insert(vector_record("good", {1, 2, each.good})));
    const std::string before = dump(notes);
    const Record bad = vector_record("bad", {1, 2, each.bad});
    const auto parts = {std::string_view(spec.name), std::string_view("embedding"),
                        std::string_view(each.said)};
    EXPECT_TRUE(fails_with(notes.insert(bad), StatusCode::kInvalidArgument, parts));
    std::vector<Record> batch(40, vector_record("", {1, 2, 3}));
    for (size_t i = 0; i < batch.size(); ++i) batch[i].id = "b" + std::to_string(i);
    batch[33] = bad;
    EXPECT_TRUE(fails_with(notes.insert_many(batch), StatusCode::kInvalidArgument, parts));
    EXPECT_TRUE(fails_with(notes.update("good", bad), StatusCode::kInvalidArgument, parts));
    EXPECT_EQ(dump(notes), before);
  }
}

TEST_F(ElementsTest, ZeroIsWhatIsStoredAsZero) {
  Database database = open(dir_.file("a.db"));
  struct Case {
    Element element;
    float zero;   // stored as zero
    float least;  // not
  };
  const Case cases[] = {{Element::kF16, 0x1p-25F, 0x1.8p-25F},
                        {Element::kBf16, 0x1p-134F, 0x1.8p-134F},
                        {Element::kI8, 0.0F, 1.0F}};
  for (const Metric metric : {Metric::kCosine, Metric::kAngular, Metric::kL2}) {
    for (const Case& each : cases) {
      SCOPED_TRACE(element_name(each.element));
      CollectionSpec spec;
      spec.name =
          "of_" + std::string(element_name(each.element)) + "_" + std::string(metric_name(metric));
      spec.vectors = {vector_column("embedding", 2, metric)};
      spec.vectors[0].element = each.element;
      Collection notes = database.create_collection(spec).value();
      EXPECT_OK(notes.insert(vector_record("least", {0, -each.least})));
      const Result<RowId> zero = notes.insert(vector_record("zero", {-each.zero, each.zero}));
      if (metric == Metric::kL2) {
        EXPECT_OK(zero);
      } else {
        EXPECT_TRUE(fails_with(zero, StatusCode::kInvalidArgument,
                               {"zero vector", "no direction", metric_name(metric)}));
        const std::string as = "as " + std::string(element_name(each.element));
        EXPECT_EQ(zero.error().message().find(as) != std::string_view::npos, each.zero != 0)
            << zero.error().message();
      }
      EXPECT_OK(notes.nearest(std::vector<float>{1, 1}, 3));
    }
  }
}

TEST_F(ElementsTest, SpecsThatMakeNoSenseAreRefused) {
  Database database = open(dir_.file("a.db"));
  CollectionSpec spec;
  spec.name = "bits";
  spec.vectors = {vector_column("embedding", 16, Metric::kHamming)};
  for (const Element element : {Element::kF16, Element::kBf16, Element::kI8}) {
    spec.vectors[0].element = element;
    EXPECT_TRUE(fails_with(database.create_collection(spec), StatusCode::kInvalidArgument,
                           {"bits", "embedding", element_name(element), "hamming"}));
  }
  spec.text = {"body"};
  spec.vectors = {vector_column("embedding", 16, Metric::kCosine)};
  spec.vectors[0].model = "hash:16";
  spec.vectors[0].element = Element::kI8;
  EXPECT_TRUE(fails_with(database.create_collection(spec), StatusCode::kInvalidArgument,
                         {"hash", "fractions", "i8"}));
}

TEST_F(ElementsTest, AModelsVectorsAreRoundedToo) {
  for (const Element element : {Element::kF16, Element::kBf16}) {
    Database database = open(dir_.file(std::string(element_name(element)) + ".db"));
    CollectionSpec spec;
    spec.name = "notes";
    spec.text = {"body"};
    spec.vectors = {vector_column("embedding", 64, Metric::kCosine)};
    spec.vectors[0].model = "hash:64";
    spec.vectors[0].element = element;
    Collection notes = database.create_collection(spec).value();
    Record record;
    record.id = "a";
    record.fields = {{"body", "memory safety without a garbage collector"}};
    ASSERT_OK(notes.insert(record));
    // A text that another client wrote is embedded later.
    const ProcessResult shell = sqlite_shell(
        database.path(), "INSERT INTO notes(id, body) VALUES('b', 'a parser that never fails');");
    ASSERT_EQ(shell.exit_code, 0) << shell.error;
    EXPECT_EQ(notes.embed_pending().value(), 1);
    const std::shared_ptr<Embedder> model = make_embedder("hash:64").value();
    for (const char* id : {"a", "b"}) {
      const Record got = **notes.get(id, true);
      const std::string text = std::get<std::string>(field(got, "body"));
      const std::string_view view = text;
      const std::vector<float> made = model->embed({&view, 1}, EmbedPurpose::kDocument).value();
      EXPECT_EQ(got.vectors[0].second, stored(element, made));
    }
    SearchRequest request;
    request.mode = SearchMode::kVector;
    request.text = "parser";
    EXPECT_EQ(notes.search(request)->hits.front().record.id, "b");
  }
}

TEST_F(ElementsTest, OtherClientsAreHeldToTheLength) {
  for (const Element element : {Element::kF16, Element::kBf16, Element::kI8}) {
    SCOPED_TRACE(element_name(element));
    Database database = open(dir_.file(std::string(element_name(element)) + ".db"));
    CollectionSpec spec;
    spec.name = "notes";
    spec.vectors = {vector_column("embedding", 2, Metric::kL2)};
    spec.vectors[0].element = element;
    Collection notes = database.create_collection(spec).value();
    ASSERT_OK(notes.insert(vector_record("a", {3, 4})));
    EXPECT_EQ(notes.nearest(std::vector<float>{0, 0}, 9).value().size(), 1U);
    const auto shell = [&](std::string_view script) {
      return sqlite_shell(database.path(), script).exit_code;
    };
    for (const char* blob : {"X'00'", "X'000000'", "X'0000000000000000'", "X''", "'ab'"}) {
      EXPECT_NE(shell("UPDATE notes_vectors SET embedding = " + std::string(blob) + ";"), 0)
          << blob;
    }
    // (1, -1)
    const std::string blob = element == Element::kF16    ? "X'003C00BC'"
                             : element == Element::kBf16 ? "X'803F80BF'"
                                                         : "X'01FF'";
    ASSERT_EQ(shell("UPDATE notes_vectors SET embedding = " + blob + ";"), 0);
    EXPECT_EQ((*notes.get("a", true))->vectors[0].second, (std::vector<float>{1, -1}));
    EXPECT_DOUBLE_EQ(*notes.nearest(std::vector<float>{0, 0}, 9).value().at(0).distance,
                     std::sqrt(2.0));
    ASSERT_EQ(shell("PRAGMA ignore_check_constraints = ON;"
                    "UPDATE notes_vectors SET embedding = zeroblob(8);"),
              0);
    EXPECT_NE(check_report(database), "");
    std::string said;
    const std::vector<CheckFinding> findings = database.check(true).value();
    for (const CheckFinding& finding : findings) {
      EXPECT_FALSE(finding.repaired) << "what a user stored is not ours to mend";
      said += finding.message;
    }
    const std::string shape = "dim 2 of " + std::string(element_name(element));
    EXPECT_NE(said.find(shape), std::string::npos) << said;
    EXPECT_EQ(notes.get("a", true).error().code(), StatusCode::kCorruption);
  }
}

TEST_F(ElementsTest, AUsersTableMayHoldThem) {
  const std::string path = dir_.file("a.db");
  Database database = open(path);
  const auto shell = [&](std::string_view script) {
    const ProcessResult result = sqlite_shell(path, script);
    EXPECT_EQ(result.exit_code, 0) << result.error;
  };
  shell(
      "CREATE TABLE pages(id INTEGER PRIMARY KEY, half BLOB, brain BLOB, bytes BLOB);"
      // (1, 2), (-2, 0.5 or 0) and (100, -100) in each.
      "INSERT INTO pages VALUES(1, X'003C0040', X'803F0040', X'0102'),"
      " (2, X'00C00038', X'00C0003F', X'FE00'), (3, X'405640D6', X'C842C8C2', X'649C'),"
      " (4, NULL, NULL, NULL);");
  const std::pair<const char*, Element> columns[] = {
      {"half", Element::kF16}, {"brain", Element::kBf16}, {"bytes", Element::kI8}};
  for (const auto& [name, element] : columns) {
    SCOPED_TRACE(name);
    TableIndexSpec spec;
    spec.name = "by_" + std::string(name);
    spec.table = "pages";
    spec.vector = vector_column(name, 2, Metric::kL2);
    spec.vector.element = element;
    Result<Collection> index = database.create_table_index(spec);
    ASSERT_OK(index);
    EXPECT_EQ(index->spec().vectors[0].element, element);
    const std::vector<float> query = {100, -101};
    const std::vector<Hit> hits = index->nearest(query, 9).value();
    EXPECT_EQ(rowids(hits), (std::vector<int64_t>{3, 1, 2}));
    EXPECT_EQ(*hits[0].distance, 1.0);
    EXPECT_EQ(check_report(database), "");
    // NaN, infinity and too few bytes are never an answer.
    const std::string set = "UPDATE pages SET " + std::string(name) + " = ";
    std::vector<std::string> bad_blobs;
    if (element == Element::kF16) bad_blobs = {"X'007E003C'", "X'007C003C'"};
    if (element == Element::kBf16) bad_blobs = {"X'C07F803F'", "X'80FF803F'"};
    bad_blobs.emplace_back("X'00'");
    for (const std::string& bad : bad_blobs) {
      shell(set + bad + " WHERE id = 4;");
      const Result<std::vector<Hit>> found = index->nearest(query, 9);
      if (found.ok()) {
        EXPECT_EQ(rowids(*found), (std::vector<int64_t>{3, 1, 2})) << bad;
      } else {
        EXPECT_TRUE(fails_with(found, StatusCode::kCorruption, {spec.name, "row 4"})) << bad;
      }
    }
    std::string said;
    const std::vector<CheckFinding> findings = database.check(true).value();
    for (const CheckFinding& finding : findings) said += finding.message;
    EXPECT_NE(said.find("column '" + std::string(name) + "' of 'pages': 1 value(s)"),
              std::string::npos)
        << said;
    shell(set + "NULL WHERE id = 4;");
    EXPECT_EQ(rowids(index->nearest(query, 9).value()), (std::vector<int64_t>{3, 1, 2}));
    ASSERT_OK(database.drop_collection(spec.name));
  }
}

}  // namespace
}  // namespace loci::testing

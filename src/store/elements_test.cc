// SPDX-License-Identifier: Apache-2.0
//
// Columns of narrow elements in the file: the spec's JSON, the BLOBs, every way to write one.
#include "store/spec.h"
#include "store/store_testing.h"

namespace loci::store {
namespace {

using testing::open;
using testing::query_one;
using testing::take;

VectorColumn column(std::string name, Element element, Metric metric = Metric::kL2) {
  VectorColumn made;
  made.name = std::move(name);
  made.dim = 3;
  made.metric = metric;
  made.element = element;
  return made;
}

CollectionSpec all_elements() {
  CollectionSpec spec;
  spec.name = "notes";
  spec.vectors = {column("wide", Element::kF32), column("half", Element::kF16, Metric::kCosine),
                  column("brain", Element::kBf16), column("byte", Element::kI8, Metric::kDot)};
  return spec;
}

/// A record with the same vector in every column.
Record record(std::string id, const std::vector<float>& vector) {
  Record made;
  made.id = std::move(id);
  for (const char* name : {"wide", "half", "brain", "byte"})
    made.vectors.emplace_back(name, vector);
  return made;
}

class ElementColumnsTest : public ::testing::Test {
 protected:
  std::string blobs(std::string_view id) {
    return query_one(*connection_,
                     base::str_cat("SELECT hex(wide), hex(half), hex(brain), hex(byte) FROM notes "
                                   "JOIN notes_vectors USING(rid) WHERE id = '",
                                   id, "'"));
  }
  std::unique_ptr<sqlite::Connection> connection_ = open(":memory:");
  Source notes_ = take(create_collection(*connection_, all_elements()));
};

TEST_F(ElementColumnsTest, BlobsAreAsDocumented) {
  take(put_row(*connection_, notes_, record("a", {1, -2, 100}), OnConflict::kError));
  EXPECT_EQ(blobs("a"), "0000803F000000C00000C842|003C00C04056|803F00C0C842|01FE64");
  const Record got = **get_row(*connection_, notes_, RowId{1}, true);
  for (const auto& [name, vector] : got.vectors) {
    EXPECT_EQ(vector, (std::vector<float>{1, -2, 100})) << name;
  }
}

// 1 + 2^-8 and 1 + 3 * 2^-8 are ties of bfloat16, 1 + 2^-11 is one of halves.
TEST_F(ElementColumnsTest, EveryWayToWriteRoundsAlike) {
  const std::vector<float> ties = {0x1.01p0F, 0x1.03p0F, 0x1.002p0F};
  Record given = record("one", ties);
  given.vectors.pop_back();  // i8 takes whole numbers only
  take(put_row(*connection_, notes_, given, OnConflict::kError));
  const std::string wanted = "0080803F0080813F0010803F|043C0C3C003C|803F823F803F|";
  EXPECT_EQ(blobs("one"), wanted);
  std::vector<Record> batch(kMinBatchRows, given);
  for (size_t i = 0; i < batch.size(); ++i) batch[i].id = base::str_cat("b", i);
  ASSERT_TRUE(take(put_batch(*connection_, notes_, batch, OnConflict::kError)).has_value());
  for (const Record& each : batch) EXPECT_EQ(blobs(*each.id), wanted);
  take(put_row(*connection_, notes_, record("late", {9, 9, 9}), OnConflict::kError));
  const RowId late = **find_row(*connection_, notes_, RowKey("late"));
  ASSERT_OK(update_row(*connection_, notes_, late, [&] {
    Record changes = given;
    changes.id.reset();
    return changes;
  }()));
  EXPECT_EQ(blobs("late"), wanted + "090909");
  for (const size_t i : {1, 2}) {
    const std::vector<float> fives = {5, 5, 5};
    ASSERT_OK(put_vector(*connection_, notes_, i, late, fives));
    ASSERT_OK(put_vector(*connection_, notes_, i, late, ties));
  }
  EXPECT_EQ(blobs("late"), wanted + "090909");
  EXPECT_EQ(put_vector(*connection_, notes_, 3, late, ties).code(), StatusCode::kInvalidArgument);
  testing::expect_check_clean(*connection_);
}

TEST_F(ElementColumnsTest, TheTableHoldsEveryoneToTheLength) {
  ASSERT_OK(connection_->exec("INSERT INTO notes(id) VALUES('a')"));
  const std::pair<const char*, int> lengths[] = {
      {"wide", 12}, {"half", 6}, {"brain", 6}, {"byte", 3}};
  for (const auto& [name, bytes] : lengths) {
    for (int length = 0; length <= 13; ++length) {
      const Status written = connection_->exec(base::str_cat(
          "REPLACE INTO notes_vectors(rid, ", name, ") VALUES(1, zeroblob(", length, "))"));
      EXPECT_EQ(written.ok(), length == bytes) << name << " " << length;
    }
  }
}

TEST_F(ElementColumnsTest, WrongLengthsAreFoundByCheck) {
  take(put_row(*connection_, notes_, record("a", {1, -2, 100}), OnConflict::kError));
  ASSERT_OK(
      connection_->exec("PRAGMA ignore_check_constraints = ON;"
                        "UPDATE notes_vectors SET half = zeroblob(12), byte = zeroblob(12);"
                        "PRAGMA ignore_check_constraints = OFF"));
  std::string said;
  for (const CheckFinding& finding : take(check(*connection_, false))) {
    if (finding.kind == "vector") said += finding.message;
  }
  EXPECT_NE(
      said.find("'half' of 'notes_vectors': 1 value(s) are no BLOB of 6 bytes (dim 3 of f16)"),
      std::string::npos)
      << said;
  EXPECT_NE(said.find("no BLOB of 3 bytes (dim 3 of i8)"), std::string::npos) << said;
  EXPECT_EQ(get_row(*connection_, notes_, RowId{1}, true).error().code(), StatusCode::kCorruption);
}

TEST_F(ElementColumnsTest, OldVersionsKeepTheirElements) {
  HistoryOptions options;
  options.enabled = true;
  notes_ = take(set_history(*connection_, notes_, options));
  take(put_row(*connection_, notes_, record("a", {1, -2, 100}), OnConflict::kError));
  take(put_row(*connection_, notes_, record("a", {7, 8, 9}), OnConflict::kUpdate));
  const std::vector<Version> versions =
      take(read_history(*connection_, notes_, RowKey("a"), true, 0));
  ASSERT_EQ(versions.size(), 1U);
  ASSERT_EQ(versions[0].record.vectors.size(), 4U);
  for (const auto& [name, vector] : versions[0].record.vectors) {
    EXPECT_EQ(vector, (std::vector<float>{1, -2, 100})) << name;
  }
  testing::expect_check_clean(*connection_);
}

// --- The spec ----------------------------------------------------------------------------------

std::string spec_of(sqlite::Connection& connection) {
  return query_one(connection, "SELECT spec FROM loci_indexes");
}

TEST(ElementSpecTest, NarrowElementsRaiseTheFormat) {
  const auto connection = open(":memory:");
  const Source made = take(create_collection(*connection, all_elements()));
  EXPECT_EQ(
      spec_of(*connection),
      R"({"format":3,"vectors":[{"name":"wide","dim":3,"metric":"l2"},)"
      R"({"name":"half","dim":3,"metric":"cosine","element":"f16"},)"
      R"({"name":"brain","dim":3,"metric":"l2","element":"bf16"},)"
      R"({"name":"byte","dim":3,"metric":"dot","element":"i8"}],)"
      R"("text":[],"filters":[],"text_ids":true,"history":false,)"
      R"("vector_table":"notes_vectors","key_column":"rid","key_columns":[],"fts_table":""})");
  const Source read = take(load_source(*connection, "notes"));
  EXPECT_EQ(spec_to_json(read), spec_to_json(made));
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(read.spec.vectors[i].element, made.spec.vectors[i].element);
  }
  // History is kept as it is in format 2.
  HistoryOptions options;
  options.enabled = true;
  options.max_versions = 5;
  take(set_history(*connection, read, options));
  const Source kept = take(load_source(*connection, "notes"));
  EXPECT_TRUE(kept.spec.history.enabled);
  EXPECT_EQ(kept.spec.history.max_versions, 5);
  EXPECT_EQ(spec_to_json(kept).find(R"({"format":3)"), 0U);
}

TEST(ElementSpecTest, Float32IsWrittenAsEver) {
  const auto connection = open(":memory:");
  CollectionSpec spec;
  spec.name = "notes";
  spec.vectors = {column("embedding", Element::kF32, Metric::kCosine)};
  take(create_collection(*connection, spec));
  EXPECT_EQ(
      spec_of(*connection),
      R"({"format":1,"vectors":[{"name":"embedding","dim":3,"metric":"cosine"}],)"
      R"("text":[],"filters":[],"text_ids":true,"history":false,)"
      R"("vector_table":"notes_vectors","key_column":"rid","key_columns":[],"fts_table":""})");
  EXPECT_EQ(take(load_source(*connection, "notes")).spec.vectors[0].element, Element::kF32);
}

TEST(ElementSpecTest, AnElementOfALaterVersionIsRefused) {
  const auto connection = open(":memory:");
  take(create_collection(*connection, all_elements()));
  ASSERT_OK(connection->exec(
      "UPDATE loci_indexes SET spec = json_set(spec, '$.vectors[1].element', 'f8')"));
  const Status refused = load_sources(*connection).error();
  EXPECT_EQ(refused.code(), StatusCode::kFailedPrecondition);
  EXPECT_NE(refused.message().find("'f8'"), std::string_view::npos) << refused.message();
}

TEST(ElementSpecTest, HammingHasItsOwn) {
  const auto connection = open(":memory:");
  for (const Element element : {Element::kF16, Element::kBf16, Element::kI8}) {
    CollectionSpec spec = all_elements();
    spec.vectors[0].dim = 8;
    spec.vectors[0].metric = Metric::kHamming;
    spec.vectors[0].element = element;
    const Status refused = create_collection(*connection, spec).error();
    EXPECT_EQ(refused.code(), StatusCode::kInvalidArgument);
    EXPECT_NE(refused.message().find("hamming stores bits"), std::string_view::npos);
  }
}

}  // namespace
}  // namespace loci::store

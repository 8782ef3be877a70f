// SPDX-License-Identifier: Apache-2.0
#include "store/source.h"

#include <functional>

#include "base/limits.h"
#include "base/temp_dir.h"
#include "store/spec.h"
#include "store/store_testing.h"

namespace loci::store {
namespace {

using testing::open;
using testing::query;
using testing::query_one;
using testing::take;

VectorColumn vector_column(std::string name, size_t dim, std::string model = "") {
  VectorColumn column;
  column.name = std::move(name);
  column.dim = dim;
  column.model = std::move(model);
  return column;
}

CollectionSpec full_spec() {
  CollectionSpec spec;
  spec.name = "notes";
  spec.vectors = {vector_column("embedding", 4, "quoted \"model\" \\ \x01"),
                  vector_column("bits", 16)};
  spec.vectors[1].metric = Metric::kHamming;
  spec.vectors.push_back(vector_column("own", 2));
  spec.vectors[2].metric = Metric::kCustom;
  spec.vectors[2].custom_metric = "my_metric";
  spec.text = {"title", "body"};
  spec.filters = {{"lang", FieldType::kText},
                  {"year", FieldType::kInt},
                  {"weight", FieldType::kFloat},
                  {"seen", FieldType::kBool}};
  spec.history.enabled = true;
  spec.history.max_versions = 7;
  spec.history.max_age_days = 30;
  return spec;
}

TEST(SourceTest, SpecSurvivesTheFile) {
  const base::TempDir folder;
  const Source made = take(create_collection(*open(folder.file("a.db")), full_spec()));
  const auto connection = open(folder.file("a.db"));
  const Source read = take(load_source(*connection, "NOTES"));
  EXPECT_EQ(spec_to_json(read), spec_to_json(made));
  EXPECT_EQ(read.id, made.id);
  EXPECT_EQ(read.trigger_digest, made.trigger_digest);
  EXPECT_EQ(read.spec.vectors[0].model, full_spec().vectors[0].model);
  EXPECT_EQ(read.spec.vectors[2].custom_metric, "my_metric");
  EXPECT_EQ(read.spec.filters[3].type, FieldType::kBool);
  EXPECT_TRUE(read.spec.history.enabled && read.spec.text_ids && read.managed);
  EXPECT_TRUE(take(triggers_intact(*connection, read)));
  testing::expect_check_clean(*connection);
}

TEST(SourceTest, SpecOfALaterFormatIsRefused) {
  const auto connection = open(":memory:");
  take(create_collection(*connection, full_spec()));
  const auto refused = [&](std::string_view change) {
    EXPECT_OK(connection->exec("SAVEPOINT s"));
    EXPECT_OK(connection->exec(base::str_cat("UPDATE loci_indexes SET spec = ", change)));
    const StatusCode code = load_sources(*connection).error().code();
    EXPECT_OK(connection->exec("ROLLBACK TO s; RELEASE s"));
    return code;
  };
  EXPECT_EQ(refused("json_set(spec, '$.format', 4)"), StatusCode::kFailedPrecondition);
  EXPECT_EQ(refused("json_set(spec, '$.vectors[0].metric', 'future')"),
            StatusCode::kFailedPrecondition);
  EXPECT_EQ(refused("json_set(spec, '$.filters[0].type', 'date')"),
            StatusCode::kFailedPrecondition);
  EXPECT_EQ(refused("json_set(spec, '$.vectors[0].dim', 99999)"), StatusCode::kCorruption);
  EXPECT_EQ(refused("'{}'"), StatusCode::kCorruption);
  EXPECT_EQ(refused("'not json'"), StatusCode::kCorruption);
}

TEST(SourceTest, BadSpecsAreRefusedAndNothingIsMade) {
  const auto connection = open(":memory:");
  const auto refused = [&](const std::function<void(CollectionSpec&)>& spoil) {
    CollectionSpec spec = full_spec();
    spoil(spec);
    return create_collection(*connection, spec).error().code() == StatusCode::kInvalidArgument;
  };
  EXPECT_TRUE(refused([](auto& s) { s.name = "two words"; }));
  EXPECT_TRUE(refused([](auto& s) { s.name = ""; }));
  EXPECT_TRUE(refused([](auto& s) { s.name = "sqlite_x"; }));
  EXPECT_TRUE(refused([](auto& s) { s.name = std::string(base::kMaxNameBytes + 1, 'a'); }));
  EXPECT_TRUE(refused([](auto& s) { s.text = {"ID"}; }));
  EXPECT_TRUE(refused([](auto& s) { s.text = {"rank"}; }));
  EXPECT_TRUE(refused([](auto& s) { s.text = {"notes_fts"}; }));
  EXPECT_TRUE(refused([](auto& s) { s.text = {"a", "A"}; }));
  EXPECT_TRUE(refused([](auto& s) { s.filters = {{"title", FieldType::kInt}}; }));
  EXPECT_TRUE(refused([](auto& s) { s.filters = {{"embedding_pending", FieldType::kInt}}; }));
  EXPECT_TRUE(refused([](auto& s) { s.vectors[0].dim = 0; }));
  EXPECT_TRUE(refused([](auto& s) { s.vectors[0].dim = base::kMaxDim + 1; }));
  EXPECT_TRUE(refused([](auto& s) { s.vectors[1].dim = 12; }));
  EXPECT_TRUE(refused([](auto& s) { s.vectors[2].custom_metric = ""; }));
  EXPECT_TRUE(refused([](auto& s) { s.vectors[0].custom_metric = "x"; }));
  EXPECT_TRUE(refused([](auto& s) { s.text.clear(); })) << "a model needs text";
  EXPECT_TRUE(refused([](auto& s) {
    s.vectors.clear();
    s.text.clear();
  }));
  EXPECT_TRUE(refused([](auto& s) { s.text.assign(17, "t"); }));
  EXPECT_EQ(query_one(*connection, "SELECT count(*) FROM sqlite_schema"), "0");
}

TEST(SourceTest, NamesThatAreTakenAreRefusedWhole) {
  const auto connection = open(":memory:");
  ASSERT_OK(connection->exec("CREATE TABLE Notes_Vectors(x)"));
  const Status clash = create_collection(*connection, full_spec()).error();
  EXPECT_EQ(clash.code(), StatusCode::kAlreadyExists);
  EXPECT_EQ(query_one(*connection, "SELECT count(*) FROM sqlite_schema"), "1") << "nothing stays";
  ASSERT_OK(connection->exec("DROP TABLE Notes_Vectors"));
  take(create_collection(*connection, full_spec()));
  EXPECT_EQ(create_collection(*connection, full_spec()).error().code(), StatusCode::kAlreadyExists);
}

TEST(SourceTest, PlainInsertsWorkAndTypesAreChecked) {
  const auto connection = open(":memory:");
  take(create_collection(*connection, full_spec()));
  ASSERT_OK(connection->exec("INSERT INTO notes(id, title) VALUES('a', 'words')"));
  EXPECT_EQ(query_one(*connection,
                      "SELECT archived || (created_at > 1.6e15) || (updated_at = created_at) || "
                      "typeof(created_at) FROM notes"),
            "011integer");
  const auto refused = [&](std::string_view columns, std::string_view values) {
    return connection
               ->exec(
                   base::str_cat("INSERT INTO notes(id, ", columns, ") VALUES('b', ", values, ")"))
               .code() == StatusCode::kInvalidArgument;
  };
  EXPECT_TRUE(refused("title", "x'00'"));
  EXPECT_TRUE(refused("year", "1.5"));
  EXPECT_TRUE(refused("year", "'x'"));
  EXPECT_TRUE(refused("weight", "'heavy'"));
  EXPECT_TRUE(refused("seen", "2"));
  EXPECT_TRUE(refused("archived", "NULL"));
  ASSERT_OK(connection->exec(
      "INSERT INTO notes(id, lang, year, weight, seen) VALUES('c', 'en', 2000, 2, 1)"));
  EXPECT_EQ(query_one(*connection, "SELECT typeof(weight) FROM notes WHERE id = 'c'"), "real");
  EXPECT_TRUE(
      connection->exec("INSERT INTO notes_vectors(rid, embedding) VALUES(1, x'00')").code() ==
      StatusCode::kInvalidArgument);
  ASSERT_OK(
      connection->exec("INSERT INTO notes_vectors(rid, embedding, bits) "
                       "VALUES(1, zeroblob(16), x'FFFF')"));
  testing::expect_check_clean(*connection);
}

TEST(SourceTest, TextChangeMarksVectorsOfAModelAndANewVectorClearsIt) {
  const auto connection = open(":memory:");
  take(create_collection(*connection, full_spec()));
  ASSERT_OK(
      connection->exec("INSERT INTO notes(id, title) VALUES('a', 'words');"
                       "INSERT INTO notes_vectors(rid, embedding) VALUES(1, zeroblob(16))"));
  const auto pending = [&] {
    return query_one(*connection, "SELECT embedding_pending FROM notes_vectors");
  };
  EXPECT_EQ(pending(), "0");
  ASSERT_OK(connection->exec("UPDATE notes SET year = 1, title = title"));
  EXPECT_EQ(pending(), "0") << "no text changed";
  ASSERT_OK(connection->exec("UPDATE notes SET title = 'other'"));
  EXPECT_EQ(pending(), "1");
  ASSERT_OK(connection->exec("UPDATE notes_vectors SET bits = x'0000'"));
  EXPECT_EQ(pending(), "1") << "another column's vector";
  ASSERT_OK(connection->exec("UPDATE notes_vectors SET embedding = zeroblob(16)"));
  EXPECT_EQ(pending(), "0") << "even the same bytes: its writer says they are current";
  ASSERT_OK(connection->exec("UPDATE notes SET rid = 9, body = 'moved and changed'"));
  EXPECT_EQ(query_one(*connection, "SELECT rid || '|' || embedding_pending FROM notes_vectors"),
            "9|1");
  ASSERT_OK(connection->exec("PRAGMA recursive_triggers = ON"));
  ASSERT_OK(connection->exec("UPDATE notes_vectors SET embedding = NULL"));
  EXPECT_EQ(pending(), "0");
}

TEST(SourceTest, NewRowInheritsNoVector) {
  for (const char* recursive : {"OFF", "ON"}) {
    SCOPED_TRACE(recursive);
    const auto connection = open(":memory:");
    take(create_collection(*connection, full_spec()));
    ASSERT_OK(connection->exec(base::str_cat("PRAGMA recursive_triggers = ", recursive)));
    ASSERT_OK(
        connection->exec("INSERT INTO notes(id) VALUES('a'), ('b');"
                         "INSERT INTO notes_vectors(rid, embedding) SELECT rid, zeroblob(16) "
                         "FROM notes; INSERT INTO notes_vectors(rid) VALUES(9)"));
    ASSERT_OK(connection->exec("REPLACE INTO notes(rid, id) VALUES(1, 'a'), (9, 'new')"));
    EXPECT_EQ(query(*connection, "SELECT rid FROM notes_vectors"), std::vector<std::string>{"2"});
    ASSERT_OK(connection->exec("UPDATE OR REPLACE notes SET rid = 2 WHERE rid = 9"));
    EXPECT_EQ(query(*connection, "SELECT rid FROM notes_vectors"), std::vector<std::string>{});
  }
}

TEST(SourceTest, DropTakesEverythingAndTheIdIsNotGivenAgain) {
  const auto connection = open(":memory:");
  const Source first = take(create_collection(*connection, full_spec()));
  ASSERT_OK(connection->exec("INSERT INTO notes(id) VALUES('secret'); DELETE FROM notes"));
  ASSERT_OK(drop_source(*connection, first));
  EXPECT_EQ(query(*connection, "SELECT name FROM sqlite_schema WHERE name LIKE '%notes%'"),
            std::vector<std::string>{});
  EXPECT_EQ(query_one(*connection, "SELECT count(*) FROM loci_log WHERE id IS NOT NULL"), "0");
  const Source second = take(create_collection(*connection, full_spec()));
  EXPECT_NE(second.id, first.id);
  testing::expect_check_clean(*connection);
}

TEST(SourceTest, AddedColumnsAreSearchedAndFollowed) {
  const auto connection = open(":memory:");
  CollectionSpec spec;
  spec.name = "notes";
  spec.vectors = {vector_column("embedding", 2)};
  Source source = take(create_collection(*connection, spec));
  ASSERT_OK(connection->exec("INSERT INTO notes(id) VALUES('a')"));
  source = take(add_text_column(*connection, source, "title"));
  source = take(add_text_column(*connection, source, "body"));
  source = take(add_filter_column(*connection, source, {"year", FieldType::kInt}));
  EXPECT_EQ(add_filter_column(*connection, source, {"Title", FieldType::kInt}).error().code(),
            StatusCode::kInvalidArgument);
  EXPECT_TRUE(take(triggers_intact(*connection, source)));
  EXPECT_EQ(spec_to_json(take(load_source(*connection, "notes"))), spec_to_json(source));
  ASSERT_OK(connection->exec("UPDATE notes SET body = 'findable', year = 3"));
  EXPECT_EQ(query_one(*connection, "SELECT rowid FROM notes_fts WHERE notes_fts MATCH 'findable'"),
            "1");
  testing::expect_check_clean(*connection);
}

TEST(SourceTest, CreateInsideATransactionRollsBackWithIt) {
  const auto connection = open(":memory:");
  {
    const auto txn =
        take(sqlite::Transaction::begin(*connection, sqlite::Transaction::Kind::kWrite));
    take(create_collection(*connection, full_spec()));
  }
  EXPECT_EQ(query_one(*connection, "SELECT count(*) FROM sqlite_schema"), "0");
  EXPECT_EQ(take(schema_version(*connection)), 0);
}

TEST(SourceTest, IntegerKeyedCollectionHasNoTextId) {
  const auto connection = open(":memory:");
  CollectionSpec spec = full_spec();
  spec.text_ids = false;
  const Source source = take(create_collection(*connection, spec));
  const int64_t scn = take(newest(*connection)).scn;
  ASSERT_OK(
      connection->exec("INSERT INTO notes(title) VALUES('a'), ('b');"
                       "INSERT OR REPLACE INTO notes(rid, title) VALUES(1, 'c');"
                       "UPDATE OR REPLACE notes SET rid = 2 WHERE rid = 1"));
  const std::set<int64_t> logged = testing::logged_since(*connection, source, scn);
  EXPECT_TRUE(logged.count(1) == 1 && logged.count(2) == 1);
  testing::expect_check_clean(*connection);
}

}  // namespace
}  // namespace loci::store

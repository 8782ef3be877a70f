// SPDX-License-Identifier: Apache-2.0
#include "row_fields.h"

#include <gtest/gtest.h>

#include "readers/json_parse.h"

namespace loci::cli {
namespace {

CollectionSpec test_spec() {
  CollectionSpec spec;
  spec.name = "notes";
  VectorColumn vector;
  vector.name = "v";
  vector.dim = 2;
  spec.vectors.push_back(vector);
  spec.text = {"title"};
  spec.filters = {{"year", FieldType::kInt},
                  {"rate", FieldType::kFloat},
                  {"done", FieldType::kBool},
                  {"lang", FieldType::kText}};
  return spec;
}

Result<Record> fit(std::string_view json, bool untyped = false) {
  InputRow row;
  LOCI_RETURN_IF_ERROR(parse_row(json, row));
  return RowFitter(test_spec(), untyped).fit(row);
}

Value field(const Record& record, std::string_view name) {
  for (const auto& [key, value] : record.fields) {
    if (key == name) return value;
  }
  return std::monostate{};
}

TEST(RowFitterTest, MembersGoWhereTheyBelong) {
  const auto record = fit(R"({"_id":"a","title":"T","year":2020,"rate":1,"done":true,"lang":"c",
                              "embedding":[1,2.5],"extra":[1],"metadata":{"k": 1.0}})");
  ASSERT_TRUE(record.has_value()) << record.error().message();
  EXPECT_EQ(record->id, "a");
  EXPECT_EQ(field(*record, "title"), Value(std::string("T")));
  EXPECT_EQ(field(*record, "year"), Value(int64_t{2020}));
  EXPECT_EQ(field(*record, "rate"), Value(1.0));
  EXPECT_EQ(field(*record, "done"), Value(true));
  ASSERT_EQ(record->vectors.size(), 1U);
  EXPECT_EQ(record->vectors[0].first, "v");
  EXPECT_EQ(record->vectors[0].second, (std::vector<float>{1, 2.5F}));
  EXPECT_EQ(record->metadata, R"({"k":1.0,"extra":[1]})");
}

TEST(RowFitterTest, MetadataAloneIsKeptVerbatim) {
  const auto record =
      fit(R"({"title":"T","metadata":{"b": 1.50,  "a":123456789012345678901234567890}})");
  ASSERT_TRUE(record.has_value());
  EXPECT_EQ(record->metadata, R"({"b": 1.50,  "a":123456789012345678901234567890})");
}

TEST(RowFitterTest, TypesThatDoNotFitAreNamed) {
  for (const char* json :
       {R"({"year":"x"})", R"({"year":1.5})", R"({"year":18446744073709551615})", R"({"done":2})",
        R"({"rate":"1"})", R"({"title":{}})", R"({"v":[1,"x"]})", R"({"v":"x"})",
        R"({"metadata":[1]})", R"({"id":1.5})"}) {
    const auto record = fit(json);
    ASSERT_FALSE(record.has_value()) << json;
    EXPECT_EQ(record.error().code(), StatusCode::kInvalidArgument);
    EXPECT_NE(record.error().message().find("expected"), std::string::npos)
        << record.error().message();
  }
}

TEST(RowFitterTest, TextOfCsvStandsForOtherTypes) {
  const auto record = fit(
      R"({"id":"7","year":"2020","rate":"1e3","done":"TRUE","lang":"7","v":"[1, 2]","metadata":"{\"a\":1}"})",
      true);
  ASSERT_TRUE(record.has_value()) << record.error().message();
  EXPECT_EQ(record->id, "7");
  EXPECT_EQ(field(*record, "year"), Value(int64_t{2020}));
  EXPECT_EQ(field(*record, "rate"), Value(1000.0));
  EXPECT_EQ(field(*record, "done"), Value(true));
  EXPECT_EQ(field(*record, "lang"), Value(std::string("7")));
  EXPECT_EQ(record->vectors.at(0).second, (std::vector<float>{1, 2}));
  EXPECT_EQ(record->metadata, R"({"a":1})");
  EXPECT_FALSE(fit(R"({"year":"20x"})", true).has_value());
  EXPECT_FALSE(fit(R"({"v":"[1,"})", true).has_value());
}

TEST(RowFitterTest, NestedFieldsOfJsonOutputAreReadBack) {
  const auto record = fit(R"({"id":"a","rowid":5,"fields":{"title":"T","year":null}})");
  ASSERT_TRUE(record.has_value());
  EXPECT_EQ(record->rowid, RowId{5});
  EXPECT_EQ(field(*record, "title"), Value(std::string("T")));
  EXPECT_EQ(field(*record, "year"), Value(std::monostate{}));
}

}  // namespace
}  // namespace loci::cli

// SPDX-License-Identifier: Apache-2.0
#include "spec_options.h"

#include <gtest/gtest.h>

#include "output/spec_json.h"
#include "testing/temp_file.h"

namespace loci::cli {
namespace {

using testing::put_f32;
using testing::put_le;
using testing::TempFiles;

Result<SpecChoice> infer(const std::string& path, const SpecOptions& options) {
  LOCI_ASSIGN_OR_RETURN(const auto reader, open_rows(path, {}));
  std::vector<InputRow> rows;
  InputRow row;
  while (true) {
    LOCI_ASSIGN_OR_RETURN(const Read read, reader->next(row));
    if (read == Read::kEnd) break;
    rows.push_back(row);
  }
  return infer_spec(options, *reader, rows);
}

SpecOptions named() {
  SpecOptions options;
  options.name = "notes";
  return options;
}

TEST(SpecOptionsTest, TextWithoutVectorsGetsTheBuiltInModel) {
  SpecOptions options = named();
  options.text = "title, body";
  options.filter = "lang,year:int";
  const auto choice = make_spec(options);
  ASSERT_TRUE(choice.has_value()) << choice.error().message();
  EXPECT_EQ(choice->spec.text, (std::vector<std::string>{"title", "body"}));
  ASSERT_EQ(choice->spec.vectors.size(), 1U);
  EXPECT_EQ(choice->spec.vectors[0].dim, 384U);
  EXPECT_EQ(choice->spec.vectors[0].model, "hash:384:v1");
  EXPECT_EQ(choice->spec.filters[1].type, FieldType::kInt);
  EXPECT_FALSE(choice->chosen.empty());
}

TEST(SpecOptionsTest, AnElementIsSaidAndWrittenUnlessItIsFloat32) {
  for (const char* element : {"f32", "f16", "bf16", "i8"}) {
    SpecOptions options = named();
    options.dim = 3;
    options.element = element;
    EXPECT_TRUE(options.any());
    const auto choice = make_spec(options);
    ASSERT_TRUE(choice.has_value()) << choice.error().message();
    EXPECT_EQ(element_name(choice->spec.vectors[0].element), element);
    const bool narrow = element != std::string_view("f32");
    EXPECT_EQ(describe(choice->spec).find(element) != std::string::npos, narrow);
    EXPECT_EQ(spec_json(choice->spec).find("element") != std::string::npos, narrow);
  }
}

TEST(SpecOptionsTest, NoneMeansNoModel) {
  SpecOptions options = named();
  options.text = "body";
  options.model = "none";
  const auto choice = make_spec(options);
  ASSERT_TRUE(choice.has_value());
  EXPECT_TRUE(choice->spec.vectors.empty());
}

TEST(SpecOptionsTest, ContradictionsAreErrors) {
  SpecOptions nothing = named();
  EXPECT_FALSE(make_spec(nothing).has_value());
  SpecOptions dims = named();
  dims.dim = 100;
  dims.model = "hash:512";
  EXPECT_FALSE(make_spec(dims).has_value());
  for (const char* vector :
       {"v", "v:0", "v:x", "v:3:nometric", "v:3:l2:4", "v:3:l2:f64", "v:3:l2:f16:x"}) {
    SpecOptions bad = named();
    bad.vectors = {vector};
    EXPECT_FALSE(make_spec(bad).has_value()) << vector;
  }
}

TEST(InferSpecTest, JsonMembersBecomeColumns) {
  const TempFiles files;
  const auto choice = infer(
      files.write("a.jsonl",
                  "{\"id\":\"a\",\"title\":\"T\",\"body\":\"B\",\"year\":1,\"rate\":1,\"tags\":[1],"
                  "\"ok\":true,\"lang\":\"c\"}\n{\"id\":\"b\",\"title\":\"T\",\"rate\":0.5}\n"),
      named());
  ASSERT_TRUE(choice.has_value()) << choice.error().message();
  EXPECT_EQ(describe(choice->spec),
            "vector embedding (384, cosine, model hash:384:v1); text title, body; filter year:int, "
            "rate:float, ok:bool, lang:text; text ids");
}

TEST(InferSpecTest, VectorsInRowsGiveTheDimension) {
  const TempFiles files;
  const auto choice = infer(files.write("a.csv", "id,vector,year\na,\"[1,2,3]\",5\n"), named());
  ASSERT_TRUE(choice.has_value()) << choice.error().message();
  EXPECT_EQ(describe(choice->spec), "vector embedding (3, cosine); filter year:int; text ids");
}

TEST(InferSpecTest, UnitVectorsAreComparedByCosineOthersByL2) {
  const TempFiles files;
  for (const auto& [x, wanted] : {std::pair(0.6F, "cosine"), std::pair(6.0F, "l2")}) {
    std::string bytes;
    put_le(bytes, 2, 4);
    put_f32(bytes, x);
    put_f32(bytes, 0.8F);
    const auto choice = infer(files.write("a.fvecs", bytes), named());
    ASSERT_TRUE(choice.has_value());
    EXPECT_EQ(metric_name(choice->spec.vectors.at(0).metric), wanted);
    EXPECT_FALSE(choice->spec.text_ids);
  }
}

TEST(InferSpecTest, RowsWithNothingToSearchAreAnError) {
  const TempFiles files;
  EXPECT_FALSE(infer(files.write("a.jsonl", "{\"year\":1}\n"), named()).has_value());
}

TEST(SpecJsonTest, RoundTrips) {
  SpecOptions options = named();
  options.text = "title";
  options.filter = "year:int,ok:bool";
  options.vectors = {"a:3:l2", "b:16:hamming", "c:4:dot:f16", "d:4:l1:bf16", "e:4:cosine:i8"};
  options.no_text_ids = true;
  options.history_versions = 7;
  const auto choice = make_spec(options);
  ASSERT_TRUE(choice.has_value());
  const std::string json = spec_json(choice->spec);
  const auto back = spec_from_json(json);
  ASSERT_TRUE(back.has_value()) << back.error().message();
  EXPECT_EQ(spec_json(*back), json);
  for (const char* bad :
       {"[]", "{}", R"({"name":"a","vectors":1})", R"({"name":"a","text":[1]})",
        R"({"name":"a","vectors":[{"name":"v"}]})",
        R"({"name":"a","vectors":[{"name":"v","dim":2,"metric":"l2","element":"f8"}]})",
        R"({"name":"a","filters":[3]})"}) {
    EXPECT_FALSE(spec_from_json(bad).has_value()) << bad;
  }
}

}  // namespace
}  // namespace loci::cli

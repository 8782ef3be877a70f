// SPDX-License-Identifier: Apache-2.0
#include "output/json_text.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <random>

#include "row_fields.h"

namespace loci::cli {
namespace {

TEST(JsonTextTest, VectorsReadBackBitForBit) {
  constexpr uint32_t kSeed = 7;
  SCOPED_TRACE(kSeed);
  std::mt19937 random(kSeed);
  std::vector<float> vector = {0.0F,
                               -0.0F,
                               0.1F,
                               std::numeric_limits<float>::max(),
                               std::numeric_limits<float>::denorm_min(),
                               16777217.0F};
  while (vector.size() < 100000) {
    const auto bits = static_cast<uint32_t>(random());
    float x = 0;
    std::memcpy(&x, &bits, sizeof x);
    if (std::isfinite(x)) vector.push_back(x);
  }
  std::string text;
  append_json_vector(text, vector);
  const auto back = vector_from_json(Json::parse(text));
  ASSERT_TRUE(back.has_value());
  ASSERT_EQ(back->size(), vector.size());
  EXPECT_EQ(std::memcmp(back->data(), vector.data(), vector.size() * sizeof(float)), 0);
}

TEST(JsonTextTest, RecordsAreOneValidLine) {
  Record record;
  record.id = "a\"b\n";
  record.rowid = RowId{7};
  record.fields = {{"title", std::string("x\xFFy")}, {"n", std::monostate{}}, {"ok", true}};
  record.metadata = "{\n \"k\": 1\n}";
  record.vectors = {{"v", {0.1F}}, {"empty", {}}};
  const std::string line = record_line(record, {.vectors = true, .archived = true});
  EXPECT_EQ(line.find('\n'), line.size() - 1);
  const auto parsed = nlohmann::json::parse(line);
  EXPECT_EQ(parsed["id"], "a\"b\n");
  EXPECT_EQ(parsed["fields"]["title"], "x\xEF\xBF\xBDy");
  EXPECT_TRUE(parsed["fields"]["n"].is_null());
  EXPECT_EQ(parsed["metadata"]["k"], 1);
  EXPECT_FALSE(parsed.contains("empty"));
  EXPECT_FALSE(parsed.contains("archived"));
  const auto flat = nlohmann::json::parse(record_line(record, {.flat = true}));
  EXPECT_EQ(flat["ok"], true);
  EXPECT_FALSE(flat.contains("n"));
}

TEST(JsonTextTest, NumbersAreShortestAndNeverInfinite) {
  std::string out;
  append_json_number(out, 0.1);
  out += ' ';
  append_json_number(out, 0.1F);
  out += ' ';
  append_json_number(out, HUGE_VAL);
  EXPECT_EQ(out, "0.1 0.1 null");
}

TEST(JsonTextTest, TimesAreUtc) {
  EXPECT_EQ(time_text(0), "1970-01-01T00:00:00.000000Z");
  EXPECT_EQ(time_text(1700000000123456), "2023-11-14T22:13:20.123456Z");
  EXPECT_EQ(time_text(-1), "1969-12-31T23:59:59.999999Z");
}

}  // namespace
}  // namespace loci::cli

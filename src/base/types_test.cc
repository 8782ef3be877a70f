// SPDX-License-Identifier: Apache-2.0
#include "loci/types.h"

#include <gtest/gtest.h>

#include "loci/database.h"

namespace loci {
namespace {

TEST(MetricTest, NamesReadBack) {
  for (const Metric metric : {Metric::kL2, Metric::kCosine, Metric::kDot, Metric::kAngular,
                              Metric::kL1, Metric::kHamming}) {
    const Result<Metric> parsed = parse_metric(metric_name(metric));
    ASSERT_TRUE(parsed.has_value());
    EXPECT_EQ(*parsed, metric);
  }
  EXPECT_EQ(metric_name(Metric::kCustom), "custom");
}

TEST(MetricTest, UnknownNameListsTheKnown) {
  for (const char* const name : {"L2", "", "custom", "euclid"}) {
    const Result<Metric> parsed = parse_metric(name);
    ASSERT_FALSE(parsed.has_value()) << name;
    EXPECT_EQ(parsed.error().code(), StatusCode::kInvalidArgument);
    EXPECT_NE(parsed.error().message().find("l2, cosine, dot, angular, l1, hamming"),
              std::string_view::npos);
  }
}

TEST(MetricTest, SimilarityFollowsTheTable) {
  EXPECT_EQ(similarity_of(Metric::kL2, 3), 0.25);
  EXPECT_EQ(similarity_of(Metric::kL1, 1), 0.5);
  EXPECT_EQ(similarity_of(Metric::kHamming, 0), 1);
  EXPECT_EQ(similarity_of(Metric::kCustom, 3), 0.25);
  EXPECT_EQ(similarity_of(Metric::kCosine, 0.25), 0.75);
  EXPECT_EQ(similarity_of(Metric::kAngular, 0.25), 0.75);
  EXPECT_EQ(similarity_of(Metric::kDot, -7), 7);
}

TEST(ElementTest, NamesReadBack) {
  for (const Element element : {Element::kF32, Element::kF16, Element::kBf16, Element::kI8}) {
    const Result<Element> parsed = parse_element(element_name(element));
    ASSERT_TRUE(parsed.has_value());
    EXPECT_EQ(*parsed, element);
  }
  for (const char* const name : {"F16", "", "half", "f64", "u8"}) {
    const Result<Element> unknown = parse_element(name);
    ASSERT_FALSE(unknown.has_value()) << name;
    EXPECT_EQ(unknown.error().code(), StatusCode::kInvalidArgument);
    EXPECT_NE(unknown.error().message().find("f32, f16, bf16, i8"), std::string_view::npos);
  }
}

TEST(FieldTypeTest, NamesReadBack) {
  for (const FieldType type :
       {FieldType::kText, FieldType::kInt, FieldType::kFloat, FieldType::kBool}) {
    const Result<FieldType> parsed = parse_field_type(field_type_name(type));
    ASSERT_TRUE(parsed.has_value());
    EXPECT_EQ(*parsed, type);
  }
  const Result<FieldType> unknown = parse_field_type("integer");
  ASSERT_FALSE(unknown.has_value());
  EXPECT_NE(unknown.error().message().find("text, int, float, bool"), std::string_view::npos);
}

TEST(VersionTest, IsThreeNumbers) {
  int dots = 0;
  for (const char c : version()) {
    if (c == '.') {
      ++dots;
    } else {
      EXPECT_TRUE(c >= '0' && c <= '9') << version();
    }
  }
  EXPECT_EQ(dots, 2);
}

}  // namespace
}  // namespace loci

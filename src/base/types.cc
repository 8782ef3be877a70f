// SPDX-License-Identifier: Apache-2.0
#include "loci/types.h"

#include <array>
#include <string_view>
#include <utility>

#include "base/strings.h"

namespace loci {
namespace {

constexpr std::array<std::pair<std::string_view, Metric>, 6> kMetrics = {
    {{"l2", Metric::kL2},
     {"cosine", Metric::kCosine},
     {"dot", Metric::kDot},
     {"angular", Metric::kAngular},
     {"l1", Metric::kL1},
     {"hamming", Metric::kHamming}}};

constexpr std::array<std::pair<std::string_view, Element>, 4> kElements = {
    {{"f32", Element::kF32},
     {"f16", Element::kF16},
     {"bf16", Element::kBf16},
     {"i8", Element::kI8}}};

constexpr std::array<std::pair<std::string_view, FieldType>, 4> kFieldTypes = {
    {{"text", FieldType::kText},
     {"int", FieldType::kInt},
     {"float", FieldType::kFloat},
     {"bool", FieldType::kBool}}};

template <typename Entries>
std::string listing(const Entries& entries) {
  std::string names;
  for (const auto& [name, unused] : entries) {
    base::str_append(names, names.empty() ? "" : ", ", name);
  }
  return names;
}

}  // namespace

std::string_view metric_name(Metric metric) noexcept {
  for (const auto& [name, known] : kMetrics) {
    if (known == metric) return name;
  }
  return "custom";
}

Result<Metric> parse_metric(std::string_view name) {
  for (const auto& [known, metric] : kMetrics) {
    if (known == name) return metric;
  }
  return Status::invalid_argument(
      base::str_cat("unknown metric '", name, "', expected one of ", listing(kMetrics)));
}

double similarity_of(Metric metric, double distance) noexcept {
  switch (metric) {
    case Metric::kCosine:
    case Metric::kAngular:
      return 1.0 - distance;
    case Metric::kDot:
      return -distance;
    case Metric::kL2:
    case Metric::kL1:
    case Metric::kHamming:
    case Metric::kCustom:
      return 1.0 / (1.0 + distance);
  }
  return 0.0;
}

std::string_view element_name(Element element) noexcept {
  for (const auto& [name, known] : kElements) {
    if (known == element) return name;
  }
  return "unknown";
}

Result<Element> parse_element(std::string_view name) {
  for (const auto& [known, element] : kElements) {
    if (known == name) return element;
  }
  return Status::invalid_argument(
      base::str_cat("unknown element '", name, "', expected one of ", listing(kElements)));
}

std::string_view field_type_name(FieldType type) noexcept {
  for (const auto& [name, known] : kFieldTypes) {
    if (known == type) return name;
  }
  return "unknown";
}

Result<FieldType> parse_field_type(std::string_view name) {
  for (const auto& [known, type] : kFieldTypes) {
    if (known == name) return type;
  }
  return Status::invalid_argument(
      base::str_cat("unknown column type '", name, "', expected one of ", listing(kFieldTypes)));
}

}  // namespace loci

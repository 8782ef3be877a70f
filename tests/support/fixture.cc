// SPDX-License-Identifier: Apache-2.0
#include "support/fixture.h"

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <iomanip>
#include <numbers>
#include <sstream>

namespace loci::testing {
namespace {

std::string describe(const Value& value) {
  std::ostringstream out;
  out << std::setprecision(17);
  if (std::holds_alternative<std::monostate>(value)) out << "null";
  if (const auto* number = std::get_if<int64_t>(&value)) out << *number;
  if (const auto* number = std::get_if<double>(&value)) out << *number << 'f';
  if (const auto* flag = std::get_if<bool>(&value)) out << (*flag ? "true" : "false");
  if (const auto* text = std::get_if<std::string>(&value)) out << '\'' << *text << '\'';
  return out.str();
}

double dot(VectorView a, VectorView b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i)
    sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  return sum;
}

double cosine(VectorView a, VectorView b) {
  return dot(a, b) / (std::sqrt(dot(a, a)) * std::sqrt(dot(b, b)));
}

}  // namespace

::testing::AssertionResult is_ok(const Status& status) {
  if (status.ok()) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << status.to_string();
}

::testing::AssertionResult fails_with(const Status& status, StatusCode code,
                                      std::initializer_list<std::string_view> parts) {
  if (status.code() != code) {
    return ::testing::AssertionFailure()
           << "expected " << status_code_name(code) << ", got " << status.to_string();
  }
  for (const std::string_view part : parts) {
    if (status.message().find(part) == std::string_view::npos) {
      return ::testing::AssertionFailure()
             << "'" << part << "' is not in the message: " << status.to_string();
    }
  }
  return ::testing::AssertionSuccess();
}

std::string check_report(Database& database) {
  const auto findings = database.check();
  if (!findings.ok()) return findings.error().to_string();
  std::string report;
  for (const CheckFinding& finding : findings.value()) {
    report += finding.object + " [" + finding.kind + "] " + finding.message + "\n";
  }
  return report;
}

std::string describe(const Record& record) {
  std::ostringstream out;
  out << std::setprecision(9) << to_int(record.rowid.value_or(kNoRow))
      << " id=" << record.id.value_or("-") << (record.archived ? " archived" : "");
  for (const auto& [name, value] : record.fields) out << ' ' << name << '=' << describe(value);
  out << " metadata=" << record.metadata.value_or("-");
  for (const auto& [name, vector] : record.vectors) {
    out << ' ' << name << "=[";
    for (const float component : vector) out << component << ' ';
    out << ']';
  }
  return out.str();
}

std::string dump(Collection& collection) {
  std::string text;
  const Status status = collection.scan({}, true, true, -1, 0, [&](const Record& record) {
    text += describe(record) + "\n";
    return Status();
  });
  return status.ok() ? text : status.to_string();
}

double oracle_distance(Metric metric, VectorView a, VectorView b) {
  double sum = 0;
  switch (metric) {
    case Metric::kL2:
      for (size_t i = 0; i < a.size(); ++i) {
        const double difference = static_cast<double>(a[i]) - static_cast<double>(b[i]);
        sum += difference * difference;
      }
      return std::sqrt(sum);
    case Metric::kCosine:
      return 1 - cosine(a, b);
    case Metric::kDot:
      return -dot(a, b);
    case Metric::kAngular:
      return std::acos(std::fmin(1, std::fmax(-1, cosine(a, b)))) / std::numbers::pi;
    case Metric::kL1:
      for (size_t i = 0; i < a.size(); ++i) {
        sum += std::fabs(static_cast<double>(a[i]) - static_cast<double>(b[i]));
      }
      return sum;
    case Metric::kHamming:
      for (size_t i = 0; i < a.size(); ++i) sum += (a[i] > 0) != (b[i] > 0) ? 1 : 0;
      return sum;
    case Metric::kCustom:
      break;
  }
  ADD_FAILURE() << "no oracle for metric " << metric_name(metric);
  return sum;
}

std::vector<float> Random::vector(size_t dim) {
  std::vector<float> values(dim);
  for (float& value : values) value = static_cast<float>(unit() * 2 - 1);
  if (values[0] == 0.0F) values[0] = 0.5F;
  return values;
}

std::vector<float> sine_vector(size_t dim, double seed) {
  std::vector<float> values(dim);
  for (size_t i = 0; i < dim; ++i) {
    values[i] = static_cast<float>(std::sin(static_cast<double>(i + 1) * seed));
  }
  return values;
}

int test_rounds(int short_run) {
  const char* text = std::getenv("LOCI_TEST_ROUNDS");  // NOLINT(concurrency-mt-unsafe): at start
  const int rounds = text == nullptr ? 0 : std::atoi(text);  // NOLINT(cert-err34-c): 0 is refused
  return rounds > 0 ? rounds : short_run;
}

uint64_t test_seed() {
  const char* text = std::getenv("LOCI_TEST_SEED");  // NOLINT(concurrency-mt-unsafe): at start
  return text == nullptr ? 0 : std::strtoull(text, nullptr, 10);
}

bool soak() {
  const char* text = std::getenv("LOCI_SOAK");  // NOLINT(concurrency-mt-unsafe): at start
  return text != nullptr && std::string_view(text) == "1";
}

VectorColumn vector_column(std::string_view name, size_t dim, Metric metric) {
  VectorColumn column;
  column.name = name;
  column.dim = dim;
  column.metric = metric;
  return column;
}

Record vector_record(std::string_view id, std::vector<float> vector) {
  Record record;
  if (!id.empty()) record.id = id;
  record.vectors.emplace_back("embedding", std::move(vector));
  return record;
}

Value field(const Record& record, std::string_view column) {
  for (const auto& [name, value] : record.fields) {
    if (name == column) return value;
  }
  return {};
}

std::vector<int64_t> rowids(const std::vector<Hit>& hits) {
  std::vector<int64_t> rows;
  rows.reserve(hits.size());
  for (const Hit& hit : hits) rows.push_back(to_int(hit.rowid));
  return rows;
}

std::string blob_literal(VectorView vector) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  std::string text = "X'";
  for (const float component : vector) {
    uint32_t bits = 0;
    std::memcpy(&bits, &component, sizeof bits);
    for (int byte = 0; byte < 4; ++byte, bits >>= 8) {
      text += kDigits[(bits >> 4) & 0xF];
      text += kDigits[bits & 0xF];
    }
  }
  return text + "'";
}

}  // namespace loci::testing

// SPDX-License-Identifier: Apache-2.0
#include "report.h"

#include <algorithm>
#include <cmath>
#include <iomanip>
#include <numeric>
#include <sstream>

namespace loci::bench {
namespace {

constexpr std::string_view kTarget = "_target";

void write_text(std::ostream& out, std::string_view text) {
  out << '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') out << '\\';
    if (static_cast<unsigned char>(c) >= 0x20) out << c;
  }
  out << '"';
}

void write_number(std::ostream& out, const Number& number) {
  if (const auto* text = std::get_if<std::string>(&number)) return write_text(out, *text);
  if (const auto* flag = std::get_if<bool>(&number)) {
    out << (*flag ? "true" : "false");
  } else if (const auto* whole = std::get_if<int64_t>(&number)) {
    out << *whole;
  } else if (const double real = std::get<double>(number); std::isfinite(real)) {
    out << std::setprecision(6) << real;
  } else {
    out << "null";
  }
}

void write_object(std::ostream& out, const Numbers& numbers) {
  const char* separator = "";
  for (const auto& [name, value] : numbers) {
    out << separator;
    write_text(out, name);
    out << ": ";
    write_number(out, value);
    separator = ", ";
  }
}

double as_double(const Number& number) {
  if (const auto* whole = std::get_if<int64_t>(&number)) return static_cast<double>(*whole);
  const auto* real = std::get_if<double>(&number);
  return real == nullptr ? std::nan("") : *real;
}

/// Numbers for people: about four digits.
std::string brief(const Number& number) {
  std::ostringstream out;
  if (const auto* real = std::get_if<double>(&number)) {
    out << std::fixed << std::setprecision(std::fabs(*real) >= 100 ? 0 : 3) << *real;
  } else if (const auto* text = std::get_if<std::string>(&number)) {
    out << *text;
  } else {
    write_number(out, number);
  }
  return out.str();
}

}  // namespace

Latency latency_of(std::vector<double> samples_us) {
  Latency latency;
  latency.samples = samples_us.size();
  if (samples_us.empty()) return latency;
  std::sort(samples_us.begin(), samples_us.end());
  const auto at = [&](double share) {
    const auto rank =
        static_cast<size_t>(std::ceil(share * static_cast<double>(samples_us.size())));
    return samples_us[std::min(samples_us.size() - 1, rank == 0 ? 0 : rank - 1)];
  };
  latency.p50_us = at(0.50);
  latency.p95_us = at(0.95);
  latency.p99_us = at(0.99);
  const double total = std::accumulate(samples_us.begin(), samples_us.end(), 0.0);
  latency.qps = 1e6 * static_cast<double>(samples_us.size()) / total;
  return latency;
}

double median_of(std::vector<double> samples) {
  if (samples.empty()) return std::nan("");
  std::sort(samples.begin(), samples.end());
  const size_t middle = samples.size() / 2;
  return samples.size() % 2 == 1 ? samples[middle] : (samples[middle - 1] + samples[middle]) / 2;
}

void Report::fact(std::string_view name, Number value) {
  table_ << name << ": " << brief(value) << "\n";
  facts_.emplace_back(name, std::move(value));
}

void Report::add(std::string_view workload, std::string_view name, Numbers numbers) {
  Numbers verdicts;
  for (const auto& [key, limit] : numbers) {
    if (key.size() <= kTarget.size() || !key.ends_with(kTarget)) continue;
    const std::string measured = key.substr(0, key.size() - kTarget.size());
    for (const auto& [other, value] : numbers) {
      if (other != measured) continue;
      const bool met = as_double(value) <= as_double(limit);
      verdicts.emplace_back(measured + "_met", met);
      if (met) continue;
      missed_.push_back(std::string(workload) + " " + std::string(name) + ": " + measured + " " +
                        brief(value) + ", target " + brief(limit));
    }
  }
  numbers.insert(numbers.end(), verdicts.begin(), verdicts.end());
  table_ << std::left << std::setw(8) << workload << std::setw(34) << name;
  for (const auto& [key, value] : numbers) table_ << "  " << key << " " << brief(value);
  table_ << "\n" << std::flush;
  rows_.push_back({std::string(workload), std::string(name), std::move(numbers)});
}

void Report::write_json(std::ostream& out) const {
  out << "{";
  write_object(out, facts_);
  out << ", \"results\": [";
  const char* separator = "\n  ";
  for (const Row& row : rows_) {
    out << separator << "{\"workload\": ";
    write_text(out, row.workload);
    out << ", \"name\": ";
    write_text(out, row.name);
    out << ", ";
    write_object(out, row.numbers);
    out << "}";
    separator = ",\n  ";
  }
  out << "\n]}\n";
}

}  // namespace loci::bench

// SPDX-License-Identifier: Apache-2.0
#include "data.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>

namespace loci::bench {
namespace {

constexpr size_t kNotesDim = 384;
constexpr size_t kQueries = 1000;
constexpr size_t kWords = 20000;

/// Rows of a little-endian .fvecs (component_bytes 4) or .bvecs (1) file, widened to float.
std::vector<float> read_vecs(const std::string& path, size_t component_bytes, size_t limit) {
  std::ifstream in(path, std::ios::binary);
  std::vector<float> values;
  std::vector<unsigned char> row;
  int32_t dim = 0;
  for (size_t i = 0; i < limit && in.read(reinterpret_cast<char*>(&dim), 4); ++i) {
    row.resize(static_cast<size_t>(dim) * component_bytes);
    if (!in.read(reinterpret_cast<char*>(row.data()), static_cast<std::streamsize>(row.size()))) {
      break;
    }
    const size_t begin = values.size();
    values.resize(begin + static_cast<size_t>(dim));
    if (component_bytes == sizeof(float)) {
      std::memcpy(values.data() + begin, row.data(), row.size());
    } else {
      std::copy(row.begin(), row.end(), values.begin() + static_cast<std::ptrdiff_t>(begin));
    }
  }
  return values;
}

double uniform(std::mt19937_64& engine) { return static_cast<double>(engine() >> 11) * 0x1.0p-53; }

double gaussian(std::mt19937_64& engine) {
  const double radius = std::sqrt(-2 * std::log(1 - uniform(engine)));
  return radius * std::cos(6.283185307179586 * uniform(engine));
}

/// Unit vectors in 200 gaussian clusters: closer to real embeddings than uniform noise is.
Dataset generate(const DataSource& source, size_t rows, size_t dim) {
  Dataset data;
  data.source = "generated: 200 gaussian clusters on the unit sphere";
  data.dim = dim;
  std::mt19937_64 engine(source.seed);
  std::vector<float> centres(200 * dim);
  for (float& value : centres) value = static_cast<float>(gaussian(engine));
  const auto fill = [&](std::vector<float>& vectors, size_t count) {
    vectors.resize(count * dim);
    for (size_t i = 0; i < count; ++i) {
      const float* centre = centres.data() + (engine() % 200) * dim;
      float* row = vectors.data() + i * dim;
      double norm = 0;
      for (size_t j = 0; j < dim; ++j) {
        row[j] = centre[j] + static_cast<float>(0.7 * gaussian(engine));
        norm += static_cast<double>(row[j]) * static_cast<double>(row[j]);
      }
      for (size_t j = 0; j < dim; ++j) row[j] /= static_cast<float>(std::sqrt(norm));
    }
  };
  fill(data.base, rows);
  fill(data.queries, kQueries);
  return data;
}

std::string label(size_t rows, size_t dim) {
  return std::to_string(rows) + "x" + std::to_string(dim);
}

}  // namespace

Dataset notes(const DataSource& source, size_t rows) {
  Dataset data;
  data.dim = kNotesDim;
  data.source = "notes384";
  data.base = read_vecs(source.folder + "/notes384/base.fvecs", sizeof(float), rows);
  data.queries = read_vecs(source.folder + "/notes384/query.fvecs", sizeof(float), kQueries);
  // Past the end of the real rows, or without them, all rows are generated: the two are not mixed.
  const bool whole = rows == SIZE_MAX && !data.base.empty();
  if (!whole && data.rows() < rows) {
    data = generate(source, rows == SIZE_MAX ? 54821 : rows, kNotesDim);
  }
  data.name = label(data.rows(), data.dim);
  return data;
}

Dataset note_pairs(const DataSource& source, size_t rows) {
  Dataset data = notes(source, 2 * rows);
  data.dim *= 2;  // row-major: two neighbouring rows are one row of twice the dimension
  data.source += ", rows joined in pairs";
  data.name = label(data.rows(), data.dim);
  return data;
}

std::optional<Dataset> mnist(const DataSource& source) {
  Dataset data;
  data.dim = 784;
  data.metric = Metric::kL2;
  data.source = "mnist784";
  data.base = read_vecs(source.folder + "/mnist784/base.bvecs", 1, SIZE_MAX);
  data.queries = read_vecs(source.folder + "/mnist784/query.bvecs", 1, kQueries);
  if (data.base.empty()) return std::nullopt;
  data.name = label(data.rows(), data.dim);
  return data;
}

double exact_distance(Metric metric, VectorView a, VectorView b) {
  double sums[3] = {0, 0, 0};  // of a * b, a * a, b * b; or of (a - b)^2
  if (metric == Metric::kL2) {
    double lanes[8] = {};  // independent sums, so that the compiler can use its registers
    for (size_t i = 0; i < a.size(); ++i) {
      const double difference = static_cast<double>(a[i]) - static_cast<double>(b[i]);
      lanes[i % 8] += difference * difference;
    }
    for (const double lane : lanes) sums[0] += lane;
    return std::sqrt(sums[0]);
  }
  for (size_t i = 0; i < a.size(); ++i) {
    const double x = static_cast<double>(a[i]);
    const double y = static_cast<double>(b[i]);
    sums[0] += x * y;
    sums[1] += x * x;
    sums[2] += y * y;
  }
  return 1 - sums[0] / std::sqrt(sums[1] * sums[2]);
}

std::vector<double> kth_distances(const Dataset& data, size_t queries, size_t k,
                                  const std::vector<bool>& passes) {
  std::vector<double> limits;
  std::vector<double> distances;
  for (size_t q = 0; q < std::min(queries, data.query_count()); ++q) {
    distances.clear();
    for (size_t i = 0; i < data.rows(); ++i) {
      if (!passes.empty() && !passes[i]) continue;
      distances.push_back(exact_distance(data.metric, data.query(q), data.row(i)));
    }
    if (distances.empty()) {
      limits.push_back(-1);
      continue;
    }
    const size_t nth = std::min(k, distances.size()) - 1;
    std::nth_element(distances.begin(), distances.begin() + static_cast<std::ptrdiff_t>(nth),
                     distances.end());
    limits.push_back(distances[nth]);
  }
  return limits;
}

TextMaker::TextMaker(uint64_t seed) : state_(seed) {
  double sum = 0;
  for (size_t i = 0; i < kWords; ++i) {
    sum += 1.0 / static_cast<double>(i + 2);
    cumulative_.push_back(sum);
  }
}

uint64_t TextMaker::next() {  // splitmix64, Steele, Lea, Flood 2014
  uint64_t z = (state_ += 0x9E3779B97F4A7C15);
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
  return z ^ (z >> 31);
}

std::string TextMaker::text(size_t words) {
  constexpr const char* kSyllables[] = {"ka", "lo",  "mi", "ner", "tu", "vas", "pel", "dri",
                                        "so", "gan", "ri", "bet", "ul", "fen", "cho", "mar"};
  std::string text;
  for (size_t i = 0; i < words; ++i) {
    const double point = static_cast<double>(next() >> 11) * 0x1.0p-53 * cumulative_.back();
    auto word = static_cast<size_t>(
        std::lower_bound(cumulative_.begin(), cumulative_.end(), point) - cumulative_.begin());
    if (!text.empty()) text += ' ';
    do {  // the word's number in base 16, a syllable a digit: frequent words are short
      text += kSyllables[word % 16];
      word /= 16;
    } while (word != 0);
  }
  return text;
}

std::string TextMaker::id() {
  constexpr char kHex[] = "0123456789abcdef";
  std::string count(12, '0');
  for (size_t i = 0; i < 12; ++i) count[11 - i] = kHex[(count_ >> (4 * i)) & 0xF];
  ++count_;
  const uint64_t chance = next();
  std::string tail(12, '0');
  for (size_t i = 0; i < 12; ++i) tail[i] = kHex[(chance >> (4 * i)) & 0xF];
  return count.substr(0, 8) + "-" + count.substr(8) + "-7000-8000-" + tail;
}

}  // namespace loci::bench

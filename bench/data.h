// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "loci/loci.h"

namespace loci::bench {

/// Vectors to store and vectors to ask with, row-major.
struct Dataset {
  std::string name;
  std::string source;  ///< "notes384", or "generated" with what
  size_t dim = 0;
  Metric metric = Metric::kCosine;
  std::vector<float> base;
  std::vector<float> queries;

  [[nodiscard]] size_t rows() const { return base.size() / dim; }
  [[nodiscard]] size_t query_count() const { return queries.size() / dim; }
  [[nodiscard]] VectorView row(size_t i) const { return VectorView(base).subspan(i * dim, dim); }
  [[nodiscard]] VectorView query(size_t i) const {
    return VectorView(queries).subspan(i * dim, dim);
  }
};

/// Where the real data lies, and the seed of what is generated in its place.
struct DataSource {
  std::string folder;  ///< with notes384/ and mnist784/ in it; may be absent
  uint64_t seed = 0;
};

/// `rows` x 384 of notes384, or as many generated.
Dataset notes(const DataSource& source, size_t rows);
/// `rows` x 768: notes vectors joined in pairs.
Dataset note_pairs(const DataSource& source, size_t rows);
/// mnist784 whole; nullopt where it is absent.
std::optional<Dataset> mnist(const DataSource& source);

/// The k-th smallest distance of each of the first `queries` queries, in double: what recall is
/// measured against. Cost O(queries * rows * dim).
std::vector<double> kth_distances(const Dataset& data, size_t queries, size_t k,
                                  const std::vector<bool>& passes = {});
/// Distance by its definition, in double.
double exact_distance(Metric metric, VectorView a, VectorView b);

/// A seeded text of `words` words, frequencies by Zipf's law over 20,000 words.
class TextMaker {
 public:
  explicit TextMaker(uint64_t seed);
  std::string text(size_t words);
  /// A 36-character id, ascending like a UUIDv7.
  std::string id();

 private:
  uint64_t next();
  uint64_t state_;
  uint64_t count_ = 0;
  std::vector<double> cumulative_;
};

}  // namespace loci::bench

// SPDX-License-Identifier: Apache-2.0
//
// loci_make_set: a seeded set of vectors that anyone can make again, bit for bit, on any machine.
//
// Usage: loci_make_set ROWS QUERIES DIM SEED FOLDER      writes FOLDER/base.fbin and query.fbin
//
// Real embeddings lie near a surface of few dimensions, in clusters of very unequal sizes, and many
// rows have a near twin; uniform noise has none of that and is harder than anything real. So each
// row is one of 1,000 cluster centres (the c-th as often as 1/(c + 10)) plus noise, in 24 latent
// dimensions, mapped to DIM by a fixed random matrix; a fifth of the rows repeat one of the 1,000
// rows before, with noise of 1/64. Rows have unit length. The first N rows do not depend on ROWS,
// and queries are drawn from the same clusters by a seed of their own.
//
// All of it is integer arithmetic up to one square root and one division a component, both of which
// IEEE 754 rounds correctly: no logarithm, no cosine, no order of additions.
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

namespace loci::bench {
namespace {

constexpr size_t kLatent = 24;
constexpr size_t kClusters = 1000;
constexpr size_t kMemory = 1000;  // how far back a twin may lie

class Random {  // splitmix64, Steele, Lea, Flood 2014
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t next() {
    uint64_t z = (state_ += 0x9E3779B97F4A7C15);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
    return z ^ (z >> 31);
  }
  /// Nearly normal, standard deviation 1024: the sum of twelve 10-bit numbers, less its mean.
  int64_t normal() {
    int64_t sum = 0;
    for (int word = 0; word < 2; ++word) {
      const uint64_t bits = next();
      for (int i = 0; i < 6; ++i) sum += static_cast<int64_t>((bits >> (10 * i)) & 1023);
    }
    return sum - 12 * 1023 / 2;
  }

 private:
  uint64_t state_;
};

class Maker {
 public:
  Maker(size_t dim, uint64_t seed) : dim_(dim), centres_(kClusters * kLatent), map_(dim * kLatent) {
    Random random(seed);
    for (int64_t& value : centres_) value = random.normal();
    for (int64_t& value : map_) value = random.normal() / 16;
    uint64_t sum = 0;
    for (size_t c = 0; c < kClusters; ++c) weights_.push_back(sum += 1000000 / (c + 10));
  }

  /// Appends `rows` unit vectors to a file.
  bool write(const std::string& path, size_t rows, uint64_t seed) {
    std::ofstream out(path, std::ios::binary);
    const uint32_t head[2] = {static_cast<uint32_t>(rows), static_cast<uint32_t>(dim_)};
    out.write(reinterpret_cast<const char*>(head), sizeof(head));
    Random random(seed);
    std::vector<int64_t> past;  // latent rows, the last kMemory of them in a ring
    std::vector<float> row(dim_);
    for (size_t i = 0; i < rows; ++i) {
      fill(latent(random, past, i), random, row);
      out.write(reinterpret_cast<const char*>(row.data()),
                static_cast<std::streamsize>(dim_ * sizeof(float)));
    }
    out.close();
    return static_cast<bool>(out);
  }

 private:
  const int64_t* latent(Random& random, std::vector<int64_t>& past, size_t i) {
    past.resize(kMemory * kLatent);
    int64_t* out = past.data() + (i % kMemory) * kLatent;
    if (i >= kMemory && random.next() % 5 == 0) {
      const int64_t* twin = past.data() + (random.next() % kMemory) * kLatent;
      for (size_t j = 0; j < kLatent; ++j) out[j] = twin[j] + random.normal() / 64;
      return out;
    }
    const uint64_t point = random.next() % weights_.back();
    size_t cluster = 0;
    while (weights_[cluster] <= point) ++cluster;
    const int64_t* centre = centres_.data() + cluster * kLatent;
    for (size_t j = 0; j < kLatent; ++j) out[j] = centre[j] + random.normal() * 3 / 4;
    return out;
  }

  void fill(const int64_t* latent, Random& random, std::vector<float>& row) {
    std::vector<int64_t> values(dim_);
    int64_t squares = 0;
    for (size_t d = 0; d < dim_; ++d) {
      const int64_t* map = map_.data() + d * kLatent;
      int64_t sum = 0;
      for (size_t j = 0; j < kLatent; ++j) sum += map[j] * latent[j];
      values[d] = sum / 64 + static_cast<int64_t>(random.next() % 512) - 256;
      squares += values[d] * values[d];
    }
    const double length = std::sqrt(static_cast<double>(squares));
    for (size_t d = 0; d < dim_; ++d) {
      row[d] = static_cast<float>(static_cast<double>(values[d]) / length);
    }
  }

  size_t dim_;
  std::vector<int64_t> centres_;
  std::vector<int64_t> map_;
  std::vector<uint64_t> weights_;
};

}  // namespace
}  // namespace loci::bench

int main(int argc, char** argv) {
  if (argc != 6) {
    std::cerr << "usage: loci_make_set ROWS QUERIES DIM SEED FOLDER\n";
    return 2;
  }
  const auto number = [&](int i) { return std::strtoull(argv[i], nullptr, 10); };
  const std::string folder = argv[5];
  std::filesystem::create_directories(folder);
  loci::bench::Maker maker(number(3), number(4));
  if (maker.write(folder + "/base.fbin", number(1), number(4) + 1) &&
      maker.write(folder + "/query.fbin", number(2), number(4) + 2)) {
    return 0;
  }
  std::cerr << "loci_make_set: cannot write to " << folder << "\n";
  return 1;
}

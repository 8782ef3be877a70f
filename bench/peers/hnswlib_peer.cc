// SPDX-License-Identifier: Apache-2.0
//
// hnswlib as its README shows it: cosine is the inner product of unit vectors.
// --config M=16 efc=200
#include <hnswlib/hnswlib.h>

#include <memory>

#include "driver.h"

namespace loci::bench::peers {
namespace {

// Room for rows that are inserted into a loaded index.
constexpr size_t kRoom = 100000;

class Hnswlib : public Peer {
 public:
  std::vector<std::pair<std::string, std::string>> facts() override {
    return {{"version", LOCI_PEER_VERSION}};
  }

  void build(const Matrix& base, const Setup& setup) override {
    make_space(base.dim, setup);
    index_ = std::make_unique<Index>(space_.get(), base.rows, setup.number("M", 16),
                                     setup.number("efc", 200));
    for (size_t i = 0; i < base.rows; ++i) index_->addPoint(base.row(i), i);
  }

  void save(const Setup& setup) override { index_->saveIndex(setup.index); }

  void load(size_t dim, const Setup& setup) override {
    make_space(dim, setup);
    index_ = std::make_unique<Index>(space_.get(), setup.index, false, setup.rows + kRoom);
  }

  void set_ef(size_t ef) override { index_->setEf(ef); }

  size_t search(const float* query, size_t k, int64_t* ids, float* distances) override {
    auto found = index_->searchKnn(query, k);
    const size_t count = found.size();
    for (size_t i = count; i-- > 0; found.pop()) {
      ids[i] = static_cast<int64_t>(found.top().second);
      distances[i] = found.top().first;
    }
    return count;
  }

  void insert(const Matrix& rows, size_t first, size_t begin, size_t end) override {
    for (size_t i = begin; i < end; ++i) index_->addPoint(rows.row(i), first + i);
  }

  void remove(size_t first, size_t count) override {
    for (size_t i = first; i < first + count; ++i) index_->markDelete(i);
  }

 private:
  using Index = hnswlib::HierarchicalNSW<float>;

  void make_space(size_t dim, const Setup& setup) {
    if (setup.cosine) {
      space_ = std::make_unique<hnswlib::InnerProductSpace>(dim);
    } else {
      space_ = std::make_unique<hnswlib::L2Space>(dim);
    }
  }

  std::unique_ptr<hnswlib::SpaceInterface<float>> space_;
  std::unique_ptr<Index> index_;
};

}  // namespace
}  // namespace loci::bench::peers

int main(int argc, char** argv) {
  loci::bench::peers::Hnswlib peer;
  return loci::bench::peers::drive(peer, argc, argv);
}

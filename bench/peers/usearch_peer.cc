// SPDX-License-Identifier: Apache-2.0
//
// USearch with its NumKong kernels, chosen at run time as its own packages do.
// --config M=16 efc=200 type=f32|bf16|i8 metric=ip|cos (cosine sets)
#include <memory>
#include <usearch/index_dense.hpp>

#include "driver.h"

namespace loci::bench::peers {
namespace {

namespace us = unum::usearch;

// Room for rows that are inserted into a loaded index.
constexpr size_t kRoom = 100000;

class Usearch : public Peer {
 public:
  std::vector<std::pair<std::string, std::string>> facts() override {
    return {{"version", LOCI_PEER_VERSION}, {"kernels", index_.metric().isa_name()}};
  }

  void build(const Matrix& base, const Setup& setup) override {
    make(base.dim, setup);
    reserve(base.rows);
    for (size_t i = 0; i < base.rows; ++i) check(index_.add(i, base.row(i), 0));
  }

  void save(const Setup& setup) override { check(index_.save(setup.index.c_str())); }

  void load(size_t dim, const Setup& setup) override {
    make(dim, setup);
    check(index_.load(setup.index.c_str()));
    reserve(setup.rows + kRoom);
  }

  void set_ef(size_t ef) override { index_.change_expansion_search(ef); }

  size_t search(const float* query, size_t k, int64_t* ids, float* distances) override {
    const auto found = index_.search(query, k, 0);
    for (size_t i = 0; i < found.size(); ++i) {
      ids[i] = static_cast<int64_t>(found[i].member.key);
      distances[i] = found[i].distance;
    }
    return found.size();
  }

  void insert(const Matrix& rows, size_t first, size_t begin, size_t end) override {
    for (size_t i = begin; i < end; ++i) check(index_.add(first + i, rows.row(i), 0));
  }

  void remove(size_t first, size_t count) override {
    for (size_t i = first; i < first + count; ++i) check(index_.remove(i));
  }

 private:
  template <typename Outcome>
  static void check(Outcome&& outcome) {
    if (!outcome) throw std::runtime_error(outcome.error.release());
  }

  void make(size_t dim, const Setup& setup) {
    const std::string type = setup.text("type", "f32");
    const auto scalar = type == "bf16" ? us::scalar_kind_t::bf16_k
                        : type == "i8" ? us::scalar_kind_t::i8_k
                                       : us::scalar_kind_t::f32_k;
    const auto metric = !setup.cosine                         ? us::metric_kind_t::l2sq_k
                        : setup.text("metric", "ip") == "cos" ? us::metric_kind_t::cos_k
                                                              : us::metric_kind_t::ip_k;
    const us::index_dense_config_t config(setup.number("M", 16), setup.number("efc", 200), 100);
    auto made = us::index_dense_t::make(us::metric_punned_t(dim, metric, scalar), config);
    check(made);
    index_ = std::move(made.index);
  }

  void reserve(size_t rows) {
    if (!index_.try_reserve(us::index_limits_t(rows, 1))) throw std::runtime_error("no memory");
  }

  us::index_dense_t index_;
};

}  // namespace
}  // namespace loci::bench::peers

int main(int argc, char** argv) {
  loci::bench::peers::Usearch peer;
  return loci::bench::peers::drive(peer, argc, argv);
}

// SPDX-License-Identifier: Apache-2.0
//
// Loci as a peer of the comparison (bench/peers): the public C++ API alone, row ids and distances,
// the freshness check of every search included. One file, synchronous=NORMAL, 1,000 rows a
// transaction.
#include <cstring>
#include <filesystem>
#include <optional>
#include <span>

#include "loci/loci.h"
#include "peers/driver.h"

namespace loci::bench::peers {
namespace {

constexpr size_t kBatch = 1000;
constexpr const char* kName = "rows";

void check(const Status& status) {
  if (!status.ok()) throw std::runtime_error(status.to_string());
}

template <typename T>
T value_of(Result<T> result) {
  if (!result.ok()) throw std::runtime_error(result.error().to_string());
  return std::move(*result);
}

class Loci : public Peer {
 public:
  std::vector<std::pair<std::string, std::string>> facts() override {
    auto tier = simd_tier();
    return {{"version", std::string(version())},
            {"kernels", tier.ok() ? *tier : "unknown"},
            {"sqlite", std::string(sqlite_version())},
            {"plan", plan()}};
  }

  void build(const Matrix& base, const Setup& setup) override {
    std::filesystem::remove_all(setup.index);
    std::filesystem::create_directories(setup.index);
    open(setup);
    CollectionSpec spec;
    spec.name = kName;
    spec.vectors = {{"embedding", base.dim, setup.cosine ? Metric::kCosine : Metric::kL2, "", ""}};
    spec.text_ids = false;
    collection_ = value_of(database_->create_collection(spec));
    for (size_t i = 0; i < base.rows; i += kBatch) {
      insert(base, 0, i, std::min(base.rows, i + kBatch));
    }
    check(database_->publish(
        kName, {.m = setup.number("M", 0), .ef_construction = setup.number("efc", 0)}));
    some_.assign(base.row(0), base.row(0) + base.dim);
    request_.k = setup.k;
    plan();  // the first answer: the image is there
  }

  void save(const Setup&) override { check(database_->publish(kName)); }

  void load(size_t dim, const Setup& setup) override {
    open(setup);
    collection_ = value_of(database_->collection(kName));
    some_.assign(dim, 1.0F);
    request_.k = setup.k;
    plan();
  }

  void set_ef(size_t ef) override { request_.ef = ef; }

  size_t search(const float* query, size_t k, int64_t* ids, float* distances) override {
    request_.k = k;
    found_.resize(k);
    check(collection_->nearest(VectorView(query, some_.size()), request_, found_));
    size_t count = 0;
    for (; count < k && found_[count].rowid != kNoRow; ++count) {
      ids[count] = to_int(found_[count].rowid) - 1;
      distances[count] = static_cast<float>(found_[count].distance);
    }
    return count;
  }

  void insert(const Matrix& rows, size_t first, size_t begin, size_t end) override {
    std::vector<Record> records(end - begin);
    for (size_t i = begin; i < end; ++i) {
      Record& record = records[i - begin];
      record.rowid = RowId(static_cast<int64_t>(first + i) + 1);
      record.vectors.emplace_back("embedding",
                                  std::vector<float>(rows.row(i), rows.row(i) + rows.dim));
    }
    value_of(collection_->insert_many(records));
  }

  void remove(size_t first, size_t count) override {
    std::vector<RowKey> keys;
    for (size_t i = 0; i < count; ++i)
      keys.emplace_back(RowId(static_cast<int64_t>(first + i) + 1));
    value_of(collection_->remove(keys));
  }

 private:
  void open(const Setup& setup) { database_ = value_of(Database::open(setup.index + "/rows.db")); }

  // How a search is done.
  std::string plan() {
    SearchRequest request;
    request.mode = SearchMode::kVector;
    request.vector = some_;
    request.k = request_.k;
    request.with_fields = false;
    return value_of(collection_->search(request)).explain.plan;
  }

  std::optional<Database> database_;
  std::optional<Collection> collection_;
  NearestRequest request_;
  std::vector<Neighbor> found_;
  std::vector<float> some_;  // a query
};

}  // namespace
}  // namespace loci::bench::peers

int main(int argc, char** argv) {
  loci::bench::peers::Loci peer;
  return loci::bench::peers::drive(peer, argc, argv);
}

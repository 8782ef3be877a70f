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

// The dial of the graph, where SearchRequest has one.
template <typename Request>
constexpr bool kHasEf = requires(Request request) { request.ef_search; };

template <typename Request>
void ask_with(Request& request, size_t ef) {
  if constexpr (kHasEf<Request>) request.ef_search = ef;
}

class Loci : public Peer {
 public:
  std::vector<std::pair<std::string, std::string>> facts() override {
    auto tier = simd_tier();
    return {{"version", std::string(version())},
            {"kernels", tier.ok() ? *tier : "unknown"},
            {"sqlite", std::string(sqlite_version())},
            {"plan", value_of(collection_->search(request_)).explain.plan}};
  }

  bool has_ef() override { return kHasEf<SearchRequest>; }

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
    check(database_->publish(kName));
    make_request(base.row(0), base.dim, setup.k);
    value_of(collection_->search(request_));  // the first answer: the image is there
  }

  void save(const Setup&) override { check(database_->publish(kName)); }

  void load(size_t dim, const Setup& setup) override {
    open(setup);
    collection_ = value_of(database_->collection(kName));
    const std::vector<float> some(dim, 1.0F);
    make_request(some.data(), dim, setup.k);
    value_of(collection_->search(request_));
  }

  void set_ef(size_t ef) override { ask_with(request_, ef); }

  size_t search(const float* query, size_t k, int64_t* ids, float* distances) override {
    request_.vector = VectorView(query, dim_);
    request_.k = k;
    const SearchResult found = value_of(collection_->search(request_));
    for (size_t i = 0; i < found.hits.size(); ++i) {
      ids[i] = to_int(found.hits[i].rowid) - 1;
      distances[i] = static_cast<float>(found.hits[i].distance.value_or(0));
    }
    return found.hits.size();
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

  void make_request(const float* vector, size_t dim, size_t k) {
    dim_ = dim;
    some_.assign(vector, vector + dim);
    request_.mode = SearchMode::kVector;
    request_.vector = some_;
    request_.k = k;
    request_.with_fields = false;
  }

  std::optional<Database> database_;
  std::optional<Collection> collection_;
  SearchRequest request_;
  std::vector<float> some_;  // what request_.vector points to until the first search
  size_t dim_ = 0;
};

}  // namespace
}  // namespace loci::bench::peers

int main(int argc, char** argv) {
  loci::bench::peers::Loci peer;
  return loci::bench::peers::drive(peer, argc, argv);
}

// SPDX-License-Identifier: Apache-2.0
//
// An index on a table of your own. The table stays plain SQL: any client writes it, triggers keep
// the index current.
#include <cstdio>
#include <string>
#include <vector>

#include "loci/loci.h"

namespace {

loci::Status sql(loci::Database& database, const std::string& query) {
  return database.sql(query, [](auto, auto) { return loci::Status{}; });
}

loci::Status run() {
  LOCI_ASSIGN_OR_RETURN(loci::Database database, loci::Database::open(":memory:"));
  LOCI_RETURN_IF_ERROR(sql(database,
                           "CREATE TABLE products(sku INTEGER PRIMARY KEY, name TEXT, price REAL, "
                           "features BLOB)"));
  loci::TableIndexSpec spec;
  spec.name = "products_index";
  spec.table = "products";
  spec.vector.name = "features";  // little-endian float32
  spec.vector.dim = 2;
  spec.vector.metric = loci::Metric::kL2;
  spec.filters = {{"price", loci::FieldType::kFloat}};
  LOCI_ASSIGN_OR_RETURN(loci::Collection index, database.create_table_index(spec));

  // (0, 0), (1, 0) and (3, 4)
  LOCI_RETURN_IF_ERROR(sql(database,
                           "INSERT INTO products VALUES (10, 'pin', 1.5, x'0000000000000000'), "
                           "(11, 'clip', 2.5, x'0000803f00000000'), "
                           "(12, 'stapler', 20, x'0000404000008040')"));
  const std::vector<float> origin = {0, 0};
  loci::SearchRequest request;
  request.vector = origin;
  request.where = "price > 2";
  LOCI_ASSIGN_OR_RETURN(const loci::SearchResult result, index.search(request));
  for (const loci::Hit& hit : result.hits) {
    std::printf("sku %lld at distance %.1f\n", static_cast<long long>(loci::to_int(hit.rowid)),
                hit.distance.value_or(-1));
  }
  const bool right = result.hits.size() == 2 && loci::to_int(result.hits[0].rowid) == 11 &&
                     result.hits[1].distance == 5.0;
  return right ? loci::Status{} : loci::Status::internal("expected sku 11, then 12 at 5");
}

}  // namespace

int main() {
  const loci::Status status = run();
  if (status.ok()) return 0;
  std::fprintf(stderr, "%s\n", status.to_string().c_str());
  return 1;
}

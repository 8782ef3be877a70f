// SPDX-License-Identifier: Apache-2.0
//
// A distance of your own, registered by name in each process that searches.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

#include "loci/loci.h"

namespace {

/// The largest difference of any component.
double chebyshev(loci::VectorView a, loci::VectorView b) {
  double largest = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    largest = std::max(largest, std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i])));
  }
  return largest;
}

loci::Status run() {
  LOCI_ASSIGN_OR_RETURN(loci::Database database, loci::Database::open(":memory:"));
  LOCI_RETURN_IF_ERROR(database.register_metric("chebyshev", chebyshev));
  loci::CollectionSpec spec;
  spec.name = "moves";
  spec.text_ids = false;
  spec.vectors.emplace_back();
  spec.vectors[0].dim = 2;
  spec.vectors[0].metric = loci::Metric::kCustom;
  spec.vectors[0].custom_metric = "chebyshev";
  LOCI_ASSIGN_OR_RETURN(loci::Collection moves, database.create_collection(spec));
  for (int64_t i = 1; i <= 5; ++i) {
    loci::Record record;
    record.rowid = loci::RowId{i};
    record.vectors = {{"embedding", {static_cast<float>(i), static_cast<float>(3 * i)}}};
    LOCI_RETURN_IF_ERROR(moves.insert(record).status());
  }
  const std::vector<float> from = {0, 0};
  LOCI_ASSIGN_OR_RETURN(const std::vector<loci::Hit> hits, moves.nearest(from, 2));
  for (const loci::Hit& hit : hits) {
    std::printf("row %lld at distance %.1f\n", static_cast<long long>(loci::to_int(hit.rowid)),
                hit.distance.value_or(-1));
  }
  const bool right = hits.size() == 2 && hits[0].distance == 3.0 && hits[1].distance == 6.0;
  return right ? loci::Status{} : loci::Status::internal("expected distances 3 and 6");
}

}  // namespace

int main() {
  const loci::Status status = run();
  if (status.ok()) return 0;
  std::fprintf(stderr, "%s\n", status.to_string().c_str());
  return 1;
}

// SPDX-License-Identifier: Apache-2.0
// Usage: consumer FILE. Creates, inserts, searches; non-zero exit when an answer is wrong.
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include <loci/loci.h>

namespace {

constexpr size_t kDim = 3;

loci::Status fill_and_search(const std::string& path, std::string& found) {
  LOCI_ASSIGN_OR_RETURN(loci::Database database, loci::Database::open(path));
  loci::CollectionSpec spec;
  spec.name = "points";
  spec.vectors = {{.name = "embedding", .dim = kDim, .metric = loci::Metric::kL2}};
  spec.text = {"body"};
  LOCI_ASSIGN_OR_RETURN(loci::Collection points, database.create_collection(spec));
  const std::vector<std::vector<float>> rows = {{0, 0, 0}, {1, 2, 3}, {9, 9, 9}};
  for (size_t i = 0; i < rows.size(); ++i) {
    loci::Record record;
    record.id = "row-" + std::to_string(i);
    record.vectors.emplace_back("embedding", rows[i]);
    record.fields.emplace_back("body", "the point number " + std::to_string(i));
    LOCI_RETURN_IF_ERROR(points.insert(record).status());
  }
  const std::vector<float> query = {1, 2, 2};
  loci::SearchRequest request;
  request.vector = query;
  request.k = 1;
  LOCI_ASSIGN_OR_RETURN(const loci::SearchResult result, points.search(request));
  if (!result.hits.empty()) found = result.hits[0].record.id.value_or("");
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  std::string found;
  if (const loci::Status status = fill_and_search(argv[1], found); !status.ok()) {
    std::fprintf(stderr, "%s\n", std::string(status.message()).c_str());
    return 1;
  }
  const std::string version(loci::version());
  std::printf("loci %s found %s\n", version.c_str(), found.c_str());
  return found == "row-1" && version.starts_with("0.1.") ? 0 : 1;
}

// SPDX-License-Identifier: Apache-2.0
//
// Text and vectors fused, with vectors of your own and a filter; then what explain says.
#include <cstdio>
#include <string>
#include <vector>

#include "loci/loci.h"

namespace {

loci::Record paper(const std::string& id, const std::string& body, int64_t year,
                   std::vector<float> vector) {
  loci::Record record;
  record.id = id;
  record.fields = {{"body", body}, {"year", year}};
  record.vectors = {{"embedding", std::move(vector)}};
  return record;
}

loci::Status run() {
  LOCI_ASSIGN_OR_RETURN(loci::Database database, loci::Database::open(":memory:"));
  loci::CollectionSpec spec;
  spec.name = "papers";
  spec.text = {"body"};
  spec.filters = {{"year", loci::FieldType::kInt}};
  spec.vectors.emplace_back();
  spec.vectors[0].dim = 3;
  LOCI_ASSIGN_OR_RETURN(loci::Collection papers, database.create_collection(spec));

  const std::vector<loci::Record> records = {
      paper("wing", "lift of a wing in a slipstream", 1953, {0.9F, 0.1F, 0.0F}),
      paper("flow", "boundary layer flow past a flat plate", 1954, {0.7F, 0.7F, 0.1F}),
      paper("heat", "heat transfer in a slipstream", 1961, {0.0F, 0.2F, 0.9F}),
  };
  LOCI_RETURN_IF_ERROR(papers.insert_many(records).status());

  const std::vector<float> query = {0.8F, 0.3F, 0.0F};
  loci::SearchRequest request;
  request.mode = loci::SearchMode::kHybrid;
  request.text = "slipstream";
  request.vector = query;
  request.where = "year < 1960";
  request.snippets = true;
  LOCI_ASSIGN_OR_RETURN(const loci::SearchResult result, papers.search(request));
  for (const loci::Hit& hit : result.hits) {
    std::printf("%-5s score %.4f distance %.4f  %s\n", hit.record.id.value_or("").c_str(),
                hit.score, hit.distance.value_or(-1), hit.snippet.c_str());
  }
  const loci::Explain& explain = result.explain;
  std::printf("plan: %s, because %s; %zu of %zu rows passed the filter\n", explain.plan.c_str(),
              explain.reason.c_str(), explain.passed_filter, explain.rows);
  const bool right = result.hits.size() == 2 && result.hits[0].record.id == "wing";
  return right ? loci::Status{} : loci::Status::internal("expected 'wing' first of two");
}

}  // namespace

int main() {
  const loci::Status status = run();
  if (status.ok()) return 0;
  std::fprintf(stderr, "%s\n", status.to_string().c_str());
  return 1;
}

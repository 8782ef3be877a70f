// SPDX-License-Identifier: Apache-2.0
//
// One page: open, create, insert, search, delete.
#include <cstdio>
#include <string>

#include "loci/loci.h"

namespace {

loci::Status run(const std::string& path) {
  LOCI_ASSIGN_OR_RETURN(loci::Database database, loci::Database::open(path));

  loci::CollectionSpec spec;
  spec.name = "notes";
  spec.text = {"title", "body"};
  spec.filters = {{"lang", loci::FieldType::kText}, {"year", loci::FieldType::kInt}};
  spec.vectors.emplace_back();     // "embedding", compared by cosine
  spec.vectors[0].model = "hash";  // the built-in lexical embedder; its dimension is taken over
  LOCI_ASSIGN_OR_RETURN(loci::Collection notes, database.create_collection(spec));

  loci::Record record;
  record.id = "n1";
  record.fields = {{"title", std::string("Ownership")},
                   {"body", std::string("Memory safety without a garbage collector")},
                   {"lang", std::string("rust")},
                   {"year", int64_t{2021}}};
  record.metadata = R"({"source": "book"})";
  LOCI_RETURN_IF_ERROR(notes.insert(record).status());

  loci::SearchRequest request;
  request.text = "safe memory";
  request.where = "lang = 'rust' AND year >= 2020";
  LOCI_ASSIGN_OR_RETURN(const loci::SearchResult result, notes.search(request));
  for (const loci::Hit& hit : result.hits) {
    std::printf("%s  score %.4f\n", hit.record.id.value_or("").c_str(), hit.score);
  }
  std::printf("plan: %s\n", result.explain.plan.c_str());

  const loci::RowKey key = std::string("n1");
  LOCI_ASSIGN_OR_RETURN(const int64_t removed, notes.remove({&key, 1}));
  std::printf("removed %lld\n", static_cast<long long>(removed));
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  const loci::Status status = run(argc > 1 ? argv[1] : ":memory:");
  if (status.ok()) return 0;
  std::fprintf(stderr, "%s\n", status.to_string().c_str());
  return 1;
}

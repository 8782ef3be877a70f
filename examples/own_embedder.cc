// SPDX-License-Identifier: Apache-2.0
//
// A model of your own: subclass Embedder, name it in the spec, hand it over with set_embedder in
// each process. Its identity is recorded; another model is refused.
#include <array>
#include <cctype>
#include <cmath>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "loci/loci.h"

namespace {

/// How often each letter comes: a model that anybody can check by hand.
class LetterModel final : public loci::Embedder {
 public:
  [[nodiscard]] std::string identity() const override { return "letters:26:v1"; }
  [[nodiscard]] size_t dim() const override { return 26; }
  [[nodiscard]] loci::Result<std::vector<float>> embed(
      std::span<const std::string_view> texts, loci::EmbedPurpose /*purpose*/) const override {
    std::vector<float> out;
    for (const std::string_view text : texts) {
      std::array<float, 26> counts{};
      float squares = 0;
      for (const char c : text) {
        const int letter = std::tolower(static_cast<unsigned char>(c)) - 'a';
        if (letter >= 0 && letter < 26) counts[static_cast<size_t>(letter)] += 1;
      }
      for (const float x : counts) squares += x * x;
      if (squares == 0) return loci::Status::invalid_argument("a text without letters");
      for (const float x : counts) out.push_back(x / std::sqrt(squares));
    }
    return out;
  }
};

loci::Status run() {
  LOCI_ASSIGN_OR_RETURN(loci::Database database, loci::Database::open(":memory:"));
  const auto model = std::make_shared<LetterModel>();  // owners: this function and the database
  loci::CollectionSpec spec;
  spec.name = "words";
  spec.text = {"word"};
  spec.vectors.emplace_back();
  spec.vectors[0].dim = model->dim();
  spec.vectors[0].model = model->identity();
  LOCI_ASSIGN_OR_RETURN(loci::Collection words, database.create_collection(spec));
  LOCI_RETURN_IF_ERROR(words.set_embedder("embedding", model));

  for (const char* word : {"listen", "garden", "tinsel", "window"}) {
    loci::Record record;
    record.id = word;
    record.fields = {{"word", std::string(word)}};
    LOCI_RETURN_IF_ERROR(words.insert(record).status());
  }
  loci::SearchRequest request;
  request.mode = loci::SearchMode::kVector;
  request.text = "silent";  // an anagram of two of them
  request.k = 2;
  LOCI_ASSIGN_OR_RETURN(const loci::SearchResult result, words.search(request));
  for (const loci::Hit& hit : result.hits) {
    std::printf("%s %.4f\n", hit.record.id.value_or("").c_str(), hit.distance.value_or(-1));
    if (hit.distance.value_or(1) > 1e-6) return loci::Status::internal("expected the anagrams");
  }
  return {};
}

}  // namespace

int main() {
  const loci::Status status = run();
  if (status.ok()) return 0;
  std::fprintf(stderr, "%s\n", status.to_string().c_str());
  return 1;
}

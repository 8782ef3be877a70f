// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <numeric>
#include <thread>

#include "base/bytes.h"
#include "base/env.h"
#include "base/hash.h"
#include "base/port.h"
#include "base/strings.h"
#include "loci/embedder.h"

namespace loci {
namespace {

std::vector<float> embed(const Embedder& model, std::string_view text) {
  Result<std::vector<float>> vector = model.embed({&text, 1}, EmbedPurpose::kQuery);
  EXPECT_TRUE(vector.ok());
  return vector.ok() ? *std::move(vector) : std::vector<float>();
}

double cosine(const std::vector<float>& a, const std::vector<float>& b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

std::shared_ptr<Embedder> hash384() { return *make_embedder("hash"); }

TEST(HashEmbedderTest, NamesLeadToTheModel) {
  EXPECT_EQ((*make_embedder("hash"))->identity(), "hash:384:v1");
  EXPECT_EQ((*make_embedder("hash:64"))->identity(), "hash:64:v1");
  EXPECT_EQ((*make_embedder("hash:64:v1"))->dim(), 64U);
  EXPECT_EQ((*make_hash_embedder(8192))->identity(), "hash:8192:v1");
  for (const std::string_view bad :
       {"none", "", "hash:", "hash:x", "hash:+64", "hash:64:v2", "bert", "hash:15", "hash:8193",
        "hash:-384", "hash:64:v1:x", "hash:99999999999999999999"}) {
    const auto model = make_embedder(bad);
    ASSERT_FALSE(model.ok()) << bad;
    EXPECT_EQ(model.error().code(), StatusCode::kInvalidArgument) << bad;
    EXPECT_NE(model.error().message().find("hash"), std::string_view::npos) << bad;
  }
}

/// The stored vectors of every user depend on these: a failure means that v1 was changed.
TEST(HashEmbedderTest, VersionOneNeverChanges) {
  const std::vector<float> vector = embed(
      *hash384(), "The quick brown fox jumps over the lazy dog; the dog sleeps. Caf\xc3\xa9!");
  // Rounded, so that another C library's last bit is no failure.
  std::string rounded;
  for (const float x : vector) base::str_append(rounded, std::lround(x * 1e4F), ",");
  EXPECT_EQ(base::hash64(rounded), 6999892316549195398U) << rounded.substr(0, 200);
}

TEST(HashEmbedderTest, VectorsAreUnitAndDeterministicAlsoWithoutWords) {
  const auto model = hash384();
  for (const std::string_view text :
       {"", " \n", "...", "a", "the", "\xff\xfe", "\xe6\x97\xa5\xe6\x9c\xac", "one two three",
        "x x x x x x x x"}) {
    const std::vector<float> vector = embed(*model, text);
    ASSERT_EQ(vector.size(), 384U);
    EXPECT_NEAR(cosine(vector, vector), 1.0, 1e-5) << text;
    EXPECT_EQ(vector, embed(*model, text)) << text;
  }
  EXPECT_EQ(embed(*model, ""), embed(*model, "?!"));
}

TEST(HashEmbedderTest, ManyTextsGiveTheVectorsOfEach) {
  const auto model = hash384();
  const std::vector<std::string_view> texts = {"first text", "", "second text", "third"};
  const auto all = model->embed(texts, EmbedPurpose::kDocument);
  ASSERT_TRUE(all.ok());
  ASSERT_EQ(all->size(), texts.size() * 384);
  for (size_t i = 0; i < texts.size(); ++i) {
    const auto first = all->begin() + static_cast<std::ptrdiff_t>(i * 384);
    EXPECT_EQ(std::vector<float>(first, first + 384), embed(*model, texts[i])) << i;
  }
}

TEST(HashEmbedderTest, CaseAccentsAndPunctuationDoNotMatter) {
  const auto model = hash384();
  EXPECT_EQ(embed(*model, "Caf\xc3\xa9 CR\xc3\x88ME"), embed(*model, "cafe, creme!"));
  EXPECT_EQ(embed(*model, "\xd0\x9c\xd0\x98\xd0\xa0"), embed(*model, "\xd0\xbc\xd0\xb8\xd1\x80"));
}

TEST(HashEmbedderTest, MisspelledQueryFindsItsText) {
  const auto model = hash384();
  const std::vector<std::string_view> texts = {"spreadsheet program with charts and formulas",
                                               "image viewer for large photographs",
                                               "compiler for the Fortran language",
                                               "music player with equalizer and playlists",
                                               "network packet analyzer",
                                               "database of chemical compounds"};
  const std::pair<std::string_view, size_t> queries[] = {
      {"spreedsheat", 0},         {"imgae veiwer photograps", 1}, {"fortan complier", 2},
      {"equaliser for musik", 3}, {"netwrok analyser", 4},        {"chemcial compund", 5}};
  for (const auto& [query, expected] : queries) {
    const std::vector<float> vector = embed(*model, query);
    std::vector<double> scores;
    scores.reserve(texts.size());
    for (const std::string_view text : texts) scores.push_back(cosine(vector, embed(*model, text)));
    const auto best = std::max_element(scores.begin(), scores.end()) - scores.begin();
    EXPECT_EQ(static_cast<size_t>(best), expected) << query;
  }
}

TEST(HashEmbedderTest, RelatedWordFormsAreNearerThanUnrelatedWords) {
  const auto model = hash384();
  const std::vector<float> query = embed(*model, "quantisation");
  EXPECT_GT(cosine(query, embed(*model, "quantised")), 0.3);
  EXPECT_LT(std::abs(cosine(query, embed(*model, "bicycle"))), 0.15);
}

TEST(HashEmbedderTest, ThreadsShareOneModel) {
  const auto model = hash384();
  const std::vector<float> expected = embed(*model, "the same text in every thread");
  std::vector<std::thread> threads;
  std::array<bool, 4> same{};
  threads.reserve(same.size());
  for (size_t t = 0; t < same.size(); ++t) {
    threads.emplace_back([&, t] {
      same[t] = true;
      for (int i = 0; i < 200; ++i) {
        same[t] = same[t] && embed(*model, "the same text in every thread") == expected;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const bool each : same) EXPECT_TRUE(each);
}

// Real texts with relevance judgments: corpus.jsonl, queries.jsonl, qrels.tsv.

/// The text of a field of a flat JSON line; escapes other than \" and \\ become a space.
std::string json_field(std::string_view line, std::string_view key) {
  const size_t at = line.find(base::str_cat("\"", key, "\":"));
  std::string out;
  if (at == std::string_view::npos) return out;
  for (size_t i = line.find('"', at + key.size() + 3) + 1; i < line.size() && line[i] != '"'; ++i) {
    if (line[i] != '\\') {
      out += line[i];
      continue;
    }
    ++i;
    if (line[i] == 'u') i += 4;
    out += line[i] == '"' || line[i] == '\\' ? line[i] : ' ';
  }
  return out;
}

struct Texts {
  std::vector<std::string> ids, texts;
};

Texts read_texts(const std::filesystem::path& file) {
  Texts out;
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    out.ids.push_back(json_field(line, "_id"));
    out.texts.push_back(json_field(line, "title") + "\n" + json_field(line, "text"));
  }
  return out;
}

using Judgments = std::map<std::string, std::map<std::string, double>>;  // query, document

Judgments read_judgments(const std::filesystem::path& file) {
  Judgments out;
  std::ifstream in(file);
  std::string line;
  std::getline(in, line);
  while (std::getline(in, line)) {
    const std::vector<std::string_view> parts = base::split(line, '\t');
    out[std::string(parts.at(0))][std::string(parts.at(1))] =
        base::parse_double(base::trim(parts.at(2))).value_or(0);
  }
  return out;
}

double ndcg10(const std::vector<std::string>& ranked, const std::map<std::string, double>& judged) {
  double gain = 0;
  for (size_t i = 0; i < 10 && i < ranked.size(); ++i) {
    const auto found = judged.find(ranked[i]);
    if (found != judged.end()) gain += found->second / std::log2(static_cast<double>(i) + 2);
  }
  std::vector<double> best;
  best.reserve(judged.size());
  for (const auto& [id, score] : judged) best.push_back(score);
  std::sort(best.rbegin(), best.rend());
  double ideal = 0;
  for (size_t i = 0; i < 10 && i < best.size(); ++i) {
    ideal += best[i] / std::log2(static_cast<double>(i) + 2);
  }
  return ideal > 0 ? gain / ideal : -1;
}

double mean_ndcg10(const Embedder& model, const std::filesystem::path& folder) {
  const Texts corpus = read_texts(folder / "corpus.jsonl");
  const Texts queries = read_texts(folder / "queries.jsonl");
  const Judgments judgments = read_judgments(folder / "qrels.tsv");
  std::vector<std::vector<float>> vectors;
  vectors.reserve(corpus.texts.size());
  for (const std::string& text : corpus.texts) vectors.push_back(embed(model, text));
  double sum = 0;
  int count = 0;
  for (size_t q = 0; q < queries.ids.size(); ++q) {
    const auto judged = judgments.find(queries.ids[q]);
    if (judged == judgments.end()) continue;
    const std::vector<float> query = embed(model, queries.texts[q]);
    std::vector<std::pair<double, std::string>> scored;
    scored.reserve(vectors.size());
    for (size_t i = 0; i < vectors.size(); ++i) {
      scored.emplace_back(-cosine(query, vectors[i]), corpus.ids[i]);
    }
    std::sort(scored.begin(), scored.end());
    std::vector<std::string> ranked;
    ranked.reserve(10);
    for (size_t i = 0; i < 10; ++i) ranked.push_back(scored[i].second);
    if (const double value = ndcg10(ranked, judged->second); value >= 0) {
      sum += value;
      ++count;
    }
  }
  return sum / count;
}

TEST(HashEmbedderQualityTest, RanksRealTextsAsMeasured) {
  const std::filesystem::path data = base::env("LOCI_DATA").value_or(LOCI_DEFAULT_DATA);
  if (!std::filesystem::exists(data / "med" / "corpus.jsonl")) {
    GTEST_SKIP()
        << "no test collections: set LOCI_DATA to the folder that holds med/ and cranfield/";
  }
  const auto model = hash384();
  const double med = mean_ndcg10(*model, data / "med");
  const double cranfield = mean_ndcg10(*model, data / "cranfield");
  RecordProperty("med_ndcg10", base::str_cat(med));
  RecordProperty("cranfield_ndcg10", base::str_cat(cranfield));
  EXPECT_GT(med, 0.62) << "FTS5 BM25: 0.701";
  EXPECT_GT(cranfield, 0.29) << "FTS5 BM25: 0.370";
}

}  // namespace
}  // namespace loci

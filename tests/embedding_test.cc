// SPDX-License-Identifier: Apache-2.0
//
// Columns with a model: which rows are pending, who embeds them, what a search says when it cannot
// be served in full.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "loci/loci.h"
#include "support/fixture.h"
#include "support/process.h"
#include "support/temp_dir.h"

namespace loci::testing {
namespace {

/// A model that is not built in: letter counts. Counts the texts that it was given.
class LetterEmbedder : public Embedder {
 public:
  [[nodiscard]] std::string identity() const override { return "letters:26:v1"; }
  [[nodiscard]] size_t dim() const override { return 26; }
  [[nodiscard]] Result<std::vector<float>> embed(std::span<const std::string_view> texts,
                                                 EmbedPurpose) const override {
    std::vector<float> vectors;
    for (const std::string_view text : texts) {
      if (text.find("unembeddable") != std::string_view::npos) {
        return Status::io_error("the model service is down");
      }
      std::vector<float> counts(26, 0.01F);
      for (const char c : text) {
        if (c >= 'a' && c <= 'z') counts[static_cast<size_t>(c - 'a')] += 1.0F;
      }
      vectors.insert(vectors.end(), counts.begin(), counts.end());
      texts_embedded.fetch_add(1);
    }
    return vectors;
  }
  mutable std::atomic<int64_t> texts_embedded{0};
};

CollectionSpec modelled_spec(const std::string& model, size_t dim) {
  CollectionSpec spec;
  spec.name = "notes";
  spec.vectors = {vector_column("embedding", dim, Metric::kCosine)};
  spec.vectors[0].model = model;
  spec.text = {"title", "body"};
  spec.filters = {{"year", FieldType::kInt}};
  return spec;
}

Record text_record(const std::string& id, const std::string& body) {
  Record record;
  record.id = id;
  record.fields = {{"body", body}};
  return record;
}

class EmbeddingTest : public ::testing::Test {
 protected:
  void create(const CollectionSpec& spec) {
    Result<Database> database = Database::open(path());
    ASSERT_OK(database);
    database_.emplace(*std::move(database));
    Result<Collection> notes = database_->create_collection(spec);
    ASSERT_OK(notes);
    notes_.emplace(*std::move(notes));
  }
  void reopen() {
    notes_.reset();
    database_.reset();
    Result<Database> database = Database::open(path());
    ASSERT_OK(database);
    database_.emplace(*std::move(database));
    Result<Collection> notes = database_->collection("notes");
    ASSERT_OK(notes);
    notes_.emplace(*std::move(notes));
  }
  void shell(std::string_view script) {
    const ProcessResult result = sqlite_shell(path(), script);
    ASSERT_EQ(result.exit_code, 0) << result.error;
  }
  int64_t pending() {
    const auto stats = notes_->stats();
    EXPECT_OK(stats);
    return stats.ok() ? stats->pending : -1;
  }
  /// Ids found, sorted.
  std::vector<std::string> ids(SearchMode mode, const std::string& text) {
    SearchRequest request;
    request.mode = mode;
    request.text = text;
    request.k = 100;
    const auto found = notes_->search(request);
    EXPECT_OK(found);
    std::vector<std::string> ids;
    if (!found.ok()) return {"error"};
    for (const Hit& hit : found->hits) ids.push_back(hit.record.id.value_or("?"));
    std::sort(ids.begin(), ids.end());
    return ids;
  }
  [[nodiscard]] std::string path() const { return dir_.file("embedding.db"); }

  TempDir dir_;
  std::optional<Database> database_;
  std::optional<Collection> notes_;
};

using Ids = std::vector<std::string>;

TEST_F(EmbeddingTest, TextIsEmbeddedWhenItIsWritten) {
  create(modelled_spec("hash:64:v1", 64));
  ASSERT_OK(notes_->insert(text_record("a", "memory safety without garbage collection")));
  ASSERT_OK(notes_->insert(text_record("b", "a recipe for apple pie")));
  EXPECT_EQ(pending(), 0);
  SearchRequest request;
  request.mode = SearchMode::kVector;
  request.text = "safety of memory";
  const auto found = notes_->search(request);
  ASSERT_OK(found);
  ASSERT_EQ(found->hits.size(), 2U);
  EXPECT_EQ(found->hits[0].record.id, "a");
  // The stored vector is the model's.
  Result<std::shared_ptr<Embedder>> model = make_embedder("hash:64:v1");
  ASSERT_OK(model);
  const std::string_view text = "a recipe for apple pie";
  const auto vector = (*model)->embed({&text, 1}, EmbedPurpose::kDocument);
  ASSERT_OK(vector);
  const auto stored = notes_->get("b", true);
  ASSERT_OK(stored);
  ASSERT_TRUE(stored->has_value());
  ASSERT_EQ((*stored)->vectors.size(), 1U);
  EXPECT_EQ((*stored)->vectors[0].second, *vector);
}

TEST_F(EmbeddingTest, UpdatedTextGetsTheVectorOfTheWholeNewText) {
  create(modelled_spec("hash:64:v1", 64));
  Record record = text_record("a", "first body");
  record.fields.emplace_back("title", std::string("steady title"));
  ASSERT_OK(notes_->insert(record));
  ASSERT_OK(notes_->update("a", text_record("a", "second body")));
  ASSERT_OK(notes_->insert(text_record("a", "third body"), OnConflict::kUpdate));
  Record whole = text_record("b", "third body");
  whole.fields.emplace_back("title", std::string("steady title"));
  ASSERT_OK(notes_->insert(whole));
  const auto a = notes_->get("a", true);
  const auto b = notes_->get("b", true);
  ASSERT_OK(a);
  ASSERT_OK(b);
  EXPECT_EQ((*a)->vectors, (*b)->vectors);
  EXPECT_EQ(pending(), 0);
  // A change that touches no text keeps the vector.
  Record year;
  year.fields = {{"year", int64_t{2024}}};
  ASSERT_OK(notes_->update("a", year));
  const auto after = notes_->get("a", true);
  ASSERT_OK(after);
  EXPECT_EQ((*after)->vectors, (*b)->vectors);
}

TEST_F(EmbeddingTest, RowOfThePlainShellIsPendingUntilEmbedded) {
  create(modelled_spec("hash:64:v1", 64));
  ASSERT_OK(notes_->insert(text_record("old", "an older row")));
  shell("INSERT INTO notes(id, title, body) VALUES('new', 'zebrafisch', 'swims fast');");
  EXPECT_EQ(pending(), 1);
  EXPECT_EQ(ids(SearchMode::kText, "zebrafisch"), (Ids{"new"}));
  EXPECT_EQ(ids(SearchMode::kVector, "zebrafisch"), (Ids{"old"}));
  SearchRequest request;
  request.text = "zebrafisch";
  const auto hybrid = notes_->search(request);
  ASSERT_OK(hybrid);
  EXPECT_EQ(hybrid->explain.pending, 1U);

  int64_t told = 0;
  const auto embedded = notes_->embed_pending(0, [&](int64_t done, int64_t total) {
    EXPECT_LE(done, total);
    told = done;
  });
  ASSERT_OK(embedded);
  EXPECT_EQ(*embedded, 1);
  EXPECT_EQ(told, 1);
  EXPECT_EQ(pending(), 0);
  EXPECT_EQ(ids(SearchMode::kVector, "zebrafisch"), (Ids{"new", "old"}));
  EXPECT_EQ(check_report(*database_), "");
}

TEST_F(EmbeddingTest, ChangedTextLeavesVectorSearchUntilTheNextLociWriter) {
  create(modelled_spec("hash:64:v1", 64));
  ASSERT_OK(notes_->insert(text_record("a", "about compilers")));
  ASSERT_OK(notes_->insert(text_record("b", "about gardens")));
  shell("UPDATE notes SET body = 'about oceans' WHERE id = 'a';");
  EXPECT_EQ(pending(), 1);
  EXPECT_EQ(ids(SearchMode::kText, "oceans"), (Ids{"a"}));
  EXPECT_EQ(ids(SearchMode::kText, "compilers"), Ids{});
  EXPECT_EQ(ids(SearchMode::kVector, "about compilers"), (Ids{"b"})) << "the old vector is stale";
  ASSERT_OK(notes_->insert(text_record("c", "about mountains")));  // embeds what others left
  EXPECT_EQ(pending(), 0);
  SearchRequest request;
  request.mode = SearchMode::kVector;
  request.text = "about oceans";
  const auto found = notes_->search(request);
  ASSERT_OK(found);
  ASSERT_EQ(found->hits.size(), 3U);
  EXPECT_EQ(found->hits[0].record.id, "a");
  EXPECT_NEAR(*found->hits[0].distance, 0.0, 1e-6);
}

TEST_F(EmbeddingTest, PendingSurvivesReopenAndLimitIsKept) {
  create(modelled_spec("hash:64:v1", 64));
  std::string script;
  for (int i = 0; i < 10; ++i) {
    const std::string n = std::to_string(i);
    script += "INSERT INTO notes(id, body) VALUES('n" + n + "', 'number " + n + " words');\n";
  }
  shell(script + "INSERT INTO notes(id) VALUES('no text');");
  reopen();
  EXPECT_EQ(pending(), 10) << "a row without text awaits nothing";
  const auto some = notes_->embed_pending(4);
  ASSERT_OK(some);
  EXPECT_EQ(*some, 4);
  EXPECT_EQ(pending(), 6);
  const auto rest = notes_->embed_pending();
  ASSERT_OK(rest);
  EXPECT_EQ(*rest, 6);
  EXPECT_EQ(ids(SearchMode::kVector, "number 3").size(), 10U);
}

TEST_F(EmbeddingTest, OwnModelMustBeGivenAndIsUsed) {
  create(modelled_spec("letters:26:v1", 26));
  // Without it: text is kept and found by words, left out of vector search, and said so.
  ASSERT_OK(notes_->insert(text_record("a", "abacab")));
  EXPECT_EQ(pending(), 1);
  SearchRequest request;
  request.text = "abacab";
  const auto degraded = notes_->search(request);
  ASSERT_OK(degraded);
  EXPECT_EQ(degraded->hits.size(), 1U);
  EXPECT_NE(degraded->explain.degraded.find("letters:26:v1"), std::string::npos)
      << degraded->explain.degraded;
  request.mode = SearchMode::kHybrid;
  const auto hybrid = notes_->search(request);
  ASSERT_OK(hybrid);
  EXPECT_NE(hybrid->explain.degraded, "");
  request.mode = SearchMode::kVector;
  EXPECT_TRUE(fails_with(notes_->search(request), StatusCode::kFailedPrecondition,
                         {"notes", "letters:26:v1"}));

  auto model = std::make_shared<LetterEmbedder>();
  ASSERT_OK(notes_->set_embedder("embedding", model));
  ASSERT_OK(notes_->insert(text_record("b", "zzyzx")));
  EXPECT_EQ(pending(), 0);
  EXPECT_EQ(model->texts_embedded.load(), 2);
  const auto found = notes_->search(request);
  ASSERT_OK(found);
  ASSERT_EQ(found->hits.size(), 2U);
  EXPECT_EQ(found->hits[0].record.id, "a");
  EXPECT_EQ(found->explain.degraded, "");
}

TEST_F(EmbeddingTest, ModelThatFailsFailsTheWrite) {
  create(modelled_spec("letters:26:v1", 26));
  ASSERT_OK(notes_->set_embedder("embedding", std::make_shared<LetterEmbedder>()));
  ASSERT_OK(notes_->insert(text_record("a", "fine")));
  const std::string before = dump(*notes_);
  const std::vector<Record> batch = {text_record("b", "fine too"),
                                     text_record("c", "unembeddable")};
  EXPECT_TRUE(fails_with(notes_->insert_many(batch), StatusCode::kIoError, {"service is down"}));
  EXPECT_EQ(dump(*notes_), before);
}

TEST_F(EmbeddingTest, GivenVectorIsKeptAsItIs) {
  create(modelled_spec("hash:64:v1", 64));
  Record record = text_record("a", "words that would hash elsewhere");
  const std::vector<float> own = sine_vector(64, 0.7);
  record.vectors = {{"embedding", own}};
  ASSERT_OK(notes_->insert(record));
  const auto stored = notes_->get("a", true);
  ASSERT_OK(stored);
  EXPECT_EQ((*stored)->vectors[0].second, own);
  EXPECT_EQ(pending(), 0);
}

TEST_F(EmbeddingTest, CollectionWithoutVectorsOrWithoutTextSaysWhatIsMissing) {
  CollectionSpec text_only;
  text_only.name = "notes";
  text_only.text = {"body"};
  create(text_only);
  ASSERT_OK(notes_->insert(text_record("a", "plain words")));
  SearchRequest request;
  request.text = "words";
  const auto automatic = notes_->search(request);
  ASSERT_OK(automatic);
  EXPECT_EQ(automatic->hits.size(), 1U);
  EXPECT_EQ(automatic->explain.degraded, "") << "nothing was lost: there is no vector column";
  request.mode = SearchMode::kHybrid;
  const auto hybrid = notes_->search(request);
  ASSERT_OK(hybrid);
  EXPECT_NE(hybrid->explain.degraded.find("vector"), std::string::npos);
  request.mode = SearchMode::kVector;
  EXPECT_TRUE(fails_with(notes_->search(request), StatusCode::kFailedPrecondition, {"vector"}));

  CollectionSpec vectors_only;
  vectors_only.name = "points";
  vectors_only.vectors = {vector_column("embedding", 2, Metric::kL2)};
  Result<Collection> points = database_->create_collection(vectors_only);
  ASSERT_OK(points);
  ASSERT_OK(points->insert(vector_record("p", {1, 2})));
  const std::vector<float> query = {1, 2};
  request.vector = query;
  request.mode = SearchMode::kText;
  EXPECT_TRUE(fails_with(points->search(request), StatusCode::kFailedPrecondition, {"text"}));
  request.mode = SearchMode::kHybrid;
  const auto by_vector = points->search(request);
  ASSERT_OK(by_vector);
  EXPECT_EQ(by_vector->hits.size(), 1U);
  EXPECT_NE(by_vector->explain.degraded.find("text"), std::string::npos);
}

}  // namespace
}  // namespace loci::testing

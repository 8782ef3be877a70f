// SPDX-License-Identifier: Apache-2.0
//
// One search, start to end, in one read snapshot: choose the arms, bind the filter, bring the image
// up to the snapshot, run the arms, fuse, fetch the fields. What was done is told in Explain.
#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

#include "base/clock.h"
#include "base/strings.h"
#include "db/collection_impl.h"
#include "query/filter.h"
#include "query/ranking.h"
#include "store/rows.h"

namespace loci::db {
namespace {

double microseconds_since(int64_t start_ns) {
  return static_cast<double>(base::monotonic_ns() - start_ns) / 1000.0;
}

/// The distance that belongs to a similarity: the inverse of similarity_of.
double distance_of(Metric metric, double similarity) {
  switch (metric) {
    case Metric::kCosine:
    case Metric::kAngular:
      return 1.0 - similarity;
    case Metric::kDot:
      return -similarity;
    case Metric::kL2:
    case Metric::kL1:
    case Metric::kHamming:
    case Metric::kCustom:
      break;
  }
  if (similarity <= 0) return std::numeric_limits<double>::infinity();
  return 1.0 / similarity - 1.0;
}

std::string_view plan_name(index::ScanPlan plan) {
  switch (plan) {
    case index::ScanPlan::kExactScan:
      break;
    case index::ScanPlan::kPassingRows:
      return "scan of the passing rows";
    case index::ScanPlan::kGraph:
      return "graph";
    case index::ScanPlan::kGraphAndTail:
      return "graph + scan of new rows";
  }
  return "exact scan";
}

/// One search in progress, over one snapshot.
class Search {
 public:
  Search(DatabaseImpl& database, const SearchRequest& request, sqlite::Connection& connection,
         const CatalogEntry& entry, const Snapshot& snapshot)
      : database_(database),
        request_(request),
        connection_(connection),
        source_(entry.source),
        entry_(entry),
        snapshot_(snapshot) {}

  /// False: the snapshot is too old for the shared image, or not open and rows must be asked for;
  /// ask again with a newer, open one.
  Result<bool> run();
  SearchResult take() { return std::move(result_); }

 private:
  [[nodiscard]] std::string_view snapshot_place(const ImageView& view) const;
  Status plan();
  Status plan_vector();
  Status plan_text();
  Status choose_mode(const Status& vector_error, const Status& text_error);
  Result<bool> run_vector();
  Status run_text();
  Result<double> max_distance() const;
  void fuse();
  Status fetch();
  [[nodiscard]] size_t arm_depth() const;
  [[nodiscard]] bool hybrid() const { return use_vector_ && use_text_; }

  DatabaseImpl& database_;
  const SearchRequest& request_;
  sqlite::Connection& connection_;
  const store::Source& source_;
  const CatalogEntry& entry_;
  const Snapshot& snapshot_;

  size_t column_ = 0;
  std::vector<float> embedded_;
  VectorView vector_;
  std::string fts_query_;
  query::Filter filter_;
  bool use_vector_ = false;
  bool use_text_ = false;
  std::vector<Neighbor> neighbors_;
  std::vector<store::TextHit> text_hits_;
  SearchResult result_;
};

Status Search::plan_vector() {
  const std::string& name = source_.spec.name;
  LOCI_ASSIGN_OR_RETURN(column_, find_vector_column(source_.spec, request_.column));
  const VectorColumn& column = source_.spec.vectors[column_];
  if (column.metric == Metric::kCustom && !database_.has_metric(column.custom_metric)) {
    return Status::failed_precondition(base::str_cat(
        "collection '", name, "', column '", column.name, "': its metric '", column.custom_metric,
        "' is not registered in this process; call "
        "Database::register_metric first"));
  }
  if (!request_.vector.empty()) {
    if (request_.vector.size() != column.dim) {
      return Status::invalid_argument(
          base::str_cat("collection '", name, "', column '", column.name, "': query of dim ",
                        request_.vector.size(), ", expected ", column.dim));
    }
    vector_ = request_.vector;
    return {};
  }
  if (request_.text.empty()) {
    return Status::invalid_argument("search: neither words nor a vector were given");
  }
  if (column.model.empty()) {
    return Status::failed_precondition(
        base::str_cat("collection '", name, "', column '", column.name,
                      "': it has no model to embed words with; give a query vector"));
  }
  const std::shared_ptr<Embedder> model = database_.embedder(source_.spec, column);
  if (model == nullptr) {
    return Status::failed_precondition(
        base::str_cat("collection '", name, "', column '", column.name, "': its model '",
                      column.model, "' is not at hand; give it with set_embedder"));
  }
  const std::string_view text = request_.text;
  LOCI_ASSIGN_OR_RETURN(embedded_, model->embed({&text, 1}, EmbedPurpose::kQuery));
  vector_ = embedded_;
  return {};
}

Status Search::plan_text() {
  if (request_.text.empty()) return Status::invalid_argument("search: no words were given");
  if (source_.fts_table.empty()) {
    return Status::failed_precondition(
        base::str_cat("collection '", source_.spec.name, "' has no text column"));
  }
  fts_query_ = query::fts_query(request_.text);
  if (fts_query_.empty()) {
    return Status::invalid_argument(
        base::str_cat("search: '", request_.text, "' holds no word to look for"));
  }
  return {};
}

Status Search::choose_mode(const Status& vector_error, const Status& text_error) {
  Explain& explain = result_.explain;
  switch (request_.mode) {
    case SearchMode::kVector:
      LOCI_RETURN_IF_ERROR(vector_error);
      use_vector_ = true;
      explain.reason = "a vector search was asked for";
      return {};
    case SearchMode::kText:
      LOCI_RETURN_IF_ERROR(text_error);
      use_text_ = true;
      explain.reason = "a text search was asked for";
      return {};
    case SearchMode::kHybrid:
    case SearchMode::kAuto:
      break;
  }
  if (vector_error.code() == StatusCode::kInvalidArgument && !request_.vector.empty()) {
    return vector_error;  // a wrong query vector is never passed over
  }
  use_vector_ = vector_error.ok();
  use_text_ = text_error.ok();
  if (!use_vector_ && !use_text_) return source_.spec.vectors.empty() ? text_error : vector_error;
  if (hybrid()) {
    explain.reason = "words and vectors are both at hand";
    return {};
  }
  const Status& missing = use_vector_ ? text_error : vector_error;
  explain.reason = std::string(missing.message());
  // Asking for both, or words that a vector column could not take, is answered by what there is.
  const bool wanted_both = request_.mode == SearchMode::kHybrid;
  const bool lost_vectors = use_text_ && !source_.spec.vectors.empty();
  if (wanted_both || lost_vectors) explain.degraded = explain.reason;
  return {};
}

Status Search::plan() {
  LOCI_RETURN_IF_ERROR(check_effort(request_.recall, request_.ef));
  if (request_.k == 0 && !request_.max_distance.has_value() &&
      !request_.min_similarity.has_value()) {
    return Status::invalid_argument(
        "search: k is 0 (no limit), so max_distance or min_similarity must be given");
  }
  const bool wants_vector = request_.mode != SearchMode::kText;
  const bool wants_text = request_.mode != SearchMode::kVector;
  const Status vector_error = wants_vector ? plan_vector() : Status();
  const Status text_error = wants_text ? plan_text() : Status();
  LOCI_RETURN_IF_ERROR(choose_mode(vector_error, text_error));
  LOCI_ASSIGN_OR_RETURN(filter_, query::Filter::bind(request_.where, source_));
  Explain& explain = result_.explain;
  if (!use_vector_) explain.plan = "text";
  LOCI_ASSIGN_OR_RETURN(explain.simd, simd_tier());
  return {};
}

size_t Search::arm_depth() const {
  if (!hybrid()) return request_.k;
  return request_.k == 0 ? 0 : query::fusion_depth(request_.k);
}

Result<double> Search::max_distance() const {
  double limit = std::numeric_limits<double>::infinity();
  if (request_.max_distance.has_value()) limit = *request_.max_distance;
  if (std::isnan(limit)) return Status::invalid_argument("search: max_distance is NaN");
  if (!request_.min_similarity.has_value()) return limit;
  const double similarity = *request_.min_similarity;
  if (std::isnan(similarity)) return Status::invalid_argument("search: min_similarity is NaN");
  const Metric metric = source_.spec.vectors[column_].metric;
  return std::min(limit, distance_of(metric, similarity));
}

std::string_view Search::snapshot_place(const ImageView& view) const {
  if (!view.rooted()) return "memory";
  const bool is_inline =
      view.file() != nullptr ? view.file()->is_from_bytes() : database_.snapshots().is_inline();
  return is_inline ? "inline" : "file";
}

Result<bool> Search::run_vector() {
  Explain& explain = result_.explain;
  const int64_t start = base::monotonic_ns();
  LOCI_ASSIGN_OR_RETURN(std::optional<ImageView> view,
                        database_.image_view(connection_, entry_, snapshot_));
  if (!view.has_value()) return false;
  std::optional<index::Predicate> predicate;
  if (!filter_.empty()) {
    predicate = filter_.to_predicate();
    if (!predicate.has_value()) {
      if (!snapshot_.open()) return false;
      predicate.emplace();
      predicate->kind = index::Predicate::Kind::kRows;
      LOCI_ASSIGN_OR_RETURN(predicate->rows,
                            store::select_rowids(connection_, source_, filter_.to_sql()));
    }
  }
  explain.refresh_us = microseconds_since(start);
  explain.snapshot = snapshot_place(*view);
  if (!view->note().empty()) explain.reason += "; " + view->note();
  LOCI_ASSIGN_OR_RETURN(const double limit, max_distance());
  const index::ScanQuery query{.column = column_,
                               .vector = vector_,
                               .k = arm_depth(),
                               .max_distance = limit,
                               .filter = predicate.has_value() ? &*predicate : nullptr,
                               .include_archived = request_.include_archived,
                               .hidden = {},
                               .recall = request_.recall,
                               .ef = request_.ef,
                               .exact = request_.exact};
  Result<index::ScanOutcome> found = view->search(query);
  if (!found.has_value()) {
    LOCI_RETURN_IF_ERROR(database_.distrust(entry_, *std::move(view), found.error()));
    return false;
  }
  index::ScanOutcome& outcome = *found;
  neighbors_ = std::move(outcome.neighbors);
  explain.plan =
      base::str_cat(hybrid() ? "hybrid: " : "", plan_name(outcome.plan), hybrid() ? " + text" : "");
  explain.ef = outcome.ef;
  explain.tail = outcome.tail;
  explain.rows = view->rows();
  explain.passed_filter = outcome.passed_filter;
  explain.passed_is_estimate = outcome.passed_is_estimate;
  explain.scanned = outcome.scanned;
  explain.reranked = outcome.reranked;
  explain.filter_us = outcome.filter_us;
  explain.scan_us = outcome.scan_us;
  if (!source_.spec.vectors[column_].model.empty()) {
    explain.pending = explain.rows - view->vector_count(column_);
  }
  return true;
}

Status Search::run_text() {
  const int64_t start = base::monotonic_ns();
  const store::ScanOptions options{
      .with_archived = request_.include_archived,
      .limit = request_.k == 0 ? -1 : static_cast<int64_t>(arm_depth())};
  LOCI_ASSIGN_OR_RETURN(
      text_hits_, store::search_text(connection_, source_, fts_query_, filter_.to_sql(), options));
  result_.explain.text_us = microseconds_since(start);
  return {};
}

void Search::fuse() {
  const Metric metric = use_vector_ ? source_.spec.vectors[column_].metric : Metric::kL2;
  const auto add = [&](RowId row, std::optional<double> distance, std::optional<double> bm25,
                       double score) {
    Hit& hit = result_.hits.emplace_back();
    hit.rowid = row;
    hit.distance = distance;
    hit.bm25 = bm25;
    hit.score = score;
    if (distance.has_value()) hit.similarity = similarity_of(metric, *distance);
  };
  if (hybrid()) {
    for (const query::FusedHit& hit : query::fuse_rrf(neighbors_, text_hits_, request_.k)) {
      add(hit.rowid, hit.distance, hit.bm25, hit.score);
    }
  } else if (use_vector_) {
    result_.hits.reserve(neighbors_.size());
    for (const Neighbor& neighbor : neighbors_) {
      add(neighbor.rowid, neighbor.distance, std::nullopt,
          similarity_of(metric, neighbor.distance));
    }
  } else {
    for (const store::TextHit& hit : text_hits_) add(hit.rowid, std::nullopt, hit.bm25, hit.bm25);
  }
}

Status Search::fetch() {
  const int64_t start = base::monotonic_ns();
  for (Hit& hit : result_.hits) {
    LOCI_ASSIGN_OR_RETURN(std::optional<Record> record,
                          store::get_row(connection_, source_, hit.rowid, request_.with_vectors));
    if (record.has_value()) hit.record = *std::move(record);
    if (request_.snippets && use_text_ && hit.bm25.has_value()) {
      LOCI_ASSIGN_OR_RETURN(hit.snippet,
                            store::snippet(connection_, source_, fts_query_, hit.rowid));
    }
  }
  result_.explain.fetch_us = microseconds_since(start);
  return {};
}

Result<bool> Search::run() {
  const int64_t start = base::monotonic_ns();
  LOCI_RETURN_IF_ERROR(plan());
  if (use_vector_) {
    LOCI_ASSIGN_OR_RETURN(const bool current, run_vector());
    if (!current) return false;
  }
  if (use_text_) LOCI_RETURN_IF_ERROR(run_text());
  fuse();
  if (request_.with_fields) LOCI_RETURN_IF_ERROR(fetch());
  result_.explain.total_us = microseconds_since(start);
  return true;
}

}  // namespace

Result<SearchResult> CollectionImpl::search(const SearchRequest& request) {
  SearchResult result;
  // Rowids and distances come from the image alone; words and fields are asked of the tables.
  const bool image_alone =
      !request.with_fields && (request.text.empty() || request.mode == SearchMode::kVector);
  LOCI_RETURN_IF_ERROR(
      search_snapshot(image_alone,
                      [&](sqlite::Connection& connection, const CatalogEntry& entry,
                          const Snapshot& snapshot) -> Result<bool> {
                        Search search(*database_, request, connection, entry, snapshot);
                        LOCI_ASSIGN_OR_RETURN(const bool done, search.run());
                        if (done) result = search.take();
                        return done;
                      }));
  return result;
}

}  // namespace loci::db

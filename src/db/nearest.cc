// SPDX-License-Identifier: Apache-2.0
//
// What every search goes through: a snapshot that the shared image can serve. And the shortest
// search there is, numbers in and numbers out.
#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "base/limits.h"
#include "base/strings.h"
#include "db/collection_impl.h"

namespace loci::db {
namespace {

/// A snapshot that the shared image has passed is begun anew this often; then the image is dropped.
constexpr int kSnapshotAttempts = 8;

/// How many queries there are.
Result<size_t> count_queries(size_t floats, size_t dim, size_t k, size_t room) {
  if (k == 0) return Status::invalid_argument("nearest: k is 0, expected at least 1");
  if (floats % dim != 0) {
    return Status::invalid_argument(
        base::str_cat("nearest: queries of ", floats, " floats, expected a multiple of dim ", dim));
  }
  const size_t queries = floats / dim;
  if (room % k == 0 && room / k == queries) return queries;
  return Status::invalid_argument(base::str_cat(
      "nearest: room for ", room, " neighbours, expected ", queries, " queries x k ", k));
}

Status search_all(const ImageView& view, index::ScanQuery query, std::span<const float> queries,
                  size_t dim, std::span<Neighbor> out) {
  for (size_t at = 0; at < queries.size(); at += dim) {
    query.vector = queries.subspan(at, dim);
    LOCI_ASSIGN_OR_RETURN(const index::ScanOutcome found, view.search(query));
    const std::span<Neighbor> mine = out.subspan(at / dim * query.k, query.k);
    std::fill(mine.begin(), mine.end(), Neighbor());
    std::copy(found.neighbors.begin(), found.neighbors.end(), mine.begin());
  }
  return {};
}

}  // namespace

Result<size_t> find_vector_column(const CollectionSpec& spec, std::string_view name) {
  for (size_t i = 0; i < spec.vectors.size(); ++i) {
    if (name.empty() || spec.vectors[i].name == name) return i;
  }
  if (spec.vectors.empty()) {
    return Status::failed_precondition(
        base::str_cat("collection '", spec.name, "' has no vector column"));
  }
  return Status::invalid_argument(base::str_cat("collection '", spec.name, "': no vector column '",
                                                name, "'; the first is '",
                                                spec.vectors.front().name, "'"));
}

Status check_effort(double recall, size_t ef) {
  if (!(recall > 0 && recall <= 1)) {
    return Status::invalid_argument(
        base::str_cat("recall ", std::to_string(recall), ", expected above 0 and at most 1"));
  }
  if (ef > base::kMaxEf) {
    return Status::invalid_argument(base::str_cat("ef ", ef, ", at most ", base::kMaxEf));
  }
  return {};
}

Status CollectionImpl::search_snapshot(bool image_alone, const Attempt& attempt) {
  bool done = false;
  std::shared_ptr<SharedImage> image;  // owners: the catalog and this search
  const auto once = [&](sqlite::Connection& connection, const CatalogEntry& entry,
                        const Snapshot& snapshot) -> Status {
    LOCI_ASSIGN_OR_RETURN(done, attempt(connection, entry, snapshot));
    if (image != entry.image) image = entry.image;
    return {};
  };
  if (image_alone) LOCI_RETURN_IF_ERROR(database_->read_unchanged(name(), once).status());
  for (int i = 0; !done && i < kSnapshotAttempts; ++i) {
    LOCI_RETURN_IF_ERROR(database_->read_source(name(), once));
  }
  if (done) {
    database_->tend_if_wanted(name(), *image);
    return {};
  }
  // The file was set back: no snapshot will catch up with the image.
  const auto anew = [&](sqlite::Connection& connection, const CatalogEntry& entry,
                        const Snapshot& snapshot) -> Status {
    {
      const base::WriterLock lock(entry.image->mu);
      entry.image->reset();
    }
    return once(connection, entry, snapshot);
  };
  LOCI_RETURN_IF_ERROR(database_->read_source(name(), anew));
  if (done) return {};
  return Status::busy(
      base::str_cat("collection '", name(), "': the image was moved by others at every attempt"));
}

Status CollectionImpl::nearest(std::span<const float> queries, const NearestRequest& request,
                               std::span<Neighbor> out) {
  LOCI_RETURN_IF_ERROR(check_effort(request.recall, request.ef));
  const auto attempt = [&](sqlite::Connection& connection, const CatalogEntry& entry,
                           const Snapshot& snapshot) -> Result<bool> {
    LOCI_ASSIGN_OR_RETURN(const size_t column,
                          find_vector_column(entry.source.spec, request.column));
    const size_t dim = entry.source.spec.vectors[column].dim;
    LOCI_RETURN_IF_ERROR(count_queries(queries.size(), dim, request.k, out.size()).status());
    LOCI_ASSIGN_OR_RETURN(std::optional<ImageView> view,
                          database_->image_view(connection, entry, snapshot));
    if (!view.has_value()) return false;
    const index::ScanQuery query{.column = column,
                                 .vector = {},
                                 .k = request.k,
                                 .filter = nullptr,
                                 .hidden = {},
                                 .recall = request.recall,
                                 .ef = request.ef,
                                 .exact = request.exact};
    const Status status = search_all(*view, query, queries, dim, out);
    if (status.ok()) return true;
    LOCI_RETURN_IF_ERROR(database_->distrust(entry, *std::move(view), status));
    return false;
  };
  return search_snapshot(true, attempt);
}

}  // namespace loci::db

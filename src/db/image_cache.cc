// SPDX-License-Identifier: Apache-2.0
//
// How searches stay true to the rows that SQL sees.
//
// An image is a function of a snapshot: it stands at a log position (scn, token), and holds exactly
// the committed rows of that moment. A search opens a read transaction, reads the newest position
// of its snapshot and compares:
//   equal            the image is what the snapshot sees;
//   snapshot newer   the rows named by the log entries between are read again from the table, in
//                    this snapshot, and the image moves forward for everyone;
//   image newer      another thread moved it past our snapshot: begin a newer snapshot;
//   entry not found  the log was rolled back, restored or compacted: build the image anew.
// Rows of an open transaction never enter the shared image. They are put into a small image of
// their own, and hide their old selves in the shared one.
//
// Invariants: (1) SharedImage::position changes only with its image, under the exclusive lock.
// (2) A view holds the shared lock while it lives, so the image it reads cannot move.
// (3) No lock is taken while another of this file is held.
// Cost: one indexed look-up of the log a search; O(changed rows) to move forward.
// Tested by database_test.cc, tests/store_model_test.cc, tests/concurrency_test.cc.
#include "db/image_cache.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/page_warmer.h"
#include "base/strings.h"
#include "db/graph_care.h"

namespace loci::db {
namespace {

index::ImageRow to_image_row(const store::IndexRow& row) {
  return {
      .rowid = row.rowid, .archived = row.archived, .vectors = row.vectors, .filters = row.filters};
}

bool nearer(const Neighbor& a, const Neighbor& b) {
  return a.distance != b.distance ? a.distance < b.distance : a.rowid < b.rowid;
}

}  // namespace

Result<index::ScanOutcome> ImageView::search(const index::ScanQuery& query) const {
  if (base_ == nullptr) return own_->search(query);
  if (!own_.has_value()) return base_->search(query);
  index::ScanQuery without_changed = query;
  without_changed.hidden = hidden_;
  LOCI_ASSIGN_OR_RETURN(index::ScanOutcome outcome, base_->search(without_changed));
  LOCI_ASSIGN_OR_RETURN(const index::ScanOutcome own, own_->search(query));
  std::vector<Neighbor> merged(outcome.neighbors.size() + own.neighbors.size());
  std::merge(outcome.neighbors.begin(), outcome.neighbors.end(), own.neighbors.begin(),
             own.neighbors.end(), merged.begin(), nearer);
  if (query.k != 0 && merged.size() > query.k) merged.resize(query.k);
  outcome.neighbors = std::move(merged);
  outcome.passed_filter += own.passed_filter;
  outcome.scanned += own.scanned;
  outcome.reranked += own.reranked;
  outcome.filter_us += own.filter_us;
  outcome.scan_us += own.scan_us;
  return outcome;
}

void ImageView::take(const SharedImage& shared) {
  base_ = &*shared.image;
  rooted_ = shared.rooted;
  tail_ = shared.tail;
  graph_changes_ = shared.graph_changes;
  graphs_saved_ = shared.graphs_saved;
  file_ = shared.file;
}

std::vector<RowId> ImageView::rowids() const {
  std::vector<RowId> rows = base_ != nullptr ? base_->rowids() : std::vector<RowId>{};
  std::erase_if(
      rows, [this](RowId row) { return std::binary_search(hidden_.begin(), hidden_.end(), row); });
  if (own_.has_value()) {
    const std::vector<RowId> own = own_->rowids();
    rows.insert(rows.end(), own.begin(), own.end());
    std::sort(rows.begin(), rows.end());
  }
  return rows;
}

size_t ImageView::rows() const {
  size_t count = own_.has_value() ? own_->size() : 0;
  if (base_ == nullptr) return count;
  count += base_->size();
  for (const RowId row : hidden_) count -= base_->contains(row) ? 1 : 0;
  return count;
}

size_t ImageView::vector_count(size_t column) const {
  return (base_ != nullptr ? base_->vector_count(column) : 0) +
         (own_.has_value() ? own_->vector_count(column) : 0);
}

index::ImageLayout ImageReader::layout() const {
  index::ImageLayout layout;
  for (const VectorColumn& column : source_.spec.vectors) {
    index::ColumnLayout out{
        .dim = column.dim, .metric = column.metric, .element = column.element, .custom = {}};
    if (column.metric == Metric::kCustom) out.custom = metrics_(column.custom_metric);
    layout.columns.push_back(std::move(out));
  }
  for (const FilterColumn& column : source_.spec.filters) layout.filters.push_back(column.type);
  return layout;
}

Status ImageReader::put(const store::IndexRow& row, index::Image& image) const {
  Status status = image.put(to_image_row(row));
  if (source_.managed || status.code() != StatusCode::kCorruption) return status;
  // In a table of the user's own one bad BLOB must not stop every search; check() counts them. It
  // is the row's fault if an image of nothing else does not take it either.
  LOCI_ASSIGN_OR_RETURN(index::Image alone, index::Image::create(layout()));
  if (alone.put(to_image_row(row)).code() != StatusCode::kCorruption) return status;
  base::log(LogLevel::kWarning, base::str_cat("index '", source_.spec.name, "': row ",
                                              to_int(row.rowid), " left out: ", status.message()));
  image.erase(row.rowid);
  return {};
}

Result<index::Image> ImageReader::build(sqlite::Connection& connection) const {
  LOCI_ASSIGN_OR_RETURN(index::Image image, index::Image::create(layout()));
  const sqlite::MappedReads mapped(connection);
  base::PageWarmer warmer;
  image.set_warmer(&warmer);
  const auto put_row = [&](const store::IndexRow& row) { return put(row, image); };
  LOCI_RETURN_IF_ERROR(store::read_all(connection, source_, put_row)
                           .with_context(base::str_cat("collection '", source_.spec.name, "'")));
  image.set_warmer(nullptr);
  return image;
}

Status ImageReader::apply(sqlite::Connection& connection, const std::vector<RowId>& rows,
                          index::Image& image) const {
  // Linking a row in a graph takes ten times as long as reading it: of many that is left for later.
  constexpr size_t kLinkAtOnce = 16;
  image.set_link_on_put(rows.size() <= kLinkAtOnce);
  for (const RowId row : rows) {
    const auto put_row = [&](const store::IndexRow& read) { return put(read, image); };
    const Result<bool> there = store::read_one(connection, source_, row, put_row);
    if (!there.ok()) {
      return there.error().with_context(base::str_cat("collection '", source_.spec.name, "'"));
    }
    if (!*there) image.erase(row);
  }
  return {};
}

Status ImageReader::load(sqlite::Connection& connection, SharedImage& shared) const {
  LOCI_ASSIGN_OR_RETURN(const std::shared_ptr<index::SnapshotFile> file,
                        snapshots_.open(connection, source_.id));
  if (file == nullptr) return {};
  Result<index::Image> image = index::Image::load(layout(), file);
  if (!image.has_value()) {
    if (image.error().code() != StatusCode::kCorruption) return image.error();
    snapshots_.distrust(*file, image.error());
    return {};
  }
  shared.image = *std::move(image);
  shared.file = file;
  shared.rooted = true;
  shared.tail = 0;
  shared.graphs_saved = shared.graph_changes;
  shared.last_root = file->root().id;
  shared.position = {.scn = file->root().scn, .token = file->root().token};
  return {};
}

Status ImageReader::adopt(sqlite::Connection& connection, SharedImage& shared) const {
  LOCI_ASSIGN_OR_RETURN(const std::optional<store::SnapshotRecord> record,
                        store::find_snapshot(connection, source_.id));
  if (!record.has_value() || record->too_old) return {};
  const base::WriterLock lock(shared.mu);
  if (!shared.image.has_value() || record->root == shared.last_root) return {};
  shared.last_root = record->root;  // whatever comes of it: tried once
  return load(connection, shared);
}

Result<bool> ImageReader::follow(sqlite::Connection& connection, SharedImage& shared,
                                 const store::LogPosition& newest) const {
  LOCI_ASSIGN_OR_RETURN(store::Changes changes,
                        store::changes_since(connection, source_.id, shared.position));
  if (changes.rebuild) return false;
  const Status applied = apply(connection, changes.rows, *shared.image);
  if (applied.ok()) {
    shared.position = newest;
    shared.tail += changes.rows.size();
    return true;
  }
  // Half applied. What the table holds may be at fault, or what came from a snapshot.
  const std::shared_ptr<index::SnapshotFile> file = shared.file;
  shared.reset();
  if (applied.code() != StatusCode::kCorruption || file == nullptr) return applied;
  snapshots_.distrust(*file, applied);
  return false;
}

Result<bool> ImageReader::advance(sqlite::Connection& connection, SharedImage& shared,
                                  const store::LogPosition& newest) const {
  const base::WriterLock lock(shared.mu);
  if (!shared.image.has_value()) LOCI_RETURN_IF_ERROR(load(connection, shared));
  bool current = false;
  if (shared.image.has_value()) {
    if (shared.position == newest) return true;
    if (shared.position.scn > newest.scn) return false;
    LOCI_ASSIGN_OR_RETURN(current, follow(connection, shared, newest));
  }
  if (!current) {
    shared.reset();
    LOCI_ASSIGN_OR_RETURN(shared.image, build(connection));
    shared.position = newest;
    shared.tail = shared.image->size();
  }
  if (is_long(shared.tail, shared.image->size())) shared.wants_snapshot = true;
  if (graphs_are_due(*shared.image, source_.spec.vectors.size(), graph_rows_)) {
    shared.wants_graphs = true;
  }
  return true;
}

void ImageReader::distrust(SharedImage& shared, const index::SnapshotFile& file,
                           const Status& why) const {
  const base::WriterLock lock(shared.mu);
  if (shared.file.get() == &file) shared.reset();
  snapshots_.distrust(file, why);
}

std::optional<ImageView> ImageReader::unchanged_view(const std::shared_ptr<SharedImage>& shared,
                                                     const store::LogPosition& newest) const {
  ImageView view;
  view.shared_ = shared;
  view.hold_ = std::shared_lock(shared->mu);
  if (!shared->image.has_value() || !(shared->position == newest)) return std::nullopt;
  view.take(*shared);
  return view;
}

Result<std::optional<ImageView>> ImageReader::view(sqlite::Connection& connection,
                                                   const std::shared_ptr<SharedImage>& shared,
                                                   const store::LogPosition& newest) const {
  if (std::optional<ImageView> there = unchanged_view(shared, newest)) return there;
  if (shared->being_written) {
    LOCI_ASSIGN_OR_RETURN(ImageView beside, overlay(connection, shared));
    return std::optional<ImageView>(std::move(beside));
  }
  LOCI_ASSIGN_OR_RETURN(const bool current, advance(connection, *shared, newest));
  if (!current) return std::optional<ImageView>();
  return unchanged_view(shared, newest);  // another thread may have moved it on meanwhile
}

Result<ImageView> ImageReader::overlay(sqlite::Connection& connection,
                                       const std::shared_ptr<SharedImage>& shared) const {
  std::shared_lock hold(shared->mu);
  store::Changes changes{.rebuild = true, .rows = {}, .to = {}};
  if (shared->image.has_value()) {
    LOCI_ASSIGN_OR_RETURN(changes, store::changes_since(connection, source_.id, shared->position));
  }
  return over(connection, shared, std::move(hold), std::move(changes));
}

Result<ImageView> ImageReader::past_view(sqlite::Connection& connection, sqlite::Connection& log,
                                         const std::shared_ptr<SharedImage>& shared,
                                         const store::LogPosition& newest) const {
  std::shared_lock hold(shared->mu);
  store::Changes changes{.rebuild = true, .rows = {}, .to = {}};
  if (shared->image.has_value()) {
    // Begun after the image was held, so it holds the image's entry, unless the file was set back.
    LOCI_ASSIGN_OR_RETURN(sqlite::Transaction transaction,
                          sqlite::Transaction::begin(log, sqlite::Transaction::Kind::kRead));
    LOCI_ASSIGN_OR_RETURN(const store::Changes after_image,
                          store::changes_since(log, source_.id, shared->position));
    if (!after_image.rebuild) {
      LOCI_ASSIGN_OR_RETURN(changes, store::changes_since(log, source_.id, newest));
    }
    LOCI_RETURN_IF_ERROR(transaction.commit());
  }
  return over(connection, shared, std::move(hold), std::move(changes));
}

Result<ImageView> ImageReader::over(sqlite::Connection& connection,
                                    const std::shared_ptr<SharedImage>& shared,
                                    std::shared_lock<base::SharedMutex> hold,
                                    store::Changes changes) const {
  if (changes.rebuild) {
    hold.unlock();
    return private_view(connection, "rows read from the snapshot of an open transaction");
  }
  ImageView view;
  view.shared_ = shared;
  view.hold_ = std::move(hold);
  view.take(*shared);
  if (changes.rows.empty()) return view;
  LOCI_ASSIGN_OR_RETURN(index::Image own, index::Image::create(layout()));
  LOCI_RETURN_IF_ERROR(apply(connection, changes.rows, own));
  view.own_ = std::move(own);
  view.hidden_ = std::move(changes.rows);
  view.note_ =
      "rows that the shared image does not hold as this reader sees them are scanned apart";
  return view;
}

Result<ImageView> ImageReader::private_view(sqlite::Connection& connection,
                                            std::string_view note) const {
  ImageView view;
  LOCI_ASSIGN_OR_RETURN(view.own_, build(connection));
  view.note_ = note;
  return view;
}

}  // namespace loci::db

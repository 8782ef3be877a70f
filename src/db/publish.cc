// SPDX-License-Identifier: Apache-2.0
//
// When a snapshot is written, and from what.
//
// It is written from the shared image, which is what every search of this process reads, while the
// image is held against change but not against reading. Meanwhile searches go on; one that finds
// newer rows scans those apart (SharedImage::being_written). Publication runs on connections of its
// own, never inside a caller's transaction, and unless it was asked for on a thread of its own.
//
// Graphs are built before, from the same image (graph_care.cc): by publish() and reindex() of a
// user, else on the thread of our own, after the snapshot without them is safe, and then in another
// one.
//
// When: after a search that found many rows changed since the last snapshot (it has just paid for
// reading them; the snapshot spares the next process that), after a write when this process has
// written very many, and when the database is closed, which waits for it. What is "many":
// is_long().
//
// Tested by tests/snapshot_test.cc.
#include <algorithm>
#include <utility>

#include "base/c_edge.h"
#include "base/log.h"
#include "base/strings.h"
#include "db/database_impl.h"
#include "store/snapshot_parts.h"

namespace loci::db {
namespace {

/// A process that only writes has no image yet and must read all rows for one: seldom.
constexpr int64_t kManyWritten = 200000;

/// What a snapshot is written from: the shared image, held.
struct Held {
  std::shared_ptr<SharedImage> image;
  std::optional<ImageView> view;
  Snapshots::Plan plan;
  size_t tail = 0;
  bool rooted = false;
  uint64_t graph_changes = 0;
  bool graphs_saved = false;
};

bool is_due(const Held& held, DatabaseImpl::Publish when) {
  switch (when) {
    case DatabaseImpl::Publish::kAnyway:
      return true;
    case DatabaseImpl::Publish::kIfChanged:
      return held.tail > 0 || !held.rooted || !held.graphs_saved;
    case DatabaseImpl::Publish::kIfLong:
      break;
  }
  return !held.graphs_saved || is_long(held.tail, static_cast<size_t>(held.plan.root.rows));
}

/// Says while it lives that the image is being written.
class BeingWritten {
 public:
  explicit BeingWritten(SharedImage& image) : image_(image) { image_.being_written = true; }
  BeingWritten(const BeingWritten&) = delete;
  BeingWritten& operator=(const BeingWritten&) = delete;
  ~BeingWritten() { image_.being_written = false; }

 private:
  SharedImage& image_;  // must outlive this
};

}  // namespace

Status DatabaseImpl::publish(std::string_view name, Publish when) {
  // While a snapshot is written, the entry that it stands on may be compacted away, and the source
  // be reindexed.
  constexpr int kAttempts = 3;
  Status status;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    status = publish_once(name, when);
    const bool again = status.code() == StatusCode::kFailedPrecondition;
    if (!again || connections_->thread_holds_writer()) break;
  }
  return status;
}

Status DatabaseImpl::publish_once(std::string_view name, Publish when) {
  if (!snapshots_.off().empty() || connections_->read_only()) return {};
  if (connections_->thread_holds_writer() || connections_->pinned().has_value()) {
    return Status::failed_precondition(base::str_cat(
        "collection '", name, "': a snapshot cannot be written inside a transaction or ",
        "Database::read"));
  }
  std::unique_ptr<base::File> right;
  if (!snapshots_.is_inline()) {
    // What another program is writing serves as well, unless it may be older than what was done
    // here.
    LOCI_ASSIGN_OR_RETURN(right,
                          when == Publish::kAnyway ? snapshots_.lock() : snapshots_.try_lock());
    if (right == nullptr) return {};
  }
  Held held;
  held.plan.asked_for = when != Publish::kIfLong;
  LOCI_RETURN_IF_ERROR(read_source(
      name,
      [&](sqlite::Connection& connection, const CatalogEntry& entry,
          const Snapshot& snapshot) -> Status {
        if (!entry.attached) return {};  // its log has gaps: no position can be named
        LOCI_ASSIGN_OR_RETURN(held.view, image_view(connection, entry, snapshot));
        if (!held.view.has_value() || held.view->whole() == nullptr) return {};
        LOCI_ASSIGN_OR_RETURN(const store::LogPosition newest, store::newest(connection));
        LOCI_ASSIGN_OR_RETURN(const auto last, store::find_snapshot(connection, entry.source.id));
        LOCI_ASSIGN_OR_RETURN(held.plan.root.database, store::database_uuid(connection));
        LOCI_ASSIGN_OR_RETURN(held.plan.purge_count, store::purge_count(connection));
        held.image = entry.image;
        held.plan.root.source = entry.source.id;
        held.plan.root.generation = last.has_value() ? last->generation + 1 : 1;
        held.plan.root.scn = newest.scn;
        held.plan.root.token = newest.token;
        held.plan.root.rows = held.view->rows();
        held.plan.root.layout = index::Image::layout_hash(image_reader(entry).layout());
        held.tail = held.view->tail();
        held.graph_changes = held.view->graph_changes();
        held.graphs_saved = held.view->graphs_saved() == held.graph_changes;
        held.rooted = held.view->rooted() && last.has_value() && !last->too_old;
        return {};
      }));
  // Moved on by another thread just now: its search will ask again.
  if (held.image == nullptr || !is_due(held, when)) return {};
  Result<store::SnapshotRecord> record = Status::internal("not written");
  {
    const BeingWritten mark(*held.image);
    record = snapshots_.write(
        held.plan, [&](index::SnapshotWriter& out) { return held.view->whole()->save(out); },
        [&] { held.view.reset(); });
  }
  if (!record.has_value()) return record.error();
  LOCI_RETURN_IF_ERROR(snapshots_.record(held.plan, *record));
  held.image->rows_written = 0;
  const base::WriterLock lock(held.image->mu);
  held.image->tail -= std::min(held.image->tail, held.tail);
  held.image->rooted = true;
  held.image->graphs_saved = held.graph_changes;
  return {};
}

void DatabaseImpl::publish_quietly(std::string_view name, Publish when) {
  // What the caller asked for is done: a snapshot that could not be written must not undo that.
  const Status status = base::guarded([&] { return publish(name, when); });
  if (status.ok() || status.code() == StatusCode::kNotFound) return;  // dropped meanwhile
  base::log_quietly(LogLevel::kWarning, "collection '", name,
                    "': no snapshot written: ", status.message());
}

void DatabaseImpl::publish_later(std::string_view name) {
  const auto ask = [&] { return background_.ask(std::string(name)); };
  // Without a thread or memory for it, the caller has to wait.
  if (!in_background_ || !base::guarded(ask).ok()) publish_quietly(name, Publish::kIfLong);
}

void DatabaseImpl::note_written(std::string_view name, SharedImage& image, int64_t rows) {
  const int64_t written = image.rows_written += rows;
  if (written < kManyWritten || connections_->thread_holds_writer()) return;
  image.rows_written = 0;
  publish_later(name);
}

DatabaseImpl::~DatabaseImpl() {
  if (connections_->forked()) {  // what is due is the parent's to write
    background_.abandon();
    return;
  }
  closing_ = true;
  background_.stop();
  const auto publish_due = [this]() -> Status {
    for (const EntryPtr& entry : catalog_.last_known()) {
      const bool due = entry->image->wants_snapshot ||
                       entry->image->rows_written >= static_cast<int64_t>(kLongTail);
      if (due) publish_quietly(entry->source.spec.name, Publish::kIfLong);
    }
    return {};
  };
  base::guarded([this]() -> Status {
    tend_log_before_close();
    return {};
  }).ignore();
  base::guarded(publish_due).ignore();  // out of memory: the next process writes it
}

}  // namespace loci::db

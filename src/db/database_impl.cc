// SPDX-License-Identifier: Apache-2.0
#include "db/database_impl.h"

#include <algorithm>
#include <utility>

#include "base/c_edge.h"
#include "base/strings.h"
#include "store/maintenance.h"
#include "store/rows.h"

namespace loci::db {
namespace {

/// Rows embedded per call of the model.
constexpr int64_t kEmbedBatch = 256;

std::string embedder_key(const CollectionSpec& spec, std::string_view column) {
  return base::str_cat(base::ascii_lower(spec.name), "\n", column);
}

}  // namespace

DatabaseImpl::DatabaseImpl(Private /*key*/, std::unique_ptr<Connections> connections,
                           const DatabaseOptions& options)
    : connections_(std::move(connections)),
      snapshots_(base::file_system(), connections_->resolved_path(), options),
      in_background_(options.background),
      graph_rows_(options.graph_rows),
      background_([this](const std::string& name) { tend_in_background(name); }) {
  metric_lookup_ = [this](const std::string& name) -> DistanceFunction {
    const base::MutexLock lock(mu_);
    const auto found = metrics_.find(name);
    return found == metrics_.end() ? DistanceFunction() : found->second;
  };
}

Result<std::shared_ptr<DatabaseImpl>> DatabaseImpl::open(const std::string& path,
                                                         const DatabaseOptions& options) {
  const sqlite::OpenOptions open_options{.create = options.create && !options.read_only,
                                         .read_only = options.read_only,
                                         .full_sync = options.durability == Durability::kFull,
                                         .busy_timeout_ms = options.busy_timeout_ms};
  LOCI_ASSIGN_OR_RETURN(std::unique_ptr<Connections> connections,
                        Connections::open(path, open_options));
  auto impl = std::make_shared<DatabaseImpl>(Private(), std::move(connections), options);
  LOCI_ASSIGN_OR_RETURN(const Connections::Lease lease, impl->connections_->reader());
  LOCI_RETURN_IF_ERROR(store::schema_version(lease.connection()).status());
  return impl;
}

Status DatabaseImpl::write(const std::function<Status(sqlite::Connection&)>& body) {
  LOCI_ASSIGN_OR_RETURN(const Connections::Lease lease, connections_->writer());
  sqlite::Connection& connection = lease.connection();
  LOCI_ASSIGN_OR_RETURN(sqlite::Transaction transaction,
                        sqlite::Transaction::begin(connection, sqlite::Transaction::Kind::kWrite));
  const int64_t cookie = catalog_.cookie();
  // What is thrown in here (no memory, a callback of the user) must not pass by the clean-up.
  Status status = base::guarded([&] { return body(connection); });
  if (status.ok()) status = base::guarded([&] { return transaction.commit(); });
  if (!status.ok()) {
    transaction.rollback();
    // A schema cookie that was rolled back may come again. What was read before stays right, and a
    // write that fails (a row is not there, an id is taken) must not cost a look at every source.
    catalog_.invalidate_unless(cookie);
    return status;
  }
  if (!connection.in_transaction()) log_care_.after_commit(connection, last_written_.scn);
  return status;
}

void DatabaseImpl::tend_log_before_close() {
  if (!log_care_.has_written()) return;
  const Result<Connections::Lease> lease = connections_->writer();
  if (lease.has_value()) log_care_.before_close(lease->connection());
}

Status DatabaseImpl::attach(sqlite::Connection& connection, const store::Source& source) {
  LOCI_RETURN_IF_ERROR(store::recreate_triggers(connection, source));
  if (!source.fts_table.empty()) LOCI_RETURN_IF_ERROR(store::rebuild_fts(connection, source));
  return {};
}

Status DatabaseImpl::write_source(
    std::string_view name,
    const std::function<Status(sqlite::Connection&, const CatalogEntry&)>& body) {
  return write([&](sqlite::Connection& connection) -> Status {
    LOCI_ASSIGN_OR_RETURN(EntryPtr entry, catalog_.find(connection, name));
    if (!entry->attached) {
      LOCI_RETURN_IF_ERROR(attach(connection, entry->source));
      catalog_.invalidate();
      LOCI_ASSIGN_OR_RETURN(entry, catalog_.find(connection, name));
    }
    LOCI_ASSIGN_OR_RETURN(const store::LogPosition before, store::newest(connection));
    if (embedder_given_.exchange(false) || !(before == last_written_)) settled_.clear();
    LOCI_RETURN_IF_ERROR(body(connection, *entry));
    if (settled_.count(entry->source.id) == 0) {
      LOCI_RETURN_IF_ERROR(embed_pending(connection, entry->source, 0, {}).status());
      settled_.insert(entry->source.id);
    }
    LOCI_ASSIGN_OR_RETURN(last_written_, store::newest(connection));
    return {};
  });
}

Status DatabaseImpl::read(const std::function<Status()>& body) {
  // Nested, or in a transaction: these have a snapshot already.
  if (connections_->thread_holds_writer() || connections_->pinned().has_value()) return body();
  LOCI_ASSIGN_OR_RETURN(const Connections::Pin pin, connections_->pin());
  sqlite::Connection& connection = pin.connection();
  LOCI_ASSIGN_OR_RETURN(sqlite::Transaction transaction,
                        sqlite::Transaction::begin(connection, sqlite::Transaction::Kind::kRead));
  LOCI_ASSIGN_OR_RETURN(const int64_t cookie, schema_cookie(connection));
  LOCI_ASSIGN_OR_RETURN(const store::LogPosition newest, store::newest(connection));
  connections_->set_pinned_state({.schema_cookie = cookie, .newest = newest});
  LOCI_RETURN_IF_ERROR(base::guarded([&] { return body(); }));
  return transaction.commit();
}

Status DatabaseImpl::read_source(std::string_view name, const ReadBody& body) {
  LOCI_ASSIGN_OR_RETURN(const Connections::Lease lease, connections_->reader());
  sqlite::Connection& connection = lease.connection();
  Snapshot snapshot;
  snapshot.pinned = !lease.is_writer() && connection.in_transaction();
  snapshot.uncommitted = lease.is_writer() && connection.in_transaction();
  const std::optional<sqlite::WalStamp> before = connection.wal_stamp();
  LOCI_ASSIGN_OR_RETURN(sqlite::Transaction transaction,
                        sqlite::Transaction::begin(connection, sqlite::Transaction::Kind::kRead));
  LOCI_ASSIGN_OR_RETURN(snapshot.schema_cookie, schema_cookie(connection));
  // The snapshot was begun by the line above, between two looks at the header.
  if (!snapshot.uncommitted && !snapshot.pinned && before == connection.wal_stamp())
    snapshot.stamp = before;
  LOCI_ASSIGN_OR_RETURN(const EntryPtr entry,
                        catalog_.find(connection, snapshot.schema_cookie, name));
  LOCI_RETURN_IF_ERROR(body(connection, *entry, snapshot));
  return transaction.commit();
}

Result<bool> DatabaseImpl::read_unchanged(std::string_view name, const ReadBody& body) {
  if (connections_->thread_holds_writer()) return false;
  LOCI_ASSIGN_OR_RETURN(const Connections::Lease lease, connections_->reader());
  if (lease.is_writer()) return false;
  const std::optional<Connections::Pinned> own = connections_->pinned();
  const std::optional<store::FileState> state =
      own.has_value() ? own->state : freshness_.now(lease.connection());
  if (!state.has_value()) return false;
  const EntryPtr entry = catalog_.find_known(state->schema_cookie, name);
  if (entry == nullptr || !entry->attached) return false;
  Snapshot snapshot;
  snapshot.schema_cookie = state->schema_cookie;
  snapshot.newest = state->newest;
  LOCI_RETURN_IF_ERROR(body(lease.connection(), *entry, snapshot));
  return true;
}

Result<std::optional<ImageView>> DatabaseImpl::image_view(sqlite::Connection& connection,
                                                          const CatalogEntry& entry,
                                                          const Snapshot& snapshot) {
  const ImageReader reader = image_reader(entry);
  if (!entry.attached) {
    LOCI_ASSIGN_OR_RETURN(
        ImageView view,
        reader.private_view(connection,
                            base::str_cat("detached: the triggers of '", entry.source.table,
                                          "' are missing or altered, so its rows are read for ",
                                          "every search; reindex attaches it again")));
    return std::optional<ImageView>(std::move(view));
  }
  if (snapshot.uncommitted) {
    LOCI_ASSIGN_OR_RETURN(ImageView own, reader.overlay(connection, entry.image));
    return std::optional<ImageView>(std::move(own));
  }
  if (!snapshot.open()) return reader.unchanged_view(entry.image, *snapshot.newest);
  LOCI_ASSIGN_OR_RETURN(const store::LogPosition newest, store::newest(connection));
  if (snapshot.stamp.has_value()) {
    freshness_.remember(*snapshot.stamp, {snapshot.schema_cookie, newest});
  }
  LOCI_ASSIGN_OR_RETURN(std::optional<ImageView> view,
                        reader.view(connection, entry.image, newest));
  if (view.has_value() || !snapshot.pinned) return view;
  LOCI_ASSIGN_OR_RETURN(const Connections::Lease log, connections_->another_reader());
  LOCI_ASSIGN_OR_RETURN(ImageView past,
                        reader.past_view(connection, log.connection(), entry.image, newest));
  return std::optional<ImageView>(std::move(past));
}

Status DatabaseImpl::distrust(const CatalogEntry& entry, ImageView view, const Status& why) {
  const std::shared_ptr<index::SnapshotFile> file = view.file();
  if (why.code() != StatusCode::kCorruption || file == nullptr) return why;
  {
    const ImageView gone = std::move(view);  // lets go of the image
  }
  image_reader(entry).distrust(*entry.image, *file, why);
  return {};
}

std::shared_ptr<Embedder> DatabaseImpl::embedder(const CollectionSpec& spec,
                                                 const VectorColumn& column) {
  if (column.model.empty()) return nullptr;
  const std::string key = embedder_key(spec, column.name);
  {
    const base::MutexLock lock(mu_);
    const auto found = embedders_.find(key);
    if (found != embedders_.end() && found->second->identity() == column.model) {
      return found->second;
    }
  }
  Result<std::shared_ptr<Embedder>> built_in = make_embedder(column.model);
  if (!built_in.has_value()) return nullptr;
  const base::MutexLock lock(mu_);
  return embedders_[key] = *built_in;
}

Status DatabaseImpl::set_embedder(const CollectionSpec& spec, std::string_view column_name,
                                  std::shared_ptr<Embedder> embedder) {
  const auto column =
      std::find_if(spec.vectors.begin(), spec.vectors.end(), [&](const VectorColumn& candidate) {
        return column_name.empty() || candidate.name == column_name;
      });
  if (column == spec.vectors.end()) {
    return Status::invalid_argument(
        base::str_cat("collection '", spec.name, "': no vector column '", column_name, "'"));
  }
  if (embedder == nullptr) return Status::invalid_argument("set_embedder: the embedder is null");
  if (embedder->identity() != column->model || embedder->dim() != column->dim) {
    return Status::failed_precondition(base::str_cat(
        "collection '", spec.name, "', column '", column->name, "': its vectors come from model '",
        column->model, "' (dim ", column->dim, "), the embedder is '", embedder->identity(),
        "' (dim ", embedder->dim(), "); vectors of two models cannot be compared"));
  }
  const base::MutexLock lock(mu_);
  embedders_[embedder_key(spec, column->name)] = std::move(embedder);
  embedder_given_.store(true);
  return {};
}

void DatabaseImpl::register_metric(std::string_view name, DistanceFunction distance) {
  {
    const base::MutexLock lock(mu_);
    metrics_[std::string(name)] = std::move(distance);
  }
  catalog_.drop_images();  // those built without it
}

Result<int64_t> DatabaseImpl::embed_pending(sqlite::Connection& connection,
                                            const store::Source& source, int64_t limit,
                                            const std::function<void(int64_t)>& progress) {
  int64_t done = 0;
  for (size_t column = 0; column < source.spec.vectors.size(); ++column) {
    const std::shared_ptr<Embedder> model = embedder(source.spec, source.spec.vectors[column]);
    if (model == nullptr) continue;
    RowId after = kNoRow;
    while (limit == 0 || done < limit) {
      const int64_t want = limit == 0 ? kEmbedBatch : std::min(kEmbedBatch, limit - done);
      LOCI_ASSIGN_OR_RETURN(const std::vector<store::PendingRow> rows,
                            store::read_pending(connection, source, column, after, want));
      if (rows.empty()) break;
      std::vector<std::string_view> texts;
      texts.reserve(rows.size());
      for (const store::PendingRow& row : rows) texts.push_back(row.text);
      LOCI_ASSIGN_OR_RETURN(const std::vector<float> vectors,
                            model->embed(texts, EmbedPurpose::kDocument));
      for (size_t i = 0; i < rows.size(); ++i) {
        const VectorView vector = VectorView(vectors).subspan(i * model->dim(), model->dim());
        LOCI_RETURN_IF_ERROR(store::put_vector(connection, source, column, rows[i].rowid, vector));
      }
      done += static_cast<int64_t>(rows.size());
      after = rows.back().rowid;
      if (progress) progress(done);
    }
  }
  return done;
}

}  // namespace loci::db

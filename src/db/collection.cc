// SPDX-License-Identifier: Apache-2.0
#include "loci/collection.h"

#include <utility>

#include "base/c_edge.h"
#include "base/strings.h"
#include "db/collection_impl.h"
#include "query/filter.h"
#include "store/history.h"
#include "store/rows.h"
#include "store/source.h"

namespace loci {
namespace {

using db::CatalogEntry;
using sqlite::Connection;

/// Rows of one embedding transaction, so that other writers get their turn.
constexpr int64_t kEmbedTransactionRows = 2048;

/// Applies `change` to each row that is there, in one transaction; counts those it changed.
template <typename Change>
Result<int64_t> for_each_key(db::CollectionImpl& impl, std::span<const RowKey> keys,
                             const Change& change) {
  int64_t count = 0;
  LOCI_RETURN_IF_ERROR(impl.database().write_source(
      impl.name(), [&](Connection& connection, const CatalogEntry& entry) -> Status {
        for (const RowKey& key : keys) {
          LOCI_ASSIGN_OR_RETURN(const std::optional<RowId> row,
                                store::find_row(connection, entry.source, key));
          if (!row.has_value()) continue;
          LOCI_ASSIGN_OR_RETURN(const bool changed, change(connection, entry.source, *row));
          count += changed ? 1 : 0;
        }
        return {};
      }));
  return count;
}

Result<int64_t> set_archived(db::CollectionImpl& impl, std::span<const RowKey> keys,
                             bool archived) {
  return for_each_key(impl, keys,
                      [archived](Connection& connection, const store::Source& source, RowId row) {
                        return store::set_archived(connection, source, row, archived);
                      });
}

}  // namespace

Collection::Collection(std::shared_ptr<db::CollectionImpl> impl) : impl_(std::move(impl)) {}

const std::string& Collection::name() const { return impl_->name(); }

CollectionSpec Collection::spec() const {
  CollectionSpec spec = impl_->first_spec();
  const Status read = impl_->database().read_source(
      name(), [&](Connection&, const CatalogEntry& entry, const db::Snapshot&) -> Status {
        spec = entry.source.spec;
        return {};
      });
  read.ignore();  // a dropped collection keeps the spec it had
  return spec;
}

Result<RowId> Collection::insert(const Record& record, OnConflict on_conflict) {
  return base::guarded([&]() -> Result<RowId> {
    RowId row = kNoRow;
    LOCI_RETURN_IF_ERROR(
        impl_->insert_many(std::span<const Record>(&record, 1), on_conflict, &row).status());
    return row;
  });
}

Result<WriteCount> Collection::insert_many(std::span<const Record> records,
                                           OnConflict on_conflict) {
  return base::guarded([&] { return impl_->insert_many(records, on_conflict, nullptr); });
}

Status Collection::update(const RowKey& key, const Record& changes) {
  return base::guarded([&] { return impl_->update(key, changes); });
}

Result<int64_t> Collection::remove(std::span<const RowKey> keys) {
  return base::guarded([&] { return for_each_key(*impl_, keys, store::remove_row); });
}

Result<int64_t> Collection::remove_where(std::string_view where) {
  return base::guarded([&]() -> Result<int64_t> {
    int64_t count = 0;
    LOCI_RETURN_IF_ERROR(impl_->database().write_source(
        name(), [&](Connection& connection, const CatalogEntry& entry) -> Status {
          LOCI_ASSIGN_OR_RETURN(const query::Filter filter,
                                query::Filter::bind(where, entry.source));
          LOCI_ASSIGN_OR_RETURN(count,
                                store::remove_rows(connection, entry.source, filter.to_sql()));
          return {};
        }));
    return count;
  });
}

Result<int64_t> Collection::clear() { return remove_where({}); }

Result<int64_t> Collection::archive(std::span<const RowKey> keys) {
  return base::guarded([&] { return set_archived(*impl_, keys, true); });
}

Result<int64_t> Collection::restore(std::span<const RowKey> keys) {
  return base::guarded([&] { return set_archived(*impl_, keys, false); });
}

Result<int64_t> Collection::purge(std::span<const RowKey> keys) {
  return base::guarded([&]() -> Result<int64_t> {
    db::Connections& connections = impl_->database().connections();
    if (connections.thread_holds_writer()) {
      return Status::failed_precondition(
          "purge rewrites the file and cannot run inside a transaction: commit first");
    }
    // A snapshot holds vectors too. While we have the right to write one, nobody else begins one of
    // rows that are about to go.
    db::Snapshots& snapshots = impl_->database().snapshots();
    LOCI_ASSIGN_OR_RETURN(const std::unique_ptr<base::File> right, snapshots.lock());
    int64_t count = 0;
    LOCI_RETURN_IF_ERROR(impl_->database().write_source(
        name(), [&](Connection& connection, const CatalogEntry& entry) -> Status {
          LOCI_RETURN_IF_ERROR(store::withdraw_snapshot(connection, entry.source.id));
          std::vector<RowId> rows;
          store::GoneRows gone;
          for (const RowKey& key : keys) {
            LOCI_ASSIGN_OR_RETURN(const std::optional<RowId> row,
                                  store::find_row(connection, entry.source, key));
            if (row.has_value()) {
              rows.push_back(*row);
            } else if (const auto* id = std::get_if<std::string>(&key)) {
              gone.ids.push_back(*id);
            } else {
              gone.rows.push_back(std::get<RowId>(key));
            }
          }
          LOCI_ASSIGN_OR_RETURN(count, store::purge_rows(connection, entry.source, rows, gone));
          return {};
        }));
    connections.drop_idle_readers();
    LOCI_ASSIGN_OR_RETURN(const db::Connections::Lease lease, connections.writer());
    LOCI_ASSIGN_OR_RETURN(const std::vector<store::SnapshotRecord> others,
                          store::list_snapshots(lease.connection()));
    LOCI_RETURN_IF_ERROR(
        snapshots.sweep(others).with_context("the rows are gone, but a snapshot still holds their "
                                             "vectors: purge again"));
    LOCI_RETURN_IF_ERROR(
        store::scrub(lease.connection())
            .with_context("the rows are gone, but their bytes may still lie in the "
                          "file: purge again"));
    return count;
  });
}

Result<std::optional<Record>> Collection::get(const RowKey& key, bool with_vectors) {
  return base::guarded([&]() -> Result<std::optional<Record>> {
    std::optional<Record> record;
    LOCI_RETURN_IF_ERROR(impl_->database().read_source(
        name(),
        [&](Connection& connection, const CatalogEntry& entry, const db::Snapshot&) -> Status {
          LOCI_ASSIGN_OR_RETURN(const std::optional<RowId> row,
                                store::find_row(connection, entry.source, key));
          if (!row.has_value()) return {};
          LOCI_ASSIGN_OR_RETURN(record,
                                store::get_row(connection, entry.source, *row, with_vectors));
          return {};
        }));
    return record;
  });
}

Status Collection::scan(std::string_view where, bool with_archived, bool with_vectors,
                        int64_t limit, int64_t offset,
                        const std::function<Status(const Record&)>& visit) {
  return base::guarded([&]() -> Status {
    return impl_->database().read_source(
        name(),
        [&](Connection& connection, const CatalogEntry& entry, const db::Snapshot&) -> Status {
          LOCI_ASSIGN_OR_RETURN(const query::Filter filter,
                                query::Filter::bind(where, entry.source));
          const store::ScanOptions options{.with_archived = with_archived,
                                           .with_vectors = with_vectors,
                                           .limit = limit,
                                           .offset = offset};
          return store::scan_rows(connection, entry.source, filter.to_sql(), options, visit);
        });
  });
}

Result<int64_t> Collection::count(std::string_view where, bool with_archived) {
  return base::guarded([&]() -> Result<int64_t> {
    int64_t count = 0;
    LOCI_RETURN_IF_ERROR(impl_->database().read_source(
        name(),
        [&](Connection& connection, const CatalogEntry& entry, const db::Snapshot&) -> Status {
          LOCI_ASSIGN_OR_RETURN(const query::Filter filter,
                                query::Filter::bind(where, entry.source));
          LOCI_ASSIGN_OR_RETURN(
              count, store::count_rows(connection, entry.source, filter.to_sql(), with_archived));
          return {};
        }));
    return count;
  });
}

Result<CollectionStats> Collection::stats() {
  return base::guarded([&]() -> Result<CollectionStats> {
    CollectionStats stats;
    LOCI_RETURN_IF_ERROR(impl_->database().read_source(
        name(),
        [&](Connection& connection, const CatalogEntry& entry, const db::Snapshot&) -> Status {
          LOCI_ASSIGN_OR_RETURN(stats, store::stats(connection, entry.source));
          const base::ReaderLock lock(entry.image->mu);
          if (entry.image->image.has_value()) {
            stats.image_bytes = static_cast<int64_t>(entry.image->image->memory_bytes());
          }
          return {};
        }));
    return stats;
  });
}

Result<std::vector<Version>> Collection::history(const RowKey& key, bool with_vectors,
                                                 int64_t limit) {
  return base::guarded([&]() -> Result<std::vector<Version>> {
    std::vector<Version> versions;
    LOCI_RETURN_IF_ERROR(impl_->database().read_source(
        name(),
        [&](Connection& connection, const CatalogEntry& entry, const db::Snapshot&) -> Status {
          LOCI_ASSIGN_OR_RETURN(
              versions, store::read_history(connection, entry.source, key, with_vectors, limit));
          return {};
        }));
    return versions;
  });
}

Status Collection::set_history(const HistoryOptions& options) {
  return base::guarded([&]() -> Status {
    return impl_->database().write_source(
        name(), [&](Connection& connection, const CatalogEntry& entry) -> Status {
          return store::set_history(connection, entry.source, options).status();
        });
  });
}

Result<SearchResult> Collection::search(const SearchRequest& request) {
  return base::guarded([&] { return impl_->search(request); });
}

Result<std::vector<Hit>> Collection::nearest(VectorView query, size_t k) {
  return base::guarded([&]() -> Result<std::vector<Hit>> {
    SearchRequest request;
    request.mode = SearchMode::kVector;
    request.vector = query;
    request.k = k;
    request.with_fields = false;
    LOCI_ASSIGN_OR_RETURN(SearchResult result, impl_->search(request));
    return std::move(result.hits);
  });
}

Status Collection::nearest(std::span<const float> queries, const NearestRequest& request,
                           std::span<Neighbor> out) {
  return base::guarded([&] { return impl_->nearest(queries, request, out); });
}

Status Collection::set_embedder(std::string_view column, std::shared_ptr<Embedder> embedder) {
  return base::guarded(
      [&] { return impl_->database().set_embedder(spec(), column, std::move(embedder)); });
}

Result<int64_t> Collection::embed_pending(int64_t limit,
                                          const std::function<void(int64_t, int64_t)>& progress) {
  return base::guarded([&]() -> Result<int64_t> {
    LOCI_ASSIGN_OR_RETURN(const CollectionStats before, stats());
    const int64_t total = limit == 0 ? before.pending : std::min(limit, before.pending);
    int64_t done = 0;
    while (limit == 0 || done < limit) {
      const int64_t want =
          limit == 0 ? kEmbedTransactionRows : std::min(kEmbedTransactionRows, limit - done);
      int64_t embedded = 0;
      LOCI_RETURN_IF_ERROR(impl_->database().write([&](Connection& connection) -> Status {
        LOCI_ASSIGN_OR_RETURN(const db::DatabaseImpl::EntryPtr entry,
                              impl_->database().catalog().find(connection, name()));
        const auto report = [&](int64_t now) {
          if (progress) progress(done + now, total);
        };
        LOCI_ASSIGN_OR_RETURN(
            embedded, impl_->database().embed_pending(connection, entry->source, want, report));
        return {};
      }));
      if (embedded == 0) break;
      done += embedded;
    }
    return done;
  });
}

Status Collection::add_text_column(std::string_view column) {
  return base::guarded([&]() -> Status {
    return impl_->database().write_source(
        name(), [&](Connection& connection, const CatalogEntry& entry) -> Status {
          return store::add_text_column(connection, entry.source, column).status();
        });
  });
}

Status Collection::add_filter_column(const FilterColumn& column) {
  return base::guarded([&]() -> Status {
    return impl_->database().write_source(
        name(), [&](Connection& connection, const CatalogEntry& entry) -> Status {
          return store::add_filter_column(connection, entry.source, column).status();
        });
  });
}

}  // namespace loci

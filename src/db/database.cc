// SPDX-License-Identifier: Apache-2.0
#include "loci/database.h"

#include <algorithm>
#include <utility>

#include "base/c_edge.h"
#include "base/ids.h"
#include "base/os_file.h"
#include "base/strings.h"
#include "db/collection_impl.h"
#include "db/database_impl.h"
#include "db/graph_care.h"
#include "store/followers.h"
#include "store/maintenance.h"
#include "store/rows.h"
#include "store/source.h"

namespace loci {
namespace {

using db::CatalogEntry;
using db::DatabaseImpl;
using sqlite::Connection;

Collection make_collection(const std::shared_ptr<DatabaseImpl>& database, CollectionSpec spec) {
  return Collection(std::make_shared<db::CollectionImpl>(database, std::move(spec)));
}

/// Writes out a built-in model's identity and dimension: "hash" becomes "hash:384:v1".
Status resolve_model(std::string_view collection, VectorColumn& column) {
  if (column.model.empty() || column.model == "none") {
    column.model.clear();
    return {};
  }
  const Result<std::shared_ptr<Embedder>> model = make_embedder(column.model);
  if (!model.has_value()) return {};  // one of the user's own, given later by set_embedder
  if (column.dim == 0) column.dim = (*model)->dim();
  if (column.dim != (*model)->dim()) {
    return Status::invalid_argument(base::str_cat("collection '", collection, "', column '",
                                                  column.name, "': dim ", column.dim, ", model '",
                                                  column.model, "' gives ", (*model)->dim()));
  }
  if (column.element == Element::kI8) {
    return Status::invalid_argument(base::str_cat(
        "collection '", collection, "', column '", column.name, "': model '", column.model,
        "' gives fractions, and element i8 holds whole numbers only; use f16 or bf16"));
  }
  column.model = (*model)->identity();
  return {};
}

/// Finds rows that the image holds and the table does not, or the other way round.
Status check_image(DatabaseImpl& database, Connection& connection, const CatalogEntry& entry,
                   std::vector<CheckFinding>& findings) {
  db::Snapshot snapshot;
  snapshot.uncommitted = connection.in_transaction();
  const Result<std::optional<db::ImageView>> made =
      database.image_view(connection, entry, snapshot);
  if (!made.ok() && made.error().code() == StatusCode::kCorruption) {
    findings.push_back({.object = entry.source.spec.name,
                        .kind = "image",
                        .message = base::str_cat(made.error().message(),
                                                 "; searches fail until that row is mended"),
                        .repaired = false});
    return {};
  }
  LOCI_RETURN_IF_ERROR(made.status());
  const std::optional<db::ImageView>& view = *made;
  if (!view.has_value()) return {};  // moved by a search just now: it was built from newer rows
  LOCI_ASSIGN_OR_RETURN(const std::vector<RowId> in_table,
                        store::select_rowids(connection, entry.source, {}));
  const std::vector<RowId> in_image = view->rowids();
  if (in_table == in_image) return {};
  const bool left_out =
      std::any_of(findings.begin(), findings.end(), [&](const CheckFinding& finding) {
        return finding.object == entry.source.spec.name && finding.kind == "vector";
      });
  if (!entry.source.managed && left_out) return {};  // told already (ImageReader::put)
  findings.push_back({.object = entry.source.spec.name,
                      .kind = "image",
                      .message = base::str_cat(
                          "the search image holds ", in_image.size(), " rows, the table ",
                          in_table.size(), ", and they differ: something wrote past the ",
                          "triggers; reindex '", entry.source.spec.name, "' or check with repair"),
                      .repaired = false});
  return {};
}

/// A snapshot that is damaged is not used; that it is there is told.
Status check_snapshot(DatabaseImpl& database, Connection& connection, const CatalogEntry& entry,
                      bool repair, std::vector<CheckFinding>& findings) {
  Status sound = database.snapshots().verify(connection, entry.source.id);
  if (sound.ok()) return {};
  if (sound.code() != StatusCode::kCorruption) return sound;
  if (repair) LOCI_RETURN_IF_ERROR(store::withdraw_snapshot(connection, entry.source.id));
  findings.push_back(
      {.object = entry.source.spec.name,
       .kind = "snapshot",
       .message = base::str_cat(sound.message(), "; searches read the rows instead, and ",
                                repair ? "the next one is written when it is due"
                                       : "reindex or check with repair puts it right"),
       .repaired = repair});
  return {};
}

Status copy_into(Connection& connection, const std::string& path) {
  LOCI_ASSIGN_OR_RETURN(sqlite::Statement vacuum, connection.prepare("VACUUM INTO ?1"));
  LOCI_RETURN_IF_ERROR(vacuum.bind(1, std::string_view(path)));
  Status status = vacuum.run();
  // "output file already exists" is what SQLite says when it cannot ask for its size. It is new.
  if (status.code() == StatusCode::kInvalidArgument) {
    return Status::io_error(std::string(status.message()));
  }
  return status;
}

/// Gives a finished file, which no connection has open, its name, and makes both survive power
/// loss.
Status name_durably(const std::string& from, const std::string& to) {
  base::FileSystem& files = base::file_system();
  {
    LOCI_ASSIGN_OR_RETURN(const std::unique_ptr<base::File> file,
                          files.open(from, base::OpenMode::kReadWrite));
    LOCI_RETURN_IF_ERROR(file->sync());
  }
  const std::string folder = base::parent_directory(to);
  LOCI_RETURN_IF_ERROR(files.rename(from, to));
  Status synced = base::guarded([&] { return files.sync_directory(folder); });
  if (!synced.ok()) files.remove_file(to).ignore();  // it is told that there is no copy
  return synced;
}

}  // namespace

Database::Database(std::shared_ptr<DatabaseImpl> impl) : impl_(std::move(impl)) {}

Result<Database> Database::open(const std::string& path, const DatabaseOptions& options) {
  return base::guarded([&]() -> Result<Database> {
    LOCI_RETURN_IF_ERROR(simd_tier().status());
    LOCI_ASSIGN_OR_RETURN(std::shared_ptr<DatabaseImpl> impl, DatabaseImpl::open(path, options));
    return Database(std::move(impl));
  });
}

const std::string& Database::path() const { return impl_->path(); }

Result<Collection> Database::create_collection(const CollectionSpec& spec) {
  return base::guarded([&]() -> Result<Collection> {
    CollectionSpec resolved = spec;
    for (VectorColumn& column : resolved.vectors) {
      LOCI_RETURN_IF_ERROR(resolve_model(spec.name, column));
    }
    LOCI_RETURN_IF_ERROR(impl_->write([&](Connection& connection) -> Status {
      LOCI_RETURN_IF_ERROR(store::migrate(connection, -1));
      LOCI_ASSIGN_OR_RETURN(const store::Source source,
                            store::create_collection(connection, resolved));
      resolved = source.spec;
      return {};
    }));
    return make_collection(impl_, std::move(resolved));
  });
}

Result<Collection> Database::create_table_index(const TableIndexSpec& spec) {
  return base::guarded([&]() -> Result<Collection> {
    TableIndexSpec resolved = spec;
    LOCI_RETURN_IF_ERROR(resolve_model(spec.name, resolved.vector));
    CollectionSpec made;
    LOCI_RETURN_IF_ERROR(impl_->write([&](Connection& connection) -> Status {
      LOCI_RETURN_IF_ERROR(store::migrate(connection, -1));
      LOCI_ASSIGN_OR_RETURN(const store::Source source,
                            store::create_table_index(connection, resolved));
      made = source.spec;
      return {};
    }));
    return make_collection(impl_, std::move(made));
  });
}

Result<Collection> Database::collection(std::string_view name) {
  return base::guarded([&]() -> Result<Collection> {
    CollectionSpec spec;
    LOCI_RETURN_IF_ERROR(impl_->read_source(
        name, [&](Connection&, const CatalogEntry& entry, const db::Snapshot&) -> Status {
          spec = entry.source.spec;
          return {};
        }));
    return make_collection(impl_, std::move(spec));
  });
}

Result<std::vector<CollectionSpec>> Database::list_collections() {
  return base::guarded([&]() -> Result<std::vector<CollectionSpec>> {
    LOCI_ASSIGN_OR_RETURN(const db::Connections::Lease lease, impl_->connections().reader());
    LOCI_ASSIGN_OR_RETURN(
        sqlite::Transaction snapshot,
        sqlite::Transaction::begin(lease.connection(), sqlite::Transaction::Kind::kRead));
    LOCI_ASSIGN_OR_RETURN(const std::vector<DatabaseImpl::EntryPtr> entries,
                          impl_->catalog().all(lease.connection()));
    std::vector<CollectionSpec> specs;
    specs.reserve(entries.size());
    for (const DatabaseImpl::EntryPtr& entry : entries) specs.push_back(entry->source.spec);
    LOCI_RETURN_IF_ERROR(snapshot.commit());
    return specs;
  });
}

Status Database::drop_collection(std::string_view name) {
  return base::guarded([&]() -> Status {
    return impl_->write([&](Connection& connection) -> Status {
      LOCI_ASSIGN_OR_RETURN(const DatabaseImpl::EntryPtr entry,
                            impl_->catalog().find(connection, name));
      return store::drop_source(connection, entry->source);
    });
  });
}

Status Database::transaction(const std::function<Status()>& body) {
  return base::guarded([&] { return impl_->write([&](Connection&) { return body(); }); });
}

Status Database::read(const std::function<Status()>& body) {
  return base::guarded([&] { return impl_->read(body); });
}

Status Database::register_metric(std::string_view name, DistanceFunction distance) {
  return base::guarded([&]() -> Status {
    if (name.empty() || distance == nullptr) {
      return Status::invalid_argument("register_metric: a name and a function are needed");
    }
    impl_->register_metric(name, std::move(distance));
    return {};
  });
}

Status Database::sql(
    std::string_view query,
    const std::function<Status(std::span<const std::string>, std::span<const Value>)>& row) {
  return base::guarded([&]() -> Status {
    db::Connections& connections = impl_->connections();
    const bool pinned = connections.pinned().has_value();
    const bool read_only = connections.read_only() || pinned;
    LOCI_ASSIGN_OR_RETURN(const db::Connections::Lease lease,
                          read_only ? connections.reader() : connections.writer());
    Connection& connection = lease.connection();
    const bool in_transaction = connection.in_transaction();
    const auto run = [&]() -> Status {
      LOCI_ASSIGN_OR_RETURN(sqlite::Statement statement, connection.prepare(query));
      if (pinned && !statement.is_read_only()) {
        return Status::failed_precondition(
            "sql: inside Database::read nothing is written: its snapshot does not move");
      }
      std::vector<std::string> names;
      names.reserve(static_cast<size_t>(statement.column_count()));
      for (int i = 0; i < statement.column_count(); ++i) {
        names.emplace_back(statement.column_name(i));
      }
      std::vector<Value> values(names.size());
      for (;;) {
        LOCI_ASSIGN_OR_RETURN(const bool more, statement.step());
        if (!more) return {};
        for (size_t i = 0; i < values.size(); ++i) {
          values[i] = statement.column_value(static_cast<int>(i));
        }
        LOCI_RETURN_IF_ERROR(statement.whole());
        if (row) LOCI_RETURN_IF_ERROR(row(names, values));
      }
    };
    Status status = run();
    if (!in_transaction && connection.in_transaction()) {
      impl_->catalog().invalidate();
      LOCI_RETURN_IF_ERROR(connection.exec("ROLLBACK"));
      return Status::invalid_argument(
          "sql: BEGIN has no effect across calls; use Database::transaction");
    }
    return status;
  });
}

Result<std::vector<CheckFinding>> Database::check(bool repair) {
  return base::guarded([&]() -> Result<std::vector<CheckFinding>> {
    std::vector<CheckFinding> findings;
    if (repair) {
      LOCI_RETURN_IF_ERROR(impl_->write([&](Connection& connection) -> Status {
        LOCI_ASSIGN_OR_RETURN(findings, store::check(connection, true));
        LOCI_ASSIGN_OR_RETURN(const std::vector<DatabaseImpl::EntryPtr> entries,
                              impl_->catalog().all(connection));
        for (const DatabaseImpl::EntryPtr& entry : entries) {
          LOCI_RETURN_IF_ERROR(check_snapshot(*impl_, connection, *entry, true, findings));
        }
        return {};
      }));
      impl_->catalog().drop_images();
      return findings;
    }
    LOCI_ASSIGN_OR_RETURN(const db::Connections::Lease lease, impl_->connections().reader());
    Connection& connection = lease.connection();
    LOCI_ASSIGN_OR_RETURN(findings, store::check(connection, false));
    LOCI_ASSIGN_OR_RETURN(sqlite::Transaction snapshot,
                          sqlite::Transaction::begin(connection, sqlite::Transaction::Kind::kRead));
    LOCI_ASSIGN_OR_RETURN(const std::vector<DatabaseImpl::EntryPtr> entries,
                          impl_->catalog().all(connection));
    for (const DatabaseImpl::EntryPtr& entry : entries) {
      LOCI_RETURN_IF_ERROR(check_image(*impl_, connection, *entry, findings));
      LOCI_RETURN_IF_ERROR(check_snapshot(*impl_, connection, *entry, false, findings));
    }
    LOCI_RETURN_IF_ERROR(snapshot.commit());
    return findings;
  });
}

Status Database::reindex(std::string_view name, const IndexOptions& options) {
  return base::guarded([&]() -> Status {
    LOCI_RETURN_IF_ERROR(index::check_graph_options(db::graph_options(options)));
    LOCI_RETURN_IF_ERROR(impl_->write([&](Connection& connection) -> Status {
      LOCI_ASSIGN_OR_RETURN(const DatabaseImpl::EntryPtr entry,
                            impl_->catalog().find(connection, name));
      LOCI_RETURN_IF_ERROR(store::recreate_triggers(connection, entry->source));
      if (entry->source.fts_table.empty()) return {};
      return store::rebuild_fts(connection, entry->source);
    }));
    impl_->catalog().drop_images();
    if (impl_->connections().thread_holds_writer()) return {};
    const Status graphs = impl_->tend_graphs(name, options, 0);
    impl_->publish_quietly(name, DatabaseImpl::Publish::kAnyway);
    return graphs;
  });
}

Status Database::publish(std::string_view name, const IndexOptions& options) {
  return base::guarded([&]() -> Status {
    // A snapshot is refused in a transaction before a graph is built in vain.
    if (!impl_->connections().thread_holds_writer()) {
      LOCI_RETURN_IF_ERROR(impl_->tend_graphs(name, options, 0));
    }
    return impl_->publish(name, DatabaseImpl::Publish::kIfChanged);
  });
}

Status Database::backup(const std::string& path) {
  return base::guarded([&]() -> Status {
    LOCI_ASSIGN_OR_RETURN(const bool exists, base::file_system().exists(path));
    if (exists) {
      return Status::already_exists(
          base::str_cat("backup: '", path, "' is there already; name a file that is not"));
    }
    LOCI_ASSIGN_OR_RETURN(const db::Connections::Lease lease, impl_->connections().reader());
    // Beside it first: what has the name of a backup is whole, whenever the program or the power
    // ends.
    const std::string part = base::str_cat(path, ".", base::uuid_v4(), ".part");
    Status status = base::guarded([&]() -> Status {
      LOCI_RETURN_IF_ERROR(copy_into(lease.connection(), part));
      return name_durably(part, path);
    });
    if (status.ok()) return {};
    base::file_system().remove_file(part).ignore();  // may not be there at all
    return status.with_context(base::str_cat("backup to '", path, "'"));
  });
}

Result<std::vector<MigrationState>> Database::migrations() {
  return base::guarded([&]() -> Result<std::vector<MigrationState>> {
    LOCI_ASSIGN_OR_RETURN(const db::Connections::Lease lease, impl_->connections().reader());
    return store::migration_states(lease.connection());
  });
}

Status Database::migrate(int version) {
  return base::guarded([&] {
    return impl_->write(
        [&](Connection& connection) { return store::migrate(connection, version); });
  });
}

std::string_view sqlite_version() noexcept { return sqlite::library_version(); }

}  // namespace loci

// SPDX-License-Identifier: Apache-2.0
//
// The tables that Loci keeps in a file, as numbered steps up and down (docs/format).
//
// Rules. A step is never changed once released: a later one amends it. Each runs in the one
// transaction of migrate(), so that a file is never between two versions. user_version and
// application_id belong to the owner of the file and are left alone; the version is in loci_meta.
//
// Tested by migrations_test.cc.
#include <array>
#include <optional>
#include <string_view>

#include "base/clock.h"
#include "base/ids.h"
#include "base/strings.h"
#include "sqlite/query.h"
#include "store/maintenance.h"
#include "store/meta.h"

namespace loci::store {
namespace {

using base::str_cat;

struct Migration {
  std::string_view name;
  std::string_view up;
  std::string_view down;  // empty: there is no way down
  bool holds_rows;        // going down would lose collections
};

// On disk: never edit a released step.
constexpr std::string_view kFoundationUp = R"sql(
CREATE TABLE loci_meta(
  key TEXT PRIMARY KEY,
  value
) WITHOUT ROWID;
CREATE TABLE loci_indexes(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL UNIQUE COLLATE NOCASE,
  kind TEXT NOT NULL CHECK(kind IN ('collection', 'table')),
  table_name TEXT NOT NULL,
  spec TEXT NOT NULL,
  triggers TEXT NOT NULL
);
CREATE TABLE loci_log(
  scn INTEGER PRIMARY KEY AUTOINCREMENT,
  token INTEGER NOT NULL DEFAULT (random()),
  source INTEGER NOT NULL,
  rid INTEGER NOT NULL,
  op INTEGER NOT NULL,
  hlc INTEGER NOT NULL,
  origin INTEGER NOT NULL,
  id
);
CREATE TABLE loci_followers(
  name TEXT PRIMARY KEY,
  kind TEXT NOT NULL,
  source INTEGER NOT NULL,
  scn INTEGER NOT NULL,
  token INTEGER NOT NULL,
  state TEXT NOT NULL,
  database_uuid TEXT,
  root_id BLOB,
  generation INTEGER,
  checksum BLOB
);
CREATE TABLE loci_keys(
  rid INTEGER PRIMARY KEY AUTOINCREMENT,
  source INTEGER NOT NULL,
  dataset_id NOT NULL,
  id NOT NULL,
  UNIQUE(source, dataset_id, id)
);
CREATE TABLE loci_displaced(
  source INTEGER NOT NULL,
  rid INTEGER NOT NULL,
  c0, c1, c2, c3, c4, c5, c6, c7, c8, c9, c10, c11, c12, c13, c14, c15,
  PRIMARY KEY(source, rid)
) WITHOUT ROWID;
)sql";

constexpr std::string_view kFoundationDown = R"sql(
DROP TABLE loci_displaced;
DROP TABLE loci_keys;
DROP TABLE loci_followers;
DROP TABLE loci_log;
DROP TABLE loci_indexes;
DROP TABLE loci_meta;
)sql";

// Snapshots kept inside the file (docs/format/snapshot.md), in parts.
constexpr std::string_view kSnapshotsUp = R"sql(
CREATE TABLE loci_snapshots(
  root_id BLOB NOT NULL,
  part INTEGER NOT NULL,
  data BLOB NOT NULL,
  PRIMARY KEY(root_id, part)
);
)sql";

constexpr std::string_view kSnapshotsDown = R"sql(
DELETE FROM loci_followers WHERE root_id IN (SELECT root_id FROM loci_snapshots);
DROP TABLE loci_snapshots;
)sql";

constexpr std::array kMigrations = {
    Migration{
        .name = "foundation", .up = kFoundationUp, .down = kFoundationDown, .holds_rows = true},
    Migration{.name = "snapshots inside the file",
              .up = kSnapshotsUp,
              .down = kSnapshotsDown,
              .holds_rows = false},
};

/// Who this file is: told once, when its first table is made.
Status write_identity(sqlite::Connection& connection) {
  constexpr std::string_view kInsert = "INSERT INTO loci_meta(key, value) VALUES(?1, ?2)";
  // 63 bits and never 0, which stands for "unknown".
  const auto node = static_cast<int64_t>((base::random_u64() >> 1U) | 1U);
  LOCI_RETURN_IF_ERROR(sqlite::run(connection, kInsert, "schema_version", 0));
  LOCI_RETURN_IF_ERROR(sqlite::run(connection, kInsert, "database_uuid", base::uuid_v4()));
  LOCI_RETURN_IF_ERROR(sqlite::run(connection, kInsert, "node_id", node));
  return sqlite::run(connection, kInsert, "created_at", base::now_us());
}

Status step_up(sqlite::Connection& connection, int version) {
  LOCI_RETURN_IF_ERROR(connection.exec(kMigrations[static_cast<size_t>(version)].up));
  return version == 0 ? write_identity(connection) : Status();
}

Status step_down(sqlite::Connection& connection, int version) {
  const Migration& migration = kMigrations[static_cast<size_t>(version - 1)];
  if (migration.down.empty()) {
    return Status::unsupported(
        str_cat("migration ", version, " '", migration.name, "': there is no way down"));
  }
  LOCI_ASSIGN_OR_RETURN(const std::optional<int64_t> sources,
                        sqlite::query_int(connection, "SELECT count(*) FROM loci_indexes"));
  if (migration.holds_rows && sources.value_or(0) != 0) {
    return Status::failed_precondition(str_cat("migration ", version, " '", migration.name,
                                               "': going down would lose ", *sources,
                                               " collection(s); drop them first"));
  }
  return connection.exec(migration.down);
}

}  // namespace

int newest_schema_version() noexcept { return static_cast<int>(kMigrations.size()); }

Result<int> schema_version(sqlite::Connection& connection) {
  LOCI_ASSIGN_OR_RETURN(
      const std::optional<int64_t> present,
      sqlite::query_int(connection,
                        "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'loci_meta'"));
  if (!present.has_value()) return 0;
  LOCI_ASSIGN_OR_RETURN(const std::optional<int64_t> version,
                        meta_int(connection, "schema_version"));
  if (!version.has_value() || *version < 1) {
    return Status::corruption(
        str_cat("'", connection.path(), "': loci_meta holds no schema_version"));
  }
  if (*version > newest_schema_version()) {
    return Status::failed_precondition(
        str_cat("'", connection.path(), "': written by a newer Loci (schema version ", *version,
                "), this one reads up to ", newest_schema_version(), "; use the newer program"));
  }
  return static_cast<int>(*version);
}

Result<std::vector<MigrationState>> migration_states(sqlite::Connection& connection) {
  LOCI_ASSIGN_OR_RETURN(const int current, schema_version(connection));
  std::vector<MigrationState> states;
  int version = 0;
  for (const Migration& migration : kMigrations) {
    ++version;
    states.push_back({.version = version,
                      .name = std::string(migration.name),
                      .applied = version <= current,
                      .reversible = !migration.down.empty()});
  }
  return states;
}

Status migrate(sqlite::Connection& connection, int version) {
  const int target = version == -1 ? newest_schema_version() : version;
  if (target < 0 || target > newest_schema_version()) {
    return Status::invalid_argument(
        str_cat("schema version ", version, ", allowed: 0..", newest_schema_version()));
  }
  LOCI_ASSIGN_OR_RETURN(sqlite::Transaction transaction,
                        sqlite::Transaction::begin(connection, sqlite::Transaction::Kind::kWrite));
  LOCI_ASSIGN_OR_RETURN(int current, schema_version(connection));
  for (; current < target; ++current) LOCI_RETURN_IF_ERROR(step_up(connection, current));
  for (; current > target; --current) LOCI_RETURN_IF_ERROR(step_down(connection, current));
  if (target > 0) {
    LOCI_RETURN_IF_ERROR(sqlite::run(connection,
                                     "UPDATE loci_meta SET value = ?1 WHERE key = 'schema_version'",
                                     static_cast<int64_t>(target)));
  }
  return transaction.commit();
}

}  // namespace loci::store

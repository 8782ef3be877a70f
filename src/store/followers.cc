// SPDX-License-Identifier: Apache-2.0
//
// Followers of the log that are snapshots. Tested by followers_test.cc.
#include "store/followers.h"

#include <algorithm>
#include <string>

#include "base/bytes.h"
#include "base/strings.h"
#include "sqlite/query.h"
#include "store/snapshot_parts.h"

namespace loci::store {
namespace {

using Id = std::array<uint8_t, 16>;

constexpr std::string_view kColumns =
    "source, database_uuid, root_id, generation, checksum, scn, token FROM loci_followers "
    "WHERE kind = 'snapshot'";

int digit(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/// The bytes of a UUID's text; nullopt when it is none.
std::optional<Id> parse_uuid(std::string_view text) {
  Id id{};
  size_t digits = 0;
  for (const char c : text) {
    if (c == '-') continue;
    const int value = digit(c);
    if (value < 0 || digits == 2 * id.size()) return std::nullopt;
    id[digits / 2] = static_cast<uint8_t>(id[digits / 2] * 16 + value);
    ++digits;
  }
  if (digits != 2 * id.size()) return std::nullopt;
  return id;
}

std::string follower_name(int64_t source) { return base::str_cat("snapshot/", source); }

std::span<const std::byte> as_blob(std::span<const uint8_t> bytes) { return std::as_bytes(bytes); }

/// A row of kColumns. False: not written by us, and of no use.
bool read_record(sqlite::Statement& row, SnapshotRecord& record) {
  record.source = row.column_int(0);
  const std::optional<Id> database = parse_uuid(row.column_text(1));
  const std::span<const std::byte> root = row.column_blob(2);
  const std::span<const std::byte> checksum = row.column_blob(4);
  if (!database.has_value() || root.size() != record.root.size() || checksum.size() != 8) {
    return false;
  }
  record.database = *database;
  std::transform(root.begin(), root.end(), record.root.begin(),
                 [](std::byte byte) { return std::to_integer<uint8_t>(byte); });
  record.generation = static_cast<uint64_t>(row.column_int(3));
  base::ByteReader in(
      base::ByteSpan(reinterpret_cast<const uint8_t*>(checksum.data()), checksum.size()));
  record.checksum = in.u64le();
  record.position = {.scn = row.column_int(5), .token = row.column_int(6)};
  return true;
}

}  // namespace

Result<std::optional<SnapshotRecord>> find_snapshot(sqlite::Connection& connection,
                                                    int64_t source) {
  LOCI_ASSIGN_OR_RETURN(
      sqlite::Statement select,
      connection.cached(base::str_cat("SELECT ", kColumns, " AND name = ?1 AND source = ?2")));
  const std::string name = follower_name(source);
  LOCI_RETURN_IF_ERROR(sqlite::bind_all(select, name, source));
  LOCI_ASSIGN_OR_RETURN(const bool there, select.step());
  SnapshotRecord record;
  if (!there || !read_record(select, record)) return std::optional<SnapshotRecord>();
  return std::optional<SnapshotRecord>(record);
}

Result<std::vector<SnapshotRecord>> list_snapshots(sqlite::Connection& connection) {
  std::vector<SnapshotRecord> records;
  LOCI_ASSIGN_OR_RETURN(sqlite::Statement select,
                        connection.cached(base::str_cat("SELECT ", kColumns, " ORDER BY source")));
  LOCI_RETURN_IF_ERROR(sqlite::for_each_row(select, [&](sqlite::Statement& row) -> Status {
    SnapshotRecord record;
    if (read_record(row, record)) records.push_back(record);
    return {};
  }));
  return records;
}

Status record_snapshot(sqlite::Connection& connection, const SnapshotRecord& record) {
  const auto exists = [&](std::string_view sql, auto... values) -> Result<bool> {
    LOCI_ASSIGN_OR_RETURN(const std::optional<int64_t> found,
                          sqlite::query_int(connection, sql, values...));
    return found.has_value();
  };
  LOCI_ASSIGN_OR_RETURN(const bool source,
                        exists("SELECT 1 FROM loci_indexes WHERE id = ?1", record.source));
  LOCI_ASSIGN_OR_RETURN(const bool entry,
                        exists("SELECT 1 FROM loci_log WHERE scn = ?1 AND token = ?2",
                               record.position.scn, record.position.token));
  if (!source || !entry) {
    return Status::failed_precondition(
        base::str_cat("snapshot of source ", record.source, ": ",
                      source ? "the log entry that it stands on" : "the source", " is gone"));
  }
  LOCI_ASSIGN_OR_RETURN(
      const bool reset,
      exists("SELECT 1 FROM loci_log WHERE source = ?1 AND op = ?2 AND scn > ?3 LIMIT 1",
             record.source, static_cast<int64_t>(LogOp::kReset), record.position.scn));
  if (reset) {
    return Status::failed_precondition(
        base::str_cat("snapshot of source ", record.source, ": the source was reset since"));
  }
  base::ByteWriter checksum;
  checksum.u64le(record.checksum);
  const std::string hex = base::to_hex(record.database);
  const std::string uuid =
      base::str_cat(hex.substr(0, 8), "-", hex.substr(8, 4), "-", hex.substr(12, 4), "-",
                    hex.substr(16, 4), "-", hex.substr(20));
  return sqlite::run(connection,
                     "INSERT OR REPLACE INTO loci_followers(name, kind, source, scn, token, state, "
                     "database_uuid, root_id, generation, checksum) "
                     "VALUES(?1, 'snapshot', ?2, ?3, ?4, 'current', ?5, ?6, ?7, ?8)",
                     follower_name(record.source), record.source, record.position.scn,
                     record.position.token, uuid, as_blob(record.root),
                     static_cast<int64_t>(record.generation), as_blob(checksum.view()));
}

Status withdraw_snapshot(sqlite::Connection& connection, int64_t source) {
  LOCI_RETURN_IF_ERROR(
      sqlite::run(connection, "DELETE FROM loci_followers WHERE name = ?1", follower_name(source)));
  LOCI_RETURN_IF_ERROR(sqlite::run(connection,
                                   "INSERT INTO loci_meta(key, value) VALUES('purge_count', 1) "
                                   "ON CONFLICT(key) DO UPDATE SET value = value + 1"));
  LOCI_ASSIGN_OR_RETURN(const bool parts, has_snapshot_parts(connection));
  return parts ? drop_unnamed_snapshot_parts(connection) : Status();
}

Result<std::array<uint8_t, 16>> database_uuid(sqlite::Connection& connection) {
  LOCI_ASSIGN_OR_RETURN(
      const std::optional<std::string> text,
      sqlite::query_text(connection, "SELECT value FROM loci_meta WHERE key = 'database_uuid'"));
  const std::optional<Id> id = parse_uuid(text.value_or(""));
  if (id.has_value()) return *id;
  return Status::corruption(base::str_cat("'", connection.path(), "': database_uuid is '",
                                          text.value_or(""), "', expected a UUID"));
}

Result<int64_t> count_changes(sqlite::Connection& connection, int64_t source,
                              const LogPosition& position, int64_t limit) {
  LOCI_ASSIGN_OR_RETURN(
      const std::optional<int64_t> count,
      sqlite::query_int(connection,
                        "SELECT count(*) FROM (SELECT 1 FROM loci_log WHERE scn > ?1 AND "
                        "source = ?2 LIMIT ?3)",
                        position.scn, source, limit));
  return count.value_or(0);
}

}  // namespace loci::store

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "sqlite/connection.h"
#include "sqlite/sqlite_api.h"
#include "sqlite/wal_care.h"

namespace loci::sqlite {

struct CloseConnection {
  void operator()(sqlite3* db) const noexcept { sqlite3_close_v2(db); }
};
struct FinalizeStatement {
  void operator()(sqlite3_stmt* stmt) const noexcept { sqlite3_finalize(stmt); }
};
using DatabaseHandle = std::unique_ptr<sqlite3, CloseConnection>;
using StatementHandle = std::unique_ptr<sqlite3_stmt, FinalizeStatement>;

/// Lets the cache be asked with a string_view, without making a string.
struct TextHash {
  using is_transparent = void;
  size_t operator()(std::string_view text) const noexcept {
    return std::hash<std::string_view>()(text);
  }
};

struct CachedStatement {
  StatementHandle stmt;
  bool busy = false;
  uint64_t used_in = 0;  ///< the Connection::Impl::trigger_switches of its last use
  /// See Statement::schema_cookie.
  std::optional<int64_t> schema_cookie;
  int prepared_anew = 0;  ///< how often it was when schema_cookie was asked for
};

/// How long to wait for a lock, and since when.
struct BusyWait {
  int timeout_ms = 0;
  int64_t since_ns = 0;
  uint64_t jitter = 0;
};

struct Connection::Impl {
  void note_use(CachedStatement& statement) noexcept {
    if (statement.used_in == trigger_switches) return;
    statement.used_in = trigger_switches;
    ++used_since_switched;
  }

  BusyWait busy;  // these two outlive db, which uses them while it closes
  WalCare wal;
  DatabaseHandle db;  // closed after the statements are gone: declared before them
  std::string path;
  bool read_only = false;
  bool immutable = false;
  int savepoint_depth = 0;
  /// The first page of the wal-index, mapped by SQLite as long as `db` is open; null: none.
  const volatile uint64_t* wal_index = nullptr;
  bool wal_index_sought = false;
  bool in_transaction = false;  ///< an outermost Transaction is alive
  /// Why a rollback failed: what is open then must never be committed.
  Status undo_error;
  /// An error after which FTS5's memory of the index may be wrong: see transaction.cc.
  bool spoiled = false;
  bool value_lost = false;         ///< see Connection::values_whole
  uint64_t trigger_switches = 1;   ///< how often triggers were switched, and one
  size_t used_since_switched = 0;  ///< cached statements
  /// By text. Nodes do not move, so a Statement may point at `busy`.
  std::unordered_map<std::string, CachedStatement, TextHash, std::equal_to<>> statements;
};

}  // namespace loci::sqlite

// SPDX-License-Identifier: Apache-2.0
//
// Opening a connection, and its cache of statements.
//
// Idea. Every connection of a database is set up alike, whoever opens it, so that what one does the
// others expect (docs/design). Differences are facts of the file, not of the caller: a read-only
// file, a folder where no -shm can be made, a file that another program owns.
//
// Invariants.
//  1. Opening for reading writes nothing, and opening for writing writes nothing into a file that
//     holds another program's tables and none of Loci's: such a file keeps its journal mode until
//     Loci has tables in it and it is opened again.
//  2. foreign_keys is ON: what a user's schema declares holds for what is written through Loci.
//     Loci's own tables rest on triggers, as other clients have foreign keys off (A5 in the notes
//     of docs/design).
//  3. trusted_schema, recursive_triggers and all else stay as SQLite's default: the triggers are
//     right under each setting, and FTS5 in a trigger needs a trusted schema before the release of
//     SQLite that marks it innocuous.
//  4. immutable=1 is the last resort, for a WAL file in a folder where nothing can be made, and
//     only when no -wal with commits lies beside it: immutable would leave those out.
//
// Cost. A cached statement is one hash of its text and one comparison.
//
// Tested by connection_test.cc.
#include "sqlite/connection.h"

#include <chrono>
#include <string>
#include <thread>
#include <utility>

#include "base/clock.h"
#include "base/ids.h"
#include "base/log.h"
#include "base/os_file.h"
#include "base/strings.h"
#include "sqlite/connection_impl.h"
#include "sqlite/query.h"
#include "sqlite/sqlite_api.h"

namespace loci::sqlite {
namespace {

/// Texts kept per connection; more (filters typed by users) are prepared for one use.
constexpr size_t kMaxCachedStatements = 512;
constexpr int kMinWaitUs = 200;
/// With five writers at once and 20 ms here the longest wait was 1.3 s, with 5 ms 0.5 to 0.8 s, at
/// no loss of commits (many_processes_test).
constexpr int kMaxWaitUs = 5000;
/// Who has waited this long tries more often than those who came later: the longest wait in 10 s
/// fell from 1.1-1.7 s to 0.6-0.8 s on a busy machine.
constexpr int64_t kLongWaitUs = 200'000;
constexpr int kLongWaitMaxUs = 800;

/// Waits a random part of a doubling delay: writers that met once do not meet again in step. There
/// is no queue: trying often is what brings a writer's turn.
int wait_while_busy(void* context, int calls) noexcept {
  BusyWait& wait = *static_cast<BusyWait*>(context);
  const int64_t now_ns = base::monotonic_ns();
  if (calls == 0) wait.since_ns = now_ns;
  const int64_t waited_us = (now_ns - wait.since_ns) / 1000;
  const int64_t left_us = wait.timeout_ms * int64_t{1000} - waited_us;
  if (left_us <= 0) return 0;
  const int64_t ceiling_us = waited_us >= kLongWaitUs
                                 ? kLongWaitMaxUs
                                 : std::min(kMaxWaitUs, kMinWaitUs << std::min(calls, 8));
  wait.jitter = wait.jitter * 6364136223846793005U + 1442695040888963407U;  // Knuth's LCG
  const int64_t wait_us = ceiling_us / 2 + static_cast<int64_t>((wait.jitter >> 33U) %
                                                                static_cast<uint64_t>(ceiling_us));
  std::this_thread::sleep_for(std::chrono::microseconds(std::min(wait_us, left_us)));
  return 1;
}

/// A path as the path part of a file: URI.
std::string uri_path(std::string_view path) {
  constexpr std::string_view kPlain = "/-_.~";
  std::string out;
  for (const char c : path) {
    const auto byte = static_cast<uint8_t>(c);
    if (base::is_ascii_alpha(c) || base::is_ascii_digit(c) ||
        kPlain.find(c) != std::string_view::npos) {
      out += c;
    } else {
      base::str_append(out, "%", base::to_hex(std::span(&byte, 1)));
    }
  }
  return out;
}

Status check_path(const std::string& path, const OpenOptions& options) {
  if (path.empty()) return Status::invalid_argument("database path: empty");
  if (path.find('\0') != std::string::npos) {
    return Status::invalid_argument("database path: holds a NUL byte");
  }
  if (path == ":memory:") return {};
  const Result<base::FileInfo> info = base::file_system().info(path);
  if (info.has_value()) {
    if (!info->is_directory) return {};
    return Status::invalid_argument(
        base::str_cat("'", path, "' is a directory, expected an SQLite file"));
  }
  if (info.error().code() != StatusCode::kNotFound) return info.error();
  if (options.read_only || !options.create) {
    return Status::not_found(base::str_cat("'", path, "': no such database file"));
  }
  return base::file_system().make_directories(base::parent_directory(path));
}

Result<StatementHandle> prepare_handle(const Connection& connection, std::string_view sql,
                                       unsigned flags) {
  sqlite3_stmt* stmt = nullptr;
  const char* tail = nullptr;
  const int code = sqlite3_prepare_v3(connection.handle(), sql.data(), static_cast<int>(sql.size()),
                                      flags, &stmt, &tail);
  StatementHandle handle(stmt);
  if (code != SQLITE_OK) return connection.error(code, {});
  if (handle == nullptr) return Status::invalid_argument("SQL: no statement in the text");
  std::string_view rest = sql.substr(static_cast<size_t>(tail - sql.data()));
  if (!base::trim(rest).empty()) {
    // A comment may follow, a second statement may not: it would be dropped unseen.
    sqlite3_stmt* second = nullptr;
    const int second_code = sqlite3_prepare_v3(connection.handle(), rest.data(),
                                               static_cast<int>(rest.size()), 0, &second, nullptr);
    const StatementHandle guard(second);
    if (second_code != SQLITE_OK || second != nullptr) {
      return Status::invalid_argument(base::str_cat("SQL: expected one statement, got more: '",
                                                    base::utf8_prefix(rest, 40), "'"));
    }
  }
  return handle;
}

/// Whether the file may be switched to WAL: it is new, or Loci's tables are in it.
Result<bool> may_switch_to_wal(Connection& connection) {
  LOCI_ASSIGN_OR_RETURN(
      const std::optional<int64_t> own,
      query_int(connection,
                "SELECT NOT EXISTS(SELECT 1 FROM sqlite_schema) OR "
                "EXISTS(SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'loci_meta')"));
  return own.value_or(0) != 0;
}

Status set_journal_mode(Connection& connection) {
  LOCI_ASSIGN_OR_RETURN(const std::optional<std::string> mode,
                        query_text(connection, "PRAGMA journal_mode"));
  if (mode.value_or("") == "wal") return {};
  LOCI_ASSIGN_OR_RETURN(const bool allowed, may_switch_to_wal(connection));
  if (!allowed) return {};
  // The row is given before the switch is committed: a failure of that comes at the end.
  LOCI_ASSIGN_OR_RETURN(Statement change, connection.prepare("PRAGMA journal_mode = WAL"));
  std::string now = "unknown";
  LOCI_RETURN_IF_ERROR(for_each_row(change, [&](const Statement& row) -> Status {
    now = row.column_text(0);
    return {};
  }));
  if (now != "wal") {
    base::log(LogLevel::kWarning,
              base::str_cat("'", connection.path(), "': no WAL on this file system; journal_mode ",
                            now, " is used, readers wait for writers"));
  }
  return {};
}

Status configure(Connection& connection, const OpenOptions& options) {
  LOCI_RETURN_IF_ERROR(connection.exec(options.full_sync ? "PRAGMA synchronous = FULL"
                                                         : "PRAGMA synchronous = NORMAL"));
  LOCI_RETURN_IF_ERROR(connection.exec(base::str_cat("PRAGMA cache_size = -", options.cache_kb)));
  LOCI_RETURN_IF_ERROR(
      connection.exec("PRAGMA mmap_size = 0;"
                      "PRAGMA temp_store = MEMORY; PRAGMA foreign_keys = ON;"));
  // The first read: here a file that is none of SQLite's, or cannot be read, is found out.
  LOCI_RETURN_IF_ERROR(query_int(connection, "SELECT count(*) FROM sqlite_schema").status());
  if (options.read_only || connection.path().empty()) return {};
  if (sqlite3_db_readonly(connection.handle(), "main") == 1) {
    return Status::failed_precondition(
        base::str_cat("'", connection.path(),
                      "': the file is read-only; open it read-only, or make it writable"));
  }
  return set_journal_mode(connection);
}

/// configure(), until the time-out is over. SQLite waits by itself for most locks, but not where a
/// new file is switched to WAL while another process reads it: it gives up at once, because a
/// reader that wants to write may wait for one that wants the same.
Status configure_patiently(Connection& connection, const OpenOptions& options) {
  BusyWait wait{.timeout_ms = options.busy_timeout_ms,
                .since_ns = base::monotonic_ns(),
                .jitter = base::random_u64()};
  for (int calls = 1;; ++calls) {  // from 1: call 0 would start the clock anew
    Status status = configure(connection, options);
    if (status.code() != StatusCode::kBusy || wait_while_busy(&wait, calls) == 0) return status;
  }
}

/// Whether commits that are not in the database file yet lie beside it.
bool has_wal_commits(const std::string& path) {
  const Result<base::FileInfo> wal = base::file_system().info(path + "-wal");
  return wal.has_value() && wal->size > 0;
}

}  // namespace

Connection::Connection(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {
  impl_->busy.jitter = base::random_u64();
}

Connection::~Connection() = default;

Result<std::unique_ptr<Connection>> Connection::open_with(const std::string& name, int flags,
                                                          const std::string& path,
                                                          const OpenOptions& options) {
  auto impl = std::make_unique<Impl>();
  impl->path = path;
  impl->read_only = options.read_only;
  impl->immutable = (flags & SQLITE_OPEN_URI) != 0;
  impl->busy.timeout_ms = options.busy_timeout_ms;
  sqlite3* db = nullptr;
  const int code = sqlite3_open_v2(name.c_str(), &db, flags | SQLITE_OPEN_NOMUTEX, nullptr);
  impl->db.reset(db);
  if (db == nullptr) return Status::out_of_memory("sqlite3_open_v2: out of memory");
  sqlite3_extended_result_codes(db, 1);
  auto connection = std::make_unique<Connection>(std::move(impl));
  if (code != SQLITE_OK) return connection->error(sqlite3_extended_errcode(db), "open");
  const char* resolved = sqlite3_db_filename(db, "main");
  connection->impl_->path = resolved == nullptr ? "" : resolved;
  sqlite3_busy_handler(db, wait_while_busy, &connection->impl_->busy);
  LOCI_RETURN_IF_ERROR(configure_patiently(*connection, options));
  if (options.read_only) return connection;
  connection->impl_->wal.busy = &connection->impl_->busy;
  LOCI_RETURN_IF_ERROR(keep_wal_small(*connection, connection->impl_->wal));
  return connection;
}

Result<std::unique_ptr<Connection>> Connection::open(const std::string& path,
                                                     const OpenOptions& options) {
  LOCI_RETURN_IF_ERROR(check_path(path, options));
  const int flags = options.read_only
                        ? SQLITE_OPEN_READONLY
                        : SQLITE_OPEN_READWRITE | (options.create ? SQLITE_OPEN_CREATE : 0);
  // "./" keeps SQLite from reading a name such as "file:x" in a way of its own.
  const std::string name = path.rfind("file:", 0) == 0 ? "./" + path : path;
  Result<std::unique_ptr<Connection>> opened = open_with(name, flags, path, options);
  if (opened.has_value() || !options.read_only || path == ":memory:") return opened;
  const StatusCode code = opened.error().code();
  if (code != StatusCode::kIoError && code != StatusCode::kFailedPrecondition) return opened;
  if (has_wal_commits(path)) {
    return opened.error().with_context(
        "the -wal file beside the database holds commits, but its -shm cannot be made in this "
        "folder; let a program that may write there open it once");
  }
  Result<std::unique_ptr<Connection>> immutable =
      open_with(base::str_cat("file:", uri_path(name), "?immutable=1"), flags | SQLITE_OPEN_URI,
                path, options);
  if (!immutable.has_value()) return opened;  // the first error is the one that explains
  base::log(LogLevel::kWarning,
            base::str_cat("'", path, "': WAL database in a folder that cannot be written: opened ",
                          "as immutable; changes made meanwhile by others are not seen"));
  return immutable;
}

Result<Statement> Connection::cached(std::string_view sql) {
  auto& statements = impl_->statements;
  const auto found = statements.find(sql);
  if (found != statements.end() && !found->second.busy) {
    impl_->note_use(found->second);
    return Statement(this, found->second.stmt.get(), &found->second);
  }
  if (found != statements.end() || statements.size() >= kMaxCachedStatements) return prepare(sql);
  LOCI_ASSIGN_OR_RETURN(StatementHandle handle,
                        prepare_handle(*this, sql, SQLITE_PREPARE_PERSISTENT));
  CachedStatement& entry = statements[std::string(sql)];
  entry.stmt = std::move(handle);
  impl_->note_use(entry);
  return Statement(this, entry.stmt.get(), &entry);
}

size_t Connection::statements_at_stake() const noexcept { return impl_->used_since_switched; }

void Connection::switch_triggers(bool on) noexcept {
  sqlite3_db_config(handle(), SQLITE_DBCONFIG_ENABLE_TRIGGER, on ? 1 : 0, nullptr);
  ++impl_->trigger_switches;
  impl_->used_since_switched = 0;
}

Result<Statement> Connection::prepare(std::string_view sql) {
  LOCI_ASSIGN_OR_RETURN(StatementHandle handle, prepare_handle(*this, sql, 0));
  return Statement(this, handle.release(), nullptr);
}

Status Connection::exec(std::string_view sql) {
  const std::string text(sql);
  const int code = sqlite3_exec(impl_->db.get(), text.c_str(), nullptr, nullptr, nullptr);
  return code == SQLITE_OK ? Status() : error(code, {});
}

int64_t Connection::last_insert_rowid() const noexcept {
  return sqlite3_last_insert_rowid(impl_->db.get());
}
int64_t Connection::changes() const noexcept { return sqlite3_changes64(impl_->db.get()); }
bool Connection::in_transaction() const noexcept {
  return sqlite3_get_autocommit(impl_->db.get()) == 0;
}
bool Connection::read_only() const noexcept { return impl_->read_only; }
bool Connection::sound() const noexcept { return impl_->undo_error.ok() && !impl_->spoiled; }
Status Connection::renew() {
  if (in_transaction()) LOCI_RETURN_IF_ERROR(exec("ROLLBACK"));
  impl_->undo_error = {};
  impl_->statements.clear();
  LOCI_RETURN_IF_ERROR(exec("PRAGMA writable_schema = RESET"));
  impl_->spoiled = false;
  return {};
}
Status Connection::values_whole() noexcept {
  return std::exchange(impl_->value_lost, false) ? Status::no_memory() : Status();
}
bool Connection::immutable() const noexcept { return impl_->immutable; }
const std::string& Connection::path() const noexcept { return impl_->path; }
sqlite3* Connection::handle() const noexcept { return impl_->db.get(); }

std::string_view library_version() noexcept { return sqlite3_libversion(); }

std::string quote_identifier(std::string_view name) {
  std::string out = "\"";
  for (const char c : name) {
    if (c == '"') out += '"';
    out += c;
  }
  return out += '"';
}

std::string quote_text(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'') out += '\'';
    out += c;
  }
  return out += '\'';
}

NoWait::NoWait(Connection& connection) noexcept
    : connection_(connection), timeout_ms_(std::exchange(connection.impl_->busy.timeout_ms, 0)) {}
NoWait::~NoWait() { connection_.impl_->busy.timeout_ms = timeout_ms_; }

TriggersOff::TriggersOff(Connection& connection) noexcept : connection_(connection) {
  connection.switch_triggers(false);
}
TriggersOff::~TriggersOff() { connection_.switch_triggers(true); }

MappedReads::MappedReads(Connection& connection) noexcept : connection_(connection) {
  sqlite3_exec(connection.handle(), "PRAGMA mmap_size = 268435456", nullptr, nullptr, nullptr);
}
MappedReads::~MappedReads() {
  sqlite3_exec(connection_.handle(), "PRAGMA mmap_size = 0", nullptr, nullptr, nullptr);
}

}  // namespace loci::sqlite

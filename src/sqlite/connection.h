// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "loci/status.h"
#include "loci/types.h"

struct sqlite3;
struct sqlite3_stmt;

namespace loci::sqlite {

/// How a connection is opened; every connection of a database is opened alike, but for how many
/// pages it keeps (docs/design).
struct OpenOptions {
  bool create = true;
  bool read_only = false;
  bool full_sync = false;  ///< synchronous=FULL instead of NORMAL
  int busy_timeout_ms = 5000;
  int cache_kb = 64000;  ///< pages kept, at most
};

/// The header of a database's wal-index: it changes with every commit of any process, and with
/// nothing else that a reader could see.
struct WalStamp {
  std::array<uint64_t, 6> words{};
  friend bool operator==(const WalStamp&, const WalStamp&) = default;
};

class Connection;
struct CachedStatement;

/// A prepared statement. Resets itself and clears its bindings at the end of every use.
/// Threads: as its Connection, one at a time.
class Statement {
 public:
  Statement() noexcept = default;
  Statement(Statement&& other) noexcept;
  Statement& operator=(Statement&& other) noexcept;
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;
  ~Statement();

  /// Parameters count from 1. Text and blobs are borrowed until reset(): keep them alive.
  Status bind_null(int index);
  Status bind(int index, int64_t value);
  Status bind(int index, double value);
  Status bind(int index, std::string_view text);
  Status bind(int index, std::span<const std::byte> blob);
  // Exact matches for what would otherwise convert in two ways.
  Status bind(int index, int value) { return bind(index, static_cast<int64_t>(value)); }
  Status bind(int index, const char* text) { return bind(index, std::string_view(text)); }
  Status bind(int index, const std::string& text) { return bind(index, std::string_view(text)); }
  Status bind(int index, std::string&& text) = delete;  // it would be gone before the step
  /// Binds by kind; bool as 0 or 1.
  Status bind(int index, const Value& value);

  /// True when a row is there, false at the end. An error resets the statement.
  [[nodiscard]] Result<bool> step();
  /// Steps to the end, drops rows, resets.
  Status run();
  /// Ends the current use: the read transaction of an autocommit SELECT ends here.
  void reset() noexcept;

  /// Columns of the current row count from 0. Views live until the next step or reset.
  [[nodiscard]] int column_count() const noexcept;
  /// Whether it changes nothing in the file.
  [[nodiscard]] bool is_read_only() const noexcept;
  [[nodiscard]] std::string_view column_name(int column) const noexcept;
  [[nodiscard]] bool is_null(int column) const noexcept;
  [[nodiscard]] int64_t column_int(int column) const noexcept;
  [[nodiscard]] double column_double(int column) const noexcept;
  [[nodiscard]] std::string_view column_text(int column) const noexcept;
  [[nodiscard]] std::span<const std::byte> column_blob(int column) const noexcept;
  /// By SQLite's storage class; a BLOB as X'..' text.
  [[nodiscard]] Value column_value(int column) const;
  /// The schema cookie (https://sqlite.org/pragma.html#pragma_schema_version) of the snapshot that
  /// the current row is of. Of a cached statement it is asked for only when SQLite has prepared the
  /// statement anew, as it does at the first step in a snapshot with another cookie.
  [[nodiscard]] Result<int64_t> schema_cookie() const;
  /// Connection::values_whole of its connection: before a row that was read is passed on.
  [[nodiscard]] Status whole() const noexcept;

 private:
  friend class Connection;
  Statement(Connection* connection, sqlite3_stmt* stmt, CachedStatement* cached) noexcept;
  Status check_bind(int code);
  void note_lost(int column) const noexcept;
  void release() noexcept;

  Connection* connection_ = nullptr;  // must outlive this: the Connection that prepared it
  sqlite3_stmt* stmt_ = nullptr;
  CachedStatement* cached_ = nullptr;  // the cache's entry, which owns stmt_; null: this does
};

/// One SQLite connection, opened as design section 2 says. Move-only.
/// Threads: one thread at a time (SQLITE_OPEN_NOMUTEX).
class Connection {
  struct Impl;

 public:
  /// Errors: kNotFound, kInvalidArgument (a directory), kCorruption (not a database), kIoError,
  /// kBusy, kFailedPrecondition (read-only where writing was asked).
  static Result<std::unique_ptr<Connection>> open(const std::string& path,
                                                  const OpenOptions& options);
  explicit Connection(std::unique_ptr<Impl> impl);  ///< for open(): Impl is ours alone
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection();

  /// Prepares once and keeps the statement for the life of the connection, keyed by its text:
  /// for texts that recur. A cached statement in use is never handed out twice: a second one is
  /// prepared then.
  Result<Statement> cached(std::string_view sql);
  /// Cached statements that were used since triggers were last switched: as many as TriggersOff
  /// makes SQLite prepare anew.
  [[nodiscard]] size_t statements_at_stake() const noexcept;
  /// Prepares for one use.
  Result<Statement> prepare(std::string_view sql);
  /// Runs statements without parameters; drops rows.
  Status exec(std::string_view sql);

  [[nodiscard]] int64_t last_insert_rowid() const noexcept;
  [[nodiscard]] int64_t changes() const noexcept;
  [[nodiscard]] bool in_transaction() const noexcept;
  [[nodiscard]] bool read_only() const noexcept;
  /// False: after a failure of disk or memory this connection must begin no more transactions.
  /// Close it, or renew() it where that would lose a `:memory:` database.
  [[nodiscard]] bool sound() const noexcept;
  /// Makes it sound again, with what SQLite and FTS5 remember of the schema dropped.
  Status renew();
  /// kOutOfMemory when, since it was last asked, a Statement gave an empty text or blob because
  /// there was no memory for it. step(), run() and commit() ask; who reads one row and stops must.
  Status values_whole() noexcept;
  /// Opened as immutable: a WAL database in a folder where no -shm can be made.
  [[nodiscard]] bool immutable() const noexcept;
  /// What the file was last committed as, read without a transaction in some 40 ns; nullopt while a
  /// commit is under way, and where there is no wal-index (another journal mode, `:memory:`).
  [[nodiscard]] std::optional<WalStamp> wal_stamp();
  /// Resolved file name; empty for :memory:.
  [[nodiscard]] const std::string& path() const noexcept;
  /// The status that belongs to an SQLite result code of this connection, with its message.
  [[nodiscard]] Status error(int sqlite_code, std::string_view what) const;
  [[nodiscard]] sqlite3* handle() const noexcept;

 private:
  friend class NoWait;
  friend class Statement;
  friend class Transaction;
  friend class TriggersOff;
  void switch_triggers(bool on) noexcept;
  static Result<std::unique_ptr<Connection>> open_with(const std::string& name, int flags,
                                                       const std::string& path,
                                                       const OpenOptions& options);
  std::unique_ptr<Impl> impl_;
};

/// A transaction, or a savepoint when one is open already. Rolls back unless committed. Where even
/// that fails (no memory), nothing of it is ever committed: see transaction.cc.
class Transaction {
 public:
  enum class Kind : uint8_t { kRead, kWrite };
  /// kWrite is BEGIN IMMEDIATE, retried with backoff until the busy time-out (kBusy).
  static Result<Transaction> begin(Connection& connection, Kind kind);
  Transaction(Transaction&& other) noexcept;
  Transaction& operator=(Transaction&& other) noexcept;
  ~Transaction();
  /// On failure the transaction is rolled back and the error says why.
  Status commit();
  void rollback() noexcept;

 private:
  Transaction(Connection* connection, int savepoint_depth) noexcept;
  Status undo() noexcept;
  Connection* connection_ = nullptr;  // must outlive this: the connection
  int savepoint_depth_ = 0;           // 0: a real transaction
};

/// While it lives, no trigger of the schema fires on `connection`; temporary ones do, and foreign
/// key actions. For a writer that does what they would do. Cost: every cached statement is
/// prepared anew at its next use, at both ends.
class TriggersOff {
 public:
  explicit TriggersOff(Connection& connection) noexcept;
  TriggersOff(const TriggersOff&) = delete;
  TriggersOff& operator=(const TriggersOff&) = delete;
  ~TriggersOff();

 private:
  Connection& connection_;  // must outlive this
};

/// While it lives, the connection maps up to 256 MiB of the file: for reading much of it, which
/// takes a sixth less time. Not otherwise: SQLite drops the mapping whenever another connection has
/// committed, and making it anew costs 6 us, more than the search of a small collection.
class MappedReads {
 public:
  explicit MappedReads(Connection& connection) noexcept;
  MappedReads(const MappedReads&) = delete;
  MappedReads& operator=(const MappedReads&) = delete;
  ~MappedReads();

 private:
  Connection& connection_;  // must outlive this
};

/// While it lives, `connection` waits for no lock: what is locked is kBusy at once. For work that
/// may as well be done later.
class NoWait {
 public:
  explicit NoWait(Connection& connection) noexcept;
  NoWait(const NoWait&) = delete;
  NoWait& operator=(const NoWait&) = delete;
  ~NoWait();

 private:
  Connection& connection_;  // must outlive this
  const int timeout_ms_;
};

/// The version of the SQLite in use, such as "3.53.2".
[[nodiscard]] std::string_view library_version() noexcept;
/// "name" quoted as an SQL identifier, 'text' as an SQL string.
[[nodiscard]] std::string quote_identifier(std::string_view name);
[[nodiscard]] std::string quote_text(std::string_view text);

}  // namespace loci::sqlite

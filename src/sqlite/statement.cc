// SPDX-License-Identifier: Apache-2.0
#include <utility>
#include <variant>

#include "base/bytes.h"
#include "base/strings.h"
#include "sqlite/connection.h"
#include "sqlite/connection_impl.h"
#include "sqlite/query.h"
#include "sqlite/sqlite_api.h"

namespace loci::sqlite {

Statement::Statement(Connection* connection, sqlite3_stmt* stmt, CachedStatement* cached) noexcept
    : connection_(connection), stmt_(stmt), cached_(cached) {
  if (cached_ != nullptr) cached_->busy = true;
}

Statement::Statement(Statement&& other) noexcept
    : connection_(other.connection_),
      stmt_(std::exchange(other.stmt_, nullptr)),
      cached_(std::exchange(other.cached_, nullptr)) {}

Statement& Statement::operator=(Statement&& other) noexcept {
  if (this != &other) {
    release();
    connection_ = other.connection_;
    stmt_ = std::exchange(other.stmt_, nullptr);
    cached_ = std::exchange(other.cached_, nullptr);
  }
  return *this;
}

Statement::~Statement() { release(); }

void Statement::release() noexcept {
  if (stmt_ == nullptr) return;
  if (cached_ != nullptr) {
    reset();
    cached_->busy = false;
  } else {
    sqlite3_finalize(stmt_);
  }
  stmt_ = nullptr;
  cached_ = nullptr;
}

void Statement::reset() noexcept {
  if (stmt_ == nullptr) return;
  sqlite3_reset(stmt_);  // repeats the error of the step before, which was reported there
  sqlite3_clear_bindings(stmt_);
}

Status Statement::check_bind(int code) {
  if (code == SQLITE_OK) return {};
  Status status = connection_->error(code, "bind");
  reset();
  return status;
}

Status Statement::bind_null(int index) { return check_bind(sqlite3_bind_null(stmt_, index)); }

Status Statement::bind(int index, int64_t value) {
  return check_bind(sqlite3_bind_int64(stmt_, index, value));
}

Status Statement::bind(int index, double value) {
  return check_bind(sqlite3_bind_double(stmt_, index, value));
}

Status Statement::bind(int index, std::string_view text) {
  const char* data = text.data() == nullptr ? "" : text.data();  // a null pointer would bind NULL
  return check_bind(
      sqlite3_bind_text64(stmt_, index, data, text.size(), SQLITE_STATIC, SQLITE_UTF8));
}

Status Statement::bind(int index, std::span<const std::byte> blob) {
  if (blob.empty()) return check_bind(sqlite3_bind_zeroblob(stmt_, index, 0));
  return check_bind(sqlite3_bind_blob64(stmt_, index, blob.data(), blob.size(), SQLITE_STATIC));
}

Status Statement::bind(int index, const Value& value) {
  struct Binder {
    Statement& statement;
    int index;
    Status operator()(std::monostate /*null*/) const { return statement.bind_null(index); }
    Status operator()(int64_t number) const { return statement.bind(index, number); }
    Status operator()(double number) const { return statement.bind(index, number); }
    Status operator()(bool flag) const { return statement.bind(index, flag ? 1 : 0); }
    Status operator()(const std::string& text) const { return statement.bind(index, text); }
  };
  return std::visit(Binder{*this, index}, value);
}

Result<bool> Statement::step() {
  LOCI_RETURN_IF_ERROR(connection_->values_whole());
  const int code = sqlite3_step(stmt_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) {
    reset();
    return false;
  }
  Status status = connection_->error(code, {});
  reset();
  return status;
}

Status Statement::run() {
  LOCI_RETURN_IF_ERROR(connection_->values_whole());
  int code = SQLITE_ROW;
  while (code == SQLITE_ROW) code = sqlite3_step(stmt_);
  Status status;
  if (code != SQLITE_DONE) status = connection_->error(code, {});
  reset();
  return status;
}

int Statement::column_count() const noexcept { return sqlite3_column_count(stmt_); }

bool Statement::is_read_only() const noexcept { return sqlite3_stmt_readonly(stmt_) != 0; }

std::string_view Statement::column_name(int column) const noexcept {
  const char* name = sqlite3_column_name(stmt_, column);
  return name == nullptr ? std::string_view() : std::string_view(name);
}

bool Statement::is_null(int column) const noexcept {
  return sqlite3_column_type(stmt_, column) == SQLITE_NULL;
}

int64_t Statement::column_int(int column) const noexcept {
  return sqlite3_column_int64(stmt_, column);
}

double Statement::column_double(int column) const noexcept {
  return sqlite3_column_double(stmt_, column);
}

// SQLite gives a null pointer for NULL, and for want of memory to convert or end the text.
void Statement::note_lost(int column) const noexcept {
  if (sqlite3_column_type(stmt_, column) != SQLITE_NULL) connection_->impl_->value_lost = true;
}

std::string_view Statement::column_text(int column) const noexcept {
  const unsigned char* text = sqlite3_column_text(stmt_, column);
  if (text == nullptr) {
    note_lost(column);
    return {};
  }
  // SQLite hands out text as unsigned char; reading it as char is what every caller wants.
  return {reinterpret_cast<const char*>(text),  // NOLINT: aliasing char is allowed
          static_cast<size_t>(sqlite3_column_bytes(stmt_, column))};
}

std::span<const std::byte> Statement::column_blob(int column) const noexcept {
  const void* blob = sqlite3_column_blob(stmt_, column);
  if (blob == nullptr) {
    if (sqlite3_column_bytes(stmt_, column) != 0) note_lost(column);
    return {};
  }
  return {static_cast<const std::byte*>(blob),
          static_cast<size_t>(sqlite3_column_bytes(stmt_, column))};
}

Result<int64_t> Statement::schema_cookie() const {
  const int prepared_anew = sqlite3_stmt_status(stmt_, SQLITE_STMTSTATUS_REPREPARE, 0);
  if (cached_ != nullptr && cached_->schema_cookie.has_value() &&
      cached_->prepared_anew == prepared_anew)
    return *cached_->schema_cookie;
  // While this statement stands at a row, its snapshot is what others of the connection see.
  LOCI_ASSIGN_OR_RETURN(const std::optional<int64_t> cookie,
                        query_int(*connection_, "PRAGMA schema_version"));
  if (cached_ != nullptr) {
    cached_->schema_cookie = cookie;
    cached_->prepared_anew = prepared_anew;
  }
  return cookie.value_or(0);
}

Status Statement::whole() const noexcept { return connection_->values_whole(); }

Value Statement::column_value(int column) const {
  switch (sqlite3_column_type(stmt_, column)) {
    case SQLITE_INTEGER:
      return column_int(column);
    case SQLITE_FLOAT:
      return column_double(column);
    case SQLITE_TEXT:
      return std::string(column_text(column));
    case SQLITE_BLOB: {
      const std::span<const std::byte> blob = column_blob(column);
      const std::string_view bytes(reinterpret_cast<const char*>(blob.data()),  // NOLINT: as above
                                   blob.size());
      return base::str_cat("X'", base::to_hex(base::as_bytes(bytes)), "'");
    }
    default:
      return std::monostate();
  }
}

}  // namespace loci::sqlite

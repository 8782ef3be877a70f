// SPDX-License-Identifier: Apache-2.0
//
// From SQLite's result codes to Status.
#include <string>

#include "base/strings.h"
#include "sqlite/connection.h"
#include "sqlite/connection_impl.h"
#include "sqlite/sqlite_api.h"

namespace loci::sqlite {
namespace {

StatusCode constraint_code(int extended) {
  switch (extended) {
    case SQLITE_CONSTRAINT_UNIQUE:
    case SQLITE_CONSTRAINT_PRIMARYKEY:
    case SQLITE_CONSTRAINT_ROWID:
      return StatusCode::kAlreadyExists;
    default:
      return StatusCode::kInvalidArgument;
  }
}

StatusCode status_code(int extended) {
  switch (extended & 0xFF) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return StatusCode::kBusy;
    case SQLITE_FULL:
      return StatusCode::kFull;
    case SQLITE_CONSTRAINT:
      return constraint_code(extended);
    case SQLITE_NOMEM:
      return StatusCode::kOutOfMemory;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return StatusCode::kCorruption;
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
      return StatusCode::kFailedPrecondition;
    case SQLITE_INTERRUPT:
      return StatusCode::kCancelled;
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_PROTOCOL:
    case SQLITE_NOLFS:
      return StatusCode::kIoError;
    case SQLITE_INTERNAL:
    case SQLITE_MISUSE:
      return StatusCode::kInternal;
    default:  // SQLITE_ERROR: wrong SQL; SQLITE_MISMATCH, SQLITE_TOOBIG, SQLITE_RANGE: wrong value
      return StatusCode::kInvalidArgument;
  }
}

/// What a reader of the message cannot know from SQLite's words alone.
std::string hint(int code, int timeout_ms) {
  switch (code & 0xFF) {
    case SQLITE_BUSY:
      return base::str_cat(" (another connection holds the lock; time-out ", timeout_ms, " ms)");
    case SQLITE_NOTADB:
      return " (not an SQLite file, or an encrypted one)";
    case SQLITE_FULL:
      return " (no space left on its disk, or max_page_count reached)";
    default:
      return {};
  }
}

/// Failures of the file rather than of the statement name the file.
bool concerns_file(StatusCode code) {
  switch (code) {
    case StatusCode::kBusy:
    case StatusCode::kFull:
    case StatusCode::kCorruption:
    case StatusCode::kIoError:
    case StatusCode::kFailedPrecondition:
      return true;
    default:
      return false;
  }
}

/// Failures in the middle of which SQLite may roll the whole transaction back by itself.
bool spoils(StatusCode code) {
  return code == StatusCode::kIoError || code == StatusCode::kFull ||
         code == StatusCode::kOutOfMemory;
}

}  // namespace

Status Connection::error(int sqlite_code, std::string_view what) const {
  const StatusCode code = status_code(sqlite_code);
  impl_->spoiled |= spoils(code);
  std::string message;
  if (concerns_file(code)) base::str_append(message, "'", impl_->path, "': ");
  if (!what.empty()) base::str_append(message, what, ": ");
  // After a failed step errmsg is of that step; a bare code (bind after misuse) has its own text.
  const bool current = sqlite3_extended_errcode(impl_->db.get()) == sqlite_code;
  base::str_append(message, current ? sqlite3_errmsg(impl_->db.get()) : sqlite3_errstr(sqlite_code),
                   hint(sqlite_code, impl_->busy.timeout_ms));
  return {code, std::move(message)};
}

}  // namespace loci::sqlite

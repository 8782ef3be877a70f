// SPDX-License-Identifier: Apache-2.0
//
// A rollback can fail when there is no memory to prepare it, and what it was to undo is then still
// in an open transaction. That must not become part of what the next user of the connection
// commits. So the failure is kept (Impl::undo_error): a transaction around it can only be rolled
// back, and the next one begins by ending what was left open.
//
// After a failure of disk or memory SQLite rolls the whole transaction back by itself. When that
// happens in a statement that FTS5 runs within one of ours, FTS5 is told of the rollback first and
// goes on with its own work after it: it then remembers totals that it could not read (seen with
// 3.53.2: fts5StorageLoadTotals), and the next transaction writes them. So nothing of the
// transaction may go on after that, and the connection is not used for another one: its owner
// closes it (Impl::spoiled, Connection::sound).
//
// Tested by connection_test.cc, tests/fault_alloc_test.cc.
#include <string>
#include <utility>

#include "base/c_edge.h"
#include "base/strings.h"
#include "sqlite/connection.h"
#include "sqlite/connection_impl.h"
#include "sqlite/query.h"

namespace loci::sqlite {

Transaction::Transaction(Connection* connection, int savepoint_depth) noexcept
    : connection_(connection), savepoint_depth_(savepoint_depth) {}

Transaction::Transaction(Transaction&& other) noexcept
    : connection_(std::exchange(other.connection_, nullptr)),
      savepoint_depth_(other.savepoint_depth_) {}

Transaction& Transaction::operator=(Transaction&& other) noexcept {
  if (this != &other) {
    rollback();
    connection_ = std::exchange(other.connection_, nullptr);
    savepoint_depth_ = other.savepoint_depth_;
  }
  return *this;
}

Transaction::~Transaction() { rollback(); }

Result<Transaction> Transaction::begin(Connection& connection, Kind kind) {
  Connection::Impl& impl = *connection.impl_;
  if (!impl.undo_error.ok()) {
    if (impl.in_transaction) return impl.undo_error;
    LOCI_RETURN_IF_ERROR(Transaction(&connection, 0).undo());
  }
  if (!connection.in_transaction()) {
    if (impl.in_transaction) {
      return Status::failed_precondition(
          "transaction: SQLite has rolled it back, after the error reported before; nothing more "
          "can be done in it");
    }
    // The connection's busy handler waits, with jitter, for the write lock (connection.cc).
    impl.savepoint_depth = 0;
    impl.value_lost = false;
    LOCI_RETURN_IF_ERROR(run(connection, kind == Kind::kWrite ? "BEGIN IMMEDIATE" : "BEGIN"));
    impl.in_transaction = true;
    return Transaction(&connection, 0);
  }
  const int mine = impl.savepoint_depth + 1;
  LOCI_RETURN_IF_ERROR(run(connection, base::str_cat("SAVEPOINT loci_", mine)));
  impl.savepoint_depth = mine;
  return Transaction(&connection, mine);
}

Status Transaction::commit() {
  if (connection_ == nullptr) return Status::failed_precondition("transaction: already ended");
  Connection::Impl& impl = *connection_->impl_;
  if (!connection_->in_transaction()) {
    rollback();
    return Status::failed_precondition(
        "transaction: SQLite has rolled it back already, after the error reported before");
  }
  Status status = connection_->values_whole();
  if (status.ok()) status = impl.undo_error;
  if (status.ok()) {
    status = savepoint_depth_ == 0
                 ? run(*connection_, "COMMIT")
                 : run(*connection_, base::str_cat("RELEASE loci_", savepoint_depth_));
  }
  if (!status.ok()) {
    rollback();
    return status;
  }
  impl.savepoint_depth = savepoint_depth_ == 0 ? 0 : savepoint_depth_ - 1;
  if (savepoint_depth_ == 0) impl.in_transaction = false;
  connection_ = nullptr;
  return {};
}

Status Transaction::undo() noexcept {
  Connection& connection = *std::exchange(connection_, nullptr);
  Connection::Impl& impl = *connection.impl_;
  impl.value_lost = false;
  if (savepoint_depth_ == 0) impl.in_transaction = false;
  impl.savepoint_depth = savepoint_depth_ == 0 ? 0 : savepoint_depth_ - 1;
  const auto end = [&]() -> Status {
    if (!connection.in_transaction()) return {};  // SQLite did it itself: disk full, I/O error
    if (savepoint_depth_ == 0) return connection.exec("ROLLBACK");
    LOCI_RETURN_IF_ERROR(connection.exec(base::str_cat("ROLLBACK TO loci_", savepoint_depth_)));
    return connection.exec(base::str_cat("RELEASE loci_", savepoint_depth_));
  };
  Status ended = base::guarded(end);
  if (!ended.ok()) ended = base::guarded(end);  // one failed allocation must not cost so much
  if (!connection.in_transaction()) {
    impl.undo_error = {};
  } else if (!ended.ok()) {
    impl.undo_error =
        ended.code() == StatusCode::kOutOfMemory ? Status::no_memory() : std::move(ended);
  }
  return base::guarded([&] { return impl.undo_error; });
}

void Transaction::rollback() noexcept {
  // A failure is kept in undo_error, and whoever uses the connection next is told.
  if (connection_ != nullptr) undo().ignore();
}

}  // namespace loci::sqlite

// SPDX-License-Identifier: Apache-2.0
#include <string>
#include <utility>

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
  int& depth = connection.impl_->savepoint_depth;
  if (!connection.in_transaction()) {
    // The connection's busy handler waits, with jitter, for the write lock (connection.cc).
    depth = 0;
    LOCI_RETURN_IF_ERROR(run(connection, kind == Kind::kWrite ? "BEGIN IMMEDIATE" : "BEGIN"));
    return Transaction(&connection, 0);
  }
  const int mine = depth + 1;
  LOCI_RETURN_IF_ERROR(run(connection, base::str_cat("SAVEPOINT loci_", mine)));
  depth = mine;
  return Transaction(&connection, mine);
}

Status Transaction::commit() {
  if (connection_ == nullptr) return Status::failed_precondition("transaction: already ended");
  if (!connection_->in_transaction()) {
    connection_ = nullptr;
    return Status::failed_precondition(
        "transaction: SQLite has rolled it back already, after the error reported before");
  }
  Status status = savepoint_depth_ == 0
                      ? run(*connection_, "COMMIT")
                      : run(*connection_, base::str_cat("RELEASE loci_", savepoint_depth_));
  if (!status.ok()) {
    rollback();
    return status;
  }
  connection_->impl_->savepoint_depth = savepoint_depth_ == 0 ? 0 : savepoint_depth_ - 1;
  connection_ = nullptr;
  return {};
}

void Transaction::rollback() noexcept {
  if (connection_ == nullptr) return;
  Connection& connection = *std::exchange(connection_, nullptr);
  connection.impl_->savepoint_depth = savepoint_depth_ == 0 ? 0 : savepoint_depth_ - 1;
  if (!connection.in_transaction()) return;  // SQLite did it itself: disk full, I/O error
  // A failing ROLLBACK leaves nothing that could be done: SQLite drops the transaction at close.
  if (savepoint_depth_ == 0) {
    run(connection, "ROLLBACK").ignore();
    return;
  }
  run(connection, base::str_cat("ROLLBACK TO loci_", savepoint_depth_)).ignore();
  run(connection, base::str_cat("RELEASE loci_", savepoint_depth_)).ignore();
}

}  // namespace loci::sqlite

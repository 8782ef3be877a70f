// SPDX-License-Identifier: Apache-2.0
//
// Shorthand over Connection for statements that are bound, run and forgotten in one place.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "sqlite/connection.h"

namespace loci::sqlite {

/// Binds `args` to parameters 1, 2, ... A temporary string is refused by the compiler, as text is
/// borrowed until the statement is reset.
template <typename... Args>
Status bind_all(Statement& statement, Args&&... args) {
  int index = 0;
  Status status;
  static_cast<void>(((status = statement.bind(++index, std::forward<Args>(args))).ok() && ...));
  return status;
}

/// Calls `visit(statement)`, which returns a Status, for each row of a bound statement.
template <typename Visit>
Status for_each_row(Statement& statement, Visit&& visit) {
  while (true) {
    LOCI_ASSIGN_OR_RETURN(const bool row, statement.step());
    if (!row) return {};
    if (Status status = visit(statement); !status.ok()) {
      Status whole = statement.whole();  // what is wrong may be that a value was lost
      statement.reset();
      return whole.ok() ? status : whole;
    }
  }
}

/// Binds and runs a cached statement, dropping its rows.
template <typename... Args>
Status run(Connection& connection, std::string_view sql, const Args&... args) {
  LOCI_ASSIGN_OR_RETURN(Statement statement, connection.cached(sql));
  LOCI_RETURN_IF_ERROR(bind_all(statement, args...));
  return statement.run();
}

/// The first column of the first row of a cached statement; nullopt without a row or when NULL.
template <typename... Args>
Result<std::optional<int64_t>> query_int(Connection& connection, std::string_view sql,
                                         const Args&... args) {
  LOCI_ASSIGN_OR_RETURN(Statement statement, connection.cached(sql));
  LOCI_RETURN_IF_ERROR(bind_all(statement, args...));
  LOCI_ASSIGN_OR_RETURN(const bool row, statement.step());
  if (!row || statement.is_null(0)) return std::optional<int64_t>();
  return std::optional<int64_t>(statement.column_int(0));
}

template <typename... Args>
Result<std::optional<std::string>> query_text(Connection& connection, std::string_view sql,
                                              const Args&... args) {
  LOCI_ASSIGN_OR_RETURN(Statement statement, connection.cached(sql));
  LOCI_RETURN_IF_ERROR(bind_all(statement, args...));
  LOCI_ASSIGN_OR_RETURN(const bool row, statement.step());
  if (!row || statement.is_null(0)) return std::optional<std::string>();
  std::string text(statement.column_text(0));
  LOCI_RETURN_IF_ERROR(connection.values_whole());
  return std::optional<std::string>(std::move(text));
}

}  // namespace loci::sqlite

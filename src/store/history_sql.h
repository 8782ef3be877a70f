// SPDX-License-Identifier: Apache-2.0
//
// The table of a collection's old versions, and the parts of triggers that write it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "store/source.h"

namespace loci::store {

/// What an entry of NAME_history is. On disk: never renumber.
enum class VersionOp : int64_t {
  kStagedVectors = -1,  ///< vectors that a write in progress may displace; means nothing after it
  kStagedRow = 0,       ///< likewise, a row
  kUpdate = 2,          ///< row and vectors before an update
  kDelete = 3,          ///< row and vectors before the row went
  kVectors = 4,         ///< the vectors alone, before one of them was changed
};

/// The table and its indexes; each statement does nothing where its object is there.
std::string history_ddl(const Source& source);
/// Every name that history_ddl() takes.
std::vector<std::string> history_names(const Source& source);
/// Columns that hold a row: id, text, filter columns, metadata, archived, times.
std::vector<std::string> history_row_columns(const Source& source);
/// SQL that removes every version past the limits of the source; empty without limits.
std::string history_prune_all_sql(const Source& source);
/// SQL of the time before which versions are past their age, in microseconds.
std::string history_cutoff_sql(const HistoryOptions& options);

/// SQL for the triggers of one source. Statements end in ";\n". Everything is empty where no
/// history is kept. Where a log entry is told, it is the newest one.
class HistorySql {
 public:
  explicit HistorySql(const Source& source);

  [[nodiscard]] bool on() const noexcept { return !history_.empty(); }

  // Rows.

  /// BEFORE: copies the rows of loci_displaced, which are logged already.
  [[nodiscard]] std::string stage_rows() const;
  /// AFTER: OLD and its vectors become a version, an update or a delete (SQL that gives the
  /// number), when the SQL condition `changed` holds.
  [[nodiscard]] std::string keep_old(std::string_view op, std::string_view changed) const;
  /// AFTER: the staged row that bore NEW's rowid was displaced by it.
  [[nodiscard]] std::string settle_same() const;
  /// AFTER: of the other staged rows those that are gone were displaced.
  [[nodiscard]] std::string settle_others() const;
  /// AFTER DELETE: OLD is dealt with.
  [[nodiscard]] std::string forget_staged_old() const;
  /// Vectors that went with a row which `rid` names are in the row's version already.
  [[nodiscard]] std::string drop_vectors_of_gone(std::string_view rid) const;
  /// The same for rows that `rids`, a subquery, names; and prunes them.
  [[nodiscard]] std::string drop_vectors_of_all_gone(std::string_view rids) const;
  /// True when a column of OLD differs from NEW.
  [[nodiscard]] std::string row_changed() const;

  // Vectors.

  /// BEFORE: copies the vectors of rows that fulfil one of `conditions` over the vector table.
  [[nodiscard]] std::string stage_vectors(const std::vector<std::string>& conditions) const;
  /// True when there is something to stage, or left from a write that came to nothing.
  [[nodiscard]] std::string stages_vectors(const std::vector<std::string>& conditions) const;
  /// AFTER INSERT, AFTER UPDATE: staged vectors that are gone or were replaced by NEW.
  [[nodiscard]] std::string settle_vectors() const;
  /// AFTER UPDATE: OLD's vectors become a version when one that counted is changed or moved away.
  [[nodiscard]] std::string keep_changed_vectors() const;
  /// AFTER DELETE: OLD's vectors become a version when one counted.
  [[nodiscard]] std::string keep_deleted_vectors() const;

  /// Removes versions of the row `rid` past the number and `more`, and a few of any row past the
  /// age.
  [[nodiscard]] std::string prune(std::string_view rid, int64_t more = 0) const;

 private:
  [[nodiscard]] bool has_vectors() const { return !source_.vector_table.empty(); }
  [[nodiscard]] std::string row_names() const;
  [[nodiscard]] std::string row_values(std::string_view row) const;
  [[nodiscard]] std::string vector_names() const;
  [[nodiscard]] std::string vector_values(std::string_view row) const;
  [[nodiscard]] std::string counted(const VectorColumn& column, std::string_view row) const;
  [[nodiscard]] std::string any_counted(std::string_view row) const;
  [[nodiscard]] std::string keep_vectors(std::string_view changed) const;

  const Source& source_;  // must outlive this
  const std::string history_;
  const std::string table_;
  const std::string vectors_;
  const std::string key_;
};

}  // namespace loci::store

// SPDX-License-Identifier: Apache-2.0
//
// INSERT statements of one row and of many.
//
// Why many: FTS5 writes its pending terms out at every statement savepoint, and a statement whose
// triggers write a virtual table opens one, so a row a statement costs a segment of the text index
// a row; and each trigger costs a call. insert_batch() therefore writes with the triggers of the
// schema off, and itself does what they would do for a new row: the text index and the log, one
// entry for the row and its vector together. Nothing but our own triggers may be silenced: where
// another program has put one on these tables, rows go one by one.
//
// Invariants of a batch.
//  1. It inserts only: OR ABORT overrides a conflict clause of the table, so no row is displaced.
//  2. It is all there or not at all: one savepoint, rolled back when any row is in the way.
//  3. What is left behind equals what the triggers leave, but for the second log entry of a row
//     (DatabaseTest.ManyAtOnceAreTheSameAsOneByOne, rows_batch_test.cc).
//
// Rowids are given out beforehand, as SQLite would: one more than the greatest. Measured by the
// insert workload of bench/ (docs/design/batched-inserts.md). Tested by rows_batch_test.cc,
// rows_test.cc, rows_model_test.cc, db/database_test.cc.
#include "store/rows_insert.h"

#include <algorithm>
#include <array>
#include <limits>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "base/strings.h"
#include "sqlite/query.h"
#include "store/rows.h"
#include "store/rows_sql.h"
#include "store/triggers.h"

namespace loci::store {
namespace {

using sqlite::Connection;
using sqlite::Statement;

constexpr size_t kSqlReserve = 512;

void append_rows(std::string& sql, std::string_view row, size_t rows) {
  for (size_t i = 0; i < rows; ++i) {
    if (i != 0) sql += ',';
    sql += row;
  }
}

Status bind_layout(Statement& statement, int& next, const RecordLayout& layout) {
  for (const auto* values : {&layout.text, &layout.filters}) {
    for (const Value* value : *values) {
      if (value != nullptr) LOCI_RETURN_IF_ERROR(statement.bind(next, *value));
      ++next;  // unbound is NULL
    }
  }
  return {};
}

std::string insert_sql(const Source& source, size_t rows) {
  const CollectionSpec& spec = source.spec;
  std::string sql;
  sql.reserve(kSqlReserve);
  sql += "INSERT OR ABORT INTO ";
  append_name(sql, source.table);
  sql += spec.text_ids ? "(rid, id" : "(rid";
  for (const std::string& column : spec.text) {
    sql += ", ";
    append_name(sql, column);
  }
  for (const FilterColumn& column : spec.filters) {
    sql += ", ";
    append_name(sql, column.name);
  }
  sql += ", metadata, created_at, updated_at) VALUES ";
  std::string row = "(?";
  const size_t columns = spec.text.size() + spec.filters.size() + (spec.text_ids ? 5 : 4);
  for (size_t i = 1; i < columns; ++i) row += ",?";
  append_rows(sql, row + ")", rows);
  return sql;
}

/// Binds one row of insert_sql from parameter `next` on. `made` holds a text id that is made here.
Status bind_row(Statement& statement, int& next, const Source& source, const Record& record,
                const RecordLayout& layout, std::string& made) {
  if (source.spec.text_ids) {
    if (!record.id.has_value()) made = base::uuid_v7();
    LOCI_RETURN_IF_ERROR(statement.bind(next++, record.id.has_value() ? *record.id : made));
  }
  LOCI_RETURN_IF_ERROR(bind_layout(statement, next, layout));
  if (record.metadata.has_value()) LOCI_RETURN_IF_ERROR(statement.bind(next, *record.metadata));
  ++next;
  const int64_t now = base::now_us();
  LOCI_RETURN_IF_ERROR(statement.bind(next++, now));
  return statement.bind(next++, now);
}

std::vector<size_t> given_columns(const RecordLayout& layout) {
  std::vector<size_t> columns;
  for (size_t i = 0; i < layout.vectors.size(); ++i) {
    if (layout.vectors[i] != nullptr) columns.push_back(i);
  }
  return columns;
}

/// Binds one row of vectors_sql from parameter `next` on; `packed` has a string for each column,
/// alive until the statement has run.
Status bind_vectors(Statement& statement, int& next, const Source& source, RowId row,
                    const RecordLayout& layout, std::span<const size_t> columns,
                    std::span<std::string> packed) {
  LOCI_RETURN_IF_ERROR(statement.bind(next++, to_int(row)));
  for (size_t i = 0; i < columns.size(); ++i) {
    const std::vector<float>& vector = *layout.vectors[columns[i]];
    if (!vector.empty()) {  // unbound is NULL
      LOCI_RETURN_IF_ERROR(
          statement.bind(next, encode_vector(source.spec.vectors[columns[i]], vector, packed[i])));
    }
    ++next;
    if (has_pending(source, columns[i])) LOCI_RETURN_IF_ERROR(statement.bind(next++, int64_t{0}));
  }
  return {};
}

/// The rowid that the first of `count` new rows gets; nullopt when there is no room for them.
Result<std::optional<int64_t>> first_free_row(Connection& connection, const Source& source,
                                              size_t count) {
  std::string sql = "SELECT max(rid) FROM ";
  append_name(sql, source.table);
  LOCI_ASSIGN_OR_RETURN(Statement select, connection.cached(sql));
  LOCI_ASSIGN_OR_RETURN(const bool there, select.step());
  const int64_t greatest =
      !there || select.is_null(0) ? 0 : std::max<int64_t>(select.column_int(0), 0);
  if (greatest > std::numeric_limits<int64_t>::max() - static_cast<int64_t>(count)) {
    return std::optional<int64_t>();
  }
  return std::optional<int64_t>(greatest + 1);
}

/// Inserts `columns` of the vectors of `rows` rows. A row without a vector row awaits the vectors
/// of all its models; once it has one, those that are not written are marked as awaited.
std::string insert_vectors_sql(const Source& source, std::span<const size_t> columns, size_t rows) {
  std::string names = "rid";
  std::string values = "?";
  const auto add = [&](const std::string& name, bool written) {
    names += ", ";
    append_name(names, name);
    values += written ? ", ?" : ", 1";
  };
  for (const size_t column : columns) {
    const std::string& name = source.spec.vectors[column].name;
    add(name, true);
    if (has_pending(source, column)) add(name + "_pending", true);
  }
  for (size_t i = 0; i < source.spec.vectors.size(); ++i) {
    const bool written = std::find(columns.begin(), columns.end(), i) != columns.end();
    if (!written && has_pending(source, i)) add(source.spec.vectors[i].name + "_pending", false);
  }
  std::string sql;
  sql.reserve(kSqlReserve);
  sql += "INSERT INTO ";
  append_name(sql, source.vector_table);
  base::str_append(sql, "(", names, ") VALUES ");
  append_rows(sql, base::str_cat("(", values, ")"), rows);
  return sql;
}

std::string insert_text_sql(const Source& source) {
  std::string sql = "INSERT INTO ";
  append_name(sql, source.fts_table);
  sql += "(rowid";
  for (const std::string& column : source.spec.text) {
    sql += ", ";
    append_name(sql, column);
  }
  sql += ") VALUES (?";
  for (size_t i = 0; i < source.spec.text.size(); ++i) sql += ",?";
  sql += ")";
  return sql;
}

/// One row per entry; ?1 the source, ?2 the hlc of the first, ?3 the origin, then the rids.
std::string insert_log_sql(size_t rows) {
  std::string sql = "INSERT INTO loci_log(source, rid, op, hlc, origin) VALUES ";
  for (size_t i = 0; i < rows; ++i) {
    base::str_append(sql, i == 0 ? "" : ",", "(?1, ?", i + 4, ", ",
                     static_cast<int64_t>(LogOp::kInsert), ", ?2 + ", i, ", ?3)");
  }
  return sql;
}

/// Writes a batch of checked rows with the triggers off. Every statement fails with
/// kAlreadyExists or kInvalidArgument when a row cannot be written.
class BatchWriter {
 public:
  BatchWriter(Connection& connection, const Source& source, std::span<const Record> records,
              std::span<const RecordLayout> layouts, int64_t first_row)
      : connection_(connection),
        source_(source),
        records_(records),
        layouts_(layouts),
        first_row_(first_row) {}

  Status write() {
    LOCI_ASSIGN_OR_RETURN(Statement stamp, connection_.cached(log_stamp_sql()));
    LOCI_RETURN_IF_ERROR(stamp.step().status());
    hlc_ = stamp.column_int(0);
    origin_ = stamp.column_int(1);
    stamp.reset();
    for (size_t begin = 0; begin < records_.size();) {
      const size_t count = alike(begin, kStatementRows) ? kStatementRows : 1;
      LOCI_RETURN_IF_ERROR(write_rows(begin, count));
      LOCI_RETURN_IF_ERROR(write_vectors(begin, count));
      LOCI_RETURN_IF_ERROR(write_log(begin, count));
      begin += count;
    }
    return source_.fts_table.empty() ? Status() : write_text();
  }
  [[nodiscard]] RowId row(size_t i) const noexcept {
    return records_[i].rowid.value_or(RowId{first_row_ + static_cast<int64_t>(i)});
  }

 private:
  /// Rows of one statement. More are not faster, and fewer statements are kept prepared.
  static constexpr size_t kStatementRows = 32;

  /// Whether `count` rows are left and bring vectors for the same columns.
  [[nodiscard]] bool alike(size_t begin, size_t count) const {
    if (layouts_.size() - begin < count) return false;
    const auto given = [](const std::vector<float>* a, const std::vector<float>* b) {
      return (a == nullptr) == (b == nullptr);
    };
    const auto& first = layouts_[begin].vectors;
    return std::all_of(layouts_.begin() + static_cast<std::ptrdiff_t>(begin),
                       layouts_.begin() + static_cast<std::ptrdiff_t>(begin + count),
                       [&](const RecordLayout& layout) {
                         return std::equal(first.begin(), first.end(), layout.vectors.begin(),
                                           given);
                       });
  }
  Status write_rows(size_t begin, size_t count) {
    LOCI_ASSIGN_OR_RETURN(Statement statement, connection_.cached(insert_sql(source_, count)));
    std::array<std::string, kStatementRows> made;
    int next = 1;
    for (size_t i = begin; i < begin + count; ++i) {
      LOCI_RETURN_IF_ERROR(statement.bind(next++, to_int(row(i))));
      LOCI_RETURN_IF_ERROR(
          bind_row(statement, next, source_, records_[i], layouts_[i], made[i - begin]));
    }
    return statement.run();
  }
  Status write_vectors(size_t begin, size_t count) {
    const std::vector<size_t> columns = given_columns(layouts_[begin]);
    if (columns.empty()) return forget_vectors(begin, count);
    LOCI_ASSIGN_OR_RETURN(Statement statement,
                          connection_.cached(insert_vectors_sql(source_, columns, count)));
    std::vector<std::string> packed(columns.size() * count);
    int next = 1;
    for (size_t i = 0; i < count; ++i) {
      const std::span<std::string> mine =
          std::span(packed).subspan(i * columns.size(), columns.size());
      LOCI_RETURN_IF_ERROR(bind_vectors(statement, next, source_, row(begin + i),
                                        layouts_[begin + i], columns, mine));
    }
    return statement.run();
  }
  /// A vector that another program left under the rowid is not the new row's.
  Status forget_vectors(size_t begin, size_t count) {
    if (source_.vector_table.empty()) return {};
    std::string sql = "DELETE FROM ";
    append_name(sql, source_.vector_table);
    sql += " WHERE rid = ?";
    for (size_t i = begin; i < begin + count; ++i) {
      LOCI_RETURN_IF_ERROR(sqlite::run(connection_, sql, to_int(row(i))));
    }
    return {};
  }
  Status write_log(size_t begin, size_t count) {
    LOCI_ASSIGN_OR_RETURN(Statement statement, connection_.cached(insert_log_sql(count)));
    LOCI_RETURN_IF_ERROR(
        sqlite::bind_all(statement, source_.id, hlc_ + static_cast<int64_t>(begin), origin_));
    for (size_t i = 0; i < count; ++i) {
      LOCI_RETURN_IF_ERROR(statement.bind(static_cast<int>(i) + 4, to_int(row(begin + i))));
    }
    return statement.run();
  }
  /// A row a statement: one of many rows would open a savepoint, at which FTS5 writes out.
  Status write_text() {
    LOCI_ASSIGN_OR_RETURN(Statement statement, connection_.cached(insert_text_sql(source_)));
    for (size_t i = 0; i < records_.size(); ++i) {
      int next = 1;
      LOCI_RETURN_IF_ERROR(statement.bind(next++, to_int(row(i))));
      for (const Value* value : layouts_[i].text) {
        if (value != nullptr) LOCI_RETURN_IF_ERROR(statement.bind(next, *value));
        ++next;
      }
      LOCI_RETURN_IF_ERROR(statement.run());
    }
    return {};
  }

  Connection& connection_;  // these must outlive this
  const Source& source_;
  const std::span<const Record> records_;
  const std::span<const RecordLayout> layouts_;
  const int64_t first_row_;
  int64_t hlc_ = 0;
  int64_t origin_ = 0;
};

/// Whether a trigger that is not ours sees what a batch writes: then it must fire.
Result<bool> others_listen(Connection& connection, const Source& source) {
  LOCI_ASSIGN_OR_RETURN(
      const std::optional<int64_t> found,
      sqlite::query_int(
          connection,
          "SELECT EXISTS(SELECT 1 FROM sqlite_schema WHERE type = 'trigger' AND "
          "substr(name, 1, length(?1)) <> ?1 COLLATE NOCASE AND "
          "(tbl_name COLLATE NOCASE IN (?2, ?3) OR tbl_name LIKE 'loci\\_%' ESCAPE '\\' OR "
          "substr(tbl_name, 1, length(?4)) = ?4 COLLATE NOCASE)) OR "
          "EXISTS(SELECT 1 FROM sqlite_temp_schema WHERE type = 'trigger')",
          trigger_prefix(source), source.table, source.vector_table,
          source.fts_table.empty() ? "loci_" : source.fts_table + "_"));
  return found.value_or(1) != 0;
}

}  // namespace

std::string vectors_sql(const Source& source, std::span<const size_t> columns) {
  std::string sql = insert_vectors_sql(source, columns, 1);
  sql += " ON CONFLICT(rid) DO UPDATE SET ";
  bool first = true;
  const auto set = [&](const std::string& name) {
    if (!first) sql += ", ";
    first = false;
    append_name(sql, name);
    sql += " = excluded.";
    append_name(sql, name);
  };
  for (const size_t column : columns) {
    const std::string& name = source.spec.vectors[column].name;
    set(name);
    if (has_pending(source, column)) set(name + "_pending");
  }
  return sql;
}

Status write_vectors(Connection& connection, const Source& source, RowId row,
                     const RecordLayout& layout) {
  if (!layout.has_vector) return {};
  const std::vector<size_t> columns = given_columns(layout);
  LOCI_ASSIGN_OR_RETURN(Statement statement, connection.cached(vectors_sql(source, columns)));
  std::vector<std::string> packed(columns.size());
  int next = 1;
  LOCI_RETURN_IF_ERROR(bind_vectors(statement, next, source, row, layout, columns, packed));
  return statement.run();
}

Result<RowId> insert_row(Connection& connection, const Source& source, const Record& record,
                         const RecordLayout& layout) {
  RowId row = kNoRow;
  {
    LOCI_ASSIGN_OR_RETURN(Statement statement, connection.cached(insert_sql(source, 1)));
    if (record.rowid.has_value()) LOCI_RETURN_IF_ERROR(statement.bind(1, to_int(*record.rowid)));
    int next = 2;
    std::string made;
    LOCI_RETURN_IF_ERROR(bind_row(statement, next, source, record, layout, made));
    LOCI_RETURN_IF_ERROR(statement.run());
    row = RowId{connection.last_insert_rowid()};
  }
  LOCI_RETURN_IF_ERROR(write_vectors(connection, source, row, layout));
  return row;
}

bool batch_pays(const Connection& connection, size_t rows) noexcept {
  // Statements that every batch has, and what preparing another one costs in rows: one with the
  // programs of triggers 0.3 to 0.8 ms, another 0.1 ms; a row of a batch saves 10 to 25 us.
  constexpr size_t kOfABatch = 12;
  constexpr size_t kRowsOfStatement = 16;
  const size_t used = connection.statements_at_stake();
  return rows >= kMinBatchRows + kRowsOfStatement * (used - std::min(used, kOfABatch));
}

Result<std::optional<RowId>> insert_batch(Connection& connection, const Source& source,
                                          std::span<const Record> records) {
  const std::optional<RowId> one_by_one;
  std::vector<RecordLayout> layouts;
  layouts.reserve(records.size());
  for (const Record& record : records) {
    Result<RecordLayout> layout = lay_out(connection, source, record);
    if (!layout.ok()) return one_by_one;  // to say which record is wrong
    layouts.push_back(*std::move(layout));
  }
  LOCI_ASSIGN_OR_RETURN(const bool others, others_listen(connection, source));
  if (others) return one_by_one;
  LOCI_ASSIGN_OR_RETURN(const std::optional<int64_t> first,
                        first_free_row(connection, source, records.size()));
  if (!first.has_value()) return one_by_one;

  LOCI_ASSIGN_OR_RETURN(sqlite::Transaction savepoint,
                        sqlite::Transaction::begin(connection, sqlite::Transaction::Kind::kWrite));
  BatchWriter writer(connection, source, records, layouts, *first);
  Status written;
  {
    const sqlite::TriggersOff quiet(connection);
    written = writer.write();
  }
  if (written.code() == StatusCode::kAlreadyExists ||
      written.code() == StatusCode::kInvalidArgument) {
    return one_by_one;
  }
  LOCI_RETURN_IF_ERROR(written);
  LOCI_RETURN_IF_ERROR(savepoint.commit());
  return std::optional<RowId>(writer.row(records.size() - 1));
}

}  // namespace loci::store

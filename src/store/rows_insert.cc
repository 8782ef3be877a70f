// SPDX-License-Identifier: Apache-2.0
//
// INSERT statements of one row and of many.
//
// Why many: FTS5 writes its pending terms out at every statement savepoint, and a statement whose
// triggers write a virtual table opens one. A row a statement thus costs a segment a row;
// kBatchRows rows a statement share it. Measured by the insert workload of bench/, with 30 words of
// text. Rowids are then given out here, as SQLite would: one more than the greatest. Tested by
// rows_test.cc, rows_model_test.cc, db/database_test.cc.
#include "store/rows_insert.h"

#include <algorithm>
#include <limits>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "base/strings.h"
#include "sqlite/query.h"
#include "store/rows.h"
#include "store/rows_sql.h"

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
  sql += "INSERT INTO ";
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

}  // namespace

/// Writes `columns` of a row's vectors. A row without a vector row awaits the vectors of all its
/// models; once it has one, those that are not written are marked as awaited.
std::string vectors_sql(const Source& source, std::span<const size_t> columns, size_t rows) {
  std::string names = "rid";
  std::string values = "?";
  std::string updates;
  const auto add = [&](const std::string& name, bool written) {
    names += ", ";
    append_name(names, name);
    values += written ? ", ?" : ", 1";
    if (!written) return;
    if (!updates.empty()) updates += ", ";
    append_name(updates, name);
    updates += " = excluded.";
    append_name(updates, name);
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
  base::str_append(sql, " ON CONFLICT(rid) DO UPDATE SET ", updates);
  return sql;
}

Status write_vectors(Connection& connection, const Source& source, RowId row,
                     const RecordLayout& layout) {
  if (!layout.has_vector) return {};
  const std::vector<size_t> columns = given_columns(layout);
  LOCI_ASSIGN_OR_RETURN(Statement statement, connection.cached(vectors_sql(source, columns, 1)));
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

Result<std::optional<RowId>> insert_batch(Connection& connection, const Source& source,
                                          std::span<const Record> records) {
  std::vector<RecordLayout> layouts;
  layouts.reserve(records.size());
  for (const Record& record : records) {
    Result<RecordLayout> layout = lay_out(connection, source, record);
    if (!layout.ok()) return std::optional<RowId>();  // row by row, to say which
    layouts.push_back(*std::move(layout));
  }
  const std::vector<size_t> columns = given_columns(layouts.front());
  for (const RecordLayout& layout : layouts) {
    if (given_columns(layout) != columns) return std::optional<RowId>();
  }
  LOCI_ASSIGN_OR_RETURN(const std::optional<int64_t> first,
                        first_free_row(connection, source, records.size()));
  if (!first.has_value()) return std::optional<RowId>();
  const auto row_of = [&](size_t i) {
    return records[i].rowid.value_or(RowId{*first + static_cast<int64_t>(i)});
  };
  {
    LOCI_ASSIGN_OR_RETURN(Statement statement,
                          connection.cached(insert_sql(source, records.size())));
    std::vector<std::string> made(records.size());
    int next = 1;
    for (size_t i = 0; i < records.size(); ++i) {
      LOCI_RETURN_IF_ERROR(statement.bind(next++, to_int(row_of(i))));
      LOCI_RETURN_IF_ERROR(bind_row(statement, next, source, records[i], layouts[i], made[i]));
    }
    const Status inserted = statement.run();
    if (inserted.code() == StatusCode::kAlreadyExists ||
        inserted.code() == StatusCode::kInvalidArgument) {
      return std::optional<RowId>();
    }
    LOCI_RETURN_IF_ERROR(inserted);
  }
  if (!columns.empty()) {
    LOCI_ASSIGN_OR_RETURN(Statement statement,
                          connection.cached(vectors_sql(source, columns, records.size())));
    std::vector<std::string> packed(columns.size() * records.size());
    int next = 1;
    for (size_t i = 0; i < records.size(); ++i) {
      const std::span<std::string> mine =
          std::span(packed).subspan(i * columns.size(), columns.size());
      LOCI_RETURN_IF_ERROR(
          bind_vectors(statement, next, source, row_of(i), layouts[i], columns, mine));
    }
    LOCI_RETURN_IF_ERROR(statement.run());
  }
  return std::optional<RowId>(row_of(records.size() - 1));
}

}  // namespace loci::store

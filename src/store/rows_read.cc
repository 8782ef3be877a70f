// SPDX-License-Identifier: Apache-2.0
//
// Reading rows: whole records for callers, vectors and filter columns for the index. A select list
// is put together once per call, with the number of each column beside it; a row of a collection
// costs one step of its table and one lookup in the vector table, which SQLite answers by moving
// its cursor on by one while both are read in the order of their integers.
// Tested by rows_test.cc, rows_model_test.cc.
#include <algorithm>
#include <utility>

#include "base/strings.h"
#include "sqlite/query.h"
#include "store/rows.h"
#include "store/rows_check.h"
#include "store/rows_sql.h"

namespace loci::store {
namespace {

using sqlite::Connection;
using sqlite::Statement;

/// Gathers a select list and tells where each column is.
class SelectList {
 public:
  int add(std::string_view expression) {
    if (!sql_.empty()) sql_ += ", ";
    sql_ += expression;
    return next_++;
  }
  [[nodiscard]] const std::string& sql() const noexcept { return sql_; }

 private:
  std::string sql_ = "";
  int next_ = 0;
};

std::string table_column(std::string_view name) {
  std::string sql = "t.";
  append_name(sql, name);
  return sql;
}

/// A stored value as its column's type; what another client wrote against it stays as it is.
Value typed(Value value, FieldType type) {
  if (type == FieldType::kBool) {
    if (const auto* integer = std::get_if<int64_t>(&value)) return *integer != 0;
  }
  return value;
}

struct VectorSlot {
  int blob = 0;
  int pending = -1;  ///< -1: never pending
};

std::vector<VectorSlot> add_vectors(const Source& source, SelectList& list) {
  std::vector<VectorSlot> slots;
  for (size_t i = 0; i < source.spec.vectors.size(); ++i) {
    VectorSlot slot;
    slot.blob = list.add(vector_sql(source, i));
    if (has_pending(source, i)) slot.pending = list.add(mark_sql(source, i));
    slots.push_back(slot);
  }
  return slots;
}

/// The BLOB of a vector that counts; empty when NULL or pending.
std::span<const std::byte> current_blob(const Statement& statement, const VectorSlot& slot) {
  if (slot.pending >= 0 && statement.column_int(slot.pending) != 0) return {};
  return statement.column_blob(slot.blob);
}

/// Reads records of one source.
class RecordReader {
 public:
  RecordReader(const Source& source, bool with_vectors)
      : source_(source), with_vectors_(with_vectors) {
    key_ = list_.add(key_sql(source));
    if (source.managed) {
      if (source.spec.text_ids) id_ = list_.add("t.id");
      archived_ = list_.add("t.archived");
      metadata_ = list_.add("t.metadata");
      created_ = list_.add("t.created_at");
      updated_ = list_.add("t.updated_at");
    } else if (source.key_columns.size() == 1) {
      id_ = list_.add("CAST(k.id AS TEXT)");
    }
    for (const std::string& column : source.spec.text) {
      fields_.push_back(list_.add(table_column(column)));
    }
    for (const FilterColumn& column : source.spec.filters) {
      fields_.push_back(list_.add(table_column(column.name)));
    }
    if (with_vectors) vectors_ = add_vectors(source, list_);
  }

  /// "SELECT ... FROM ..."
  [[nodiscard]] std::string sql() const {
    return base::str_cat("SELECT ", list_.sql(), from_sql(source_, with_vectors_));
  }

  [[nodiscard]] Result<Record> read(const Statement& statement) const {
    Record record;
    const RowId row{statement.column_int(key_)};
    record.rowid = row;
    if (id_ >= 0 && !statement.is_null(id_)) record.id = std::string(statement.column_text(id_));
    if (source_.managed) {
      record.archived = statement.column_int(archived_) != 0;
      if (!statement.is_null(metadata_)) {
        record.metadata = std::string(statement.column_text(metadata_));
      }
      record.created_at_us = statement.column_int(created_);
      record.updated_at_us = statement.column_int(updated_);
    }
    const CollectionSpec& spec = source_.spec;
    record.fields.reserve(fields_.size());
    for (size_t i = 0; i < spec.text.size(); ++i) {
      record.fields.emplace_back(spec.text[i], statement.column_value(fields_[i]));
    }
    for (size_t i = 0; i < spec.filters.size(); ++i) {
      record.fields.emplace_back(
          spec.filters[i].name,
          typed(statement.column_value(fields_[spec.text.size() + i]), spec.filters[i].type));
    }
    for (size_t i = 0; i < vectors_.size(); ++i) {
      const std::span<const std::byte> blob = current_blob(statement, vectors_[i]);
      if (blob.empty()) continue;
      LOCI_ASSIGN_OR_RETURN(std::vector<float> vector, decode_vector(source_, i, row, blob));
      record.vectors.emplace_back(spec.vectors[i].name, std::move(vector));
    }
    LOCI_RETURN_IF_ERROR(statement.whole());
    return record;
  }

 private:
  const Source& source_;  // must outlive this
  bool with_vectors_;
  SelectList list_;
  int key_ = -1, id_ = -1, archived_ = -1, metadata_ = -1, created_ = -1, updated_ = -1;
  std::vector<int> fields_;  // text columns, then filter columns
  std::vector<VectorSlot> vectors_;
};

/// Reads what the index wants of a row, without an allocation per row.
class IndexRowReader {
 public:
  explicit IndexRowReader(const Source& source) : source_(source) {
    key_ = list_.add(key_sql(source));
    if (source.managed) archived_ = list_.add("t.archived");
    for (const FilterColumn& column : source.spec.filters) {
      filters_.push_back(list_.add(table_column(column.name)));
    }
    slots_ = add_vectors(source, list_);
    values_.resize(filters_.size());
    blobs_.resize(slots_.size());
  }

  [[nodiscard]] std::string sql() const {
    return base::str_cat("SELECT ", list_.sql(), from_sql(source_, true));
  }

  IndexRow read(const Statement& statement) {
    for (size_t i = 0; i < slots_.size(); ++i) blobs_[i] = current_blob(statement, slots_[i]);
    for (size_t i = 0; i < filters_.size(); ++i) {
      read_filter(statement, filters_[i], source_.spec.filters[i].type, values_[i]);
    }
    return {.rowid = RowId{statement.column_int(key_)},
            .archived = archived_ >= 0 && statement.column_int(archived_) != 0,
            .vectors = blobs_,
            .filters = values_};
  }

 private:
  static void read_filter(const Statement& statement, int column, FieldType type, Value& out) {
    auto* text = std::get_if<std::string>(&out);
    if (statement.is_null(column)) {
      out = std::monostate();
    } else if (type == FieldType::kText && text != nullptr) {
      text->assign(statement.column_text(column));  // keeps its memory
    } else if (type == FieldType::kText) {
      out = std::string(statement.column_text(column));
    } else {
      out = typed(statement.column_value(column), type);
    }
  }

  const Source& source_;  // must outlive this
  SelectList list_;
  int key_ = -1, archived_ = -1;
  std::vector<int> filters_;
  std::vector<VectorSlot> slots_;
  std::vector<Value> values_;
  std::vector<std::span<const std::byte>> blobs_;
};

std::string_view live_sql(const Source& source, bool with_archived) noexcept {
  return source.managed && !with_archived ? "t.archived = 0" : "";
}

/// The text of a row's text columns in a select list, as embedding_text() joins them.
std::string joined_text(std::span<const std::string_view> texts) {
  std::string joined;
  for (const std::string_view text : texts) {
    if (text.empty()) continue;
    if (!joined.empty()) joined += '\n';
    joined += text;
  }
  return joined;
}

}  // namespace

Result<std::optional<Record>> get_row(Connection& connection, const Source& source, RowId row,
                                      bool with_vectors) {
  const RecordReader reader(source, with_vectors);
  LOCI_ASSIGN_OR_RETURN(
      Statement statement,
      connection.cached(base::str_cat(reader.sql(), " WHERE ", key_sql(source), " = ?")));
  LOCI_RETURN_IF_ERROR(statement.bind(1, to_int(row)));
  LOCI_ASSIGN_OR_RETURN(const bool there, statement.step());
  if (!there) return std::optional<Record>();
  LOCI_ASSIGN_OR_RETURN(Record record, reader.read(statement));
  return std::optional<Record>(std::move(record));
}

Status scan_rows(Connection& connection, const Source& source, const SqlFilter& filter,
                 const ScanOptions& options, const std::function<Status(const Record&)>& visit) {
  const RecordReader reader(source, options.with_vectors);
  const std::string sql =
      base::str_cat(reader.sql(), where_sql({live_sql(source, options.with_archived), filter.sql}),
                    " ORDER BY ", key_sql(source), " LIMIT ? OFFSET ?");
  LOCI_ASSIGN_OR_RETURN(Statement statement, prepare(connection, filter, sql));
  LOCI_RETURN_IF_ERROR(bind_values(statement, 1, filter.values));
  const int next = static_cast<int>(filter.values.size()) + 1;
  LOCI_RETURN_IF_ERROR(statement.bind(next, options.limit));
  LOCI_RETURN_IF_ERROR(statement.bind(next + 1, options.offset));
  return sqlite::for_each_row(statement, [&](const Statement& at) -> Status {
    LOCI_ASSIGN_OR_RETURN(const Record record, reader.read(at));
    return visit(record);
  });
}

Result<int64_t> count_rows(Connection& connection, const Source& source, const SqlFilter& filter,
                           bool with_archived) {
  std::string sql = base::str_cat("SELECT count(*)", from_sql(source, false),
                                  where_sql({live_sql(source, with_archived), filter.sql}));
  if (filter.sql.empty() && source.managed && !with_archived) {
    // Indexes count all rows and the archived ones; the table would be read as a whole.
    const std::string from = from_sql(source, false);
    sql = base::str_cat("SELECT (SELECT count(*)", from, ") - (SELECT count(*)", from,
                        " WHERE t.archived <> 0)");
  }
  LOCI_ASSIGN_OR_RETURN(Statement statement, prepare(connection, filter, sql));
  LOCI_RETURN_IF_ERROR(bind_values(statement, 1, filter.values));
  LOCI_ASSIGN_OR_RETURN(const bool there, statement.step());
  return there ? statement.column_int(0) : 0;
}

Result<std::vector<RowId>> select_rowids(Connection& connection, const Source& source,
                                         const SqlFilter& filter) {
  const std::string key = key_sql(source);
  const std::string sql = base::str_cat("SELECT ", key, from_sql(source, false),
                                        where_sql({filter.sql}), " ORDER BY ", key);
  LOCI_ASSIGN_OR_RETURN(Statement statement, prepare(connection, filter, sql));
  LOCI_RETURN_IF_ERROR(bind_values(statement, 1, filter.values));
  std::vector<RowId> rows;
  LOCI_RETURN_IF_ERROR(sqlite::for_each_row(statement, [&](const Statement& at) -> Status {
    rows.push_back(RowId{at.column_int(0)});
    return {};
  }));
  return rows;
}

Status read_all(Connection& connection, const Source& source,
                const std::function<Status(const IndexRow&)>& visit) {
  IndexRowReader reader(source);
  LOCI_ASSIGN_OR_RETURN(Statement statement, connection.cached(base::str_cat(
                                                 reader.sql(), " ORDER BY ", key_sql(source))));
  return sqlite::for_each_row(statement,
                              [&](const Statement& at) { return visit(reader.read(at)); });
}

Result<bool> read_one(Connection& connection, const Source& source, RowId row,
                      const std::function<Status(const IndexRow&)>& visit) {
  IndexRowReader reader(source);
  LOCI_ASSIGN_OR_RETURN(
      Statement statement,
      connection.cached(base::str_cat(reader.sql(), " WHERE ", key_sql(source), " = ?")));
  LOCI_RETURN_IF_ERROR(statement.bind(1, to_int(row)));
  LOCI_ASSIGN_OR_RETURN(const bool there, statement.step());
  if (!there) return false;
  const IndexRow read = reader.read(statement);
  LOCI_RETURN_IF_ERROR(connection.values_whole());
  LOCI_RETURN_IF_ERROR(visit(read));
  return true;
}

Result<std::vector<PendingRow>> read_pending(Connection& connection, const Source& source,
                                             size_t column, RowId after, int64_t limit) {
  std::vector<PendingRow> rows;
  if (!has_pending(source, column)) return rows;
  std::string sql = "SELECT t.rid";
  for (const std::string& text : source.spec.text) {
    base::str_append(sql, ", ", table_column(text));
  }
  base::str_append(sql, from_sql(source, true), " WHERE t.rid > ? AND ",
                   pending_sql(source, column), " ORDER BY t.rid LIMIT ?");
  LOCI_ASSIGN_OR_RETURN(Statement statement, connection.cached(sql));
  LOCI_RETURN_IF_ERROR(sqlite::bind_all(statement, to_int(after), limit));
  std::vector<std::string_view> texts(source.spec.text.size());
  LOCI_RETURN_IF_ERROR(sqlite::for_each_row(statement, [&](const Statement& at) -> Status {
    for (size_t i = 0; i < texts.size(); ++i) texts[i] = at.column_text(static_cast<int>(i) + 1);
    rows.push_back({RowId{at.column_int(0)}, joined_text(texts)});
    return {};
  }));
  return rows;
}

Result<int64_t> count_pending(Connection& connection, const Source& source, size_t column) {
  if (!has_pending(source, column)) return int64_t{0};
  LOCI_ASSIGN_OR_RETURN(
      const std::optional<int64_t> count,
      query_int(connection, base::str_cat("SELECT count(*)", from_sql(source, true), " WHERE ",
                                          pending_sql(source, column))));
  return count.value_or(0);
}

std::string embedding_text(const Source& source, const Record& record) {
  std::vector<std::string_view> texts(source.spec.text.size());
  for (const auto& [name, value] : record.fields) {
    const auto* text = std::get_if<std::string>(&value);
    if (text == nullptr) continue;
    const auto at = std::find(source.spec.text.begin(), source.spec.text.end(), name);
    if (at == source.spec.text.end()) continue;
    texts[static_cast<size_t>(at - source.spec.text.begin())] = *text;
  }
  return joined_text(texts);
}

Result<CollectionStats> stats(Connection& connection, const Source& source) {
  CollectionStats stats;
  LOCI_ASSIGN_OR_RETURN(stats.rows, count_rows(connection, source, {}, false));
  if (source.managed) {
    LOCI_ASSIGN_OR_RETURN(const int64_t all, count_rows(connection, source, {}, true));
    stats.archived = all - stats.rows;
  }
  SelectList list;
  std::string any_pending;
  for (size_t i = 0; i < source.spec.vectors.size(); ++i) {
    std::string counted = base::str_cat(vector_sql(source, i), " IS NOT NULL");
    if (has_pending(source, i)) {
      base::str_append(counted, " AND ", mark_sql(source, i), " = 0");
      base::str_append(any_pending, any_pending.empty() ? "" : " OR ", pending_sql(source, i));
    }
    static_cast<void>(list.add(base::str_cat("sum(", counted, ")")));
  }
  if (!source.spec.vectors.empty()) {
    const int pending =
        list.add(any_pending.empty() ? std::string("0") : base::str_cat("sum(", any_pending, ")"));
    LOCI_ASSIGN_OR_RETURN(Statement statement, connection.cached(base::str_cat(
                                                   "SELECT ", list.sql(), from_sql(source, true))));
    LOCI_RETURN_IF_ERROR(statement.step().status());
    for (size_t i = 0; i < source.spec.vectors.size(); ++i) {
      stats.vectors.emplace_back(source.spec.vectors[i].name,
                                 statement.column_int(static_cast<int>(i)));
    }
    stats.pending = statement.column_int(pending);
  }
  LOCI_ASSIGN_OR_RETURN(
      const std::optional<int64_t> entries,
      sqlite::query_int(connection, "SELECT count(*) FROM loci_log WHERE source = ?", source.id));
  stats.log_entries = entries.value_or(0);
  return stats;
}

}  // namespace loci::store

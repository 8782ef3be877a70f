// SPDX-License-Identifier: Apache-2.0
//
// Full-text search. FTS5's bm25() is negative (smaller is better) and is turned round here, so that
// higher is better. The row's table is joined only for what it alone knows: a filter, and whether
// the row is archived, and that only when some row is.
// Tested by rows_text_test.cc.
#include "base/strings.h"
#include "sqlite/query.h"
#include "store/rows.h"
#include "store/rows_sql.h"

namespace loci::store {
namespace {

using sqlite::Connection;
using sqlite::Statement;

constexpr int kSnippetTokens = 16;

Status require_text(const Source& source) {
  if (!source.fts_table.empty()) return {};
  return Status::failed_precondition(
      base::str_cat(label(source), " has no text columns: it can be searched by vector only"));
}

/// A query that FTS5 refuses is the caller's mistake, whatever code SQLite gives.
Status as_query_error(const Source& source, std::string_view fts_query, Status status) {
  if (status.ok() || status.code() != StatusCode::kInvalidArgument) return status;
  return status.with_context(
      base::str_cat(label(source), ": full-text query `", base::utf8_prefix(fts_query, 80), "`"));
}

Result<bool> any_archived(Connection& connection, const Source& source) {
  std::string sql = "SELECT EXISTS (SELECT 1 FROM ";
  append_name(sql, source.table);
  sql += " WHERE archived <> 0)";
  LOCI_ASSIGN_OR_RETURN(const std::optional<int64_t> found, query_int(connection, sql));
  return found.value_or(0) != 0;
}

}  // namespace

Result<std::vector<TextHit>> search_text(Connection& connection, const Source& source,
                                         std::string_view fts_query, const SqlFilter& filter,
                                         const ScanOptions& options) {
  LOCI_RETURN_IF_ERROR(require_text(source));
  std::vector<TextHit> hits;
  if (fts_query.empty()) return hits;
  bool hides_archived = source.managed && !options.with_archived;
  if (hides_archived) {
    LOCI_ASSIGN_OR_RETURN(hides_archived, any_archived(connection, source));
  }
  std::string fts;
  append_name(fts, source.fts_table);
  std::string sql = base::str_cat("SELECT f.rowid, f.rank FROM ", fts, " AS f");
  if (hides_archived || !filter.sql.empty()) {
    base::str_append(sql, " CROSS JOIN", from_sql(source, false).substr(5));
    sql += source.key_columns.empty() ? " ON " : " AND ";
    base::str_append(sql, key_sql(source), " = f.rowid");
  }
  const std::string match = base::str_cat("f.", fts, " MATCH ?");
  base::str_append(sql, where_sql({match, hides_archived ? "t.archived = 0" : "", filter.sql}),
                   " ORDER BY f.rank, f.rowid LIMIT ? OFFSET ?");
  LOCI_ASSIGN_OR_RETURN(Statement statement, prepare(connection, filter, sql));
  LOCI_RETURN_IF_ERROR(statement.bind(1, fts_query));
  LOCI_RETURN_IF_ERROR(bind_values(statement, 2, filter.values));
  const int next = static_cast<int>(filter.values.size()) + 2;
  LOCI_RETURN_IF_ERROR(statement.bind(next, options.limit));
  LOCI_RETURN_IF_ERROR(statement.bind(next + 1, options.offset));
  Status status = sqlite::for_each_row(statement, [&](const Statement& at) -> Status {
    hits.push_back({RowId{at.column_int(0)}, -at.column_double(1)});
    return {};
  });
  if (!status.ok()) return as_query_error(source, fts_query, std::move(status));
  return hits;
}

Result<std::string> snippet(Connection& connection, const Source& source,
                            std::string_view fts_query, RowId row) {
  LOCI_RETURN_IF_ERROR(require_text(source));
  if (fts_query.empty()) return std::string();
  std::string fts;
  append_name(fts, source.fts_table);
  const std::string sql =
      base::str_cat("SELECT snippet(", fts, ", -1, '[', ']', ' ... ', ", kSnippetTokens, ") FROM ",
                    fts, " WHERE ", fts, " MATCH ?1 AND rowid = ?2");
  Result<std::optional<std::string>> text = query_text(connection, sql, fts_query, to_int(row));
  if (!text.ok()) return as_query_error(source, fts_query, std::move(text).error());
  return text->value_or(std::string());
}

}  // namespace loci::store

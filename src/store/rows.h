// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "loci/collection.h"
#include "sqlite/connection.h"
#include "store/source.h"

namespace loci::store {

/// A WHERE clause over the alias `t` of the source's table, with its bound values.
/// Empty sql: every row.
struct SqlFilter {
  std::string sql;
  std::vector<Value> values;
};

/// One row as the index wants it. Views live until the next row.
struct IndexRow {
  RowId rowid = kNoRow;
  bool archived = false;
  /// By vector column of the spec: the BLOB as stored; empty when NULL or pending.
  std::span<const std::span<const std::byte>> vectors;
  std::span<const Value> filters;  ///< by filter column of the spec
};

enum class WriteOutcome : uint8_t { kInserted, kUpdated, kIgnored };
struct WriteResult {
  RowId rowid = kNoRow;
  WriteOutcome outcome = WriteOutcome::kInserted;
};

// Writers. All run inside the caller's transaction; all validate the record against the spec
// first (kInvalidArgument: unknown column, type, dimension, NaN, zero vector, metadata, UTF-8) and
// are kFailedPrecondition for a user's table.

Result<WriteResult> put_row(sqlite::Connection& connection, const Source& source,
                            const Record& record, OnConflict on_conflict);
/// put_batch() pays from this many rows on where nothing else is done.
inline constexpr size_t kMinBatchRows = 32;
/// Whether put_batch() of so many rows pays: the statements that `connection` has in use will be
/// prepared anew (docs/design/batched-inserts.md).
[[nodiscard]] bool batch_pays(const sqlite::Connection& connection, size_t rows) noexcept;
/// How many rows put_batch() is best given at a time.
inline constexpr size_t kBatchRows = 1024;
/// put_row() of many new rows at once, about twice as fast.
/// Returns the last rowid; nullopt, with nothing written, when they cannot be written together (one
/// is there already, or is wrong): put_row() each, which says why.
Result<std::optional<RowId>> put_batch(sqlite::Connection& connection, const Source& source,
                                       std::span<const Record> records, OnConflict on_conflict);
Status update_row(sqlite::Connection& connection, const Source& source, RowId row,
                  const Record& changes);
Result<bool> remove_row(sqlite::Connection& connection, const Source& source, RowId row);
Result<int64_t> remove_rows(sqlite::Connection& connection, const Source& source,
                            const SqlFilter& filter);
Result<bool> set_archived(sqlite::Connection& connection, const Source& source, RowId row,
                          bool archived);
/// Stores vectors that a model made of the row's current text; clears the pending mark.
Status put_vector(sqlite::Connection& connection, const Source& source, size_t column, RowId row,
                  VectorView vector);
/// What names rows that are not there any more, but for their history.
struct GoneRows {
  std::vector<std::string> ids;
  std::vector<RowId> rows;
};
/// Deletes rows, their log ids, FTS traces and history; finish with scrub() outside the
/// transaction. Returns how many went, with those of `gone` that had left history.
Result<int64_t> purge_rows(sqlite::Connection& connection, const Source& source,
                           std::span<const RowId> rows, const GoneRows& gone = {});
/// VACUUM and a truncating checkpoint: no stale byte stays in the file or its WAL.
Status scrub(sqlite::Connection& connection);

// Readers.

Result<std::optional<RowId>> find_row(sqlite::Connection& connection, const Source& source,
                                      const RowKey& key);
Result<std::optional<Record>> get_row(sqlite::Connection& connection, const Source& source,
                                      RowId row, bool with_vectors);
struct ScanOptions {
  bool with_archived = false;
  bool with_vectors = false;
  int64_t limit = -1;
  int64_t offset = 0;
};
Status scan_rows(sqlite::Connection& connection, const Source& source, const SqlFilter& filter,
                 const ScanOptions& options, const std::function<Status(const Record&)>& visit);
Result<int64_t> count_rows(sqlite::Connection& connection, const Source& source,
                           const SqlFilter& filter, bool with_archived);
/// Rowids of rows (archived too) that a filter passes, ascending.
Result<std::vector<RowId>> select_rowids(sqlite::Connection& connection, const Source& source,
                                         const SqlFilter& filter);

/// Every row (archived too) for building an index, in rowid order.
Status read_all(sqlite::Connection& connection, const Source& source,
                const std::function<Status(const IndexRow&)>& visit);
/// One row, or nullopt through `visit` not being called; returns whether it is there.
Result<bool> read_one(sqlite::Connection& connection, const Source& source, RowId row,
                      const std::function<Status(const IndexRow&)>& visit);

/// A row whose text awaits a vector of `column`, and that text (text columns joined by newlines).
struct PendingRow {
  RowId rowid = kNoRow;
  std::string text;
};
/// Up to `limit` pending rows with rowid > `after`, ascending.
Result<std::vector<PendingRow>> read_pending(sqlite::Connection& connection, const Source& source,
                                             size_t column, RowId after, int64_t limit);
Result<int64_t> count_pending(sqlite::Connection& connection, const Source& source, size_t column);
/// The text that a model embeds for a record: its text columns in spec order joined by newlines.
std::string embedding_text(const Source& source, const Record& record);

/// One full-text hit.
struct TextHit {
  RowId rowid = kNoRow;
  double bm25 = 0;  ///< positive, higher is better
};
/// The best `limit` live rows for an FTS5 query text, best first, ties by rowid.
Result<std::vector<TextHit>> search_text(sqlite::Connection& connection, const Source& source,
                                         std::string_view fts_query, const SqlFilter& filter,
                                         const ScanOptions& options);
/// A passage of the row with the matched words between [ and ].
Result<std::string> snippet(sqlite::Connection& connection, const Source& source,
                            std::string_view fts_query, RowId row);

Result<CollectionStats> stats(sqlite::Connection& connection, const Source& source);

}  // namespace loci::store

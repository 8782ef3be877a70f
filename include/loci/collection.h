// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "loci/embedder.h"
#include "loci/types.h"

namespace loci {

namespace db {
class CollectionImpl;
}

/// A vector column: its dimension, its metric, what it stores and the model that fills it.
struct VectorColumn {
  std::string name = "embedding";
  size_t dim = 0;  ///< components, 1..8192; kHamming: bits, a multiple of 8
  Metric metric = Metric::kCosine;
  std::string custom_metric;        ///< with kCustom: the registered name
  std::string model;                ///< embedder identity; empty when the caller brings vectors
  Element element = Element::kF32;  ///< what is stored; kHamming stores bits and takes kF32 only
};

/// A typed column that filters may name. NULL is allowed.
struct FilterColumn {
  std::string name;
  FieldType type = FieldType::kText;
};

/// Whether old versions of rows are kept, and how many for how long. Kept by whichever program
/// writes: a change of a row by any SQLite client leaves the row and its vectors as they were.
struct HistoryOptions {
  bool enabled = false;
  int64_t max_versions = 100;  ///< of one row, the oldest goes first; 1..10000, 0: no limit
  int64_t max_age_days = 0;    ///< older ones go; up to 36500, 0: no limit
};

/// Everything that defines a collection. Stored with it; `Collection::spec()` returns it.
struct CollectionSpec {
  std::string name;                   ///< [A-Za-z][A-Za-z0-9_]*, at most 64 bytes
  std::vector<VectorColumn> vectors;  ///< at most 16; none is a text-only collection
  std::vector<std::string> text;      ///< full-text columns, at most 16
  std::vector<FilterColumn> filters;  ///< at most 64
  bool text_ids = true;               ///< false: rows are named by their integer only
  HistoryOptions history;             ///< off: a change of a row leaves nothing of what it was
};

/// One row, in or out. What is absent on input stays as it is (update) or NULL (insert).
struct Record {
  std::optional<RowId> rowid;     ///< given on input: that integer; else the next one
  std::optional<std::string> id;  ///< text id; a UUIDv7 is made when absent
  /// Vectors by column name. An empty vector on input clears the column.
  std::vector<std::pair<std::string, std::vector<float>>> vectors;
  /// Text and filter columns by name.
  std::vector<Field> fields;
  /// A JSON object as text, kept verbatim; nullopt leaves it as it is.
  std::optional<std::string> metadata;
  bool archived = false;      ///< output only
  int64_t created_at_us = 0;  ///< output only; microseconds since 1970, UTC
  int64_t updated_at_us = 0;  ///< output only
};

/// Names a row: by text id or by rowid.
using RowKey = std::variant<std::string, RowId>;

/// What ended a version of a row.
enum class ChangeKind : uint8_t {
  kUpdate,  ///< a column or a vector was changed
  kDelete,  ///< the row was deleted or replaced, or went on under another rowid
};

/// A row as it was until a change.
struct Version {
  int64_t number = 0;  ///< of the change: later ones are greater
  ChangeKind change = ChangeKind::kUpdate;
  int64_t changed_at_us = 0;  ///< wall clock of the change; microseconds since 1970, UTC
  int64_t hlc = 0;            ///< hybrid time of its log entry
  int64_t log_scn = 0;        ///< which entry that is; it may have been compacted away since
  int64_t log_token = 0;
  Record record;  ///< what the row held; a vector that was pending is left out
};

/// What to do when a written id is already there.
enum class OnConflict : uint8_t { kError, kUpdate, kReplace, kIgnore };

/// How to look: nearest vectors, words, or both fused.
enum class SearchMode : uint8_t { kAuto, kVector, kText, kHybrid };

struct SearchRequest {
  SearchMode mode = SearchMode::kAuto;   ///< kAuto: hybrid if both are possible, else what is
  std::string text;                      ///< words; embedded too where the column has a model
  VectorView vector;                     ///< query vector, borrowed for the call
  std::string column;                    ///< vector column; empty: the first
  size_t k = 10;                         ///< 0: no limit on count (then a threshold must be given)
  std::optional<double> max_distance;    ///< hits with distance <= this
  std::optional<double> min_similarity;  ///< hits with similarity >= this
  std::string where;                     ///< filter expression: "lang = 'rust' AND year >= 2020"
  /// The share of the true nearest k that is enough, on average. Where the column has a graph, it
  /// is searched as widely as reached this for the column's own rows; 1: the exact answer.
  double recall = 0.99;
  size_t ef = 0;       ///< not 0: candidates that the search of the graph keeps, whatever `recall`
  bool exact = false;  ///< the exact answer, whatever the two above say
  bool include_archived = false;
  bool with_fields = true;    ///< false: rowid, distance and score only
  bool with_vectors = false;  ///< with_fields too: vectors in `record`
  bool snippets = false;      ///< a passage with the matched words marked by [ and ]
};

/// What Collection::nearest is asked beside the queries; fields as in SearchRequest.
struct NearestRequest {
  std::string_view column = {};  ///< vector column, borrowed for the call; empty: the first
  size_t k = 10;                 ///< at least 1
  double recall = 0.99;
  size_t ef = 0;
  bool exact = false;
};

/// One result, best first.
struct Hit {
  RowId rowid = kNoRow;
  std::optional<double> distance;    ///< of the vector arm, when it saw the row
  std::optional<double> similarity;  ///< likewise
  std::optional<double> bm25;        ///< of the text arm, positive, higher is better
  double score = 0;                  ///< what the order is by, higher is better
  std::string snippet;
  Record record;  ///< filled when with_fields
};

/// What a search did and why: the answer to "explain".
struct Explain {
  /// "exact scan", "graph", "graph + scan of new rows", "text", "hybrid: graph + text"
  std::string plan;
  std::string reason;               ///< why this plan
  std::string degraded;             ///< not empty when a mode could not be served in full, and why
  std::string snapshot;             ///< where the image came from: "file", "inline", "memory"
  std::string simd;                 ///< tier in use
  size_t rows = 0;                  ///< rows in the image
  size_t passed_filter = 0;         ///< rows that the filter let through
  bool passed_is_estimate = false;  ///< a graph was walked, and the filter asked only on its way
  size_t scanned = 0;               ///< codes compared, those of the graph too
  size_t ef = 0;        ///< candidates that the search of the graph kept; 0: no graph was used
  size_t tail = 0;      ///< rows scanned because the graph does not have them yet
  size_t reranked = 0;  ///< full vectors compared
  size_t pending = 0;   ///< rows whose text awaits a vector
  double refresh_us = 0, filter_us = 0, scan_us = 0, text_us = 0, fetch_us = 0, total_us = 0;
};

struct SearchResult {
  std::vector<Hit> hits;
  Explain explain;
};

struct CollectionStats {
  int64_t rows = 0;  ///< live rows
  int64_t archived = 0;
  int64_t pending = 0;  ///< rows that await a vector from the column's model
  std::vector<std::pair<std::string, int64_t>> vectors;  ///< rows with a vector, by column
  int64_t log_entries = 0;                               ///< of this collection
  int64_t image_bytes = 0;  ///< memory of the search image in this process, 0 when not built
};

/// How many rows a write changed.
struct WriteCount {
  int64_t inserted = 0;
  int64_t updated = 0;
  int64_t ignored = 0;
};

/// Rows of text, vectors and fields that are searched together. Cheap to copy: a handle that keeps
/// its Database alive.
///
/// Threads: every method may be called from any thread at once. Searches and reads run in parallel;
/// writes wait for one another (kBusy after the Database's busy_timeout_ms). Inside
/// Database::transaction only the thread that runs it sees its uncommitted rows.
/// Errors common to all: kIoError, kCorruption, kBusy, kNotFound when the collection was dropped.
class LOCI_API Collection {
 public:
  [[nodiscard]] CollectionSpec spec() const;
  [[nodiscard]] const std::string& name() const;

  /// Adds one row, or resolves it by `on_conflict` when its id or rowid is taken.
  /// A text whose column has a model is embedded here when no vector is given.
  /// Errors: kInvalidArgument (dimension, NaN or infinity, a component that the column's element
  /// cannot hold, a vector that is or rounds to zero under cosine or angular, unknown column, wrong
  /// type, metadata that is not a JSON object), kAlreadyExists.
  /// Returns the row's key. Cost: one transaction; batch with insert_many.
  Result<RowId> insert(const Record& record, OnConflict on_conflict = OnConflict::kError);
  /// Many rows in one transaction: all or none.
  Result<WriteCount> insert_many(std::span<const Record> records,
                                 OnConflict on_conflict = OnConflict::kError);
  /// Changes the given columns of one row. kNotFound when it is not there.
  Status update(const RowKey& key, const Record& changes);
  /// Removes rows; keys that are not there are not counted. Returns how many went.
  Result<int64_t> remove(std::span<const RowKey> keys);
  /// Removes rows that match a filter expression.
  Result<int64_t> remove_where(std::string_view where);
  /// Removes every row.
  Result<int64_t> clear();
  /// Hides rows from searches and counts, or shows them again.
  Result<int64_t> archive(std::span<const RowKey> keys);
  Result<int64_t> restore(std::span<const RowKey> keys);
  /// Removes rows so that no byte of text, vector or id is left in the database file, its WAL or
  /// the full-text index; of their history too, and of rows that are gone but for their history.
  /// Costs a rewrite of the file (VACUUM): purge many at once. kFailedPrecondition inside a
  /// transaction; kBusy while another connection is reading.
  Result<int64_t> purge(std::span<const RowKey> keys);

  [[nodiscard]] Result<std::optional<Record>> get(const RowKey& key, bool with_vectors = false);
  /// Calls `visit` for live rows in rowid order until it returns an error.
  /// where         filter expression or empty
  /// with_archived archived rows too
  Status scan(std::string_view where, bool with_archived, bool with_vectors, int64_t limit,
              int64_t offset, const std::function<Status(const Record&)>& visit);
  [[nodiscard]] Result<int64_t> count(std::string_view where = {}, bool with_archived = false);
  [[nodiscard]] Result<CollectionStats> stats();
  /// Old versions of a row, newest first; what it holds now is get(). Deleted rows are found too.
  /// A text id names the versions that bore it, and all of the row that bears it now; a rowid those
  /// of every row that has had it.
  /// limit  at most so many; 0: all
  /// Errors: kFailedPrecondition when the collection keeps no history.
  [[nodiscard]] Result<std::vector<Version>> history(const RowKey& key, bool with_vectors = false,
                                                     int64_t limit = 0);

  /// The best rows for a request, best first; ties by rowid. Vector hits are the true nearest, or
  /// where the column has a graph nearly those (SearchRequest::recall), each at its true distance.
  /// Errors: kInvalidArgument (dimension, NaN, unknown column or broken filter expression),
  /// kFailedPrecondition (mode kVector without a vector column, a text query whose column has no
  /// model, `embedder` given by set_embedder differs from the recorded model).
  [[nodiscard]] Result<SearchResult> search(const SearchRequest& request);
  /// Nearest rows to one vector: search() with fields left out.
  [[nodiscard]] Result<std::vector<Hit>> nearest(VectorView query, size_t k);
  /// The nearest live rows to each of n queries at one moment of the file, as numbers alone: the
  /// least that a search can cost.
  /// queries  float32 [n x dim], row-major, borrowed for the call
  /// out      [n x k], nearest first, ties by rowid; what is not found is {kNoRow, infinity}
  /// Errors: kInvalidArgument (sizes, k, dimension, NaN, unknown column), kFailedPrecondition.
  Status nearest(std::span<const float> queries, const NearestRequest& request,
                 std::span<Neighbor> out);

  /// Gives the embedder of a column whose model is not built in.
  /// kFailedPrecondition when its identity or dimension is not the recorded one.
  Status set_embedder(std::string_view column, std::shared_ptr<Embedder> embedder);
  /// Embeds up to `limit` pending rows (0: all); calls `progress(done, total)`. Returns how many.
  Result<int64_t> embed_pending(int64_t limit = 0,
                                const std::function<void(int64_t, int64_t)>& progress = {});

  /// Keeps old versions of rows from now on, changes how many are kept, or keeps none any more:
  /// then those that are there are removed.
  /// Errors: kInvalidArgument (limits), kAlreadyExists (the file has a table NAME_history).
  Status set_history(const HistoryOptions& options);

  /// Adds a text or filter column; existing rows hold NULL.
  Status add_text_column(std::string_view name);
  Status add_filter_column(const FilterColumn& column);

  explicit Collection(std::shared_ptr<db::CollectionImpl> impl);  ///< for Database

 private:
  std::shared_ptr<db::CollectionImpl> impl_;  // owners: the handles of one collection
};

}  // namespace loci

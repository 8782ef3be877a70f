// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "loci/loci.h"
#include "support/fixture.h"

namespace loci::testing {

/// The collection that the model test fills: two vector columns, two text columns, a filter column
/// of every type.
CollectionSpec model_spec();
inline constexpr size_t kModelDim = 8;     ///< of "embedding", cosine
inline constexpr size_t kModelAuxDim = 5;  ///< of "aux", l2

/// One row as the model holds it; Value is monostate for NULL.
struct ModelRow {
  std::string id;
  std::map<std::string, Value> fields;
  std::map<std::string, std::vector<float>> vectors;  ///< those that are not NULL
  std::optional<std::string> metadata;
  bool archived = false;
};

/// A filter expression as text for Loci and as a tree for the model.
struct ModelFilter {
  enum class Kind { kAll, kAnd, kOr, kNot, kCompare, kIn, kIsNull, kBetween };
  Kind kind = Kind::kAll;
  std::string column;
  std::string op;
  std::vector<Value> values;
  std::vector<ModelFilter> children;

  [[nodiscard]] std::string text() const;
  /// SQL's three-valued logic; nullopt is unknown.
  [[nodiscard]] std::optional<bool> test(const ModelRow& row) const;
  [[nodiscard]] bool passes(const ModelRow& row) const { return test(row).value_or(false); }
  /// A random expression over the filter columns, at most `depth` levels deep.
  static ModelFilter random(Random& random, int depth);
};

/// What a collection must hold: rows by rowid. Copying it is a savepoint.
class StoreModel {
 public:
  std::map<int64_t, ModelRow> rows;

  [[nodiscard]] std::optional<int64_t> find_id(std::string_view id) const;
  /// Sets what `changes` gives; an empty vector clears, metadata given replaces.
  static void apply(ModelRow& row, const Record& changes);
  /// The row that inserting `record` makes.
  static ModelRow make(const Record& record);

  /// Rows that a search or scan may see.
  [[nodiscard]] std::vector<int64_t> visible(const ModelFilter& filter, bool with_archived) const;
  struct Neighbor {
    int64_t rowid;
    double distance;
  };
  /// Every visible row with a vector, nearest first, ties by rowid: the oracle of nearest().
  [[nodiscard]] std::vector<Neighbor> neighbors(std::string_view column, VectorView query,
                                                const ModelFilter& filter,
                                                bool with_archived) const;
  /// Visible rows whose text holds `word` as a word of its own.
  [[nodiscard]] std::vector<int64_t> containing(std::string_view word, const ModelFilter& filter,
                                                bool with_archived) const;
};

/// True when both say the same about every row: ids, fields, vectors bit for bit, metadata, state.
::testing::AssertionResult same_rows(Collection& collection, const StoreModel& model);
/// True when `hits` are the first k of `expected`. Where the oracle's distances are apart by more
/// than float rounding the rows must be the same too.
::testing::AssertionResult same_neighbors(const std::vector<Hit>& hits,
                                          const std::vector<StoreModel::Neighbor>& expected,
                                          size_t k);

/// One of `kModelWords` words that no stemmer changes.
inline constexpr size_t kModelWords = 24;
std::string model_word(size_t index);
/// Random record: each column given or not by chance, `id` left to the caller.
Record random_record(Random& random);

}  // namespace loci::testing

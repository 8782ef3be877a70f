// SPDX-License-Identifier: Apache-2.0
//
// For tests: what an image must answer, by comparing every row in double with plain loops.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "index/image.h"

namespace loci::index {

/// A row as a user would describe it. A vector is empty where the row has none.
struct OracleRow {
  bool archived = false;
  std::vector<std::vector<float>> vectors;
  std::vector<Value> filters;
};

/// The rows of an image by rowid.
using OracleRows = std::map<RowId, OracleRow>;

/// A vector as a column can store it: each component rounded to its element, and for kI8 brought
/// into its range.
[[nodiscard]] std::vector<float> as_stored(const ColumnLayout& column, std::vector<float> vector);
/// The BLOB of a vector of a column: its elements, or packed bits for kHamming.
[[nodiscard]] std::string to_blob(const ColumnLayout& column, const std::vector<float>& vector);

/// image.put() of a row in that form.
Status put_row(Image& image, const ImageLayout& layout, RowId rowid, const OracleRow& row);

struct OracleDistance {
  double distance = 0;
  double tolerance = 0;  ///< 0: exact, as when all terms are small integers
};
[[nodiscard]] OracleDistance oracle_distance(const ColumnLayout& column, VectorView a,
                                             VectorView b);

/// The distance of every row with a vector in the query's column.
using OracleDistances = std::map<RowId, OracleDistance>;
[[nodiscard]] OracleDistances oracle_distances(const ImageLayout& layout, const OracleRows& rows,
                                               const ScanQuery& query);

/// What a search is judged by.
struct OracleCase {
  const ImageLayout& layout;  // these must outlive this
  const OracleRows& rows;
  const OracleDistances& distances;
  std::function<bool(const OracleRow&)> passes;  ///< the query's filter
};

/// Whether the outcome is right: sorted, as many as there must be, each at its distance, and no row
/// left out that is nearer (or as near, with the same vector and a smaller rowid).
/// Returns "" or what is wrong.
[[nodiscard]] std::string find_fault(const OracleCase& oracle, const ScanQuery& query,
                                     const ScanOutcome& outcome);

enum class DataKind { kNormal, kClustered, kDuplicates, kAdversarial };
inline constexpr DataKind kDataKinds[] = {DataKind::kNormal, DataKind::kClustered,
                                          DataKind::kDuplicates, DataKind::kAdversarial};
/// Random vectors of a kind; kDuplicates gives few distinct ones of small integers.
class VectorMaker {
 public:
  VectorMaker(DataKind kind, size_t dim, uint64_t seed);
  std::vector<float> next();

 private:
  DataKind kind_;
  size_t dim_;
  std::mt19937_64 random_;
  std::vector<std::vector<float>> centers_;
};

}  // namespace loci::index

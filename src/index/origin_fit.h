// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <vector>

#include "base/bytes.h"
#include "loci/types.h"

namespace loci::index {

/// Finds the origin for the codes of a column: the mean of its rows, and when it pays to code all
/// rows anew around it.
class OriginFit {
 public:
  explicit OriginFit(size_t dim) : sum_(dim), mean_(dim) {}

  /// Takes in a stored row times `scale`, finite. `lossless`: its code loses nothing as it is.
  void note(VectorView row, double scale, bool lossless) noexcept;
  /// To be asked after each note(): whether codes around mean() would lose clearly less than those
  /// around `origin` do. Cost: O(1) but for a few numbers of rows, there O(dim).
  [[nodiscard]] bool due(VectorView origin) noexcept;
  /// Whether the rows so far have a mean that is away from `origin` by more than a hundredth of
  /// what is left around it. Cost: O(dim).
  [[nodiscard]] bool has_moved(VectorView origin) noexcept;
  /// After due() or has_moved() said so: the mean of the rows so far.
  [[nodiscard]] VectorView mean() const noexcept { return mean_; }

  void save(base::ByteWriter& out) const;
  /// Takes over what save() wrote for the same dimension.
  void load(base::ByteReader& in);

 private:
  [[nodiscard]] bool is_away(VectorView origin, double share) noexcept;

  std::vector<double> sum_;
  std::vector<float> mean_;
  double square_sum_ = 0;
  size_t rows_ = 0;
  size_t lossless_ = 0;
  size_t next_look_ = 64;  ///< rows at which due() looks
};

}  // namespace loci::index

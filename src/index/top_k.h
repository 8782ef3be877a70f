// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <vector>

#include "index/image.h"

namespace loci::index {

/// The order of results: by distance, ties by rowid.
[[nodiscard]] inline bool nearer(const Neighbor& a, const Neighbor& b) noexcept {
  return a.distance != b.distance ? a.distance < b.distance : a.rowid < b.rowid;
}

/// The best of the neighbours offered: at most `k` (0: no limit), none beyond `max_distance`.
class TopK {
 public:
  TopK(size_t k, double max_distance);

  /// Takes the neighbour when it is among the best so far.
  void offer(const Neighbor& candidate);
  /// Whether a neighbour at `distance` could not enter, whatever its rowid.
  [[nodiscard]] bool rejects(double distance) const noexcept { return distance > limit_; }
  /// The greatest distance that may still enter (with a small enough rowid).
  [[nodiscard]] double limit() const noexcept { return limit_; }
  /// k are held, so that limit() is the k-th distance.
  [[nodiscard]] bool full() const noexcept { return k_ != 0 && heap_.size() == k_; }
  /// Nearest first.
  [[nodiscard]] std::vector<Neighbor> take_sorted() &&;

 private:
  size_t k_;
  double limit_;
  std::vector<Neighbor> heap_;  ///< while k_ != 0 a max-heap by nearer()
};

}  // namespace loci::index

// SPDX-License-Identifier: Apache-2.0
#include "index/top_k.h"

#include <algorithm>
#include <utility>

namespace loci::index {

namespace {
// Larger k are reached by growth: a caller may ask for 16 million of a collection of ten.
constexpr size_t kReserve = 1024;
}  // namespace

TopK::TopK(size_t k, double max_distance) : k_(k), limit_(max_distance) {
  heap_.reserve(std::min(k, kReserve));
}

void TopK::offer(const Neighbor& candidate) {
  if (candidate.distance > limit_) return;
  if (!full()) {
    heap_.push_back(candidate);
    if (k_ == 0) return;
    std::push_heap(heap_.begin(), heap_.end(), nearer);
    if (full()) limit_ = heap_.front().distance;
    return;
  }
  if (!nearer(candidate, heap_.front())) return;
  std::pop_heap(heap_.begin(), heap_.end(), nearer);
  heap_.back() = candidate;
  std::push_heap(heap_.begin(), heap_.end(), nearer);
  limit_ = heap_.front().distance;
}

std::vector<Neighbor> TopK::take_sorted() && {
  std::sort(heap_.begin(), heap_.end(), nearer);
  return std::move(heap_);
}

}  // namespace loci::index

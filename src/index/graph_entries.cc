// SPDX-License-Identifier: Apache-2.0
//
// Entries and their groups.
//
// To score 256 entries one and all takes 1.3 us of a search of 7 on notes384, 2 of 18 on mnist784;
// 64 pivots and the nearest groups of 1,024 are fewer rows. More entries are nearer to any query:
// walks from the best of 256 and of 1,024 on notes384 find 0.9498 and 0.9517 at ef 10, 0.9923 and
// 0.9945 at ef 14 (recall@10). 3,400 entries find no more.
//
// A group lies in one piece: read one here and one there, the same rows take twice as long. So an
// entry that comes or goes moves all that follow, 0.2 to 0.5 MB at most; of a million rows that are
// put into a graph some 4,500 become entries.
//
// Pivots are codes that were entries once. Whether they still are is of no account, but what came
// since may lie elsewhere: they are chosen anew after kMost / 2 changes, in a millisecond.
//
// Invariants: (1) while grouped() each entry is in one group, from begins_[pivot] to that of the
// next; (2) an entry has the code and parameters of its slot. Tested by graph_entries_test.cc.
#include "index/graph_entries.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "base/c_edge.h"
#include "base/strings.h"
#include "simd/dispatch.h"

namespace loci::index {

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

template <typename T>
base::ByteSpan bytes_of(const T* values, size_t count) {
  return {reinterpret_cast<const uint8_t*>(values), count * sizeof(T)};
}

/// Copies the first bytes of what is left of a segment, and goes on to its next piece.
bool take(std::span<const uint8_t>& bytes, void* into, size_t size) noexcept {
  if (size > bytes.size()) return false;
  if (size != 0) std::memcpy(into, bytes.data(), size);
  bytes = bytes.subspan(std::min(bytes.size(), base::round_up(size, base::Buffer::kAlignment)));
  return true;
}

}  // namespace

Status GraphEntries::reserve(const VectorColumn& column) {
  stride_ = column.codec()->stride();
  LOCI_ASSIGN_OR_RETURN(codes_, base::Buffer::try_allocate((kMost + kPivots) * stride_));
  slots_.reserve(kMost);
  params_.resize(kMost + kPivots);
  rows_.clear();
  for (size_t i = 0; i < kMost + kPivots; ++i) rows_.push_back(code(i));
  return {};
}

std::optional<size_t> GraphEntries::find(uint32_t slot) const noexcept {
  const auto found = std::find(slots_.begin(), slots_.end(), slot);
  if (found == slots_.end()) return std::nullopt;
  return static_cast<size_t>(found - slots_.begin());
}

void GraphEntries::copy_node(const RankCodes& codes, const VectorColumn& column,
                             size_t position) noexcept {
  std::copy_n(column.scan_code(slots_[position]), stride_, code(position));
  params_[position] = codes.params()[slots_[position]];
}

// A vector that cannot be read is in a group as good as any.
size_t GraphEntries::nearest_pivot(const RankCodes& codes, const VectorColumn& column,
                                   uint32_t slot) const noexcept {
  thread_local RankedQuery query;
  if (!base::guarded([&] { return codes.prepare_set_row(column, slot, query); }).ok()) return 0;
  std::array<uint32_t, kPivots + 16> which{};
  std::array<float, kPivots + 16> scores{};
  const size_t kept =
      simd::kernels().rank_u4(pivots(), query.rank, kInfinity, which.data(), scores.data());
  if (kept == 0) return 0;
  const auto end = scores.begin() + static_cast<ptrdiff_t>(kept);
  return which[static_cast<size_t>(std::min_element(scores.begin(), end) - scores.begin())];
}

// Where entries are grouped already, every n-th of them is from another part of the rows.
void GraphEntries::choose_pivots(const RankCodes& codes, const VectorColumn& column) noexcept {
  changes_ = 0;
  for (size_t pivot = 0; pivot < kPivots; ++pivot) {
    const size_t from = pivot * size() / kPivots;
    std::copy_n(code(from), stride_, code(kMost + pivot));
    params_[kMost + pivot] = params_[from];
  }
  std::array<uint8_t, kMost> groups{};
  begins_.fill(0);
  for (size_t i = 0; i < size(); ++i) {
    groups[i] = static_cast<uint8_t>(nearest_pivot(codes, column, slots_[i]));
    ++begins_[groups[i] + size_t{1}];
  }
  for (size_t pivot = 0; pivot < kPivots; ++pivot) begins_[pivot + 1] += begins_[pivot];
  std::array<uint32_t, kPivots> next{};
  std::copy_n(begins_.begin(), kPivots, next.begin());
  std::array<uint32_t, kMost> sorted{};
  for (size_t i = 0; i < size(); ++i) sorted[next[groups[i]]++] = slots_[i];
  std::copy_n(sorted.begin(), size(), slots_.begin());
  for (size_t i = 0; i < size(); ++i) copy_node(codes, column, i);
}

void GraphEntries::add(const RankCodes& codes, const VectorColumn& column, uint32_t slot) noexcept {
  const bool was_grouped = grouped();
  slots_.push_back(slot);
  const size_t last = size() - 1;
  copy_node(codes, column, last);
  if (!grouped()) return;
  if (!was_grouped || ++changes_ > kMost / 2) {
    choose_pivots(codes, column);
    return;
  }
  const size_t pivot = nearest_pivot(codes, column, slot);
  const size_t at = begins_[pivot + 1];
  for (size_t i = pivot + 1; i <= kPivots; ++i) ++begins_[i];
  std::move_backward(slots_.begin() + static_cast<ptrdiff_t>(at), slots_.end() - 1, slots_.end());
  std::memmove(&params_[at + 1], &params_[at], (last - at) * sizeof params_[0]);
  std::memmove(code(at + 1), code(at), (last - at) * stride_);
  slots_[at] = slot;
  copy_node(codes, column, at);
}

void GraphEntries::remove(size_t position) noexcept {
  const size_t after = size() - position - 1;
  slots_.erase(slots_.begin() + static_cast<ptrdiff_t>(position));
  std::memmove(&params_[position], &params_[position + 1], after * sizeof params_[0]);
  std::memmove(code(position), code(position + 1), after * stride_);
  for (uint32_t& begin : begins_) begin -= begin > position ? 1 : 0;
}

void GraphEntries::follow(const RankCodes& codes, const VectorColumn& column) noexcept {
  for (size_t i = 0; i < size(); ++i) copy_node(codes, column, i);
  if (grouped()) choose_pivots(codes, column);
}

std::array<base::ByteSpan, 6> GraphEntries::pieces() const noexcept {
  const size_t pivots = grouped() ? kPivots : 0;
  return {bytes_of(slots_.data(), size()),
          bytes_of(params_.data(), size()),
          {codes_.data(), size() * stride_},
          bytes_of(begins_.data(), grouped() ? begins_.size() : 0),
          bytes_of(params_.data() + kMost, pivots),
          {codes_.data() + kMost * stride_, pivots * stride_}};
}

Status GraphEntries::load(std::span<const uint8_t> bytes, size_t count) {
  if (count > kMost) return Status::corruption("more entries than there can be");
  slots_.resize(count);
  const size_t pivots = grouped() ? kPivots : 0;
  if (!take(bytes, slots_.data(), count * sizeof(uint32_t)) ||
      !take(bytes, params_.data(), count * sizeof(simd::RankParams)) ||
      !take(bytes, code(0), count * stride_) ||
      !take(bytes, begins_.data(), grouped() ? sizeof begins_ : 0) ||
      !take(bytes, params_.data() + kMost, pivots * sizeof(simd::RankParams)) ||
      !take(bytes, code(kMost), pivots * stride_)) {
    return Status::corruption("entries cut off");
  }
  return groups_in_order() ? Status() : Status::corruption("groups of entries out of order");
}

bool GraphEntries::groups_in_order() const noexcept {
  return !grouped() || (begins_.front() == 0 && begins_.back() == size() &&
                        std::is_sorted(begins_.begin(), begins_.end()));
}

size_t GraphEntries::memory_bytes() const noexcept {
  return sizeof *this + codes_.size() + slots_.capacity() * sizeof(uint32_t) +
         params_.capacity() * sizeof(simd::RankParams) + rows_.capacity() * sizeof(void*);
}

Status GraphEntries::check_invariants(const VectorColumn& column) const {
  for (size_t i = 0; i < size(); ++i) {
    if (std::memcmp(rows_[i], column.scan_code(slots_[i]), stride_) != 0) {
      return Status::internal(base::str_cat("entry ", slots_[i], ": another code"));
    }
  }
  if (!groups_in_order()) {
    return Status::internal(base::str_cat("groups end at ", begins_.back(), " of ", size()));
  }
  return {};
}

}  // namespace loci::index

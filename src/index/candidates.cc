// SPDX-License-Identifier: Apache-2.0
//
// From codes to candidates: steps 1 to 3 of exact_scan.cc, whose invariants hold here.
//
// The first threshold. A threshold that falls as rows come would let through far too many of the
// first rows: refining a row costs as much as scanning ten. So the coarse codes of a group of
// blocks are scanned first, the rows that look nearest by them are refined, and the k-th smallest
// of their upper bounds is the threshold that the group is then sorted out with. Which rows are
// tried is a guess that costs nothing when it is wrong: k rows are within that bound whichever
// they are.
//
// Tested by exact_scan_test.cc, image_test.cc.
#include "index/candidates.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <utility>

#include "base/aligned.h"

namespace loci::index {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

void lower_minima(std::span<const float> values, std::span<float> minima) noexcept {
  for (size_t i = 0; i < values.size(); ++i) {
    minima[i] = values[i] < minima[i] ? values[i] : minima[i];
  }
}

// Fetches the rows of 64 that are allowed, unless they are many.
void prefetch_rows(const uint8_t* rows, size_t stride, uint64_t allowed) noexcept {
  if (std::popcount(allowed) > 16) return;
  for (; allowed != 0; allowed &= allowed - 1) {
    const uint8_t* const row = rows + static_cast<size_t>(std::countr_zero(allowed)) * stride;
    for (size_t at = 0; at < stride; at += 64) __builtin_prefetch(row + at);
  }
}

}  // namespace

size_t scan_block(const VectorColumn& column, const quant::U8Query& query, const BlockRows& block,
                  std::span<int32_t> raw) {
  const quant::RowBlock all = column.rows(block.begin, block.count);
  if (block.mask == nullptr) {
    query.scan(all, raw);
    return block.count;
  }
  // The kernels take several rows at a time, so rows alone cost more each; from half of 64 on,
  // taking all is cheaper.
  constexpr int kDense = 32;
  const size_t words = (block.count + 63) / 64;
  const size_t stride = column.codec()->stride();
  size_t scanned = 0;
  for (size_t w = 0; w < words; ++w) {
    // Rows alone are in no pattern that the processor could foresee.
    if (w + 1 < words)
      prefetch_rows(all.high + (w + 1) * 64 * stride, stride, block.mask->words[w + 1]);
    uint64_t word = block.mask->words[w];
    if (std::popcount(word) >= kDense) {
      const size_t count = std::min<size_t>(64, block.count - w * 64);
      query.scan(column.rows(block.begin + w * 64, count), raw.subspan(w * 64, count));
      scanned += count;
      continue;
    }
    for (; word != 0; word &= word - 1) {
      const size_t at = w * 64 + static_cast<size_t>(std::countr_zero(word));
      query.scan(column.rows(block.begin + at, 1), raw.subspan(at, 1));
      ++scanned;
    }
  }
  return scanned;
}

CandidateSearch::CandidateSearch(const VectorColumn& column, quant::U8Query& query,
                                 const ExactDistance& distance, const AllowedRows& allowed,
                                 size_t k)
    : column_(column), query_(query), distance_(distance), allowed_(allowed), k_(k) {
  raw_.resize(std::min(kGroupBlocks, block_count(allowed.slots)) * kBlockRows);
  candidates_.reserve(512);
}

BlockRows CandidateSearch::block_rows(size_t block) const noexcept {
  return {block * kBlockRows, rows_in_block(block, allowed_.slots),
          allowed_.all ? nullptr : &allowed_.blocks[block]};
}

std::span<int32_t> CandidateSearch::raw_of(size_t in_group) noexcept {
  return std::span(raw_).subspan(in_group * kBlockRows, kBlockRows);
}

quant::RowBlock CandidateSearch::rows_of(const BlockRows& block) const noexcept {
  quant::RowBlock rows = column_.rows(block.begin, block.count);
  if (block.mask != nullptr) rows.allowed = block.mask->words.data();
  return rows;
}

size_t CandidateSearch::run() {
  // Rows that lie apart cost a miss of the caches each, whatever is read of them, and of few rows
  // the coarse codes leave many. On notes384, 10 % of 54,821 rows: 220 us alone, 250 us coarse
  // codes first; 1 %: 65 and 85 us.
  constexpr size_t kFewRows = 8192;
  const bool few = !allowed_.all && allowed_.count <= kFewRows && column_.codec()->two_planes();
  const size_t blocks = block_count(allowed_.slots);
  if (few) {
    for (size_t block = 0; block < blocks; ++block) refine_alone(block);
  } else {
    // To and fro: what the last search of this thread read at its end may still be in its cache.
    thread_local bool backwards = false;
    backwards = !backwards;
    const size_t groups = (blocks + kGroupBlocks - 1) / kGroupBlocks;
    for (size_t i = 0; i < groups; ++i) {
      scan_group((backwards ? groups - 1 - i : i) * kGroupBlocks);
    }
  }
  return scanned_;
}

// Positions of the allowed rows of a block, in positions_; returns how many.
size_t CandidateSearch::list_allowed(const BlockMask& mask) noexcept {
  size_t count = 0;
  for (size_t w = 0; w < kBlockWords; ++w) {
    for (uint64_t word = mask.words[w]; word != 0; word &= word - 1) {
      positions_[count++] =
          static_cast<uint32_t>(w * 64 + static_cast<size_t>(std::countr_zero(word)));
    }
  }
  return count;
}

void CandidateSearch::refine_alone(size_t block) {
  const BlockRows rows = block_rows(block);
  if (rows.mask->none()) return;
  const size_t count = list_allowed(*rows.mask);
  scanned_ += count;
  refine(rows, {}, count);
}

void CandidateSearch::scan_group(size_t first_block) {
  const size_t end = std::min(first_block + kGroupBlocks, block_count(allowed_.slots));
  const size_t before = scanned_;
  group_size_ = 0;
  for (size_t b = first_block; b < end; ++b) {
    const BlockRows block = block_rows(b);
    if (block.mask != nullptr && block.mask->none()) continue;
    group_[group_size_] = block;
    scanned_ += scan_block(column_, query_, block, raw_of(group_size_));
    ++group_size_;
  }
  // Not when the rows so far were more: their threshold is as good.
  if (k_ != 0 && scanned_ - before > before) lower_threshold_early();
  for (size_t i = 0; i < group_size_; ++i) collect_block(i);
}

void CandidateSearch::estimate_group() {
  estimates_.clear();
  estimated_.clear();
  std::array<float, kBlockRows> estimates;  // NOLINT(*-member-init): estimate() fills it
  for (size_t i = 0; i < group_size_; ++i) {
    const BlockRows& block = group_[i];
    query_.estimate(rows_of(block), raw_of(i), estimates);
    const auto first = static_cast<uint32_t>(i * kBlockRows);
    if (block.mask == nullptr) {
      estimates_.insert(estimates_.end(), estimates.begin(),
                        estimates.begin() + static_cast<ptrdiff_t>(block.count));
      continue;  // index and position are the same when no row is left out
    }
    for (size_t w = 0; w < kBlockWords; ++w) {
      for (uint64_t word = block.mask->words[w]; word != 0; word &= word - 1) {
        const auto at =
            static_cast<uint32_t>(w * 64) + static_cast<uint32_t>(std::countr_zero(word));
        estimates_.push_back(estimates[at]);
        estimated_.push_back(first + at);
      }
    }
  }
}

// Chooses at least `wanted` rows that look nearest, and seldom many more: of fewer than there are.
void CandidateSearch::pick_nearest(size_t wanted) {
  // Row i is in class i mod `classes`. The `wanted`-th of the minima of 4 * wanted classes is a
  // limit that some 15 % more rows than wanted keep, when near rows lie anywhere.
  const std::span<const float> estimates = estimates_;
  const size_t classes = std::min(estimates.size(), base::round_up(4 * wanted, 16));
  minima_.assign(estimates.begin(), estimates.begin() + static_cast<ptrdiff_t>(classes));
  const std::span<float> minima = minima_;
  for (size_t at = classes; at < estimates.size(); at += classes) {
    lower_minima(estimates.subspan(at, std::min(classes, estimates.size() - at)), minima);
  }
  ranked_ = minima_;
  const auto nth = ranked_.begin() + static_cast<ptrdiff_t>(wanted - 1);
  std::nth_element(ranked_.begin(), nth, ranked_.end());
  const float limit = *nth;
  picked_.clear();
  for (size_t c = 0; c < classes && picked_.size() < 2 * wanted; ++c) {
    if (minima[c] > limit) continue;
    for (size_t i = c; i < estimates.size(); i += classes) {
      if (estimates[i] > limit) continue;
      picked_.push_back(estimated_.empty() ? static_cast<uint32_t>(i) : estimated_[i]);
    }
  }
  std::sort(picked_.begin(), picked_.end());  // by block
}

void CandidateSearch::lower_threshold_early() {
  const size_t wanted = k_ + std::max<size_t>(16, k_ / 8);
  estimate_group();
  if (estimates_.size() <= wanted) return;
  pick_nearest(wanted);
  for (size_t at = 0; at < picked_.size();) {
    const size_t in_group = picked_[at] / kBlockRows;
    size_t count = 0;
    for (; at < picked_.size() && picked_[at] / kBlockRows == in_group && count < fine_.size();
         ++at) {
      positions_[count++] = static_cast<uint32_t>(picked_[at] % kBlockRows);
    }
    const size_t left = query_.refine(rows_of(group_[in_group]), raw_of(in_group),
                                      std::span(positions_).first(count), fine_);
    for (size_t i = 0; i < left; ++i) note_upper(fine_[i].bounds.upper);
  }
  lower_threshold();
  uppers_.clear();  // these rows come again, with all others
}

void CandidateSearch::collect_block(size_t in_group) {
  const BlockRows& block = group_[in_group];
  const quant::RowBlock rows = rows_of(block);
  const std::span<const int32_t> raw = raw_of(in_group);
  refine(block, raw, query_.select(rows, raw, positions_));
}

// Candidates among the first `count` of positions_.
void CandidateSearch::refine(const BlockRows& block, std::span<const int32_t> raw, size_t count) {
  const quant::RowBlock rows = rows_of(block);
  for (size_t at = 0; at < count; at += fine_.size()) {
    const size_t batch = std::min(fine_.size(), count - at);
    const size_t left = query_.refine(rows, raw, std::span(positions_).subspan(at, batch), fine_);
    for (size_t i = 0; i < left; ++i) {
      const quant::FineRow& row = fine_[i];
      candidates_.push_back({.lower = std::isnan(row.bounds.lower) ? -kInfinity : row.bounds.lower,
                             .slot = block.begin + row.position});
      note_upper(row.bounds.upper);
    }
    lower_threshold();
  }
}

void CandidateSearch::note_upper(double upper) {
  if (k_ == 0 || !(upper < kInfinity)) return;
  if (uppers_.size() < k_) {
    uppers_.push_back(upper);
    std::push_heap(uppers_.begin(), uppers_.end());
  } else if (upper < uppers_.front()) {
    std::pop_heap(uppers_.begin(), uppers_.end());
    uppers_.back() = upper;
    std::push_heap(uppers_.begin(), uppers_.end());
  }
}

void CandidateSearch::lower_threshold() {
  if (k_ == 0 || uppers_.size() < k_) return;
  query_.set_threshold(std::min(query_.threshold(), distance_.widened(uppers_.front())));
}

std::vector<Candidate> CandidateSearch::take_sorted() && {
  const double threshold = query_.threshold();
  std::erase_if(candidates_, [&](const Candidate& c) { return c.lower > threshold; });
  std::sort(candidates_.begin(), candidates_.end(), [](const Candidate& a, const Candidate& b) {
    return a.lower != b.lower ? a.lower < b.lower : a.slot < b.slot;
  });
  return std::move(candidates_);
}

}  // namespace loci::index

// SPDX-License-Identifier: Apache-2.0
//
// Exact search that reads one byte per component.
//
// The idea. A row's 8-bit code and its stored error bound an interval [lower, upper] around its
// distance (quant/u8_codec.cc has the proof). The k-th smallest `upper` seen so far is a distance
// that k rows are within, so a row whose `lower` is above it is not among the nearest k, and need
// never be looked at again. What is left, some tens of rows out of any number, is compared by full
// vector in double, nearest lower bound first, until the next lower bound is above the k-th true
// distance. The answer is that of comparing every row in double; the memory read is a quarter.
//
// Why bounds first and full vectors last, not each candidate at once: the threshold then falls to
// its final value before the first full vector is fetched, and a full vector costs a miss of the
// caches and the bounds of a row do not. On notes384 (54,821 x 384, cosine, 1,000 queries) 13 full
// vectors are read on average for k = 10 and 130 for k = 100.
//
// The steps:
//   1. Per block of 1,024 rows, integer dot products of the allowed rows, by one kernel. Where few
//      rows of 64 are allowed each is computed alone: a narrow filter reads only its rows.
//   2. A vector test drops rows that are surely too far (U8Query::select). The first block is
//      taken in runs of 64, 64, 128, 256, 512, so that a threshold is there before most of it.
//   3. Rows left get exact bounds; uppers go into a heap of k, which lowers the threshold.
//   4. After the last block: candidates still below the threshold are ranked by lower bound and
//      re-ranked by full vector, the next vectors being fetched meanwhile.
// Hamming codes are the vectors: step 1 gives the distance. A custom metric sees every row.
//
// Invariants: (1) the threshold, widened for rounding, is never below the k-th true distance or
// (with fewer than k rows seen) max_distance; (2) tests against it keep equality, so that rows at
// the k-th distance compete by rowid; (3) the order of results is that of the returned distances,
// not of reduced ones; (4) a bound that is not a number drops no row.
// Cost: rows * dim bytes read at memory speed, plus O(k log rows) bounds and full vectors.
// Source: the VA-file (Weber, Schek, Blott, VLDB 1998, section 4: two-phase search, "VA-NOA").
// Tested by image_test.cc, exact_scan_test.cc.
#include "index/exact_scan.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <utility>

#include "base/aligned.h"
#include "base/limits.h"
#include "base/strings.h"
#include "index/exact_distance.h"
#include "index/top_k.h"
#include "quant/u8_query.h"
#include "simd/dispatch.h"

namespace loci::index {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

struct Candidate {
  double lower = 0;
  size_t slot = 0;
};

// What a block's scan fills.
struct BlockScratch {
  alignas(64) std::array<int32_t, kBlockRows> raw{};
  alignas(64) std::array<uint32_t, kBlockRows + 16> positions{};
};

// Computes raw[i] of the allowed rows of a block; returns how many rows were computed.
size_t scan_block(const VectorColumn& column, const quant::U8Query& query, size_t begin,
                  size_t rows, const BlockMask* mask, BlockScratch& scratch) {
  const std::span<int32_t> raw = scratch.raw;
  if (mask == nullptr) {
    query.scan(column.rows(begin, rows), raw);
    return rows;
  }
  // The kernels take several rows at a time, so rows alone cost more each; from half of 64 on,
  // taking all is cheaper.
  constexpr int kDense = 32;
  size_t scanned = 0;
  for (size_t w = 0; w * 64 < rows; ++w) {
    uint64_t word = mask->words[w];
    if (std::popcount(word) >= kDense) {
      const size_t count = std::min<size_t>(64, rows - w * 64);
      query.scan(column.rows(begin + w * 64, count), raw.subspan(w * 64, count));
      scanned += count;
      continue;
    }
    for (; word != 0; word &= word - 1) {
      const size_t at = w * 64 + static_cast<size_t>(std::countr_zero(word));
      query.scan(column.rows(begin + at, 1), raw.subspan(at, 1));
      ++scanned;
    }
  }
  return scanned;
}

// `body(begin, rows, mask)` for every block that has an allowed row; mask null: all of them.
template <typename Body>
void for_blocks(const AllowedRows& allowed, const Body& body) {
  for (size_t block = 0; block < block_count(allowed.slots); ++block) {
    const BlockMask* mask = allowed.all ? nullptr : &allowed.blocks[block];
    if (mask != nullptr && mask->none()) continue;
    body(block * kBlockRows, rows_in_block(block, allowed.slots), mask);
  }
}

// Steps 2 and 3: candidates, and the threshold that upper bounds give.
class Collector {
 public:
  Collector(const VectorColumn& column, quant::U8Query& query, const ExactDistance& distance,
            size_t k)
      : column_(column), query_(query), distance_(distance), k_(k) {
    candidates_.reserve(512);
  }

  void collect(size_t begin, size_t rows, const BlockMask* mask, BlockScratch& scratch) {
    for (size_t at = 0; at < rows;) {
      // Runs start at multiples of 64: the mask is given by words.
      size_t count = rows - at;
      if (seen_ < kBlockRows) count = std::min(count, std::max<size_t>(64, std::bit_floor(seen_)));
      collect_run(begin, at, count, mask, scratch);
      at += count;
      seen_ += count;
    }
  }

  // Candidates that may still be among the nearest, ascending by lower bound.
  std::vector<Candidate> take_sorted() && {
    const double threshold = query_.threshold();
    std::erase_if(candidates_, [&](const Candidate& c) { return c.lower > threshold; });
    std::sort(candidates_.begin(), candidates_.end(), [](const Candidate& a, const Candidate& b) {
      return a.lower != b.lower ? a.lower < b.lower : a.slot < b.slot;
    });
    return std::move(candidates_);
  }

 private:
  void collect_run(size_t begin, size_t at, size_t count, const BlockMask* mask,
                   BlockScratch& scratch) {
    quant::RowBlock block = column_.rows(begin + at, count);
    if (mask != nullptr) block.allowed = mask->words.data() + at / 64;
    const std::span<const int32_t> raw = std::span(scratch.raw).subspan(at, count);
    const size_t left = query_.select(block, raw, scratch.positions);
    for (size_t i = 0; i < left; ++i) {
      const size_t row = scratch.positions[i];
      const quant::Bounds bounds = query_.bounds({.lo = block.lo[row],
                                                  .step = block.step[row],
                                                  .err = block.err[row],
                                                  .aux = block.aux[row],
                                                  .delta = block.delta[row]},
                                                 raw[row]);
      if (bounds.lower > query_.threshold()) continue;
      candidates_.push_back({.lower = std::isnan(bounds.lower) ? -kInfinity : bounds.lower,
                             .slot = begin + at + row});
      if (k_ != 0 && bounds.upper < kInfinity) note_upper(bounds.upper);
    }
    if (k_ != 0 && uppers_.size() == k_) {
      query_.set_threshold(std::min(query_.threshold(), distance_.widened(uppers_.front())));
    }
  }

  // uppers_: a max-heap of the k smallest.
  void note_upper(double upper) {
    if (uppers_.size() < k_) {
      uppers_.push_back(upper);
      std::push_heap(uppers_.begin(), uppers_.end());
    } else if (upper < uppers_.front()) {
      std::pop_heap(uppers_.begin(), uppers_.end());
      uppers_.back() = upper;
      std::push_heap(uppers_.begin(), uppers_.end());
    }
  }

  const VectorColumn& column_;  // these three must outlive this
  quant::U8Query& query_;
  const ExactDistance& distance_;
  size_t k_;
  size_t seen_ = 0;
  std::vector<Candidate> candidates_;
  std::vector<double> uppers_;
};

void prefetch_vector(const VectorColumn& column, size_t slot) noexcept {
  const auto* bytes = reinterpret_cast<const char*>(column.vector(slot));
  for (size_t at = 0; at < column.dim() * sizeof(float); at += 64) __builtin_prefetch(bytes + at);
}

// Step 4.
void rerank(const VectorColumn& column, const ExactDistance& distance,
            std::span<const Candidate> candidates, std::span<const RowId> rowids, TopK& best,
            ScanOutcome& outcome) {
  constexpr size_t kAhead = 2;  // vectors on their way while one is compared
  for (size_t i = 0; i < std::min(kAhead, candidates.size()); ++i) {
    prefetch_vector(column, candidates[i].slot);
  }
  double limit = distance.reduced_limit(best.limit());
  for (size_t i = 0; i < candidates.size(); ++i) {
    if (candidates[i].lower > limit) break;
    if (i + kAhead < candidates.size()) prefetch_vector(column, candidates[i + kAhead].slot);
    const size_t slot = candidates[i].slot;
    best.offer({.rowid = rowids[slot], .distance = distance(slot)});
    limit = distance.reduced_limit(best.limit());
    ++outcome.reranked;
  }
}

void scan_codes(const VectorColumn& column, const ScanQuery& query, const AllowedRows& allowed,
                quant::U8Query& coded, std::span<const RowId> rowids, TopK& best,
                ScanOutcome& outcome) {
  const ExactDistance distance(column, query.vector);
  coded.set_threshold(distance.reduced_limit(query.max_distance));
  Collector collector(column, coded, distance, query.k);
  BlockScratch scratch;
  for_blocks(allowed, [&](size_t begin, size_t rows, const BlockMask* mask) {
    outcome.scanned += scan_block(column, coded, begin, rows, mask, scratch);
    collector.collect(begin, rows, mask, scratch);
  });
  rerank(column, distance, std::move(collector).take_sorted(), rowids, best, outcome);
}

void scan_bits(const VectorColumn& column, const AllowedRows& allowed, const quant::U8Query& coded,
               std::span<const RowId> rowids, TopK& best, ScanOutcome& outcome) {
  BlockScratch scratch;
  for_blocks(allowed, [&](size_t begin, size_t rows, const BlockMask* mask) {
    outcome.scanned += scan_block(column, coded, begin, rows, mask, scratch);
    for (size_t at = 0; at < rows; ++at) {
      if (mask != nullptr && !mask->test(at)) continue;
      const double distance = scratch.raw[at];
      if (best.rejects(distance)) continue;
      best.offer({.rowid = rowids[begin + at], .distance = distance});
    }
  });
}

Status scan_custom(const VectorColumn& column, const ScanQuery& query, const AllowedRows& allowed,
                   std::span<const RowId> rowids, TopK& best, ScanOutcome& outcome) {
  Status status;
  for_blocks(allowed, [&](size_t begin, size_t rows, const BlockMask* mask) {
    for (size_t at = 0; at < rows && status.ok(); ++at) {
      if (mask != nullptr && !mask->test(at)) continue;
      const size_t slot = begin + at;
      const double distance =
          column.layout().custom(query.vector, VectorView(column.vector(slot), column.dim()));
      ++outcome.reranked;
      if (std::isnan(distance)) {
        status = Status::failed_precondition(base::str_cat(
            "custom metric: not a number for row ", to_int(rowids[slot]), ", expected a distance"));
        return;
      }
      best.offer({.rowid = rowids[slot], .distance = distance});
    }
  });
  return status;
}

}  // namespace

Status validate_query(const VectorColumn& column, const ScanQuery& query) {
  const ColumnLayout& layout = column.layout();
  if (query.vector.size() != layout.dim) {
    return Status::invalid_argument(
        base::str_cat("query of dim ", query.vector.size(), ", expected ", layout.dim));
  }
  if (!std::all_of(query.vector.begin(), query.vector.end(),
                   [](float x) { return std::isfinite(x); })) {
    return Status::invalid_argument("query with a component that is not finite");
  }
  const bool directional = layout.metric == Metric::kCosine || layout.metric == Metric::kAngular;
  if (directional &&
      std::all_of(query.vector.begin(), query.vector.end(), [](float x) { return x == 0.0F; })) {
    return Status::invalid_argument(base::str_cat("query is the zero vector, which has no ",
                                                  metric_name(layout.metric), " distance"));
  }
  if (std::isnan(query.max_distance)) {
    return Status::invalid_argument("max_distance is not a number");
  }
  if (query.k == 0 && !std::isfinite(query.max_distance)) {
    return Status::invalid_argument("k is 0 and max_distance is not finite: give one of them");
  }
  if (query.k > base::kMaxK) {
    return Status::invalid_argument(base::str_cat("k ", query.k, ", at most ", base::kMaxK));
  }
  if (layout.metric == Metric::kCustom && !layout.custom) {
    return Status::failed_precondition("the custom metric of the column is not registered");
  }
  return {};
}

Status exact_scan(const VectorColumn& column, const ScanQuery& query, const AllowedRows& allowed,
                  std::span<const RowId> rowids, ScanOutcome& outcome) {
  if (allowed.count == 0) return {};
  TopK best(query.k, query.max_distance);
  if (column.layout().metric == Metric::kCustom) {
    LOCI_RETURN_IF_ERROR(scan_custom(column, query, allowed, rowids, best, outcome));
  } else {
    LOCI_ASSIGN_OR_RETURN(quant::U8Query coded,
                          quant::U8Query::create(*column.codec(), query.vector, simd::kernels()));
    if (column.layout().metric == Metric::kHamming) {
      scan_bits(column, allowed, coded, rowids, best, outcome);
    } else {
      scan_codes(column, query, allowed, coded, rowids, best, outcome);
    }
  }
  outcome.neighbors = std::move(best).take_sorted();
  return {};
}

}  // namespace loci::index

// SPDX-License-Identifier: Apache-2.0
//
// Exact search that reads half a byte per component, and a little more.
//
// The idea. A row's code and its stored error bound an interval [lower, upper] around its distance
// (quant/u8_codec.cc has the proof). The k-th smallest `upper` seen so far is a distance that k
// rows are within, so a row whose `lower` is above it is not among the nearest k, and need never be
// looked at again. Codes come in two resolutions: the upper 4 bits of each component in a plane of
// their own, which is scanned whole, and the lower 4 bits, read for the rows that the upper ones
// leave. What 8 bits leave, some tens of rows out of any number, is compared by full vector in
// double, nearest lower bound first, until the next lower bound is above the k-th true distance.
// The answer is that of comparing every row in double; the memory read is an eighth.
//
// Why bounds first and full vectors last, not each candidate at once: the threshold then falls to
// its final value before the first full vector is fetched, and a full vector costs a miss of the
// caches and the bounds of a row do not. On notes384 (54,821 x 384, cosine, 1,000 queries) 11 full
// vectors are read on average for k = 10 and 113 for k = 100.
//
// The steps, 1 to 3 in candidates.cc:
//   1. Per group of 8 blocks of 1,024 rows, integer dot products of the upper halves of the allowed
//      rows, by one kernel. Where few rows of 64 are allowed each is computed alone: a narrow
//      filter reads only its rows. In the first group the rows that look nearest give a threshold.
//   2. A vector test drops rows that are surely too far (U8Query::select).
//   3. Rows left are compared by both planes (U8Query::refine): another vector test, then exact
//      bounds; uppers go into a heap of k, which lowers the threshold.
//   4. After the last block: candidates still below the threshold are ranked by lower bound and
//      re-ranked by full vector, the next vectors being fetched meanwhile.
// Where a filter leaves few rows in all, step 3 takes them without 1 and 2. l1 has one plane, of 8
// bits, and step 3 only computes bounds. Hamming codes are the vectors:
// step 1 gives the distance. A custom metric sees every row.
//
// Invariants: (1) the threshold, widened for rounding, is never below the k-th true distance or
// (with fewer than k rows seen) max_distance; (2) tests against it keep equality, so that rows at
// the k-th distance compete by rowid; (3) the order of results is that of the returned distances,
// not of reduced ones; (4) a bound that is not a number drops no row.
// Cost: rows * dim / 2 bytes read at memory speed, plus dim bytes for each row that the coarse
// codes leave, plus O(k log rows) bounds and full vectors. Source: the VA-file (Weber, Schek,
// Blott, VLDB 1998, section 4: two-phase search, "VA-NOA"). Tested by image_test.cc,
// exact_scan_test.cc.
#include "index/exact_scan.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "base/limits.h"
#include "base/strings.h"
#include "index/candidates.h"
#include "index/exact_distance.h"
#include "index/top_k.h"
#include "quant/u8_query.h"
#include "simd/dispatch.h"

namespace loci::index {

namespace {

// `body(block)` for every block that has an allowed row.
template <typename Body>
void for_blocks(const AllowedRows& allowed, const Body& body) {
  for (size_t block = 0; block < block_count(allowed.slots); ++block) {
    const BlockMask* mask = allowed.all ? nullptr : &allowed.blocks[block];
    if (mask != nullptr && mask->none()) continue;
    body(BlockRows{block * kBlockRows, rows_in_block(block, allowed.slots), mask});
  }
}

void prefetch_vector(const VectorColumn& column, size_t slot) noexcept {
  const auto* bytes = reinterpret_cast<const char*>(column.vector(slot));
  for (size_t at = 0; at < column.dim() * sizeof(float); at += 64) __builtin_prefetch(bytes + at);
}

// Step 4.
Status rerank(const VectorColumn& column, const ExactDistance& distance,
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
    LOCI_RETURN_IF_ERROR(column.verify_vector(slot));
    best.offer({.rowid = rowids[slot], .distance = distance(slot)});
    limit = distance.reduced_limit(best.limit());
    ++outcome.reranked;
  }
  return {};
}

Status scan_codes(const VectorColumn& column, const ScanQuery& query, const AllowedRows& allowed,
                  quant::U8Query& coded, std::span<const RowId> rowids, TopK& best,
                  ScanOutcome& outcome) {
  const ExactDistance distance(column, query.vector);
  coded.set_threshold(distance.reduced_limit(query.max_distance));
  CandidateSearch candidates(column, coded, distance, allowed, query.k);
  outcome.scanned += candidates.run();
  return rerank(column, distance, std::move(candidates).take_sorted(), rowids, best, outcome);
}

void scan_bits(const VectorColumn& column, const AllowedRows& allowed, const quant::U8Query& coded,
               std::span<const RowId> rowids, TopK& best, ScanOutcome& outcome) {
  std::array<int32_t, kBlockRows> raw{};
  for_blocks(allowed, [&](const BlockRows& block) {
    outcome.scanned += scan_block(column, coded, block, raw);
    for (size_t at = 0; at < block.count; ++at) {
      if (block.mask != nullptr && !block.mask->test(at)) continue;
      const double distance = raw[at];
      if (best.rejects(distance)) continue;
      best.offer({.rowid = rowids[block.begin + at], .distance = distance});
    }
  });
}

Status scan_custom(const VectorColumn& column, const ScanQuery& query, const AllowedRows& allowed,
                   std::span<const RowId> rowids, TopK& best, ScanOutcome& outcome) {
  Status status;
  for_blocks(allowed, [&](const BlockRows& block) {
    for (size_t at = 0; at < block.count && status.ok(); ++at) {
      if (block.mask != nullptr && !block.mask->test(at)) continue;
      const size_t slot = block.begin + at;
      status = column.verify_vector(slot);
      if (!status.ok()) return;
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
  // Squares of floats are finite in double, so the sum is as long as all of them are.
  const double norm2 =
      simd::kernels().dot_f32(query.vector.data(), query.vector.data(), query.vector.size());
  if (!std::isfinite(norm2)) {
    return Status::invalid_argument("query with a component that is not finite");
  }
  const bool directional = layout.metric == Metric::kCosine || layout.metric == Metric::kAngular;
  if (directional && norm2 == 0) {
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
  LOCI_RETURN_IF_ERROR(column.verify_codes());
  TopK best(query.k, query.max_distance);
  if (column.layout().metric == Metric::kCustom) {
    LOCI_RETURN_IF_ERROR(scan_custom(column, query, allowed, rowids, best, outcome));
  } else {
    LOCI_ASSIGN_OR_RETURN(quant::U8Query coded,
                          quant::U8Query::create(*column.codec(), query.vector, simd::kernels()));
    if (column.layout().metric == Metric::kHamming) {
      scan_bits(column, allowed, coded, rowids, best, outcome);
    } else {
      LOCI_RETURN_IF_ERROR(scan_codes(column, query, allowed, coded, rowids, best, outcome));
    }
  }
  outcome.neighbors = std::move(best).take_sorted();
  return {};
}

}  // namespace loci::index

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "index/image.h"
#include "store/rows.h"

namespace loci::query {

/// Words of a user as an FTS5 query that cannot be a syntax error: each word quoted, joined by OR.
/// The commonest English words ("the", "what") are left out unless there are no others; at most 64
/// words. Empty when the text holds no word.
std::string fts_query(std::string_view text);

/// A row seen by one or both arms.
struct FusedHit {
  RowId rowid = kNoRow;
  std::optional<double> distance;
  std::optional<double> bm25;
  double score = 0;
};

/// How many results each arm contributes to a fusion for `k`: max(100, 4 * k).
[[nodiscard]] size_t fusion_depth(size_t k) noexcept;

/// Reciprocal rank fusion: score = sum over arms of 1 / (60 + rank), ranks from 1; an arm that did
/// not return the row within its depth adds nothing. Best first, ties by rowid; at most k (0: all).
/// Source: Cormack, Clarke, Buettcher, SIGIR 2009.
std::vector<FusedHit> fuse_rrf(std::span<const Neighbor> vector_arm,
                               std::span<const store::TextHit> text_arm, size_t k);

}  // namespace loci::query

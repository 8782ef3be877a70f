// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "index/bits.h"
#include "index/columns.h"
#include "index/image.h"

namespace loci::index {

/// The rows a search may return, by block.
struct AllowedRows {
  size_t slots = 0;               ///< slots in use
  size_t count = 0;               ///< rows allowed
  bool all = false;               ///< every slot; `blocks` is then empty
  std::vector<BlockMask> blocks;  ///< bits past the last slot are zero
};

/// Checks a query against a column. Errors: as Image::search.
Status validate_query(const VectorColumn& column, const ScanQuery& query);

/// The true nearest of the allowed rows, into outcome.neighbors, .scanned and .reranked. Every
/// allowed row has a vector in `column`; `rowids` is by slot. `query` has been validated.
Status exact_scan(const VectorColumn& column, const ScanQuery& query, const AllowedRows& allowed,
                  std::span<const RowId> rowids, ScanOutcome& outcome);

}  // namespace loci::index

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "index/graph.h"

namespace loci::index {

class Workers;

/// Rows that are held out of a graph in the making, so that it can be asked for their neighbours.
inline constexpr size_t kHeldOutRows = 300;

/// What share of the nearest 10 linked rows the graph finds, by ef, for queries of the data's own
/// kind: the vectors of `held_out`, which are not linked. Ascending by ef, up to nearly all.
/// Errors: kCorruption, kOutOfMemory (may also throw std::bad_alloc).
Result<std::vector<GraphRecall>> measure_recall(const VectorColumn& column, const Graph& graph,
                                                std::span<const uint32_t> held_out,
                                                Workers* workers);

/// The ef that finds the share `asked` of the nearest k, by what was measured; 0 when none was
/// seen to.
[[nodiscard]] size_t ef_for(std::span<const GraphRecall> measured, double asked, size_t k) noexcept;

}  // namespace loci::index

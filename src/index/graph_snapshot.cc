// SPDX-License-Identifier: Apache-2.0
#include "index/graph.h"
namespace loci::index {
Status Graph::save(uint32_t, SnapshotWriter&) const { return {}; }
Result<std::optional<Graph>> Graph::load(const VectorColumn&, uint32_t, SnapshotFile&, size_t) {
  return std::optional<Graph>();
}
}  // namespace loci::index

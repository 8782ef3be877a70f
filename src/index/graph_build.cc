// SPDX-License-Identifier: Apache-2.0
#include "index/graph_build.h"

#include "base/limits.h"
#include "base/strings.h"

namespace loci::index {

namespace {

Status check_between(std::string_view name, size_t value, size_t least, size_t most) {
  if (value >= least && value <= most) return {};
  return Status::invalid_argument(
      base::str_cat(name, " ", value, ", allowed ", least, " to ", most));
}

}  // namespace

Status check_graph_options(const GraphOptions& options) {
  LOCI_RETURN_IF_ERROR(check_between("m", options.m, base::kMinGraphM, base::kMaxGraphM));
  LOCI_RETURN_IF_ERROR(check_between("ef_construction", options.ef_construction,
                                     base::kMinEfConstruction, base::kMaxEfConstruction));
  return check_between("threads", options.threads, 1, base::kMaxGraphThreads);
}

}  // namespace loci::index

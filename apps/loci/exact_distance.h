// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "loci/types.h"

namespace loci::cli {

/// The distance by its definition, in double: what `eval` judges by, computed apart from the
/// library. kCustom is not known here and is NaN.
double exact_distance(Metric metric, VectorView a, VectorView b);

}  // namespace loci::cli

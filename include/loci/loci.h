// SPDX-License-Identifier: Apache-2.0
//
// The umbrella header of Loci: text and vectors in one SQLite file, searched together.
#pragma once

#include "loci/collection.h"  // IWYU pragma: export
#include "loci/database.h"    // IWYU pragma: export
#include "loci/embedder.h"    // IWYU pragma: export
#include "loci/status.h"      // IWYU pragma: export
#include "loci/types.h"       // IWYU pragma: export

// SPDX-License-Identifier: Apache-2.0
#include "loci/database.h"

#ifndef LOCI_VERSION
#define LOCI_VERSION "0.1.0"  // the build passes the project's version
#endif

namespace loci {

std::string_view version() noexcept { return LOCI_VERSION; }

}  // namespace loci

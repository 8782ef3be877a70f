// SPDX-License-Identifier: Apache-2.0
#include "base/env.h"

#include <cstdlib>

namespace loci::base {

std::optional<std::string> env(const char* name) {
  const char* const value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): we never setenv
  if (value == nullptr) return std::nullopt;
  return std::string(value);
}

}  // namespace loci::base

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

namespace loci::base {

/// The environment variable `name`; nullopt when it is not set. The only reader of the environment.
[[nodiscard]] std::optional<std::string> env(const char* name);

}  // namespace loci::base

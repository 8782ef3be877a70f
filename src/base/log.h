// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "loci/database.h"  // LogLevel, set_log_hook

namespace loci::base {

/// Hands a message to the hook that set_log_hook gave; drops it when there is none. Thread-safe.
void log(LogLevel level, std::string_view message);
/// Whether anybody listens: worth asking before building a costly message.
[[nodiscard]] bool log_enabled() noexcept;

}  // namespace loci::base

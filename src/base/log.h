// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "base/c_edge.h"
#include "base/strings.h"
#include "loci/database.h"  // LogLevel, set_log_hook

namespace loci::base {

/// Hands a message to the hook that set_log_hook gave; drops it when there is none. Thread-safe.
void log(LogLevel level, std::string_view message);
/// Hands on str_cat(parts...), for those who must not fail for it: without memory for the words
/// they are dropped.
template <typename... Parts>
void log_quietly(LogLevel level, const Parts&... parts) noexcept {
  const auto tell = [&]() -> Status {
    log(level, str_cat(parts...));
    return {};
  };
  guarded(tell).ignore();
}
/// Whether anybody listens: worth asking before building a costly message.
[[nodiscard]] bool log_enabled() noexcept;

}  // namespace loci::base

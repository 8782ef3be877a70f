// SPDX-License-Identifier: Apache-2.0
#include "log.h"

#include <array>
#include <cstdlib>
#include <string>
#include <string_view>

#include "loci/database.h"
#include "output/terminal.h"

namespace loci::cli {

Status install_log() {
  static constexpr std::array<std::string_view, 4> kLevels = {"error", "warning", "info", "debug"};
  const char* asked = std::getenv("LOCI_LOG");
  if (asked == nullptr || *asked == '\0') return {};
  size_t most = 0;
  while (most < kLevels.size() && kLevels[most] != asked) ++most;
  if (most == kLevels.size()) {
    return Status::invalid_argument("LOCI_LOG: '" + std::string(asked) +
                                    "', allowed error, warning, info, debug");
  }
  set_log_hook([most](LogLevel level, std::string_view message) {
    const auto index = static_cast<size_t>(level);
    if (index > most) return;
    std::string line = "loci: ";
    line += kLevels[index];
    line += ": ";
    line += message;
    line += '\n';
    put_error(line);
  });
  return {};
}

}  // namespace loci::cli

// SPDX-License-Identifier: Apache-2.0
#include "progress.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <utility>

#include "output/terminal.h"

namespace loci::cli {
namespace {

constexpr double kTerminalEverySeconds = 0.1;
constexpr double kPlainEverySeconds = 5.0;

std::string duration_text(double seconds) {
  const auto total = static_cast<int64_t>(std::clamp(seconds, 0.0, 1e9) + 0.5);
  std::array<char, 32> text;
  if (total >= 3600) {
    std::snprintf(text.data(), text.size(), "%lldh%02lldm", static_cast<long long>(total / 3600),
                  static_cast<long long>(total / 60 % 60));
  } else {
    std::snprintf(text.data(), text.size(), "%lldm%02llds", static_cast<long long>(total / 60),
                  static_cast<long long>(total % 60));
  }
  return text.data();
}

}  // namespace

Progress::Progress(std::string what, bool forced)
    : what_(std::move(what)), terminal_(stderr_is_terminal()), active_(terminal_ || forced) {}

Progress::~Progress() {
  if (terminal_ && shown_) std::fputs("\r\033[K", stderr);
}

void Progress::update(int64_t items, double fraction) {
  if (!active_) return;
  const Clock::time_point now = Clock::now();
  const double since = std::chrono::duration<double>(now - last_).count();
  if (since < (terminal_ ? kTerminalEverySeconds : kPlainEverySeconds)) return;
  last_ = now;
  show(items, fraction, std::chrono::duration<double>(now - start_).count());
}

void Progress::show(int64_t items, double fraction, double seconds) {
  shown_ = true;
  std::string line = what_ + ": " + std::to_string(items) + " rows";
  std::array<char, 96> text;
  if (fraction >= 0) {
    std::snprintf(text.data(), text.size(), ", %.0f %%", std::min(fraction, 1.0) * 100);
    line += text.data();
  }
  if (seconds > 0) {
    std::snprintf(text.data(), text.size(), ", %.0f rows/s", static_cast<double>(items) / seconds);
    line += text.data();
  }
  if (fraction > 0.001) {
    line += ", ETA " + duration_text(seconds * (1 - std::min(fraction, 1.0)) / fraction);
  }
  if (terminal_) {
    line = "\r" + fit(line, terminal_width() - 1) + "\033[K";
  } else {
    line += '\n';
  }
  std::fputs(line.c_str(), stderr);
  std::fflush(stderr);
}

}  // namespace loci::cli

// SPDX-License-Identifier: Apache-2.0
#include "progress.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "output/terminal.h"

namespace loci::cli {
namespace {

constexpr double kTerminalEverySeconds = 0.1;
constexpr double kPlainEverySeconds = 5.0;

std::string two_digits(int64_t value) { return (value < 10 ? "0" : "") + std::to_string(value); }

std::string duration_text(double seconds) {
  const int64_t total = std::llround(std::clamp(seconds, 0.0, 1e9));
  if (total >= 3600) return std::to_string(total / 3600) + "h" + two_digits(total / 60 % 60) + "m";
  return std::to_string(total / 60) + "m" + two_digits(total % 60) + "s";
}

}  // namespace

Progress::Progress(std::string what, bool forced)
    : what_(std::move(what)),
      terminal_(stderr_is_terminal()),
      active_(terminal_ || forced),
      at_once_(forced) {}

Progress::~Progress() {
  if (terminal_ && shown_) put_error("\r\033[K");
}

void Progress::update(int64_t items, double fraction) {
  if (!active_) return;
  const Clock::time_point now = Clock::now();
  const double since = std::chrono::duration<double>(now - last_).count();
  if (!at_once_ && since < (terminal_ ? kTerminalEverySeconds : kPlainEverySeconds)) return;
  at_once_ = false;
  last_ = now;
  show(items, fraction, std::chrono::duration<double>(now - start_).count());
}

void Progress::show(int64_t items, double fraction, double seconds) {
  shown_ = true;
  std::string line = what_ + ": " + std::to_string(items) + " rows";
  if (fraction >= 0) line += ", " + decimal(std::min(fraction, 1.0) * 100, 0) + " %";
  if (seconds > 0) line += ", " + decimal(static_cast<double>(items) / seconds, 0) + " rows/s";
  if (fraction > 0.001) {
    line += ", ETA " + duration_text(seconds * (1 - std::min(fraction, 1.0)) / fraction);
  }
  if (terminal_) {
    line = "\r" + fit(line, terminal_width() - 1) + "\033[K";
  } else {
    line += '\n';
  }
  put_error(line);
}

}  // namespace loci::cli

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace loci::cli {

/// One line on standard error that says how far a long command is, how fast it goes and when it
/// will be done. Silent unless standard error is a terminal or --progress was given.
class Progress {
 public:
  /// forced  --progress: from the first row on; plain lines every few seconds without a terminal
  Progress(std::string what, bool forced);
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress();

  /// items     rows done so far, for the rate
  /// fraction  share of the work in [0, 1]; negative: not known
  void update(int64_t items, double fraction);

 private:
  void show(int64_t items, double fraction, double seconds);

  using Clock = std::chrono::steady_clock;
  std::string what_;
  bool terminal_;
  bool active_;
  bool at_once_;  // the next update is shown however soon it comes
  bool shown_ = false;
  Clock::time_point start_ = Clock::now();
  Clock::time_point last_ = start_;
};

}  // namespace loci::cli

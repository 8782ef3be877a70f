// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <string>
#include <vector>

namespace loci::testing {

/// A program that runs beside the test. What it has written to its standard output stays readable
/// after it was killed: a pipe outlives its writer. Killed and waited for when destroyed.
class Child {
 public:
  using Clock = std::chrono::steady_clock;

  explicit Child(const std::vector<std::string>& argv);
  Child(Child&& other) noexcept;
  Child& operator=(Child&&) = delete;
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child();

  /// Reads until `wanted` is true of a new line (true), or the time is over or the output ended.
  bool read_until(Clock::time_point deadline,
                  const std::function<bool(const std::string&)>& wanted);
  /// Reads on until then, or until the output ends.
  void read_for(Clock::duration time);
  /// Every line so far. A last line without its newline is not one.
  [[nodiscard]] const std::vector<std::string>& lines() const { return lines_; }

  void send(int signal) const;
  /// SIGKILL; then the rest of what it wrote is read.
  void kill();
  /// Reads to the end of the output. Returns the exit code, or 128 + the signal that ended it.
  int wait();

 private:
  void reap();
  bool fill(Clock::time_point deadline);

  pid_t pid_ = -1;
  int out_ = -1;
  int exit_code_ = -1;
  bool ended_ = false;
  std::string partial_;
  std::vector<std::string> lines_;
};

}  // namespace loci::testing

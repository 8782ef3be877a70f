// SPDX-License-Identifier: Apache-2.0
//
// Work that no caller waits for.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "loci/status.h"

namespace loci::db {

/// One thread that works off names, in the order asked for. It is started by the first.
///
/// Threads: ask() from any; stop() and abandon() from the one that ends it.
class Background {
 public:
  /// `work(name)` is called on the thread, one name at a time; it must not throw.
  explicit Background(std::function<void(const std::string&)> work);
  Background(const Background&) = delete;
  Background& operator=(const Background&) = delete;
  ~Background();  ///< stop()

  /// Has the thread work on `name`, once if it is asked for again before it begins.
  /// Errors: kInternal when there is no thread to be had, kFailedPrecondition after stop().
  Status ask(const std::string& name);
  /// Waits until what was asked for is done, and ends the thread.
  void stop() noexcept;
  /// In a child made by fork, where the thread is not: lets go of it and of its locks.
  void abandon() noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;  // null once abandoned
};

}  // namespace loci::db

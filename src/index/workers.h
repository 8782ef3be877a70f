// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <functional>
#include <memory>

#include "loci/status.h"

namespace loci::index {

/// Threads for the parts of one piece of work. They end with it: nothing of Loci has hidden
/// threads.
class Workers {
 public:
  /// The caller and `threads` - 1 more, fewer where the system does not give them.
  explicit Workers(size_t threads);
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;
  ~Workers();

  [[nodiscard]] size_t count() const noexcept;
  /// body(0) to body(parts - 1), in any order, by all threads; returns when all are done. The body
  /// must not throw.
  void run(size_t parts, const std::function<void(size_t)>& body);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace loci::index

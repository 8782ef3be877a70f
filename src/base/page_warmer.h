// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

namespace loci::base {

/// Has the system put pages under memory that will soon be written to, by a thread of its own: for
/// work that fills much new memory once. The thread begins with the first warm(), and ends with
/// this. Where there is none to be had, nothing happens.
///
/// Threads: one at a time.
class PageWarmer {
 public:
  PageWarmer() noexcept;
  PageWarmer(const PageWarmer&) = delete;
  PageWarmer& operator=(const PageWarmer&) = delete;
  ~PageWarmer();

  /// [data, data + bytes) may be written to, and freed, as if this had not been called: its content
  /// is never touched.
  void warm(uint8_t* data, size_t bytes) noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;  // null until the first warm(), and where no thread could begin
};

}  // namespace loci::base

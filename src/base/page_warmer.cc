// SPDX-License-Identifier: Apache-2.0
//
// Why. The first write to a page waits for the system to find it and to fill it with zeros: 15 ms
// for 128 MB that were in use a moment before, 190 to 320 ms in a virtual machine whose host has
// taken unused memory back (free page reporting), longer than to read and code as many vectors.
// Two threads have two pages brought at once.
//
// What is waiting when more comes is kept in order; a range that is written to before its turn
// costs a call. Tested by page_warmer_test.cc.
#include "base/page_warmer.h"

#include <algorithm>
#include <deque>
#include <span>
#include <thread>

#include "base/c_edge.h"
#include "base/mutex.h"
#include "base/os_system.h"

namespace loci::base {
namespace {

/// Asked for at once: after so much it looks whether it should stop.
constexpr size_t kStep = size_t{1} << 20;

}  // namespace

struct PageWarmer::Impl {
  Mutex mu;
  CondVar wake;
  std::deque<std::span<uint8_t>> ranges LOCI_GUARDED_BY(mu);
  bool stop LOCI_GUARDED_BY(mu) = false;
  std::thread thread;

  /// What is to be done next; empty: stop.
  std::span<uint8_t> next() {
    const MutexLock lock(mu);
    while (ranges.empty() && !stop) wake.wait(mu);
    if (stop) return {};
    std::span<uint8_t>& first = ranges.front();
    const std::span<uint8_t> step = first.first(std::min(first.size(), kStep));
    first = first.subspan(step.size());
    if (first.empty()) ranges.pop_front();
    return step;
  }
  void loop() {
    os_block_signals();
    for (std::span<uint8_t> step = next(); !step.empty(); step = next()) {
      if (!os_populate(step.data(), step.size())) return;  // nor will it any other
    }
  }
};

PageWarmer::PageWarmer() noexcept = default;

PageWarmer::~PageWarmer() {
  if (impl_ == nullptr) return;
  {
    const MutexLock lock(impl_->mu);
    impl_->stop = true;
  }
  impl_->wake.notify_one();
  impl_->thread.join();
}

void PageWarmer::warm(uint8_t* data, size_t bytes) noexcept {
  if (bytes == 0) return;
  guarded([&]() -> Status {
    if (impl_ == nullptr) {
      auto impl = std::make_unique<Impl>();
      impl->thread = std::thread([it = impl.get()] { it->loop(); });
      impl_ = std::move(impl);
    }
    {
      const MutexLock lock(impl_->mu);
      impl_->ranges.emplace_back(data, bytes);
    }
    impl_->wake.notify_one();
    return {};
  }).ignore();
}

}  // namespace loci::base

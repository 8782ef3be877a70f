// SPDX-License-Identifier: Apache-2.0
//
// Parts are handed out one by one by a counter, so that a thread that is held up holds up nobody.
// A thread without work looks for it some microseconds long before it sleeps: parts of graph
// building follow each other at once, and waking a thread takes as long as several of them. Tested
// by graph_test.cc, under the thread sanitizer too.
#include "index/workers.h"

#include <atomic>
#include <system_error>
#include <thread>
#include <vector>

#include "base/c_edge.h"
#include "base/mutex.h"

namespace loci::index {

struct Workers::Impl {
  base::Mutex mu;
  base::CondVar wake;
  const std::function<void(size_t)>* body LOCI_GUARDED_BY(mu) = nullptr;
  size_t parts LOCI_GUARDED_BY(mu) = 0;
  bool stop LOCI_GUARDED_BY(mu) = false;
  std::atomic<uint64_t> round{0};  ///< of run(), grows under mu
  std::atomic<size_t> next{0};
  std::atomic<size_t> busy{0};  ///< threads that have not finished the round
  std::vector<std::thread> threads;

  void take_parts(const std::function<void(size_t)>& work, size_t count) {
    for (size_t i = next.fetch_add(1); i < count; i = next.fetch_add(1)) work(i);
  }
  void loop();
};

void Workers::Impl::loop() {
  constexpr int kSpins = 4000;  // some tens of microseconds
  for (uint64_t done = 0;;) {
    for (int spin = 0; spin < kSpins && round.load() == done; ++spin) std::this_thread::yield();
    const std::function<void(size_t)>* work = nullptr;
    size_t count = 0;
    {
      const base::MutexLock lock(mu);
      while (round.load() == done && !stop) wake.wait(mu);
      if (stop) return;
      done = round.load();
      work = body;
      count = parts;
    }
    take_parts(*work, count);
    busy.fetch_sub(1);
  }
}

Workers::Workers(size_t threads) : impl_(std::make_unique<Impl>()) {
  Impl& impl = *impl_;
  // What the system does not give is done without: the caller alone is enough.
  [[maybe_unused]] const Status status = base::guarded([&]() -> Status {
    for (size_t i = 1; i < threads; ++i) impl.threads.emplace_back([&impl] { impl.loop(); });
    return {};
  });
}

Workers::~Workers() {
  {
    const base::MutexLock lock(impl_->mu);
    impl_->stop = true;
  }
  impl_->wake.notify_all();
  for (std::thread& thread : impl_->threads) thread.join();
}

size_t Workers::count() const noexcept { return impl_->threads.size() + 1; }

void Workers::run(size_t parts, const std::function<void(size_t)>& body) {
  Impl& impl = *impl_;
  {
    const base::MutexLock lock(impl.mu);
    impl.body = &body;
    impl.parts = parts;
    impl.next.store(0);
    impl.busy.store(impl.threads.size());
    impl.round.fetch_add(1);
  }
  impl.wake.notify_all();
  impl.take_parts(body, parts);
  while (impl.busy.load() != 0) std::this_thread::yield();
}

}  // namespace loci::index

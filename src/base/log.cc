// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"

#include <atomic>
#include <memory>
#include <utility>

#include "base/mutex.h"

namespace loci {
namespace {

/// The hook of the process. Shared, so that a message in flight keeps the hook it began with while
/// another thread replaces it; owners: this and each running log().
class HookHolder {
 public:
  void set(LogHook hook) {
    auto next = hook ? std::make_shared<const LogHook>(std::move(hook)) : nullptr;
    enabled_.store(next != nullptr, std::memory_order_release);
    const base::MutexLock lock(mu_);
    hook_ = std::move(next);
  }
  std::shared_ptr<const LogHook> get() {
    const base::MutexLock lock(mu_);
    return hook_;
  }
  [[nodiscard]] bool enabled() const noexcept { return enabled_.load(std::memory_order_acquire); }

 private:
  base::Mutex mu_;
  std::shared_ptr<const LogHook> hook_ LOCI_GUARDED_BY(mu_);
  std::atomic<bool> enabled_{false};
};

HookHolder& holder() {
  static HookHolder instance;
  return instance;
}

}  // namespace

void set_log_hook(LogHook hook) { holder().set(std::move(hook)); }

namespace base {

void log(LogLevel level, std::string_view message) {
  if (!log_enabled()) return;
  // The hook runs without the lock: it may log or replace itself.
  if (const auto hook = holder().get(); hook != nullptr) (*hook)(level, message);
}

bool log_enabled() noexcept { return holder().enabled(); }

}  // namespace base
}  // namespace loci

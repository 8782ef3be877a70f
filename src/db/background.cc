// SPDX-License-Identifier: Apache-2.0
#include "db/background.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>

#include "base/c_edge.h"
#include "base/os_system.h"

namespace loci::db {

/// All that the thread touches: a fork may find any of it in use.
struct Background::State {
  std::function<void(const std::string&)> work;
  std::mutex mu;  // std: condition_variable wants it
  std::condition_variable changed;
  std::deque<std::string> names;  // under mu
  bool stopping = false;          // under mu
  std::thread thread;             // started under mu, joined by stop()

  void run() noexcept {
    base::os_block_signals();
    std::unique_lock lock(mu);
    for (;;) {
      changed.wait(lock, [this] { return stopping || !names.empty(); });
      if (names.empty()) return;
      const std::string name = std::move(names.front());
      names.pop_front();
      lock.unlock();
      work(name);
      lock.lock();
    }
  }
};

Background::Background(std::function<void(const std::string&)> work)
    : state_(std::make_unique<State>()) {
  state_->work = std::move(work);
}

Background::~Background() { stop(); }

Status Background::ask(const std::string& name) {
  if (state_ == nullptr) return Status::failed_precondition("background: abandoned");
  {
    const std::lock_guard lock(state_->mu);
    if (state_->stopping) return Status::failed_precondition("background: stopped");
    std::deque<std::string>& names = state_->names;
    if (std::find(names.begin(), names.end(), name) != names.end()) return {};
    if (!state_->thread.joinable()) {
      LOCI_RETURN_IF_ERROR(base::guarded([&]() -> Status {
        state_->thread = std::thread([state = state_.get()] { state->run(); });
        return {};
      }));
    }
    names.push_back(name);
  }
  state_->changed.notify_one();
  return {};
}

void Background::stop() noexcept {
  if (state_ == nullptr) return;
  {
    const std::lock_guard lock(state_->mu);
    state_->stopping = true;
  }
  state_->changed.notify_one();
  if (state_->thread.joinable()) state_->thread.join();
}

void Background::abandon() noexcept {
  const State* const left = state_.release();
  static_cast<void>(left);
}

}  // namespace loci::db

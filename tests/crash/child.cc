// SPDX-License-Identifier: Apache-2.0
#include "crash/child.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <stdexcept>
#include <string>
#include <utility>

extern "C" char** environ;  // NOLINT(readability-identifier-naming): named by POSIX

namespace loci::testing {

Child::Child(const std::vector<std::string>& argv) {
  std::vector<std::string> copy = argv;
  std::vector<char*> pointers;
  pointers.reserve(copy.size() + 1);
  for (std::string& argument : copy) pointers.push_back(argument.data());
  pointers.push_back(nullptr);

  // Both ends close on exec: a sibling that kept the writing end would hold the output open.
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("pipe2");
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  const int spawned =
      ::posix_spawn(&pid_, pointers.front(), &actions, nullptr, pointers.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  ::close(ends[1]);
  out_ = ends[0];
  if (spawned != 0) throw std::runtime_error("cannot run " + argv.front());
}

Child::Child(Child&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      out_(std::exchange(other.out_, -1)),
      exit_code_(other.exit_code_),
      ended_(other.ended_),
      partial_(std::move(other.partial_)),
      lines_(std::move(other.lines_)) {}

Child::~Child() {
  if (pid_ > 0) {
    ::kill(pid_, SIGKILL);
    reap();
  }
  if (out_ >= 0) ::close(out_);
}

bool Child::fill(Clock::time_point deadline) {
  while (!ended_) {
    const auto left =
        std::chrono::duration_cast<std::chrono::nanoseconds>(deadline - Clock::now()).count();
    const timespec wait{.tv_sec = std::max<int64_t>(0, left) / 1'000'000'000,
                        .tv_nsec = std::max<int64_t>(0, left) % 1'000'000'000};
    pollfd poll_fd{.fd = out_, .events = POLLIN, .revents = 0};
    const int ready = ::ppoll(&poll_fd, 1, &wait, nullptr);
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return false;
    std::array<char, 4096> bytes{};
    const ssize_t got = ::read(out_, bytes.data(), bytes.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) {
      ended_ = true;
      return false;
    }
    partial_.append(bytes.data(), static_cast<size_t>(got));
    size_t begin = 0;
    for (size_t end = 0; (end = partial_.find('\n', begin)) != std::string::npos; begin = end + 1) {
      lines_.push_back(partial_.substr(begin, end - begin));
    }
    partial_.erase(0, begin);
    return true;
  }
  return false;
}

bool Child::read_until(Clock::time_point deadline,
                       const std::function<bool(const std::string&)>& wanted) {
  for (size_t seen = lines_.size(); fill(deadline);) {
    for (; seen < lines_.size(); ++seen) {
      if (wanted(lines_[seen])) return true;
    }
  }
  return false;
}

void Child::read_for(Clock::duration time) {
  const Clock::time_point deadline = Clock::now() + time;
  while (fill(deadline)) {
  }
}

void Child::send(int signal) const {
  if (pid_ > 0) ::kill(pid_, signal);
}

void Child::kill() {
  send(SIGKILL);
  wait();
}

int Child::wait() {
  while (!ended_) fill(Clock::now() + std::chrono::hours(1));
  reap();
  return exit_code_;
}

void Child::reap() {
  if (pid_ <= 0) return;
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  exit_code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  pid_ = -1;
}

}  // namespace loci::testing

// SPDX-License-Identifier: Apache-2.0
//
// Locks that clang's -Wthread-safety understands. Fields say LOCI_GUARDED_BY(mu_).
#pragma once

#include <condition_variable>
#include <mutex>
#include <shared_mutex>

#if defined(__clang__)
#define LOCI_THREAD_ANNOTATION_(x) __attribute__((x))
#else
#define LOCI_THREAD_ANNOTATION_(x)
#endif

#define LOCI_CAPABILITY(x) LOCI_THREAD_ANNOTATION_(capability(x))
#define LOCI_SCOPED_CAPABILITY LOCI_THREAD_ANNOTATION_(scoped_lockable)
#define LOCI_GUARDED_BY(x) LOCI_THREAD_ANNOTATION_(guarded_by(x))
#define LOCI_PT_GUARDED_BY(x) LOCI_THREAD_ANNOTATION_(pt_guarded_by(x))
#define LOCI_REQUIRES(...) LOCI_THREAD_ANNOTATION_(requires_capability(__VA_ARGS__))
#define LOCI_REQUIRES_SHARED(...) LOCI_THREAD_ANNOTATION_(requires_shared_capability(__VA_ARGS__))
#define LOCI_ACQUIRE(...) LOCI_THREAD_ANNOTATION_(acquire_capability(__VA_ARGS__))
#define LOCI_ACQUIRE_SHARED(...) LOCI_THREAD_ANNOTATION_(acquire_shared_capability(__VA_ARGS__))
#define LOCI_RELEASE(...) LOCI_THREAD_ANNOTATION_(release_capability(__VA_ARGS__))
#define LOCI_RELEASE_SHARED(...) LOCI_THREAD_ANNOTATION_(release_shared_capability(__VA_ARGS__))
#define LOCI_RELEASE_GENERIC(...) LOCI_THREAD_ANNOTATION_(release_generic_capability(__VA_ARGS__))
#define LOCI_TRY_ACQUIRE(...) LOCI_THREAD_ANNOTATION_(try_acquire_capability(__VA_ARGS__))
#define LOCI_EXCLUDES(...) LOCI_THREAD_ANNOTATION_(locks_excluded(__VA_ARGS__))
#define LOCI_NO_THREAD_SAFETY_ANALYSIS LOCI_THREAD_ANNOTATION_(no_thread_safety_analysis)

namespace loci::base {

class LOCI_CAPABILITY("mutex") Mutex {
 public:
  Mutex() = default;
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;
  void lock() LOCI_ACQUIRE() { mutex_.lock(); }
  void unlock() LOCI_RELEASE() { mutex_.unlock(); }
  [[nodiscard]] bool try_lock() LOCI_TRY_ACQUIRE(true) { return mutex_.try_lock(); }

 private:
  std::mutex mutex_;
};

class LOCI_SCOPED_CAPABILITY [[nodiscard]] MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) LOCI_ACQUIRE(mutex) : mutex_(mutex) { mutex_.lock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;
  ~MutexLock() LOCI_RELEASE() { mutex_.unlock(); }

 private:
  Mutex& mutex_;  // must outlive this
};

/// Many readers or one writer.
class LOCI_CAPABILITY("shared_mutex") SharedMutex {
 public:
  SharedMutex() = default;
  SharedMutex(const SharedMutex&) = delete;
  SharedMutex& operator=(const SharedMutex&) = delete;
  void lock() LOCI_ACQUIRE() { mutex_.lock(); }
  void unlock() LOCI_RELEASE() { mutex_.unlock(); }
  void lock_shared() LOCI_ACQUIRE_SHARED() { mutex_.lock_shared(); }
  void unlock_shared() LOCI_RELEASE_SHARED() { mutex_.unlock_shared(); }

 private:
  std::shared_mutex mutex_;
};

class LOCI_SCOPED_CAPABILITY [[nodiscard]] ReaderLock {
 public:
  explicit ReaderLock(SharedMutex& mutex) LOCI_ACQUIRE_SHARED(mutex) : mutex_(mutex) {
    mutex_.lock_shared();
  }
  ReaderLock(const ReaderLock&) = delete;
  ReaderLock& operator=(const ReaderLock&) = delete;
  ~ReaderLock() LOCI_RELEASE_GENERIC() { mutex_.unlock_shared(); }

 private:
  SharedMutex& mutex_;  // must outlive this
};

class LOCI_SCOPED_CAPABILITY [[nodiscard]] WriterLock {
 public:
  explicit WriterLock(SharedMutex& mutex) LOCI_ACQUIRE(mutex) : mutex_(mutex) { mutex_.lock(); }
  WriterLock(const WriterLock&) = delete;
  WriterLock& operator=(const WriterLock&) = delete;
  ~WriterLock() LOCI_RELEASE() { mutex_.unlock(); }

 private:
  SharedMutex& mutex_;  // must outlive this
};

/// Waits for a condition under a Mutex; spurious wake-ups happen, so wait in a loop.
class CondVar {
 public:
  void wait(Mutex& mutex) LOCI_REQUIRES(mutex) LOCI_NO_THREAD_SAFETY_ANALYSIS {
    condition_.wait(mutex);
  }
  void notify_one() noexcept { condition_.notify_one(); }
  void notify_all() noexcept { condition_.notify_all(); }

 private:
  std::condition_variable_any condition_;
};

}  // namespace loci::base

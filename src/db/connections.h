// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "db/freshness.h"
#include "loci/status.h"
#include "sqlite/connection.h"

namespace loci::db {

/// The connections of one open file: one writer, taken by one thread at a time and re-entrant for
/// that thread, and as many readers as threads read at once, kept for the next one.
/// A `:memory:` database has the writer only; readers then take their turn on it.
///
/// Threads: safe from any thread.
class Connections {
  struct Private {
    explicit Private() = default;
  };  // lets make_unique reach the constructor, and nobody else

 public:
  Connections(Private /*key*/, std::string path, const sqlite::OpenOptions& options);
  static Result<std::unique_ptr<Connections>> open(const std::string& path,
                                                   const sqlite::OpenOptions& options);

  /// A connection held for one operation; goes back when this is destroyed.
  class Lease {
   public:
    Lease(Lease&& other) noexcept;
    Lease& operator=(Lease&&) = delete;
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    ~Lease();
    [[nodiscard]] sqlite::Connection& connection() const noexcept { return *connection_; }
    /// The writer's connection, whose snapshot may hold uncommitted rows.
    [[nodiscard]] bool is_writer() const noexcept { return is_writer_; }

   private:
    friend class Connections;
    Lease(Connections* owner, std::unique_ptr<sqlite::Connection> reader);
    explicit Lease(Connections* owner);
    explicit Lease(sqlite::Connection& pinned);
    Connections* owner_;                          // must outlive this; null: nothing to give back
    std::unique_ptr<sqlite::Connection> reader_;  // null for the writer
    sqlite::Connection* connection_;
    bool is_writer_;
  };

  /// Leaves connections that came through a fork open: closing them would touch what is the
  /// parent's.
  ~Connections();
  Connections(const Connections&) = delete;
  Connections& operator=(const Connections&) = delete;
  /// Whether this process is a child of the one that opened the file: SQLite's connections must
  /// not be carried through a fork (https://sqlite.org/howtocorrupt.html, section 2.6).
  [[nodiscard]] bool forked() const noexcept;

  /// While one lives, reader() of its thread is one connection, and writer() is refused.
  class Pin {
   public:
    Pin(Pin&& other) noexcept
        : owner_(std::exchange(other.owner_, nullptr)), lease_(std::move(other.lease_)) {}
    Pin& operator=(Pin&&) = delete;
    Pin(const Pin&) = delete;
    Pin& operator=(const Pin&) = delete;
    ~Pin();
    [[nodiscard]] sqlite::Connection& connection() const noexcept { return lease_.connection(); }

   private:
    friend class Connections;
    Pin(Connections* owner, Lease lease) : owner_(owner), lease_(std::move(lease)) {}
    Connections* owner_;  // must outlive this
    Lease lease_;
  };
  /// What a pinned connection's snapshot is.
  struct Pinned {
    sqlite::Connection* connection = nullptr;  // of the Pin
    bool is_writer = false;                    ///< of `:memory:`
    std::optional<store::FileState> state;     ///< nullopt: not looked at yet
  };

  /// Errors of writer(), reader() and pin(): kFailedPrecondition in a forked child.
  /// Waits for other writing threads of this process up to the busy time-out (kBusy).
  /// kFailedPrecondition for a read-only database, and for a thread that has a Pin.
  Result<Lease> writer();
  /// A reader; the writer itself for the thread that holds it, and for `:memory:`.
  Result<Lease> reader();
  /// For a thread that has none and does not hold the writer.
  Result<Pin> pin();
  /// A reader that is not the pinned one. Not of `:memory:`.
  Result<Lease> another_reader() { return lease_reader(); }
  /// What the calling thread has pinned.
  [[nodiscard]] std::optional<Pinned> pinned();
  /// Notes the state that the calling thread's Pin is in.
  void set_pinned_state(const store::FileState& state);
  /// Whether the calling thread holds the writer.
  [[nodiscard]] bool thread_holds_writer() const noexcept;
  /// Drops idle readers: they would hold back VACUUM's truncating checkpoint.
  void drop_idle_readers();

  [[nodiscard]] const std::string& path() const noexcept { return path_; }
  /// As SQLite resolved it; empty for `:memory:`.
  [[nodiscard]] const std::string& resolved_path() const noexcept { return resolved_path_; }
  [[nodiscard]] bool read_only() const noexcept { return options_.read_only; }

 private:
  /// An idle reader, owned here. Threads find different ones by their ids, so that two that search
  /// at once do not write to one line of memory.
  struct alignas(64) Place {
    std::atomic<sqlite::Connection*> reader{nullptr};
  };

  Result<Lease> lease_writer();
  Result<Lease> lease_reader();
  void keep_reader(std::unique_ptr<sqlite::Connection> reader);
  [[nodiscard]] std::unique_ptr<sqlite::Connection> take_idle_reader();
  [[nodiscard]] Place& own_place() noexcept;
  Status acquire_writer();
  [[nodiscard]] Status refuse_fork() const;
  void release_writer() noexcept;

  const std::string path_;
  const sqlite::OpenOptions options_;
  const uint64_t fork_count_;
  bool memory_ = false;
  std::string resolved_path_;
  /// Used by the thread that owns it. Null: closed as unsound, to be opened anew at its next use.
  std::unique_ptr<sqlite::Connection> writer_;

  std::mutex writer_mu_;  // std: condition_variable wants it
  std::condition_variable writer_free_;
  std::atomic<std::thread::id> writer_owner_{};
  int writer_depth_ = 0;  // under writer_mu_ or by the owner

  std::array<Place, 16> places_;
  base::Mutex readers_mu_;
  /// Those that found their place taken.
  std::vector<std::unique_ptr<sqlite::Connection>> idle_readers_ LOCI_GUARDED_BY(readers_mu_);
  std::map<std::thread::id, Pinned> pinned_ LOCI_GUARDED_BY(readers_mu_);
  std::atomic<int> pin_count_{0};  ///< 0 for most: pinned_ need not be asked
};

}  // namespace loci::db

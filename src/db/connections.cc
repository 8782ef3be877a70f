// SPDX-License-Identifier: Apache-2.0
#include "db/connections.h"

#include <chrono>
#include <functional>
#include <utility>

#include "base/c_edge.h"
#include "base/os_system.h"
#include "base/strings.h"

namespace loci::db {
namespace {

/// When another connection has committed, SQLite drops the pages that a reader keeps, and walks a
/// table as large as they ever were many: with 64 MB of them that took 66 us, with none 3.5.
/// Readers gain nothing from more: full text searches and look-ups by id of 68,000 rows took the
/// same time with 2 MB as with 64.
constexpr int kReaderCacheKb = 2000;

}  // namespace

Connections::Connections(Private /*key*/, std::string path, const sqlite::OpenOptions& options)
    : path_(std::move(path)),
      options_(options),
      fork_count_(base::os_fork_count()),
      memory_(path_ == ":memory:" || path_.empty()) {}

Connections::~Connections() {
  if (!forked()) {
    drop_idle_readers();
    return;
  }
  const auto leave_open = [](std::unique_ptr<sqlite::Connection>& connection) {
    const sqlite::Connection* const abandoned = connection.release();
    static_cast<void>(abandoned);
  };
  leave_open(writer_);
  while (std::unique_ptr<sqlite::Connection> reader = take_idle_reader()) leave_open(reader);
}

bool Connections::forked() const noexcept { return base::os_fork_count() != fork_count_; }

Status Connections::refuse_fork() const {
  if (!forked()) return {};
  return Status::failed_precondition(base::str_cat(
      "'", path_, "' was opened before this process was forked, and SQLite cannot be used ",
      "across a fork: open databases in the child, and not before it"));
}

Result<std::unique_ptr<Connections>> Connections::open(const std::string& path,
                                                       const sqlite::OpenOptions& options) {
  auto connections = std::make_unique<Connections>(Private(), path, options);
  LOCI_ASSIGN_OR_RETURN(connections->writer_, sqlite::Connection::open(path, options));
  connections->resolved_path_ = connections->writer_->path();
  return connections;
}

Connections::Lease::Lease(Connections* owner, std::unique_ptr<sqlite::Connection> reader)
    : owner_(owner), reader_(std::move(reader)), connection_(reader_.get()), is_writer_(false) {}

Connections::Lease::Lease(Connections* owner)
    : owner_(owner), connection_(owner->writer_.get()), is_writer_(true) {}

Connections::Lease::Lease(sqlite::Connection& pinned)
    : owner_(nullptr), connection_(&pinned), is_writer_(false) {}

Connections::Lease::Lease(Lease&& other) noexcept
    : owner_(std::exchange(other.owner_, nullptr)),
      reader_(std::move(other.reader_)),
      connection_(other.connection_),
      is_writer_(other.is_writer_) {}

Connections::Lease::~Lease() {
  if (owner_ == nullptr) return;
  if (is_writer_) {
    owner_->release_writer();
    return;
  }
  if (!reader_->sound()) return;
  // Where there is no memory to keep it, it is closed instead.
  base::guarded([&]() -> Status {
    owner_->keep_reader(std::move(reader_));
    return {};
  }).ignore();
}

Connections::Place& Connections::own_place() noexcept {
  return places_[std::hash<std::thread::id>()(std::this_thread::get_id()) % places_.size()];
}

void Connections::keep_reader(std::unique_ptr<sqlite::Connection> reader) {
  sqlite::Connection* none = nullptr;
  if (own_place().reader.compare_exchange_strong(none, reader.get(), std::memory_order_release,
                                                 std::memory_order_relaxed)) {
    [[maybe_unused]] const sqlite::Connection* const kept = reader.release();
    return;
  }
  const base::MutexLock lock(readers_mu_);
  idle_readers_.push_back(std::move(reader));
}

// Null when every reader is in use.
std::unique_ptr<sqlite::Connection> Connections::take_idle_reader() {
  const auto take = [](Place& place) {
    return std::unique_ptr<sqlite::Connection>(
        place.reader.exchange(nullptr, std::memory_order_acquire));
  };
  if (auto own = take(own_place())) return own;
  {
    const base::MutexLock lock(readers_mu_);
    if (!idle_readers_.empty()) {
      std::unique_ptr<sqlite::Connection> reader = std::move(idle_readers_.back());
      idle_readers_.pop_back();
      return reader;
    }
  }
  for (Place& place : places_) {
    if (place.reader.load(std::memory_order_relaxed) == nullptr) continue;
    if (auto other = take(place)) return other;
  }
  return nullptr;
}

bool Connections::thread_holds_writer() const noexcept {
  return writer_owner_.load(std::memory_order_relaxed) == std::this_thread::get_id();
}

Status Connections::acquire_writer() {
  if (thread_holds_writer()) {
    ++writer_depth_;
    return {};
  }
  std::unique_lock lock(writer_mu_);
  const bool free = writer_free_.wait_for(lock, std::chrono::milliseconds(options_.busy_timeout_ms),
                                          [this] { return writer_depth_ == 0; });
  if (!free) {
    return Status::busy(base::str_cat("'", path_, "': another thread of this process has been ",
                                      "writing for ", options_.busy_timeout_ms, " ms"));
  }
  writer_depth_ = 1;
  writer_owner_.store(std::this_thread::get_id(), std::memory_order_relaxed);
  return {};
}

void Connections::release_writer() noexcept {
  if (writer_depth_ > 1) {
    --writer_depth_;
    return;
  }
  if (!memory_ && writer_ != nullptr && !writer_->sound()) writer_.reset();
  {
    const std::lock_guard lock(writer_mu_);
    writer_owner_.store(std::thread::id(), std::memory_order_relaxed);
    writer_depth_ = 0;
  }
  writer_free_.notify_one();
}

Result<Connections::Lease> Connections::writer() {
  LOCI_RETURN_IF_ERROR(refuse_fork());
  if (options_.read_only) {
    return Status::failed_precondition(
        base::str_cat("'", path_, "' is open read-only: open it for writing to change it"));
  }
  if (pinned().has_value()) {
    return Status::failed_precondition(
        base::str_cat("'", path_, "': this thread is inside Database::read, whose snapshot does ",
                      "not move: write before or after it, or in Database::transaction"));
  }
  return lease_writer();
}

Result<Connections::Lease> Connections::lease_writer() {
  LOCI_RETURN_IF_ERROR(acquire_writer());
  Lease lease(this);
  if (writer_ == nullptr) {
    sqlite::OpenOptions options = options_;
    options.create = false;
    LOCI_ASSIGN_OR_RETURN(writer_, sqlite::Connection::open(path_, options));
    lease.connection_ = writer_.get();
  } else if (writer_depth_ == 1 && !writer_->sound()) {
    LOCI_RETURN_IF_ERROR(writer_->renew());  // of :memory:, which closing would lose
  }
  return lease;
}

Result<Connections::Lease> Connections::reader() {
  LOCI_RETURN_IF_ERROR(refuse_fork());
  if (memory_ || thread_holds_writer()) return lease_writer();
  if (const std::optional<Pinned> own = pinned()) return Lease(*own->connection);
  return lease_reader();
}

Result<Connections::Lease> Connections::lease_reader() {
  if (auto idle = take_idle_reader()) return Lease(this, std::move(idle));
  sqlite::OpenOptions options = options_;
  options.create = false;
  options.cache_kb = kReaderCacheKb;
  LOCI_ASSIGN_OR_RETURN(std::unique_ptr<sqlite::Connection> reader,
                        sqlite::Connection::open(path_, options));
  return Lease(this, std::move(reader));
}

Result<Connections::Pin> Connections::pin() {
  LOCI_RETURN_IF_ERROR(refuse_fork());
  LOCI_ASSIGN_OR_RETURN(Lease lease, memory_ ? lease_writer() : lease_reader());
  const Pinned own{
      .connection = &lease.connection(), .is_writer = lease.is_writer(), .state = std::nullopt};
  const base::MutexLock lock(readers_mu_);
  pinned_.insert_or_assign(std::this_thread::get_id(), own);
  ++pin_count_;
  return Pin(this, std::move(lease));
}

Connections::Pin::~Pin() {
  if (owner_ == nullptr) return;
  const base::MutexLock lock(owner_->readers_mu_);
  owner_->pinned_.erase(std::this_thread::get_id());
  --owner_->pin_count_;
}

std::optional<Connections::Pinned> Connections::pinned() {
  if (pin_count_.load(std::memory_order_relaxed) == 0) return std::nullopt;
  const base::MutexLock lock(readers_mu_);
  const auto found = pinned_.find(std::this_thread::get_id());
  if (found == pinned_.end()) return std::nullopt;
  return found->second;
}

void Connections::set_pinned_state(const store::FileState& state) {
  const base::MutexLock lock(readers_mu_);
  const auto found = pinned_.find(std::this_thread::get_id());
  if (found != pinned_.end()) found->second.state = state;
}

void Connections::drop_idle_readers() {
  while (take_idle_reader() != nullptr) continue;
}

}  // namespace loci::db

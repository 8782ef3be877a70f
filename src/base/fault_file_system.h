// SPDX-License-Identifier: Apache-2.0
//
// A FileSystem for tests: it forwards to another one and makes the n-th call fail, or the power.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/mutex.h"
#include "base/os_file.h"
#include "base/volatile_disk.h"

namespace loci::base {

/// What happens at the chosen call.
enum class FaultKind : uint8_t {
  kError,       ///< nothing is done; the Status is returned
  kShortWrite,  ///< pwrite writes the first half, then returns the Status; else as kError
  kTornWrite,   ///< pwrite writes some of its 512-byte sectors, then the Status; else as kError
  kAllAfter,    ///< this call and every later one fail: the disk is gone, or the power
};

/// What a gate makes of a call: it goes on when `status` is ok.
struct Fault {
  Status status;
  FaultKind kind = FaultKind::kError;
};

/// Counts every call of itself and its files (reads too) from 1. Loop n = 1, 2, 3 ... until
/// fired() is false: then every call has failed once.
class FaultFileSystem final : public FileSystem {
 public:
  explicit FaultFileSystem(FileSystem& inner) : inner_(inner) {}  // must outlive this

  /// Arms the fault and restarts the count. `n` == 0: never.
  void fail_nth(int64_t n, Status with, FaultKind kind = FaultKind::kError);
  /// Arms `step` for the moment before the n-th call, which then goes on: to stop the process
  /// there, or to do what another program would do.
  void run_before_nth(int64_t n, std::function<void()> step);
  /// Asked before each call too, with its path, which is empty for calls on an open file: for a
  /// test that counts these calls among others. While there is one, syncs sync nothing for real.
  using Gate = Fault (*)(std::string_view path);
  void set_gate(Gate gate) { gate_ = gate; }
  /// Whether the fault has happened since fail_nth.
  [[nodiscard]] bool fired() const;
  /// Calls since fail_nth.
  [[nodiscard]] int64_t calls() const;

  /// Remembers from now on what is not synced, of every file that is opened, renamed or removed
  /// through this. The failure of the power is fail_nth(n, status, kAllAfter).
  void record();
  /// Ends record() and makes the files what a failure of the power leaves of them. May be asked
  /// again with another seed. No file may be open or mapped.
  /// seed  0: what was synced, names by sync_directory; 1: everything; others: a random part
  Status leave_survivors(uint64_t seed);

  [[nodiscard]] Result<std::unique_ptr<File>> open(const std::string& path, OpenMode how,
                                                   uint32_t mode) override;
  [[nodiscard]] Result<std::unique_ptr<MappedFile>> map(const std::string& path) override;
  Status rename(const std::string& from, const std::string& to) override;
  Status remove_file(const std::string& path) override;
  Status remove_directory(const std::string& path) override;
  Status make_directories(const std::string& path, uint32_t mode) override;
  [[nodiscard]] Result<FileInfo> info(const std::string& path) override;
  Status set_mode(const std::string& path, uint32_t mode) override;
  Status set_owner(const std::string& path, uint32_t owner, uint32_t group) override;
  [[nodiscard]] Result<std::vector<std::string>> list(const std::string& path) override;
  Status sync_directory(const std::string& path) override;
  [[nodiscard]] Result<uint64_t> free_bytes(const std::string& path) override;
  [[nodiscard]] Result<bool> is_network(const std::string& path) override;

  /// For its files: counts a call; the Status to return when it is to fail, else ok.
  [[nodiscard]] Status before_call(std::string_view path = {});
  [[nodiscard]] bool has_gate() const { return gate_.load() != nullptr; }
  [[nodiscard]] FaultKind kind() const;
  /// For its files: tells the recorded disk of a change that was made.
  void changed(const std::function<void(VolatileDisk&)>& change);

 private:
  /// Adds a file that was there before record() to the recorded disk.
  Status learn(const std::string& path);
  /// The recorded file behind a path that has just been opened; 0: not recording.
  VolatileDisk::FileId opened(const std::string& path, OpenMode how);

  FileSystem& inner_;
  std::atomic<Gate> gate_{nullptr};
  mutable Mutex mu_;
  bool recording_ LOCI_GUARDED_BY(mu_) = false;
  VolatileDisk disk_ LOCI_GUARDED_BY(mu_);
  std::function<void()> step_ LOCI_GUARDED_BY(mu_);
  int64_t nth_ LOCI_GUARDED_BY(mu_) = 0;
  int64_t calls_ LOCI_GUARDED_BY(mu_) = 0;
  bool fired_ LOCI_GUARDED_BY(mu_) = false;
  FaultKind kind_ LOCI_GUARDED_BY(mu_) = FaultKind::kError;
  Status status_ LOCI_GUARDED_BY(mu_);
};

}  // namespace loci::base

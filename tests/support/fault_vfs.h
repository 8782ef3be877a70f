// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>

namespace loci::testing {

/// The calls of SQLite's VFS that can fail (giving up a lock cannot, as SQLite counts on it), and
/// all those of base::FileSystem as one kind.
enum class IoCall : uint8_t {
  kOpen,
  kRead,
  kWrite,
  kTruncate,
  kSync,
  kFileSize,
  kDelete,
  kAccess,
  kLock,
  kShmMap,
  kShmLock,
  kFiles,
};
inline constexpr size_t kIoCalls = 12;
[[nodiscard]] const char* io_call_name(IoCall call);

/// What happens at the chosen call.
enum class IoFault : uint8_t {
  kError,      ///< nothing is done; the SQLITE_IOERR of the call
  kFull,       ///< a write: SQLITE_FULL, nothing written; else as kError
  kShort,      ///< a write: half of it, SQLITE_FULL; a read: half of it, SQLITE_IOERR_READ
  kTorn,       ///< a write: some of its 512-byte sectors, SQLITE_IOERR_WRITE
  kPowerLoss,  ///< nothing is done, and every later call fails; see leave_survivors()
  kExit,       ///< the process ends at once, as by SIGKILL, with kExitCode
};
[[nodiscard]] const char* io_fault_name(IoFault fault);
inline constexpr int kExitCode = 86;

inline constexpr uint32_t kEveryIoCall = (1U << kIoCalls) - 1;
[[nodiscard]] constexpr uint32_t only(IoCall call) { return 1U << static_cast<uint32_t>(call); }

struct IoPlan {
  int64_t nth = 0;  ///< the call that fails, from 1; 0: count only
  IoFault fault = IoFault::kError;
  bool from_then_on = false;      ///< every later call too
  uint32_t calls = kEveryIoCall;  ///< which kinds are counted: only(a) | only(b)
  uint64_t seed = 1;              ///< of kTorn
};

/// A VFS over the default one that fails on demand. The first get() makes it the default of the
/// process, so that every database opened from then on goes through it. It never maps a file
/// (what is read through a mapping cannot fail) and passes everything on until armed. The library's
/// own calls (base::file_system(): the folder of snapshots, backups) go through it as well, counted
/// in one sequence with SQLite's.
///
/// Threads: any; calls are counted in the order in which they come.
class FaultVfs {
 public:
  static FaultVfs& get();

  /// Sets the fault and restarts the counts.
  void arm(const IoPlan& plan);
  /// No fault from now on; whether it has happened. The power is back too.
  bool disarm();
  /// Calls counted since arm(), of the kinds asked for and of one kind.
  [[nodiscard]] int64_t calls() const;
  [[nodiscard]] int64_t calls(IoCall call) const;
  [[nodiscard]] bool fired() const;
  /// `step` is run before each call that names the folder of a database's snapshots itself: where a
  /// publication begins. Null: nothing is.
  void at_snapshot_folder(std::function<void()> step);

  /// From now on, and until the power fails or disarm(), remembers what is not synced yet, of every
  /// database, journal, WAL and file of the library that is opened. What was opened before is not
  /// seen.
  void record();
  /// The power fails now.
  void lose_power();
  /// Makes the files what the power failure has left of them. May be asked again with another
  /// seed. Every database must be closed and the fault disarmed.
  /// seed  0: only what was synced; 1: everything; others: a random part
  void leave_survivors(uint64_t seed);

  FaultVfs(const FaultVfs&) = delete;
  FaultVfs& operator=(const FaultVfs&) = delete;

 private:
  FaultVfs();
  ~FaultVfs() = delete;  // SQLite may call it until the process ends
};

}  // namespace loci::testing

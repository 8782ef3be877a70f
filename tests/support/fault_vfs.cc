// SPDX-License-Identifier: Apache-2.0
//
// The shim's files lie before the real ones in one block of SQLite's memory. Real calls are made
// without the lock of the shim; the model of what is durable (base/volatile_disk.h) is told after
// each that went well. The library's own files go through base::FaultFileSystem, which asks here
// before each call and keeps a model of its own.
#include "support/fault_vfs.h"

#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <optional>
#include <random>
#include <system_error>
#include <vector>

#include "base/bytes.h"
#include "base/fault_file_system.h"
#include "base/os_file.h"
#include "base/volatile_disk.h"
#include "sqlite/sqlite_api.h"

namespace loci::testing {
namespace {

using base::VolatileDisk;

constexpr int kKept =
    SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_WAL | SQLITE_OPEN_SUPER_JOURNAL;
/// Files whose first sync also syncs their folder (os_unix.c, UNIXFILE_DIRSYNC).
constexpr int kSyncsFolder = SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_WAL | SQLITE_OPEN_SUPER_JOURNAL;

struct State {
  std::mutex mu;
  IoPlan plan;
  int64_t counted = 0;
  std::array<int64_t, kIoCalls> by_kind{};
  bool fired = false;
  bool dead = false;
  bool recording = false;
  VolatileDisk disk;
  sqlite3_vfs* real = nullptr;
  base::FaultFileSystem files{base::real_file_system()};
  std::function<void()> at_snapshot_folder;
};

State& state() {
  static auto* const instance = new State;  // never freed: SQLite calls until the process ends
  return *instance;
}

int error_of(IoCall call) {
  switch (call) {
    case IoCall::kOpen:
      return SQLITE_CANTOPEN;
    case IoCall::kRead:
      return SQLITE_IOERR_READ;
    case IoCall::kWrite:
      return SQLITE_IOERR_WRITE;
    case IoCall::kTruncate:
      return SQLITE_IOERR_TRUNCATE;
    case IoCall::kSync:
      return SQLITE_IOERR_FSYNC;
    case IoCall::kFileSize:
      return SQLITE_IOERR_FSTAT;
    case IoCall::kDelete:
      return SQLITE_IOERR_DELETE;
    case IoCall::kAccess:
      return SQLITE_IOERR_ACCESS;
    case IoCall::kLock:
      return SQLITE_IOERR_LOCK;
    case IoCall::kShmMap:
      return SQLITE_IOERR_SHMMAP;
    case IoCall::kShmLock:
      return SQLITE_IOERR_SHMLOCK;
    case IoCall::kFiles:
      break;
  }
  return SQLITE_IOERR;
}

/// Counts a call; the fault that it meets, if any.
std::optional<IoFault> meet(IoCall call) {
  State& s = state();
  const std::lock_guard lock(s.mu);
  if (s.dead) return IoFault::kPowerLoss;
  ++s.by_kind[static_cast<size_t>(call)];
  if ((s.plan.calls & only(call)) == 0) return std::nullopt;
  ++s.counted;
  const bool hit = s.plan.nth > 0 &&
                   (s.counted == s.plan.nth || (s.plan.from_then_on && s.counted > s.plan.nth));
  if (!hit) return std::nullopt;
  s.fired = true;
  if (s.plan.fault == IoFault::kExit) ::_exit(kExitCode);
  if (s.plan.fault == IoFault::kPowerLoss) s.dead = true;
  return s.plan.fault;
}

/// The code to return when the call is to fail.
std::optional<int> fail(IoCall call) {
  if (!meet(call).has_value()) return std::nullopt;
  return error_of(call);
}

/// What a call of base::FileSystem meets.
base::Fault meet_files(std::string_view path) {
  constexpr std::string_view kFolder = "-loci";
  const bool folder =
      path.size() > kFolder.size() && path.substr(path.size() - kFolder.size()) == kFolder;
  if (folder && state().at_snapshot_folder) state().at_snapshot_folder();
  const std::optional<IoFault> fault = meet(IoCall::kFiles);
  if (!fault.has_value()) return {};
  switch (*fault) {
    case IoFault::kFull:
      return {.status = Status::full("injected"), .kind = base::FaultKind::kError};
    case IoFault::kShort:
      return {.status = Status::full("injected"), .kind = base::FaultKind::kShortWrite};
    case IoFault::kTorn:
      return {.status = Status::io_error("injected"), .kind = base::FaultKind::kTornWrite};
    case IoFault::kError:
    case IoFault::kPowerLoss:
    case IoFault::kExit:
      break;
  }
  return {.status = Status::io_error("injected"), .kind = base::FaultKind::kError};
}

/// Runs `change` on the model while it is kept.
template <typename Change>
void model(const Change& change) {
  State& s = state();
  const std::lock_guard lock(s.mu);
  if (s.recording && !s.dead) change(s.disk);
}

struct FaultFile {
  sqlite3_file base;
  VolatileDisk::FileId id;  ///< 0: not recorded
  bool syncs_folder;
  const char* path;  ///< SQLite keeps it alive as long as the file is open
};

FaultFile* shim(sqlite3_file* file) { return reinterpret_cast<FaultFile*>(file); }
sqlite3_file* real(sqlite3_file* file) { return reinterpret_cast<sqlite3_file*>(shim(file) + 1); }
const sqlite3_io_methods& methods(sqlite3_file* file) { return *real(file)->pMethods; }

base::ByteSpan bytes_of(const void* data, uint64_t count) {
  return {static_cast<const uint8_t*>(data), static_cast<size_t>(count)};
}

int real_write(sqlite3_file* file, const uint8_t* data, uint64_t count, uint64_t offset) {
  const int code = methods(file).xWrite(real(file), data, static_cast<int>(count),
                                        static_cast<sqlite3_int64>(offset));
  if (code == SQLITE_OK && shim(file)->id != 0) {
    model([&](VolatileDisk& disk) { disk.write(shim(file)->id, offset, bytes_of(data, count)); });
  }
  return code;
}

void write_some_sectors(sqlite3_file* file, const uint8_t* data, uint64_t count, uint64_t offset) {
  std::mt19937_64 chance(state().plan.seed);
  base::for_each_sector(offset, count, [&](uint64_t begin, uint64_t length) {
    if (chance() % 2 == 0) real_write(file, data + begin, length, offset + begin);
  });
}

int x_close(sqlite3_file* file) { return methods(file).xClose(real(file)); }

int x_read(sqlite3_file* file, void* out, int count, sqlite3_int64 offset) {
  if (const auto fault = meet(IoCall::kRead)) {
    if (*fault == IoFault::kShort) methods(file).xRead(real(file), out, count / 2, offset);
    return SQLITE_IOERR_READ;
  }
  return methods(file).xRead(real(file), out, count, offset);
}

int x_write(sqlite3_file* file, const void* data, int count, sqlite3_int64 offset) {
  const auto* const bytes = static_cast<const uint8_t*>(data);
  const auto size = static_cast<uint64_t>(count);
  const auto at = static_cast<uint64_t>(offset);
  const auto fault = meet(IoCall::kWrite);
  if (!fault.has_value()) return real_write(file, bytes, size, at);
  if (*fault == IoFault::kShort) real_write(file, bytes, size / 2, at);
  if (*fault == IoFault::kTorn) write_some_sectors(file, bytes, size, at);
  return *fault == IoFault::kFull || *fault == IoFault::kShort ? SQLITE_FULL : SQLITE_IOERR_WRITE;
}

int x_truncate(sqlite3_file* file, sqlite3_int64 size) {
  if (const auto code = fail(IoCall::kTruncate)) return *code;
  const int code = methods(file).xTruncate(real(file), size);
  if (code == SQLITE_OK && shim(file)->id != 0) {
    model([&](VolatileDisk& disk) { disk.truncate(shim(file)->id, static_cast<uint64_t>(size)); });
  }
  return code;
}

int x_sync(sqlite3_file* file, int flags) {
  if (const auto code = fail(IoCall::kSync)) return *code;
  static_cast<void>(flags);  // no power fails but ours: the real sync would cost time alone
  if (shim(file)->id != 0) {
    model([&](VolatileDisk& disk) {
      disk.sync(shim(file)->id);
      if (shim(file)->syncs_folder) disk.sync_directory(base::parent_directory(shim(file)->path));
      shim(file)->syncs_folder = false;
    });
  }
  return SQLITE_OK;
}

int x_file_size(sqlite3_file* file, sqlite3_int64* size) {
  if (const auto code = fail(IoCall::kFileSize)) return *code;
  return methods(file).xFileSize(real(file), size);
}

int x_lock(sqlite3_file* file, int level) {
  if (const auto code = fail(IoCall::kLock)) return *code;
  return methods(file).xLock(real(file), level);
}
int x_unlock(sqlite3_file* file, int level) { return methods(file).xUnlock(real(file), level); }
int x_check_reserved_lock(sqlite3_file* file, int* out) {
  if (const auto code = fail(IoCall::kLock)) return *code;
  return methods(file).xCheckReservedLock(real(file), out);
}

int x_file_control(sqlite3_file* file, int op, void* argument) {
  if (op == SQLITE_FCNTL_MMAP_SIZE) return SQLITE_NOTFOUND;  // never mapped: see the class
  return methods(file).xFileControl(real(file), op, argument);
}
int x_sector_size(sqlite3_file* file) { return methods(file).xSectorSize(real(file)); }
int x_device_characteristics(sqlite3_file* file) {
  return methods(file).xDeviceCharacteristics(real(file));
}

int x_shm_map(sqlite3_file* file, int region, int bytes, int extend, void volatile** out) {
  if (const auto code = fail(IoCall::kShmMap)) return *code;
  return methods(file).xShmMap(real(file), region, bytes, extend, out);
}
int x_shm_lock(sqlite3_file* file, int offset, int count, int flags) {
  if ((flags & SQLITE_SHM_LOCK) != 0) {
    if (const auto code = fail(IoCall::kShmLock)) return *code;
  }
  return methods(file).xShmLock(real(file), offset, count, flags);
}
void x_shm_barrier(sqlite3_file* file) { methods(file).xShmBarrier(real(file)); }
int x_shm_unmap(sqlite3_file* file, int remove) {
  return methods(file).xShmUnmap(real(file), remove);
}

/// Version 2: without xFetch SQLite maps nothing.
constexpr sqlite3_io_methods kMethods = {2,
                                         x_close,
                                         x_read,
                                         x_write,
                                         x_truncate,
                                         x_sync,
                                         x_file_size,
                                         x_lock,
                                         x_unlock,
                                         x_check_reserved_lock,
                                         x_file_control,
                                         x_sector_size,
                                         x_device_characteristics,
                                         x_shm_map,
                                         x_shm_lock,
                                         x_shm_barrier,
                                         x_shm_unmap,
                                         nullptr,
                                         nullptr};

/// The bytes of an open file, read through SQLite's own handle: closing another descriptor would
/// drop its locks.
std::string content(sqlite3_file* file) {
  sqlite3_int64 size = 0;
  if (methods(file).xFileSize(real(file), &size) != SQLITE_OK) return {};
  std::string bytes(static_cast<size_t>(size), '\0');
  methods(file).xRead(real(file), bytes.data(), static_cast<int>(size), 0);
  return bytes;
}

int x_open(sqlite3_vfs* /*vfs*/, sqlite3_filename path, sqlite3_file* file, int flags,
           int* out_flags) {
  file->pMethods = nullptr;
  if (const auto code = fail(IoCall::kOpen)) return *code;
  sqlite3_vfs* const vfs = state().real;
  int existed = 0;
  if (path != nullptr) vfs->xAccess(vfs, path, SQLITE_ACCESS_EXISTS, &existed);
  const int code = vfs->xOpen(vfs, path, real(file), flags, out_flags);
  if (real(file)->pMethods != nullptr) file->pMethods = &kMethods;
  *shim(file) = {.base = *file, .id = 0, .syncs_folder = false, .path = path};
  if (code != SQLITE_OK || path == nullptr || (flags & kKept) == 0) return code;
  model([&](VolatileDisk& disk) {
    shim(file)->syncs_folder = (flags & kSyncsFolder) != 0 && (flags & SQLITE_OPEN_CREATE) != 0;
    // xAccess takes an empty file for none, so the model is asked first.
    if (const auto known = disk.find(path)) {
      shim(file)->id = *known;
    } else {
      shim(file)->id = existed != 0 ? disk.add(path, content(file)) : disk.create(path);
    }
  });
  return code;
}

int x_delete(sqlite3_vfs* /*vfs*/, const char* path, int sync_folder) {
  if (const auto code = fail(IoCall::kDelete)) return *code;
  sqlite3_vfs* const vfs = state().real;
  const int code = vfs->xDelete(vfs, path, sync_folder);
  if (code == SQLITE_OK) {
    model([&](VolatileDisk& disk) {
      disk.remove(path);
      if (sync_folder != 0) disk.sync_directory(base::parent_directory(path));
    });
  }
  return code;
}

int x_access(sqlite3_vfs* /*vfs*/, const char* path, int flags, int* out) {
  if (const auto code = fail(IoCall::kAccess)) return *code;
  return state().real->xAccess(state().real, path, flags, out);
}

}  // namespace

const char* io_call_name(IoCall call) {
  constexpr std::array<const char*, kIoCalls> kNames = {"open", "read",   "write",   "truncate",
                                                        "sync", "size",   "delete",  "access",
                                                        "lock", "shmmap", "shmlock", "files"};
  return kNames[static_cast<size_t>(call)];
}

const char* io_fault_name(IoFault fault) {
  constexpr std::array<const char*, 6> kNames = {"error", "full",       "short",
                                                 "torn",  "power loss", "exit"};
  return kNames[static_cast<size_t>(fault)];
}

FaultVfs::FaultVfs() {
  sqlite3_vfs* const real = sqlite3_vfs_find(nullptr);
  state().real = real;
  static sqlite3_vfs shim_vfs = *real;  // the rest of the calls are the real one's own
  shim_vfs.zName = "loci-fault";
  shim_vfs.szOsFile = static_cast<int>(sizeof(FaultFile)) + real->szOsFile;
  shim_vfs.pNext = nullptr;
  shim_vfs.xOpen = x_open;
  shim_vfs.xDelete = x_delete;
  shim_vfs.xAccess = x_access;
  sqlite3_vfs_register(&shim_vfs, 1);
  state().files.set_gate(meet_files);
  base::set_file_system(&state().files);
}

FaultVfs& FaultVfs::get() {
  static auto* const instance = new FaultVfs;  // see the destructor
  return *instance;
}

void FaultVfs::arm(const IoPlan& plan) {
  State& s = state();
  const std::lock_guard lock(s.mu);
  s.plan = plan;
  s.counted = 0;
  s.by_kind = {};
  s.fired = false;
  s.dead = false;
}

bool FaultVfs::disarm() {
  const bool happened = fired();
  arm({});
  const std::lock_guard lock(state().mu);
  state().recording = false;
  return happened;
}

int64_t FaultVfs::calls() const {
  const std::lock_guard lock(state().mu);
  return state().counted;
}
int64_t FaultVfs::calls(IoCall call) const {
  const std::lock_guard lock(state().mu);
  return state().by_kind[static_cast<size_t>(call)];
}
bool FaultVfs::fired() const {
  const std::lock_guard lock(state().mu);
  return state().fired;
}

void FaultVfs::at_snapshot_folder(std::function<void()> step) {
  state().at_snapshot_folder = std::move(step);
}

void FaultVfs::record() {
  state().files.record();
  const std::lock_guard lock(state().mu);
  state().disk = VolatileDisk();
  state().recording = true;
}

void FaultVfs::lose_power() {
  const std::lock_guard lock(state().mu);
  state().dead = true;
}

void FaultVfs::leave_survivors(uint64_t seed) {
  State& s = state();
  const std::lock_guard lock(s.mu);
  s.recording = false;
  std::error_code ignored;  // what is not there needs no removal
  for (const std::string& path : s.disk.paths()) {
    for (const char* suffix : {"", "-journal", "-wal", "-shm"}) {
      std::filesystem::remove(path + suffix, ignored);
    }
  }
  for (const auto& [path, bytes] : s.disk.survivors(seed)) {
    std::ofstream(path, std::ios::binary) << bytes;
  }
  s.files.leave_survivors(seed).ignore();  // what it could not write is missed by who looks
}

}  // namespace loci::testing

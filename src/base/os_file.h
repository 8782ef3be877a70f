// SPDX-License-Identifier: Apache-2.0
//
// Files, mappings and locks: an interface, so that tests make every call fail
// (fault_file_system.h). Never used on an SQLite database, its -journal, -wal or -shm: closing any
// descriptor of those would drop SQLite's POSIX locks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "loci/status.h"

namespace loci::base {

enum class OpenMode : uint8_t {
  kRead,           ///< must exist
  kReadWrite,      ///< must exist
  kCreate,         ///< read and write; made when absent
  kCreateNew,      ///< read and write; kAlreadyExists when there
  kCreateReplace,  ///< read and write; emptied when there
};

enum class LockKind : uint8_t { kShared, kExclusive };

/// What stat() tells.
struct FileInfo {
  bool is_directory = false;
  uint64_t size = 0;
  uint32_t mode = 0;  ///< permission bits, 07777
  uint32_t owner = 0;
  uint32_t group = 0;
  int64_t modified_ns = 0;  ///< since 1970
  uint64_t device = 0;
  uint64_t inode = 0;
};

/// An open file; closed on destruction. Threads: any, as pread and pwrite are positional.
/// Errors of all: kIoError with path, call and reason; kFull when the disk is.
class File {
 public:
  File() = default;
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  virtual ~File() = default;

  /// Reads up to out.size() bytes at `offset`; fewer only at the end of the file.
  [[nodiscard]] virtual Result<size_t> pread(uint64_t offset, std::span<uint8_t> out) = 0;
  /// Writes all of `data` at `offset`. On failure any part of it may have been written.
  virtual Status pwrite(uint64_t offset, ByteSpan data) = 0;
  /// What was written survives power loss when this returns ok.
  virtual Status sync() = 0;
  virtual Status truncate(uint64_t size) = 0;
  /// Reserves disk space for [0, size) and grows the file to it; kFull when it is not there.
  virtual Status allocate(uint64_t size) = 0;
  [[nodiscard]] virtual Result<uint64_t> size() = 0;
  /// Takes an open-file-description lock on `length` bytes from `offset`, without waiting: kBusy
  /// when another holds it. The lock is this File's, not the process's; closing the File frees it.
  virtual Status try_lock(LockKind kind, uint64_t offset, uint64_t length) = 0;
  virtual Status unlock(uint64_t offset, uint64_t length) = 0;
  /// Whether another File holds a lock in the range that an exclusive lock would meet.
  [[nodiscard]] virtual Result<bool> is_locked(uint64_t offset, uint64_t length) = 0;
};

/// A whole file mapped; unmapped on destruction. What is written to it stays in this process: the
/// pages written are copied, the file never changes. Bytes that are cut off the file while it is
/// mapped are a SIGBUS to read.
class MappedFile {
 public:
  MappedFile() = default;
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  virtual ~MappedFile() = default;
  [[nodiscard]] virtual std::span<uint8_t> bytes() noexcept = 0;
};

/// Errors of all: kNotFound, kAlreadyExists, kFull, else kIoError; each names path and reason.
class FileSystem {
 public:
  FileSystem() = default;
  FileSystem(const FileSystem&) = delete;
  FileSystem& operator=(const FileSystem&) = delete;
  virtual ~FileSystem() = default;

  /// `mode` is the permission of a file that is made (before umask).
  [[nodiscard]] virtual Result<std::unique_ptr<File>> open(const std::string& path, OpenMode how,
                                                           uint32_t mode = 0666) = 0;
  [[nodiscard]] virtual Result<std::unique_ptr<MappedFile>> map(const std::string& path) = 0;
  /// Replaces `to` atomically. Durable only after sync_directory of its folder.
  virtual Status rename(const std::string& from, const std::string& to) = 0;
  virtual Status remove_file(const std::string& path) = 0;
  virtual Status remove_directory(const std::string& path) = 0;
  /// Makes `path` and its missing parents; ok when it is there already.
  virtual Status make_directories(const std::string& path, uint32_t mode = 0777) = 0;
  [[nodiscard]] virtual Result<FileInfo> info(const std::string& path) = 0;
  /// info() with kNotFound turned into false.
  [[nodiscard]] Result<bool> exists(const std::string& path);
  virtual Status set_mode(const std::string& path, uint32_t mode) = 0;
  virtual Status set_owner(const std::string& path, uint32_t owner, uint32_t group) = 0;
  /// Names (not paths) in a folder, sorted, without "." and "..".
  [[nodiscard]] virtual Result<std::vector<std::string>> list(const std::string& path) = 0;
  /// Makes renames, creations and removals in the folder survive power loss.
  virtual Status sync_directory(const std::string& path) = 0;
  /// Bytes that this user may still write on the file system of `path`.
  [[nodiscard]] virtual Result<uint64_t> free_bytes(const std::string& path) = 0;
  /// Whether `path` lies on a file system without coherent mappings or locks (nfs, cifs, 9p, fuse).
  [[nodiscard]] virtual Result<bool> is_network(const std::string& path) = 0;
};

/// The operating system's. Threads: any.
[[nodiscard]] FileSystem& real_file_system();
/// The one that the library uses: the operating system's, unless a test has put another in its
/// place. Threads: any.
[[nodiscard]] FileSystem& file_system();
/// For tests: `files` from now on, null for the operating system's again. A database that is open
/// may keep the one that it was opened with, which must outlive it.
void set_file_system(FileSystem* files);

/// Reads a whole file of at most `max_bytes`; kFull when it is longer.
[[nodiscard]] Result<std::string> read_file(FileSystem& files, const std::string& path,
                                            uint64_t max_bytes);
/// The folder part of a path: "a/b" -> "a", "b" -> ".", "/b" -> "/".
[[nodiscard]] std::string parent_directory(const std::string& path);

}  // namespace loci::base

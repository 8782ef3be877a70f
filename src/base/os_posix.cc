// SPDX-License-Identifier: Apache-2.0
//
// The only file that calls the operating system. Every call that a signal can interrupt is retried;
// every failure names the call, the path and errno's text. Locks are OFD locks (F_OFD_SETLK): they
// belong to the open file, not to the process, so that closing another descriptor of the same file
// (SQLite's, a library's) does not drop them. Tested by os_file_test.cc.
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <limits>
#include <system_error>
#include <utility>

#include "base/os_file.h"
#include "base/os_system.h"
#include "base/strings.h"

namespace loci::base {
namespace {

/// A failed call as a Status; `code` is errno.
Status os_error(std::string_view call, std::string_view path, int code) {
  std::string message = str_cat("'", path, "': ", call, ": ",
                                std::error_code(code, std::generic_category()).message());
  switch (code) {
    case ENOENT:
    case ENOTDIR:
      return Status::not_found(std::move(message));
    case EEXIST:
      return Status::already_exists(std::move(message));
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      return Status::full(std::move(message));
    case ENOMEM:
      return Status::out_of_memory(std::move(message));
    default:
      return Status::io_error(std::move(message));
  }
}

/// Repeats `call`, which returns -1 and sets errno, while signals interrupt it.
template <typename Call>
auto retry(Call call) {
  auto result = call();
  while (result == -1 && errno == EINTR) result = call();
  return result;
}

/// Owns a descriptor.
class Descriptor {
 public:
  explicit Descriptor(int fd) noexcept : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&&) = delete;
  ~Descriptor() {
    // Not retried on EINTR: Linux has closed it by then. What matters was synced before.
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] int get() const noexcept { return fd_; }

 private:
  int fd_;
};

Result<Descriptor> open_descriptor(const std::string& path, int flags, uint32_t mode) {
  const int fd = retry([&] { return ::open(path.c_str(), flags | O_CLOEXEC, mode); });
  if (fd < 0) return os_error("open", path, errno);
  return Descriptor(fd);
}

bool fits_offset(uint64_t value) noexcept {
  return value <= static_cast<uint64_t>(std::numeric_limits<off_t>::max());
}

class PosixFile final : public File {
 public:
  PosixFile(Descriptor descriptor, std::string path)
      : descriptor_(std::move(descriptor)), path_(std::move(path)) {}

  [[nodiscard]] Result<size_t> pread(uint64_t offset, std::span<uint8_t> out) override;
  Status pwrite(uint64_t offset, ByteSpan data) override;
  Status sync() override;
  Status truncate(uint64_t size) override;
  Status allocate(uint64_t size) override;
  [[nodiscard]] Result<uint64_t> size() override;
  Status try_lock(LockKind kind, uint64_t offset, uint64_t length) override;
  Status unlock(uint64_t offset, uint64_t length) override;
  [[nodiscard]] Result<bool> is_locked(uint64_t offset, uint64_t length) override;

 private:
  Result<struct flock> range(short type, uint64_t offset, uint64_t length) const;
  [[nodiscard]] Status too_large() const {
    return Status::full(str_cat("'", path_, "': offset too large"));
  }

  Descriptor descriptor_;
  std::string path_;
};

Result<size_t> PosixFile::pread(uint64_t offset, std::span<uint8_t> out) {
  size_t done = 0;
  while (done < out.size()) {
    if (!fits_offset(offset + done)) return too_large();
    const ssize_t got = retry([&] {
      return ::pread(descriptor_.get(), out.data() + done, out.size() - done,
                     static_cast<off_t>(offset + done));
    });
    if (got < 0) return os_error("pread", path_, errno);
    if (got == 0) break;
    done += static_cast<size_t>(got);
  }
  return done;
}

Status PosixFile::pwrite(uint64_t offset, ByteSpan data) {
  size_t done = 0;
  while (done < data.size()) {
    if (!fits_offset(offset + done)) return too_large();
    const ssize_t put = retry([&] {
      return ::pwrite(descriptor_.get(), data.data() + done, data.size() - done,
                      static_cast<off_t>(offset + done));
    });
    if (put < 0) return os_error("pwrite", path_, errno);
    done += static_cast<size_t>(put);
  }
  return {};
}

Status PosixFile::sync() {
  if (retry([&] { return ::fsync(descriptor_.get()); }) != 0)
    return os_error("fsync", path_, errno);
  return {};
}

Status PosixFile::truncate(uint64_t size) {
  if (!fits_offset(size)) return too_large();
  if (retry([&] { return ::ftruncate(descriptor_.get(), static_cast<off_t>(size)); }) != 0) {
    return os_error("ftruncate", path_, errno);
  }
  return {};
}

Status PosixFile::allocate(uint64_t size) {
  if (!fits_offset(size)) return too_large();
  if (size == 0) return {};
  int code = EINTR;
  while (code == EINTR) code = ::posix_fallocate(descriptor_.get(), 0, static_cast<off_t>(size));
  if (code != 0) return os_error("posix_fallocate", path_, code);
  return {};
}

Result<uint64_t> PosixFile::size() {
  struct stat found{};
  if (::fstat(descriptor_.get(), &found) != 0) return os_error("fstat", path_, errno);
  return static_cast<uint64_t>(found.st_size);
}

Result<struct flock> PosixFile::range(short type, uint64_t offset, uint64_t length) const {
  // Length 0 would mean "to the end of the file" to the kernel: not what a caller could mean.
  if (length == 0 || !fits_offset(offset) || !fits_offset(length) ||
      !fits_offset(offset + length)) {
    return Status::invalid_argument(
        str_cat("'", path_, "': lock of ", length, " bytes at ", offset));
  }
  struct flock lock{};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = static_cast<off_t>(offset);
  lock.l_len = static_cast<off_t>(length);
  return lock;
}

Status PosixFile::try_lock(LockKind kind, uint64_t offset, uint64_t length) {
  const short type = kind == LockKind::kShared ? F_RDLCK : F_WRLCK;
  LOCI_ASSIGN_OR_RETURN(struct flock lock, range(type, offset, length));
  if (retry([&] { return ::fcntl(descriptor_.get(), F_OFD_SETLK, &lock); }) == 0) return {};
  if (errno == EAGAIN || errno == EACCES) {
    return Status::busy(str_cat("'", path_, "': locked by another"));
  }
  return os_error("fcntl", path_, errno);
}

Status PosixFile::unlock(uint64_t offset, uint64_t length) {
  LOCI_ASSIGN_OR_RETURN(struct flock lock, range(F_UNLCK, offset, length));
  if (retry([&] { return ::fcntl(descriptor_.get(), F_OFD_SETLK, &lock); }) == 0) return {};
  return os_error("fcntl", path_, errno);
}

Result<bool> PosixFile::is_locked(uint64_t offset, uint64_t length) {
  LOCI_ASSIGN_OR_RETURN(struct flock lock, range(F_WRLCK, offset, length));
  if (retry([&] { return ::fcntl(descriptor_.get(), F_OFD_GETLK, &lock); }) != 0) {
    return os_error("fcntl", path_, errno);
  }
  return lock.l_type != F_UNLCK;
}

class PosixMappedFile final : public MappedFile {
 public:
  PosixMappedFile(void* data, size_t size) noexcept : data_(data), size_(size) {}
  PosixMappedFile(const PosixMappedFile&) = delete;
  PosixMappedFile& operator=(const PosixMappedFile&) = delete;
  ~PosixMappedFile() override {
    if (size_ > 0) ::munmap(data_, size_);
  }
  [[nodiscard]] std::span<uint8_t> bytes() noexcept override {
    return {static_cast<uint8_t*>(data_), size_};
  }

 private:
  void* data_;
  size_t size_;
};

class PosixFileSystem final : public FileSystem {
 public:
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
};

int open_flags(OpenMode how) noexcept {
  switch (how) {
    case OpenMode::kRead:
      return O_RDONLY;
    case OpenMode::kReadWrite:
      return O_RDWR;
    case OpenMode::kCreate:
      return O_RDWR | O_CREAT;
    case OpenMode::kCreateNew:
      return O_RDWR | O_CREAT | O_EXCL;
    case OpenMode::kCreateReplace:
      return O_RDWR | O_CREAT | O_TRUNC;
  }
  return O_RDONLY;
}

Result<std::unique_ptr<File>> PosixFileSystem::open(const std::string& path, OpenMode how,
                                                    uint32_t mode) {
  LOCI_ASSIGN_OR_RETURN(Descriptor descriptor, open_descriptor(path, open_flags(how), mode));
  return std::unique_ptr<File>(std::make_unique<PosixFile>(std::move(descriptor), path));
}

Result<std::unique_ptr<MappedFile>> PosixFileSystem::map(const std::string& path) {
  LOCI_ASSIGN_OR_RETURN(const Descriptor descriptor, open_descriptor(path, O_RDONLY, 0));
  struct stat found{};
  if (::fstat(descriptor.get(), &found) != 0) return os_error("fstat", path, errno);
  const auto size = static_cast<size_t>(found.st_size);
  void* data = nullptr;
  if (size > 0) {  // mmap refuses 0 bytes
    data = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE, descriptor.get(), 0);
    if (data == MAP_FAILED) return os_error("mmap", path, errno);
  }
  return std::unique_ptr<MappedFile>(std::make_unique<PosixMappedFile>(data, size));
}

Status PosixFileSystem::rename(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) {
    return os_error(str_cat("rename to '", to, "'"), from, errno);
  }
  return {};
}

Status PosixFileSystem::remove_file(const std::string& path) {
  if (::unlink(path.c_str()) != 0) return os_error("unlink", path, errno);
  return {};
}

Status PosixFileSystem::remove_directory(const std::string& path) {
  if (::rmdir(path.c_str()) != 0) return os_error("rmdir", path, errno);
  return {};
}

Status PosixFileSystem::make_directories(const std::string& path, uint32_t mode) {
  for (size_t end = 0; end < path.size();) {
    end = std::min(path.find('/', end + 1), path.size());
    const std::string part = path.substr(0, end);
    if (::mkdir(part.c_str(), mode) == 0 || errno == EEXIST) continue;
    const int code = errno;
    // On a read-only or closed parent mkdir may say EROFS or EACCES of a folder that is there.
    const Result<FileInfo> there = info(part);
    if (!there.has_value() || !there->is_directory) return os_error("mkdir", part, code);
  }
  LOCI_ASSIGN_OR_RETURN(const FileInfo made, info(path));
  if (!made.is_directory) return os_error("mkdir", path, EEXIST);
  return {};
}

Result<FileInfo> PosixFileSystem::info(const std::string& path) {
  struct stat found{};
  if (::stat(path.c_str(), &found) != 0) return os_error("stat", path, errno);
  FileInfo out;
  out.is_directory = S_ISDIR(found.st_mode);
  out.size = static_cast<uint64_t>(found.st_size);
  out.mode = found.st_mode & 07777u;
  out.owner = found.st_uid;
  out.group = found.st_gid;
  out.modified_ns = int64_t{found.st_mtim.tv_sec} * 1'000'000'000 + found.st_mtim.tv_nsec;
  out.device = found.st_dev;
  out.inode = found.st_ino;
  return out;
}

Status PosixFileSystem::set_mode(const std::string& path, uint32_t mode) {
  if (::chmod(path.c_str(), mode) != 0) return os_error("chmod", path, errno);
  return {};
}

Status PosixFileSystem::set_owner(const std::string& path, uint32_t owner, uint32_t group) {
  if (::chown(path.c_str(), owner, group) != 0) return os_error("chown", path, errno);
  return {};
}

Result<std::vector<std::string>> PosixFileSystem::list(const std::string& path) {
  struct Closer {
    void operator()(DIR* folder) const noexcept { ::closedir(folder); }
  };
  const std::unique_ptr<DIR, Closer> folder(::opendir(path.c_str()));
  if (folder == nullptr) return os_error("opendir", path, errno);
  std::vector<std::string> names;
  for (;;) {
    errno = 0;
    const dirent* const entry = ::readdir(folder.get());  // this stream is ours alone
    if (entry == nullptr) break;
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  if (errno != 0) return os_error("readdir", path, errno);
  std::sort(names.begin(), names.end());
  return names;
}

Status PosixFileSystem::sync_directory(const std::string& path) {
  LOCI_ASSIGN_OR_RETURN(const Descriptor folder, open_descriptor(path, O_RDONLY | O_DIRECTORY, 0));
  if (retry([&] { return ::fsync(folder.get()); }) != 0) return os_error("fsync", path, errno);
  return {};
}

Result<uint64_t> PosixFileSystem::free_bytes(const std::string& path) {
  struct statvfs found{};
  if (retry([&] { return ::statvfs(path.c_str(), &found); }) != 0) {
    return os_error("statvfs", path, errno);
  }
  return uint64_t{found.f_bavail} * found.f_frsize;
}

Result<bool> PosixFileSystem::is_network(const std::string& path) {
  struct statfs found{};
  if (retry([&] { return ::statfs(path.c_str(), &found); }) != 0) {
    return os_error("statfs", path, errno);
  }
  // Magic numbers from statfs(2) and linux/magic.h; the field's type differs by architecture.
  constexpr std::array<uint32_t, 8> kNetwork = {
      0x6969,      // nfs
      0xFF534D42,  // cifs
      0xFE534D42,  // smb2
      0x517B,      // smb
      0x01021997,  // 9p
      0x65735546,  // fuse
      0x00C36400,  // ceph
      0x5346414F,  // afs
  };
  const auto type = static_cast<uint32_t>(found.f_type);
  return std::find(kNetwork.begin(), kNetwork.end(), type) != kNetwork.end();
}

}  // namespace

FileSystem& real_file_system() {
  static PosixFileSystem instance;
  return instance;
}

bool os_populate(void* data, size_t bytes) noexcept {
#ifdef MADV_POPULATE_WRITE
  // It wants whole pages. Those at the ends may be shared with others, which is no harm.
  const auto page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  const size_t before = reinterpret_cast<uintptr_t>(data) & (page - 1);
  const size_t whole = (before + bytes + page - 1) & ~(page - 1);
  return ::madvise(static_cast<char*>(data) - before, whole, MADV_POPULATE_WRITE) == 0;
#else
  static_cast<void>(data);
  static_cast<void>(bytes);
  return false;
#endif
}

void os_advise_huge_pages(void* data, size_t bytes) noexcept {
  // A hint: kernels without transparent huge pages answer EINVAL, which changes nothing for us.
  static_cast<void>(::madvise(data, bytes, MADV_HUGEPAGE));
}

bool os_random(std::span<uint8_t> out) noexcept {
  size_t done = 0;
  while (done < out.size()) {
    const ssize_t got = retry([&] { return ::getrandom(out.data() + done, out.size() - done, 0); });
    if (got <= 0) return false;
    done += static_cast<size_t>(got);
  }
  return true;
}

int64_t os_process_id() noexcept { return ::getpid(); }

uint64_t os_fork_count() noexcept {
  static std::atomic<uint64_t> forks{0};
  // Registered once, before anything that could be asked of a child is remembered.
  static const int registered = ::pthread_atfork(nullptr, nullptr, [] { ++forks; });
  static_cast<void>(registered);
  return forks.load(std::memory_order_relaxed);
}

void os_block_signals() noexcept {
  sigset_t all;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, nullptr);
}

}  // namespace loci::base

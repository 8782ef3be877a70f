// SPDX-License-Identifier: Apache-2.0
#include "base/fault_file_system.h"

#include <utility>

namespace loci::base {
namespace {

/// A file that asks its FaultFileSystem before each call.
class FaultFile final : public File {
 public:
  FaultFile(std::unique_ptr<File> inner, FaultFileSystem& owner)
      : inner_(std::move(inner)), owner_(owner) {}

  [[nodiscard]] Result<size_t> pread(uint64_t offset, std::span<uint8_t> out) override {
    LOCI_RETURN_IF_ERROR(owner_.before_call());
    return inner_->pread(offset, out);
  }
  Status pwrite(uint64_t offset, ByteSpan data) override {
    Status fault = owner_.before_call();
    if (fault.ok()) return inner_->pwrite(offset, data);
    if (owner_.kind() == FaultKind::kShortWrite) {
      LOCI_RETURN_IF_ERROR(inner_->pwrite(offset, data.first(data.size() / 2)));
    }
    return fault;
  }
  Status sync() override {
    LOCI_RETURN_IF_ERROR(owner_.before_call());
    return inner_->sync();
  }
  Status truncate(uint64_t size) override {
    LOCI_RETURN_IF_ERROR(owner_.before_call());
    return inner_->truncate(size);
  }
  Status allocate(uint64_t size) override {
    LOCI_RETURN_IF_ERROR(owner_.before_call());
    return inner_->allocate(size);
  }
  [[nodiscard]] Result<uint64_t> size() override {
    LOCI_RETURN_IF_ERROR(owner_.before_call());
    return inner_->size();
  }
  Status try_lock(LockKind kind, uint64_t offset, uint64_t length) override {
    LOCI_RETURN_IF_ERROR(owner_.before_call());
    return inner_->try_lock(kind, offset, length);
  }
  Status unlock(uint64_t offset, uint64_t length) override {
    LOCI_RETURN_IF_ERROR(owner_.before_call());
    return inner_->unlock(offset, length);
  }
  [[nodiscard]] Result<bool> is_locked(uint64_t offset, uint64_t length) override {
    LOCI_RETURN_IF_ERROR(owner_.before_call());
    return inner_->is_locked(offset, length);
  }

 private:
  std::unique_ptr<File> inner_;
  FaultFileSystem& owner_;  // must outlive this
};

}  // namespace

void FaultFileSystem::fail_nth(int64_t n, Status with, FaultKind kind) {
  const MutexLock lock(mu_);
  nth_ = n;
  calls_ = 0;
  fired_ = false;
  kind_ = kind;
  status_ = std::move(with);
}

bool FaultFileSystem::fired() const {
  const MutexLock lock(mu_);
  return fired_;
}

int64_t FaultFileSystem::calls() const {
  const MutexLock lock(mu_);
  return calls_;
}

FaultKind FaultFileSystem::kind() const {
  const MutexLock lock(mu_);
  return kind_;
}

Status FaultFileSystem::before_call() {
  const MutexLock lock(mu_);
  ++calls_;
  const bool hit = nth_ > 0 && (calls_ == nth_ || (kind_ == FaultKind::kAllAfter && calls_ > nth_));
  if (!hit) return {};
  fired_ = true;
  return status_;
}

Result<std::unique_ptr<File>> FaultFileSystem::open(const std::string& path, OpenMode how,
                                                    uint32_t mode) {
  LOCI_RETURN_IF_ERROR(before_call());
  LOCI_ASSIGN_OR_RETURN(std::unique_ptr<File> file, inner_.open(path, how, mode));
  return std::unique_ptr<File>(std::make_unique<FaultFile>(std::move(file), *this));
}

Result<std::unique_ptr<MappedFile>> FaultFileSystem::map(const std::string& path) {
  LOCI_RETURN_IF_ERROR(before_call());
  return inner_.map(path);
}

Status FaultFileSystem::rename(const std::string& from, const std::string& to) {
  LOCI_RETURN_IF_ERROR(before_call());
  return inner_.rename(from, to);
}

Status FaultFileSystem::remove_file(const std::string& path) {
  LOCI_RETURN_IF_ERROR(before_call());
  return inner_.remove_file(path);
}

Status FaultFileSystem::remove_directory(const std::string& path) {
  LOCI_RETURN_IF_ERROR(before_call());
  return inner_.remove_directory(path);
}

Status FaultFileSystem::make_directories(const std::string& path, uint32_t mode) {
  LOCI_RETURN_IF_ERROR(before_call());
  return inner_.make_directories(path, mode);
}

Result<FileInfo> FaultFileSystem::info(const std::string& path) {
  LOCI_RETURN_IF_ERROR(before_call());
  return inner_.info(path);
}

Status FaultFileSystem::set_mode(const std::string& path, uint32_t mode) {
  LOCI_RETURN_IF_ERROR(before_call());
  return inner_.set_mode(path, mode);
}

Status FaultFileSystem::set_owner(const std::string& path, uint32_t owner, uint32_t group) {
  LOCI_RETURN_IF_ERROR(before_call());
  return inner_.set_owner(path, owner, group);
}

Result<std::vector<std::string>> FaultFileSystem::list(const std::string& path) {
  LOCI_RETURN_IF_ERROR(before_call());
  return inner_.list(path);
}

Status FaultFileSystem::sync_directory(const std::string& path) {
  LOCI_RETURN_IF_ERROR(before_call());
  return inner_.sync_directory(path);
}

Result<uint64_t> FaultFileSystem::free_bytes(const std::string& path) {
  LOCI_RETURN_IF_ERROR(before_call());
  return inner_.free_bytes(path);
}

Result<bool> FaultFileSystem::is_network(const std::string& path) {
  LOCI_RETURN_IF_ERROR(before_call());
  return inner_.is_network(path);
}

}  // namespace loci::base

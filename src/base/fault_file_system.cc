// SPDX-License-Identifier: Apache-2.0
#include "base/fault_file_system.h"

#include <random>
#include <utility>

namespace loci::base {
namespace {

/// A file that asks its FaultFileSystem before each call.
class FaultFile final : public File {
 public:
  /// `id`: of the recorded disk; 0 when it is not recorded.
  FaultFile(std::unique_ptr<File> inner, FaultFileSystem& owner, VolatileDisk::FileId id)
      : inner_(std::move(inner)), owner_(owner), id_(id) {}

  [[nodiscard]] Result<size_t> pread(uint64_t offset, std::span<uint8_t> out) override {
    LOCI_RETURN_IF_ERROR(owner_.before_call());
    return inner_->pread(offset, out);
  }
  Status pwrite(uint64_t offset, ByteSpan data) override {
    Status fault = owner_.before_call();
    if (fault.ok()) return write(offset, data);
    if (owner_.kind() == FaultKind::kShortWrite) {
      LOCI_RETURN_IF_ERROR(write(offset, data.first(data.size() / 2)));
    }
    if (owner_.kind() == FaultKind::kTornWrite) write_some_sectors(offset, data);
    return fault;
  }
  Status sync() override {
    LOCI_RETURN_IF_ERROR(owner_.before_call());
    if (!owner_.has_gate()) LOCI_RETURN_IF_ERROR(inner_->sync());
    note([&](VolatileDisk& disk) { disk.sync(id_); });
    return {};
  }
  Status truncate(uint64_t size) override {
    LOCI_RETURN_IF_ERROR(owner_.before_call());
    LOCI_RETURN_IF_ERROR(inner_->truncate(size));
    note([&](VolatileDisk& disk) { disk.truncate(id_, size); });
    return {};
  }
  Status allocate(uint64_t size) override {
    LOCI_RETURN_IF_ERROR(owner_.before_call());
    LOCI_ASSIGN_OR_RETURN(const uint64_t before, inner_->size());
    LOCI_RETURN_IF_ERROR(inner_->allocate(size));
    note([&](VolatileDisk& disk) {
      if (size > before) disk.truncate(id_, size);
    });
    return {};
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
  Status write(uint64_t offset, ByteSpan data) {
    LOCI_RETURN_IF_ERROR(inner_->pwrite(offset, data));
    note([&](VolatileDisk& disk) { disk.write(id_, offset, data); });
    return {};
  }
  /// The sectors that the dice choose: the same ones for the same call.
  void write_some_sectors(uint64_t offset, ByteSpan data) {
    std::mt19937_64 chance(offset + data.size());
    for_each_sector(offset, data.size(), [&](uint64_t begin, uint64_t length) {
      if (chance() % 2 == 0) return;
      write(offset + begin, data.subspan(begin, length)).ignore();  // the call fails anyway
    });
  }
  void note(const std::function<void(VolatileDisk&)>& change) {
    if (id_ != 0) owner_.changed(change);
  }

  std::unique_ptr<File> inner_;
  FaultFileSystem& owner_;  // must outlive this
  const VolatileDisk::FileId id_;
};

/// Everything from the first byte to the end.
Result<std::string> content(File& file) {
  LOCI_ASSIGN_OR_RETURN(const uint64_t size, file.size());
  std::vector<uint8_t> bytes(size);
  LOCI_ASSIGN_OR_RETURN(const size_t got, file.pread(0, bytes));
  return std::string(as_text(ByteSpan(bytes).first(got)));
}

}  // namespace

void FaultFileSystem::fail_nth(int64_t n, Status with, FaultKind kind) {
  const MutexLock lock(mu_);
  nth_ = n;
  calls_ = 0;
  fired_ = false;
  kind_ = kind;
  status_ = std::move(with);
  step_ = nullptr;
}

void FaultFileSystem::run_before_nth(int64_t n, std::function<void()> step) {
  fail_nth(n, Status());
  const MutexLock lock(mu_);
  step_ = std::move(step);
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

Status FaultFileSystem::before_call(std::string_view path) {
  if (const Gate gate = gate_.load(); gate != nullptr) {
    Fault fault = gate(path);
    if (!fault.status.ok()) {
      const MutexLock lock(mu_);
      kind_ = fault.kind;
      return std::move(fault.status);
    }
  }
  std::function<void()> step;
  {
    const MutexLock lock(mu_);
    ++calls_;
    const bool after = kind_ == FaultKind::kAllAfter && calls_ > nth_;
    if (nth_ <= 0 || (calls_ != nth_ && !after)) return {};
    fired_ = true;
    if (step_ == nullptr) return status_;
    step = step_;
  }
  step();  // without the lock: it may look at the files itself
  return {};
}

void FaultFileSystem::changed(const std::function<void(VolatileDisk&)>& change) {
  const MutexLock lock(mu_);
  if (recording_) change(disk_);
}

void FaultFileSystem::record() {
  const MutexLock lock(mu_);
  recording_ = true;
  disk_ = VolatileDisk();
}

Status FaultFileSystem::leave_survivors(uint64_t seed) {
  const MutexLock lock(mu_);
  recording_ = false;
  for (const std::string& path : disk_.paths()) {
    const Status removed = inner_.remove_file(path);
    if (!removed.ok() && removed.code() != StatusCode::kNotFound) return removed;
  }
  for (const auto& [path, bytes] : disk_.survivors(seed)) {
    LOCI_ASSIGN_OR_RETURN(const std::unique_ptr<File> file,
                          inner_.open(path, OpenMode::kCreateNew, 0600));
    LOCI_RETURN_IF_ERROR(file->pwrite(0, as_bytes(bytes)));
  }
  return {};
}

Status FaultFileSystem::learn(const std::string& path) {
  const MutexLock lock(mu_);
  if (!recording_ || disk_.find(path).has_value()) return {};
  LOCI_ASSIGN_OR_RETURN(const bool exists, inner_.exists(path));
  if (!exists) return {};
  LOCI_ASSIGN_OR_RETURN(const std::unique_ptr<File> file, inner_.open(path, OpenMode::kRead, 0));
  LOCI_ASSIGN_OR_RETURN(std::string bytes, content(*file));
  disk_.add(path, std::move(bytes));
  return {};
}

VolatileDisk::FileId FaultFileSystem::opened(const std::string& path, OpenMode how) {
  const MutexLock lock(mu_);
  if (!recording_) return 0;
  const std::optional<VolatileDisk::FileId> known = disk_.find(path);
  if (!known.has_value()) return disk_.create(path);
  if (how == OpenMode::kCreateReplace) disk_.truncate(*known, 0);
  return *known;
}

Result<std::unique_ptr<File>> FaultFileSystem::open(const std::string& path, OpenMode how,
                                                    uint32_t mode) {
  LOCI_RETURN_IF_ERROR(before_call(path));
  LOCI_RETURN_IF_ERROR(learn(path));
  LOCI_ASSIGN_OR_RETURN(std::unique_ptr<File> file, inner_.open(path, how, mode));
  return std::unique_ptr<File>(
      std::make_unique<FaultFile>(std::move(file), *this, opened(path, how)));
}

Result<std::unique_ptr<MappedFile>> FaultFileSystem::map(const std::string& path) {
  LOCI_RETURN_IF_ERROR(before_call(path));
  return inner_.map(path);
}

Status FaultFileSystem::rename(const std::string& from, const std::string& to) {
  LOCI_RETURN_IF_ERROR(before_call(from));
  LOCI_RETURN_IF_ERROR(learn(from));
  LOCI_RETURN_IF_ERROR(learn(to));
  LOCI_RETURN_IF_ERROR(inner_.rename(from, to));
  changed([&](VolatileDisk& disk) { disk.rename(from, to); });
  return {};
}

Status FaultFileSystem::remove_file(const std::string& path) {
  LOCI_RETURN_IF_ERROR(before_call(path));
  LOCI_RETURN_IF_ERROR(learn(path));
  LOCI_RETURN_IF_ERROR(inner_.remove_file(path));
  changed([&](VolatileDisk& disk) { disk.remove(path); });
  return {};
}

Status FaultFileSystem::remove_directory(const std::string& path) {
  LOCI_RETURN_IF_ERROR(before_call(path));
  return inner_.remove_directory(path);
}

Status FaultFileSystem::make_directories(const std::string& path, uint32_t mode) {
  LOCI_RETURN_IF_ERROR(before_call(path));
  return inner_.make_directories(path, mode);
}

Result<FileInfo> FaultFileSystem::info(const std::string& path) {
  LOCI_RETURN_IF_ERROR(before_call(path));
  return inner_.info(path);
}

Status FaultFileSystem::set_mode(const std::string& path, uint32_t mode) {
  LOCI_RETURN_IF_ERROR(before_call(path));
  return inner_.set_mode(path, mode);
}

Status FaultFileSystem::set_owner(const std::string& path, uint32_t owner, uint32_t group) {
  LOCI_RETURN_IF_ERROR(before_call(path));
  return inner_.set_owner(path, owner, group);
}

Result<std::vector<std::string>> FaultFileSystem::list(const std::string& path) {
  LOCI_RETURN_IF_ERROR(before_call(path));
  return inner_.list(path);
}

Status FaultFileSystem::sync_directory(const std::string& path) {
  LOCI_RETURN_IF_ERROR(before_call(path));
  if (!has_gate()) LOCI_RETURN_IF_ERROR(inner_.sync_directory(path));
  changed([&](VolatileDisk& disk) { disk.sync_directory(path); });
  return {};
}

Result<uint64_t> FaultFileSystem::free_bytes(const std::string& path) {
  LOCI_RETURN_IF_ERROR(before_call(path));
  return inner_.free_bytes(path);
}

Result<bool> FaultFileSystem::is_network(const std::string& path) {
  LOCI_RETURN_IF_ERROR(before_call(path));
  return inner_.is_network(path);
}

}  // namespace loci::base

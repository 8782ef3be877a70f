// SPDX-License-Identifier: Apache-2.0
#include "db/parts_file.h"

#include <algorithm>
#include <array>

#include "base/strings.h"

namespace loci::db {
namespace {

Status not_for_parts(std::string_view call) {
  return Status::unsupported(base::str_cat("snapshot inside the file: ", call));
}

}  // namespace

Status PartsFile::append(base::ByteSpan data) {
  while (!data.empty()) {
    std::vector<uint8_t>& part = first_.size() < part_bytes_ ? first_ : current_;
    const base::ByteSpan piece = data.first(std::min(data.size(), part_bytes_ - part.size()));
    part.insert(part.end(), piece.begin(), piece.end());
    data = data.subspan(piece.size());
    end_ += piece.size();
    if (current_.size() < part_bytes_) continue;
    LOCI_RETURN_IF_ERROR(put_(next_++, current_));
    current_.clear();
  }
  return {};
}

Status PartsFile::append_zeros(uint64_t count) {
  static constexpr std::array<uint8_t, 4096> kZeros{};
  for (; count > 0; count -= std::min<uint64_t>(count, kZeros.size())) {
    LOCI_RETURN_IF_ERROR(append(base::ByteSpan(kZeros).first(
        static_cast<size_t>(std::min<uint64_t>(count, kZeros.size())))));
  }
  return {};
}

Status PartsFile::pwrite(uint64_t offset, base::ByteSpan data) {
  if (offset >= end_) {
    LOCI_RETURN_IF_ERROR(append_zeros(offset - end_));
    return append(data);
  }
  if (offset > first_.size() || data.size() > first_.size() - offset) {
    return Status::internal(base::str_cat("snapshot inside the file: ", data.size(),
                                          " bytes written again at ", offset));
  }
  std::copy(data.begin(), data.end(), first_.begin() + static_cast<std::ptrdiff_t>(offset));
  return {};
}

Status PartsFile::allocate(uint64_t size) {
  return size > end_ ? append_zeros(size - end_) : Status();
}

Result<int64_t> PartsFile::finish() {
  if (!current_.empty()) LOCI_RETURN_IF_ERROR(put_(next_++, current_));
  current_.clear();
  LOCI_RETURN_IF_ERROR(put_(0, first_));
  return next_;
}

Result<size_t> PartsFile::pread(uint64_t /*offset*/, std::span<uint8_t> /*out*/) {
  return not_for_parts("pread");
}

Status PartsFile::sync() { return not_for_parts("sync"); }

Status PartsFile::truncate(uint64_t /*size*/) { return not_for_parts("truncate"); }

Status PartsFile::try_lock(base::LockKind /*kind*/, uint64_t /*offset*/, uint64_t /*length*/) {
  return not_for_parts("try_lock");
}

Status PartsFile::unlock(uint64_t /*offset*/, uint64_t /*length*/) {
  return not_for_parts("unlock");
}

Result<bool> PartsFile::is_locked(uint64_t /*offset*/, uint64_t /*length*/) {
  return not_for_parts("is_locked");
}

}  // namespace loci::db

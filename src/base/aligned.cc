// SPDX-License-Identifier: Apache-2.0
#include "base/aligned.h"

#include <cstring>
#include <new>

#include "base/os_system.h"
#include "base/strings.h"

namespace loci::base {
namespace {

std::align_val_t alignment_of(size_t bytes) noexcept {
  return std::align_val_t{bytes >= Buffer::kHugePage ? Buffer::kHugePage : Buffer::kAlignment};
}

Status no_memory(size_t bytes) {
  return Status::out_of_memory(str_cat("cannot allocate ", bytes, " bytes"));
}

}  // namespace

Result<Buffer> Buffer::try_allocate(size_t bytes, Fill fill) {
  if (bytes == 0) return Buffer();
  // Huge allocations are rounded to whole huge pages, so that the last one can be huge too.
  const std::optional<size_t> padded = checked_add(bytes, kHugePage);
  if (!padded.has_value() || *padded > PTRDIFF_MAX) return no_memory(bytes);
  const size_t size = bytes >= kHugePage ? round_up(bytes, kHugePage) : round_up(bytes, kAlignment);
  auto* const data = static_cast<uint8_t*>(::operator new(size, alignment_of(bytes), std::nothrow));
  if (data == nullptr) return no_memory(bytes);
  if (bytes >= kHugePage) os_advise_huge_pages(data, size);
  if (fill == Fill::kZero) std::memset(data, 0, size);
  return Buffer(data, bytes);
}

Result<Buffer> Buffer::try_allocate_array(size_t count, size_t size, Fill fill) {
  const std::optional<size_t> bytes = checked_multiply(count, size);
  if (!bytes.has_value()) {
    return Status::out_of_memory(str_cat("cannot allocate ", count, " x ", size, " bytes"));
  }
  return try_allocate(*bytes, fill);
}

Buffer Buffer::part_of(std::shared_ptr<void> owner, std::span<uint8_t> bytes) noexcept {
  Buffer part(bytes.data(), bytes.size());
  part.owner_ = std::move(owner);
  return part;
}

Buffer& Buffer::operator=(Buffer&& other) noexcept {
  std::swap(data_, other.data_);  // `other` frees what this held
  std::swap(size_, other.size_);
  owner_.swap(other.owner_);
  return *this;
}

Buffer::~Buffer() {
  if (data_ != nullptr && owner_ == nullptr) ::operator delete(data_, alignment_of(size_));
}

}  // namespace loci::base

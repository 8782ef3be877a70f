// SPDX-License-Identifier: Apache-2.0
//
// A snapshot on its way into the database file.
#pragma once

#include <functional>
#include <vector>

#include "base/os_file.h"

namespace loci::db {

/// What a SnapshotWriter writes to: hands the bytes on in parts. They come front to back, but for
/// the first part, which holds the root and is handed on last.
class PartsFile final : public base::File {
 public:
  /// `put(number, bytes)` keeps a part; `part_bytes` is the size of all but the last.
  PartsFile(size_t part_bytes, std::function<Status(int64_t, base::ByteSpan)> put)
      : part_bytes_(part_bytes), put_(std::move(put)) {}

  Status pwrite(uint64_t offset, base::ByteSpan data) override;
  /// Fills up to `size` with zeros.
  Status allocate(uint64_t size) override;
  [[nodiscard]] Result<uint64_t> size() override { return end_; }
  /// Hands on what is left. Returns the number of parts.
  Result<int64_t> finish();

  // Not asked for by who writes a snapshot: kUnsupported.
  [[nodiscard]] Result<size_t> pread(uint64_t offset, std::span<uint8_t> out) override;
  Status sync() override;
  Status truncate(uint64_t size) override;
  Status try_lock(base::LockKind kind, uint64_t offset, uint64_t length) override;
  Status unlock(uint64_t offset, uint64_t length) override;
  [[nodiscard]] Result<bool> is_locked(uint64_t offset, uint64_t length) override;

 private:
  Status append(base::ByteSpan data);
  Status append_zeros(uint64_t count);

  const size_t part_bytes_;
  const std::function<Status(int64_t, base::ByteSpan)> put_;
  std::vector<uint8_t> first_;    // part 0
  std::vector<uint8_t> current_;  // of part next_, once part 0 is full
  int64_t next_ = 1;
  uint64_t end_ = 0;
};

}  // namespace loci::db

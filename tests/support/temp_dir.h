// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace loci::testing {

/// A folder of its own for one test, removed with all that is in it at the end.
class TempDir {
 public:
  /// kMemory: where no sync waits for a disk, if the system has such a place.
  enum class Where { kDisk, kMemory };
  explicit TempDir(Where where = Where::kDisk);
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  ~TempDir();

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] std::string file(std::string_view name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

}  // namespace loci::testing

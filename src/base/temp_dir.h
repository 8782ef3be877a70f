// SPDX-License-Identifier: Apache-2.0
//
// For tests only: a folder of their own that goes away with them.
#pragma once

#include <filesystem>
#include <string>
#include <system_error>

#include "base/ids.h"

namespace loci::base {

class TempDir {
 public:
  TempDir() : path_(std::filesystem::temp_directory_path() / ("loci-test-" + uuid_v4())) {
    std::filesystem::create_directories(path_);
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  ~TempDir() {
    std::error_code ignored;  // a folder left behind in the temp directory fails no test
    std::filesystem::remove_all(path_, ignored);
  }

  [[nodiscard]] std::string path() const { return path_.string(); }
  [[nodiscard]] std::string file(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

}  // namespace loci::base

// SPDX-License-Identifier: Apache-2.0
//
// For tests only: files of given bytes in a folder that goes away with them.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace loci::cli::testing {

class TempFiles {
 public:
  TempFiles() {
    std::string pattern = (std::filesystem::temp_directory_path() / "loci-cli-XXXXXX").string();
    if (mkdtemp(pattern.data()) != nullptr) folder_ = pattern;
  }
  TempFiles(const TempFiles&) = delete;
  TempFiles& operator=(const TempFiles&) = delete;
  ~TempFiles() {
    std::error_code ignored;  // a folder left behind fails no test
    if (!folder_.empty()) std::filesystem::remove_all(folder_, ignored);
  }

  [[nodiscard]] std::string path(std::string_view name) const { return (folder_ / name).string(); }
  [[nodiscard]] std::string write(std::string_view name, std::string_view bytes) const {
    std::ofstream(path(name), std::ios::binary) << bytes;
    return path(name);
  }

 private:
  std::filesystem::path folder_;
};

/// Appends an integer of `bytes` bytes, little-endian; past the eighth they are zero.
inline void put_le(std::string& out, uint64_t value, size_t bytes) {
  for (size_t i = 0; i < bytes; ++i) {
    out += i < sizeof value ? static_cast<char>(value >> (8 * i) & 0xFFU) : '\0';
  }
}

inline void put_f32(std::string& out, float value) {
  uint32_t bits = 0;
  std::memcpy(&bits, &value, sizeof bits);
  put_le(out, bits, 4);
}

/// A whole .npy file, version 1 unless told.
inline std::string npy(std::string_view dictionary, std::string_view data, char version = 1) {
  std::string text(dictionary);
  text += '\n';
  std::string out = "\x93NUMPY";
  out += version;
  out += '\0';
  put_le(out, text.size(), version == 1 ? 2 : 4);
  out += text;
  out += data;
  return out;
}

}  // namespace loci::cli::testing

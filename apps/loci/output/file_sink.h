// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>

#include "loci/status.h"

namespace loci::cli {

/// A file that appears under its name only when it is complete, or standard output.
class FileSink {
 public:
  FileSink(FileSink&&) noexcept = default;
  FileSink& operator=(FileSink&&) noexcept = default;
  ~FileSink();

  /// path  empty or "-": standard output
  static Result<FileSink> open(const std::string& path);
  Status write(std::string_view bytes);
  /// Overwrites bytes at the beginning of a file: headers that name a count.
  Status rewrite_begin(std::string_view bytes);
  /// Flushes, and gives the file its name.
  Status close();
  [[nodiscard]] bool is_stdout() const { return path_.empty(); }

 private:
  FileSink() = default;
  struct Close {
    void operator()(std::FILE* file) const { static_cast<void>(std::fclose(file)); }
  };
  [[nodiscard]] std::FILE* stream() const { return file_ ? file_.get() : stdout; }

  std::string path_;
  std::string partial_;  // what the file is called until close()
  std::unique_ptr<std::FILE, Close> file_;
};

}  // namespace loci::cli

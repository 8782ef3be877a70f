// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "loci/status.h"

namespace loci::cli {

/// Bytes in order: a file, standard input, one entry of an archive.
class ByteSource {
 public:
  ByteSource() = default;
  ByteSource(const ByteSource&) = delete;
  ByteSource& operator=(const ByteSource&) = delete;
  virtual ~ByteSource() = default;

  /// Fills the front of `out`; 0 is the end. kIoError.
  virtual Result<size_t> read(std::span<char> out) = 0;
  /// How many bytes there are in all, where that is known.
  [[nodiscard]] virtual std::optional<uint64_t> size() const = 0;
  /// As messages show it: the path, or "-".
  [[nodiscard]] virtual const std::string& name() const = 0;
};

/// Opens a file, or standard input for "-".
/// Errors: kNotFound, kInvalidArgument (a directory, an SQLite database), kIoError.
Result<std::unique_ptr<ByteSource>> open_source(const std::string& path);

/// A file that is read at places of its own choosing.
class RandomFile {
 public:
  static Result<RandomFile> open(const std::string& path);
  /// Fills all of `out`; kCorruption when the file ends before.
  Status read_at(uint64_t offset, std::span<char> out) const;
  [[nodiscard]] uint64_t size() const { return size_; }
  [[nodiscard]] const std::string& name() const { return name_; }

 private:
  struct Close {
    void operator()(std::FILE* file) const { static_cast<void>(std::fclose(file)); }
  };
  std::string name_;
  std::unique_ptr<std::FILE, Close> file_;
  uint64_t size_ = 0;
};

/// A source with a look ahead and a count of what was taken.
class Input {
 public:
  explicit Input(std::unique_ptr<ByteSource> source) : source_(std::move(source)) {}

  /// The next up to `n` bytes without taking them (fewer at the end).
  Result<std::string_view> peek(size_t n);
  /// Takes up to out.size() bytes; fewer only at the end.
  Result<size_t> read(std::span<char> out);
  /// Takes `n` bytes that peek() has shown.
  void skip(size_t n);
  /// Takes one line without its line end; false at the end.
  /// kInvalidArgument when it is longer than `max_bytes`.
  Result<bool> read_line(std::string& line, size_t max_bytes);

  /// Bytes taken so far.
  [[nodiscard]] uint64_t offset() const { return offset_; }
  [[nodiscard]] std::optional<uint64_t> size() const { return source_->size(); }
  [[nodiscard]] const std::string& name() const { return source_->name(); }
  /// Share of the bytes that were taken; negative when the size is not known.
  [[nodiscard]] double fraction() const;

 private:
  Status fill(size_t wanted);

  std::unique_ptr<ByteSource> source_;
  std::vector<char> buffer_;
  size_t begin_ = 0;  // of what is not taken yet
  bool ended_ = false;
  uint64_t offset_ = 0;
};

}  // namespace loci::cli

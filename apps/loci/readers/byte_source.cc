// SPDX-License-Identifier: Apache-2.0
#include "readers/byte_source.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

namespace loci::cli {
namespace {

constexpr size_t kReadBytes = size_t{1} << 18;

Status io_error(const std::string& name, int error) {
  return Status::io_error("'" + name + "': " + std::strerror(error));
}

class FileSource final : public ByteSource {
 public:
  FileSource(std::string name, std::FILE* file, bool owned, std::optional<uint64_t> size)
      : name_(std::move(name)), file_(file), owned_(owned), size_(size) {}
  ~FileSource() override {
    if (owned_) static_cast<void>(std::fclose(file_));
  }

  Result<size_t> read(std::span<char> out) override {
    const size_t n = std::fread(out.data(), 1, out.size(), file_);
    if (n == 0 && std::ferror(file_) != 0) return io_error(name_, errno);
    return n;
  }
  [[nodiscard]] std::optional<uint64_t> size() const override { return size_; }
  [[nodiscard]] const std::string& name() const override { return name_; }

 private:
  std::string name_;
  std::FILE* file_;  // closed by the destructor when owned_
  bool owned_;
  std::optional<uint64_t> size_;
};

/// What stat() says of a path that is to be read.
Result<struct stat> stat_input(const std::string& path) {
  struct stat info{};
  if (stat(path.c_str(), &info) != 0) {
    if (errno == ENOENT || errno == ENOTDIR) {
      return Status::not_found("no file '" + path + "'");
    }
    return io_error(path, errno);
  }
  if (S_ISDIR(info.st_mode)) {
    return Status::invalid_argument("'" + path + "' is a directory: name a file in it");
  }
  return info;
}

}  // namespace

Result<std::unique_ptr<ByteSource>> open_source(const std::string& path) {
  if (path == "-") {
    return std::unique_ptr<ByteSource>(
        std::make_unique<FileSource>("-", stdin, false, std::nullopt));
  }
  LOCI_ASSIGN_OR_RETURN(const struct stat info, stat_input(path));
  std::FILE* file = std::fopen(path.c_str(), "rb");
  if (file == nullptr) return io_error(path, errno);
  const std::optional<uint64_t> size =
      S_ISREG(info.st_mode) ? std::optional<uint64_t>(static_cast<uint64_t>(info.st_size))
                            : std::nullopt;
  return std::unique_ptr<ByteSource>(std::make_unique<FileSource>(path, file, true, size));
}

Result<RandomFile> RandomFile::open(const std::string& path) {
  RandomFile out;
  LOCI_ASSIGN_OR_RETURN(const struct stat info, stat_input(path));
  out.name_ = path;
  out.file_.reset(std::fopen(path.c_str(), "rb"));
  if (out.file_ == nullptr) return io_error(path, errno);
  out.size_ = static_cast<uint64_t>(info.st_size);
  return out;
}

Status RandomFile::read_at(uint64_t offset, std::span<char> out) const {
  if (offset > size_ || out.size() > size_ - offset) {
    return Status::corruption("'" + name_ + "': truncated: " + std::to_string(out.size()) +
                              " bytes wanted at offset " + std::to_string(offset) +
                              ", the file has " + std::to_string(size_));
  }
  if (fseeko(file_.get(), static_cast<off_t>(offset), SEEK_SET) != 0 ||
      std::fread(out.data(), 1, out.size(), file_.get()) != out.size()) {
    return io_error(name_, errno);
  }
  return {};
}

Status Input::fill(size_t wanted) {
  while (!ended_ && buffer_.size() - begin_ < wanted) {
    if (begin_ > 0) {
      buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(begin_));
      begin_ = 0;
    }
    const size_t have = buffer_.size();
    const size_t more = std::max(kReadBytes, wanted - have);
    buffer_.resize(have + more);
    const Result<size_t> got = source_->read(std::span(buffer_).subspan(have));
    buffer_.resize(have + (got.has_value() ? *got : 0));
    LOCI_RETURN_IF_ERROR(got.status());
    ended_ = *got == 0;
  }
  return {};
}

Result<std::string_view> Input::peek(size_t n) {
  LOCI_RETURN_IF_ERROR(fill(n));
  return std::string_view(buffer_.data() + begin_, std::min(n, buffer_.size() - begin_));
}

void Input::skip(size_t n) {
  begin_ += n;
  offset_ += n;
}

Result<size_t> Input::read(std::span<char> out) {
  size_t done = 0;
  while (done < out.size()) {
    if (begin_ == buffer_.size()) {
      LOCI_RETURN_IF_ERROR(fill(1));
      if (begin_ == buffer_.size()) break;
    }
    const size_t n = std::min(out.size() - done, buffer_.size() - begin_);
    std::memcpy(out.data() + done, buffer_.data() + begin_, n);
    begin_ += n;
    done += n;
  }
  offset_ += done;
  return done;
}

Result<bool> Input::read_line(std::string& line, size_t max_bytes) {
  line.clear();
  bool any = false;
  while (true) {
    if (begin_ == buffer_.size()) {
      LOCI_RETURN_IF_ERROR(fill(1));
      if (begin_ == buffer_.size()) break;
    }
    any = true;
    const char* first = buffer_.data() + begin_;
    const size_t have = buffer_.size() - begin_;
    const void* found = std::memchr(first, '\n', have);
    const size_t n =
        found == nullptr ? have : static_cast<size_t>(static_cast<const char*>(found) - first);
    if (line.size() + n > max_bytes) {
      return Status::invalid_argument("'" + name() + "': a line longer than " +
                                      std::to_string(max_bytes) + " bytes");
    }
    line.append(first, n);
    const size_t taken = n + (found == nullptr ? 0 : 1);
    begin_ += taken;
    offset_ += taken;
    if (found != nullptr) break;
  }
  if (!line.empty() && line.back() == '\r') line.pop_back();
  return any;
}

double Input::fraction() const {
  const std::optional<uint64_t> total = source_->size();
  if (!total.has_value() || *total == 0) return -1;
  return static_cast<double>(offset_) / static_cast<double>(*total);
}

}  // namespace loci::cli

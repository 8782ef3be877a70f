// SPDX-License-Identifier: Apache-2.0
#include "base/os_file.h"

#include <atomic>

#include "base/strings.h"

namespace loci::base {
namespace {

std::atomic<FileSystem*>& in_its_place() {
  static std::atomic<FileSystem*> files{nullptr};
  return files;
}

}  // namespace

FileSystem& file_system() {
  FileSystem* const files = in_its_place().load(std::memory_order_acquire);
  return files != nullptr ? *files : real_file_system();
}

void set_file_system(FileSystem* files) { in_its_place().store(files, std::memory_order_release); }

Result<bool> FileSystem::exists(const std::string& path) {
  const Result<FileInfo> found = info(path);
  if (found.has_value()) return true;
  if (found.error().code() == StatusCode::kNotFound) return false;
  return found.error();
}

Result<std::string> read_file(FileSystem& files, const std::string& path, uint64_t max_bytes) {
  LOCI_ASSIGN_OR_RETURN(const std::unique_ptr<File> file, files.open(path, OpenMode::kRead));
  LOCI_ASSIGN_OR_RETURN(const uint64_t size, file->size());
  if (size > max_bytes) {
    return Status::full(str_cat("'", path, "': ", size, " bytes, at most ", max_bytes));
  }
  std::string text(static_cast<size_t>(size), '\0');
  const std::span<uint8_t> out(reinterpret_cast<uint8_t*>(text.data()), text.size());
  LOCI_ASSIGN_OR_RETURN(const size_t got, file->pread(0, out));
  text.resize(got);  // shorter when the file shrank meanwhile
  return text;
}

std::string parent_directory(const std::string& path) {
  const size_t end = path.find_last_not_of('/');
  if (end == std::string::npos) return path.empty() ? "." : "/";
  const size_t slash = path.find_last_of('/', end);
  if (slash == std::string::npos) return ".";
  const size_t parent_end = path.find_last_not_of('/', slash);
  return parent_end == std::string::npos ? "/" : path.substr(0, parent_end + 1);
}

}  // namespace loci::base

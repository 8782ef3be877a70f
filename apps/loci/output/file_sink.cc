// SPDX-License-Identifier: Apache-2.0
#include "output/file_sink.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace loci::cli {
namespace {

Status write_error(const std::string& path, int error) {
  std::string message =
      "'" + (path.empty() ? std::string("standard output") : path) + "': " + std::strerror(error);
  return error == ENOSPC || error == EDQUOT ? Status::full(std::move(message))
                                            : Status::io_error(std::move(message));
}

}  // namespace

FileSink::~FileSink() {
  if (!file_) return;
  file_.reset();
  static_cast<void>(
      std::remove(partial_.c_str()));  // never closed: a half-written file is of no use
}

Result<FileSink> FileSink::open(const std::string& path) {
  FileSink sink;
  if (path.empty() || path == "-") return sink;
  sink.path_ = path;
  sink.partial_ = path + ".partial";
  sink.file_.reset(std::fopen(sink.partial_.c_str(), "wb"));
  if (!sink.file_) return write_error(sink.partial_, errno);
  return sink;
}

Status FileSink::write(std::string_view bytes) {
  if (std::fwrite(bytes.data(), 1, bytes.size(), stream()) == bytes.size()) return {};
  return write_error(path_, errno);
}

Status FileSink::rewrite_begin(std::string_view bytes) {
  if (fseeko(stream(), 0, SEEK_SET) != 0) return write_error(path_, errno);
  LOCI_RETURN_IF_ERROR(write(bytes));
  return fseeko(stream(), 0, SEEK_END) == 0 ? Status{} : write_error(path_, errno);
}

Status FileSink::close() {
  if (std::fflush(stream()) != 0) return write_error(path_, errno);
  if (!file_) return {};
  if (fsync(fileno(file_.get())) != 0) return write_error(path_, errno);
  if (std::fclose(file_.release()) != 0) return write_error(path_, errno);
  if (std::rename(partial_.c_str(), path_.c_str()) != 0) return write_error(path_, errno);
  return {};
}

}  // namespace loci::cli

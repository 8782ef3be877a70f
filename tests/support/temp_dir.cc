// SPDX-License-Identifier: Apache-2.0
#include "support/temp_dir.h"

#include <stdlib.h>  // mkdtemp: POSIX

#include <stdexcept>
#include <system_error>

namespace loci::testing {

TempDir::TempDir(Where where) {
  const std::filesystem::path memory = "/dev/shm";
  const bool in_memory = where == Where::kMemory && std::filesystem::is_directory(memory);
  const std::filesystem::path parent = in_memory ? memory : std::filesystem::temp_directory_path();
  std::string pattern = (parent / "loci_test_XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp " + pattern);
  path_ = pattern;
}

TempDir::~TempDir() {
  std::error_code error;
  // A test may have taken away the right to write: give it back, else nothing can be removed.
  std::filesystem::permissions(path_, std::filesystem::perms::owner_all,
                               std::filesystem::perm_options::add, error);
  std::filesystem::remove_all(path_, error);
}

}  // namespace loci::testing

// SPDX-License-Identifier: Apache-2.0
#include "support/temp_dir.h"

#include <stdlib.h>  // mkdtemp: POSIX

#include <stdexcept>
#include <system_error>

namespace loci::testing {

TempDir::TempDir() {
  std::string pattern = (std::filesystem::temp_directory_path() / "loci_test_XXXXXX").string();
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

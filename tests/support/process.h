// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace loci::testing {

/// How a program ended and what it wrote.
struct ProcessResult {
  int exit_code = -1;
  std::string out;
  std::string error;
};

/// Runs a program from PATH with `input` on its standard input and waits for it. No shell is
/// involved. Exit code 127: the program is not there; 128 + n: signal n ended it.
ProcessResult run_program(const std::vector<std::string>& argv, std::string_view input = {});

/// Feeds `script` to the plain `sqlite3` shell on the database `path`: another client of the file,
/// which knows nothing of Loci. Stops at the first error.
ProcessResult sqlite_shell(const std::string& path, std::string_view script);

/// Runs `body` in a forked child and returns what it returns (0..255), or 128 + the signal that
/// ended it. The caller must have no other threads and no database open.
int in_child(const std::function<int()>& body);

/// The bytes of a file, read by another process: a second descriptor opened and closed by this one
/// would drop the POSIX locks that SQLite holds on it. Empty when the file is not there.
std::string read_bytes_elsewhere(const std::string& path);

}  // namespace loci::testing

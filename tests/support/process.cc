// SPDX-License-Identifier: Apache-2.0
#include "support/process.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <sstream>

#include "support/temp_dir.h"

extern "C" char** environ;  // NOLINT(readability-identifier-naming): named by POSIX

namespace loci::testing {
namespace {

std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream bytes;
  bytes << in.rdbuf();
  return bytes.str();
}

int exit_code_of(int wait_status) {
  if (WIFEXITED(wait_status)) return WEXITSTATUS(wait_status);
  if (WIFSIGNALED(wait_status)) return 128 + WTERMSIG(wait_status);
  return -1;
}

}  // namespace

ProcessResult run_program(const std::vector<std::string>& argv, std::string_view input) {
  const TempDir dir;
  const std::string in_path = dir.file("in");
  const std::string out_path = dir.file("out");
  const std::string error_path = dir.file("error");
  std::ofstream(in_path, std::ios::binary) << input;

  std::vector<std::string> copy = argv;
  std::vector<char*> pointers;
  pointers.reserve(copy.size() + 1);
  for (std::string& argument : copy) pointers.push_back(argument.data());
  pointers.push_back(nullptr);

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, in_path.c_str(), O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, out_path.c_str(),
                                   O_WRONLY | O_CREAT | O_TRUNC, 0600);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, error_path.c_str(),
                                   O_WRONLY | O_CREAT | O_TRUNC, 0600);
  pid_t pid = 0;
  const int spawned =
      ::posix_spawnp(&pid, pointers.front(), &actions, nullptr, pointers.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (spawned != 0) return {127, "", "cannot run " + argv.front()};

  int wait_status = 0;
  while (::waitpid(pid, &wait_status, 0) < 0 && errno == EINTR) {
  }
  return {exit_code_of(wait_status), read_file(out_path), read_file(error_path)};
}

ProcessResult sqlite_shell(const std::string& path, std::string_view script) {
  // The time-out lets it wait for a writer of the test's own process. ".timeout" prints nothing.
  std::string input = ".timeout 10000\n";
  input += script;
  input += "\n";
  return run_program({"sqlite3", "-batch", "-bail", path}, input);
}

int in_child(const std::function<int()>& body) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(body());
  if (child < 0) return -1;
  int wait_status = 0;
  while (::waitpid(child, &wait_status, 0) < 0 && errno == EINTR) {
  }
  return exit_code_of(wait_status);
}

std::string read_bytes_elsewhere(const std::string& path) { return run_program({"cat", path}).out; }

}  // namespace loci::testing

// SPDX-License-Identifier: Apache-2.0
//
// For tests: what a power failure leaves of files.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "base/bytes.h"

namespace loci::base {

/// Keeps, beside the files themselves, what of them is durable: the bytes as of each file's last
/// sync and the names as of each folder's, and in order everything since. survivors() draws from
/// that what a disk may hold once the power is back.
///
/// Folders themselves are taken as durable when they are made. Threads: one at a time.
class VolatileDisk {
 public:
  using FileId = uint64_t;
  static constexpr uint64_t kSectorBytes = 512;  ///< written whole or not at all

  [[nodiscard]] std::optional<FileId> find(const std::string& path) const;
  /// A file that was there before: durable, name and bytes.
  FileId add(const std::string& path, std::string bytes);
  /// A new empty file under `path`.
  FileId create(const std::string& path);
  void write(FileId file, uint64_t offset, ByteSpan data);
  void truncate(FileId file, uint64_t size);
  void sync(FileId file);
  /// Atomic: a power loss leaves it done or not done.
  void rename(const std::string& from, const std::string& to);
  void remove(const std::string& path);
  void sync_directory(const std::string& folder);

  /// What is left, by path. Seed 0: nothing that was not synced; seed 1: all of it; any other: a
  /// random part of the changes of names and of the sectors of each write.
  [[nodiscard]] std::map<std::string, std::string> survivors(uint64_t seed) const;
  /// Every path that a file has ever had.
  [[nodiscard]] std::vector<std::string> paths() const;

 private:
  struct Change {
    bool truncate = false;
    uint64_t offset = 0;  ///< truncate: the size
    std::string data;
  };
  struct File {
    std::string durable;
    std::vector<Change> since;
  };
  /// `path` names `file` from now on, or nothing; `from` loses its name (rename).
  struct NameChange {
    std::string path;
    std::optional<FileId> file;
    std::string from;
  };
  using Names = std::map<std::string, FileId>;
  using Chance = std::mt19937_64;

  static void apply(const Change& change, std::string& bytes);
  static void apply_part(const Change& change, Chance& chance, uint64_t kept_of_4,
                         std::string& bytes);
  static void apply(const NameChange& change, Names& names);
  void change_name(NameChange change);

  std::map<FileId, File> files_;
  Names now_;      ///< as programs see them
  Names durable_;  ///< as of the last sync of their folders
  std::vector<NameChange> since_;
  std::set<std::string> ever_;
  FileId next_ = 1;
};

/// `data` in sectors as they lie in the file; `keep(begin, length)` is called for each.
template <typename Keep>
void for_each_sector(uint64_t offset, uint64_t length, const Keep& keep) {
  for (uint64_t begin = 0; begin < length;) {
    const uint64_t in_sector = (offset + begin) % VolatileDisk::kSectorBytes;
    const uint64_t bytes = std::min(VolatileDisk::kSectorBytes - in_sector, length - begin);
    keep(begin, bytes);
    begin += bytes;
  }
}

}  // namespace loci::base

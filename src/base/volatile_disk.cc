// SPDX-License-Identifier: Apache-2.0
//
// Idea. POSIX promises that bytes are there after a power failure only once fsync of the file has
// returned, and names only once fsync of the folder has. Before that a disk may have done any part
// of what it was told, in any order, sector by sector. So each file keeps the bytes of its last
// sync and the list of what was written since; a failure applies a random part of the list.
//
// Invariants.
//  1. A sync moves the whole list into the durable bytes, and touches no other file.
//  2. A rename is one change: both of its names are as before, or both as after.
//  3. Bytes outside a written range are never changed by it (what SQLite calls powersafe
//  overwrite).
//
// Tested by volatile_disk_test.cc.
#include "base/volatile_disk.h"

#include <algorithm>
#include <utility>

#include "base/os_file.h"

namespace loci::base {

void VolatileDisk::apply(const Change& change, std::string& bytes) {
  if (change.truncate) {
    bytes.resize(change.offset, '\0');
    return;
  }
  const uint64_t end = change.offset + change.data.size();
  if (bytes.size() < end) bytes.resize(end, '\0');
  bytes.replace(change.offset, change.data.size(), change.data);
}

void VolatileDisk::apply_part(const Change& change, Chance& chance, uint64_t kept_of_4,
                              std::string& bytes) {
  if (change.truncate) {
    if (chance() % 4 < kept_of_4) apply(change, bytes);
    return;
  }
  for_each_sector(change.offset, change.data.size(), [&](uint64_t begin, uint64_t length) {
    if (chance() % 4 >= kept_of_4) return;
    apply({.truncate = false,
           .offset = change.offset + begin,
           .data = change.data.substr(begin, length)},
          bytes);
  });
}

void VolatileDisk::apply(const NameChange& change, Names& names) {
  if (!change.from.empty()) {
    const auto from = names.find(change.from);
    if (from != names.end() && from->second == change.file) names.erase(from);
  }
  if (change.file.has_value()) {
    names[change.path] = *change.file;
  } else {
    names.erase(change.path);
  }
}

void VolatileDisk::change_name(NameChange change) {
  ever_.insert(change.path);
  apply(change, now_);
  since_.push_back(std::move(change));
}

std::optional<VolatileDisk::FileId> VolatileDisk::find(const std::string& path) const {
  const auto found = now_.find(path);
  if (found == now_.end()) return std::nullopt;
  return found->second;
}

VolatileDisk::FileId VolatileDisk::add(const std::string& path, std::string bytes) {
  const FileId file = next_++;
  files_[file].durable = std::move(bytes);
  ever_.insert(path);
  now_[path] = file;
  durable_[path] = file;
  return file;
}

VolatileDisk::FileId VolatileDisk::create(const std::string& path) {
  const FileId file = next_++;
  files_[file];
  change_name({.path = path, .file = file, .from = {}});
  return file;
}

void VolatileDisk::write(FileId file, uint64_t offset, ByteSpan data) {
  files_[file].since.push_back(
      {.truncate = false, .offset = offset, .data = std::string(as_text(data))});
}

void VolatileDisk::truncate(FileId file, uint64_t size) {
  files_[file].since.push_back({.truncate = true, .offset = size, .data = {}});
}

void VolatileDisk::sync(FileId file) {
  File& synced = files_[file];
  for (const Change& change : synced.since) apply(change, synced.durable);
  synced.since.clear();
}

void VolatileDisk::rename(const std::string& from, const std::string& to) {
  const std::optional<FileId> file = find(from);
  if (file.has_value()) change_name({.path = to, .file = file, .from = from});
}

void VolatileDisk::remove(const std::string& path) {
  if (find(path).has_value()) change_name({.path = path, .file = std::nullopt, .from = {}});
}

void VolatileDisk::sync_directory(const std::string& folder) {
  std::vector<NameChange> elsewhere;
  for (NameChange& change : since_) {
    if (parent_directory(change.path) == folder) {
      apply(change, durable_);
    } else {
      elsewhere.push_back(std::move(change));
    }
  }
  since_ = std::move(elsewhere);
}

std::map<std::string, std::string> VolatileDisk::survivors(uint64_t seed) const {
  Chance chance(seed);
  const uint64_t kept_of_4 = seed == 0 ? 0 : seed == 1 ? 4 : 1 + chance() % 3;
  Names names = durable_;
  for (const NameChange& change : since_) {
    if (chance() % 4 < kept_of_4) apply(change, names);
  }
  std::map<std::string, std::string> left;
  for (const auto& [path, id] : names) {
    const File& file = files_.at(id);
    std::string bytes = file.durable;
    for (const Change& change : file.since) apply_part(change, chance, kept_of_4, bytes);
    left.emplace(path, std::move(bytes));
  }
  return left;
}

std::vector<std::string> VolatileDisk::paths() const { return {ever_.begin(), ever_.end()}; }

}  // namespace loci::base

// SPDX-License-Identifier: Apache-2.0
//
// A snapshot on disk: an image of one source at one position of the log, as checksummed segments.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/aligned.h"
#include "base/os_file.h"

namespace loci::index {

using SnapshotId = std::array<uint8_t, 16>;

/// What a snapshot says about itself. Which of several counts is said by the database alone.
struct SnapshotRoot {
  SnapshotId database{};  ///< uuid of the database it was made of
  SnapshotId id{};        ///< random; also names the file
  int64_t source = 0;
  uint64_t generation = 0;
  int64_t scn = 0;    ///< the entry of the log up to which it holds the source's rows ...
  int64_t token = 0;  ///< ... and that entry's token
  uint64_t rows = 0;
  uint64_t layout = 0;  ///< hash of what its bytes depend on: columns, metrics, codes
  friend bool operator==(const SnapshotRoot&, const SnapshotRoot&) = default;
};

/// On disk: never renumber.
enum class SegmentKind : uint32_t {
  kRowIds = 1,
  kArchived = 2,
  kPresent = 3,     ///< of a vector column: which slots have a vector
  kFit = 4,         ///< of a vector column: what its codes are relative to
  kCodes = 5,       ///< of a chunk of a vector column: codes and their parameters
  kVectors = 6,     ///< of a block of a vector column: float32
  kFieldNulls = 7,  ///< of a filter column
  kFieldValues = 8,
  kDictionary = 9,  ///< of a text filter column
  kGraph = 10,      ///< of a vector column: the head of its graph
  kGraphEntries = 11,
  kGraphSlots = 12,
  kGraphLists = 13,  ///< of a block of slots
};

struct SegmentKey {
  SegmentKind kind = SegmentKind::kRowIds;
  uint32_t column = 0;
  uint64_t part = 0;  ///< chunk, or block
  friend bool operator==(const SegmentKey&, const SegmentKey&) = default;
};

/// Writes a snapshot front to back into a file of its own.
class SnapshotWriter {
 public:
  /// `file` is empty and outlives this.
  SnapshotWriter(base::File& file, const SnapshotRoot& root) : file_(file), root_(root) {}

  /// Appends a segment made of `pieces`, each padded to 64 bytes. `items`: what the writer of the
  /// segment wants to know again.
  Status add(const SegmentKey& key, uint64_t items, std::span<const base::ByteSpan> pieces);
  Status add(const SegmentKey& key, uint64_t items, base::ByteSpan bytes) {
    return add(key, items, {&bytes, 1});
  }
  /// Writes the table of segments and the root: the file is whole once the caller has synced it.
  /// Returns the checksum that the database records.
  Result<uint64_t> finish();

 private:
  struct Entry {
    SegmentKey key;
    uint64_t offset = 0;
    uint64_t bytes = 0;
    uint64_t items = 0;
    uint64_t checksum = 0;
  };
  Status write(base::ByteSpan bytes);

  base::File& file_;  // must outlive this
  SnapshotRoot root_;
  std::vector<Entry> entries_;
  uint64_t end_ = 8192;  // behind the two root slots
};

/// A snapshot opened for reading. The root and the table of segments are checked at once, a
/// segment when it is first asked for.
/// Threads: any.
class SnapshotFile : public std::enable_shared_from_this<SnapshotFile> {
  struct Private {
    explicit Private() = default;
  };  // lets make_shared reach the constructor, and nobody else

 public:
  struct Segment {
    size_t number = 0;
    uint64_t items = 0;
    std::span<uint8_t> bytes;  ///< writes stay in this process
  };
  enum class Access : uint8_t { kMap, kRead };

  /// Opens the file at `path`. A file is never changed once it has its name, and what is mapped
  /// stays when the name is taken away: so no lock is needed. Errors: kNotFound;
  /// kCorruption when it is not whole or not the snapshot `expected` (rows and layout aside: they
  /// are for the reader to look at) with `checksum`.
  static Result<std::shared_ptr<SnapshotFile>> open(base::FileSystem& files,
                                                    const std::string& path,
                                                    const SnapshotRoot& expected, uint64_t checksum,
                                                    Access access);
  /// The same of bytes that were read from elsewhere; `name` is for messages.
  static Result<std::shared_ptr<SnapshotFile>> from_bytes(base::Buffer bytes,
                                                          const std::string& name,
                                                          const SnapshotRoot& expected,
                                                          uint64_t checksum);
  SnapshotFile(Private /*key*/, std::string path) : path_(std::move(path)) {}

  [[nodiscard]] const SnapshotRoot& root() const noexcept { return root_; }
  /// Whether it came from_bytes().
  [[nodiscard]] bool is_from_bytes() const noexcept { return from_bytes_; }
  [[nodiscard]] bool contains(const SegmentKey& key) const noexcept;
  /// A segment whose bytes have not been looked at yet; kCorruption when there is none.
  [[nodiscard]] Result<Segment> find(const SegmentKey& key);
  /// kCorruption, naming the segment, when its bytes are not those that were written. The first
  /// call reads them all; later ones cost a load. Not to be asked after they were written to.
  [[nodiscard]] Status verify(size_t number) const;
  [[nodiscard]] Status verify_all() const;
  /// find() and verify().
  [[nodiscard]] Result<Segment> read(const SegmentKey& key);
  [[nodiscard]] size_t segment_count() const noexcept { return entries_.size(); }
  /// A part of a segment that keeps this alive.
  [[nodiscard]] base::Buffer part(std::span<uint8_t> bytes);

 private:
  struct Entry {
    SegmentKey key;
    uint64_t offset = 0;
    uint64_t bytes = 0;
    uint64_t items = 0;
    uint64_t checksum = 0;
  };
  Status load(base::FileSystem& files, Access access);
  Status parse(const SnapshotRoot& expected, uint64_t checksum);
  Status parse_table(base::ByteSpan slot);
  [[nodiscard]] std::span<uint8_t> bytes_of(const Entry& entry) const noexcept;
  [[nodiscard]] Status damaged(std::string_view what) const;

  std::string path_;
  std::unique_ptr<base::MappedFile> mapped_;  // or
  base::Buffer copy_;
  bool from_bytes_ = false;
  std::span<uint8_t> bytes_;  // of either
  SnapshotRoot root_;
  std::vector<Entry> entries_;
  mutable std::vector<std::atomic<bool>> verified_;  // by segment
};

/// The name of a snapshot's file in its folder.
[[nodiscard]] std::string snapshot_file_name(const SnapshotId& id);

}  // namespace loci::index

// SPDX-License-Identifier: Apache-2.0
//
// .npz: a zip archive of .npy files, stored or deflated, zip64 where it is large. The central
// directory is read, entries are streamed. Against archives made to do harm: names and counts are
// limited, an entry must inflate to exactly the size that the directory says, its CRC must match,
// and an entry over 64 MiB that claims to be packed better than 200:1 is refused (vectors never
// are). Source: PKWARE APPNOTE 6.3.10, sections 4.3 and 4.5.3.
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "readers/elements.h"
#include "readers/row_reader.h"

namespace loci::cli {
namespace {

constexpr size_t kEndBytes = 22;       // end of central directory, without its comment
constexpr size_t kMaxComment = 65535;  // 16 bits
constexpr uint64_t kMaxDirectoryBytes = uint64_t{16} << 20;
constexpr uint64_t kFreeInflateBytes = uint64_t{64} << 20;
constexpr uint64_t kMaxRatio = 200;

uint64_t read_le(std::string_view in, size_t at, size_t bytes) {
  uint64_t value = 0;
  for (size_t i = bytes; i-- > 0;) value = value << 8U | static_cast<unsigned char>(in[at + i]);
  return value;
}

struct ZipEntry {
  std::string name;
  uint64_t method = 0;
  uint64_t flags = 0;
  uint64_t crc = 0;
  uint64_t packed = 0;
  uint64_t size = 0;
  uint64_t header_offset = 0;
};

Status broken(const RandomFile& file, const std::string& what) {
  return Status::corruption("'" + file.name() + "': not a whole zip archive: " + what);
}

struct Directory {
  uint64_t offset = 0;
  uint64_t bytes = 0;
};

Result<Directory> find_directory(const RandomFile& file) {
  const uint64_t tail = std::min<uint64_t>(file.size(), kEndBytes + kMaxComment);
  std::string bytes(tail, '\0');
  LOCI_RETURN_IF_ERROR(file.read_at(file.size() - tail, bytes));
  const size_t end = bytes.rfind("PK\x05\x06");
  if (end == std::string::npos || bytes.size() - end < kEndBytes) {
    return broken(file, "it has no end record (is it cut off?)");
  }
  Directory found{.offset = read_le(bytes, end + 16, 4), .bytes = read_le(bytes, end + 12, 4)};
  if (found.offset == 0xFFFFFFFF || found.bytes == 0xFFFFFFFF) {
    const uint64_t end_offset = file.size() - tail + end;
    if (end_offset < 20) return broken(file, "the zip64 locator is missing");
    std::string locator(20, '\0');
    LOCI_RETURN_IF_ERROR(file.read_at(end_offset - 20, locator));
    if (!locator.starts_with("PK\x06\x07")) return broken(file, "the zip64 locator is missing");
    std::string record(56, '\0');
    LOCI_RETURN_IF_ERROR(file.read_at(read_le(locator, 8, 8), record));
    if (!record.starts_with("PK\x06\x06")) return broken(file, "the zip64 record is missing");
    found = {.offset = read_le(record, 48, 8), .bytes = read_le(record, 40, 8)};
  }
  if (found.bytes > kMaxDirectoryBytes) return broken(file, "its directory is over 16 MiB");
  return found;
}

/// Takes 64-bit sizes out of the extra field (id 1) for those that are all ones.
void apply_zip64(std::string_view extra, ZipEntry& entry) {
  while (extra.size() >= 4) {
    const uint64_t id = read_le(extra, 0, 2);
    const size_t length = std::min<size_t>(read_le(extra, 2, 2), extra.size() - 4);
    std::string_view body = extra.substr(4, length);
    extra.remove_prefix(4 + length);
    if (id != 1) continue;
    for (uint64_t* field : {&entry.size, &entry.packed, &entry.header_offset}) {
      if (*field != 0xFFFFFFFF || body.size() < 8) continue;
      *field = read_le(body, 0, 8);
      body.remove_prefix(8);
    }
  }
}

Result<std::vector<ZipEntry>> read_directory(const RandomFile& file) {
  LOCI_ASSIGN_OR_RETURN(const Directory directory, find_directory(file));
  std::string bytes(directory.bytes, '\0');
  LOCI_RETURN_IF_ERROR(file.read_at(directory.offset, bytes));
  std::vector<ZipEntry> entries;
  std::string_view in = bytes;
  while (in.size() >= 46 && in.starts_with("PK\x01\x02")) {
    const size_t name = read_le(in, 28, 2);
    const size_t extra = read_le(in, 30, 2);
    const size_t whole = 46 + name + extra + read_le(in, 32, 2);
    if (whole > in.size()) return broken(file, "its directory ends inside an entry");
    ZipEntry entry{.name = std::string(in.substr(46, name)),
                   .method = read_le(in, 10, 2),
                   .flags = read_le(in, 8, 2),
                   .crc = read_le(in, 16, 4),
                   .packed = read_le(in, 20, 4),
                   .size = read_le(in, 24, 4),
                   .header_offset = read_le(in, 42, 4)};
    apply_zip64(in.substr(46 + name, extra), entry);
    entries.push_back(std::move(entry));
    in.remove_prefix(whole);
  }
  return entries;
}

/// The bytes of one entry, unpacked as they are read.
class ZipEntrySource final : public ByteSource {
 public:
  ZipEntrySource(std::shared_ptr<const RandomFile> file, ZipEntry entry)
      : file_(std::move(file)),
        entry_(std::move(entry)),
        name_(file_->name() + "[" + entry_.name + "]") {}
  ~ZipEntrySource() override {
    if (inflating_) inflateEnd(&stream_);
  }

  Status start() {
    if ((entry_.flags & 1U) != 0) return bad("it is encrypted");
    if (entry_.method != 0 && entry_.method != 8) {
      return bad("packed by method " + std::to_string(entry_.method) + ", known: stored, deflated");
    }
    if (entry_.method == 0 && entry_.packed != entry_.size) return bad("its sizes disagree");
    if (entry_.size > kFreeInflateBytes && entry_.size / kMaxRatio > entry_.packed) {
      return bad(std::to_string(entry_.packed) + " bytes claim to hold " +
                 std::to_string(entry_.size) + ": refused above 200:1");
    }
    std::string local(30, '\0');
    LOCI_RETURN_IF_ERROR(file_->read_at(entry_.header_offset, local));
    if (!local.starts_with("PK\x03\x04")) return bad("its header is missing");
    offset_ = entry_.header_offset + local.size() + read_le(local, 26, 2) + read_le(local, 28, 2);
    if (offset_ > file_->size() || entry_.packed > file_->size() - offset_) {
      return bad("truncated: it should end at offset " + std::to_string(offset_ + entry_.packed) +
                 ", the file has " + std::to_string(file_->size()) + " bytes");
    }
    if (entry_.method == 8) {
      inflating_ = inflateInit2(&stream_, -MAX_WBITS) == Z_OK;
      if (!inflating_) return Status::out_of_memory("zlib cannot start");
    }
    return {};
  }

  Result<size_t> read(std::span<char> out) override {
    const uint64_t left = entry_.size - given_;
    out = out.first(static_cast<size_t>(std::min<uint64_t>(out.size(), left)));
    if (out.empty()) return size_t{0};
    LOCI_ASSIGN_OR_RETURN(const size_t got, entry_.method == 8 ? unpack(out) : copy(out));
    crc_ = crc32(crc_, reinterpret_cast<const Bytef*>(out.data()), static_cast<uInt>(got));
    given_ += got;
    if (given_ == entry_.size && crc_ != entry_.crc) return bad("its checksum does not match");
    if (got == 0) return bad("it holds fewer bytes than its directory says");
    return got;
  }
  [[nodiscard]] std::optional<uint64_t> size() const override { return entry_.size; }
  [[nodiscard]] const std::string& name() const override { return name_; }

 private:
  Status bad(const std::string& what) const {
    return Status::corruption("'" + name_ + "': " + what);
  }

  Result<size_t> copy(std::span<char> out) {
    LOCI_RETURN_IF_ERROR(file_->read_at(offset_ + taken_, out));
    taken_ += out.size();
    return out.size();
  }

  Result<size_t> unpack(std::span<char> out) {
    out = out.first(std::min(out.size(), size_t{1} << 24));
    stream_.next_out = reinterpret_cast<Bytef*>(out.data());
    stream_.avail_out = static_cast<uInt>(out.size());
    while (stream_.avail_out != 0) {
      if (stream_.avail_in == 0 && taken_ < entry_.packed) {
        const auto n =
            static_cast<size_t>(std::min<uint64_t>(packed_.size(), entry_.packed - taken_));
        LOCI_RETURN_IF_ERROR(file_->read_at(offset_ + taken_, std::span(packed_).first(n)));
        taken_ += n;
        stream_.next_in = reinterpret_cast<Bytef*>(packed_.data());
        stream_.avail_in = static_cast<uInt>(n);
      }
      const int code = inflate(&stream_, Z_NO_FLUSH);
      if (code == Z_STREAM_END) break;
      if (code != Z_OK) return bad("its packed bytes are broken");
    }
    return out.size() - stream_.avail_out;
  }

  std::shared_ptr<const RandomFile> file_;  // owners: this and the opener, for other entries
  ZipEntry entry_;
  std::string name_;
  uint64_t offset_ = 0;  // of the packed bytes
  uint64_t taken_ = 0;   // packed bytes read
  uint64_t given_ = 0;   // bytes handed out
  uLong crc_ = crc32(0, nullptr, 0);
  bool inflating_ = false;
  z_stream stream_{};
  std::array<char, 65536> packed_{};
};

Result<Input> open_entry(const std::shared_ptr<const RandomFile>& file, const ZipEntry& entry) {
  auto source = std::make_unique<ZipEntrySource>(file, entry);
  LOCI_RETURN_IF_ERROR(source->start());
  return Input(std::move(source));
}

/// Whether an entry is an array of two dimensions: its header decides.
bool is_table(const std::shared_ptr<const RandomFile>& file, const ZipEntry& entry) {
  Result<Input> input = open_entry(file, entry);
  if (!input.has_value()) return false;
  const Result<std::string_view> prefix = input->peek(kNpyPrefixBytes);
  if (!prefix.has_value()) return false;
  const Result<uint64_t> length = npy_header_bytes(*prefix);
  if (!length.has_value()) return false;
  std::string header(*length, '\0');
  const Result<size_t> got = input->read(header);
  if (!got.has_value() || *got < header.size()) return false;
  const Result<NpyHeader> parsed = parse_npy_header(header);
  return parsed.has_value() && parsed->dimensions == 2;
}

}  // namespace

Result<std::unique_ptr<RowReader>> make_npz_reader(const std::string& path) {
  LOCI_ASSIGN_OR_RETURN(RandomFile opened, RandomFile::open(path));
  const auto file = std::make_shared<const RandomFile>(std::move(opened));
  LOCI_ASSIGN_OR_RETURN(const std::vector<ZipEntry> entries, read_directory(*file));
  std::string names;
  for (const ZipEntry& entry : entries) names += (names.empty() ? "" : ", ") + entry.name;
  for (const std::string_view wanted : {"embeddings.npy", "vectors.npy"}) {
    for (const ZipEntry& entry : entries) {
      if (entry.name != wanted) continue;
      LOCI_ASSIGN_OR_RETURN(Input input, open_entry(file, entry));
      return make_npy_reader(std::move(input));
    }
  }
  for (const ZipEntry& entry : entries) {
    const bool only = entries.size() == 1;  // then its own error says more than ours
    if (!only && !is_table(file, entry)) continue;
    LOCI_ASSIGN_OR_RETURN(Input input, open_entry(file, entry));
    return make_npy_reader(std::move(input));
  }
  return Status::invalid_argument("'" + path + "': no array of two dimensions in it: " +
                                  (names.empty() ? "it is empty" : names.substr(0, 400)));
}

}  // namespace loci::cli

// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <zlib.h>

#include <string>
#include <vector>

#include "readers/row_reader.h"
#include "testing/temp_file.h"

namespace loci::cli {
namespace {

using testing::npy;
using testing::put_f32;
using testing::put_le;
using testing::TempFiles;

struct Entry {
  std::string name;
  std::string bytes;
  bool deflated = true;
  uint64_t claimed_size = 0;  // 0: the true one
};

std::string deflated(const std::string& bytes) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 9, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string in = bytes;
  std::string out(compressBound(static_cast<uLong>(in.size())) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(in.data());
  stream.avail_in = static_cast<uInt>(in.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(out.size() - stream.avail_out);
  deflateEnd(&stream);
  return out;
}

std::string zip(const std::vector<Entry>& entries) {
  std::string out;
  std::string directory;
  for (const Entry& entry : entries) {
    const std::string body = entry.deflated ? deflated(entry.bytes) : entry.bytes;
    const uint64_t crc = crc32(0, reinterpret_cast<const Bytef*>(entry.bytes.data()),
                               static_cast<uInt>(entry.bytes.size()));
    const uint64_t size = entry.claimed_size != 0 ? entry.claimed_size : entry.bytes.size();
    std::string common;  // from "version needed" to the lengths
    put_le(common, 20, 2);
    put_le(common, 0, 2);
    put_le(common, entry.deflated ? 8 : 0, 2);
    put_le(common, 0, 4);
    put_le(common, crc, 4);
    put_le(common, body.size(), 4);
    put_le(common, size, 4);
    put_le(common, entry.name.size(), 2);
    put_le(common, 0, 2);
    directory += "PK\x01\x02";
    put_le(directory, 20, 2);
    directory += common;
    put_le(directory, 0, 2 + 2 + 2 + 4);
    put_le(directory, out.size(), 4);
    directory += entry.name;
    out += "PK\x03\x04" + common + entry.name + body;
  }
  const size_t at = out.size();
  out += directory + "PK\x05\x06";
  put_le(out, 0, 4);
  put_le(out, entries.size(), 2);
  put_le(out, entries.size(), 2);
  put_le(out, directory.size(), 4);
  put_le(out, at, 4);
  put_le(out, 0, 2);
  return out;
}

std::string matrix(size_t rows, size_t dim, float first) {
  std::string data;
  for (size_t i = 0; i < rows * dim; ++i) put_f32(data, first + static_cast<float>(i));
  return npy("{'descr': '<f4', 'fortran_order': False, 'shape': (" + std::to_string(rows) + ", " +
                 std::to_string(dim) + "), }",
             data);
}

void expect_refused(const std::string& path, const std::string& part) {
  const Result<VectorTable> table = read_vectors(path, 0);
  ASSERT_FALSE(table.has_value()) << part;
  EXPECT_NE(table.error().message().find(part), std::string::npos) << table.error().message();
}

TEST(NpzRowsTest, StoredAndDeflatedArraysAreRead) {
  const TempFiles files;
  for (const bool packed : {false, true}) {
    const auto table =
        read_vectors(files.write("a.npz", zip({{"x.npy", matrix(2, 2, 1), packed}})), 0);
    ASSERT_TRUE(table.has_value()) << table.error().message();
    EXPECT_EQ(table->values, (std::vector<float>{1, 2, 3, 4}));
  }
}

TEST(NpzRowsTest, TheArrayNamedEmbeddingsWinsElseTheFirstOfTwoDimensions) {
  const TempFiles files;
  const std::string ids =
      npy("{'descr': '<i8', 'fortran_order': False, 'shape': (2,), }", std::string(16, '\0'));
  const auto named = read_vectors(
      files.write(
          "a.npz",
          zip({{"ids.npy", ids}, {"x.npy", matrix(1, 2, 1)}, {"embeddings.npy", matrix(1, 2, 7)}})),
      0);
  ASSERT_TRUE(named.has_value());
  EXPECT_EQ(named->values, (std::vector<float>{7, 8}));
  const auto first =
      read_vectors(files.write("b.npz", zip({{"ids.npy", ids}, {"x.npy", matrix(1, 2, 1)}})), 0);
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(first->values, (std::vector<float>{1, 2}));
  expect_refused(files.write("c.npz", zip({{"ids.npy", ids}, {"names.txt", "x"}})),
                 "no array of two dimensions");
  expect_refused(files.write("d.npz", zip({})), "it is empty");
}

TEST(NpzRowsTest, EveryCutIsRefused) {
  const TempFiles files;
  const std::string whole = zip({{"x.npy", matrix(3, 4, 1)}});
  for (size_t n = 0; n < whole.size(); ++n) {
    SCOPED_TRACE(n);
    EXPECT_FALSE(read_vectors(files.write("a.npz", whole.substr(0, n)), 0).has_value());
  }
}

TEST(NpzRowsTest, NoFlippedByteGivesOtherVectors) {
  const TempFiles files;
  const std::string whole = zip({{"x.npy", matrix(3, 4, 1)}});
  const auto right = read_vectors(files.write("a.npz", whole), 0);
  ASSERT_TRUE(right.has_value());
  for (size_t n = 0; n < whole.size(); ++n) {
    SCOPED_TRACE(n);
    std::string bytes = whole;
    bytes[n] = static_cast<char>(bytes[n] ^ 0x11);
    const auto table = read_vectors(files.write("b.npz", bytes), 0);
    if (table.has_value()) {
      EXPECT_EQ(table->values, right->values);
    }
  }
}

TEST(NpzRowsTest, BombsAreRefused) {
  const TempFiles files;
  expect_refused(files.write("a.npz", zip({{"x.npy", std::string(70U << 20U, '\0')}})),
                 "refused above 200:1");
  expect_refused(files.write("b.npz", zip({{"x.npy", matrix(2, 2, 1), true, 0xFFFFFFF0}})),
                 "refused above 200:1");
  expect_refused(files.write("c.npz", zip({{"x.npy", matrix(2, 2, 1), true, 5000}})), "");
  expect_refused(files.write("d.npz", zip({{"x.npy", matrix(2, 2, 1), false, 5000}})),
                 "sizes disagree");
}

}  // namespace
}  // namespace loci::cli

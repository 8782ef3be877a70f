// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "readers/elements.h"
#include "readers/row_reader.h"
#include "testing/temp_file.h"

namespace loci::cli {
namespace {

using testing::npy;
using testing::put_f32;
using testing::put_le;
using testing::TempFiles;

/// Expects that reading all of a file fails, with this text in the message.
void expect_refused(const std::string& path, const std::string& part) {
  const Result<VectorTable> table = read_vectors(path, 0);
  ASSERT_FALSE(table.has_value()) << path;
  EXPECT_NE(table.error().message().find(part), std::string::npos) << table.error().message();
}

std::string fvecs(const std::vector<std::vector<float>>& rows) {
  std::string out;
  for (const auto& row : rows) {
    put_le(out, row.size(), 4);
    for (const float x : row) put_f32(out, x);
  }
  return out;
}

TEST(VectorRowsTest, FvecsRowsComeBackInOrder) {
  const TempFiles files;
  const Result<VectorTable> table =
      read_vectors(files.write("a.fvecs", fvecs({{1, 2, 3}, {-4, 0.5F, 6}})), 0);
  ASSERT_TRUE(table.has_value()) << table.error().message();
  EXPECT_EQ(table->dim, 3U);
  EXPECT_EQ(table->values, (std::vector<float>{1, 2, 3, -4, 0.5F, 6}));
}

TEST(VectorRowsTest, BvecsAreWidened) {
  std::string bytes;
  put_le(bytes, 2, 4);
  bytes += "\xFF";
  bytes += '\x01';
  const TempFiles files;
  const Result<VectorTable> table = read_vectors(files.write("a.bvecs", bytes), 0);
  ASSERT_TRUE(table.has_value());
  EXPECT_EQ(table->values, (std::vector<float>{255, 1}));
}

TEST(VectorRowsTest, CutOffFilesNameTheOffset) {
  const TempFiles files;
  const std::string whole = fvecs({{1, 2, 3}, {4, 5, 6}});
  expect_refused(files.write("a.fvecs", whole.substr(0, whole.size() - 5)),
                 "truncated at offset 16");
  expect_refused(files.write("b.fvecs", whole.substr(0, 18)), "truncated at offset 16");
  expect_refused(files.write("c.fvecs", "ab"), "truncated at offset 0");
  expect_refused(files.write("d.fvecs", ""), "empty");
}

TEST(VectorRowsTest, HostileDimensionsAreRefusedBeforeAllocation) {
  const TempFiles files;
  for (const uint64_t dim :
       {uint64_t{0}, uint64_t{0xFFFFFFFF}, uint64_t{0x7FFFFFFF}, uint64_t{8193}}) {
    std::string bytes;
    put_le(bytes, dim, 4);
    bytes += std::string(64, 'x');
    expect_refused(files.write("a.fvecs", bytes), "allowed 1 to 8192");
    expect_refused(files.write("a.bvecs", bytes), "allowed 1 to 8192");
  }
}

TEST(VectorRowsTest, RowsOfAnotherDimensionAreRefused) {
  std::string bytes = fvecs({{1, 2, 3}});
  put_le(bytes, 2, 4);
  bytes += std::string(12, '\0');  // as long as a row of three
  const TempFiles files;
  expect_refused(files.write("a.fvecs", bytes), "dim 2 at offset 16 (row 2), expected 3");
}

TEST(VectorRowsTest, FbinHeaderMustMatchTheFile) {
  std::string bytes;
  put_le(bytes, 2, 4);
  put_le(bytes, 2, 4);
  for (const float x : {1.0F, 2.0F, 3.0F, 4.0F}) put_f32(bytes, x);
  const TempFiles files;
  const Result<VectorTable> table = read_vectors(files.write("a.fbin", bytes), 0);
  ASSERT_TRUE(table.has_value());
  EXPECT_EQ(table->values, (std::vector<float>{1, 2, 3, 4}));
  expect_refused(files.write("b.fbin", bytes.substr(0, 20)), "promises 2 rows");
  expect_refused(files.write("c.fbin", bytes + "x"), "too many");
  std::string huge;
  put_le(huge, 0xFFFFFFFF, 4);
  put_le(huge, 8192, 4);
  expect_refused(files.write("d.fbin", huge), "promises 4294967295 rows");
}

TEST(VectorRowsTest, NpyTypesAndVersions) {
  const TempFiles files;
  std::string doubles;
  for (const double x : {1.5, -2.0}) {
    uint64_t bits = 0;
    std::memcpy(&bits, &x, sizeof bits);
    put_le(doubles, bits, 8);
  }
  struct Case {
    std::string bytes;
    std::vector<float> values;
  };
  const std::vector<Case> cases = {
      {npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1, 2), }", doubles), {1.5F, -2}},
      {npy("{'descr': '<f8', 'fortran_order': False, 'shape': (2,), }", doubles, 2), {1.5F, -2}},
      {npy("{'descr': '|i1', 'fortran_order': False, 'shape': (1, 2), }", "\xFF\x02", 3), {-1, 2}},
      {npy("{'descr': '|u1', 'fortran_order': False, 'shape': (1, 2), }", "\xFF\x02"), {255, 2}},
      {npy("{'descr': '<f2', 'fortran_order': False, 'shape': (1, 2), }",
           std::string("\x00\x3C\x00\xC0", 4)),
       {1, -2}},
      {npy("{'descr': '>i4', 'fortran_order': False, 'shape': (1, 1), }",
           std::string("\x00\x00\x01\x00", 4)),
       {256}},
      {npy("{'descr': '<i8', 'fortran_order': False, 'shape': (1, 1), }",
           std::string("\xFE\xFF\xFF\xFF\xFF\xFF\xFF\xFF", 8)),
       {-2}},
  };
  for (const Case& test : cases) {
    const Result<VectorTable> table = read_vectors(files.write("a.npy", test.bytes), 0);
    ASSERT_TRUE(table.has_value()) << table.error().message();
    EXPECT_EQ(table->values, test.values);
  }
}

TEST(VectorRowsTest, FortranOrderIsTransposed) {
  const TempFiles files;
  const std::string bytes =
      npy("{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3), }", "\x01\x04\x02\x05\x03\x06");
  const Result<VectorTable> table = read_vectors(files.write("a.npy", bytes), 0);
  ASSERT_TRUE(table.has_value()) << table.error().message();
  EXPECT_EQ(table->values, (std::vector<float>{1, 2, 3, 4, 5, 6}));
}

TEST(VectorRowsTest, HostileNpyHeadersAreRefused) {
  const TempFiles files;
  const std::vector<std::pair<std::string, std::string>> cases = {
      {npy("{'descr': '<f4', 'fortran_order': False, 'shape': (999999999999, 8192), }", ""),
       "promises"},
      {npy("{'descr': '<f4', 'fortran_order': True, 'shape': (999999999999, 8192), }", ""),
       "promises"},
      {npy("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999, 2), }", ""),
       "broken"},
      {npy("{'descr': '<f4', 'fortran_order': False, 'shape': (-1, 2), }", ""), "broken"},
      {npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 0), }", ""), "dim 0"},
      {npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 9000), }", ""), "dim 9000"},
      {npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1, 1), }", ""), "3 dimensions"},
      {npy("{'descr': '|O', 'fortran_order': False, 'shape': (1, 1), }", ""), "dtype '|O'"},
      {npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }", ""), "structured"},
      {npy("{'descr': '<f4', 'shape': (1, 1), }", ""), "broken"},
      {npy("{'descr': '<f4'", ""), "broken"},
      {npy("no dictionary", ""), "broken"},
      {std::string("\x93NUMPY\x09\x00\x10\x00\x00\x00", 12), "version 9"},
      {std::string("\x93NUMPY\x02\x00\xFF\xFF\xFF\xFF", 12), "header of"},
      {std::string("\x93NUMPY\x01\x00\x40\x00{}", 12), "truncated"},
      {"\x93NUM", "magic"},
  };
  for (const auto& [bytes, part] : cases) {
    SCOPED_TRACE(part);
    expect_refused(files.write("a.npy", bytes), part);
  }
}

TEST(VectorRowsTest, NoCutAndNoFlippedByteDoesHarm) {
  const TempFiles files;
  std::string fbin;
  put_le(fbin, 3, 4);
  put_le(fbin, 4, 4);
  std::string data;
  for (int i = 0; i < 12; ++i) put_f32(data, static_cast<float>(i));
  fbin += data;
  const std::vector<std::pair<std::string, std::string>> samples = {
      {"a.fvecs", fvecs({{1, 2, 3, 4}, {5, 6, 7, 8}, {9, 10, 11, 12}})},
      {"a.fbin", fbin},
      {"a.npy", npy("{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }", data)},
      {"b.npy", npy("{'descr': '<f4', 'fortran_order': True, 'shape': (3, 4), }", data)}};
  for (const auto& [name, whole] : samples) {
    for (size_t n = 0; n < whole.size(); ++n) {
      for (const char mask : {'\x01', '\x80', '\xFF'}) {
        std::string bytes = whole;
        bytes[n] = static_cast<char>(bytes[n] ^ mask);
        const auto table = read_vectors(files.write(name, bytes), 0);
        if (table.has_value()) {
          EXPECT_LE(table->values.size() * sizeof(float), 2 * whole.size());
        }
      }
      const auto cut = read_vectors(files.write(name, whole.substr(0, n)), 0);
      const bool whole_rows = name == "a.fvecs" && n > 0 && n % 20 == 0;
      EXPECT_EQ(cut.has_value(), whole_rows) << name << " cut at " << n;
    }
  }
}

TEST(VectorRowsTest, IvecsKeepTheirOwnLengths) {
  std::string bytes;
  put_le(bytes, 2, 4);
  put_le(bytes, 7, 4);
  put_le(bytes, 0xFFFFFFFF, 4);
  put_le(bytes, 1, 4);
  put_le(bytes, 9, 4);
  const TempFiles files;
  const auto rows = read_ivecs(files.write("a.ivecs", bytes), 0);
  ASSERT_TRUE(rows.has_value());
  EXPECT_EQ(*rows, (std::vector<std::vector<int32_t>>{{7, -1}, {9}}));
  EXPECT_FALSE(read_ivecs(files.write("b.ivecs", bytes.substr(0, 15)), 0).has_value());
}

TEST(VectorRowsTest, HalvesFollowIeee754) {
  EXPECT_EQ(half_to_float(0x3C00), 1.0F);
  EXPECT_EQ(half_to_float(0x0001), 0x1p-24F);
  EXPECT_EQ(half_to_float(0x03FF), 1023 * 0x1p-24F);
  EXPECT_EQ(half_to_float(0x0400), 0x1p-14F);
  EXPECT_EQ(half_to_float(0x7BFF), 65504.0F);
  EXPECT_EQ(half_to_float(0xFC00), -HUGE_VALF);
  EXPECT_NE(half_to_float(0x7E00), half_to_float(0x7E00));
}

TEST(VectorRowsTest, MetaLinesBelongToVectors) {
  const TempFiles files;
  const std::string vectors = files.write("a.fvecs", fvecs({{1, 2}, {3, 4}}));
  const auto read_all = [&](std::string_view lines) -> Result<std::vector<std::string>> {
    const std::string meta = files.write("meta.jsonl", lines);
    LOCI_ASSIGN_OR_RETURN(const auto reader, open_rows(vectors, {.format = {}, .meta = meta}));
    std::vector<std::string> out;
    InputRow row;
    while (true) {
      LOCI_ASSIGN_OR_RETURN(const Read read, reader->next(row));
      if (read == Read::kEnd) return out;
      out.push_back(read == Read::kBad ? row.error : row.object.dump());
    }
  };
  const auto both = read_all("{\"a\":1}\n\n");
  ASSERT_TRUE(both.has_value()) << both.error().message();
  EXPECT_EQ(*both, (std::vector<std::string>{"{\"a\":1}", "{}"}));
  EXPECT_FALSE(read_all("{\"a\":1}\n").has_value());
  EXPECT_FALSE(read_all("{}\n{}\n{}\n").has_value());
  const auto broken = read_all("{}\n{]\n");
  ASSERT_TRUE(broken.has_value());
  EXPECT_NE(broken->at(1).find("meta.jsonl:2: broken JSON"), std::string::npos) << broken->at(1);
}

}  // namespace
}  // namespace loci::cli

// SPDX-License-Identifier: Apache-2.0
#include "base/bytes.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <vector>

namespace loci::base {
namespace {

TEST(BytesTest, WritesLittleEndian) {
  ByteWriter out;
  out.u8(1);
  out.u16le(0x0203);
  out.u32le(0x04050607);
  out.u64le(0x08090A0B0C0D0E0F);
  const std::vector<uint8_t> want = {1, 3, 2, 7, 6, 5, 4, 15, 14, 13, 12, 11, 10, 9, 8};
  EXPECT_EQ(std::move(out).take(), want);
}

TEST(BytesTest, EveryKindReadsBack) {
  ByteWriter out;
  out.u8(255);
  out.u16le(65535);
  out.u32le(UINT32_MAX);
  out.u64le(UINT64_MAX);
  out.i32le(INT32_MIN);
  out.i64le(INT64_MIN);
  out.f32le(-1.5F);
  out.f64le(std::numeric_limits<double>::denorm_min());
  out.sized_bytes(as_bytes("text"));
  const std::vector<float> floats = {1, -2, 3.25F};
  out.f32le_array(floats);
  ByteReader in(out.view());
  EXPECT_EQ(in.u8(), 255);
  EXPECT_EQ(in.u16le(), 65535);
  EXPECT_EQ(in.u32le(), UINT32_MAX);
  EXPECT_EQ(in.u64le(), UINT64_MAX);
  EXPECT_EQ(in.i32le(), INT32_MIN);
  EXPECT_EQ(in.i64le(), INT64_MIN);
  EXPECT_EQ(in.f32le(), -1.5F);
  EXPECT_EQ(in.f64le(), std::numeric_limits<double>::denorm_min());
  EXPECT_EQ(as_text(in.sized_bytes()), "text");
  std::vector<float> read(3);
  in.f32le_array(read);
  EXPECT_EQ(read, floats);
  EXPECT_TRUE(in.done());
}

TEST(ByteReaderTest, ErrorIsStickyAndReadsNothing) {
  const std::string bytes = "\x01\x02\x03";
  ByteReader in(bytes);
  EXPECT_EQ(in.u16le(), 0x0201);
  EXPECT_EQ(in.u32le(), 0u);
  EXPECT_FALSE(in.ok());
  EXPECT_EQ(in.u8(), 0);  // though a byte was left
  EXPECT_TRUE(in.bytes(1).empty());
  EXPECT_FALSE(in.done());
}

TEST(ByteReaderTest, LengthsFromTheInputAreBounded) {
  ByteWriter out;
  out.varint(UINT64_MAX);
  ByteReader in(out.view());
  EXPECT_TRUE(in.sized_bytes().empty());
  EXPECT_FALSE(in.ok());
  ByteReader skipping(as_bytes("abc"));
  skipping.skip(SIZE_MAX);
  EXPECT_FALSE(skipping.ok());
  std::vector<float> two(2, 9.0F);
  ByteReader floats(as_bytes("1234567"));
  floats.f32le_array(two);
  EXPECT_FALSE(floats.ok());
  EXPECT_EQ(two, (std::vector<float>{0, 0}));
}

TEST(VarintTest, ReadsBackAtEveryLength) {
  for (unsigned shift = 0; shift < 64; ++shift) {
    for (const uint64_t value :
         {uint64_t{1} << shift, (uint64_t{1} << shift) - 1, UINT64_MAX >> shift}) {
      ByteWriter out;
      out.varint(value);
      EXPECT_LE(out.size(), 10u);
      ByteReader in(out.view());
      EXPECT_EQ(in.varint(), value);
      EXPECT_TRUE(in.done());
    }
  }
}

TEST(VarintTest, MalformedFormsAreErrors) {
  const std::vector<std::vector<uint8_t>> bad = {
      {},                                                            // nothing
      {0x80},                                                        // cut off
      {0x80, 0x00},                                                  // longer than needed
      {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x02},  // over 64 bits
      {0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01}};
  for (const std::vector<uint8_t>& bytes : bad) {
    ByteReader in{ByteSpan(bytes)};
    EXPECT_EQ(in.varint(), 0u);
    EXPECT_FALSE(in.ok());
  }
}

TEST(ByteReaderTest, RandomBytesNeverReadPastTheEnd) {
  constexpr uint32_t kSeed = 11;
  std::mt19937 random(kSeed);
  for (int i = 0; i < 5000; ++i) {
    std::vector<uint8_t> bytes(random() % 30);
    for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random());
    ByteReader in{ByteSpan(bytes)};
    for (int step = 0; step < 8; ++step) {
      switch (random() % 4) {
        case 0:
          in.u64le();
          break;
        case 1:
          in.varint();
          break;
        case 2:
          in.sized_bytes();
          break;
        default:
          in.u16le();
      }
      ASSERT_LE(in.position(), bytes.size()) << "seed " << kSeed;
    }
  }
}

TEST(FloatBlobTest, ReadsBackAndChecksItsLength) {
  const std::vector<float> values = {0, -0.0F, 1e-40F, std::numeric_limits<float>::infinity()};
  const std::string blob = encode_f32(values);
  ASSERT_EQ(blob.size(), 16u);
  EXPECT_EQ(blob.substr(4, 4), std::string("\x00\x00\x00\x80", 4));
  std::vector<float> read(4);
  ASSERT_TRUE(decode_f32(as_bytes(blob), read));
  EXPECT_EQ(read, values);
  EXPECT_TRUE(std::signbit(read[1]));
  EXPECT_FALSE(decode_f32(as_bytes(blob.substr(1)), read));
  EXPECT_FALSE(decode_f32(as_bytes(blob + "x"), read));
  EXPECT_TRUE(decode_f32({}, {}));
}

}  // namespace
}  // namespace loci::base

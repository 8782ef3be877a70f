// SPDX-License-Identifier: Apache-2.0
#include "simd/kernels.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>
#include <string>

#include "simd/dispatch.h"
#include "simd/kernel_checks.h"

namespace loci::simd {
namespace {

class KernelsTest : public testing::TestWithParam<const Kernels*> {
 protected:
  static void expect_clean(const CheckReport& report, size_t at_least) {
    EXPECT_EQ(report.failure, "");
    EXPECT_GE(report.checks, at_least);
  }
};

TEST_P(KernelsTest, FloatSumsAgreeWithScalar) {
  expect_clean(KernelChecks(*GetParam()).floats(), size_t{138} * 5 * 3);
}
TEST_P(KernelsTest, NanAndInfinityComeOutAsInScalar) {
  expect_clean(KernelChecks(*GetParam()).special_floats(), 3000);
}
TEST_P(KernelsTest, DotScanIsExact) {
  expect_clean(KernelChecks(*GetParam()).dot_scans(), size_t{138} * 5 * 2 * 2);
}
TEST_P(KernelsTest, CodesAreNearestAndLossesTheirs) {
  expect_clean(KernelChecks(*GetParam()).codings(), size_t{137} * 4 * 20);
}
TEST_P(KernelsTest, SadAndHammingScansAreExact) {
  expect_clean(KernelChecks(*GetParam()).byte_scans(), size_t{138} * 3 * 2 * 2);
}
TEST_P(KernelsTest, SelectionIsThatOfScalar) {
  expect_clean(KernelChecks(*GetParam()).selections(), size_t{201} * 6);
}

TEST_P(KernelsTest, RankingAgreesWithReference) {
  expect_clean(KernelChecks(*GetParam()).rankings(), size_t{9} * 41 * 2 * 3);
}

TEST_P(KernelsTest, MasksAreThoseOfScalar) {
  expect_clean(KernelChecks(*GetParam()).masks(), size_t{18} * 12 * 4);
}

INSTANTIATE_TEST_SUITE_P(Tiers, KernelsTest,
                         testing::ValuesIn(available_kernels().begin(), available_kernels().end()),
                         [](const auto& tested) { return std::string(tested.param->tier); });

// The reference itself, against sums done by hand.
TEST(ScalarKernelsTest, KnownValues) {
  const float a[] = {1, -2, 3};
  const float b[] = {4, 6, -8};
  EXPECT_EQ(kScalarKernels.l2sq_f32(a, b, 3), 9 + 64 + 121);
  EXPECT_EQ(kScalarKernels.dot_f32(a, b, 3), 4 - 12 - 24);
  EXPECT_EQ(kScalarKernels.l1_f32(a, b, 3), 3 + 8 + 11);
  const uint8_t codes[] = {1, 2, 255, 0};
  const uint8_t query[] = {0, 7, 250, 1};
  int32_t out = 0;
  kScalarKernels.scan_sad_u8(codes, 4, 1, query, &out);
  EXPECT_EQ(out, 1 + 5 + 5 + 1);
  kScalarKernels.scan_hamming(codes, 4, 1, query, &out);
  EXPECT_EQ(out, 1 + 2 + 2 + 1);
}

TEST(ScalarKernelsTest, MasksHoldBothEndsOfAnInterval) {
  std::array<int64_t, 128> integers{};
  std::array<double, 64> reals{};
  std::array<uint32_t, 64> codes{};
  std::array<int32_t, 64> numbers{};
  for (size_t i = 0; i < 128; ++i) integers[i] = static_cast<int64_t>(i) - 64;
  for (size_t i = 0; i < 64; ++i) codes[i] = static_cast<uint32_t>(i);
  for (size_t i = 0; i < 64; ++i) numbers[i] = static_cast<int32_t>(i);
  reals[1] = -0.0;
  reals[2] = std::numeric_limits<double>::quiet_NaN();
  reals[3] = 1;
  std::array<uint64_t, 2> words{};
  kScalarKernels.within_i64(integers.data(), 128, -1, 1, words.data());
  EXPECT_EQ(words[0], uint64_t{1} << 63);
  EXPECT_EQ(words[1], 3U);
  kScalarKernels.within_f64(reals.data(), 64, 0, 0.5, words.data());
  EXPECT_EQ(words[0], ~uint64_t{12});
  kScalarKernels.within_i32(numbers.data(), 64, 3, 5, words.data());
  EXPECT_EQ(words[0], 0b111000U);
  kScalarKernels.within_i32(numbers.data(), 64, 5, 3, words.data());
  EXPECT_EQ(words[0], 0U);
  std::array<uint8_t, 64 + kTablePadding> table{};
  table[0] = table[62] = 1;
  kScalarKernels.among_u32(codes.data(), 64, table.data(), words.data());
  EXPECT_EQ(words[0], 1U | uint64_t{1} << 62);
}

TEST(ScalarKernelsTest, KeepsNumbersUpToTheEndOfTheirList) {
  const std::array<uint64_t, 2> words = {0b1010, 1};
  const std::array<uint32_t, 6> numbers = {3, 0, 64, 1, kNoNumber, kNoNumber};
  std::array<uint32_t, 22> out{};
  ASSERT_EQ(kScalarKernels.keep_set(numbers.data(), numbers.size(), words.data(), out.data()), 3U);
  EXPECT_EQ(out[0], 3U);
  EXPECT_EQ(out[1], 64U);
  EXPECT_EQ(out[2], 1U);
  EXPECT_EQ(kScalarKernels.keep_set(numbers.data(), 1, words.data(), out.data()), 1U);
}

TEST(ScalarKernelsTest, PlanesAreReadAsDocumented) {
  // Of 128 components, numbers 1, 63, 64 and 127 have codes 0x21, 0x43, 0x65 and 0x87.
  uint8_t high[128] = {};
  uint8_t low[128] = {};
  high[64 + 1] = 2;
  low[64 + 1] = 1;
  high[64 + 63] = 4 | (8 << 4);
  low[64 + 63] = 3 | (7 << 4);
  high[64 + 0] = 6 << 4;
  low[64 + 0] = 5 << 4;
  int8_t coarse[128] = {};
  int16_t wide[128] = {};
  const size_t set[] = {1, 63, 64, 127};
  const int16_t values[] = {-3, 100, 9, -77};
  for (size_t i = 0; i < 4; ++i) {
    wide[set[i]] = values[i];
    coarse[set[i]] = static_cast<int8_t>(values[i]);
  }
  int32_t out[2] = {};
  kScalarKernels.scan_dot_u4(high, 64, 2, coarse, out);
  EXPECT_EQ(out[0], 0);
  EXPECT_EQ(out[1], 2 * -3 + 4 * 100 + 6 * 9 + 8 * -77);
  const uint32_t positions[] = {1, 0};
  kScalarKernels.dot_u8_at({high, low, 64}, positions, 2, {nullptr, nullptr, wide}, out);
  EXPECT_EQ(out[0], 0x21 * -3 + 0x43 * 100 + 0x65 * 9 + 0x87 * -77);
  EXPECT_EQ(out[1], 0);
}

// A checker that cannot fail would prove nothing: give it a kernel with one wrong result.
TEST(KernelChecksTest, SeeAWrongKernel) {
  Kernels wrong = kScalarKernels;
  wrong.dot_f32 = kScalarKernels.l1_f32;
  wrong.scan_hamming = kScalarKernels.scan_sad_u8;
  wrong.dot_u8_at = [](const CodePlanes&, const uint32_t*, size_t n, const QueryPlanes&,
                       int32_t* out) noexcept {
    for (size_t i = 0; i < n; ++i) out[i] = 0;
  };
  wrong.encode_u8 = [](const CodingRow& row, const CodeGrid& grid, uint8_t* high, uint8_t* low,
                       CodeLoss* loss) noexcept {
    kScalarKernels.encode_u8(row, grid, high, low, loss);
    loss->scan_lost2 *= 1 - 1e-9;
  };
  wrong.select_below = [](const SelectRows&, const SelectQuery&, uint32_t*) noexcept {
    return size_t{0};
  };
  EXPECT_NE(KernelChecks(wrong).floats().failure, "");
  EXPECT_NE(KernelChecks(wrong).byte_scans().failure, "");
  EXPECT_NE(KernelChecks(wrong).dot_scans().failure, "");
  EXPECT_NE(KernelChecks(wrong).selections().failure, "");
  EXPECT_NE(KernelChecks(wrong).codings().failure, "");
  wrong.rank_u4 = [](const RankRows& rows, const RankQuery& query, float limit, uint32_t* which,
                     float* scores) noexcept {
    const size_t kept = kScalarKernels.rank_u4(rows, query, limit, which, scores);
    return kept == 0 ? 0 : kept - 1;
  };
  EXPECT_NE(KernelChecks(wrong).rankings().failure, "");
  wrong.within_f64 = [](const double* values, size_t n, double low, double high,
                        uint64_t* words) noexcept {
    kScalarKernels.within_f64(values, n, low, std::nextafter(high, -HUGE_VAL), words);
  };
  EXPECT_NE(KernelChecks(wrong).masks().failure, "");
}

}  // namespace
}  // namespace loci::simd

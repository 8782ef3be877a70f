// SPDX-License-Identifier: Apache-2.0
#include "simd/kernels.h"

#include <gtest/gtest.h>

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
  expect_clean(KernelChecks(*GetParam()).dot_scans(), size_t{138} * 5 * 2);
}
TEST_P(KernelsTest, SadAndHammingScansAreExact) {
  expect_clean(KernelChecks(*GetParam()).byte_scans(), size_t{138} * 3 * 2 * 2);
}
TEST_P(KernelsTest, SelectionIsThatOfScalar) {
  expect_clean(KernelChecks(*GetParam()).selections(), size_t{201} * 6);
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
  const int16_t wide[] = {-3, 10, 100, 9};
  const QueryPlanes planes = {nullptr, nullptr, wide, 4};
  int32_t out = 0;
  kScalarKernels.scan_dot_u8(codes, 4, 1, planes, &out);
  EXPECT_EQ(out, -3 + 20 + 25500);
  kScalarKernels.scan_sad_u8(codes, 4, 1, query, &out);
  EXPECT_EQ(out, 1 + 5 + 5 + 1);
  kScalarKernels.scan_hamming(codes, 4, 1, query, &out);
  EXPECT_EQ(out, 1 + 2 + 2 + 1);
}

// A checker that cannot fail would prove nothing: give it a kernel with one wrong result.
TEST(KernelChecksTest, SeeAWrongKernel) {
  Kernels wrong = kScalarKernels;
  wrong.dot_f32 = kScalarKernels.l1_f32;
  wrong.scan_hamming = kScalarKernels.scan_sad_u8;
  wrong.select_below = [](const SelectRows&, const SelectQuery&, uint32_t*) noexcept {
    return size_t{0};
  };
  EXPECT_NE(KernelChecks(wrong).floats().failure, "");
  EXPECT_NE(KernelChecks(wrong).byte_scans().failure, "");
  EXPECT_NE(KernelChecks(wrong).selections().failure, "");
}

}  // namespace
}  // namespace loci::simd

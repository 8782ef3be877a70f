// SPDX-License-Identifier: Apache-2.0
#include "base/aligned.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <utility>

namespace loci::base {
namespace {

TEST(CheckedArithmeticTest, SeesOverflow) {
  EXPECT_EQ(checked_multiply(3, 4), 12u);
  EXPECT_EQ(checked_multiply(0, SIZE_MAX), 0u);
  EXPECT_EQ(checked_multiply(SIZE_MAX, 1), SIZE_MAX);
  EXPECT_FALSE(checked_multiply(SIZE_MAX / 2 + 1, 2).has_value());
  EXPECT_EQ(checked_add(SIZE_MAX, 0), SIZE_MAX);
  EXPECT_FALSE(checked_add(SIZE_MAX, 1).has_value());
  EXPECT_EQ(round_up(0, 64), 0u);
  EXPECT_EQ(round_up(1, 64), 64u);
  EXPECT_EQ(round_up(64, 64), 64u);
}

TEST(BufferTest, IsAlignedAndZero) {
  for (const size_t bytes : {size_t{1}, size_t{63}, size_t{64}, size_t{1000}, Buffer::kHugePage - 1,
                             Buffer::kHugePage, Buffer::kHugePage + 5}) {
    Result<Buffer> buffer = Buffer::try_allocate(bytes);
    ASSERT_TRUE(buffer.has_value());
    EXPECT_EQ(buffer->size(), bytes);
    const auto address = reinterpret_cast<uintptr_t>(buffer->data());
    const size_t alignment = bytes >= Buffer::kHugePage ? Buffer::kHugePage : Buffer::kAlignment;
    EXPECT_EQ(address % alignment, 0u) << bytes;
    for (const uint8_t byte : buffer->as<uint8_t>()) ASSERT_EQ(byte, 0);
    buffer->as<uint8_t>().back() = 1;
  }
}

TEST(BufferTest, EmptyIsValid) {
  const Result<Buffer> buffer = Buffer::try_allocate(0);
  ASSERT_TRUE(buffer.has_value());
  EXPECT_TRUE(buffer->empty());
  EXPECT_TRUE(buffer->as<float>().empty());
}

TEST(BufferTest, TooMuchIsAnErrorNotAnException) {
  EXPECT_EQ(Buffer::try_allocate(SIZE_MAX).error().code(), StatusCode::kOutOfMemory);
  EXPECT_EQ(Buffer::try_allocate(SIZE_MAX - Buffer::kHugePage).error().code(),
            StatusCode::kOutOfMemory);
  EXPECT_EQ(Buffer::try_allocate_array(SIZE_MAX / 2, 4).error().code(), StatusCode::kOutOfMemory);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  // More than the address space: the sanitizers' allocators would end the process instead.
  EXPECT_EQ(Buffer::try_allocate(size_t{1} << 60).error().code(), StatusCode::kOutOfMemory);
#endif
}

TEST(BufferTest, MovesLeaveTheSourceEmpty) {
  Buffer first = *Buffer::try_allocate_array(10, sizeof(float));
  first.as<float>()[9] = 2.5F;
  Buffer second = std::move(first);
  EXPECT_TRUE(first.empty());  // NOLINT(bugprone-use-after-move): what is tested
  Buffer third = *Buffer::try_allocate(5);
  third = std::move(second);
  EXPECT_EQ(third.as<float>()[9], 2.5F);
  EXPECT_EQ(third.as<float>().size(), 10u);
}

}  // namespace
}  // namespace loci::base

// SPDX-License-Identifier: Apache-2.0
#include "base/page_warmer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <thread>
#include <vector>

#ifdef __linux__
#include <sys/mman.h>
#endif

#include "base/aligned.h"
#include "base/os_system.h"

namespace loci::base {
namespace {

TEST(PageWarmerTest, ContentStaysWhatTheOwnerWrites) {
  constexpr size_t kBytes = size_t{24} << 20;
  PageWarmer warmer;
  for (int round = 0; round < 4; ++round) {
    Buffer buffer = Buffer::try_allocate(kBytes, Buffer::Fill::kNone).value();
    for (size_t at = 0; at < kBytes; at += kBytes / 8) warmer.warm(buffer.data() + at, kBytes / 8);
    for (size_t i = 0; i < kBytes; ++i) buffer.data()[i] = static_cast<uint8_t>(i * 7 + round);
    size_t wrong = 0;
    for (size_t i = 0; i < kBytes; ++i) {
      wrong += buffer.data()[i] == static_cast<uint8_t>(i * 7 + round) ? 0 : 1;
    }
    EXPECT_EQ(wrong, 0U);
  }  // freed while some of it may still wait
}

TEST(PageWarmerTest, EndsWithoutWorkAndBeforeItsWorkIsDone) {
  {
    const PageWarmer idle;
  }
  Buffer buffer = Buffer::try_allocate(size_t{64} << 20, Buffer::Fill::kNone).value();
  PageWarmer warmer;
  warmer.warm(buffer.data(), 0);
  warmer.warm(buffer.data(), buffer.size());
}

#ifdef __linux__
size_t resident_pages(uint8_t* data, size_t bytes) {
  std::vector<unsigned char> pages(bytes / 4096);
  EXPECT_EQ(::mincore(data, bytes, pages.data()), 0);
  return static_cast<size_t>(std::count_if(pages.begin(), pages.end(),
                                           [](unsigned char page) { return (page & 1) != 0; }));
}

TEST(PageWarmerTest, PagesAreThereWithoutBeingWrittenTo) {
  constexpr size_t kBytes = size_t{8} << 20;
  auto* const data = static_cast<uint8_t*>(
      ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  ASSERT_NE(data, MAP_FAILED);
  if (!os_populate(data, 4096)) GTEST_SKIP() << "the kernel is older than Linux 5.14";
  PageWarmer warmer;
  warmer.warm(data, kBytes);
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (resident_pages(data, kBytes) < kBytes / 4096 && std::chrono::steady_clock::now() < until) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  EXPECT_EQ(resident_pages(data, kBytes), kBytes / 4096);
  EXPECT_EQ(std::count(data, data + kBytes, uint8_t{0}), static_cast<ptrdiff_t>(kBytes));
  EXPECT_EQ(::munmap(data, kBytes), 0);
}
#endif

}  // namespace
}  // namespace loci::base

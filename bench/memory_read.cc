// SPDX-License-Identifier: Apache-2.0
//
// Compiled with -O3 whatever the build, and in one copy per instruction set where the compiler can
// make them, so that the loop is bound by loads and by nothing else.
#include "memory_read.h"

#include <algorithm>
#include <chrono>
#include <vector>

#include "base/aligned.h"
#include "report.h"

#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) && \
    !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)
#define LOCI_BENCH_CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define LOCI_BENCH_CLONES
#endif

namespace loci::bench {

LOCI_BENCH_CLONES
uint64_t read_all(const uint8_t* data, size_t bytes) noexcept {
  // 32 sums side by side: four 512-bit registers, so that the additions never wait for each other.
  const auto* words = reinterpret_cast<const uint64_t*>(data);
  const size_t count = bytes / sizeof(uint64_t);
  uint64_t sums[32] = {};
  size_t i = 0;
  for (; i + 32 <= count; i += 32) {
    for (size_t lane = 0; lane < 32; ++lane) sums[lane] += words[i + lane];
  }
  for (; i < count; ++i) sums[0] += words[i];
  uint64_t sum = 0;
  for (const uint64_t one : sums) sum += one;
  return sum;
}

double memory_read_gbps(size_t bytes) {
  Result<base::Buffer> buffer = base::Buffer::try_allocate(bytes);
  if (!buffer.ok()) return 0;
  std::fill(buffer->data(), buffer->data() + buffer->size(), uint8_t{3});
  std::vector<double> gbps;
  volatile uint64_t sink = 0;
  const size_t passes = std::clamp<size_t>((size_t{2} << 30) / bytes, 20, 2000);
  for (size_t pass = 0; pass < passes; ++pass) {
    const auto start = std::chrono::steady_clock::now();
    sink = sink + read_all(buffer->data(), bytes);
    const std::chrono::duration<double, std::nano> taken = std::chrono::steady_clock::now() - start;
    gbps.push_back(static_cast<double>(bytes) / taken.count());
  }
  return median_of(gbps);
}

}  // namespace loci::bench

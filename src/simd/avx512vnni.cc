// SPDX-License-Identifier: Apache-2.0
//
// What VNNI and VPOPCNTDQ add to AVX-512. dpbusd multiplies 64 unsigned by 64 signed bytes and adds
// groups of four to 32-bit sums, without saturation. The 16-bit query comes as two signed planes,
// q = 256 * hi + lo, so that  sum c*q = 256 * sum c*hi + sum c*lo; each plane's sum is at most
// 8192 * 255 * 128 < 2^29, and the total fits by the bound on the query (kernels.h).
// Tested by kernels_test.cc against scalar.cc.
#if defined(__x86_64__)

#if defined(__GNUC__) && !defined(__clang__)
// GCC 12 takes the "undefined" operands inside its own intrinsics for bugs (GCC bug 105593).
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "simd/kernels.h"

LOCI_SIMD_BEGIN("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512vpopcntdq,avx2,fma,popcnt")

namespace loci::simd {
namespace {

constexpr size_t kPrefetchBytes = 2048;  // as in avx2.cc

void prefetch(const uint8_t* p) noexcept {
  _mm_prefetch(reinterpret_cast<const char*>(p) + kPrefetchBytes, _MM_HINT_T0);
}

__m512i join_planes(__m512i hi, __m512i lo) noexcept {
  return _mm512_add_epi32(_mm512_slli_epi32(hi, 8), lo);
}

/// The four sums of all lanes of a, b, c, d.
__m128i sum_lanes(__m512i a, __m512i b, __m512i c, __m512i d) noexcept {
  // A 4 x 4 transposition inside each 128-bit quarter, adding as it goes.
  const __m512i ab = _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
  const __m512i cd = _mm512_add_epi32(_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
  const __m512i abcd =
      _mm512_add_epi32(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd));
  const __m256i half =
      _mm256_add_epi32(_mm512_castsi512_si256(abcd), _mm512_extracti64x4_epi64(abcd, 1));
  return _mm_add_epi32(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
}

int32_t dot_row(const uint8_t* row, const QueryPlanes& query) noexcept {
  __m512i hi = _mm512_setzero_si512();
  __m512i lo = _mm512_setzero_si512();
  for (size_t j = 0; j < query.dim_padded; j += 64) {
    const __m512i codes = _mm512_loadu_si512(row + j);
    hi = _mm512_dpbusd_epi32(hi, codes, _mm512_loadu_si512(query.hi + j));
    lo = _mm512_dpbusd_epi32(lo, codes, _mm512_loadu_si512(query.lo + j));
  }
  return _mm512_reduce_add_epi32(join_planes(hi, lo));
}

}  // namespace

void avx512vnni_scan_dot_u8(const uint8_t* codes, size_t stride, size_t n, const QueryPlanes& query,
                            int32_t* out) noexcept {
  size_t i = 0;
  for (; i + 4 <= n; i += 4) {
    const uint8_t* const row = codes + i * stride;
    __m512i hi0 = _mm512_setzero_si512();
    __m512i hi1 = hi0;
    __m512i hi2 = hi0;
    __m512i hi3 = hi0;
    __m512i lo0 = hi0;
    __m512i lo1 = hi0;
    __m512i lo2 = hi0;
    __m512i lo3 = hi0;
    for (size_t j = 0; j < query.dim_padded; j += 64) {
      // Four lines a step; they are fetched in address order, four rows' worth ahead.
      prefetch(row + 4 * j);
      prefetch(row + 4 * j + 64);
      prefetch(row + 4 * j + 128);
      prefetch(row + 4 * j + 192);
      const __m512i hi = _mm512_loadu_si512(query.hi + j);
      const __m512i lo = _mm512_loadu_si512(query.lo + j);
      const __m512i codes0 = _mm512_loadu_si512(row + j);
      const __m512i codes1 = _mm512_loadu_si512(row + stride + j);
      const __m512i codes2 = _mm512_loadu_si512(row + 2 * stride + j);
      const __m512i codes3 = _mm512_loadu_si512(row + 3 * stride + j);
      hi0 = _mm512_dpbusd_epi32(hi0, codes0, hi);
      hi1 = _mm512_dpbusd_epi32(hi1, codes1, hi);
      hi2 = _mm512_dpbusd_epi32(hi2, codes2, hi);
      hi3 = _mm512_dpbusd_epi32(hi3, codes3, hi);
      lo0 = _mm512_dpbusd_epi32(lo0, codes0, lo);
      lo1 = _mm512_dpbusd_epi32(lo1, codes1, lo);
      lo2 = _mm512_dpbusd_epi32(lo2, codes2, lo);
      lo3 = _mm512_dpbusd_epi32(lo3, codes3, lo);
    }
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out + i),
                     sum_lanes(join_planes(hi0, lo0), join_planes(hi1, lo1), join_planes(hi2, lo2),
                               join_planes(hi3, lo3)));
  }
  for (; i < n; ++i) out[i] = dot_row(codes + i * stride, query);
}

void avx512vpopcnt_scan_hamming(const uint8_t* codes, size_t stride, size_t n, const uint8_t* query,
                                int32_t* out) noexcept {
  for (size_t i = 0; i < n; ++i) {
    const uint8_t* const row = codes + i * stride;
    __m512i sum = _mm512_setzero_si512();
    for (size_t j = 0; j < stride; j += 64) {
      prefetch(row + j);
      const __m512i bits =
          _mm512_xor_si512(_mm512_loadu_si512(row + j), _mm512_loadu_si512(query + j));
      sum = _mm512_add_epi64(sum, _mm512_popcnt_epi64(bits));
    }
    out[i] = static_cast<int32_t>(_mm512_reduce_add_epi64(sum));
  }
}

}  // namespace loci::simd

LOCI_SIMD_END

#endif  // __x86_64__

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

/// Adds the products of one line (128 components) of a 4-bit plane. The upper halves stay where
/// they are in their bytes: their sum is 16 times too large, at most 4096 * 16 * 15 * 127.
void add_line(const uint8_t* line, __m512i q0, __m512i q1, __m512i* lower,
              __m512i* upper) noexcept {
  const __m512i codes = _mm512_loadu_si512(line);
  const __m512i nibble = _mm512_set1_epi8(15);
  *lower = _mm512_dpbusd_epi32(*lower, _mm512_and_si512(codes, nibble), q0);
  *upper = _mm512_dpbusd_epi32(*upper, _mm512_andnot_si512(nibble, codes), q1);
}

__m512i join_halves(__m512i lower, __m512i upper) noexcept {
  return _mm512_add_epi32(lower, _mm512_srai_epi32(upper, 4));
}

int32_t dot_row_u4(const uint8_t* row, size_t stride, const int8_t* query) noexcept {
  __m512i lower = _mm512_setzero_si512();
  __m512i upper = lower;
  for (size_t j = 0; j < stride; j += 64) {
    add_line(row + j, _mm512_loadu_si512(query + 2 * j), _mm512_loadu_si512(query + 2 * j + 64),
             &lower, &upper);
  }
  return _mm512_reduce_add_epi32(join_halves(lower, upper));
}

/// Sums over a row of 8-bit codes with each plane of the query.
struct RowSums {
  __m512i hi;
  __m512i lo;
};

/// Adds the products of one line of both planes, 128 components.
void add_line_u8(const uint8_t* high, const uint8_t* low, const __m512i* q,
                 RowSums* sums) noexcept {
  const __m512i nibble = _mm512_set1_epi8(15);
  const __m512i h = _mm512_loadu_si512(high);
  const __m512i l = _mm512_loadu_si512(low);
  // 0xCA: where `nibble` is set the second operand, else the third.
  const __m512i first = _mm512_ternarylogic_epi32(nibble, l, _mm512_slli_epi16(h, 4), 0xCA);
  const __m512i second = _mm512_ternarylogic_epi32(nibble, _mm512_srli_epi16(l, 4), h, 0xCA);
  sums->hi = _mm512_dpbusd_epi32(sums->hi, first, q[0]);
  sums->lo = _mm512_dpbusd_epi32(sums->lo, first, q[1]);
  sums->hi = _mm512_dpbusd_epi32(sums->hi, second, q[2]);
  sums->lo = _mm512_dpbusd_epi32(sums->lo, second, q[3]);
}

/// Sums of rows at `rows[0..Count)`, and the lines of the rows at `next` fetched meanwhile.
template <size_t Count>
void dot_rows_u8(const CodePlanes& codes, const uint32_t* rows, const uint32_t* next,
                 const QueryPlanes& query, __m512i* out) noexcept {
  RowSums sums[Count];
  for (size_t r = 0; r < Count; ++r) sums[r] = {_mm512_setzero_si512(), _mm512_setzero_si512()};
  for (size_t j = 0; j < codes.stride; j += 64) {
    const __m512i q[4] = {
        _mm512_loadu_si512(query.hi + 2 * j), _mm512_loadu_si512(query.lo + 2 * j),
        _mm512_loadu_si512(query.hi + 2 * j + 64), _mm512_loadu_si512(query.lo + 2 * j + 64)};
    for (size_t r = 0; r < Count; ++r) {
      const size_t ahead = next[r] * codes.stride + j;
      _mm_prefetch(reinterpret_cast<const char*>(codes.high + ahead), _MM_HINT_T0);
      _mm_prefetch(reinterpret_cast<const char*>(codes.low + ahead), _MM_HINT_T0);
      const size_t at = rows[r] * codes.stride + j;
      add_line_u8(codes.high + at, codes.low + at, q, &sums[r]);
    }
  }
  for (size_t r = 0; r < Count; ++r) out[r] = join_planes(sums[r].hi, sums[r].lo);
}

/// Scores of up to 16 rows from i on, of which `lanes` are there.
__m512 score_rows(const RankRows& rows, const RankQuery& query, size_t i, __mmask16 lanes,
                  __m512i raw) noexcept {
  const __m512i numbers =
      _mm512_add_epi32(_mm512_set1_epi32(static_cast<int>(i)),
                       _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
  const __m512i slots =
      rows.slots == nullptr ? numbers : _mm512_maskz_loadu_epi32(lanes, rows.slots + i);
  const __m512i none = _mm512_setzero_si512();
  const auto* const params = reinterpret_cast<const int*>(rows.params);
  const __m512 shift =
      _mm512_castsi512_ps(_mm512_mask_i32gather_epi32(none, lanes, slots, params, 8));
  const __m512i both = _mm512_mask_i32gather_epi32(none, lanes, slots, params + 1, 8);
  const __m512 lo =
      _mm512_castsi512_ps(_mm512_and_si512(both, _mm512_set1_epi32(static_cast<int>(0xFFFF0000))));
  const __m512 step = _mm512_castsi512_ps(_mm512_slli_epi32(both, 16));
  const __m512 scaled = _mm512_mul_ps(_mm512_set1_ps(query.raw_scale), _mm512_cvtepi32_ps(raw));
  __m512 score =
      _mm512_fmadd_ps(_mm512_set1_ps(query.shift_scale), shift, _mm512_set1_ps(query.base));
  score = _mm512_fmadd_ps(_mm512_set1_ps(query.lo_scale), lo, score);
  return _mm512_fmadd_ps(scaled, step, score);
}

/// Those of 16 rows from i on that are below the limit, behind what was kept before.
size_t keep_below(__m512 score, __mmask16 lanes, size_t i, float limit, uint32_t* which,
                  float* scores) noexcept {
  const __mmask16 below = _mm512_mask_cmp_ps_mask(lanes, score, _mm512_set1_ps(limit), _CMP_LT_OQ);
  if (below == 0) return 0;
  const __m512i numbers =
      _mm512_add_epi32(_mm512_set1_epi32(static_cast<int>(i)),
                       _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
  _mm512_storeu_si512(which, _mm512_maskz_compress_epi32(below, numbers));
  _mm512_storeu_ps(scores, _mm512_maskz_compress_ps(below, score));
  return static_cast<size_t>(__builtin_popcount(below));
}

void prefetch_row(const uint8_t* row, size_t stride) noexcept {
  for (size_t j = 0; j < stride; j += 64) {
    _mm_prefetch(reinterpret_cast<const char*>(row) + j, _MM_HINT_T0);
  }
}

/// Dot products of four rows, lines of 128 components; `Lines` 0: as many as the stride has. With
/// few lines the query stays in registers.
template <size_t Lines>
__m128i dot_four(const uint8_t* const* rows, size_t stride, const int8_t* query) noexcept {
  __m512i lower[4];
  __m512i upper[4];
  for (size_t r = 0; r < 4; ++r) lower[r] = upper[r] = _mm512_setzero_si512();
  const size_t lines = Lines == 0 ? stride / 64 : Lines;
  for (size_t line = 0; line < lines; ++line) {
    const __m512i q0 = _mm512_load_si512(query + 128 * line);
    const __m512i q1 = _mm512_load_si512(query + 128 * line + 64);
    for (size_t r = 0; r < 4; ++r) add_line(rows[r] + 64 * line, q0, q1, &lower[r], &upper[r]);
  }
  return sum_lanes(join_halves(lower[0], upper[0]), join_halves(lower[1], upper[1]),
                   join_halves(lower[2], upper[2]), join_halves(lower[3], upper[3]));
}

template <size_t Lines>
size_t rank_rows(const RankRows& rows, const RankQuery& query, float limit, uint32_t* which,
                 float* scores) noexcept {
  // Measured on notes384 in the graph: 4, 8, 12, 16 and 32 rows ahead within 3 %.
  constexpr size_t kAhead = 8;
  const size_t stride = Lines == 0 ? rows.stride : 64 * Lines;
  const bool scattered = rows.slots != nullptr;  // else the processor sees by itself what is next
  if (scattered) {
    for (size_t i = 0; i < rows.count && i < kAhead; ++i) prefetch_row(rows.codes[i], stride);
    for (size_t i = 0; i < rows.count; ++i) {
      _mm_prefetch(reinterpret_cast<const char*>(rows.params + rows.slots[i]), _MM_HINT_T0);
    }
  }
  size_t kept = 0;
  for (size_t i = 0; i < rows.count; i += 16) {
    const size_t end = rows.count - i < 16 ? rows.count - i : 16;
    alignas(64) int32_t raw[16] = {};
    for (size_t k = 0; k < end; k += 4) {
      const uint8_t* four[4];
      for (size_t r = 0; r < 4; ++r) {
        const size_t at = i + k + r;
        four[r] = rows.codes[at < rows.count ? at : rows.count - 1];
        if (scattered && at + kAhead < rows.count) {
          prefetch_row(rows.codes[at + kAhead], stride);
        }
      }
      _mm_store_si128(reinterpret_cast<__m128i*>(raw + k),
                      dot_four<Lines>(four, stride, query.codes));
    }
    const auto lanes = static_cast<__mmask16>((1U << end) - 1U);
    const __m512 score = score_rows(rows, query, i, lanes, _mm512_load_si512(raw));
    kept += keep_below(score, lanes, i, limit, which + kept, scores + kept);
  }
  return kept;
}

}  // namespace

size_t avx512vnni_rank_u4(const RankRows& rows, const RankQuery& query, float limit,
                          uint32_t* which, float* scores) noexcept {
  if (rows.stride == 192) return rank_rows<3>(rows, query, limit, which, scores);
  if (rows.stride == 384) return rank_rows<6>(rows, query, limit, which, scores);
  if (rows.stride == 448) return rank_rows<7>(rows, query, limit, which, scores);
  return rank_rows<0>(rows, query, limit, which, scores);
}

void avx512vnni_scan_dot_u4(const uint8_t* plane, size_t stride, size_t n, const int8_t* query,
                            int32_t* out) noexcept {
  size_t i = 0;
  for (; i + 4 <= n; i += 4) {
    const uint8_t* const row = plane + i * stride;
    __m512i lower0 = _mm512_setzero_si512();
    __m512i lower1 = lower0;
    __m512i lower2 = lower0;
    __m512i lower3 = lower0;
    __m512i upper0 = lower0;
    __m512i upper1 = lower0;
    __m512i upper2 = lower0;
    __m512i upper3 = lower0;
    for (size_t j = 0; j < stride; j += 64) {
      // Four lines a step; they are fetched in address order, four rows' worth ahead.
      prefetch(row + 4 * j);
      prefetch(row + 4 * j + 64);
      prefetch(row + 4 * j + 128);
      prefetch(row + 4 * j + 192);
      const __m512i q0 = _mm512_loadu_si512(query + 2 * j);
      const __m512i q1 = _mm512_loadu_si512(query + 2 * j + 64);
      add_line(row + j, q0, q1, &lower0, &upper0);
      add_line(row + stride + j, q0, q1, &lower1, &upper1);
      add_line(row + 2 * stride + j, q0, q1, &lower2, &upper2);
      add_line(row + 3 * stride + j, q0, q1, &lower3, &upper3);
    }
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out + i),
                     sum_lanes(join_halves(lower0, upper0), join_halves(lower1, upper1),
                               join_halves(lower2, upper2), join_halves(lower3, upper3)));
  }
  for (; i < n; ++i) out[i] = dot_row_u4(plane + i * stride, stride, query);
}

void avx512vnni_dot_u8_at(const CodePlanes& codes, const uint32_t* positions, size_t n,
                          const QueryPlanes& query, int32_t* out) noexcept {
  size_t i = 0;
  for (; i + 4 <= n; i += 4) {
    const uint32_t* const next = positions + (i + 8 <= n ? i + 4 : i);
    __m512i sums[4];
    dot_rows_u8<4>(codes, positions + i, next, query, sums);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out + i),
                     sum_lanes(sums[0], sums[1], sums[2], sums[3]));
  }
  for (; i < n; ++i) {
    __m512i sum;
    dot_rows_u8<1>(codes, positions + i, positions + (i + 1 < n ? i + 1 : i), query, &sum);
    out[i] = _mm512_reduce_add_epi32(sum);
  }
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

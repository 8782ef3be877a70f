// SPDX-License-Identifier: Apache-2.0
//
// AVX-512 F, BW, DQ, VL: 16 floats or 64 codes at a time, tails by masked loads. The plan is that
// of avx2.cc; see there for why no sum overflows. Tested by kernels_test.cc against scalar.cc.
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

LOCI_SIMD_BEGIN("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,popcnt")

// Compiled for this tier: hence not at the top.
#define LOCI_CODING_LANES 8
#include "simd/coding.h"

namespace loci::simd {
namespace {

constexpr size_t kPrefetchBytes = 2048;  // as in avx2.cc

__mmask16 tail_mask(size_t count) noexcept { return static_cast<__mmask16>((1u << count) - 1u); }

__m512d low_double(__m512 v) noexcept { return _mm512_cvtps_pd(_mm512_castps512_ps256(v)); }
__m512d high_double(__m512 v) noexcept { return _mm512_cvtps_pd(_mm512_extractf32x8_ps(v, 1)); }

/// Two running sums: the low and the high eight of sixteen floats.
struct Sums {
  __m512d low;
  __m512d high;
};

void add_l2sq(__m512 x, __m512 y, Sums* sums) noexcept {
  const __m512d low = _mm512_sub_pd(low_double(x), low_double(y));
  const __m512d high = _mm512_sub_pd(high_double(x), high_double(y));
  sums->low = _mm512_fmadd_pd(low, low, sums->low);
  sums->high = _mm512_fmadd_pd(high, high, sums->high);
}

void add_dot(__m512 x, __m512 y, Sums* sums) noexcept {
  sums->low = _mm512_fmadd_pd(low_double(x), low_double(y), sums->low);
  sums->high = _mm512_fmadd_pd(high_double(x), high_double(y), sums->high);
}

void add_l1(__m512 x, __m512 y, Sums* sums) noexcept {
  const __m512d low = _mm512_sub_pd(low_double(x), low_double(y));
  const __m512d high = _mm512_sub_pd(high_double(x), high_double(y));
  sums->low = _mm512_add_pd(_mm512_abs_pd(low), sums->low);
  sums->high = _mm512_add_pd(_mm512_abs_pd(high), sums->high);
}

/// Sum of `Add` over all components; absent lanes of the tail are zero in both, and add zero. Four
/// sums side by side: an addition takes four cycles, and two can begin in each.
template <void (*Add)(__m512, __m512, Sums*) noexcept>
double accumulate(const float* a, const float* b, size_t dim) noexcept {
  Sums even = {_mm512_setzero_pd(), _mm512_setzero_pd()};
  Sums odd = even;
  size_t j = 0;
  for (; j + 32 <= dim; j += 32) {
    Add(_mm512_loadu_ps(a + j), _mm512_loadu_ps(b + j), &even);
    Add(_mm512_loadu_ps(a + j + 16), _mm512_loadu_ps(b + j + 16), &odd);
  }
  for (; j < dim; j += 16) {
    const __mmask16 mask = dim - j < 16 ? tail_mask(dim - j) : static_cast<__mmask16>(0xFFFF);
    Add(_mm512_maskz_loadu_ps(mask, a + j), _mm512_maskz_loadu_ps(mask, b + j), &even);
  }
  return _mm512_reduce_add_pd(
      _mm512_add_pd(_mm512_add_pd(even.low, even.high), _mm512_add_pd(odd.low, odd.high)));
}

double l2sq_f32(const float* a, const float* b, size_t dim) noexcept {
  return accumulate<add_l2sq>(a, b, dim);
}
double dot_f32(const float* a, const float* b, size_t dim) noexcept {
  return accumulate<add_dot>(a, b, dim);
}
double l1_f32(const float* a, const float* b, size_t dim) noexcept {
  return accumulate<add_l1>(a, b, dim);
}

void prefetch(const uint8_t* p) noexcept {
  _mm_prefetch(reinterpret_cast<const char*>(p) + kPrefetchBytes, _MM_HINT_T0);
}

/// The products of one line (64 bytes, 128 components) of a plane: 16 sums of 32 bits. The 16-bit
/// sums on the way are of two pairs, at most 4 * 15 * 127.
__m512i line_products(const uint8_t* line, const int8_t* query) noexcept {
  const __m512i nibble = _mm512_set1_epi8(15);
  const __m512i h = _mm512_loadu_si512(line);
  const __m512i first =
      _mm512_maddubs_epi16(_mm512_and_si512(h, nibble), _mm512_loadu_si512(query));
  const __m512i second = _mm512_maddubs_epi16(_mm512_and_si512(_mm512_srli_epi16(h, 4), nibble),
                                              _mm512_loadu_si512(query + 64));
  return _mm512_madd_epi16(_mm512_add_epi16(first, second), _mm512_set1_epi16(1));
}

void scan_dot_u4(const uint8_t* plane, size_t stride, size_t n, const int8_t* query,
                 int32_t* out) noexcept {
  for (size_t i = 0; i < n; ++i) {
    const uint8_t* const row = plane + i * stride;
    __m512i sum = _mm512_setzero_si512();
    for (size_t j = 0; j < stride; j += 64) {
      prefetch(row + j);
      sum = _mm512_add_epi32(sum, line_products(row + j, query + 2 * j));
    }
    out[i] = _mm512_reduce_add_epi32(sum);
  }
}

__m512i multiply_64(__m512i codes, const int16_t* query) noexcept {
  const __m512i low = _mm512_cvtepu8_epi16(_mm512_castsi512_si256(codes));
  const __m512i high = _mm512_cvtepu8_epi16(_mm512_extracti64x4_epi64(codes, 1));
  return _mm512_add_epi32(_mm512_madd_epi16(low, _mm512_loadu_si512(query)),
                          _mm512_madd_epi16(high, _mm512_loadu_si512(query + 32)));
}

void dot_u8_at(const CodePlanes& codes, const uint32_t* positions, size_t n,
               const QueryPlanes& query, int32_t* out) noexcept {
  const __m512i nibble = _mm512_set1_epi8(15);
  for (size_t i = 0; i < n; ++i) {
    const uint8_t* const high = codes.high + positions[i] * codes.stride;
    const uint8_t* const low = codes.low + positions[i] * codes.stride;
    const size_t next = positions[i + 2 < n ? i + 2 : i] * codes.stride;
    __m512i sum = _mm512_setzero_si512();
    for (size_t j = 0; j < codes.stride; j += 64) {
      _mm_prefetch(reinterpret_cast<const char*>(codes.high + next + j), _MM_HINT_T0);
      _mm_prefetch(reinterpret_cast<const char*>(codes.low + next + j), _MM_HINT_T0);
      const __m512i h = _mm512_loadu_si512(high + j);
      const __m512i l = _mm512_loadu_si512(low + j);
      const __m512i first = _mm512_or_si512(_mm512_slli_epi16(_mm512_and_si512(h, nibble), 4),
                                            _mm512_and_si512(l, nibble));
      const __m512i second = _mm512_or_si512(_mm512_andnot_si512(nibble, h),
                                             _mm512_and_si512(_mm512_srli_epi16(l, 4), nibble));
      sum = _mm512_add_epi32(sum, multiply_64(first, query.wide + 2 * j));
      sum = _mm512_add_epi32(sum, multiply_64(second, query.wide + 2 * j + 64));
    }
    out[i] = _mm512_reduce_add_epi32(sum);
  }
}

void scan_sad_u8(const uint8_t* codes, size_t stride, size_t n, const uint8_t* query,
                 int32_t* out) noexcept {
  for (size_t i = 0; i < n; ++i) {
    const uint8_t* const row = codes + i * stride;
    __m512i sum = _mm512_setzero_si512();
    for (size_t j = 0; j < stride; j += 64) {
      prefetch(row + j);
      sum = _mm512_add_epi64(
          sum, _mm512_sad_epu8(_mm512_loadu_si512(row + j), _mm512_loadu_si512(query + j)));
    }
    out[i] = static_cast<int32_t>(_mm512_reduce_add_epi64(sum));
  }
}

void scan_hamming(const uint8_t* codes, size_t stride, size_t n, const uint8_t* query,
                  int32_t* out) noexcept {
  const __m512i table =
      _mm512_broadcast_i32x4(_mm_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4));
  const __m512i nibble = _mm512_set1_epi8(15);
  for (size_t i = 0; i < n; ++i) {
    const uint8_t* const row = codes + i * stride;
    __m512i sum = _mm512_setzero_si512();
    for (size_t j = 0; j < stride; j += 64) {
      prefetch(row + j);
      const __m512i bits =
          _mm512_xor_si512(_mm512_loadu_si512(row + j), _mm512_loadu_si512(query + j));
      const __m512i low = _mm512_shuffle_epi8(table, _mm512_and_si512(bits, nibble));
      const __m512i high =
          _mm512_shuffle_epi8(table, _mm512_and_si512(_mm512_srli_epi16(bits, 4), nibble));
      sum = _mm512_add_epi64(sum,
                             _mm512_sad_epu8(_mm512_add_epi8(low, high), _mm512_setzero_si512()));
    }
    out[i] = static_cast<int32_t>(_mm512_reduce_add_epi64(sum));
  }
}

__mmask16 allowed_bits(const uint64_t* allowed, size_t i) noexcept {
  return allowed == nullptr ? static_cast<__mmask16>(0xFFFF)
                            : static_cast<__mmask16>(allowed[i / 64] >> (i % 64));
}

/// Of the lanes in `lanes`: bit k set where row i + k is not dropped.
__mmask16 kept_bits(const SelectRows& rows, const SelectQuery& q, size_t i,
                    __mmask16 lanes) noexcept {
  const __m512 err = _mm512_maskz_loadu_ps(lanes, rows.err + i);
  const __m512 aux = _mm512_maskz_loadu_ps(lanes, rows.aux + i);
  const __m512 raw =
      _mm512_mul_ps(_mm512_set1_ps(q.raw_scale),
                    _mm512_cvtepi32_ps(_mm512_maskz_loadu_epi32(lanes, rows.raw + i)));
  __m512 e = _mm512_fmadd_ps(_mm512_set1_ps(q.aux_scale), aux, _mm512_set1_ps(q.base));
  e = _mm512_fmadd_ps(_mm512_set1_ps(q.lo_scale), _mm512_maskz_loadu_ps(lanes, rows.lo + i), e);
  e = _mm512_fmadd_ps(raw, _mm512_maskz_loadu_ps(lanes, rows.step + i), e);
  const __m512 root = _mm512_add_ps(_mm512_set1_ps(q.root), err);
  __m512 limit = _mm512_fmadd_ps(_mm512_set1_ps(q.err_weight), err, _mm512_set1_ps(q.limit));
  limit = _mm512_fmadd_ps(_mm512_set1_ps(q.aux_weight), aux, limit);
  // "Not greater, or unordered": a NaN keeps the row.
  lanes = _mm512_mask_cmp_ps_mask(lanes, e, _mm512_mul_ps(root, root), _CMP_NGT_UQ);
  const __m512 shifted = _mm512_add_ps(e, _mm512_maskz_loadu_ps(lanes, rows.delta + i));
  return _mm512_mask_cmp_ps_mask(lanes, shifted, limit, _CMP_NGT_UQ);
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

size_t rank_u4(const RankRows& rows, const RankQuery& query, float limit, uint32_t* which,
               float* scores) noexcept {
  constexpr size_t kAhead = 8;
  for (size_t i = 0; i < rows.count && i < kAhead; ++i) prefetch_row(rows.codes[i], rows.stride);
  size_t kept = 0;
  for (size_t i = 0; i < rows.count; i += 16) {
    alignas(64) int32_t raw[16] = {};
    const size_t end = rows.count - i < 16 ? rows.count - i : 16;
    for (size_t k = 0; k < end; ++k) {
      if (i + k + kAhead < rows.count) prefetch_row(rows.codes[i + k + kAhead], rows.stride);
      __m512i sum = _mm512_setzero_si512();
      for (size_t j = 0; j < rows.stride; j += 64) {
        sum = _mm512_add_epi32(sum, line_products(rows.codes[i + k] + j, query.codes + 2 * j));
      }
      raw[k] = _mm512_reduce_add_epi32(sum);
    }
    const __mmask16 lanes = end == 16 ? static_cast<__mmask16>(0xFFFF) : tail_mask(end);
    const __m512 score = score_rows(rows, query, i, lanes, _mm512_load_si512(raw));
    kept += keep_below(score, lanes, i, limit, which + kept, scores + kept);
  }
  return kept;
}

size_t select_below(const SelectRows& rows, const SelectQuery& query, uint32_t* out) noexcept {
  const __m512i lane_numbers =
      _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  size_t found = 0;
  for (size_t i = 0; i < rows.count; i += 16) {
    __mmask16 lanes = allowed_bits(rows.allowed, i);
    if (rows.count - i < 16) lanes = static_cast<__mmask16>(lanes & tail_mask(rows.count - i));
    if (lanes == 0) continue;
    const __mmask16 kept = kept_bits(rows, query, i, lanes);
    if (kept == 0) continue;  // the usual case: nearly every row is far
    const __m512i numbers = _mm512_add_epi32(_mm512_set1_epi32(static_cast<int>(i)), lane_numbers);
    _mm512_storeu_si512(out + found, _mm512_maskz_compress_epi32(kept, numbers));
    found += static_cast<size_t>(__builtin_popcount(kept));
  }
  return found;
}

void clear_words(size_t n, uint64_t* words) noexcept {
  for (size_t i = 0; i < n / 64; ++i) words[i] = 0;
}

// Of two comparisons with masks one processor port does both, so there is one: low <= x <= high
// where x - low, modulo two to the number of bits, is at most high - low.
void within_i64(const int64_t* values, size_t n, int64_t low, int64_t high,
                uint64_t* words) noexcept {
  if (low > high) return clear_words(n, words);
  const __m512i least = _mm512_set1_epi64(low);
  const __m512i span = _mm512_sub_epi64(_mm512_set1_epi64(high), least);
  for (size_t i = 0; i < n; i += 64) {
    uint64_t word = 0;
    for (size_t k = 0; k < 64; k += 8) {
      const __m512i above = _mm512_sub_epi64(_mm512_loadu_si512(values + i + k), least);
      word |= uint64_t{_mm512_cmple_epu64_mask(above, span)} << k;
    }
    words[i / 64] = word;
  }
}

void within_f64(const double* values, size_t n, double low, double high, uint64_t* words) noexcept {
  const __m512d least = _mm512_set1_pd(low);
  const __m512d most = _mm512_set1_pd(high);
  for (size_t i = 0; i < n; i += 64) {
    uint64_t word = 0;
    for (size_t k = 0; k < 64; k += 8) {
      const __m512d x = _mm512_loadu_pd(values + i + k);
      const __mmask8 in = _mm512_mask_cmp_pd_mask(_mm512_cmp_pd_mask(x, least, _CMP_GE_OQ), x, most,
                                                  _CMP_LE_OQ);  // false for a NaN
      word |= uint64_t{in} << k;
    }
    words[i / 64] = word;
  }
}

void within_i8(const int8_t* values, size_t n, int8_t low, int8_t high, uint64_t* words) noexcept {
  if (low > high) return clear_words(n, words);
  const __m512i least = _mm512_set1_epi8(low);
  const __m512i span = _mm512_sub_epi8(_mm512_set1_epi8(high), least);
  for (size_t i = 0; i < n; i += 64) {
    const __m512i above = _mm512_sub_epi8(_mm512_loadu_si512(values + i), least);
    words[i / 64] = _mm512_cmple_epu8_mask(above, span);
  }
}

void within_i16(const int16_t* values, size_t n, int16_t low, int16_t high,
                uint64_t* words) noexcept {
  if (low > high) return clear_words(n, words);
  const __m512i least = _mm512_set1_epi16(low);
  const __m512i span = _mm512_sub_epi16(_mm512_set1_epi16(high), least);
  for (size_t i = 0; i < n; i += 64) {
    const __m512i first = _mm512_sub_epi16(_mm512_loadu_si512(values + i), least);
    const __m512i second = _mm512_sub_epi16(_mm512_loadu_si512(values + i + 32), least);
    words[i / 64] = uint64_t{_mm512_cmple_epu16_mask(first, span)} |
                    uint64_t{_mm512_cmple_epu16_mask(second, span)} << 32;
  }
}

void within_i32(const int32_t* values, size_t n, int32_t low, int32_t high,
                uint64_t* words) noexcept {
  if (low > high) return clear_words(n, words);
  const __m512i least = _mm512_set1_epi32(low);
  const __m512i span = _mm512_sub_epi32(_mm512_set1_epi32(high), least);
  for (size_t i = 0; i < n; i += 64) {
    uint64_t word = 0;
    for (size_t k = 0; k < 64; k += 16) {
      const __m512i above = _mm512_sub_epi32(_mm512_loadu_si512(values + i + k), least);
      word |= uint64_t{_mm512_cmple_epu32_mask(above, span)} << k;
    }
    words[i / 64] = word;
  }
}

void among_u32(const uint32_t* values, size_t n, const uint8_t* table, uint64_t* words) noexcept {
  const __m512i one = _mm512_set1_epi32(1);  // the bytes above are of other values
  for (size_t i = 0; i < n; i += 64) {
    uint64_t word = 0;
    for (size_t k = 0; k < 64; k += 16) {
      const __m512i found = _mm512_i32gather_epi32(_mm512_loadu_si512(values + i + k), table, 1);
      word |= uint64_t{_mm512_test_epi32_mask(found, one)} << k;
    }
    words[i / 64] = word;
  }
}

size_t keep_set(const uint32_t* numbers, size_t n, const uint64_t* words, uint32_t* out) noexcept {
  const __m512i none = _mm512_set1_epi32(static_cast<int>(kNoNumber));
  const __m512i low_bits = _mm512_set1_epi32(31);
  const __m512i one = _mm512_set1_epi32(1);
  size_t kept = 0;
  for (size_t i = 0; i < n; i += 16) {
    const __mmask16 there =
        n - i >= 16 ? __mmask16{0xFFFF} : static_cast<__mmask16>((1U << (n - i)) - 1);
    const __m512i x = _mm512_mask_loadu_epi32(none, there, numbers + i);
    const __mmask16 before = _mm512_cmpneq_epi32_mask(x, none);
    const __m512i halves = _mm512_mask_i32gather_epi32(_mm512_setzero_si512(), before,
                                                       _mm512_srli_epi32(x, 5), words, 4);
    const __m512i bit = _mm512_sllv_epi32(one, _mm512_and_si512(x, low_bits));
    const __mmask16 set = _mm512_test_epi32_mask(halves, bit);
    _mm512_storeu_si512(out + kept, _mm512_maskz_compress_epi32(set, x));
    kept += static_cast<size_t>(__builtin_popcount(set));
    if (before != 0xFFFF) break;
  }
  return kept;
}

}  // namespace
}  // namespace loci::simd

LOCI_SIMD_END

namespace loci::simd {

const Kernels kAvx512Kernels = {
    "avx512",       l2sq_f32,       dot_f32,      l1_f32,     scan_dot_u4,   dot_u8_at,
    scan_sad_u8,    scan_hamming,   select_below, rank_u4,    summarize_f32, encode_u8,
    round_to_units, round_to_bytes, within_i8,    within_i16, within_i32,    within_i64,
    within_f64,     among_u32,      keep_set};

}  // namespace loci::simd

#endif  // __x86_64__

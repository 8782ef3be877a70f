// SPDX-License-Identifier: Apache-2.0
//
// AVX2 and FMA: 8 floats or 32 codes at a time. 4-bit codes are multiplied with the 8-bit query by
// maddubs. 8-bit codes are put together from their planes, widened to 16 bits and multiplied with
// the 16-bit query by madd_epi16, whose pair sums (at most 2 * 255 * 32,768) fit 32 bits; the bound
// on the query (kernels.h) keeps the whole sum in 32 bits.
// Tested by kernels_test.cc against scalar.cc.
#if defined(__x86_64__)

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "simd/kernels.h"

LOCI_SIMD_BEGIN("avx2,fma,popcnt")

// Compiled for this tier: hence not at the top.
#define LOCI_CODING_LANES 4
#include "simd/coding.h"

namespace loci::simd {
namespace {

// How far ahead of the row in work to fetch. Measured on a Xeon with VNNI, one
// thread, 384 dimensions: out of memory (20,000 and 54,821 rows) any distance from 0 to 8 KiB runs
// at 91 % or more of a plain read loop; inside the second-level cache (1,000 rows) VNNI takes 3.9
// us with 2 KiB, 4.3 to 4.8 with 0.5, 1, 4 or 8 KiB, and 5.2 without.
constexpr size_t kPrefetchBytes = 2048;

double sum_lanes(__m256d v) noexcept {
  const __m128d half = _mm_add_pd(_mm256_castpd256_pd128(v), _mm256_extractf128_pd(v, 1));
  return _mm_cvtsd_f64(_mm_add_sd(half, _mm_unpackhi_pd(half, half)));
}

__m256d low_double(__m256 v) noexcept { return _mm256_cvtps_pd(_mm256_castps256_ps128(v)); }
__m256d high_double(__m256 v) noexcept { return _mm256_cvtps_pd(_mm256_extractf128_ps(v, 1)); }

double l2sq_f32(const float* a, const float* b, size_t dim) noexcept {
  __m256d even = _mm256_setzero_pd();
  __m256d odd = _mm256_setzero_pd();
  size_t j = 0;
  for (; j + 8 <= dim; j += 8) {
    const __m256 x = _mm256_loadu_ps(a + j);
    const __m256 y = _mm256_loadu_ps(b + j);
    const __m256d low = _mm256_sub_pd(low_double(x), low_double(y));
    const __m256d high = _mm256_sub_pd(high_double(x), high_double(y));
    even = _mm256_fmadd_pd(low, low, even);
    odd = _mm256_fmadd_pd(high, high, odd);
  }
  double sum = sum_lanes(_mm256_add_pd(even, odd));
  for (; j < dim; ++j) {
    const double difference = static_cast<double>(a[j]) - static_cast<double>(b[j]);
    sum += difference * difference;
  }
  return sum;
}

double dot_f32(const float* a, const float* b, size_t dim) noexcept {
  __m256d even = _mm256_setzero_pd();
  __m256d odd = _mm256_setzero_pd();
  size_t j = 0;
  for (; j + 8 <= dim; j += 8) {
    const __m256 x = _mm256_loadu_ps(a + j);
    const __m256 y = _mm256_loadu_ps(b + j);
    even = _mm256_fmadd_pd(low_double(x), low_double(y), even);
    odd = _mm256_fmadd_pd(high_double(x), high_double(y), odd);
  }
  double sum = sum_lanes(_mm256_add_pd(even, odd));
  for (; j < dim; ++j) sum += static_cast<double>(a[j]) * static_cast<double>(b[j]);
  return sum;
}

double l1_f32(const float* a, const float* b, size_t dim) noexcept {
  const __m256d sign = _mm256_set1_pd(-0.0);
  __m256d even = _mm256_setzero_pd();
  __m256d odd = _mm256_setzero_pd();
  size_t j = 0;
  for (; j + 8 <= dim; j += 8) {
    const __m256 x = _mm256_loadu_ps(a + j);
    const __m256 y = _mm256_loadu_ps(b + j);
    const __m256d low = _mm256_sub_pd(low_double(x), low_double(y));
    const __m256d high = _mm256_sub_pd(high_double(x), high_double(y));
    even = _mm256_add_pd(_mm256_andnot_pd(sign, low), even);
    odd = _mm256_add_pd(_mm256_andnot_pd(sign, high), odd);
  }
  double sum = sum_lanes(_mm256_add_pd(even, odd));
  for (; j < dim; ++j) {
    const double difference = static_cast<double>(a[j]) - static_cast<double>(b[j]);
    sum += difference < 0 ? -difference : difference;
  }
  return sum;
}

int32_t sum_lanes(__m256i v) noexcept {
  __m128i half = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
  half = _mm_add_epi32(half, _mm_shuffle_epi32(half, 0x4E));
  half = _mm_add_epi32(half, _mm_shuffle_epi32(half, 0xB1));
  return _mm_cvtsi128_si32(half);
}

void prefetch(const uint8_t* p) noexcept {
  _mm_prefetch(reinterpret_cast<const char*>(p) + kPrefetchBytes, _MM_HINT_T0);
}

__m256i load(const void* p) noexcept { return _mm256_loadu_si256(static_cast<const __m256i*>(p)); }

__m256i add_products(__m256i sum, __m256i codes, __m256i query) noexcept {
  return _mm256_add_epi16(sum, _mm256_maddubs_epi16(codes, query));
}

/// The products of one line (64 bytes, 128 components) of a plane: eight sums of 32 bits. The
/// 16-bit sums on the way are of four pairs, at most 8 * 15 * 127.
__m256i line_products(const uint8_t* line, const int8_t* query) noexcept {
  const __m256i nibble = _mm256_set1_epi8(15);
  const __m256i a = load(line);
  const __m256i b = load(line + 32);
  __m256i sum = _mm256_maddubs_epi16(_mm256_and_si256(a, nibble), load(query));
  sum = add_products(sum, _mm256_and_si256(b, nibble), load(query + 32));
  sum = add_products(sum, _mm256_and_si256(_mm256_srli_epi16(a, 4), nibble), load(query + 64));
  sum = add_products(sum, _mm256_and_si256(_mm256_srli_epi16(b, 4), nibble), load(query + 96));
  return _mm256_madd_epi16(sum, _mm256_set1_epi16(1));
}

void scan_dot_u4(const uint8_t* plane, size_t stride, size_t n, const int8_t* query,
                 int32_t* out) noexcept {
  for (size_t i = 0; i < n; ++i) {
    const uint8_t* const row = plane + i * stride;
    __m256i sum = _mm256_setzero_si256();
    for (size_t j = 0; j < stride; j += 64) {
      prefetch(row + j);
      sum = _mm256_add_epi32(sum, line_products(row + j, query + 2 * j));
    }
    out[i] = sum_lanes(sum);
  }
}

__m256i multiply_16(__m128i codes, const int16_t* query) noexcept {
  return _mm256_madd_epi16(_mm256_cvtepu8_epi16(codes), load(query));
}

__m256i multiply_32(__m256i codes, const int16_t* query) noexcept {
  return _mm256_add_epi32(multiply_16(_mm256_castsi256_si128(codes), query),
                          multiply_16(_mm256_extracti128_si256(codes, 1), query + 16));
}

void dot_u8_at(const CodePlanes& codes, const uint32_t* positions, size_t n,
               const QueryPlanes& query, int32_t* out) noexcept {
  const __m256i nibble = _mm256_set1_epi8(15);
  for (size_t i = 0; i < n; ++i) {
    const uint8_t* const high = codes.high + positions[i] * codes.stride;
    const uint8_t* const low = codes.low + positions[i] * codes.stride;
    const size_t next = positions[i + 2 < n ? i + 2 : i] * codes.stride;
    __m256i sum = _mm256_setzero_si256();
    for (size_t j = 0; j < codes.stride; j += 64) {
      _mm_prefetch(reinterpret_cast<const char*>(codes.high + next + j), _MM_HINT_T0);
      _mm_prefetch(reinterpret_cast<const char*>(codes.low + next + j), _MM_HINT_T0);
      for (size_t half = 0; half < 64; half += 32) {
        const __m256i h = load(high + j + half);
        const __m256i l = load(low + j + half);
        const int16_t* const q = query.wide + 2 * j + half;
        const __m256i first = _mm256_or_si256(_mm256_slli_epi16(_mm256_and_si256(h, nibble), 4),
                                              _mm256_and_si256(l, nibble));
        const __m256i second = _mm256_or_si256(_mm256_andnot_si256(nibble, h),
                                               _mm256_and_si256(_mm256_srli_epi16(l, 4), nibble));
        sum = _mm256_add_epi32(sum, multiply_32(first, q));
        sum = _mm256_add_epi32(sum, multiply_32(second, q + 64));
      }
    }
    out[i] = sum_lanes(sum);
  }
}

void scan_sad_u8(const uint8_t* codes, size_t stride, size_t n, const uint8_t* query,
                 int32_t* out) noexcept {
  for (size_t i = 0; i < n; ++i) {
    const uint8_t* const row = codes + i * stride;
    __m256i sum = _mm256_setzero_si256();
    for (size_t j = 0; j < stride; j += 64) {
      prefetch(row + j);
      sum = _mm256_add_epi64(sum, _mm256_sad_epu8(load(row + j), load(query + j)));
      sum = _mm256_add_epi64(sum, _mm256_sad_epu8(load(row + j + 32), load(query + j + 32)));
    }
    out[i] = sum_lanes(sum);  // each 64-bit sum is far below 2^31: its upper half is zero
  }
}

void scan_hamming(const uint8_t* codes, size_t stride, size_t n, const uint8_t* query,
                  int32_t* out) noexcept {
  // Bits of each half byte by table (Mula), summed over eight bytes by sad.
  const __m256i table =
      _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4));
  const __m256i nibble = _mm256_set1_epi8(15);
  for (size_t i = 0; i < n; ++i) {
    const uint8_t* const row = codes + i * stride;
    __m256i sum = _mm256_setzero_si256();
    for (size_t j = 0; j < stride; j += 32) {
      if (j % 64 == 0) prefetch(row + j);
      const __m256i bits = _mm256_xor_si256(load(row + j), load(query + j));
      const __m256i low = _mm256_shuffle_epi8(table, _mm256_and_si256(bits, nibble));
      const __m256i high =
          _mm256_shuffle_epi8(table, _mm256_and_si256(_mm256_srli_epi16(bits, 4), nibble));
      sum = _mm256_add_epi64(sum,
                             _mm256_sad_epu8(_mm256_add_epi8(low, high), _mm256_setzero_si256()));
    }
    out[i] = sum_lanes(sum);
  }
}

void prefetch_row(const uint8_t* row, size_t stride) noexcept {
  for (size_t j = 0; j < stride; j += 64) {
    _mm_prefetch(reinterpret_cast<const char*>(row) + j, _MM_HINT_T0);
  }
}

/// Slots of the eight rows from i on, fewer at the end: the last one again.
__m256i slots_of(const RankRows& rows, size_t i) noexcept {
  alignas(32) uint32_t slots[8];
  for (size_t k = 0; k < 8; ++k) {
    const size_t at = i + k < rows.count ? i + k : rows.count - 1;
    slots[k] = rows.slots == nullptr ? static_cast<uint32_t>(at) : rows.slots[at];
  }
  return load(slots);
}

size_t rank_u4(const RankRows& rows, const RankQuery& query, float limit, uint32_t* which,
               float* scores) noexcept {
  constexpr size_t kAhead = 8;
  for (size_t i = 0; i < rows.count && i < kAhead; ++i) prefetch_row(rows.codes[i], rows.stride);
  size_t kept = 0;
  for (size_t i = 0; i < rows.count; i += 8) {
    alignas(32) int32_t raw[8] = {};
    const size_t end = rows.count - i < 8 ? rows.count - i : 8;
    for (size_t k = 0; k < end; ++k) {
      if (i + k + kAhead < rows.count) prefetch_row(rows.codes[i + k + kAhead], rows.stride);
      __m256i sum = _mm256_setzero_si256();
      for (size_t j = 0; j < rows.stride; j += 64) {
        sum = _mm256_add_epi32(sum, line_products(rows.codes[i + k] + j, query.codes + 2 * j));
      }
      raw[k] = sum_lanes(sum);
    }
    const __m256i slots = slots_of(rows, i);
    const auto* const params = reinterpret_cast<const int*>(rows.params);
    const __m256 shift = _mm256_castsi256_ps(_mm256_i32gather_epi32(params, slots, 8));
    const __m256i both = _mm256_i32gather_epi32(params + 1, slots, 8);
    const __m256 lo = _mm256_castsi256_ps(
        _mm256_and_si256(both, _mm256_set1_epi32(static_cast<int>(0xFFFF0000))));
    const __m256 step = _mm256_castsi256_ps(_mm256_slli_epi32(both, 16));
    const __m256 scaled =
        _mm256_mul_ps(_mm256_set1_ps(query.raw_scale), _mm256_cvtepi32_ps(load(raw)));
    __m256 score =
        _mm256_fmadd_ps(_mm256_set1_ps(query.shift_scale), shift, _mm256_set1_ps(query.base));
    score = _mm256_fmadd_ps(_mm256_set1_ps(query.lo_scale), lo, score);
    score = _mm256_fmadd_ps(scaled, step, score);
    alignas(32) float found[8];
    _mm256_store_ps(found, score);
    unsigned below = static_cast<unsigned>(
        _mm256_movemask_ps(_mm256_cmp_ps(score, _mm256_set1_ps(limit), _CMP_LT_OQ)));
    below &= (1U << end) - 1U;
    for (; below != 0; below &= below - 1) {
      const auto k = static_cast<uint32_t>(__builtin_ctz(below));
      which[kept] = static_cast<uint32_t>(i) + k;
      scores[kept++] = found[k];
    }
  }
  return kept;
}

unsigned allowed_bits(const uint64_t* allowed, size_t i) noexcept {
  return allowed == nullptr ? 0xFFu : static_cast<unsigned>(allowed[i / 64] >> (i % 64)) & 0xFFu;
}

/// Bit k set: row i + k is not dropped.
unsigned kept_bits(const SelectRows& rows, const SelectQuery& q, size_t i) noexcept {
  const __m256 err = _mm256_loadu_ps(rows.err + i);
  const __m256 aux = _mm256_loadu_ps(rows.aux + i);
  const __m256 raw =
      _mm256_mul_ps(_mm256_set1_ps(q.raw_scale), _mm256_cvtepi32_ps(load(rows.raw + i)));
  __m256 e = _mm256_fmadd_ps(_mm256_set1_ps(q.aux_scale), aux, _mm256_set1_ps(q.base));
  e = _mm256_fmadd_ps(_mm256_set1_ps(q.lo_scale), _mm256_loadu_ps(rows.lo + i), e);
  e = _mm256_fmadd_ps(raw, _mm256_loadu_ps(rows.step + i), e);
  const __m256 root = _mm256_add_ps(_mm256_set1_ps(q.root), err);
  __m256 limit = _mm256_fmadd_ps(_mm256_set1_ps(q.err_weight), err, _mm256_set1_ps(q.limit));
  limit = _mm256_fmadd_ps(_mm256_set1_ps(q.aux_weight), aux, limit);
  // "Not greater, or unordered": a NaN keeps the row.
  const __m256 near = _mm256_cmp_ps(e, _mm256_mul_ps(root, root), _CMP_NGT_UQ);
  const __m256 below =
      _mm256_cmp_ps(_mm256_add_ps(e, _mm256_loadu_ps(rows.delta + i)), limit, _CMP_NGT_UQ);
  return static_cast<unsigned>(_mm256_movemask_ps(_mm256_and_ps(near, below)));
}

size_t select_below(const SelectRows& rows, const SelectQuery& query, uint32_t* out) noexcept {
  size_t found = 0;
  size_t i = 0;
  for (; i + 8 <= rows.count; i += 8) {
    unsigned kept = kept_bits(rows, query, i) & allowed_bits(rows.allowed, i);
    for (; kept != 0; kept &= kept - 1) {
      out[found++] = static_cast<uint32_t>(i) + static_cast<uint32_t>(__builtin_ctz(kept));
    }
  }
  if (i == rows.count) return found;
  // The last rows, fewer than 8: the reference, moved to where they begin.
  SelectRows rest = rows;
  rest.raw += i;
  rest.lo += i;
  rest.step += i;
  rest.err += i;
  rest.aux += i;
  rest.delta += i;
  const uint64_t allowed = allowed_bits(rows.allowed, i);
  rest.allowed = &allowed;
  rest.count -= i;
  const size_t more = kScalarKernels.select_below(rest, query, out + found);
  for (size_t k = 0; k < more; ++k) out[found + k] += static_cast<uint32_t>(i);
  return found + more;
}

void within_i8(const int8_t* values, size_t n, int8_t low, int8_t high, uint64_t* words) noexcept {
  const __m256i least = _mm256_set1_epi8(low);
  const __m256i most = _mm256_set1_epi8(high);
  for (size_t i = 0; i < n; i += 64) {
    uint64_t outside = 0;
    for (size_t k = 0; k < 64; k += 32) {
      const __m256i x = load(values + i + k);
      const __m256i out = _mm256_or_si256(_mm256_cmpgt_epi8(least, x), _mm256_cmpgt_epi8(x, most));
      outside |= uint64_t{static_cast<uint32_t>(_mm256_movemask_epi8(out))} << k;
    }
    words[i / 64] = ~outside;
  }
}

void within_i16(const int16_t* values, size_t n, int16_t low, int16_t high,
                uint64_t* words) noexcept {
  const __m256i least = _mm256_set1_epi16(low);
  const __m256i most = _mm256_set1_epi16(high);
  const auto out_of = [&](const int16_t* at) {
    const __m256i x = load(at);
    return _mm256_or_si256(_mm256_cmpgt_epi16(least, x), _mm256_cmpgt_epi16(x, most));
  };
  for (size_t i = 0; i < n; i += 64) {
    uint64_t outside = 0;
    for (size_t k = 0; k < 64; k += 32) {
      // Packing takes the halves of its two sources in turn.
      const __m256i turned =
          _mm256_packs_epi16(out_of(values + i + k), out_of(values + i + k + 16));
      const __m256i out = _mm256_permute4x64_epi64(turned, _MM_SHUFFLE(3, 1, 2, 0));
      outside |= uint64_t{static_cast<uint32_t>(_mm256_movemask_epi8(out))} << k;
    }
    words[i / 64] = ~outside;
  }
}

void within_i32(const int32_t* values, size_t n, int32_t low, int32_t high,
                uint64_t* words) noexcept {
  const __m256i least = _mm256_set1_epi32(low);
  const __m256i most = _mm256_set1_epi32(high);
  for (size_t i = 0; i < n; i += 64) {
    uint64_t outside = 0;
    for (size_t k = 0; k < 64; k += 8) {
      const __m256i x = load(values + i + k);
      const __m256i out =
          _mm256_or_si256(_mm256_cmpgt_epi32(least, x), _mm256_cmpgt_epi32(x, most));
      outside |= static_cast<uint64_t>(_mm256_movemask_ps(_mm256_castsi256_ps(out))) << k;
    }
    words[i / 64] = ~outside;
  }
}

void within_i64(const int64_t* values, size_t n, int64_t low, int64_t high,
                uint64_t* words) noexcept {
  const __m256i least = _mm256_set1_epi64x(low);
  const __m256i most = _mm256_set1_epi64x(high);
  for (size_t i = 0; i < n; i += 64) {
    uint64_t outside = 0;
    for (size_t k = 0; k < 64; k += 4) {
      const __m256i x = load(values + i + k);
      const __m256i out =
          _mm256_or_si256(_mm256_cmpgt_epi64(least, x), _mm256_cmpgt_epi64(x, most));
      outside |= static_cast<uint64_t>(_mm256_movemask_pd(_mm256_castsi256_pd(out))) << k;
    }
    words[i / 64] = ~outside;
  }
}

void within_f64(const double* values, size_t n, double low, double high, uint64_t* words) noexcept {
  const __m256d least = _mm256_set1_pd(low);
  const __m256d most = _mm256_set1_pd(high);
  for (size_t i = 0; i < n; i += 64) {
    uint64_t word = 0;
    for (size_t k = 0; k < 64; k += 4) {
      const __m256d x = _mm256_loadu_pd(values + i + k);
      const __m256d in = _mm256_and_pd(_mm256_cmp_pd(x, least, _CMP_GE_OQ),  // false for a NaN
                                       _mm256_cmp_pd(x, most, _CMP_LE_OQ));
      word |= static_cast<uint64_t>(_mm256_movemask_pd(in)) << k;
    }
    words[i / 64] = word;
  }
}

void among_u32(const uint32_t* values, size_t n, const uint8_t* table, uint64_t* words) noexcept {
  const auto* const base = reinterpret_cast<const int*>(table);
  for (size_t i = 0; i < n; i += 64) {
    uint64_t word = 0;
    for (size_t k = 0; k < 64; k += 8) {
      const __m256i found = _mm256_i32gather_epi32(base, load(values + i + k), 1);
      const __m256i sign = _mm256_slli_epi32(found, 31);
      word |= static_cast<uint64_t>(_mm256_movemask_ps(_mm256_castsi256_ps(sign))) << k;
    }
    words[i / 64] = word;
  }
}

}  // namespace
}  // namespace loci::simd

LOCI_SIMD_END

namespace loci::simd {

const Kernels kAvx2Kernels = {
    "avx2",         l2sq_f32,       dot_f32,        l1_f32,     scan_dot_u4,   dot_u8_at,
    scan_sad_u8,    scan_hamming,   select_below,   rank_u4,    summarize_f32, encode_u8,
    round_to_units, round_to_bytes, within_i8,      within_i16, within_i32,    within_i64,
    within_f64,     among_u32,      scalar_keep_set};

}  // namespace loci::simd

#endif  // __x86_64__

// SPDX-License-Identifier: Apache-2.0
//
// NEON, which every AArch64 processor has: no dispatch, no target region. 4-bit codes are
// multiplied with the 8-bit query by vmlal_s8 into 16-bit sums. 8-bit codes are put together from
// their planes, widened to 16 bits and multiplied by vmlal_s16 with the 16-bit query into 32-bit
// sums; the bound on the query (kernels.h) keeps the whole sum in 32 bits. Tested by
// neon_selftest_main.cc under an emulator.
#if defined(__aarch64__)

#include <arm_neon.h>

#include <cstddef>
#include <cstdint>

#define LOCI_CODING_LANES 2
#include "simd/coding.h"
#include "simd/kernels.h"

namespace loci::simd {
namespace {

constexpr size_t kPrefetchBytes = 1024;

float64x2_t low_double(float32x4_t v) noexcept { return vcvt_f64_f32(vget_low_f32(v)); }
float64x2_t high_double(float32x4_t v) noexcept { return vcvt_high_f64_f32(v); }

double l2sq_f32(const float* a, const float* b, size_t dim) noexcept {
  float64x2_t even = vdupq_n_f64(0);
  float64x2_t odd = vdupq_n_f64(0);
  size_t j = 0;
  for (; j + 4 <= dim; j += 4) {
    const float32x4_t x = vld1q_f32(a + j);
    const float32x4_t y = vld1q_f32(b + j);
    const float64x2_t low = vsubq_f64(low_double(x), low_double(y));
    const float64x2_t high = vsubq_f64(high_double(x), high_double(y));
    even = vfmaq_f64(even, low, low);
    odd = vfmaq_f64(odd, high, high);
  }
  double sum = vaddvq_f64(vaddq_f64(even, odd));
  for (; j < dim; ++j) {
    const double difference = static_cast<double>(a[j]) - static_cast<double>(b[j]);
    sum += difference * difference;
  }
  return sum;
}

double dot_f32(const float* a, const float* b, size_t dim) noexcept {
  float64x2_t even = vdupq_n_f64(0);
  float64x2_t odd = vdupq_n_f64(0);
  size_t j = 0;
  for (; j + 4 <= dim; j += 4) {
    const float32x4_t x = vld1q_f32(a + j);
    const float32x4_t y = vld1q_f32(b + j);
    even = vfmaq_f64(even, low_double(x), low_double(y));
    odd = vfmaq_f64(odd, high_double(x), high_double(y));
  }
  double sum = vaddvq_f64(vaddq_f64(even, odd));
  for (; j < dim; ++j) sum += static_cast<double>(a[j]) * static_cast<double>(b[j]);
  return sum;
}

double l1_f32(const float* a, const float* b, size_t dim) noexcept {
  float64x2_t even = vdupq_n_f64(0);
  float64x2_t odd = vdupq_n_f64(0);
  size_t j = 0;
  for (; j + 4 <= dim; j += 4) {
    const float32x4_t x = vld1q_f32(a + j);
    const float32x4_t y = vld1q_f32(b + j);
    even = vaddq_f64(even, vabdq_f64(low_double(x), low_double(y)));
    odd = vaddq_f64(odd, vabdq_f64(high_double(x), high_double(y)));
  }
  double sum = vaddvq_f64(vaddq_f64(even, odd));
  for (; j < dim; ++j) {
    const double difference = static_cast<double>(a[j]) - static_cast<double>(b[j]);
    sum += difference < 0 ? -difference : difference;
  }
  return sum;
}

/// The products of 16 codes of 4 bits; eight such sums, at most 16 * 15 * 127 in all, fit 16 bits.
int16x8_t add_products(int16x8_t sum, uint8x16_t codes, const int8_t* query) noexcept {
  const int8x16_t c = vreinterpretq_s8_u8(codes);
  const int8x16_t q = vld1q_s8(query);
  sum = vmlal_s8(sum, vget_low_s8(c), vget_low_s8(q));
  return vmlal_high_s8(sum, c, q);
}

void scan_dot_u4(const uint8_t* plane, size_t stride, size_t n, const int8_t* query,
                 int32_t* out) noexcept {
  const uint8x16_t nibble = vdupq_n_u8(15);
  for (size_t i = 0; i < n; ++i) {
    const uint8_t* const row = plane + i * stride;
    int32x4_t sum = vdupq_n_s32(0);
    for (size_t j = 0; j < stride; j += 64) {
      __builtin_prefetch(row + j + kPrefetchBytes);
      int16x8_t lower = vdupq_n_s16(0);
      int16x8_t upper = lower;
      for (size_t b = 0; b < 64; b += 16) {
        const uint8x16_t codes = vld1q_u8(row + j + b);
        lower = add_products(lower, vandq_u8(codes, nibble), query + 2 * j + b);
        upper = add_products(upper, vshrq_n_u8(codes, 4), query + 2 * j + 64 + b);
      }
      sum = vpadalq_s16(vpadalq_s16(sum, lower), upper);
    }
    out[i] = vaddvq_s32(sum);
  }
}

/// Adds the products of 16 codes of 8 bits, into four sums.
void add_wide_products(uint8x16_t codes, const int16_t* query, int32x4_t* sums) noexcept {
  const int16x8_t low = vreinterpretq_s16_u16(vmovl_u8(vget_low_u8(codes)));
  const int16x8_t high = vreinterpretq_s16_u16(vmovl_high_u8(codes));
  const int16x8_t q0 = vld1q_s16(query);
  const int16x8_t q1 = vld1q_s16(query + 8);
  sums[0] = vmlal_s16(sums[0], vget_low_s16(low), vget_low_s16(q0));
  sums[1] = vmlal_high_s16(sums[1], low, q0);
  sums[2] = vmlal_s16(sums[2], vget_low_s16(high), vget_low_s16(q1));
  sums[3] = vmlal_high_s16(sums[3], high, q1);
}

void dot_u8_at(const CodePlanes& codes, const uint32_t* positions, size_t n,
               const QueryPlanes& query, int32_t* out) noexcept {
  for (size_t i = 0; i < n; ++i) {
    const uint8_t* const high = codes.high + positions[i] * codes.stride;
    const uint8_t* const low = codes.low + positions[i] * codes.stride;
    const size_t next = positions[i + 2 < n ? i + 2 : i] * codes.stride;
    int32x4_t sums[4] = {vdupq_n_s32(0), vdupq_n_s32(0), vdupq_n_s32(0), vdupq_n_s32(0)};
    for (size_t j = 0; j < codes.stride; j += 16) {
      if (j % 64 == 0) {
        __builtin_prefetch(codes.high + next + j);
        __builtin_prefetch(codes.low + next + j);
      }
      const uint8x16_t h = vld1q_u8(high + j);
      const uint8x16_t l = vld1q_u8(low + j);
      const int16_t* const q = query.wide + 2 * (j / 64 * 64) + j % 64;
      add_wide_products(vsliq_n_u8(l, h, 4), q, sums);
      add_wide_products(vsriq_n_u8(h, l, 4), q + 64, sums);
    }
    out[i] = vaddvq_s32(vaddq_s32(vaddq_s32(sums[0], sums[1]), vaddq_s32(sums[2], sums[3])));
  }
}

void scan_sad_u8(const uint8_t* codes, size_t stride, size_t n, const uint8_t* query,
                 int32_t* out) noexcept {
  for (size_t i = 0; i < n; ++i) {
    const uint8_t* const row = codes + i * stride;
    uint32x4_t sum = vdupq_n_u32(0);
    for (size_t j = 0; j < stride; j += 16) {
      if (j % 64 == 0) __builtin_prefetch(row + j + kPrefetchBytes);
      const uint8x16_t difference = vabdq_u8(vld1q_u8(row + j), vld1q_u8(query + j));
      sum = vpadalq_u16(sum, vpaddlq_u8(difference));
    }
    out[i] = static_cast<int32_t>(vaddvq_u32(sum));
  }
}

void scan_hamming(const uint8_t* codes, size_t stride, size_t n, const uint8_t* query,
                  int32_t* out) noexcept {
  for (size_t i = 0; i < n; ++i) {
    const uint8_t* const row = codes + i * stride;
    uint32x4_t sum = vdupq_n_u32(0);
    for (size_t j = 0; j < stride; j += 16) {
      if (j % 64 == 0) __builtin_prefetch(row + j + kPrefetchBytes);
      const uint8x16_t bits = veorq_u8(vld1q_u8(row + j), vld1q_u8(query + j));
      sum = vpadalq_u16(sum, vpaddlq_u8(vcntq_u8(bits)));
    }
    out[i] = static_cast<int32_t>(vaddvq_u32(sum));
  }
}

int32_t dot_row_u4(const uint8_t* row, size_t stride, const int8_t* query) noexcept {
  const uint8x16_t nibble = vdupq_n_u8(15);
  int32x4_t sum = vdupq_n_s32(0);
  for (size_t j = 0; j < stride; j += 64) {
    int16x8_t lower = vdupq_n_s16(0);
    int16x8_t upper = lower;
    for (size_t b = 0; b < 64; b += 16) {
      const uint8x16_t codes = vld1q_u8(row + j + b);
      lower = add_products(lower, vandq_u8(codes, nibble), query + 2 * j + b);
      upper = add_products(upper, vshrq_n_u8(codes, 4), query + 2 * j + 64 + b);
    }
    sum = vpadalq_s16(vpadalq_s16(sum, lower), upper);
  }
  return vaddvq_s32(sum);
}

float upper_half(uint32_t bits) noexcept {
  const uint32_t whole = bits & 0xFFFF0000U;
  float value = 0;
  __builtin_memcpy(&value, &whole, sizeof value);
  return value;
}

size_t rank_u4(const RankRows& rows, const RankQuery& query, float limit, uint32_t* which,
               float* scores) noexcept {
  constexpr size_t kAhead = 8;
  const auto fetch = [&](size_t i) {
    for (size_t j = 0; j < rows.stride; j += 64) __builtin_prefetch(rows.codes[i] + j);
  };
  for (size_t i = 0; i < rows.count && i < kAhead; ++i) fetch(i);
  size_t kept = 0;
  for (size_t i = 0; i < rows.count; ++i) {
    if (i + kAhead < rows.count) fetch(i + kAhead);
    const auto raw = static_cast<float>(dot_row_u4(rows.codes[i], rows.stride, query.codes));
    const RankParams& row = rows.params[rows.slots == nullptr ? i : rows.slots[i]];
    const float score = query.base + query.shift_scale * row.shift +
                        query.lo_scale * upper_half(row.lo_step) +
                        (query.raw_scale * raw) * upper_half(row.lo_step << 16);
    if (!(score < limit)) continue;
    which[kept] = static_cast<uint32_t>(i);
    scores[kept++] = score;
  }
  return kept;
}

unsigned allowed_bits(const uint64_t* allowed, size_t i) noexcept {
  return allowed == nullptr ? 0xFu : static_cast<unsigned>(allowed[i / 64] >> (i % 64)) & 0xFu;
}

/// Bit k set: row i + k is dropped. Comparisons with NaN are false: the row stays.
unsigned dropped_bits(const SelectRows& rows, const SelectQuery& q, size_t i) noexcept {
  const float32x4_t err = vld1q_f32(rows.err + i);
  const float32x4_t aux = vld1q_f32(rows.aux + i);
  const float32x4_t raw = vmulq_n_f32(vcvtq_f32_s32(vld1q_s32(rows.raw + i)), q.raw_scale);
  float32x4_t e = vfmaq_n_f32(vdupq_n_f32(q.base), aux, q.aux_scale);
  e = vfmaq_n_f32(e, vld1q_f32(rows.lo + i), q.lo_scale);
  e = vfmaq_f32(e, raw, vld1q_f32(rows.step + i));
  const float32x4_t root = vaddq_f32(vdupq_n_f32(q.root), err);
  float32x4_t limit = vfmaq_n_f32(vdupq_n_f32(q.limit), err, q.err_weight);
  limit = vfmaq_n_f32(limit, aux, q.aux_weight);
  const uint32x4_t far = vcgtq_f32(e, vmulq_f32(root, root));
  const uint32x4_t above = vcgtq_f32(vaddq_f32(e, vld1q_f32(rows.delta + i)), limit);
  const uint32x4_t bit = {1, 2, 4, 8};
  return vaddvq_u32(vandq_u32(vorrq_u32(far, above), bit));
}

size_t select_below(const SelectRows& rows, const SelectQuery& query, uint32_t* out) noexcept {
  size_t found = 0;
  size_t i = 0;
  for (; i + 4 <= rows.count; i += 4) {
    unsigned kept = allowed_bits(rows.allowed, i) & ~dropped_bits(rows, query, i);
    for (; kept != 0; kept &= kept - 1) {
      out[found++] = static_cast<uint32_t>(i) + static_cast<uint32_t>(__builtin_ctz(kept));
    }
  }
  if (i == rows.count) return found;
  // The last rows, fewer than 4: the reference, moved to where they begin.
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

/// The bits of 16 lanes, each all ones or zero.
uint64_t bits_of(uint8x16_t lanes) noexcept {
  const uint8x16_t bit = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
  const uint8x16_t set = vandq_u8(lanes, bit);
  return uint64_t{vaddv_u8(vget_low_u8(set))} | uint64_t{vaddv_u8(vget_high_u8(set))} << 8;
}

/// Lanes all ones or zero, made narrower.
uint8x16_t narrowed(uint16x8_t a, uint16x8_t b) noexcept {
  return vcombine_u8(vmovn_u16(a), vmovn_u16(b));
}
uint16x8_t narrowed(uint32x4_t a, uint32x4_t b) noexcept {
  return vcombine_u16(vmovn_u32(a), vmovn_u32(b));
}
uint32x4_t narrowed(uint64x2_t a, uint64x2_t b) noexcept {
  return vcombine_u32(vmovn_u64(a), vmovn_u64(b));
}

/// Which of 16, 8, 4 or 2 values lie in the interval.
uint8x16_t lanes_within(const int8_t* x, int8x16_t low, int8x16_t high) noexcept {
  const int8x16_t a = vld1q_s8(x);
  return vandq_u8(vcgeq_s8(a, low), vcleq_s8(a, high));
}
uint16x8_t lanes_within(const int16_t* x, int16x8_t low, int16x8_t high) noexcept {
  const int16x8_t a = vld1q_s16(x);
  return vandq_u16(vcgeq_s16(a, low), vcleq_s16(a, high));
}
uint32x4_t lanes_within(const int32_t* x, int32x4_t low, int32x4_t high) noexcept {
  const int32x4_t a = vld1q_s32(x);
  return vandq_u32(vcgeq_s32(a, low), vcleq_s32(a, high));
}
uint64x2_t lanes_within(const int64_t* x, int64x2_t low, int64x2_t high) noexcept {
  const int64x2_t a = vld1q_s64(x);
  return vandq_u64(vcgeq_s64(a, low), vcleq_s64(a, high));
}
uint64x2_t lanes_within(const double* x, float64x2_t low, float64x2_t high) noexcept {
  const float64x2_t a = vld1q_f64(x);
  return vandq_u64(vcgeq_f64(a, low), vcleq_f64(a, high));
}

/// The same of `kCount` values, in as many lanes.
template <size_t kCount, typename T, typename Lanes>
auto many_within(const T* x, Lanes low, Lanes high) noexcept {
  if constexpr (kCount * sizeof(T) == sizeof(Lanes)) {
    return lanes_within(x, low, high);
  } else {
    return narrowed(many_within<kCount / 2>(x, low, high),
                    many_within<kCount / 2>(x + kCount / 2, low, high));
  }
}

template <typename T, typename Lanes>
void within(const T* values, size_t n, Lanes low, Lanes high, uint64_t* words) noexcept {
  for (size_t i = 0; i < n; i += 64) {
    uint64_t word = 0;
    for (size_t k = 0; k < 64; k += 16) {
      word |= bits_of(many_within<16>(values + i + k, low, high)) << k;
    }
    words[i / 64] = word;
  }
}

void within_i8(const int8_t* values, size_t n, int8_t low, int8_t high, uint64_t* words) noexcept {
  within(values, n, vdupq_n_s8(low), vdupq_n_s8(high), words);
}

void within_i16(const int16_t* values, size_t n, int16_t low, int16_t high,
                uint64_t* words) noexcept {
  within(values, n, vdupq_n_s16(low), vdupq_n_s16(high), words);
}

void within_i32(const int32_t* values, size_t n, int32_t low, int32_t high,
                uint64_t* words) noexcept {
  within(values, n, vdupq_n_s32(low), vdupq_n_s32(high), words);
}

void within_i64(const int64_t* values, size_t n, int64_t low, int64_t high,
                uint64_t* words) noexcept {
  within(values, n, vdupq_n_s64(low), vdupq_n_s64(high), words);
}

void within_f64(const double* values, size_t n, double low, double high, uint64_t* words) noexcept {
  within(values, n, vdupq_n_f64(low), vdupq_n_f64(high), words);
}

/// There is no gather: bytes are loaded one by one, then put together 16 at a time.
void among_u32(const uint32_t* values, size_t n, const uint8_t* table, uint64_t* words) noexcept {
  for (size_t i = 0; i < n; i += 64) {
    uint64_t word = 0;
    for (size_t k = 0; k < 64; k += 16) {
      uint8_t found[16];
      for (size_t j = 0; j < 16; ++j) found[j] = table[values[i + k + j]];
      word |= bits_of(vceqq_u8(vld1q_u8(found), vdupq_n_u8(1))) << k;
    }
    words[i / 64] = word;
  }
}

}  // namespace

const Kernels kNeonKernels = {
    "neon",         l2sq_f32,       dot_f32,        l1_f32,     scan_dot_u4,   dot_u8_at,
    scan_sad_u8,    scan_hamming,   select_below,   rank_u4,    summarize_f32, encode_u8,
    round_to_units, round_to_bytes, within_i8,      within_i16, within_i32,    within_i64,
    within_f64,     among_u32,      scalar_keep_set};

}  // namespace loci::simd

#endif  // __aarch64__

// SPDX-License-Identifier: Apache-2.0
//
// The kernels that make codes, written once for all tiers but the scalar one in the compiler's
// vector types. To be included between LOCI_SIMD_BEGIN and LOCI_SIMD_END, so that each tier has its
// own copy, compiled for it, with LOCI_CODING_LANES defined: how many doubles fill a register.
// (Vectors of two registers GCC 12 takes apart into single components.)
#pragma once

#include <cstddef>
#include <cstdint>

#include "simd/kernels.h"

namespace loci::simd {
namespace {  // NOLINT(cert-dcl59-cpp): a copy in each file that includes this is what is wanted

constexpr size_t kCodingLanes = LOCI_CODING_LANES;
using Doubles = double __attribute__((vector_size(kCodingLanes * sizeof(double))));
using Floats = float __attribute__((vector_size(kCodingLanes * sizeof(float))));
using Integers = int32_t __attribute__((vector_size(kCodingLanes * sizeof(int32_t))));

inline double sum_of(const Doubles& v) noexcept {
  double sum = 0;
  for (size_t lane = 0; lane < kCodingLanes; ++lane) sum += v[lane];
  return sum;
}

/// x[j], x[j + 1], ... of the row to be coded.
inline void load_target(const CodingRow& row, size_t j, Doubles* x) noexcept {
  Floats value;
  Floats origin;
  __builtin_memcpy(&value, row.row + j, sizeof value);
  __builtin_memcpy(&origin, row.origin + j, sizeof origin);
  *x = __builtin_convertvector(value, Doubles) * row.scale -
       __builtin_convertvector(origin, Doubles);
}

void summarize_f32(const CodingRow& row, RowSummary* out) noexcept {
  Doubles least = {};
  Doubles greatest = {};
  Doubles norm2 = {};
  Doubles fraction = {};
  const size_t whole = row.dim / kCodingLanes * kCodingLanes;
  kScalarKernels.summarize_f32({row.row + whole, row.origin + whole, row.dim - whole, row.scale},
                               out);
  if (whole == 0) return;
  load_target(row, 0, &least);
  greatest = least;
  for (size_t j = 0; j < whole; j += kCodingLanes) {
    Doubles x;
    load_target(row, j, &x);
    least = x < least ? x : least;
    greatest = x > greatest ? x : greatest;
    norm2 += x * x;
    const Doubles off = x - ((x + 0x1.8p52) - 0x1.8p52);
    fraction += off < 0 ? -off : off;
  }
  out->norm2 += sum_of(norm2);
  out->fraction += sum_of(fraction);
  const bool tail = whole < row.dim;
  for (size_t lane = 0; lane < kCodingLanes; ++lane) {
    const bool first = lane == 0 && !tail;
    out->min = first || least[lane] < out->min ? least[lane] : out->min;
    out->max = first || greatest[lane] > out->max ? greatest[lane] : out->max;
  }
}

struct CodingSums {
  Doubles fine_lost2 = {};
  Doubles fine_coded2 = {};
  Doubles scan_lost2 = {};
  Doubles scan_coded2 = {};
};

/// Codes of x[j], x[j + 1], ..., and what they lose. Those from `dim` on (Part) are 0 and lose
/// nothing.
template <bool Part>
inline void code_lanes(const CodingRow& row, const CodeGrid& grid, size_t j, CodingSums* sums,
                       int32_t* codes) noexcept {
  Doubles x;
  load_target(row, j, &x);
  Doubles rounded = (x - grid.lo) * grid.inverse + 0.5;
  rounded = rounded > 0.0 ? rounded : Doubles{};
  rounded = rounded < 255.0 ? rounded : Doubles{} + 255.0;
  Integers code = __builtin_convertvector(rounded, Integers);
  Doubles fine = grid.lo + grid.step * __builtin_convertvector(code, Doubles);
  Doubles scan = grid.scan_lo + grid.scan_step * __builtin_convertvector(code >> 4, Doubles);
  if constexpr (Part) {
    Doubles number = {};
    for (size_t lane = 0; lane < kCodingLanes; ++lane) {
      number[lane] = static_cast<double>(j + lane);
    }
    const Doubles end = Doubles{} + static_cast<double>(row.dim);
    const Doubles none = {};
    x = number < end ? x : none;
    fine = number < end ? fine : none;
    scan = number < end ? scan : none;
    code = __builtin_convertvector(number < end ? __builtin_convertvector(code, Doubles) : none,
                                   Integers);
  }
  sums->fine_lost2 += (x - fine) * (x - fine);
  sums->fine_coded2 += fine * fine;
  sums->scan_lost2 += (x - scan) * (x - scan);
  sums->scan_coded2 += scan * scan;
  __builtin_memcpy(codes + j % 128, &code, sizeof code);
}

/// One line: 128 components of `row` from `first` on, into 64 bytes of each plane.
template <bool Part>
inline void code_line(const CodingRow& row, const CodeGrid& grid, size_t first, uint8_t* high,
                      uint8_t* low, CodingSums* sums) noexcept {
  int32_t codes[128];
  for (size_t j = 0; j < 128; j += kCodingLanes) {
    code_lanes<Part>(row, grid, first + j, sums, codes);
  }
  for (size_t b = 0; b < 64; ++b) {
    high[b] = static_cast<uint8_t>((codes[b] >> 4) | (codes[b + 64] & 0xF0));
    low[b] = static_cast<uint8_t>((codes[b] & 15) | (codes[b + 64] << 4));
  }
}

void encode_u8(const CodingRow& row, const CodeGrid& grid, uint8_t* high, uint8_t* low,
               CodeLoss* loss) noexcept {
  CodingSums sums;
  size_t j = 0;
  for (; j + 128 <= row.dim; j += 128) {
    code_line<false>(row, grid, j, high + j / 2, low + j / 2, &sums);
  }
  if (j < row.dim) {  // a line that is filled in part, in copies that may be read to its end
    float values[128] = {};
    float origin[128] = {};
    const size_t left = row.dim - j;
    __builtin_memcpy(values, row.row + j, left * sizeof(float));
    __builtin_memcpy(origin, row.origin + j, left * sizeof(float));
    code_line<true>({values, origin, left, row.scale}, grid, 0, high + j / 2, low + j / 2, &sums);
  }
  *loss = {sum_of(sums.fine_lost2), sum_of(sums.fine_coded2), sum_of(sums.scan_lost2),
           sum_of(sums.scan_coded2)};
}

void round_to_units(const double* x, size_t dim, double unit, int16_t* out,
                    RoundingSums* result) noexcept {
  Doubles sum = {};
  Doubles square = {};
  Doubles lost2 = {};
  const double inverse = 1 / unit;
  size_t j = 0;
  for (; j + 16 <= dim; j += 16) {
    int32_t integers[16];
    for (size_t k = 0; k < 16; k += kCodingLanes) {
      Doubles value;
      __builtin_memcpy(&value, x + j + k, sizeof value);
      const Doubles half = value < 0.0 ? Doubles{} - 0.5 : Doubles{} + 0.5;
      const Integers integer = __builtin_convertvector(value * inverse + half, Integers);
      const Doubles n = __builtin_convertvector(integer, Doubles);
      __builtin_memcpy(integers + k, &integer, sizeof integer);
      sum += n;
      square += n * n;
      lost2 += (value - unit * n) * (value - unit * n);
    }
    for (size_t k = 0; k < 16; ++k) out[j + k] = static_cast<int16_t>(integers[k]);
  }
  kScalarKernels.round_to_units(x + j, dim - j, unit, out + j, result);
  result->sum += sum_of(sum);
  result->square += sum_of(square);
  result->lost2 += sum_of(lost2);
}

/// A register of floats.
constexpr size_t kWideLanes = size_t{2} * LOCI_CODING_LANES;
using WideFloats = float __attribute__((vector_size(kWideLanes * sizeof(float))));
using WideIntegers = int32_t __attribute__((vector_size(kWideLanes * sizeof(int32_t))));
using WideBytes = int8_t __attribute__((vector_size(kWideLanes)));

inline float sum_of_wide(const WideFloats& v) noexcept {
  float sum = 0;
  for (size_t lane = 0; lane < kWideLanes; ++lane) sum += v[lane];
  return sum;
}

/// x[j], x[j + 1], ... in float; those from the dimension on (Part) are 0, and so is `with`.
template <bool Part>
inline void load_wide(const CodingRow& row, const float* with, size_t j, WideFloats* x,
                      WideFloats* other) noexcept {
  WideFloats value = {};
  WideFloats origin = {};
  *other = WideFloats{};
  const size_t bytes = (Part ? row.dim - j : kWideLanes) * sizeof(float);
  __builtin_memcpy(&value, row.row + j, bytes);
  __builtin_memcpy(&origin, row.origin + j, bytes);
  __builtin_memcpy(other, with + j, bytes);
  *x = value * static_cast<float>(row.scale) - origin;
}

struct ByteSums {
  WideFloats largest = {};
  WideFloats norm2 = {};
  WideFloats dot = {};
  WideFloats sum = {};
  WideFloats lost2 = {};
};

template <bool Part>
inline void measure_wide(const CodingRow& row, const float* with, size_t j,
                         ByteSums* sums) noexcept {
  WideFloats x;
  WideFloats other;
  load_wide<Part>(row, with, j, &x, &other);
  const WideFloats size = x < 0.0F ? -x : x;
  sums->largest = size > sums->largest ? size : sums->largest;
  sums->norm2 += x * x;
  sums->dot += x * other;
}

template <bool Part>
inline void round_wide(const CodingRow& row, const float* with, size_t j, float unit, int8_t* out,
                       ByteSums* sums) noexcept {
  WideFloats x;
  WideFloats other;
  load_wide<Part>(row, with, j, &x, &other);
  const WideFloats half = x < 0.0F ? WideFloats{} - 0.5F : WideFloats{} + 0.5F;
  WideIntegers integer = __builtin_convertvector(x * (1 / unit) + half, WideIntegers);
  integer = integer > 127 ? WideIntegers{} + 127 : integer;  // by a rounding of 1 / unit
  integer = integer < -127 ? WideIntegers{} - 127 : integer;
  const WideFloats n = __builtin_convertvector(integer, WideFloats);
  sums->sum += n;
  sums->lost2 += (x - unit * n) * (x - unit * n);
  const WideBytes bytes = __builtin_convertvector(integer, WideBytes);
  __builtin_memcpy(out + j, &bytes, Part ? row.dim - j : kWideLanes);
}

void round_to_bytes(const CodingRow& row, const float* with, int8_t* out,
                    ByteRounding* result) noexcept {
  ByteSums sums;
  const size_t whole = row.dim / kWideLanes * kWideLanes;
  for (size_t j = 0; j < whole; j += kWideLanes) measure_wide<false>(row, with, j, &sums);
  if (whole < row.dim) measure_wide<true>(row, with, whole, &sums);
  *result = {};
  result->norm2 = sum_of_wide(sums.norm2);
  result->dot = sum_of_wide(sums.dot);
  if (!(result->norm2 < 1e38F)) return;
  float largest = 0;
  for (size_t lane = 0; lane < kWideLanes; ++lane) {
    largest = sums.largest[lane] > largest ? sums.largest[lane] : largest;
  }
  const float least = 1.17549435e-36F;  // a hundred times FLT_MIN: 1 / unit is finite
  const float unit = largest / 127 > least ? largest / 127 : least;
  for (size_t j = 0; j < whole; j += kWideLanes) round_wide<false>(row, with, j, unit, out, &sums);
  if (whole < row.dim) round_wide<true>(row, with, whole, unit, out, &sums);
  result->unit = unit;
  result->sum = sum_of_wide(sums.sum);
  result->lost2 = sum_of_wide(sums.lost2);
}

}  // namespace
}  // namespace loci::simd

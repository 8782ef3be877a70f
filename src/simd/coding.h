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

/// x[j .. j + 16) in whole units, and what that loses.
struct Rounded {
  Doubles sum = {};
  Doubles square = {};
  Doubles lost2 = {};
};

inline void round_lanes(const Doubles& value, double unit, double inverse, int32_t* out,
                        Rounded* sums) noexcept {
  const Doubles half = value < 0.0 ? Doubles{} - 0.5 : Doubles{} + 0.5;
  const Integers integer = __builtin_convertvector(value * inverse + half, Integers);
  const Doubles n = __builtin_convertvector(integer, Doubles);
  __builtin_memcpy(out, &integer, sizeof integer);
  sums->sum += n;
  sums->square += n * n;
  sums->lost2 += (value - unit * n) * (value - unit * n);
}

inline void add_rounded(const Rounded& sums, RoundingSums* result) noexcept {
  result->sum += sum_of(sums.sum);
  result->square += sum_of(sums.square);
  result->lost2 += sum_of(sums.lost2);
}

void round_to_units(const double* x, size_t dim, double unit, int16_t* out,
                    RoundingSums* result) noexcept {
  Rounded sums;
  const double inverse = 1 / unit;
  size_t j = 0;
  for (; j + 16 <= dim; j += 16) {
    int32_t integers[16];
    for (size_t k = 0; k < 16; k += kCodingLanes) {
      Doubles value;
      __builtin_memcpy(&value, x + j + k, sizeof value);
      round_lanes(value, unit, inverse, integers + k, &sums);
    }
    for (size_t k = 0; k < 16; ++k) out[j + k] = static_cast<int16_t>(integers[k]);
  }
  kScalarKernels.round_to_units(x + j, dim - j, unit, out + j, result);
  add_rounded(sums, result);
}

void round_row(const CodingRow& row, double unit, int16_t* out, RoundingSums* result) noexcept {
  Rounded sums;
  const double inverse = 1 / unit;
  size_t j = 0;
  for (; j + 16 <= row.dim; j += 16) {
    int32_t integers[16];
    for (size_t k = 0; k < 16; k += kCodingLanes) {
      Doubles value;
      load_target(row, j + k, &value);
      round_lanes(value, unit, inverse, integers + k, &sums);
    }
    for (size_t k = 0; k < 16; ++k) out[j + k] = static_cast<int16_t>(integers[k]);
  }
  kScalarKernels.round_row({row.row + j, row.origin + j, row.dim - j, row.scale}, unit, out + j,
                           result);
  add_rounded(sums, result);
}

}  // namespace
}  // namespace loci::simd

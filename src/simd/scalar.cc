// SPDX-License-Identifier: Apache-2.0
//
// The reference: what every other tier is compared with, written to be obviously right. Sums run
// in double (floats) or int64 (codes), one term after the other. Tested by kernels_test.cc.
#include <cstddef>
#include <cstdint>

#include "simd/kernels.h"

namespace loci::simd {
namespace {

double l2sq_f32(const float* a, const float* b, size_t dim) noexcept {
  double sum = 0;
  for (size_t j = 0; j < dim; ++j) {
    const double difference = static_cast<double>(a[j]) - static_cast<double>(b[j]);
    sum += difference * difference;
  }
  return sum;
}

double dot_f32(const float* a, const float* b, size_t dim) noexcept {
  double sum = 0;
  for (size_t j = 0; j < dim; ++j) sum += static_cast<double>(a[j]) * static_cast<double>(b[j]);
  return sum;
}

double l1_f32(const float* a, const float* b, size_t dim) noexcept {
  double sum = 0;
  for (size_t j = 0; j < dim; ++j) {
    const double difference = static_cast<double>(a[j]) - static_cast<double>(b[j]);
    sum += difference < 0 ? -difference : difference;
  }
  return sum;
}

/// Component j of a row of one plane (see CodePlanes).
int32_t half_byte(const uint8_t* row, size_t j) noexcept {
  const uint8_t byte = row[j / 128 * 64 + j % 64];
  return j % 128 < 64 ? byte & 15 : byte >> 4;
}

void scan_dot_u4(const uint8_t* plane, size_t stride, size_t n, const int8_t* query,
                 int32_t* out) noexcept {
  for (size_t i = 0; i < n; ++i) {
    const uint8_t* const row = plane + i * stride;
    int32_t sum = 0;  // at most 8192 * 15 * 127
    for (size_t j = 0; j < 2 * stride; ++j) sum += half_byte(row, j) * query[j];
    out[i] = sum;
  }
}

void dot_u8_at(const CodePlanes& codes, const uint32_t* positions, size_t n,
               const QueryPlanes& query, int32_t* out) noexcept {
  for (size_t i = 0; i < n; ++i) {
    const size_t at = positions[i] * codes.stride;
    int64_t sum = 0;
    for (size_t j = 0; j < 2 * codes.stride; ++j) {
      const int32_t code = 16 * half_byte(codes.high + at, j) + half_byte(codes.low + at, j);
      sum += int64_t{code} * query.wide[j];
    }
    out[i] = static_cast<int32_t>(sum);
  }
}

void scan_sad_u8(const uint8_t* codes, size_t stride, size_t n, const uint8_t* query,
                 int32_t* out) noexcept {
  for (size_t i = 0; i < n; ++i) {
    const uint8_t* const row = codes + i * stride;
    int64_t sum = 0;
    for (size_t j = 0; j < stride; ++j)
      sum += row[j] < query[j] ? query[j] - row[j] : row[j] - query[j];
    out[i] = static_cast<int32_t>(sum);
  }
}

void scan_hamming(const uint8_t* codes, size_t stride, size_t n, const uint8_t* query,
                  int32_t* out) noexcept {
  for (size_t i = 0; i < n; ++i) {
    const uint8_t* const row = codes + i * stride;
    int32_t sum = 0;
    for (size_t j = 0; j < stride; ++j) {
      for (unsigned bits = row[j] ^ query[j]; bits != 0; bits &= bits - 1) ++sum;
    }
    out[i] = sum;
  }
}

bool is_allowed(const uint64_t* allowed, size_t i) noexcept {
  return allowed == nullptr || ((allowed[i / 64] >> (i % 64)) & 1) != 0;
}

size_t select_below(const SelectRows& rows, const SelectQuery& query, uint32_t* out) noexcept {
  size_t found = 0;
  for (size_t i = 0; i < rows.count; ++i) {
    const float e = query.base + query.aux_scale * rows.aux[i] + query.lo_scale * rows.lo[i] +
                    (query.raw_scale * static_cast<float>(rows.raw[i])) * rows.step[i];
    const float root = query.root + rows.err[i];
    const float limit =
        query.limit + query.err_weight * rows.err[i] + query.aux_weight * rows.aux[i];
    // Written so that a NaN on either side lets the row through.
    const bool dropped = e > root * root || e + rows.delta[i] > limit;
    if (!dropped && is_allowed(rows.allowed, i)) out[found++] = static_cast<uint32_t>(i);
  }
  return found;
}

/// A float from its upper half.
float upper_half(uint32_t bits) noexcept {
  const uint32_t whole = bits & 0xFFFF0000U;
  float value = 0;
  __builtin_memcpy(&value, &whole, sizeof value);
  return value;
}

size_t rank_u4(const RankRows& rows, const RankQuery& query, float limit, uint32_t* which,
               float* scores) noexcept {
  size_t kept = 0;
  for (size_t i = 0; i < rows.count; ++i) {
    int32_t raw = 0;
    for (size_t j = 0; j < 2 * rows.stride; ++j)
      raw += half_byte(rows.codes[i], j) * query.codes[j];
    const RankParams& row = rows.params[rows.slots == nullptr ? i : rows.slots[i]];
    const float score = query.base + query.shift_scale * row.shift +
                        query.lo_scale * upper_half(row.lo_step) +
                        (query.raw_scale * static_cast<float>(raw)) * upper_half(row.lo_step << 16);
    if (!(score < limit)) continue;
    which[kept] = static_cast<uint32_t>(i);
    scores[kept++] = score;
  }
  return kept;
}

double target(const CodingRow& row, size_t j) noexcept {
  return static_cast<double>(row.row[j]) * row.scale - static_cast<double>(row.origin[j]);
}

void summarize_f32(const CodingRow& row, RowSummary* out) noexcept {
  RowSummary found;  // kept out of memory while it grows
  for (size_t j = 0; j < row.dim; ++j) {
    const double x = target(row, j);
    if (j == 0 || x < found.min) found.min = x;
    if (j == 0 || x > found.max) found.max = x;
    found.norm2 += x * x;
    // Adding and taking away 1.5 * 2^52 rounds what is below 2^51 to a whole number.
    const double off = x - ((x + 0x1.8p52) - 0x1.8p52);
    found.fraction += __builtin_fabs(off);  // a branch would be foreseen half the time
  }
  *out = found;
}

void encode_u8(const CodingRow& row, const CodeGrid& grid, uint8_t* high, uint8_t* low,
               CodeLoss* loss) noexcept {
  CodeLoss sums;
  for (size_t line = 0; line < row.dim; line += 128) {
    int codes[128] = {};
    for (size_t j = 0; j < 128 && line + j < row.dim; ++j) {
      const double x = target(row, line + j);
      double rounded = (x - grid.lo) * grid.inverse + 0.5;
      rounded = rounded > 0 ? rounded : 0;
      rounded = rounded < 255 ? rounded : 255;
      codes[j] = static_cast<int>(rounded);
      const double fine = grid.lo + grid.step * codes[j];
      const double scan = grid.scan_lo + grid.scan_step * (codes[j] >> 4);
      sums.fine_lost2 += (x - fine) * (x - fine);
      sums.fine_coded2 += fine * fine;
      sums.scan_lost2 += (x - scan) * (x - scan);
      sums.scan_coded2 += scan * scan;
    }
    for (size_t b = 0; b < 64; ++b) {
      high[line / 2 + b] = static_cast<uint8_t>((codes[b] >> 4) | (codes[b + 64] & 0xF0));
      low[line / 2 + b] = static_cast<uint8_t>((codes[b] & 15) | (codes[b + 64] << 4));
    }
  }
  *loss = sums;
}

void round_to_units(const double* x, size_t dim, double unit, int16_t* out,
                    RoundingSums* result) noexcept {
  *result = {};
  const double inverse = 1 / unit;
  for (size_t j = 0; j < dim; ++j) {
    const int integer = static_cast<int>(x[j] * inverse + (x[j] < 0 ? -0.5 : 0.5));
    const double n = integer;
    out[j] = static_cast<int16_t>(integer);
    result->sum += n;
    result->square += n * n;
    result->lost2 += (x[j] - unit * n) * (x[j] - unit * n);
  }
}

void round_to_bytes(const CodingRow& row, const float* with, int8_t* out,
                    ByteRounding* result) noexcept {
  double largest = 0;
  double norm2 = 0;
  double dot = 0;
  for (size_t j = 0; j < row.dim; ++j) {
    const double x = target(row, j);
    const double size = __builtin_fabs(x);
    largest = size > largest ? size : largest;
    norm2 += x * x;
    dot += x * static_cast<double>(with[j]);
  }
  *result = {};
  result->norm2 = static_cast<float>(norm2);
  result->dot = static_cast<float>(dot);
  if (!(norm2 < 1e38)) return;
  const double least = 1.17549435e-36;  // a hundred times FLT_MIN
  const double unit = largest / 127 > least ? largest / 127 : least;
  double sum = 0;
  double lost2 = 0;
  for (size_t j = 0; j < row.dim; ++j) {
    const double x = target(row, j);
    const int n = static_cast<int>(x / unit + (x < 0 ? -0.5 : 0.5));
    out[j] = static_cast<int8_t>(n);
    sum += n;
    lost2 += (x - unit * n) * (x - unit * n);
  }
  result->unit = static_cast<float>(unit);
  result->sum = static_cast<float>(sum);
  result->lost2 = static_cast<float>(lost2);
}

/// Words of 64 bits, a bit for each value that meets the test.
template <typename T, typename Test>
void mask_of(const T* values, size_t n, const Test& test, uint64_t* words) noexcept {
  for (size_t i = 0; i < n; i += 64) {
    uint64_t word = 0;
    for (size_t k = 0; k < 64; ++k) word |= uint64_t{test(values[i + k])} << k;
    words[i / 64] = word;
  }
}

template <typename T>
void within(const T* values, size_t n, T low, T high, uint64_t* words) noexcept {
  mask_of(values, n, [=](T x) { return low <= x && x <= high; }, words);
}

void among_u32(const uint32_t* values, size_t n, const uint8_t* table, uint64_t* words) noexcept {
  mask_of(values, n, [=](uint32_t x) { return table[x] == 1; }, words);
}

}  // namespace

// Without a branch on a bit, which cannot be foreseen.
size_t scalar_keep_set(const uint32_t* numbers, size_t n, const uint64_t* words,
                       uint32_t* out) noexcept {
  size_t kept = 0;
  for (size_t i = 0; i < n && numbers[i] != kNoNumber; ++i) {
    const uint32_t x = numbers[i];
    out[kept] = x;
    kept += (words[x / 64] >> (x % 64)) & 1U;
  }
  return kept;
}

const Kernels kScalarKernels = {
    "scalar",       l2sq_f32,       dot_f32,        l1_f32,  scan_dot_u4,   dot_u8_at,
    scan_sad_u8,    scan_hamming,   select_below,   rank_u4, summarize_f32, encode_u8,
    round_to_units, round_to_bytes, within,         within,  within,        within,
    within,         among_u32,      scalar_keep_set};

}  // namespace loci::simd

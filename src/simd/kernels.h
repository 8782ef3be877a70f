// SPDX-License-Identifier: Apache-2.0
//
// The table of kernels and what each promises. Included by kernel files, which are compiled for
// instruction sets that the machine may lack: so no std container, no inline function, no project
// header may come in through here (the linker could keep such a copy for everybody).
#pragma once

#include <cstddef>
#include <cstdint>

#define LOCI_SIMD_PRAGMA_(x) _Pragma(#x)
#if defined(__clang__)
/// Functions up to LOCI_SIMD_END are compiled for the named features: LOCI_SIMD_BEGIN("avx2,fma").
#define LOCI_SIMD_BEGIN(features) \
  LOCI_SIMD_PRAGMA_(clang attribute push(__attribute__((target(features))), apply_to = function))
#define LOCI_SIMD_END LOCI_SIMD_PRAGMA_(clang attribute pop)
#else
#define LOCI_SIMD_BEGIN(features)     \
  LOCI_SIMD_PRAGMA_(GCC push_options) \
  LOCI_SIMD_PRAGMA_(GCC target(features))
#define LOCI_SIMD_END LOCI_SIMD_PRAGMA_(GCC pop_options)
#endif

namespace loci::simd {

/// Rows of codes are padded with zero bytes to a multiple of this.
inline constexpr size_t kRowAlignment = 64;

/// What ends a list of numbers before its room does.
inline constexpr uint32_t kNoNumber = 0xFFFFFFFF;

/// What among_u32 may read past a table.
inline constexpr size_t kTablePadding = 3;

/// Rows of codes of 8 bits a component, c = 16 * high + low, as two planes of 4 bits. A plane has
/// `stride` bytes a row, a multiple of 64, for 2 * stride components: within each 64 bytes, byte b
/// holds component b of their 128 in its low half and component b + 64 in its high half. What is
/// past the dimension is zero.
struct CodePlanes {
  const uint8_t* high = nullptr;
  const uint8_t* low = nullptr;
  size_t stride = 0;
};

/// A query of signed 16-bit integers q[j] = 256 * hi[j] + lo[j], in the three forms that the tiers
/// want. Each plane is 64-byte aligned and padded with zeros to 2 * stride of the codes. The maker
/// keeps sum |q[j]| * 255 < 2^31, so that no dot product overflows.
struct QueryPlanes {
  const int8_t* hi = nullptr;
  const int8_t* lo = nullptr;
  const int16_t* wide = nullptr;
};

/// A run of rows for select_below: what was scanned, and the rows' parameters as parallel arrays.
struct SelectRows {
  const int32_t* raw = nullptr;  ///< result of a scan
  const float* lo = nullptr;
  const float* step = nullptr;
  const float* err = nullptr;
  const float* aux = nullptr;
  const float* delta = nullptr;
  const uint64_t* allowed = nullptr;  ///< bit i % 64 of word i / 64 lets row i through; null: all
  size_t count = 0;
};

/// The query's side of select_below. What the numbers mean: quant/u8_query.h.
struct SelectQuery {
  float base = 0;  ///< e = base + aux_scale * aux + lo_scale * lo + (raw_scale * raw) * step
  float aux_scale = 0;
  float lo_scale = 0;
  float raw_scale = 0;
  float root = 0;   ///< a row is dropped when e > (root + err)^2 ...
  float limit = 0;  ///< ... or e + delta > limit + err_weight * err + aux_weight * aux
  float err_weight = 0;
  float aux_weight = 0;
};

/// What ranking needs of a row beside its 4-bit code h: component j is about lo + step * h[j].
struct RankParams {
  float shift = 0;       ///< infinite or NaN: the row is never ranked
  uint32_t lo_step = 0;  ///< two floats without their lower halves: lo in the upper bits, then step
};

/// Rows anywhere, to be ranked.
struct RankRows {
  const uint8_t* const* codes = nullptr;  ///< of each row: a plane's row, see CodePlanes
  const RankParams* params = nullptr;     ///< by slot
  const uint32_t* slots = nullptr;        ///< of each row; null: 0, 1, 2, ...
  size_t stride = 0;
  size_t count = 0;
};

/// score = base + shift_scale * shift + lo_scale * lo + (raw_scale * raw) * step,
/// raw = sum over j of h[j] * codes[j].
struct RankQuery {
  const int8_t* codes = nullptr;  ///< 2 * stride, padded with zeros, -127..127; 64-byte aligned
  float base = 0;
  float shift_scale = 0;
  float lo_scale = 0;
  float raw_scale = 0;
};

/// A row to be coded: x[j] = scale * row[j] - origin[j].
struct CodingRow {
  const float* row = nullptr;
  const float* origin = nullptr;
  size_t dim = 0;
  double scale = 1;
};

/// Of x: extremes (0 when dim is 0), sum of squares, and how far it is from whole numbers in all
/// (0 exactly when all components are whole and below 2^51 in size).
struct RowSummary {
  double min = 0;
  double max = 0;
  double norm2 = 0;
  double fraction = 0;
};

/// 8-bit codes stand for lo + step * c, their upper halves for scan_lo + scan_step * h.
struct CodeGrid {
  double lo = 0;
  double step = 1;
  double inverse = 1;  ///< 1 / step
  double scan_lo = 0;
  double scan_step = 1;
};

/// Sums of squares: of what codes lose, and of what they stand for.
struct CodeLoss {
  double fine_lost2 = 0;
  double fine_coded2 = 0;
  double scan_lost2 = 0;
  double scan_coded2 = 0;
};

/// Of n, the integers that a vector x was rounded to: sum n, sum n^2, sum (x - unit * n)^2.
struct RoundingSums {
  double sum = 0;
  double square = 0;
  double lost2 = 0;
};

/// Of n, the bytes that x was rounded to, in units. In float: off by 1e-5 of the terms' magnitude.
struct ByteRounding {
  float unit = 1;
  float sum = 0;    ///< of n
  float norm2 = 0;  ///< sum x^2
  float lost2 = 0;  ///< sum (x - unit * n)^2
  float dot = 0;    ///< sum x * with
};

/// Kernels of one tier. All are pure, noexcept and take unaligned float pointers; code rows start
/// at multiples of kRowAlignment bytes. `n` and `dim` may be 0.
struct Kernels {
  const char* tier;

  /// sum (a - b)^2, sum a * b, sum |a - b|, accumulated in double: the tiers agree within
  /// 1e-13 of the sum of absolute terms. NaN and infinity come out as IEEE arithmetic gives them.
  double (*l2sq_f32)(const float* a, const float* b, size_t dim) noexcept;
  double (*dot_f32)(const float* a, const float* b, size_t dim) noexcept;
  double (*l1_f32)(const float* a, const float* b, size_t dim) noexcept;

  /// out[i] = sum over j of h[i][j] * query[j], exact, h being one plane of 4-bit codes (see
  /// CodePlanes); `query` has 2 * stride components, padded with zeros, -127..127.
  void (*scan_dot_u4)(const uint8_t* plane, size_t stride, size_t n, const int8_t* query,
                      int32_t* out) noexcept;
  /// out[i] = sum over j of c[j] * q[j], exact, c being the 8-bit codes of row positions[i].
  void (*dot_u8_at)(const CodePlanes& codes, const uint32_t* positions, size_t n,
                    const QueryPlanes& query, int32_t* out) noexcept;
  /// out[i] = sum over j of |codes[i * stride + j] - query[j]|, exact; `query` is padded as a row.
  void (*scan_sad_u8)(const uint8_t* codes, size_t stride, size_t n, const uint8_t* query,
                      int32_t* out) noexcept;
  /// out[i] = bits that differ between row i and `query`, exact.
  void (*scan_hamming)(const uint8_t* codes, size_t stride, size_t n, const uint8_t* query,
                       int32_t* out) noexcept;

  /// Writes the positions (ascending, 0..count-1) of the rows that are allowed and not dropped by
  /// either test of SelectQuery; returns how many. A NaN in a test never drops a row. `out` has
  /// room for count + 16: tiers may write past what they return. Rounding may differ by tier.
  size_t (*select_below)(const SelectRows& rows, const SelectQuery& query, uint32_t* out) noexcept;

  /// Scores the rows and keeps those with score < limit (a NaN is not), in their order: which of
  /// the rows they are, and their scores. Both have room for rows.count + 16, of which tiers may
  /// write all. Returns how many were kept. Rounding may differ by tier.
  size_t (*rank_u4)(const RankRows& rows, const RankQuery& query, float limit, uint32_t* which,
                    float* scores) noexcept;

  /// Sums in double, off by less than 1e-12 of the sum of magnitudes. A NaN may be missing in the
  /// extremes, not in norm2.
  void (*summarize_f32)(const CodingRow& row, RowSummary* out) noexcept;
  /// Codes a finite row: c = (x - lo) * inverse rounded to nearest, within 0..255, into both planes
  /// (see CodePlanes), whose bytes are all written. A tie may go either way by tier; the loss is
  /// that of the codes written, off by less than 1e-12 of itself.
  void (*encode_u8)(const CodingRow& row, const CodeGrid& grid, uint8_t* high, uint8_t* low,
                    CodeLoss* loss) noexcept;
  /// out[j] = x[j] / unit rounded to nearest; the maker keeps |x[j]| / unit <= 32,639.
  void (*round_to_units)(const double* x, size_t dim, double unit, int16_t* out,
                         RoundingSums* result) noexcept;
  /// n[j] = x[j] / unit rounded to nearest, x[j] = scale * row[j] - origin[j], in float, with the
  /// least unit for which n fits -127..127 (100 FLT_MIN at least). `with` has row.dim components. A
  /// row that is not finite, or whose square overflows, gives any n, and a norm2 that is not
  /// finite.
  void (*round_to_bytes)(const CodingRow& row, const float* with, int8_t* out,
                         ByteRounding* result) noexcept;

  /// Bit i % 64 of words[i / 64]: low <= values[i] <= high, never for a NaN; n is a multiple of 64.
  /// Nothing is met when low > high.
  void (*within_i8)(const int8_t* values, size_t n, int8_t low, int8_t high,
                    uint64_t* words) noexcept;
  void (*within_i16)(const int16_t* values, size_t n, int16_t low, int16_t high,
                     uint64_t* words) noexcept;
  void (*within_i32)(const int32_t* values, size_t n, int32_t low, int32_t high,
                     uint64_t* words) noexcept;
  void (*within_i64)(const int64_t* values, size_t n, int64_t low, int64_t high,
                     uint64_t* words) noexcept;
  void (*within_f64)(const double* values, size_t n, double low, double high,
                     uint64_t* words) noexcept;
  /// The same: table[values[i]], of bytes 0 and 1, is 1. Values are below 2^31; up to kTablePadding
  /// bytes are read past the greatest one's.
  void (*among_u32)(const uint32_t* values, size_t n, const uint8_t* table,
                    uint64_t* words) noexcept;
  /// Keeps of n numbers those x with bit x % 64 of words[x / 64] set, in their order: how many?
  /// What follows a kNoNumber is kNoNumber too, and not kept. `out` has room for n + 16.
  size_t (*keep_set)(const uint32_t* numbers, size_t n, const uint64_t* words,
                     uint32_t* out) noexcept;
};

// One per file; those of other processors are not defined. dispatch.cc chooses.
extern const Kernels kScalarKernels;
extern const Kernels kAvx2Kernels;
extern const Kernels kAvx512Kernels;
extern const Kernels kNeonKernels;
void avx512vnni_scan_dot_u4(const uint8_t* plane, size_t stride, size_t n, const int8_t* query,
                            int32_t* out) noexcept;
size_t avx512vnni_rank_u4(const RankRows& rows, const RankQuery& query, float limit,
                          uint32_t* which, float* scores) noexcept;
void avx512vnni_dot_u8_at(const CodePlanes& codes, const uint32_t* positions, size_t n,
                          const QueryPlanes& query, int32_t* out) noexcept;
/// Of the tiers that have nothing better.
size_t scalar_keep_set(const uint32_t* numbers, size_t n, const uint64_t* words,
                       uint32_t* out) noexcept;
void avx512vpopcnt_scan_hamming(const uint8_t* codes, size_t stride, size_t n, const uint8_t* query,
                                int32_t* out) noexcept;

}  // namespace loci::simd

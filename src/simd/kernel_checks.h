// SPDX-License-Identifier: Apache-2.0
//
// For tests only: compares the kernels of one tier with the scalar reference. Free of GoogleTest,
// so that neon_selftest_main.cc can run the same checks under an emulator.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "simd/kernels.h"

namespace loci::simd {

/// How many comparisons were made, and the first that failed ("" when none did).
struct CheckReport {
  size_t checks = 0;
  std::string failure;
};

/// Runs the checks of one kernel table. The seed is part of every failure message.
class KernelChecks {
 public:
  static constexpr uint32_t kSeed = 20261120;
  /// Of the sum of absolute terms: 8192 double additions in another order are off by less.
  static constexpr double kTolerance = 1e-13;

  explicit KernelChecks(const Kernels& kernels) : kernels_(kernels), random_(kSeed) {}

  CheckReport floats() {
    for (const size_t dim : dims()) {
      for (int kind = 0; kind < kFloatKinds; ++kind) check_floats(dim, kind);
    }
    return report_;
  }

  CheckReport special_floats() {
    const float inf = std::numeric_limits<float>::infinity();
    const float nan = std::numeric_limits<float>::quiet_NaN();
    for (const size_t dim : {1, 3, 7, 16, 17, 33, 100}) {
      for (const float special : {inf, -inf, nan}) {
        for (size_t at = 0; at < dim; ++at) check_special(dim, at, special);
      }
    }
    return report_;
  }

  CheckReport dot_scans() {
    for (const size_t dim : dims()) {
      for (const size_t rows : {size_t{0}, size_t{1}, size_t{3}, size_t{4}, size_t{9}}) {
        for (const bool extreme : {false, true}) {
          check_coarse_scan(dim, rows, extreme);
          check_fine_dots(dim, rows, extreme);
        }
      }
    }
    return report_;
  }

  CheckReport codings() {
    for (const size_t dim : dims()) {
      for (int kind = 0; kind < kFloatKinds; ++kind) {
        if (dim == 0 || kind == 3) continue;  // the caller codes finite rows of bounded norm only
        check_coding(dim, kind);
        check_rounding(dim, kind);
        check_byte_rounding(dim, kind);
      }
    }
    return report_;
  }

  CheckReport byte_scans() {
    for (const size_t dim : dims()) {
      for (const size_t rows : {size_t{0}, size_t{1}, size_t{5}}) {
        for (const bool extreme : {false, true}) check_byte_scan(dim, rows, extreme);
      }
    }
    return report_;
  }

  CheckReport selections() {
    for (size_t count = 0; count <= 200; ++count) {
      for (int kind = 0; kind < 6; ++kind) check_selection(count, kind);
    }
    return report_;
  }

  CheckReport masks() {
    for (size_t words = 0; words <= 17; ++words) {
      for (int round = 0; round < 12; ++round) {
        check_within(words, picked_integers<int8_t>(), kernels_.within_i8, kScalarKernels.within_i8,
                     "within_i8");
        check_within(words, picked_integers<int16_t>(), kernels_.within_i16,
                     kScalarKernels.within_i16, "within_i16");
        check_within(words, picked_integers<int32_t>(), kernels_.within_i32,
                     kScalarKernels.within_i32, "within_i32");
        check_within(words, picked_integers<int64_t>(), kernels_.within_i64,
                     kScalarKernels.within_i64, "within_i64");
        check_within(words, picked_reals(), kernels_.within_f64, kScalarKernels.within_f64,
                     "within_f64");
        check_among(words);
        check_keeping(words, round);
      }
    }
    return report_;
  }

  CheckReport rankings() {
    for (const size_t dim : {1, 64, 127, 128, 129, 300, 384, 784, 8192}) {
      for (size_t count = 0; count <= 40; ++count) {
        for (const bool by_slot : {false, true}) check_ranking(dim, count, by_slot);
      }
    }
    return report_;
  }

 private:
  static constexpr int kFloatKinds = 5;

  /// 64-byte aligned bytes in a vector.
  struct Aligned {
    explicit Aligned(size_t bytes) : storage(bytes + 64) {
      const auto address = reinterpret_cast<uintptr_t>(storage.data());
      data = storage.data() + ((64 - address % 64) % 64);
    }
    std::vector<uint8_t> storage;
    uint8_t* data;
  };

  static std::vector<size_t> dims() {
    std::vector<size_t> all;
    for (size_t dim = 0; dim <= 130; ++dim) all.push_back(dim);
    for (const size_t dim : {383, 384, 385, 768, 784, 1536, 8191, 8192}) all.push_back(dim);
    return all;
  }

  static size_t padded(size_t dim) { return (dim + kRowAlignment - 1) / kRowAlignment * 64; }

  void expect(bool good, const std::string& what) {
    ++report_.checks;
    if (!good && report_.failure.empty()) {
      report_.failure =
          std::string(kernels_.tier) + ", seed " + std::to_string(kSeed) + ": " + what;
    }
  }

  int uniform(int low, int high) { return std::uniform_int_distribution<int>(low, high)(random_); }

  /// normal, zero, denormal, huge, mixed magnitudes
  float component(int kind) {
    const float unit = std::normal_distribution<float>()(random_);
    switch (kind) {
      case 0:
        return unit;
      case 1:
        return uniform(0, 3) == 0 ? unit : -0.0F;
      case 2:
        return unit * std::numeric_limits<float>::denorm_min() * 1000;
      case 3:
        return unit > 0 ? std::numeric_limits<float>::max() : -1e38F;
      default:
        return std::ldexp(unit, uniform(-100, 100));
    }
  }

  void compare(double got, double want, double magnitude, const std::string& what) {
    const bool same = got == want || std::fabs(got - want) <= kTolerance * magnitude;
    expect(same, what + ": got " + std::to_string(got) + ", expected " + std::to_string(want));
  }

  void check_floats(size_t dim, int kind) {
    // Odd offsets: the pointers are aligned to 4 bytes only. The ends are the vectors' own, so that
    // a read past them is seen by the address sanitizer.
    const size_t skip_a = 1 + dim % 3;
    const size_t skip_b = 2 + dim % 5;
    std::vector<float> a(dim + skip_a);
    std::vector<float> b(dim + skip_b);
    for (float& x : a) x = component(kind);
    for (float& x : b) x = component(kind);
    const float* const x = a.data() + skip_a;
    const float* const y = b.data() + skip_b;
    double squares = 0;
    double products = 0;
    double differences = 0;
    for (size_t j = 0; j < dim; ++j) {
      const double difference = static_cast<double>(x[j]) - static_cast<double>(y[j]);
      squares += difference * difference;
      products += std::fabs(static_cast<double>(x[j]) * static_cast<double>(y[j]));
      differences += std::fabs(difference);
    }
    const std::string where = " dim " + std::to_string(dim) + " kind " + std::to_string(kind);
    compare(kernels_.l2sq_f32(x, y, dim), kScalarKernels.l2sq_f32(x, y, dim), squares,
            "l2sq" + where);
    compare(kernels_.dot_f32(x, y, dim), kScalarKernels.dot_f32(x, y, dim), products,
            "dot" + where);
    compare(kernels_.l1_f32(x, y, dim), kScalarKernels.l1_f32(x, y, dim), differences,
            "l1" + where);
  }

  static bool same_special(double a, double b) {
    return (std::isnan(a) && std::isnan(b)) || a == b || (std::isfinite(a) && std::isfinite(b));
  }

  void check_special(size_t dim, size_t at, float special) {
    std::vector<float> a(dim);
    std::vector<float> b(dim);
    for (float& x : a) x = component(0);
    for (float& x : b) x = component(0);
    a[at] = special;
    for (const bool both : {false, true}) {
      if (both) b[at] = special;
      const std::string where = " dim " + std::to_string(dim) + " at " + std::to_string(at);
      const auto& s = kScalarKernels;
      const float* const x = a.data();
      const float* const y = b.data();
      expect(same_special(kernels_.l2sq_f32(x, y, dim), s.l2sq_f32(x, y, dim)), "l2sq" + where);
      expect(same_special(kernels_.dot_f32(x, y, dim), s.dot_f32(x, y, dim)), "dot" + where);
      expect(same_special(kernels_.l1_f32(x, y, dim), s.l1_f32(x, y, dim)), "l1" + where);
    }
  }

  void fill_rows(uint8_t* codes, size_t rows, size_t dim, bool extreme) {
    for (size_t i = 0; i < rows; ++i) {
      for (size_t j = 0; j < dim; ++j) {
        codes[i * padded(dim) + j] = static_cast<uint8_t>(extreme ? 255 : uniform(0, 255));
      }
    }
  }

  /// Bytes of a row in one plane of 4-bit codes.
  static size_t plane_stride(size_t dim) { return (dim + 127) / 128 * 64; }

  /// A plane of random codes; what is past the dimension is zero.
  void fill_plane(uint8_t* plane, size_t rows, size_t dim, bool extreme) {
    const size_t stride = plane_stride(dim);
    for (size_t i = 0; i < rows; ++i) {
      for (size_t j = 0; j < dim; ++j) {
        uint8_t& byte = plane[i * stride + j / 128 * 64 + j % 64];
        const int code = extreme ? 15 : uniform(0, 15);
        byte = static_cast<uint8_t>(j % 128 < 64 ? code : byte | (code << 4));
      }
    }
  }

  void check_coarse_scan(size_t dim, size_t rows, bool extreme) {
    const size_t stride = plane_stride(dim);
    Aligned plane(rows * stride);
    Aligned query(2 * stride);
    fill_plane(plane.data, rows, dim, extreme);
    const int sign = uniform(0, 1) == 0 ? -1 : 1;
    for (size_t j = 0; j < dim; ++j) {
      query.data[j] = static_cast<uint8_t>(extreme ? sign * 127 : uniform(-127, 127));
    }
    const auto* const q = reinterpret_cast<const int8_t*>(query.data);
    std::vector<int32_t> want(rows + 1, 7);
    std::vector<int32_t> got(rows + 1, 7);  // the last stays 7: nothing is written past the end
    kScalarKernels.scan_dot_u4(plane.data, stride, rows, q, want.data());
    kernels_.scan_dot_u4(plane.data, stride, rows, q, got.data());
    expect(got == want, "scan_dot_u4 dim " + std::to_string(dim) + " rows " + std::to_string(rows));
  }

  void check_fine_dots(size_t dim, size_t rows, bool extreme) {
    const size_t stride = plane_stride(dim);
    const size_t stored = rows + 3;
    Aligned high(stored * stride);
    Aligned low(stored * stride);
    Aligned hi(2 * stride);
    Aligned lo(2 * stride);
    Aligned wide(4 * stride);
    fill_plane(high.data, stored, dim, extreme);
    fill_plane(low.data, stored, dim, extreme);
    // The largest magnitude that keeps sum |q| * 255 below 2^31, and never beyond 16 bits.
    const size_t cap = dim == 0 ? 0 : 2147483647 / 255 / dim;
    const int most = static_cast<int>(cap > 32639 ? 32639 : cap);
    const int sign = uniform(0, 1) == 0 ? -1 : 1;
    auto* const wide_plane = reinterpret_cast<int16_t*>(wide.data);
    for (size_t j = 0; j < dim; ++j) {
      const int q = extreme ? sign * most : uniform(-most, most);
      const int lower = ((q + 128) & 255) - 128;
      wide_plane[j] = static_cast<int16_t>(q);
      lo.data[j] = static_cast<uint8_t>(lower);
      hi.data[j] = static_cast<uint8_t>((q - lower) / 256);
    }
    const CodePlanes codes = {high.data, low.data, stride};
    const QueryPlanes planes = {reinterpret_cast<const int8_t*>(hi.data),
                                reinterpret_cast<const int8_t*>(lo.data), wide_plane};
    std::vector<uint32_t> positions(rows);  // in no order, some twice
    for (uint32_t& at : positions) {
      at = static_cast<uint32_t>(uniform(0, static_cast<int>(stored) - 1));
    }
    std::vector<int32_t> want(rows + 1, 7);
    std::vector<int32_t> got(rows + 1, 7);
    kScalarKernels.dot_u8_at(codes, positions.data(), rows, planes, want.data());
    kernels_.dot_u8_at(codes, positions.data(), rows, planes, got.data());
    expect(got == want, "dot_u8_at dim " + std::to_string(dim) + " rows " + std::to_string(rows));
  }

  void check_byte_scan(size_t dim, size_t rows, bool extreme) {
    const size_t stride = padded(dim);
    Aligned codes(rows * stride);
    Aligned query(stride);
    fill_rows(codes.data, rows, dim, extreme);
    if (!extreme) fill_rows(query.data, 1, dim, false);
    const std::string where = " dim " + std::to_string(dim) + " rows " + std::to_string(rows);
    std::vector<int32_t> want(rows + 1, 7);
    std::vector<int32_t> got(rows + 1, 7);
    kScalarKernels.scan_sad_u8(codes.data, stride, rows, query.data, want.data());
    kernels_.scan_sad_u8(codes.data, stride, rows, query.data, got.data());
    expect(got == want, "scan_sad_u8" + where);
    kScalarKernels.scan_hamming(codes.data, stride, rows, query.data, want.data());
    kernels_.scan_hamming(codes.data, stride, rows, query.data, got.data());
    expect(got == want, "scan_hamming" + where);
  }

  /// Rows whose arithmetic is exact in float, so that every tier must choose the same ones; kinds
  /// add NaN and infinite errors, masks and thresholds that nothing or everything passes.
  void check_selection(size_t count, int kind) {
    std::vector<int32_t> raw(count);
    std::array<std::vector<float>, 5> arrays;
    for (auto& array : arrays) array.resize(count);
    for (size_t i = 0; i < count; ++i) {
      raw[i] = uniform(-1000, 1000);
      arrays[0][i] = static_cast<float>(uniform(-20, 20));
      arrays[1][i] = static_cast<float>(uniform(1, 4));
      arrays[2][i] = static_cast<float>(uniform(0, 30));
      arrays[3][i] = static_cast<float>(uniform(0, 100));
      arrays[4][i] = static_cast<float>(uniform(-3, 3));
      if (kind == 3 && uniform(0, 9) == 0) arrays[2][i] = std::numeric_limits<float>::infinity();
      if (kind == 3 && uniform(0, 9) == 0) arrays[3][i] = std::numeric_limits<float>::quiet_NaN();
    }
    std::vector<uint64_t> allowed(count / 64 + 1);
    for (uint64_t& word : allowed) word = (uint64_t{random_()} << 32) | random_();
    SelectQuery query = {5, 1, 2, 0.5F, 25, 200, 3, 1};
    const float inf = std::numeric_limits<float>::infinity();
    if (kind == 1) query.root = inf;
    if (kind == 2) query.limit = inf;
    if (kind == 4) query.root = query.limit = inf;
    if (kind == 5) query.limit = -inf;
    const bool masked = count % 2 == 1;
    const SelectRows rows = {raw.data(),
                             arrays[0].data(),
                             arrays[1].data(),
                             arrays[2].data(),
                             arrays[3].data(),
                             arrays[4].data(),
                             masked ? allowed.data() : nullptr,
                             count};
    std::vector<uint32_t> want(count + 16);
    std::vector<uint32_t> got(count + 16);
    want.resize(kScalarKernels.select_below(rows, query, want.data()));
    got.resize(kernels_.select_below(rows, query, got.data()));
    expect(got == want,
           "select_below count " + std::to_string(count) + " kind " + std::to_string(kind));
    if (kind == 5) expect(got.empty(), "select_below keeps rows below -infinity");
    if (kind == 4 && !masked) expect(got.size() == count, "select_below drops below infinity");
  }

  template <typename T>
  static std::vector<T> with_neighbors(const std::vector<T>& some) {
    std::vector<T> all;
    for (const T x : some) {
      all.push_back(x);
      if (x > std::numeric_limits<T>::min()) all.push_back(static_cast<T>(x - 1));
      if (x < std::numeric_limits<T>::max()) all.push_back(static_cast<T>(x + 1));
    }
    return all;
  }

  // Few different values, so that many equal the ends of an interval or lie next to them.
  template <typename T>
  std::vector<T> picked_integers() {
    using Limits = std::numeric_limits<T>;
    const auto half = static_cast<T>(Limits::max() / 2);
    std::vector<T> some = {
        Limits::min(), Limits::max(),         0,
        half,          static_cast<T>(-half), static_cast<T>(uniform(-100, 100))};
    if constexpr (sizeof(T) > sizeof(int32_t)) {  // where a half of it ends
      some.push_back(T{1} << 32);
      some.push_back(-(T{1} << 31));
    }
    return with_neighbors<T>(some);
  }
  std::vector<double> picked_reals() {
    using Limits = std::numeric_limits<double>;
    const double some = component(0);
    return {Limits::quiet_NaN(),
            Limits::infinity(),
            -Limits::infinity(),
            Limits::max(),
            Limits::lowest(),
            Limits::denorm_min(),
            -Limits::denorm_min(),
            0.0,
            -0.0,
            some,
            std::nextafter(some, 9.0),
            std::nextafter(some, -9.0)};
  }

  template <typename T, typename Kernel>
  void check_within(size_t words, const std::vector<T>& some, Kernel tested, Kernel reference,
                    const char* name) {
    const auto any = [&] { return some[static_cast<size_t>(uniform(0, 999)) % some.size()]; };
    std::vector<T> values(words * 64 + 1);
    for (T& value : values) value = any();
    const T low = any();
    const T high = uniform(0, 3) == 0 ? low : any();
    std::vector<uint64_t> want(words + 1, 7);
    std::vector<uint64_t> got(words + 1, 7);  // the last stays 7: nothing is written past the end
    reference(values.data() + 1, words * 64, low, high, want.data());
    tested(values.data() + 1, words * 64, low, high, got.data());
    expect(got == want, std::string(name) + " of " + std::to_string(words) + " words, " +
                            std::to_string(low) + " to " + std::to_string(high));
  }

  void check_among(size_t words) {
    const auto codes = static_cast<size_t>(uniform(1, 3000));
    std::vector<uint8_t> table(codes + kTablePadding, 255);  // what follows must not matter
    for (size_t i = 0; i < codes; ++i) table[i] = static_cast<uint8_t>(uniform(0, 1));
    std::vector<uint32_t> values(words * 64 + 1);
    for (uint32_t& value : values) {
      value = static_cast<uint32_t>(uniform(0, static_cast<int>(codes) - 1));
    }
    std::vector<uint64_t> want(words + 1, 7);
    std::vector<uint64_t> got(words + 1, 7);
    kScalarKernels.among_u32(values.data() + 1, words * 64, table.data(), want.data());
    kernels_.among_u32(values.data() + 1, words * 64, table.data(), got.data());
    expect(got == want, "among_u32 of " + std::to_string(words) + " words");
  }

  /// Lists of no, some and more than 16 numbers, that end early or not.
  void check_keeping(size_t words, int round) {
    const size_t n = round < 6 ? static_cast<size_t>(uniform(0, 70)) : static_cast<size_t>(round);
    std::vector<uint64_t> bits(words + 1);
    for (uint64_t& word : bits) {
      for (int i = 0; i < 64; ++i) word |= static_cast<uint64_t>(uniform(0, 1)) << i;
    }
    std::vector<uint32_t> numbers(n);
    for (uint32_t& x : numbers) {
      x = static_cast<uint32_t>(uniform(0, static_cast<int>(bits.size() * 64) - 1));
    }
    if (n > 0 && round % 2 == 0) {
      const auto end = static_cast<ptrdiff_t>(static_cast<size_t>(uniform(0, 999)) % n);
      std::fill(numbers.begin() + end, numbers.end(), kNoNumber);
    }
    std::vector<uint32_t> want(n + 16);
    std::vector<uint32_t> got(n + 16);
    const size_t kept = kScalarKernels.keep_set(numbers.data(), n, bits.data(), want.data());
    const size_t found = kernels_.keep_set(numbers.data(), n, bits.data(), got.data());
    want.resize(kept);
    got.resize(found);
    expect(got == want, "keep_set of " + std::to_string(n) + " numbers");
  }

  /// Whole numbers below 2^24 throughout: exact in float, so every tier must keep the same rows.
  void check_ranking(size_t dim, size_t count, bool by_slot) {
    const size_t stride = plane_stride(dim);
    const size_t stored = count + 3;
    Aligned plane(stored * stride);
    Aligned query(2 * stride);
    fill_plane(plane.data, stored, dim, count % 5 == 4);
    for (size_t j = 0; j < dim; ++j) {
      query.data[j] = static_cast<uint8_t>(uniform(-127, 127) / (dim > 1000 ? 30 : 1));
    }
    std::vector<RankParams> params(stored);
    for (RankParams& row : params) {
      row.shift = static_cast<float>(uniform(-1000, 1000));
      if (uniform(0, 9) == 0) row.shift = std::numeric_limits<float>::infinity();
      const std::array<float, 2> parts = {static_cast<float>(uniform(-100, 100)),
                                          static_cast<float>(uniform(1, 8))};
      std::array<uint32_t, 2> bits{};
      std::memcpy(bits.data(), parts.data(), sizeof bits);
      row.lo_step = (bits[0] & 0xFFFF0000U) | (bits[1] >> 16);
    }
    std::vector<uint32_t> slots(count);
    std::vector<const uint8_t*> rows(count);
    for (size_t i = 0; i < count; ++i) {
      slots[i] = by_slot ? static_cast<uint32_t>(uniform(0, static_cast<int>(stored) - 1))
                         : static_cast<uint32_t>(i);
      rows[i] = plane.data + slots[i] * stride;
    }
    const RankRows ranked = {rows.data(), params.data(), by_slot ? slots.data() : nullptr, stride,
                             count};
    const float shift_scale = count % 2 == 0 ? 1.0F : 0.0F;  // 0 * infinity is NaN: not kept
    const RankQuery q = {reinterpret_cast<const int8_t*>(query.data), 5, shift_scale, -2, 2};
    const float inf = std::numeric_limits<float>::infinity();
    for (const float limit : {inf, 0.0F, -inf}) {
      std::vector<uint32_t> want(count + 16);
      std::vector<uint32_t> got(count + 16);
      std::vector<float> want_scores(count + 16);
      std::vector<float> got_scores(count + 16);
      want.resize(kScalarKernels.rank_u4(ranked, q, limit, want.data(), want_scores.data()));
      got.resize(kernels_.rank_u4(ranked, q, limit, got.data(), got_scores.data()));
      want_scores.resize(want.size());
      got_scores.resize(got.size());
      const std::string where = " dim " + std::to_string(dim) + " rows " + std::to_string(count);
      expect(got == want && got_scores == want_scores, "rank_u4" + where);
    }
  }

  void check_summary(const CodingRow& row, const std::string& where) {
    RowSummary want;
    RowSummary got;
    kScalarKernels.summarize_f32(row, &want);
    kernels_.summarize_f32(row, &got);
    // A tier may fuse the multiplication and the subtraction of x.
    const double size = std::fabs(want.min) + std::fabs(want.max) + 4;
    compare(got.min, want.min, size, "summary min" + where);
    compare(got.max, want.max, size, "summary max" + where);
    compare(got.norm2, want.norm2, 10 * want.norm2 + 1e-30, "summary norm2" + where);
    compare(got.fraction, want.fraction, 10 * size * static_cast<double>(row.dim),
            "summary fraction" + where);
    expect((got.fraction == 0) == (want.fraction == 0), "summary: whole numbers" + where);
  }

  void check_coding(size_t dim, int kind) {
    std::vector<float> values(dim + 1);
    std::vector<float> origin(dim + 1);
    const bool integers = kind == 1;
    for (float& x : values) x = integers ? static_cast<float>(uniform(-9, 99)) : component(kind);
    for (float& x : origin) x = integers || dim % 2 == 0 ? 0.0F : component(0);
    const CodingRow row = {values.data() + 1, origin.data() + 1, dim, dim % 3 == 1 ? 0.37 : 1.0};
    const std::string where = " dim " + std::to_string(dim) + " kind " + std::to_string(kind);
    check_summary(row, where);
    RowSummary range;
    kScalarKernels.summarize_f32(row, &range);
    const double step = std::max((range.max - range.min) / 255 * 0.9, 1e-38);  // the ends clamp
    const CodeGrid grid = {range.min, step, 1 / step, range.min + 7.5 * step, 16 * step};
    Aligned high(plane_stride(dim) + 64);
    Aligned low(plane_stride(dim) + 64);
    std::fill_n(high.data, plane_stride(dim) + 64, uint8_t{255});
    std::fill_n(low.data, plane_stride(dim) + 64, uint8_t{255});
    CodeLoss got;
    kernels_.encode_u8(row, grid, high.data, low.data, &got);
    CodeLoss want;
    for (size_t j = 0; j < 2 * plane_stride(dim); ++j) {
      const size_t at = j / 128 * 64 + j % 64;
      const int shift = j % 128 < 64 ? 0 : 4;
      const int h = (high.data[at] >> shift) & 15;
      const int code = 16 * h + ((low.data[at] >> shift) & 15);
      if (j >= dim) {
        expect(code == 0, "encode_u8 padding" + where);
        continue;
      }
      const double x = static_cast<double>(row.row[j]) * row.scale - double{row.origin[j]};
      const double exact = std::min(std::max((x - grid.lo) / step, 0.0), 255.0);
      expect(std::fabs(exact - code) <= 0.5 + 1e-9, "encode_u8 code" + where);
      add_squares(x, grid.lo + step * code, &want.fine_lost2, &want.fine_coded2);
      add_squares(x, grid.scan_lo + grid.scan_step * h, &want.scan_lost2, &want.scan_coded2);
    }
    expect(high.data[plane_stride(dim)] == 255 && low.data[plane_stride(dim)] == 255,
           "encode_u8 writes past the row" + where);
    // Of what a code loses little is left when x is far greater: x itself is off by 2^-53.
    const double size = 1e-2 * (want.fine_coded2 + want.scan_coded2 + 1e-30);
    compare(got.fine_lost2, want.fine_lost2, 10 * want.fine_lost2 + size, "fine lost" + where);
    compare(got.scan_lost2, want.scan_lost2, 10 * want.scan_lost2 + size, "scan lost" + where);
    compare(got.fine_coded2, want.fine_coded2, 10 * want.fine_coded2 + size, "fine kept" + where);
    compare(got.scan_coded2, want.scan_coded2, 10 * want.scan_coded2 + size, "scan kept" + where);
  }

  static void add_squares(double x, double decoded, double* lost2, double* coded2) {
    *lost2 += (x - decoded) * (x - decoded);
    *coded2 += decoded * decoded;
  }

  void check_rounding(size_t dim, int kind) {
    std::vector<double> x(dim);
    double largest = 0;
    for (double& value : x) {
      value = component(kind);
      largest = std::max(largest, std::fabs(value));
    }
    const std::string where = " dim " + std::to_string(dim) + " kind " + std::to_string(kind);
    for (const double most : {127.0, 32639.0}) {
      const double unit = std::max(largest / most * (1 + 1e-12), 1e-38);
      std::vector<int16_t> got(dim + 1, 7);  // the last stays 7
      RoundingSums sums;
      kernels_.round_to_units(x.data(), dim, unit, got.data(), &sums);
      expect(got[dim] == 7, "round_to_units writes past the end" + where);
      RoundingSums want;
      double magnitude = 0;
      for (size_t j = 0; j < dim; ++j) {
        const double n = got[j];
        expect(std::fabs(x[j] / unit - n) <= 0.5 + 1e-9 && std::fabs(n) <= most,
               "round_to_units" + where);
        want.sum += n;
        want.square += n * n;
        want.lost2 += (x[j] - unit * n) * (x[j] - unit * n);
        magnitude += std::fabs(n);
      }
      compare(sums.sum, want.sum, magnitude, "rounding sum" + where);
      compare(sums.square, want.square, want.square, "rounding square" + where);
      compare(sums.lost2, want.lost2, 10 * want.lost2 + 1e-2 * unit * unit * want.square,
              "rounding lost" + where);
    }
  }

  void check_byte_rounding(size_t dim, int kind) {
    std::vector<float> values(dim + 1);
    std::vector<float> origin(dim + 1);
    std::vector<float> with(dim + 1);
    for (float& x : values) x = kind == 4 ? component(0) * 1e15F : component(kind);
    for (float& x : origin) x = dim % 2 == 0 ? 0.0F : component(0);
    for (float& x : with) x = component(0);
    const CodingRow row = {values.data() + 1, origin.data() + 1, dim, dim % 3 == 1 ? 0.37 : 1.0};
    const std::string where = " dim " + std::to_string(dim) + " kind " + std::to_string(kind);
    std::vector<int8_t> got(dim + 1, 77);  // the last stays
    ByteRounding result;
    kernels_.round_to_bytes(row, with.data() + 1, got.data(), &result);
    expect(got[dim] == 77, "round_to_bytes writes past the end" + where);
    double sum = 0;
    double magnitude = 0;
    double norm2 = 0;
    double lost2 = 0;
    double dot = 0;
    double dot_size = 0;
    const double unit = result.unit;
    for (size_t j = 0; j < dim; ++j) {
      const double x = static_cast<double>(row.row[j]) * row.scale - double{row.origin[j]};
      const double n = got[j];
      expect(std::fabs(x / unit - n) <= 0.5001 && std::fabs(n) <= 127, "round_to_bytes" + where);
      sum += n;
      magnitude += std::fabs(n);
      norm2 += x * x;
      lost2 += (x - unit * n) * (x - unit * n);
      dot += x * double{with[1 + j]};
      dot_size += std::fabs(x * double{with[1 + j]});
    }
    constexpr double kFloat = 1e-5 / kTolerance;  // compare() allows kTolerance of what it is given
    compare(result.sum, sum, kFloat * magnitude, "byte sum" + where);
    compare(result.norm2, norm2, kFloat * norm2 + 1e-30, "byte norm2" + where);
    compare(result.lost2, lost2, kFloat * (lost2 + 1e-2 * norm2) + 1e-30, "byte lost2" + where);
    compare(result.dot, dot, kFloat * dot_size + 1e-30, "byte dot" + where);
  }

  const Kernels& kernels_;  // must outlive this
  std::mt19937 random_;
  CheckReport report_;
};

}  // namespace loci::simd

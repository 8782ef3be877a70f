// SPDX-License-Identifier: Apache-2.0
//
// Every half and bfloat16 there is; roundings against a search for the nearest in double.
#include "base/elements.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "base/port.h"

namespace loci::base {
namespace {

constexpr Element kAll[] = {Element::kF32, Element::kF16, Element::kBf16, Element::kI8};
constexpr double kInfinite = std::numeric_limits<double>::infinity();

/// A format of 16 bits by its definition: 1 sign bit, `exponent_bits`, the rest mantissa.
struct Format {
  int exponent_bits;
  uint16_t (*narrow)(float) noexcept;
  float (*widen)(uint16_t) noexcept;

  [[nodiscard]] int mantissa_bits() const { return 15 - exponent_bits; }
  [[nodiscard]] int bias() const { return (1 << (exponent_bits - 1)) - 1; }
  [[nodiscard]] int special() const { return (1 << exponent_bits) - 1; }
  [[nodiscard]] bool is_nan(uint32_t bits) const {
    return (bits & 0x7FFFU) > static_cast<uint32_t>(special()) << mantissa_bits();
  }
  /// The value of bits that are no NaN; infinity as the number that would come next.
  [[nodiscard]] double value(uint32_t bits) const {
    const int mantissa = static_cast<int>(bits & ((1U << mantissa_bits()) - 1));
    const int exponent = static_cast<int>((bits & 0x7FFFU) >> mantissa_bits());
    const double magnitude = exponent == 0 ? std::ldexp(mantissa, 1 - bias() - mantissa_bits())
                                           : std::ldexp(mantissa + (1 << mantissa_bits()),
                                                        exponent - bias() - mantissa_bits());
    return (bits & 0x8000U) != 0 ? -magnitude : magnitude;
  }
  /// The nearest, ties to even: the oracle. By bisection over the magnitudes, which are in order.
  [[nodiscard]] uint16_t nearest(double x) const {
    const uint32_t sign = std::signbit(x) ? 0x8000U : 0U;
    const double magnitude = std::abs(x);
    uint32_t low = 0;
    uint32_t high = static_cast<uint32_t>(special()) << mantissa_bits();  // infinity
    if (magnitude >= value(high)) return static_cast<uint16_t>(high | sign);
    while (high - low > 1) {
      const uint32_t middle = (low + high) / 2;
      (value(middle) <= magnitude ? low : high) = middle;
    }
    const double below = magnitude - value(low);  // exact: 24 bits and 11, close to one another
    const double above = value(high) - magnitude;
    const bool up = above < below || (above == below && low % 2 == 1);
    return static_cast<uint16_t>((up ? high : low) | sign);
  }
};

constexpr Format kHalf = {5, to_f16, from_f16};
constexpr Format kBrain = {8, to_bf16, from_bf16};

void expect_rounds(const Format& format, float x) {
  ASSERT_EQ(format.narrow(x), format.nearest(x)) << format.exponent_bits << " exponent bits, " << x
                                                 << " = 0x" << std::hex << bit_cast<uint32_t>(x);
}

TEST(ElementsTest, EveryHalfAndBfloat16IsWhatItsBitsSayAndComesBack) {
  for (const Format& format : {kHalf, kBrain}) {
    for (uint32_t bits = 0; bits <= 0xFFFF; ++bits) {
      const float wide = format.widen(static_cast<uint16_t>(bits));
      if (format.is_nan(bits)) {
        ASSERT_TRUE(std::isnan(wide)) << bits;
        ASSERT_TRUE(format.is_nan(format.narrow(wide))) << bits;
        continue;
      }
      const bool infinite = (bits & 0x7FFFU) == format.nearest(kInfinite);
      const double value =
          infinite ? std::copysign(kInfinite, format.value(bits)) : format.value(bits);
      ASSERT_EQ(static_cast<double>(wide), value) << bits;
      ASSERT_EQ(std::signbit(wide), (bits & 0x8000U) != 0) << bits;
      ASSERT_EQ(format.narrow(wide), bits);
    }
  }
}

TEST(ElementsTest, TiesAndTheirNeighboursAreRoundedAsByDefinition) {
  for (const Format& format : {kHalf, kBrain}) {
    const uint32_t infinity = format.nearest(kInfinite);
    for (uint32_t bits = 0; bits < infinity; ++bits) {
      const double middle = (format.value(bits) + format.value(bits + 1)) / 2;
      const auto tie = static_cast<float>(middle);  // exact, but that it may be past every float32
      if (!std::isfinite(tie)) continue;
      ASSERT_EQ(static_cast<double>(tie), middle);
      for (const float x : {tie, std::nextafter(tie, 0.0F),
                            std::nextafter(tie, std::numeric_limits<float>::infinity())}) {
        expect_rounds(format, x);
        expect_rounds(format, -x);
      }
    }
  }
}

TEST(ElementsTest, RandomBitsAreRoundedAsByDefinition) {
  constexpr uint32_t kSeed = 20;
  std::mt19937 random(kSeed);
  for (int i = 0; i < 400000; ++i) {
    auto bits = static_cast<uint32_t>(random());
    if (i % 2 == 0) {  // where halves live: 2^-27 to 2^17
      bits = (bits & 0x807FFFFFU) | (100U + bits % 45U) << 23U;
    }
    const auto x = bit_cast<float>(bits);
    if (!std::isfinite(x)) continue;
    for (const Format& format : {kHalf, kBrain}) expect_rounds(format, x);
  }
}

TEST(ElementsTest, OverflowIsInfinityAndNanStaysNan) {
  EXPECT_EQ(to_f16(65504.0F), 0x7BFF);
  EXPECT_EQ(to_f16(std::nextafter(65520.0F, 0.0F)), 0x7BFF);
  EXPECT_EQ(to_f16(65520.0F), 0x7C00);
  EXPECT_EQ(to_f16(-1e30F), 0xFC00);
  EXPECT_EQ(to_bf16(std::numeric_limits<float>::max()), 0x7F80);
  EXPECT_EQ(to_bf16(-std::numeric_limits<float>::infinity()), 0xFF80);
  // A NaN whose upper bits are all zero but the exponent must not become infinity.
  for (const uint32_t bits : {0x7F800001U, 0xFF800001U, 0x7FFFFFFFU}) {
    EXPECT_TRUE(kHalf.is_nan(to_f16(bit_cast<float>(bits))));
    EXPECT_TRUE(kBrain.is_nan(to_bf16(bit_cast<float>(bits))));
  }
}

TEST(ElementsTest, WhatAnElementCannotHoldIsFound) {
  const auto unfit = [](Element element, float x) {
    const std::vector<float> values = {1, x, 2};
    return first_unfit(element, values) == 1;
  };
  constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
  constexpr float kMax = std::numeric_limits<float>::max();
  for (const Element element : kAll) {
    const ElementRange range = element_range(element);
    for (const float fits : {range.least, range.greatest, 0.0F, -0.0F, 100.0F}) {
      EXPECT_FALSE(unfit(element, fits)) << element_name(element) << " " << fits;
    }
    for (const float not_finite : {kNaN, HUGE_VALF, -HUGE_VALF}) {
      EXPECT_TRUE(unfit(element, not_finite)) << element_name(element);
    }
    EXPECT_EQ(unfit(element, kMax), element != Element::kF32);
    EXPECT_EQ(unfit(element, 0.5F), element == Element::kI8);
    EXPECT_EQ(unfit(element, std::nextafter(range.greatest, HUGE_VALF)), true);
  }
  EXPECT_TRUE(unfit(Element::kI8, 128));
  EXPECT_TRUE(unfit(Element::kI8, -129));
  EXPECT_TRUE(unfit(Element::kF16, 65505));
  EXPECT_FALSE(unfit(Element::kBf16, 65505));
}

TEST(ElementsTest, ZeroIsWhatIsStoredAsZero) {
  for (const Element element : kAll) {
    for (int exponent = -149; exponent < 4; ++exponent) {
      for (const float x : {std::ldexp(1.0F, exponent), std::ldexp(-1.5F, exponent)}) {
        const std::vector<float> values = {0, x, -0.0F};
        if (first_unfit(element, values) != values.size()) continue;
        std::vector<float> stored(values.size());
        ASSERT_TRUE(decode_elements(element, as_bytes(encode_elements(element, values)), stored));
        EXPECT_EQ(all_round_to_zero(element, values), stored[1] == 0)
            << element_name(element) << " " << x;
      }
    }
  }
}

TEST(ElementsTest, BlobsAreLittleEndianAndOfOneLength) {
  const std::vector<float> values = {1, -2, 0.5F, 3};
  EXPECT_EQ(encode_elements(Element::kF16, values),
            std::string("\x00\x3c\x00\xc0\x00\x38\x00\x42", 8));
  EXPECT_EQ(encode_elements(Element::kBf16, values),
            std::string("\x80\x3f\x00\xc0\x00\x3f\x40\x40", 8));
  EXPECT_EQ(encode_elements(Element::kF32, values), encode_f32(values));
  const std::vector<float> whole = {1, -2, 127, -128};
  EXPECT_EQ(encode_elements(Element::kI8, whole), "\x01\xfe\x7f\x80");
  for (const Element element : kAll) {
    const std::string blob = encode_elements(element, whole);
    ASSERT_EQ(blob.size(), whole.size() * element_bytes(element));
    std::vector<float> back(whole.size());
    EXPECT_TRUE(decode_elements(element, as_bytes(blob), back));
    EXPECT_EQ(back, whole) << element_name(element);
    EXPECT_FALSE(decode_elements(element, as_bytes(blob + "x"), back));
    EXPECT_FALSE(decode_elements(element, as_bytes(blob).subspan(1), back));
    EXPECT_TRUE(decode_elements(element, {}, {}));
  }
}

// Blocks of every length, so that what the compiler makes of the loops is seen at its ends too.
TEST(ElementsTest, LoopsDecodeAsOneByOne) {
  constexpr uint32_t kSeed = 21;
  std::mt19937 random(kSeed);
  for (size_t dim = 1; dim <= 130; ++dim) {
    for (const Element element : {Element::kF16, Element::kBf16, Element::kI8}) {
      // One byte past the start: no alignment is owed.
      std::string bytes(1 + dim * element_bytes(element), '\0');
      for (char& byte : bytes) byte = static_cast<char>(random());
      const ByteSpan blob = as_bytes(bytes).subspan(1);
      std::vector<float> out(dim);
      ASSERT_TRUE(decode_elements(element, blob, out));
      for (size_t i = 0; i < dim; ++i) {
        ByteReader in(blob.subspan(i * element_bytes(element)));
        const float wanted = element == Element::kF16 ? from_f16(in.u16le())
                             : element == Element::kBf16
                                 ? from_bf16(in.u16le())
                                 : static_cast<float>(static_cast<int8_t>(in.u8()));
        ASSERT_EQ(bit_cast<uint32_t>(out[i]), bit_cast<uint32_t>(wanted)) << dim << " " << i;
      }
    }
  }
}

}  // namespace
}  // namespace loci::base

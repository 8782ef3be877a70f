// SPDX-License-Identifier: Apache-2.0
#include "readers/elements.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

namespace loci::cli {
namespace {

/// Assembles an unsigned integer of `sizeof(Bits)` bytes, whatever the order of this machine.
template <typename Bits>
Bits read_bits(const char* in, bool big_endian) {
  uint64_t bits = 0;
  for (size_t i = 0; i < sizeof(Bits); ++i) {
    const size_t from = big_endian ? i : sizeof(Bits) - 1 - i;
    bits = bits << 8U | static_cast<unsigned char>(in[from]);
  }
  return static_cast<Bits>(bits);
}

template <typename T, typename Bits>
void decode(std::span<const char> in, bool big_endian, std::span<float> out) {
  static_assert(sizeof(T) == sizeof(Bits));
  for (size_t i = 0; i < out.size(); ++i) {
    const Bits bits = read_bits<Bits>(in.data() + i * sizeof(Bits), big_endian);
    T value;
    std::memcpy(&value, &bits, sizeof value);
    out[i] = static_cast<float>(value);
  }
}

}  // namespace

size_t element_bytes(ElementType type) {
  switch (type) {
    case ElementType::kI8:
    case ElementType::kU8:
      return 1;
    case ElementType::kF16:
    case ElementType::kI16:
    case ElementType::kU16:
      return 2;
    case ElementType::kF32:
    case ElementType::kI32:
    case ElementType::kU32:
      return 4;
    case ElementType::kF64:
    case ElementType::kI64:
    case ElementType::kU64:
      return 8;
  }
  return 4;
}

float half_to_float(uint16_t half) {
  const int exponent = (half >> 10U) & 0x1F;
  const int mantissa = half & 0x3FF;
  float value = 0;
  if (exponent == 31) {
    value = mantissa == 0 ? std::numeric_limits<float>::infinity()
                          : std::numeric_limits<float>::quiet_NaN();
  } else if (exponent == 0) {
    value = std::ldexp(static_cast<float>(mantissa), -24);
  } else {
    value = std::ldexp(static_cast<float>(mantissa + 1024), exponent - 25);
  }
  return (half & 0x8000U) != 0 ? -value : value;
}

void decode_elements(std::span<const char> in, const FileElement& element, std::span<float> out) {
  const bool big = element.big_endian;
  switch (element.type) {
    case ElementType::kF16:
      for (size_t i = 0; i < out.size(); ++i) {
        out[i] = half_to_float(read_bits<uint16_t>(in.data() + 2 * i, big));
      }
      return;
    case ElementType::kF32:
      return decode<float, uint32_t>(in, big, out);
    case ElementType::kF64:
      return decode<double, uint64_t>(in, big, out);
    case ElementType::kI8:
      return decode<int8_t, uint8_t>(in, big, out);
    case ElementType::kU8:
      return decode<uint8_t, uint8_t>(in, big, out);
    case ElementType::kI16:
      return decode<int16_t, uint16_t>(in, big, out);
    case ElementType::kU16:
      return decode<uint16_t, uint16_t>(in, big, out);
    case ElementType::kI32:
      return decode<int32_t, uint32_t>(in, big, out);
    case ElementType::kU32:
      return decode<uint32_t, uint32_t>(in, big, out);
    case ElementType::kI64:
      return decode<int64_t, uint64_t>(in, big, out);
    case ElementType::kU64:
      return decode<uint64_t, uint64_t>(in, big, out);
  }
}

}  // namespace loci::cli

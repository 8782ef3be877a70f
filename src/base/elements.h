// SPDX-License-Identifier: Apache-2.0
//
// Components of stored vectors: float32 to and from what a column stores
// (docs/format/vector-blob.md).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "base/bytes.h"
#include "loci/types.h"

namespace loci::base {

/// Bytes of one component.
[[nodiscard]] size_t element_bytes(Element element) noexcept;
/// What a component may be.
struct ElementRange {
  float least = 0;
  float greatest = 0;
  bool whole = false;  ///< whole numbers only
};
[[nodiscard]] ElementRange element_range(Element element) noexcept;

/// The number of the first component that the element cannot hold: out of range, not whole where it
/// must be, NaN. values.size() when it can hold all.
[[nodiscard]] size_t first_unfit(Element element, std::span<const float> values) noexcept;
/// Whether every component is stored as zero.
[[nodiscard]] bool all_round_to_zero(Element element, std::span<const float> values) noexcept;

/// The little-endian BLOB of a vector, each component rounded to the nearest, ties to even. The
/// element must be able to hold all of them.
[[nodiscard]] std::string encode_elements(Element element, std::span<const float> values);
/// Decodes such a BLOB into `out`; false when its length is not out.size() elements. Halves may
/// hold NaN and infinity: they come out as such.
[[nodiscard]] bool decode_elements(Element element, ByteSpan blob, std::span<float> out) noexcept;

/// IEEE 754 binary16. Beyond 65504 an input that does not round down to it gives infinity; NaN
/// stays NaN, quiet.
[[nodiscard]] uint16_t to_f16(float value) noexcept;
[[nodiscard]] float from_f16(uint16_t bits) noexcept;
/// bfloat16: the upper half of a float32. Overflow and NaN as to_f16.
[[nodiscard]] uint16_t to_bf16(float value) noexcept;
[[nodiscard]] float from_bf16(uint16_t bits) noexcept;

}  // namespace loci::base

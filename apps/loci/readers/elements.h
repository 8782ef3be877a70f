// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "loci/status.h"

namespace loci::cli {

/// What the components of a vector in a file are.
enum class ElementType : uint8_t { kF16, kF32, kF64, kI8, kU8, kI16, kU16, kI32, kU32, kI64, kU64 };

struct FileElement {
  ElementType type = ElementType::kF32;
  bool big_endian = false;
};

[[nodiscard]] size_t element_bytes(ElementType type);
/// Reads `out.size()` components from `in`, which must hold as many.
void decode_elements(std::span<const char> in, const FileElement& element, std::span<float> out);
/// IEEE 754 binary16.
[[nodiscard]] float half_to_float(uint16_t half);

/// What the header of a .npy file says.
struct NpyHeader {
  FileElement element;
  bool fortran_order = false;
  size_t dimensions = 0;  ///< 1 or 2; one is a single row
  uint64_t rows = 0;
  uint64_t dim = 0;
  uint64_t data_offset = 0;  ///< bytes before the first component
};

/// Bytes that parse_npy_header needs to see to know how long the whole header is.
inline constexpr size_t kNpyPrefixBytes = 12;
/// Length of magic, version and header text; kInvalidArgument when it is not .npy.
Result<uint64_t> npy_header_bytes(std::string_view prefix);
/// Reads a whole header. kInvalidArgument: not numbers, not one or two dimensions, limits.
Result<NpyHeader> parse_npy_header(std::string_view header);

}  // namespace loci::cli

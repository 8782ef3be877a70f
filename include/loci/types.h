// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "loci/status.h"

namespace loci {

/// The integer key of a row: an SQLite rowid. A type of its own, so that a position in memory or a
/// result number can never be passed for a row.
enum class RowId : int64_t {};
inline constexpr RowId kNoRow{INT64_MIN};

[[nodiscard]] constexpr int64_t to_int(RowId row) noexcept { return static_cast<int64_t>(row); }

/// How far apart two vectors are. distance() of a hit is always "smaller is nearer".
/// On disk by name (metric_name), never by number.
enum class Metric : uint8_t {
  kL2,       ///< Euclidean, rooted. similarity = 1 / (1 + distance)
  kCosine,   ///< 1 - cos. similarity = cos
  kDot,      ///< -dot. similarity = dot
  kAngular,  ///< arccos(cos) / pi, in [0, 1]. similarity = 1 - distance
  kL1,       ///< sum of absolute differences. similarity = 1 / (1 + distance)
  kHamming,  ///< bits that differ; the column holds bits. similarity = 1 / (1 + distance)
  kCustom,   ///< a C++ function registered by name (Database::register_metric)
};

[[nodiscard]] LOCI_API std::string_view metric_name(Metric metric) noexcept;
/// "l2", "cosine", "dot", "angular", "l1", "hamming"; kInvalidArgument lists them otherwise.
[[nodiscard]] LOCI_API Result<Metric> parse_metric(std::string_view name);
/// The similarity that belongs to a distance (higher is better); kCustom: 1 / (1 + distance).
[[nodiscard]] LOCI_API double similarity_of(Metric metric, double distance) noexcept;

/// What a component of a vector column is stored as. Vectors go in and come out as float32 whatever
/// it is: what is stored, returned and compared is the input rounded to the nearest, ties to even.
/// On disk by name (element_name), never by number.
enum class Element : uint8_t {
  kF32,   ///< IEEE 754 binary32, 4 bytes: as given
  kF16,   ///< IEEE 754 binary16, 2 bytes: 11 significant bits, magnitude at most 65504
  kBf16,  ///< bfloat16, 2 bytes: 8 significant bits, magnitude at most 3.3895e38
  kI8,    ///< 1 byte: whole numbers from -128 to 127; nothing is scaled or rounded
};

[[nodiscard]] LOCI_API std::string_view element_name(Element element) noexcept;
/// "f32", "f16", "bf16", "i8"; kInvalidArgument lists them otherwise.
[[nodiscard]] LOCI_API Result<Element> parse_element(std::string_view name);

/// The declared type of a filter column.
enum class FieldType : uint8_t { kText, kInt, kFloat, kBool };
[[nodiscard]] LOCI_API std::string_view field_type_name(FieldType type) noexcept;
[[nodiscard]] LOCI_API Result<FieldType> parse_field_type(std::string_view name);

/// One value of a column. std::monostate is SQL NULL.
using Value = std::variant<std::monostate, int64_t, double, bool, std::string>;

/// A column name and its value, in the order of the collection's columns.
using Field = std::pair<std::string, Value>;

/// A float32 vector, row-major, borrowed. For a kHamming column component i is bit i: x > 0.
using VectorView = std::span<const float>;

/// A row and how far it is from a query.
struct Neighbor {
  RowId rowid = kNoRow;
  double distance = std::numeric_limits<double>::infinity();
};

}  // namespace loci

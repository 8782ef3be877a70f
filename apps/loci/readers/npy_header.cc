// SPDX-License-Identifier: Apache-2.0
//
// The header of a .npy file, versions 1 to 3: the magic "\x93NUMPY", two bytes of version, the
// length of the rest (2 or 4 bytes, little-endian), then a Python dictionary with the keys descr,
// fortran_order and shape. Nothing in it is trusted: lengths and shapes are limited before use.
#include <array>
#include <cctype>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "readers/elements.h"

namespace loci::cli {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr uint64_t kMaxHeaderBytes = uint64_t{1} << 20;
constexpr uint64_t kMaxRows = uint64_t{1} << 40;

/// Just enough of Python's literals for the header.
class Literal {
 public:
  explicit Literal(std::string_view text) : text_(text) {}

  bool take(char c) {
    blanks();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  std::optional<std::string_view> quoted() {
    blanks();
    if (at_ >= text_.size() || (text_[at_] != '\'' && text_[at_] != '"')) return std::nullopt;
    const char quote = text_[at_];
    const size_t end = text_.find(quote, at_ + 1);
    if (end == std::string_view::npos) return std::nullopt;
    const std::string_view found = text_.substr(at_ + 1, end - at_ - 1);
    at_ = end + 1;
    return found;
  }
  std::optional<bool> boolean() {
    blanks();
    for (const auto& [word, value] : {std::pair("True", true), std::pair("False", false)}) {
      if (text_.substr(at_).starts_with(word)) {
        at_ += std::string_view(word).size();
        return value;
      }
    }
    return std::nullopt;
  }
  std::optional<uint64_t> number() {
    blanks();
    uint64_t value = 0;
    size_t digits = 0;
    while (at_ < text_.size() && std::isdigit(static_cast<unsigned char>(text_[at_])) != 0) {
      if (++digits > 18) return std::nullopt;
      value = value * 10 + static_cast<uint64_t>(text_[at_++] - '0');
    }
    if (at_ < text_.size() && text_[at_] == 'L') ++at_;  // Python 2 wrote long integers so
    return digits == 0 ? std::nullopt : std::optional(value);
  }

 private:
  void blanks() {
    while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_])) != 0) ++at_;
  }

  std::string_view text_;
  size_t at_ = 0;
};

Result<FileElement> parse_descr(std::string_view descr) {
  static constexpr std::array<std::pair<std::string_view, ElementType>, 11> kTypes = {
      {{"f2", ElementType::kF16},
       {"f4", ElementType::kF32},
       {"f8", ElementType::kF64},
       {"i1", ElementType::kI8},
       {"u1", ElementType::kU8},
       {"i2", ElementType::kI16},
       {"u2", ElementType::kU16},
       {"i4", ElementType::kI32},
       {"u4", ElementType::kU32},
       {"i8", ElementType::kI64},
       {"u8", ElementType::kU64}}};
  if (descr.size() == 3) {
    for (const auto& [name, type] : kTypes) {
      if (descr.substr(1) == name) return FileElement{type, descr[0] == '>'};
    }
  }
  return Status::invalid_argument("dtype '" + std::string(descr.substr(0, 40)) +
                                  "': expected a number: f2, f4, f8, i1 to i8 or u1 to u8");
}

std::optional<std::vector<uint64_t>> parse_shape(Literal& in) {
  std::vector<uint64_t> shape;
  if (!in.take('(')) return std::nullopt;
  while (!in.take(')')) {
    const std::optional<uint64_t> n = in.number();
    if (!n.has_value() || shape.size() == 32) return std::nullopt;
    shape.push_back(*n);
    if (!in.take(',')) {
      if (!in.take(')')) return std::nullopt;
      break;
    }
  }
  return shape;
}

Status set_shape(const std::vector<uint64_t>& shape, NpyHeader& header) {
  if (shape.empty() || shape.size() > 2) {
    return Status::invalid_argument("an array of " + std::to_string(shape.size()) +
                                    " dimensions, expected two (rows, components)");
  }
  header.dimensions = shape.size();
  header.rows = shape.size() == 2 ? shape[0] : 1;
  header.dim = shape.back();
  if (header.dim == 0 || header.dim > 8192) {
    return Status::invalid_argument("dim " + std::to_string(header.dim) + ", allowed 1 to 8192");
  }
  if (header.rows > kMaxRows) {
    return Status::invalid_argument(std::to_string(header.rows) + " rows, allowed " +
                                    std::to_string(kMaxRows));
  }
  return {};
}

}  // namespace

Result<uint64_t> npy_header_bytes(std::string_view prefix) {
  if (!prefix.starts_with(kMagic) || prefix.size() < kNpyPrefixBytes) {
    return Status::invalid_argument("not a .npy file: the magic bytes are missing");
  }
  const auto byte = [&](size_t i) {
    return static_cast<uint64_t>(static_cast<unsigned char>(prefix[i]));
  };
  const uint64_t version = byte(6);
  if (version < 1 || version > 3) {
    return Status::invalid_argument(".npy version " + std::to_string(version) +
                                    ", known are 1, 2 and 3");
  }
  const uint64_t length = version == 1
                              ? byte(8) | byte(9) << 8U
                              : byte(8) | byte(9) << 8U | byte(10) << 16U | byte(11) << 24U;
  const uint64_t whole = length + (version == 1 ? 10 : 12);
  if (whole > kMaxHeaderBytes || whole < kNpyPrefixBytes) {
    return Status::invalid_argument(".npy header of " + std::to_string(whole) +
                                    " bytes, allowed 12 to " + std::to_string(kMaxHeaderBytes));
  }
  return whole;
}

Result<NpyHeader> parse_npy_header(std::string_view header) {
  NpyHeader out;
  out.data_offset = header.size();
  Literal in(header.substr(header[6] == 1 ? 10 : 12));
  const Status broken = Status::invalid_argument("the .npy header is broken");
  bool has_descr = false;
  bool has_order = false;
  bool has_shape = false;
  if (!in.take('{')) return broken;
  while (!in.take('}')) {
    const std::optional<std::string_view> key = in.quoted();
    if (!key.has_value() || !in.take(':')) return broken;
    if (*key == "descr") {
      const std::optional<std::string_view> descr = in.quoted();
      if (!descr.has_value()) {
        return Status::invalid_argument("a structured dtype, expected plain numbers");
      }
      LOCI_ASSIGN_OR_RETURN(out.element, parse_descr(*descr));
      has_descr = true;
    } else if (*key == "fortran_order") {
      const std::optional<bool> order = in.boolean();
      if (!order.has_value()) return broken;
      out.fortran_order = *order;
      has_order = true;
    } else if (*key == "shape") {
      const std::optional<std::vector<uint64_t>> shape = parse_shape(in);
      if (!shape.has_value()) return broken;
      LOCI_RETURN_IF_ERROR(set_shape(*shape, out));
      has_shape = true;
    } else {
      return broken;
    }
    in.take(',');
  }
  if (!has_descr || !has_order || !has_shape) return broken;
  return out;
}

}  // namespace loci::cli

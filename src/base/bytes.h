// SPDX-License-Identifier: Apache-2.0
//
// Encoding and decoding of everything that is stored or sent: byte by byte, little-endian.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace loci::base {

using ByteSpan = std::span<const uint8_t>;

/// The bytes of a text or blob held in a string.
[[nodiscard]] ByteSpan as_bytes(std::string_view text) noexcept;
[[nodiscard]] std::string_view as_text(ByteSpan bytes) noexcept;

/// Reads a buffer that may hold anything. A read past the end returns zero (or an empty span) and
/// sets a sticky error, so a decoder reads all fields and tests ok() once.
class ByteReader {
 public:
  explicit ByteReader(ByteSpan bytes) noexcept : bytes_(bytes) {}  // bytes must outlive this
  explicit ByteReader(std::string_view bytes) noexcept : bytes_(as_bytes(bytes)) {}

  [[nodiscard]] bool ok() const noexcept { return ok_; }
  [[nodiscard]] size_t remaining() const noexcept { return bytes_.size() - position_; }
  [[nodiscard]] size_t position() const noexcept { return position_; }
  /// ok() and nothing left over: what a whole-record decoder requires at its end.
  [[nodiscard]] bool done() const noexcept { return ok_ && remaining() == 0; }

  uint8_t u8() noexcept;
  uint16_t u16le() noexcept;
  uint32_t u32le() noexcept;
  uint64_t u64le() noexcept;
  int32_t i32le() noexcept;
  int64_t i64le() noexcept;
  float f32le() noexcept;
  double f64le() noexcept;
  /// Unsigned LEB128, at most 10 bytes; longer or non-minimal forms are errors.
  uint64_t varint() noexcept;
  /// A borrowed view of the next `count` bytes.
  ByteSpan bytes(size_t count) noexcept;
  /// A varint length and that many bytes.
  ByteSpan sized_bytes() noexcept;
  void skip(size_t count) noexcept { static_cast<void>(bytes(count)); }
  /// Reads out.size() floats.
  void f32le_array(std::span<float> out) noexcept;

 private:
  template <typename T>
  T little_endian() noexcept;
  void fail() noexcept;

  ByteSpan bytes_;
  size_t position_ = 0;
  bool ok_ = true;
};

/// Appends to a byte vector that it owns. May throw std::bad_alloc only.
class ByteWriter {
 public:
  void u8(uint8_t value) { bytes_.push_back(value); }
  void u16le(uint16_t value);
  void u32le(uint32_t value);
  void u64le(uint64_t value);
  void i32le(int32_t value) { u32le(static_cast<uint32_t>(value)); }
  void i64le(int64_t value) { u64le(static_cast<uint64_t>(value)); }
  void f32le(float value);
  void f64le(double value);
  void varint(uint64_t value);
  void bytes(ByteSpan value);
  /// A varint length and the bytes.
  void sized_bytes(ByteSpan value);
  void f32le_array(std::span<const float> values);

  [[nodiscard]] size_t size() const noexcept { return bytes_.size(); }
  [[nodiscard]] ByteSpan view() const noexcept { return bytes_; }
  [[nodiscard]] std::vector<uint8_t> take() && noexcept { return std::move(bytes_); }

 private:
  template <typename T>
  void little_endian(T value);

  std::vector<uint8_t> bytes_;
};

/// The little-endian float32 BLOB of a vector.
[[nodiscard]] std::string encode_f32(std::span<const float> values);
/// Decodes such a BLOB into `out`; false when its length is not 4 * out.size().
[[nodiscard]] bool decode_f32(ByteSpan blob, std::span<float> out) noexcept;

}  // namespace loci::base

// SPDX-License-Identifier: Apache-2.0
#include "base/bytes.h"

#include <bit>
#include <cstring>
#include <type_traits>

#include "base/port.h"

namespace loci::base {
namespace {

constexpr bool kLittleEndianHost = std::endian::native == std::endian::little;

}  // namespace

ByteSpan as_bytes(std::string_view text) noexcept {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

std::string_view as_text(ByteSpan bytes) noexcept {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

void ByteReader::fail() noexcept {
  ok_ = false;
  position_ = bytes_.size();  // whatever follows fails too, and reads nothing
}

template <typename T>
T ByteReader::little_endian() noexcept {
  if (remaining() < sizeof(T)) {
    fail();
    return 0;
  }
  uint64_t value = 0;
  for (size_t i = 0; i < sizeof(T); ++i) {
    value |= static_cast<uint64_t>(bytes_[position_ + i]) << (8 * i);
  }
  position_ += sizeof(T);
  return static_cast<T>(value);
}

uint8_t ByteReader::u8() noexcept { return little_endian<uint8_t>(); }
uint16_t ByteReader::u16le() noexcept { return little_endian<uint16_t>(); }
uint32_t ByteReader::u32le() noexcept { return little_endian<uint32_t>(); }
uint64_t ByteReader::u64le() noexcept { return little_endian<uint64_t>(); }
int32_t ByteReader::i32le() noexcept { return static_cast<int32_t>(u32le()); }
int64_t ByteReader::i64le() noexcept { return static_cast<int64_t>(u64le()); }
float ByteReader::f32le() noexcept { return bit_cast<float>(u32le()); }
double ByteReader::f64le() noexcept { return bit_cast<double>(u64le()); }

uint64_t ByteReader::varint() noexcept {
  uint64_t value = 0;
  for (unsigned shift = 0; shift < 70; shift += 7) {
    const uint8_t byte = u8();
    if (!ok_) return 0;
    // The tenth byte has room for one bit; a last byte of zero is a longer form than needed.
    if ((shift == 63 && byte > 1) || (shift > 0 && byte == 0)) break;
    value |= static_cast<uint64_t>(byte & 0x7F) << shift;
    if ((byte & 0x80) == 0) return value;
  }
  fail();
  return 0;
}

ByteSpan ByteReader::bytes(size_t count) noexcept {
  if (remaining() < count) {
    fail();
    return {};
  }
  const ByteSpan view = bytes_.subspan(position_, count);
  position_ += count;
  return view;
}

ByteSpan ByteReader::sized_bytes() noexcept {
  const uint64_t count = varint();
  if (count > remaining()) {
    fail();
    return {};
  }
  return bytes(static_cast<size_t>(count));
}

void ByteReader::f32le_array(std::span<float> out) noexcept {
  if (remaining() / sizeof(float) < out.size()) {
    fail();
    for (float& value : out) value = 0;
    return;
  }
  static_cast<void>(decode_f32(bytes(out.size() * sizeof(float)), out));
}

template <typename T>
void ByteWriter::little_endian(T value) {
  for (size_t i = 0; i < sizeof(T); ++i) {
    bytes_.push_back(static_cast<uint8_t>(static_cast<uint64_t>(value) >> (8 * i)));
  }
}

void ByteWriter::u16le(uint16_t value) { little_endian(value); }
void ByteWriter::u32le(uint32_t value) { little_endian(value); }
void ByteWriter::u64le(uint64_t value) { little_endian(value); }
void ByteWriter::f32le(float value) { u32le(bit_cast<uint32_t>(value)); }
void ByteWriter::f64le(double value) { u64le(bit_cast<uint64_t>(value)); }

void ByteWriter::varint(uint64_t value) {
  while (value >= 0x80) {
    u8(static_cast<uint8_t>(value | 0x80));
    value >>= 7;
  }
  u8(static_cast<uint8_t>(value));
}

void ByteWriter::bytes(ByteSpan value) { bytes_.insert(bytes_.end(), value.begin(), value.end()); }

void ByteWriter::sized_bytes(ByteSpan value) {
  varint(value.size());
  bytes(value);
}

void ByteWriter::f32le_array(std::span<const float> values) { bytes(as_bytes(encode_f32(values))); }

std::string encode_f32(std::span<const float> values) {
  std::string blob(values.size() * sizeof(float), '\0');
  if constexpr (kLittleEndianHost) {
    if (!values.empty()) std::memcpy(blob.data(), values.data(), blob.size());
  } else {
    for (size_t i = 0; i < blob.size(); ++i) {
      const uint32_t bits = bit_cast<uint32_t>(values[i / 4]);
      blob[i] = static_cast<char>(static_cast<uint8_t>(bits >> (8 * (i % 4))));
    }
  }
  return blob;
}

bool decode_f32(ByteSpan blob, std::span<float> out) noexcept {
  if (blob.size() / sizeof(float) != out.size() || blob.size() % sizeof(float) != 0) return false;
  if constexpr (kLittleEndianHost) {
    if (!out.empty()) std::memcpy(out.data(), blob.data(), blob.size());
  } else {
    ByteReader in(blob);
    for (float& value : out) value = in.f32le();
  }
  return true;
}

}  // namespace loci::base

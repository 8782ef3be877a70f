// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <utility>

#include "loci/status.h"

namespace loci::base {

/// a * b, or nullopt when it does not fit.
[[nodiscard]] constexpr std::optional<size_t> checked_multiply(size_t a, size_t b) noexcept {
  if (a != 0 && b > SIZE_MAX / a) return std::nullopt;
  return a * b;
}
[[nodiscard]] constexpr std::optional<size_t> checked_add(size_t a, size_t b) noexcept {
  if (b > SIZE_MAX - a) return std::nullopt;
  return a + b;
}
/// `value` up to the next multiple of `step`, a power of two. Must not overflow.
[[nodiscard]] constexpr size_t round_up(size_t value, size_t step) noexcept {
  return (value + step - 1) & ~(step - 1);
}

/// A block of raw memory for codes and vectors: 64-byte aligned, from 2 MiB on aligned to 2 MiB
/// and asked to lie in huge pages. Or a part of something larger (a mapped file), which it keeps
/// alive. Move-only; freed on destruction.
class Buffer {
 public:
  static constexpr size_t kAlignment = 64;
  static constexpr size_t kHugePage = size_t{2} << 20;
  enum class Fill : uint8_t { kNone, kZero };

  /// kOutOfMemory when the memory is not there; never throws. 0 bytes is a valid empty buffer.
  static Result<Buffer> try_allocate(size_t bytes, Fill fill = Fill::kZero);
  /// try_allocate(count * size), kOutOfMemory also when the product overflows.
  static Result<Buffer> try_allocate_array(size_t count, size_t size, Fill fill = Fill::kZero);

  /// `bytes` of something that `owner` keeps alive; aligned to kAlignment.
  static Buffer part_of(std::shared_ptr<void> owner, std::span<uint8_t> bytes) noexcept;

  Buffer() noexcept = default;
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  Buffer(Buffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)),
        size_(std::exchange(other.size_, 0)),
        owner_(std::move(other.owner_)) {}
  Buffer& operator=(Buffer&& other) noexcept;
  ~Buffer();

  [[nodiscard]] uint8_t* data() noexcept { return data_; }
  [[nodiscard]] const uint8_t* data() const noexcept { return data_; }
  [[nodiscard]] size_t size() const noexcept { return size_; }
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }

  /// The block as an array of T; the tail that does not fill a T is left out.
  template <typename T>
  [[nodiscard]] std::span<T> as() noexcept {
    static_assert(alignof(T) <= kAlignment);
    return {reinterpret_cast<T*>(data_), size_ / sizeof(T)};
  }
  template <typename T>
  [[nodiscard]] std::span<const T> as() const noexcept {
    static_assert(alignof(T) <= kAlignment);
    return {reinterpret_cast<const T*>(data_), size_ / sizeof(T)};
  }

 private:
  Buffer(uint8_t* data, size_t size) noexcept : data_(data), size_(size) {}

  uint8_t* data_ = nullptr;
  size_t size_ = 0;
  std::shared_ptr<void> owner_;  // of data_, shared with other parts; null: this owns data_
};

}  // namespace loci::base

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <variant>
#include <vector>

namespace loci::index {

/// Integers by slot, in as few bytes each as the widest so far needs: 1, 2, 4 or 8. A filter over a
/// column is as fast as the bytes of the column are few.
class PackedInts {
 public:
  /// Makes room for slot `slot`, whole blocks of it, and for `value` there: set() cannot fail then.
  /// May throw std::bad_alloc; no value has changed.
  void prepare(size_t slot, int64_t value);
  void set(size_t slot, int64_t value) noexcept;
  [[nodiscard]] int64_t operator[](size_t slot) const noexcept;
  /// Slots that there is room for.
  [[nodiscard]] size_t size() const noexcept;

  /// `f` with the values as they are stored: a pointer to int8_t, int16_t, int32_t or int64_t.
  template <typename F>
  decltype(auto) visit(const F& f) const {
    return std::visit([&](const auto& values) -> decltype(auto) { return f(values.data()); },
                      values_);
  }

  /// `slots` values of type T (of any alignment), in the place of what is here.
  template <typename T>
  void assign(const uint8_t* bytes, size_t slots);
  /// The first `slots` values, in type T, which holds all of them.
  template <typename T>
  [[nodiscard]] std::vector<T> first(size_t slots) const;

  [[nodiscard]] size_t memory_bytes() const noexcept;

 private:
  template <typename T>
  void widen();

  std::variant<std::vector<int8_t>, std::vector<int16_t>, std::vector<int32_t>,
               std::vector<int64_t>>
      values_;
};

}  // namespace loci::index

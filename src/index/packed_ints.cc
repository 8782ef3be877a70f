// SPDX-License-Identifier: Apache-2.0
//
// Tested by fields_test.cc.
#include "index/packed_ints.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include "index/bits.h"

namespace loci::index {

namespace {

template <typename T>
bool holds(int64_t value) {
  return value >= std::numeric_limits<T>::min() && value <= std::numeric_limits<T>::max();
}

template <typename T>
T value_at(const uint8_t* bytes, size_t slot) {
  T value;
  std::memcpy(&value, bytes + slot * sizeof(T), sizeof(T));
  return value;
}

}  // namespace

void PackedInts::prepare(size_t slot, int64_t value) {
  if (!holds<int32_t>(value)) {
    widen<int64_t>();
  } else if (!holds<int16_t>(value)) {
    widen<int32_t>();
  } else if (!holds<int8_t>(value)) {
    widen<int16_t>();
  }
  std::visit([slot](auto& values) { make_room(values, slot); }, values_);
}

// To T, unless what is here is as wide.
template <typename T>
void PackedInts::widen() {
  std::visit(
      [this](const auto& values) {
        if (sizeof(values[0]) >= sizeof(T)) return;
        std::vector<T> wider(values.begin(), values.end());
        values_ = std::move(wider);
      },
      values_);
}

void PackedInts::set(size_t slot, int64_t value) noexcept {
  std::visit(
      [=](auto& values) {
        using T = typename std::remove_reference_t<decltype(values)>::value_type;
        values[slot] = static_cast<T>(value);
      },
      values_);
}

int64_t PackedInts::operator[](size_t slot) const noexcept {
  return visit([slot](const auto* values) { return int64_t{values[slot]}; });
}

size_t PackedInts::size() const noexcept {
  return std::visit([](const auto& values) { return values.size(); }, values_);
}

template <typename T>
void PackedInts::assign(const uint8_t* bytes, size_t slots) {
  values_ = {};
  if (slots == 0) return;
  int64_t least = 0;
  int64_t greatest = 0;
  for (size_t slot = 0; slot < slots; ++slot) {
    const int64_t value = value_at<T>(bytes, slot);
    least = std::min(least, value);
    greatest = std::max(greatest, value);
  }
  prepare(slots - 1, least);
  prepare(slots - 1, greatest);
  std::visit(
      [&](auto& values) {
        using Stored = typename std::remove_reference_t<decltype(values)>::value_type;
        for (size_t slot = 0; slot < slots; ++slot) {
          values[slot] = static_cast<Stored>(value_at<T>(bytes, slot));
        }
      },
      values_);
}

template <typename T>
std::vector<T> PackedInts::first(size_t slots) const {
  std::vector<T> all(slots);
  visit([&](const auto* values) {
    std::transform(values, values + slots, all.begin(),
                   [](auto value) { return static_cast<T>(value); });
  });
  return all;
}

size_t PackedInts::memory_bytes() const noexcept {
  return std::visit([](const auto& values) { return values.capacity() * sizeof(values[0]); },
                    values_);
}

// What snapshots hold: integers, and codes of texts.
template void PackedInts::assign<int64_t>(const uint8_t* bytes, size_t slots);
template void PackedInts::assign<uint32_t>(const uint8_t* bytes, size_t slots);
template std::vector<int64_t> PackedInts::first<int64_t>(size_t slots) const;
template std::vector<uint32_t> PackedInts::first<uint32_t>(size_t slots) const;

}  // namespace loci::index

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/bytes.h"

namespace loci::index {

/// The distinct texts of a filter column, numbered. Texts are counted and forgotten with their last
/// row; their numbers are used again.
class Dictionary {
 public:
  /// The code of `text`, a new one when it is not there. May throw std::bad_alloc, then nothing has
  /// changed. A new entry has no owner until retain().
  uint32_t intern(std::string_view text);
  [[nodiscard]] std::optional<uint32_t> find(std::string_view text) const;
  void retain(uint32_t code) noexcept { ++entries_[code].owners; }
  void release(uint32_t code) noexcept;

  void save(base::ByteWriter& out) const;
  /// Takes over what save() wrote, without owners; false when it is not whole.
  [[nodiscard]] bool load(base::ByteReader& in);

  /// Codes are below this; some may be free.
  [[nodiscard]] size_t code_count() const noexcept { return entries_.size(); }
  /// The text of a code, null when the code is free.
  [[nodiscard]] const std::string* text(size_t code) const noexcept { return entries_[code].text; }
  [[nodiscard]] uint64_t owners(size_t code) const noexcept { return entries_[code].owners; }
  [[nodiscard]] size_t size() const noexcept { return codes_.size(); }
  [[nodiscard]] size_t memory_bytes() const noexcept;

 private:
  struct Entry {
    const std::string* text = nullptr;  ///< a key of codes_, whose nodes never move
    uint64_t owners = 0;
  };
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const noexcept {
      return std::hash<std::string_view>{}(text);
    }
  };

  std::unordered_map<std::string, uint32_t, Hash, std::equal_to<>> codes_;
  std::vector<Entry> entries_;  ///< by code
  std::vector<uint32_t> free_;  ///< codes to use again; capacity for all, so release cannot throw
  size_t text_bytes_ = 0;       ///< of the texts that a string keeps outside itself
};

}  // namespace loci::index

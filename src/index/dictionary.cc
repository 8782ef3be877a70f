// SPDX-License-Identifier: Apache-2.0
#include "index/dictionary.h"

#include <algorithm>

namespace loci::index {

namespace {

// What a std::string allocates beside itself.
size_t heap_bytes(const std::string& text) {
  static const size_t inside = std::string().capacity();
  return text.capacity() > inside ? text.capacity() + 1 : 0;
}

}  // namespace

uint32_t Dictionary::intern(std::string_view text) {
  if (const auto found = codes_.find(text); found != codes_.end()) return found->second;
  const bool reuse = !free_.empty();
  const uint32_t code = reuse ? free_.back() : static_cast<uint32_t>(entries_.size());
  if (!reuse) {
    if (entries_.size() == entries_.capacity()) {
      entries_.reserve(std::max<size_t>(16, entries_.size() * 2));
    }
    free_.reserve(entries_.capacity());
  }
  const auto [added, fresh] = codes_.emplace(std::string(text), code);
  static_cast<void>(fresh);
  // From here on nothing throws.
  if (reuse) {
    free_.pop_back();
  } else {
    entries_.emplace_back();
  }
  entries_[code] = {.text = &added->first, .owners = 0};
  text_bytes_ += heap_bytes(added->first);
  return code;
}

std::optional<uint32_t> Dictionary::find(std::string_view text) const {
  const auto found = codes_.find(text);
  if (found == codes_.end()) return std::nullopt;
  return found->second;
}

void Dictionary::release(uint32_t code) noexcept {
  Entry& entry = entries_[code];
  if (--entry.owners != 0) return;
  text_bytes_ -= heap_bytes(*entry.text);
  codes_.erase(codes_.find(*entry.text));
  entry.text = nullptr;
  free_.push_back(code);
}

void Dictionary::save(base::ByteWriter& out) const {
  out.varint(entries_.size());
  for (const Entry& entry : entries_) {
    out.u8(entry.text != nullptr ? 1 : 0);
    if (entry.text != nullptr) out.sized_bytes(base::as_bytes(*entry.text));
  }
}

bool Dictionary::load(base::ByteReader& in) {
  const uint64_t count = in.varint();
  if (!in.ok() || count > in.remaining()) return false;
  entries_.reserve(static_cast<size_t>(count));
  free_.reserve(entries_.capacity());
  for (uint32_t code = 0; code < count && in.ok(); ++code) {
    entries_.emplace_back();
    if (in.u8() == 0) {
      free_.push_back(code);
      continue;
    }
    const auto [added, fresh] = codes_.emplace(std::string(base::as_text(in.sized_bytes())), code);
    if (!fresh) return false;
    entries_[code].text = &added->first;
    text_bytes_ += heap_bytes(added->first);
  }
  return in.ok();
}

size_t Dictionary::memory_bytes() const noexcept {
  // A node of the map: next pointer, cached hash, key, code, and the allocator's header.
  const size_t node_bytes = 3 * sizeof(void*) + sizeof(std::string) + sizeof(uint64_t);
  return entries_.capacity() * sizeof(Entry) + free_.capacity() * sizeof(uint32_t) + text_bytes_ +
         codes_.bucket_count() * sizeof(void*) + codes_.size() * node_bytes;
}

}  // namespace loci::index

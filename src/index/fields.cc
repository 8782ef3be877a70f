// SPDX-License-Identifier: Apache-2.0
#include "index/fields.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>

#include "base/strings.h"

namespace loci::index {

namespace {

std::string_view value_type_name(const Value& value) {
  if (std::holds_alternative<int64_t>(value)) return "int";
  if (std::holds_alternative<double>(value)) return "float";
  if (std::holds_alternative<bool>(value)) return "bool";
  return std::holds_alternative<std::string>(value) ? "text" : "null";
}

bool is_null(const Value& value) {
  const auto* real = std::get_if<double>(&value);
  return std::holds_alternative<std::monostate>(value) || (real != nullptr && std::isnan(*real));
}

bool fits(FieldType type, const Value& value) {
  const auto* integer = std::get_if<int64_t>(&value);
  switch (type) {
    case FieldType::kText:
      return std::holds_alternative<std::string>(value);
    case FieldType::kInt:
      return integer != nullptr || std::holds_alternative<bool>(value);
    case FieldType::kFloat:
      return integer != nullptr || std::holds_alternative<double>(value);
    case FieldType::kBool:
      return std::holds_alternative<bool>(value) ||
             (integer != nullptr && (*integer == 0 || *integer == 1));
  }
  return false;
}

}  // namespace

Status FieldColumn::check(const Value& value) const {
  if (is_null(value) || fits(type_, value)) return {};
  return Status::corruption(base::str_cat("value of type ", value_type_name(value), ", expected ",
                                          field_type_name(type_)));
}

// Whole blocks are allocated, so that a filter reads a block without a test for the end.
template <typename T>
void FieldColumn::make_room(std::vector<T>& values, size_t slot) {
  if (slot < values.size()) return;
  const size_t slots = block_count(slot + 1) * kBlockRows;
  if (slots > values.capacity()) values.reserve(std::max(slots, values.capacity() * 2));
  values.resize(slots);
}

FieldColumn::Cell FieldColumn::prepare(size_t slot, const Value& value) {
  nulls_.reserve(slot + 1);
  Cell cell;
  cell.null = is_null(value);
  switch (type_) {
    case FieldType::kText:
      make_room(codes_, slot);
      if (!cell.null) cell.code = dictionary_.intern(std::get<std::string>(value));
      break;
    case FieldType::kInt:
    case FieldType::kBool:
      make_room(integers_, slot);
      if (const auto* integer = std::get_if<int64_t>(&value)) cell.integer = *integer;
      if (const auto* flag = std::get_if<bool>(&value)) cell.integer = *flag ? 1 : 0;
      break;
    case FieldType::kFloat:
      make_room(reals_, slot);
      if (const auto* integer = std::get_if<int64_t>(&value)) {
        cell.real = static_cast<double>(*integer);
      }
      if (const auto* real = std::get_if<double>(&value); real != nullptr && !cell.null) {
        cell.real = *real;
      }
      break;
  }
  return cell;
}

void FieldColumn::set(size_t slot, const Cell& cell, bool fresh) noexcept {
  const bool was_null = fresh || nulls_.test(slot);
  switch (type_) {
    case FieldType::kText:
      // Retained first: the old text may be the new one.
      if (!cell.null) dictionary_.retain(cell.code);
      if (!was_null) dictionary_.release(codes_[slot]);
      codes_[slot] = cell.code;
      break;
    case FieldType::kInt:
    case FieldType::kBool:
      integers_[slot] = cell.integer;
      break;
    case FieldType::kFloat:
      reals_[slot] = cell.real;
      break;
  }
  nulls_.set(slot, cell.null);
}

void FieldColumn::remove(size_t slot, size_t last) noexcept {
  switch (type_) {
    case FieldType::kText:
      if (!nulls_.test(slot)) dictionary_.release(codes_[slot]);
      codes_[slot] = codes_[last];
      codes_[last] = 0;
      break;
    case FieldType::kInt:
    case FieldType::kBool:
      integers_[slot] = integers_[last];
      break;
    case FieldType::kFloat:
      reals_[slot] = reals_[last];
      break;
  }
  nulls_.set(slot, nulls_.test(last));
  nulls_.set(last, false);
}

void FieldColumn::clear(size_t slot) noexcept {
  if (type_ == FieldType::kText && !nulls_.test(slot)) {
    dictionary_.release(codes_[slot]);
    codes_[slot] = 0;
  }
  nulls_.set(slot, true);
}

Status FieldColumn::save(uint32_t number, size_t slots, SnapshotWriter& out) const {
  const auto bytes_of = [](const auto& values, size_t count) {
    return base::ByteSpan(reinterpret_cast<const uint8_t*>(values.data()),
                          count * sizeof(values[0]));
  };
  const std::span<const uint64_t> words = nulls_.words();
  LOCI_RETURN_IF_ERROR(
      out.add({SegmentKind::kFieldNulls, number, 0}, slots, bytes_of(words, words.size())));
  const SegmentKey values{SegmentKind::kFieldValues, number, 0};
  switch (type_) {
    case FieldType::kInt:
    case FieldType::kBool:
      return out.add(values, slots, bytes_of(integers_, slots));
    case FieldType::kFloat:
      return out.add(values, slots, bytes_of(reals_, slots));
    case FieldType::kText:
      break;
  }
  LOCI_RETURN_IF_ERROR(out.add(values, slots, bytes_of(codes_, slots)));
  base::ByteWriter texts;
  dictionary_.save(texts);
  return out.add({SegmentKind::kDictionary, number, 0}, dictionary_.code_count(), texts.view());
}

Status FieldColumn::load(uint32_t number, size_t slots, SnapshotFile& from) {
  LOCI_ASSIGN_OR_RETURN(const SnapshotFile::Segment nulls,
                        from.read({SegmentKind::kFieldNulls, number, 0}));
  LOCI_RETURN_IF_ERROR(nulls_.assign(nulls.bytes, slots));
  LOCI_ASSIGN_OR_RETURN(const SnapshotFile::Segment values,
                        from.read({SegmentKind::kFieldValues, number, 0}));
  const auto take = [&](auto& into) -> Status {
    const size_t bytes = slots * sizeof(into[0]);
    if (values.bytes.size() < bytes) return Status::corruption("snapshot: filter values cut off");
    if (slots == 0) return {};
    make_room(into, slots - 1);
    std::memcpy(into.data(), values.bytes.data(), bytes);
    return {};
  };
  if (type_ == FieldType::kFloat) return take(reals_);
  if (type_ != FieldType::kText) return take(integers_);
  LOCI_RETURN_IF_ERROR(take(codes_));
  LOCI_ASSIGN_OR_RETURN(const SnapshotFile::Segment texts,
                        from.read({SegmentKind::kDictionary, number, 0}));
  base::ByteReader in{base::ByteSpan(texts.bytes)};
  if (!dictionary_.load(in)) return Status::corruption("snapshot: texts of a filter are cut off");
  for (size_t slot = 0; slot < slots; ++slot) {
    if (nulls_.test(slot)) continue;
    if (codes_[slot] >= dictionary_.code_count() || dictionary_.text(codes_[slot]) == nullptr) {
      return Status::corruption("snapshot: a filter value without its text");
    }
    dictionary_.retain(codes_[slot]);
  }
  return {};
}

size_t FieldColumn::memory_bytes() const noexcept {
  return nulls_.memory_bytes() + integers_.capacity() * sizeof(int64_t) +
         reals_.capacity() * sizeof(double) + codes_.capacity() * sizeof(uint32_t) +
         dictionary_.memory_bytes();
}

Status FieldColumn::check_invariants(size_t slots) const {
  const size_t values = integers_.size() + reals_.size() + codes_.size();
  if (values < slots)
    return Status::internal(base::str_cat(values, " values for ", slots, " rows"));
  std::vector<uint64_t> owners(dictionary_.code_count());
  for (size_t slot = 0; slot < slots; ++slot) {
    if (nulls_.test(slot) || type_ != FieldType::kText) continue;
    if (codes_[slot] >= owners.size() || dictionary_.text(codes_[slot]) == nullptr) {
      return Status::internal(base::str_cat("slot ", slot, " has the free code ", codes_[slot]));
    }
    ++owners[codes_[slot]];
  }
  for (size_t code = 0; code < owners.size(); ++code) {
    if (owners[code] != dictionary_.owners(code)) {
      return Status::internal(base::str_cat("code ", code, " has ", owners[code], " rows, counted ",
                                            dictionary_.owners(code)));
    }
  }
  return {};
}

}  // namespace loci::index

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

FieldColumn::Cell FieldColumn::prepare(size_t slot, const Value& value) {
  nulls_.reserve(slot + 1);
  Cell cell;
  cell.null = is_null(value);
  if (type_ == FieldType::kFloat) {
    make_room(reals_, slot);
    if (const auto* integer = std::get_if<int64_t>(&value)) {
      cell.real = static_cast<double>(*integer);
    }
    if (const auto* real = std::get_if<double>(&value); real != nullptr && !cell.null) {
      cell.real = *real;
    }
    return cell;
  }
  if (const auto* integer = std::get_if<int64_t>(&value)) cell.number = *integer;
  if (const auto* flag = std::get_if<bool>(&value)) cell.number = *flag ? 1 : 0;
  if (const auto* text = std::get_if<std::string>(&value)) {
    cell.number = dictionary_.intern(*text);
  }
  numbers_.prepare(slot, cell.number);
  return cell;
}

void FieldColumn::set(size_t slot, const Cell& cell, bool fresh) noexcept {
  if (type_ == FieldType::kFloat) {
    reals_[slot] = cell.real;
  } else {
    if (type_ == FieldType::kText) {
      // Retained first: the old text may be the new one.
      if (!cell.null) dictionary_.retain(static_cast<uint32_t>(cell.number));
      if (!fresh && !nulls_.test(slot)) dictionary_.release(code(slot));
    }
    numbers_.set(slot, cell.number);
  }
  nulls_.set(slot, cell.null);
}

void FieldColumn::remove(size_t slot, size_t last) noexcept {
  if (type_ == FieldType::kFloat) {
    reals_[slot] = reals_[last];
  } else {
    if (type_ == FieldType::kText && !nulls_.test(slot)) dictionary_.release(code(slot));
    numbers_.set(slot, numbers_[last]);
    numbers_.set(last, 0);
  }
  nulls_.set(slot, nulls_.test(last));
  nulls_.set(last, false);
}

void FieldColumn::clear(size_t slot) noexcept {
  if (type_ == FieldType::kText && !nulls_.test(slot)) {
    dictionary_.release(code(slot));
    numbers_.set(slot, 0);
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
      return out.add(values, slots, bytes_of(numbers_.first<int64_t>(slots), slots));
    case FieldType::kFloat:
      return out.add(values, slots, bytes_of(reals_, slots));
    case FieldType::kText:
      break;
  }
  LOCI_RETURN_IF_ERROR(out.add(values, slots, bytes_of(numbers_.first<uint32_t>(slots), slots)));
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
  const size_t width = type_ == FieldType::kText ? sizeof(uint32_t) : sizeof(int64_t);
  if (values.bytes.size() < slots * width) {
    return Status::corruption("snapshot: filter values cut off");
  }
  if (type_ == FieldType::kFloat) {
    if (slots == 0) return {};
    make_room(reals_, slots - 1);
    std::memcpy(reals_.data(), values.bytes.data(), slots * width);
    return {};
  }
  if (type_ != FieldType::kText) {
    numbers_.assign<int64_t>(values.bytes.data(), slots);
    return {};
  }
  numbers_.assign<uint32_t>(values.bytes.data(), slots);
  LOCI_ASSIGN_OR_RETURN(const SnapshotFile::Segment texts,
                        from.read({SegmentKind::kDictionary, number, 0}));
  base::ByteReader in{base::ByteSpan(texts.bytes)};
  if (!dictionary_.load(in)) return Status::corruption("snapshot: texts of a filter are cut off");
  for (size_t slot = 0; slot < slots; ++slot) {
    if (nulls_.test(slot)) {
      numbers_.set(slot, 0);
      continue;
    }
    if (code(slot) >= dictionary_.code_count() || dictionary_.text(code(slot)) == nullptr) {
      return Status::corruption("snapshot: a filter value without its text");
    }
    dictionary_.retain(code(slot));
  }
  return {};
}

size_t FieldColumn::memory_bytes() const noexcept {
  return nulls_.memory_bytes() + numbers_.memory_bytes() + reals_.capacity() * sizeof(double) +
         dictionary_.memory_bytes();
}

Status FieldColumn::check_invariants(size_t slots) const {
  const size_t values = numbers_.size() + reals_.size();
  if (values < slots)
    return Status::internal(base::str_cat(values, " values for ", slots, " rows"));
  std::vector<uint64_t> owners(dictionary_.code_count());
  for (size_t slot = 0; slot < slots; ++slot) {
    if (nulls_.test(slot) || type_ != FieldType::kText) continue;
    if (code(slot) >= owners.size() || dictionary_.text(code(slot)) == nullptr) {
      return Status::internal(base::str_cat("slot ", slot, " has the free code ", code(slot)));
    }
    ++owners[code(slot)];
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

// SPDX-License-Identifier: Apache-2.0
#include "index/fields.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <vector>

namespace loci::index {
namespace {

TEST(DictionaryTest, TextsLeaveWithTheirLastOwnerAndCodesAreReused) {
  Dictionary dictionary;
  const uint32_t a = dictionary.intern("a");
  EXPECT_EQ(dictionary.intern("a"), a);
  dictionary.retain(a);
  dictionary.retain(a);
  dictionary.release(a);
  EXPECT_EQ(dictionary.find("a"), a);
  dictionary.release(a);
  EXPECT_FALSE(dictionary.find("a").has_value());
  EXPECT_EQ(dictionary.text(a), nullptr);
  EXPECT_EQ(dictionary.intern("b"), a);
  EXPECT_EQ(dictionary.size(), 1U);
}

TEST(DictionaryTest, MemoryGrowsWithTheTexts) {
  Dictionary dictionary;
  const size_t before = dictionary.memory_bytes();
  dictionary.retain(dictionary.intern(std::string(1'000'000, 'x')));
  EXPECT_GT(dictionary.memory_bytes(), before + 1'000'000);
  dictionary.release(0);
  EXPECT_LT(dictionary.memory_bytes(), 1'000'000U);
}

TEST(FieldColumnTest, AcceptsWhatTheColumnCanHold) {
  const auto accepts = [](FieldType type, const Value& value) {
    return FieldColumn(type).check(value).ok();
  };
  for (const FieldType type :
       {FieldType::kText, FieldType::kInt, FieldType::kFloat, FieldType::kBool}) {
    EXPECT_TRUE(accepts(type, std::monostate{}));
    EXPECT_TRUE(accepts(type, std::nan("")));  // NULL, as SQLite has it
    EXPECT_EQ(accepts(type, std::string("x")), type == FieldType::kText);
    EXPECT_EQ(accepts(type, 1.5), type == FieldType::kFloat);
    EXPECT_EQ(accepts(type, int64_t{2}), type == FieldType::kInt || type == FieldType::kFloat);
    EXPECT_EQ(accepts(type, int64_t{1}), type != FieldType::kText);
  }
  EXPECT_EQ(FieldColumn(FieldType::kInt).check(std::string("x")).code(), StatusCode::kCorruption);
}

TEST(FieldColumnTest, RandomSetsAndRemovalsAgreeWithAVector) {
  std::mt19937_64 random(8);
  FieldColumn column(FieldType::kText);
  std::vector<Value> model;
  for (int step = 0; step < 20000; ++step) {
    if (random() % 5 == 0 && !model.empty()) {
      const size_t slot = random() % model.size();
      column.remove(slot, model.size() - 1);
      model[slot] = model.back();
      model.pop_back();
      continue;
    }
    const size_t slot = random() % 3 == 0 ? model.size() : random() % (model.size() + 1);
    const Value value = random() % 4 == 0 ? Value(std::monostate{})
                                          : Value("text" + std::to_string(random() % 300));
    column.set(slot, column.prepare(slot, value), slot == model.size());
    if (slot == model.size()) model.emplace_back();
    model[slot] = value;
    if (step % 1000 != 0) continue;
    const Status status = column.check_invariants(model.size());
    ASSERT_TRUE(status.ok()) << status.to_string() << " seed 8, step " << step;
  }
  for (size_t slot = 0; slot < model.size(); ++slot) {
    const auto* text = std::get_if<std::string>(&model[slot]);
    ASSERT_EQ(column.nulls().test(slot), text == nullptr);
    if (text != nullptr) {
      ASSERT_EQ(*column.dictionary().text(static_cast<uint32_t>(column.numbers()[slot])), *text);
    }
  }
}

TEST(FieldColumnTest, IntegersOfGrowingWidthAgreeWithAVector) {
  constexpr size_t kSlots = 3000;
  std::mt19937_64 random(9);
  for (const int bits : {7, 8, 15, 16, 31, 32, 63}) {
    FieldColumn column(FieldType::kInt);
    std::vector<int64_t> model;
    for (int step = 0; step < 9000; ++step) {
      const size_t slot = model.size() < kSlots ? model.size() : random() % kSlots;
      // The widest come late, so that narrow values are there to be widened.
      const int width = step < 6000 ? std::min(bits, 7) : bits;
      const auto magnitude = static_cast<int64_t>(random() >> (64 - width));
      const int64_t value = random() % 2 == 0 ? magnitude : -magnitude - 1;
      const bool fresh = slot == model.size();
      column.set(slot, column.prepare(slot, value), fresh);
      if (fresh) model.push_back(value);
      model[slot] = value;
    }
    for (size_t slot = 0; slot < kSlots; ++slot) {
      ASSERT_EQ(column.numbers()[slot], model[slot]) << bits << " bits, slot " << slot;
    }
    const size_t wide = bits == 7 ? 1 : bits <= 15 ? 2 : bits <= 31 ? 4 : 8;
    column.numbers().visit([&](const auto* values) { EXPECT_EQ(sizeof(*values), wide); });
  }
}

}  // namespace
}  // namespace loci::index

// SPDX-License-Identifier: Apache-2.0
#include "index/row_slots.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace loci::index {
namespace {

TEST(RowSlotsTest, RandomAppendsAndRemovalsAgreeWithAMap) {
  for (const int64_t range : {40, 3000, 1 << 30}) {
    std::mt19937_64 random(11);
    SCOPED_TRACE(testing::Message() << "seed 11, range " << range);
    RowSlots slots;
    std::map<RowId, bool> model;
    for (int step = 0; step < 20000; ++step) {
      // Negative rowids and multiples of a power of two too: the hash takes the top bits.
      const RowId row{(static_cast<int64_t>(random() % static_cast<uint64_t>(range)) - range / 2) *
                      (step % 2 == 0 ? 1 : 4096)};
      const auto slot = slots.find(row);
      ASSERT_EQ(slot.has_value(), model.contains(row));
      if (slot.has_value()) {
        ASSERT_EQ(slots.row(*slot), row);
        slots.remove(*slot);
        model.erase(row);
      } else {
        slots.reserve_one();
        ASSERT_EQ(slots.append(row), model.size());
        model[row] = true;
      }
      ASSERT_EQ(slots.size(), model.size());
      if (step % 1000 == 0) {
        ASSERT_TRUE(slots.check_invariants().ok());
      }
    }
    for (const auto& entry : model) ASSERT_TRUE(slots.find(entry.first).has_value());
    const Status status = slots.check_invariants();
    ASSERT_TRUE(status.ok()) << status.to_string();
  }
}

TEST(RowSlotsTest, HolesAreFilledTheLeastFirst) {
  RowSlots slots;
  for (int64_t row = 0; row < 100; ++row) {
    slots.reserve_one();
    (void)slots.append(RowId{row});
  }
  for (const size_t slot : {70, 3, 42, 99}) slots.vacate(slot);
  EXPECT_EQ(slots.size(), 96U);
  EXPECT_EQ(slots.slots(), 100U);
  EXPECT_FALSE(slots.find(RowId{42}).has_value());
  ASSERT_TRUE(slots.check_invariants().ok());
  RowSlots loaded;  // holes are known again by their rowid
  ASSERT_TRUE(loaded.assign(slots.rows()).ok());
  for (RowSlots* const filled : {&slots, &loaded}) {
    int64_t row = 1000;
    for (const size_t slot : {3, 42, 70, 99, 100}) {
      filled->reserve_one();
      EXPECT_EQ(filled->append(RowId{row}), slot);
      EXPECT_EQ(filled->find(RowId{row}), slot);
      ++row;
    }
    EXPECT_FALSE(filled->has_holes());
    const Status status = filled->check_invariants();
    EXPECT_TRUE(status.ok()) << status.to_string();
  }
}

TEST(RowSlotsTest, FindsNothingWhenEmpty) {
  RowSlots slots;
  EXPECT_FALSE(slots.find(RowId{1}).has_value());
  slots.reserve_one();
  slots.append(RowId{INT64_MAX});
  slots.remove(0);
  EXPECT_FALSE(slots.find(RowId{INT64_MAX}).has_value());
  EXPECT_EQ(slots.size(), 0U);
}

}  // namespace
}  // namespace loci::index

// SPDX-License-Identifier: Apache-2.0
#include "base/port.h"

#include <gtest/gtest.h>

#include <clocale>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <string>

namespace loci::base {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

TEST(ParseDoubleTest, ReadsNumbers) {
  EXPECT_EQ(parse_double("1"), 1.0);
  EXPECT_EQ(parse_double("+1.5"), 1.5);
  EXPECT_EQ(parse_double("-2.5e-3"), -0.0025);
  EXPECT_EQ(parse_double(".5"), 0.5);
  EXPECT_EQ(parse_double("inf"), kInf);
  EXPECT_EQ(parse_double("-inf"), -kInf);
  EXPECT_TRUE(std::isnan(*parse_double("nan")));
}

TEST(ParseDoubleTest, OutOfRangeBecomesInfinityOrZero) {
  EXPECT_EQ(parse_double("1e999"), kInf);
  EXPECT_EQ(parse_double("-1e999"), -kInf);
  EXPECT_EQ(parse_double("1e-999"), 0.0);
  EXPECT_TRUE(std::signbit(*parse_double("-1e-999")));
  EXPECT_EQ(parse_double("0.0001e400"), kInf);
  EXPECT_EQ(parse_double("0." + std::string(500, '0') + "1"), 0.0);
  EXPECT_EQ(parse_double("1" + std::string(500, '0')), kInf);
  EXPECT_EQ(parse_double("1e99999999999999999999"), kInf);
  EXPECT_EQ(parse_double("1e-99999999999999999999"), 0.0);
  EXPECT_EQ(parse_float("1e39"), std::numeric_limits<float>::infinity());
}

TEST(ParseDoubleTest, RefusesWhatIsNotWhollyANumber) {
  for (const char* const text : {"", " 1", "1 ", "+", "-", "+-1", "--1", "++1", "0x10", "1,5", "1e",
                                 "e5", "1.2.3", "abc", "1f"}) {
    EXPECT_FALSE(parse_double(text).has_value()) << "'" << text << "'";
  }
}

TEST(ParseDoubleTest, IgnoresTheLocale) {
  const std::string before = std::setlocale(LC_NUMERIC, nullptr);
  // Where the locale is not installed this still tests the "C" locale.
  static_cast<void>(std::setlocale(LC_NUMERIC, "de_DE.UTF-8"));
  EXPECT_EQ(parse_double("1.5"), 1.5);
  EXPECT_EQ(format_double(1.5), "1.5");
  static_cast<void>(std::setlocale(LC_NUMERIC, before.c_str()));
}

TEST(FormatDoubleTest, IsShort) {
  EXPECT_EQ(format_double(0.1), "0.1");
  EXPECT_EQ(format_double(384), "384");
  EXPECT_EQ(format_double(-0.0), "-0");
  EXPECT_EQ(format_double(kInf), "inf");
  EXPECT_EQ(format_double(-std::numeric_limits<double>::quiet_NaN()), "nan");
  EXPECT_EQ(format_float(0.1F), "0.1");
}

TEST(FormatDoubleTest, ReadsBackTheSameBits) {
  constexpr uint64_t kSeed = 7;
  std::mt19937_64 random(kSeed);
  for (int i = 0; i < 20000; ++i) {
    const uint64_t bits = random();
    const double value = bit_cast<double>(bits);
    if (std::isnan(value)) continue;
    EXPECT_EQ(bit_cast<uint64_t>(*parse_double(format_double(value))), bits) << "seed " << kSeed;
    const float single = bit_cast<float>(static_cast<uint32_t>(bits));
    if (std::isnan(single)) continue;
    EXPECT_EQ(*parse_float(format_float(single)), single) << "seed " << kSeed;
  }
}

TEST(ParseIntTest, ReadsWholeIntegersOnly) {
  EXPECT_EQ(parse_int("9223372036854775807"), INT64_MAX);
  EXPECT_EQ(parse_int("-9223372036854775808"), INT64_MIN);
  EXPECT_EQ(parse_int("+7"), 7);
  for (const char* const text : {"", "9223372036854775808", "1.0", " 1", "+-1", "x"}) {
    EXPECT_FALSE(parse_int(text).has_value()) << "'" << text << "'";
  }
}

}  // namespace
}  // namespace loci::base

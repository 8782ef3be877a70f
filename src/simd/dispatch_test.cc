// SPDX-License-Identifier: Apache-2.0
#include "simd/dispatch.h"

#include <gtest/gtest.h>
#include <stdlib.h>  // setenv, in the child processes of death tests only

#include <string>

#include "loci/database.h"

namespace loci::simd {
namespace {

TEST(DispatchTest, BestTierIsChosenUnlessForced) {
  const Result<const Kernels*> chosen = kernels_or_error();
  ASSERT_TRUE(chosen.has_value()) << chosen.error().to_string();
  EXPECT_EQ(&kernels(), *chosen);
  const Result<std::string> name = simd_tier();
  ASSERT_TRUE(name.has_value());
  EXPECT_EQ(*name, kernels().tier);
}

TEST(DispatchTest, EveryTierIsFoundByItsName) {
  EXPECT_STREQ(available_kernels().front()->tier, "scalar");
  for (const Kernels* const expected : available_kernels()) {
    const Result<const Kernels*> found = kernels_of(expected->tier);
    ASSERT_TRUE(found.has_value());
    EXPECT_EQ(*found, expected);
  }
}

TEST(DispatchTest, UnknownOrForeignTierIsAnErrorThatListsWhatIsThere) {
  for (const char* const name : {"sse9", "", "AVX2", "scalar "}) {
    const Result<const Kernels*> found = kernels_of(name);
    ASSERT_FALSE(found.has_value()) << name;
    EXPECT_EQ(found.error().code(), StatusCode::kInvalidArgument);
    EXPECT_NE(found.error().message().find("scalar"), std::string_view::npos);
  }
#if defined(__x86_64__)
  EXPECT_FALSE(kernels_of("neon").has_value());
#endif
}

// The choice is made once a process, so each case runs in a process of its own.
void exit_with(const char* value, bool expect_error) {
  ::setenv("LOCI_SIMD", value, 1);  // NOLINT(concurrency-mt-unsafe): a child with one thread
  const Result<const Kernels*> chosen = kernels_or_error();
  bool good = chosen.has_value() != expect_error;
  if (expect_error) {
    good = good && !simd_tier().has_value() &&
           chosen.error().message().find("LOCI_SIMD") != std::string_view::npos &&
           std::string(kernels().tier) == "scalar";
  } else {
    good = good && std::string(kernels().tier) == value;
  }
  ::_exit(good ? 0 : 1);
}

class DispatchDeathTest : public testing::Test {
 protected:
  void SetUp() override { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

TEST_F(DispatchDeathTest, VariableForcesATier) {
  EXPECT_EXIT(exit_with("scalar", false), testing::ExitedWithCode(0), "");
}
TEST_F(DispatchDeathTest, BadVariableIsAnErrorNotAFallback) {
  EXPECT_EXIT(exit_with("sse9", true), testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace loci::simd

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <initializer_list>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "loci/loci.h"

namespace loci::testing {

/// Shows the whole status when it is not ok.
::testing::AssertionResult is_ok(const Status& status);
template <typename T>
::testing::AssertionResult is_ok(const Result<T>& result) {
  return is_ok(result.status());
}

/// True when `status` has this code and its message contains every part: what, which, got, allowed.
::testing::AssertionResult fails_with(const Status& status, StatusCode code,
                                      std::initializer_list<std::string_view> parts = {});
template <typename T>
::testing::AssertionResult fails_with(const Result<T>& result, StatusCode code,
                                      std::initializer_list<std::string_view> parts = {}) {
  return fails_with(result.status(), code, parts);
}

#define ASSERT_OK(expression) ASSERT_TRUE(::loci::testing::is_ok(expression))
#define EXPECT_OK(expression) EXPECT_TRUE(::loci::testing::is_ok(expression))

/// What check() found, one finding a line: empty is a clean file.
std::string check_report(Database& database);
/// Every row of a collection, archived ones and vectors too, as text: to compare before and after.
std::string dump(Collection& collection);
/// One row as a line of dump().
std::string describe(const Record& record);

/// The distance by its definition, in double, one component after the other: the oracle.
double oracle_distance(Metric metric, VectorView a, VectorView b);

/// A seeded source of test data that gives the same values on every platform.
class Random {
 public:
  explicit Random(uint64_t seed) : engine_(seed) {}
  /// Uniform in [0, bound).
  size_t below(size_t bound) { return static_cast<size_t>(engine_() % bound); }
  bool one_in(size_t n) { return below(n) == 0; }
  /// Uniform in [0, 1).
  double unit() { return static_cast<double>(engine_() >> 11) * 0x1.0p-53; }
  /// Components in [-1, 1), not all zero.
  std::vector<float> vector(size_t dim);

 private:
  std::mt19937_64 engine_;
};

/// The deterministic embedding sin(i * seed): never zero, the same everywhere.
std::vector<float> sine_vector(size_t dim, double seed);

/// How many seeds a randomised test runs: LOCI_TEST_ROUNDS, else `short_run`.
int test_rounds(int short_run);

/// LOCI_TEST_SEED: the one seed that a randomised test is to run; 0: not given.
uint64_t test_seed();

/// LOCI_SOAK=1: the tests that have a full form run it.
bool soak();

/// A vector column without a model.
VectorColumn vector_column(std::string_view name, size_t dim, Metric metric);
/// A record with one vector in column "embedding" and, when not empty, a text id.
Record vector_record(std::string_view id, std::vector<float> vector);
/// Value of a column in a record; monostate when it is not there.
Value field(const Record& record, std::string_view column);
/// Rowids of hits in their order.
std::vector<int64_t> rowids(const std::vector<Hit>& hits);
/// A float32 vector as an SQL BLOB literal, little-endian.
std::string blob_literal(VectorView vector);

}  // namespace loci::testing

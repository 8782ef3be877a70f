// SPDX-License-Identifier: Apache-2.0
#include "loci/status.h"

#include <gtest/gtest.h>

#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <utility>

#include "base/c_edge.h"

namespace loci {
namespace {

TEST(StatusTest, DefaultIsOk) {
  const Status status;
  EXPECT_TRUE(status.ok());
  EXPECT_EQ(status.code(), StatusCode::kOk);
  EXPECT_EQ(status.message(), "");
  EXPECT_EQ(status.to_string(), "ok");
  EXPECT_EQ(sizeof(Status), sizeof(void*));
}

TEST(StatusTest, OkCodeWithAMessageIsStillOk) {
  EXPECT_TRUE(Status(StatusCode::kOk, "ignored").ok());
}

TEST(StatusTest, CarriesCodeAndMessage) {
  const Status status = Status::invalid_argument("dim 3, expected 4");
  EXPECT_FALSE(status.ok());
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(status.to_string(), "invalid_argument: dim 3, expected 4");
}

TEST(StatusTest, FactoriesGiveTheirCodesAndNames) {
  const std::pair<Status, const char*> cases[] = {
      {Status::invalid_argument("m"), "invalid_argument"},
      {Status::not_found("m"), "not_found"},
      {Status::already_exists("m"), "already_exists"},
      {Status::failed_precondition("m"), "failed_precondition"},
      {Status::busy("m"), "busy"},
      {Status::full("m"), "full"},
      {Status::io_error("m"), "io_error"},
      {Status::corruption("m"), "corruption"},
      {Status::out_of_memory("m"), "out_of_memory"},
      {Status::unsupported("m"), "unsupported"},
      {Status::cancelled("m"), "cancelled"},
      {Status::internal("m"), "internal"}};
  int number = 1;  // the codes are numbered by hand and shared with the C ABI
  for (const auto& [status, name] : cases) {
    EXPECT_EQ(status_code_name(status.code()), name);
    EXPECT_EQ(static_cast<int>(status.code()), number++);
  }
  EXPECT_EQ(status_code_name(static_cast<StatusCode>(99)), "unknown");
}

TEST(StatusTest, CopiesAreIndependentAndMovesLeaveOk) {
  Status first = Status::busy("locked");
  Status second = first;
  EXPECT_EQ(second.message(), "locked");
  const Status third = std::move(first);
  EXPECT_EQ(third.message(), "locked");
  second = Status();
  EXPECT_TRUE(second.ok());
  second = third;
  const Status& alias = second;
  second = alias;
  EXPECT_EQ(second.code(), StatusCode::kBusy);
}

TEST(StatusTest, ContextIsPrependedAndOkStaysOk) {
  const Status status = Status::io_error("read failed").with_context("file 'x'");
  EXPECT_EQ(status.to_string(), "io_error: file 'x': read failed");
  EXPECT_EQ(Status::busy("").with_context("a").message(), "a");
  EXPECT_TRUE(Status().with_context("file 'x'").ok());
}

Result<int> half(int number) {
  if (number % 2 != 0) return Status::invalid_argument("odd");
  return number / 2;
}

Result<int> quarter(int number) {
  LOCI_ASSIGN_OR_RETURN(const int once, half(number));
  LOCI_ASSIGN_OR_RETURN(const int twice, half(once));
  return twice;
}

Status check_even(int number) {
  LOCI_RETURN_IF_ERROR(half(number).error());
  return {};
}

TEST(ResultTest, MacrosPassValuesAndErrorsOn) {
  EXPECT_EQ(*quarter(12), 3);
  EXPECT_EQ(quarter(6).error().message(), "odd");
  EXPECT_TRUE(check_even(4).ok());
  EXPECT_FALSE(check_even(5).ok());
  EXPECT_EQ(*half(8).and_then(half), 2);
  EXPECT_FALSE(half(7).and_then(half).has_value());
}

TEST(ResultTest, HoldsMoveOnlyValues) {
  Result<std::unique_ptr<int>> result(std::make_unique<int>(5));
  ASSERT_TRUE(result.has_value());
  const std::unique_ptr<int> taken = *std::move(result);
  EXPECT_EQ(*taken, 5);
}

TEST(StatusTest, NoMemoryIsCopiedAndReplacedLikeAnyOther) {
  const Status first = Status::no_memory();
  Status copy = first;
  EXPECT_EQ(copy.to_string(), "out_of_memory: out of memory");
  copy = Status::busy("b");
  EXPECT_EQ(copy.to_string(), "busy: b");
  copy = first;
  EXPECT_EQ(copy.code(), StatusCode::kOutOfMemory);
  const Status moved = std::move(copy);
  EXPECT_EQ(moved.with_context("search").message(), "search: out of memory");
  EXPECT_EQ(first.code(), StatusCode::kOutOfMemory);
}

TEST(GuardedTest, PassesResultsThrough) {
  EXPECT_TRUE(base::guarded([] { return Status(); }).ok());
  EXPECT_EQ(*base::guarded([] { return Result<int>(4); }), 4);
}

TEST(GuardedTest, TurnsExceptionsIntoCodes) {
  const Status memory = base::guarded([]() -> Status { throw std::bad_alloc(); });
  EXPECT_EQ(memory.code(), StatusCode::kOutOfMemory);
  const Status user = base::guarded([]() -> Status { throw std::runtime_error("callback"); });
  EXPECT_EQ(user.code(), StatusCode::kInternal);
  EXPECT_EQ(user.message(), "callback");
  const Status length = base::guarded([]() -> Status { throw std::length_error("vector"); });
  EXPECT_EQ(length.code(), StatusCode::kOutOfMemory);
  const Result<int> other = base::guarded([]() -> Result<int> { throw 7; });
  EXPECT_EQ(other.error().code(), StatusCode::kInternal);
}

}  // namespace
}  // namespace loci

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cassert>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#if defined(__GNUC__) || defined(__clang__)
#define LOCI_API [[gnu::visibility("default")]]
#else
#define LOCI_API
#endif

namespace loci {

/// What kind of failure a Status reports. Shared with the C ABI, JSON and exit codes.
/// Numbered by hand: never renumber.
enum class StatusCode : int {
  kOk = 0,
  kInvalidArgument = 1,     ///< the caller's input is wrong: dimension, NaN, unknown column
  kNotFound = 2,            ///< no such collection, row, file
  kAlreadyExists = 3,       ///< a unique id, a collection name
  kFailedPrecondition = 4,  ///< the state forbids it: read-only, model mismatch, newer format
  kBusy = 5,                ///< another writer holds the lock past the time-out
  kFull = 6,                ///< disk full or a documented limit reached
  kIoError = 7,             ///< the operating system refused a read or a write
  kCorruption = 8,          ///< bytes on disk that no Loci or SQLite wrote
  kOutOfMemory = 9,
  kUnsupported = 10,  ///< this build or this SQLite cannot do it
  kCancelled = 11,    ///< the caller asked to stop
  kInternal = 12,     ///< a bug of ours; please report
};

/// The lower-case name of a code, as JSON output and logs show it: "invalid_argument".
LOCI_API std::string_view status_code_name(StatusCode code) noexcept;

/// The outcome of an operation: success, or a code and a message that says what, which, got and
/// allowed. One pointer wide; null is success. Safe to copy, cheap to move.
class [[nodiscard]] LOCI_API Status {
 public:
  Status() noexcept = default;
  Status(StatusCode code, std::string message);
  Status(const Status& other);
  Status& operator=(const Status& other);
  Status(Status&&) noexcept = default;
  Status& operator=(Status&&) noexcept = default;
  ~Status() = default;

  static Status ok_status() noexcept { return {}; }
  static Status invalid_argument(std::string message);
  static Status not_found(std::string message);
  static Status already_exists(std::string message);
  static Status failed_precondition(std::string message);
  static Status busy(std::string message);
  static Status full(std::string message);
  static Status io_error(std::string message);
  static Status corruption(std::string message);
  static Status out_of_memory(std::string message);
  /// kOutOfMemory with a message of its own; takes no memory, and neither does copying it.
  static Status no_memory() noexcept;
  static Status unsupported(std::string message);
  static Status cancelled(std::string message);
  static Status internal(std::string message);

  [[nodiscard]] bool ok() const noexcept { return rep_ == nullptr; }
  [[nodiscard]] StatusCode code() const noexcept;
  /// Empty when ok(). Valid as long as this Status.
  [[nodiscard]] std::string_view message() const noexcept;
  /// "ok", or "invalid_argument: collection 'docs': dim 512, expected 768".
  [[nodiscard]] std::string to_string() const;
  /// The same code with `context` and ": " before the message; ok() stays ok().
  [[nodiscard]] Status with_context(std::string_view context) const;

  /// Says in the code that a failure is meant to be dropped (always with a comment that says why).
  void ignore() const noexcept {}

 private:
  struct Rep {
    StatusCode code;
    std::string message;
  };
  struct Release {
    void operator()(const Rep* rep) const noexcept;
  };
  using RepPtr = std::unique_ptr<const Rep, Release>;
  static RepPtr make_rep(StatusCode code, std::string message);
  static const Rep& no_memory_rep() noexcept;  // shared, never released

  RepPtr rep_;
};

/// A value or the Status that explains its absence. Never holds an ok Status.
/// Keeps the names of std::expected, so that moving to it later is mechanical.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}  // NOLINT(google-explicit-constructor): by design
  Result(Status error) : error_(std::move(error)) {  // NOLINT(google-explicit-constructor)
    assert(!error_.ok());
  }

  [[nodiscard]] bool has_value() const noexcept { return value_.has_value(); }
  [[nodiscard]] bool ok() const noexcept { return value_.has_value(); }
  explicit operator bool() const noexcept { return value_.has_value(); }

  /// Requires has_value().
  [[nodiscard]] T& value() & noexcept { return *value_; }
  [[nodiscard]] const T& value() const& noexcept { return *value_; }
  [[nodiscard]] T&& value() && noexcept { return *std::move(value_); }
  [[nodiscard]] T& operator*() & noexcept { return *value_; }
  [[nodiscard]] const T& operator*() const& noexcept { return *value_; }
  [[nodiscard]] T&& operator*() && noexcept { return *std::move(value_); }
  [[nodiscard]] T* operator->() noexcept { return &*value_; }
  [[nodiscard]] const T* operator->() const noexcept { return &*value_; }

  /// The Status: ok when there is a value.
  [[nodiscard]] const Status& error() const& noexcept { return error_; }
  [[nodiscard]] Status error() && noexcept { return std::move(error_); }
  [[nodiscard]] const Status& status() const& noexcept { return error_; }

  /// `f(value)`, a Result or Status, or the error carried on.
  template <typename F>
  [[nodiscard]] auto and_then(F&& f) && -> decltype(f(std::declval<T>())) {
    if (!has_value()) return std::move(error_);
    return std::forward<F>(f)(*std::move(value_));
  }

 private:
  std::optional<T> value_;
  Status error_;
};

}  // namespace loci

#define LOCI_CONCAT_INNER_(a, b) a##b
#define LOCI_CONCAT_(a, b) LOCI_CONCAT_INNER_(a, b)
#define LOCI_RETURN_IF_ERROR_INNER_(status, expression)                    \
  do {                                                                     \
    if (::loci::Status status = (expression); !status.ok()) return status; \
  } while (false)
#define LOCI_ASSIGN_OR_RETURN_INNER_(result, declaration, expression) \
  auto result = (expression);                                         \
  if (!result.has_value()) return std::move(result).error();          \
  declaration = *std::move(result)

/// Returns from the enclosing function when `expression`, a Status, is not ok.
#define LOCI_RETURN_IF_ERROR(expression) \
  LOCI_RETURN_IF_ERROR_INNER_(LOCI_CONCAT_(loci_status_, __COUNTER__), expression)

/// Declares or assigns from a Result, or returns its error:
///   LOCI_ASSIGN_OR_RETURN(const Schema schema, read_schema(db, name));
#define LOCI_ASSIGN_OR_RETURN(declaration, expression) \
  LOCI_ASSIGN_OR_RETURN_INNER_(LOCI_CONCAT_(loci_result_, __COUNTER__), declaration, expression)

// SPDX-License-Identifier: Apache-2.0
//
// The one guard between callers and code that may run out of memory, and the only `try` in src/.
// SQLite, the C ABI and threads call us through frames that no exception may cross, and the methods
// of Database and Collection report a lack of memory as they report everything else.
#pragma once

#include <exception>
#include <new>
#include <stdexcept>
#include <type_traits>
#include <utility>

#include "loci/status.h"

namespace loci::base {

[[nodiscard]] inline Status internal_error(const char* what) noexcept {
  try {
    return Status(StatusCode::kInternal, what);
  } catch (...) {
    return Status::no_memory();
  }
}

/// Runs `body`, which returns Status or Result<T>, and turns an exception into a Status:
/// std::bad_alloc and std::length_error are kOutOfMemory, everything else (a user's callback that
/// threw) is kInternal with what() as message, or kOutOfMemory when there is no room for that.
template <typename Body>
[[nodiscard]] std::invoke_result_t<Body> guarded(Body&& body) noexcept {
  try {
    return std::forward<Body>(body)();
  } catch (const std::bad_alloc&) {
    return Status::no_memory();
  } catch (const std::length_error&) {
    return Status::no_memory();
  } catch (const std::exception& error) {
    return internal_error(error.what());
  } catch (...) {
    return internal_error("unknown exception");
  }
}

}  // namespace loci::base

// SPDX-License-Identifier: Apache-2.0
//
// The one guard between C callers and code that may run out of memory, and the only `try` in src/.
// SQLite, the C ABI and threads call us through frames that no exception may cross.
#pragma once

#include <exception>
#include <new>
#include <type_traits>
#include <utility>

#include "loci/status.h"

namespace loci::base {

/// Runs `body`, which returns Status or Result<T>, and turns an exception into a Status:
/// std::bad_alloc and std::length_error's kin are kOutOfMemory, everything else (a user's callback
/// that threw) is kInternal with what() as message.
/// noexcept: the Status itself costs one small allocation; should even that fail, the process ends.
template <typename Body>
[[nodiscard]] std::invoke_result_t<Body> guarded(Body&& body) noexcept {
  try {
    return std::forward<Body>(body)();
  } catch (const std::bad_alloc&) {
    return Status(StatusCode::kOutOfMemory, {});
  } catch (const std::exception& error) {
    return Status(StatusCode::kInternal, error.what());
  } catch (...) {
    return Status(StatusCode::kInternal, "unknown exception");
  }
}

}  // namespace loci::base

// SPDX-License-Identifier: Apache-2.0
//
// Memory that runs out. A program that links fault_alloc.cc has a global operator new of its own,
// and its SQLite, when fail_sqlite_memory() was called first, an allocator of its own.
#pragma once

#include <cstdint>

namespace loci::testing {

/// Whose allocations are counted.
enum class Allocator : uint8_t { kCxx, kSqlite };

/// The fault of the calling thread; other threads are never hit.
struct AllocFault {
  /// The `nth` allocation from now fails (bad_alloc, or null where the caller asked for that), and
  /// with `from_then_on` every later one. 0: count only.
  static void arm(Allocator allocator, int64_t nth, bool from_then_on);
  /// No fault from now on; whether it has happened.
  static bool disarm();
  /// Allocations counted since arm().
  static int64_t count();
};

/// Puts the failing allocator under SQLite and takes its buffers of small pieces away, so that each
/// allocation can fail. Before the first use of SQLite in the process.
void fail_sqlite_memory();

}  // namespace loci::testing

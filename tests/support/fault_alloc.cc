// SPDX-License-Identifier: Apache-2.0
#include "support/fault_alloc.h"

#include <cstdlib>
#include <new>

#include "sqlite/sqlite_api.h"
#include "support/fault_workload.h"

namespace loci::testing {
namespace {

struct Fault {
  bool armed = false;
  Allocator allocator = Allocator::kCxx;
  int64_t nth = 0;
  bool from_then_on = false;
  int64_t count = 0;
  bool fired = false;
};

thread_local Fault fault;  // NOLINT(cppcoreguidelines-avoid-non-const-global-variables): by design

bool fails(Allocator allocator) noexcept {
  if (!fault.armed || fault.allocator != allocator || TestCode::runs()) return false;
  ++fault.count;
  if (fault.nth <= 0) return false;
  const bool hit = fault.count == fault.nth || (fault.from_then_on && fault.count > fault.nth);
  fault.fired |= hit;
  return hit;
}

sqlite3_mem_methods real;  // NOLINT(cppcoreguidelines-avoid-non-const-global-variables)

void* sqlite_malloc(int bytes) { return fails(Allocator::kSqlite) ? nullptr : real.xMalloc(bytes); }
void* sqlite_realloc(void* block, int bytes) {
  return fails(Allocator::kSqlite) ? nullptr : real.xRealloc(block, bytes);
}

}  // namespace

void AllocFault::arm(Allocator allocator, int64_t nth, bool from_then_on) {
  fault = {.armed = true,
           .allocator = allocator,
           .nth = nth,
           .from_then_on = from_then_on,
           .count = 0,
           .fired = false};
}

bool AllocFault::disarm() {
  fault.armed = false;
  return fault.fired;
}

int64_t AllocFault::count() { return fault.count; }

void fail_sqlite_memory() {
  sqlite3_config(SQLITE_CONFIG_GETMALLOC, &real);
  sqlite3_mem_methods failing = real;
  failing.xMalloc = sqlite_malloc;
  failing.xRealloc = sqlite_realloc;
  sqlite3_config(SQLITE_CONFIG_MALLOC, &failing);
  sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0);
}

namespace {

void* allocate(size_t bytes) noexcept {
  return fails(Allocator::kCxx) ? nullptr : std::malloc(bytes == 0 ? 1 : bytes);
}

void* allocate(size_t bytes, std::align_val_t alignment) noexcept {
  const auto align = static_cast<size_t>(alignment);
  const size_t size = (bytes + align - 1) / align * align;  // as aligned_alloc wants it
  return fails(Allocator::kCxx) ? nullptr : std::aligned_alloc(align, size == 0 ? align : size);
}

void* or_throw(void* block) {
  if (block == nullptr) throw std::bad_alloc();
  return block;
}

}  // namespace
}  // namespace loci::testing

using loci::testing::allocate;
using loci::testing::or_throw;

void* operator new(size_t bytes) { return or_throw(allocate(bytes)); }
void* operator new[](size_t bytes) { return or_throw(allocate(bytes)); }
void* operator new(size_t bytes, const std::nothrow_t&) noexcept { return allocate(bytes); }
void* operator new[](size_t bytes, const std::nothrow_t&) noexcept { return allocate(bytes); }
void* operator new(size_t bytes, std::align_val_t align) {
  return or_throw(allocate(bytes, align));
}
void* operator new[](size_t bytes, std::align_val_t align) {
  return or_throw(allocate(bytes, align));
}
void* operator new(size_t bytes, std::align_val_t align, const std::nothrow_t&) noexcept {
  return allocate(bytes, align);
}
void* operator new[](size_t bytes, std::align_val_t align, const std::nothrow_t&) noexcept {
  return allocate(bytes, align);
}
void operator delete(void* block) noexcept { std::free(block); }
void operator delete[](void* block) noexcept { std::free(block); }
void operator delete(void* block, size_t) noexcept { std::free(block); }
void operator delete[](void* block, size_t) noexcept { std::free(block); }
void operator delete(void* block, const std::nothrow_t&) noexcept { std::free(block); }
void operator delete[](void* block, const std::nothrow_t&) noexcept { std::free(block); }
void operator delete(void* block, std::align_val_t) noexcept { std::free(block); }
void operator delete[](void* block, std::align_val_t) noexcept { std::free(block); }
void operator delete(void* block, size_t, std::align_val_t) noexcept { std::free(block); }
void operator delete[](void* block, size_t, std::align_val_t) noexcept { std::free(block); }
void operator delete(void* block, std::align_val_t, const std::nothrow_t&) noexcept {
  std::free(block);
}
void operator delete[](void* block, std::align_val_t, const std::nothrow_t&) noexcept {
  std::free(block);
}

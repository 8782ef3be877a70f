// SPDX-License-Identifier: Apache-2.0
//
// What else base needs of the operating system; implemented in os_posix.cc.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace loci::base {

/// Asks for huge pages under [data, data + bytes); a hint that may be ignored.
void os_advise_huge_pages(void* data, size_t bytes) noexcept;
/// Puts pages under the memory as a write to each would, which waits for them; its content stays.
/// False where the system cannot, or not there: it is as if it had not been asked.
[[nodiscard]] bool os_populate(void* data, size_t bytes) noexcept;
/// Random bytes of the kernel; false when it gives none.
[[nodiscard]] bool os_random(std::span<uint8_t> out) noexcept;
[[nodiscard]] int64_t os_process_id() noexcept;
/// How many forks lie between this process and the first that asked: it moves in a child alone.
/// Cost: a load.
[[nodiscard]] uint64_t os_fork_count() noexcept;
/// Leaves the process's signals to its other threads.
void os_block_signals() noexcept;

}  // namespace loci::base

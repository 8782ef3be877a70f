// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

namespace loci::bench {

/// Reads `bytes` bytes (a multiple of 64) once and does nothing but add them up: how fast this
/// machine reads a buffer of this size, whatever cache it lies in. Returns the sum.
uint64_t read_all(const uint8_t* data, size_t bytes) noexcept;

/// GB/s of read_all over `bytes` bytes, warm: the median of many passes.
double memory_read_gbps(size_t bytes);

}  // namespace loci::bench

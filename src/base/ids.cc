// SPDX-License-Identifier: Apache-2.0
//
// UUIDs. Version 7 is 48 bits of milliseconds, 12 bits of counter and 62 random bits (RFC 9562,
// section 5.7; counter by section 6.2, method 1). The counter starts at a random value below 2^11
// in each new millisecond, so that ids of several processes mix, and is incremented within one;
// time and counter are kept as one integer, so that a full counter carries into the next
// millisecond and a clock that steps back changes nothing. Tested by ids_test.cc.
#include "base/ids.h"

#include <array>
#include <atomic>
#include <cstring>
#include <utility>

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/os_system.h"
#include "base/strings.h"

namespace loci::base {
namespace {

using UuidBytes = std::array<uint8_t, 16>;

std::string format_uuid(UuidBytes bytes, uint8_t version) {
  bytes[6] = static_cast<uint8_t>((bytes[6] & 0x0F) | (version << 4));
  bytes[8] = static_cast<uint8_t>((bytes[8] & 0x3F) | 0x80);
  std::string text = to_hex(bytes);
  for (const size_t at : {8, 13, 18, 23}) text.insert(at, 1, '-');
  return text;
}

/// For systems without entropy: what differs between processes and calls, hashed.
void fill_from_clocks(std::span<uint8_t> out) {
  static std::atomic<uint64_t> calls{0};
  log(LogLevel::kWarning, "the system gives no random bytes; ids are made from clocks");
  const auto place = reinterpret_cast<uintptr_t>(out.data());
  for (size_t at = 0; at < out.size(); at += 8) {
    const std::array<int64_t, 5> seed = {now_us(), monotonic_ns(), os_process_id(),
                                         static_cast<int64_t>(calls.fetch_add(1)),
                                         static_cast<int64_t>(place)};
    const uint64_t hash =
        hash64(ByteSpan(reinterpret_cast<const uint8_t*>(seed.data()), sizeof(seed)));
    const size_t count = out.size() - at < 8 ? out.size() - at : 8;
    std::memcpy(out.data() + at, &hash, count);
  }
}

}  // namespace

void random_bytes(std::span<uint8_t> out) {
  if (!os_random(out)) fill_from_clocks(out);
}

uint64_t random_u64() {
  std::array<uint8_t, 8> bytes{};
  random_bytes(bytes);
  return ByteReader(ByteSpan(bytes)).u64le();
}

std::string uuid_v4() {
  UuidBytes bytes{};
  random_bytes(bytes);
  return format_uuid(bytes, 4);
}

std::string uuid_v7() {
  static UuidSource source(random_bytes, [] { return now_us() / 1000; });
  return source.next_v7();
}

bool is_uuid(std::string_view text) noexcept {
  if (text.size() != 36) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (i == 8 || i == 13 || i == 18 || i == 23) {
      if (c != '-') return false;
    } else if (!is_ascii_digit(c) && (c < 'a' || c > 'f') && (c < 'A' || c > 'F')) {
      return false;
    }
  }
  return true;
}

UuidSource::UuidSource(RandomFill random, WallClockMs wall_ms)
    : random_(std::move(random)), wall_ms_(std::move(wall_ms)) {}

std::string UuidSource::next_v7() {
  UuidBytes bytes{};
  random_(bytes);
  uint64_t stamp = 0;
  {
    const MutexLock lock(mu_);
    const int64_t start = (bytes[6] << 8 | bytes[7]) & 0x7FF;
    const int64_t fresh = (wall_ms_() << 12) | start;
    last_ = (fresh >> 12) > (last_ >> 12) ? fresh : last_ + 1;
    stamp = static_cast<uint64_t>(last_);
  }
  const uint64_t ms = stamp >> 12;
  for (size_t i = 0; i < 6; ++i) bytes[i] = static_cast<uint8_t>(ms >> (8 * (5 - i)));
  bytes[6] = static_cast<uint8_t>((stamp >> 8) & 0x0F);
  bytes[7] = static_cast<uint8_t>(stamp & 0xFF);
  return format_uuid(bytes, 7);
}

}  // namespace loci::base

// SPDX-License-Identifier: Apache-2.0
//
// Which kernels run here. The list of runnable tiers is made once from the processor's feature bits
// (and, through the compiler's run-time support, the operating system's saved state); LOCI_SIMD is
// read once and picks one of the list or is an error. Tested by dispatch_test.cc.
#include "simd/dispatch.h"

#include <array>
#include <optional>
#include <string>

#include "base/env.h"
#include "base/strings.h"
#include "loci/database.h"

namespace loci::simd {
namespace {

constexpr size_t kMaxTiers = 4;

/// The tiers of this processor, from the slowest on.
class TierList {
 public:
  TierList() noexcept {
    add(kScalarKernels);
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) add(kAvx2Kernels);
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")) {
      add(kAvx512Kernels);
      if (__builtin_cpu_supports("avx512vnni")) {
        vnni_ = kAvx512Kernels;
        vnni_.tier = "avx512vnni";
        vnni_.scan_dot_u4 = avx512vnni_scan_dot_u4;
        vnni_.dot_u8_at = avx512vnni_dot_u8_at;
        vnni_.rank_u4 = avx512vnni_rank_u4;
        // Not every VNNI processor counts bits (Cascade Lake does not).
        if (__builtin_cpu_supports("avx512vpopcntdq")) {
          vnni_.scan_hamming = avx512vpopcnt_scan_hamming;
        }
        add(vnni_);
      }
    }
#elif defined(__aarch64__)
    add(kNeonKernels);
#endif
  }
  TierList(const TierList&) = delete;
  TierList& operator=(const TierList&) = delete;
  ~TierList() = default;

  [[nodiscard]] std::span<const Kernels* const> all() const noexcept {
    return std::span(tiers_).first(count_);
  }

 private:
  void add(const Kernels& kernels) noexcept { tiers_[count_++] = &kernels; }

  Kernels vnni_ = kScalarKernels;
  std::array<const Kernels*, kMaxTiers> tiers_{};
  size_t count_ = 0;
};

const TierList& tier_list() noexcept {
  static const TierList list;
  return list;
}

Result<const Kernels*> choose() {
  const std::optional<std::string> forced = base::env("LOCI_SIMD");
  if (!forced.has_value() || forced->empty()) return tier_list().all().back();
  Result<const Kernels*> named = kernels_of(*forced);
  if (!named.has_value()) return named.error().with_context("LOCI_SIMD");
  return named;
}

const Result<const Kernels*>& chosen() {
  static const Result<const Kernels*> choice = choose();
  return choice;
}

}  // namespace

std::span<const Kernels* const> available_kernels() noexcept { return tier_list().all(); }

Result<const Kernels*> kernels_of(std::string_view tier) {
  std::string names;
  for (const Kernels* const kernels : available_kernels()) {
    if (tier == kernels->tier) return kernels;
    base::str_append(names, names.empty() ? "" : ", ", kernels->tier);
  }
  return Status::invalid_argument(
      base::str_cat("tier '", tier, "' is unknown or not on this CPU, which has ", names));
}

Result<const Kernels*> kernels_or_error() { return chosen(); }

const Kernels& kernels() noexcept {
  return chosen().has_value() ? *chosen().value() : kScalarKernels;
}

}  // namespace loci::simd

namespace loci {

Result<std::string> simd_tier() {
  LOCI_ASSIGN_OR_RETURN(const simd::Kernels* const kernels, simd::kernels_or_error());
  return std::string(kernels->tier);
}

}  // namespace loci

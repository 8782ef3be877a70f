// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string_view>

#include "loci/status.h"
#include "simd/kernels.h"

namespace loci::simd {

/// The kernels in use: the best tier of this CPU, or the one that LOCI_SIMD names. Chosen once.
/// kInvalidArgument when LOCI_SIMD names a tier that is unknown or that this CPU lacks: whoever
/// opens a database asks this first and refuses.
[[nodiscard]] Result<const Kernels*> kernels_or_error();

/// The same after kernels_or_error() has been ok. (Where it was not: the scalar tier.)
[[nodiscard]] const Kernels& kernels() noexcept;

/// Every tier that this CPU can run, scalar first, best last. For tests and benchmarks.
[[nodiscard]] std::span<const Kernels* const> available_kernels() noexcept;

/// The tier of that name; kInvalidArgument as above.
[[nodiscard]] Result<const Kernels*> kernels_of(std::string_view tier);

}  // namespace loci::simd

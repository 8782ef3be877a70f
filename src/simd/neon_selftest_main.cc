// SPDX-License-Identifier: Apache-2.0
//
// Compares every NEON kernel with the scalar reference. Built and run by scripts/test_neon, under
// an emulator where the machine is not AArch64. Exit code 0 when all checks pass.
#include <cstdio>

#include "simd/kernel_checks.h"

namespace {

/// Prints one line; returns whether the checks passed.
bool show(const char* name, const loci::simd::CheckReport& report, size_t* total) {
  *total += report.checks;
  const bool good = report.failure.empty() && report.checks > 0;
  std::printf("%-16s %7zu checks  %s\n", name, report.checks, good ? "ok" : report.failure.c_str());
  return good;
}

}  // namespace

int main() {
  using loci::simd::KernelChecks;
  const loci::simd::Kernels& neon = loci::simd::kNeonKernels;
  size_t total = 0;
  bool good = true;
  good = show("floats", KernelChecks(neon).floats(), &total) && good;
  good = show("special floats", KernelChecks(neon).special_floats(), &total) && good;
  good = show("dot scan", KernelChecks(neon).dot_scans(), &total) && good;
  good = show("coding", KernelChecks(neon).codings(), &total) && good;
  good = show("byte scans", KernelChecks(neon).byte_scans(), &total) && good;
  good = show("selection", KernelChecks(neon).selections(), &total) && good;
  good = show("ranking", KernelChecks(neon).rankings(), &total) && good;
  good = show("masks", KernelChecks(neon).masks(), &total) && good;
  std::printf("neon: %zu checks, %s\n", total, good ? "all passed" : "FAILED");
  return good ? 0 : 1;
}

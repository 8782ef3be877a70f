// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace loci::cli {

/// The name that `wanted` was probably meant to be; empty when none is near.
std::string nearest_name(std::string_view wanted, std::span<const std::string> names);

std::string join(std::span<const std::string> parts, std::string_view separator);
/// Splits at `separator`, trims blanks, drops empty parts.
std::vector<std::string> split_list(std::string_view text, char separator = ',');
std::string_view trim(std::string_view text);

}  // namespace loci::cli

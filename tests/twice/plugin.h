// SPDX-License-Identifier: Apache-2.0
//
// What a plugin that carries a copy of the library shows of it.
#pragma once

#include <cstdint>

/// One open database of a copy of the library. Functions return 0, or -1 after writing why to
/// stderr.
struct LociPlugin {
  int (*open)(const char* path);
  /// Inserts rows "ID-0" ..., `count` of them, row i with vector_of(first + i), in one transaction.
  /// `middle`, when given, is called inside of it.
  int (*insert)(const char* id, int64_t first, int64_t count, void (*middle)());
  int (*publish)();
  /// Whether the nearest to vector_of(number) is at distance 0.
  int (*finds)(int64_t number, bool* found);
  int (*close)();
};

/// Fills the table; the one symbol that a plugin exports.
using LociPluginEntry = void (*)(LociPlugin* plugin);

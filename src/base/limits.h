// SPDX-License-Identifier: Apache-2.0
//
// Every limit that a user can meet. Checked where input enters, named in messages and in the docs.
#pragma once

#include <cstddef>
#include <cstdint>

namespace loci::base {

inline constexpr size_t kMaxDim = 8192;                ///< components (bits, for hamming)
inline constexpr size_t kMaxVectorColumns = 16;        ///< per collection
inline constexpr size_t kMaxTextColumns = 16;          ///< per collection
inline constexpr size_t kMaxFilterColumns = 64;        ///< per collection
inline constexpr size_t kMaxNameBytes = 64;            ///< of a collection, column, metric
inline constexpr size_t kMaxModelBytes = 256;          ///< of a model's identity
inline constexpr size_t kMaxTextIdBytes = 1024;        ///< of a row's text id
inline constexpr size_t kMaxMetadataBytes = 1 << 24;   ///< of a row's JSON metadata
inline constexpr size_t kMaxJsonDepth = 256;           ///< nesting of metadata
inline constexpr size_t kMaxTextBytes = 1 << 26;       ///< of one text column of one row
inline constexpr size_t kMaxWhereBytes = 1 << 16;      ///< of a filter expression
inline constexpr size_t kMaxWhereTerms = 1024;         ///< comparisons in a filter expression
inline constexpr size_t kMaxWhereDepth = 64;           ///< nesting of a filter expression
inline constexpr size_t kMaxQueryTextBytes = 1 << 16;  ///< of a search's words
inline constexpr size_t kMaxK = 1 << 24;               ///< neighbours asked for
inline constexpr size_t kMaxEf = 100000;               ///< candidates in a search of a graph
inline constexpr size_t kMinGraphM = 4;                ///< half the neighbours of a node
inline constexpr size_t kMaxGraphM = 64;
inline constexpr size_t kMinEfConstruction = 16;  ///< candidates for a node's neighbours
inline constexpr size_t kMaxEfConstruction = 1000;
inline constexpr size_t kMaxGraphThreads = 64;     ///< that build one graph
inline constexpr int64_t kMaxVersions = 10000;     ///< kept of one row
inline constexpr int64_t kMaxHistoryDays = 36500;  ///< that versions are kept
inline constexpr size_t kMaxRows = 0xFFFFFFFE;     ///< of one search image: positions are 32 bits

}  // namespace loci::base

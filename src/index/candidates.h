// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "index/bits.h"
#include "index/columns.h"
#include "index/exact_distance.h"
#include "index/exact_scan.h"
#include "quant/u8_query.h"

namespace loci::index {

/// A row that its codes leave, and the least that its reduced distance can be.
struct Candidate {
  double lower = 0;
  size_t slot = 0;
};

/// Rows of a block; mask null: all of them.
struct BlockRows {
  size_t begin = 0;  ///< first slot
  size_t count = 0;
  const BlockMask* mask = nullptr;
};

/// Computes raw[i] of the allowed rows of a block; returns how many rows were computed.
size_t scan_block(const VectorColumn& column, const quant::U8Query& query, const BlockRows& block,
                  std::span<int32_t> raw);

/// Steps 1 to 3 of exact_scan.cc: from all allowed rows to the candidates for the nearest k.
/// Not for kHamming and kCustom.
class CandidateSearch {
 public:
  /// All must outlive this. k 0: every row below the threshold that `query` comes with.
  CandidateSearch(const VectorColumn& column, quant::U8Query& query, const ExactDistance& distance,
                  const AllowedRows& allowed, size_t k);

  /// Goes through the rows; returns how many codes were compared.
  size_t run();
  /// After run(): rows that may be among the nearest, ascending by lower bound.
  [[nodiscard]] std::vector<Candidate> take_sorted() &&;

 private:
  // Blocks that are scanned before any of their rows is refined. 8,192 rows of 384 components are
  // 1.5 MB of coarse codes: still in a second-level cache of 2 MB when rows are refined.
  static constexpr size_t kGroupBlocks = 4;

  [[nodiscard]] BlockRows block_rows(size_t block) const noexcept;
  void refine_alone(size_t block);
  [[nodiscard]] size_t list_allowed(const BlockMask& mask) noexcept;
  void scan_group(size_t first_block);
  [[nodiscard]] std::span<int32_t> raw_of(size_t in_group) noexcept;
  [[nodiscard]] quant::RowBlock rows_of(const BlockRows& block) const noexcept;
  void lower_threshold_early();
  void estimate_group();
  void pick_nearest(size_t wanted);
  void collect_block(size_t in_group);
  void refine(const BlockRows& block, std::span<const int32_t> raw, size_t count);
  void note_upper(double upper);
  void lower_threshold();

  const VectorColumn& column_;  // these four must outlive this
  quant::U8Query& query_;
  const ExactDistance& distance_;
  const AllowedRows& allowed_;
  size_t k_;
  size_t scanned_ = 0;

  std::array<BlockRows, kGroupBlocks> group_;
  size_t group_size_ = 0;
  std::vector<int32_t> raw_;         ///< kBlockRows for each block of the group
  std::vector<float> estimates_;     ///< of the allowed rows of the group ...
  std::vector<uint32_t> estimated_;  ///< ... and which they are: index into raw_
  std::vector<float> minima_;        ///< of runs of estimates_
  std::vector<float> ranked_;        ///< minima_, partly sorted
  std::vector<uint32_t> picked_;     ///< rows that look nearest: index into raw_
  alignas(64) std::array<uint32_t, kBlockRows + 16> positions_{};
  std::array<quant::FineRow, quant::U8Query::kRefineRows> fine_;

  std::vector<Candidate> candidates_;
  std::vector<double> uppers_;  ///< a max-heap of the k smallest
};

}  // namespace loci::index

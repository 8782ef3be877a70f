// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/aligned.h"
#include "base/page_warmer.h"
#include "index/bits.h"
#include "index/image.h"
#include "index/origin_fit.h"
#include "index/snapshot_file.h"
#include "quant/u8_codec.h"
#include "quant/u8_query.h"

namespace loci::index {

/// The vectors of one column, by slot: codes with their parameters, and the full vectors.
///   l2, cosine, dot, angular   codes in two planes of 4 bits, parameters of both resolutions,
///                              float32 vectors
///   l1                         8-bit codes, parameters, float32 vectors
///   hamming                    codes only: the packed bits, which are the vector
///   custom                     float32 vectors only
/// BLOBs of narrow elements are decoded when they are put: everything here is as for float32.
/// Memory lies in chunks of chunk_rows() slots, each array of a chunk in one piece, so that a block
/// of rows is contiguous, growing moves nothing but a small first chunk, and the codes of a chunk
/// fill huge pages.
class VectorColumn {
 public:
  /// Errors: kInvalidArgument (dimension).
  static Result<VectorColumn> create(ColumnLayout layout);

  [[nodiscard]] const ColumnLayout& layout() const noexcept { return layout_; }
  /// Length of the BLOB of a vector.
  [[nodiscard]] size_t blob_bytes() const noexcept;
  [[nodiscard]] size_t dim() const noexcept { return layout_.dim; }

  /// Checks and decodes a BLOB for the next commit(); empty: no vector. kCorruption.
  Status stage(std::span<const std::byte> blob);
  /// While it is set, memory of the rows to come is warmed as they are reserved; null: it is not.
  void set_warmer(base::PageWarmer* warmer) noexcept { warmer_ = warmer; }
  /// Makes room for slot `slot`, at most one past those in use. Errors: kOutOfMemory; may also
  /// throw std::bad_alloc. The content is unchanged then.
  Status reserve(size_t slot);
  /// Whether what was staged is what `slot` holds already. Needs reserve(slot).
  [[nodiscard]] bool holds_staged(size_t slot) const noexcept;
  /// Stores what was staged. Needs reserve(slot).
  void commit(size_t slot) noexcept;
  /// Takes the vector of `slot` out; that of `last`, the greatest slot in use, moves there.
  void remove(size_t slot, size_t last) noexcept;
  /// Takes the vector of `slot` out and leaves the slot empty.
  void clear(size_t slot) noexcept { present_.set(slot, false); }

  [[nodiscard]] const SlotBits& present() const noexcept { return present_; }
  /// Null for kCustom.
  [[nodiscard]] const quant::U8Codec* codec() const noexcept {
    return codec_.has_value() ? &*codec_ : nullptr;
  }
  /// `count` coded rows from `slot` on, within a block. No codes for kCustom, no parameters for
  /// kHamming and kCustom.
  [[nodiscard]] quant::RowBlock rows(size_t slot, size_t count) const noexcept;
  /// What scans read of one slot: its row in the first plane.
  [[nodiscard]] const uint8_t* scan_code(size_t slot) const noexcept {
    return scan_planes_[slot >> chunk_shift_] + in_chunk(slot) * code_stride();
  }
  /// Of a column in two planes: what refining reads of one slot.
  [[nodiscard]] const uint8_t* low_code(size_t slot) const noexcept {
    return chunk_of(slot).low.data() + in_chunk(slot) * code_stride();
  }
  [[nodiscard]] const quant::RowParams& fine_params(size_t slot) const noexcept {
    return chunk_of(slot).fine.as<quant::RowParams>()[in_chunk(slot)];
  }
  /// How many times all rows were coded anew: what was derived from codes before is void.
  [[nodiscard]] uint64_t codings() const noexcept { return codings_; }
  /// dim() floats; not for kHamming.
  [[nodiscard]] const float* vector(size_t slot) const noexcept;
  /// ||x||; kCosine and kAngular only.
  [[nodiscard]] double norm(size_t slot) const noexcept;
  void prefetch_norm(size_t slot) const noexcept {
    const Chunk& chunk = chunk_of(slot);
    if (!chunk.norms.empty()) __builtin_prefetch(chunk.norms.data() + in_chunk(slot) * 8);
  }
  /// Codes all rows anew around their mean, where that is no longer nearly the origin of the codes.
  /// Cost: about 1 us a row at 384 dimensions. kCorruption as verify_codes().
  Status recenter();

  /// Writes everything but the layout, as the segments of vector column `number`.
  Status save(uint32_t number, SnapshotWriter& out) const;
  /// Takes over what save() wrote for `slots` slots; the column is empty before. Codes and vectors
  /// stay in the file's memory. kCorruption leaves the column of no use.
  Status load(uint32_t number, const std::shared_ptr<SnapshotFile>& from, size_t slots);
  /// kCorruption when codes that came from a snapshot are not what was written. To be asked before
  /// they are read; after the first time it costs a load per chunk.
  [[nodiscard]] Status verify_codes() const;
  /// The same for the full vectors around `slot`.
  [[nodiscard]] Status verify_vector(size_t slot) const;

  [[nodiscard]] size_t memory_bytes() const noexcept;
  /// Codes are within their bounds of the vectors, norms are theirs, absent rows are counted.
  [[nodiscard]] Status check_invariants(size_t slots) const;

 private:
  static constexpr size_t kParamArrays = 5;
  struct Chunk {
    size_t rows = 0;      ///< room
    base::Buffer codes;   ///< the plane that scans read
    base::Buffer low;     ///< the other plane, or empty
    base::Buffer params;  ///< of scans: lo, step, err, aux, delta, `rows` floats each
    base::Buffer fine;    ///< of both planes: RowParams
    base::Buffer norms;   ///< double
    base::Buffer vectors;
    /// Whose memory the buffers are part of; null: their own.
    std::shared_ptr<SnapshotFile> from;
    size_t codes_segment = 0;
    size_t vectors_segment = 0;  ///< of the first block; the others follow
  };
  /// kL1: the grid all rows share, and how well it fits.
  struct Grid {
    quant::U8Range range;    ///< of the codec
    quant::U8Range seen;     ///< of all vectors so far
    size_t clamped = 0;      ///< rows stored since the fit that leave the range
    size_t rows_at_fit = 0;  ///< present rows when it was last looked at, up to 1,024
  };

  explicit VectorColumn(ColumnLayout layout) : layout_(std::move(layout)) {}

  [[nodiscard]] bool has_params() const noexcept;
  [[nodiscard]] bool has_norms() const noexcept;
  [[nodiscard]] bool two_planes() const noexcept;
  [[nodiscard]] size_t code_stride() const noexcept { return code_stride_; }
  Result<Chunk> allocate(size_t rows) const;
  void warm_after(size_t slot) noexcept;
  /// Bytes of each array of a chunk of `rows` rows, vectors apart: codes, low, params, fine, norms.
  [[nodiscard]] std::array<size_t, 5> array_bytes(size_t rows) const noexcept;
  Status save_codes(const SegmentKey& key, const Chunk& chunk, size_t used, size_t room,
                    SnapshotWriter& out) const;
  Status save_vectors(uint32_t number, size_t part, size_t used, size_t room,
                      SnapshotWriter& out) const;
  Status save_fit(uint32_t number, SnapshotWriter& out) const;
  Status load_fit(uint32_t number, SnapshotFile& from);
  Result<Chunk> load_chunk(uint32_t number, size_t part,
                           const std::shared_ptr<SnapshotFile>& from) const;
  Status load_vectors(uint32_t number, size_t part, const std::shared_ptr<SnapshotFile>& from,
                      Chunk& chunk) const;
  /// What is read or changed with slot `slot`: the codes of its chunk, the vectors of its block.
  [[nodiscard]] Status verify_around(size_t slot) const;
  void note_planes();
  void copy_rows(const Chunk& from, Chunk& to, size_t rows) const noexcept;
  void copy_slot(size_t from, size_t to) noexcept;
  void encode(size_t slot) noexcept;
  void note_range(VectorView vector) noexcept;
  void refit_grid() noexcept;
  void fit_origin(size_t slot) noexcept;
  void encode_all() noexcept;
  [[nodiscard]] double decoding_error(size_t slot, bool fine) const noexcept;
  [[nodiscard]] bool padded_with_zeros(const uint8_t* code) const noexcept;
  [[nodiscard]] Status check_slot(size_t slot) const;
  [[nodiscard]] Status check_bound(size_t slot, bool fine) const;
  [[nodiscard]] Chunk& chunk_of(size_t slot) noexcept { return chunks_[slot >> chunk_shift_]; }
  [[nodiscard]] const Chunk& chunk_of(size_t slot) const noexcept {
    return chunks_[slot >> chunk_shift_];
  }
  [[nodiscard]] size_t in_chunk(size_t slot) const noexcept {
    return slot & ((size_t{1} << chunk_shift_) - 1);
  }

  ColumnLayout layout_;
  std::optional<quant::U8Codec> codec_;
  size_t code_stride_ = 0;
  size_t chunk_shift_ = 10;
  uint64_t codings_ = 0;
  std::vector<Chunk> chunks_;
  std::vector<const uint8_t*> scan_planes_;  ///< codes of each chunk, side by side
  SlotBits present_;
  Grid grid_;
  OriginFit origin_fit_{0};
  std::vector<float> staged_;         ///< decoded floats ...
  std::vector<uint8_t> staged_bits_;  ///< ... or bits, padded as a code row
  bool staged_present_ = false;
  size_t slots_ = 0;                    ///< slots in use: one past the greatest committed
  base::PageWarmer* warmer_ = nullptr;  // must outlive this, or be set to null
  Status damage_;  ///< of a chunk that was found when nothing could be said about it
};

}  // namespace loci::index

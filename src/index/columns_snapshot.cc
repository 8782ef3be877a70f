// SPDX-License-Identifier: Apache-2.0
//
// A vector column to and from a snapshot.
//
// A chunk of the column is two segments: codes with everything that a scan reads beside them, and
// full vectors, which are read for a few rows of a search only. Loading copies neither: the
// buffers of a chunk become parts of the mapped file, and a chunk is verified when it is first
// read, or before it is first written to (the write copies its page, and the bytes are no longer
// those that the checksum is of). The last chunk is written with room for as many rows as it has in
// memory, so that rows can be added to it; what is not in use is written as zeros.
//
// Tested by image_snapshot_test.cc.
#include <algorithm>

#include "base/bytes.h"
#include "base/limits.h"
#include "base/strings.h"
#include "index/columns.h"

namespace loci::index {

namespace {

base::ByteSpan words_as_bytes(std::span<const uint64_t> words) {
  return {reinterpret_cast<const uint8_t*>(words.data()), words.size_bytes()};
}

/// The first `used` bytes of a piece, and zeros after them.
Result<base::Buffer> zero_padded(base::ByteSpan piece, size_t used) {
  LOCI_ASSIGN_OR_RETURN(base::Buffer padded, base::Buffer::try_allocate(piece.size()));
  std::copy_n(piece.begin(), used, padded.data());
  return padded;
}

}  // namespace

Status VectorColumn::save_chunk(const SegmentKey& codes, const Chunk& chunk, size_t used,
                                SnapshotWriter& out) const {
  const std::array<const base::Buffer*, 5> arrays = {&chunk.codes, &chunk.low, &chunk.params,
                                                     &chunk.fine, &chunk.norms};
  const std::array<size_t, 5> bytes = array_bytes(chunk.rows);
  std::array<base::Buffer, 5> padded;
  std::vector<base::ByteSpan> pieces;
  for (size_t i = 0; i < arrays.size(); ++i) {
    if (bytes[i] == 0) continue;
    const base::ByteSpan array(arrays[i]->data(), bytes[i]);
    if (used == chunk.rows) {
      pieces.push_back(array);
      continue;
    }
    const size_t parts = i == 2 ? kParamArrays : 1;
    LOCI_ASSIGN_OR_RETURN(padded[i], base::Buffer::try_allocate(bytes[i]));
    for (size_t part = 0; part < parts; ++part) {
      const size_t each = bytes[i] / parts;
      std::copy_n(array.data() + part * each, each / chunk.rows * used,
                  padded[i].data() + part * each);
    }
    pieces.emplace_back(padded[i].data(), bytes[i]);
  }
  LOCI_RETURN_IF_ERROR(out.add(codes, chunk.rows, pieces));
  if (chunk.vectors.empty()) return {};
  const size_t row_bytes = dim() * sizeof(float);
  const base::ByteSpan vectors(chunk.vectors.data(), chunk.rows * row_bytes);
  const SegmentKey key{SegmentKind::kVectors, codes.column, codes.part};
  if (used == chunk.rows) return out.add(key, chunk.rows, vectors);
  LOCI_ASSIGN_OR_RETURN(const base::Buffer copy, zero_padded(vectors, used * row_bytes));
  return out.add(key, chunk.rows, base::ByteSpan(copy.data(), copy.size()));
}

Status VectorColumn::save_fit(uint32_t number, SnapshotWriter& out) const {
  base::ByteWriter fit;
  if (two_planes()) {
    fit.f32le_array(codec_->origin());
    origin_fit_.save(fit);
  }
  for (const quant::U8Range& range : {grid_.range, grid_.seen}) {
    fit.f32le(range.min);
    fit.f32le(range.max);
  }
  fit.u64le(grid_.clamped);
  fit.u64le(grid_.rows_at_fit);
  return out.add({SegmentKind::kFit, number, 0}, 1, fit.view());
}

Status VectorColumn::save(uint32_t number, SnapshotWriter& out) const {
  const std::span<const uint64_t> words = present_.words();
  LOCI_RETURN_IF_ERROR(
      out.add({SegmentKind::kPresent, number, 0}, words.size(), words_as_bytes(words)));
  if (codec_.has_value()) LOCI_RETURN_IF_ERROR(save_fit(number, out));
  for (size_t part = 0; part << chunk_shift_ < slots_; ++part) {
    const Chunk& chunk = chunks_[part];
    LOCI_RETURN_IF_ERROR(verify(chunk));  // a damaged chunk must not get a fresh checksum
    const size_t used = std::min(chunk.rows, slots_ - (part << chunk_shift_));
    LOCI_RETURN_IF_ERROR(save_chunk({SegmentKind::kCodes, number, part}, chunk, used, out));
  }
  return {};
}

Status VectorColumn::load_fit(uint32_t number, SnapshotFile& from) {
  LOCI_ASSIGN_OR_RETURN(const SnapshotFile::Segment segment,
                        from.read({SegmentKind::kFit, number, 0}));
  base::ByteReader in{base::ByteSpan(segment.bytes)};
  if (two_planes()) {
    std::vector<float> origin(dim());
    in.f32le_array(origin);
    codec_->set_origin(origin);
    origin_fit_.load(in);
  }
  for (quant::U8Range* range : {&grid_.range, &grid_.seen}) {
    range->min = in.f32le();
    range->max = in.f32le();
  }
  grid_.clamped = static_cast<size_t>(in.u64le());
  grid_.rows_at_fit = static_cast<size_t>(in.u64le());
  if (!in.ok()) return Status::corruption("snapshot: what codes are relative to is cut off");
  const bool fitted = grid_.rows_at_fit != 0 || grid_.clamped != 0;
  if (layout_.metric != Metric::kL1 || !fitted) return {};
  LOCI_ASSIGN_OR_RETURN(codec_, quant::U8Codec::create(Metric::kL1, dim(), grid_.range));
  return {};
}

Result<VectorColumn::Chunk> VectorColumn::load_chunk(
    uint32_t number, size_t part, const std::shared_ptr<SnapshotFile>& from) const {
  LOCI_ASSIGN_OR_RETURN(const SnapshotFile::Segment codes,
                        from->find({SegmentKind::kCodes, number, part}));
  Chunk chunk;
  chunk.rows = static_cast<size_t>(codes.items);
  chunk.from = from;
  chunk.codes_segment = codes.number;
  chunk.vectors_segment = codes.number;
  if (chunk.rows == 0 || chunk.rows > size_t{1} << chunk_shift_) {
    return Status::corruption(base::str_cat("snapshot: a chunk of ", chunk.rows, " rows, allowed 1",
                                            " to ", size_t{1} << chunk_shift_));
  }
  const std::array<base::Buffer*, 5> arrays = {&chunk.codes, &chunk.low, &chunk.params, &chunk.fine,
                                               &chunk.norms};
  const std::array<size_t, 5> bytes = array_bytes(chunk.rows);
  size_t at = 0;
  for (size_t i = 0; i < arrays.size(); ++i) {
    if (bytes[i] == 0) continue;
    if (at + bytes[i] > codes.bytes.size()) {
      return Status::corruption(base::str_cat("snapshot: codes of ", codes.bytes.size(),
                                              " bytes for ", chunk.rows, " rows"));
    }
    *arrays[i] = from->part(codes.bytes.subspan(at, bytes[i]));
    at += base::round_up(bytes[i], base::Buffer::kAlignment);
  }
  if (layout_.metric == Metric::kHamming) return chunk;
  LOCI_ASSIGN_OR_RETURN(const SnapshotFile::Segment vectors,
                        from->find({SegmentKind::kVectors, number, part}));
  chunk.vectors_segment = vectors.number;
  const size_t wanted = chunk.rows * dim() * sizeof(float);
  if (vectors.bytes.size() < wanted) {
    return Status::corruption(
        base::str_cat("snapshot: vectors of ", vectors.bytes.size(), " bytes, expected ", wanted));
  }
  chunk.vectors = from->part(vectors.bytes.first(wanted));
  return chunk;
}

Status VectorColumn::load(uint32_t number, const std::shared_ptr<SnapshotFile>& from,
                          size_t slots) {
  LOCI_ASSIGN_OR_RETURN(const SnapshotFile::Segment present,
                        from->read({SegmentKind::kPresent, number, 0}));
  LOCI_RETURN_IF_ERROR(present_.assign(present.bytes, slots));
  if (codec_.has_value()) LOCI_RETURN_IF_ERROR(load_fit(number, *from));
  const size_t full = size_t{1} << chunk_shift_;
  for (size_t part = 0; part << chunk_shift_ < slots; ++part) {
    LOCI_ASSIGN_OR_RETURN(Chunk chunk, load_chunk(number, part, from));
    // Only the last chunk may have less room than all have.
    const size_t needed = std::min(full, slots - (part << chunk_shift_));
    if (chunk.rows < needed) {
      return Status::corruption(
          base::str_cat("snapshot: chunk ", part, " has ", chunk.rows, " rows of ", needed));
    }
    chunks_.push_back(std::move(chunk));
  }
  slots_ = slots;
  return {};
}

Status VectorColumn::verify(const Chunk& chunk) {
  if (chunk.from == nullptr) return {};
  LOCI_RETURN_IF_ERROR(chunk.from->verify(chunk.codes_segment));
  return chunk.from->verify(chunk.vectors_segment);
}

Status VectorColumn::verify_codes() const {
  if (!damage_.ok()) return damage_;
  for (const Chunk& chunk : chunks_) {
    if (chunk.from == nullptr) continue;
    LOCI_RETURN_IF_ERROR(chunk.from->verify(chunk.codes_segment));
  }
  return {};
}

Status VectorColumn::verify_vector(size_t slot) const {
  const Chunk& chunk = chunk_of(slot);
  if (chunk.from == nullptr) return {};
  return chunk.from->verify(chunk.vectors_segment);
}

}  // namespace loci::index

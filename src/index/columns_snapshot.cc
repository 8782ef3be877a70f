// SPDX-License-Identifier: Apache-2.0
//
// A vector column to and from a snapshot.
//
// A chunk of the column is a segment of codes with everything that a scan reads beside them, and a
// segment of full vectors for each block of 1,024 rows, as a search reads few of those. The blocks
// of a chunk follow one another without a gap: 1,024 rows of float32 are whole pages. Loading
// copies nothing: the buffers of a chunk become parts of the mapped file. A segment is verified
// when it is first read, or before it is first written to (the write copies its page, and the bytes
// are no longer those that the checksum is of). The last chunk is written with some room, so that
// rows can be added to it; what is not in use is written as zeros.
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

/// Room for rows in a chunk that is not full: rows can be added before it must be copied.
size_t room_for(size_t used, size_t room) {
  return std::min(room, base::round_up(used + used / 16, 64));
}

}  // namespace

Status VectorColumn::save_codes(const SegmentKey& key, const Chunk& chunk, size_t used, size_t room,
                                SnapshotWriter& out) const {
  const std::array<const base::Buffer*, 5> arrays = {&chunk.codes, &chunk.low, &chunk.params,
                                                     &chunk.fine, &chunk.norms};
  const std::array<size_t, 5> row_bytes = array_bytes(1);
  std::array<base::Buffer, 5> padded;
  std::vector<base::ByteSpan> pieces;
  for (size_t i = 0; i < arrays.size(); ++i) {
    if (row_bytes[i] == 0) continue;
    if (used == chunk.rows && room == chunk.rows) {
      pieces.emplace_back(arrays[i]->data(), room * row_bytes[i]);
      continue;
    }
    LOCI_ASSIGN_OR_RETURN(padded[i], base::Buffer::try_allocate(room * row_bytes[i]));
    const size_t parts = i == 2 ? kParamArrays : 1;
    const size_t part_bytes = row_bytes[i] / parts;
    for (size_t part = 0; part < parts; ++part) {
      std::copy_n(arrays[i]->data() + part * chunk.rows * part_bytes, used * part_bytes,
                  padded[i].data() + part * room * part_bytes);
    }
    pieces.emplace_back(padded[i].data(), padded[i].size());
  }
  return out.add(key, room, pieces);
}

Status VectorColumn::save_vectors(uint32_t number, size_t part, size_t used, size_t room,
                                  SnapshotWriter& out) const {
  const size_t row_bytes = dim() * sizeof(float);
  const base::ByteSpan vectors(chunks_[part].vectors.data(), used * row_bytes);
  for (size_t row = 0; row < room; row += kBlockRows) {
    const size_t rows = std::min(kBlockRows, room - row);
    const size_t written = std::min(rows, used - std::min(used, row));
    const SegmentKey key{SegmentKind::kVectors, number,
                         (part << chunk_shift_) / kBlockRows + row / kBlockRows};
    if (written == rows) {
      LOCI_RETURN_IF_ERROR(out.add(key, rows, vectors.subspan(row * row_bytes, rows * row_bytes)));
      continue;
    }
    LOCI_ASSIGN_OR_RETURN(base::Buffer padded, base::Buffer::try_allocate(rows * row_bytes));
    if (written != 0) {
      std::copy_n(vectors.data() + row * row_bytes, written * row_bytes, padded.data());
    }
    LOCI_RETURN_IF_ERROR(out.add(key, rows, base::ByteSpan(padded.data(), padded.size())));
  }
  return {};
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
  // A damaged block must not get a fresh checksum.
  LOCI_RETURN_IF_ERROR(verify_codes());
  for (size_t slot = 0; slot < slots_; slot += kBlockRows) {
    LOCI_RETURN_IF_ERROR(verify_around(slot));
  }
  for (size_t part = 0; part << chunk_shift_ < slots_; ++part) {
    const Chunk& chunk = chunks_[part];
    const size_t used = std::min(chunk.rows, slots_ - (part << chunk_shift_));
    const size_t room = room_for(used, chunk.rows);
    LOCI_RETURN_IF_ERROR(save_codes({SegmentKind::kCodes, number, part}, chunk, used, room, out));
    if (!chunk.vectors.empty()) {
      LOCI_RETURN_IF_ERROR(save_vectors(number, part, used, room, out));
    }
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
  if (layout_.metric != Metric::kHamming) {
    LOCI_RETURN_IF_ERROR(load_vectors(number, part, from, chunk));
  }
  return chunk;
}

Status VectorColumn::load_vectors(uint32_t number, size_t part,
                                  const std::shared_ptr<SnapshotFile>& from, Chunk& chunk) const {
  const size_t first = (part << chunk_shift_) / kBlockRows;
  std::span<uint8_t> all;
  for (size_t block = 0; block * kBlockRows < chunk.rows; ++block) {
    LOCI_ASSIGN_OR_RETURN(const SnapshotFile::Segment segment,
                          from->find({SegmentKind::kVectors, number, first + block}));
    const size_t rows = std::min(kBlockRows, chunk.rows - block * kBlockRows);
    if (block == 0) {
      chunk.vectors_segment = segment.number;
      all = segment.bytes.first(0);
    }
    const bool follows = segment.number == chunk.vectors_segment + block &&
                         segment.bytes.data() == all.data() + all.size();
    if (!follows || segment.bytes.size() < rows * dim() * sizeof(float)) {
      return Status::corruption(base::str_cat("snapshot: vectors of block ", first + block,
                                              " are not where they must", " be"));
    }
    all = {all.data(), all.size() + rows * dim() * sizeof(float)};
  }
  chunk.vectors = from->part(all);
  return {};
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
  note_planes();
  slots_ = slots;
  return {};
}

Status VectorColumn::verify_around(size_t slot) const {
  const Chunk& chunk = chunk_of(slot);
  if (chunk.from == nullptr) return {};
  LOCI_RETURN_IF_ERROR(chunk.from->verify(chunk.codes_segment));
  return verify_vector(slot);
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
  if (chunk.from == nullptr || chunk.vectors.empty()) return {};
  return chunk.from->verify(chunk.vectors_segment + in_chunk(slot) / kBlockRows);
}

}  // namespace loci::index

// SPDX-License-Identifier: Apache-2.0
//
// Chunks. A chunk has a power of two of slots, at least 1,024 and so many that its codes (or, with
// a custom metric, its vectors) fill 2 MiB: base::Buffer then asks for huge pages. The first chunk
// starts at 64 rows and doubles, so that the image of a transaction that changed three rows stays
// small; after 4,096 it is made whole.
//
// The grid of kL1. Sums of absolute differences of codes are distances only when all rows share one
// grid, but the range of the data is not known in advance. The grid is fitted to what was seen when
// the number of rows has doubled, up to 1,024 rows; later only when more than a tenth of the rows
// leave it. Rows that leave it are clamped and carry their true error: bounds stay sound, only
// looser. All rows are encoded anew at a fit: at most ten encodings a row in the long run.
//
// Invariants: (1) present_ has a bit for exactly the slots that hold a vector; (2) a present slot's
// codes, coarse and fine, decode to within their err of its vector; (3) codes are padded with zeros
// to the stride. Tested by image_test.cc.
#include "index/columns.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <utility>

#include "base/elements.h"
#include "base/limits.h"
#include "base/strings.h"
#include "simd/dispatch.h"

namespace loci::index {

namespace {

constexpr size_t kFirstRows = 64;
/// Above it the first chunk grows no more in steps: copying takes longer than it saves memory.
constexpr size_t kMostFirstRows = 4096;
constexpr size_t kWarmRows = 1024;      // warmed at once
constexpr size_t kGridFitRows = 1024;   // the grid follows the data up to here
constexpr size_t kGridClampShare = 10;  // then it is fitted anew above 1 row in 10

base::ByteSpan bytes_of(std::span<const std::byte> blob) noexcept {
  return {reinterpret_cast<const uint8_t*>(blob.data()), blob.size()};
}

// Without a branch per component; comparisons with NaN are false.
bool all_finite(VectorView vector) noexcept {
  bool finite = true;
  for (const float x : vector) finite &= std::abs(x) <= std::numeric_limits<float>::max();
  return finite;
}

}  // namespace

Result<VectorColumn> VectorColumn::create(ColumnLayout layout) {
  if (layout.dim == 0 || layout.dim > base::kMaxDim) {
    return Status::invalid_argument(
        base::str_cat("dim ", layout.dim, ", expected 1 to ", base::kMaxDim));
  }
  VectorColumn column(std::move(layout));
  const size_t dim = column.dim();
  if (column.layout_.metric != Metric::kCustom) {
    LOCI_ASSIGN_OR_RETURN(column.codec_, quant::U8Codec::create(column.layout_.metric, dim));
    if (column.two_planes()) column.origin_fit_ = OriginFit(dim);
  }
  const size_t scanned_bytes = column.codec_.has_value() ? column.codec_->stride() : dim * 4;
  const size_t rows = std::max(kBlockRows, base::Buffer::kHugePage / scanned_bytes);
  column.chunk_shift_ = static_cast<size_t>(std::bit_width(std::bit_ceil(rows)) - 1);
  column.code_stride_ = column.codec_.has_value() ? column.codec_->stride() : 0;
  column.staged_.resize(dim);
  column.staged_bits_.resize(column.code_stride());
  return column;
}

size_t VectorColumn::blob_bytes() const noexcept {
  return layout_.metric == Metric::kHamming ? (dim() + 7) / 8
                                            : dim() * base::element_bytes(layout_.element);
}
bool VectorColumn::has_params() const noexcept {
  return layout_.metric != Metric::kHamming && layout_.metric != Metric::kCustom;
}
bool VectorColumn::has_norms() const noexcept {
  return layout_.metric == Metric::kCosine || layout_.metric == Metric::kAngular;
}
bool VectorColumn::two_planes() const noexcept {
  return codec_.has_value() && codec_->two_planes();
}

Status VectorColumn::stage(std::span<const std::byte> blob) {
  staged_present_ = !blob.empty();
  if (blob.empty()) return {};
  if (blob.size() != blob_bytes()) {
    return Status::corruption(
        base::str_cat("vector of ", blob.size(), " bytes, expected ", blob_bytes()));
  }
  if (layout_.metric == Metric::kHamming) {
    std::fill(staged_bits_.begin(), staged_bits_.end(), uint8_t{0});
    std::copy_n(bytes_of(blob).begin(), blob.size(), staged_bits_.begin());
    // Bits past the dimension are nobody's and must not count.
    if (dim() % 8 != 0) {
      staged_bits_[blob.size() - 1] &= static_cast<uint8_t>((1U << (dim() % 8)) - 1);
    }
    return {};
  }
  if (!base::decode_elements(layout_.element, bytes_of(blob), staged_) || !all_finite(staged_)) {
    return Status::corruption("vector with a component that is not finite");
  }
  return {};
}

std::array<size_t, 5> VectorColumn::array_bytes(size_t rows) const noexcept {
  return {rows * code_stride(), two_planes() ? rows * code_stride() : 0,
          has_params() ? rows * kParamArrays * sizeof(float) : 0,
          two_planes() ? rows * sizeof(quant::RowParams) : 0,
          has_norms() ? rows * sizeof(double) : 0};
}

Result<VectorColumn::Chunk> VectorColumn::allocate(size_t rows) const {
  using base::Buffer;
  Chunk chunk;
  chunk.rows = rows;
  LOCI_ASSIGN_OR_RETURN(chunk.codes,
                        Buffer::try_allocate_array(rows, code_stride(), Buffer::Fill::kNone));
  if (has_params()) {
    LOCI_ASSIGN_OR_RETURN(
        chunk.params,
        Buffer::try_allocate_array(rows, kParamArrays * sizeof(float), Buffer::Fill::kNone));
  }
  if (two_planes()) {
    LOCI_ASSIGN_OR_RETURN(chunk.low,
                          Buffer::try_allocate_array(rows, code_stride(), Buffer::Fill::kNone));
    LOCI_ASSIGN_OR_RETURN(chunk.fine, Buffer::try_allocate_array(rows, sizeof(quant::RowParams),
                                                                 Buffer::Fill::kNone));
  }
  if (has_norms()) {
    LOCI_ASSIGN_OR_RETURN(chunk.norms,
                          Buffer::try_allocate_array(rows, sizeof(double), Buffer::Fill::kNone));
  }
  if (layout_.metric != Metric::kHamming) {
    LOCI_ASSIGN_OR_RETURN(chunk.vectors, Buffer::try_allocate_array(rows, dim() * sizeof(float),
                                                                    Buffer::Fill::kNone));
  }
  return chunk;
}

void VectorColumn::copy_rows(const Chunk& from, Chunk& to, size_t rows) const noexcept {
  const auto copy = [](const base::Buffer& source, base::Buffer& target, size_t bytes) {
    if (!source.empty()) std::copy_n(source.data(), bytes, target.data());
  };
  copy(from.codes, to.codes, rows * code_stride());
  copy(from.low, to.low, rows * code_stride());
  copy(from.fine, to.fine, rows * sizeof(quant::RowParams));
  copy(from.norms, to.norms, rows * sizeof(double));
  copy(from.vectors, to.vectors, rows * dim() * sizeof(float));
  if (!has_params()) return;
  for (size_t array = 0; array < kParamArrays; ++array) {
    std::copy_n(from.params.as<float>().begin() + static_cast<ptrdiff_t>(array * from.rows), rows,
                to.params.as<float>().begin() + static_cast<ptrdiff_t>(array * to.rows));
  }
}

// After chunks_ has changed. May throw std::bad_alloc when a chunk was added.
void VectorColumn::note_planes() {
  scan_planes_.resize(chunks_.size());
  for (size_t i = 0; i < chunks_.size(); ++i) scan_planes_[i] = chunks_[i].codes.data();
}

Status VectorColumn::reserve(size_t slot) {
  present_.reserve(slot + 1);
  const size_t full = size_t{1} << chunk_shift_;
  const size_t chunk = slot >> chunk_shift_;
  if (chunk < chunks_.size() && in_chunk(slot) < chunks_[chunk].rows) {
    warm_after(slot);
    return verify_around(slot);  // before it is written to
  }
  if (chunk == chunks_.size()) {
    chunks_.reserve(chunk + 1);
    scan_planes_.reserve(chunk + 1);
    LOCI_ASSIGN_OR_RETURN(Chunk added, allocate(chunk == 0 ? std::min(kFirstRows, full) : full));
    chunks_.push_back(std::move(added));
    note_planes();
    warm_after(slot);
    return {};
  }
  Chunk& old = chunks_[chunk];
  for (size_t at = slot - in_chunk(slot); at < slots_; at += kBlockRows) {
    LOCI_RETURN_IF_ERROR(verify_around(at));  // what is copied is no longer compared
  }
  const size_t rows = old.rows < kMostFirstRows ? old.rows * 2 : full;
  LOCI_ASSIGN_OR_RETURN(Chunk larger, allocate(std::min(full, rows)));
  copy_rows(old, larger, old.rows);
  old = std::move(larger);
  note_planes();
  return {};
}

// Once for every kWarmRows rows: those after the next kWarmRows, which have been warmed before.
void VectorColumn::warm_after(size_t slot) noexcept {
  if (warmer_ == nullptr || slot != slots_ || slot % kWarmRows != 0) return;
  Chunk& chunk = chunk_of(slot);
  if (chunk.rows >> chunk_shift_ == 0) return;  // small yet
  const size_t from = in_chunk(slot) == 0 ? 0 : in_chunk(slot) + kWarmRows;
  const size_t end = std::min(in_chunk(slot) + 2 * kWarmRows, chunk.rows);
  if (from >= end) return;
  for (base::Buffer* const array : {&chunk.vectors, &chunk.codes, &chunk.low}) {
    const size_t row_bytes = array->size() / chunk.rows;
    warmer_->warm(array->data() + from * row_bytes, (end - from) * row_bytes);
  }
}

void VectorColumn::encode(size_t slot) noexcept {
  Chunk& chunk = chunk_of(slot);
  const size_t at = in_chunk(slot);
  const VectorView vector(this->vector(slot), dim());
  const size_t stride = code_stride();
  const std::span<uint8_t> high(chunk.codes.data() + at * stride, stride);
  std::span<uint8_t> low;
  if (two_planes()) low = {chunk.low.data() + at * stride, stride};
  quant::CodedRow row = codec_->encode(vector, high, low);
  if (has_norms()) {
    const double norm2 = simd::kernels().dot_f32(vector.data(), vector.data(), dim());
    chunk.norms.as<double>()[at] = std::sqrt(norm2);
    // A zero vector has no direction; its distance is settled by definition in exact_scan.cc. An
    // infinite error keeps it from being pruned.
    if (norm2 == 0) {
      row.scan = {.lo = 0, .step = 0, .err = std::numeric_limits<float>::infinity()};
      row.fine = row.scan;
    }
  }
  const std::span<float> params = chunk.params.as<float>();
  params[at] = row.scan.lo;
  params[chunk.rows + at] = row.scan.step;
  params[2 * chunk.rows + at] = row.scan.err;
  params[3 * chunk.rows + at] = row.scan.aux;
  params[4 * chunk.rows + at] = row.scan.delta;
  if (two_planes()) chunk.fine.as<quant::RowParams>()[at] = row.fine;
}

bool VectorColumn::holds_staged(size_t slot) const noexcept {
  if (slot >= slots_ || staged_present_ != present_.test(slot)) return false;
  if (!staged_present_) return true;
  if (layout_.metric == Metric::kHamming) {
    return std::equal(staged_bits_.begin(), staged_bits_.end(), scan_code(slot));
  }
  // Bits, not values: 0 and -0 differ.
  return std::memcmp(staged_.data(), vector(slot), dim() * sizeof(float)) == 0;
}

void VectorColumn::commit(size_t slot) noexcept {
  slots_ = std::max(slots_, slot + 1);
  present_.set(slot, staged_present_);
  if (!staged_present_) return;
  Chunk& chunk = chunk_of(slot);
  const size_t at = in_chunk(slot);
  if (layout_.metric == Metric::kHamming) {
    std::copy(staged_bits_.begin(), staged_bits_.end(), chunk.codes.data() + at * code_stride());
    return;
  }
  std::copy(staged_.begin(), staged_.end(),
            chunk.vectors.as<float>().begin() + static_cast<ptrdiff_t>(at * dim()));
  if (!codec_.has_value()) return;
  encode(slot);
  if (two_planes()) fit_origin(slot);
  if (layout_.metric == Metric::kL1) {
    note_range(staged_);
    refit_grid();
  }
}

void VectorColumn::note_range(VectorView vector) noexcept {
  const auto [least, greatest] = std::minmax_element(vector.begin(), vector.end());
  const bool first = grid_.rows_at_fit == 0 && grid_.clamped == 0;
  grid_.seen.min = first ? *least : std::min(grid_.seen.min, *least);
  grid_.seen.max = first ? *greatest : std::max(grid_.seen.max, *greatest);
  if (first || *least < grid_.range.min || *greatest > grid_.range.max) ++grid_.clamped;
}

void VectorColumn::refit_grid() noexcept {
  const size_t rows = present_.count();
  const bool early = rows <= kGridFitRows;
  if (early && rows < 2 * grid_.rows_at_fit) return;
  if (early) grid_.rows_at_fit = rows;
  if (grid_.clamped <= (early ? 0 : rows / kGridClampShare)) return;
  quant::U8Range range = grid_.seen;
  if (range.min == range.max) {
    range.max = std::nextafter(range.max, std::numeric_limits<float>::infinity());
  }
  // A range too wide for float is refused; the old grid stays sound.
  Result<quant::U8Codec> codec = quant::U8Codec::create(Metric::kL1, dim(), range);
  if (!codec.has_value()) return;
  codec_ = *std::move(codec);
  grid_.range = range;
  grid_.clamped = 0;
  encode_all();
}

void VectorColumn::encode_all() noexcept {
  ++codings_;
  for (size_t slot = 0; slot < slots_; slot += kBlockRows) {
    if (Status status = verify_around(slot); !status.ok()) damage_ = std::move(status);
  }
  for (size_t slot = 0; slot < slots_; ++slot) {
    if (present_.test(slot)) encode(slot);
  }
}

void VectorColumn::fit_origin(size_t slot) noexcept {
  const double scale = has_norms() ? 1.0 / norm(slot) : 1.0;
  if (!std::isfinite(scale)) return;
  origin_fit_.note(staged_, scale, rows(slot, 1).fine->step == 1.0F);
  if (!origin_fit_.due(codec_->origin())) return;
  codec_->set_origin(origin_fit_.mean());
  encode_all();
}

Status VectorColumn::recenter() {
  if (!two_planes()) return {};
  LOCI_RETURN_IF_ERROR(verify_codes());
  for (size_t slot = 0; slot < slots_; slot += kBlockRows) {
    LOCI_RETURN_IF_ERROR(verify_around(slot));
  }
  if (!origin_fit_.has_moved(codec_->origin())) return {};
  codec_->set_origin(origin_fit_.mean());
  encode_all();
  return {};
}

void VectorColumn::copy_slot(size_t from, size_t to) noexcept {
  const Chunk& source = chunk_of(from);
  Chunk& target = chunk_of(to);
  const size_t i = in_chunk(from);
  const size_t j = in_chunk(to);
  const size_t stride = code_stride();
  if (stride != 0) {
    std::copy_n(source.codes.data() + i * stride, stride, target.codes.data() + j * stride);
  }
  if (two_planes()) {
    std::copy_n(source.low.data() + i * stride, stride, target.low.data() + j * stride);
    target.fine.as<quant::RowParams>()[j] = source.fine.as<quant::RowParams>()[i];
  }
  if (has_params()) {
    for (size_t array = 0; array < kParamArrays; ++array) {
      target.params.as<float>()[array * target.rows + j] =
          source.params.as<float>()[array * source.rows + i];
    }
  }
  if (has_norms()) target.norms.as<double>()[j] = source.norms.as<double>()[i];
  if (!source.vectors.empty()) {
    std::copy_n(source.vectors.as<float>().data() + i * dim(), dim(),
                target.vectors.as<float>().data() + j * dim());
  }
}

void VectorColumn::remove(size_t slot, size_t last) noexcept {
  if (slot != last && present_.test(last)) {
    for (const size_t touched : {slot, last}) {
      if (Status status = verify_around(touched); !status.ok()) damage_ = std::move(status);
    }
    copy_slot(last, slot);
  }
  present_.set(slot, present_.test(last));
  present_.set(last, false);
  slots_ = last;
  // One chunk is kept in hand: a row put and erased in turn must not allocate every time.
  const size_t needed = slots_ == 0 ? 0 : ((slots_ - 1) >> chunk_shift_) + 2;
  while (chunks_.size() > needed) chunks_.pop_back();
  scan_planes_.resize(chunks_.size());
}

quant::RowBlock VectorColumn::rows(size_t slot, size_t count) const noexcept {
  const Chunk& chunk = chunk_of(slot);
  const size_t at = in_chunk(slot);
  quant::RowBlock block;
  block.count = count;
  block.high = chunk.codes.data() + at * code_stride();
  if (two_planes()) {
    block.low = chunk.low.data() + at * code_stride();
    block.fine = chunk.fine.as<quant::RowParams>().data() + at;
  }
  if (has_params()) {
    const float* params = chunk.params.as<float>().data() + at;
    block.lo = params;
    block.step = params + chunk.rows;
    block.err = params + 2 * chunk.rows;
    block.aux = params + 3 * chunk.rows;
    block.delta = params + 4 * chunk.rows;
  }
  return block;
}

const float* VectorColumn::vector(size_t slot) const noexcept {
  return chunk_of(slot).vectors.as<float>().data() + in_chunk(slot) * dim();
}

double VectorColumn::norm(size_t slot) const noexcept {
  return chunk_of(slot).norms.as<double>()[in_chunk(slot)];
}

size_t VectorColumn::memory_bytes() const noexcept {
  size_t bytes = present_.memory_bytes() + chunks_.capacity() * sizeof(Chunk) +
                 staged_.capacity() * sizeof(float) + staged_bits_.capacity();
  // The origin, and what it is fitted with.
  if (two_planes()) bytes += dim() * (2 * sizeof(float) + sizeof(double));
  for (const Chunk& chunk : chunks_) {
    bytes += chunk.codes.size() + chunk.low.size() + chunk.params.size() + chunk.fine.size() +
             chunk.norms.size() + chunk.vectors.size();
  }
  return bytes;
}

// The distance from a vector (of unit length, where lengths do not count, less the origin) to what
// its code, of scans or the fine one, decodes to, in the norm of the metric.
double VectorColumn::decoding_error(size_t slot, bool fine) const noexcept {
  const quant::RowBlock row = rows(slot, 1);
  const float* full = vector(slot);
  const double scale = has_norms() ? 1.0 / norm(slot) : 1.0;
  // The grid of kL1 is the codec's, not the row's.
  const double lo = layout_.metric == Metric::kL1 ? codec_->grid_lo()
                    : fine                        ? row.fine->lo
                                                  : row.lo[0];
  const double step = fine ? row.fine->step : row.step[0];
  double l1 = 0;
  double l2 = 0;
  for (size_t j = 0; j < dim(); ++j) {
    unsigned code = two_planes() ? quant::half_byte(row.high, j) : row.high[j];
    if (fine) code = 16 * code + quant::half_byte(row.low, j);
    const double origin = two_planes() ? double{codec_->origin()[j]} : 0.0;
    const double lost = std::abs(double{full[j]} * scale - origin - (lo + step * code));
    l1 += lost;
    l2 += lost * lost;
  }
  return layout_.metric == Metric::kL1 ? l1 : std::sqrt(l2);
}

bool VectorColumn::padded_with_zeros(const uint8_t* code) const noexcept {
  if (two_planes()) {
    for (size_t j = dim(); j < 2 * code_stride(); ++j) {
      if (quant::half_byte(code, j) != 0) return false;
    }
    return true;
  }
  const size_t used = layout_.metric == Metric::kHamming ? (dim() + 7) / 8 : dim();
  return std::all_of(code + used, code + code_stride(), [](uint8_t byte) { return byte == 0; });
}

Status VectorColumn::check_invariants(size_t slots) const {
  if (slots_ != slots) {
    return Status::internal(base::str_cat("vectors for ", slots_, " slots, rows ", slots));
  }
  size_t present = 0;
  for (const uint64_t word : present_.words()) present += static_cast<size_t>(std::popcount(word));
  if (present != present_.count()) {
    return Status::internal(base::str_cat(present, " vectors, counted ", present_.count()));
  }
  for (size_t slot = slots; slot < present_.words().size() * 64; ++slot) {
    if (present_.test(slot)) {
      return Status::internal(base::str_cat("vector in slot ", slot, ", rows ", slots));
    }
  }
  for (size_t slot = 0; slot < slots; ++slot) {
    if (!present_.test(slot)) continue;
    LOCI_RETURN_IF_ERROR(check_slot(slot));
  }
  return {};
}

Status VectorColumn::check_bound(size_t slot, bool fine) const {
  const quant::RowBlock row = rows(slot, 1);
  const double err = fine ? row.fine->err : row.err[0];
  const double lost = decoding_error(slot, fine);
  if (!std::isfinite(err) || lost <= err) return {};
  return Status::internal(base::str_cat(fine ? "fine" : "scanned", " code of slot ", slot, " is ",
                                        lost, " from its vector, bound ", err));
}

Status VectorColumn::check_slot(size_t slot) const {
  if (codec_.has_value()) {
    const quant::RowBlock row = rows(slot, 1);
    if (!padded_with_zeros(row.high) || (two_planes() && !padded_with_zeros(row.low))) {
      return Status::internal(base::str_cat("code of slot ", slot, " is not padded with zeros"));
    }
  }
  if (layout_.metric != Metric::kHamming && !all_finite({vector(slot), dim()})) {
    return Status::internal(base::str_cat("vector of slot ", slot, " is not finite"));
  }
  if (has_params()) LOCI_RETURN_IF_ERROR(check_bound(slot, false));
  if (two_planes()) LOCI_RETURN_IF_ERROR(check_bound(slot, true));
  if (has_norms()) {
    const double norm = std::sqrt(simd::kernels().dot_f32(vector(slot), vector(slot), dim()));
    if (this->norm(slot) != norm) {
      return Status::internal(base::str_cat("norm of slot ", slot, " is ", this->norm(slot),
                                            ", the vector's is ", norm));
    }
  }
  return {};
}

}  // namespace loci::index

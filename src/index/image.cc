// SPDX-License-Identifier: Apache-2.0
//
// The rows of a source, in memory and by column.
//
// One slot a row, dense: slots 0..n-1 are in use, and erasing a row moves the last row into its
// slot. So there are no dead slots to skip, nothing to compact, and every array can be scanned from
// end to end; the price is that erasing copies one row (2 KB at 384 dimensions). With a graph slots
// keep their rows and erasing leaves a hole (image_graphs.cc says why). The order of slots means
// nothing: results are ordered by distance and rowid.
//
// A put is two-phased. Everything that can fail comes first (check the values, decode the vectors,
// reserve memory in every array, intern texts), then everything is stored by functions that cannot
// fail. A put that returns an error has therefore changed nothing.
//
// A search builds the set of rows it may return (live, with a vector, not hidden, passing the
// filter), one bit a slot, and hands it to the scan. Without filter, hidden, archived or pending
// rows there is no set and the scan takes whole blocks.
//
// Invariants: (1) all columns have as many slots in use as there are rows and holes; (2) a row's
// slot is found by its rowid and nowhere else; (3) archived bits past the last slot are zero.
// Tested by image_test.cc.
#include "index/image.h"

#include <algorithm>
#include <utility>

#include "base/bytes.h"
#include "base/c_edge.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/limits.h"
#include "base/strings.h"
#include "index/image_impl.h"
#include "index/predicate_eval.h"
#include "index/snapshot_file.h"

namespace loci::index {

Image::Image(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Image::Image(Image&&) noexcept = default;
Image& Image::operator=(Image&&) noexcept = default;
Image::~Image() = default;

Result<Image> Image::create(ImageLayout layout) {
  return base::guarded([&]() -> Result<Image> {
    auto impl = std::make_unique<Impl>();
    for (ColumnLayout& column : layout.columns) {
      LOCI_ASSIGN_OR_RETURN(VectorColumn made, VectorColumn::create(std::move(column)));
      impl->columns.push_back(std::move(made));
    }
    for (const FieldType type : layout.filters) impl->fields.emplace_back(type);
    impl->cells.resize(impl->fields.size());
    return Image(std::move(impl));
  });
}

// What is wrong with the row itself. Decodes the vectors on the way.
Status Image::Impl::check(const ImageRow& row) {
  if (row.vectors.size() != columns.size() || row.filters.size() != fields.size()) {
    return Status::invalid_argument(base::str_cat(
        "row ", to_int(row.rowid), ": ", row.vectors.size(), " vectors and ", row.filters.size(),
        " filter values, expected ", columns.size(), " and ", fields.size()));
  }
  for (size_t c = 0; c < columns.size(); ++c) {
    if (const Status status = columns[c].stage(row.vectors[c]); !status.ok()) {
      return status.with_context(base::str_cat("row ", to_int(row.rowid), ", vector column ", c));
    }
  }
  for (size_t f = 0; f < fields.size(); ++f) {
    if (const Status status = fields[f].check(row.filters[f]); !status.ok()) {
      return status.with_context(base::str_cat("row ", to_int(row.rowid), ", filter column ", f));
    }
  }
  return {};
}

void Image::set_warmer(base::PageWarmer* warmer) noexcept {
  for (VectorColumn& column : impl_->columns) column.set_warmer(warmer);
}

Status Image::Impl::reserve(const ImageRow& row, size_t slot) {
  return base::guarded([&]() -> Status {
    slots.reserve_one();
    archived.reserve(slot + 1);
    for (VectorColumn& column : columns) LOCI_RETURN_IF_ERROR(column.reserve(slot));
    for (size_t f = 0; f < fields.size(); ++f) cells[f] = fields[f].prepare(slot, row.filters[f]);
    return {};
  });
}

Status Image::put(const ImageRow& row) {
  Impl& impl = *impl_;
  LOCI_RETURN_IF_ERROR(impl.check(row));
  const std::optional<size_t> found = impl.slots.find(row.rowid);
  const size_t slot = found.value_or(impl.slots.next_slot());
  if (slot >= base::kMaxRows) {
    return Status::full(base::str_cat("image of ", slot, " rows, at most ", base::kMaxRows));
  }
  LOCI_RETURN_IF_ERROR(impl.reserve(row, slot));
  // Nothing fails from here on.
  if (!found.has_value()) impl.slots.append(row.rowid);
  impl.archived.set(slot, row.archived);
  for (size_t c = 0; c < impl.columns.size(); ++c) {
    // A row whose vector stays, as when a text of it changes, stays where it is in the graph.
    if (found.has_value() && impl.columns[c].holds_staged(slot)) continue;
    impl.columns[c].commit(slot);
    impl.unlink(c, slot);
    impl.link(c, slot);
  }
  for (size_t f = 0; f < impl.fields.size(); ++f) {
    impl.fields[f].set(slot, impl.cells[f], !found.has_value());
  }
  return {};
}

void Image::erase(RowId row) noexcept {
  Impl& impl = *impl_;
  const std::optional<size_t> found = impl.slots.find(row);
  if (!found.has_value()) return;
  const size_t slot = *found;
  if (impl.keeps_slots()) {
    for (size_t c = 0; c < impl.columns.size(); ++c) {
      impl.columns[c].clear(slot);
      impl.unlink(c, slot);
    }
    for (FieldColumn& field : impl.fields) field.clear(slot);
    impl.archived.set(slot, false);
    impl.slots.vacate(slot);
    return;
  }
  const size_t last = impl.slots.size() - 1;
  for (VectorColumn& column : impl.columns) column.remove(slot, last);
  for (FieldColumn& field : impl.fields) field.remove(slot, last);
  impl.archived.set(slot, impl.archived.test(last));
  impl.archived.set(last, false);
  impl.slots.remove(slot);
}

bool Image::contains(RowId row) const noexcept { return impl_->slots.find(row).has_value(); }

size_t Image::size() const noexcept { return impl_->slots.size(); }

size_t Image::memory_bytes() const noexcept {
  size_t bytes = sizeof(Impl) + impl_->slots.memory_bytes() + impl_->archived.memory_bytes() +
                 impl_->cells.capacity() * sizeof(FieldColumn::Cell) + impl_->graph_bytes();
  for (const VectorColumn& column : impl_->columns) bytes += sizeof column + column.memory_bytes();
  for (const FieldColumn& field : impl_->fields) bytes += sizeof field + field.memory_bytes();
  return bytes;
}

std::vector<RowId> Image::rowids() const {
  std::vector<RowId> rows(impl_->slots.rows().begin(), impl_->slots.rows().end());
  std::erase(rows, kNoRow);
  std::sort(rows.begin(), rows.end());
  return rows;
}

size_t Image::vector_count(size_t column) const noexcept {
  return column < impl_->columns.size() ? impl_->columns[column].present().count() : 0;
}

void Image::Impl::hide(std::span<const RowId> hidden, AllowedRows& allowed) const {
  for (const RowId row : hidden) {
    if (const auto slot = slots.find(row)) {
      allowed.blocks[*slot / kBlockRows].clear(*slot % kBlockRows);
    }
  }
}

AllowedRows Image::Impl::allowed_rows(const ScanQuery& query, const BoundPredicate* filter) const {
  const VectorColumn& column = columns[query.column];
  AllowedRows allowed;
  allowed.slots = slots.slots();
  const bool skip_archived = !query.include_archived && archived.count() != 0;
  if (filter == nullptr && query.hidden.empty() && !skip_archived &&
      column.present().count() == slots.slots()) {
    allowed.all = true;
    allowed.count = slots.slots();
    return allowed;
  }
  allowed.blocks.resize(block_count(slots.slots()));
  if (filter != nullptr) filter->find_passing(allowed.blocks);
  const bool all_present = column.present().count() == slots.slots();
  for (size_t b = 0; b < allowed.blocks.size(); ++b) {
    BlockMask& mask = allowed.blocks[b];
    const bool whole = all_present && (b + 1) * kBlockRows <= slots.slots();
    if (filter == nullptr) {
      mask = column.present().block(b);
    } else if (!whole) {
      mask.intersect(column.present().block(b));
    }
    if (skip_archived) mask.subtract(archived.block(b));
  }
  hide(query.hidden, allowed);
  allowed.count = count_rows(allowed.blocks);
  return allowed;
}

Result<ScanOutcome> Image::search(const ScanQuery& query) const {
  const Impl& impl = *impl_;
  if (query.column >= impl.columns.size()) {
    return Status::invalid_argument(
        base::str_cat("vector column ", query.column, ", there are ", impl.columns.size()));
  }
  const VectorColumn& column = impl.columns[query.column];
  LOCI_RETURN_IF_ERROR(validate_query(column, query));
  const int64_t start_ns = base::monotonic_ns();
  ScanOutcome outcome;
  std::optional<BoundPredicate> filter;
  if (query.filter != nullptr) {
    LOCI_ASSIGN_OR_RETURN(filter, BoundPredicate::bind(*query.filter, impl.fields, impl.slots));
    LOCI_ASSIGN_OR_RETURN(const bool done, impl.search_filtered(query, *filter, outcome));
    if (done) {
      outcome.scan_us = static_cast<double>(base::monotonic_ns() - start_ns) / 1e3;
      return outcome;
    }
  }
  const AllowedRows allowed = impl.allowed_rows(query, filter.has_value() ? &*filter : nullptr);
  const int64_t filtered_ns = base::monotonic_ns();
  outcome.passed_filter = allowed.count;
  LOCI_ASSIGN_OR_RETURN(const bool answered, impl.search_graph(query, allowed, outcome));
  if (!answered) {
    LOCI_RETURN_IF_ERROR(exact_scan(column, query, allowed, impl.slots.rows(), outcome));
  }
  outcome.filter_us = static_cast<double>(filtered_ns - start_ns) / 1e3;
  outcome.scan_us = static_cast<double>(base::monotonic_ns() - filtered_ns) / 1e3;
  return outcome;
}

Status Image::save(SnapshotWriter& out) const {
  const Impl& impl = *impl_;
  const auto bytes_of = [](const auto& values) {
    return base::ByteSpan(reinterpret_cast<const uint8_t*>(values.data()), values.size_bytes());
  };
  const size_t slots = impl.slots.slots();
  LOCI_RETURN_IF_ERROR(out.add({SegmentKind::kRowIds, 0, 0}, slots, bytes_of(impl.slots.rows())));
  LOCI_RETURN_IF_ERROR(
      out.add({SegmentKind::kArchived, 0, 0}, slots, bytes_of(impl.archived.words())));
  for (uint32_t c = 0; c < impl.columns.size(); ++c) {
    LOCI_RETURN_IF_ERROR(impl.columns[c].save(c, out));
  }
  for (uint32_t f = 0; f < impl.fields.size(); ++f) {
    LOCI_RETURN_IF_ERROR(impl.fields[f].save(f, slots, out));
  }
  return impl.save_graphs(out);
}

Result<Image> Image::load(ImageLayout layout, const std::shared_ptr<SnapshotFile>& from) {
  return base::guarded([&]() -> Result<Image> {
    if (from->root().layout != layout_hash(layout)) {
      return Status::corruption("snapshot: written for other columns or by another build");
    }
    LOCI_ASSIGN_OR_RETURN(Image image, create(std::move(layout)));
    Impl& impl = *image.impl_;
    LOCI_ASSIGN_OR_RETURN(const SnapshotFile::Segment rows,
                          from->read({SegmentKind::kRowIds, 0, 0}));
    const auto slots = static_cast<size_t>(rows.items);
    if (slots > base::kMaxRows || slots * sizeof(RowId) > rows.bytes.size()) {
      return Status::corruption(
          base::str_cat("snapshot: ", slots, " rows in ", rows.bytes.size(), " bytes"));
    }
    LOCI_RETURN_IF_ERROR(
        impl.slots.assign({reinterpret_cast<const RowId*>(rows.bytes.data()), slots}));
    LOCI_ASSIGN_OR_RETURN(const SnapshotFile::Segment archived,
                          from->read({SegmentKind::kArchived, 0, 0}));
    LOCI_RETURN_IF_ERROR(impl.archived.assign(archived.bytes, slots));
    for (uint32_t c = 0; c < impl.columns.size(); ++c) {
      LOCI_RETURN_IF_ERROR(impl.columns[c].load(c, from, slots));
    }
    for (uint32_t f = 0; f < impl.fields.size(); ++f) {
      LOCI_RETURN_IF_ERROR(impl.fields[f].load(f, slots, *from));
    }
    LOCI_RETURN_IF_ERROR(impl.load_graphs(*from));
    return image;
  });
}

uint64_t Image::layout_hash(const ImageLayout& layout) {
  // The machine's own order of bytes is written.
  constexpr uint32_t kOrder = 0x01020304;
  base::ByteWriter out;
  out.u8(reinterpret_cast<const uint8_t*>(&kOrder)[0]);
  out.u64le(quant::kCodeFormat);
  out.u64le(kBlockRows);
  for (const ColumnLayout& column : layout.columns) {
    out.u64le(column.dim);
    // The image holds float32 whatever its BLOBs held, but of another column these are others.
    out.u64le(static_cast<uint64_t>(column.metric) | static_cast<uint64_t>(column.element) << 8U);
  }
  out.u8(0xFF);
  for (const FieldType type : layout.filters) out.u64le(static_cast<uint64_t>(type));
  return base::hash64(out.view());
}

Status Image::check_invariants() const {
  const Impl& impl = *impl_;
  LOCI_RETURN_IF_ERROR(impl.slots.check_invariants());
  const size_t slots = impl.slots.slots();
  for (size_t slot = slots; slot < impl.archived.words().size() * 64; ++slot) {
    if (impl.archived.test(slot)) {
      return Status::internal(base::str_cat("slot ", slot, " is archived, rows ", slots));
    }
  }
  for (size_t c = 0; c < impl.columns.size(); ++c) {
    if (const Status status = impl.columns[c].check_invariants(slots); !status.ok()) {
      return status.with_context(base::str_cat("vector column ", c));
    }
  }
  for (size_t f = 0; f < impl.fields.size(); ++f) {
    if (const Status status = impl.fields[f].check_invariants(slots); !status.ok()) {
      return status.with_context(base::str_cat("filter column ", f));
    }
  }
  return impl.check_graphs();
}

}  // namespace loci::index

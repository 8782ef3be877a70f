// SPDX-License-Identifier: Apache-2.0
//
// What stands in for image_graphs.cc in a build without graphs (LOCI_WITH_GRAPH=OFF): every search
// is an exact scan.
#include "index/image_impl.h"

namespace loci::index {

namespace {

Status without_graphs() { return Status::unsupported("this build of Loci has no graphs"); }

}  // namespace

struct ImageGraphs {};
Image::Impl::Impl() = default;
Image::Impl::~Impl() = default;

struct GraphBuild::Job {};

GraphBuild::GraphBuild(std::unique_ptr<Job> job) : job_(std::move(job)) {}
GraphBuild::GraphBuild(GraphBuild&&) noexcept = default;
GraphBuild& GraphBuild::operator=(GraphBuild&&) noexcept = default;
GraphBuild::~GraphBuild() = default;
Status GraphBuild::run(const Image& /*image*/, size_t /*rows*/) { return without_graphs(); }
bool GraphBuild::done() const noexcept { return false; }
size_t GraphBuild::linked() const noexcept { return 0; }
size_t GraphBuild::total() const noexcept { return 0; }

Result<GraphBuild> Image::begin_graph(size_t /*column*/, const GraphOptions& /*options*/) {
  return without_graphs();
}
Status Image::install_graph(GraphBuild /*build*/) { return without_graphs(); }
Status Image::build_graph(size_t /*column*/, const GraphOptions& /*options*/) {
  return without_graphs();
}
bool Image::can_have_graph(size_t /*column*/) const noexcept { return false; }
void Image::set_link_on_put(bool /*link*/) noexcept {}
Result<size_t> Image::link_rows(size_t /*column*/, size_t /*rows*/) { return size_t{0}; }
void Image::drop_graph(size_t /*column*/) noexcept {}

GraphStats Image::graph_stats(size_t column) const {
  GraphStats stats;
  if (column < impl_->columns.size()) stats.unlinked = impl_->columns[column].present().count();
  return stats;
}

bool Image::Impl::keeps_slots() const noexcept { return slots.has_holes(); }
void Image::Impl::unlink(size_t /*column*/, size_t /*slot*/) noexcept {}
void Image::Impl::link(size_t /*column*/, size_t /*slot*/) noexcept {}
Result<bool> Image::Impl::search_graph(const ScanQuery& /*query*/, const AllowedRows& /*allowed*/,
                                       ScanOutcome& /*outcome*/) const {
  return false;
}
Result<bool> Image::Impl::search_filtered(const ScanQuery& /*query*/,
                                          const BoundPredicate& /*filter*/,
                                          ScanOutcome& /*outcome*/) const {
  return false;
}
Status Image::Impl::save_graphs(SnapshotWriter& /*out*/) const { return {}; }
Status Image::Impl::load_graphs(SnapshotFile& /*from*/) { return {}; }
size_t Image::Impl::graph_bytes() const noexcept { return 0; }
Status Image::Impl::check_graphs() const { return {}; }

}  // namespace loci::index

// SPDX-License-Identifier: Apache-2.0
//
// The graphs of an image: when they are built, kept up and asked. What they are: graph.h.
//
// Slots. A graph names rows by slot, so slots keep their rows while there is one: erasing leaves a
// hole that the next row fills, instead of moving the last row into the gap. The other way, moving
// a node, would mean finding every list that names it; links into a node are stored nowhere. The
// price of holes is that a scan takes the set of slots with a vector into account, as it does
// anyway when some rows have none; images without graphs stay dense.
//
// A build beside searches works on a graph of its own. The image notes every slot that is changed
// meanwhile (PendingBuild::edits); the build takes them in at its next call, the last ones when it
// is installed.
//
// Tested by image_graph_test.cc.
#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <optional>
#include <utility>

#include "base/c_edge.h"
#include "base/strings.h"
#include "index/graph.h"
#include "index/graph_recall.h"
#include "index/graph_scan.h"
#include "index/image_impl.h"
#include "index/predicate_eval.h"
#include "index/row_test.h"
#include "index/top_k.h"
#include "index/workers.h"

namespace loci::index {

/// A build that was begun.
struct PendingBuild {
  uint64_t number = 0;
  std::vector<uint32_t> edits;  ///< slots changed since, in order
};

struct ImageGraphs {
  struct OfColumn {
    std::optional<Graph> graph;
    std::optional<PendingBuild> pending;
  };

  explicit ImageGraphs(size_t column_count) : columns(column_count) {}

  std::vector<OfColumn> columns;
  bool link_on_put = true;
  uint64_t builds = 0;  ///< begun so far
};

Image::Impl::Impl() = default;
Image::Impl::~Impl() = default;

namespace {

/// The first rows of a build, spread over all.
constexpr size_t kFirstRows = 256;
// So many of all rows are placed with half of ef_construction: most that is near to them comes
// later and links to them. notes384 is built in 3.1 s instead of 4.6, recall at ef 12 and 24 0.9858
// and 0.9983 instead of 0.9870 and 0.9984; mnist784 in 6.9 instead of 8.6, 0.9626 and 0.9911
// instead of 0.9632 and 0.9911. Of three eighths for half: 2.8 and 6.0 s, 0.9867 and 0.9980, 0.9604
// and 0.9897.
constexpr double kEarlyShare = 0.6;
/// Rows that a build which is installed links at once; more of them are left to link_rows().
constexpr size_t kLinkedAtInstall = 1024;

/// The slots that have a vector and are not linked.
template <typename Body>
void for_unlinked(const VectorColumn& column, const Graph& graph, const Body& body) {
  const std::span<const uint64_t> present = column.present().words();
  const std::span<const uint64_t> linked = graph.linked().words();
  for (size_t w = 0; w < present.size(); ++w) {
    uint64_t word = present[w] & ~(w < linked.size() ? linked[w] : 0);
    for (; word != 0; word &= word - 1) {
      if (!body(static_cast<uint32_t>(w * 64 + static_cast<size_t>(std::countr_zero(word))))) {
        return;
      }
    }
  }
}

/// Links `slots` in batches; `cancel` is asked between two.
Status link_slots(const VectorColumn& column, Graph& graph, std::span<const uint32_t> slots,
                  Workers* workers, const std::atomic<bool>* cancel) {
  for (size_t at = 0; at < slots.size(); at += Graph::kBatch) {
    if (cancel != nullptr && cancel->load()) return Status::cancelled("the build of a graph");
    LOCI_RETURN_IF_ERROR(graph.insert(
        column, slots.subspan(at, std::min(Graph::kBatch, slots.size() - at)), workers));
  }
  return {};
}

}  // namespace

struct GraphBuild::Job {
  size_t column = 0;
  uint64_t number = 0;
  GraphOptions options;
  std::optional<Graph> graph;
  std::vector<uint32_t> order;     ///< slots to be linked
  std::vector<uint32_t> held_out;  ///< to be linked at last
  size_t next = 0;                 ///< of `order`
  size_t edits_seen = 0;
  size_t total = 0;
  bool done = false;

  /// What the next rows are sought with.
  [[nodiscard]] size_t placing_ef() const noexcept {
    const auto early = static_cast<size_t>(kEarlyShare * static_cast<double>(order.size()));
    return next < early ? options.ef_construction / 2 : options.ef_construction;
  }
  Status start(const VectorColumn& data);
  Status take_edits(const VectorColumn& data, std::span<const uint32_t> edits);
  Status finish(const VectorColumn& data, Workers* workers);
};

// Rows spread over all come first, then the rows between them, and so on: what is linked early gets
// the long links, and rows that follow one another are often of one kind, a whole cluster of which
// nothing else would lead to. Within each round rows are linked as they follow one another, which
// keeps what is looked at in the caches. On notes384, recall at ef 16: 0.995; with 256 rows spread
// over all and then the others 0.984; rounds of 4, 8 and 16 times as many rows 0.994, 0.993, 0.993.
Status GraphBuild::Job::start(const VectorColumn& data) {
  LOCI_RETURN_IF_ERROR(data.verify_codes());
  LOCI_ASSIGN_OR_RETURN(graph, Graph::create(data, options));
  std::vector<uint32_t> slots;
  for_unlinked(data, *graph, [&](uint32_t slot) {
    slots.push_back(slot);
    return true;
  });
  total = slots.size();
  order.reserve(total);
  std::vector<bool> taken(total);
  const auto take_spread = [&](size_t count, double shift, std::vector<uint32_t>& into) {
    for (size_t i = 0; i < count; ++i) {
      const auto at = static_cast<size_t>((static_cast<double>(i) + shift) *
                                          static_cast<double>(total) / static_cast<double>(count));
      if (taken[at]) continue;
      taken[at] = true;
      into.push_back(slots[at]);
    }
  };
  take_spread(std::min(kHeldOutRows, total / 10), 0.5, held_out);
  for (size_t count = std::min(kFirstRows, total); count < total; count *= 2) {
    take_spread(count, 0, order);
  }
  take_spread(total, 0, order);
  return {};
}

Status GraphBuild::Job::take_edits(const VectorColumn& data, std::span<const uint32_t> edits) {
  graph->follow_codes(data);
  for (; edits_seen < edits.size(); ++edits_seen) {
    const uint32_t slot = edits[edits_seen];
    graph->erase(data, slot);
    if (data.present().test(slot)) order.push_back(slot);
  }
  return {};
}

// All rows but those held out are linked.
Status GraphBuild::Job::finish(const VectorColumn& data, Workers* workers) {
  std::erase_if(held_out, [&](uint32_t slot) {
    return !data.present().test(slot) || graph->is_linked(slot);
  });
  LOCI_ASSIGN_OR_RETURN(std::vector<GraphRecall> measured,
                        measure_recall(data, *graph, held_out, workers));
  graph->set_recall(std::move(measured));
  LOCI_RETURN_IF_ERROR(link_slots(data, *graph, held_out, workers, options.cancel));
  done = true;
  return {};
}

GraphBuild::GraphBuild(std::unique_ptr<Job> job) : job_(std::move(job)) {}
GraphBuild::GraphBuild(GraphBuild&&) noexcept = default;
GraphBuild& GraphBuild::operator=(GraphBuild&&) noexcept = default;
GraphBuild::~GraphBuild() = default;

bool GraphBuild::done() const noexcept { return job_->done; }
size_t GraphBuild::linked() const noexcept {
  return job_->graph.has_value() ? job_->graph->linked_count() : 0;
}
size_t GraphBuild::total() const noexcept { return job_->total; }

Status GraphBuild::run(const Image& image, size_t rows) {
  Job& job = *job_;
  return base::guarded([&]() -> Status {
    const ImageGraphs* const graphs = image.impl_->graphs.get();
    if (graphs == nullptr || !graphs->columns[job.column].pending.has_value() ||
        graphs->columns[job.column].pending->number != job.number) {
      return Status::failed_precondition("another build of the graph was begun since");
    }
    const VectorColumn& data = image.impl_->columns[job.column];
    if (!job.graph.has_value()) LOCI_RETURN_IF_ERROR(job.start(data));
    LOCI_RETURN_IF_ERROR(job.take_edits(data, graphs->columns[job.column].pending->edits));
    std::optional<Workers> threads;
    if (job.options.threads > 1) threads.emplace(job.options.threads);
    Workers* const workers = threads.has_value() ? &*threads : nullptr;
    const size_t end = std::min(job.order.size(), job.next + rows);
    while (job.next < end) {
      const size_t count = std::min(Graph::kBatch, end - job.next);
      job.graph->set_placing_ef(job.placing_ef());
      LOCI_RETURN_IF_ERROR(link_slots(data, *job.graph,
                                      std::span(job.order).subspan(job.next, count), workers,
                                      job.options.cancel));
      job.next += count;
    }
    if (job.next < job.order.size() || job.done) return {};
    return job.finish(data, workers);
  });
}

bool Image::can_have_graph(size_t column) const noexcept {
  return column < impl_->columns.size() &&
         Graph::check(impl_->columns[column].layout().metric, GraphOptions()).ok();
}

Result<GraphBuild> Image::begin_graph(size_t column, const GraphOptions& options) {
  return base::guarded([&]() -> Result<GraphBuild> {
    Impl& impl = *impl_;
    if (column >= impl.columns.size()) {
      return Status::invalid_argument(
          base::str_cat("vector column ", column, ", there are ", impl.columns.size()));
    }
    LOCI_RETURN_IF_ERROR(Graph::check(impl.columns[column].layout().metric, options));
    LOCI_RETURN_IF_ERROR(impl.columns[column].recenter());
    if (impl.graphs == nullptr) impl.graphs = std::make_unique<ImageGraphs>(impl.columns.size());
    ImageGraphs::OfColumn& of = impl.graphs->columns[column];
    of.pending.emplace();
    of.pending->number = ++impl.graphs->builds;
    auto job = std::make_unique<GraphBuild::Job>();
    job->column = column;
    job->number = of.pending->number;
    job->options = options;
    job->total = impl.columns[column].present().count();
    return GraphBuild(std::move(job));
  });
}

Status Image::install_graph(GraphBuild build) {
  return base::guarded([&]() -> Status {
    GraphBuild::Job& job = *build.job_;
    if (!job.done) return Status::failed_precondition("the graph is not built to its end");
    ImageGraphs* const graphs = impl_->graphs.get();
    if (graphs == nullptr || job.column >= graphs->columns.size() ||
        !graphs->columns[job.column].pending.has_value() ||
        graphs->columns[job.column].pending->number != job.number) {
      return Status::failed_precondition("another build of the graph was begun since");
    }
    ImageGraphs::OfColumn& of = graphs->columns[job.column];
    const VectorColumn& data = impl_->columns[job.column];
    LOCI_RETURN_IF_ERROR(job.take_edits(data, of.pending->edits));
    const size_t left = std::min(job.order.size() - job.next, kLinkedAtInstall);
    LOCI_RETURN_IF_ERROR(link_slots(data, *job.graph, std::span(job.order).subspan(job.next, left),
                                    nullptr, nullptr));
    of.graph = std::move(job.graph);
    of.pending.reset();
    return {};
  });
}

Status Image::build_graph(size_t column, const GraphOptions& options) {
  LOCI_ASSIGN_OR_RETURN(GraphBuild build, begin_graph(column, options));
  while (!build.done()) LOCI_RETURN_IF_ERROR(build.run(*this, size()));
  return install_graph(std::move(build));
}

void Image::set_link_on_put(bool link) noexcept {
  if (impl_->graphs != nullptr) impl_->graphs->link_on_put = link;
}

Result<size_t> Image::link_rows(size_t column, size_t rows) {
  return base::guarded([&]() -> Result<size_t> {
    ImageGraphs* const graphs = impl_->graphs.get();
    if (graphs == nullptr || column >= graphs->columns.size()) return size_t{0};
    std::optional<Graph>& graph = graphs->columns[column].graph;
    if (!graph.has_value()) return size_t{0};
    const VectorColumn& data = impl_->columns[column];
    LOCI_RETURN_IF_ERROR(data.verify_codes());
    std::vector<uint32_t> slots;
    size_t left = 0;
    for_unlinked(data, *graph, [&](uint32_t slot) {
      if (!graph->codes().can_rank(data, slot)) return true;
      if (slots.size() < rows) {
        slots.push_back(slot);
      } else {
        ++left;
      }
      return true;
    });
    LOCI_RETURN_IF_ERROR(link_slots(data, *graph, slots, nullptr, nullptr));
    return left;
  });
}

void Image::drop_graph(size_t column) noexcept {
  if (impl_->graphs == nullptr || column >= impl_->graphs->columns.size()) return;
  impl_->graphs->columns[column].graph.reset();
  impl_->graphs->columns[column].pending.reset();
}

GraphStats Image::graph_stats(size_t column) const {
  GraphStats stats;
  if (column >= impl_->columns.size()) return stats;
  stats.unlinked = impl_->columns[column].present().count();
  if (impl_->graphs == nullptr || !impl_->graphs->columns[column].graph.has_value()) return stats;
  const Graph& graph = *impl_->graphs->columns[column].graph;
  stats.built = true;
  stats.m = graph.m();
  stats.ef_construction = graph.ef_construction();
  stats.linked = graph.linked_count();
  stats.unlinked -= stats.linked;
  stats.memory_bytes = graph.memory_bytes();
  stats.recall.assign(graph.recall().begin(), graph.recall().end());
  return stats;
}

bool Image::Impl::keeps_slots() const noexcept {
  if (slots.has_holes()) return true;
  return graphs != nullptr && std::any_of(graphs->columns.begin(), graphs->columns.end(),
                                          [](const ImageGraphs::OfColumn& of) {
                                            return of.graph.has_value() || of.pending.has_value();
                                          });
}

void Image::Impl::unlink(size_t column, size_t slot) noexcept {
  if (graphs == nullptr) return;
  ImageGraphs::OfColumn& of = graphs->columns[column];
  if (of.graph.has_value()) {
    of.graph->follow_codes(columns[column]);
    of.graph->erase(columns[column], slot);
  }
  if (!of.pending.has_value()) return;
  const Status noted = base::guarded([&]() -> Status {
    of.pending->edits.push_back(static_cast<uint32_t>(slot));
    return {};
  });
  if (!noted.ok()) of.pending.reset();  // a build that misses a change must not be installed
}

void Image::Impl::link(size_t column, size_t slot) noexcept {
  if (graphs == nullptr) return;
  ImageGraphs::OfColumn& of = graphs->columns[column];
  if (!of.graph.has_value()) return;
  of.graph->follow_codes(columns[column]);
  if (!graphs->link_on_put || !columns[column].present().test(slot)) return;
  const auto number = static_cast<uint32_t>(slot);
  // A row that is not linked, for lack of memory, is scanned.
  [[maybe_unused]] const Status status =
      base::guarded([&] { return of.graph->insert(columns[column], {&number, 1}, nullptr); });
}

/// Rows that a search in a graph may return.
struct Image::Impl::Rows {
  const RowTest& test;
  size_t count = 0;                    ///< about
  const AllowedRows* known = nullptr;  ///< not null: all of them, as a set
  bool soon_known = false;             ///< or will be where a walk steps over rows
};

namespace {

/// Of so many rows at most a filter that kernels evaluate takes less time for all of them than for
/// those that a walk steps over.
constexpr size_t kFewRows = size_t{1} << 18;

/// The allowed rows with a vector that the graph does not have.
AllowedRows unlinked_rows(const VectorColumn& column, const Graph& graph, const RowTest& allowed,
                          size_t slots) {
  AllowedRows tail;
  tail.slots = slots;
  if (column.present().count() == graph.linked_count()) return tail;
  tail.blocks.resize(block_count(slots));
  for_unlinked(column, graph, [&](uint32_t slot) {
    if (!allowed(slot)) return true;
    tail.blocks[slot / kBlockRows].set(slot % kBlockRows);
    ++tail.count;
    return true;
  });
  return tail;
}

/// About how many slots pass, from some that are spread over all. Where the walk rests on it, from
/// more if few of those do: it goes astray where far fewer pass than was thought.
size_t estimate_passing(const RowTest& test, size_t slots, bool known) {
  constexpr size_t kRound = 128;
  const size_t most_rounds = known ? 1 : 5;
  constexpr size_t kEnoughPass = 24;
  if (slots == 0) return 0;
  std::array<uint32_t, kRound> sample{};
  std::array<uint8_t, kRound> passes{};
  size_t passing = 0;
  size_t asked = 0;
  for (size_t round = 0; round < most_rounds && passing < kEnoughPass; ++round) {
    for (size_t i = 0; i < kRound; ++i) {
      sample[i] = static_cast<uint32_t>((i * most_rounds + round) * slots / (kRound * most_rounds));
    }
    test(sample, passes.data());
    passing += static_cast<size_t>(std::count(passes.begin(), passes.end(), 1));
    asked += kRound;
  }
  return passing * slots / asked;
}

/// Whether a query may be answered by a graph at all.
bool asks_for_less(const ScanQuery& query) noexcept {
  return !query.exact && query.k != 0 && (query.ef != 0 || (query.recall > 0 && query.recall < 1));
}

}  // namespace

Result<bool> Image::Impl::search_graph(const ScanQuery& query, const AllowedRows& allowed,
                                       ScanOutcome& outcome) const {
  if (!asks_for_less(query) || graphs == nullptr) return false;
  const RowTest test(allowed);
  return search_rows(query, {.test = test, .count = allowed.count, .known = &allowed}, outcome);
}

// Where enough of some sampled rows pass for a walk, the filter is evaluated only for what the walk
// meets, or, where that is quicker, for all before. If the walk gives less than k rows, all begins
// anew.
Result<bool> Image::Impl::search_filtered(const ScanQuery& query, const BoundPredicate& filter,
                                          ScanOutcome& outcome) const {
  if (graphs == nullptr || !asks_for_less(query)) return false;
  if (!graphs->columns[query.column].graph.has_value()) return false;
  std::vector<uint32_t> hidden;
  for (const RowId row : query.hidden) {
    if (const auto slot = slots.find(row)) hidden.push_back(static_cast<uint32_t>(*slot));
  }
  std::sort(hidden.begin(), hidden.end());
  const bool skip_archived = !query.include_archived && archived.count() != 0;
  const SlotBits& present = columns[query.column].present();
  const RowTest test({.filter = &filter,
                      .present = present.count() == slots.slots() ? nullptr : &present,
                      .archived = skip_archived ? &archived : nullptr,
                      .hidden = hidden},
                     slots.slots());
  const bool known = slots.slots() <= kFewRows && filter.is_quick();
  outcome.passed_filter = estimate_passing(test, slots.slots(), known);
  outcome.passed_is_estimate = true;
  LOCI_ASSIGN_OR_RETURN(
      const bool answered,
      search_rows(
          query,
          {.test = test, .count = outcome.passed_filter, .known = nullptr, .soon_known = known},
          outcome));
  if (!answered) outcome = {};
  return answered;
}

Result<bool> Image::Impl::search_rows(const ScanQuery& query, const Rows& rows,
                                      ScanOutcome& outcome) const {
  const std::optional<Graph>& graph = graphs->columns[query.column].graph;
  if (!graph.has_value() || graph->node_count() == 0 || rows.count <= query.k) return false;
  const size_t ef = query.ef != 0 ? query.ef : ef_for(graph->recall(), query.recall, query.k);
  if (ef == 0) return false;
  const VectorColumn& column = columns[query.column];
  const GraphScan scan = {column,
                          *graph,
                          query,
                          rows.test,
                          rows.count,
                          slots.rows(),
                          rows.known != nullptr || rows.soon_known};
  const GraphWalk walk = plan_walk(scan, std::max(ef, query.k));
  if (walk.ef == 0 && (rows.known == nullptr || rows.known->all)) return false;
  if (walk.through && rows.known == nullptr && rows.soon_known) return false;
  const AllowedRows tail = unlinked_rows(column, *graph, rows.test, slots.slots());
  if (tail.count > rows.count / 2) return false;
  LOCI_RETURN_IF_ERROR(column.verify_codes());
  TopK best(query.k, query.max_distance);
  ScanOutcome found;
  size_t seen = 0;
  if (walk.ef != 0) {
    LOCI_ASSIGN_OR_RETURN(seen, graph_scan(scan, walk, best, found));
    found.plan = tail.count == 0 ? ScanPlan::kGraph : ScanPlan::kGraphAndTail;
    found.ef = walk.ef;
  }
  const bool too_few = walk.ef == 0 || seen + tail.count < query.k;
  if (too_few && rows.known != nullptr && !rows.known->all) {
    best = TopK(query.k, query.max_distance);
    LOCI_ASSIGN_OR_RETURN(seen, code_scan(scan, *rows.known, std::max(ef, query.k), best, found));
    found.plan = ScanPlan::kPassingRows;
    found.ef = 0;
  }
  if (seen + tail.count < query.k) return false;  // there are more than k: the scan finds them
  if (tail.count != 0) {
    ScanOutcome more;
    LOCI_RETURN_IF_ERROR(exact_scan(column, query, tail, slots.rows(), more));
    for (const Neighbor& neighbor : more.neighbors) best.offer(neighbor);
    found.scanned += more.scanned;
    found.reranked += more.reranked;
  }
  found.passed_filter = outcome.passed_filter;
  found.passed_is_estimate = outcome.passed_is_estimate;
  found.tail = tail.count;
  found.neighbors = std::move(best).take_sorted();
  outcome = std::move(found);
  return true;
}

Status Image::Impl::save_graphs(SnapshotWriter& out) const {
  if (graphs == nullptr) return {};
  for (uint32_t c = 0; c < columns.size(); ++c) {
    const std::optional<Graph>& graph = graphs->columns[c].graph;
    if (graph.has_value()) LOCI_RETURN_IF_ERROR(graph->save(c, out));
  }
  return {};
}

Status Image::Impl::load_graphs(SnapshotFile& from) {
  for (uint32_t c = 0; c < columns.size(); ++c) {
    LOCI_ASSIGN_OR_RETURN(std::optional<Graph> graph,
                          Graph::load(columns[c], c, from, slots.slots()));
    if (!graph.has_value()) continue;
    if (graphs == nullptr) graphs = std::make_unique<ImageGraphs>(columns.size());
    graphs->columns[c].graph = std::move(graph);
  }
  return {};
}

size_t Image::Impl::graph_bytes() const noexcept {
  size_t bytes = 0;
  if (graphs == nullptr) return bytes;
  for (const ImageGraphs::OfColumn& of : graphs->columns) {
    if (of.graph.has_value()) bytes += of.graph->memory_bytes();
    if (of.pending.has_value()) bytes += of.pending->edits.capacity() * sizeof(uint32_t);
  }
  return bytes;
}

Status Image::Impl::check_graphs() const {
  if (graphs == nullptr) return {};
  for (size_t c = 0; c < columns.size(); ++c) {
    const std::optional<Graph>& graph = graphs->columns[c].graph;
    if (!graph.has_value()) continue;
    if (const Status status = graph->check_invariants(columns[c]); !status.ok()) {
      return status.with_context(base::str_cat("graph of vector column ", c));
    }
  }
  return {};
}

}  // namespace loci::index

// SPDX-License-Identifier: Apache-2.0
//
// Which graphs a source should have, and who builds them. Asked for (publish, reindex), the caller
// does, whatever others do. Unasked the background thread does: of all processes that find a graph
// due one builds it, holding the right to write snapshots, and the others take over its snapshot
// when they try again.
//
// Tested by tests/graph_test.cc.
#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/c_edge.h"
#include "base/clock.h"
#include "base/log.h"
#include "db/database_impl.h"
#include "db/graph_care.h"

namespace loci::db {
namespace {

/// When graphs are tried again after another process was at it, or after a failure.
constexpr int64_t kAfterOthersNs = 1'000'000'000;
constexpr int64_t kAfterFailureNs = 60'000'000'000;

/// What the vector columns of a source need.
struct Needs {
  std::shared_ptr<SharedImage> image;  // owners: the catalog and this work
  std::vector<std::string> columns;
  std::vector<GraphNeed> needs;

  [[nodiscard]] bool any(GraphNeed wanted) const {
    return std::find(needs.begin(), needs.end(), wanted) != needs.end();
  }
};

}  // namespace

Status DatabaseImpl::tend_graphs(std::string_view name, const IndexOptions& options, size_t tail) {
  LOCI_RETURN_IF_ERROR(index::check_graph_options(graph_options(options)));
  if (graph_rows_ == 0) return {};
  constexpr int kAttempts = 3;  // the image may be replaced while a graph of it is built
  Status status;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    status = tend_graphs_once(name, options, tail);
    if (status.code() != StatusCode::kFailedPrecondition) break;
  }
  return status;
}

Status DatabaseImpl::tend_graphs_once(std::string_view name, const IndexOptions& options,
                                      size_t tail) {
  Needs found;
  const auto look = [&](sqlite::Connection& connection, const CatalogEntry& entry,
                        const Snapshot& snapshot) -> Status {
    LOCI_ASSIGN_OR_RETURN(const std::optional<ImageView> view,
                          image_view(connection, entry, snapshot));
    found = Needs();
    if (!view.has_value() || view->whole() == nullptr) return {};
    found.image = entry.image;
    for (const VectorColumn& column : entry.source.spec.vectors) {
      found.needs.push_back(
          graph_need(*view->whole(), found.columns.size(), graph_rows_, tail, options));
      found.columns.push_back(column.name);
    }
    return {};
  };
  const auto look_and_adopt = [&](sqlite::Connection& connection, const CatalogEntry& entry,
                                  const Snapshot& snapshot) -> Status {
    LOCI_RETURN_IF_ERROR(look(connection, entry, snapshot));
    if (!found.any(GraphNeed::kBuild)) return {};
    LOCI_RETURN_IF_ERROR(image_reader(entry).adopt(connection, *entry.image));
    return look(connection, entry, snapshot);
  };
  LOCI_RETURN_IF_ERROR(read_source(name, look_and_adopt));
  if (!found.any(GraphNeed::kBuild) && !found.any(GraphNeed::kLink)) return {};
  const bool asked_for = tail == 0;
  std::unique_ptr<base::File> right;
  if (!asked_for && snapshots_.off().empty() && !snapshots_.is_inline()) {
    LOCI_ASSIGN_OR_RETURN(right, snapshots_.try_lock());
    if (right == nullptr) return Status::busy("graph: another process is at the snapshots");
  }
  const std::shared_ptr<SharedImage> image = found.image;
  const base::MutexLock one_at_a_time(image->graphs_mu);
  // Who was at it before may have done it all.
  LOCI_RETURN_IF_ERROR(read_source(name, look));
  if (found.image != image) return graph_replaced();
  const GraphCare care(options, [this, asked_for] { return !asked_for && closing_; });
  for (size_t i = 0; i < found.needs.size(); ++i) {
    LOCI_RETURN_IF_ERROR(care.tend(*image, i, found.columns[i], found.needs[i]));
  }
  return {};
}

void DatabaseImpl::tend_in_background(const std::string& name) {
  publish_quietly(name, Publish::kIfLong);
  const Status status =
      base::guarded([&] { return tend_graphs(name, IndexOptions(), kLongGraphTail); });
  if (status.ok()) {
    publish_quietly(name, Publish::kIfLong);
    return;
  }
  if (status.code() == StatusCode::kNotFound || status.code() == StatusCode::kCancelled) return;
  const bool busy = status.code() == StatusCode::kBusy;
  if (!busy) base::log_quietly(LogLevel::kWarning, "collection '", name, "': ", status.message());
  const int64_t again = base::monotonic_ns() + (busy ? kAfterOthersNs : kAfterFailureNs);
  base::guarded([&]() -> Status {
    for (const EntryPtr& entry : catalog_.last_known()) {
      if (entry->source.spec.name != name) continue;
      entry->image->graphs_not_before = again;
      entry->image->wants_graphs = true;
    }
    return {};
  }).ignore();
}

void DatabaseImpl::tend_if_wanted(std::string_view name, SharedImage& image) {
  if (connections_->thread_holds_writer()) return;
  const bool snapshot = image.wants_snapshot && image.wants_snapshot.exchange(false);
  const bool graphs = in_background_ && image.wants_graphs &&
                      base::monotonic_ns() >= image.graphs_not_before &&
                      image.wants_graphs.exchange(false);
  if (snapshot || graphs) publish_later(name);
}

}  // namespace loci::db

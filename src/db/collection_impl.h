// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>

#include "db/database_impl.h"
#include "loci/collection.h"

namespace loci::db {

/// The number of a vector column; empty: the first. Errors: kInvalidArgument, kFailedPrecondition.
Result<size_t> find_vector_column(const CollectionSpec& spec, std::string_view name);
/// kInvalidArgument when a recall or an ef is outside its limits.
Status check_effort(double recall, size_t ef);

/// A name in a database. What the collection is made of is looked up at every operation, so that a
/// handle sees what other programs alter.
class CollectionImpl {
 public:
  CollectionImpl(std::shared_ptr<DatabaseImpl> database, CollectionSpec spec)
      : database_(std::move(database)), spec_(std::move(spec)) {}

  [[nodiscard]] DatabaseImpl& database() const noexcept { return *database_; }
  [[nodiscard]] const std::string& name() const noexcept { return spec_.name; }
  /// As it was when the handle was made.
  [[nodiscard]] const CollectionSpec& first_spec() const noexcept { return spec_; }

  Result<WriteCount> insert_many(std::span<const Record> records, OnConflict on_conflict,
                                 RowId* last_row);
  Status update(const RowKey& key, const Record& changes);
  Result<SearchResult> search(const SearchRequest& request);
  Status nearest(std::span<const float> queries, const NearestRequest& request,
                 std::span<Neighbor> out);

 private:
  /// One try to search in a snapshot. False: the snapshot is too old for the shared image, or not
  /// open and rows must be asked for: it is called again with a newer, open one.
  using Attempt =
      std::function<Result<bool>(sqlite::Connection&, const CatalogEntry&, const Snapshot&)>;
  /// Searches until an attempt succeeds. image_alone: no table needs to be asked.
  Status search_snapshot(bool image_alone, const Attempt& attempt);

  const std::shared_ptr<DatabaseImpl> database_;  // owners: Database and Collection handles
  const CollectionSpec spec_;
};

}  // namespace loci::db

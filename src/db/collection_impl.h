// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "db/database_impl.h"
#include "loci/collection.h"

namespace loci::db {

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

 private:
  const std::shared_ptr<DatabaseImpl> database_;  // owners: Database and Collection handles
  const CollectionSpec spec_;
};

}  // namespace loci::db

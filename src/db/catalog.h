// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/mutex.h"
#include "db/image_cache.h"
#include "sqlite/connection.h"
#include "store/source.h"

namespace loci::db {

/// A source as one state of the schema defines it.
struct CatalogEntry {
  store::Source source;
  bool attached = true;  ///< false: its triggers are not as they should be; its log has gaps
  std::shared_ptr<SharedImage> image;  // owners: the catalog and the views in use
};

/// Moves with every change of the schema. Needs, and if need be begins, a snapshot.
Result<int64_t> schema_cookie(sqlite::Connection& connection);

/// The sources of a database, read again whenever the schema cookie of the snapshot moves.
///
/// Threads: safe from any thread.
class Catalog {
 public:
  /// The entry of `name` (ASCII case-insensitive) in this connection's open snapshot.
  /// kNotFound lists the names that are there.
  Result<std::shared_ptr<const CatalogEntry>> find(sqlite::Connection& connection,
                                                   std::string_view name);
  /// The same where the snapshot's schema_cookie() was read already.
  Result<std::shared_ptr<const CatalogEntry>> find(sqlite::Connection& connection, int64_t cookie,
                                                   std::string_view name);
  /// The same for a schema whose cookie is known; null when it is not at hand.
  std::shared_ptr<const CatalogEntry> find_known(int64_t cookie, std::string_view name);
  /// Every entry of this snapshot, by name.
  Result<std::vector<std::shared_ptr<const CatalogEntry>>> all(sqlite::Connection& connection);
  /// Those that were last looked up, by name.
  [[nodiscard]] std::vector<std::shared_ptr<const CatalogEntry>> last_known();
  /// Reads the sources again at the next look-up: after a rollback a schema cookie may come again
  /// with other tables. Images of sources that are the same are kept.
  void invalidate();
  /// What the entries at hand belong to; changes whenever they are read again.
  [[nodiscard]] int64_t cookie();
  /// invalidate(), unless nothing was read since cookie() was `before`: then they are of a state
  /// from before whatever was rolled back.
  void invalidate_unless(int64_t before);
  /// invalidate(), and builds every image anew.
  void drop_images();

 private:
  using Entries = std::map<std::string, std::shared_ptr<const CatalogEntry>, std::less<>>;
  Result<std::shared_ptr<const Entries>> entries(sqlite::Connection& connection, int64_t cookie);
  std::shared_ptr<const Entries> known_entries(int64_t cookie);
  Result<std::shared_ptr<const Entries>> load(sqlite::Connection& connection,
                                              const Entries& old) const;

  base::Mutex mu_;
  int64_t cookie_ LOCI_GUARDED_BY(mu_) = -1;
  // owners: the catalog and the look-ups in progress
  std::shared_ptr<const Entries> entries_ LOCI_GUARDED_BY(mu_) = std::make_shared<Entries>();
};

}  // namespace loci::db

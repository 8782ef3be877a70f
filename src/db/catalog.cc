// SPDX-License-Identifier: Apache-2.0
#include "db/catalog.h"

#include <algorithm>
#include <utility>

#include "base/strings.h"
#include "store/maintenance.h"

namespace loci::db {
namespace {

bool same_layout(const CollectionSpec& a, const CollectionSpec& b) {
  const auto same_vector = [](const VectorColumn& x, const VectorColumn& y) {
    return x.name == y.name && x.dim == y.dim && x.metric == y.metric && x.element == y.element &&
           x.custom_metric == y.custom_metric;
  };
  const auto same_filter = [](const FilterColumn& x, const FilterColumn& y) {
    return x.name == y.name && x.type == y.type;
  };
  return std::equal(a.vectors.begin(), a.vectors.end(), b.vectors.begin(), b.vectors.end(),
                    same_vector) &&
         std::equal(a.filters.begin(), a.filters.end(), b.filters.begin(), b.filters.end(),
                    same_filter);
}

}  // namespace

Result<int64_t> schema_cookie(sqlite::Connection& connection) {
  LOCI_ASSIGN_OR_RETURN(sqlite::Statement select, connection.cached("PRAGMA schema_version"));
  LOCI_ASSIGN_OR_RETURN(const bool row, select.step());
  return row ? select.column_int(0) : 0;
}

void Catalog::invalidate() {
  const base::MutexLock lock(mu_);
  cookie_ = -1;
}

int64_t Catalog::cookie() {
  const base::MutexLock lock(mu_);
  return cookie_;
}

void Catalog::invalidate_unless(int64_t before) {
  const base::MutexLock lock(mu_);
  if (cookie_ != before) cookie_ = -1;
}

void Catalog::drop_images() {
  const base::MutexLock lock(mu_);
  cookie_ = -1;
  entries_ = std::make_shared<Entries>();
}

Result<std::shared_ptr<const Catalog::Entries>> Catalog::load(sqlite::Connection& connection,
                                                              const Entries& old) const {
  auto entries = std::make_shared<Entries>();
  LOCI_ASSIGN_OR_RETURN(const int version, store::schema_version(connection));
  if (version == 0) return std::shared_ptr<const Entries>(std::move(entries));
  LOCI_ASSIGN_OR_RETURN(std::vector<store::Source> sources, store::load_sources(connection));
  for (store::Source& source : sources) {
    auto entry = std::make_shared<CatalogEntry>();
    LOCI_ASSIGN_OR_RETURN(entry->attached, store::triggers_intact(connection, source));
    const std::string key = base::ascii_lower(source.spec.name);
    const auto before = old.find(key);
    const bool keep = before != old.end() && before->second->source.id == source.id &&
                      same_layout(before->second->source.spec, source.spec);
    entry->image = keep ? before->second->image : std::make_shared<SharedImage>();
    entry->source = std::move(source);
    entries->emplace(key, std::move(entry));
  }
  return std::shared_ptr<const Entries>(std::move(entries));
}

Result<std::shared_ptr<const Catalog::Entries>> Catalog::entries(sqlite::Connection& connection,
                                                                 int64_t cookie) {
  std::shared_ptr<const Entries> old;
  {
    const base::MutexLock lock(mu_);
    if (cookie == cookie_) return entries_;
    old = entries_;
  }
  LOCI_ASSIGN_OR_RETURN(std::shared_ptr<const Entries> fresh, load(connection, *old));
  const base::MutexLock lock(mu_);
  cookie_ = cookie;
  entries_ = fresh;
  return fresh;
}

std::shared_ptr<const Catalog::Entries> Catalog::known_entries(int64_t cookie) {
  const base::MutexLock lock(mu_);
  return cookie == cookie_ ? entries_ : nullptr;
}

std::shared_ptr<const CatalogEntry> Catalog::find_known(int64_t cookie, std::string_view name) {
  const std::shared_ptr<const Entries> known = known_entries(cookie);
  if (known == nullptr) return nullptr;
  const auto found = known->find(base::ascii_lower(name));
  return found == known->end() ? nullptr : found->second;
}

Result<std::shared_ptr<const CatalogEntry>> Catalog::find(sqlite::Connection& connection,
                                                          std::string_view name) {
  LOCI_ASSIGN_OR_RETURN(const int64_t cookie, schema_cookie(connection));
  return find(connection, cookie, name);
}

Result<std::shared_ptr<const CatalogEntry>> Catalog::find(sqlite::Connection& connection,
                                                          int64_t cookie, std::string_view name) {
  LOCI_ASSIGN_OR_RETURN(const std::shared_ptr<const Entries> known, entries(connection, cookie));
  const auto found = known->find(base::ascii_lower(name));
  if (found != known->end()) return found->second;
  std::string names;
  for (const auto& [key, entry] : *known) {
    names += names.empty() ? "" : ", ";
    names += entry->source.spec.name;
  }
  return Status::not_found(base::str_cat(
      "no collection '", name, "'; ",
      names.empty() ? std::string("the database has none yet") : "there are: " + names));
}

std::vector<std::shared_ptr<const CatalogEntry>> Catalog::last_known() {
  const base::MutexLock lock(mu_);
  std::vector<std::shared_ptr<const CatalogEntry>> known;
  known.reserve(entries_->size());
  for (const auto& [key, entry] : *entries_) known.push_back(entry);
  return known;
}

Result<std::vector<std::shared_ptr<const CatalogEntry>>> Catalog::all(
    sqlite::Connection& connection) {
  LOCI_ASSIGN_OR_RETURN(const int64_t cookie, schema_cookie(connection));
  LOCI_ASSIGN_OR_RETURN(const std::shared_ptr<const Entries> known, entries(connection, cookie));
  std::vector<std::shared_ptr<const CatalogEntry>> all;
  all.reserve(known->size());
  for (const auto& [key, entry] : *known) all.push_back(entry);
  return all;
}

}  // namespace loci::db

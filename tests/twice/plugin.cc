// SPDX-License-Identifier: Apache-2.0
#include "twice/plugin.h"

#include <cmath>
#include <cstdio>
#include <optional>
#include <string>
#include <vector>

#include "loci/loci.h"

namespace {

using loci::Collection;
using loci::Database;
using loci::Status;

constexpr size_t kDim = 16;

std::optional<Database> open_database;  // of this copy; the test calls open() and close() in turn

std::vector<float> vector_of(int64_t number) {
  std::vector<float> vector(kDim);
  for (size_t i = 0; i < kDim; ++i) {
    vector[i] = std::sin(static_cast<float>(number) * static_cast<float>(i + 1) * 0.37F);
  }
  return vector;
}

int report(const Status& status) {
  if (status.ok()) return 0;
  std::fprintf(stderr, "plugin: %s\n", status.to_string().c_str());
  return -1;
}

Status open_or_create(const char* path) {
  LOCI_ASSIGN_OR_RETURN(open_database, Database::open(path));
  loci::CollectionSpec spec;
  spec.name = "notes";
  spec.vectors.emplace_back();
  spec.vectors[0].dim = kDim;
  spec.vectors[0].metric = loci::Metric::kL2;
  Status made = open_database->create_collection(spec).status();
  return made.code() == loci::StatusCode::kAlreadyExists ? Status() : made;
}

Status insert_rows(const std::string& id, int64_t first, int64_t count, void (*middle)()) {
  return open_database->transaction([&]() -> Status {
    LOCI_ASSIGN_OR_RETURN(Collection notes, open_database->collection("notes"));
    for (int64_t i = 0; i < count; ++i) {
      loci::Record record;
      record.id = id + "-" + std::to_string(i);
      record.vectors.emplace_back("embedding", vector_of(first + i));
      LOCI_RETURN_IF_ERROR(notes.insert(record).status());
      if (i == count / 2 && middle != nullptr) middle();
    }
    return {};
  });
}

Status find_row(int64_t number, bool* found) {
  LOCI_ASSIGN_OR_RETURN(Collection notes, open_database->collection("notes"));
  LOCI_ASSIGN_OR_RETURN(const std::vector<loci::Hit> hits, notes.nearest(vector_of(number), 1));
  *found = !hits.empty() && hits[0].distance == 0.0;
  return {};
}

}  // namespace

extern "C" __attribute__((visibility("default"))) void loci_plugin(LociPlugin* plugin) {
  plugin->open = [](const char* path) { return report(open_or_create(path)); };
  plugin->insert = [](const char* id, int64_t first, int64_t count, void (*middle)()) {
    return report(insert_rows(id, first, count, middle));
  };
  plugin->publish = [] { return report(open_database->publish("notes")); };
  plugin->finds = [](int64_t number, bool* found) { return report(find_row(number, found)); };
  plugin->close = [] {
    open_database.reset();
    return 0;
  };
}

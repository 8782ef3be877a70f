// SPDX-License-Identifier: Apache-2.0
#include "context.h"

#include <vector>

#include "output/terminal.h"
#include "suggest.h"

namespace loci::cli {
namespace {

Result<Database> open(const Context& context, const DatabaseOptions& options) {
  Result<Database> database = Database::open(context.db_path, options);
  if (database.has_value() || database.error().code() != StatusCode::kNotFound) return database;
  return Status::not_found("no database at '" + context.db_path +
                           "': name one with --db FILE or LOCI_DB, or make it with 'loci create' "
                           "or 'loci add'");
}

}  // namespace

bool Context::rows_as_json() const {
  if (json || table) return json;
  return !stdout_is_terminal();
}

Result<Database> open_for_reading(const Context& context) {
  return open(context, {.create = false, .read_only = true, .snapshot = context.snapshot});
}

Result<Database> open_for_writing(const Context& context) {
  return open(context, {.create = false, .snapshot = context.snapshot});
}

Result<Database> open_or_create(const Context& context) {
  return open(context, {.create = true, .snapshot = context.snapshot});
}

Result<Collection> find_collection(Database& database, std::string_view name) {
  Result<Collection> collection = database.collection(name);
  if (collection.has_value() || collection.error().code() != StatusCode::kNotFound) {
    return collection;
  }
  LOCI_ASSIGN_OR_RETURN(const std::vector<CollectionSpec> specs, database.list_collections());
  std::vector<std::string> names;
  names.reserve(specs.size());
  for (const CollectionSpec& spec : specs) names.push_back(spec.name);
  std::string message = "no collection '" + std::string(name) + "' in '" + database.path() + "'";
  if (const std::string near = nearest_name(name, names); !near.empty()) {
    message += ": did you mean '" + near + "'?";
  } else if (names.empty()) {
    message += ": it has none; make one with 'loci create' or 'loci add'";
  } else {
    message += "; it has: " + join(names, ", ");
  }
  return Status::not_found(std::move(message));
}

}  // namespace loci::cli

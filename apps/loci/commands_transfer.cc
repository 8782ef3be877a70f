// SPDX-License-Identifier: Apache-2.0
//
// `export` and `import`. A whole collection is a folder of its name with spec.json (its columns)
// and rows.jsonl (its rows in rowid order: ids, rowids, fields, vectors as shortest decimals that
// read back bit for bit, metadata as stored, "archived"). Times are not kept: an import is new
// rows.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "exit_code.h"
#include "exporter.h"
#include "output/file_sink.h"
#include "output/json_text.h"
#include "output/spec_json.h"
#include "output/terminal.h"
#include "progress.h"
#include "readers/row_reader.h"
#include "row_fields.h"
#include "verbs.h"

namespace loci::cli {
namespace {

namespace fs = std::filesystem;

constexpr const char* kSpecFile = "spec.json";
constexpr const char* kRowsFile = "rows.jsonl";
constexpr size_t kImportBatch = 100;  // as in commands_add.cc

struct TransferOptions {
  std::string name;
  bool all = false;
  bool archived = false;
  std::string format;
  std::string output;
  std::string column;
  std::string where;
  std::string path;
};

Status make_folder(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (!error) return {};
  return Status::io_error("'" + folder.string() + "': " + error.message());
}

/// Opening the database as a file to write would destroy it.
Status refuse_database(const std::string& output, const std::string& database) {
  std::error_code ignored;  // a file that is not there is not the database
  if (output.empty() || output == "-" || !fs::equivalent(output, database, ignored)) return {};
  return Status::invalid_argument("'" + output + "' is the database itself");
}

Result<int64_t> export_whole(const Context& context, Collection& collection, const fs::path& base) {
  const fs::path folder = base / collection.name();
  LOCI_RETURN_IF_ERROR(make_folder(folder));
  LOCI_ASSIGN_OR_RETURN(FileSink rows, FileSink::open((folder / kRowsFile).string()));
  Progress progress("export " + collection.name(), context.progress);
  int64_t count = 0;
  LOCI_RETURN_IF_ERROR(collection.scan({}, true, true, -1, 0, [&](const Record& record) -> Status {
    progress.update(++count, -1);
    return rows.write(record_line(record, {.vectors = true, .flat = true, .archived = true}));
  }));
  LOCI_RETURN_IF_ERROR(rows.close());
  LOCI_ASSIGN_OR_RETURN(FileSink spec, FileSink::open((folder / kSpecFile).string()));
  LOCI_RETURN_IF_ERROR(spec.write(spec_json(collection.spec()) + "\n"));
  LOCI_RETURN_IF_ERROR(spec.close());
  return count;
}

Result<int> export_all(const Context& context, Database& database, const TransferOptions& options) {
  if (options.output.empty() || options.output == "-") {
    return Status::invalid_argument("--all writes a folder for each collection: give -o FOLDER");
  }
  LOCI_ASSIGN_OR_RETURN(const std::vector<CollectionSpec> specs, database.list_collections());
  for (const CollectionSpec& spec : specs) {
    if (!options.name.empty() && spec.name != options.name) continue;
    LOCI_ASSIGN_OR_RETURN(Collection collection, database.collection(spec.name));
    LOCI_ASSIGN_OR_RETURN(const int64_t rows, export_whole(context, collection, options.output));
    const std::string folder = (fs::path(options.output) / spec.name).string();
    if (context.json) {
      std::string line;
      JsonObject(line)
          .text("collection", spec.name)
          .integer("rows", rows)
          .text("path", folder)
          .close();
      put(line + "\n");
    } else {
      put("exported '" + spec.name + "', " + std::to_string(rows) + " rows, to '" + folder + "'\n");
    }
  }
  return kExitOk;
}

std::string format_of(const TransferOptions& options) {
  if (!options.format.empty()) return options.format;
  const std::string extension = fs::path(options.output).extension().string();
  for (const char* known : {"jsonl", "csv", "tsv", "npy", "fvecs", "fbin"}) {
    if (extension == std::string(".") + known) return known;
  }
  return "jsonl";
}

Result<int> export_rows(const Context& context, const TransferOptions& options) {
  LOCI_ASSIGN_OR_RETURN(Database database, open_for_reading(context));
  if (options.all) {
    if (!options.name.empty()) {
      LOCI_RETURN_IF_ERROR(find_collection(database, options.name).status());
    }
    return export_all(context, database, options);
  }
  if (options.name.empty()) {
    return Status::invalid_argument("which collection? Give its name, or --all -o FOLDER");
  }
  LOCI_ASSIGN_OR_RETURN(Collection collection, find_collection(database, options.name));
  LOCI_RETURN_IF_ERROR(refuse_database(options.output, context.db_path));
  LOCI_ASSIGN_OR_RETURN(FileSink sink, FileSink::open(options.output));
  LOCI_ASSIGN_OR_RETURN(const std::unique_ptr<Exporter> exporter,
                        make_exporter(format_of(options), sink, collection.spec(), options.column));
  LOCI_RETURN_IF_ERROR(exporter->begin());
  Progress progress("export " + options.name, context.progress);
  int64_t count = 0;
  LOCI_RETURN_IF_ERROR(collection.scan(options.where, options.archived, true, -1, 0,
                                       [&](const Record& record) -> Status {
                                         progress.update(++count, -1);
                                         return exporter->add(record);
                                       }));
  LOCI_RETURN_IF_ERROR(exporter->end());
  LOCI_RETURN_IF_ERROR(sink.close());
  if (exporter->left_out() > 0) {
    warn(std::to_string(exporter->left_out()) + " rows have no vector and were left out");
  }
  if (!sink.is_stdout() && !context.json) {
    put("exported " + std::to_string(count - exporter->left_out()) + " rows to '" + options.output +
        "'\n");
  }
  return kExitOk;
}

Result<CollectionSpec> read_spec(const fs::path& path) {
  LOCI_ASSIGN_OR_RETURN(std::unique_ptr<ByteSource> source, open_source(path.string()));
  Input input(std::move(source));
  LOCI_ASSIGN_OR_RETURN(const std::string_view text, input.peek(size_t{1} << 20));
  Result<CollectionSpec> spec = spec_from_json(text);
  LOCI_RETURN_IF_ERROR(spec.status().with_context(path.string()));
  return spec;
}

/// The rows of one file into a new collection. Runs inside a transaction.
Status import_rows(Collection& collection, RowReader& reader, Progress& progress, int64_t& count) {
  const RowFitter fitter(collection.spec(), false);
  std::vector<Record> batch;
  std::vector<RowKey> archived;
  std::string place;
  const auto flush = [&]() -> Status {
    const Result<WriteCount> written = collection.insert_many(batch, OnConflict::kError);
    LOCI_RETURN_IF_ERROR(written.status().with_context("up to " + place));
    count += static_cast<int64_t>(batch.size());
    batch.clear();
    progress.update(count, reader.fraction());
    return {};
  };
  InputRow row;
  while (true) {
    LOCI_ASSIGN_OR_RETURN(const Read read, reader.next(row));
    if (read == Read::kEnd) break;
    place = reader.where(row);
    if (read == Read::kBad) return Status::invalid_argument(place + ": " + row.error);
    const auto mark = row.object.find("archived");
    const bool is_archived = mark != row.object.end() && mark->is_boolean() && mark->get<bool>();
    if (mark != row.object.end()) row.object.erase(mark);
    Result<Record> record = fitter.fit(row);
    LOCI_RETURN_IF_ERROR(record.status().with_context(place));
    if (is_archived && record->rowid.has_value()) archived.emplace_back(*record->rowid);
    batch.push_back(*std::move(record));
    if (batch.size() == kImportBatch) LOCI_RETURN_IF_ERROR(flush());
  }
  LOCI_RETURN_IF_ERROR(flush());
  return collection.archive(archived).status();
}

Status import_collection(const Context& context, Database& database, const fs::path& folder) {
  LOCI_ASSIGN_OR_RETURN(const CollectionSpec spec, read_spec(folder / kSpecFile));
  LOCI_ASSIGN_OR_RETURN(const std::unique_ptr<RowReader> reader,
                        open_rows((folder / kRowsFile).string(), {.format = "jsonl", .meta = {}}));
  int64_t count = 0;
  {
    Progress progress("import " + spec.name, context.progress);
    LOCI_RETURN_IF_ERROR(database.transaction([&]() -> Status {
      LOCI_ASSIGN_OR_RETURN(Collection collection, database.create_collection(spec));
      return import_rows(collection, *reader, progress, count);
    }));
  }
  if (context.json) {
    std::string line;
    JsonObject(line).text("collection", spec.name).integer("rows", count).close();
    put(line + "\n");
  } else {
    put("imported '" + spec.name + "', " + std::to_string(count) + " rows\n");
  }
  return {};
}

/// The folders of collections that a path names: itself, its parent (spec.json), or those in it.
Result<std::vector<fs::path>> collection_folders(const std::string& path) {
  std::error_code error;
  const fs::path given(path);
  if (!fs::exists(given, error)) return Status::not_found("no file or folder '" + path + "'");
  std::vector<fs::path> folders;
  if (!fs::is_directory(given, error)) {
    if (given.filename() == kSpecFile || given.filename() == kRowsFile) {
      folders.push_back(given.has_parent_path() ? given.parent_path() : fs::path("."));
      return folders;
    }
    return Status::invalid_argument("'" + path + "' is no exported collection: 'import' reads " +
                                    "what 'export --all' has written; for rows use 'loci add'");
  }
  if (fs::exists(given / kSpecFile, error)) {
    folders.push_back(given);
    return folders;
  }
  for (const fs::directory_entry& entry : fs::directory_iterator(given, error)) {
    if (fs::exists(entry.path() / kSpecFile, error)) folders.push_back(entry.path());
  }
  std::sort(folders.begin(), folders.end());
  if (!folders.empty()) return folders;
  return Status::invalid_argument("'" + path + "' holds no exported collections (folders with " +
                                  kSpecFile + " and " + kRowsFile + ")");
}

Result<int> import_path(const Context& context, const TransferOptions& options) {
  LOCI_ASSIGN_OR_RETURN(const std::vector<fs::path> folders, collection_folders(options.path));
  LOCI_ASSIGN_OR_RETURN(Database database, open_or_create(context));
  for (const fs::path& folder : folders) {
    LOCI_RETURN_IF_ERROR(import_collection(context, database, folder));
  }
  return kExitOk;
}

}  // namespace

Action configure_export(CLI::App& app, const Context& context) {
  const auto options = std::make_shared<TransferOptions>();  // owners: the parser and the action
  app.add_option("NAME", options->name, "The collection");
  app.add_flag("--all", options->all, "Whole collections (all, or NAME) as folders, for import");
  app.add_option("--format", options->format,
                 "jsonl (default), csv, tsv, npy, fvecs or fbin; else by the name of the file");
  app.add_option("-o,--output", options->output, "The file or folder; standard output without");
  app.add_option("--column", options->column, "The vector column of npy, fvecs and fbin");
  app.add_option("--where", options->where, "Only rows that match a filter");
  app.add_flag("--archived", options->archived, "Archived rows too");
  return [options, &context] { return export_rows(context, *options); };
}

Action configure_import(CLI::App& app, const Context& context) {
  const auto options = std::make_shared<TransferOptions>();
  app.add_option("PATH", options->path, "What 'export --all -o' has written")->required();
  return [options, &context] { return import_path(context, *options); };
}

}  // namespace loci::cli

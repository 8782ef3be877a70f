// SPDX-License-Identifier: Apache-2.0
//
// `add`: rows of files into a collection. Each file is one transaction, so a file is taken whole or
// not at all; with --skip-bad rows that cannot be used are named, counted and left out. A missing
// collection is made inside the transaction of the first file, from what its first rows show.
#include <sys/stat.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "exit_code.h"
#include "indexing.h"
#include "output/json_text.h"
#include "output/terminal.h"
#include "progress.h"
#include "readers/row_reader.h"
#include "row_fields.h"
#include "spec_options.h"
#include "suggest.h"
#include "verbs.h"

namespace loci::cli {
namespace {

// Rows of one savepoint inside the transaction of a file. Once the transaction is larger than
// SQLite's cache, a savepoint costs more the more it holds: 69,000 x 784 (mnist784) took 1.3 s by
// 100 rows, 1.5 s by 1,000, 3.1 s by 20,000.
constexpr size_t kBatchRows = 100;
constexpr int64_t kIndexedRows = 1000;  // added at once: then the index is completed too
constexpr size_t kSampleRows = 1000;    // that a missing collection is inferred from

struct AddOptions {
  SpecOptions spec;
  std::vector<std::string> files;
  ReaderOptions reader;
  std::string on_conflict = "update";
  bool skip_bad = false;
  size_t batch = kBatchRows;
  int64_t first_rowid = 1;
  IndexOptions index;
  bool no_index = false;
};

struct Totals {
  WriteCount rows;
  int64_t skipped = 0;
  int64_t position = 0;  // vectors read so far, over all files
};

Result<OnConflict> parse_on_conflict(const std::string& text) {
  if (text == "update") return OnConflict::kUpdate;
  if (text == "replace") return OnConflict::kReplace;
  if (text == "ignore") return OnConflict::kIgnore;
  if (text == "error") return OnConflict::kError;
  return Status::invalid_argument("--on-conflict '" + text +
                                  "': allowed update, replace, ignore, error");
}

/// Opening and closing the database by other means than SQLite would drop SQLite's locks on it.
Status refuse_database(const std::string& file, const std::string& database) {
  struct stat a{};
  struct stat b{};
  if (file == "-" || stat(file.c_str(), &a) != 0) return {};
  for (const char* suffix : {"", "-wal", "-shm", "-journal"}) {
    if (stat((database + suffix).c_str(), &b) != 0) continue;
    if (a.st_dev == b.st_dev && a.st_ino == b.st_ino) {
      return Status::invalid_argument("'" + file + "' is the database itself");
    }
  }
  return {};
}

/// Whether a failure is the fault of one row, so that the rows beside it can be used.
bool is_row_fault(StatusCode code) {
  return code == StatusCode::kInvalidArgument || code == StatusCode::kAlreadyExists;
}

/// One file on its way into a collection.
class FileLoad {
 public:
  FileLoad(const Context& context, const AddOptions& options, const std::string& path)
      : options_(options), path_(path), progress_("add " + path, context.progress) {}

  /// Opens the file and reads its first rows: what is wrong with them is found before the database
  /// is opened.
  Status start() {
    LOCI_ASSIGN_OR_RETURN(reader_, open_rows(path_, options_.reader));
    while (sample_.size() < kSampleRows) {
      InputRow row;
      LOCI_ASSIGN_OR_RETURN(const bool more, next_usable(row));
      if (!more) break;
      sample_.push_back(std::move(row));
    }
    return {};
  }
  [[nodiscard]] const RowReader& reader() const { return *reader_; }
  [[nodiscard]] const std::vector<InputRow>& sample() const { return sample_; }

  /// Writes every row. Runs inside a transaction.
  Status run(Collection& collection, OnConflict on_conflict, Totals& totals) {
    const RowFitter fitter(collection.spec(), reader_->untyped());
    std::vector<Record> batch;
    std::vector<std::string> places;
    size_t next_sample = 0;
    while (true) {
      InputRow row;
      if (next_sample < sample_.size()) {
        row = std::move(sample_[next_sample++]);
      } else {
        LOCI_ASSIGN_OR_RETURN(const bool more, next_usable(row));
        if (!more) break;
      }
      Result<Record> record = fitter.fit(row);
      if (!record.has_value()) {
        LOCI_RETURN_IF_ERROR(bad_row(reader_->where(row), std::move(record).error()));
        continue;
      }
      if (reader_->vector_dim() != 0 && !record->rowid.has_value()) {
        record->rowid = RowId{options_.first_rowid + totals.position + row.line - 1};
      }
      batch.push_back(*std::move(record));
      places.push_back(reader_->where(row));
      if (batch.size() >= options_.batch) {
        LOCI_RETURN_IF_ERROR(flush(collection, on_conflict, batch, places));
      }
      last_line_ = row.line;
    }
    LOCI_RETURN_IF_ERROR(flush(collection, on_conflict, batch, places));
    totals.rows.inserted += rows_.inserted;
    totals.rows.updated += rows_.updated;
    totals.rows.ignored += rows_.ignored;
    totals.skipped += skipped_;
    if (reader_->vector_dim() != 0) totals.position += last_line_;
    return {};
  }

 private:
  /// Names a row that cannot be used; an error unless such rows are skipped.
  Status bad_row(const std::string& place, const Status& status) {
    if (!options_.skip_bad || !is_row_fault(status.code())) return status.with_context(place);
    ++skipped_;
    warn("skipped " + place + ": " + std::string(status.message()));
    return {};
  }

  Result<bool> next_usable(InputRow& row) {
    while (true) {
      LOCI_ASSIGN_OR_RETURN(const Read read, reader_->next(row));
      if (read == Read::kEnd) return false;
      if (read == Read::kRow) return true;
      LOCI_RETURN_IF_ERROR(bad_row(reader_->where(row), Status::invalid_argument(row.error)));
    }
  }

  void add(const WriteCount& count) {
    rows_.inserted += count.inserted;
    rows_.updated += count.updated;
    rows_.ignored += count.ignored;
  }

  Status flush(Collection& collection, OnConflict on_conflict, std::vector<Record>& batch,
               std::vector<std::string>& places) {
    if (batch.empty()) return {};
    const Result<WriteCount> written = collection.insert_many(batch, on_conflict);
    if (written.has_value()) {
      add(*written);
    } else if (is_row_fault(written.error().code())) {
      // One row of the batch is at fault and the batch is undone: row by row finds which.
      for (size_t i = 0; i < batch.size(); ++i) {
        const Result<WriteCount> one =
            collection.insert_many(std::span<const Record>(&batch[i], 1), on_conflict);
        if (one.has_value()) {
          add(*one);
        } else {
          LOCI_RETURN_IF_ERROR(bad_row(places[i], one.error()));
        }
      }
    } else {
      return written.error().with_context(path_);
    }
    done_ += static_cast<int64_t>(batch.size());
    batch.clear();
    places.clear();
    progress_.update(done_, reader_->fraction());
    return {};
  }

  const AddOptions& options_;  // must outlive this: the command's
  std::string path_;
  Progress progress_;
  std::unique_ptr<RowReader> reader_;
  std::vector<InputRow> sample_;
  WriteCount rows_;
  int64_t skipped_ = 0;
  int64_t done_ = 0;
  int64_t last_line_ = 0;
};

/// The collection, made from the first rows of a file when it is not there.
Result<Collection> collection_for(Database& database, const AddOptions& options,
                                  const FileLoad& load, std::string& said) {
  Result<Collection> found = database.collection(options.spec.name);
  if (found.has_value()) {
    if (options.spec.any() && said.empty()) {
      return Status::invalid_argument("collection '" + options.spec.name + "' is there already: " +
                                      "--dim, --metric, --element, --text, --filter, --model and " +
                                      "--vector are for a new one");
    }
    return found;
  }
  if (found.error().code() != StatusCode::kNotFound) return found;
  if (load.sample().empty()) {
    return Status::invalid_argument("no collection '" + options.spec.name +
                                    "', and no rows to choose its columns by: use 'loci create'");
  }
  LOCI_ASSIGN_OR_RETURN(const SpecChoice choice,
                        infer_spec(options.spec, load.reader(), load.sample()));
  LOCI_ASSIGN_OR_RETURN(Collection made, database.create_collection(choice.spec));
  said = "made '" + options.spec.name + "': " + describe(made.spec());
  if (!choice.chosen.empty()) said += "; chosen: " + join(choice.chosen, "; ");
  return made;
}

std::string rate_text(int64_t rows, double seconds) {
  std::string text = decimal(seconds, 2) + " s";
  if (seconds > 0.05) {
    text += ", " + std::to_string(static_cast<int64_t>(static_cast<double>(rows) / seconds)) +
            " rows/s";
  }
  return text;
}

void put_totals(const Context& context, const Totals& totals, double seconds) {
  const WriteCount& rows = totals.rows;
  if (context.json) {
    std::string line;
    JsonObject(line)
        .integer("inserted", rows.inserted)
        .integer("updated", rows.updated)
        .integer("ignored", rows.ignored)
        .integer("skipped", totals.skipped)
        .number("seconds", seconds)
        .close();
    put(line + "\n");
    return;
  }
  std::string text = "added " + std::to_string(rows.inserted);
  if (rows.updated > 0) text += ", updated " + std::to_string(rows.updated);
  if (rows.ignored > 0) text += ", ignored " + std::to_string(rows.ignored);
  if (totals.skipped > 0) text += ", skipped " + std::to_string(totals.skipped);
  const int64_t all = rows.inserted + rows.updated + rows.ignored;
  put(text + " rows in " + rate_text(all, seconds) + "\n");
}

/// Completes the graphs that the collection should have, so that the next process finds them. The
/// rows are safe already: what goes wrong is told, and is no failure of `add`.
void complete_index(const Context& context, const AddOptions& options, Database& database) {
  if (options.no_index) return;
  const Status status = with_progress(
      context, options.spec.name, options.index,
      [&](const IndexOptions& index) { return database.publish(options.spec.name, index); });
  if (status.ok()) return;
  warn("the rows are added; the index is not complete: " + std::string(status.message()) +
       "; 'loci reindex " + options.spec.name + "' completes it");
}

Result<int> add(const Context& context, const AddOptions& options) {
  const auto begin = std::chrono::steady_clock::now();
  LOCI_ASSIGN_OR_RETURN(const OnConflict on_conflict, parse_on_conflict(options.on_conflict));
  if (!options.reader.meta.empty() && options.files.size() != 1) {
    return Status::invalid_argument("--meta belongs to one file of vectors: add one at a time");
  }
  std::optional<Database> database;
  Totals totals;
  std::string made;
  for (const std::string& file : options.files) {
    LOCI_RETURN_IF_ERROR(refuse_database(file, context.db_path));
    FileLoad load(context, options, file);
    LOCI_RETURN_IF_ERROR(load.start());
    if (!database.has_value()) {
      LOCI_ASSIGN_OR_RETURN(database, open_or_create(context));
    }
    std::string said = made;
    LOCI_RETURN_IF_ERROR(database->transaction([&]() -> Status {
      LOCI_ASSIGN_OR_RETURN(Collection collection, collection_for(*database, options, load, said));
      return load.run(collection, on_conflict, totals);
    }));
    if (said != made) warn(said);
    made = said;
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  put_totals(context, totals, took.count());
  if (database.has_value() && totals.rows.inserted + totals.rows.updated >= kIndexedRows) {
    complete_index(context, options, *database);
  }
  return kExitOk;
}

}  // namespace

Action configure_add(CLI::App& app, const Context& context) {
  const auto options = std::make_shared<AddOptions>();  // owners: the parser and the action
  app.add_option("NAME", options->spec.name, "The collection")->required();
  app.add_option("FILE", options->files,
                 "JSON lines, JSON, CSV, TSV, .fvecs, .bvecs, .npy, .npz, .fbin; - is stdin")
      ->required();
  app.add_option("--meta", options->reader.meta,
                 "JSON lines that belong to the vectors, line i to vector i");
  app.add_option("--format", options->reader.format, "The format, when the name does not say");
  app.add_option("--on-conflict", options->on_conflict,
                 "An id that is there already: update, replace, ignore or error")
      ->capture_default_str();
  app.add_flag("--skip-bad", options->skip_bad,
               "Leave out rows that cannot be used, and name them");
  app.add_option("--batch", options->batch, "Rows written at once")
      ->capture_default_str()
      ->check(CLI::Range(1, 1000000));
  app.add_option("--first-rowid", options->first_rowid, "Rowid of the first vector of a file")
      ->capture_default_str();
  app.add_flag("--no-index", options->no_index, "Leave the graph to a later process");
  add_index_options(app, options->index);
  add_spec_options(app, options->spec);
  return [options, &context] { return add(context, *options); };
}

}  // namespace loci::cli

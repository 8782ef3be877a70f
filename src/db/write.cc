// SPDX-License-Identifier: Apache-2.0
//
// Writing rows, and the vectors that a model makes of their text. Texts of new rows are embedded in
// batches before they are written; a row whose text is changed is written, marked pending by its
// trigger, and embedded from what the table then holds.
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "base/strings.h"
#include "db/collection_impl.h"
#include "store/rows.h"

namespace loci::db {
namespace {

bool gives_vector(const Record& record, std::string_view column) {
  return std::any_of(record.vectors.begin(), record.vectors.end(),
                     [&](const auto& vector) { return vector.first == column; });
}

size_t texts_given(const Record& record, const CollectionSpec& spec) {
  return static_cast<size_t>(
      std::count_if(record.fields.begin(), record.fields.end(), [&](const Field& field) {
        return std::find(spec.text.begin(), spec.text.end(), field.first) != spec.text.end();
      }));
}

using Models = std::span<const std::shared_ptr<Embedder>>;

/// The models of a source's vector columns; null where there is none at hand.
std::vector<std::shared_ptr<Embedder>> models_of(DatabaseImpl& database,
                                                 const CollectionSpec& spec) {
  std::vector<std::shared_ptr<Embedder>> models;
  models.reserve(spec.vectors.size());
  for (const VectorColumn& column : spec.vectors) models.push_back(database.embedder(spec, column));
  return models;
}

/// An update that gives part of the text is embedded from the whole, once it is written.
bool embeds_later(const Record& record, const CollectionSpec& spec, OnConflict on_conflict) {
  const size_t given = texts_given(record, spec);
  return on_conflict == OnConflict::kUpdate && given != 0 && given != spec.text.size();
}

/// Adds to each record the vector that `model` makes of its text, where it brings none.
Status embed_column(const Embedder& model, const store::Source& source, size_t column,
                    OnConflict on_conflict, std::span<Record> records) {
  const std::string& name = source.spec.vectors[column].name;
  std::vector<std::string> texts;
  std::vector<size_t> rows;
  for (size_t i = 0; i < records.size(); ++i) {
    if (gives_vector(records[i], name)) continue;
    if (embeds_later(records[i], source.spec, on_conflict)) continue;
    std::string text = store::embedding_text(source, records[i]);
    if (text.empty()) continue;
    texts.push_back(std::move(text));
    rows.push_back(i);
  }
  if (texts.empty()) return {};
  const std::vector<std::string_view> views(texts.begin(), texts.end());
  LOCI_ASSIGN_OR_RETURN(const std::vector<float> vectors,
                        model.embed(views, EmbedPurpose::kDocument));
  if (vectors.size() != texts.size() * model.dim()) {
    return Status::internal(base::str_cat("model '", model.identity(), "' gave ", vectors.size(),
                                          " components for ", texts.size(), " texts of dim ",
                                          model.dim()));
  }
  for (size_t i = 0; i < rows.size(); ++i) {
    const auto first = vectors.begin() + static_cast<std::ptrdiff_t>(i * model.dim());
    records[rows[i]].vectors.emplace_back(
        name, std::vector<float>(first, first + static_cast<std::ptrdiff_t>(model.dim())));
  }
  return {};
}

/// Embeds one row from the text that the table now holds, in every model column that `changes`
/// brought no vector for.
Status embed_row(sqlite::Connection& connection, const store::Source& source, Models models,
                 RowId row, const Record& changes) {
  for (size_t column = 0; column < models.size(); ++column) {
    if (models[column] == nullptr || gives_vector(changes, source.spec.vectors[column].name)) {
      continue;
    }
    LOCI_ASSIGN_OR_RETURN(const std::optional<Record> whole,
                          store::get_row(connection, source, row, false));
    const std::string text = whole.has_value() ? store::embedding_text(source, *whole) : "";
    if (text.empty()) continue;
    const std::string_view one = text;
    LOCI_ASSIGN_OR_RETURN(const std::vector<float> vector,
                          models[column]->embed({&one, 1}, EmbedPurpose::kDocument));
    LOCI_RETURN_IF_ERROR(store::put_vector(connection, source, column, row, vector));
  }
  return {};
}

void count_outcome(store::WriteOutcome outcome, WriteCount& count) {
  switch (outcome) {
    case store::WriteOutcome::kInserted:
      ++count.inserted;
      return;
    case store::WriteOutcome::kUpdated:
      ++count.updated;
      return;
    case store::WriteOutcome::kIgnored:
      ++count.ignored;
      return;
  }
}

/// `group` with the vectors that models make of its texts; they are kept in `embedded`.
Result<std::span<const Record>> embed_group(const store::Source& source, Models models,
                                            OnConflict on_conflict, std::span<const Record> group,
                                            std::vector<Record>& embedded) {
  if (std::all_of(models.begin(), models.end(), [](const auto& model) { return !model; })) {
    return group;
  }
  embedded.assign(group.begin(), group.end());
  for (size_t column = 0; column < models.size(); ++column) {
    if (models[column] == nullptr) continue;
    LOCI_RETURN_IF_ERROR(embed_column(*models[column], source, column, on_conflict, embedded));
  }
  return std::span<const Record>(embedded);
}

/// Writes records: together where they are many and all new, else one by one.
/// Returns the last row.
Result<RowId> write_group(sqlite::Connection& connection, const store::Source& source,
                          Models models, OnConflict on_conflict, std::span<const Record> group,
                          WriteCount& count) {
  const bool all_at_once = std::none_of(group.begin(), group.end(), [&](const Record& record) {
    return embeds_later(record, source.spec, on_conflict);
  });
  if (all_at_once && store::batch_pays(connection, group.size())) {
    LOCI_ASSIGN_OR_RETURN(const std::optional<RowId> last,
                          store::put_batch(connection, source, group, on_conflict));
    if (last.has_value()) {
      count.inserted += static_cast<int64_t>(group.size());
      return *last;
    }
  }
  RowId last = kNoRow;
  for (const Record& record : group) {
    LOCI_ASSIGN_OR_RETURN(const store::WriteResult written,
                          store::put_row(connection, source, record, on_conflict));
    count_outcome(written.outcome, count);
    last = written.rowid;
    if (!embeds_later(record, source.spec, on_conflict)) continue;
    LOCI_RETURN_IF_ERROR(embed_row(connection, source, models, last, record));
  }
  return last;
}

}  // namespace

Result<WriteCount> CollectionImpl::insert_many(std::span<const Record> records,
                                               OnConflict on_conflict, RowId* last_row) {
  WriteCount count;
  RowId last = kNoRow;
  std::shared_ptr<SharedImage> image;
  const auto write = [&](sqlite::Connection& connection, const CatalogEntry& entry) -> Status {
    const store::Source& source = entry.source;
    image = entry.image;
    const auto models = models_of(*database_, source.spec);
    std::vector<Record> embedded;
    for (size_t begin = 0; begin < records.size(); begin += store::kBatchRows) {
      std::span<const Record> group =
          records.subspan(begin, std::min(store::kBatchRows, records.size() - begin));
      LOCI_ASSIGN_OR_RETURN(group, embed_group(source, models, on_conflict, group, embedded));
      LOCI_ASSIGN_OR_RETURN(last,
                            write_group(connection, source, models, on_conflict, group, count));
    }
    return {};
  };
  LOCI_RETURN_IF_ERROR(database_->write_source(name(), write));
  database_->note_written(name(), *image, count.inserted + count.updated);
  if (last_row != nullptr) *last_row = last;
  return count;
}

Status CollectionImpl::update(const RowKey& key, const Record& changes) {
  const auto write = [&](sqlite::Connection& connection, const CatalogEntry& entry) -> Status {
    const store::Source& source = entry.source;
    LOCI_ASSIGN_OR_RETURN(const std::optional<RowId> row, store::find_row(connection, source, key));
    if (!row.has_value()) {
      const auto* id = std::get_if<std::string>(&key);
      return Status::not_found(
          id != nullptr
              ? base::str_cat("collection '", name(), "': no row with id '", *id, "'")
              : base::str_cat("collection '", name(), "': no row ", to_int(std::get<RowId>(key))));
    }
    LOCI_RETURN_IF_ERROR(store::update_row(connection, source, *row, changes));
    if (texts_given(changes, source.spec) == 0) return {};
    return embed_row(connection, source, models_of(*database_, source.spec), *row, changes);
  };
  return database_->write_source(name(), write);
}

}  // namespace loci::db

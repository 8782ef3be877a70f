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

/// Records embedded per call of the model.
constexpr size_t kEmbedBatch = 256;

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
Status embed_row(sqlite::Connection& connection, const store::Source& source,
                 std::span<const std::shared_ptr<Embedder>> models, RowId row,
                 const Record& changes) {
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

}  // namespace

Result<WriteCount> CollectionImpl::insert_many(std::span<const Record> records,
                                               OnConflict on_conflict, RowId* last_row) {
  WriteCount count;
  const auto write = [&](sqlite::Connection& connection, const CatalogEntry& entry) -> Status {
    const store::Source& source = entry.source;
    const auto models = models_of(*database_, source.spec);
    const bool embeds = std::any_of(models.begin(), models.end(),
                                    [](const auto& model) { return model != nullptr; });
    std::vector<Record> batch;
    for (size_t begin = 0; begin < records.size(); begin += kEmbedBatch) {
      std::span<const Record> chunk =
          records.subspan(begin, std::min(kEmbedBatch, records.size() - begin));
      if (embeds) {
        batch.assign(chunk.begin(), chunk.end());
        for (size_t column = 0; column < models.size(); ++column) {
          if (models[column] == nullptr) continue;
          LOCI_RETURN_IF_ERROR(embed_column(*models[column], source, column, on_conflict, batch));
        }
        chunk = batch;
      }
      for (const Record& record : chunk) {
        LOCI_ASSIGN_OR_RETURN(const store::WriteResult written,
                              store::put_row(connection, source, record, on_conflict));
        count_outcome(written.outcome, count);
        if (last_row != nullptr) *last_row = written.rowid;
        if (embeds && embeds_later(record, source.spec, on_conflict)) {
          LOCI_RETURN_IF_ERROR(embed_row(connection, source, models, written.rowid, record));
        }
      }
    }
    return {};
  };
  LOCI_RETURN_IF_ERROR(database_->write_source(name(), write));
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

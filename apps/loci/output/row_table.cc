// SPDX-License-Identifier: Apache-2.0
#include "output/row_table.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "output/json_text.h"
#include "output/terminal.h"

namespace loci::cli {

RowTable::RowTable(const CollectionSpec& spec) : text_ids_(spec.text_ids) {
  table_.add_column(text_ids_ ? "id" : "rowid",
                    text_ids_ ? Table::Align::kLeft : Table::Align::kRight);
  for (const std::string& column : spec.text) table_.add_column(column);
  for (const FilterColumn& column : spec.filters) {
    const bool number = column.type == FieldType::kInt || column.type == FieldType::kFloat;
    table_.add_column(column.name, number ? Table::Align::kRight : Table::Align::kLeft);
  }
  table_.add_column("metadata");
}

void RowTable::add(const Record& record) {
  std::vector<std::string> cells;
  cells.push_back(row_label(record, record.rowid.value_or(kNoRow)));
  for (const auto& [name, value] : record.fields) cells.push_back(cell_text(value));
  cells.push_back(record.metadata.value_or(""));
  table_.add_row(std::move(cells));
}

std::string RowTable::render() const {
  if (table_.empty()) return "no rows\n";
  return table_.render(terminal_width(), stdout_has_colour());
}

std::string record_sheet(const Record& record, bool with_vectors) {
  std::vector<std::pair<std::string, std::string>> lines;
  if (record.id.has_value()) lines.emplace_back("id", *record.id);
  lines.emplace_back("rowid", std::to_string(to_int(record.rowid.value_or(kNoRow))));
  for (const auto& [name, value] : record.fields) lines.emplace_back(name, cell_text(value));
  if (record.metadata.has_value()) lines.emplace_back("metadata", *record.metadata);
  if (record.archived) lines.emplace_back("archived", "true");
  lines.emplace_back("created", time_text(record.created_at_us));
  lines.emplace_back("updated", time_text(record.updated_at_us));
  for (const auto& [name, vector] : record.vectors) {
    if (!with_vectors || vector.empty()) continue;
    std::string text;
    append_json_vector(text, vector);
    lines.emplace_back(name, std::move(text));
  }
  size_t widest = 0;
  for (const auto& [name, value] : lines) widest = std::max(widest, name.size());
  std::string out;
  for (const auto& [name, value] : lines) {
    out += name;
    out.append(widest - name.size() + 2, ' ');
    out += one_line(value);
    out += '\n';
  }
  return out + "\n";
}

std::string row_label(const Record& record, RowId rowid) {
  return record.id.value_or(std::to_string(to_int(rowid)));
}

std::string short_fields(const Record& record) {
  constexpr size_t kShort = 40;
  std::string out;
  for (const auto& [name, value] : record.fields) {
    const std::string text = cell_text(value);
    if (text.empty() || text.size() > kShort) continue;
    if (!out.empty()) out += ' ';
    out += name;
    out += '=';
    out += text;
  }
  return out;
}

}  // namespace loci::cli

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "loci/loci.h"
#include "output/table.h"

namespace loci::cli {

/// Rows of one collection as a table: id, text, filter columns, metadata.
class RowTable {
 public:
  explicit RowTable(const CollectionSpec& spec);
  void add(const Record& record);
  /// The table, or a line that says that there is nothing.
  [[nodiscard]] std::string render() const;

 private:
  bool text_ids_;
  Table table_;
};

/// One record for people: a line for each field.
std::string record_sheet(const Record& record, bool with_vectors);
/// What identifies a row to people: its text id, else its rowid.
std::string row_label(const Record& record, RowId rowid);
/// The fields of a record as "lang=rust year=2020", without long texts.
std::string short_fields(const Record& record);

}  // namespace loci::cli

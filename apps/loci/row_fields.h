// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "loci/loci.h"
#include "readers/row_reader.h"

namespace loci::cli {

/// Whether a member names a part of the row itself: id, _id, rowid, metadata, fields, embedding...
[[nodiscard]] bool is_row_member(std::string_view name);
/// Whether a member usually holds the row's vector: embedding, vector, ...
[[nodiscard]] bool is_vector_member(std::string_view name);
/// Whether a text is a JSON number.
[[nodiscard]] bool is_number(std::string_view text);

/// Components from a JSON array of numbers.
Result<std::vector<float>> vector_from_json(const Json& value);

/// Fits rows of a file to a collection: members that are columns become fields and vectors, the
/// rest becomes metadata.
class RowFitter {
 public:
  /// untyped  texts stand for numbers, bools and vectors too (CSV)
  RowFitter(CollectionSpec spec, bool untyped);

  /// kInvalidArgument says which member does not fit and what is expected.
  Result<Record> fit(InputRow& row) const;

 private:
  struct Target {
    enum class Kind { kOther, kText, kFilter, kVector } kind = Kind::kOther;
    FieldType type = FieldType::kText;
    std::string column;
  };
  [[nodiscard]] Target target(const std::string& name) const;
  Status put(const std::string& name, Json& value, Record& record, Json& metadata) const;
  Status put_row_member(const std::string& name, Json& value, Record& record, Json& metadata) const;

  CollectionSpec spec_;
  bool untyped_;
};

}  // namespace loci::cli

// SPDX-License-Identifier: Apache-2.0
//
// A record against the spec of its collection: every value is checked and laid out by column.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "sqlite/connection.h"
#include "store/rows.h"
#include "store/source.h"

namespace loci::store {

/// A checked record, laid out as the columns of its collection: text columns, filter columns and
/// vector columns in spec order; null where the record says nothing. Borrows from the record.
struct RecordLayout {
  std::vector<const Value*> text;
  std::vector<const Value*> filters;
  std::vector<const std::vector<float>*> vectors;
  bool has_vector = false;  ///< any, an empty one (which clears) included
  bool sets_id = false;     ///< an update gives the row another text id
};

/// Checks a record. Errors: kInvalidArgument that names the collection and the column.
/// Returns a layout that must not outlive `record`.
Result<RecordLayout> lay_out(sqlite::Connection& connection, const Source& source,
                             const Record& record);

/// Dimension, NaN and infinity, components that the column's element cannot hold, and the vector
/// that is stored as zero under cosine and angular.
Status check_vector(const Source& source, size_t column, VectorView vector);

/// The BLOB of a checked vector. `packed` holds it, but for float32: the floats are borrowed.
std::span<const std::byte> encode_vector(const VectorColumn& column, VectorView vector,
                                         std::string& packed);
/// What a BLOB holds, as floats; bits as 0 and 1. kCorruption when its length is wrong.
Result<std::vector<float>> decode_vector(const Source& source, size_t column, RowId row,
                                         std::span<const std::byte> blob);

}  // namespace loci::store

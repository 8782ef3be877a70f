// SPDX-License-Identifier: Apache-2.0
//
// The parts of SQL texts that every reader and writer of rows shares, and where each column of a
// source is found in them. Aliases: t the rows, v the vectors, k the keys of a user's table.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sqlite/connection.h"
#include "store/rows.h"
#include "store/source.h"

namespace loci::store {

/// Appends `name` quoted as an identifier.
void append_name(std::string& sql, std::string_view name);
/// The expression of a row's integer key.
[[nodiscard]] std::string key_sql(const Source& source);
/// " FROM ... " with the joins that a row of this source needs.
[[nodiscard]] std::string from_sql(const Source& source, bool with_vectors);
/// " WHERE a AND b" of the parts that are not empty.
[[nodiscard]] std::string where_sql(std::initializer_list<std::string_view> conditions);
/// Whether a column's vector is kept current by a model: then it may be pending.
[[nodiscard]] bool has_pending(const Source& source, size_t column) noexcept;
/// "v.embedding", or "t.embedding" of a user's table.
[[nodiscard]] std::string vector_sql(const Source& source, size_t column);
/// The mark of a text that changed after its vector: "v.embedding_pending".
[[nodiscard]] std::string mark_sql(const Source& source, size_t column);
/// True for a row with text whose vector is marked, or that has no vector row at all.
[[nodiscard]] std::string pending_sql(const Source& source, size_t column);

/// Binds the values of a filter from parameter `first` on.
Status bind_values(sqlite::Statement& statement, int first, std::span<const Value> values);
/// Filters are typed by users and seldom recur; without one the text does.
Result<sqlite::Statement> prepare(sqlite::Connection& connection, const SqlFilter& filter,
                                  std::string_view sql);

/// "collection 'notes'".
[[nodiscard]] std::string label(const Source& source);
/// "collection 'notes', column 'lang'".
[[nodiscard]] std::string label(const Source& source, std::string_view column);
/// kFailedPrecondition for a user's table.
Status require_managed(const Source& source);

/// Bytes that a vector of the column takes on disk.
[[nodiscard]] size_t vector_bytes(const VectorColumn& column) noexcept;
/// "dim 384", "dim 384 of f16".
[[nodiscard]] std::string vector_shape(const VectorColumn& column);

}  // namespace loci::store

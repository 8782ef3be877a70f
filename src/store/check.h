// SPDX-License-Identifier: Apache-2.0
//
// The parts of check(): each appends what it finds; with `repair` it mends what is derived.
#pragma once

#include <optional>
#include <vector>

#include "loci/database.h"
#include "sqlite/connection.h"
#include "store/source.h"

namespace loci::store {

/// Whether FTS5 finds that its index holds what it was given. It is asked by an INSERT that writes
/// nothing: on a connection that may write, in a write transaction, as one that has begun to read
/// would not wait for another writer.
Result<bool> fts5_sound(sqlite::Connection& connection, const Source& source);

/// Triggers, full text, orphans, vectors and keys of one source.
/// text_sound  what fts5_sound() said; nullopt: it is to be asked if it can be
Status check_source(sqlite::Connection& connection, const Source& source,
                    std::optional<bool> text_sound, bool repair,
                    std::vector<CheckFinding>& findings);

}  // namespace loci::store

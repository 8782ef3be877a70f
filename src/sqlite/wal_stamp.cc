// SPDX-License-Identifier: Apache-2.0
//
// The header of the wal-index, read without a transaction.
//
// SQLite keeps two copies of a 48-byte header at the start of the shared memory of a WAL database
// (https://sqlite.org/walformat.html, section 2.1). A writer changes the second, then the first,
// with its commit; equal copies are one whole header. It holds a counter, the number of frames,
// two salts and a checksum over the frames, so that two states of the file never share one.
//
// Invariant. The memory is asked for only once this connection has read in WAL mode with the normal
// locking mode: SQLite has then mapped it, and keeps it so while the connection is open (no other
// program can leave WAL meanwhile). Asked for earlier, SQLite would make a -shm file.
//
// Tested by wal_stamp_test.cc.
#include "sqlite/connection.h"
#include "sqlite/connection_impl.h"
#include "sqlite/query.h"

#if defined(__clang__) || defined(__GNUC__)
#define LOCI_NO_THREAD_SANITIZER __attribute__((no_sanitize("thread")))
#else
#define LOCI_NO_THREAD_SANITIZER
#endif

namespace loci::sqlite {
namespace {

constexpr int kWalIndexPage = 32768;  // the size that SQLite maps it by

bool reads_by_wal(Connection& connection) {
  const auto is = [&](const char* pragma, std::string_view wanted) {
    const Result<std::optional<std::string>> value = query_text(connection, pragma);
    return value.has_value() && value->value_or("") == wanted;
  };
  return is("PRAGMA journal_mode", "wal") && is("PRAGMA locking_mode", "normal") &&
         query_int(connection, "SELECT count(*) FROM sqlite_schema").has_value();
}

const volatile uint64_t* map_wal_index(sqlite3* db) {
  sqlite3_file* file = nullptr;
  if (sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, static_cast<void*>(&file)) !=
      SQLITE_OK)
    return nullptr;
  if (file == nullptr || file->pMethods == nullptr) return nullptr;
  if (file->pMethods->iVersion < 2 || file->pMethods->xShmMap == nullptr) return nullptr;
  volatile void* page = nullptr;
  if (file->pMethods->xShmMap(file, 0, kWalIndexPage, 0, &page) != SQLITE_OK) return nullptr;
  return static_cast<const volatile uint64_t*>(page);
}

/// Another process may be writing what is read here: a torn copy differs from the other one. Each
/// word is loaded before what is read next.
LOCI_NO_THREAD_SANITIZER WalStamp load(const volatile uint64_t* words) noexcept {
  WalStamp stamp;
  for (size_t i = 0; i < stamp.words.size(); ++i) {
    stamp.words[i] = __atomic_load_n(words + i, __ATOMIC_ACQUIRE);
  }
  return stamp;
}

}  // namespace

std::optional<WalStamp> Connection::wal_stamp() {
  if (!impl_->wal_index_sought) {
    if (in_transaction()) return std::nullopt;  // the seeking reads, and must not begin a snapshot
    impl_->wal_index_sought = true;
    if (!impl_->immutable && !impl_->path.empty() && reads_by_wal(*this)) {
      impl_->wal_index = map_wal_index(impl_->db.get());
    }
  }
  if (impl_->wal_index == nullptr) return std::nullopt;
  const WalStamp first = load(impl_->wal_index);
  const WalStamp second = load(impl_->wal_index + first.words.size());
  if (first == second) return first;
  return std::nullopt;
}

}  // namespace loci::sqlite

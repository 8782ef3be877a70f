// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "loci/status.h"

namespace loci::sqlite {

class Connection;
struct BusyWait;

/// Past this size of the WAL a writer stays after its commit until it can be begun anew.
inline constexpr int64_t kWalLimitBytes = int64_t{64} << 20U;

/// What a writing connection knows of the WAL it appends to.
struct WalCare {
  BusyWait* busy = nullptr;  // must outlive this: the connection's
  int64_t page_bytes = 0;
  int64_t restart_at_bytes = kWalLimitBytes;
};

/// From now on each commit of `connection` is followed by what its WAL needs. `care` must outlive
/// the connection.
Status keep_wal_small(Connection& connection, WalCare& care);

}  // namespace loci::sqlite

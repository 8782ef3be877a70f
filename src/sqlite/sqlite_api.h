// SPDX-License-Identifier: Apache-2.0
//
// The only file that names SQLite's own headers. An extension must call SQLite through the table
// of routines that its host hands in: linking a second SQLite into the process would let two copies
// drop each other's POSIX locks. The core is therefore compiled twice, and only this file knows.
#pragma once

#ifdef LOCI_EXTENSION_BUILD
#include <sqlite3ext.h>
SQLITE_EXTENSION_INIT3
#else
#include <sqlite3.h>
#endif

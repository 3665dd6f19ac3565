// The journal in one SQLite file: WAL, synced at every append, every record under a chained
// checksum.
#pragma once

#include <stdint.h>

#include "model/store.h"

// Open or create the journal. Checks the end of it; a record is also checked whenever it is read.
// LP_ECORRUPT: stored data fails its check; err says after which record and what to do. Nothing is
// changed then. LP_EUNSUPPORTED: written by a newer program, or not a journal at all.
LP_MUST_CHECK int lp_store_sqlite_open(const char *path, struct lp_store *ret_store,
                                       struct lp_err *err);

// Keep what can be used of a damaged journal: the longest run of records from the first that are
// sound, and whose events this program knows.
// The damaged files are moved aside to PATH.corrupt-SECONDS (since 1970). *ret_last_seq: the last
// record kept. LP_ECORRUPT when not even the first is sound; then nothing is changed.
LP_MUST_CHECK int lp_store_sqlite_salvage(const char *path, uint64_t *ret_last_seq,
                                          struct lp_err *err);

// The store: where the journal is kept. Two of them: SQLite (drivers/store_sqlite.c) and the
// simulator's. append is the only way in, and is durable when it returns 0.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum lp_record_kind { LP_RECORD_EVENT, LP_RECORD_ACTION };

struct lp_record {
    uint64_t seq; // from 1, without gaps
    int64_t at_ms;
    enum lp_record_kind kind;
    const char *word;    // "node-up": lp_event_word or lp_action_word
    const char *subject; // "demo/db-1/mariadb", "demo", ""; what it is about, in names
    const char *body;    // JSON by lp_event_print or lp_action_print
};

struct lp_arena;
struct lp_event;
// The event that an EVENT record holds, with its seq and time; its text lives in arena.
// LP_EUNSUPPORTED: this program knows no such event; err says what to do.
LP_MUST_CHECK int lp_record_event(const struct lp_record *record, struct lp_arena *arena,
                                  struct lp_event *ret_event, struct lp_err *err);
bool lp_record_is_readable(const struct lp_record *record);

struct lp_store_query {
    // "demo/db-1" finds the records of that subject and of all below it ("demo/db-1/mariadb", not
    // "demo/db-10"); NULL or "" finds all.
    const char *subject;
    uint64_t after; // only records with a greater seq
    size_t limit;
    bool is_last; // the last `limit` of those that match (still in ascending order), not the first
};

struct lp_store_ops {
    // Append count records with consecutive seq, the first of which must be expected_seq; all or
    // nothing. LP_ECONFLICT: somebody else appended; LP_EIO: not written (e.g. disk full).
    int (*append)(void *self, uint64_t expected_seq, const struct lp_record *records, size_t count,
                  struct lp_err *err);
    // Call visit for each record from `from` on, in order, until it returns nonzero (which is
    // returned). The record is lent for the call.
    int (*read)(void *self, uint64_t from, int (*visit)(void *context, const struct lp_record *),
                void *context, struct lp_err *err);
    // Keep one snapshot, valid after record seq; replaces an earlier one.
    int (*save)(void *self, uint64_t seq, const void *bytes, size_t count, struct lp_err *err);
    // *ret_seq 0 when there is none. *ret_bytes is malloc'ed, the caller frees it.
    int (*load)(void *self, uint64_t *ret_seq, void **ret_bytes, size_t *ret_count,
                struct lp_err *err);
    void (*close)(void *self);
    // Call visit, as read does, for at most query->limit records that match.
    int (*find)(void *self, const struct lp_store_query *query,
                int (*visit)(void *context, const struct lp_record *), void *context,
                struct lp_err *err);
};

struct lp_store {
    const struct lp_store_ops *ops;
    void *self;
};

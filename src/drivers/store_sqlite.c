// The journal in one SQLite file.
#include "drivers/store_sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/hash.h"
#include "base/own.h"
#include "base/str.h"

enum {
    FORMAT = 1,               // PRAGMA user_version; a greater one is refused
    APPLICATION = 0x4c504a31, // PRAGMA application_id: "LPJ1"
    BUSY_MS = 1000,           // somebody looks at the journal with the sqlite3 shell
    TAIL_CHECKED = 1000,      // records that open checks
};

struct store {
    sqlite3 *db;
    sqlite3_stmt *begin, *commit, *rollback, *insert;
    char *path;
    uint64_t last_seq;
    uint64_t last_sum; // chain: the checksum of record last_seq
};

static const char schema[] =
    "CREATE TABLE records (seq INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, kind INTEGER NOT NULL,"
    " word TEXT NOT NULL, subject TEXT NOT NULL, body TEXT NOT NULL, sum INTEGER NOT NULL);"
    "CREATE INDEX records_subject ON records (subject, seq);"
    "CREATE TABLE snapshot (id INTEGER PRIMARY KEY CHECK (id = 0), seq INTEGER NOT NULL,"
    " bytes BLOB NOT NULL, sha256 TEXT NOT NULL);";

#define COLUMNS "seq, at_ms, kind, word, subject, body, sum"

static int sqlite_code(int code)
{
    switch (code & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return LP_ECORRUPT;
    case SQLITE_CONSTRAINT:
    case SQLITE_BUSY:
        return LP_ECONFLICT;
    default:
        return LP_EIO;
    }
}

LP_MUST_CHECK static int corrupt(const struct store *store, uint64_t last_good, const char *why,
                                 struct lp_err *err)
{
    return lp_err_set(err, LP_ECORRUPT,
                      "the journal %s is damaged behind record %" PRIu64
                      " (%s); nodes keep running. To keep the sound part and go on from there: "
                      "limpet daemon --salvage",
                      store->path, last_good, why);
}

LP_MUST_CHECK static int sqlite_fail(const struct store *store, const char *what,
                                     struct lp_err *err)
{
    int code = sqlite3_extended_errcode(store->db);
    const char *why = sqlite3_errmsg(store->db);
    if (sqlite_code(code) == LP_ECORRUPT)
        return corrupt(store, store->last_seq, why, err);
    if ((code & 0xff) == SQLITE_FULL)
        why = "no space left on the disk";
    return lp_err_set(err, sqlite_code(code), "%s %s: %s", what, store->path, why);
}

// The chain: a record vouches for itself and for its place behind the one before.
static uint64_t record_sum(uint64_t before, const struct lp_record *record)
{
    LP_OWNS_STR struct lp_str all = {0};
    lp_str_printf(&all, "%016" PRIx64 " %" PRIu64 " %" PRId64 " %d %s %zu %s %zu ", before,
                  record->seq, record->at_ms, record->kind, record->word, strlen(record->subject),
                  record->subject, strlen(record->body));
    lp_str_add(&all, record->body);
    return lp_hash64(all.text, all.bytes);
}

static const char *column_text(sqlite3_stmt *row, int column)
{
    const char *text = (const char *)sqlite3_column_text(row, column);
    return text ? text : "";
}

static struct lp_record record_of(sqlite3_stmt *row)
{
    return (struct lp_record){.seq = (uint64_t)sqlite3_column_int64(row, 0),
                              .at_ms = sqlite3_column_int64(row, 1),
                              .kind =
                                  sqlite3_column_int(row, 2) ? LP_RECORD_ACTION : LP_RECORD_EVENT,
                              .word = column_text(row, 3),
                              .subject = column_text(row, 4),
                              .body = column_text(row, 5)};
}

LP_MUST_CHECK static int prepare(const struct store *store, const char *sql,
                                 sqlite3_stmt **ret_statement, struct lp_err *err)
{
    if (sqlite3_prepare_v2(store->db, sql, -1, ret_statement, NULL) != SQLITE_OK)
        return sqlite_fail(store, "read", err);
    return 0;
}

static void own_statement_finalize(sqlite3_stmt **statement)
{
    sqlite3_finalize(*statement);
}
#define OWNS_STATEMENT __attribute__((cleanup(own_statement_finalize)))

// Run a statement that gives one number.
LP_MUST_CHECK static int number_get(const struct store *store, const char *sql, int64_t *ret_number,
                                    struct lp_err *err)
{
    OWNS_STATEMENT sqlite3_stmt *statement = NULL;
    if (prepare(store, sql, &statement, err) < 0)
        return err->code;
    if (sqlite3_step(statement) != SQLITE_ROW)
        return sqlite_fail(store, "read", err);
    *ret_number = sqlite3_column_int64(statement, 0);
    return 0;
}

LP_MUST_CHECK static int run(const struct store *store, const char *sql, struct lp_err *err)
{
    if (sqlite3_exec(store->db, sql, NULL, NULL, NULL) != SQLITE_OK)
        return sqlite_fail(store, "write", err);
    return 0;
}

static int finish(sqlite3_stmt *statement)
{
    int result = sqlite3_step(statement);
    sqlite3_reset(statement);
    return result;
}

static void undo(struct store *store)
{
    // Some errors have rolled back already; asking again would be an error of its own.
    if (!sqlite3_get_autocommit(store->db))
        finish(store->rollback);
}

static int bind_and_insert(struct store *store, const struct lp_record *record, uint64_t sum)
{
    sqlite3_stmt *insert = store->insert;
    sqlite3_bind_int64(insert, 1, (int64_t)record->seq);
    sqlite3_bind_int64(insert, 2, record->at_ms);
    sqlite3_bind_int(insert, 3, record->kind == LP_RECORD_ACTION);
    sqlite3_bind_text(insert, 4, record->word, -1, SQLITE_STATIC);
    sqlite3_bind_text(insert, 5, record->subject, -1, SQLITE_STATIC);
    sqlite3_bind_text(insert, 6, record->body, -1, SQLITE_STATIC);
    sqlite3_bind_int64(insert, 7, (int64_t)sum);
    return finish(insert);
}

LP_MUST_CHECK static int store_append(void *self, uint64_t expected_seq,
                                      const struct lp_record *records, size_t count,
                                      struct lp_err *err)
{
    struct store *store = self;
    if (expected_seq != store->last_seq + 1)
        return lp_err_set(err, LP_ECONFLICT,
                          "the journal %s goes on with record %" PRIu64 ", not %" PRIu64,
                          store->path, store->last_seq + 1, expected_seq);
    uint64_t sum = store->last_sum;
    int step = finish(store->begin);
    for (size_t i = 0; i < count && step == SQLITE_DONE; i++) {
        lp_assert(records[i].seq == expected_seq + i);
        sum = record_sum(sum, &records[i]);
        step = bind_and_insert(store, &records[i], sum);
    }
    if (step == SQLITE_DONE)
        step = finish(store->commit);
    if (step != SQLITE_DONE) {
        int result = sqlite_fail(store, "append to", err);
        undo(store);
        return result;
    }
    store->last_seq += count;
    store->last_sum = sum;
    return 0;
}

// The checksum of record seq as it is stored; 0 for seq 0, where the chain begins.
LP_MUST_CHECK static int sum_get(const struct store *store, uint64_t seq, uint64_t *ret_sum,
                                 struct lp_err *err)
{
    *ret_sum = 0;
    if (seq == 0)
        return 0;
    OWNS_STATEMENT sqlite3_stmt *row = NULL;
    if (prepare(store, "SELECT sum FROM records WHERE seq = ?", &row, err) < 0)
        return err->code;
    sqlite3_bind_int64(row, 1, (int64_t)seq);
    int step = sqlite3_step(row);
    if (step == SQLITE_DONE)
        return corrupt(store, seq - 1, "a record is missing", err);
    if (step != SQLITE_ROW)
        return sqlite_fail(store, "read", err);
    *ret_sum = (uint64_t)sqlite3_column_int64(row, 0);
    return 0;
}

// One row that must be the one behind `*last_seq` and fit the chain.
LP_MUST_CHECK static int row_check(const struct store *store, sqlite3_stmt *row, uint64_t *last_seq,
                                   uint64_t *sum, struct lp_err *err)
{
    struct lp_record record = record_of(row);
    if (record.seq != *last_seq + 1)
        return corrupt(store, *last_seq, "a record is missing", err);
    uint64_t right = record_sum(*sum, &record);
    if (right != (uint64_t)sqlite3_column_int64(row, 6))
        return corrupt(store, *last_seq, "the next record fails its checksum", err);
    *last_seq = record.seq;
    *sum = right;
    return 0;
}

static int store_read(void *self, uint64_t from,
                      int (*visit)(void *context, const struct lp_record *), void *context,
                      struct lp_err *err)
{
    struct store *store = self;
    uint64_t last = from ? from - 1 : 0, sum = 0;
    if (last >= store->last_seq)
        return 0;
    OWNS_STATEMENT sqlite3_stmt *rows = NULL;
    if (sum_get(store, last, &sum, err) < 0 ||
        prepare(store, "SELECT " COLUMNS " FROM records WHERE seq > ? ORDER BY seq", &rows, err) <
            0)
        return err->code;
    sqlite3_bind_int64(rows, 1, (int64_t)last);
    int step;
    while ((step = sqlite3_step(rows)) == SQLITE_ROW) {
        if (row_check(store, rows, &last, &sum, err) < 0)
            return err->code;
        struct lp_record record = record_of(rows);
        int stop = visit(context, &record);
        if (stop)
            return stop;
    }
    return step == SQLITE_DONE ? 0 : sqlite_fail(store, "read", err);
}

static int store_find(void *self, const struct lp_store_query *query,
                      int (*visit)(void *context, const struct lp_record *), void *context,
                      struct lp_err *err)
{
    struct store *store = self;
    const char *subject = query->subject ? query->subject : "";
    // A node has few records of many: by the index. An infrastructure has most: by place. '0' is
    // the character behind '/'.
    static const char *const wheres[] = {
        "", "AND (+subject = ?3 OR (+subject > ?3 || '/' AND +subject < ?3 || '0'))",
        "AND (subject = ?3 OR (subject > ?3 || '/' AND subject < ?3 || '0'))"};
    int way = !*subject ? 0 : strchr(subject, '/') ? 2 : 1;
    LP_OWNS_STR struct lp_str sql = {0};
    lp_str_printf(&sql,
                  "SELECT * FROM (SELECT " COLUMNS " FROM records WHERE seq > ?1 %s"
                  " ORDER BY seq %s LIMIT ?2) ORDER BY seq",
                  wheres[way], query->is_last ? "DESC" : "ASC");
    OWNS_STATEMENT sqlite3_stmt *rows = NULL;
    if (prepare(store, sql.text, &rows, err) < 0)
        return err->code;
    sqlite3_bind_int64(rows, 1, query->after > INT64_MAX ? INT64_MAX : (int64_t)query->after);
    sqlite3_bind_int64(rows, 2, query->limit > INT64_MAX ? INT64_MAX : (int64_t)query->limit);
    if (way)
        sqlite3_bind_text(rows, 3, subject, -1, SQLITE_STATIC);
    int step;
    while ((step = sqlite3_step(rows)) == SQLITE_ROW) {
        struct lp_record record = record_of(rows);
        int stop = visit(context, &record);
        if (stop)
            return stop;
    }
    return step == SQLITE_DONE ? 0 : sqlite_fail(store, "read", err);
}

static int store_save(void *self, uint64_t seq, const void *bytes, size_t count, struct lp_err *err)
{
    struct store *store = self;
    char sha256[LP_SHA256_TEXT];
    lp_sha256_text(bytes, count, sha256);
    OWNS_STATEMENT sqlite3_stmt *row = NULL;
    if (prepare(store, "INSERT OR REPLACE INTO snapshot VALUES (0, ?, ?, ?)", &row, err) < 0)
        return err->code;
    sqlite3_bind_int64(row, 1, (int64_t)seq);
    sqlite3_bind_blob64(row, 2, bytes, count, SQLITE_STATIC);
    sqlite3_bind_text(row, 3, sha256, -1, SQLITE_STATIC);
    if (sqlite3_step(row) != SQLITE_DONE)
        return sqlite_fail(store, "save the snapshot in", err);
    return 0;
}

static int store_load(void *self, uint64_t *ret_seq, void **ret_bytes, size_t *ret_count,
                      struct lp_err *err)
{
    struct store *store = self;
    OWNS_STATEMENT sqlite3_stmt *row = NULL;
    if (prepare(store, "SELECT seq, bytes, sha256 FROM snapshot", &row, err) < 0)
        return err->code;
    *ret_seq = 0, *ret_bytes = NULL, *ret_count = 0;
    int step = sqlite3_step(row);
    if (step == SQLITE_DONE)
        return 0;
    if (step != SQLITE_ROW)
        return sqlite_fail(store, "read the snapshot of", err);
    uint64_t seq = (uint64_t)sqlite3_column_int64(row, 0);
    const void *bytes = sqlite3_column_blob(row, 1);
    size_t count = (size_t)sqlite3_column_bytes(row, 1);
    char sha256[LP_SHA256_TEXT];
    lp_sha256_text(bytes, count, sha256);
    // A snapshot only saves time: the journal is whole, so a damaged one is passed over.
    if (seq > store->last_seq || strcmp(sha256, column_text(row, 2)) != 0)
        return 0;
    *ret_bytes = malloc(count + 1);
    lp_assert(*ret_bytes);
    if (count)
        memcpy(*ret_bytes, bytes, count);
    *ret_seq = seq, *ret_count = count;
    return 0;
}

static void store_close(void *self)
{
    struct store *store = self;
    sqlite3_finalize(store->begin);
    sqlite3_finalize(store->commit);
    sqlite3_finalize(store->rollback);
    sqlite3_finalize(store->insert);
    sqlite3_close(store->db);
    lp_heap_free(store->path);
    lp_heap_free(store);
}

static const struct lp_store_ops ops = {.append = store_append,
                                        .read = store_read,
                                        .save = store_save,
                                        .load = store_load,
                                        .close = store_close,
                                        .find = store_find};

// Make the tables of a new file; refuse files that are not ours or are newer.
LP_MUST_CHECK static int format_check(struct store *store, struct lp_err *err)
{
    int64_t format = 0, application = 0, tables = 0;
    if (number_get(store, "PRAGMA user_version", &format, err) < 0 ||
        number_get(store, "PRAGMA application_id", &application, err) < 0 ||
        number_get(store, "SELECT count(*) FROM sqlite_schema", &tables, err) < 0)
        return err->code;
    if (tables > 0 && application != APPLICATION)
        return lp_err_set(err, LP_EUNSUPPORTED, "%s is a database, but not a journal of Limpet",
                          store->path);
    if (format > FORMAT)
        return lp_err_set(err, LP_EUNSUPPORTED,
                          "the journal %s was written by a newer Limpet (format %" PRId64
                          ", this one knows %d); use that one",
                          store->path, format, FORMAT);
    if (tables > 0)
        return 0;
    LP_OWNS_STR struct lp_str sql = {0};
    lp_str_printf(&sql, "BEGIN IMMEDIATE; %s PRAGMA application_id = %d; PRAGMA user_version = %d;",
                  schema, APPLICATION, FORMAT);
    lp_str_add(&sql, " COMMIT;");
    int result = run(store, sql.text, err);
    if (result < 0 && !sqlite3_get_autocommit(store->db))
        sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
    return result;
}

LP_MUST_CHECK static int statements_prepare(struct store *store, struct lp_err *err)
{
    if (prepare(store, "BEGIN IMMEDIATE", &store->begin, err) < 0 ||
        prepare(store, "COMMIT", &store->commit, err) < 0 ||
        prepare(store, "ROLLBACK", &store->rollback, err) < 0)
        return err->code;
    return prepare(store, "INSERT INTO records VALUES (?, ?, ?, ?, ?, ?, ?)", &store->insert, err);
}

LP_MUST_CHECK static int tail_check(struct store *store, struct lp_err *err)
{
    int64_t last = 0;
    if (number_get(store, "SELECT coalesce(max(seq), 0) FROM records", &last, err) < 0)
        return err->code;
    uint64_t at = last > TAIL_CHECKED ? (uint64_t)(last - TAIL_CHECKED) : 0, sum = 0;
    if (sum_get(store, at, &sum, err) < 0)
        return err->code;
    OWNS_STATEMENT sqlite3_stmt *rows = NULL;
    if (prepare(store, "SELECT " COLUMNS " FROM records WHERE seq > ? ORDER BY seq", &rows, err) <
        0)
        return err->code;
    sqlite3_bind_int64(rows, 1, (int64_t)at);
    store->last_seq = at;
    int step;
    while ((step = sqlite3_step(rows)) == SQLITE_ROW)
        if (row_check(store, rows, &store->last_seq, &sum, err) < 0)
            return err->code;
    if (step != SQLITE_DONE)
        return sqlite_fail(store, "read", err);
    store->last_sum = sum;
    return 0;
}

LP_MUST_CHECK static int database_open(struct store *store, struct lp_err *err)
{
    // Created here for its mode: SQLite gives the files beside it the same.
    LP_OWNS_FD int fd = open(store->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return lp_err_set(err, LP_EIO, "open the journal %s: %s", store->path, strerror(errno));
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;
    if (sqlite3_open_v2(store->path, &store->db, flags, NULL) != SQLITE_OK)
        return store->db ? sqlite_fail(store, "open the journal", err)
                         : lp_err_set(err, LP_EIO, "open the journal %s", store->path);
    sqlite3_busy_timeout(store->db, BUSY_MS);
    return run(store,
               "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -1024;"
               "PRAGMA temp_store = MEMORY; PRAGMA journal_size_limit = 4194304;",
               err);
}

static struct store *store_new(const char *path)
{
    struct store *store = lp_heap_take(sizeof(*store));
    size_t bytes = strlen(path) + 1;
    store->path = memcpy(lp_heap_take(bytes), path, bytes);
    return store;
}

int lp_store_sqlite_open(const char *path, struct lp_store *ret_store, struct lp_err *err)
{
    struct store *store = store_new(path);
    int result = database_open(store, err);
    if (result == 0)
        result = format_check(store, err);
    if (result == 0)
        result = statements_prepare(store, err);
    if (result == 0)
        result = tail_check(store, err);
    if (result < 0) {
        store_close(store);
        return result;
    }
    *ret_store = (struct lp_store){&ops, store};
    return 0;
}

// Salvage.

enum { SALVAGE_BATCH = 500 };

struct salvage {
    struct store *store;  // damaged
    struct lp_store kept; // new
    struct lp_record batch[SALVAGE_BATCH];
    size_t count;
    struct lp_arena arena; // texts of the batch
};

LP_MUST_CHECK static int batch_flush(struct salvage *salvage, struct lp_err *err)
{
    if (salvage->count == 0)
        return 0;
    int result = store_append(salvage->kept.self, salvage->batch[0].seq, salvage->batch,
                              salvage->count, err);
    salvage->count = 0;
    lp_arena_release(&salvage->arena);
    return result;
}

// Ends quietly at the first record that is not sound or not known: finding it is the purpose.
LP_MUST_CHECK static int copy_sound(struct salvage *salvage, struct lp_err *err)
{
    OWNS_STATEMENT sqlite3_stmt *rows = NULL;
    struct lp_err why;
    uint64_t last = 0, sum = 0;
    if (prepare(salvage->store, "SELECT " COLUMNS " FROM records ORDER BY seq", &rows, &why) < 0)
        return 0;
    while (sqlite3_step(rows) == SQLITE_ROW &&
           row_check(salvage->store, rows, &last, &sum, &why) == 0) {
        struct lp_record record = record_of(rows);
        if (!lp_record_is_readable(&record))
            break;
        record.word = lp_arena_text(&salvage->arena, record.word);
        record.subject = lp_arena_text(&salvage->arena, record.subject);
        record.body = lp_arena_text(&salvage->arena, record.body);
        salvage->batch[salvage->count++] = record;
        if (salvage->count == SALVAGE_BATCH && batch_flush(salvage, err) < 0)
            return err->code;
    }
    return batch_flush(salvage, err);
}

LP_MUST_CHECK static int copy_snapshot(struct salvage *salvage, struct lp_err *err)
{
    struct store *kept = salvage->kept.self;
    void *bytes = NULL;
    uint64_t seq = 0;
    size_t count = 0;
    struct lp_err why;
    salvage->store->last_seq = kept->last_seq; // a snapshot of what was lost is passed over
    bool is_there = store_load(salvage->store, &seq, &bytes, &count, &why) == 0 && bytes;
    int result = is_there ? store_save(kept, seq, bytes, count, err) : 0;
    free(bytes);
    return result;
}

// Put the new file in the place of the old one, which goes aside. At no moment is there no file
// under the journal's name: an empty journal would be mistaken for a fresh start.
LP_MUST_CHECK static int swap(const char *path, const char *kept, int64_t now_s, struct lp_err *err)
{
    static const char *const besides[] = {"-wal", "-shm"};
    LP_OWNS_STR struct lp_str aside = {0};
    lp_str_printf(&aside, "%s.corrupt-%" PRId64, path, now_s);
    if (link(path, aside.text) < 0)
        return lp_err_set(err, LP_EIO, "keep %s as %s: %s", path, aside.text, strerror(errno));
    for (size_t i = 0; i < 2; i++) {
        LP_OWNS_STR struct lp_str from = {0};
        LP_OWNS_STR struct lp_str to = {0};
        lp_str_printf(&from, "%s%s", path, besides[i]);
        lp_str_printf(&to, "%s%s", aside.text, besides[i]);
        if (rename(from.text, to.text) < 0 && errno != ENOENT)
            return lp_err_set(err, LP_EIO, "keep %s: %s", from.text, strerror(errno));
    }
    if (rename(kept, path) < 0)
        return lp_err_set(err, LP_EIO, "rename %s to %s: %s", kept, path, strerror(errno));
    return 0;
}

LP_MUST_CHECK static int copy_all(struct salvage *salvage, const char *path, uint64_t *ret_last_seq,
                                  struct lp_err *err)
{
    if (database_open(salvage->store, err) < 0 && err->code != LP_ECORRUPT)
        return err->code;
    if (copy_sound(salvage, err) < 0 || copy_snapshot(salvage, err) < 0)
        return err->code;
    *ret_last_seq = ((struct store *)salvage->kept.self)->last_seq;
    if (*ret_last_seq == 0)
        return lp_err_set(err, LP_ECORRUPT,
                          "not one record of %s is sound; to begin with an empty journal, move "
                          "the file away (nodes that still run are then removed)",
                          path);
    return 0;
}

int lp_store_sqlite_salvage(const char *path, uint64_t *ret_last_seq, struct lp_err *err)
{
    LP_OWNS_STR struct lp_str kept = {0};
    lp_str_printf(&kept, "%s.salvaged", path);
    if (unlink(kept.text) < 0 && errno != ENOENT)
        return lp_err_set(err, LP_EIO, "remove %s: %s", kept.text, strerror(errno));
    if (access(path, R_OK | W_OK) < 0)
        return lp_err_set(err, LP_ENOTFOUND, "open the journal %s: %s", path, strerror(errno));
    struct salvage *salvage = lp_heap_take(sizeof(*salvage));
    salvage->store = store_new(path);
    uint64_t last_seq = 0;
    int result = lp_store_sqlite_open(kept.text, &salvage->kept, err);
    if (result == 0) {
        result = copy_all(salvage, path, &last_seq, err);
        store_close(salvage->kept.self);
    }
    store_close(salvage->store);
    lp_arena_release(&salvage->arena);
    lp_heap_free(salvage);
    if (result == 0)
        result = swap(path, kept.text, (int64_t)time(NULL), err);
    if (result < 0) {
        unlink(kept.text);
        return result;
    }
    *ret_last_seq = last_seq;
    return 0;
}

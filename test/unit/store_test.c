// Tests of the SQLite journal: durable order, damage, a full disk, a killed writer.
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "drivers/store_sqlite.h"

struct place { // a folder of this test's own
    char folder[64], path[96];
};

static int place_make(void **state)
{
    struct place *place = calloc(1, sizeof(*place));
    strcpy(place->folder, "/tmp/limpet-store-XXXXXX");
    if (!place || !mkdtemp(place->folder))
        return -1;
    snprintf(place->path, sizeof(place->path), "%s/journal.db", place->folder);
    *state = place;
    return 0;
}

static int place_remove(void **state)
{
    struct place *place = *state;
    struct lp_err err;
    int result = lp_dir_remove(place->folder, &err);
    free(place);
    return result;
}

static const char *const subjects[] = {"demo/db-1", "demo/db-1/mariadb", "demo/db-10", "demo",
                                       "other/db-1"};

static int append(const struct lp_store *store, uint64_t from, size_t count, struct lp_err *err)
{
    struct lp_record records[64];
    assert_true(count <= 64);
    for (size_t i = 0; i < count; i++)
        records[i] = (struct lp_record){.seq = from + i,
                                        .at_ms = 1000 + (int64_t)(from + i),
                                        .kind = i % 2 ? LP_RECORD_ACTION : LP_RECORD_EVENT,
                                        .word = "node-up",
                                        .subject = subjects[(from + i) % 5],
                                        .body = "{\"event\":\"node-up\",\"text\":\"a text\"}"};
    return store->ops->append(store->self, from, records, count, err);
}

static struct lp_store open_or_fail(const char *path)
{
    struct lp_store store;
    struct lp_err err = {0};
    if (lp_store_sqlite_open(path, &store, &err) < 0)
        fail_msg("%s", err.text);
    return store;
}

struct seen {
    size_t count;
    uint64_t last_seq, stop_at;
};

static int see(void *context, const struct lp_record *record)
{
    struct seen *seen = context;
    assert_true(record->seq > seen->last_seq);
    assert_int_equal(record->at_ms, 1000 + record->seq);
    assert_string_equal(record->word, "node-up");
    assert_string_equal(record->subject, subjects[record->seq % 5]);
    seen->count++;
    seen->last_seq = record->seq;
    return seen->stop_at == record->seq ? 42 : 0;
}

static size_t count_from(const struct lp_store *store, uint64_t from)
{
    struct seen seen = {0};
    struct lp_err err = {0};
    if (store->ops->read(store->self, from, see, &seen, &err) < 0)
        fail_msg("%s", err.text);
    return seen.count;
}

static void records_come_back_in_order(void **state)
{
    const struct place *place = *state;
    struct lp_err err = {0};
    struct lp_store store = open_or_fail(place->path);
    assert_int_equal(append(&store, 1, 10, &err), 0);
    assert_int_equal(append(&store, 11, 1, &err), 0);
    store.ops->close(store.self);
    store = open_or_fail(place->path);
    assert_int_equal(count_from(&store, 1), 11);
    assert_int_equal(count_from(&store, 0), 11);
    assert_int_equal(count_from(&store, 11), 1);
    assert_int_equal(count_from(&store, 12), 0);
    assert_int_equal(append(&store, 12, 3, &err), 0);
    assert_int_equal(count_from(&store, 1), 14);
    struct seen seen = {.stop_at = 5};
    assert_int_equal(store.ops->read(store.self, 1, see, &seen, &err), 42);
    assert_int_equal(seen.count, 5);
    store.ops->close(store.self);
    struct stat status;
    assert_int_equal(stat(place->path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
}

static void only_the_next_record_is_taken(void **state)
{
    const struct place *place = *state;
    struct lp_err err = {0};
    struct lp_store store = open_or_fail(place->path), rival = open_or_fail(place->path);
    assert_int_equal(append(&store, 2, 1, &err), LP_ECONFLICT);
    assert_int_equal(append(&store, 1, 2, &err), 0);
    assert_int_equal(append(&rival, 1, 1, &err), LP_ECONFLICT); // it opened an empty journal
    assert_int_equal(append(&store, 3, 1, &err), 0);
    assert_int_equal(count_from(&store, 1), 3);
    rival.ops->close(rival.self);
    store.ops->close(store.self);
}

static size_t find_count(const struct lp_store *store, const char *subject, uint64_t after,
                         size_t limit)
{
    struct seen seen = {0};
    struct lp_err err = {0};
    struct lp_store_query query = {.subject = subject, .after = after, .limit = limit};
    assert_int_equal(store->ops->find(store->self, &query, see, &seen, &err), 0);
    return seen.count;
}

static void find_knows_what_is_below_a_subject(void **state)
{
    const struct place *place = *state;
    struct lp_err err = {0};
    struct lp_store store = open_or_fail(place->path);
    assert_int_equal(append(&store, 1, 50, &err), 0); // ten of each subject
    assert_int_equal(find_count(&store, "demo/db-1", 0, 100), 20);
    assert_int_equal(find_count(&store, "demo/db-1/mariadb", 0, 100), 10);
    assert_int_equal(find_count(&store, "demo", 0, 100), 40);
    assert_int_equal(find_count(&store, NULL, 0, 100), 50);
    assert_int_equal(find_count(&store, "", 45, 100), 5);
    assert_int_equal(find_count(&store, "demo", 25, 100), 20);
    assert_int_equal(find_count(&store, "demo", 0, 7), 7);
    assert_int_equal(find_count(&store, "dem", 0, 100), 0);
    struct seen seen = {0};
    struct lp_store_query last = {.subject = "demo/db-10", .limit = 3, .is_last = true};
    assert_int_equal(store.ops->find(store.self, &last, see, &seen, &err), 0);
    assert_int_equal(seen.count, 3); // in ascending order, which see() checks
    assert_int_equal(seen.last_seq, 47);
    store.ops->close(store.self);
}

static void the_last_snapshot_is_kept(void **state)
{
    const struct place *place = *state;
    struct lp_err err = {0};
    struct lp_store store = open_or_fail(place->path);
    uint64_t seq = 9;
    void *bytes = NULL;
    size_t count = 0;
    assert_int_equal(store.ops->load(store.self, &seq, &bytes, &count, &err), 0);
    assert_int_equal(seq, 0);
    assert_null(bytes);
    assert_int_equal(append(&store, 1, 4, &err), 0);
    assert_int_equal(store.ops->save(store.self, 2, "first", 5, &err), 0);
    assert_int_equal(store.ops->save(store.self, 4, "se\0ond", 6, &err), 0);
    store.ops->close(store.self);
    store = open_or_fail(place->path);
    assert_int_equal(store.ops->load(store.self, &seq, &bytes, &count, &err), 0);
    assert_int_equal(seq, 4);
    assert_int_equal(count, 6);
    assert_memory_equal(bytes, "se\0ond", 6);
    free(bytes);
    store.ops->close(store.self);
}

static void sql(const char *path, const char *text)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void make_journal(const char *path, size_t records)
{
    struct lp_err err = {0};
    struct lp_store store = open_or_fail(path);
    for (uint64_t seq = 1; seq <= records; seq += 50)
        assert_int_equal(append(&store, seq, 50, &err), 0);
    assert_int_equal(store.ops->save(store.self, 40, "snapshot", 8, &err), 0);
    store.ops->close(store.self);
}

static void a_damaged_snapshot_is_passed_over(void **state)
{
    const struct place *place = *state;
    struct lp_err err = {0};
    make_journal(place->path, 50);
    sql(place->path, "UPDATE snapshot SET bytes = 'snapshoT'");
    struct lp_store store = open_or_fail(place->path);
    uint64_t seq = 9;
    void *bytes = NULL;
    size_t count = 0;
    assert_int_equal(store.ops->load(store.self, &seq, &bytes, &count, &err), 0);
    assert_int_equal(seq, 0);
    store.ops->close(store.self);
}

// The journal of another version: sound, and not to be understood from one record on.
static void what_is_not_known_is_salvaged_up_to_it(void **state)
{
    const struct place *place = *state;
    struct lp_err err = {0};
    struct lp_store store = open_or_fail(place->path);
    assert_int_equal(append(&store, 1, 10, &err), 0);
    struct lp_record record = {.seq = 11,
                               .at_ms = 1011,
                               .kind = LP_RECORD_EVENT,
                               .word = "node-flew",
                               .subject = "demo",
                               .body = "{\"event\":\"node-flew\"}"};
    assert_true(lp_record_is_readable(&(struct lp_record){.kind = LP_RECORD_ACTION}));
    assert_false(lp_record_is_readable(&record));
    assert_int_equal(store.ops->append(store.self, 11, &record, 1, &err), 0);
    assert_int_equal(append(&store, 12, 5, &err), 0);
    store.ops->close(store.self);
    uint64_t last_seq = 0;
    assert_int_equal(lp_store_sqlite_salvage(place->path, &last_seq, &err), 0);
    assert_int_equal(last_seq, 10);
    store = open_or_fail(place->path);
    assert_int_equal(count_from(&store, 1), 10);
    store.ops->close(store.self);
}

static void damage_is_told_and_salvaged(void **state)
{
    const struct place *place = *state;
    static const char *const damages[] = {
        "UPDATE records SET body = replace(body, 'a text', 'b text') WHERE seq = 78",
        "DELETE FROM records WHERE seq = 78",
        "UPDATE records SET subject = subject || 'x' WHERE seq = 78",
        "UPDATE records SET sum = sum + 1 WHERE seq = 78",
        "UPDATE records SET at_ms = 0, kind = 1 WHERE seq = 78"};
    for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
        struct lp_store store;
        struct lp_err err = {0};
        unlink(place->path);
        make_journal(place->path, 100);
        sql(place->path, damages[i]);
        assert_int_equal(lp_store_sqlite_open(place->path, &store, &err), LP_ECORRUPT);
        assert_non_null(strstr(err.text, "is damaged behind record 77"));
        assert_non_null(strstr(err.text, "--salvage"));
        uint64_t last_seq = 0;
        assert_int_equal(lp_store_sqlite_salvage(place->path, &last_seq, &err), 0);
        assert_int_equal(last_seq, 77);
        store = open_or_fail(place->path);
        assert_int_equal(count_from(&store, 1), 77);
        uint64_t seq = 0;
        size_t count = 0;
        LP_OWNS_TEXT char *bytes = NULL;
        assert_int_equal(store.ops->load(store.self, &seq, (void **)&bytes, &count, &err), 0);
        assert_int_equal(seq, 40); // made before the damage
        assert_int_equal(append(&store, 78, 2, &err), 0);
        store.ops->close(store.self);
        LP_OWNS_STR struct lp_str clean = {0};
        lp_str_printf(&clean, "rm %s.corrupt-*", place->path); // it was kept
        assert_int_equal(system(clean.text), 0);
    }
}

static void a_torn_file_is_told(void **state)
{
    const struct place *place = *state;
    struct lp_err err = {0};
    struct lp_store store;
    make_journal(place->path, 1000);
    struct stat status;
    assert_int_equal(stat(place->path, &status), 0);
    assert_int_equal(truncate(place->path, status.st_size / 2 / 4096 * 4096 - 100), 0);
    assert_int_equal(lp_store_sqlite_open(place->path, &store, &err), LP_ECORRUPT);
    assert_non_null(strstr(err.text, place->path));
    uint64_t last_seq = 0;
    if (lp_store_sqlite_salvage(place->path, &last_seq, &err) == 0) {
        assert_in_range(last_seq, 1, 999);
        store = open_or_fail(place->path);
        assert_int_equal(count_from(&store, 1), last_seq);
        store.ops->close(store.self);
    } else {
        assert_int_equal(err.code, LP_ECORRUPT);
    }
}

static void what_is_no_journal_is_left_alone(void **state)
{
    const struct place *place = *state;
    struct lp_err err = {0};
    struct lp_store store;
    sql(place->path, "CREATE TABLE mine (x); PRAGMA user_version = 1;");
    assert_int_equal(lp_store_sqlite_open(place->path, &store, &err), LP_EUNSUPPORTED);
    assert_non_null(strstr(err.text, "not a journal"));
    unlink(place->path);
    make_journal(place->path, 50);
    sql(place->path, "PRAGMA user_version = 2");
    assert_int_equal(lp_store_sqlite_open(place->path, &store, &err), LP_EUNSUPPORTED);
    assert_non_null(strstr(err.text, "newer Limpet"));
    unlink(place->path);
    assert_int_equal(lp_file_write(place->path, "not a database at all, but a text of some length",
                                   48, 0600, &err),
                     0);
    uint64_t last_seq = 0;
    assert_int_equal(lp_store_sqlite_open(place->path, &store, &err), LP_ECORRUPT);
    assert_int_equal(lp_store_sqlite_salvage(place->path, &last_seq, &err), LP_ECORRUPT);
    assert_non_null(strstr(err.text, "not one record"));
    assert_true(lp_path_exists(place->path));
}

// In a child with a disk of its own: 512 KiB of tmpfs, or where mounts are forbidden files of at
// most as much. Exit status 0: all as it should be; else the line of what was not.
#define MUST(cond)                     \
    do {                               \
        if (!(cond))                   \
            _exit(__LINE__ % 250 + 1); \
    } while (0)
static void fill_the_disk(const struct place *place)
{
    struct rlimit limit = {512 * 1024, 512 * 1024 * 1024};
    bool is_mounted = unshare(CLONE_NEWNS) == 0 &&
                      mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
                      mount("tmpfs", place->folder, "tmpfs", 0, "size=512k") == 0;
    signal(SIGXFSZ, SIG_IGN);
    if (!is_mounted)
        setrlimit(RLIMIT_FSIZE, &limit);
    struct lp_store store;
    struct lp_err err = {0};
    MUST(lp_store_sqlite_open(place->path, &store, &err) == 0);
    uint64_t seq = 1;
    while (append(&store, seq, 50, &err) == 0) {
        seq += 50;
        MUST(seq < 100000);
    }
    MUST(err.code == LP_EIO);
    MUST(strstr(err.text, "append to") && (!is_mounted || strstr(err.text, "no space left")));
    MUST(append(&store, seq, 50, &err) == LP_EIO); // and is still so
    struct seen seen = {0};
    MUST(store.ops->read(store.self, 1, see, &seen, &err) == 0 && seen.count == seq - 1);
    limit.rlim_cur = limit.rlim_max;
    if (is_mounted)
        MUST(mount(NULL, place->folder, NULL, MS_REMOUNT, "size=8m") == 0);
    else
        setrlimit(RLIMIT_FSIZE, &limit);
    MUST(append(&store, seq, 50, &err) == 0); // space again: the store goes on by itself
    store.ops->close(store.self);
    MUST(lp_store_sqlite_open(place->path, &store, &err) == 0);
    MUST(store.ops->read(store.self, seq, see, &(struct seen){0}, &err) == 0);
    MUST(append(&store, seq + 50, 1, &err) == 0);
    store.ops->close(store.self);
    _exit(0);
}

static void a_full_disk_refuses_and_recovers(void **state)
{
    const struct place *place = *state;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        fill_the_disk(place);
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void append_until_killed(const struct place *place, int acknowledge_fd)
{
    struct lp_store store;
    struct lp_err err;
    MUST(lp_store_sqlite_open(place->path, &store, &err) == 0);
    for (uint64_t seq = 1;; seq += 7) {
        MUST(append(&store, seq, 7, &err) == 0);
        uint64_t last = seq + 6;
        MUST(write(acknowledge_fd, &last, sizeof(last)) == sizeof(last));
    }
}

static void what_was_acknowledged_survives_kill_9(void **state)
{
    const struct place *place = *state;
    int pipe_fds[2];
    assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        append_until_killed(place, pipe_fds[1]);
    close(pipe_fds[1]);
    uint64_t last = 0;
    for (int i = 0; i < 20; i++)
        assert_int_equal(read(pipe_fds[0], &last, sizeof(last)), sizeof(last));
    assert_int_equal(kill(child, SIGKILL), 0);
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    while (read(pipe_fds[0], &last, sizeof(last)) == sizeof(last))
        continue;
    close(pipe_fds[0]);
    assert_true(WIFSIGNALED(status));
    struct lp_store store = open_or_fail(place->path);
    size_t count = count_from(&store, 1);
    assert_true(count >= last);
    assert_int_equal(count % 7, 0); // an append is there whole or not at all
    store.ops->close(store.self);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, place_make, place_remove)
    const struct CMUnitTest tests[] = {
        TEST(records_come_back_in_order),
        TEST(only_the_next_record_is_taken),
        TEST(find_knows_what_is_below_a_subject),
        TEST(the_last_snapshot_is_kept),
        TEST(a_damaged_snapshot_is_passed_over),
        TEST(what_is_not_known_is_salvaged_up_to_it),
        TEST(damage_is_told_and_salvaged),
        TEST(a_torn_file_is_told),
        TEST(what_is_no_journal_is_left_alone),
        TEST(a_full_disk_refuses_and_recovers),
        TEST(what_was_acknowledged_survives_kill_9),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// A layer's decisions, and what it keeps beside a file: compared with a plain model of a file that
// is written, cut, synced and that loses its power.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/rng.h"
#include "drivers/layer/layer_rule.h"
#include "drivers/layer/layer_shadow.h"
#include "engine/fault_volume.h"
#include "model/fault.h"

enum { FILE_MAX = 64 * 1024, STEPS = 3000, FIRST = 10000 };

struct file { // as a plain array
    uint8_t bytes[FILE_MAX];
    size_t size;
};

static void file_resize(struct file *file, size_t size)
{
    if (size > file->size)
        memset(file->bytes + file->size, 0, size - file->size);
    file->size = size;
}

static int memory_file(void)
{
    int fd = memfd_create("layer", MFD_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

static void assert_below(int fd, const struct file *wanted)
{
    static uint8_t bytes[FILE_MAX];
    assert_int_equal(lseek(fd, 0, SEEK_END), wanted->size);
    assert_int_equal(pread(fd, bytes, sizeof(bytes), 0), wanted->size);
    assert_memory_equal(bytes, wanted->bytes, wanted->size);
}

static void assert_seen(struct lp_layer_shadow *shadow, const struct file *wanted, size_t at,
                        size_t count)
{
    static uint8_t bytes[FILE_MAX];
    size_t there = at < wanted->size ? wanted->size - at : 0;
    there = there < count ? there : count;
    assert_int_equal(lp_layer_shadow_size(shadow), wanted->size);
    assert_int_equal(lp_layer_shadow_read(shadow, bytes, count, at), there);
    assert_memory_equal(bytes, wanted->bytes + at, there);
}

static void file_write(struct lp_layer_shadow *shadow, struct file *file, struct lp_rng *rng)
{
    static uint8_t bytes[FILE_MAX];
    // Often at a block's edge, often just beside it.
    size_t at = lp_rng_chance(rng, 300)
                    ? lp_rng_below(rng, FILE_MAX / LP_LAYER_BLOCK_BYTES) * LP_LAYER_BLOCK_BYTES
                    : lp_rng_below(rng, FILE_MAX);
    size_t count = lp_rng_chance(rng, 300) ? LP_LAYER_BLOCK_BYTES : 1 + lp_rng_below(rng, FIRST);
    count = count < FILE_MAX - at ? count : FILE_MAX - at;
    memset(bytes, (int)lp_rng_below(rng, 256), count);
    assert_int_equal(lp_layer_shadow_write(shadow, bytes, count, at), count);
    if (at + count > file->size)
        file_resize(file, at + count);
    memcpy(file->bytes + at, bytes, count);
}

// tmpfs takes it; a bit for each block before it would fill the machine's memory.
static void file_clear(struct lp_layer_shadow *shadow, struct file *file, struct lp_rng *rng)
{
    size_t at = lp_rng_below(rng, FILE_MAX), count = lp_rng_below(rng, FILE_MAX);
    assert_int_equal(lp_layer_shadow_clear(shadow, count, at), 0);
    if (at < file->size)
        memset(file->bytes + at, 0, count < file->size - at ? count : file->size - at);
}

// What is cleared takes no room, beside the file and in it.
static void shadow_keeps_holes(void **state)
{
    (void)state;
    const uint64_t size = 1ull << 34;
    char byte = 'x';
    struct stat facts;
    int below = memory_file(), store = memory_file();
    int below_too = dup(below), store_too = dup(store);
    assert_int_equal(pwrite(below, "ab", 2, 8191), 2);
    assert_int_equal(ftruncate(below, (off_t)size), 0);
    struct lp_layer_shadow *shadow = lp_layer_shadow_open(below, store);
    assert_int_equal(lp_layer_shadow_clear(shadow, size - 100, 100), 0);
    assert_int_equal(fstat(store_too, &facts), 0);
    assert_true(facts.st_blocks * 512 <= 8192); // the two at its ends
    assert_int_equal(lp_layer_shadow_read(shadow, &byte, 1, 8191), 1);
    assert_int_equal(byte, 0);
    assert_int_equal(pread(below_too, &byte, 1, 8191), 1);
    assert_int_equal(byte, 'a');
    assert_int_equal(lp_layer_shadow_merge(shadow), 0);
    assert_int_equal(pread(below_too, &byte, 1, 8191), 1);
    assert_int_equal(byte, 0);
    assert_int_equal(fstat(below_too, &facts), 0);
    assert_true(facts.st_blocks * 512 <= 16384 && facts.st_size == (off_t)size);
    lp_layer_shadow_close(shadow);
    close(below_too);
    close(store_too);
}

static void shadow_has_a_bound(void **state)
{
    (void)state;
    static const uint64_t places[] = {LP_LAYER_SHADOW_BYTES_MAX, LP_LAYER_SHADOW_BYTES_MAX - 1,
                                      1ull << 48, (1ull << 63) - 1};
    struct lp_layer_shadow *shadow = lp_layer_shadow_open(memory_file(), memory_file());
    assert_non_null(shadow);
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
        assert_int_equal(lp_layer_shadow_write(shadow, "ab", 2, places[i]), -EFBIG);
    assert_true(lp_layer_shadow_is_clean(shadow));
    lp_layer_shadow_close(shadow);
}

static void shadow_is_as_a_file(void **state)
{
    (void)state;
    static struct file seen, synced;
    for (uint64_t seed = 0; seed < 10; seed++) {
        struct lp_rng rng;
        lp_rng_init(&rng, seed);
        int below = memory_file(), kept = dup(below);
        seen = (struct file){.size = FIRST};
        memset(seen.bytes, 'x', FIRST);
        assert_int_equal(write(below, seen.bytes, FIRST), FIRST);
        synced = seen;
        struct lp_layer_shadow *shadow = lp_layer_shadow_open(below, memory_file());
        assert_non_null(shadow);
        assert_true(lp_layer_shadow_is_clean(shadow));
        for (int i = 0; i < STEPS / 10; i++) {
            uint64_t what = lp_rng_below(&rng, 100);
            if (what < 50) {
                file_write(shadow, &seen, &rng);
                assert_false(lp_layer_shadow_is_clean(shadow));
            } else if (what < 65) {
                file_resize(&seen, lp_rng_below(&rng, FILE_MAX));
                assert_int_equal(lp_layer_shadow_truncate(shadow, seen.size), 0);
            } else if (what < 72) {
                assert_int_equal(lp_layer_shadow_merge(shadow), 0);
                assert_true(lp_layer_shadow_is_clean(shadow));
                synced = seen;
            } else if (what < 85) {
                file_clear(shadow, &seen, &rng);
            }
            assert_seen(shadow, &seen, lp_rng_below(&rng, FILE_MAX), lp_rng_below(&rng, FILE_MAX));
            assert_below(kept, &synced); // what a power cut would leave
        }
        lp_layer_shadow_close(shadow);
        assert_below(kept, &synced);
        close(kept);
    }
}

static void shadow_tells_of_its_disk(void **state)
{
    (void)state;
    char bytes[LP_LAYER_BLOCK_BYTES] = "x";
    int below = memory_file(), kept = dup(below);
    assert_int_equal(ftruncate(below, 8192), 0);
    struct lp_layer_shadow *shadow = lp_layer_shadow_open(below, open("/dev/full", O_RDWR));
    assert_non_null(shadow);
    assert_int_equal(lp_layer_shadow_write(shadow, bytes, sizeof(bytes), 0), -ENOSPC);
    assert_true(lp_layer_shadow_is_clean(shadow));
    assert_int_equal(lp_layer_shadow_size(shadow), 8192);
    lp_layer_shadow_close(shadow);
    close(kept);
    errno = 0;
    assert_null(lp_layer_shadow_open(-1, -1));
    assert_int_equal(errno, EBADF);
}

// Rules.

static struct lp_layer_rules rules_with(const struct lp_layer_fault *fault)
{
    struct lp_layer_rules rules = {0};
    lp_layer_rule_set(&rules.rows[fault->kind], fault);
    return rules;
}

static int error_of(struct lp_layer_rules *rules, uint32_t operation)
{
    return lp_layer_judge(rules, operation, false).error;
}

static void rules_refuse(void **state)
{
    (void)state;
    struct lp_layer_rules rules = {0};
    assert_true(lp_layer_rules_are_off(&rules));
    assert_int_equal(error_of(&rules, LP_LAYER_WRITE), 0);
    rules = rules_with(&(struct lp_layer_fault){.kind = LP_LAYER_READ_ONLY});
    assert_false(lp_layer_rules_are_off(&rules));
    static const struct {
        uint32_t operation;
        int read_only, full;
    } rows[] = {{LP_LAYER_READ, 0, 0},
                {LP_LAYER_WRITE, EROFS, 0}, // how much room it needs is asked apart
                {LP_LAYER_SYNC, 0, 0},
                {LP_LAYER_CHANGE, EROFS, 0},
                {LP_LAYER_MAKE, EROFS, ENOSPC}};
    struct lp_layer_rules full = rules_with(&(struct lp_layer_fault){.kind = LP_LAYER_FULL});
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(error_of(&rules, rows[i].operation), rows[i].read_only);
        assert_int_equal(error_of(&full, rows[i].operation), rows[i].full);
    }
}

static void rules_keep_their_share(void **state)
{
    (void)state;
    const struct lp_layer_fault fault = {.kind = LP_LAYER_ERROR,
                                         .permille = 250,
                                         .operations = lp_layer_operations("write"),
                                         .seed = 7};
    struct lp_layer_rules one = rules_with(&fault), other = rules_with(&fault);
    int failed = 0;
    for (int i = 0; i < 4000; i++) {
        int error = error_of(&one, LP_LAYER_WRITE);
        (void)lp_layer_judge(&other, LP_LAYER_WRITE, true); // a look changes nothing
        assert_int_equal(error_of(&other, LP_LAYER_WRITE), error);
        assert_int_equal(error_of(&one, LP_LAYER_READ), 0);
        assert_true(error == 0 || error == EIO);
        failed += error != 0;
    }
    assert_in_range(failed, 850, 1150);
}

static void rules_take_their_time(void **state)
{
    (void)state;
    struct lp_layer_fault fault = {.kind = LP_LAYER_SLOW,
                                   .delay_us = 1000,
                                   .jitter_us = 300,
                                   .operations = lp_layer_operations("all")};
    for (fault.distribution = 0; fault.distribution <= LP_FAULT_NORMAL; fault.distribution++) {
        struct lp_layer_rules rules = rules_with(&fault);
        uint64_t sum = 0;
        uint32_t least = UINT32_MAX, most = 0;
        for (int i = 0; i < 10000; i++) {
            uint32_t us = lp_layer_judge(&rules, LP_LAYER_SYNC, false).delay_us;
            sum += us;
            least = us < least ? us : least;
            most = us > most ? us : most;
        }
        assert_in_range(sum / 10000, 985, 1015);
        assert_true(fault.distribution == LP_FAULT_NORMAL ? most > 1600 && least < 400
                                                          : most <= 1300 && least >= 700);
        assert_int_equal(lp_layer_judge(&rules, LP_LAYER_CHANGE, false).delay_us, 0);
    }
}

static void rules_count_the_room(void **state)
{
    (void)state;
    struct lp_layer_rules rules = {0};
    assert_int_equal(lp_layer_room_take(&rules, 100, 100), 100);
    assert_int_equal(lp_layer_room_shown(&rules, 5000), 5000);
    rules = rules_with(&(struct lp_layer_fault){.kind = LP_LAYER_FULL, .leave_bytes = 1000});
    assert_int_equal(error_of(&rules, LP_LAYER_MAKE), 0);
    assert_int_equal(lp_layer_room_shown(&rules, 5000), 1000);
    assert_int_equal(lp_layer_room_shown(&rules, 500), 500);
    assert_int_equal(lp_layer_room_take(&rules, 600, 0), 600); // over what is there
    assert_int_equal(lp_layer_room_take(&rules, 600, 600), 600);
    assert_int_equal(lp_layer_room_take(&rules, 600, 500), 500); // 100 over what is there, 400 new
    assert_int_equal(error_of(&rules, LP_LAYER_MAKE), ENOSPC);
    assert_int_equal(lp_layer_room_take(&rules, 600, 600), 0);
    lp_layer_room_give(&rules, 50);
    assert_int_equal(lp_layer_room_take(&rules, 600, 600), 50);
}

static void layers_have_names(void **state)
{
    (void)state;
    char one[LP_LAYER_NAME_BYTES], other[LP_LAYER_NAME_BYTES];
    lp_layer_name("/data", one);
    lp_layer_name("/var/lib/mysql", other);
    assert_int_equal(strncmp(one, "layer-", 6), 0);
    assert_string_not_equal(one, other);
    assert_int_equal(lp_layer_operations("sync"), LP_LAYER_SYNC);
    assert_int_equal(lp_layer_operations("fly"), 0);
    assert_false(lp_layer_find_mount(getpid(), "layer-of-nobody", one, sizeof(one)));
}

// What people write.

static int parse(const char *word, const char *key, const char *value)
{
    struct lp_err err;
    struct lp_fault_spec spec;
    struct lp_pair option = {key, value};
    const struct lp_pairs options = {&option, key != NULL};
    return lp_fault_parse(word, NULL, &options, &spec, &err);
}

static void options_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *word, *key, *value;
        int result;
    } rows[] = {{"disk-full", NULL, NULL, 0},
                {"disk-full", "leave", "16m", 0},
                {"disk-full", "on", "write", LP_EINPUT},
                {"disk-slow", NULL, NULL, LP_EINPUT},
                {"disk-slow", "delay", "20ms", 0},
                {"io-error", "on", "sync", 0},
                {"io-error", "on", "fly", LP_EINPUT},
                {"io-error", "share", "5%", 0},
                {"io-error", "delay", "1s", LP_EINPUT},
                {"read-only", "volume", "data", 0},
                {"lose-writes", "volume", "/data", 0}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(parse(rows[i].word, rows[i].key, rows[i].value), rows[i].result);
}

static void volumes_are_found(void **state)
{
    (void)state;
    struct lp_mount mounts[] = {{.kind = LP_MOUNT_TMPFS, .target = "/run"},
                                {.kind = LP_MOUNT_VOLUME, .source = "data", .target = "/var/data"},
                                {.kind = LP_MOUNT_BIND, .source = "/srv", .target = "/srv"}};
    struct lp_service service = {.name = "db", .mounts = mounts, .mount_count = 2};
    static const struct {
        size_t count;
        const char *wanted, *target, *says;
    } rows[] = {{2, NULL, "/var/data", NULL},          {3, NULL, NULL, "several volumes"},
                {3, "data", "/var/data", NULL},        {3, "/srv", "/srv", NULL},
                {3, "/var/data", "/var/data", NULL},   {3, "/", NULL, "it has: /var/data, /srv"},
                {2, "/run", NULL, "no volume '/run'"}, {1, NULL, NULL, "no volume whose"}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct lp_err err = {0};
        const char *target = NULL;
        service.mount_count = rows[i].count;
        int result = lp_fault_volume_find(&service, rows[i].wanted, &target, &err);
        assert_int_equal(result == 0, rows[i].target != NULL);
        if (rows[i].target)
            assert_string_equal(target, rows[i].target);
        else
            assert_non_null(strstr(err.text, rows[i].says));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shadow_keeps_holes),    cmocka_unit_test(shadow_is_as_a_file),
        cmocka_unit_test(shadow_has_a_bound),    cmocka_unit_test(shadow_tells_of_its_disk),
        cmocka_unit_test(rules_refuse),          cmocka_unit_test(rules_keep_their_share),
        cmocka_unit_test(rules_take_their_time), cmocka_unit_test(rules_count_the_room),
        cmocka_unit_test(layers_have_names),     cmocka_unit_test(options_are_read),
        cmocka_unit_test(volumes_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

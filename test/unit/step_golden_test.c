// Stories about the controller, one file each in test/golden/core: given, when, then. With
// LP_GOLDEN_WRITE=1 the files are written anew; review the difference.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "step_scenario.h"

enum { STORIES_MAX = 200, STORY_BYTES_MAX = 1024 * 1024 };

// The first line in which two texts differ.
static void differ(const char *path, const char *expected, const char *actual)
{
    const char *a = expected, *b = actual;
    int line = 1;
    while (*a && *a == *b) {
        line += *a == '\n';
        a++;
        b++;
    }
    while (a > expected && a[-1] != '\n') {
        a--;
        b--;
    }
    fail_msg("%s:%d: expected\n%.*s\nbut it is\n%.*s", path, line, (int)strcspn(a, "\n"), a,
             (int)strcspn(b, "\n"), b);
}

static void story_holds(void **state)
{
    const char *path = *state;
    LP_OWNS_STR struct lp_str story = {0}, told = {0};
    struct lp_err err = {0};
    if (lp_file_read(path, STORY_BYTES_MAX, &story, &err) < 0 ||
        scenario_play(lp_str_text(&story), &told, &err) < 0)
        fail_msg("%s: %s\n%s", path, err.text, lp_str_text(&told));
    if (getenv("LP_GOLDEN_WRITE")) {
        assert_int_equal(lp_file_write(path, told.text, told.bytes, 0644, &err), 0);
        return;
    }
    assert_non_null(strstr(lp_str_text(&story), "\n  ")); // a story in which nothing happens
    if (!lp_text_equal(lp_str_text(&story), lp_str_text(&told)))
        differ(path, lp_str_text(&story), lp_str_text(&told));
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct CMUnitTest *)a)->name, ((const struct CMUnitTest *)b)->name);
}

int main(void)
{
    static struct CMUnitTest tests[STORIES_MAX];
    size_t count = 0;
    LP_OWNS_DIR DIR *dir = opendir(LP_GOLDEN);
    const struct dirent *entry;
    while (dir && (entry = readdir(dir)) && count < STORIES_MAX) {
        struct lp_str path = {0};
        if (!lp_text_ends(entry->d_name, ".txt"))
            continue;
        lp_str_printf(&path, "%s/%s", LP_GOLDEN, entry->d_name);
        tests[count++] = (struct CMUnitTest){
            .name = path.text, .test_func = story_holds, .initial_state = path.text};
    }
    qsort(tests, count, sizeof(tests[0]), by_name);
    int result = count < 25 || _cmocka_run_group_tests("stories", tests, count, NULL, NULL);
    for (size_t i = 0; i < count; i++)
        free(tests[i].initial_state);
    return result;
}

// The root: the folder that is one Limpet.
#define _GNU_SOURCE
#include "api/home.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drivers/place.h"
#include "base/arena.h"
#include "base/file.h"
#include "base/own.h"
#include "base/str.h"

enum { ID_BYTES = 8 };

// A folder without an id may only hold what an earlier start left half done: nobody's folder is
// closed to others because of a mistyped --root.
LP_MUST_CHECK static int stranger_check(const char *root, struct lp_err *err)
{
    LP_OWNS_ARENA struct lp_arena arena = {0};
    if (lp_path_exists(lp_arena_printf(&arena, "%s/id", root)))
        return 0;
    LP_OWNS_DIR DIR *folder = opendir(root);
    if (!folder)
        return lp_err_set(err, LP_EIO, "open %s: %s", root, strerror(errno));
    for (struct dirent *entry; (entry = readdir(folder));) {
        static const char *const known[] = {".", "..", "lock", "lost+found", "nodes"};
        bool is_known = false;
        for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
            is_known = is_known || strcmp(entry->d_name, known[i]) == 0;
        // "id.XXXX" is what an atomic write leaves when the machine stops in the middle of it.
        if (!is_known && !lp_text_starts(entry->d_name, "id."))
            return lp_err_set(err, LP_ECONFLICT,
                              "%s holds other things (%s) and is not the root of a Limpet: name a "
                              "folder that is empty or absent",
                              root, entry->d_name);
    }
    return 0;
}

enum { LOCK_TRIES = 50, LOCK_WAIT_US = 20 * 1000 };

LP_MUST_CHECK static int lock_take(const char *root, int *ret_fd, struct lp_err *err)
{
    LP_OWNS_ARENA struct lp_arena arena = {0};
    const char *path = lp_arena_printf(&arena, "%s/lock", root);
    LP_OWNS_FD int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return lp_err_set(err, LP_EIO, "open %s: %s", path, strerror(errno));
    char pid[24] = "";
    int result = flock(fd, LOCK_EX | LOCK_NB);
    // One that was killed holds it until the kernel is through with it.
    for (int tries = 0; result < 0 && tries < LOCK_TRIES; tries++) {
        usleep(LOCK_WAIT_US);
        result = flock(fd, LOCK_EX | LOCK_NB);
    }
    if (result < 0) {
        if (pread(fd, pid, sizeof(pid) - 1, 0) < 0)
            pid[0] = '\0';
        pid[strcspn(pid, "\n")] = '\0';
        return lp_err_set(err, LP_ECONFLICT, "a daemon runs for %s already (process %s)", root,
                          pid[0] ? pid : "not told yet");
    }
    snprintf(pid, sizeof(pid), "%d\n", (int)getpid());
    // On a full disk the pid is missing from the file; the lock holds all the same.
    if (ftruncate(fd, 0) < 0 || pwrite(fd, pid, strlen(pid), 0) < 0)
        fprintf(stderr, "write %s: %s\n", path, strerror(errno));
    *ret_fd = lp_fd_take(&fd);
    return 0;
}

LP_MUST_CHECK static int id_get(const char *root, char ret_id[ID_BYTES + 1], struct lp_err *err)
{
    LP_OWNS_ARENA struct lp_arena arena = {0};
    LP_OWNS_STR struct lp_str text = {0};
    const char *path = lp_arena_printf(&arena, "%s/id", root);
    int code = lp_file_read(path, 64, &text, err);
    if (code == LP_ENOTFOUND) {
        uint32_t number;
        if (getrandom(&number, sizeof(number), 0) != sizeof(number))
            return lp_err_set(err, LP_EIO, "getrandom: %s", strerror(errno));
        lp_str_printf(&text, "%08x", number);
        code = lp_file_write(path, text.text, text.bytes, 0600, err);
    }
    if (code < 0)
        return lp_err_wrap(err, "the id of this root");
    size_t bytes = strcspn(lp_str_text(&text), "\n");
    if (bytes != ID_BYTES)
        return lp_err_set(err, LP_ECORRUPT, "%s does not hold 8 hexadecimal digits", path);
    memcpy(ret_id, text.text, ID_BYTES);
    ret_id[ID_BYTES] = '\0';
    return 0;
}

int lp_home_open(const char *root, struct lp_home *ret_home, struct lp_err *err)
{
    struct lp_driver_env env = {.root = root, .root_id = "00000000"};
    if (lp_place_check(&env, err) < 0 || lp_dir_make(root, 0700, err) < 0 ||
        stranger_check(root, err) < 0)
        return err->code;
    if (chmod(root, 0700) < 0)
        return lp_err_set(err, LP_EIO, "close %s to others: %s", root, strerror(errno));
    LP_OWNS_FD int fd = -1;
    struct lp_home home;
    if (lock_take(root, &fd, err) < 0 || id_get(root, home.id, err) < 0)
        return err->code;
    env.root_id = home.id;
    if (lp_place_check(&env, err) < 0)
        return err->code;
    home.lock_fd = lp_fd_take(&fd);
    *ret_home = home;
    return 0;
}

void lp_home_close(struct lp_home *home)
{
    // The file stays: removing it would let two daemons lock two files of one name.
    (void)!ftruncate(home->lock_fd, 0);
    close(home->lock_fd);
}

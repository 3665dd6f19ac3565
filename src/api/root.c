// The root folder of one Limpet: made once, held by one daemon at a time.
#include "api/root.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/own.h"
#include "base/str.h"

LP_MUST_CHECK static int id_read(const char *root, char ret_id[9], struct lp_err *err)
{
    LP_OWNS_ARENA struct lp_arena arena = {0};
    LP_OWNS_STR struct lp_str text = {0};
    char *path = lp_arena_printf(&arena, "%s/id", root);
    int result = lp_file_read(path, 64, &text, err);
    if (result == LP_ENOTFOUND) {
        unsigned char bytes[4];
        if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
            return lp_err_set(err, LP_EIO, "getrandom: %s", strerror(errno));
        lp_str_clear(&text);
        lp_str_printf(&text, "%02x%02x%02x%02x", bytes[0], bytes[1], bytes[2], bytes[3]);
        result = lp_file_write(path, text.text, text.bytes, 0600, err);
    }
    if (result < 0)
        return result;
    const char *id = lp_str_text(&text);
    if (strspn(id, "0123456789abcdef") < 8)
        return lp_err_set(err, LP_ECORRUPT, "%s does not hold 8 hexadecimal digits", path);
    snprintf(ret_id, 9, "%.8s", id);
    return 0;
}

LP_MUST_CHECK static int lock_take(const char *root, int *ret_fd, struct lp_err *err)
{
    LP_OWNS_ARENA struct lp_arena arena = {0};
    char *path = lp_arena_printf(&arena, "%s/lock", root);
    LP_OWNS_FD int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return lp_err_set(err, LP_EIO, "open %s: %s", path, strerror(errno));
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        char pid[16] = "";
        (void)!read(fd, pid, sizeof(pid) - 1);
        pid[strcspn(pid, "\n")] = '\0';
        return lp_err_set(err, LP_ECONFLICT, "another daemon (process %s) holds %s", pid, root);
    }
    char pid[16];
    int bytes = snprintf(pid, sizeof(pid), "%d\n", (int)getpid());
    // The number only helps people; a full disk must not keep the daemon from starting.
    if (ftruncate(fd, 0) == 0)
        (void)!pwrite(fd, pid, (size_t)bytes, 0);
    *ret_fd = lp_fd_take(&fd);
    return 0;
}

int lp_root_open(const char *root, struct lp_root *ret_root, struct lp_err *err)
{
    if (root[0] != '/')
        return lp_err_set(err, LP_EINPUT, "the root '%s' is not an absolute path", root);
    if (!lp_path_exists(root) && lp_dir_make(root, 0700, err) < 0)
        return err->code;
    if (chmod(root, 0700) < 0)
        return lp_err_set(err, LP_EIO, "%s: %s", root, strerror(errno));
    if (lock_take(root, &ret_root->lock_fd, err) < 0)
        return err->code;
    return id_read(root, ret_root->id, err);
}

void lp_root_close(struct lp_root *root)
{
    close(root->lock_fd);
}

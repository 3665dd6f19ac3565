// The page that sets the clocks of a node.
#define _GNU_SOURCE
#include "drivers/fault/clock_page.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"

int lp_clock_page_make(const char *path, struct lp_err *err)
{
    const struct lp_clock_page page = {.magic = LP_CLOCK_MAGIC};
    if (unlink(path) < 0 && errno != ENOENT)
        return lp_err_set(err, LP_EIO, "remove %s: %s", path, strerror(errno));
    LP_OWNS_FD int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0 || fchmod(fd, 0644) < 0)
        return lp_err_set(err, LP_EIO, "create %s: %s", path, strerror(errno));
    return lp_fd_write(fd, &page, sizeof(page), err);
}

// Map it; the caller unmaps it.
LP_MUST_CHECK static int page_map(const char *path, struct lp_clock_page **ret_page,
                                  struct lp_err *err)
{
    struct stat facts;
    LP_OWNS_FD int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return lp_err_set(err, errno == ENOENT ? LP_ENOTFOUND : LP_EIO, "open %s: %s", path,
                          strerror(errno));
    if (fstat(fd, &facts) < 0 || facts.st_size < (off_t)sizeof(**ret_page))
        return lp_err_set(err, LP_ECORRUPT, "%s is too short", path);
    void *page = mmap(NULL, sizeof(**ret_page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (page == MAP_FAILED)
        return lp_err_set(err, LP_EIO, "map %s: %s", path, strerror(errno));
    *ret_page = page;
    return 0;
}

int lp_clock_page_read(const char *path, struct lp_clock_setting *ret_setting, struct lp_err *err)
{
    struct lp_clock_page *page;
    if (page_map(path, &page, err) < 0)
        return err->code;
    bool is_good = lp_clock_setting_get(page, ret_setting);
    munmap(page, sizeof(*page));
    return is_good ? 0 : lp_err_set(err, LP_ECORRUPT, "%s does not set a clock", path);
}

int lp_clock_page_write(const char *path, const struct lp_clock_setting *setting,
                        struct lp_err *err)
{
    struct lp_clock_page *page;
    if (page_map(path, &page, err) < 0)
        return err->code;
    uint32_t turn = page->turn + 1;
    __atomic_thread_fence(__ATOMIC_SEQ_CST); // the turn of before is seen before what follows
    page->settings[turn % 2] = *setting;
    __atomic_store_n(&page->turn, turn, __ATOMIC_RELEASE);
    munmap(page, sizeof(*page));
    return 0;
}

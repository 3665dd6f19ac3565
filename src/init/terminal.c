// Opening pseudo-terminals without the C library's ptsname: the kernel hands out the other end
// itself (TIOCGPTPEER), so that no path inside the node has to be trusted.
#define _GNU_SOURCE
#include "init/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/own.h"

int lp_terminal_open(int *ret_master, int *ret_slave, struct lp_err *err)
{
    LP_OWNS_FD int master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
    int unlocked = 0;
    if (master < 0 || ioctl(master, TIOCSPTLCK, &unlocked) < 0)
        return lp_err_set(err, LP_EIO, "no terminal in this node: /dev/ptmx: %s", strerror(errno));
    int slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (slave < 0)
        return lp_err_set(err, LP_EIO, "no terminal in this node: %s", strerror(errno));
    *ret_master = lp_fd_take(&master);
    *ret_slave = slave;
    return 0;
}

void lp_terminal_resize(int master, uint16_t rows, uint16_t columns)
{
    struct winsize size = {.ws_row = rows ? rows : 24, .ws_col = columns ? columns : 80};
    ioctl(master, TIOCSWINSZ, &size); // of a terminal that is closed already: no matter
}

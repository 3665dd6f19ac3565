// Who holds a port of this machine: /proc/net/tcp and udp name a socket, /proc/PID/fd its owner.
#define _GNU_SOURCE
#include "drivers/network/network_port.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/own.h"
#include "base/str.h"

// The inode of the socket that has the port; 0: none in this table.
static uint64_t table_find(const char *path, uint16_t port, bool is_udp)
{
    LP_OWNS_FILE FILE *file = fopen(path, "re");
    if (!file)
        return 0;
    char line[512];
    while (fgets(line, sizeof(line), file)) {
        unsigned local = 0, state = 0;
        uint64_t inode = 0;
        // sl local:port remote:port state queues timer retransmits uid timeout inode
        if (sscanf(line, " %*u: %*[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x %*s %*s %*s %*u %*u %" SCNu64,
                   &local, &state, &inode) != 3)
            continue;
        bool is_listening = is_udp || state == 0x0a; // TCP_LISTEN
        if (local == port && is_listening && inode)
            return inode;
    }
    return 0;
}

static bool process_has(const char *pid, const char *socket)
{
    char path[64], link[64];
    (void)snprintf(path, sizeof(path), "/proc/%.20s/fd", pid);
    LP_OWNS_DIR DIR *folder = opendir(path);
    for (struct dirent *at; folder && (at = readdir(folder));) {
        ssize_t count = readlinkat(dirfd(folder), at->d_name, link, sizeof(link) - 1);
        if (count <= 0)
            continue;
        link[count] = '\0';
        if (lp_text_equal(link, socket))
            return true;
    }
    return false;
}

bool lp_port_find_holder(uint16_t port, bool is_udp, char *ret_text, size_t bytes)
{
    static const char *const tables[2][2] = {{"/proc/self/net/tcp", "/proc/self/net/tcp6"},
                                             {"/proc/self/net/udp", "/proc/self/net/udp6"}};
    uint64_t inode = table_find(tables[is_udp][0], port, is_udp);
    if (!inode)
        inode = table_find(tables[is_udp][1], port, is_udp);
    if (!inode)
        return false;
    char socket[64];
    (void)snprintf(socket, sizeof(socket), "socket:[%" PRIu64 "]", inode);
    LP_OWNS_DIR DIR *processes = opendir("/proc");
    for (struct dirent *at; processes && (at = readdir(processes));) {
        if (!isdigit((unsigned char)at->d_name[0]) || !process_has(at->d_name, socket))
            continue;
        char path[64], name[32] = "?";
        (void)snprintf(path, sizeof(path), "/proc/%.20s/comm", at->d_name);
        LP_OWNS_FILE FILE *file = fopen(path, "re");
        if (file && fgets(name, sizeof(name), file))
            name[strcspn(name, "\n")] = '\0';
        (void)snprintf(ret_text, bytes, "%s (pid %.20s)", name, at->d_name);
        return true;
    }
    return false;
}

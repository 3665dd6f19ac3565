// ICMP echo: one question and its answer.
#define _GNU_SOURCE
#include "drivers/check/ping.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/own.h"
#include "drivers/network/network_ns.h"

enum { ECHO_ANSWER = 0, ECHO_QUESTION = 8, HEADER_BYTES = 8 };

int lp_ping_open(int netns_fd, uint32_t address, int *ret_fd, bool *ret_is_raw, struct lp_err *err)
{
    LP_OWNS_FD int fd = -1;
    bool is_raw = false;
    int kind[3] = {AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, IPPROTO_ICMP};
    if (lp_netns_socket(netns_fd, kind, &fd, NULL) < 0) {
        is_raw = true; // net.ipv4.ping_group_range leaves root out
        kind[1] = SOCK_RAW | SOCK_NONBLOCK;
        int code = lp_netns_socket(netns_fd, kind, &fd, err);
        if (code < 0)
            return code;
    }
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(address)};
    if (connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
        return lp_err_set(err, LP_EIO, "%s", strerror(errno));
    *ret_fd = lp_fd_take(&fd);
    *ret_is_raw = is_raw;
    return 0;
}

void lp_ping_print(uint16_t id, uint16_t sequence, uint8_t ret_bytes[LP_PING_BYTES])
{
    const uint8_t head[HEADER_BYTES] = {
        ECHO_QUESTION,    0, 0, 0, (uint8_t)(id >> 8), (uint8_t)id, (uint8_t)(sequence >> 8),
        (uint8_t)sequence};
    memset(ret_bytes, 0, LP_PING_BYTES);
    memcpy(ret_bytes, head, HEADER_BYTES);
    memcpy(ret_bytes + HEADER_BYTES, "limpet", 6);
    uint32_t sum = 0; // RFC 1071
    for (int i = 0; i < LP_PING_BYTES; i += 2)
        sum += (uint32_t)(ret_bytes[i] << 8 | ret_bytes[i + 1]);
    sum = (sum >> 16) + (sum & 0xffff);
    sum = ~((sum >> 16) + sum);
    ret_bytes[2] = (uint8_t)(sum >> 8);
    ret_bytes[3] = (uint8_t)sum;
}

bool lp_ping_is_answer(const uint8_t *bytes, size_t count, bool is_raw, uint16_t id,
                       uint16_t sequence)
{
    if (is_raw) {
        size_t header = count ? (size_t)(bytes[0] & 15) * 4 : 0;
        if (header < 20 || count < header)
            return false;
        bytes += header;
        count -= header;
    }
    return count >= HEADER_BYTES && bytes[0] == ECHO_ANSWER && bytes[1] == 0 &&
           (!is_raw || (bytes[4] << 8 | bytes[5]) == id) && (bytes[6] << 8 | bytes[7]) == sequence;
}

// A node's links, by rtnetlink.
#define _GNU_SOURCE
#include "drivers/crun/node_link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/own.h"
#include "drivers/network/network_ns.h"
#include "drivers/place.h"
#include "model/limits.h"

enum { LINK_BYTES = 1024, LINK_TIMEOUT_S = 5 };

struct message {
    _Alignas(NLMSG_ALIGNTO) char bytes[LINK_BYTES];
};

static struct nlmsghdr *message_head(struct message *message)
{
    return (struct nlmsghdr *)message->bytes;
}

// Begin a request whose fixed part is `size` bytes; returns that part.
static void *message_init(struct message *message, uint16_t type, uint16_t flags, size_t size)
{
    memset(message, 0, sizeof(*message));
    struct nlmsghdr *head = message_head(message);
    head->nlmsg_len = (uint32_t)NLMSG_LENGTH(size);
    head->nlmsg_type = type;
    head->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags);
    return NLMSG_DATA(head);
}

static struct rtattr *message_add(struct message *message, uint16_t type, const void *value,
                                  size_t bytes)
{
    struct nlmsghdr *head = message_head(message);
    size_t at = NLMSG_ALIGN(head->nlmsg_len);
    lp_assert(at + RTA_SPACE(bytes) <= sizeof(message->bytes));
    struct rtattr *attribute = (struct rtattr *)(message->bytes + at);
    attribute->rta_type = type;
    attribute->rta_len = (uint16_t)RTA_LENGTH(bytes);
    if (bytes)
        memcpy(RTA_DATA(attribute), value, bytes);
    head->nlmsg_len = (uint32_t)(at + RTA_SPACE(bytes));
    return attribute;
}

static void message_end(struct message *message, struct rtattr *nest)
{
    nest->rta_len = (uint16_t)(message->bytes + message_head(message)->nlmsg_len - (char *)nest);
}

// Send it and wait for its acknowledgement; 0 or -errno.
static int message_send(int fd, struct message *message)
{
    static uint32_t last_sequence;
    struct nlmsghdr *head = message_head(message);
    head->nlmsg_seq = ++last_sequence;
    if (send(fd, head, head->nlmsg_len, 0) < 0)
        return -errno;
    for (;;) {
        _Alignas(NLMSG_ALIGNTO) char reply[8 * LINK_BYTES];
        ssize_t got = recv(fd, reply, sizeof(reply), 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        unsigned left = (unsigned)got;
        for (struct nlmsghdr *at = (struct nlmsghdr *)reply; NLMSG_OK(at, left);
             at = NLMSG_NEXT(at, left)) {
            if (at->nlmsg_seq == head->nlmsg_seq && at->nlmsg_type == NLMSG_ERROR)
                return ((struct nlmsgerr *)NLMSG_DATA(at))->error;
        }
    }
}

static int netlink_open(int netns_fd, int *ret_fd, struct lp_err *err)
{
    static const int kind[3] = {AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE};
    int fd;
    int result = lp_netns_socket(netns_fd, kind, &fd, err);
    if (result < 0)
        return lp_err_wrap(err, "netlink");
    struct timeval limit = {.tv_sec = LINK_TIMEOUT_S};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    *ret_fd = fd;
    return 0;
}

// if_nametoindex would open its socket in the wrong namespace.
static int link_index(int netns_fd, const char *name, int *ret_index, struct lp_err *err)
{
    static const int kind[3] = {AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0};
    LP_OWNS_FD int fd = -1;
    int result = lp_netns_socket(netns_fd, kind, &fd, err);
    if (result < 0)
        return result;
    struct ifreq request = {0};
    snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
    if (ioctl(fd, SIOCGIFINDEX, &request) < 0)
        return lp_err_set(err, LP_EIO, "no link %s: %s", name, strerror(errno));
    *ret_index = request.ifr_ifindex;
    return 0;
}

static int veth_remove(int netlink, const char *name)
{
    struct message message;
    struct ifinfomsg *info = message_init(&message, RTM_DELLINK, 0, sizeof(*info));
    info->ifi_family = AF_UNSPEC;
    message_add(&message, IFLA_IFNAME, name, strlen(name) + 1);
    int result = message_send(netlink, &message);
    return result == -ENODEV || result == -EINVAL ? 0 : result;
}

// One message makes the pair, puts the inner end into the node and the outer one on its bridge.
static int veth_make(int netlink, const char *name, unsigned inner_index, int bridge,
                     int node_netns_fd, const struct lp_attachment *attachment)
{
    struct message message;
    struct ifinfomsg *info =
        message_init(&message, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, sizeof(*info));
    info->ifi_flags = info->ifi_change = IFF_UP;
    char inner[IFNAMSIZ];
    uint8_t mac[6];
    snprintf(inner, sizeof(inner), "eth%u", inner_index);
    lp_place_mac(attachment->address, mac);
    message_add(&message, IFLA_IFNAME, name, strlen(name) + 1);
    message_add(&message, IFLA_MASTER, &bridge, sizeof(bridge));
    struct rtattr *linkinfo = message_add(&message, IFLA_LINKINFO, NULL, 0);
    message_add(&message, IFLA_INFO_KIND, "veth", 4);
    struct rtattr *data = message_add(&message, IFLA_INFO_DATA, NULL, 0);
    struct ifinfomsg peer_info = {0};
    struct rtattr *peer = message_add(&message, VETH_INFO_PEER, &peer_info, sizeof(peer_info));
    message_add(&message, IFLA_IFNAME, inner, strlen(inner) + 1);
    message_add(&message, IFLA_ADDRESS, mac, sizeof(mac));
    message_add(&message, IFLA_NET_NS_FD, &node_netns_fd, sizeof(node_netns_fd));
    message_end(&message, peer);
    message_end(&message, data);
    message_end(&message, linkinfo);
    return message_send(netlink, &message);
}

static int link_up(int netlink, const char *name)
{
    struct message message;
    struct ifinfomsg *info = message_init(&message, RTM_NEWLINK, 0, sizeof(*info));
    info->ifi_flags = info->ifi_change = IFF_UP;
    message_add(&message, IFLA_IFNAME, name, strlen(name) + 1);
    return message_send(netlink, &message);
}

static int address_add(int netlink, int index, const struct lp_attachment *attachment)
{
    struct message message;
    struct ifaddrmsg *info =
        message_init(&message, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, sizeof(*info));
    uint32_t address = htonl(attachment->address);
    uint32_t host_mask = attachment->prefix >= 32 ? 0 : UINT32_MAX >> attachment->prefix;
    uint32_t broadcast = htonl(attachment->address | host_mask);
    info->ifa_family = AF_INET;
    info->ifa_prefixlen = (uint8_t)attachment->prefix;
    info->ifa_index = (uint32_t)index;
    message_add(&message, IFA_LOCAL, &address, sizeof(address));
    message_add(&message, IFA_ADDRESS, &address, sizeof(address));
    message_add(&message, IFA_BROADCAST, &broadcast, sizeof(broadcast));
    return message_send(netlink, &message);
}

static int route_add(int netlink, uint32_t gateway)
{
    struct message message;
    struct rtmsg *info =
        message_init(&message, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, sizeof(*info));
    info->rtm_family = AF_INET;
    info->rtm_table = RT_TABLE_MAIN;
    info->rtm_protocol = RTPROT_STATIC;
    info->rtm_scope = RT_SCOPE_UNIVERSE;
    info->rtm_type = RTN_UNICAST;
    uint32_t via = htonl(gateway);
    message_add(&message, RTA_GATEWAY, &via, sizeof(via));
    return message_send(netlink, &message);
}

// Set up eth<k> inside the node.
static int inner_set(int netlink, int netns_fd, size_t k, const struct lp_attachment *attachment,
                     struct lp_err *err)
{
    char name[IFNAMSIZ];
    int index;
    snprintf(name, sizeof(name), "eth%u", (unsigned)k);
    int result = link_index(netns_fd, name, &index, err);
    if (result < 0)
        return result;
    const char *step = "bring up";
    result = link_up(netlink, name);
    if (result == 0) {
        step = "give its address to";
        result = address_add(netlink, index, attachment);
    }
    if (result == 0 && k == 0 && attachment->gateway) {
        step = "set the default route of";
        result = route_add(netlink, attachment->gateway);
    }
    return result < 0 ? lp_err_set(err, LP_EIO, "%s %s: %s", step, name, strerror(-result)) : 0;
}

static int outer_make(int netlink, int infra_fd, int node_fd, const struct lp_place *names,
                      size_t k, const struct lp_attachment *attachment, struct lp_err *err)
{
    int bridge;
    int result = link_index(infra_fd, names[1].text, &bridge, err);
    if (result < 0)
        return lp_err_wrap(err, "the network's bridge");
    result = veth_make(netlink, names[0].text, (unsigned)k, bridge, node_fd, attachment);
    if (result == -EEXIST) { // the earlier life's: its namespace dies asynchronously
        veth_remove(netlink, names[0].text);
        result = veth_make(netlink, names[0].text, (unsigned)k, bridge, node_fd, attachment);
    }
    return result < 0
               ? lp_err_set(err, LP_EIO, "make link %s: %s", names[0].text, strerror(-result))
               : 0;
}

int lp_node_link_make(int infra_netns_fd, int node_netns_fd, uint32_t node,
                      const struct lp_attachment *attachments, size_t count, struct lp_err *err)
{
    LP_OWNS_FD int outer = -1;
    LP_OWNS_FD int inner = -1;
    int result = netlink_open(node_netns_fd, &inner, err);
    if (result < 0)
        return result;
    int up = link_up(inner, "lo");
    if (up < 0)
        return lp_err_set(err, LP_EIO, "bring up lo: %s", strerror(-up));
    if (count > 0)
        result = netlink_open(infra_netns_fd, &outer, err);
    for (size_t k = 0; result == 0 && k < count; k++) {
        struct lp_place names[2] = {lp_place_veth(node, attachments[k].network_index),
                                    lp_place_bridge(attachments[k].network_index)};
        result = outer_make(outer, infra_netns_fd, node_netns_fd, names, k, &attachments[k], err);
        if (result == 0)
            result = inner_set(inner, node_netns_fd, k, &attachments[k], err);
    }
    if (result < 0 && outer >= 0) {
        for (size_t k = 0; k < count; k++)
            veth_remove(outer, lp_place_veth(node, attachments[k].network_index).text);
    }
    return result;
}

int lp_node_link_remove(int infra_netns_fd, uint32_t node, struct lp_err *err)
{
    LP_OWNS_FD int netlink = -1;
    int result = netlink_open(infra_netns_fd, &netlink, err);
    for (uint32_t k = 0; result == 0 && k < LP_NETWORKS_MAX; k++) {
        int removed = veth_remove(netlink, lp_place_veth(node, k).text);
        if (removed < 0)
            result = lp_err_set(err, LP_EIO, "remove link %s: %s", lp_place_veth(node, k).text,
                                strerror(-removed));
    }
    return result;
}

// limpet-init's wire, both ways: the first byte says which. The frame codec and the commands in
// frames; or all of a client: what a hostile node sends over a real socket must end in news or in
// an error, never in anything else.
#define _GNU_SOURCE
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "drivers/crun/init_exec.h"
#include "drivers/crun/init_link.h"
#include "drivers/crun/init_socket.h"
#include "init/command.h"
#include "init/user.h"
#include "model/limits.h"
#include "model/wire.h"
#include "base/err.h"
#include "base/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static int field_pass(void *context, const struct lp_wire_field *field)
{
    int64_t number = 0;
    (void)context;
    lp_assert(strlen(field->value) < LP_WIRE_PAYLOAD_MAX);
    if (lp_wire_is(field, "run") && lp_wire_number(field, 0, UINT32_MAX, &number) < 0)
        return LP_ECORRUPT;
    return 0;
}

static void frames_parse(const char *bytes, size_t count)
{
    struct lp_wire_frame frame;
    size_t at = 0;
    long taken = 0;
    while ((taken = lp_wire_parse(bytes + at, count - at, &frame)) > 0) {
        struct lp_command command;
        lp_assert((size_t)taken == LP_WIRE_HEADER_BYTES + frame.bytes);
        lp_assert(frame.payload + frame.bytes <= bytes + count);
        if (lp_command_parse(&frame, field_pass, NULL, &command) == 0)
            lp_command_release(&command);
        at += (size_t)taken;
    }
}

static void user_parse(const char *bytes, size_t count)
{
    struct lp_user user;
    struct lp_str text = {0};
    lp_str_add_n(&text, bytes, count);
    const char *passwd = strchr(lp_str_text(&text), '|');
    const char *group = passwd ? strchr(passwd + 1, '|') : NULL;
    if (passwd && lp_user_find("web", passwd, group ? group : "", &user, NULL) == 0)
        lp_assert(user.group_count <= LP_USER_GROUPS_MAX && strlen(user.home) < sizeof(user.home));
    char *spec_end = strchr(text.text ? text.text : (char[]){0}, '|');
    if (spec_end) {
        *spec_end = '\0';
        if (lp_user_find(text.text, spec_end + 1, spec_end + 1, &user, NULL) == 0)
            lp_assert(user.uid != (uid_t)-1 && user.gid != (gid_t)-1);
    }
    lp_str_release(&text);
}

static void link_news(void *context, const struct lp_init_news *news)
{
    (void)context;
    lp_assert(news->app < LP_APPS_MAX && news->status >= 0 && news->status < 512);
    lp_assert(strlen(news->text) < 512 && !strpbrk(news->text, "\n\033"));
    lp_assert(lp_utf8_valid(news->text, strlen(news->text)) == strlen(news->text));
}

static void exec_news(void *context, const struct lp_exec_news *news)
{
    (void)context;
    lp_assert(news->count <= LP_WIRE_PAYLOAD_MAX && !strpbrk(news->text, "\n\033"));
}

static char socket_path[64];

static void socket_remove(void)
{
    unlink(socket_path);
    *strrchr(socket_path, '/') = '\0';
    rmdir(socket_path);
}

// The hostile node: whoever connects gets the fuzzer's bytes.
static int node_listen(void)
{
    static int fd = -1;
    struct lp_err err;
    if (fd < 0) {
        strcpy(socket_path, "/tmp/limpet-fuzz-XXXXXX");
        lp_assert(mkdtemp(socket_path));
        strcat(socket_path, "/s");
        lp_assert(lp_init_socket_listen(socket_path, &fd, &err) == 0);
        atexit(socket_remove);
    }
    return fd;
}

static void clients_read(const char *bytes, size_t count, bool is_exec)
{
    struct lp_err err;
    struct lp_init_link *link = NULL;
    struct lp_init_exec *exec = NULL;
    const char *argv[] = {"true"};
    struct lp_exec_request request = {.argv = {argv, 1}};
    int listening = node_listen();
    int code = is_exec ? lp_init_exec_open(socket_path, &request, &exec, &err)
                       : lp_init_link_open(socket_path, &link, &err);
    lp_assert(code == 0);
    int fd = accept(listening, NULL, NULL);
    if (send(fd, bytes, count, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
        shutdown(fd, SHUT_WR);
    for (int i = 0; i < 8 && code == 0; i++)
        code = is_exec ? lp_init_exec_read(exec, exec_news, NULL, &err)
                       : lp_init_link_read(link, link_news, NULL, &err);
    close(fd);
    lp_init_link_close(link);
    lp_init_exec_close(exec);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    if (bytes < 1 || bytes > 64 * 1024)
        return 0;
    const char *rest = (const char *)data + 1;
    switch (data[0] % 4) {
    case 0:
        frames_parse(rest, bytes - 1);
        break;
    case 1:
        user_parse(rest, bytes - 1);
        break;
    default:
        clients_read(rest, bytes - 1, data[0] % 4 == 3);
    }
    return 0;
}

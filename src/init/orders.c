// Decoding orders.
#include "init/orders.h"

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "init/app.h"
#include "init/command.h"
#include "init/halt.h"
#include "init/news.h"
#include "init/peer.h"
#include "model/limits.h"
#include "model/wire.h"
#include "base/err.h"
#include "base/str.h"

// Will it name a file in our folders, and nothing else?
static bool is_file_name(const char *name)
{
    size_t bytes = strlen(name);
    return bytes > 0 && bytes <= LP_NAME_BYTES_MAX && name[0] != '.' && !strpbrk(name, "/\n");
}

static int name_take(const struct lp_wire_field *field, const char **ret_name)
{
    if (!is_file_name(field->value))
        return LP_ECORRUPT;
    *ret_name = field->value;
    return 0;
}

static int start_number(struct lp_app_start *start, const struct lp_wire_field *field)
{
    int64_t number = 0;
    int code = 0;
    if (lp_wire_is(field, "run")) {
        code = lp_wire_number(field, 0, UINT32_MAX, &number);
        start->run = (uint32_t)number;
    } else if (lp_wire_is(field, "timeout_ms")) {
        code = lp_wire_number(field, 0, UINT32_MAX, &number);
        start->timeout_ms = (uint32_t)number;
    } else if (lp_wire_is(field, "stop_signal")) {
        code = lp_wire_number(field, 0, SIGRTMAX, &number);
        start->stop_signal = (int)number;
    } else if (lp_wire_is(field, "log_bytes")) {
        code = lp_wire_number(field, 0, INT64_MAX, &number);
        start->log_bytes = (uint64_t)number;
    }
    return code;
}

static int start_field(void *context, const struct lp_wire_field *field)
{
    struct lp_app_start *start = context;
    if (lp_wire_is(field, "name"))
        return name_take(field, &start->name);
    if (lp_wire_is(field, "mark"))
        return name_take(field, &start->mark);
    if (lp_wire_is(field, "creates")) {
        start->creates = field->value;
        return 0;
    }
    if (lp_wire_is(field, "kind")) {
        start->is_setup = strcmp(field->value, "setup") == 0;
        return start->is_setup || strcmp(field->value, "serve") == 0 ? 0 : LP_ECORRUPT;
    }
    return start_number(start, field);
}

static int start_take(const struct lp_wire_frame *frame)
{
    struct lp_app_start start = {0};
    struct lp_command command;
    if (lp_command_parse(frame, start_field, &start, &command) < 0)
        return LP_ECORRUPT;
    int code = 0;
    start.argv = command.argv;
    start.env = command.env;
    start.cwd = command.cwd;
    start.user = command.user;
    if (!start.name || !start.argv[0])
        code = LP_ECORRUPT;
    else if (lp_halt_is_on())
        lp_news_failed(frame->app, start.run, LP_ECONFLICT, "the node is being stopped");
    else
        lp_app_start(frame->app, &start);
    lp_command_release(&command);
    return code;
}

struct numbers { // of the short orders
    uint32_t run, grace_ms;
    int signal;
};

static int numbers_parse(const struct lp_wire_frame *frame, struct numbers *ret_numbers)
{
    struct lp_wire_field field;
    size_t cursor = 0;
    int more = 0, code = 0;
    *ret_numbers = (struct numbers){0};
    while (code == 0 && (more = lp_wire_next(frame, &cursor, &field)) > 0) {
        int64_t number = 0;
        if (lp_wire_is(&field, "run")) {
            code = lp_wire_number(&field, 0, UINT32_MAX, &number);
            ret_numbers->run = (uint32_t)number;
        } else if (lp_wire_is(&field, "grace_ms")) {
            code = lp_wire_number(&field, 0, UINT32_MAX, &number);
            ret_numbers->grace_ms = (uint32_t)number;
        } else if (lp_wire_is(&field, "signal")) {
            code = lp_wire_number(&field, 1, SIGRTMAX, &number);
            ret_numbers->signal = (int)number;
        }
    }
    return more < 0 ? more : code;
}

static void list_send(void)
{
    struct lp_str *out = lp_control_out();
    if (!out)
        return;
    lp_news_list(out);
    lp_control_flush();
}

int lp_orders_take(const struct lp_wire_frame *frame)
{
    struct numbers numbers;
    if (frame->app >= LP_APPS_MAX)
        return LP_ECORRUPT;
    if (frame->type == LP_WIRE_START_APP)
        return start_take(frame);
    if (numbers_parse(frame, &numbers) < 0)
        return LP_ECORRUPT;
    switch (frame->type) {
    case LP_WIRE_STOP_APP:
        lp_app_stop(frame->app, numbers.run, numbers.grace_ms);
        return 0;
    case LP_WIRE_KILL_APP:
        lp_app_kill(frame->app, numbers.run);
        return 0;
    case LP_WIRE_SIGNAL_APP:
        if (numbers.signal == 0)
            return LP_ECORRUPT;
        lp_app_signal(frame->app, numbers.run, numbers.signal);
        return 0;
    case LP_WIRE_STOP_ALL:
        lp_halt_begin(numbers.grace_ms);
        return 0;
    case LP_WIRE_LIST:
        list_send();
        return 0;
    default:
        return LP_ECORRUPT; // an order that we would ignore is worse than one that we refuse
    }
}

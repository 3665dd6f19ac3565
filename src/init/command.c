// Taking the command of a frame apart.
#include "init/command.h"

#include <stdint.h>
#include <stddef.h>
#include <string.h>

#include "model/wire.h"
#include "base/arena.h"

// execve(2) takes writable texts; the frame is our own buffer, const only for its readers.
static char *writable(const char *text)
{
    return (char *)(uintptr_t)text;
}

static int fields_count(const struct lp_wire_frame *frame, size_t *ret_args, size_t *ret_envs)
{
    struct lp_wire_field field;
    size_t cursor = 0;
    int more = 0;
    *ret_args = *ret_envs = 0;
    while ((more = lp_wire_next(frame, &cursor, &field)) > 0) {
        *ret_args += lp_wire_is(&field, "arg");
        *ret_envs += lp_wire_is(&field, "env");
    }
    return more;
}

static int fields_take(const struct lp_wire_frame *frame,
                       int (*other)(void *context, const struct lp_wire_field *field),
                       void *context, struct lp_command *command)
{
    struct lp_wire_field field;
    size_t cursor = 0, args = 0, envs = 0;
    while (lp_wire_next(frame, &cursor, &field) > 0) {
        if (lp_wire_is(&field, "arg"))
            command->argv[args++] = writable(field.value);
        else if (lp_wire_is(&field, "env") && strchr(field.value, '='))
            command->env[envs++] = writable(field.value);
        else if (lp_wire_is(&field, "env"))
            return LP_ECORRUPT;
        else if (lp_wire_is(&field, "cwd"))
            command->cwd = field.value;
        else if (lp_wire_is(&field, "user"))
            command->user = field.value;
        else if (other(context, &field) < 0)
            return LP_ECORRUPT;
    }
    return 0;
}

int lp_command_parse(const struct lp_wire_frame *frame,
                     int (*other)(void *context, const struct lp_wire_field *field), void *context,
                     struct lp_command *ret_command)
{
    size_t args = 0, envs = 0;
    if (fields_count(frame, &args, &envs) < 0)
        return LP_ECORRUPT;
    struct lp_command command = {.argv = lp_heap_grow(NULL, args + 1, sizeof(char *)),
                                 .env = lp_heap_grow(NULL, envs + 1, sizeof(char *))};
    command.argv[args] = command.env[envs] = NULL;
    int code = fields_take(frame, other, context, &command);
    if (code < 0) {
        lp_command_release(&command);
        return code;
    }
    *ret_command = command;
    return 0;
}

void lp_command_release(struct lp_command *command)
{
    lp_heap_free(command->argv);
    lp_heap_free(command->env);
    *command = (struct lp_command){0};
}

// A command in the node that a fault is aimed at: begun, looked at, never waited for.
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/own.h"
#include "drivers/fault/fault_parts.h"
#include "drivers/crun/init_exec.h"
#include "drivers/place.h"

enum {
    OUTPUT_MAX = 4096,
    LINE_MAX_BYTES = 200,
    ANSWER_MS = LP_FAULT_COMMAND_MS + 1000, // limpet-init ends it earlier; a frozen one cannot
};

struct lp_fault_command {
    struct lp_init_exec *exec;
    struct lp_str output; // of the command, its last OUTPUT_MAX bytes at least
    bool has_ended;
    int32_t status;
    int64_t given_up_at_ms;
    struct lp_err failure; // .code 0: none
};

void lp_fault_command_drop(struct lp_fault_job *job)
{
    struct lp_fault_command *command = job->command;
    if (!command)
        return;
    lp_init_exec_close(command->exec);
    lp_str_release(&command->output);
    lp_heap_free(command);
    job->command = NULL;
}

int lp_fault_command_start(const struct lp_faults *faults, struct lp_fault_job *job,
                           const struct lp_exec_request *request, struct lp_err *err)
{
    struct lp_place socket =
        lp_place_init_socket(&faults->env, job->mark.infra_name, job->mark.name);
    struct lp_init_exec *exec = NULL;
    lp_fault_command_drop(job);
    if (lp_init_exec_open(socket.text, request, &exec, err) < 0)
        return err->code;
    struct lp_fault_command *command = lp_heap_take(sizeof(*command));
    command->exec = exec;
    command->given_up_at_ms = lp_monotonic_ms() + ANSWER_MS;
    job->command = command;
    return lp_init_exec_input_end(exec, err);
}

static void news_take(void *context, const struct lp_exec_news *news)
{
    struct lp_fault_command *command = context;
    struct lp_str *output = &command->output;
    switch (news->kind) {
    case LP_EXEC_STDOUT:
    case LP_EXEC_STDERR:
        lp_str_add_n(output, news->bytes, news->count);
        if (output->bytes > 2 * (size_t)OUTPUT_MAX) {
            memmove(output->text, output->text + output->bytes - OUTPUT_MAX, OUTPUT_MAX + 1);
            output->bytes = OUTPUT_MAX;
        }
        break;
    case LP_EXEC_EXIT:
        command->has_ended = true;
        command->status = news->status;
        break;
    case LP_EXEC_FAILED:
        command->has_ended = true;
        lp_err_set(&command->failure, news->code < 0 ? news->code : LP_EIO, "%s", news->text);
        break;
    }
}

// The last line that says anything; printable.
static void last_line(const struct lp_str *output, char ret_line[LINE_MAX_BYTES])
{
    size_t end = output->bytes;
    while (end > 0 && (unsigned char)output->text[end - 1] <= ' ')
        end--;
    size_t start = end;
    while (start > 0 && output->text[start - 1] != '\n')
        start--;
    size_t bytes = end - start < LINE_MAX_BYTES - 1 ? end - start : LINE_MAX_BYTES - 1;
    bytes = bytes ? lp_utf8_valid(output->text + start, bytes) : 0;
    for (size_t i = 0; i < bytes; i++)
        ret_line[i] = (unsigned char)output->text[start + i] < ' ' ? ' ' : output->text[start + i];
    ret_line[bytes] = '\0';
}

static int verdict(const struct lp_fault_command *command, struct lp_err *err)
{
    char line[LINE_MAX_BYTES];
    LP_OWNS_STR struct lp_str status = {0};
    if (command->failure.code < 0)
        return lp_err_set(err, command->failure.code, "%s", command->failure.text);
    if (command->status == 0)
        return 1;
    last_line(&command->output, line);
    lp_child_status_print(command->status, &status);
    return lp_err_set(err, LP_EIO, "the command %s%s%s", lp_str_text(&status), line[0] ? ": " : "",
                      line);
}

int lp_fault_command_look(struct lp_fault_job *job, struct lp_str *ret_output, struct lp_err *err)
{
    struct lp_fault_command *command = job->command;
    int result = lp_init_exec_flush(command->exec, err);
    if (result == 0)
        result = lp_init_exec_read(command->exec, news_take, command, err);
    if (command->has_ended)
        result = verdict(command, err);
    else if (result == 0 && lp_monotonic_ms() >= command->given_up_at_ms)
        result = lp_err_set(err, LP_ETIMEOUT, "nothing was heard of the command within %d s",
                            ANSWER_MS / 1000);
    if (result > 0 && ret_output)
        lp_str_add_n(ret_output, lp_str_text(&command->output), command->output.bytes);
    if (result != 0)
        lp_fault_command_drop(job);
    return result;
}

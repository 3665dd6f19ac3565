// A command as it stands in a frame, taken apart into what execve(2) wants.
#pragma once

#include "base/err.h"

struct lp_wire_field;
struct lp_wire_frame;

struct lp_command { // argv and env: NULL-ended; they point into the frame
    char **argv, **env;
    const char *cwd, *user; // NULL: not given
};

// Take the "arg", "env", "cwd" and "user" fields; every other one is handed to `other`, whose
// negative return ends it. LP_ECORRUPT: not made of fields, or `other` said so; nothing to release
// then. No "arg" gives an empty argv.
LP_MUST_CHECK int lp_command_parse(const struct lp_wire_frame *frame,
                                   int (*other)(void *context, const struct lp_wire_field *field),
                                   void *context, struct lp_command *ret_command);
void lp_command_release(struct lp_command *command);

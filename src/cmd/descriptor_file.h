// A person's descriptor: found, read with its .env and the environment, its mistakes shown.
#pragma once

#include "model/descriptor.h"
#include "base/str.h"

struct lp_cmd;

struct lp_descriptor_file {
    const char *path;
    const struct lp_descriptor *descriptor;
    const char *text; // canonical
    size_t bytes;
};

// path NULL: limpet.yaml, compose.yaml or docker-compose.yml of the working folder. Mistakes are
// printed, all of them, as FILE:LINE:COLUMN: TEXT (on a terminal with the line), and the exit
// status is returned: LP_EXIT_DONE or LP_EXIT_USAGE. Options --profile and --scale are obeyed.
// Everything lives in cmd's arena.
LP_MUST_CHECK int lp_descriptor_file_read(struct lp_cmd *cmd, const char *path,
                                          struct lp_descriptor_file *ret_file);
// Is the text a descriptor's file rather than the name of an infrastructure?
bool lp_descriptor_file_is(const char *text);
// {"descriptor": text, "secrets": {...}} for PUT, or without secrets for plan.
const char *lp_descriptor_file_body(struct lp_cmd *cmd, const struct lp_descriptor_file *file,
                                    bool has_secrets);

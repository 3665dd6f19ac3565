// `limpet check`.
#include <stdio.h>

#include "cmd/descriptor_file.h"
#include "cmd/verb.h"

static int run(struct lp_cmd *cmd, int argc, char **argv)
{
    struct lp_descriptor_file file;
    int status = lp_descriptor_file_read(cmd, argc > 1 ? argv[1] : NULL, &file);
    if (status != LP_EXIT_DONE)
        return status;
    if (cmd->is_json) { // what the daemon would be given, with every default filled in
        puts(file.text);
        return LP_EXIT_DONE;
    }
    size_t nodes = 0, count = file.descriptor->service_count;
    for (size_t i = 0; i < count; i++)
        nodes += file.descriptor->services[i].replicas;
    if (!cmd->is_quiet)
        printf("%s: nothing wrong; %s has %zu service%s, %zu node%s\n", file.path,
               file.descriptor->name, count, count == 1 ? "" : "s", nodes, nodes == 1 ? "" : "s");
    return LP_EXIT_DONE;
}

static const struct lp_option options[] = {
    {"profile", 0, "NAME", "with the services of this profile; may be given again"},
    {0},
};

const struct lp_verb lp_verb_check = {
    .name = "check",
    .summary = "Check a descriptor without touching anything",
    .usage = "[FILE] [--profile NAME]...",
    .help =
        "All mistakes are told at once, as FILE:LINE:COLUMN. With -o json prints the canonical\n"
        "form, in which every default is filled in. Without FILE: limpet.yaml, compose.yaml or\n"
        "docker-compose.yml of the working folder.",
    .options = options,
    .run = run,
    .most = 1,
};

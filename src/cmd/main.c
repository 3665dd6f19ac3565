// limpet: one program, a verb first.
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "base/file.h"
#include "base/own.h"
#include "base/spelling.h"
#include "base/str.h"

enum { VERBS_MAX = 64 };

const struct lp_verb *lp_verb_find(const char *name)
{
    for (size_t i = 0; i < lp_verb_count; i++)
        if (strcmp(lp_verbs[i]->name, name) == 0)
            return lp_verbs[i];
    return NULL;
}

int lp_cmd_fail(const struct lp_cmd *cmd, const struct lp_err *err)
{
    fflush(stdout);
    fprintf(stderr, "limpet%s%s: %s\n", cmd->verb ? " " : "", cmd->verb ? cmd->verb->name : "",
            err->text);
    return err->code == LP_EINPUT ? LP_EXIT_USAGE : LP_EXIT_FAILED;
}

static int verb_unknown(const char *name)
{
    const char *names[VERBS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < lp_verb_count && count < VERBS_MAX; i++)
        if (!lp_verbs[i]->is_hidden)
            names[count++] = lp_verbs[i]->name;
    const char *nearest = lp_spelling_nearest(name, names, count);
    if (nearest)
        fprintf(stderr, "limpet: there is no verb '%s'; did you mean '%s'?\n", name, nearest);
    else
        fprintf(stderr, "limpet: there is no verb '%s'; limpet --help lists them\n", name);
    return LP_EXIT_USAGE;
}

// Absolute, without slashes at its end, so that every object made for it bears one name.
LP_MUST_CHECK static int root_resolve(struct lp_cmd *cmd)
{
    char folder[4096];
    if (!cmd->root)
        cmd->root = getenv("LIMPET_ROOT");
    if (!cmd->root || !cmd->root[0])
        cmd->root = "/var/lib/limpet";
    if (cmd->root[0] != '/') {
        if (!getcwd(folder, sizeof(folder)))
            return lp_err_set(&cmd->err, LP_EIO, "the working folder is gone");
        cmd->root = lp_arena_printf(cmd->arena, "%s/%s", folder, cmd->root);
    }
    char *root = lp_arena_text(cmd->arena, cmd->root);
    for (size_t bytes = strlen(root); bytes > 1 && root[bytes - 1] == '/'; bytes--)
        root[bytes - 1] = '\0';
    cmd->root = root;
    return 0;
}

static int help(struct lp_cmd *cmd, int argc, char **argv)
{
    if (argc < 2) {
        lp_help_print();
        return LP_EXIT_DONE;
    }
    const struct lp_verb *verb = lp_verb_find(argv[1]);
    if (!verb)
        return verb_unknown(argv[1]);
    if (!verb->has_own_options) {
        lp_help_print_verb(verb);
        return LP_EXIT_DONE;
    }
    char *own[] = {argv[1], (char[]){"--help"}, NULL};
    cmd->verb = verb;
    return verb->run(cmd, 2, own);
}

// With options of its own, a verb learns of the program's --infra as of one of them.
static int own_run(struct lp_cmd *cmd, int argc, char **argv)
{
    char **own = lp_arena_new_array(cmd->arena, char *, (size_t)argc + 3);
    int count = 0;
    own[count++] = argv[0];
    if (cmd->infra && !cmd->verb->is_hidden) {
        own[count++] = lp_arena_text(cmd->arena, "--infra");
        own[count++] = lp_arena_text(cmd->arena, cmd->infra);
    }
    for (int i = 1; i < argc; i++)
        own[count++] = argv[i];
    return cmd->verb->run(cmd, count, own);
}

static int verb_run(struct lp_cmd *cmd, int argc, char **argv)
{
    const struct lp_verb *verb = cmd->verb;
    if (!verb->has_own_options && lp_options_take(cmd, verb, &argc, argv, &cmd->err) < 0)
        return lp_cmd_fail(cmd, &cmd->err);
    if (!verb->has_own_options && lp_option_is_given(cmd, "help")) {
        lp_help_print_verb(verb);
        return LP_EXIT_DONE;
    }
    if (root_resolve(cmd) < 0)
        return lp_cmd_fail(cmd, &cmd->err);
    if (verb->has_own_options)
        return own_run(cmd, argc, argv);
    int arguments = argc - 1;
    if (arguments < verb->least || (verb->most >= 0 && arguments > verb->most)) {
        fprintf(stderr, "limpet %s: %s\n", verb->name,
                arguments < verb->least
                    ? "something is missing"
                    : lp_arena_printf(cmd->arena, "'%s' is one argument too many",
                                      argv[1 + verb->most]));
        fprintf(stderr, "usage: limpet %s%s%.*s\n", verb->name, verb->usage[0] ? " " : "",
                (int)strcspn(verb->usage, "\n"), verb->usage);
        return LP_EXIT_USAGE;
    }
    return verb->run(cmd, argc, argv);
}

static int run(struct lp_cmd *cmd, int argc, char **argv)
{
    if (lp_options_take(cmd, NULL, &argc, argv, &cmd->err) < 0)
        return lp_cmd_fail(cmd, &cmd->err);
    if (lp_option_is_given(cmd, "version"))
        return lp_verb_find("version")->run(cmd, 0, NULL);
    if (lp_option_is_given(cmd, "help") || argc < 2) {
        if (argc >= 2)
            return help(cmd, argc, argv);
        lp_help_print();
        return lp_option_is_given(cmd, "help") ? LP_EXIT_DONE : LP_EXIT_USAGE;
    }
    if (strcmp(argv[1], "help") == 0)
        return help(cmd, argc - 1, argv + 1);
    cmd->verb = lp_verb_find(argv[1]);
    if (!cmd->verb)
        return verb_unknown(argv[1]);
    return verb_run(cmd, argc - 1, argv + 1);
}

int main(int argc, char **argv)
{
    LP_OWNS_ARENA struct lp_arena arena = {0};
    const char *no_color = getenv("NO_COLOR");
    char program[4096];
    if (lp_program_path(program, sizeof(program), NULL) < 0)
        (void)snprintf(program, sizeof(program), "limpet");
    struct lp_cmd cmd = {.arena = &arena, .program = program};
    cmd.is_terminal = isatty(STDOUT_FILENO);
    cmd.has_color = cmd.is_terminal && !(no_color && no_color[0]);
    signal(SIGPIPE, SIG_DFL);
    int status = run(&cmd, argc, argv);
    bool is_lost = fflush(stdout) != 0 || ferror(stdout);
    if (is_lost && status == LP_EXIT_DONE) {
        fprintf(stderr, "limpet: what is printed does not arrive where it goes: %s\n",
                strerror(errno));
        status = LP_EXIT_FAILED;
    }
    return status;
}

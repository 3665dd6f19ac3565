// `limpet log`: what is odd in logs. A table of sub-verbs; each is a verb with options of its own.
#include <stdio.h>
#include <string.h>

#include "cmd/log/log_parts.h"
#include "cmd/verb.h"
#include "base/spelling.h"
#include "base/str.h"

// Their names are what stands behind "limpet"; those of two words are longer by one.
static const struct lp_verb *const verbs[] = {
    &lp_log_verb_rank,           &lp_log_verb_watch,    &lp_log_verb_templates,
    &lp_log_verb_train,          &lp_log_verb_merge,    &lp_log_verb_sessions_train,
    &lp_log_verb_sessions_score, &lp_log_verb_plot,     &lp_log_verb_generate,
    &lp_log_verb_inject,         &lp_log_verb_evaluate,
};
enum { VERBS = sizeof(verbs) / sizeof(*verbs) };

static const char *short_name(const struct lp_verb *verb)
{
    return verb->name + strlen("log ");
}

static void help_print(void)
{
    puts("usage: limpet log SUB-VERB [OPTIONS] [FILE]...\n"
         "Find what is odd in logs: learn what usually follows what, and tell what does not.\n");
    for (size_t i = 0; i < VERBS; i++)
        printf("  %-14s  %s\n", short_name(verbs[i]), verbs[i]->summary);
    puts("\nlimpet log SUB-VERB --help tells more about one; docs/logs.md tells all. Exit status: "
         "0\n"
         "done, 1 failed, or anomalies were found and --fail was given, 2 bad usage or bad input.\n"
         "\nAs every verb:\n"
         "  -o, --output json|text      form of listings (with train, inject, plot -o is a file)\n"
         "  -h, --help                  this text");
}

static int unknown_tell(const char *word)
{
    const char *names[VERBS];
    for (size_t i = 0; i < VERBS; i++)
        names[i] = short_name(verbs[i]);
    const char *nearest = lp_spelling_nearest(word, names, VERBS);
    if (nearest)
        fprintf(stderr, "limpet log: there is no '%s'; did you mean '%s'?\n", word, nearest);
    else
        fprintf(stderr, "limpet log: there is no '%s'; limpet log --help lists them\n", word);
    return LP_EXIT_USAGE;
}

// How many words of argv are the sub-verb's name: 0 when it is another one.
static int name_words(const struct lp_verb *verb, int argc, char **argv)
{
    const char *name = short_name(verb), *blank = strchr(name, ' ');
    if (!blank)
        return strcmp(argv[0], name) == 0;
    size_t bytes = (size_t)(blank - name);
    bool is_first = strncmp(argv[0], name, bytes) == 0 && argv[0][bytes] == '\0';
    return is_first && argc > 1 && strcmp(argv[1], blank + 1) == 0 ? 2 : 0;
}

// An option whose value is "FILE..." takes every word up to the next option: give each its own.
static char **words_spread(const struct lp_cmd *cmd, const struct lp_verb *verb, int *argc,
                           char **argv)
{
    char **spread = lp_arena_new_array(cmd->arena, char *, 2 * (size_t)*argc + 1);
    char *option = NULL;
    int count = 0;
    for (int i = 0; i < *argc; i++) {
        if (i > 0 && argv[i][0] == '-' && argv[i][1]) {
            option = NULL;
            for (const struct lp_option *o = verb->options; o && o->name; o++)
                if (o->value && lp_text_ends(o->value, "...") && argv[i][1] == '-' &&
                    strcmp(argv[i] + 2, o->name) == 0)
                    option = argv[i];
            if (!option)
                spread[count++] = argv[i];
            continue;
        }
        if (option)
            spread[count++] = option;
        spread[count++] = argv[i];
    }
    *argc = count;
    return spread;
}

// argv[0] is the sub-verb (its last word).
static int verb_run(struct lp_cmd *cmd, const struct lp_verb *verb, int argc, char **argv)
{
    cmd->verb = verb;
    argv = words_spread(cmd, verb, &argc, argv);
    if (lp_options_take(cmd, verb, &argc, argv, &cmd->err) < 0)
        return lp_cmd_fail(cmd, &cmd->err);
    if (lp_option_is_given(cmd, "help")) {
        lp_help_print_verb(verb);
        return LP_EXIT_DONE;
    }
    int arguments = argc - 1;
    if (arguments >= verb->least && (verb->most < 0 || arguments <= verb->most))
        return verb->run(cmd, argc, argv);
    if (arguments < verb->least)
        fprintf(stderr, "limpet %s: something is missing\n", verb->name);
    else
        fprintf(stderr, "limpet %s: '%s' is one argument too many\n", verb->name,
                argv[1 + verb->most]);
    fprintf(stderr, "usage: limpet %s %.*s\n", verb->name, (int)strcspn(verb->usage, "\n"),
            verb->usage);
    return LP_EXIT_USAGE;
}

static int run(struct lp_cmd *cmd, int argc, char **argv)
{
    if (argc > 2 && strcmp(argv[1], "--infra") == 0) { // said before the verb; see main.c
        cmd->infra = argv[2];
        argc -= 2;
        argv += 2;
    }
    if (argc < 2) {
        help_print();
        return LP_EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        help_print();
        return LP_EXIT_DONE;
    }
    for (size_t i = 0; i < VERBS; i++) {
        int words = name_words(verbs[i], argc - 1, argv + 1);
        if (words > 0)
            return verb_run(cmd, verbs[i], argc - words, argv + words);
    }
    if (argc > 2 && strcmp(argv[1], "sessions") == 0 && argv[2][0] != '-')
        return unknown_tell(lp_arena_printf(cmd->arena, "sessions %s", argv[2]));
    return unknown_tell(argv[1]);
}

const struct lp_verb lp_verb_log = {
    .name = "log",
    .summary = "Find what is odd in logs",
    .usage = "SUB-VERB [OPTIONS] [FILE]...",
    .run = run,
    .has_own_options = true,
};

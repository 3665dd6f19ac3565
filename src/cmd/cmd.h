// What every verb gets and gives: one table of verbs, from which dispatch, --help and the man
// page's test are made.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

enum lp_exit {
    LP_EXIT_DONE = 0,
    LP_EXIT_FAILED = 1,      // the thing asked for failed
    LP_EXIT_USAGE = 2,       // bad usage or bad input; nothing was touched
    LP_EXIT_NOT_HEALTHY = 3, // not all healthy within --wait
};

struct lp_option {
    const char *name;  // without its dashes
    char letter;       // 0: none
    const char *value; // name of its value in the help, "[TIME]" when it may be left out (then
                       // --name=TIME gives one, or a next word that is a time); NULL: none
    const char *help;  // NULL: Limpet gives it to itself
};

struct lp_given { // an option as it was given
    const struct lp_option *option;
    const char *value; // NULL: none was given
};

struct lp_cmd {
    const char *root;       // folder of this Limpet, absolute
    const char *infra;      // --infra; NULL: not said
    bool is_json;           // -o json
    bool is_quiet;          // -q
    bool has_color;         // standard output is a terminal and nobody objects
    bool is_terminal;       // standard output is one
    struct lp_arena *arena; // lives as long as the program
    struct lp_err err;      // for the verb's use
    const struct lp_verb *verb;
    const char *program;    // this program's own path, for starting it again
    struct lp_given *given; // the verb's options, in their order
    size_t given_count;
};

struct lp_verb {
    const char *name;
    const char *summary;             // one line, without a full stop
    const char *usage;               // what follows "limpet NAME"; lines are separated by newlines
    const char *help;                // more words, or NULL
    const struct lp_option *options; // ended by one without name; NULL: none
    // argv[0] is the verb, the rest are its arguments without its options. Returns an exit status.
    int (*run)(struct lp_cmd *cmd, int argc, char **argv);
    int least, most;      // number of arguments; most -1: no bound
    bool is_hidden;       // Limpet calls it itself
    bool has_own_options; // it reads its options, --help among them, itself: argv comes whole
};

extern const struct lp_verb *const lp_verbs[]; // verbs.c
extern const size_t lp_verb_count;
extern const struct lp_option lp_common_options[]; // options.c; every verb has them

// NULL when there is no such verb.
const struct lp_verb *lp_verb_find(const char *name);

// The value of the last one given; "" when it was given without one; NULL: not given.
const char *lp_option_value(const struct lp_cmd *cmd, const char *name);
bool lp_option_is_given(const struct lp_cmd *cmd, const char *name);
// A whole number within [low, high] and nothing else. LP_EINPUT; `what` names it in the message.
LP_MUST_CHECK int lp_number_parse(const char *text, long low, long high, const char *what,
                                  long *ret_number, struct lp_err *err);

// The time of --wait in milliseconds, "60" or "1m30s"; 10 minutes when none was given. LP_EINPUT.
LP_MUST_CHECK int lp_option_wait_ms(const struct lp_cmd *cmd, int64_t *ret_ms, struct lp_err *err);

// Take the options of `verb` (NULL: of the program itself, up to the first word) out of argv:
// common ones into cmd, others into cmd->given. Writes the number of arguments left, moved to the
// front; argv[0] stays. LP_EINPUT names the nearest right spelling.
LP_MUST_CHECK int lp_options_take(struct lp_cmd *cmd, const struct lp_verb *verb, int *argc,
                                  char **argv, struct lp_err *err);

// Print "limpet VERB: text" to standard error; returns the exit status for err's code.
int lp_cmd_fail(const struct lp_cmd *cmd, const struct lp_err *err);

// Help, generated from the table (help.c).
void lp_help_print(void);
void lp_help_print_verb(const struct lp_verb *verb);

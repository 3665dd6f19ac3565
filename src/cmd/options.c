// Options from the command line, by the table of the verb.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/cmd.h"
#include "base/spelling.h"
#include "base/str.h"
#include "model/duration.h"

enum { OPTIONS_MAX = 32 };

const struct lp_option lp_common_options[] = {
    {"root", 0, "DIR", "folder of this Limpet (default /var/lib/limpet, or $LIMPET_ROOT)"},
    {"infra", 0, "NAME", "the infrastructure that is meant"},
    {"output", 'o', "json|text", "form of listings"},
    {"quiet", 'q', NULL, "say only what went wrong"},
    {"no-color", 0, NULL, "no colours (as with $NO_COLOR)"},
    {"help", 'h', NULL, "this text"},
    {0},
};

// Of the program itself, besides: no verb has these.
static const struct lp_option program_options[] = {{"version", 'V', NULL, NULL}, {0}};

static const struct lp_option *find(const struct lp_option *options, const char *name, size_t bytes)
{
    for (; options && options->name; options++)
        if (strlen(options->name) == bytes && strncmp(options->name, name, bytes) == 0)
            return options;
    return NULL;
}

static const struct lp_option *find_letter(const struct lp_option *options, char letter)
{
    for (; options && options->name; options++)
        if (options->letter == letter)
            return options;
    return NULL;
}

static int unknown_tell(const struct lp_verb *verb, const char *name, struct lp_err *err)
{
    const char *names[2 * OPTIONS_MAX];
    size_t count = 0;
    const struct lp_option *tables[] = {verb ? verb->options : program_options, lp_common_options};
    for (size_t t = 0; t < 2; t++)
        for (const struct lp_option *o = tables[t]; o && o->name && count < 2 * OPTIONS_MAX; o++)
            names[count++] = o->name;
    const char *nearest = lp_spelling_nearest(name, names, count);
    if (nearest)
        return lp_err_set(err, LP_EINPUT, "there is no option --%s; did you mean --%s?", name,
                          nearest);
    return lp_err_set(err, LP_EINPUT, "there is no option %s%s; see limpet%s%s --help",
                      name[1] ? "--" : "-", name, verb ? " " : "", verb ? verb->name : "");
}

static bool is_common(const struct lp_option *option)
{
    return option >= lp_common_options &&
           option < lp_common_options + sizeof(lp_common_options) / sizeof(*lp_common_options);
}

LP_MUST_CHECK static int output_set(struct lp_cmd *cmd, const char *value, struct lp_err *err)
{
    cmd->is_json = lp_text_equal(value, "json");
    if (!cmd->is_json && !lp_text_equal(value, "text"))
        return lp_err_set(err, LP_EINPUT, "-o %s: the forms are json and text", value);
    return 0;
}

LP_MUST_CHECK static int put(struct lp_cmd *cmd, const struct lp_option *option, const char *value,
                             struct lp_err *err)
{
    if (is_common(option) && strcmp(option->name, "output") == 0)
        return output_set(cmd, value, err);
    if (is_common(option) && strcmp(option->name, "root") == 0)
        cmd->root = value;
    else if (is_common(option) && strcmp(option->name, "infra") == 0)
        cmd->infra = value;
    else if (is_common(option) && strcmp(option->name, "quiet") == 0)
        cmd->is_quiet = true;
    else if (is_common(option) && strcmp(option->name, "no-color") == 0)
        cmd->has_color = false;
    cmd->given[cmd->given_count++] = (struct lp_given){option, value};
    return 0;
}

struct words { // the command line while it is taken apart
    int argc, at;
    char **argv;
};

static bool is_value_optional(const struct lp_option *option)
{
    return option->value && option->value[0] == '[';
}

// "60", "90s", "1m30s": no file that somebody brings up is called so.
static bool is_time(const char *word)
{
    uint32_t ms;
    return word && word[0] >= '0' && word[0] <= '9' &&
           (!word[strspn(word, "0123456789")] || lp_duration_parse(word, &ms));
}

LP_MUST_CHECK static int long_take(struct lp_cmd *cmd, const struct lp_verb *verb,
                                   struct words *words, struct lp_err *err)
{
    const char *name = words->argv[words->at] + 2;
    const char *equals = strchr(name, '=');
    size_t bytes = equals ? (size_t)(equals - name) : strlen(name);
    const struct lp_option *option = find(verb ? verb->options : program_options, name, bytes);
    if (!option)
        option = find(lp_common_options, name, bytes);
    if (!option)
        return unknown_tell(verb, lp_arena_text_n(cmd->arena, name, bytes), err);
    if (!option->value && equals)
        return lp_err_set(err, LP_EINPUT, "--%s takes no value", option->name);
    const char *value = equals ? equals + 1 : NULL;
    if (option->value && !value && !is_value_optional(option)) {
        if (words->at + 1 >= words->argc)
            return lp_err_set(err, LP_EINPUT, "--%s needs %s", option->name, option->value);
        value = words->argv[++words->at];
    }
    if (is_value_optional(option) && !value && words->at + 1 < words->argc &&
        is_time(words->argv[words->at + 1]))
        value = words->argv[++words->at];
    return put(cmd, option, value, err);
}

LP_MUST_CHECK static int letters_take(struct lp_cmd *cmd, const struct lp_verb *verb,
                                      struct words *words, struct lp_err *err)
{
    for (const char *at = words->argv[words->at] + 1; *at; at++) {
        const struct lp_option *option = find_letter(verb ? verb->options : program_options, *at);
        if (!option)
            option = find_letter(lp_common_options, *at);
        if (!option)
            return unknown_tell(verb, (char[]){*at, '\0'}, err);
        if (!option->value) {
            if (put(cmd, option, NULL, err) < 0)
                return err->code;
            continue;
        }
        const char *value = at[1] ? at + 1 : NULL;
        if (!value && words->at + 1 < words->argc)
            value = words->argv[++words->at];
        if (!value)
            return lp_err_set(err, LP_EINPUT, "-%c needs %s", *at, option->value);
        return put(cmd, option, value, err);
    }
    return 0;
}

int lp_options_take(struct lp_cmd *cmd, const struct lp_verb *verb, int *argc, char **argv,
                    struct lp_err *err)
{
    struct words words = {*argc, 1, argv};
    int kept = 1;
    bool is_over = false;
    size_t room = cmd->given_count;
    for (int i = 1; i < *argc; i++) // a word of letters may hold as many options
        room += strlen(argv[i]) + 1;
    struct lp_given *given = lp_arena_new_array(cmd->arena, struct lp_given, room + 1);
    for (size_t i = 0; i < cmd->given_count; i++)
        given[i] = cmd->given[i];
    cmd->given = given;
    for (; words.at < words.argc; words.at++) {
        char *word = argv[words.at];
        bool is_option = !is_over && word[0] == '-' && word[1] != '\0';
        if (!is_option) {
            is_over = is_over || !verb;
            argv[kept++] = word;
            continue;
        }
        if (strcmp(word, "--") == 0) {
            is_over = true;
            continue;
        }
        int code = word[1] == '-' ? long_take(cmd, verb, &words, err)
                                  : letters_take(cmd, verb, &words, err);
        if (code < 0)
            return code;
    }
    *argc = kept;
    argv[kept] = NULL;
    return 0;
}

const char *lp_option_value(const struct lp_cmd *cmd, const char *name)
{
    for (size_t i = cmd->given_count; i > 0; i--)
        if (strcmp(cmd->given[i - 1].option->name, name) == 0)
            return cmd->given[i - 1].value ? cmd->given[i - 1].value : "";
    return NULL;
}

bool lp_option_is_given(const struct lp_cmd *cmd, const char *name)
{
    return lp_option_value(cmd, name) != NULL;
}

int lp_number_parse(const char *text, long low, long high, const char *what, long *ret_number,
                    struct lp_err *err)
{
    char *end = NULL;
    errno = 0;
    long number = strtol(text, &end, 10);
    if (end == text || *end || errno || number < low || number > high)
        return lp_err_set(err, LP_EINPUT, "%s: '%s' is not a number from %ld to %ld", what, text,
                          low, high);
    *ret_number = number;
    return 0;
}

int lp_option_wait_ms(const struct lp_cmd *cmd, int64_t *ret_ms, struct lp_err *err)
{
    enum { WAIT_DEFAULT_S = 600, WAIT_MAX_S = 7 * 24 * 3600 };
    const char *text = lp_option_value(cmd, "wait");
    uint32_t ms = WAIT_DEFAULT_S * 1000;
    long seconds = 0;
    if (text && text[0] && lp_number_parse(text, 0, WAIT_MAX_S, "--wait", &seconds, NULL) == 0)
        ms = (uint32_t)seconds * 1000;
    else if (text && text[0] && (!lp_duration_parse(text, &ms) || ms > WAIT_MAX_S * 1000u))
        return lp_err_set(err, LP_EINPUT, "--wait: '%s' is not a time, such as 60 or 90s or 5m",
                          text);
    *ret_ms = ms;
    return 0;
}

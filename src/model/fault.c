// Faults on purpose, as people write them: options by name, times, and a line for listings.
#include "model/fault_kind.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "base/spelling.h"
#include "base/str.h"
#include "model/duration.h"
#include "model/want.h"

enum { DEFAULT_DURATION_MS = 5 * 60 * 1000, LP_FAULT_COMMAND_MAX = 4096 };

static uint32_t flags_of(const struct lp_fault_spec *spec)
{
    const struct lp_fault_about *about = &lp_fault_kinds[spec->kind].about;
    bool holds = about->may_hold && spec->duration_ms > 0;
    return (about->is_instant && !holds ? LP_FAULT_IS_INSTANT : 0) | (holds ? LP_FAULT_HOLDS : 0) |
           (about->is_of_life ? LP_FAULT_IS_OF_LIFE : 0) |
           (about->place == LP_FAULT_OF_APP ? LP_FAULT_ON_APP : 0);
}

// Options by name.

static bool share_read(const char *text, uint32_t *ret_permille)
{
    char number[16];
    size_t bytes = strlen(text);
    if (bytes < 2 || bytes >= sizeof(number) || text[bytes - 1] != '%')
        return lp_permille_parse(text, ret_permille) && *ret_permille <= 1000;
    memcpy(number, text, bytes - 1);
    number[bytes - 1] = '\0';
    if (!lp_permille_parse(number, ret_permille) || *ret_permille > 100 * 1000)
        return false;
    bool is_whole = *ret_permille % 100 == 0; // a share is kept in tenths of a percent
    *ret_permille /= 100;
    return is_whole;
}

static bool micros_read(const char *text, uint32_t *ret_us)
{
    // lp_duration_parse rounds up to milliseconds: microseconds are read here.
    char *end;
    unsigned long us = strtoul(text, &end, 10);
    uint32_t ms;
    if (end > text && strcmp(end, "us") == 0 && us <= UINT32_MAX) {
        *ret_us = (uint32_t)us;
        return true;
    }
    if (!lp_duration_parse(text, &ms) || ms > UINT32_MAX / 1000)
        return false;
    *ret_us = ms * 1000;
    return true;
}

static bool rate_read(const char *text, uint64_t *ret_bytes)
{
    char *end;
    unsigned long long number = strtoull(text, &end, 10);
    if (end > text && number > 0 && strcmp(end, "mbit") == 0)
        *ret_bytes = number * 1000 * 1000 / 8;
    else if (end > text && number > 0 && strcmp(end, "kbit") == 0)
        *ret_bytes = number * 1000 / 8;
    else
        return lp_size_parse(text, ret_bytes) && *ret_bytes > 0;
    return number < (1u << 30);
}

static bool jump_read(const char *text, int64_t *ret_ms)
{
    uint32_t ms;
    bool is_back = *text == '-';
    if (!lp_duration_parse(text + (is_back || *text == '+'), &ms))
        return false;
    *ret_ms = is_back ? -(int64_t)ms : ms;
    return true;
}

static bool word_read(const char *text, const char *const *words, uint32_t *ret_index)
{
    for (uint32_t i = 0; words[i]; i++) {
        if (strcmp(text, words[i]) == 0) {
            *ret_index = i;
            return true;
        }
    }
    return false;
}

static const char *const directions[] = {"both", "in", "out", NULL};
static const char *const distributions[] = {"uniform", "normal", NULL};
static const char *const operations[] = {"all", "read", "write", "sync", NULL};

static bool number_read(const char *text, int64_t least, int64_t most, int64_t *ret_number)
{
    char *end;
    *ret_number = strtoll(text, &end, 10);
    return end > text && *end == '\0' && *ret_number >= least && *ret_number <= most;
}

// "100ppm", "-100" or "2x": how much faster than right, in millionths.
static bool drift_read(const char *text, int32_t *ret_ppm)
{
    char *end;
    const double least = -900 * 1000, most = 9 * 1000 * 1000;
    double number = strtod(text, &end);
    if (end == text || !(number >= -1e9 && number <= 1e9))
        return false;
    if (strcmp(end, "x") == 0)
        number = (number - 1) * 1e6;
    else if (*end != '\0' && strcmp(end, "ppm") != 0)
        return false;
    *ret_ppm = (int32_t)(number < 0 ? number - 0.5 : number + 0.5);
    return number >= least && number <= most && *ret_ppm != 0;
}

static const struct option {
    const char *name;
    uint32_t bit;
    const char *form; // what would be right
} options[] = {
    {"delay", LP_FAULT_TAKES_DELAY, "a duration such as 100ms"},
    {"jitter", LP_FAULT_TAKES_JITTER, "a duration such as 10ms"},
    {"distribution", LP_FAULT_TAKES_JITTER, "uniform or normal"},
    {"share", LP_FAULT_TAKES_SHARE, "a share such as 5% or 0.05, in steps of 0.1%"},
    {"rate", LP_FAULT_TAKES_RATE, "bytes a second such as 512k, or 8mbit"},
    {"workers", LP_FAULT_TAKES_WORKERS, "a number from 1 to 64"},
    {"leave", LP_FAULT_TAKES_LEAVE, "a size such as 16m"},
    {"jump", LP_FAULT_TAKES_JUMP, "a duration such as 1h or -30s"},
    {"drift", LP_FAULT_TAKES_DRIFT, "a speed such as 100ppm, -5000ppm or 2x, from 0.1x to 10x"},
    {"direction", LP_FAULT_TAKES_LINK, "both, in or out"},
    {"peer", LP_FAULT_TAKES_LINK, NULL},
    {"network", LP_FAULT_TAKES_LINK, NULL},
    {"command", LP_FAULT_TAKES_COMMAND, "a command of the shell, 1 to 4096 bytes"},
    {"undo", LP_FAULT_TAKES_UNDO, "a command of the shell, 1 to 4096 bytes"},
    {"volume", LP_FAULT_TAKES_VOLUME, NULL},
    {"on", LP_FAULT_TAKES_ON, "all, read, write or sync"},
    {"seed", 0, "a number"},
};
enum { OPTIONS = sizeof(options) / sizeof(options[0]) };

static bool value_read(const struct option *option, const char *text, struct lp_fault_spec *spec)
{
    int64_t number = 0;
    uint32_t ignored; // the hand reads the word
    bool is_good = true;
    if (!option->form)
        return true; // a name, looked up by whoever knows it
    if (strcmp(option->name, "delay") == 0)
        is_good = micros_read(text, &spec->delay_us);
    else if (option->bit == LP_FAULT_TAKES_JITTER && strcmp(option->name, "jitter") == 0)
        is_good = micros_read(text, &spec->jitter_us);
    else if (option->bit == LP_FAULT_TAKES_JITTER)
        is_good = word_read(text, distributions, &spec->distribution);
    else if (option->bit == LP_FAULT_TAKES_SHARE)
        is_good = share_read(text, &spec->permille);
    else if (option->bit == LP_FAULT_TAKES_RATE)
        is_good = rate_read(text, &spec->bytes);
    else if (option->bit == LP_FAULT_TAKES_LEAVE)
        is_good = lp_size_parse(text, &spec->bytes);
    else if (option->bit == LP_FAULT_TAKES_JUMP)
        is_good = jump_read(text, &spec->clock_ms);
    else if (option->bit == LP_FAULT_TAKES_ON)
        is_good = word_read(text, operations, &ignored);
    else if (option->bit == LP_FAULT_TAKES_LINK)
        is_good = word_read(text, directions, &spec->direction);
    else if (option->bit == LP_FAULT_TAKES_WORKERS && (is_good = number_read(text, 1, 64, &number)))
        spec->count = (uint32_t)number;
    else if (option->bit == LP_FAULT_TAKES_DRIFT)
        is_good = drift_read(text, &spec->drift_ppm);
    else if (option->bit & (LP_FAULT_TAKES_COMMAND | LP_FAULT_TAKES_UNDO))
        is_good = text[0] && strlen(text) <= LP_FAULT_COMMAND_MAX;
    else if (option->bit == 0 && (is_good = number_read(text, 0, UINT32_MAX, &number)))
        spec->seed = (uint32_t)number;
    return is_good;
}

static int option_unknown(const struct lp_fault_row_of_kind *kind, const char *name,
                          struct lp_err *err)
{
    const char *names[OPTIONS];
    size_t count = 0;
    LP_OWNS_STR struct lp_str list = {0};
    for (size_t i = 0; i < OPTIONS; i++) {
        if (options[i].bit && !(options[i].bit & kind->options))
            continue;
        lp_str_printf(&list, "%s%s", count ? ", " : "", options[i].name);
        names[count++] = options[i].name;
    }
    const char *nearest = lp_spelling_nearest(name, names, count);
    if (nearest)
        return lp_err_set(err, LP_EINPUT, "the fault %s has no option '%s': did you mean '%s'?",
                          lp_fault_words[kind - lp_fault_kinds], name, nearest);
    return lp_err_set(err, LP_EINPUT, "the fault %s has no option '%s'; it has: %s",
                      lp_fault_words[kind - lp_fault_kinds], name, lp_str_text(&list));
}

LP_MUST_CHECK static int option_read(const struct lp_fault_row_of_kind *kind,
                                     const struct lp_pair *pair, struct lp_fault_spec *spec,
                                     uint32_t *given, struct lp_err *err)
{
    for (size_t i = 0; i < OPTIONS; i++) {
        if (strcmp(options[i].name, pair->key) != 0 ||
            (options[i].bit && !(options[i].bit & kind->options)))
            continue;
        *given |= options[i].bit;
        if (value_read(&options[i], pair->value, spec))
            return 0;
        return lp_err_set(err, LP_EINPUT, "%s '%s' is not %s", pair->key, pair->value,
                          options[i].form);
    }
    return option_unknown(kind, pair->key, err);
}

LP_MUST_CHECK static int kind_find(const char *word, uint32_t *ret_kind, struct lp_err *err)
{
    const char *words[LP_FAULT_KINDS];
    for (uint32_t i = 1; i < LP_FAULT_KINDS; i++) {
        words[i - 1] = lp_fault_words[i];
        if (strcmp(word, words[i - 1]) == 0) {
            *ret_kind = i;
            return 0;
        }
    }
    const char *nearest = lp_spelling_nearest(word, words, LP_FAULT_KINDS - 1);
    if (nearest)
        return lp_err_set(err, LP_EINPUT, "there is no fault '%s': did you mean '%s'?", word,
                          nearest);
    return lp_err_set(err, LP_EINPUT, "there is no fault '%s'; limpet break --help lists them",
                      word);
}

LP_MUST_CHECK static int duration_read(const char *text, struct lp_fault_spec *spec,
                                       struct lp_err *err)
{
    const struct lp_fault_about *about = &lp_fault_kinds[spec->kind].about;
    bool has_none = about->is_instant && !about->may_hold;
    if (!text)
        spec->duration_ms = about->is_instant ? 0 : DEFAULT_DURATION_MS;
    else if (has_none)
        return lp_err_set(err, LP_EINPUT, "the fault %s is over at once: it takes no time",
                          lp_fault_words[spec->kind]);
    else if (strcmp(text, "ever") == 0)
        spec->duration_ms = LP_FAULT_FOREVER;
    else if (!lp_duration_parse(text, &spec->duration_ms) || spec->duration_ms == 0)
        return lp_err_set(err, LP_EINPUT, "'%s' is not a duration such as 30s, nor 'ever'", text);
    return 0;
}

int lp_fault_parse(const char *word, const char *duration, const struct lp_pairs *given_options,
                   struct lp_fault_spec *ret_spec, struct lp_err *err)
{
    struct lp_fault_spec spec = {.peer_service = LP_NONE, .peer_node = LP_NONE, .network = LP_NONE};
    uint32_t given = 0;
    if (kind_find(word, &spec.kind, err) < 0 || duration_read(duration, &spec, err) < 0)
        return err->code;
    const struct lp_fault_row_of_kind *kind = &lp_fault_kinds[spec.kind];
    spec.permille = kind->share;
    for (size_t i = 0; i < given_options->count; i++)
        if (option_read(kind, &given_options->items[i], &spec, &given, err) < 0)
            return err->code;
    for (size_t i = 0; i < OPTIONS; i++)
        if (options[i].bit & kind->needs & ~given)
            return lp_err_set(err, LP_EINPUT, "the fault %s needs the option %s", word,
                              options[i].name);
    if (spec.kind == LP_FAULT_CLOCK && !spec.clock_ms && !spec.drift_ppm)
        return lp_err_set(err, LP_EINPUT, "the fault clock needs the option jump or drift");
    if (spec.kind == LP_FAULT_REORDER && !spec.delay_us)
        spec.delay_us = 10 * 1000; // the others are held back this long
    spec.flags = flags_of(&spec);
    *ret_spec = spec;
    return 0;
}

void lp_fault_options(enum lp_fault_kind kind, struct lp_str *ret_names)
{
    for (size_t i = 0; i < OPTIONS; i++)
        if (options[i].bit & lp_fault_kinds[kind].options)
            lp_str_printf(ret_names, "%s%s", ret_names->bytes ? " " : "", options[i].name);
}

// Listings.

static void print_micros(uint32_t us, struct lp_str *text)
{
    if (us % 1000)
        lp_str_printf(text, "%uus", us);
    else
        lp_str_printf(text, "%ums", us / 1000);
}

static void print_duration(uint32_t ms, struct lp_str *text)
{
    if (ms == LP_FAULT_FOREVER)
        lp_str_add(text, ", until healed");
    else if (ms % 1000)
        lp_str_printf(text, ", for %u ms", ms);
    else if (ms)
        lp_str_printf(text, ", for %u s", ms / 1000);
}

// What only the words of the request tell: names, and what the hand alone reads.
static void print_as_asked(const char *as_asked, struct lp_str *text)
{
    static const char *const names[] = {"distribution", "peer",  "network", "volume",
                                        "on",           "leave", "workers"};
    json_t *asked = as_asked ? json_loads(as_asked, 0, NULL) : NULL;
    const json_t *given = json_object_get(asked, "options");
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const char *value = json_string_value(json_object_get(given, names[i]));
        if (value)
            lp_str_printf(text, ", %s %s", names[i], value);
    }
    json_decref(asked);
}

void lp_fault_print(const struct lp_fault_spec *spec, const char *as_asked, struct lp_str *text)
{
    const struct lp_fault_row_of_kind *kind = &lp_fault_kinds[spec->kind];
    lp_str_add(text, lp_fault_words[kind - lp_fault_kinds]);
    if (kind->options & LP_FAULT_TAKES_DELAY) {
        lp_str_add(text, " ");
        print_micros(spec->delay_us, text);
    }
    if (spec->jitter_us) {
        lp_str_add(text, " +-");
        print_micros(spec->jitter_us, text);
    }
    bool has_size = (kind->options & LP_FAULT_TAKES_LEAVE) && spec->bytes; // in its place
    if ((kind->options & LP_FAULT_TAKES_SHARE) && !has_size)
        lp_str_printf(text, " %u.%u %%", spec->permille / 10, spec->permille % 10);
    if (kind->options & LP_FAULT_TAKES_RATE)
        lp_str_printf(text, " %llu B/s", (unsigned long long)spec->bytes);
    if (spec->clock_ms)
        lp_str_printf(text, " %+lld ms", (long long)spec->clock_ms);
    if (spec->drift_ppm)
        lp_str_printf(text, " %+d ppm", spec->drift_ppm);
    if (spec->direction != LP_FAULT_BOTH)
        lp_str_printf(text, ", %s", directions[spec->direction]);
    print_as_asked(as_asked, text);
    print_duration(spec->duration_ms, text);
}

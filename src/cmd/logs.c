// `limpet logs`: the applications' output, of one node or of many, merged by time.
#define _GNU_SOURCE
#include "cmd/logs.h"

#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <time.h>
#include <unistd.h>

#include "cmd/log_source.h"
#include "cmd/node_find.h"
#include "base/arena.h"
#include "base/own.h"

enum {
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,
    SOURCES_MAX = 4096, // two fds each; more than the fd limit are told of
    RESCAN_MS = 1000,   // new nodes and new logs are looked for that often
};

static const char usage[] =
    "usage: limpet logs [-f] [-n LINES] [--since WHEN] [-t] [--infra NAME] "
    "[NODE|SERVICE[/APP]]...\n"
    "Show what applications wrote; of all nodes when none is named.\n"
    "  -f, --follow        go on as more is written\n"
    "  -n, --tail LINES    only the last LINES of each application\n"
    "      --since WHEN    only what was written since: 90s, 10m, 2h, 1d, 2026-01-31T12:00:00,\n"
    "                      @1769860800.5 (seconds since 1970)\n"
    "  -t, --timestamps    begin each line with the time it was written\n"
    "      --no-prefix     leave out the name of the node\n"
    "      --infra NAME    of this infrastructure; names may be INFRA/NODE too\n";

struct options {
    bool is_following, has_times, has_help, has_prefix, has_color;
    uint64_t tail;
    int64_t since_ms;
    const char *infra;
};

struct view {
    const char *root;
    struct options options;
    char **targets; // NULL-ended
    struct lp_log_source *sources;
    size_t count, capacity;
    int label_width;
    int inotify_fd;
    bool has_begun;          // what appears from now on is new: shown from its start
    struct lp_arena *arena;  // lives as long as the sources
    struct lp_arena scratch; // of one look at the folders
};

static const char *const colors[] = {"36", "33", "32", "35", "34", "96", "93", "92", "95", "94"};

// A log's name reaches the terminal; what runs in the node may have chosen it.
static bool is_app_name(const char *name, size_t bytes)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
    return bytes > 0 && bytes < 64 && name[0] != '.' && strspn(name, allowed) >= bytes;
}

static bool is_known(const struct view *view, const char *folder, const char *app)
{
    for (size_t i = 0; i < view->count; i++)
        if (strcmp(view->sources[i].app, app) == 0 && strcmp(view->sources[i].folder, folder) == 0)
            return true;
    return false;
}

// "db-1" when the application is the service's short form, else "db-1/mariadb".
static const char *label_make(struct view *view, const struct lp_found_node *node, const char *app)
{
    const char *dash = strrchr(node->name, '-');
    bool is_short = dash && strlen(app) == (size_t)(dash - node->name) &&
                    strncmp(app, node->name, strlen(app)) == 0;
    return is_short ? lp_arena_text(view->arena, node->name)
                    : lp_arena_printf(view->arena, "%s/%s", node->name, app);
}

static void source_add(struct view *view, const struct lp_found_node *node, const char *app)
{
    if (view->count == SOURCES_MAX || is_known(view, node->log_folder, app))
        return;
    if (view->count == view->capacity) {
        view->capacity = view->capacity ? 2 * view->capacity : 16;
        view->sources = lp_heap_grow(view->sources, view->capacity, sizeof(*view->sources));
    }
    struct lp_log_source *source = &view->sources[view->count];
    const char *label = label_make(view, node, app);
    *source = (struct lp_log_source){
        .folder = lp_arena_text(view->arena, node->log_folder),
        .app = lp_arena_text(view->arena, app),
        .label = label,
    };
    source->color = (unsigned)(view->count % (sizeof(colors) / sizeof(colors[0])));
    lp_log_source_open(source, view->has_begun ? 0 : view->options.tail);
    view->count++;
    if ((int)strlen(label) > view->label_width)
        view->label_width = (int)strlen(label);
}

static int app_compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

// Add the logs of a node; app NULL: all of them.
static void node_add(struct view *view, const struct lp_found_node *node, const char *app)
{
    const char *apps[64] = {0};
    size_t count = 0;
    LP_OWNS_DIR DIR *folder = opendir(node->log_folder);
    struct dirent *entry = NULL;
    while (folder && count < 64 && (entry = readdir(folder))) {
        size_t bytes = strlen(entry->d_name);
        if (bytes < 5 || strcmp(entry->d_name + bytes - 4, ".log") != 0 ||
            !is_app_name(entry->d_name, bytes - 4))
            continue;
        const char *name = lp_arena_text_n(&view->scratch, entry->d_name, bytes - 4);
        if (!app || strcmp(app, name) == 0)
            apps[count++] = name;
    }
    qsort(apps, count, sizeof(apps[0]), app_compare);
    for (size_t i = 0; i < count; i++)
        source_add(view, node, apps[i]);
    if (folder && view->inotify_fd >= 0) // the same folder again: the same watch
        inotify_add_watch(view->inotify_fd, node->log_folder, IN_MODIFY | IN_CREATE | IN_MOVED_TO);
}

// What one word means: NODE, SERVICE, INFRA/NODE, NODE/APP, INFRA/NODE/APP.
static int target_add(struct view *view, const char *target, struct lp_err *err)
{
    struct lp_found_nodes nodes;
    const char *app = NULL;
    int code = lp_nodes_find(view->root, view->options.infra, target, &view->scratch, &nodes, err);
    const char *slash = target ? strrchr(target, '/') : NULL;
    if (code == LP_ENOTFOUND && slash) {
        const char *before = lp_arena_text_n(&view->scratch, target, (size_t)(slash - target));
        struct lp_err ignored; // the words about the whole are the better ones
        code = lp_nodes_find(view->root, view->options.infra, before, &view->scratch, &nodes,
                             &ignored);
        app = slash + 1;
    }
    if (code < 0)
        return err->code;
    for (size_t i = 0; i < nodes.count; i++)
        node_add(view, &nodes.items[i], app);
    return 0;
}

static int targets_add(struct view *view, struct lp_err *err)
{
    int code = view->targets[0] ? 0 : target_add(view, NULL, err);
    for (char **target = view->targets; *target && code == 0; target++)
        code = target_add(view, *target, err);
    lp_arena_release(&view->scratch);
    return code;
}

static void line_print(const struct view *view, const struct lp_log_source *source,
                       const char *line, size_t bytes)
{
    const struct options *options = &view->options;
    if (options->has_prefix)
        printf("%s%s%s%-*s |%s ", options->has_color ? "\033[" : "",
               options->has_color ? colors[source->color] : "", options->has_color ? "m" : "",
               view->label_width, source->label, options->has_color ? "\033[0m" : "");
    if (options->has_times) {
        char text[32] = "-------------------";
        time_t seconds = (time_t)(source->time_ms / 1000);
        struct tm local;
        if (source->time_ms > 0 && localtime_r(&seconds, &local))
            strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &local);
        printf("%s.%03d ", text, (int)(source->time_ms % 1000));
    }
    fwrite(line, 1, bytes, stdout);
    putchar('\n');
}

// Print all lines that are there, the earliest first. Returns false when nobody reads any more.
static bool lines_print(struct view *view)
{
    for (size_t i = 0; i < view->count; i++)
        view->sources[i].is_dry = false;
    for (;;) {
        struct lp_log_source *first = NULL;
        const char *line = NULL, *first_line = NULL;
        size_t bytes = 0, first_bytes = 0;
        for (size_t i = 0; i < view->count; i++) {
            struct lp_log_source *source = &view->sources[i];
            if (source->is_dry)
                continue;
            source->is_dry =
                !lp_log_source_peek(source, !view->options.is_following, &line, &bytes);
            if (source->is_dry)
                continue;
            if (first && first->time_ms <= source->time_ms)
                continue;
            first = source;
            first_line = line;
            first_bytes = bytes;
        }
        if (!first)
            return fflush(stdout) == 0 && !ferror(stdout);
        if (first->time_ms >= view->options.since_ms)
            line_print(view, first, first_line, first_bytes);
        lp_log_source_take(first);
        if (ferror(stdout))
            return false;
    }
}

static int follow(struct view *view, struct lp_err *err)
{
    char events[4096];
    view->has_begun = true;
    while (lines_print(view)) {
        struct pollfd waits[2] = {{.fd = view->inotify_fd, .events = POLLIN},
                                  {.fd = STDOUT_FILENO, .events = 0}}; // its reader may leave
        if (poll(waits, 2, RESCAN_MS) < 0 && errno != EINTR)
            return lp_err_set(err, LP_EIO, "poll: %s", strerror(errno));
        if (waits[1].revents & (POLLERR | POLLHUP))
            return 0;
        while (read(view->inotify_fd, events, sizeof(events)) > 0)
            continue;
        int code = targets_add(view, err);
        if (code < 0 && code != LP_ENOTFOUND) // nodes come and go
            return code;
    }
    return 0;
}

// "90s", "10m", "2h", "1d": that long ago; "@1700000000.5": seconds since 1970; else a local time.
// -1: none of them.
static int64_t since_parse(const char *text)
{
    static const struct {
        char unit;
        int64_t seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
    int64_t now_s = (int64_t)time(NULL);
    char *end = NULL;
    if (text[0] == '@' && text[1] >= '0' && text[1] <= '9') {
        double since_s = strtod(text + 1, &end);
        return *end == '\0' && since_s < 1e12 ? (int64_t)(since_s * 1000) : -1;
    }
    long number = strtol(text, &end, 10);
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
        if (end != text && *end == units[i].unit && end[1] == '\0' && number >= 0)
            return (now_s - number * units[i].seconds) * 1000;
    struct tm when = {.tm_isdst = -1};
    const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &when);
    if (!rest) {
        when = (struct tm){.tm_isdst = -1};
        rest = strptime(text, "%Y-%m-%d", &when);
    }
    return rest && *rest == '\0' ? (int64_t)mktime(&when) * 1000 : -1;
}

// Returns how many arguments were options, or -1.
static int options_parse(int argc, char **argv, struct options *options)
{
    static const struct option known[] = {
        {"follow", no_argument, NULL, 'f'},      {"tail", required_argument, NULL, 'n'},
        {"since", required_argument, NULL, 'S'}, {"timestamps", no_argument, NULL, 't'},
        {"no-prefix", no_argument, NULL, 'P'},   {"infra", required_argument, NULL, 'I'},
        {"help", no_argument, NULL, 'h'},        {NULL, 0, NULL, 0},
    };
    *options = (struct options){.has_prefix = true};
    const char *no_color = getenv("NO_COLOR");
    options->has_color = isatty(STDOUT_FILENO) && !(no_color && no_color[0]);
    optind = 0; // begin anew: the program's own options were parsed before
    for (int option = 0; (option = getopt_long(argc, argv, "fn:th", known, NULL)) != -1;) {
        char *end = NULL;
        if (option == 'f')
            options->is_following = true;
        else if (option == 't')
            options->has_times = true;
        else if (option == 'P')
            options->has_prefix = false;
        else if (option == 'I')
            options->infra = optarg;
        else if (option == 'h')
            options->has_help = true;
        else if (option == 'S' && (options->since_ms = since_parse(optarg)) >= 0)
            continue;
        else if (option == 'n' && optarg[0] >= '0' && optarg[0] <= '9' &&
                 (options->tail = strtoull(optarg, &end, 10)) > 0 && !*end)
            continue;
        else {
            if (option == 'n' || option == 'S')
                fprintf(stderr, "limpet logs: '%s' is no %s\n", optarg,
                        option == 'n' ? "number of lines" : "time, such as 10m or 2026-01-31");
            return -1;
        }
    }
    return optind;
}

int lp_cmd_logs(const char *root, int argc, char **argv)
{
    LP_OWNS_ARENA struct lp_arena arena = {0};
    struct view view = {.root = root, .arena = &arena, .inotify_fd = -1};
    struct lp_err err;
    int first = options_parse(argc, argv, &view.options);
    if (first < 0 || view.options.has_help) {
        fputs(usage, first < 0 ? stderr : stdout);
        return first < 0 ? EXIT_USAGE : 0;
    }
    view.targets = argv + first;
    LP_OWNS_FD int inotify_fd =
        view.options.is_following ? inotify_init1(IN_CLOEXEC | IN_NONBLOCK) : -1;
    view.inotify_fd = inotify_fd;
    int code = targets_add(&view, &err);
    if (code == 0 && view.options.is_following)
        code = follow(&view, &err);
    else if (code == 0)
        lines_print(&view);
    for (size_t i = 0; i < view.count; i++)
        lp_log_source_close(&view.sources[i]);
    lp_heap_free(view.sources);
    if (code < 0)
        fprintf(stderr, "limpet logs: %s\n", err.text);
    return code < 0 ? EXIT_FAILED : 0;
}

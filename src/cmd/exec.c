// `limpet exec`: run a command in a node, with this terminal or without one.
#define _GNU_SOURCE
#include "cmd/exec.h"

#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "cmd/node_find.h"
#include "drivers/crun/init_exec.h"
#include "model/wire.h"
#include "base/arena.h"
#include "base/file.h"
#include "base/own.h"

enum {
    EXIT_USAGE = 2,
    EXIT_FAILED = 1,
    EXIT_NOT_FOUND = 127, // as shells have it
    EXIT_DENIED = 126,
    EXIT_SIGNAL = 128,
    ENV_MAX = 256,
};

static const char usage[] =
    "usage: limpet exec [-i] [-t] [-u USER] [-w DIR] [-e KEY=VALUE]... [--infra NAME] NODE "
    "COMMAND...\n"
    "Run COMMAND in NODE; its exit status becomes that of limpet.\n"
    "  -i, --interactive    pass standard input on\n"
    "  -t, --tty            give it a terminal\n"
    "  -u, --user USER      name, uid, name:group or uid:gid; else root of the node\n"
    "  -w, --workdir DIR    working directory; else /\n"
    "  -e, --env KEY=VALUE  add to its environment; KEY alone takes the value from here\n"
    "      --timeout SECONDS  kill it then\n"
    "      --infra NAME     of this infrastructure; NODE may be INFRA/NODE too\n";

struct options {
    bool is_interactive, has_help;
    const char *infra;
    struct lp_exec_request request;
    struct lp_pair pairs[ENV_MAX];
};

struct run {
    struct lp_init_exec *exec;
    bool has_ended, is_input_open;
    int exit_status;
};

static struct termios terminal_before;
static bool is_terminal_raw;
static volatile sig_atomic_t is_resized, ending_signal;

static void signal_note(int number)
{
    if (number == SIGWINCH)
        is_resized = 1;
    else
        ending_signal = number;
}

static void terminal_restore(void)
{
    if (is_terminal_raw)
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &terminal_before);
    is_terminal_raw = false;
}

static int terminal_make_raw(struct lp_err *err)
{
    if (tcgetattr(STDIN_FILENO, &terminal_before) < 0)
        return lp_err_set(err, LP_EINPUT, "-t: standard input is not a terminal");
    struct termios raw = terminal_before;
    cfmakeraw(&raw);
    atexit(terminal_restore);
    is_terminal_raw = tcsetattr(STDIN_FILENO, TCSAFLUSH, &raw) == 0;
    return 0;
}

// With the handlers, signals are blocked but inside ppoll: none is lost between look and wait.
static void signals_open(sigset_t *ret_waiting)
{
    static const int numbers[] = {SIGWINCH, SIGTERM, SIGHUP, SIGINT, SIGQUIT};
    struct sigaction action = {.sa_handler = signal_note};
    sigset_t blocked;
    sigemptyset(&blocked);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        sigaddset(&blocked, numbers[i]);
        sigaction(numbers[i], &action, NULL);
    }
    sigprocmask(SIG_BLOCK, &blocked, ret_waiting);
}

static int env_add(struct options *options, char *text, struct lp_arena *arena)
{
    struct lp_pairs *env = &options->request.environment;
    char *equals = strchr(text, '=');
    const char *value = equals ? equals + 1 : getenv(text);
    if (env->count == ENV_MAX || equals == text)
        return -1;
    if (!value) // not set here: not set there
        return 0;
    size_t bytes = equals ? (size_t)(equals - text) : strlen(text);
    env->items[env->count++] = (struct lp_pair){lp_arena_text_n(arena, text, bytes), value};
    return 0;
}

// Returns how many arguments were options, or -1 after it has told what is wrong.
static int options_parse(int argc, char **argv, struct lp_arena *arena, struct options *options)
{
    static const struct option known[] = {
        {"interactive", no_argument, NULL, 'i'},
        {"tty", no_argument, NULL, 't'},
        {"user", required_argument, NULL, 'u'},
        {"workdir", required_argument, NULL, 'w'},
        {"env", required_argument, NULL, 'e'},
        {"infra", required_argument, NULL, 'I'},
        {"timeout", required_argument, NULL, 'T'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    options->request.environment.items = options->pairs;
    options->request.is_inheriting = true;
    optind = 0; // begin anew: the program's own options were parsed before
    for (int option = 0; (option = getopt_long(argc, argv, "+itu:w:e:h", known, NULL)) != -1;) {
        bool is_bad = false;
        if (option == 'i')
            options->is_interactive = true;
        else if (option == 't')
            options->request.has_tty = true;
        else if (option == 'u')
            options->request.user = optarg;
        else if (option == 'w')
            options->request.working_dir = optarg;
        else if (option == 'e')
            is_bad = env_add(options, optarg, arena) < 0;
        else if (option == 'I')
            options->infra = optarg;
        else if (option == 'T')
            is_bad = (options->request.timeout_ms = (uint32_t)(atof(optarg) * 1000)) == 0;
        else if (option == 'h')
            options->has_help = true;
        else
            is_bad = true;
        if (is_bad)
            return -1;
    }
    return optind;
}

static void news_take(void *context, const struct lp_exec_news *news)
{
    struct run *run = context;
    struct lp_err err;
    switch (news->kind) {
    case LP_EXEC_STDOUT:
    case LP_EXEC_STDERR:
        if (lp_fd_write(news->kind == LP_EXEC_STDOUT ? STDOUT_FILENO : STDERR_FILENO, news->bytes,
                        news->count, &err) < 0)
            run->has_ended = true; // our reader has gone; so does the command
        break;
    case LP_EXEC_EXIT:
        run->has_ended = true;
        run->exit_status = news->status < LP_WIRE_STATUS_SIGNAL
                               ? news->status
                               : EXIT_SIGNAL + news->status - LP_WIRE_STATUS_SIGNAL;
        break;
    case LP_EXEC_FAILED:
        terminal_restore();
        fprintf(stderr, "limpet exec: %s\n", news->text);
        run->has_ended = true;
        run->exit_status = news->code == LP_ENOTFOUND ? EXIT_NOT_FOUND
                           : news->code == LP_EDENIED ? EXIT_DENIED
                                                      : EXIT_FAILED;
        break;
    }
}

static int input_take(struct run *run, struct lp_err *err)
{
    char bytes[LP_WIRE_RAW_CHUNK];
    ssize_t count = read(STDIN_FILENO, bytes, sizeof(bytes));
    if (count < 0 && (errno == EINTR || errno == EAGAIN))
        return 0;
    if (count > 0)
        return lp_init_exec_input(run->exec, bytes, (size_t)count, err);
    run->is_input_open = false;
    return lp_init_exec_input_end(run->exec, err);
}

static int window_tell(struct run *run, struct lp_err *err)
{
    struct winsize size;
    is_resized = 0;
    if (ioctl(STDIN_FILENO, TIOCGWINSZ, &size) < 0)
        return 0;
    return lp_init_exec_resize(run->exec, size.ws_row, size.ws_col, err);
}

static int turn(struct run *run, const sigset_t *waiting, struct lp_err *err)
{
    bool has_unsent = lp_init_exec_has_unsent(run->exec);
    struct pollfd waits[2] = {
        {.fd = lp_init_exec_fd(run->exec), .events = POLLIN},
        {.fd = run->is_input_open && !has_unsent ? STDIN_FILENO : -1, .events = POLLIN},
    };
    if (has_unsent)
        waits[0].events |= POLLOUT;
    if (ppoll(waits, 2, NULL, waiting) < 0 && errno != EINTR)
        return lp_err_set(err, LP_EIO, "poll: %s", strerror(errno));
    int code = 0;
    if (is_resized)
        code = window_tell(run, err);
    if (code == 0 && (waits[0].revents & POLLOUT))
        code = lp_init_exec_flush(run->exec, err);
    if (code == 0 && waits[1].revents)
        code = input_take(run, err);
    // What was sent may have met a closed end, and the last news still be there to read.
    int read_code = lp_init_exec_read(run->exec, news_take, run, err);
    return run->has_ended ? 0 : read_code < 0 ? read_code : code;
}

static int command_run(const struct options *options, const struct lp_found_node *node,
                       struct lp_err *err)
{
    struct run run = {.is_input_open = options->is_interactive, .exit_status = EXIT_FAILED};
    sigset_t waiting;
    int code = lp_init_exec_open(node->socket, &options->request, &run.exec, err);
    if (code < 0)
        return lp_err_wrap(err, "node %s does not run", node->name);
    signals_open(&waiting);
    signal(SIGPIPE, SIG_IGN); // told by write(2)
    if (options->request.has_tty && options->is_interactive)
        code = terminal_make_raw(err);
    if (code == 0 && !options->is_interactive)
        code = lp_init_exec_input_end(run.exec, err);
    while (code == 0 && !run.has_ended && !ending_signal)
        code = turn(&run, &waiting, err);
    lp_init_exec_close(run.exec);
    terminal_restore();
    if (code < 0)
        return lp_err_wrap(err, "node %s", node->name);
    return ending_signal ? EXIT_SIGNAL + ending_signal : run.exit_status;
}

static void terminal_describe(struct options *options)
{
    struct lp_pairs *env = &options->request.environment;
    struct winsize size = {0};
    if (!options->request.has_tty)
        return;
    if (ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0) {
        options->request.rows = size.ws_row;
        options->request.columns = size.ws_col;
    }
    if (getenv("TERM") && env->count < ENV_MAX)
        env->items[env->count++] = (struct lp_pair){"TERM", getenv("TERM")};
}

int lp_cmd_exec(const char *root, int argc, char **argv)
{
    LP_OWNS_ARENA struct lp_arena arena = {0};
    struct options options = {0};
    struct lp_found_node node;
    struct lp_err err;
    int first = options_parse(argc, argv, &arena, &options);
    if (options.has_help) {
        fputs(usage, stdout);
        return 0;
    }
    if (first < 0 || argc - first < 2) {
        if (first >= 0)
            fputs(argc - first < 1 ? "limpet exec: name a node and a command\n"
                                   : "limpet exec: say which command, too\n",
                  stderr);
        fputs(usage, stderr);
        return EXIT_USAGE;
    }
    options.request.argv.items = lp_arena_new_array(&arena, const char *, (size_t)argc);
    for (int i = first + 1; i < argc; i++)
        options.request.argv.items[options.request.argv.count++] = argv[i];
    terminal_describe(&options);
    int code = lp_node_find(root, options.infra, argv[first], &arena, &node, &err);
    if (code == 0)
        code = command_run(&options, &node, &err);
    if (code >= 0)
        return code;
    fprintf(stderr, "limpet exec: %s\n", err.text);
    return code == LP_EINPUT || code == LP_ECONFLICT ? EXIT_USAGE : EXIT_FAILED;
}

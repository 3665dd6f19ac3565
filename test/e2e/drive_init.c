// Drives one limpet-init by hand, for tests and benchmarks without a daemon:
//   drive_init listen SOCKET COMMAND...            run COMMAND with the listening socket as fd 3
//   drive_init start SOCKET APP RUN NAME [KEY=VALUE...] ARGV...   print the news of the start
//   drive_init stop SOCKET APP RUN GRACE_MS        print the news of the end
//   drive_init list SOCKET                         print the state of every application
//   drive_init halt SOCKET GRACE_MS                power off; wait for the end of the stream
//   drive_init bench SOCKET COUNT ARGV...          kill and start again COUNT times; microseconds
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "drivers/crun/init_link.h"
#include "drivers/crun/init_socket.h"

enum { WAIT_MS = 10000 };

static struct lp_init_news last;
static char last_text[512];
static unsigned count;
static bool is_quiet;

static const char *const kinds[] = {
    [LP_INIT_HELLO] = "hello",     [LP_INIT_STATE] = "state",   [LP_INIT_SYNCED] = "synced",
    [LP_INIT_STARTED] = "started", [LP_INIT_EXITED] = "exited", [LP_INIT_FAILED] = "failed",
};

_Noreturn static void die(const struct lp_err *err)
{
    fprintf(stderr, "drive_init: %s\n", err->text);
    exit(1);
}

static void news_print(void *context, const struct lp_init_news *news)
{
    (void)context;
    last = *news;
    snprintf(last_text, sizeof(last_text), "%s", news->text);
    count++;
    if (is_quiet)
        return;
    printf("%s", kinds[news->kind]);
    if (news->kind == LP_INIT_HELLO)
        printf(" %s/%u", news->node, news->incarnation);
    else if (news->kind != LP_INIT_SYNCED)
        printf(" app=%u run=%u", news->app, news->run);
    if (news->kind == LP_INIT_STATE)
        printf(" %s", lp_init_phase_word(news->phase));
    if (news->kind == LP_INIT_STATE || news->kind == LP_INIT_EXITED)
        printf(" status=%d", news->status);
    printf("%s%s\n", news->text[0] ? " " : "", news->text);
}

// Read news until one of these kinds (bits) has come; false: the stream ended.
static bool wait_for(struct lp_init_link *link, unsigned wanted)
{
    struct lp_err err;
    for (;;) {
        struct pollfd wait = {.fd = lp_init_link_fd(link), .events = POLLIN};
        unsigned before = count;
        if (poll(&wait, 1, WAIT_MS) == 0) {
            fputs("drive_init: nothing came\n", stderr);
            exit(1);
        }
        if (lp_init_link_read(link, news_print, NULL, &err) < 0)
            return false;
        if (count > before && (wanted & (1u << last.kind)))
            return true;
    }
}

static int listen_run(const char *path, char **argv)
{
    struct lp_err err;
    int fd = -1;
    if (lp_init_socket_listen(path, &fd, &err) < 0)
        die(&err);
    if (fd != 3 && dup2(fd, 3) < 0)
        return 1;
    fcntl(3, F_SETFD, 0);
    execvp(argv[0], argv);
    perror(argv[0]);
    return 127;
}

static uint32_t number(const char *text)
{
    return (uint32_t)strtoul(text, NULL, 10);
}

// ARGV, with KEY=VALUE before it as in a shell.
static struct lp_init_start start_of(char **argv, int argc)
{
    static struct lp_pair pairs[16];
    struct lp_init_start start = {.environment.items = pairs};
    for (; argc > 1 && start.environment.count < 16 && strchr(argv[0], '='); argv++, argc--) {
        char *equals = strchr(argv[0], '=');
        *equals = '\0';
        pairs[start.environment.count++] = (struct lp_pair){argv[0], equals + 1};
    }
    start.argv = (struct lp_texts){(const char **)(void *)argv, (size_t)argc};
    return start;
}

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int compare(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return left < right ? -1 : left > right;
}

static void row_print(const char *what, int64_t *samples, unsigned samples_count)
{
    qsort(samples, samples_count, sizeof(*samples), compare);
    printf("%-28s p50 %6lld us  p99 %6lld us\n", what, (long long)samples[samples_count / 2],
           (long long)samples[samples_count * 99 / 100]);
}

// KILL order -> EXITED and START order -> STARTED (executed), as the daemon would see them.
static int bench(struct lp_init_link *link, unsigned rounds, struct lp_init_start start)
{
    struct lp_err err = {0};
    int64_t *ends = calloc(rounds, sizeof(*ends)), *starts = calloc(rounds, sizeof(*starts));
    is_quiet = true;
    start.name = "bench";
    start.app = 31;
    start.run = (uint32_t)now_us();
    for (unsigned i = 0; i < rounds && ends && starts; i++) {
        int64_t begin = now_us();
        start.run++;
        if (lp_init_link_start_app(link, &start, &err) < 0 ||
            !wait_for(link, 1u << LP_INIT_STARTED | 1u << LP_INIT_FAILED))
            die(&err);
        starts[i] = now_us() - begin;
        begin = now_us();
        if (lp_init_link_kill_app(link, 31, start.run, &err) < 0 ||
            !wait_for(link, 1u << LP_INIT_EXITED))
            die(&err);
        ends[i] = now_us() - begin;
    }
    row_print("start ordered -> executed", starts, rounds);
    row_print("kill ordered -> exit told", ends, rounds);
    free(ends);
    free(starts);
    return 0;
}

static int command_run(struct lp_init_link *link, int argc, char **argv, struct lp_err *err)
{
    const char *verb = argv[1];
    if (strcmp(verb, "start") == 0 && argc > 6) {
        struct lp_init_start start = start_of(argv + 6, argc - 6);
        start.app = number(argv[3]);
        start.run = number(argv[4]);
        start.name = argv[5];
        if (lp_init_link_start_app(link, &start, err) < 0)
            return err->code;
        return wait_for(link, 1u << LP_INIT_STARTED | 1u << LP_INIT_FAILED) ? 0 : 1;
    }
    if (strcmp(verb, "stop") == 0 && argc == 6) {
        if (lp_init_link_stop_app(link, number(argv[3]), number(argv[4]), number(argv[5]), err) < 0)
            return err->code;
        return wait_for(link, 1u << LP_INIT_EXITED | 1u << LP_INIT_FAILED) ? 0 : 1;
    }
    if (strcmp(verb, "list") == 0) {
        if (lp_init_link_list(link, err) < 0)
            return err->code;
        return wait_for(link, 1u << LP_INIT_SYNCED) ? 0 : 1;
    }
    if (strcmp(verb, "halt") == 0 && argc == 4) {
        if (lp_init_link_stop_all(link, number(argv[3]), err) < 0)
            return err->code;
        return wait_for(link, 0) ? 1 : 0;
    }
    if (strcmp(verb, "bench") == 0 && argc > 4 && number(argv[3]) > 0)
        return bench(link, number(argv[3]), start_of(argv + 4, argc - 4));
    return lp_err_set(err, LP_EINPUT, "unknown order %s", verb);
}

int main(int argc, char **argv)
{
    struct lp_init_link *link = NULL;
    struct lp_err err;
    if (argc > 3 && strcmp(argv[1], "listen") == 0)
        return listen_run(argv[2], argv + 3);
    if (argc < 3 || lp_init_link_open(argv[2], &link, &err) < 0 ||
        !wait_for(link, 1u << LP_INIT_HELLO)) {
        fputs("drive_init: no limpet-init answers\n", stderr);
        return 1;
    }
    int code = command_run(link, argc, argv, &err);
    if (code < 0)
        die(&err);
    lp_init_link_close(link);
    return code;
}

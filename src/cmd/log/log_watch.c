// `limpet log watch`: what is odd in logs, told as it is written.
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "cmd/log/log_journal.h"
#include "cmd/log/log_parts.h"
#include "cmd/log/log_sensor.h"
#include "cmd/log/log_watched.h"
#include "cmd/node_find.h"
#include "cmd/table.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/handover.h"
#include "base/own.h"
#include "base/str.h"
#include "model/duration.h"

enum {
    TURN_MS = 1000,
    SAVE_MS = 5 * 60 * 1000,
    LEARN_LINES = 1000,
    DECAY_LINES = 1000000,
    LINES_MAX = 1000000000,
};

struct watch {
    struct lp_cmd *cmd;
    struct lp_watcher watcher;
    struct lp_log_follow *follow;
    const char *model_path;
    uint32_t save_ms;
    int64_t saved_ms;
    bool is_learning; // from what is there at the start
    bool was_full;    // which was said
    bool was_unsaved; // which was said, too
    bool was_empty;   // --infra: that it has no nodes yet was said, or it had some
    int pipe_fd;      // standard input or the journal; -1: none
    size_t pipe_source;
    struct lp_log_journal journal;
    struct lp_log_follow_kept kept;
    struct lp_str places_path; // beside the model
    struct lp_str lock_path;   // that, too
    int lock_fd;               // -1: none
};

static volatile sig_atomic_t is_over;

static void over_note(int number)
{
    (void)number;
    is_over = 1;
}

static void signals_watch(void)
{
    struct sigaction action = {.sa_handler = over_note};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
}

// ---- the model

// Two that keep one model would each save over what the other has learnt.
LP_MUST_CHECK static int model_lock(struct watch *watch)
{
    if (!watch->model_path)
        return 0;
    struct lp_err *err = &watch->cmd->err;
    const char *path = lp_str_text(&watch->lock_path);
    if (lp_handover_check_file(watch->model_path, err) < 0)
        return err->code;
    watch->lock_fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (watch->lock_fd < 0)
        return lp_err_set(err, LP_EINPUT, "%s: %s", path, strerror(errno));
    if (flock(watch->lock_fd, LOCK_EX | LOCK_NB) == 0)
        return 0;
    close(watch->lock_fd); // its file stays: it is the other's
    watch->lock_fd = -1;
    return lp_err_set(err, LP_EINPUT, "%s: another limpet log watch keeps this model; name another",
                      watch->model_path);
}

static void model_unlock(struct watch *watch)
{
    if (watch->lock_fd < 0)
        return;
    unlink(lp_str_text(&watch->lock_path));
    close(watch->lock_fd);
}

LP_MUST_CHECK static int model_open(struct watch *watch, bool *ret_is_new)
{
    struct lp_cmd *cmd = watch->cmd;
    struct lp_log_states_config config;
    struct lp_watcher *watcher = &watch->watcher;
    bool is_there = watch->model_path && lp_path_exists(watch->model_path);
    if (lp_log_config_take(cmd, &config, &cmd->err) < 0)
        return cmd->err.code;
    watcher->format = config.format;
    if (is_there && lp_log_model_read(cmd, &watcher->model, &cmd->err) < 0)
        return cmd->err.code;
    if (!is_there)
        watcher->model = lp_log_model_open(&config);
    if (lp_log_model_has_keys(watcher->model))
        return lp_err_set(&cmd->err, LP_EINPUT,
                          "%s has a chain for each process or request; watch wants one for each "
                          "log: train it without --by-process",
                          watch->model_path);
    watcher->learnt = lp_log_model_lines(watcher->model);
    watcher->stream = lp_log_stream_open(watcher->model);
    *ret_is_new = !is_there;
    return 0;
}

// Where the logs were left, as the model knows it: the model first, as lines that are judged twice
// are better than lines that are judged never.
LP_MUST_CHECK static int model_save(struct watch *watch)
{
    struct lp_err *err = &watch->cmd->err;
    watch->saved_ms = watch->watcher.now_ms;
    if (!watch->model_path)
        return 0;
    if (watch->watcher.since_save > 0 &&
        lp_log_model_save(watch->watcher.model, watch->model_path, err) < 0)
        return err->code;
    watch->watcher.since_save = 0;
    if (!lp_path_exists(watch->model_path)) // nothing was learnt yet
        return 0;
    watch->kept.saved_ms = lp_wall_ms();
    if (watch->journal.child > 0)
        memcpy(watch->kept.cursor, watch->journal.cursor, sizeof(watch->kept.cursor));
    return lp_log_follow_save(watch->follow, &watch->kept, lp_str_text(&watch->places_path), err);
}

// Go on where the model stopped. That this cannot be done is said, and no reason not to watch.
static void places_resume(struct watch *watch)
{
    LP_OWNS_STR struct lp_str unseen = {0};
    struct lp_err err;
    int code = lp_log_follow_resume(watch->follow, lp_str_text(&watch->places_path), &watch->kept,
                                    &unseen, &err);
    if (code < 0 && code != LP_ENOTFOUND)
        fprintf(stderr, "limpet log watch: %s; each file is watched from its end\n", err.text);
    for (char *line = unseen.text, *end; line && (end = strchr(line, '\n')); line = end + 1)
        fprintf(stderr, "limpet log watch: %.*s\n", (int)(end - line), line);
}

// ---- what is followed

// All nodes of the infrastructure; new ones are found when they appear.
static void infra_look(struct watch *watch)
{
    LP_OWNS_ARENA struct lp_arena arena = {0};
    struct lp_found_nodes nodes;
    if (!watch->cmd->infra)
        return;
    bool has_nodes =
        lp_nodes_find(watch->cmd->root, watch->cmd->infra, NULL, &arena, &nodes, NULL) == 0 &&
        nodes.count > 0;
    if (!has_nodes && !watch->was_empty)
        fprintf(stderr,
                "limpet log watch: there is no node of %s yet; they are watched when they come\n",
                watch->cmd->infra);
    watch->was_empty = true; // said once, if it is so at the beginning
    if (!has_nodes)
        return;
    for (size_t i = 0; i < nodes.count; i++)
        if (lp_log_follow_add_kin(watch->follow, nodes.items[i].log_folder, NULL) < 0)
            return; // more than can be followed
}

LP_MUST_CHECK static int pipe_follow(struct watch *watch, int fd, const char *name)
{
    int code =
        lp_log_follow_add_pipe(watch->follow, fd, name, &watch->pipe_source, &watch->cmd->err);
    watch->pipe_fd = fd;
    return code;
}

LP_MUST_CHECK static int journal_follow(struct watch *watch)
{
    struct lp_log_journal *journal = &watch->journal;
    struct lp_err *err = &watch->cmd->err;
    const char *path = lp_option_value(watch->cmd, "journal");
    memcpy(journal->cursor, watch->kept.cursor, sizeof(journal->cursor));
    int fd = lp_log_journal_open(journal, path && path[0] ? path : NULL,
                                 lp_option_is_given(watch->cmd, "from-start"), err);
    return fd < 0 ? err->code : pipe_follow(watch, fd, "journal");
}

LP_MUST_CHECK static int sources_add(struct watch *watch, int argc, char **argv, bool goes_on)
{
    struct lp_cmd *cmd = watch->cmd;
    bool has_input = false, has_journal = lp_option_is_given(cmd, "journal");
    if (argc < 2 && !has_journal && !cmd->infra)
        return lp_err_set(&cmd->err, LP_EINPUT,
                          "what is to be watched? Files, folders, -, --journal, --infra NAME");
    for (int i = 1; i < argc; i++) {
        bool is_input = strcmp(argv[i], "-") == 0;
        if (is_input && (has_journal || has_input))
            return lp_err_set(&cmd->err, LP_EINPUT, "one pipe at a time: - once, or --journal");
        has_input = has_input || is_input;
        int code = is_input ? pipe_follow(watch, dup(STDIN_FILENO), "-")
                            : lp_log_follow_add(watch->follow, argv[i], &cmd->err);
        if (code < 0)
            return cmd->err.code;
    }
    infra_look(watch);
    if (goes_on)
        places_resume(watch);
    return has_journal ? journal_follow(watch) : 0;
}

// ---- the loop

static void lines_take(struct watch *watch)
{
    size_t source, bytes;
    const char *line;
    watch->watcher.now_ms = lp_monotonic_ms();
    while (!is_over && lp_log_follow_next(watch->follow, &source, &line, &bytes)) {
        // What a file holds was written before; what comes through a pipe is new.
        watch->watcher.is_silent = watch->is_learning && source != watch->pipe_source;
        lp_watcher_line(&watch->watcher, source, lp_log_follow_name(watch->follow, source), line,
                        bytes);
        if (source == watch->pipe_source && watch->journal.child > 0)
            lp_log_journal_note(&watch->journal, line, bytes);
    }
}

static void wait_more(const struct watch *watch)
{
    struct pollfd fds[] = {{.fd = lp_log_follow_fd(watch->follow), .events = POLLIN},
                           {.fd = watch->pipe_fd, .events = POLLIN}};
    poll(fds, 2, TURN_MS); // a signal that comes just before it waits a turn
}

static void full_tell(struct watch *watch)
{
    bool is_full = lp_log_follow_is_full(watch->follow);
    if (is_full && !watch->was_full)
        fprintf(stderr, "limpet log watch: more than %d files: the others are not watched\n",
                LP_LOG_FOLLOW_MAX);
    watch->was_full = is_full;
}

// A full disk is no reason to look away: what is learnt is kept in memory until there is room.
static void model_keep(struct watch *watch)
{
    bool is_saved = model_save(watch) == 0;
    if (!is_saved && !watch->was_unsaved)
        fprintf(stderr,
                "limpet log watch: %s; watching goes on, the model is saved when it can be\n",
                watch->cmd->err.text);
    else if (is_saved && watch->was_unsaved)
        fprintf(stderr, "limpet log watch: the model is saved again\n");
    watch->was_unsaved = !is_saved;
}

static void turn(struct watch *watch)
{
    infra_look(watch);
    lp_log_follow_look(watch->follow);
    full_tell(watch);
    lines_take(watch);
    lp_watcher_tick(&watch->watcher, false);
    bool is_due = watch->watcher.now_ms - watch->saved_ms >= watch->save_ms;
    if (is_due && !lp_watcher_holds(&watch->watcher))
        model_keep(watch);
}

static void loop(struct watch *watch)
{
    watch->saved_ms = lp_monotonic_ms();
    turn(watch);
    watch->watcher.is_silent = watch->is_learning;
    lp_watcher_tick(&watch->watcher, true);
    watch->is_learning = watch->watcher.is_silent = false;
    if (!watch->cmd->is_quiet)
        fprintf(stderr, "limpet log watch: %" PRIu64 " lines learnt, watching\n",
                watch->watcher.learnt);
    while (!is_over && !lp_log_follow_has_ended(watch->follow)) {
        wait_more(watch);
        turn(watch);
    }
    lp_watcher_tick(&watch->watcher, true);
}

// ---- the verb

LP_MUST_CHECK static int options_take(struct watch *watch)
{
    struct lp_cmd *cmd = watch->cmd;
    struct lp_watcher *watcher = &watch->watcher;
    const char *save = lp_option_value(cmd, "save");
    long learn, decay;
    watch->model_path = lp_option_value(cmd, "model");
    lp_str_printf(&watch->places_path, "%s.places", watch->model_path ? watch->model_path : "");
    lp_str_printf(&watch->lock_path, "%s.lock", watch->model_path ? watch->model_path : "");
    watch->save_ms = SAVE_MS;
    if (save && !lp_duration_parse(save, &watch->save_ms))
        return lp_err_set(&cmd->err, LP_EINPUT, "--save: '%s' is not a time, such as 30s or 5m",
                          save);
    if (lp_log_bits(cmd, "bits", 0, &watcher->least, &cmd->err) < 0 ||
        lp_log_number(cmd, "learn", 0, LINES_MAX, LEARN_LINES, &learn, &cmd->err) < 0 ||
        lp_log_number(cmd, "decay", 1000, LINES_MAX, DECAY_LINES, &decay, &cmd->err) < 0)
        return cmd->err.code;
    if (lp_option_is_given(cmd, "sensor") && !cmd->infra)
        return lp_err_set(&cmd->err, LP_EINPUT, "--sensor is for the nodes of --infra NAME");
    if (lp_option_is_given(cmd, "sensor") &&
        lp_log_sensor_open(cmd, &watcher->sensor, &cmd->err) < 0)
        return cmd->err.code;
    watcher->learn = (uint64_t)learn;
    watcher->decay = (uint64_t)decay;
    return 0;
}

LP_MUST_CHECK static int watch_all(struct watch *watch, int argc, char **argv)
{
    bool is_new = true, from_start = lp_option_is_given(watch->cmd, "from-start");
    if (options_take(watch) < 0 || model_lock(watch) < 0 || model_open(watch, &is_new) < 0)
        return watch->cmd->err.code;
    signals_watch();
    // A model that knows the past needs it no more; a new one learns from it.
    const struct lp_log_follow_config config = {.from_end = !is_new && !from_start};
    watch->is_learning = !from_start && is_new;
    watch->follow = lp_log_follow_open(&config);
    int code = sources_add(watch, argc, argv, config.from_end);
    if (code == 0)
        loop(watch);
    lp_log_stream_close(watch->watcher.stream); // its last lines are counted
    watch->watcher.stream = NULL;
    if (code == 0)
        code = model_save(watch);
    struct lp_err *err = code == 0 ? &watch->cmd->err : NULL;
    if (lp_log_journal_close(&watch->journal, is_over, err) < 0 && code == 0)
        code = LP_EIO;
    return code;
}

static int run(struct lp_cmd *cmd, int argc, char **argv)
{
    struct watch watch = {.cmd = cmd, .pipe_fd = -1, .pipe_source = SIZE_MAX, .lock_fd = -1};
    watch.watcher.cmd = cmd;
    int code = watch_all(&watch, argc, argv);
    uint64_t anomalies = watch.watcher.anomalies;
    lp_watcher_release(&watch.watcher);
    lp_log_follow_close(watch.follow);
    model_unlock(&watch);
    lp_str_release(&watch.places_path);
    lp_str_release(&watch.lock_path);
    if (code < 0)
        return lp_log_fail(cmd);
    return anomalies > 0 && lp_option_is_given(cmd, "fail") ? LP_EXIT_FAILED : LP_EXIT_DONE;
}

static const struct lp_option options[] = {
    {"model", 'm', "MODEL", "begin with this model and keep it there; made when absent"},
    {"journal", 0, "[PATH]",
     "follow the journal of systemd, or that of a folder or file (journalctl)"},
    {"sensor", 0, NULL, "with --infra: hand anomalies to the daemon, to confirm failing checks"},
    {"from-start", 0, NULL, "judge what is there already, too"},
    {"bits", 0, "B", "alarm from B bits on (default 22, less below 12,000 lines learnt)"},
    {"learn", 0, "N", "say nothing before N lines are learnt (default 1000)"},
    {"decay", 0, "N", "halve what is known after every N lines (default 1000000)"},
    {"save", 0, "TIME", "how often the model is saved (default 5m), and at the end"},
    {"fail", 0, NULL, "end with 1 when there was an anomaly"},
    LP_LOG_READ_OPTIONS,
    {0},
};

const struct lp_verb lp_log_verb_watch = {
    .name = "log watch",
    .summary = "Tell what is odd in logs as they are written",
    .usage = "[-m MODEL] [OPTIONS] FILE|FOLDER|-...\n"
             "--infra NAME [OPTIONS]",
    .help =
        "Follows files, the *.log of folders, standard input (-), the journal, and with --infra\n"
        "the output of all nodes of an infrastructure, across rotation and truncation. Each is a\n"
        "log of its own; one model serves all. Without a model at MODEL, what the files hold is\n"
        "learnt first; with one, watching goes on where it stopped (MODEL.places), through files\n"
        "that were rotated since, and what cannot be read any more is said. A line that is\n"
        "missing is told from 10 bits less on. With -o json, one object a line as by rank, with\n"
        "at (ms), source, text. SIGTERM and SIGINT save and end.",
    .options = options,
    .run = run,
    .most = -1,
};

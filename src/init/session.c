// Commands run for exec connections.
#define _GNU_SOURCE
#include "init/session.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "init/app.h"
#include "init/command.h"
#include "init/family.h"
#include "init/launch.h"
#include "init/peer.h"
#include "init/terminal.h"
#include "model/wire.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/own.h"
#include "base/str.h"

enum {
    UNSENT_MAX = 256 * 1024, // of output, before the command has to wait for its reader
    UNREAD_MAX = 64 * 1024,  // of input, before the client has to wait for the command
    DRAIN_CHUNKS_MAX = 8,    // of a pipe: more than it can hold at one time
    HANG_UP_MS = 2000,       // from SIGHUP to SIGKILL when the client is gone
    KILL_AGAIN_MS = 1000,
};

struct stream { // one of the command's outputs; the fd is open while fd >= 0
    int fd;
    uint16_t type; // of the frames made of it
    struct lp_watch watch;
};

struct lp_session {
    pid_t pid; // 0: the row is free
    uid_t uid;
    struct lp_peer *peer; // NULL: the client is gone
    bool has_tty, is_input_ended;
    int input_fd;
    struct lp_str input; // not yet written to input_fd
    struct lp_watch input_watch, report;
    struct stream streams[2];
    int code; // < 0: what FAILED will say, with text
    char text[512];
    uint32_t timeout_ms;
    int64_t deadline_ms; // monotonic; 0: none. Then it is killed
};

struct session_start { // an EXEC frame, taken apart
    struct lp_command command;
    char **base; // the main application's environment, if it is wanted; or NULL
    bool has_tty, is_inheriting;
    uint16_t rows, columns;
    uint32_t timeout_ms;
};

static struct lp_session sessions[LP_SESSIONS_MAX];
static char chunk[LP_WIRE_RAW_CHUNK];

void lp_sessions_open(void)
{
    for (size_t i = 0; i < LP_SESSIONS_MAX; i++)
        sessions[i].input_fd = -1;
}

size_t lp_sessions_leaders(pid_t ret_pids[])
{
    size_t count = 0;
    for (size_t i = 0; i < LP_SESSIONS_MAX; i++)
        if (sessions[i].pid)
            ret_pids[count++] = sessions[i].pid;
    return count;
}

static void failed_tell(struct lp_peer *peer, int code, const char *text)
{
    size_t at = lp_wire_head(&peer->out, LP_WIRE_FAILED, 0);
    lp_wire_add_number(&peer->out, "code", code);
    lp_wire_add(&peer->out, "text", text);
    int sealed = lp_wire_seal(&peer->out, at, NULL);
    lp_assert(sealed == 0); // texts are short
    lp_peer_finish(peer);
}

static void stream_close(struct stream *stream)
{
    lp_loop_remove(&stream->watch);
    if (stream->fd >= 0)
        close(stream->fd);
    stream->fd = -1;
}

static void input_close(struct lp_session *session)
{
    lp_loop_remove(&session->input_watch);
    if (session->input_fd >= 0)
        close(session->input_fd);
    session->input_fd = -1;
    lp_str_release(&session->input);
}

static void fds_close(struct lp_session *session)
{
    input_close(session);
    stream_close(&session->streams[0]);
    stream_close(&session->streams[1]);
}

static void report_close(struct lp_session *session)
{
    int fd = session->report.fd;
    lp_loop_remove(&session->report);
    if (fd >= 0)
        close(fd);
}

// Move one chunk of output to the client. False: nothing more is there.
static bool stream_take(struct lp_session *session, struct stream *stream)
{
    ssize_t count = read(stream->fd, chunk, sizeof(chunk));
    if (count > 0) {
        lp_wire_add_raw(&session->peer->out, stream->type, chunk, (size_t)count);
        return true;
    }
    if (count == 0 || (errno != EAGAIN && errno != EINTR)) // a terminal's end is EIO
        stream_close(stream);
    return false;
}

static void streams_watch(struct lp_session *session, bool is_wanted)
{
    for (int i = 0; i < 2; i++) {
        struct stream *stream = &session->streams[i];
        if (!is_wanted)
            lp_loop_remove(&stream->watch); // not merely no events: a hang-up would wake us on end
        else if (stream->fd >= 0 && stream->watch.fd < 0 &&
                 lp_loop_add(&stream->watch, stream->fd, EPOLLIN) < 0)
            stream_close(stream);
    }
}

static void stream_ready(struct lp_session *session, struct stream *stream)
{
    struct lp_peer *peer = session->peer;
    stream_take(session, stream);
    lp_peer_flush(peer);
    if (peer->out.bytes > UNSENT_MAX)
        streams_watch(session, false);
}

static void output_ready(void *self, uint32_t events)
{
    struct lp_session *session = self;
    (void)events;
    stream_ready(session, &session->streams[0]);
}

static void error_ready(void *self, uint32_t events)
{
    struct lp_session *session = self;
    (void)events;
    stream_ready(session, &session->streams[1]);
}

void lp_session_resume(struct lp_peer *peer)
{
    if (peer->out.bytes <= UNSENT_MAX)
        streams_watch(peer->session, true);
}

static void input_end(struct lp_session *session)
{
    // On a terminal the end of the input is a character; the command sees it when it reads.
    static const char end_of_transmission = 4;
    if (session->has_tty && session->input_fd >= 0 &&
        write(session->input_fd, &end_of_transmission, 1) < 0)
        return; // its buffer is full of unread input: the hang-up will tell
    input_close(session);
}

static void input_write(struct lp_session *session)
{
    size_t written = 0;
    while (written < session->input.bytes) {
        ssize_t count =
            write(session->input_fd, session->input.text + written, session->input.bytes - written);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0 && errno == EAGAIN)
            break;
        if (count < 0) { // the command reads no more: what is left has no taker
            input_close(session);
            written = 0;
            break;
        }
        written += (size_t)count;
    }
    if (written > 0) {
        session->input.bytes -= written;
        memmove(session->input.text, session->input.text + written, session->input.bytes + 1);
    }
    if (session->input.bytes == 0)
        lp_loop_remove(&session->input_watch);
    else if (session->input_watch.fd < 0 &&
             lp_loop_add(&session->input_watch, session->input_fd, EPOLLOUT) < 0)
        input_close(session);
    if (session->input.bytes == 0 && session->is_input_ended)
        input_end(session);
    if (session->peer)
        lp_peer_pause(session->peer, session->input.bytes > UNREAD_MAX);
}

static void input_ready(void *self, uint32_t events)
{
    (void)events;
    input_write(self);
}

static void report_ready(void *self, uint32_t events)
{
    struct lp_session *session = self;
    struct lp_err err;
    (void)events;
    if (session->report.fd < 0)
        return;
    int code = lp_launch_collect(session->report.fd, &session->uid, &err);
    if (code > 0)
        return;
    report_close(session);
    if (code < 0) {
        session->code = code;
        snprintf(session->text, sizeof(session->text), "%.*s", (int)sizeof(session->text) - 1,
                 err.text);
    }
}

static int number_take(void *context, const struct lp_wire_field *field)
{
    struct session_start *start = context;
    int64_t number = 0;
    int code = 0;
    if (lp_wire_is(field, "tty")) {
        code = lp_wire_number(field, 0, 1, &number);
        start->has_tty = number == 1;
    } else if (lp_wire_is(field, "inherit")) {
        code = lp_wire_number(field, 0, 1, &number);
        start->is_inheriting = number == 1;
    } else if (lp_wire_is(field, "rows")) {
        code = lp_wire_number(field, 0, UINT16_MAX, &number);
        start->rows = (uint16_t)number;
    } else if (lp_wire_is(field, "columns")) {
        code = lp_wire_number(field, 0, UINT16_MAX, &number);
        start->columns = (uint16_t)number;
    } else if (lp_wire_is(field, "timeout_ms")) {
        code = lp_wire_number(field, 0, UINT32_MAX, &number);
        start->timeout_ms = (uint32_t)number;
    }
    return code;
}

// What connects the command to us: ends[i][0] is ours (-1: none), ends[i][1] the command's.
static int ends_open(const struct session_start *start, int ends[3][2], struct lp_err *err)
{
    if (start->has_tty) {
        int code = lp_terminal_open(&ends[1][0], &ends[1][1], err);
        if (code < 0)
            return code;
        lp_terminal_resize(ends[1][0], start->rows, start->columns);
        ends[0][0] = fcntl(ends[1][0], F_DUPFD_CLOEXEC, 3);
        ends[0][1] = fcntl(ends[1][1], F_DUPFD_CLOEXEC, 3);
        ends[2][1] = fcntl(ends[1][1], F_DUPFD_CLOEXEC, 3);
        if (ends[0][0] >= 0 && ends[0][1] >= 0 && ends[2][1] >= 0)
            return 0;
        return lp_err_set(err, LP_EIO, "terminal: %s", strerror(errno));
    }
    for (int i = 0; i < 3; i++) {
        int pair[2];
        if (pipe2(pair, O_CLOEXEC) < 0)
            return lp_err_set(err, LP_EIO, "pipe: %s", strerror(errno));
        ends[i][0] = pair[i == 0 ? 1 : 0];
        ends[i][1] = pair[i == 0 ? 0 : 1];
        fcntl(ends[i][0], F_SETFL, O_NONBLOCK);
    }
    return 0;
}

static int session_launch(struct lp_session *session, const struct session_start *start,
                          int ends[3][2], struct lp_err *err)
{
    struct lp_launch launch = {.argv = start->command.argv,
                               .env = start->command.env,
                               .base = start->base,
                               .cwd = start->command.cwd,
                               .user = start->command.user,
                               .in = ends[0][1],
                               .out = ends[1][1],
                               .err = ends[2][1],
                               .has_tty = start->has_tty};
    int report = -1;
    int code = lp_launch_begin(&launch, &session->pid, &report, err);
    if (code < 0)
        return code;
    if (lp_loop_add(&session->report, report, EPOLLIN) == 0)
        return 0;
    close(report);
    kill(session->pid, SIGKILL);
    return lp_err_set(err, LP_EIO, "watch it: %s", strerror(errno));
}

static void session_fill(struct lp_session *session, struct lp_peer *peer,
                         const struct session_start *start, int ends[3][2])
{
    session->peer = peer;
    session->has_tty = start->has_tty;
    session->input_fd = ends[0][0];
    session->streams[0].fd = ends[1][0];
    session->streams[1].fd = ends[2][0];
    ends[0][0] = ends[1][0] = ends[2][0] = -1;
    session->timeout_ms = start->timeout_ms;
    session->deadline_ms = start->timeout_ms ? lp_monotonic_ms() + start->timeout_ms : 0;
    streams_watch(session, true);
    peer->session = session;
}

static struct lp_session *session_find_free(void)
{
    for (size_t i = 0; i < LP_SESSIONS_MAX; i++) {
        struct lp_session *session = &sessions[i];
        if (session->pid)
            continue;
        *session = (struct lp_session){
            .input_fd = -1,
            .input_watch = {input_ready, session, -1},
            .report = {report_ready, session, -1},
            .streams = {{-1, LP_WIRE_STDOUT, {output_ready, session, -1}},
                        {-1, LP_WIRE_STDERR, {error_ready, session, -1}}},
        };
        return session;
    }
    return NULL;
}

static int session_open(struct lp_peer *peer, const struct session_start *start, struct lp_err *err)
{
    int ends[3][2] = {{-1, -1}, {-1, -1}, {-1, -1}};
    struct lp_session *session = session_find_free();
    if (!session)
        return lp_err_set(err, LP_EFULL, "%d commands run in this node already", LP_SESSIONS_MAX);
    int code = ends_open(start, ends, err);
    if (code == 0)
        code = session_launch(session, start, ends, err);
    if (code == 0)
        session_fill(session, peer, start, ends);
    else
        session->pid = 0;
    for (int i = 0; i < 6; i++)
        if (ends[i / 2][i % 2] >= 0)
            close(ends[i / 2][i % 2]);
    return code;
}

// The texts of an environment as execve(2) wants them; the array is the caller's.
static char **texts_list(const struct lp_str *texts)
{
    size_t count = 0;
    for (size_t at = 0; at < texts->bytes; at += strlen(texts->text + at) + 1)
        count++;
    char **list = lp_heap_grow(NULL, count + 1, sizeof(char *));
    count = 0;
    for (size_t at = 0; at < texts->bytes; at += strlen(texts->text + at) + 1)
        list[count++] = texts->text + at;
    list[count] = NULL;
    return list;
}

int lp_session_start(struct lp_peer *peer, const struct lp_wire_frame *frame)
{
    struct session_start start = {0};
    struct lp_err err;
    if (lp_command_parse(frame, number_take, &start, &start.command) < 0)
        return LP_ECORRUPT;
    int code = start.command.argv[0] ? 0 : LP_ECORRUPT;
    if (code == 0) {
        peer->role = LP_PEER_EXEC;
        start.base = start.is_inheriting ? texts_list(lp_app_environment()) : NULL;
        if (session_open(peer, &start, &err) < 0)
            failed_tell(peer, err.code, err.text);
        lp_heap_free(start.base);
    }
    lp_command_release(&start.command);
    return code;
}

static int resize_take(struct lp_session *session, const struct lp_wire_frame *frame)
{
    struct session_start size = {0};
    struct lp_wire_field field;
    size_t cursor = 0;
    int more = 0;
    while ((more = lp_wire_next(frame, &cursor, &field)) > 0)
        if (number_take(&size, &field) < 0)
            return LP_ECORRUPT;
    if (more == 0 && session->has_tty && session->streams[0].fd >= 0)
        lp_terminal_resize(session->streams[0].fd, size.rows, size.columns);
    return more;
}

int lp_session_take(struct lp_peer *peer, const struct lp_wire_frame *frame)
{
    struct lp_session *session = peer->session;
    if (frame->type != LP_WIRE_STDIN && frame->type != LP_WIRE_STDIN_EOF &&
        frame->type != LP_WIRE_RESIZE)
        return LP_ECORRUPT;
    if (!session) // ended; the client does not know yet
        return 0;
    if (frame->type == LP_WIRE_RESIZE)
        return resize_take(session, frame);
    if (session->input_fd < 0 || session->is_input_ended)
        return 0;
    if (frame->type == LP_WIRE_STDIN)
        lp_str_add_n(&session->input, frame->payload, frame->bytes);
    else
        session->is_input_ended = true;
    input_write(session);
    return 0;
}

static void session_kill(const struct lp_session *session)
{
    struct lp_family family = {.leader = session->pid};
    lp_family_signal(&family, SIGKILL);
    kill(session->pid, SIGKILL);
}

void lp_session_hang_up(struct lp_peer *peer)
{
    struct lp_session *session = peer->session;
    peer->session = NULL;
    session->peer = NULL;
    fds_close(session);
    kill(-session->pid, SIGHUP);
    kill(-session->pid, SIGCONT);
    session->deadline_ms = lp_monotonic_ms() + HANG_UP_MS;
}

static void exit_tell(struct lp_session *session, int status)
{
    struct lp_peer *peer = session->peer;
    for (int i = 0; i < 2; i++)
        for (int n = 0; n < DRAIN_CHUNKS_MAX && session->streams[i].fd >= 0; n++)
            if (!stream_take(session, &session->streams[i]))
                break;
    peer->session = NULL;
    if (session->code < 0) {
        failed_tell(peer, session->code, session->text);
        return;
    }
    size_t at = lp_wire_head(&peer->out, LP_WIRE_EXIT, 0);
    lp_wire_add_number(&peer->out, "status", status);
    int sealed = lp_wire_seal(&peer->out, at, NULL);
    lp_assert(sealed == 0);
    lp_peer_finish(peer);
}

bool lp_session_reap(pid_t pid, int wait_status)
{
    for (size_t i = 0; i < LP_SESSIONS_MAX; i++) {
        struct lp_session *session = &sessions[i];
        if (session->pid != pid)
            continue;
        report_ready(session, 0);
        report_close(session);
        if (session->peer)
            exit_tell(session, lp_status_from_wait(wait_status));
        else
            session_kill(session); // nobody watches over what it left behind
        fds_close(session);
        session->pid = 0;
        return true;
    }
    return false;
}

void lp_sessions_timers(int64_t now_ms)
{
    for (size_t i = 0; i < LP_SESSIONS_MAX; i++) {
        struct lp_session *session = &sessions[i];
        if (!session->pid || !session->deadline_ms || now_ms < session->deadline_ms)
            continue;
        if (session->peer) {
            session->code = LP_ETIMEOUT;
            snprintf(session->text, sizeof(session->text), "killed: not done within %u ms",
                     session->timeout_ms);
        }
        session->deadline_ms = now_ms + KILL_AGAIN_MS;
        session_kill(session);
    }
}

int64_t lp_sessions_wake_ms(void)
{
    int64_t wake_ms = INT64_MAX;
    for (size_t i = 0; i < LP_SESSIONS_MAX; i++)
        if (sessions[i].pid && sessions[i].deadline_ms && sessions[i].deadline_ms < wake_ms)
            wake_ms = sessions[i].deadline_ms;
    return wake_ms;
}

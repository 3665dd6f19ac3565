// How an infrastructure comes up or goes down: live on a terminal, silent in a pipe.
#define _GNU_SOURCE
#include "cmd/progress.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "cmd/client.h"
#include "cmd/cmd.h"
#include "cmd/table.h"
#include "base/clock.h"
#include "base/own.h"

enum { TURN_MS = 80, NEWS_EVERY_MS = 240, NEWS_AT_ONCE = 1000, NAME_COLUMNS_MAX = 40 };

static volatile sig_atomic_t is_interrupted;

static void interrupt_note(int number)
{
    (void)number;
    is_interrupted = 1;
}

void lp_interrupt_watch(void)
{
    // A second one ends the program as ever.
    struct sigaction action = {.sa_handler = interrupt_note, .sa_flags = SA_RESETHAND};
    sigaction(SIGINT, &action, NULL);
}

bool lp_interrupt_came(void)
{
    return is_interrupted;
}

static bool is_ours(const struct lp_progress *progress, const char *subject)
{
    size_t bytes = strlen(progress->infra);
    return !subject[0] || (strncmp(subject, progress->infra, bytes) == 0 &&
                           (subject[bytes] == '\0' || subject[bytes] == '/'));
}

// Images belong to no infrastructure in the journal: every one that is made now is shown.
static void image_note(struct lp_progress *progress, const char *kind, const json_t *body,
                       const char *sentence)
{
    char key[24];
    snprintf(key, sizeof(key), "%lld", lp_json_number(body, "image"));
    if (strcmp(kind, "image-progress") == 0)
        json_object_set_new(progress->images, key, json_string(lp_json_text(body, "text")));
    else
        json_object_del(progress->images, key);
    if (strcmp(kind, "image-failed") == 0)
        json_object_set_new(progress->troubles, "", json_string(sentence));
}

static bool is_trouble(const char *kind, const json_t *body)
{
    static const char *const kinds[] = {"network-failed", "node-failed", "node-mute", "app-failed"};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
        if (strcmp(kind, kinds[i]) == 0)
            return true;
    if (strcmp(kind, "app-exited") == 0 || strcmp(kind, "node-dead") == 0)
        return lp_json_number(body, "status") != 0 || json_is_true(json_object_get(body, "is_oom"));
    return strcmp(kind, "reading") == 0 && !json_is_true(json_object_get(body, "is_ok"));
}

static void trouble_set(struct lp_progress *progress, const char *subject, const char *text)
{
    json_object_del(progress->troubles, subject); // the last one said stands last
    json_object_set_new(progress->troubles, subject, json_string(text));
}

// What Limpet ends itself does not explain anything: what it did it for was said before.
static void order_note(struct lp_progress *progress, const char *kind, const char *subject)
{
    static const char *const kinds[] = {"stop-node", "fence-node", "remove-node", "stop-app",
                                        "kill-app"};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
        if (strcmp(kind, kinds[i]) == 0)
            json_object_set_new(progress->ordered, subject, json_true());
}

static bool is_of_order(const struct lp_progress *progress, const char *kind, const char *subject)
{
    bool is_node = strcmp(kind, "node-dead") == 0;
    if (!is_node && strcmp(kind, "app-exited") != 0)
        return false;
    bool is_ordered = json_object_get(progress->ordered, subject) != NULL;
    json_object_del(progress->ordered, subject);
    // With a node that is killed its applications end, too.
    LP_OWNS_STR struct lp_str node = {0};
    const char *slash = is_node ? NULL : strrchr(subject, '/');
    if (slash)
        lp_str_add_n(&node, subject, (size_t)(slash - subject));
    return is_ordered || (slash && json_object_get(progress->ordered, lp_str_text(&node)));
}

static void event_note(struct lp_progress *progress, const json_t *event)
{
    const char *kind = lp_json_text(event, "kind"), *subject = lp_json_text(event, "subject");
    const json_t *body = json_object_get(event, "body");
    const char *sentence = lp_json_text(event, "sentence");
    if (!is_ours(progress, subject))
        return;
    if (strcmp(lp_json_text(event, "record"), "event") != 0) {
        order_note(progress, kind, subject);
        return;
    }
    bool is_ordered = is_of_order(progress, kind, subject);
    if (strncmp(kind, "image-", 6) == 0 && strcmp(kind, "image-set") != 0)
        image_note(progress, kind, body, sentence);
    else if (strcmp(kind, "network-ready") == 0)
        json_object_del(progress->troubles, progress->infra);
    else if (!is_ordered && is_trouble(kind, body))
        trouble_set(progress, subject, sentence);
}

LP_MUST_CHECK static int news_read(struct lp_progress *progress)
{
    char after[24], limit[24];
    size_t i, count = NEWS_AT_ONCE;
    json_t *answer, *event;
    struct lp_err *err = &progress->cmd->err;
    snprintf(limit, sizeof(limit), "%d", NEWS_AT_ONCE);
    while (count == NEWS_AT_ONCE) {
        snprintf(after, sizeof(after), "%llu", (unsigned long long)progress->after);
        if (lp_client_get(progress->client, &answer, err, "/v1/events", "after", after, "limit",
                          limit, LP_QUERY_END) < 0)
            return err->code;
        const json_t *events = json_object_get(answer, "events");
        json_array_foreach (events, i, event) {
            event_note(progress, event);
        }
        count = json_array_size(events);
        progress->after = (uint64_t)lp_json_number(answer, "next");
        json_decref(answer);
    }
    return 0;
}

LP_MUST_CHECK static int state_read(struct lp_progress *progress)
{
    json_t *row = NULL, *nodes = NULL;
    struct lp_err *err = &progress->cmd->err;
    int code = lp_client_get(progress->client, &row, err, "/v1/infrastructures", "infrastructure",
                             progress->infra, LP_QUERY_END);
    if (code == 0)
        code = lp_client_get(progress->client, &nodes, err, "/v1/nodes", "infrastructure",
                             progress->infra, LP_QUERY_END);
    if (code < 0 && code != LP_ENOTFOUND) {
        json_decref(row);
        return code;
    }
    json_decref(progress->row);
    json_decref(progress->nodes);
    progress->row = code < 0 ? NULL : json_incref(json_array_get(row, 0));
    progress->nodes = code < 0 ? json_array() : nodes;
    json_decref(row);
    return 0;
}

// Drawing.

struct screen {
    size_t rows, columns;
};

static struct screen screen_size(void)
{
    struct winsize size;
    struct screen screen = {24, 80};
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row && size.ws_col)
        screen = (struct screen){size.ws_row, size.ws_col};
    return screen;
}

// One frame of a turning wheel; every character of it has three bytes.
static const char *spinner(const struct lp_progress *progress)
{
    static const char frames[] = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏";
    enum { FRAME_BYTES = 3, FRAMES = (sizeof(frames) - 1) / FRAME_BYTES };
    return lp_arena_text_n(progress->cmd->arena, frames + (progress->turns % FRAMES) * FRAME_BYTES,
                           FRAME_BYTES);
}

static bool is_well(const json_t *node)
{
    const char *health = lp_json_text(node, "health");
    return strcmp(health, "healthy") == 0 || strcmp(health, "completed") == 0;
}

// What a node is busy with: a setup step that runs, what it waits for, what went wrong.
static const char *detail_of(const struct lp_progress *progress, const json_t *node)
{
    size_t i;
    const json_t *app;
    struct lp_arena *arena = progress->cmd->arena;
    if (is_well(node))
        return lp_json_text(node, "address");
    if (strcmp(lp_json_text(node, "health"), "stopping") == 0)
        return ""; // its end is what was asked for
    const char *trouble = lp_progress_trouble(progress, lp_json_text(node, "node"));
    if (trouble)
        return trouble;
    if (lp_json_text(node, "waits_for")[0])
        return lp_arena_printf(arena, "waits for %s", lp_json_text(node, "waits_for"));
    json_array_foreach (json_object_get(node, "applications"), i, app) {
        const char *state = lp_json_text(app, "state");
        if (strcmp(state, "ready") != 0 && strcmp(state, "done") != 0)
            return lp_arena_printf(arena, "%s: %s", lp_json_text(app, "name"), state);
    }
    return "";
}

static void line_add(struct lp_str *out, const char *text, size_t columns)
{
    lp_text_fit(out, text, columns);
    lp_str_add(out, "\033[K\n");
}

static void node_draw(const struct lp_progress *progress, const json_t *node, size_t columns,
                      struct lp_str *out)
{
    const char *health = lp_json_text(node, "health"), *name = lp_json_text(node, "node");
    bool has_color = progress->cmd->has_color, is_lost = strcmp(health, "gave up") == 0;
    enum lp_color color = lp_health_color(health);
    LP_OWNS_STR struct lp_str text = {0};
    lp_color_begin(out, color, has_color);
    lp_str_printf(out, "  %s ", is_well(node) ? "✔" : is_lost ? "✘" : spinner(progress));
    lp_color_end(out, color, has_color);
    lp_str_printf(&text, "%-16s %-10s ", name, health);
    int64_t for_ms = lp_wall_ms() - lp_json_number(node, "since");
    if (!is_well(node) && for_ms >= 1000)
        lp_str_printf(&text, "%s  ", lp_time_span(progress->cmd, for_ms));
    lp_str_add(&text, detail_of(progress, node));
    line_add(out, lp_str_text(&text), columns - 5);
}

static size_t nodes_draw(const struct lp_progress *progress, const struct screen *screen,
                         struct lp_str *out)
{
    size_t count = json_array_size(progress->nodes), drawn = 0, left = 0;
    size_t room = screen->rows > 8 ? screen->rows - 6 : 2;
    // When not all have a place, those that are not well come first.
    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < count; i++) {
            const json_t *node = json_array_get(progress->nodes, i);
            bool has_turn = count <= room ? pass == 0 : (pass == 0) == !is_well(node);
            if (has_turn && drawn < room) {
                node_draw(progress, node, screen->columns, out);
                drawn++;
            } else if (has_turn) {
                left++;
            }
        }
    if (left)
        lp_str_printf(out, "    … and %zu more\033[K\n", left);
    return drawn + (left > 0);
}

static void head_draw(const struct lp_progress *progress, size_t columns, struct lp_str *out)
{
    LP_OWNS_STR struct lp_str head = {0};
    bool has_color = progress->cmd->has_color;
    long long wanted = lp_json_number(progress->row, "wanted");
    lp_str_printf(&head, "%s: %s, ", progress->infra,
                  progress->row ? lp_json_text(progress->row, "state") : "gone");
    if (wanted)
        lp_str_printf(&head, "%lld of %lld healthy, ", lp_json_number(progress->row, "healthy"),
                      wanted);
    lp_str_add(&head, lp_time_span(progress->cmd, lp_monotonic_ms() - progress->start_ms));
    lp_color_begin(out, LP_BOLD, has_color);
    lp_text_fit(out, lp_str_text(&head), columns);
    lp_color_end(out, LP_BOLD, has_color);
    lp_str_add(out, "\033[K\n");
}

static void draw(struct lp_progress *progress)
{
    // Its texts end with each drawing: waiting may last for hours.
    LP_OWNS_ARENA struct lp_arena arena = {0};
    struct lp_cmd cmd = *progress->cmd;
    struct lp_progress seen = *progress;
    cmd.arena = &arena;
    seen.cmd = &cmd;
    struct screen screen = screen_size();
    LP_OWNS_STR struct lp_str out = {0};
    const char *image;
    json_t *doing;
    if (seen.drawn)
        lp_str_printf(&out, "\033[%zuA", seen.drawn);
    head_draw(&seen, screen.columns - 1, &out);
    progress->drawn = 1 + nodes_draw(&seen, &screen, &out);
    json_object_foreach (seen.images, image, doing) {
        LP_OWNS_STR struct lp_str text = {0};
        lp_str_printf(&text, "  %s image: %s", spinner(&seen), json_string_value(doing));
        line_add(&out, lp_str_text(&text), screen.columns - 1);
        progress->drawn++;
    }
    lp_str_add(&out, "\033[J");
    fputs(lp_str_text(&out), stdout);
    fflush(stdout);
}

void lp_progress_erase(struct lp_progress *progress)
{
    if (progress->drawn)
        printf("\033[%zuA\033[J", progress->drawn);
    fflush(stdout);
    progress->drawn = 0;
}

int lp_progress_turn(struct lp_progress *progress)
{
    int64_t now_ms = lp_monotonic_ms();
    bool is_drawing = progress->cmd->is_terminal && !progress->cmd->is_quiet;
    if (!progress->start_ms) {
        progress->start_ms = now_ms;
        progress->troubles = json_object();
        progress->images = json_object();
        progress->ordered = json_object();
    } else {
        nanosleep(&(struct timespec){.tv_nsec = TURN_MS * 1000000L}, NULL);
    }
    if (state_read(progress) < 0)
        return progress->cmd->err.code;
    if (now_ms - progress->news_ms >= NEWS_EVERY_MS) {
        progress->news_ms = now_ms;
        // They only explain: a journal that cannot be written must not end the waiting.
        if (news_read(progress) < 0 && lp_client_is_absent(progress->client))
            return progress->cmd->err.code;
    }
    progress->turns++;
    if (is_drawing)
        draw(progress);
    return 0;
}

int lp_progress_fail(struct lp_progress *progress)
{
    struct lp_cmd *cmd = progress->cmd;
    if (lp_client_is_absent(progress->client))
        lp_err_set(&cmd->err, LP_EIO,
                   "the daemon is gone; what runs goes on running, and `limpet %s` again goes on",
                   cmd->verb->name);
    return lp_cmd_fail(cmd, &cmd->err);
}

void lp_progress_end(struct lp_progress *progress)
{
    json_decref(progress->row);
    json_decref(progress->nodes);
    json_decref(progress->troubles);
    json_decref(progress->images);
    json_decref(progress->ordered);
    *progress = (struct lp_progress){0};
}

const char *lp_progress_trouble(const struct lp_progress *progress, const char *node)
{
    const char *subject, *found = NULL;
    json_t *text;
    size_t infra_bytes = strlen(progress->infra), bytes = strlen(node);
    json_object_foreach (progress->troubles, subject, text) {
        if (strncmp(subject, progress->infra, infra_bytes) != 0 || subject[infra_bytes] != '/')
            continue;
        const char *rest = subject + infra_bytes + 1;
        if (strncmp(rest, node, bytes) == 0 && (rest[bytes] == '\0' || rest[bytes] == '/'))
            found = json_string_value(text);
    }
    return found;
}

void lp_progress_catch_up(struct lp_progress *progress)
{
    if (news_read(progress) < 0)
        return; // they only explain
}

void lp_progress_tell_unwell(const struct lp_progress *progress)
{
    size_t i;
    const json_t *node;
    const char *subject;
    json_t *text;
    json_array_foreach (progress->nodes, i, node) {
        LP_OWNS_STR struct lp_str line = {0};
        if (is_well(node))
            continue;
        const char *health = lp_json_text(node, "health");
        lp_str_printf(&line, "  %s %s%s", lp_json_text(node, "node"),
                      strcmp(health, "gave up") == 0 ? "" : "is ", health);
        const char *why = detail_of(progress, node);
        lp_str_printf(&line, "%s%s", why[0] ? ": " : "", why);
        LP_OWNS_STR struct lp_str shown = {0};
        lp_text_fit(&shown, lp_str_text(&line), 2000);
        fprintf(stderr, "%s\n", lp_str_text(&shown));
    }
    if (lp_json_text(progress->row, "trouble")[0])
        fprintf(stderr, "  %s\n", lp_json_text(progress->row, "trouble"));
    json_object_foreach (progress->troubles, subject, text) {
        if (!strchr(subject, '/'))
            fprintf(stderr, "  %s\n", json_string_value(text));
    }
}

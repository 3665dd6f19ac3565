// A person's descriptor: found, read with its .env and the environment, its mistakes shown.
#define _GNU_SOURCE
#include "cmd/descriptor_file.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/client.h"
#include "cmd/cmd.h"
#include "cmd/table.h"
#include "model/limits.h"
#include "model/parse_env_file.h"
#include "base/file.h"
#include "base/own.h"

enum { SHOWN_LINE_COLUMNS = 120 };

static const char *const default_names[] = {"limpet.yaml",        "limpet.yml",
                                            "compose.yaml",       "compose.yml",
                                            "docker-compose.yml", "docker-compose.yaml"};

bool lp_descriptor_file_is(const char *text)
{
    struct stat status;
    return strchr(text, '/') || lp_text_ends(text, ".yaml") || lp_text_ends(text, ".yml") ||
           (strcmp(text, "-") != 0 && stat(text, &status) == 0 && S_ISREG(status.st_mode));
}

LP_MUST_CHECK static int path_find(struct lp_cmd *cmd, const char *path, const char **ret_path)
{
    for (size_t i = 0; !path && i < sizeof(default_names) / sizeof(*default_names); i++)
        if (lp_path_exists(default_names[i]))
            path = default_names[i];
    if (!path)
        return lp_err_set(&cmd->err, LP_EINPUT,
                          "name a descriptor: there is no limpet.yaml, compose.yaml or "
                          "docker-compose.yml here");
    *ret_path = path;
    return 0;
}

// The .env beside the descriptor, below the environment: the last of equal keys counts.
LP_MUST_CHECK static int environment_read(struct lp_cmd *cmd, const char *path,
                                          struct lp_pairs *ret_pairs)
{
    LP_OWNS_STR struct lp_str text = {0};
    struct lp_pairs file = {0};
    const char *slash = strrchr(path, '/');
    const char *env_path =
        lp_arena_printf(cmd->arena, "%.*s.env", slash ? (int)(slash + 1 - path) : 0, path);
    int line = 0, code = lp_file_read(env_path, LP_CONFIG_BYTES_MAX, &text, &cmd->err);
    if (code < 0 && code != LP_ENOTFOUND)
        return lp_err_set(&cmd->err, LP_EINPUT, "%s", lp_arena_text(cmd->arena, cmd->err.text));
    if (code == 0 && lp_env_file_parse(lp_str_text(&text), cmd->arena, &file, &line, &cmd->err) < 0)
        return lp_err_set(&cmd->err, LP_EINPUT, "%s:%d: %s", env_path, line,
                          lp_arena_text(cmd->arena, cmd->err.text));
    size_t count = 0;
    while (environ && environ[count])
        count++;
    ret_pairs->items = lp_arena_new_array(cmd->arena, struct lp_pair, file.count + count + 1);
    ret_pairs->count = 0;
    for (size_t i = 0; i < file.count; i++)
        ret_pairs->items[ret_pairs->count++] = file.items[i];
    for (size_t i = 0; i < count; i++) {
        char *equals = strchr(environ[i], '=');
        if (equals)
            ret_pairs->items[ret_pairs->count++] = (struct lp_pair){
                lp_arena_text_n(cmd->arena, environ[i], (size_t)(equals - environ[i])), equals + 1};
    }
    return 0;
}

static struct lp_texts profiles_of(struct lp_cmd *cmd)
{
    struct lp_texts profiles = {lp_arena_new_array(cmd->arena, const char *, cmd->given_count + 1),
                                0};
    for (size_t i = 0; i < cmd->given_count; i++)
        if (strcmp(cmd->given[i].option->name, "profile") == 0)
            profiles.items[profiles.count++] = cmd->given[i].value;
    return profiles;
}

// The line of the mistake with a caret below it; nothing when the place is in another file.
static void place_show(const struct lp_str *text, const struct lp_mistake *mistake, bool has_color)
{
    const char *line = lp_str_text(text);
    LP_OWNS_STR struct lp_str shown = {0};
    for (int i = 1; i < mistake->line && line; i++) {
        line = strchr(line, '\n');
        line = line ? line + 1 : NULL;
    }
    if (!line || mistake->line <= 0)
        return;
    LP_OWNS_ARENA struct lp_arena arena = {0};
    char *whole = lp_arena_text_n(&arena, line, strcspn(line, "\r\n"));
    for (char *at = whole; *at; at++)
        *at = *at == '\t' ? ' ' : *at;
    lp_str_printf(&shown, "%6d | ", mistake->line);
    lp_text_fit(&shown, whole, SHOWN_LINE_COLUMNS);
    char *place = whole; // columns are counted in characters
    for (int i = 1; i < mistake->column && *place; i++)
        for (place++; ((unsigned char)*place & 0xc0) == 0x80;)
            place++;
    *place = '\0';
    lp_str_printf(&shown, "\n       | %*s", (int)lp_text_width(whole), "");
    lp_color_begin(&shown, LP_RED, has_color);
    lp_str_add_char(&shown, '^');
    lp_color_end(&shown, LP_RED, has_color);
    if (lp_text_width(whole) < SHOWN_LINE_COLUMNS)
        fprintf(stderr, "%s\n", lp_str_text(&shown));
}

static void mistakes_print(const struct lp_cmd *cmd, const struct lp_parse_input *input,
                           const struct lp_mistakes *mistakes)
{
    LP_OWNS_STR struct lp_str text = {0};
    bool is_terminal = isatty(STDERR_FILENO);
    lp_str_add_n(&text, input->text, input->bytes);
    for (size_t i = 0; i < mistakes->count; i++) {
        const struct lp_mistake *mistake = &mistakes->items[i];
        fprintf(stderr, "%s:", mistake->file);
        if (mistake->line > 0)
            fprintf(stderr, "%d:%d:", mistake->line, mistake->column);
        fprintf(stderr, " %s\n", mistake->text);
        if (is_terminal && lp_text_equal(mistake->file, input->path))
            place_show(&text, mistake, cmd->has_color);
    }
    if (mistakes->count > 1)
        fprintf(stderr, "%zu mistakes%s; nothing was touched\n", mistakes->count,
                mistakes->count == LP_DESCRIPTOR_MISTAKES_MAX ? " or more" : "");
}

// --scale SERVICE=N wins over the file.
LP_MUST_CHECK static int scales_apply(struct lp_cmd *cmd, const struct lp_descriptor *descriptor)
{
    for (size_t i = 0; i < cmd->given_count; i++) {
        if (strcmp(cmd->given[i].option->name, "scale") != 0)
            continue;
        const char *text = cmd->given[i].value, *equals = strchr(text, '=');
        long replicas = 0;
        if (!equals)
            return lp_err_set(&cmd->err, LP_EINPUT, "--scale %s: SERVICE=NUMBER is wanted", text);
        const char *name = lp_arena_text_n(cmd->arena, text, (size_t)(equals - text));
        if (lp_number_parse(equals + 1, 0, LP_REPLICAS_MAX, name, &replicas, &cmd->err) < 0)
            return cmd->err.code;
        if (!lp_descriptor_find_service(descriptor, name))
            return lp_err_set(&cmd->err, LP_EINPUT, "--scale: there is no service '%s'", name);
        for (size_t s = 0; s < descriptor->service_count; s++)
            if (strcmp(descriptor->services[s].name, name) == 0)
                descriptor->services[s].replicas = (uint32_t)replicas;
    }
    return 0;
}

static int usage_fail(struct lp_cmd *cmd)
{
    lp_cmd_fail(cmd, &cmd->err);
    return LP_EXIT_USAGE;
}

int lp_descriptor_file_read(struct lp_cmd *cmd, const char *path,
                            struct lp_descriptor_file *ret_file)
{
    struct lp_pairs environment;
    LP_OWNS_STR struct lp_str text = {0};
    LP_OWNS_STR struct lp_str canonical = {0};
    struct lp_texts profiles = profiles_of(cmd);
    struct lp_mistakes *mistakes = lp_arena_new(cmd->arena, struct lp_mistakes);
    if (path_find(cmd, path, &path) < 0 || environment_read(cmd, path, &environment) < 0 ||
        lp_file_read(path, LP_DESCRIPTOR_BYTES_MAX, &text, &cmd->err) < 0)
        return usage_fail(cmd);
    struct lp_parse_input input = {
        .path = path,
        .text = lp_arena_text_n(cmd->arena, lp_str_text(&text), text.bytes),
        .bytes = text.bytes,
        .environment = &environment,
        .profiles = &profiles,
    };
    if (lp_descriptor_parse(&input, cmd->arena, mistakes, &ret_file->descriptor, &cmd->err) < 0) {
        mistakes_print(cmd, &input, mistakes);
        return LP_EXIT_USAGE;
    }
    if (scales_apply(cmd, ret_file->descriptor) < 0)
        return usage_fail(cmd);
    lp_descriptor_print(ret_file->descriptor, &canonical);
    ret_file->path = path;
    ret_file->text = lp_arena_text_n(cmd->arena, lp_str_text(&canonical), canonical.bytes);
    ret_file->bytes = canonical.bytes;
    return LP_EXIT_DONE;
}

const char *lp_descriptor_file_body(struct lp_cmd *cmd, const struct lp_descriptor_file *file,
                                    bool has_secrets)
{
    const struct lp_descriptor *descriptor = file->descriptor;
    json_t *secrets = json_object();
    for (size_t i = 0; i < descriptor->secret_count; i++)
        if (descriptor->secrets[i].content)
            json_object_set_new(secrets, descriptor->secrets[i].name,
                                json_string(descriptor->secrets[i].content));
    json_t *body = json_object();
    json_object_set_new(body, "descriptor", json_stringn(file->text, file->bytes));
    if (has_secrets)
        json_object_set(body, "secrets", secrets);
    const char *text = lp_json_print(cmd, body);
    json_decref(secrets);
    json_decref(body);
    return text;
}

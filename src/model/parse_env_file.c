// Files of KEY=VALUE lines: env_file, and the .env beside a descriptor.
#include "model/parse_env_file.h"

#include <ctype.h>
#include <string.h>
#include <unistd.h>

#include "base/own.h"
#include "base/str.h"
#include "model/parse_service.h"

struct cursor {
    const char *at;
    int line;
};

static const char *blanks_skip(const char *text)
{
    return text + strspn(text, " \t");
}

static size_t key_bytes(const char *text)
{
    size_t bytes = 0;
    while (text[bytes] == '_' || text[bytes] == '.' || text[bytes] == '-' ||
           isalnum((unsigned char)text[bytes]))
        bytes++;
    return isdigit((unsigned char)text[0]) ? 0 : bytes;
}

// The value in quotes at cursor, which is moved behind it; may span lines. false: not closed.
static bool quoted_parse(struct cursor *cursor, struct lp_str *ret_value)
{
    static const char escapes[] = "n\nt\tr\r\"\"\\\\$$";
    const char quote = *cursor->at++;
    for (; *cursor->at && *cursor->at != quote; cursor->at++) {
        const char *at = cursor->at;
        const char *escape = NULL;
        for (size_t i = 0; quote == '"' && *at == '\\' && i + 1 < sizeof(escapes); i += 2)
            if (escapes[i] == at[1])
                escape = &escapes[i + 1];
        lp_str_add_char(ret_value, escape ? *escape : *at);
        cursor->at += escape != NULL;
        cursor->line += *at == '\n';
    }
    if (!*cursor->at)
        return false;
    cursor->at++;
    return true;
}

static void bare_parse(struct cursor *cursor, struct lp_str *ret_value)
{
    const char *start = cursor->at, *end = start + strcspn(start, "\r\n");
    cursor->at = end;
    for (const char *c = start; c < end; c++) {
        if (*c == '#' && (c == start || isblank((unsigned char)c[-1]))) {
            end = c;
            break;
        }
    }
    while (end > start && isblank((unsigned char)end[-1]))
        end--;
    lp_str_add_n(ret_value, start, (size_t)(end - start));
}

// One line that holds a pair. KEY alone is skipped.
static int line_parse(struct cursor *cursor, struct lp_arena *arena, struct lp_pair *ret_pair,
                      struct lp_err *err)
{
    LP_OWNS_STR struct lp_str value = {0};
    if (lp_text_starts(cursor->at, "export "))
        cursor->at = blanks_skip(cursor->at + 7);
    size_t bytes = key_bytes(cursor->at);
    const char *key = lp_arena_text_n(arena, cursor->at, bytes);
    const char *equals = blanks_skip(cursor->at + bytes);
    if (!bytes || *equals != '=')
        return lp_err_set(err, LP_EINPUT, "a line must be KEY=VALUE");
    cursor->at = blanks_skip(equals + 1);
    if (*cursor->at == '\'' || *cursor->at == '"') {
        if (!quoted_parse(cursor, &value))
            return lp_err_set(err, LP_EINPUT, "the quote in the value of %s is not closed", key);
        cursor->at = blanks_skip(cursor->at);
        if (*cursor->at && !strchr("\r\n#", *cursor->at))
            return lp_err_set(err, LP_EINPUT, "text behind the quoted value of %s", key);
        cursor->at += strcspn(cursor->at, "\n");
    } else {
        bare_parse(cursor, &value);
    }
    *ret_pair = (struct lp_pair){key, lp_arena_text_n(arena, lp_str_text(&value), value.bytes)};
    return 0;
}

int lp_env_file_parse(const char *text, struct lp_arena *arena, struct lp_pairs *ret_pairs,
                      int *ret_line, struct lp_err *err)
{
    size_t lines = 1;
    for (const char *c = text; *c; c++)
        lines += *c == '\n';
    struct lp_pairs pairs = {lp_arena_new_array(arena, struct lp_pair, lines), 0};
    struct cursor cursor = {text, 1};
    while (*cursor.at) {
        cursor.at = blanks_skip(cursor.at);
        if (*cursor.at == '#')
            cursor.at += strcspn(cursor.at, "\n");
        if (*cursor.at && !strchr("\r\n", *cursor.at)) {
            *ret_line = cursor.line;
            int code = line_parse(&cursor, arena, &pairs.items[pairs.count], err);
            if (code < 0)
                return code;
            pairs.count++;
        }
        cursor.line += *cursor.at == '\n';
        cursor.at += *cursor.at != '\0';
    }
    *ret_pairs = lp_pairs_overlay(arena, &pairs, &(struct lp_pairs){0});
    return 0;
}

struct env_file {
    struct lp_yaml_node *path;
    bool is_required;
};

static void path_read(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    (void)reader;
    struct env_file *file = into;
    file->path = value;
}

static void required_read(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    struct env_file *file = into;
    lp_parse_bool(reader, value, &file->is_required);
}

static void file_read(struct lp_reader *reader, const struct env_file *file,
                      struct lp_service_draft *draft)
{
    const char *path = lp_parse_text(reader, file->path);
    if (!path)
        return;
    path = lp_path_resolve(reader, path);
    if (!file->is_required && access(path, F_OK) < 0)
        return;
    const char *text = lp_path_read_text(reader, file->path, path);
    struct lp_pairs pairs;
    struct lp_err err;
    int line = 0;
    if (!text)
        return;
    if (lp_env_file_parse(text, reader->arena, &pairs, &line, &err) < 0) {
        struct lp_sink sink = {
            .mistakes = reader->sink.mistakes, .arena = reader->arena, .file = path};
        lp_mistake_put(&sink, (struct lp_place){line, 1}, "%s", err.text);
        return;
    }
    draft->env_file = lp_pairs_overlay(reader->arena, &draft->env_file, &pairs);
}

static void entry_read(struct lp_reader *reader, struct lp_yaml_node *node,
                       struct lp_service_draft *draft)
{
    static const struct lp_key keys[] = {{"path", path_read, 0}, {"required", required_read, 0}};
    static const struct lp_refused refused[] = {{"format", NULL}};
    const struct lp_schema schema = {"env_file", keys, LP_COUNT(keys), refused, LP_COUNT(refused)};
    struct env_file file = {.path = node, .is_required = true};
    if (node->kind == LP_YAML_MAPPING) {
        file.path = NULL;
        lp_schema_read(reader, &schema, node, &file);
        if (!file.path)
            lp_mistake_at(reader, node, "'path' is missing");
    }
    if (file.path)
        file_read(reader, &file, draft);
}

void lp_read_env_file(struct lp_reader *reader, struct lp_yaml_node *value, void *into)
{
    if (value->kind != LP_YAML_SEQUENCE) {
        entry_read(reader, value, into);
        return;
    }
    for (size_t i = 0; i < value->count; i++)
        entry_read(reader, value->items[i], into);
}

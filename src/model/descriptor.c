// lp_descriptor_parse from start to end, and the finders.
#include "model/descriptor.h"

#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "model/descriptor_parts.h"
#include "model/limits.h"

const struct lp_service *lp_descriptor_find_service(const struct lp_descriptor *descriptor,
                                                    const char *name)
{
    for (size_t i = 0; i < descriptor->service_count; i++)
        if (strcmp(descriptor->services[i].name, name) == 0)
            return &descriptor->services[i];
    return NULL;
}

const struct lp_app *lp_service_find_app(const struct lp_service *service, const char *name)
{
    for (size_t i = 0; i < service->app_count; i++)
        if (strcmp(service->apps[i].name, name) == 0)
            return &service->apps[i];
    return NULL;
}

// The absolute folder of the file. A path that leads nowhere (text from elsewhere) counts from "/".
static const char *folder_find(struct lp_arena *arena, const char *path)
{
    char *folder = lp_arena_text(arena, path ? path : "");
    char *slash = strrchr(folder, '/');
    if (slash)
        slash[slash == folder] = '\0';
    LP_OWNS_TEXT char *resolved = realpath(slash ? folder : ".", NULL);
    return resolved ? lp_arena_text(arena, resolved) : "/";
}

static void text_parse(struct lp_reader *reader)
{
    const struct lp_parse_input *input = reader->input;
    size_t most = input->is_canonical ? LP_CANONICAL_BYTES_MAX : LP_DESCRIPTOR_BYTES_MAX;
    if (input->bytes > most) {
        lp_mistake_put(&reader->sink, (struct lp_place){0, 0}, "%zu bytes; at most %zu",
                       input->bytes, most);
        return;
    }
    struct lp_yaml_node *root = lp_yaml_parse(input->text, input->bytes, &reader->sink);
    if (!root)
        return;
    lp_parse_top(reader, root);
    lp_descriptor_settle(reader);
    lp_descriptor_check_network(reader);
    if (reader->sink.mistakes->count == 0)
        lp_descriptor_check_cycles(reader);
    lp_descriptor_derive(reader);
}

static int mistake_err(const struct lp_mistake *mistake, struct lp_err *err)
{
    if (!mistake->line)
        return lp_err_set(err, LP_EINPUT, "%s: %s", mistake->file, mistake->text);
    return lp_err_set(err, LP_EINPUT, "%s:%d:%d: %s", mistake->file, mistake->line, mistake->column,
                      mistake->text);
}

int lp_descriptor_parse(const struct lp_parse_input *input, struct lp_arena *arena,
                        struct lp_mistakes *ret_mistakes,
                        const struct lp_descriptor **ret_descriptor, struct lp_err *err)
{
    const char *file = input->path ? input->path : "descriptor";
    struct lp_reader reader = {
        .input = input,
        .sink = {.mistakes = ret_mistakes, .arena = arena, .file = file},
        .arena = arena,
        .folder = input->is_canonical ? "/" : folder_find(arena, input->path),
        .descriptor = lp_arena_new(arena, struct lp_descriptor),
    };
    ret_mistakes->count = 0;
    text_parse(&reader);
    if (ret_mistakes->count) {
        lp_mistakes_sort(ret_mistakes, file);
        return mistake_err(&ret_mistakes->items[0], err);
    }
    *ret_descriptor = reader.descriptor;
    return 0;
}

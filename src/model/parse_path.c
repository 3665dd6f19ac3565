// Paths of this host and the files that a descriptor names.
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "model/interpolate.h"
#include "model/limits.h"
#include "model/parse.h"

const char *lp_path_resolve(struct lp_reader *reader, const char *path)
{
    const char *base = reader->folder;
    if (path[0] == '/')
        return path;
    if (path[0] == '~' && (path[1] == '/' || !path[1])) {
        const char *home = lp_pairs_find(reader->input->environment, "HOME");
        base = home ? home : "/root";
        path += path[1] ? 2 : 1;
    }
    while (lp_text_starts(path, "./"))
        path += 2;
    if (!*path || strcmp(path, ".") == 0)
        return base;
    return lp_arena_printf(reader->arena, "%s/%s", strcmp(base, "/") == 0 ? "" : base, path);
}

const char *lp_path_read_text(struct lp_reader *reader, const struct lp_yaml_node *node,
                              const char *path)
{
    struct stat info;
    struct lp_err err;
    LP_OWNS_STR struct lp_str text = {0};
    if (reader->input->is_canonical) { // what it means must not depend on today's disk
        lp_mistake_at(reader, node, "the canonical form holds contents, not files");
        return NULL;
    }
    if (stat(path, &info) < 0) {
        lp_mistake_at(reader, node, "file %s: %s", path, strerror(errno));
        return NULL;
    }
    if (!S_ISREG(info.st_mode)) { // a fifo would block
        lp_mistake_at(reader, node, "%s is not a regular file", path);
        return NULL;
    }
    if (lp_file_read(path, LP_CONFIG_BYTES_MAX, &text, &err) < 0) {
        lp_mistake_at(reader, node, "%s", err.text);
        return NULL;
    }
    reader->file_bytes += text.bytes;
    if (reader->file_bytes > LP_FILES_BYTES_MAX) {
        lp_mistake_at(reader, node, "the files of this descriptor hold more than %d bytes together",
                      LP_FILES_BYTES_MAX);
        return NULL;
    }
    const char *bytes = lp_str_text(&text);
    if (memchr(bytes, '\0', text.bytes) || lp_utf8_valid(bytes, text.bytes) != text.bytes) {
        lp_mistake_at(reader, node, "%s is not UTF-8 text; mount it as a volume instead", path);
        return NULL;
    }
    return lp_arena_text_n(reader->arena, bytes, text.bytes);
}

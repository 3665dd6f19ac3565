// What names may look like, and the nearest right one.
#include <ctype.h>
#include <string.h>

#include "base/spelling.h"
#include "model/limits.h"
#include "model/parse.h"

static bool is_lower(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_alnum(char c)
{
    return is_lower(c) || (c >= 'A' && c <= 'Z');
}

bool lp_name_is(const char *name, enum lp_name_class class)
{
    size_t bytes = strlen(name);
    if (bytes == 0 || bytes > LP_NAME_BYTES_MAX)
        return false;
    if (class == LP_NAME_LABEL && (!is_lower(name[0]) || !is_lower(name[bytes - 1])))
        return false;
    for (size_t i = 0; i < bytes; i++) {
        bool is_good = class == LP_NAME_LABEL ? is_lower(name[i]) || name[i] == '-'
                                              : is_alnum(name[i]) || (i && strchr("._-", name[i]));
        if (!is_good)
            return false;
    }
    return true;
}

bool lp_parse_name(struct lp_reader *reader, const struct lp_yaml_node *node, const char *what,
                   enum lp_name_class class)
{
    lp_mark_add(reader, node->text, node);
    if (lp_name_is(node->text, class))
        return true;
    if (class == LP_NAME_FILE) {
        lp_mistake_at(reader, node,
                      "'%s' cannot name a %s: use up to %d letters, digits, '.', '_' and '-'",
                      node->text, what, LP_NAME_BYTES_MAX);
        return false;
    }
    char fixed[LP_NAME_BYTES_MAX + 1] = {0};
    for (size_t i = 0; i < LP_NAME_BYTES_MAX && node->text[i]; i++) {
        char c = (char)tolower((unsigned char)node->text[i]);
        fixed[i] = is_lower(c) ? c : '-';
    }
    bool has_fix = lp_name_is(fixed, LP_NAME_LABEL);
    lp_mistake_at(reader, node,
                  "'%s' cannot name %s %s: use up to %d lower-case letters, digits and '-'%s%s%s",
                  node->text, strchr("aeiou", what[0]) ? "an" : "a", what, LP_NAME_BYTES_MAX,
                  has_fix ? "; try '" : "", has_fix ? fixed : "", has_fix ? "'" : "");
    return false;
}

const char *lp_hint_nearest(struct lp_reader *reader, const char *wrong, const char *const *words,
                            size_t count)
{
    if (lp_mistakes_is_full(reader->sink.mistakes))
        return "";
    const char *nearest = lp_spelling_nearest(wrong, words, count);
    return nearest ? lp_arena_printf(reader->arena, "; did you mean '%s'?", nearest) : "";
}

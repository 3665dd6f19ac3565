// The template of configs, environment and commands: cut into pieces, checked, rendered. One pass,
// no tree: a loop remembers where its body begins and jumps back.
#include "model/template.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/spelling.h"
#include "base/str.h"
#include "model/limits.h"

enum {
    WORDS_MAX = 3,        // in one {{ }}
    DEPTH_MAX = 4,        // loops inside loops
    ROUNDS_MAX = 1000000, // of all loops of one rendering: loops may print nothing
};

enum word {
    WORD_ADDRESS,
    WORD_ADDRESSES,
    WORD_EACH,
    WORD_END,
    WORD_ENV,
    WORD_NODE,
    WORD_SERVICE,
    WORD_INFRA,
    WORD_DOT_NAME,
    WORD_DOT_ADDRESS,
    WORDS,
    WORD_QUOTED = WORDS, // {{ "{{" }}: the text itself
};

static const char *const words[WORDS] = {"address", "addresses", "each",  "end",   "env",
                                         "node",    "service",   "infra", ".name", ".address"};
// What the word after it is called; NULL: it stands alone.
static const char *const operands[WORDS + 1] = {
    [WORD_ADDRESS] = "a service",
    [WORD_ADDRESSES] = "a service",
    [WORD_EACH] = "a service",
    [WORD_ENV] = "a variable",
};

struct tag { // one {{ ... }}
    enum word word;
    const char *at;   // the first brace, for messages
    const char *next; // behind the last brace, or behind the line when it stands alone there
    char operand[256];
};

struct loop {
    const char *begin; // its body
    const struct lp_template_node *nodes;
    size_t index, count;
};

struct reader {
    const char *text;
    const char *at;
    struct lp_err *err;
    struct tag open[DEPTH_MAX]; // the loops that are not ended yet
    size_t depth;
};

LP_PRINTF(3, 4)
LP_MUST_CHECK static int fail(const struct reader *reader, const char *at, const char *fmt, ...)
{
    char what[sizeof(reader->err->text)];
    va_list args;
    va_start(args, fmt);
    vsnprintf(what, sizeof(what), fmt, args);
    va_end(args);
    int line = 1, column = 1;
    for (const char *c = reader->text; c < at; c++) {
        bool is_inside = ((unsigned char)*c & 0xc0) == 0x80; // of a UTF-8 character
        column = *c == '\n' ? 1 : column + !is_inside;
        line += *c == '\n';
    }
    return lp_err_set(reader->err, LP_EINPUT, "%d:%d: %s", line, column, what);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

// {{ "text" }}: for a text that itself holds two braces.
LP_MUST_CHECK static int read_quoted(const struct reader *reader, const char **at, struct tag *tag)
{
    const char *begin = *at + 1, *end = begin;
    while (*end && *end != '"' && *end != '\n')
        end++;
    if (*end != '"')
        return fail(reader, *at, "the quoted text does not end on its line");
    if ((size_t)(end - begin) >= sizeof(tag->operand))
        return fail(reader, *at, "the quoted text is longer than %zu bytes",
                    sizeof(tag->operand) - 1);
    memcpy(tag->operand, begin, (size_t)(end - begin));
    tag->operand[end - begin] = '\0';
    tag->word = WORD_QUOTED;
    *at = end + 1;
    return 0;
}

LP_MUST_CHECK static int read_word(const struct reader *reader, const char **at, char *ret_word,
                                   size_t capacity)
{
    const char *begin = *at, *end = begin;
    while (*end && !is_blank(*end) && *end != '\n' && !lp_text_starts(end, "}}"))
        end++;
    if ((size_t)(end - begin) >= capacity)
        return fail(reader, begin, "a word here is longer than %zu bytes", capacity - 1);
    memcpy(ret_word, begin, (size_t)(end - begin));
    ret_word[end - begin] = '\0';
    *at = end;
    while (is_blank(**at))
        ++*at;
    return 0;
}

LP_MUST_CHECK static int word_find(const struct reader *reader, const char *at, const char *word,
                                   enum word *ret_word)
{
    for (int i = 0; i < WORDS; i++) {
        if (strcmp(words[i], word) == 0) {
            *ret_word = (enum word)i;
            return 0;
        }
    }
    const char *nearest = lp_spelling_nearest(word, words, WORDS);
    if (!*word)
        return fail(reader, at, "a word is missing after '{{'");
    if (nearest)
        return fail(reader, at, "unknown word '%s', did you mean '%s'?", word, nearest);
    return fail(reader, at,
                "unknown word '%s'; there are address, addresses, each, end, env, node, service, "
                "infra, and within each .name and .address",
                word);
}

// The inside of the tag, up to its braces.
LP_MUST_CHECK static int read_inside(const struct reader *reader, const char **at, struct tag *tag)
{
    const char *word_at = *at;
    char word[sizeof(tag->operand)];
    if (**at == '"') {
        int result = read_quoted(reader, at, tag);
        while (is_blank(**at))
            ++*at;
        return result;
    }
    if (read_word(reader, at, word, sizeof(word)) < 0 ||
        word_find(reader, word_at, word, &tag->word) < 0)
        return LP_EINPUT;
    const char *operand_at = *at;
    if (!operands[tag->word])
        return 0;
    if (read_word(reader, at, tag->operand, sizeof(tag->operand)) < 0)
        return LP_EINPUT;
    if (!tag->operand[0])
        return fail(reader, operand_at, "'%s' needs the name of %s", words[tag->word],
                    operands[tag->word]);
    return 0;
}

LP_MUST_CHECK static int read_tag(const struct reader *reader, const char *begin,
                                  struct tag *ret_tag)
{
    const char *at = begin + 2;
    *ret_tag = (struct tag){.at = begin};
    while (is_blank(*at))
        at++;
    if (*at == '\0' || *at == '\n')
        return fail(reader, begin, "'{{' is not closed by '}}' on its line");
    if (read_inside(reader, &at, ret_tag) < 0)
        return LP_EINPUT;
    if (*at == '\0' || *at == '\n')
        return fail(reader, begin, "'{{' is not closed by '}}' on its line");
    if (!lp_text_starts(at, "}}"))
        return fail(reader, at, "'}}' is expected here");
    ret_tag->next = at + 2;
    return 0;
}

// A loop's tag that is alone on its line takes the whole line with it, so that lists come out
// without empty lines. Moves tag->next; returns the end of the literal text before the tag.
static const char *trim_line(const struct reader *reader, struct tag *tag)
{
    const char *begin = tag->at, *end = tag->next;
    lp_assert(end); // read_tag has found it
    while (begin > reader->text && is_blank(begin[-1]))
        begin--;
    while (is_blank(*end))
        end++;
    bool is_alone = (begin == reader->text || begin[-1] == '\n') && (*end == '\n' || !*end);
    if (!is_alone || (tag->word != WORD_EACH && tag->word != WORD_END))
        return tag->at;
    tag->next = *end ? end + 1 : end;
    return begin < reader->at ? reader->at : begin;
}

// The literal text up to the next tag and the tag behind it.
// ret_has_tag: false at the end of the text.
LP_MUST_CHECK static int read_piece(struct reader *reader, const char **ret_literal,
                                    size_t *ret_bytes, struct tag *ret_tag, bool *ret_has_tag)
{
    const char *begin = strstr(reader->at, "{{");
    const char *end = begin ? begin : reader->at + strlen(reader->at);
    if (begin) {
        if (read_tag(reader, begin, ret_tag) < 0)
            return LP_EINPUT;
        end = trim_line(reader, ret_tag);
    }
    *ret_literal = reader->at;
    *ret_bytes = (size_t)(end - reader->at);
    *ret_has_tag = begin;
    reader->at = begin ? ret_tag->next : end;
    return 0;
}

// Keep account of the loops; every tag passes here, in check and in render alike.
LP_MUST_CHECK static int nest(struct reader *reader, const struct tag *tag)
{
    if (tag->word == WORD_EACH) {
        if (reader->depth == DEPTH_MAX)
            return fail(reader, tag->at, "'each' is nested deeper than %d", DEPTH_MAX);
        reader->open[reader->depth++] = *tag;
    }
    if (tag->word == WORD_END) {
        if (!reader->depth)
            return fail(reader, tag->at, "'end' without 'each' before it");
        reader->depth--;
    }
    if ((tag->word == WORD_DOT_NAME || tag->word == WORD_DOT_ADDRESS) && !reader->depth)
        return fail(reader, tag->at, "'%s' means something only between 'each' and 'end'",
                    words[tag->word]);
    return 0;
}

LP_MUST_CHECK static int all_ended(const struct reader *reader)
{
    if (!reader->depth)
        return 0;
    const struct tag *last = &reader->open[reader->depth - 1];
    return fail(reader, last->at, "'each %s' has no 'end'", last->operand);
}

static void services_add(struct lp_texts *services, struct lp_arena *arena, const char *service)
{
    for (size_t i = 0; i < services->count; i++)
        if (strcmp(services->items[i], service) == 0)
            return;
    const char **items = lp_arena_new_array(arena, const char *, services->count + 1);
    if (services->count)
        memcpy(items, services->items, services->count * sizeof(*items));
    items[services->count++] = lp_arena_text(arena, service);
    services->items = items;
}

int lp_template_check(const char *text, struct lp_arena *arena, struct lp_texts *ret_services,
                      struct lp_err *err)
{
    struct reader reader = {.text = text, .at = text, .err = err};
    struct lp_texts services = ret_services ? *ret_services : (struct lp_texts){0};
    for (bool has_tag = true; has_tag;) {
        const char *literal;
        size_t bytes;
        struct tag tag;
        if (read_piece(&reader, &literal, &bytes, &tag, &has_tag) < 0)
            return LP_EINPUT;
        if (!has_tag)
            break;
        if (nest(&reader, &tag) < 0)
            return LP_EINPUT;
        bool has_service = tag.word <= WORD_EACH;
        if (has_service && ret_services)
            services_add(&services, arena, tag.operand);
    }
    if (all_ended(&reader) < 0)
        return LP_EINPUT;
    if (ret_services)
        *ret_services = services;
    return 0;
}

struct renderer {
    struct reader reader;
    const struct lp_template_world *world;
    struct lp_str *out;
    size_t start_bytes; // of out, before this rendering
    struct loop loops[DEPTH_MAX];
    size_t rounds;
    size_t skip_depth; // above 0: inside the body of a loop over nothing, begun at this depth
};

static void add_address(struct lp_str *text, uint32_t address)
{
    lp_str_printf(text, "%u.%u.%u.%u", address >> 24, address >> 16 & 255, address >> 8 & 255,
                  address & 255);
}

LP_MUST_CHECK static int render_addresses(struct renderer *renderer, const struct tag *tag)
{
    const struct lp_template_node *nodes = NULL;
    size_t count = renderer->world->find_nodes(renderer->world->world, tag->operand, &nodes);
    if (tag->word == WORD_ADDRESS && count == 0)
        return fail(&renderer->reader, tag->at, "service '%s' has no node yet", tag->operand);
    if (tag->word == WORD_ADDRESS)
        count = 1;
    for (size_t i = 0; i < count; i++) {
        if (i)
            lp_str_add_char(renderer->out, ',');
        add_address(renderer->out, nodes[i].address);
    }
    return 0;
}

LP_MUST_CHECK static int begin_loop(struct renderer *renderer, const struct tag *tag)
{
    struct reader *reader = &renderer->reader;
    struct loop *loop = &renderer->loops[reader->depth - 1];
    *loop = (struct loop){.begin = reader->at};
    loop->count = renderer->world->find_nodes(renderer->world->world, tag->operand, &loop->nodes);
    if (loop->count == 0)
        renderer->skip_depth = reader->depth;
    return 0;
}

LP_MUST_CHECK static int end_loop(struct renderer *renderer)
{
    struct reader *reader = &renderer->reader;
    struct loop *loop = &renderer->loops[reader->depth]; // nest() has left it already
    if (++renderer->rounds > ROUNDS_MAX)
        return lp_err_set(reader->err, LP_EFULL,
                          "the loops of the template need more than %d rounds", ROUNDS_MAX);
    if (++loop->index >= loop->count)
        return 0;
    reader->depth++;
    reader->at = loop->begin;
    return 0;
}

LP_MUST_CHECK static int render_tag(struct renderer *renderer, const struct tag *tag)
{
    const struct lp_template_world *world = renderer->world;
    size_t depth = renderer->reader.depth;
    static const struct lp_template_node nobody = {.name = ""}; // outside of loops it is refused
    const struct loop *loop = &renderer->loops[depth ? depth - 1 : 0];
    const struct lp_template_node *node = loop->nodes ? &loop->nodes[loop->index] : &nobody;
    const char *value = NULL;
    switch (tag->word) {
    case WORD_ADDRESS:
    case WORD_ADDRESSES:
        return render_addresses(renderer, tag);
    case WORD_EACH:
        return begin_loop(renderer, tag);
    case WORD_END:
        return end_loop(renderer);
    case WORD_ENV:
        value = world->find_variable ? world->find_variable(world->world, tag->operand) : NULL;
        if (!value)
            return fail(&renderer->reader, tag->at, "the variable '%s' is not set", tag->operand);
        break;
    case WORD_NODE:
        value = world->node;
        break;
    case WORD_SERVICE:
        value = world->service;
        break;
    case WORD_INFRA:
        value = world->infra;
        break;
    case WORD_DOT_NAME:
        value = node->name;
        break;
    case WORD_DOT_ADDRESS:
        add_address(renderer->out, node->address);
        return 0;
    case WORD_QUOTED:
        value = tag->operand;
        break;
    }
    lp_str_add(renderer->out, value ? value : "");
    return 0;
}

// One literal and the tag behind it. Returns 1 when there is more, 0 at the end.
LP_MUST_CHECK static int render_piece(struct renderer *renderer)
{
    struct reader *reader = &renderer->reader;
    const char *literal;
    size_t bytes;
    struct tag tag;
    bool has_tag;
    if (read_piece(reader, &literal, &bytes, &tag, &has_tag) < 0)
        return LP_EINPUT;
    bool was_skipping = renderer->skip_depth;
    if (!was_skipping)
        lp_str_add_n(renderer->out, literal, bytes);
    if (renderer->out->bytes - renderer->start_bytes > LP_TEMPLATE_BYTES_MAX)
        return lp_err_set(reader->err, LP_EFULL, "the rendered template is larger than %d bytes",
                          LP_TEMPLATE_BYTES_MAX);
    if (!has_tag)
        return 0;
    if (nest(reader, &tag) < 0)
        return LP_EINPUT;
    if (was_skipping) {
        if (reader->depth < renderer->skip_depth)
            renderer->skip_depth = 0;
        return 1;
    }
    int result = render_tag(renderer, &tag);
    return result < 0 ? result : 1;
}

int lp_template_render(const char *text, const struct lp_template_world *world,
                       struct lp_str *ret_text, struct lp_err *err)
{
    struct lp_str out = {0};
    struct renderer renderer = {
        .reader = {.text = text, .at = text, .err = err}, .world = world, .out = &out};
    int more = 1;
    while (more > 0)
        more = render_piece(&renderer);
    if (more == 0)
        more = all_ended(&renderer.reader);
    if (more == 0)
        lp_str_add_n(ret_text, lp_str_text(&out), out.bytes);
    lp_str_release(&out);
    return more;
}

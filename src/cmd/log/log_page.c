// The page of `limpet log plot`: two panels of points in SVG, a list of what is odd.
#include "cmd/log/log_page.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/own.h"
#include "base/str.h"

enum { WIDTH = 1000, HEIGHT = 560, LEFT = 64, TOP = 12, BOTTOM = 44, RIGHT = 30 };
enum { ACROSS = WIDTH - LEFT - RIGHT, DOWN = HEIGHT - TOP - BOTTOM, TICKS = 5 };
enum { COLORS = 8 }; // the most frequent tags have one each, the others the last

struct plot {
    const struct lp_log_page *page;
    uint32_t *rows; // [states] height of a state: in the order of first appearance
    size_t row_count;
    uint8_t *colors;       // [states]
    uint32_t tags[COLORS]; // tag ids by color; the last one stands for all others
    size_t tag_count;
    struct lp_str *out;
};

static void text_add(struct lp_str *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '<')
            lp_str_add(out, "&lt;");
        else if (*text == '>')
            lp_str_add(out, "&gt;");
        else if (*text == '&')
            lp_str_add(out, "&amp;");
        else if (*text == '"')
            lp_str_add(out, "&quot;");
        else
            lp_str_add_char(out, *text);
    }
}

// ---- where a state is, and in which color

static void rows_number(struct plot *plot, const struct lp_log_lines *lines)
{
    for (size_t i = 0; i < lines->count; i++)
        if (lines->states[i] != LP_LOG_NOTHING && plot->rows[lines->states[i]] == UINT32_MAX)
            plot->rows[lines->states[i]] = (uint32_t)plot->row_count++;
}

struct tag {
    uint32_t id;
    uint64_t count;
};

static int tag_order(const void *a, const void *b)
{
    const struct tag *x = a, *y = b;
    if (x->count != y->count)
        return x->count < y->count ? 1 : -1;
    return x->id < y->id ? -1 : x->id > y->id;
}

static void colors_choose(struct plot *plot, size_t states)
{
    const struct lp_log_lines *lines = plot->page->real;
    struct tag *tags = lp_heap_take((states + 1) * sizeof *tags); // never more tags than states
    for (size_t i = 0; i < states; i++)
        tags[i].id = (uint32_t)i;
    for (size_t i = 0; i < lines->count; i++)
        if (lines->states[i] != LP_LOG_NOTHING) {
            uint32_t id = lp_log_states_get(plot->page->states, lines->states[i]).tag_id;
            tags[id < states ? id : 0].count++;
        }
    qsort(tags, states, sizeof *tags, tag_order);
    while (plot->tag_count < COLORS - 1 && plot->tag_count < states &&
           tags[plot->tag_count].count) {
        plot->tags[plot->tag_count] = tags[plot->tag_count].id;
        plot->tag_count++;
    }
    lp_heap_free(tags);
    for (size_t i = 0; i < states; i++) {
        uint32_t id = lp_log_states_get(plot->page->states, (uint16_t)i).tag_id;
        size_t color = 0;
        while (color < plot->tag_count && plot->tags[color] != id)
            color++;
        plot->colors[i] = (uint8_t)(color < plot->tag_count ? color : COLORS - 1);
    }
}

static const char *tag_text(const struct plot *plot, uint32_t id)
{
    for (size_t i = 0; i < lp_log_states_count(plot->page->states); i++) {
        struct lp_log_template template = lp_log_states_get(plot->page->states, (uint16_t)i);
        if (template.tag_id == id)
            return template.tag[0] ? template.tag : "(no tag)";
    }
    return "";
}

// ---- points

static size_t x_of(size_t line, size_t count)
{
    return count > 1 ? line * (ACROSS - 1) / (count - 1) : 0;
}

static size_t y_of(const struct plot *plot, uint16_t state)
{
    size_t last = plot->row_count > 1 ? plot->row_count - 1 : 1;
    return DOWN - 1 - plot->rows[state] * (DOWN - 1) / last;
}

// Points on one pixel are one point; the page does not grow with the log.
static void points_add(struct plot *plot, const struct lp_log_lines *lines)
{
    uint8_t *pixels = lp_heap_take((size_t)ACROSS * DOWN); // color + 1
    for (size_t i = 0; i < lines->count; i++)
        if (lines->states[i] != LP_LOG_NOTHING)
            pixels[y_of(plot, lines->states[i]) * ACROSS + x_of(i, lines->count)] =
                (uint8_t)(plot->colors[lines->states[i]] + 1);
    for (int color = 0; color < COLORS; color++) {
        lp_str_printf(plot->out, "<path class=\"c%d\" d=\"", color);
        for (size_t at = 0; at < (size_t)ACROSS * DOWN; at++)
            if (pixels[at] == color + 1)
                lp_str_printf(plot->out, "M%zu %zuh0", at % ACROSS, at / ACROSS);
        lp_str_add(plot->out, "\"/>\n");
    }
    lp_heap_free(pixels);
}

static void axes_add(struct plot *plot, const struct lp_log_lines *lines)
{
    lp_str_printf(plot->out, "<rect class=\"frame\" width=\"%d\" height=\"%d\"/>\n", ACROSS, DOWN);
    for (size_t i = 0; i <= TICKS; i++) {
        size_t line = lines->count ? (lines->count - 1) * i / TICKS : 0;
        size_t row = plot->row_count ? (plot->row_count - 1) * i / TICKS : 0;
        lp_str_printf(plot->out,
                      "<text class=\"tick\" x=\"%zu\" y=\"%d\" text-anchor=\"middle\">%zu</text>\n"
                      "<text class=\"tick\" x=\"-8\" y=\"%zu\" text-anchor=\"end\">%zu</text>\n",
                      x_of(line, lines->count), DOWN + 18, line + 1, DOWN - DOWN * i / TICKS + 4,
                      row);
    }
    lp_str_printf(plot->out,
                  "<text class=\"axis\" x=\"%d\" y=\"%d\" text-anchor=\"middle\">line</text>\n"
                  "<text class=\"axis\" transform=\"translate(-50 %d) rotate(-90)\" "
                  "text-anchor=\"middle\">state, by first appearance</text>\n",
                  ACROSS / 2, DOWN + 38, DOWN / 2);
}

// A ring for a verdict, a bar below the axis for a line that is known to be damaged.
static void marks_add(struct plot *plot)
{
    const struct lp_log_page *page = plot->page;
    for (size_t i = 0; i < page->truth_count; i++)
        if (page->truth[i] > 0 && page->truth[i] <= page->real->count)
            lp_str_printf(plot->out, "<path class=\"truth\" d=\"M%zu %dv-10\"/>\n",
                          x_of((size_t)page->truth[i] - 1, page->real->count), DOWN);
    for (size_t i = 0; i < page->verdict_count; i++) {
        const struct lp_log_verdict *verdict = &page->verdicts[i];
        LP_OWNS_STR struct lp_str because = {0};
        lp_log_explain(page->states, verdict, &because);
        lp_str_printf(plot->out, "<circle class=\"%s\" cx=\"%zu\" cy=\"%zu\" r=\"7\"><title>",
                      verdict->list == LP_LOG_MISSING ? "missing" : "unexpected",
                      x_of((size_t)verdict->line - 1, page->real->count),
                      y_of(plot, verdict->state));
        text_add(plot->out, lp_str_text(&because));
        lp_str_add(plot->out, "</title></circle>\n");
    }
}

static void panel_add(struct plot *plot, const char *title, const struct lp_log_lines *lines,
                      bool has_marks)
{
    lp_str_add(plot->out, "<figure><figcaption>");
    text_add(plot->out, title);
    lp_str_printf(plot->out, "</figcaption>\n<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"",
                  WIDTH, HEIGHT);
    text_add(plot->out, title);
    lp_str_printf(plot->out, "\"><g transform=\"translate(%d %d)\">\n", LEFT, TOP);
    axes_add(plot, lines);
    points_add(plot, lines);
    if (has_marks)
        marks_add(plot);
    lp_str_add(plot->out, "</g></svg><p class=\"at\">&nbsp;</p></figure>\n");
}

// ---- the page

static const char head[] =
    "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
    "'unsafe-inline'; script-src 'unsafe-inline'\">\n";

static const char style[] =
    "<style>\n"
    ":root{color-scheme:light dark;--ink:#1b1f24;--dim:#667085;--paper:#fff;--line:#d0d5dd;"
    "--c0:#2563eb;--c1:#d97706;--c2:#059669;--c3:#9333ea;--c4:#0891b2;--c5:#be185d;--c6:#65a30d;"
    "--c7:#94a3b8;--bad:#dc2626}\n"
    "@media(prefers-color-scheme:dark){:root{--ink:#e6e8eb;--dim:#98a2b3;--paper:#14171a;"
    "--line:#344054;--c0:#60a5fa;--c1:#fbbf24;--c2:#34d399;--c3:#c084fc;--c4:#22d3ee;"
    "--c5:#f472b6;--c6:#a3e635;--c7:#64748b;--bad:#f87171}}\n"
    "body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);"
    "margin:2rem auto;max-width:1500px;padding:0 1.5rem}\n"
    "h1{font-size:1.35rem;margin:0}p{margin:.3rem 0}.dim,.at{color:var(--dim)}\n"
    ".panels{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,30rem),1fr));"
    "gap:1.5rem;margin:1rem 0}\n"
    "figure{margin:0;min-width:0}figcaption{font-weight:600}svg{width:100%;height:auto;"
    "display:block}\n"
    ".at{font-size:.85rem;white-space:nowrap;overflow:hidden;text-overflow:ellipsis}\n"
    "path{fill:none;stroke-width:3;stroke-linecap:round}.frame{fill:none;stroke:var(--line)}\n"
    ".tick,.axis{fill:var(--dim);font-size:14px}\n"
    "circle{fill:transparent;stroke-width:2.5}.unexpected{stroke:var(--bad)}"
    ".missing{stroke:var(--bad);stroke-dasharray:3 3}\n"
    ".truth{stroke:var(--bad);stroke-width:2;stroke-linecap:butt}\n"
    ".legend span{margin-right:1.2rem;white-space:nowrap}.legend i{display:inline-block;"
    "width:.7rem;height:.7rem;border-radius:50%;margin-right:.4rem}\n"
    "table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.3rem .8rem .3rem 0;"
    "border-bottom:1px solid var(--line);vertical-align:top;overflow-wrap:anywhere}"
    "th,td.n{white-space:nowrap;color:var(--dim);font-weight:500}\n"
    "@media(max-width:40rem){body{margin:1rem auto;padding:0 .8rem}th:nth-child(3),td:nth-child(3)"
    "{display:none}.tick,.axis{font-size:22px}}\n";

static void style_add(struct lp_str *out)
{
    lp_str_add(out, style);
    for (int i = 0; i < COLORS; i++)
        lp_str_printf(out, ".c%d{stroke:var(--c%d)}.b%d{background:var(--c%d)}", i, i, i, i);
    lp_str_add(out, "\n</style>\n");
}

static void legend_add(struct plot *plot)
{
    lp_str_add(plot->out, "<p class=\"legend\">");
    for (size_t i = 0; i < plot->tag_count; i++) {
        lp_str_printf(plot->out, "<span><i class=\"b%zu\"></i>", i);
        text_add(plot->out, tag_text(plot, plot->tags[i]));
        lp_str_add(plot->out, "</span>");
    }
    if (plot->tag_count == COLORS - 1)
        lp_str_printf(plot->out, "<span><i class=\"b%d\"></i>others</span>", COLORS - 1);
    lp_str_add(plot->out, "</p>\n");
}

static void table_add(struct plot *plot)
{
    const struct lp_log_page *page = plot->page;
    if (page->verdict_count == 0) {
        lp_str_add(plot->out, "<p class=\"dim\">No line is odd.</p>\n");
        return;
    }
    lp_str_add(plot->out, "<table><thead><tr><th>bits</th><th>line</th><th>list</th><th>why</th>"
                          "</tr></thead><tbody>\n");
    for (size_t i = 0; i < page->verdict_count; i++) {
        const struct lp_log_verdict *verdict = &page->verdicts[i];
        LP_OWNS_STR struct lp_str because = {0};
        lp_log_explain(page->states, verdict, &because);
        int64_t tenths = (verdict->score * 10 + LP_LOG_BIT / 2) / LP_LOG_BIT;
        int64_t size = tenths < 0 ? -tenths : tenths;
        lp_str_printf(plot->out,
                      "<tr><td class=\"n\">%s%" PRId64 ".%" PRId64 "</td><td class=\"n\">%" PRIu64
                      "</td><td class=\"n\">%s</td><td>",
                      tenths < 0 ? "-" : "", size / 10, size % 10, verdict->line,
                      lp_log_list_word(verdict->list));
        text_add(plot->out, lp_str_text(&because));
        lp_str_add(plot->out, "</td></tr>\n");
    }
    lp_str_add(plot->out, "</tbody></table>\n");
}

// Under the pointer: which state that is. The texts may hold anything: no '<' reaches the parser.
static void script_add(struct plot *plot)
{
    size_t count = lp_log_states_count(plot->page->states);
    LP_OWNS_STR struct lp_str texts = {0};
    uint16_t *by_row = lp_heap_take((plot->row_count + 1) * sizeof *by_row);
    for (size_t i = 0; i < count; i++)
        if (plot->rows[i] != UINT32_MAX)
            by_row[plot->rows[i]] = (uint16_t)i;
    for (size_t i = 0; i < plot->row_count; i++) {
        struct lp_log_template template = lp_log_states_get(plot->page->states, by_row[i]);
        LP_OWNS_STR struct lp_str text = {0};
        lp_str_printf(&text, "%s%s%s", template.tag, template.tag[0] ? ": " : "", template.text);
        lp_str_add(&texts, i ? "," : "");
        lp_str_add_json(&texts, lp_str_text(&text));
    }
    lp_heap_free(by_row);
    lp_str_add(plot->out, "<script>\nconst states=[");
    for (const char *at = lp_str_text(&texts); *at; at++)
        *at == '<' ? lp_str_add(plot->out, "\\u003c") : lp_str_add_char(plot->out, *at);
    lp_str_printf(plot->out,
                  "];\nfor(const f of document.querySelectorAll('figure')){"
                  "const s=f.querySelector('svg'),p=f.querySelector('.at');"
                  "s.addEventListener('mousemove',e=>{const r=s.getBoundingClientRect(),"
                  "y=(e.clientY-r.top)*%d/r.height-%d,"
                  "i=Math.round((%d-y)/%d*(states.length-1));"
                  "p.textContent=states[i]===undefined?'\\u00a0':`state ${i}: ${states[i]}`})}\n"
                  "</script>\n",
                  HEIGHT, TOP, DOWN - 1, DOWN - 1);
}

static void page_add(struct plot *plot)
{
    const struct lp_log_page *page = plot->page;
    uint32_t alike = page->similarity_ppm / 1000;
    lp_str_add(plot->out, head);
    lp_str_add(plot->out, "<title>");
    text_add(plot->out, page->title);
    lp_str_add(plot->out, "</title>\n");
    style_add(plot->out);
    lp_str_add(plot->out, "</head><body>\n<h1>");
    text_add(plot->out, page->title);
    lp_str_printf(
        plot->out,
        "</h1>\n<p class=\"dim\">%zu lines, %zu states. The synthetic log is a random walk "
        "over what follows what in %s; its neighbours and the log's are alike to %u.%03u (1: "
        "the same shares). Rings: the oddest lines; dashed: something is missing behind "
        "them%s.</p>\n",
        page->real->count, plot->row_count, page->has_model ? "the model" : "the log", alike / 1000,
        alike % 1000, page->truth_count ? "; bars at the bottom: lines known to be damaged" : "");
    legend_add(plot);
    lp_str_add(plot->out, "<div class=\"panels\">\n");
    panel_add(plot, "The log", page->real, true);
    panel_add(plot, "A synthetic log", page->synthetic, false);
    lp_str_add(plot->out, "</div>\n");
    table_add(plot);
    script_add(plot);
    lp_str_add(plot->out, "</body></html>\n");
}

void lp_log_page_print(const struct lp_log_page *page, struct lp_str *ret_text)
{
    size_t states = lp_log_states_count(page->states);
    struct plot plot = {.page = page, .out = ret_text};
    plot.rows = lp_heap_grow(NULL, states + 1, sizeof *plot.rows);
    plot.colors = lp_heap_take(states + 1);
    memset(plot.rows, 0xff, (states + 1) * sizeof *plot.rows);
    rows_number(&plot, page->real);
    rows_number(&plot, page->synthetic);
    colors_choose(&plot, states);
    page_add(&plot);
    lp_heap_free(plot.rows);
    lp_heap_free(plot.colors);
}

// --help, from the table of verbs.
#include <stdio.h>
#include <string.h>

#include "cmd/cmd.h"
#include "base/own.h"
#include "base/str.h"

static void options_print(const struct lp_option *options)
{
    for (; options && options->name; options++) {
        LP_OWNS_STR struct lp_str left = {0};
        if (!options->help) // Limpet gives it to itself
            continue;
        if (options->letter)
            lp_str_printf(&left, "-%c, ", options->letter);
        else
            lp_str_add(&left, "    ");
        lp_str_printf(&left, "--%s", options->name);
        if (options->value && options->value[0] == '[')
            lp_str_printf(&left, "[=%s", options->value + 1);
        else if (options->value)
            lp_str_printf(&left, " %s", options->value);
        printf("  %-26s  %s\n", lp_str_text(&left), options->help);
    }
}

void lp_help_print(void)
{
    puts("usage: limpet [--root DIR] VERB [ARGUMENTS]\n"
         "Run the infrastructure that one file describes, and keep it alive.\n");
    for (size_t i = 0; i < lp_verb_count; i++)
        if (!lp_verbs[i]->is_hidden)
            printf("  %-10s  %s\n", lp_verbs[i]->name, lp_verbs[i]->summary);
    puts("\nBefore or after any verb:");
    options_print(lp_common_options);
    printf("  %-26s  %s\n", "-V, --version", "as limpet version");
    puts("\nlimpet help VERB tells more about one. Exit status: 0 done; 1 what was asked for "
         "failed;\n"
         "2 bad usage or bad input, nothing was touched; 3 not all healthy within --wait.");
}

void lp_help_print_verb(const struct lp_verb *verb)
{
    const char *usage = verb->usage;
    for (bool is_first = true; usage; is_first = false) {
        size_t bytes = strcspn(usage, "\n");
        printf("%s limpet %s%s%.*s\n", is_first ? "usage:" : "      ", verb->name, bytes ? " " : "",
               (int)bytes, usage);
        usage = usage[bytes] ? usage + bytes + 1 : NULL;
    }
    printf("%s.\n", verb->summary);
    if (verb->help)
        printf("\n%s\n", verb->help);
    if (verb->options) {
        puts("");
        options_print(verb->options);
    }
    puts("\nAs every verb:");
    options_print(lp_common_options);
}

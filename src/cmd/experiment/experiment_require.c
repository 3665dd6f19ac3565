// What an experiment needs that this machine may not have.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "cmd/experiment/experiment_parts.h"
#include "drivers/fault/fault_parts.h"
#include "base/file.h"
#include "base/own.h"

static bool is_in_path(struct lp_arena *arena, const char *program)
{
    const char *path = getenv("PATH");
    char *folders = lp_arena_text(arena, path ? path : "/usr/bin:/bin"), *save = NULL;
    if (strchr(program, '/'))
        return access(program, X_OK) == 0;
    for (char *folder = strtok_r(folders, ":", &save); folder; folder = strtok_r(NULL, ":", &save))
        if (access(lp_arena_printf(arena, "%s/%s", folder, program), X_OK) == 0)
            return true;
    return false;
}

static uint64_t memory_available(void)
{
    char line[128];
    unsigned long long kib = 0;
    LP_OWNS_FILE FILE *file = fopen("/proc/meminfo", "re");
    while (file && fgets(line, sizeof(line), file))
        if (sscanf(line, "MemAvailable: %llu kB", &kib) == 1)
            break;
    return kib * 1024;
}

static bool is_fault_there(const char *word)
{
    for (uint32_t kind = 1; kind < LP_FAULT_KINDS; kind++)
        if (strcmp(lp_fault_words[kind], word) == 0)
            return lp_fault_hand_of(kind) != NULL;
    return false;
}

// A runtime other than containers has no driver in this Limpet.
static const char *one_unmet(struct lp_arena *arena, const struct lp_experiment_requirement *one)
{
    const char *variable = NULL;
    switch (one->kind) {
    case LP_REQUIRES_COMMAND:
        return is_in_path(arena, one->value)
                   ? NULL
                   : lp_arena_printf(arena, "the program %s is not installed", one->value);
    case LP_REQUIRES_RUNTIME:
        return strcmp(one->value, "container") == 0
                   ? NULL
                   : lp_arena_printf(arena, "this Limpet has no nodes of the kind %s", one->value);
    case LP_REQUIRES_FILE:
        return lp_path_exists(one->value)
                   ? NULL
                   : lp_arena_printf(arena, "there is no file %s", one->value);
    case LP_REQUIRES_ENV:
        variable = getenv(one->value);
        return variable && *variable
                   ? NULL
                   : lp_arena_printf(arena, "%s is not set in the environment", one->value);
    case LP_REQUIRES_MEMORY:
        return memory_available() >= one->bytes
                   ? NULL
                   : lp_arena_printf(arena, "less than %s of memory is available", one->value);
    case LP_REQUIRES_FAULT:
        return is_fault_there(one->value)
                   ? NULL
                   : lp_arena_printf(arena, "this Limpet cannot inject the fault %s", one->value);
    default:
        return NULL;
    }
}

static const char *any_unmet(struct lp_arena *arena,
                             const struct lp_experiment_requirements *requires)
{
    for (size_t i = 0; i < requires->count; i++) {
        const char *unmet = one_unmet(arena, &requires->items[i]);
        if (unmet)
            return unmet;
    }
    return NULL;
}

const char *lp_run_unmet(struct lp_run *run)
{
    const struct lp_experiment *experiment = run->what.experiment;
    const char *unmet = any_unmet(run->cmd->arena, &experiment->requires);
    if (!unmet && experiment->compare_count)
        unmet = any_unmet(run->cmd->arena, &experiment->compare[run->what.variant].requires);
    return unmet;
}

// Mistakes of a file, collected one after the other while it is read.
#pragma once

#include <stdbool.h>

#include "model/descriptor.h"

struct lp_sink { // where mistakes of one file go
    struct lp_mistakes *mistakes;
    struct lp_arena *arena; // owns the texts
    const char *file;
    size_t told; // calls of lp_mistake_put, also those that added nothing
};

struct lp_place {
    int line, column; // 1-based; 0: the whole file
};

// Add one; the same text at the same place is told once. Nothing happens when the list is full.
void lp_mistake_put(struct lp_sink *sink, struct lp_place place, const char *fmt, ...)
    LP_PRINTF(3, 4);
bool lp_mistakes_is_full(const struct lp_mistakes *mistakes);
// By place; those of the file `first` before those of other files.
void lp_mistakes_sort(struct lp_mistakes *mistakes, const char *first);

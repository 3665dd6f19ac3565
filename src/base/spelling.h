// The nearest right spelling, for error messages.
#pragma once

#include <stddef.h>

// The word of `words` (count of them) nearest to `wrong` by edit distance with transpositions
// (Damerau 1964), if it is near enough to be what was meant; else NULL. Lent from words.
const char *lp_spelling_nearest(const char *wrong, const char *const *words, size_t count);

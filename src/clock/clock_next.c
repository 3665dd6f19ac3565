// What is taken from the C library that happens to be there: the function behind ours of the same
// name, looked for in the tables of what the loader has loaded (any loader keeps that list for
// debuggers), and where errno is. By weak names, so that no library has to have them.
// Source: the ELF specification, chapter 5; "GNU Hash ELF Sections", A. Roenky (the table).
#include <elf.h>
#include <link.h>
#include <stddef.h>

#include "clock/clock_library.h"

extern int *__errno_location(void) __attribute__((weak));
extern struct r_debug _r_debug __attribute__((weak));              // of glibc's loader
extern struct r_debug *_dl_debug_addr __attribute__((weak));       // of musl's
extern Elf64_Dyn _DYNAMIC[] __attribute__((visibility("hidden"))); // ours

enum { HIDDEN_VERSION = 0x8000 };

struct tables { // of one object
    const char *slide, *names;
    const Elf64_Sym *symbols;
    const uint32_t *gnu_hash, *hash;
    const uint16_t *versions; // NULL: it has none
};

int lp_clock_fail(long code)
{
    if (__errno_location)
        *__errno_location() = (int)-code;
    return -1;
}

// glibc's loader writes addresses over the offsets in the table, musl's does not.
static const void *place(const struct link_map *object, const Elf64_Dyn *entry)
{
    uintptr_t value = (uintptr_t)entry->d_un.d_ptr;
    return (const void *)(value < object->l_addr ? value + object->l_addr : value);
}

static struct tables tables_read(const struct link_map *object)
{
    struct tables tables = {.slide = (const char *)object->l_addr};
    for (const Elf64_Dyn *entry = object->l_ld; entry && entry->d_tag != DT_NULL; entry++) {
        if (entry->d_tag == DT_STRTAB)
            tables.names = place(object, entry);
        else if (entry->d_tag == DT_SYMTAB)
            tables.symbols = place(object, entry);
        else if (entry->d_tag == DT_GNU_HASH)
            tables.gnu_hash = place(object, entry);
        else if (entry->d_tag == DT_HASH)
            tables.hash = place(object, entry);
        else if (entry->d_tag == DT_VERSYM)
            tables.versions = place(object, entry);
    }
    return tables;
}

static bool is_same(const char *a, const char *b)
{
    while (*a && *a == *b)
        a++, b++;
    return *a == *b;
}

// Is symbol number `at` a function of that name, in the version that new programs get?
static bool is_wanted(const struct tables *tables, uint32_t at, const char *name)
{
    const Elf64_Sym *symbol = &tables->symbols[at];
    return symbol->st_shndx != SHN_UNDEF && ELF64_ST_TYPE(symbol->st_info) == STT_FUNC &&
           !(tables->versions && tables->versions[at] & HIDDEN_VERSION) &&
           is_same(tables->names + symbol->st_name, name);
}

// The number of the symbol; 0: none.
static uint32_t gnu_find(const struct tables *tables, const char *name)
{
    uint32_t hash = 5381;
    for (const char *at = name; *at; at++)
        hash = hash * 33 + (unsigned char)*at;
    const uint32_t *head = tables->gnu_hash; // buckets, first symbol, words of the filter, shift
    const uint32_t *buckets = head + 4 + head[2] * (sizeof(uint64_t) / sizeof(uint32_t));
    const uint32_t *chain = buckets + head[0];
    uint32_t at = head[0] ? buckets[hash % head[0]] : 0;
    for (; at && at >= head[1]; at++) {
        if ((chain[at - head[1]] | 1) == (hash | 1) && is_wanted(tables, at, name))
            return at;
        if (chain[at - head[1]] & 1) // the last of its bucket
            break;
    }
    return 0;
}

static uint32_t plain_find(const struct tables *tables, const char *name)
{
    for (uint32_t at = 1; at < tables->hash[1]; at++) // as many symbols as links in the chains
        if (is_wanted(tables, at, name))
            return at;
    return 0;
}

static void *find(const char *name)
{
    bool is_behind = false;
    const struct r_debug *debug = &_r_debug ? &_r_debug : &_dl_debug_addr ? _dl_debug_addr : NULL;
    for (const struct link_map *object = debug ? debug->r_map : NULL; object;
         object = object->l_next) {
        is_behind = is_behind || object->l_ld == _DYNAMIC;
        if (!is_behind || object->l_ld == _DYNAMIC)
            continue; // what stands before us may have called us
        struct tables tables = tables_read(object);
        if (!tables.names || !tables.symbols || !(tables.gnu_hash || tables.hash))
            continue;
        uint32_t at = tables.gnu_hash ? gnu_find(&tables, name) : plain_find(&tables, name);
        if (at)
            return (void *)((uintptr_t)tables.slide + tables.symbols[at].st_value);
    }
    return NULL;
}

void *lp_clock_next(const char *name, void **cache)
{
    void *found = __atomic_load_n(cache, __ATOMIC_ACQUIRE);
    if (!found) {
        found = find(name);
        __atomic_store_n(cache, found, __ATOMIC_RELEASE);
    }
    return found;
}

// The machine's clocks: by the function that the kernel maps into every process (the vDSO), which
// needs no system call; where it cannot be found, by the system call.
// Source: vdso(7), elf(5).
#include <elf.h>
#include <stddef.h>
#include <sys/syscall.h>

#include "clock/clock_library.h"
#include "clock/system_call.h"

typedef int clock_function(clockid_t id, struct timespec *at);

struct image { // the vDSO, which lies in memory as its file would
    const char *base, *names;
    const Elf64_Sym *symbols;
};

enum { AUXV_MAX = 64, HERE = -100 };

static const char wanted[] =
#if defined(__aarch64__)
    "__kernel_clock_gettime";
#else
    "__vdso_clock_gettime";
#endif

static bool is_same(const char *a, const char *b)
{
    while (*a && *a == *b)
        a++, b++;
    return *a == *b;
}

static const char *vdso_find(void)
{
    static Elf64_auxv_t vector[AUXV_MAX]; // two threads at one time would read the same into it
    long fd = LP_SYSTEM_CALL(SYS_openat, HERE, (long)"/proc/self/auxv", 0);
    if (fd < 0)
        return NULL;
    long bytes = LP_SYSTEM_CALL(SYS_read, fd, (long)vector, sizeof(vector));
    LP_SYSTEM_CALL(SYS_close, fd);
    for (long i = 0; i < bytes / (long)sizeof(vector[0]); i++)
        if (vector[i].a_type == AT_SYSINFO_EHDR)
            return (const char *)vector[i].a_un.a_val;
    return NULL;
}

// Its tables; addresses in it are meant from where its first part would lie.
static bool image_read(const char *base, struct image *ret_image)
{
    const Elf64_Ehdr *header = (const Elf64_Ehdr *)base;
    const Elf64_Phdr *parts = (const Elf64_Phdr *)(base + header->e_phoff);
    const Elf64_Dyn *dynamic = NULL;
    const char *slide = NULL;
    for (int i = 0; i < header->e_phnum; i++) {
        if (parts[i].p_type == PT_LOAD && !slide)
            slide = base + parts[i].p_offset - parts[i].p_vaddr;
        if (parts[i].p_type == PT_DYNAMIC)
            dynamic = (const Elf64_Dyn *)(base + parts[i].p_offset);
    }
    *ret_image = (struct image){.base = slide};
    for (; slide && dynamic && dynamic->d_tag != DT_NULL; dynamic++) {
        if (dynamic->d_tag == DT_STRTAB)
            ret_image->names = slide + dynamic->d_un.d_ptr;
        if (dynamic->d_tag == DT_SYMTAB)
            ret_image->symbols = (const Elf64_Sym *)(slide + dynamic->d_un.d_ptr);
    }
    return ret_image->names && ret_image->symbols &&
           ret_image->names > (const char *)ret_image->symbols;
}

static clock_function *function_find(void)
{
    struct image image;
    const char *base = vdso_find();
    if (!base || !image_read(base, &image))
        return NULL;
    // The names begin where the symbols end.
    const Elf64_Sym *end = (const Elf64_Sym *)(image.names - sizeof(Elf64_Sym) + 1);
    for (const Elf64_Sym *symbol = image.symbols; symbol < end; symbol++)
        if (symbol->st_shndx != SHN_UNDEF && is_same(image.names + symbol->st_name, wanted))
            return (clock_function *)((uintptr_t)image.base + symbol->st_value);
    return NULL;
}

long lp_clock_machine(clockid_t id, struct timespec *ret_at)
{
    // Looked for once; two threads that do so at one time find the same.
    static clock_function *function;
    static int is_sought;
    if (!__atomic_load_n(&is_sought, __ATOMIC_ACQUIRE)) {
        __atomic_store_n(&function, function_find(), __ATOMIC_RELAXED);
        __atomic_store_n(&is_sought, 1, __ATOMIC_RELEASE);
    }
    clock_function *found = __atomic_load_n(&function, __ATOMIC_RELAXED);
    return found ? found(id, ret_at) : LP_SYSTEM_CALL(SYS_clock_gettime, id, (long)ret_at);
}

int64_t lp_clock_machine_ns(clockid_t id)
{
    struct timespec at = {0};
    (void)lp_clock_machine(id, &at);
    return (int64_t)at.tv_sec * LP_CLOCK_SECOND_NS + at.tv_nsec;
}

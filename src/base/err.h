// What went wrong, in words a person can act on.
// A function that can fail returns 0 or LP_E... and writes its last parameter, `err`.
#pragma once

#define LP_MUST_CHECK              __attribute__((warn_unused_result))
#define LP_PRINTF(fmt_at, args_at) __attribute__((format(printf, fmt_at, args_at)))

enum lp_code {
    LP_OK = 0,
    LP_EIO = -1,          // the outside world refused: file, socket, child process
    LP_EINPUT = -2,       // what a person wrote is wrong
    LP_ENOTFOUND = -3,    // no such thing
    LP_ECONFLICT = -4,    // exists already, in use, or somebody else was first
    LP_EFULL = -5,        // a bound of limits.h or of the configuration is reached
    LP_ETIMEOUT = -6,     // no answer in time
    LP_EUNSUPPORTED = -7, // this machine or version cannot
    LP_ECORRUPT = -8,     // stored data fails its own check
    LP_EDENIED = -9,      // whoever asks may not
};

struct lp_err {
    int code;
    char text[1024]; // one line without newline; longer text is cut
};

// Write code and text. Returns code, so that `return lp_err_set(...)` reads well. err may be NULL.
int lp_err_set(struct lp_err *err, int code, const char *fmt, ...) LP_PRINTF(3, 4);
// Put "what: " before the text that is there. Returns the code that is there.
int lp_err_wrap(struct lp_err *err, const char *fmt, ...) LP_PRINTF(2, 3);
#ifdef __clang_analyzer__
// The analyzer looks at one file at a time: it is told here what comes back, without which every
// path behind an error would look like one behind a success.
#define lp_err_set(err, code, ...) ((void)lp_err_set(err, code, __VA_ARGS__), (code))
#define lp_err_wrap(err, ...)      ((void)lp_err_wrap(err, __VA_ARGS__), LP_EIO)
#endif
// A stable lower-case word for a code: "io", "input", ...
const char *lp_code_word(int code);

// What only a bug can break. Stays on in releases: prints place and text, then aborts.
#define lp_assert(cond)                                  \
    do {                                                 \
        if (!(cond))                                     \
            lp_assert_failed(#cond, __FILE__, __LINE__); \
    } while (0)
_Noreturn void lp_assert_failed(const char *what, const char *file, int line);

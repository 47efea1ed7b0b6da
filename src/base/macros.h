/* What every file may use without thinking: ownership transfer, cleanup, small arithmetic.
 * Must never know anything of downloads. */
#pragma once

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#define _cleanup_(f) __attribute__((cleanup(f)))
#define _printf_(a, b) __attribute__((format(printf, a, b)))
#define _unused_ __attribute__((unused))
#define _must_check_ __attribute__((warn_unused_result))

#ifndef __has_feature /* gcc says it otherwise */
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#define BUILT_WITH_ASAN 1
#else
#define BUILT_WITH_ASAN 0
#endif

#define ELEMENTSOF(x) (sizeof(x) / sizeof((x)[0]))

#define CONTAINER_OF(ptr, type, member) ((type *)((char *)(ptr) - offsetof(type, member)))

/* Hands a pointer on: the variable is NULL afterwards, so its cleanup does nothing. */
#define TAKE_PTR(p)                            \
        ({                                     \
                __typeof__(p) *_pp_ = &(p);    \
                __typeof__(p) _p_ = *_pp_;     \
                *_pp_ = NULL;                  \
                _p_;                           \
        })

#define SWAP(a, b)                             \
        do {                                   \
                __typeof__(a) _swap_ = (a);    \
                (a) = (b);                     \
                (b) = _swap_;                  \
        } while (false)

/* The same for a file descriptor; -EBADF is "none". */
#define TAKE_FD(fd)                  \
        ({                           \
                int *_pfd_ = &(fd);  \
                int _fd_ = *_pfd_;   \
                *_pfd_ = -EBADF;     \
                _fd_;                \
        })

#define ASSERT_PTR(p)                      \
        ({                                 \
                __typeof__(p) _q_ = (p);   \
                assert(_q_);               \
                _q_;                       \
        })

#define MIN(a, b)                      \
        ({                             \
                __typeof__(a) _a_ = (a); \
                __typeof__(b) _b_ = (b); \
                _a_ < _b_ ? _a_ : _b_; \
        })
#define MAX(a, b)                      \
        ({                             \
                __typeof__(a) _c_ = (a); \
                __typeof__(b) _d_ = (b); \
                _c_ > _d_ ? _c_ : _d_; \
        })

#define CLAMP(x, low, high)                                      \
        ({                                                       \
                __typeof__(x) _x_ = (x);                         \
                __typeof__(x) _low_ = (low), _high_ = (high);    \
                _x_ < _low_ ? _low_ : _x_ > _high_ ? _high_ : _x_; \
        })

static inline void freep(void *p) {
        free(*(void **)p);
}
#define _cleanup_free_ _cleanup_(freep)

/* Defines `name##p` for _cleanup_(). */
#define DEFINE_CLEANUP_FUNC(type, func)             \
        static inline void func##p(type **p) {      \
                if (*p)                             \
                        *p = func(*p);              \
        }

/* A function that reports through errno has failed; never lets 0 escape as "success". */
static inline int errno_or_else(int fallback) {
        return errno > 0 ? -errno : -abs(fallback);
}

static inline bool u64_add_overflows(uint64_t a, uint64_t b, uint64_t *ret) {
        return __builtin_add_overflow(a, b, ret);
}

/* Sum that sticks at UINT64_MAX ("unknown") instead of wrapping. */
static inline uint64_t u64_add_saturated(uint64_t a, uint64_t b) {
        uint64_t sum;
        return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

// A clock that jumps: the wall clock starts in 1970, as on a machine without a battery, and then
// goes to and fro by days. Loaded with LD_PRELOAD. The monotonic clock stays right.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <sys/time.h>
#include <time.h>

static long calls;

static time_t jumped(time_t now) {
    long n = __atomic_add_fetch(&calls, 1, __ATOMIC_RELAXED);
    long day = 24L * 60 * 60;
    switch ((n / 3) % 4) {
        case 0: return now % day;                // 1970
        case 1: return now - 400 * day;
        case 2: return now + 400 * day;
        default: return now + 70L * 365 * day;   // beyond 2038
    }
}

int clock_gettime(clockid_t id, struct timespec *out) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(id, out);
    if (!result && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
        out->tv_sec = jumped(out->tv_sec);
    return result;
}

int gettimeofday(struct timeval *restrict out, void *restrict zone) {
    (void)zone;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    out->tv_sec = now.tv_sec;
    out->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *out) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (out) *out = now.tv_sec;
    return now.tv_sec;
}

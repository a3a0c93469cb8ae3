/* The steps of a warm parent that every candidate costs: fork, confine, wait, reap, look that nothing is left.

   The same as in warm.py and confine.py, which do it where this has not been compiled, and which say why each step is
   taken. Python's own memory is why there are two: each object that the interpreter touches between a fork and the
   candidate's first line, and each one that the parent touches while the child lives, is a page of memory copied. Here
   a few pages are touched.

   Whatever is not the common course goes back to Python: see the answers of ld_serve. */

#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#ifndef SYS_landlock_restrict_self
#define SYS_landlock_restrict_self 446
#endif

/* What this was compiled from, so that nobody takes an old one for a new one. */
const char ld_source[] = LD_SOURCE;

enum { GONE = 0, CHILD = 1, LOOK = 2, LEFT = 3, FAILED = 4 };
enum { MAX_DESCRIPTORS = 4, MESSAGE = 64, ADDRESS_SPACE_SLACK = 1 << 30, FIRST_LOOK_MS = 30 };
enum { EMPTY_FOLDER = 40, BOX_MODE = 0700 };

/* As in spawner.py. */
struct spawner {
    const char *box;
    const char *shared;  /* shared memory */
    int64_t uid;         /* the slot's user, or -1 where there is only one's own */
    int32_t control;     /* the pit */
    int32_t ruleset;     /* of Landlock, or -1 */
    int32_t namespaces;  /* 1: box and shared memory are file systems of the slot's own */
    int32_t bounded;     /* 1: the kernel bounds what the slot can write */
    int32_t candidates;  /* 1: children are candidates, and no tests */
    /* The run: filled by us. */
    uint64_t used_before[2]; /* bytes in the file systems of box and shared memory, where they are not bounded */
    int32_t channel;  /* of a child */
    int32_t child;
    int32_t pidfd;
    uint64_t memory_bytes;
    uint32_t cpu_s;
    uint32_t sampled;
    int32_t status;  /* as of waitpid */
    int32_t killed;  /* 1: the pit has asked for its end */
    double used_s;   /* processor time */
    int32_t error;   /* errno of FAILED */
};

/* As in warm.py: start_format and ended_format. */
struct __attribute__((packed)) start { char kind; uint64_t memory_bytes; uint32_t cpu_s; uint8_t sampled; };
struct __attribute__((packed)) ended { char kind; int32_t status; double used_s; char why[10]; };

static void refuse(const char *what) {
    static const char before[] = "child: a lock did not close: ";
    (void)!write(2, before, sizeof before - 1);
    (void)!write(2, what, strlen(what));
    (void)!write(2, "\n", 1);
    _exit(71);
}

static void lower(int what, uint64_t bound) {
    struct rlimit limit;
    if (getrlimit(what, &limit)) refuse("getrlimit");
    if (limit.rlim_max == RLIM_INFINITY || limit.rlim_max > bound) limit.rlim_max = bound;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(what, &limit)) refuse("setrlimit");
}

/* Not by libc's functions, which would tell other threads: there are none. */
static void become(int64_t uid) {
    if (syscall(SYS_setgroups, 0, NULL)) refuse("setgroups");
    if (syscall(SYS_setresgid, (gid_t)uid, (gid_t)uid, (gid_t)uid)) refuse("setresgid");
    if (syscall(SYS_setresuid, (uid_t)uid, (uid_t)uid, (uid_t)uid)) refuse("setresuid");
}

static void drop_capabilities(void) {
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct none[2];
    memset(none, 0, sizeof none);
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); /* unknown before Linux 4.3 */
    if (syscall(SYS_capset, &header, none)) refuse("capset");
}

/* Of all processes be the first that the kernel ends where memory runs out; some kernels do not know of it. */
static void go_first(void) {
    int score = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (score < 0) return;
    (void)!write(score, "1000", 4);
    close(score);
}

static void confine(struct spawner *s, const int *given, int count, pid_t parent) {
    int channel = given[0];
    if (channel < 3) refuse("a channel in the place of a standard descriptor");
    if (s->candidates) go_first();
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0) refuse("open /dev/null");
    for (int standard = 0; standard < 2; standard++)
        if (dup2(count > 1 ? given[1 + standard] : null, standard) < 0) refuse("dup2");
    if (setsid() < 0) refuse("setsid");
    umask(077);
    lower(RLIMIT_AS, s->memory_bytes + ADDRESS_SPACE_SLACK);
    lower(RLIMIT_CPU, s->cpu_s);
    if (s->uid >= 0) become(s->uid);
    if (chdir(s->box)) refuse("chdir"); /* after the change of user: root may lack the right to enter */
    drop_capabilities();
    if (prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)) refuse("dumpable");
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0)) refuse("pdeathsig");
    if (getppid() != parent) _exit(1);
    if (s->ruleset >= 0 && syscall(SYS_landlock_restrict_self, s->ruleset, 0)) refuse("landlock");
    if (dup2(null, 2) < 0) refuse("dup2"); /* until here an error can be reported */
    if (channel > 3 && syscall(SYS_close_range, 3u, (unsigned)channel - 1, 0)) refuse("close_range");
    if (syscall(SYS_close_range, (unsigned)channel + 1, ~0u, 0)) refuse("close_range");
    if (fcntl(channel, F_SETFD, FD_CLOEXEC)) refuse("fcntl");
    s->channel = channel;
}

/* The effective user of a slot without namespaces, whose files and processes root may have no right to. */
static int act_as(struct spawner *s, int64_t uid) {
    if (s->uid < 0 || s->namespaces) return 0;
    return (int)syscall(SYS_setresuid, -1, (uid_t)uid, -1);
}

static int fail(struct spawner *s) {
    s->error = errno;
    return FAILED;
}

/* A message of the pit and its descriptors: its length, or -1. */
static ssize_t receive(struct spawner *s, void *message, int *given, int *count) {
    union { struct cmsghdr head; char room[CMSG_SPACE(sizeof(int) * MAX_DESCRIPTORS)]; } control;
    struct iovec body = {message, MESSAGE};
    struct msghdr header = {0};
    header.msg_iov = &body;
    header.msg_iovlen = 1;
    header.msg_control = control.room;
    header.msg_controllen = sizeof control.room;
    ssize_t size;
    do size = recvmsg(s->control, &header, MSG_CMSG_CLOEXEC);
    while (size < 0 && errno == EINTR);
    *count = 0;
    if (size < 0) return size;
    for (struct cmsghdr *each = CMSG_FIRSTHDR(&header); each; each = CMSG_NXTHDR(&header, each))
        if (each->cmsg_level == SOL_SOCKET && each->cmsg_type == SCM_RIGHTS) {
            *count = (int)((each->cmsg_len - CMSG_LEN(0)) / sizeof(int));
            memcpy(given, CMSG_DATA(each), sizeof(int) * (size_t)*count);
        }
    return size;
}

/* Whether a call failed because the pit is gone; it may have left messages unread. */
static int is_gone(ssize_t result) {
    return result < 0 && (errno == EPIPE || errno == ECONNRESET);
}

static int tell(struct spawner *s, const void *message, size_t size) {
    ssize_t sent;
    do sent = send(s->control, message, size, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent < 0 && !is_gone(sent) ? -1 : 0; /* the pit is gone: clear, then go */
}

/* Wait until the child ends, or the pit asks for its end. 1: it is to be looked at. */
static int wait_for(struct spawner *s) {
    struct pollfd watched[2] = {{s->pidfd, POLLIN, 0}, {s->control, POLLIN, 0}};
    char message[MESSAGE];
    ssize_t size;
    int ready;
    do ready = poll(watched, 2, s->sampled ? FIRST_LOOK_MS : -1);
    while (ready < 0 && errno == EINTR);
    if (ready < 0) return -1;
    if (ready == 0) return 1;
    s->killed = !watched[0].revents;
    if (!s->killed) return 0;
    size = recv(s->control, message, sizeof message, 0);
    return size < 0 && !is_gone(size) ? -1 : 0;
}

/* Whether a folder holds anything; with a user, only what belongs to that user. -1: it cannot be read. */
static int holds(const char *path, int64_t uid, int flags) {
    int descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | flags);
    DIR *folder = descriptor < 0 ? NULL : fdopendir(descriptor);
    struct dirent *entry;
    struct stat about;
    int found = 0;
    if (!folder) return -1;
    while (!found && (entry = readdir(folder))) {
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
        found = uid < 0 || (!fstatat(dirfd(folder), entry->d_name, &about, AT_SYMLINK_NOFOLLOW) && (int64_t)about.st_uid == uid);
    }
    closedir(folder);
    return found;
}

/* Whether a folder is as it was made: its owner can leave word in its mode and times as well. */
static int bears_no_word(const struct stat *about) {
    return (about->st_mode & 07777) == BOX_MODE && !about->st_mtim.tv_sec && !about->st_mtim.tv_nsec
        && !about->st_atim.tv_sec && !about->st_atim.tv_nsec;
}

static int is_clean(struct spawner *s) {
    struct stat about;
    int left;
    /* All descendants are our children as soon as their parents die. */
    if (waitpid(-1, NULL, WNOHANG | __WALL) != -1 || errno != ECHILD) return 0;
    if (s->namespaces) {
        const char *folders[2] = {s->box, s->shared};
        for (int i = 0; i < 2; i++) /* in a memory file system the size of a folder is that of its entries */
            if (stat(folders[i], &about) || about.st_size != EMPTY_FOLDER || !bears_no_word(&about)) return 0;
        return 1;
    }
    if (act_as(s, s->uid)) return 0;
    left = stat(s->box, &about) || !bears_no_word(&about) || holds(s->box, -1, O_NOATIME)
        || (s->uid >= 0 && holds(s->shared, s->uid, 0));
    return !act_as(s, 0) && !left;
}

static uint64_t used(const char *path) {
    struct statvfs about;
    return statvfs(path, &about) ? 0 : (uint64_t)(about.f_blocks - about.f_bfree) * about.f_frsize;
}

static int start(struct spawner *s, const int *given, int count) {
    pid_t parent = getpid();
    pid_t child;
    if (!s->bounded) {
        s->used_before[0] = used(s->box);
        s->used_before[1] = used(s->shared);
    }
    child = fork();
    if (child == 0) {
        confine(s, given, count, parent);
        return CHILD;
    }
    if (child < 0) return FAILED;
    s->child = child;
    for (int i = 0; i < count; i++) close(given[i]);
    s->pidfd = (int)syscall(SYS_pidfd_open, child, 0);
    return s->pidfd < 0 ? FAILED : 0;
}

/* End the child, if it has not ended, and reap it; 0 or FAILED. */
int ld_end(struct spawner *s) {
    struct rusage used;
    if (tell(s, "O", 1)) return fail(s); /* clearing up may take longer than the run */
    /* Not yet waited for: the number is still its own. */
    if (act_as(s, s->uid) || kill(s->child, SIGKILL) || act_as(s, 0)) return fail(s);
    while (wait4(s->child, &s->status, 0, &used) < 0)
        if (errno != EINTR) return fail(s);
    close(s->pidfd);
    s->used_s = (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec)
        + (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
    return 0;
}

/* Serve runs. GONE: there is no pit any more. CHILD: this is the confined child, with its channel. LOOK: a run has gone
   on for a while, and is the caller's to watch, end and report. LEFT: a run is over and reaped, and has left something;
   clearing up and the report are the caller's. FAILED: a call that may not fail has failed, for the reason in `error`. */
int ld_serve(struct spawner *s) {
    char message[MESSAGE];
    int given[MAX_DESCRIPTORS], count, what;
    struct start order;
    for (;;) {
        ssize_t size = receive(s, message, given, &count);
        if (size == 0 || is_gone(size)) return GONE;
        if (size < 0) return fail(s);
        if (message[0] != 'S') continue; /* a KILL for a run that was over already */
        if (size != sizeof order || (count != 1 && count != 3)) {
            errno = EPROTO;
            return fail(s);
        }
        memcpy(&order, message, sizeof order);
        s->memory_bytes = order.memory_bytes;
        s->cpu_s = order.cpu_s;
        s->sampled = order.sampled;
        what = start(s, given, count);
        if (what == CHILD) return CHILD;
        if (what) return fail(s);
        what = wait_for(s);
        if (what < 0) return fail(s);
        if (what) return LOOK;
        if (ld_end(s)) return FAILED;
        if (!is_clean(s)) return LEFT;
        struct ended report = {'E', s->status, s->used_s, {0}};
        memcpy(report.why, s->killed ? "killed" : "exit", s->killed ? 6 : 4);
        if (tell(s, &report, sizeof report)) return fail(s);
    }
}

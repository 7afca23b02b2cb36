/* measure_child.c: one problem measured in a child process, because code of others may crash, hang, or end
 * the process. The child writes records of one size to a pipe; the parent believes none of them unchecked.
 * Also here: what makes a thread quiet for timing. Not here: what is measured. */
#include "measure.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum { RECORD_MAGIC = 0x43575231, SLICE_MS = 100, SUSPENDED_NS = 1000000000 };

typedef struct record {
    uint32_t magic, note;
    uint64_t check; /* hash of outcome */
    int64_t status; /* END: the child's status; outcome.detail is its message */
    cw_outcome outcome;
} record;
/* So that a write is whole or not at all. */
_Static_assert(sizeof(record) <= PIPE_BUF, "records must fit PIPE_BUF");

/* ---- A quiet thread ---- */

enum { FLUSH_TO_ZERO = 0x8040 }; /* FTZ and DAZ in MXCSR */

void cw_quiet_begin(cw_quiet *quiet, int32_t threads) {
    cpu_set_t all, few;
    _Static_assert(sizeof all <= sizeof quiet->affinity, "a CPU set must fit");
    memset(quiet, 0, sizeof *quiet);
    if (sched_getaffinity(0, sizeof all, &all) == 0) {
        memcpy(quiet->affinity, &all, sizeof all);
        CPU_ZERO(&few);
        for (size_t cpu = CPU_SETSIZE; cpu-- > 0 && CPU_COUNT(&few) < threads;)
            if (CPU_ISSET(cpu, &all)) CPU_SET(cpu, &few);
        quiet->pinned = sched_setaffinity(0, sizeof few, &few) == 0;
    }
#if defined(__x86_64__)
    quiet->control = _mm_getcsr();
    _mm_setcsr(quiet->control | FLUSH_TO_ZERO);
#endif
}

void cw_quiet_end(const cw_quiet *quiet) {
    if (quiet->pinned) {
        cpu_set_t all;
        memcpy(&all, quiet->affinity, sizeof all);
        sched_setaffinity(0, sizeof all, &all);
    }
#if defined(__x86_64__)
    _mm_setcsr(quiet->control);
#endif
}

/* ---- The child ---- */

static cw_status send(int fd, cw_note note, cw_status status, const cw_outcome *outcome) {
    record r;
    memset(&r, 0, sizeof r);
    r.magic = RECORD_MAGIC;
    r.note = (uint32_t)note;
    r.status = (int64_t)status;
    r.outcome = *outcome;
    r.check = cw_hash(&r.outcome, sizeof r.outcome, r.note);
    ssize_t wrote;
    do wrote = write(fd, &r, sizeof r);
    while (wrote < 0 && errno == EINTR);
    return wrote == (ssize_t)sizeof r ? CW_OK : CW_STOPPED;
}

static cw_status to_pipe(void *arg, cw_note note, const cw_outcome *outcome) {
    return send(*(int *)arg, note, CW_OK, outcome);
}

/* Crashes must end the child as they would end a program of its own: no handler of the parent's, no core
 * file, no output into the parent's. What ends a whole group of
 * processes (Ctrl-C, a time limit, a closed terminal) is the parent's to decide: a child that died of it
 * would be blamed on the implementation at hand. */
static void detach(pid_t parent) {
    static const int deadly[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGPIPE, SIGALRM};
    static const int parental[] = {SIGINT, SIGTERM, SIGHUP};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(0);
    for (size_t i = 0; i < CW_COUNT(deadly); i++) signal(deadly[i], SIG_DFL);
    for (size_t i = 0; i < CW_COUNT(parental); i++) signal(parental[i], SIG_IGN);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    int nowhere = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (nowhere < 0) return;
    dup2(nowhere, STDIN_FILENO);
    dup2(nowhere, STDOUT_FILENO);
    dup2(nowhere, STDERR_FILENO);
}

static _Noreturn void child(const cw_job *job, pid_t parent, int fd) {
    detach(parent);
    cw_job mine = *job;
    mine.sink = to_pipe;
    mine.sink_arg = &fd;
    cw_error err = {0};
    cw_outcome end = {0};
    cw_status status = cw_measure_problem(&mine, &err);
    snprintf(end.detail, sizeof end.detail, "%s", err.message);
    send(fd, CW_NOTE_END, status, &end);
    _exit(0); /* not exit: what the parent has buffered or registered is the parent's */
}

/* ---- The parent ---- */

static bool good_text(const char *text, size_t size) {
    return memchr(text, '\0', size) != NULL;
}

static bool good_time(double ns) {
    return ns >= 0 && ns < 1e18;
}

static bool good(const record *r) {
    const cw_outcome *o = &r->outcome;
    if (r->magic != RECORD_MAGIC || r->note > CW_NOTE_END || r->check != cw_hash(o, sizeof *o, r->note))
        return false;
    bool fine = good_text(o->impl, sizeof o->impl) && good_text(o->backend, sizeof o->backend) &&
                good_text(o->detail, sizeof o->detail) && o->family >= 0 && o->family < CW_FAMILY_COUNT &&
                o->state >= 0 && o->state < CW_STATE_NOT_MEASURED && o->samples >= 0 &&
                good_time(o->time_ns) && good_time(o->min_ns) && good_time(o->median_ns) &&
                good_time(o->mad_ns) && good_time(o->prepare_ns) && good_time(o->src_reorder_ns) &&
                good_time(o->dst_reorder_ns) && good_time(o->workspace_bytes);
    for (int i = 0; i < CW_PASSES_MAX; i++) fine = fine && good_time(o->pass_ns[i]);
    return fine && r->status >= CW_OK && r->status <= CW_STOPPED;
}

typedef struct watch {
    const cw_job *job;
    pid_t pid;
    int fd;
    int64_t deadline;
    char buffer[sizeof(record)];
    size_t have;
    cw_outcome *culprit;
    bool ended, timed_out, garbled;
    cw_status status; /* the child's, or why the parent gives up */
    cw_error *err;
} watch;

static void set_deadline(watch *w) {
    w->deadline = cw_now_ns() + (int64_t)(w->job->timeout_s * 1e9);
}

static void take(watch *w) {
    record r;
    memcpy(&r, w->buffer, sizeof r);
    w->have = 0;
    set_deadline(w);
    if (!good(&r)) {
        w->garbled = true;
    } else if (r.note == CW_NOTE_END) {
        w->ended = true;
        w->status = (cw_status)r.status;
        if (w->status != CW_OK) cw_fail(w->err, w->status, "%s", r.outcome.detail);
    } else {
        if (r.note == CW_NOTE_TOUCH) *w->culprit = r.outcome;
        w->status = w->job->sink(w->job->sink_arg, (cw_note)r.note, &r.outcome);
    }
}

/* Reads what there is; false at the end of the stream. */
static bool drain(watch *w) {
    while (!w->ended && !w->garbled && w->status == CW_OK) {
        ssize_t got = read(w->fd, w->buffer + w->have, sizeof w->buffer - w->have);
        if (got == 0) return false;
        if (got < 0) return errno == EAGAIN || errno == EINTR;
        w->have += (size_t)got;
        if (w->have == sizeof w->buffer) take(w);
    }
    return false;
}

/* Until the child has said all, is dead, hangs, or is no longer wanted. Then it is dead. Returns its wait
 * status. */
static int follow(watch *w) {
    int how = 0;
    bool dead = false, open = true;
    int64_t before = cw_now_ns();
    set_deadline(w);
    while (!dead && open) {
        struct pollfd ready = {.fd = w->fd, .events = POLLIN};
        if (poll(&ready, 1, SLICE_MS) <= 0) dead = waitpid(w->pid, &how, WNOHANG) == w->pid;
        open = drain(w);
        /* A gap is time in which this process was suspended (Ctrl-Z), and so was the child. */
        int64_t now = cw_now_ns(), gap = now - before;
        if (gap > SUSPENDED_NS) w->deadline += gap;
        before = now;
        if (w->job->stop && *w->job->stop) {
            w->status = CW_STOPPED;
            open = false;
        } else if (!dead && open && now > w->deadline) {
            w->timed_out = true;
            open = false;
        }
    }
    if (dead) return how;
    /* A child that closed its pipe or said its end gets a moment to die of what it is dying of. */
    for (int i = 0; i < 50 && !w->timed_out && !w->garbled && w->status == CW_OK; i++) {
        if (waitpid(w->pid, &how, WNOHANG) == w->pid) return how;
        usleep(i < 10 ? 200 : 20000);
    }
    kill(w->pid, SIGKILL);
    while (waitpid(w->pid, &how, 0) < 0 && errno == EINTR) {
    }
    return how;
}

static void describe(const watch *w, int how) {
    char *detail = w->culprit->detail;
    size_t size = sizeof w->culprit->detail;
    w->culprit->state = CW_STATE_FAILED;
    if (w->timed_out)
        snprintf(detail, size, "timed out after %g s", w->job->timeout_s);
    else if (w->garbled)
        snprintf(detail, size, "wrote over the measuring process's own records");
    else if (WIFSIGNALED(how))
        snprintf(detail, size, "killed by signal %d (%s)%s", WTERMSIG(how), strsignal(WTERMSIG(how)),
                 WTERMSIG(how) == SIGKILL ? ": out of memory?" : "");
    else
        snprintf(detail, size, "ended the process with exit code %d", WEXITSTATUS(how));
}

cw_status cw_measure_in_child(const cw_job *job, cw_outcome *culprit, cw_error *err) {
    int ends[2];
    pid_t parent = getpid();
    memset(culprit, 0, sizeof *culprit);
    if (pipe2(ends, O_CLOEXEC) != 0) return cw_fail_errno(err, "measuring", "pipe");
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    pid_t pid = fork();
    if (pid == 0) {
        close(ends[0]);
        child(job, parent, ends[1]);
    }
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        return cw_fail_errno(err, "measuring", "fork");
    }
    watch w = {.job = job, .pid = pid, .fd = ends[0], .culprit = culprit, .err = err};
    int how = follow(&w);
    close(ends[0]);
    if (w.ended || w.status != CW_OK) return w.status;
    describe(&w, how);
    char text[CW_PROBLEM_TEXT];
    cw_problem_format(&job->problem, text, sizeof text);
    return cw_fail(err, CW_BACKEND, "measuring %s: the process was %s", text, culprit->detail);
}

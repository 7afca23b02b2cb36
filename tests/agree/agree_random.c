/* agree_random.c: random problems, every implementation, against the reference: ./dev agree. Not a test by
 * itself; test_agree.c runs 300 of the same kind each time. agree_random COUNT [SEED [FIRST]] Problem i
 * depends on SEED and i alone: "agree_random 1 SEED i" repeats one. Libraries crash, so child processes do
 * the work, as many as there are cores: what a child is at stands in memory that it shares with this process,
 * which blames that implementation for the child's end, prints the problem and goes on without it. Exit code
 * 1 where anything was wrong. */
#include "agree.h"
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PART = 100, SLOTS = 8, BACKENDS = 16, CULPRITS = 64, LOOK_MS = 20, PATIENCE_S = 120 };

typedef struct tally {
    char backend[32];
    long compared;
    double worst[CW_PREC_COUNT]; /* errors within the limit */
} tally;

/* What one child at a time writes and its parent reads. */
typedef struct slot {
    long at, end, steps; /* problem at hand; behind the last; counts every implementation begun */
    char impl[96], problem[CW_PROBLEM_TEXT];
    struct {
        long at;
        char impl[96];
    } culprits[CULPRITS]; /* by whom a child ended: left out from then on */
    int culprit_count;
    long wrong, ran;
    tally tallies[BACKENDS];
    pid_t child;            /* 0 = none */
    long seen_steps, looks; /* of this process since the child's last step: a suspended one does not look */
} slot;

static uint64_t seed;

static cw_problem problem_of(long i, cw_fill *fill) {
    cw_problem p;
    cw_rng rng = cw_rng_seed(seed * 1000003 + (uint64_t)i);
    while (!agree_random_problem(&rng, &p)) continue;
    *fill = cw_rng_below(&rng, 2) ? CW_FILL_NORMAL : CW_FILL_INTEGER;
    return p;
}

/* ---- The child ---- */

static tally *tally_of(slot *s, const char *backend) {
    size_t i = 0;
    while (i < BACKENDS - 1 && s->tallies[i].backend[0] && strcmp(s->tallies[i].backend, backend) != 0) i++;
    snprintf(s->tallies[i].backend, sizeof s->tallies[i].backend, "%s", backend);
    return &s->tallies[i];
}

static bool is_culprit(const slot *s, const char *impl) {
    for (int i = 0; i < s->culprit_count; i++)
        if (s->culprits[i].at == s->at && strcmp(s->culprits[i].impl, impl) == 0) return true;
    return false;
}

static void begin(slot *s, const char *impl) {
    snprintf(s->impl, sizeof s->impl, "%s", impl);
    s->steps++;
}

static void complain(slot *s, const char *impl, cw_status status, const cw_error *err) {
    s->wrong++;
    printf("%ld: %s %s: %s: %s\n", s->at, s->problem, impl, cw_status_name(status), err->message);
    fflush(stdout);
}

static void compare_one(slot *s, cw_context *ctx, const cw_case *c, const cw_found *found) {
    cw_error err = {CW_OK, ""};
    double error;
    const char *name = found->impl->name;
    if (found->why_not || strcmp(found->backend->name, "null") == 0 || is_culprit(s, name)) return;
    begin(s, name);
    cw_status status = agree_run(ctx, c, found->impl, NULL, &error, &err);
    tally *t = tally_of(s, found->backend->name);
    t->compared++;
    if (status != CW_OK)
        complain(s, name, status, &err);
    else if (!found->impl->reduced && error > t->worst[c->problem.prec])
        t->worst[c->problem.prec] = error;
}

static void compare_all(slot *s, cw_context *ctx) {
    cw_fill fill;
    cw_problem p = problem_of(s->at, &fill);
    cw_problem_format(&p, s->problem, sizeof s->problem);
    if (is_culprit(s, "list")) return;
    cw_error err = {CW_OK, ""};
    cw_case c = {0};
    cw_found *found = NULL;
    size_t count = 0;
    begin(s, "list");
    cw_status status = cw_case_make(&p, fill, (uint64_t)s->at, &c, &err);
    if (status == CW_OK) status = cw_context_list(ctx, &c.problem, &found, &count, &err);
    if (status != CW_OK) complain(s, "list", status, &err);
    for (size_t i = 0; status == CW_OK && i < count; i++) compare_one(s, ctx, &c, &found[i]);
    cw_free(found);
    cw_case_release(&c);
}

static _Noreturn void child(slot *s) {
    cw_context *ctx;
    cw_error err = {CW_OK, ""};
    if (cw_context_open(&ctx, &err) != CW_OK) {
        complain(s, "open", err.status, &err);
        _exit(2);
    }
    for (; s->at < s->end; s->at++, s->ran++) compare_all(s, ctx);
    begin(s, "exit");
    cw_context_close(ctx);
    exit(0); /* not _exit: sanitizers say at the end what they found */
}

/* ---- The parent ---- */

static void start(slot *s) {
    s->looks = 0;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) child(s);
    if (pid < 0) perror("agree_random: fork"), exit(2);
    s->child = pid; /* here only: the child's zero would be shared */
}

/* A child ended, or was ended: blames, and starts another one where work is left. */
static void ended(slot *s, int how, bool hung) {
    s->child = 0;
    if (!hung && WIFEXITED(how) && WEXITSTATUS(how) == 0) return;
    s->wrong++;
    printf("%ld: %s %s: %s %d\n", s->at, s->problem, s->impl,
           hung               ? "no step further for seconds, number:"
           : WIFSIGNALED(how) ? "killed by signal"
                              : "exit code",
           hung               ? PATIENCE_S
           : WIFSIGNALED(how) ? WTERMSIG(how)
                              : WEXITSTATUS(how));
    if (s->at >= s->end) return;
    if (s->culprit_count == CULPRITS || s->steps == 0) printf("too many crashes\n"), exit(2);
    s->culprits[s->culprit_count].at = s->at;
    snprintf(s->culprits[s->culprit_count++].impl, sizeof s->impl, "%s", s->impl);
    start(s);
}

static void watch(slot *s) {
    int how = 0;
    if (waitpid(s->child, &how, WNOHANG) == s->child) {
        ended(s, how, false);
    } else if (s->steps != s->seen_steps) {
        s->seen_steps = s->steps;
        s->looks = 0;
    } else if (++s->looks > PATIENCE_S * (1000 / LOOK_MS)) {
        kill(s->child, SIGKILL);
        while (waitpid(s->child, &how, 0) < 0 && errno == EINTR) continue;
        ended(s, how, true);
    }
}

static int report(const slot *slots, int count) {
    slot all = {0};
    for (int i = 0; i < count; i++) {
        all.wrong += slots[i].wrong;
        all.ran += slots[i].ran;
        for (size_t k = 0; k < BACKENDS && slots[i].tallies[k].backend[0]; k++) {
            const tally *from = &slots[i].tallies[k];
            tally *to = tally_of(&all, from->backend);
            to->compared += from->compared;
            for (int j = 0; j < CW_PREC_COUNT; j++)
                if (from->worst[j] > to->worst[j]) to->worst[j] = from->worst[j];
        }
    }
    for (size_t k = 0; k < BACKENDS && all.tallies[k].backend[0]; k++)
        printf("%-8s %7ld pairs, worst error f32 %.2g, bf16 %.2g of the largest output, u8 %g steps\n",
               all.tallies[k].backend, all.tallies[k].compared, all.tallies[k].worst[CW_F32],
               all.tallies[k].worst[CW_BF16], all.tallies[k].worst[CW_U8]);
    printf("%ld problems, seed %llu: %ld wrong\n", all.ran, (unsigned long long)seed, all.wrong);
    return all.wrong != 0;
}

int main(int argc, char **argv) {
    long count = argc > 1 ? atol(argv[1]) : 0, next = argc > 3 ? atol(argv[3]) : 0, end = next + count;
    seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    if (count < 1 || next < 0) return fprintf(stderr, "usage: agree_random COUNT [SEED [FIRST]]\n"), 2;
    cpu_set_t cores;
    int jobs = sched_getaffinity(0, sizeof cores, &cores) == 0 ? CPU_COUNT(&cores) : 1;
    if (jobs > SLOTS) jobs = SLOTS;
    slot *slots =
        mmap(NULL, SLOTS * sizeof *slots, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (slots == MAP_FAILED) return perror("agree_random"), 2;
    for (bool busy = true; busy;) {
        busy = false;
        for (int i = 0; i < jobs; i++) {
            slot *s = &slots[i];
            if (s->child) watch(s);
            if (!s->child && next < end) {
                s->at = next;
                s->end = next = next + PART < end ? next + PART : end;
                start(s);
            }
            busy |= s->child != 0;
        }
        usleep(LOOK_MS * 1000);
    }
    return report(slots, jobs);
}

/* cmd_measure.c: convwise measure: layers from the command line, times into a store, a summary. How times are
 * taken is the library's matter (docs/measuring.md). */
#include "cli.h"
#include "measure_summary.h"
#include "probes.h"
#include "progress.h"
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

enum {
    KEY_GRID = 256,
    KEY_PRECISION,
    KEY_FPMATH,
    KEY_CACHE,
    KEY_LAYOUT,
    KEY_ONLY,
    KEY_BUDGET,
    KEY_AGAIN,
    KEY_PASSES,
    KEY_SEED,
    KEY_IN_PROCESS,
    KEY_BASE,
    KEY_PROBES,
    KEY_DRY_RUN,
    KEY_MAX_ISA,
    KEY_DEVICE,
};

typedef struct options {
    cli_layers layers;
    cw_net grid; /* count 0 = none asked for */
    cw_problem *problems;
    size_t problem_count;
    bool precs[CW_PREC_COUNT];
    int32_t threads, batch;
    const char *store;
    cw_context_options context;
    cw_cache cache;
    cw_layout layout;
    cw_measure_options measure;
    bool quiet, json, dry_run;
    const char *base; /* a model's file; NULL = every problem is measured */
    size_t probes;    /* how many of the problems to pick */
    json_t *picked;   /* the probes, and why */
    int code;         /* CLI_DONE, or what was wrong with an argument and is already said */
} options;

static const struct argp_option rows[] = {
    {"net", 'n', "NAME", 0, "Network(s), separated by commas, or all; may repeat", 1},
    {"layers", 'l', "FILE", 0, "Layer table; may repeat", 1},
    {"problem", 'p', "PROBLEM", 0, "One problem, as in mb1ic64ih56oc64oh56kh3ph1,u8,t2; may repeat", 1},
    {"grid", KEY_GRID, "RANGES", 0,
     "Synthetic layers: KEY=RANGE,KEY=RANGE... of size, ic, oc, kernel, stride, pad; a range is first:last, "
     "first:last:step, first:last:*factor or a,b,c; 'default' is size 7,14,28,56, ic and oc 16:512:*2, "
     "kernel 1,3,5, stride 1,2, pad 0 and half the kernel",
     1},
    {"precision", KEY_PRECISION, "LIST", 0,
     "Of networks and grids: f32 (default), u8, bf16, or several: f32,u8", 2},
    {"fpmath", KEY_FPMATH, "MODE", 0, CLI_FPMATH_HELP, 2},
    {"threads", 't', "N", 0, "Threads that run a convolution of networks and grids (default 1)", 2},
    {"batch", 'b', "N", 0, "Images at a time, of networks and grids (default 1)", 2},
    {"layout", KEY_LAYOUT, "L", 0, "Of source and destination, of networks and grids: nhwc (default) or nchw",
     2},
    {"cache", KEY_CACHE, "STATE", 0,
     "What the caches hold when a run begins, of networks and grids: hot (default), or cold: other data", 2},
    {"only", KEY_ONLY, "PATTERN", 0, "Only implementations whose names match, e.g. 'own.*,onednn.*'", 2},
    {"base", KEY_BASE, "MODEL", 0, "Another machine's model, to pick --probes by (docs/few-shot.md)", 2},
    {"probes", KEY_PROBES, "N", 0, "Measure only the N problems that tell most for 'train --base'", 2},
    {"dry-run", KEY_DRY_RUN, NULL, 0, "Print what would be measured, and measure nothing", 2},
    {"max-isa", KEY_MAX_ISA, "ISA", 0, CLI_MAX_ISA_HELP ": its times are another machine's", 2},
    {"device", KEY_DEVICE, "DEVICE", 0, CLI_DEVICE_HELP ": its times are another machine's", 2},
    {"store", 's', "FILE", 0, "Where times go (default convwise.db); created where missing", 3},
    {"again", KEY_AGAIN, NULL, 0, "Measure anew what the store has", 3},
    {"budget", KEY_BUDGET, "TIME", 0, "Stop after about this long: 90, 90s, 10m, 2h", 3},
    {"passes", KEY_PASSES, "N", 0, "Passes over a problem's implementations, 1 to 8 (default 3)", 4},
    {"seed", KEY_SEED, "N", 0, "Of the data and of the random order (default 1)", 4},
    {"in-process", KEY_IN_PROCESS, NULL, 0, "No child processes: for debuggers", 4},
    {"quiet", 'q', NULL, 0, "Show no progress", 5},
    {"json", 'j', NULL, 0, "Print one JSON document", 5},
    {0},
};

/* ---- Arguments ---- */

static void fail(options *o, const cw_error *err) {
    if (o->code == CLI_DONE) o->code = cli_fail(err);
}

static void add_nets(options *o, char *list) {
    cw_error err = {0};
    char *save = NULL;
    for (char *name = strtok_r(list, ",", &save); name && o->code == CLI_DONE;
         name = strtok_r(NULL, ",", &save))
        if (cli_layers_add_net(&o->layers, name, &err) != CW_OK) fail(o, &err);
}

/* Always a file, also where a network has the same name. */
static void add_table(options *o, const char *file) {
    cw_error err = {0};
    char path[4096];
    snprintf(path, sizeof path, "%s%s", strchr(file, '/') ? "" : "./", file);
    if (cli_layers_add_net(&o->layers, path, &err) != CW_OK) fail(o, &err);
}

static void add_problem(options *o, const char *text) {
    cw_error err = {.status = CW_NO_MEMORY};
    cw_problem *grown = realloc(o->problems, (o->problem_count + 1) * sizeof *grown);
    if (grown) o->problems = grown;
    if (grown && cw_problem_parse(text, &grown[o->problem_count], &err) == CW_OK)
        o->problem_count++;
    else
        fail(o, &err);
}

/* "size=7:56:*2,ic=16,32": in place; a comma ends a range where a letter follows. */
static void add_grid(options *o, char *text, struct argp_state *state) {
    cw_grid grid = {0};
    cw_error err = {0};
    const struct {
        const char *name, **range;
    } keys[] = {{"size", &grid.size},     {"ic", &grid.ic},         {"oc", &grid.oc},
                {"kernel", &grid.kernel}, {"stride", &grid.stride}, {"pad", &grid.pad}};
    if (o->grid.count) argp_error(state, "one --grid at a time");
    if (strcmp(text, "default") == 0) text += strlen(text);
    while (*text) {
        char *end = text, *equals = strchr(text, '=');
        while (*end && !(*end == ',' && end[1] >= 'a' && end[1] <= 'z')) end++;
        char *next = *end ? end + 1 : end;
        *end = '\0';
        size_t i = 0;
        if (equals) *equals = '\0';
        while (i < 6 && strcmp(keys[i].name, text) != 0) i++;
        if (!equals || i == 6)
            argp_error(state, "--grid: '%.60s' is not size, ic, oc, kernel, stride or pad with =RANGE", text);
        else
            *keys[i].range = equals + 1;
        text = next;
    }
    if (cw_grid_make(&grid, &o->grid, &err) != CW_OK) fail(o, &err);
}

static void set_precisions(options *o, char *list, struct argp_state *state) {
    char *save = NULL;
    static const cw_prec known[] = {CW_F32, CW_U8, CW_BF16};
    const size_t count = sizeof known / sizeof *known;
    bool any = false;
    memset(o->precs, 0, sizeof o->precs);
    for (char *name = strtok_r(list, ",", &save); name; name = strtok_r(NULL, ",", &save)) {
        size_t i = 0;
        while (i < count && strcmp(cw_prec_name(known[i]), name) != 0) i++;
        if (i == count)
            argp_error(state, "--precision: '%.60s' is not f32, u8 or bf16", name);
        else
            any = o->precs[known[i]] = true;
    }
    if (!any) argp_error(state, "--precision names none of f32, u8, bf16");
}

static long long number(struct argp_state *state, const char *option, const char *text, long long lo,
                        long long hi) {
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno || end == text || *end || value < lo || value > hi)
        argp_error(state, "--%s: '%.60s' is not a whole number from %lld to %lld", option, text, lo, hi);
    return value;
}

static double duration(struct argp_state *state, const char *text) {
    char *end;
    double value = strtod(text, &end);
    double unit = strcmp(end, "h") == 0 ? 3600 : strcmp(end, "m") == 0 ? 60 : 1;
    if (end == text || (*end && strcmp(end, "s") != 0 && unit == 1) || !(value > 0) || value > 1e9)
        argp_error(state, "--budget: '%.60s' is not a time like 90, 90s, 10m, 2h", text);
    return value * unit;
}

static error_t parse(int key, char *arg, struct argp_state *state) {
    options *o = state->input;
    switch (key) {
    case 'n':
        add_nets(o, arg);
        return 0;
    case 'l':
        add_table(o, arg);
        return 0;
    case 'p':
        add_problem(o, arg);
        return 0;
    case KEY_GRID:
        add_grid(o, arg, state);
        return 0;
    case KEY_FPMATH:
        o->measure.fpmath = cli_fpmath(state, arg);
        return 0;
    case KEY_PRECISION:
        set_precisions(o, arg, state);
        return 0;
    case 't':
        o->threads = (int32_t)number(state, "threads", arg, 1, 1024);
        return 0;
    case 'b':
        o->batch = (int32_t)number(state, "batch", arg, 1, 1 << 20);
        return 0;
    case KEY_LAYOUT:
        o->layout = strcmp(arg, cw_layout_name(CW_NCHW)) == 0 ? CW_NCHW : CW_NHWC;
        if (strcmp(arg, cw_layout_name(o->layout)) != 0)
            argp_error(state, "--layout: '%.60s' is not nhwc or nchw", arg);
        return 0;
    case KEY_CACHE:
        o->cache = strcmp(arg, cw_cache_name(CW_COLD)) == 0 ? CW_COLD : CW_HOT;
        if (strcmp(arg, cw_cache_name(o->cache)) != 0)
            argp_error(state, "--cache: '%.60s' is not hot or cold", arg);
        return 0;
    case KEY_ONLY:
        if (!arg[strspn(arg, ",")]) argp_error(state, "--only names no pattern");
        o->measure.only = arg;
        return 0;
    case 's':
        o->store = arg;
        return 0;
    case KEY_AGAIN:
        o->measure.again = true;
        return 0;
    case KEY_BUDGET:
        o->measure.budget_s = duration(state, arg);
        return 0;
    case KEY_PASSES:
        o->measure.passes = (int32_t)number(state, "passes", arg, 1, 8);
        return 0;
    case KEY_SEED:
        o->measure.seed = (uint64_t)number(state, "seed", arg, 0, INT64_MAX);
        return 0;
    case KEY_IN_PROCESS:
        o->measure.in_process = true;
        return 0;
    case KEY_BASE:
        o->base = arg;
        return 0;
    case KEY_PROBES:
        o->probes = (size_t)number(state, "probes", arg, 1, 1000000);
        return 0;
    case KEY_MAX_ISA:
        o->context.max_isa = arg;
        return 0;
    case KEY_DEVICE:
        o->context.device = arg;
        return 0;
    case KEY_DRY_RUN:
        o->dry_run = true;
        return 0;
    case 'q':
        o->quiet = true;
        return 0;
    case 'j':
        o->json = true;
        return 0;
    case ARGP_KEY_END:
        if (o->code == CLI_DONE && !o->layers.net_count && !o->grid.count && !o->problem_count)
            argp_error(state, "nothing to measure: give --net, --layers, --problem or --grid");
        if (!o->base != !o->probes) argp_error(state, "--base and --probes belong together");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp argp = {
    rows,
    parse,
    NULL,
    "Times every implementation on layers and keeps the times in a store. Every output is checked first. "
    "Where the "
    "store has a time already, it is kept: stop with Ctrl-C and start again at will.",
    NULL,
    NULL,
    NULL};

/* ---- Problems ---- */

static size_t at_precisions(const options *o, const cw_layer *layer, cw_problem *out) {
    size_t n = 0;
    for (int prec = 0; prec < CW_PREC_COUNT; prec++)
        if (o->precs[prec]) {
            out[n] = cw_layer_problem(layer, (cw_prec)prec, o->threads, o->batch);
            out[n].layout = (int32_t)o->layout;
            out[n++].cache = (int32_t)o->cache;
        }
    return n;
}

/* All layers at all precisions, one of each network in turn, so that a budget that ends early leaves
 * something of every network; then the grid, then single problems. */
static cw_status collect(const options *o, cw_problem **out, size_t *count, cw_error *err) {
    size_t layers = o->grid.count, n = 0, longest = 0;
    for (size_t i = 0; i < o->layers.net_count; i++) {
        layers += o->layers.nets[i].count;
        if (o->layers.nets[i].count > longest) longest = o->layers.nets[i].count;
    }
    cw_problem *all = calloc(CW_PREC_COUNT * layers + o->problem_count, sizeof *all);
    if (!all) return err->status = CW_NO_MEMORY;
    for (size_t j = 0; j < longest; j++)
        for (size_t i = 0; i < o->layers.net_count; i++)
            if (j < o->layers.nets[i].count) n += at_precisions(o, &o->layers.nets[i].layers[j], all + n);
    for (size_t j = 0; j < o->grid.count; j++) n += at_precisions(o, &o->grid.layers[j], all + n);
    for (size_t i = 0; i < o->problem_count; i++) all[n++] = o->problems[i];
    *out = all;
    *count = n;
    cw_machine machine;
    cw_status status = CW_OK;
    cw_machine_detect(&machine);
    for (size_t i = 0; i < n && status == CW_OK; i++) {
        status = cw_problem_check(&all[i], err);
        if (status == CW_OK) cw_problem_canonical(&all[i]);
        if (status == CW_OK && all[i].threads > machine.cores) {
            snprintf(err->message, sizeof err->message,
                     "%d threads on %d usable cores: times would say nothing", all[i].threads, machine.cores);
            status = err->status = CW_INVALID;
        }
    }
    return status;
}

/* ---- Environment ---- */

/* Variables that libraries heed, as one line of ASCII; "" = none. */
static void describe_environment(char *text, size_t size) {
    static const char *const prefixes[] = {"OMP_",  "GOMP_",   "OPENBLAS_", "GOTO_",
                                           "DNNL_", "ONEDNN_", "LIBXSMM_", "MALLOC_",   "LD_PRELOAD="};
    const char *removed = getenv(CLI_REMOVED);
    snprintf(text, size, "%s", removed ? removed : "");
    for (char **entry = environ; *entry; entry++)
        for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
            size_t used = strlen(text);
            if (strncmp(*entry, prefixes[i], strlen(prefixes[i])) == 0)
                snprintf(text + used, size - used, "%s%s", used ? "; " : "", *entry);
        }
    for (char *c = text; *c; c++)
        if (*c < ' ' || *c > '~') *c = '?';
}

/* ---- Running ---- */

static volatile int stop;
static time_t stop_time;

/* A second one ends the program at once; not within a second of the first, since timeout(1) sends two. */
static void on_signal(int which) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (stop && now.tv_sec > stop_time + 1) signal(which, SIG_DFL), raise(which);
    if (!stop) stop_time = now.tv_sec;
    stop = 1;
}

static void watch_signals(void) {
    static const int ends[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action = {.sa_handler = on_signal}, now;
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (ends[i] != SIGHUP ||
            (sigaction(SIGHUP, NULL, &now) == 0 && now.sa_handler != SIG_IGN)) /* nohup */
            sigaction(ends[i], &action, NULL);
    signal(SIGPIPE, SIG_IGN);
}

typedef struct shown {
    cli_progress progress;
    cw_measure_progress last;
} shown;

static void on_progress(void *arg, const cw_measure_progress *p) {
    shown *s = arg;
    s->last = *p;
    cli_progress_show(&s->progress, p->done, p->total, p->elapsed_s, p->eta_s, p->now);
}

typedef struct outcome {
    cw_status status;
    const char *ended; /* "done", "budget", "interrupted", "failed" */
    shown shown;
    cw_store_info info;
    cli_summary *summary;
} outcome;

static void print_text(const options *o, const outcome *r) {
    char text[32];
    cli_summary_print(r->summary);
    printf("\n%zu problems, %zu results stored in %s; %s: %.1f MiB, %lld measurements.\n",
           r->shown.last.total, r->shown.last.stored, cli_duration(r->shown.last.elapsed_s, text), o->store,
           (double)r->info.bytes / 1048576, (long long)r->info.measurements);
    if (strcmp(r->ended, "budget") == 0)
        printf("The budget ended it after %zu problems; the same command continues.\n", r->shown.last.done);
    else if (strcmp(r->ended, "done") == 0)
        printf("Next: convwise validate --store %s\n", o->store);
}

static int print_json(const options *o, const outcome *r) {
    json_t *json = json_pack("{s:o, s:s, s:I, s:I, s:I, s:f, s:I, s:I}", "store", cli_json_path(o->store),
                             "ended", r->ended, "problems", (json_int_t)r->shown.last.total, "problems_done",
                             (json_int_t)r->shown.last.done, "stored", (json_int_t)r->shown.last.stored,
                             "elapsed_s", r->shown.last.elapsed_s, "store_bytes", (json_int_t)r->info.bytes,
                             "store_measurements", (json_int_t)r->info.measurements);
    json_t *summary = cli_summary_json(r->summary);
    json_object_update(json, summary);
    json_decref(summary);
    if (o->base) json_object_set(json, "probes", o->picked);
    return cli_print_json(json);
}

/* Measures, then tells of it, also where it ended early. */
static int run(options *o, cw_context *ctx, cw_store *store, cw_problem *problems, size_t count) {
    char environment[2048];
    cw_error err = {0}, late = {0};
    outcome r = {.shown.progress = cli_progress_begin(o->quiet)};
    describe_environment(environment, sizeof environment);
    o->measure.problems = problems;
    o->measure.count = count;
    o->measure.environment = environment[0] ? environment : NULL;
    o->measure.stop = &stop;
    o->measure.progress = on_progress;
    o->measure.arg = &r.shown;
    watch_signals();
    r.status = CW_OK;
    for (size_t i = 0; i < o->layers.net_count && r.status == CW_OK; i++)
        r.status = cw_store_add_net(store, &o->layers.nets[i], &err);
    if (r.status == CW_OK) r.status = cw_measure(ctx, store, &o->measure, &err);
    cli_progress_end(&r.shown.progress);
    r.ended = r.status == CW_OK        ? "done"
              : r.status != CW_STOPPED ? "failed"
              : stop                   ? "interrupted"
                                       : "budget";
    int code = CLI_DONE;
    if (strcmp(r.ended, "interrupted") == 0) {
        fprintf(stderr, "convwise: interrupted; what was measured is in %s, the same command continues\n",
                o->store);
        code = CLI_FAILED;
    } else if (strcmp(r.ended, "failed") == 0) {
        code = cli_fail(&err);
    }
    if (code != CLI_DONE && r.shown.last.stored == 0 && !stop) return code; /* nothing to tell of */
    qsort(problems, count, sizeof *problems, cli_compare_problems);
    if (cw_store_info_get(store, &r.info, &late) != CW_OK ||
        cli_summary_make(store, cw_context_machine(ctx), problems, count, &r.summary, &late) != CW_OK)
        return cli_fail(&late);
    if (code == CLI_DONE && strcmp(r.ended, "done") == 0 && cli_summary_empty(r.summary)) {
        fprintf(stderr, "convwise: no implementation matches --only %.60s ('convwise impls' lists them)\n",
                o->measure.only);
        code = CLI_NONE;
    } else if (o->json) {
        int printed = print_json(o, &r);
        code = code == CLI_DONE ? printed : code;
    } else {
        print_text(o, &r);
    }
    cli_summary_free(r.summary);
    return code;
}

/* What will be measured, or (dry run) would be. */
static cw_status choose_probes(options *o, cw_context *ctx, cw_problem *problems, size_t *count,
                               cw_error *err) {
    cw_probe *probes = NULL;
    cw_status status =
        o->base ? cli_probes_pick(o->base, ctx, o->probes, problems, count, &probes, err) : CW_OK;
    if (status != CW_OK) return status;
    if (o->json)
        o->picked = cli_probes_json(problems, probes, *count);
    else if (probes || o->dry_run)
        cli_probes_print(problems, probes, *count);
    free(probes);
    return CW_OK;
}

static int measure(options *o) {
    cw_error err = {0};
    cw_problem *problems = NULL;
    size_t count = 0;
    cw_context *ctx = NULL;
    cw_store *store = NULL;
    int code;
    if (collect(o, &problems, &count, &err) != CW_OK ||
        cw_context_open_with(&o->context, &ctx, &err) != CW_OK ||
        choose_probes(o, ctx, problems, &count, &err) != CW_OK)
        code = cli_fail(&err);
    else if (o->dry_run)
        code =
            o->json ? cli_print_json(json_pack("{s:b, s:O}", "dry_run", 1, "probes", o->picked)) : CLI_DONE;
    else if (cw_store_open(o->store, CW_STORE_WRITE, &store, &err) != CW_OK)
        code = cli_fail(&err);
    else
        code = run(o, ctx, store, problems, count);
    if (store) cw_store_close(store);
    cw_context_close(ctx);
    free(problems);
    json_decref(o->picked);
    return code;
}

int cmd_measure(int argc, char **argv) {
    options o = {.store = "convwise.db", .threads = 1, .batch = 1, .precs = {[CW_F32] = true}};
    o.measure.seed = 1;
    char **as_given = cli_copy_arguments(argc, argv); /* options are written into */
    if (!as_given) return cli_fail(&(cw_error){.status = CW_NO_MEMORY});
    argp_err_exit_status = CLI_USAGE;
    argp_parse(&argp, argc, argv, 0, NULL, &o);
    int code = o.code;
    if (code == CLI_DONE) code = cli_openblas_for(o.context.max_isa, argc, as_given);
    if (code == CLI_DONE) code = measure(&o);
    free(as_given);
    cli_layers_release(&o.layers);
    cw_net_release(&o.grid);
    free(o.problems);
    return code;
}

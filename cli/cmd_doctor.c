/* cmd_doctor.c: convwise doctor: the machine, the backends and what each can do here, what may disturb times,
 * where the data is. */
#include "cli.h"
#include <dirent.h>
#include <stdlib.h>
#include <string.h>

typedef struct options {
    bool json;
    cw_context_options context;
} options;

enum { MAX_ISA = 1000, DEVICE };

static const struct argp_option rows[] = {
    {"max-isa", MAX_ISA, "ISA", 0, CLI_MAX_ISA_HELP, 0},
    {"device", DEVICE, "DEVICE", 0, CLI_DEVICE_HELP, 0},
    {"json", 'j', NULL, 0, "Print one JSON document", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state) {
    options *o = state->input;
    if (key == 'j')
        o->json = true;
    else if (key == MAX_ISA)
        o->context.max_isa = arg;
    else if (key == DEVICE)
        o->context.device = arg;
    else
        return ARGP_ERR_UNKNOWN;
    return 0;
}

static const struct argp argp = {
    rows,
    parse,
    NULL,
    "Tells what this machine is, which backends this build has and what each can do here, what to "
    "install for those that are missing, and what may disturb times.",
    NULL,
    NULL,
    NULL};

/* Typical layers, to count implementations by. */
static const struct sample {
    const char *name, *text;
} samples[] = {
    {"3x3 f32", "mb1ic64ih56oc64oh56kh3ph1"},          {"1x1 f32", "mb1ic256ih14oc64oh14kh1ph0"},
    {"depthwise f32", "mb1g96ic96ih28oc96oh28kh3ph1"}, {"3x3 u8", "mb1ic64ih56oc64oh56kh3ph1,u8"},
    {"1x1 u8", "mb1ic256ih14oc64oh14kh1ph0,u8"},       {"depthwise u8", "mb1g96ic96ih28oc96oh28kh3ph1,u8"},
};
enum { SAMPLES = sizeof samples / sizeof *samples, BACKENDS_MAX = 32 };

typedef struct findings {
    const cw_backend_info *backends;
    size_t count;
    int supported[BACKENDS_MAX][SAMPLES];
    const char *idle[BACKENDS_MAX]; /* why one of its implementations does not run the first layer */
    cw_machine machine;
    json_t *conditions;
    int tables; /* of networks in the data folder, -1 = no such folder */
} findings;

static cw_status count_supported(cw_context *ctx, findings *f, cw_error *err) {
    cw_status status = CW_OK;
    for (size_t s = 0; s < SAMPLES && status == CW_OK; s++) {
        cw_problem p;
        cw_impl_info *infos = NULL;
        size_t count = 0;
        status = cw_problem_parse(samples[s].text, &p, err);
        if (status == CW_OK) status = cw_impls(ctx, &p, &infos, &count, err);
        for (size_t i = 0; i < count; i++)
            for (size_t b = 0; b < f->count; b++) {
                if (strcmp(infos[i].backend, f->backends[b].name) != 0) continue;
                if (!infos[i].why_not) f->supported[b][s]++;
                if (infos[i].why_not && s == 0 && !f->idle[b]) f->idle[b] = infos[i].why_not;
            }
        cw_free(infos);
    }
    return status;
}

/* Why a backend that is here runs none of the layers; NULL = it runs some. */
static const char *why_idle(const findings *f, size_t b) {
    int all = 0;
    for (size_t s = 0; s < SAMPLES; s++) all += f->supported[b][s];
    return all == 0 && (f->backends[b].version || f->backends[b].on_device) ? f->idle[b] : NULL;
}

/* For backends that want a device: whether there is one. text: what is said of them. */
static void look_for_device(findings *f, cw_context_options asked, char *text, size_t size) {
    cw_error err = {0};
    cw_context *ctx = NULL;
    bool wanted = false;
    for (size_t b = 0; b < f->count; b++) wanted |= f->backends[b].on_device;
    if (!wanted) return;
    asked.device = "opencl";
    if (cw_context_open_with(&asked, &ctx, &err) == CW_OK)
        snprintf(text, size, "it wants --device opencl, here %s", cw_context_machine(ctx)->device);
    else
        snprintf(text, size, "%s", err.message);
    cw_context_close(ctx);
    for (size_t b = 0; b < f->count; b++)
        if (f->backends[b].on_device) f->idle[b] = text;
}

static int is_table(const struct dirent *entry) {
    const char *dot = strrchr(entry->d_name, '.');
    return dot && strcmp(dot, ".txt") == 0;
}

static int count_tables(void) {
    char folder[4096];
    struct dirent **entries;
    snprintf(folder, sizeof folder, "%s/nets", cli_data_folder());
    int count = scandir(folder, &entries, is_table, NULL);
    for (int i = 0; i < count; i++) free(entries[i]);
    if (count >= 0) free(entries);
    return count;
}

static const char *condition(const findings *f, const char *name) {
    const char *text = json_string_value(json_object_get(f->conditions, name));
    return text ? text : "unknown";
}

/* What a user should know before believing times; writes an array of sentences. */
static json_t *make_warnings(const findings *f) {
    json_t *list = json_array();
    const char *governor = condition(f, "governor"), *limit = condition(f, "cgroup_cpu_max");
    double load = strtod(condition(f, "load_average"), NULL);
    if (strcmp(governor, "unknown") != 0 && strcmp(governor, "performance") != 0)
        json_array_append_new(list,
                              json_string("the CPU's governor is not 'performance': times follow its clock "
                                          "(as root: cpupower frequency-set -g performance)"));
    if (load > 0.5 * f->machine.cores)
        json_array_append_new(list, json_string("other programs are running: times will be noisy"));
    if (strcmp(limit, "unknown") != 0 && strncmp(limit, "max", 3) != 0)
        json_array_append_new(list,
                              json_string("the CPU time of this container is limited (cpu.max): long runs "
                                          "are throttled"));
    if (strcmp(condition(f, "smt"), "1") == 0)
        json_array_append_new(list, json_string("SMT is on: leave the sibling of the measured core idle"));
    for (size_t b = 0; b < f->count; b++)
        if (f->machine.avx2 && f->backends[b].version && strstr(f->backends[b].version, "Prescott"))
            json_array_append_new(
                list, json_string("this OpenBLAS does not know this CPU and takes its oldest "
                                  "kernels (Prescott): own.gemm is slow; a newer OpenBLAS helps"));
    if (getenv("OPENBLAS_CORETYPE") && !f->machine.capped)
        json_array_append_new(list,
                              json_string("OPENBLAS_CORETYPE is set: OpenBLAS takes the kernels of that CPU; "
                                          "measure runs without it"));
    if (getenv("OPENBLAS_L2_SIZE"))
        json_array_append_new(list, json_string("OPENBLAS_L2_SIZE is set: measure runs without it"));
    return list;
}

static void print_backends(const findings *f) {
    const char *columns[SAMPLES + 3] = {"BACKEND", "VERSION"};
    for (size_t s = 0; s < SAMPLES; s++) columns[s + 2] = samples[s].name;
    char right[SAMPLES][32], numbers[SAMPLES][16];
    for (size_t s = 0; s < SAMPLES; s++) {
        snprintf(right[s], sizeof right[s], ">%s", samples[s].name);
        columns[s + 2] = right[s];
    }
    cli_table *table = cli_table_new(columns);
    for (size_t b = 0; b < f->count; b++) {
        const cw_backend_info *info = &f->backends[b];
        const char *cells[SAMPLES + 2] = {info->name, info->version     ? info->version
                                                      : info->on_device ? "not asked for"
                                                                        : "not in this build"};
        for (size_t s = 0; s < SAMPLES; s++) {
            snprintf(numbers[s], sizeof numbers[s], "%d", f->supported[b][s]);
            cells[s + 2] = info->version ? numbers[s] : NULL;
        }
        cli_table_add(table, cells);
    }
    printf("Implementations for typical layers:\n\n");
    cli_table_print(table);
}

static void print_text(const findings *f) {
    const cw_machine *m = &f->machine;
    printf("convwise %s\n\n", cw_version());
    printf("CPU          %s, %d usable core%s\n", m->cpu, m->cores, m->cores == 1 ? "" : "s");
    printf("Instructions %s%s%s%s\n", m->isa, m->vnni ? ", VNNI" : "", m->bf16 ? ", bf16" : "",
           m->capped ? " (capped: the CPU has more)" : "");
    printf("Caches       L1d %lld KiB, L2 %lld KiB, L3 %lld KiB\n", (long long)m->l1d / 1024,
           (long long)m->l2 / 1024, (long long)m->l3 / 1024);
    printf("Fingerprint  %s\n", m->fingerprint);
    printf("Conditions   governor %s, SMT %s, load %s, cpu.max %s\n", condition(f, "governor"),
           condition(f, "smt"), condition(f, "load_average"), condition(f, "cgroup_cpu_max"));
    printf("Networks     %s/nets (%d tables)\n\n", cli_data_folder(), f->tables < 0 ? 0 : f->tables);
    print_backends(f);
    for (size_t b = 0; b < f->count; b++)
        if (!f->backends[b].version && !f->backends[b].on_device && f->backends[b].package)
            printf("\n%s is missing: apt-get install %s, then build again.\n", f->backends[b].name,
                   f->backends[b].package);
    for (size_t b = 0; b < f->count; b++)
        if (why_idle(f, b)) printf("\n%s runs nothing: %s.\n", f->backends[b].name, why_idle(f, b));
    json_t *warnings = make_warnings(f), *warning;
    size_t i;
    if (json_array_size(warnings) > 0) putchar('\n');
    json_array_foreach(warnings, i, warning) printf("Mind: %s.\n", json_string_value(warning));
    json_decref(warnings);
}

static int print_json(const findings *f) {
    const cw_machine *m = &f->machine;
    json_t *machine = json_pack("{s:s, s:s, s:b, s:b, s:b, s:b, s:i, s:I, s:I, s:I, s:s}", "cpu", m->cpu,
                                "isa", m->isa, "avx2", m->avx2, "avx512", m->avx512, "vnni", m->vnni, "bf16",
                                m->bf16, "cores", m->cores, "l1d", (json_int_t)m->l1d, "l2",
                                (json_int_t)m->l2, "l3", (json_int_t)m->l3, "fingerprint", m->fingerprint);
    json_t *backends = json_array();
    for (size_t b = 0; b < f->count; b++) {
        json_t *supported = json_object();
        for (size_t s = 0; s < SAMPLES; s++)
            json_object_set_new(supported, samples[s].name, json_integer(f->supported[b][s]));
        json_array_append_new(backends,
                              json_pack("{s:s, s:s?, s:s?, s:s?, s:o}", "name", f->backends[b].name,
                                        "version", f->backends[b].version, "package", f->backends[b].package,
                                        "why_not", why_idle(f, b), "implementations", supported));
    }
    return cli_print_json(json_pack("{s:s, s:o, s:o, s:O, s:o, s:{s:s, s:i}}", "version", cw_version(),
                                    "machine", machine, "backends", backends, "conditions", f->conditions,
                                    "warnings", make_warnings(f), "networks", "folder", cli_data_folder(),
                                    "tables", f->tables < 0 ? 0 : f->tables));
}

int cmd_doctor(int argc, char **argv) {
    options o = {0};
    cw_error err = {0};
    findings f = {.tables = count_tables()};
    argp_err_exit_status = CLI_USAGE;
    argp_parse(&argp, argc, argv, 0, NULL, &o);
    int code = o.context.max_isa ? cli_openblas_for(o.context.max_isa, argc, argv) : CLI_DONE;
    if (code != CLI_DONE) return code;
    cw_context *ctx;
    char *conditions = NULL, device[240];
    if (cw_context_open_with(&o.context, &ctx, &err) != CW_OK) return cli_fail(&err);
    f.machine = *cw_context_machine(ctx);
    f.backends = cw_backends(ctx, &f.count);
    if (f.count > BACKENDS_MAX) f.count = BACKENDS_MAX;
    look_for_device(&f, o.context, device, sizeof device);
    if (count_supported(ctx, &f, &err) != CW_OK || cw_machine_conditions(&conditions, &err) != CW_OK) {
        code = cli_fail(&err);
    } else {
        f.conditions = json_loads(conditions, 0, NULL);
        if (o.json)
            code = print_json(&f);
        else
            print_text(&f);
    }
    json_decref(f.conditions);
    cw_free(conditions);
    cw_context_close(ctx);
    return code;
}

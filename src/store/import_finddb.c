/* import_finddb.c: MIOpen's find-db: one line a problem, key = solvers with their times in milliseconds.
 * Grammar: docs/formats.md, "MIOpen find-db"; it follows ProblemDescription::Serialize and
 * PerfFieldSerializer of MIOpen (MIT licence). Not here: which file was measured on what, beyond the names
 * that MIOpen gives its own files. */
#include "import_finddb.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- Files ---- */

/* What MIOpen's own files hold, by the begin of their name, which is also the name of a preset. Records are
 * censored: what a line lacks may run and may be fast. */
static const struct {
    const char *file, *fingerprint, *cpu;
    int32_t kept; /* 0 = no limit by number */
    const char *scope;
} presets[] = {
    {"gfx906_60", "gfx906-60", "AMD gfx906, 60 CUs", 0, "family"},
    {"gfx90878", "gfx908-78", "AMD gfx908, 120 CUs", 4, "problem"},
    {"gfx1030_36", "gfx1030-36", "AMD gfx1030, 36 WGPs", 0, "family"},
};

/* "gfx1030_36.HIP.fdb.txt.bz2" -> the preset; -1 = none. */
static int find_preset(const char *path) {
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    for (int i = 0; i < (int)CW_COUNT(presets); i++)
        if (strncmp(name, presets[i].file, strlen(presets[i].file)) == 0 &&
            strchr(".", name[strlen(presets[i].file)]))
            return i;
    return -1;
}

static cw_status choose_preset(const cw_importer *im, int *out) {
    *out = im->options->preset ? -1 : find_preset(im->path);
    if (!im->options->preset) return CW_OK;
    for (int i = 0; i < (int)CW_COUNT(presets); i++)
        if (strcmp(im->options->preset, presets[i].fingerprint) == 0) *out = i;
    if (*out >= 0) return CW_OK;
    return cw_fail(im->err, CW_NOT_FOUND, "find-db has no preset \"%.40s\": gfx906-60, gfx908-78, gfx1030-36",
                   im->options->preset);
}

/* ---- Keys ---- */

/* Splits in place; the number of parts, or most + 1 where there are more. */
static size_t split(char *text, char by, char **parts, size_t most) {
    size_t n = 0;
    while (n < most) {
        parts[n++] = text;
        text = strchr(text, by);
        if (!text) return n;
        *text++ = '\0';
    }
    return most + 1;
}

static bool parse_size(const char *text, int32_t lo, int32_t *out) {
    int64_t x;
    if (!cw_parse_int(text, lo, CW_DIM_MAX, &x)) return false;
    *out = (int32_t)x;
    return true;
}

/* "1x3x3": as many numbers as there are dimensions. */
static bool parse_sizes(char *text, size_t dims, int32_t lo, int32_t *out) {
    char *parts[3];
    bool ok = split(text, 'x', parts, dims) == dims;
    for (size_t i = 0; i < dims && ok; i++) ok = parse_size(parts[i], lo, &out[i]);
    return ok;
}

/* "F", "B_g32". */
static const char *parse_direction(char *text, cw_problem *p) {
    char *group = strchr(text, '_');
    if (group) *group++ = '\0';
    p->g = 1;
    if (group && (group[0] != 'g' || !parse_size(group + 1, 1, &p->g)))
        return "what follows the direction is not a number of groups, as in F_g32";
    static const char letters[] = "FBW"; /* in the order of cw_dir */
    const char *at = text[0] ? strchr(letters, text[0]) : NULL;
    if (!at || text[1]) return "the direction is none of F, B, W";
    p->dir = (int32_t)(at - letters);
    return NULL;
}

static const char *parse_precision(const char *text, cw_problem *p) {
    static const struct {
        const char *name;
        cw_prec prec;
    } precs[] = {{"FP32", CW_F32}, {"FP16", CW_F16}, {"BF16", CW_BF16}, {"INT8", CW_S8}};
    for (size_t i = 0; i < CW_COUNT(precs); i++)
        if (strcmp(text, precs[i].name) == 0) {
            p->prec = (int32_t)precs[i].prec;
            return NULL;
        }
    return "the precision is none of FP32, FP16, BF16, INT8";
}

/* One layout for all three tensors, or one each: of the input, the weights, the output. */
static const char *parse_layouts(char **parts, size_t count, cw_problem *p, size_t *dims) {
    static const struct {
        const char *name;
        cw_layout layout;
        size_t dims;
    } layouts[] = {{"NCHW", CW_NCHW, 2}, {"NHWC", CW_NHWC, 2}, {"NCDHW", CW_NCHW, 3}, {"NDHWC", CW_NHWC, 3}};
    for (size_t i = 1; i < count; i++)
        if (strcmp(parts[i], parts[0]) != 0)
            return "its tensors have different layouts, which has no name here";
    for (size_t i = 0; i < CW_COUNT(layouts); i++)
        if (strcmp(parts[0], layouts[i].name) == 0) {
            p->layout = (int32_t)layouts[i].layout;
            *dims = layouts[i].dims;
            return NULL;
        }
    return "the layout is none of NCHW, NHWC, NCDHW, NDHWC";
}

/* Depth, height, width in one dimension each: of the source, the destination, the kernel and so on. */
typedef struct shape {
    int32_t first[3], second[3], kernel[3], pad[3], stride[3], dilation[3];
} shape;

/* out = (in + 2 pad - extent) / stride + 1 in every dimension. */
static bool sizes_agree(const shape *s, size_t dims, const int32_t *in, const int32_t *out) {
    for (size_t i = 0; i < dims; i++) {
        int64_t extent = (int64_t)(s->kernel[i] - 1) * s->dilation[i] + 1;
        int64_t room = in[i] + 2 * (int64_t)s->pad[i] - extent;
        if (room < 0 || room / s->stride[i] + 1 != out[i]) return false;
    }
    return true;
}

static void set_shape(cw_problem *p, const shape *s, size_t dims, const int32_t *in) {
    size_t h = dims - 2, w = dims - 1;
    p->ih = in[h], p->iw = in[w];
    p->kh = s->kernel[h], p->kw = s->kernel[w];
    p->sh = s->stride[h], p->sw = s->stride[w];
    p->dh = s->dilation[h] - 1, p->dw = s->dilation[w] - 1;
    p->pt = p->pb = s->pad[h];
    p->pl = p->pr = s->pad[w];
    if (dims == 2) return;
    p->id = in[0], p->kd = s->kernel[0], p->sd = s->stride[0], p->dd = s->dilation[0] - 1;
    p->pf = p->pk = s->pad[0];
}

const char *cw_finddb_key(char *text, cw_problem *out, bool *contradictory) {
    enum { FIELDS = 19 }; /* of three dimensions with three layouts */
    char *f[FIELDS];
    size_t n = split(text, '-', f, FIELDS), dims;
    const char *why;
    cw_problem p = {.threads = 1};
    shape s;
    *contradictory = false;
    if (n < 15 || n > FIELDS) return "the key has not 15 to 19 fields between its dashes";
    if ((why = parse_direction(f[n - 1], &p)) || (why = parse_precision(f[n - 2], &p))) return why;
    size_t layouts = f[n - 4][0] == 'N' ? 3 : 1;
    if ((why = parse_layouts(f + n - 2 - layouts, layouts, &p, &dims))) return why;
    if (n != 8 + 2 * dims + layouts + 2) return "the key's number of fields does not fit its layout";
    int32_t channels[2], bias;
    size_t at = 0;
    bool ok = parse_size(f[at++], 1, &channels[0]);
    for (size_t i = 0; i < dims && ok; i++) ok = parse_size(f[at++], 1, &s.first[i]);
    ok = ok && parse_sizes(f[at++], dims, 1, s.kernel) && parse_size(f[at++], 1, &channels[1]);
    for (size_t i = 0; i < dims && ok; i++) ok = parse_size(f[at++], 1, &s.second[i]);
    ok = ok && parse_size(f[at++], 1, &p.mb) && parse_sizes(f[at++], dims, 0, s.pad) &&
         parse_sizes(f[at++], dims, 1, s.stride) && parse_sizes(f[at++], dims, 1, s.dilation) &&
         parse_size(f[at++], 0, &bias);
    if (!ok) return "a size in the key is not a number, or out of range";
    /* Backwards the first tensor is what comes in: the gradient of the output. */
    bool forward = p.dir == CW_FWD;
    const int32_t *in = forward ? s.first : s.second, *to = forward ? s.second : s.first;
    p.ic = channels[!forward];
    p.oc = channels[forward];
    *contradictory = !sizes_agree(&s, dims, in, to);
    set_shape(&p, &s, dims, in);
    *out = p;
    return NULL;
}

/* ---- Records ---- */

static bool parse_algorithm(const char *text, cw_dir dir, cw_finddb_record *r) {
    static const char *const dirs[] = {"miopenConvolutionFwdAlgo", "miopenConvolutionBwdDataAlgo",
                                       "miopenConvolutionBwdWeightsAlgo"};
    static const struct {
        const char *name;
        cw_family family;
    } algorithms[] = {{"Direct", CW_FAMILY_DIRECT},
                      {"GEMM", CW_FAMILY_GEMM},
                      {"ImplicitGEMM", CW_FAMILY_GEMM},
                      {"Winograd", CW_FAMILY_WINOGRAD},
                      {"FFT", CW_FAMILY_FFT}};
    size_t length = strlen(dirs[dir]);
    if (strncmp(text, dirs[dir], length) != 0) return false;
    for (size_t i = 0; i < CW_COUNT(algorithms); i++)
        if (strcmp(text + length, algorithms[i].name) == 0) {
            r->algorithm = (int)i;
            r->family = algorithms[i].family;
            return true;
        }
    return false;
}

/* "ConvOclBwdWrW2<4>" -> "miopen.ConvOclBwdWrW2:4": brackets are no letters of a name. */
static bool set_name(cw_finddb_record *r, const char *solver) {
    static const char prefix[] = "miopen.";
    size_t before = strlen(prefix), length = strlen(solver);
    if (length == 0 || before + length >= sizeof r->impl) return false;
    memcpy(r->impl, prefix, before);
    memcpy(r->impl + before, solver, length + 1);
    char *open = strchr(r->impl, '<'), *last = r->impl + before + length - 1;
    if (open && *last == '>') {
        *open = ':';
        *last = '\0';
    }
    return cw_store_name_ok(r->impl, CW_STORE_NAME_MAX);
}

const char *cw_finddb_record_parse(char *text, cw_dir dir, cw_finddb_record *out) {
    char *f[5], *solver = text, *algorithm, *colon = strchr(text, ':');
    if (!colon) return "a record has no colon";
    *colon = '\0';
    size_t n = split(colon + 1, ',', f, 5);
    const char *time, *workspace;
    if (n == 3) { /* solver:time,workspace,algorithm */
        time = f[0], workspace = f[1], algorithm = f[2];
    } else if (n == 5) { /* algorithm:solver,time,workspace,algorithm,kernel */
        solver = f[0], time = f[1], workspace = f[2], algorithm = f[3];
        if (strcmp(text, algorithm) != 0) return "a record names two algorithms";
    } else {
        return "a record has neither 3 nor 5 fields after its colon";
    }
    if (!set_name(out, solver)) return "a solver's name is empty, too long, or has letters that no name has";
    if (!parse_algorithm(algorithm, dir, out)) return "an algorithm is unknown, or of another direction";
    double ms;
    if (!cw_parse_double(time, &ms) || !isfinite(ms) || !isfinite(ms * 1e6)) return "a time is not a number";
    if (ms < 0) return "a time is negative";
    out->ns = ms * 1e6;
    if (ms > 0 && out->ns == 0) return "a time is not a number";
    if (!cw_parse_int(workspace, 0, INT64_MAX, &out->workspace))
        return "a workspace is not a number of bytes";
    return NULL;
}

const char *cw_finddb_line_parse(char *text, cw_finddb_line *out) {
    char *parts[CW_FINDDB_RECORDS], *value = strchr(text, '=');
    if (!value) return "no '=' between a key and its records";
    *value++ = '\0';
    const char *why = cw_finddb_key(text, &out->problem, &out->contradictory);
    if (why) return why;
    out->count = split(value, ';', parts, CW_FINDDB_RECORDS);
    if (out->count > CW_FINDDB_RECORDS) return "more than 256 records";
    for (size_t i = 0; i < out->count; i++)
        if ((why = cw_finddb_record_parse(parts[i], (cw_dir)out->problem.dir, &out->records[i]))) return why;
    return NULL;
}

/* ---- The file ---- */

typedef struct reader {
    cw_importer *im;
    cw_finddb_line line;
    /* What the file says of its own censoring. */
    int64_t all;
    size_t longest;
    bool twice; /* a line has two solvers of one algorithm */
} reader;

static void watch_censoring(reader *r) {
    unsigned seen = 0;
    for (size_t i = 0; i < r->line.count; i++) {
        unsigned bit = 1u << r->line.records[i].algorithm;
        if (seen & bit) r->twice = true;
        seen |= bit;
    }
    r->all += (int64_t)r->line.count;
    if (r->line.count > r->longest) r->longest = r->line.count;
}

static cw_status store_line(reader *r, int64_t line) {
    cw_importer *im = r->im;
    cw_status status = CW_OK;
    for (size_t i = 0; i < r->line.count && status == CW_OK; i++) {
        const cw_finddb_record *record = &r->line.records[i];
        cw_measurement m = {.problem = r->line.problem,
                            .impl = record->impl,
                            .backend = "miopen",
                            .version = "unknown",
                            .family = record->family,
                            .candidate = true,
                            .state = CW_STATE_OK,
                            .detail = "",
                            .time_ns = record->ns,
                            .min_ns = NAN,
                            .median_ns = NAN,
                            .mad_ns = NAN,
                            .workspace_bytes = (double)record->workspace,
                            .error = NAN,
                            .mean_error = NAN};
        if (record->ns == 0) {
            im->sum.zero_times++;
            cw_importer_note(im, line, "%s has a time of 0: stored as absent", record->impl);
            m.state = CW_STATE_ABSENT;
            m.detail = "recorded as 0 ms";
        }
        status = cw_importer_add(im, line, &m);
    }
    return status;
}

static cw_status read_line(reader *r, char *text, int64_t line) {
    cw_importer *im = r->im;
    cw_error bad;
    const char *why = cw_finddb_line_parse(text, &r->line);
    if (why) return cw_importer_reject(im, line, "%s", why);
    watch_censoring(r);
    if (r->line.contradictory) {
        im->sum.contradictory++;
        cw_importer_note(im, line, "the sizes of its input and output contradict each other: left out");
        return CW_OK;
    }
    if (cw_problem_check(&r->line.problem, &bad) !=
        CW_OK) { /* understood, but larger than problems are here */
        im->sum.other++;
        cw_importer_note(im, line, "left out: %s", bad.message);
        return CW_OK;
    }
    if (r->line.problem.dir != CW_FWD) im->sum.swapped++;
    return store_line(r, line);
}

static void set_censoring(const reader *r, int preset) {
    cw_importer *im = r->im;
    const cw_import_options *o = im->options;
    im->scope = r->twice || r->longest == 0 ? "problem" : "family";
    im->sum.most_kept = r->twice ? (int32_t)r->longest : 0;
    if (preset >= 0) {
        im->scope = presets[preset].scope;
        im->sum.most_kept = presets[preset].kept;
    }
    if (o->scope) im->scope = o->scope;
    if (o->kept) im->sum.most_kept = o->kept;
    if (preset < 0 && !o->scope && !o->kept)
        cw_importer_note(im, 0,
                         "taken for censored as its lines look: of each %s at most %zu (--kept, --scope)",
                         r->twice ? "problem" : "algorithm", r->twice ? r->longest : 1);
    cw_buf_printf(&im->facts, ",\"records\":%lld", (long long)r->all);
}

cw_status cw_import_finddb(cw_importer *im) {
    int preset;
    char *text;
    cw_lines *lines = NULL;
    reader *r = cw_alloc(sizeof *r);
    if (!r) return cw_fail_memory(im->err);
    r->im = im;
    im->once = true;
    cw_status status = choose_preset(im, &preset);
    if (status == CW_OK)
        status = cw_importer_begin_run(im, preset >= 0 ? presets[preset].fingerprint : NULL,
                                       preset >= 0 ? presets[preset].cpu : "unknown", 1);
    if (status == CW_OK) status = cw_lines_open(im->path, &lines, im->err);
    while (status == CW_OK && (status = cw_lines_next(lines, &text, NULL, im->err)) == CW_OK && text) {
        im->sum.lines++;
        if (text[0])
            status = read_line(r, text, cw_lines_number(lines));
        else
            im->sum.other++;
    }
    if (status == CW_OK && im->sum.times + im->sum.absent == 0)
        status = cw_importer_refuse(im, 0, "no line has a problem and a record that can be stored");
    if (status == CW_OK) set_censoring(r, preset);
    cw_lines_close(lines);
    cw_free(r);
    return status;
}

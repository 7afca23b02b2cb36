/* import_columns.c: what a file's columns and names mean. Presets are texts of the same form as --columns, so
 * whatever a preset says can be said on a command line. */
#include "import_columns.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

static const struct preset {
    const char *name, *kind, *fingerprint, *cpu, *columns;
} presets[] = {
    /* Convolution operators of the Arm Compute Library, the data of Perri, Sylos Labini, Gervasi, Tasso,
     * Vella, "Towards a Learning-Based Performance Modeling for Accelerating Deep Neural Networks", ICCSA
     * 2019. */
    {"mali-t860", "arff", "mali-t860", "Mali-T860 MP4, RK3399",
     "ic=tensor_1,ih=tensor_2,iw=tensor_3,kh=tensor_4,oc=tensor_5,sh=tensor_6,ph=tensor_7,prec=precision,"
     "f32=0,u8=1,zp=1,layout=nchw,class=class,"
     "armcl.gemm=conv,armcl.direct=directconv,armcl.winograd=winogradconv"},
    {"mali-t860", "layers", "mali-t860", "Mali-T860 MP4, RK3399",
     "net=network,ic=cin,ih=h,iw=w,kh=kernel,oc=cout,sh=stride,ph=pad,prec=precision,"
     "f32=fp32,u8=uint8,zp=1,layout=nchw,"
     "armcl.gemm=gemm_us,armcl.direct=direct_us,armcl.winograd=winograd_us"},
};

static const char *const role_names[CW_ROLE_COUNT] = {
#define X(name, otherwise) #name,
    CW_COLUMN_NUMBERS(X)
#undef X
        [CW_ROLE_LAYOUT] = "layout",
    [CW_ROLE_PREC] = "prec",
    [CW_ROLE_NET] = "net",
    [CW_ROLE_NAME] = "name",
    [CW_ROLE_CLASS] = "class",
};

/* ---- The text ---- */

static bool find_prec(const char *name, int32_t *out) {
    for (int i = 0; i < CW_PREC_COUNT; i++)
        if (strcmp(name, cw_prec_name((cw_prec)i)) == 0) return *out = i, true;
    return false;
}

/* "armcl.gemm": the backend is before the dot, the family is in what follows. */
static cw_status read_impl(cw_column *column, cw_error *err) {
    const char *dot = strchr(column->ours, '.');
    int family = 0;
    column->role = CW_ROLE_IMPL;
    if (dot == column->ours || !cw_store_name_ok(column->ours, CW_STORE_NAME_MAX))
        return cw_fail(err, CW_INVALID, "--columns: \"%.60s\" is not the name of an implementation",
                       column->ours);
    snprintf(column->backend, sizeof column->backend, "%.*s", (int)(dot - column->ours), column->ours);
    while (family < CW_FAMILY_COUNT && !strstr(dot, cw_family_name((cw_family)family))) family++;
    if (family == CW_FAMILY_COUNT)
        return cw_fail(err, CW_INVALID,
                       "--columns: %.60s: an implementation's name tells its family: direct, gemm, winograd, "
                       "depthwise or fft",
                       column->ours);
    column->family = (cw_family)family;
    return CW_OK;
}

static cw_status read_entry(cw_column *column, const char *entry, size_t length, cw_error *err) {
    const char *equals = memchr(entry, '=', length);
    *column = (cw_column){.at = -1};
    size_t ours = equals ? (size_t)(equals - entry) : 0, theirs = equals ? length - ours - 1 : 0;
    if (ours == 0 || theirs == 0 || ours >= sizeof column->ours || theirs >= sizeof column->theirs)
        return cw_fail(err, CW_INVALID, "--columns: \"%.*s\": must be ours=theirs, as in ic=channels",
                       (int)(length < 60 ? length : 60), entry);
    memcpy(column->ours, entry, ours);
    memcpy(column->theirs, equals + 1, theirs);
    if (strchr(column->ours, '.')) return read_impl(column, err);
    if (find_prec(column->ours, &column->value)) return column->role = CW_ROLE_PREC_VALUE, CW_OK;
    for (int r = 0; r < CW_ROLE_COUNT; r++)
        if (strcmp(role_names[r], column->ours) == 0) return column->role = (cw_role)r, CW_OK;
    return cw_fail(err, CW_NOT_FOUND,
                   "--columns: there is no \"%.40s\": see docs/formats.md (an implementation is written "
                   "backend.name)",
                   column->ours);
}

/* Adds the entries of a text; what was there before it may be said anew once. */
static cw_status read_map(cw_columns *c, const char *text, cw_error *err) {
    size_t before = c->count;
    bool seen[CW_COLUMNS_MAX] = {false};
    while (*text) {
        size_t length = strcspn(text, ","), i = 0;
        cw_column column;
        cw_status status = read_entry(&column, text, length, err);
        if (status != CW_OK) return status;
        while (i < c->count && strcmp(c->list[i].ours, column.ours) != 0) i++;
        if (i == CW_COLUMNS_MAX)
            return cw_fail(err, CW_INVALID, "--columns: more than %d entries", CW_COLUMNS_MAX);
        if (i < c->count && (i >= before || seen[i]))
            return cw_fail(err, CW_INVALID, "--columns: %.60s is given twice", column.ours);
        seen[i] = true;
        c->list[i] = column;
        if (i == c->count) c->count++;
        text += length + (text[length] == ',');
    }
    return CW_OK;
}

/* Two implementations cannot be the same column or class, nor two precisions the same value. */
static cw_status check_names(const cw_columns *c, cw_error *err) {
    for (size_t i = 0; i < c->count; i++)
        for (size_t j = 0; j < i; j++)
            if (c->list[i].role >= CW_ROLE_COUNT && c->list[i].role == c->list[j].role &&
                strcmp(c->list[i].theirs, c->list[j].theirs) == 0)
                return cw_fail(err, CW_INVALID, "--columns: %.60s and %.60s are both %.60s", c->list[j].ours,
                               c->list[i].ours, c->list[i].theirs);
    return CW_OK;
}

cw_status cw_columns_parse(cw_columns *c, cw_importer *im, const char *kind) {
    const char *preset = im->options->preset;
    size_t i = 0;
    cw_status status = CW_OK;
    *c = (cw_columns){.cpu = ""};
    while (preset && i < CW_COUNT(presets) &&
           (strcmp(presets[i].name, preset) != 0 || strcmp(presets[i].kind, kind) != 0))
        i++;
    if (i == CW_COUNT(presets))
        return cw_fail(im->err, CW_NOT_FOUND, "%s has no preset \"%.40s\": there is mali-t860", kind, preset);
    if (preset) {
        c->fingerprint = presets[i].fingerprint;
        c->cpu = presets[i].cpu;
        status = read_map(c, presets[i].columns, im->err);
    }
    if (status == CW_OK && im->options->columns) status = read_map(c, im->options->columns, im->err);
    if (status == CW_OK) status = check_names(c, im->err);
    for (i = 0; i < c->count; i++)
        if (c->list[i].role < CW_ROLE_COUNT) c->roles[c->list[i].role] = &c->list[i];
    return status;
}

/* ---- The file's names ---- */

/* The unit is the end of the column's name, "_us", or what follows it on the command line, "gemm:us". */
static bool take_unit(cw_column *column, char mark) {
    static const struct {
        const char *unit;
        double ns;
    } units[] = {{"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}};
    char *end = strrchr(column->theirs, mark);
    for (size_t i = 0; end && i < CW_COUNT(units); i++) {
        if (strcmp(end + 1, units[i].unit) != 0) continue;
        column->to_ns = units[i].ns;
        if (mark == ':') *end = '\0';
        return true;
    }
    return false;
}

static bool constant(cw_column *column) {
    int64_t value;
    if (column->role < CW_ROLE_NUMBERS && cw_parse_int(column->theirs, 0, 1 << 20, &value))
        return column->value = (int32_t)value, true;
    if (column->role == CW_ROLE_PREC) return find_prec(column->theirs, &column->value);
    return false;
}

static cw_status bind_one(cw_column *column, cw_importer *im, int64_t line, const char *const *names,
                          size_t count, bool impls_are_columns) {
    bool times = column->role == CW_ROLE_IMPL && impls_are_columns;
    if (column->role == CW_ROLE_LAYOUT) {
        for (int i = CW_NHWC; i <= CW_NCHW; i++)
            if (strcmp(column->theirs, cw_layout_name((cw_layout)i)) == 0) return column->value = i, CW_OK;
        return cw_fail(im->err, CW_INVALID, "--columns: layout is nhwc or nchw, not \"%.40s\"",
                       column->theirs);
    }
    if (column->role >= CW_ROLE_COUNT && !times) return CW_OK;
    bool unit = times && take_unit(column, ':');
    for (size_t i = 0; i < count; i++)
        if (strcmp(names[i], column->theirs) == 0) column->at = (int32_t)i;
    if (column->at < 0 && constant(column)) return CW_OK;
    if (column->at < 0)
        return cw_importer_refuse(im, line, "there is no column \"%.50s\" for %.40s (--columns)",
                                  column->theirs, column->ours);
    if (times && !unit && !take_unit(column, '_'))
        return cw_importer_refuse(
            im, line, "%.50s: which unit? _ns, _us, _ms or _s at its end, or --columns %s=%.20s:us",
            column->theirs, column->ours, column->theirs);
    return CW_OK;
}

cw_status cw_columns_bind(cw_columns *c, cw_importer *im, int64_t line, const char *const *names,
                          size_t count, bool impls_are_columns) {
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < i; j++)
            if (strcmp(names[i], names[j]) == 0)
                return cw_importer_refuse(im, line, "two columns are called \"%.60s\"", names[i]);
    for (size_t i = 0; i < c->count; i++) {
        cw_status status = bind_one(&c->list[i], im, line, names, count, impls_are_columns);
        if (status != CW_OK) return status;
    }
    static const cw_role needed[] = {CW_ROLE_ic, CW_ROLE_oc, CW_ROLE_ih, CW_ROLE_kh};
    for (size_t i = 0; i < CW_COUNT(needed); i++)
        if (!c->roles[needed[i]])
            return cw_fail(im->err, CW_INVALID,
                           "%.100s: which column is %s? Name a --preset, or --columns %s=...", im->path,
                           role_names[needed[i]], role_names[needed[i]]);
    return CW_OK;
}

bool cw_columns_uses(const cw_columns *c, size_t at) {
    for (size_t i = 0; i < c->count; i++)
        if (c->list[i].at == (int32_t)at) return true;
    return false;
}

/* ---- A line ---- */

/* Decimal digits only: strtod would also take "0x1p3", "inf" and "nan". */
bool cw_columns_real(const char *text, double *out) {
    return text[strspn(text, "0123456789.eE+-")] == '\0' && cw_parse_double(text, out) && isfinite(*out);
}

static bool read_number(const cw_column *column, char *const *values, int32_t *out, char why[160]) {
    if (column->at < 0) return *out = column->value, true;
    double x;
    const char *text = values[column->at];
    if (!cw_columns_real(text, &x) || !(x >= 0 && x <= 1 << 20) || x != floor(x)) {
        snprintf(why, 160, "%.40s is \"%.40s\": must be a whole number from 0 to %d", column->theirs, text,
                 1 << 20);
        return false;
    }
    *out = (int32_t)x;
    return true;
}

static bool read_prec(const cw_columns *c, char *const *values, int32_t *out, char why[160]) {
    const cw_column *column = c->roles[CW_ROLE_PREC];
    bool mapped = false;
    if (!column) return *out = CW_F32, true;
    if (column->at < 0) return *out = column->value, true;
    for (size_t i = 0; i < c->count; i++) {
        if (c->list[i].role != CW_ROLE_PREC_VALUE) continue;
        mapped = true;
        if (strcmp(c->list[i].theirs, values[column->at]) == 0) return *out = c->list[i].value, true;
    }
    if (!mapped && find_prec(values[column->at], out)) return true;
    snprintf(why, 160, "%.40s is \"%.40s\": which precision? (--columns f32=...)", column->theirs,
             values[column->at]);
    return false;
}

bool cw_columns_problem(const cw_columns *c, char *const *values, cw_problem *out, char why[160]) {
    static const int32_t otherwise[] = {
#define X(name, value) value,
        CW_COLUMN_NUMBERS(X)
#undef X
    };
    int32_t n[CW_ROLE_NUMBERS];
    for (int r = 0; r < CW_ROLE_NUMBERS; r++) {
        n[r] = otherwise[r] >= 0 || r == 0 ? otherwise[r] : n[r - 1];
        if (c->roles[r] && !read_number(c->roles[r], values, &n[r], why)) return false;
    }
    *out = (cw_problem){.threads = n[CW_ROLE_threads], .mb = n[CW_ROLE_mb], .g = n[CW_ROLE_g]};
#define TAKE(field) out->field = n[CW_ROLE_##field];
    TAKE(ic)
    TAKE(oc)
    TAKE(ih)
    TAKE(iw)
    TAKE(kh)
    TAKE(kw)
    TAKE(sh)
    TAKE(sw)
    TAKE(dh)
    TAKE(dw)
#undef TAKE
    out->pt = out->pb = n[CW_ROLE_ph];
    out->pl = out->pr = n[CW_ROLE_pw];
    if (c->roles[CW_ROLE_LAYOUT]) out->layout = c->roles[CW_ROLE_LAYOUT]->value;
    if (!read_prec(c, values, &out->prec, why)) return false;
    out->zp = out->prec == CW_U8 ? n[CW_ROLE_zp] : 0;
    cw_error err;
    if (cw_problem_check(out, &err) == CW_OK) return true;
    snprintf(why, 160, "%.150s", err.message);
    return false;
}

const cw_column *cw_columns_class(const cw_columns *c, const char *theirs) {
    for (size_t i = 0; i < c->count; i++)
        if (c->list[i].role == CW_ROLE_IMPL && strcmp(c->list[i].theirs, theirs) == 0) return &c->list[i];
    return NULL;
}

cw_measurement cw_columns_measurement(const cw_column *impl, const cw_problem *p) {
    cw_measurement m = {.problem = *p,
                        .impl = impl->ours,
                        .backend = impl->backend,
                        .version = "unknown",
                        .family = impl->family,
                        .candidate = true,
                        .detail = "",
                        .min_ns = NAN, /* the file does not tell */
                        .median_ns = NAN,
                        .mad_ns = NAN,
                        .error = NAN,
                        .mean_error = NAN};
    return m;
}

/* c.c: a model as one C99 file that stands alone: problem check, features, the learner's heart, names. The
 * heart is the learner's (cw_learner.emit_c); this knows problems. Format: docs/formats.md, "Emitted C".
 *
 * The file is a guest in another's house: no allocation, no includes but <stddef.h> and <stdint.h>, one
 * external function, the same answers as cw_choose without a context. */
#include "../learn/learn.h"
#include "../problem/problem.h"
#include "../../include/convwise/tools.h"
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct emitter {
    const cw_model *model;
    const cw_feature **features; /* one a column */
    bool *used;                  /* columns that predict reads */
    const char *prefix;
    cw_buf out;
} emitter;

/* ---- Text ---- */

/* Puts a template in which each @ stands for the prefix. */
static void put(emitter *e, const char *template) {
    for (const char *at; (at = strchr(template, '@')); template = at + 1) {
        cw_buf_printf(&e->out, "%.*s", (int)(at - template), template);
        cw_buf_put(&e->out, e->prefix);
    }
    cw_buf_put(&e->out, template);
}

/* Text from a model file, made harmless inside a comment: it can neither end it nor begin another, nor hold
 * control characters, trigraphs or spliced lines. */
static void put_comment(cw_buf *out, const char *text) {
    for (const char *c = text; *c; c++) {
        bool fine = isascii((unsigned char)*c) && isprint((unsigned char)*c) && !strchr("*\\?", *c);
        cw_buf_printf(out, "%c", fine ? *c : '_');
    }
}

static void put_string(cw_buf *out, const char *text) {
    cw_buf_put(out, "\"");
    for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
        if (*c >= 0x80 || !isprint(*c) || strchr("\"\\?", *c))
            cw_buf_printf(out, "\\%03o", *c);
        else
            cw_buf_printf(out, "%c", *c);
    }
    cw_buf_put(out, "\"");
}

static bool is_identifier(const char *text) {
    size_t n = strlen(text);
    if (n < 1 || n > 63 || !isascii((unsigned char)*text) || !isalpha((unsigned char)*text)) return false;
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)text[i];
        if (!isascii(c) || !(isalnum(c) || c == '_')) return false;
    }
    return true;
}

/* Does a C expression name the variable? */
static bool names(const char *expression, const char *variable) {
    size_t length = strlen(variable);
    for (const char *c = expression; *c;) {
        size_t word = 0;
        while (isalnum((unsigned char)c[word]) || c[word] == '_') word++;
        if (word == length && strncmp(c, variable, length) == 0) return true;
        c += word ? word : 1;
    }
    return false;
}

static bool needs(const emitter *e, const char *variable) {
    for (size_t i = 0; i < e->model->column_count; i++)
        if (e->used[i] && names(e->features[i]->expression, variable)) return true;
    for (size_t i = 0; e->model->extents && i < CW_EXTENT_COUNT; i++)
        if (names(cw_extent_expressions[i], variable)) return true;
    return false;
}

/* ---- Header comment ---- */

static void put_field(emitter *e, const char *label, const char *text) {
    if (!*text) return;
    cw_buf_put(&e->out, " *   ");
    put_comment(&e->out, label);
    cw_buf_printf(&e->out, "%*s ", strlen(label) < 12 ? 12 - (int)strlen(label) : 0, "");
    put_comment(&e->out, text);
    cw_buf_put(&e->out, "\n");
}

static double figure(const json_t *score, const char *key) {
    return json_number_value(json_object_get(score, key));
}

/* The figures that cw_model_set_validation keeps: split, note, and a score for each precision and for all. */
static void put_validation(emitter *e, const json_t *validation) {
    static const char *const texts[] = {"split", "note"};
    const char *key;
    json_t *value;
    cw_buf_put(&e->out, " * Validation, on layers that it had not seen:\n");
    for (size_t i = 0; i < CW_COUNT(texts); i++) {
        const char *text = json_string_value(json_object_get(validation, texts[i]));
        put_field(e, texts[i], text ? text : "");
    }
    json_object_foreach((json_t *)(uintptr_t)validation, key, value) {
        char text[160];
        if (!json_is_number(json_object_get(value, "regret"))) continue;
        snprintf(text, sizeof text,
                 "%.1f %% more time than the fastest choice (geomean %.3f); fastest chosen for %.0f %% of "
                 "%.0f layers",
                 100 * figure(value, "regret"), figure(value, "geomean"), 100 * figure(value, "accuracy"),
                 figure(value, "layers"));
        put_field(e, key, text);
    }
}

static void put_provenance(emitter *e) {
    const cw_model *m = e->model;
    char number[32];
    put(e, "/* @: which convolution implementation to take. Written by convwise; do not edit.\n *\n");
    put_field(e, "convwise", m->tool_version);
    put_field(e, "learner", m->learner->name);
    put_field(e, "settings", m->settings);
    put_field(e, "features", m->feature_set);
    put_field(e, "machine", m->cpu);
    put_field(e, "fingerprint", m->machine);
    put_field(e, "data", m->data_hash);
    snprintf(number, sizeof number, "%zu", m->rows);
    put_field(e, "rows", number);
    snprintf(number, sizeof number, "%zu", m->learner->size(m->state));
    put_field(e, "size", number);
    cw_buf_put(&e->out, " *\n");
    if (m->validation) {
        put_validation(e, m->validation);
    } else {
        cw_buf_put(&e->out, " * Not validated: nothing is known of how well it chooses for new layers.\n");
    }
    cw_buf_put(&e->out, " *\n * Classes:\n");
    for (size_t i = 0; i < m->class_count; i++) {
        snprintf(number, sizeof number, "%zu", i);
        put_field(e, number, m->classes[i]);
    }
    put(e, " *\n"
           " * Use: fill a @_problem (the fields of convwise's cw_problem in the same order) and call\n"
           " *     const char *name;\n"
           " *     int index = @_choose(&problem, NULL, &name);\n"
           " * allowed: one byte a class, not 0 = may be chosen; NULL = all. name may be NULL. Returns the "
           "class,\n"
           " * or -1 (and a NULL name) where the problem is not valid or nothing is allowed. No state, no\n"
           " * allocation: any number of threads may call it.\n"
           " *\n"
           " * The file is yours: convwise claims no rights in what it writes. */\n");
}

/* ---- Code ---- */

static void put_declarations(emitter *e) {
    put(e, "#ifndef @_DECLARED\n#define @_DECLARED\n"
           "/* A convolution. Kernel, strides and channels as usual; ic and oc are totals over g groups; "
           "dilation\n"
           " * 0 = dense; pads top, left, bottom, right; threads from 1. Behind threads: depth and its pads "
           "in front and\n"
           " * at the back (all 0 in two dimensions), the direction (0 = forward) and the\n * caches (0 = "
           "hot).\n"
           " * prec:");
#define X(symbol, name) cw_buf_printf(&e->out, " %d = %s", (int)CW_##symbol, name);
    CW_PRECS(X)
    cw_buf_put(&e->out, "; zp: u8 whose zero point is not 0; layout:");
    CW_LAYOUTS(X)
#undef X
    put(e, ". */\n"
           "typedef struct @_problem {\n    int32_t ");
    const char *separator = "";
#define X(field)                                                                                             \
    cw_buf_printf(&e->out, "%s%s", separator, #field);                                                       \
    separator = ", ";
    CW_PROBLEM_FIELDS(X)
#undef X
    put(e, ";\n} @_problem;\n"
           "#ifdef __cplusplus\nextern \"C\"\n#endif\n"
           "int @_choose(const @_problem *p, const unsigned char *allowed, const char **name);\n"
           "#endif\n\n");
}

/* Arithmetic as in the library, to the bit. Clang obeys the pragma unless told -ffp-contract=fast, which no
 * macro tells of. */
static const char guards[] =
    "#if defined(__FAST_MATH__)\n"
    "#error \"compile this file without -ffast-math: its answers would differ from the model's\"\n"
    "#endif\n"
    "#if defined(__FLT_EVAL_METHOD__) && (__FLT_EVAL_METHOD__ < 0 || __FLT_EVAL_METHOD__ == 2)\n"
    "#error \"compile this file for arithmetic in double, e.g. with -msse2 -mfpmath=sse\"\n"
    "#endif\n"
    "#if defined(__clang__)\n"
    "#pragma STDC FP_CONTRACT OFF\n"
    "#elif defined(__GNUC__)\n"
    "#pragma GCC optimize(\"-ffp-contract=off\")\n"
    "#endif\n\n";

/* The limits of cw_problem_check, in its order. Sizes are at most 2^20, so one comparison does for all.
 * Counts are products of doubles: exact below 2^53, and a larger product cannot round to below 2^31. */
static const char check_text[] =
    "    const uint32_t size = 1048576;\n"
    "    if ((((uint32_t)p->mb - 1) | ((uint32_t)p->g - 1) | ((uint32_t)p->ic - 1) | ((uint32_t)p->ih - 1) "
    "|\n"
    "         ((uint32_t)p->iw - 1) | ((uint32_t)p->oc - 1) | ((uint32_t)p->kh - 1) | ((uint32_t)p->kw - 1) "
    "|\n"
    "         ((uint32_t)p->sh - 1) | ((uint32_t)p->sw - 1)) >= size)\n"
    "        return 0;\n"
    "    if ((uint32_t)p->dh > size || (uint32_t)p->dw > size || (uint32_t)p->pt > size || (uint32_t)p->pl > "
    "size ||\n"
    "        (uint32_t)p->pb > size || (uint32_t)p->pr > size)\n"
    "        return 0;\n"
    "    /* kernel with dilation; what is left of the padded source */\n"
    "    const int64_t eh = (int64_t)(p->kh - 1) * (p->dh + 1) + 1, rh = (int64_t)p->ih + p->pt + p->pb - "
    "eh;\n"
    "    const int64_t ew = (int64_t)(p->kw - 1) * (p->dw + 1) + 1, rw = (int64_t)p->iw + p->pl + p->pr - "
    "ew;\n"
    "    if (rh < 0 || p->pt > eh + 16 || p->pb > eh + 16 || rw < 0 || p->pl > ew + 16 || p->pr > ew + 16) "
    "return 0;\n"
    "    /* depth: all 0 in two dimensions */\n"
    "    int64_t od = 1, ed = 1;\n"
    "    if (p->id | p->kd | p->sd | p->dd | p->pf | p->pk) {\n"
    "        if ((((uint32_t)p->id - 1) | ((uint32_t)p->kd - 1) | ((uint32_t)p->sd - 1)) >= size || "
    "(uint32_t)p->dd "
    "> size ||\n"
    "            (uint32_t)p->pf > size || (uint32_t)p->pk > size)\n"
    "            return 0;\n"
    "        ed = (int64_t)(p->kd - 1) * (p->dd + 1) + 1;\n"
    "        od = (int64_t)p->id + p->pf + p->pk - ed;\n"
    "        if (od < 0 || p->pf > ed + 16 || p->pk > ed + 16) return 0;\n"
    "        od = od / p->sd + 1;\n"
    "    }\n"
    "    const int64_t oh = (int64_t)((uint32_t)rh / (uint32_t)p->sh) + 1;\n"
    "    const int64_t ow = (int64_t)((uint32_t)rw / (uint32_t)p->sw) + 1;\n"
    "    const int64_t icg = p->ic / p->g, ocg = p->oc / p->g;\n"
    "    if (icg * p->g != p->ic || ocg * p->g != p->oc) return 0;\n"
    "    /* source, weights, destination */\n"
    "    const double elements = 2147483648.0;\n"
    "    const double m = (double)p->mb * (double)oh * (double)ow * (double)od;\n"
    "    const double k = (double)icg * p->kh * p->kw * (p->id ? p->kd : 1);\n"
    "    if ((double)p->mb * p->ic * p->ih * p->iw * (p->id ? p->id : 1) >= elements || k * p->oc >= "
    "elements "
    "||\n"
    "        m * p->oc >= elements)\n"
    "        return 0;\n";
_Static_assert(CW_DIM_MAX == 1048576 && CW_PAD_EXCESS == 16, "check_text says so");

static void put_check(emitter *e) {
#define X(symbol, name) +1
    const int precs = 0 CW_PRECS(X), layouts = 0 CW_LAYOUTS(X), dirs = 0 CW_DIRS(X), caches = 0 CW_CACHES(X);
#undef X
    put(e, "/* Features of a valid problem; 0 = not valid, 2 = far outside of what training had. */\n"
           "static int @_features(const @_problem *p, double *x) {\n");
    cw_buf_put(&e->out, check_text);
    cw_buf_printf(
        &e->out,
        "    if (p->prec < 0 || p->prec > %d || p->zp < 0 || p->zp > (p->prec == %d ? 1 : 0)) return 0;\n"
        "    if (p->dir < 0 || p->dir > %d || p->cache < 0 || p->cache > %d) return 0;\n"
        "    if (p->layout < 0 || p->layout > %d || p->threads < 1 || p->threads > %d) return 0;\n",
        precs - 1, (int)CW_U8, dirs - 1, caches - 1, layouts - 1, CW_THREADS_MAX);
}

/* Locals that the expressions name: fields as they are in the canonical problem. */
static void put_variables(emitter *e) {
    static const struct {
        const char *name, *value;
    } pads[] = {
        {"pb", "(oh - 1) * p->sh + eh - p->ih - p->pt"},
        {"pr", "(ow - 1) * p->sw + ew - p->iw - p->pl"},
        {"pk", "p->id ? (od - 1) * p->sd + ed - p->id - p->pf : 0"},
    };
    static const struct {
        const char *name, *value;
    } counts[] = {
        {"inputs", "(int64_t)p->mb * p->ih * p->iw * (p->id ? p->id : 1)"},
        {"outputs", "p->mb * oh * ow * od"},
        {"taps", "(int64_t)p->kh * p->kw * (p->id ? p->kd : 1)"},
    };
#define X(field)                                                                                             \
    if (needs(e, #field) && strcmp(#field, "pb") != 0 && strcmp(#field, "pr") != 0 &&                        \
        strcmp(#field, "pk") != 0)                                                                           \
        cw_buf_printf(&e->out, "    const int64_t %s = p->%s;\n", #field, #field);
    CW_PROBLEM_FIELDS(X)
#undef X
    const cw_host *host = e->model->host;
#define X(field)                                                                                             \
    if (needs(e, #field))                                                                                    \
        cw_buf_printf(&e->out, "    const int64_t %s = %lld; /* of the machine */\n", #field,                \
                      (long long)(host ? host->field : 0));
    CW_HOST_FIELDS(X)
#undef X
    for (size_t i = 0; i < CW_COUNT(pads); i++)
        if (needs(e, pads[i].name)) /* padding that no window reads does not count */
            cw_buf_printf(&e->out, "    const int64_t %s_ = %s, %s = %s_ > 0 ? %s_ : 0;\n", pads[i].name,
                          pads[i].value, pads[i].name, pads[i].name, pads[i].name);
    for (size_t i = 0; i < CW_COUNT(counts); i++)
        if (needs(e, counts[i].name))
            cw_buf_printf(&e->out, "    const int64_t %s = %s;\n", counts[i].name, counts[i].value);
}

/* The last of the features: are the extents within bounds? Whole numbers, so a bound may be rounded inwards.
 * Without branches, as all are within nearly always. */
static void put_extents(emitter *e) {
    const double *least = cw_model_bounds(e->model, 0), *most = cw_model_bounds(e->model, 1);
    cw_buf_put(&e->out, "    return 1 + ((0");
    for (size_t i = 0; i < CW_EXTENT_COUNT; i++) {
        const char *name = cw_extent_names[i], *expression = cw_extent_expressions[i];
        double smallest = strcmp(name, "id") == 0 ? 0 : 1; /* of a valid problem */
        if (ceil(least[i]) > smallest)
            cw_buf_printf(&e->out, " |\n        (%s < %.0f)", expression, ceil(least[i]));
        if (!isnan(most[i])) cw_buf_printf(&e->out, " |\n        (%s > %.0f)", expression, floor(most[i]));
    }
    cw_buf_put(&e->out, ") != 0);\n}\n\n");
}

static void put_features(emitter *e) {
    size_t used = 0;
    put_check(e);
    put_variables(e);
    for (size_t i = 0; i < e->model->column_count; i++) {
        if (!e->used[i]) continue;
        cw_buf_printf(&e->out, "    x[%zu] = (double)(%s); /* %s */\n", i, e->features[i]->expression,
                      e->features[i]->name);
        used++;
    }
    if (!used) cw_buf_put(&e->out, "    x[0] = 0; /* the model reads no feature */\n");
    if (e->model->extents)
        put_extents(e);
    else
        cw_buf_put(&e->out, "    return 1;\n}\n\n");
}

/* Kinds are found through a table of places, filled up to a half at most: a binary search has branches that
 * random problems mislead, and costs more than a tree. */
static uint32_t factor_of(size_t field) {
    return 0x9E3779B1U * (2 * (uint32_t)field + 1);
}

static size_t place_of(const cw_seen *seen, size_t kind, unsigned bits) {
    uint32_t h = 0;
    for (size_t f = 0; f < seen->fields; f++)
        h += (uint32_t)seen->key[kind * seen->fields + f] * factor_of(f);
    return (h ^ h >> 15) * 0x85EBCA6BU >> (32 - bits);
}

/* out: 2^bits numbers of kinds, -1 = free. */
static void fill_places(const cw_seen *seen, unsigned bits, int32_t *out) {
    size_t mask = ((size_t)1 << bits) - 1;
    for (size_t i = 0; i <= mask; i++) out[i] = -1;
    for (size_t kind = 0; kind < seen->kinds; kind++) {
        size_t at = place_of(seen, kind, bits);
        while (out[at] >= 0) at = (at + 1) & mask;
        out[at] = (int32_t)kind;
    }
}

static void put_places(emitter *e, unsigned bits) {
    int32_t *places = cw_alloc_n((size_t)1 << bits, sizeof *places);
    if (!places) {
        e->out.failed = true;
        return;
    }
    fill_places(e->model->seen, bits, places);
    cw_buf_printf(&e->out, "/* Kinds by a hash of their numbers, -1 = none. */\nstatic const int ");
    put(e, "@_places[]");
    cw_buf_put(&e->out, " = {");
    for (size_t i = 0; i < (size_t)1 << bits; i++)
        cw_buf_printf(&e->out, "%s%d", i == 0 ? "" : i % 24 == 0 ? ",\n    " : ", ", (int)places[i]);
    cw_buf_put(&e->out, "};\n\n");
    cw_free(places);
}

/* The search for a problem's kind, and for wider ones where there is none. */
static void put_find(emitter *e) {
    const cw_seen *seen = e->model->seen;
    unsigned bits = 1;
    while ((size_t)1 << bits < 2 * seen->kinds) bits++;
    put_places(e, bits);
    put(e,
        "/* The kind of a valid problem, or the narrowest wider one; NULL = neither was there in training. "
        "*/\n"
        "static const unsigned char *@_find(const @_problem *p) {\n"
        "    static const unsigned char widening[] = {");
    for (size_t f = 0; f < seen->fields; f++)
        cw_buf_printf(&e->out, "%s%d", f ? ", " : "", cw_kind_widenings[f]);
    put(e, "};\n    int32_t key[] = {");
    for (size_t f = 0; f < seen->fields; f++)
        cw_buf_printf(&e->out, "%s%s", f ? ", " : "", cw_kind_expressions[f]);
    cw_buf_printf(&e->out,
                  "};\n    unsigned int width, i;\n"
                  "    for (width = 0; width < %d; width++) {\n"
                  "        uint32_t hash = 0, at;\n",
                  CW_KIND_WIDTHS);
    for (size_t f = 0; f < seen->fields; f++)
        cw_buf_printf(&e->out, "        hash += (uint32_t)key[%zu] * 0x%08Xu;\n", f, (unsigned)factor_of(f));
    cw_buf_printf(&e->out, "        at = (hash ^ hash >> 15) * 0x85EBCA6Bu >> %u;\n", 32 - bits);
    put(e, "        for (; @_places[at] >= 0; at = (at + 1)");
    cw_buf_printf(&e->out, " & %zuu) {\n", ((size_t)1 << bits) - 1);
    put(e, "            const int32_t *kind = @_kinds[@_places[at]];\n");
    cw_buf_printf(&e->out, "            for (i = 0; i < %zu && key[i] == kind[i]; i++) {\n            }\n",
                  seen->fields);
    cw_buf_printf(&e->out, "            if (i == %zu) ", seen->fields);
    put(e, "return @_seen[@_places[at]];\n        }\n");
    cw_buf_printf(&e->out,
                  "        for (i = 0; i < %zu; i++)\n"
                  "            if (widening[i] == width + 1) key[i] = %d;\n"
                  "    }\n    return NULL;\n}\n\n",
                  seen->fields, CW_KIND_ANY);
}

/* Tables of the kinds of kernel that training saw, and of the classes that had a time on each. */
static void put_kinds(emitter *e) {
    const cw_seen *seen = e->model->seen;
    put(e, "/* Kinds of kernel that training saw, and wider ones (-1 = any), ascending:");
    for (size_t f = 0; f < seen->fields; f++) cw_buf_printf(&e->out, " %s", cw_kind_names[f]);
    put(e, ". */\nstatic const int32_t @_kinds[]");
    cw_buf_printf(&e->out, "[%zu] = {\n", seen->fields);
    for (size_t k = 0; k < seen->kinds; k++)
        for (size_t f = 0; f < seen->fields; f++)
            cw_buf_printf(&e->out, "%s%d%s", f ? ", " : "    {", seen->key[k * seen->fields + f],
                          f + 1 < seen->fields ? "" : "},\n");
    put(e, "};\n\n/* Classes that had a time on each; on a wider kind, on about half of its kinds or more. "
           "*/\nstatic const unsigned char @_seen[]");
    cw_buf_printf(&e->out, "[%zu] = {\n", seen->classes);
    for (size_t k = 0; k < seen->kinds; k++)
        for (size_t c = 0; c < seen->classes; c++)
            cw_buf_printf(&e->out, "%s%d%s", c ? "," : "    {", seen->has[k * seen->classes + c],
                          c + 1 < seen->classes ? "" : "},\n");
    put(e, "};\n\n");
    put_find(e);
}

static void put_order(emitter *e) {
    const cw_model *m = e->model;
    put(e, "/* The order that needs no problem, best first. */\nstatic const short @_order[] = {");
    for (int32_t place = 0; place < (int32_t)m->class_count; place++)
        for (size_t c = 0; c < m->class_count; c++)
            if (m->static_rank[c] == place) cw_buf_printf(&e->out, "%s%zu", place ? ", " : "", c);
    put(e, "};\n\n");
}

/* The groups of shapes for which the order chooses, as held-out problems showed it to be faster. */
static void put_groups(emitter *e) {
    put(e,
        "/* Does the order choose for the problem? It was faster there on problems held out of training. */\n"
        "static int @_by_order(const @_problem *p) {\n    const int shape = ");
    for (int32_t shape = 0; shape + 1 < CW_SHAPE_COUNT; shape++)
        cw_buf_printf(&e->out, "%s ? %d\n                      : ", cw_shape_conditions[shape], shape);
    cw_buf_printf(&e->out, "%d;\n    return (int)(%luUL >> (p->prec * %d + shape) & 1);\n}\n\n",
                  CW_SHAPE_COUNT - 1, (unsigned long)e->model->static_groups, (int)CW_SHAPE_COUNT);
}

/* Choosing among what training saw on such a kernel; where that is nothing, or the group of shapes wants it,
 * by the static order. */
static void put_masked(emitter *e) {
    const cw_model *m = e->model;
    const size_t n = m->class_count;
    put(e, "/* by_order: what the model learned does not count here. */\n"
           "static int @_masked(const @_problem *p, const double *x, const unsigned char *allowed, int "
           "by_order) {\n"
           "    const unsigned char *may = allowed;\n"
           "    int index = -1, i;\n");
    if (m->seen) {
        put(e, "    const unsigned char *seen = @_find(p);\n");
        cw_buf_printf(&e->out,
                      "    unsigned char both[%zu];\n"
                      "    if (seen && allowed)\n"
                      "        for (i = 0; i < %zu; i++) both[i] = seen[i] && allowed[i];\n"
                      "    if (seen) may = allowed ? both : seen;\n",
                      n, n);
    }
    if (m->static_groups) put(e, "    by_order = by_order || @_by_order(p);\n");
    put(e, m->seen ? "    if (seen && !by_order) index = @_pick(x, may);\n"
                   : "    if (!by_order) index = @_pick(x, may);\n");
    cw_buf_printf(&e->out, "    for (i = 0; index < 0 && i < %zu; i++)\n", n);
    put(e, "        if (!may || may[@_order[i]]) index = @_order[i];\n");
    if (m->seen) {
        cw_buf_printf(&e->out, "    for (i = 0; index < 0 && i < %zu; i++)\n", n);
        put(e, "        if (!allowed || allowed[@_order[i]]) index = @_order[i];\n");
    }
    if (!m->seen && !m->static_groups) put(e, "    (void)p;\n");
    put(e, "    return index;\n}\n\n");
}

static void put_choose(emitter *e) {
    const cw_model *m = e->model;
    put(e, "static const char *const @_names[] = {\n");
    for (size_t i = 0; i < m->class_count; i++) {
        cw_buf_put(&e->out, "    ");
        put_string(&e->out, m->classes[i]);
        cw_buf_put(&e->out, ",\n");
    }
    put(e, "};\n\n");
    bool masked = m->seen || m->static_groups || m->extents;
    if (m->seen) put_kinds(e);
    if (masked) put_order(e);
    if (m->static_groups) put_groups(e);
    if (masked) put_masked(e);
    put(e, "int @_choose(const @_problem *p, const unsigned char *allowed, const char **name) {\n");
    cw_buf_printf(&e->out, "    double x[%zu];\n", m->column_count);
    put(e, "    const int valid = @_features(p, x);\n");
    put(e, masked ? "    const int index = valid ? @_masked(p, x, allowed, valid == 2) : -1;\n"
                  : "    const int index = valid ? @_pick(x, allowed) : -1;\n");
    put(e, "    if (name) *name = index < 0 ? NULL : @_names[index];\n"
           "    return index;\n}\n");
}

/* ---- Self-test ---- */

/* A valid problem like those of networks; also odd ones. */
static cw_problem random_problem(cw_rng *rng) {
    static const int32_t sizes[] = {7, 8, 13, 14, 17, 27, 28, 35, 56, 112, 149, 224};
    static const int32_t channels[] = {1,   3,   16,  24,  32,  48,  64,   96,
                                       100, 128, 192, 256, 320, 512, 1024, 2048};
    static const int32_t kernels[] = {1, 1, 1, 3, 3, 3, 5, 7, 11};
#define ANY(array) array[cw_rng_below(rng, CW_COUNT(array))]
    for (;;) {
        cw_problem p = {.mb = 1, .g = 1, .sh = 1, .sw = 1, .threads = 1};
        p.ih = p.iw = ANY(sizes);
        p.kh = p.kw = ANY(kernels);
        p.ic = ANY(channels);
        p.oc = ANY(channels);
        if (cw_rng_below(rng, 5) == 0) p.g = p.oc = p.ic;
        if (cw_rng_below(rng, 3) == 0) p.sh = p.sw = 2;
        if (cw_rng_below(rng, 8) == 0) p.iw = ANY(sizes), p.kw = ANY(kernels);
        if (cw_rng_below(rng, 16) == 0) p.dh = p.dw = 1;
        if (cw_rng_below(rng, 16) == 0) p.mb = 2;
        if (cw_rng_below(rng, 4) != 0) p.pt = p.pb = p.kh / 2, p.pl = p.pr = p.kw / 2;
        if (cw_rng_below(rng, 2) == 0) p.prec = CW_U8, p.zp = (int32_t)cw_rng_below(rng, 2);
        if (cw_rng_below(rng, 8) == 0) p.threads = 2;
        if (cw_problem_check(&p, NULL) == CW_OK) return p;
    }
#undef ANY
}

static cw_status put_self_test(emitter *e, cw_error *err) {
    enum { VECTORS = 128 };
    cw_rng rng = cw_rng_seed(1);
    put(e, "\n#ifdef @_SELF_TEST\n/* cc -D@_SELF_TEST file.c && ./a.out: exit code 0 = every answer is the "
           "model's. */\n"
           "static const struct {\n    @_problem problem;\n    int index;\n} @_vectors[] = {\n");
    for (int i = 0; i < VECTORS; i++) {
        cw_problem p = random_problem(&rng);
        cw_choice best;
        size_t count;
        cw_status status = cw_choose(e->model, NULL, &p, &best, 1, &count, err);
        if (status != CW_OK) return status;
        size_t index = 0;
        while (e->model->classes[index] != best.impl) index++;
        const char *separator = "    {{";
#define X(field)                                                                                             \
    cw_buf_printf(&e->out, "%s%d", separator, p.field);                                                      \
    separator = ", ";
        CW_PROBLEM_FIELDS(X)
#undef X
        cw_buf_printf(&e->out, "}, %zu},\n", index);
    }
    put(e, "};\n\nint main(void) {\n    int wrong = 0;\n"
           "    for (size_t i = 0; i < sizeof @_vectors / sizeof @_vectors[0]; i++)\n"
           "        wrong += @_choose(&@_vectors[i].problem, NULL, NULL) != @_vectors[i].index;\n"
           "    return wrong != 0;\n}\n#endif\n");
    return CW_OK;
}

/* ---- The file ---- */

static cw_status resolve(emitter *e, cw_error *err) {
    const cw_model *m = e->model;
    e->features = cw_alloc_n(m->column_count, sizeof *e->features);
    e->used = cw_alloc_n(m->column_count, sizeof *e->used);
    if (!e->features || !e->used) return cw_fail_memory(err);
    for (size_t i = 0; i < m->column_count; i++) {
        e->features[i] = cw_feature_find(m->columns[i]);
        if (!e->features[i])
            return cw_fail(err, CW_MISMATCH, "this convwise does not have the model's feature '%.60s'",
                           m->columns[i]);
        if (cw_feature_of_host(e->features[i]) && !m->host)
            return cw_fail(err, CW_INVALID,
                           "the model was trained on several machines: say for which to emit (--machine, or "
                           "cw_model_on)");
    }
    m->learner->columns_used(m->state, e->used);
    return CW_OK;
}

cw_status cw_emit_c(const cw_model *model, const cw_emit_options *options, char **out, cw_error *err) {
    cw_emit_options o = options ? *options : (cw_emit_options){0};
    emitter e = {.model = model, .prefix = o.prefix ? o.prefix : "convwise"};
    if (!is_identifier(e.prefix))
        return cw_fail(
            err, CW_INVALID,
            "prefix \"%.64s\" must be a C identifier: a letter, then letters, digits and _, at most 63",
            e.prefix);
    cw_status status = resolve(&e, err);
    if (status != CW_OK) goto done;
    put_provenance(&e);
    if (o.header) {
        cw_buf_put(&e.out, "#include <stdint.h>\n\n");
        put_declarations(&e);
    } else {
        cw_buf_put(&e.out, "#include <stddef.h>\n#include <stdint.h>\n\n");
        cw_buf_put(&e.out, guards);
        put_declarations(&e);
        status = model->learner->emit_c(model->state, e.prefix, model->static_rank, model->class_count,
                                        &e.out, err);
        if (status != CW_OK) goto done;
        cw_buf_put(&e.out, "\n");
        put_features(&e);
        put_choose(&e);
        if (o.self_test) status = put_self_test(&e, err);
        if (status != CW_OK) goto done;
    }
    *out = cw_buf_take(&e.out);
    if (!*out) status = cw_fail_memory(err);
done:
    cw_buf_release(&e.out);
    cw_free(e.features);
    cw_free(e.used);
    return status;
}

cw_status cw_emit_c_save(const cw_model *model, const cw_emit_options *options, const char *path,
                         cw_error *err) {
    char *text = NULL;
    cw_status status = cw_emit_c(model, options, &text, err);
    if (status == CW_OK) status = cw_write_file(path, text, strlen(text), err);
    cw_free(text);
    return status;
}

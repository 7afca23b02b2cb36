/* grid.c: the synthetic grid: every combination of sizes, channels, kernels, strides and
 * pads that is a possible convolution. Not here: layers of real networks (net.c). */
#include "problem.h"
#include "../../include/convwise/tools.h"
#include "../base/base.h"
#include <stdio.h>
#include <string.h>

enum { VALUES_MAX = 256, LAYERS_MAX = 1 << 20 };

typedef struct range {
    int32_t values[VALUES_MAX];
    size_t count;
} range;

static cw_status add(range *r, int64_t value, const char *what, cw_error *err) {
    if (r->count == VALUES_MAX)
        return cw_fail(err, CW_INVALID, "grid: %s has more than %d values", what, VALUES_MAX);
    r->values[r->count++] = (int32_t)value;
    return CW_OK;
}

/* Splits text at each `mark` in place; returns the number of parts, or most + 1 where there are more. */
static size_t split(char *text, char mark, char **parts, size_t most) {
    size_t count = 0;
    for (char *next = text; next; count++) {
        if (count == most) return most + 1;
        parts[count] = next;
        next = strchr(next, mark);
        if (next) *next++ = '\0';
    }
    return count;
}

static cw_status steps(range *r, char **parts, size_t count, int64_t lo, const char *what, cw_error *err) {
    int64_t first, last, step = 1;
    bool factor = count == 3 && parts[2][0] == '*', good = count <= 3;
    good = good && cw_parse_int(parts[0], lo, CW_DIM_MAX, &first) &&
           cw_parse_int(parts[1], lo, CW_DIM_MAX, &last) && first <= last;
    if (good && count == 3) good = cw_parse_int(parts[2] + factor, factor ? 2 : 1, CW_DIM_MAX, &step);
    if (!good || (factor && first == 0))
        return cw_fail(err, CW_INVALID,
                       "grid: %s wants first:last, first:last:step or first:last:*factor with "
                       "%lld <= first <= last <= %d",
                       what, (long long)lo, CW_DIM_MAX);
    cw_status status = CW_OK;
    for (int64_t v = first; v <= last && status == CW_OK; v = factor ? v * step : v + step)
        status = add(r, v, what, err);
    return status;
}

static cw_status parse(const char *text, int64_t lo, const char *what, range *r, cw_error *err) {
    char copy[1024], *parts[VALUES_MAX];
    r->count = 0;
    if (strlen(text) >= sizeof copy) return cw_fail(err, CW_INVALID, "grid: %s is too long", what);
    snprintf(copy, sizeof copy, "%s", text);
    if (strchr(copy, ':')) return steps(r, parts, split(copy, ':', parts, 3), lo, what, err);
    size_t count = split(copy, ',', parts, VALUES_MAX);
    if (count > VALUES_MAX)
        return cw_fail(err, CW_INVALID, "grid: %s has more than %d values", what, VALUES_MAX);
    cw_status status = CW_OK;
    for (size_t i = 0; i < count && status == CW_OK; i++) {
        int64_t value;
        if (!cw_parse_int(parts[i], lo, CW_DIM_MAX, &value))
            return cw_fail(err, CW_INVALID, "grid: %s: '%.40s' is not a whole number from %lld to %d", what,
                           parts[i], (long long)lo, CW_DIM_MAX);
        status = add(r, value, what, err);
    }
    return status;
}

/* One combination, if it is a convolution at all. */
static cw_status add_layer(cw_net *net, size_t *capacity, int32_t size, int32_t ic, int32_t oc, int32_t k,
                           int32_t s, int32_t pad, cw_error *err) {
    cw_problem p = {.mb = 1,
                    .g = 1,
                    .ic = ic,
                    .ih = size,
                    .iw = size,
                    .oc = oc,
                    .kh = k,
                    .kw = k,
                    .sh = s,
                    .sw = s,
                    .pt = pad,
                    .pl = pad,
                    .pb = pad,
                    .pr = pad,
                    .threads = 1};
    if (cw_problem_check(&p, NULL) != CW_OK) return CW_OK;
    if (net->count == LAYERS_MAX)
        return cw_fail(err, CW_INVALID, "grid: more than %d layers; narrow a range", LAYERS_MAX);
    if (!cw_grow(&net->layers, capacity, net->count + 1, sizeof *net->layers)) return cw_fail_memory(err);
    cw_problem_canonical(&p);
    cw_layer *layer = &net->layers[net->count++];
    char text[CW_PROBLEM_TEXT];
    cw_problem_format(&p, text, sizeof text);
    text[strcspn(text, ",")] = '\0'; /* shape only */
    *layer = (cw_layer){.problem = p};
    snprintf(layer->name, sizeof layer->name, "%.63s", text);
    return CW_OK;
}

typedef struct ranges {
    range size, ic, oc, kernel, stride, pad;
    bool own_pad; /* pad: 0 and half the kernel */
} ranges;

static cw_status combine(const ranges *r, cw_net *net, cw_error *err) {
    size_t capacity = 0, shapes = r->size.count * r->ic.count * r->oc.count;
    cw_status status = CW_OK;
    for (size_t shape = 0; shape < shapes && status == CW_OK; shape++) {
        int32_t size = r->size.values[shape / r->oc.count / r->ic.count];
        int32_t ic = r->ic.values[shape / r->oc.count % r->ic.count], oc = r->oc.values[shape % r->oc.count];
        for (size_t i = 0; i < r->kernel.count * r->stride.count && status == CW_OK; i++) {
            int32_t k = r->kernel.values[i / r->stride.count], s = r->stride.values[i % r->stride.count];
            range half = {.values = {0, k / 2}, .count = k > 1 ? 2 : 1};
            const range *pads = r->own_pad ? &half : &r->pad;
            for (size_t j = 0; j < pads->count && status == CW_OK; j++)
                status = add_layer(net, &capacity, size, ic, oc, k, s, pads->values[j], err);
        }
    }
    return status;
}

cw_status cw_grid_make(const cw_grid *grid, cw_net *out, cw_error *err) {
    ranges *r = cw_alloc(sizeof *r);
    if (!r) return cw_fail_memory(err);
    const struct {
        const char *name, *text, *usual;
        int64_t lo;
        range *to;
    } rows[] = {
        {"size", grid->size, "7,14,28,56", 1, &r->size}, {"ic", grid->ic, "16:512:*2", 1, &r->ic},
        {"oc", grid->oc, "16:512:*2", 1, &r->oc},        {"kernel", grid->kernel, "1,3,5", 1, &r->kernel},
        {"stride", grid->stride, "1,2", 1, &r->stride},  {"pad", grid->pad, "0", 0, &r->pad},
    };
    cw_status status = CW_OK;
    for (size_t i = 0; i < CW_COUNT(rows) && status == CW_OK; i++)
        status =
            parse(rows[i].text ? rows[i].text : rows[i].usual, rows[i].lo, rows[i].name, rows[i].to, err);
    r->own_pad = !grid->pad;
    cw_net net = {.name = "grid"};
    if (status == CW_OK) status = combine(r, &net, err);
    if (status == CW_OK && net.count == 0)
        status = cw_fail(err, CW_INVALID, "grid: no kernel fits any padded size");
    cw_free(r);
    if (status != CW_OK)
        cw_net_release(&net);
    else
        *out = net;
    return status;
}

/* problem.c: the convolution problem as a value: text both ways, limits, derived sizes. */
#include "problem.h"
#include "../base/base.h"
#include <ctype.h>
#include <stdio.h>
#include <string.h>

static const char *const prec_names[] = {
#define X(symbol, name) name,
    CW_PRECS(X)
#undef X
};
static const char *const layout_names[] = {
#define X(symbol, name) name,
    CW_LAYOUTS(X)
#undef X
};

static const char *const dir_names[] = {
#define X(symbol, name) name,
    CW_DIRS(X)
#undef X
};

static const char *const cache_names[] = {
#define X(symbol, name) name,
    CW_CACHES(X)
#undef X
};

const char *cw_prec_name(cw_prec prec) {
    return (size_t)prec < CW_COUNT(prec_names) ? prec_names[prec] : "?";
}
const char *cw_dir_name(cw_dir dir) {
    return (size_t)dir < CW_COUNT(dir_names) ? dir_names[dir] : "?";
}
const char *cw_cache_name(cw_cache cache) {
    return (size_t)cache < CW_COUNT(cache_names) ? cache_names[cache] : "?";
}
const char *cw_layout_name(cw_layout layout) {
    return (size_t)layout < CW_COUNT(layout_names) ? layout_names[layout] : "?";
}

int cw_problem_compare(const cw_problem *a, const cw_problem *b) {
#define X(field)                                                                                             \
    if (a->field != b->field) return a->field < b->field ? -1 : 1;
    CW_PROBLEM_FIELDS(X)
#undef X
    return 0;
}

uint64_t cw_problem_hash(const cw_problem *p) {
    return cw_hash(p, sizeof *p, 0);
}

void cw_problem_sizes(const cw_problem *p, cw_sizes *out) {
    int32_t oh = (p->ih + p->pt + p->pb - cw_extent(p->kh, p->dh)) / p->sh + 1;
    int32_t ow = (p->iw + p->pl + p->pr - cw_extent(p->kw, p->dw)) / p->sw + 1;
    int32_t od = p->id ? (p->id + p->pf + p->pk - cw_extent(p->kd, p->dd)) / p->sd + 1 : 1;
    int64_t act = p->prec == CW_U8 || p->prec == CW_S8 ? 1 : p->prec == CW_F32 ? 4 : 2;
    *out = (cw_sizes){.od = od, .oh = oh, .ow = ow};
    out->gemm_m = (int64_t)p->mb * od * oh * ow;
    out->gemm_n = p->oc / p->g;
    out->gemm_k = (int64_t)(p->ic / p->g) * (p->id ? p->kd : 1) * p->kh * p->kw;
    out->macs = out->gemm_m * p->oc * out->gemm_k;
    out->src_count = (int64_t)p->mb * p->ic * (p->id ? p->id : 1) * p->ih * p->iw;
    out->wei_count = p->oc * out->gemm_k;
    out->dst_count = out->gemm_m * p->oc;
    out->src_bytes = out->src_count * act;
    out->wei_bytes = out->wei_count * act;
    out->dst_bytes = out->dst_count * act;
}

/* a * b, or -1 where the product or a factor is negative or the product is 2^31 or more. */
static int64_t times(int64_t a, int64_t b) {
    int64_t c;
    return a < 0 || b < 0 || __builtin_mul_overflow(a, b, &c) || c > INT32_MAX ? -1 : c;
}

static cw_status check_pads(char axis, int64_t extent, int64_t before, int64_t after, cw_error *err) {
    if (before <= extent + CW_PAD_EXCESS && after <= extent + CW_PAD_EXCESS) return CW_OK;
    return cw_fail(err, CW_INVALID,
                   "padding along %c (%lld before, %lld after) is far larger than the kernel (%lld)", axis,
                   (long long)before, (long long)after, (long long)extent);
}

static cw_status check_axis(char axis, int32_t i, int32_t k, int32_t d, int32_t before, int32_t after,
                            cw_error *err) {
    int64_t extent = (int64_t)(k - 1) * (d + 1) + 1, padded = (int64_t)i + before + after;
    if (extent > padded)
        return cw_fail(err, CW_INVALID,
                       "kernel k%c%d (%lld with dilation) is larger than the padded input i%c%d (%lld)", axis,
                       k, (long long)extent, axis, i, (long long)padded);
    return check_pads(axis, extent, before, after, err);
}

/* Two dimensions: all of the depth is 0. Three: as the other axes. */
static cw_status check_depth(const cw_problem *p, cw_error *err) {
    const int32_t values[] = {p->kd, p->sd, p->dd, p->pf, p->pk};
    for (size_t i = 0; i < CW_COUNT(values); i++) {
        int32_t least = p->id != 0 && i < 2;
        if (values[i] < least || values[i] > (p->id ? CW_DIM_MAX : 0))
            return cw_fail(err, CW_INVALID, "depth (id%d kd%d sd%d dd%d, pads %d and %d): out of range",
                           p->id, p->kd, p->sd, p->dd, p->pf, p->pk);
    }
    return p->id ? check_axis('d', p->id, p->kd, p->dd, p->pf, p->pk, err) : CW_OK;
}

cw_status cw_problem_check(const cw_problem *p, cw_error *err) {
    const struct {
        const char *name;
        int32_t value, lo, hi;
    } ranges[] = {
        {"mb", p->mb, 1, CW_DIM_MAX},
        {"g", p->g, 1, CW_DIM_MAX},
        {"ic", p->ic, 1, CW_DIM_MAX},
        {"ih", p->ih, 1, CW_DIM_MAX},
        {"iw", p->iw, 1, CW_DIM_MAX},
        {"oc", p->oc, 1, CW_DIM_MAX},
        {"kh", p->kh, 1, CW_DIM_MAX},
        {"kw", p->kw, 1, CW_DIM_MAX},
        {"sh", p->sh, 1, CW_DIM_MAX},
        {"sw", p->sw, 1, CW_DIM_MAX},
        {"dh", p->dh, 0, CW_DIM_MAX},
        {"dw", p->dw, 0, CW_DIM_MAX},
        {"top padding", p->pt, 0, CW_DIM_MAX},
        {"left padding", p->pl, 0, CW_DIM_MAX},
        {"bottom padding", p->pb, 0, CW_DIM_MAX},
        {"right padding", p->pr, 0, CW_DIM_MAX},
        {"precision", p->prec, 0, (int32_t)CW_COUNT(prec_names) - 1},
        {"zp", p->zp, 0, p->prec == CW_U8},
        {"layout", p->layout, 0, (int32_t)CW_COUNT(layout_names) - 1},
        {"threads", p->threads, 1, CW_THREADS_MAX},
        {"id", p->id, 0, CW_DIM_MAX},
        {"direction", p->dir, 0, (int32_t)CW_COUNT(dir_names) - 1},
        {"cache", p->cache, 0, (int32_t)CW_COUNT(cache_names) - 1},
    };
    for (size_t i = 0; i < CW_COUNT(ranges); i++)
        if (ranges[i].value < ranges[i].lo || ranges[i].value > ranges[i].hi)
            return cw_fail(err, CW_INVALID, "%s is %d: must be %d to %d", ranges[i].name, ranges[i].value,
                           ranges[i].lo, ranges[i].hi);
    if (p->ic % p->g || p->oc % p->g)
        return cw_fail(err, CW_INVALID, "g%d must divide ic%d and oc%d", p->g, p->ic, p->oc);
    cw_status status = check_axis('h', p->ih, p->kh, p->dh, p->pt, p->pb, err);
    if (status == CW_OK) status = check_axis('w', p->iw, p->kw, p->dw, p->pl, p->pr, err);
    if (status == CW_OK) status = check_depth(p, err);
    if (status != CW_OK) return status;
    int64_t oh = ((int64_t)p->ih + p->pt + p->pb - cw_extent(p->kh, p->dh)) / p->sh + 1;
    int64_t ow = ((int64_t)p->iw + p->pl + p->pr - cw_extent(p->kw, p->dw)) / p->sw + 1;
    int64_t od = p->id ? ((int64_t)p->id + p->pf + p->pk - cw_extent(p->kd, p->dd)) / p->sd + 1 : 1;
    int64_t m = times(times(times(p->mb, oh), ow), od);
    int64_t k = times(times(times(p->ic / p->g, p->kh), p->kw), p->id ? p->kd : 1);
    const struct {
        const char *name;
        int64_t count;
    } tensors[] = {
        {"source", times(times(times(times(p->mb, p->ic), p->ih), p->iw), p->id ? p->id : 1)},
        {"weights", times(p->oc, k)},
        {"destination", times(m, p->oc)},
    };
    for (size_t i = 0; i < CW_COUNT(tensors); i++)
        if (tensors[i].count < 0)
            return cw_fail(err, CW_INVALID, "the %s has 2^31 elements or more", tensors[i].name);
    return CW_OK;
}

/* ---- Text ---- */

enum { UNSET = INT32_MIN };

typedef struct letters {
    int32_t mb, g, ic, id, ih, iw, oc, od, oh, ow, kd, kh, kw, sd, sh, sw, dd, dh, dw, pd, ph, pw;
} letters;

/* Longest match first is not needed: no key is the beginning of another. */
static const struct {
    const char *key;
    size_t offset;
} keys[] = {
#define K(key)                                                                                               \
    { #key, offsetof(letters, key) }
    K(mb), K(g),  K(ic), K(id), K(ih), K(iw), K(oc), K(od), K(oh), K(ow), K(kd),
    K(kh), K(kw), K(sd), K(sh), K(sw), K(dd), K(dh), K(dw), K(pd), K(ph), K(pw),
#undef K
};

static int32_t *letter(letters *l, size_t key) {
    return (int32_t *)(void *)((char *)l + keys[key].offset);
}

static cw_status parse_name(const char **text, char *name, size_t size, cw_error *err) {
    const char *c = *text + 1; /* after the n */
    bool quoted = *c == '"';
    c += quoted;
    size_t length = quoted ? strcspn(c, "\"") : strcspn(c, ", \t");
    if (quoted && c[length] != '"') return cw_fail(err, CW_INVALID, "the name has no closing quote");
    if (length == 0 || length >= 64) return cw_fail(err, CW_INVALID, "a name has 1 to 63 characters");
    if (name) snprintf(name, size, "%.*s", (int)length, c);
    *text = c + length + quoted;
    return CW_OK;
}

static cw_status parse_letters(const char **text, letters *l, char *name, size_t name_size, cw_error *err) {
    const char *c = *text;
    while (*c && *c != ',') {
        if (*c == '_') { /* benchdnn allows it between pairs */
            c++;
            continue;
        }
        if (*c == 'n' && c != *text) {
            cw_status status = parse_name(&c, name, name_size, err);
            if (status != CW_OK) return status;
            break;
        }
        size_t key = 0;
        while (key < CW_COUNT(keys) && strncmp(c, keys[key].key, strlen(keys[key].key)) != 0) key++;
        if (key == CW_COUNT(keys))
            return cw_fail(err, CW_INVALID,
                           "cannot read \"%.24s\": wanted a letter pair such as ic64 (mb g ic ih iw oc oh ow "
                           "kh kw sh sw dh dw ph pw, id od kd sd dd pd)",
                           c);
        const char *digits = c + strlen(keys[key].key);
        size_t length = strspn(digits, "0123456789");
        if (length == 0) return cw_fail(err, CW_INVALID, "%s in \"%.24s\" needs a number", keys[key].key, c);
        int64_t value = 0;
        for (size_t i = 0; i < length && value <= CW_DIM_MAX; i++) value = value * 10 + (digits[i] - '0');
        if (value > CW_DIM_MAX)
            return cw_fail(err, CW_INVALID, "%s is larger than %d", keys[key].key, CW_DIM_MAX);
        if (*letter(l, key) != UNSET) return cw_fail(err, CW_INVALID, "%s is given twice", keys[key].key);
        *letter(l, key) = (int32_t)value;
        c = digits + length;
    }
    *text = c;
    return CW_OK;
}

/* Padding after the tensor that some window reads. */
static int64_t after_read(int64_t i, int64_t extent, int64_t s, int64_t o, int64_t before) {
    int64_t after = (o - 1) * s + extent - i - before;
    return after > 0 ? after : 0;
}

void cw_problem_canonical(cw_problem *p) {
    cw_sizes s;
    cw_problem_sizes(p, &s);
    p->pb = (int32_t)after_read(p->ih, cw_extent(p->kh, p->dh), p->sh, s.oh, p->pt);
    p->pr = (int32_t)after_read(p->iw, cw_extent(p->kw, p->dw), p->sw, s.ow, p->pl);
    if (p->id) p->pk = (int32_t)after_read(p->id, cw_extent(p->kd, p->dd), p->sd, s.od, p->pf);
    if (p->prec != CW_U8) p->zp = 0;
}

/* Pads of one axis from what is given of the output size and the pad before. */
static cw_status solve_axis(char axis, int32_t i, int32_t k, int32_t s, int32_t d, int32_t o, int32_t p,
                            int32_t *before, int32_t *after, cw_error *err) {
    if (i < 1 || k < 1 || s < 1)
        return cw_fail(err, CW_INVALID, "i%c, k%c and s%c must be at least 1", axis, axis, axis);
    int64_t extent = (int64_t)(k - 1) * (d + 1) + 1, b = p, a;
    if (o == UNSET) {
        if (p == UNSET) b = 0;
        if (extent > i + 2 * b)
            return cw_fail(err, CW_INVALID,
                           "kernel k%c%d (%lld with dilation) is larger than the padded input i%c%d (%lld)",
                           axis, k, (long long)extent, axis, i, (long long)(i + 2 * b));
        a = after_read(i, extent, s, (i + 2 * b - extent) / s + 1, b);
    } else {
        if (o < 1) return cw_fail(err, CW_INVALID, "o%c must be at least 1", axis);
        if (p == UNSET) b = after_read(i, extent, s, o, 0) / 2;
        a = after_read(i, extent, s, o, b);
        if (i + a + b < extent || (i + a + b - extent) / s + 1 != o)
            return cw_fail(err, CW_INVALID, "o%c%d does not follow from i%c%d k%c%d s%c%d and the padding",
                           axis, o, axis, i, axis, k, axis, s);
    }
    cw_status status = check_pads(axis, extent, b, a, err);
    if (status != CW_OK) return status;
    *before = (int32_t)b;
    *after = (int32_t)a;
    return CW_OK;
}

static cw_status parse_conditions(const char *text, cw_problem *p, cw_error *err) {
    while (*text == ',') {
        text++;
        size_t length = strcspn(text, ",");
        char word[16];
        int64_t threads;
        bool known = false;
        snprintf(word, sizeof word, "%.*s", (int)(length < 15 ? length : 15), text);
        for (size_t i = 0; i < CW_COUNT(prec_names); i++)
            if (strcmp(word, prec_names[i]) == 0) p->prec = (int32_t)i, known = true;
        for (size_t i = 0; i < CW_COUNT(layout_names); i++)
            if (strcmp(word, layout_names[i]) == 0) p->layout = (int32_t)i, known = true;
        for (size_t i = 0; i < CW_COUNT(dir_names); i++)
            if (strcmp(word, dir_names[i]) == 0) p->dir = (int32_t)i, known = true;
        for (size_t i = 0; i < CW_COUNT(cache_names); i++)
            if (strcmp(word, cache_names[i]) == 0) p->cache = (int32_t)i, known = true;
        if (strcmp(word, "zp") == 0) p->zp = 1, known = true;
        if (word[0] == 't' && cw_parse_int(word + 1, 1, CW_THREADS_MAX, &threads))
            p->threads = (int32_t)threads, known = true;
        if (!known)
            return cw_fail(
                err, CW_INVALID,
                "cannot read \"%s\": wanted f32, u8, zp, nhwc, nchw, cold or tN (threads) after the "
                "comma (also f16, bf16, s8, bwd_d, bwd_w)",
                word);
        text += length;
    }
    if (*text) return cw_fail(err, CW_INVALID, "unexpected \"%.24s\" at the end", text);
    return CW_OK;
}

/* Three dimensions if any letter of the depth is given; what is missing has its default, not another axis's
 * value. */
static cw_status solve_depth(letters *l, cw_problem *p, cw_error *err) {
    if (l->id == UNSET && l->od == UNSET && l->kd == UNSET && l->sd == UNSET && l->dd == UNSET &&
        l->pd == UNSET)
        return CW_OK;
    if (l->id == UNSET || l->kd == UNSET) return cw_fail(err, CW_INVALID, "three dimensions need id and kd");
    p->id = l->id;
    p->kd = l->kd;
    p->sd = l->sd == UNSET ? 1 : l->sd;
    p->dd = l->dd == UNSET ? 0 : l->dd;
    return solve_axis('d', p->id, p->kd, p->sd, p->dd, l->od, l->pd, &p->pf, &p->pk, err);
}

static void from_other(int32_t *a, int32_t *b, int32_t otherwise) {
    if (*a == UNSET) *a = *b;
    if (*b == UNSET) *b = *a;
    if (*a == UNSET) *a = *b = otherwise;
}

cw_status cw_problem_parse_layer(const char *text, char *name, size_t name_size, cw_problem *out,
                                 cw_error *err) {
    letters l;
    for (size_t i = 0; i < CW_COUNT(keys); i++) *letter(&l, i) = UNSET;
    if (name) name[0] = '\0';
    cw_status status = parse_letters(&text, &l, name, name_size, err);
    if (status != CW_OK) return status;
    from_other(&l.ih, &l.iw, UNSET);
    from_other(&l.kh, &l.kw, UNSET);
    from_other(&l.oh, &l.ow, UNSET);
    from_other(&l.ph, &l.pw, UNSET);
    from_other(&l.sh, &l.sw, 1);
    from_other(&l.dh, &l.dw, 0);
    if (l.mb == UNSET) l.mb = 1;
    if (l.g == UNSET) l.g = 1;
    const struct {
        const char *name;
        int32_t value;
    } needed[] = {{"ic", l.ic}, {"ih", l.ih}, {"oc", l.oc}, {"kh", l.kh}};
    for (size_t i = 0; i < CW_COUNT(needed); i++)
        if (needed[i].value == UNSET)
            return cw_fail(err, CW_INVALID, "%s is missing (a problem looks like ic64ih56oc64kh3ph1)",
                           needed[i].name);
    cw_problem p = {.mb = l.mb,
                    .g = l.g,
                    .ic = l.ic,
                    .ih = l.ih,
                    .iw = l.iw,
                    .oc = l.oc,
                    .kh = l.kh,
                    .kw = l.kw,
                    .sh = l.sh,
                    .sw = l.sw,
                    .dh = l.dh,
                    .dw = l.dw,
                    .threads = 1};
    status = solve_axis('h', l.ih, l.kh, l.sh, l.dh, l.oh, l.ph, &p.pt, &p.pb, err);
    if (status == CW_OK) status = solve_axis('w', l.iw, l.kw, l.sw, l.dw, l.ow, l.pw, &p.pl, &p.pr, err);
    if (status == CW_OK) status = solve_depth(&l, &p, err);
    if (status == CW_OK) status = parse_conditions(text, &p, err);
    if (status != CW_OK) return status;
    cw_problem plain = p;
    if (p.prec != CW_U8) plain.zp = 0;
    status = cw_problem_check(&plain, err);
    if (status == CW_OK) *out = p;
    return status;
}

cw_status cw_problem_parse(const char *text, cw_problem *out, cw_error *err) {
    cw_problem p;
    cw_status status = cw_problem_parse_layer(text, NULL, 0, &p, err);
    if (status != CW_OK) return status;
    if (p.prec != CW_U8) p.zp = 0;
    *out = p;
    return CW_OK;
}

/* By hand and not by printf: an import formats each of its problems. */
static char *put_text(char *to, const char *text) {
    size_t length = strlen(text);
    memcpy(to, text, length);
    return to + length;
}

static char *put_size(char *to, const char *name, int32_t value) {
    char digits[10];
    size_t n = 0;
    uint32_t rest = value < 0 ? 0 - (uint32_t)value : (uint32_t)value;
    to = put_text(to, name);
    if (value < 0) *to++ = '-';
    do digits[n++] = (char)('0' + rest % 10);
    while (rest /= 10);
    while (n > 0) *to++ = digits[--n];
    return to;
}

size_t cw_problem_format(const cw_problem *p, char *text, size_t size) {
    cw_sizes s;
    cw_problem_sizes(p, &s);
    char buf[2 * CW_PROBLEM_TEXT], *end = buf; /* of sizes that no problem may have, too */
    bool square = p->ih == p->iw && s.oh == s.ow && p->kh == p->kw && p->sh == p->sw && p->dh == p->dw &&
                  p->pt == p->pl && p->pb == p->pr;
    if (p->g != 1) end = put_size(end, "g", p->g);
    end = put_size(put_size(end, "mb", p->mb), "ic", p->ic);
    if (p->id) end = put_size(end, "id", p->id);
    end = put_size(end, "ih", p->ih);
    if (!square) end = put_size(end, "iw", p->iw);
    end = put_size(end, "oc", p->oc);
    if (p->id) end = put_size(end, "od", s.od);
    end = put_size(end, "oh", s.oh);
    if (!square) end = put_size(end, "ow", s.ow);
    if (p->id) end = put_size(end, "kd", p->kd);
    end = put_size(end, "kh", p->kh);
    if (!square) end = put_size(end, "kw", p->kw);
    if (p->id && p->sd != 1) end = put_size(end, "sd", p->sd);
    if (p->sh != 1 || p->sw != 1) end = put_size(end, "sh", p->sh);
    if (p->sh != p->sw) end = put_size(end, "sw", p->sw);
    if (p->dd != 0) end = put_size(end, "dd", p->dd);
    if (p->dh != 0 || p->dw != 0) end = put_size(end, "dh", p->dh);
    if (p->dh != p->dw) end = put_size(end, "dw", p->dw);
    if (p->id) end = put_size(end, "pd", p->pf);
    end = put_size(end, "ph", p->pt);
    if (!square) end = put_size(end, "pw", p->pl);
    if (p->prec != CW_F32) end = put_text(put_text(end, ","), cw_prec_name((cw_prec)p->prec));
    if (p->zp) end = put_text(end, ",zp");
    if (p->layout != CW_NHWC) end = put_text(put_text(end, ","), cw_layout_name((cw_layout)p->layout));
    if (p->dir != CW_FWD) end = put_text(put_text(end, ","), cw_dir_name((cw_dir)p->dir));
    if (p->cache != CW_HOT) end = put_text(put_text(end, ","), cw_cache_name((cw_cache)p->cache));
    if (p->threads != 1) end = put_size(end, ",t", p->threads);
    size_t n = (size_t)(end - buf);
    if (size > 0) {
        size_t fits = n < size ? n : size - 1;
        memcpy(text, buf, fits);
        text[fits] = '\0';
    }
    return n;
}

/* net.c: layer tables of networks. Format: docs/formats.md. */
#include "problem.h"
#include "../../include/convwise/tools.h"
#include "../base/base.h"
#include <stdio.h>
#include <string.h>

enum { TABLE_MAX = 16 << 20 };

cw_problem cw_layer_problem(const cw_layer *layer, cw_prec prec, int32_t threads, int32_t mb) {
    cw_problem p = layer->problem;
    p.prec = (int32_t)prec;
    p.threads = threads;
    p.mb = mb;
    if (prec != CW_U8) p.zp = 0;
    return p;
}

void cw_net_release(cw_net *net) {
    cw_free(net->layers);
    *net = (cw_net){0};
}

static void set_name(cw_net *net, const char *path) {
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path, *dot = strrchr(name, '.');
    int length = dot && dot != name ? (int)(dot - name) : (int)strlen(name);
    snprintf(net->name, sizeof net->name, "%.*s", length < 63 ? length : 63, name);
}

/* One line without its end; comments and blank lines add nothing. */
static cw_status read_line(char *line, cw_net *net, size_t *capacity, cw_error *err) {
    size_t length = strcspn(line, "#\r");
    if (line[length] == '#' && length > 0 && line[length - 1] != ' ' && line[length - 1] != '\t')
        return cw_fail(err, CW_FORMAT, "a comment starts with # at the beginning or after a blank");
    while (length > 0 && (line[length - 1] == ' ' || line[length - 1] == '\t')) length--;
    line[length] = '\0';
    line += strspn(line, " \t");
    if (!*line) return CW_OK;
    if (!cw_grow(&net->layers, capacity, net->count + 1, sizeof *net->layers)) return cw_fail_memory(err);
    cw_layer *layer = &net->layers[net->count];
    memset(layer, 0, sizeof *layer);
    cw_status status = cw_problem_parse_layer(line, layer->name, sizeof layer->name, &layer->problem, err);
    if (status != CW_OK) return status;
    const cw_problem *p = &layer->problem;
    if (p->id || p->dir != CW_FWD || p->layout != CW_NHWC)
        return cw_fail(err, CW_FORMAT, "a layer table has forward convolutions in two dimensions only");
    if (p->prec != CW_F32 || p->threads != 1)
        return cw_fail(
            err, CW_FORMAT,
            "a layer table says shapes and zp only: precision and threads are options of measuring");
    if (!layer->name[0]) snprintf(layer->name, sizeof layer->name, "layer%zu", net->count + 1);
    net->count++;
    return CW_OK;
}

cw_status cw_net_read(const char *path, cw_net *out, cw_error *err) {
    char *text;
    size_t size, capacity = 0;
    cw_status status = cw_read_file(path, TABLE_MAX, &text, &size, err);
    if (status != CW_OK) return status;
    cw_net net = {0};
    set_name(&net, path);
    for (const char *c = net.name; *c && status == CW_OK; c++)
        if (*c < ' ' || *c > '~')
            status =
                cw_fail(err, CW_FORMAT, "%s: a network is named by its file: printable ASCII only", path);
    if (strlen(text) != size) status = cw_fail(err, CW_FORMAT, "%s: is not text (it has a zero byte)", path);
    size_t number = 1;
    for (char *line = text; status == CW_OK && *line; number++) {
        size_t length = strcspn(line, "\n");
        char *next = line + length + (line[length] == '\n');
        line[length] = '\0';
        cw_error why;
        status = read_line(line, &net, &capacity, &why);
        if (status != CW_OK)
            status = cw_fail(err, status == CW_NO_MEMORY ? status : CW_FORMAT, "%.100s:%zu: %.120s", path,
                             number, why.message);
        line = next;
    }
    if (status == CW_OK && net.count == 0) status = cw_fail(err, CW_FORMAT, "%s: has no layers", path);
    cw_free(text);
    if (status != CW_OK)
        cw_net_release(&net);
    else
        *out = net;
    return status;
}

/* cli.c: what commands share: errors, JSON, tables, layers named on the command line. */
#include "cli.h"
#include <dirent.h>
#include <errno.h>
#include <libsmartcols.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int cli_fail(const cw_error *err) {
    fprintf(stderr, "convwise: %s\n", err->message[0] ? err->message : cw_status_name(err->status));
    switch (err->status) {
    case CW_OK:
        return CLI_DONE;
    case CW_UNSUPPORTED:
    case CW_NOT_FOUND:
        return CLI_NONE;
    default:
        return CLI_FAILED;
    }
}

int cli_usage(const char *format, ...) {
    va_list args;
    fputs("convwise: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    return CLI_USAGE;
}

int cli_print_json(json_t *json) {
    int bad = !json || json_dumpf(json, stdout, JSON_INDENT(2)) != 0;
    json_decref(json);
    if (!bad) putchar('\n');
    if (bad && !ferror(stdout)) fprintf(stderr, "convwise: out of memory while writing JSON\n");
    return bad ? CLI_FAILED : CLI_DONE;
}

json_t *cli_json_path(const char *path) {
    json_t *text = json_string(path);
    char *copy = text ? NULL : strdup(path);
    if (!copy) return text;
    for (char *c = copy; *c; c++)
        if ((unsigned char)*c >= 0x80) *c = '?';
    text = json_string(copy);
    free(copy);
    return text;
}

struct cli_table {
    struct libscols_table *table;
    size_t columns;
};

cli_table *cli_table_new(const char *const *columns) {
    cli_table *t = calloc(1, sizeof *t);
    if (!t || !(t->table = scols_new_table())) abort();
    for (; columns[t->columns]; t->columns++) {
        bool right = columns[t->columns][0] == '>';
        scols_table_new_column(t->table, columns[t->columns] + right, 0, right ? SCOLS_FL_RIGHT : 0);
    }
    scols_table_enable_noencoding(t->table, 1);
    return t;
}

void cli_table_add(cli_table *t, const char *const *cells) {
    struct libscols_line *line = scols_table_new_line(t->table, NULL);
    for (size_t i = 0; line && i < t->columns; i++) scols_line_set_data(line, i, cells[i] ? cells[i] : "");
}

void cli_table_print(cli_table *t) {
    fflush(stdout);
    scols_table_set_stream(t->table, stdout);
    scols_print_table(t->table);
    scols_unref_table(t->table);
    free(t);
}

/* Beside an installed program, wherever it was moved; else the source it was built from. */
const char *cli_data_folder(void) {
    static char installed[4096];
    char program[3072], nets[4200];
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    if (length <= 0) return CW_SOURCE_DATA;
    program[length] = '\0';
    *strrchr(program, '/') = '\0';
    snprintf(installed, sizeof installed, "%s/%s", program, CW_INSTALLED_DATA);
    snprintf(nets, sizeof nets, "%s/nets", installed);
    return access(nets, R_OK) == 0 ? installed : CW_SOURCE_DATA;
}

static cw_status add_file(cli_layers *layers, const char *path, cw_error *err) {
    cw_net *grown = realloc(layers->nets, (layers->net_count + 1) * sizeof *grown);
    if (!grown) return err->status = CW_NO_MEMORY;
    layers->nets = grown;
    cw_status status = cw_net_read(path, &layers->nets[layers->net_count], err);
    if (status == CW_OK) layers->net_count++;
    return status;
}

static int is_table(const struct dirent *entry) {
    const char *dot = strrchr(entry->d_name, '.');
    return dot && strcmp(dot, ".txt") == 0;
}

static cw_status add_all(cli_layers *layers, cw_error *err) {
    char folder[4200], path[8192];
    struct dirent **entries;
    snprintf(folder, sizeof folder, "%s/nets", cli_data_folder());
    int count = scandir(folder, &entries, is_table, alphasort);
    if (count < 0) {
        snprintf(err->message, sizeof err->message, "%.180s: %s", folder, strerror(errno));
        return err->status = CW_IO;
    }
    cw_status status = CW_OK;
    for (int i = 0; i < count; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
        if (status == CW_OK) status = add_file(layers, path, err);
        free(entries[i]);
    }
    free(entries);
    return status;
}

cw_status cli_layers_add_net(cli_layers *layers, const char *name, cw_error *err) {
    if (strcmp(name, "all") == 0) return add_all(layers, err);
    char path[8192];
    snprintf(path, sizeof path, "%s/nets/%s.txt", cli_data_folder(), name);
    if (strpbrk(name, "/.") || access(path, R_OK) != 0) {
        struct stat about;
        if (stat(name, &about) != 0 && !strchr(name, '/')) {
            snprintf(err->message, sizeof err->message,
                     "no network or file is called %.80s (networks: files in %.80s/nets, or all)", name,
                     cli_data_folder());
            return err->status = CW_NOT_FOUND;
        }
        return add_file(layers, name, err);
    }
    return add_file(layers, path, err);
}

void cli_layers_release(cli_layers *layers) {
    for (size_t i = 0; i < layers->net_count; i++) cw_net_release(&layers->nets[i]);
    free(layers->nets);
    *layers = (cli_layers){0};
}

/* measure_conditions.c: what may explain or disturb times on this machine, as JSON. Reads files of the
 * kernel; changes nothing. */
#include "../base/base.h"
#include "../../include/convwise/tools.h"
#include "stats.h"
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

/* The first line of a small file, "" where there is none. */
static void first_line(const char *path, char *line, int size) {
    FILE *file = fopen(path, "re");
    line[0] = '\0';
    if (file && fgets(line, size, file)) line[strcspn(line, "\n")] = '\0';
    if (file) fclose(file);
}

/* Median of the smallest steps that the clock shows. */
static double clock_resolution(void) {
    double steps[31];
    for (size_t i = 0; i < CW_COUNT(steps); i++) {
        int64_t begin = cw_now_ns(), now = begin;
        while (now == begin) now = cw_now_ns();
        steps[i] = (double)(now - begin);
    }
    return cw_median(steps, CW_COUNT(steps));
}

cw_status cw_machine_conditions(char **out, cw_error *err) {
    static const struct {
        const char *name, *path;
    } files[] = {
        {"governor", "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"},
        {"smt", "/sys/devices/system/cpu/smt/active"},
        {"no_turbo", "/sys/devices/system/cpu/intel_pstate/no_turbo"},
        {"boost", "/sys/devices/system/cpu/cpufreq/boost"},
        {"load_average", "/proc/loadavg"},
        {"cgroup_cpu_max", "/sys/fs/cgroup/cpu.max"},
        {"huge_pages", "/sys/kernel/mm/transparent_hugepage/enabled"},
    };
    char line[256];
    cw_machine machine;
    struct utsname kernel;
    cw_machine_detect(&machine);
    json_t *object = json_object();
    int bad = json_object_set_new(object, "cpu", json_string_nocheck(machine.cpu));
    bad |= json_object_set_new(object, "cores", json_integer(machine.cores));
    bad |= json_object_set_new(object, "clock_ns", json_real(clock_resolution()));
    if (uname(&kernel) == 0)
        bad |= json_object_set_new(object, "kernel", json_string_nocheck(kernel.release));
    for (size_t i = 0; i < CW_COUNT(files); i++) {
        first_line(files[i].path, line, (int)sizeof line);
        bad |= json_object_set_new(object, files[i].name, line[0] ? json_string(line) : json_null());
    }
    char *text = bad ? NULL : json_dumps(object, JSON_COMPACT);
    json_decref(object);
    if (!text) return cw_fail_memory(err);
    *out = text;
    return CW_OK;
}

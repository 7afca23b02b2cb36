/* machine.c: CPU name, instruction sets, caches and core count, from the CPU, the C library and
 * /proc/cpuinfo. */
#include "machine.h"
#include "../base/base.h"
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void read_cpu_name(char *name, size_t size) {
    char line[256];
    FILE *file = fopen("/proc/cpuinfo", "re");
    snprintf(name, size, "unknown");
    while (file && fgets(line, sizeof line, file)) {
        char *value = strchr(line, ':');
        if (strncmp(line, "model name", 10) == 0 && value) {
            value += 1 + strspn(value + 1, " \t");
            value[strcspn(value, "\n")] = '\0';
            snprintf(name, size, "%s", value);
            break;
        }
    }
    if (file) fclose(file);
}

static void read_isa(cw_machine *m) {
    const char *isa = "portable";
#if defined(__x86_64__)
    __builtin_cpu_init();
    m->avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    m->avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    m->vnni = __builtin_cpu_supports("avx512vnni") != 0;
    m->bf16 = __builtin_cpu_supports("avx512bf16") != 0;
    isa = m->avx512 ? "avx512" : m->avx2 ? "avx2" : __builtin_cpu_supports("sse4.1") ? "sse41" : "portable";
#elif defined(__aarch64__)
    isa = "neon";
#endif
    snprintf(m->isa, sizeof m->isa, "%s", isa);
}

static void set_fingerprint(cw_machine *m) {
    /* Not the core count: a pinned process is on the same machine; threads are a condition of each problem.
     */
    char text[256];
    int length = snprintf(text, sizeof text, "%s|%s|%d%d%d%d|%lld|%lld|%lld", m->cpu, m->isa, m->avx2,
                          m->avx512, m->vnni, m->bf16, (long long)m->l1d, (long long)m->l2, (long long)m->l3);
    snprintf(m->fingerprint, sizeof m->fingerprint, "%016llx",
             (unsigned long long)cw_hash(text, (size_t)length, 0));
}

static int64_t positive(long value) {
    return value > 0 ? value : 0;
}

void cw_machine_detect(cw_machine *out) {
    cw_machine m;
    memset(&m, 0, sizeof m);
    read_cpu_name(m.cpu, sizeof m.cpu);
    read_isa(&m);
    cpu_set_t set;
    m.cores = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set)
                                                          : (int32_t)positive(sysconf(_SC_NPROCESSORS_ONLN));
    m.l1d = positive(sysconf(_SC_LEVEL1_DCACHE_SIZE));
    m.l2 = positive(sysconf(_SC_LEVEL2_CACHE_SIZE));
    m.l3 = positive(sysconf(_SC_LEVEL3_CACHE_SIZE));
    set_fingerprint(&m);
    *out = m;
}

static const char *const levels[] = {"sse41", "avx2", "avx512"}; /* each has those before it */

/* Place in levels; -1 = none of them. */
static int level_of(const char *isa) {
    for (int i = 0; i < (int)CW_COUNT(levels); i++)
        if (strcmp(levels[i], isa) == 0) return i;
    return -1;
}

cw_status cw_machine_cap(cw_machine *machine, const char *max_isa, cw_error *err) {
    int has = level_of(machine->isa), most = level_of(max_isa);
    if (most < 0)
        return cw_fail(err, CW_INVALID, "\"%.40s\" is no instruction set to cap at: sse41, avx2 or avx512",
                       max_isa);
    bool takes_away = most < has || (most == has && (machine->vnni || machine->bf16));
    if (!takes_away)
        return cw_fail(err, CW_UNSUPPORTED,
                       "instructions cannot be capped at %s: this machine has no more than %s", max_isa,
                       machine->isa);
    machine->vnni = machine->bf16 = false; /* as detected: those of AVX-512 */
    machine->avx512 = machine->avx512 && most >= level_of("avx512");
    machine->avx2 = machine->avx2 && most >= level_of("avx2");
    machine->capped = true;
    snprintf(machine->isa, sizeof machine->isa, "%s", max_isa);
    set_fingerprint(machine);
    return CW_OK;
}

/* Not the driver: it changes what a backend runs, not the machine. */
void cw_machine_add_device(cw_machine *m, const char *device) {
    char text[sizeof m->fingerprint + sizeof m->device + 1];
    size_t used = strlen(m->cpu);
    snprintf(m->device, sizeof m->device, "%s", device);
    snprintf(m->cpu + used, sizeof m->cpu - used, " + %s", device);
    int length = snprintf(text, sizeof text, "%s|%s", m->fingerprint, m->device);
    snprintf(m->fingerprint, sizeof m->fingerprint, "%016llx",
             (unsigned long long)cw_hash(text, (size_t)length, 0));
}

/* trees_emit.c: a sum of trees as C: tables of small numbers and two short loops.
 *
 * - Each column that is used becomes a code, once: how many of the model's thresholds for it lie below the
 *   value. Nodes then compare bytes, and the answers are exactly those of comparing floats.
 * - Trees of the same classes go eight at a time ("chunk"), so that the steps of one hide the waiting of
 *   another. Shallow ones are filled up to complete trees, whose nodes need no links and whose walk has no
 *   branch; others are nodes in preorder with the distance to the right child. Missing eighths are trees of
 *   one leaf that adds nothing.
 * - Classes are visited in static order. A class of trees of its own is given up as soon as the least its
 *   remaining trees can add leaves it no better than the best so far: sums are whole numbers, so this changes
 *   no answer. */
#include "trees.h"
#include <stdio.h>
#include <string.h>

enum { LANES = 8, LINKED = 255, SHALLOW = 8 };

/* Numbers that are printed later. */
typedef struct table {
    int64_t *at;
    size_t count, capacity;
    bool failed;
} table;

static void add(table *t, int64_t value) {
    if (t->failed || !cw_grow(&t->at, &t->capacity, t->count + 1, sizeof *t->at)) t->failed = true;
    if (!t->failed) t->at[t->count++] = value;
}

/* How numbers are packed. A leaf's cut has all bits set, which no inner node has. */
typedef struct packing {
    const char *code, *word, *slot; /* types in C */
    unsigned column_bits, cut_bits, high_bits;
} packing;

static const packing narrow = {"unsigned char", "unsigned int", "unsigned short", 8, 8, 16};
static const packing wide = {"unsigned int", "unsigned long long", "unsigned int", 10, 22, 32};

typedef struct cut {
    int32_t column;
    float threshold;
} cut;

typedef struct chunk {
    uint16_t first, width;
    size_t from, count;              /* of order */
    size_t depth, node, slot, value; /* depth: of complete trees, or LINKED */
    int64_t least;                   /* of width 1: what its trees can add at least */
} chunk;

/* A tree where it belongs: those of several classes first, then by class in static order; otherwise as they
 * are, since early ones of a boosted sum have the larger values. */
typedef struct placed {
    uint32_t shared, class, width, tree;
} placed;

typedef struct emitter {
    const cw_trees *t;
    const char *prefix;
    const int32_t *static_rank;
    cw_buf *out;
    const packing *pack;
    cut *cuts;       /* different ones, by column and threshold */
    size_t *cuts_of; /* columns + 1: where a column's cuts begin */
    int32_t *dense;  /* columns: index among those used, -1 = not used */
    placed *order;   /* trees */
    chunk *chunks;
    size_t cut_count, used, chunk_count;
    table node, slot, root, word, value;
    uint32_t *seen; /* the chunk's rows of values by hash: 1 + row */
    size_t seen_size, row_count;
} emitter;

/* ---- Columns become codes ---- */

static int by_cut(const void *a, const void *b) {
    const cut *x = a, *y = b;
    if (x->column != y->column) return x->column < y->column ? -1 : 1;
    return (x->threshold > y->threshold) - (x->threshold < y->threshold);
}

static bool find_cuts(emitter *e) {
    const cw_trees *t = e->t;
    e->cuts = cw_alloc_n(t->node_count, sizeof *e->cuts);
    e->dense = cw_alloc_n(t->columns, sizeof *e->dense);
    e->cuts_of = cw_alloc_n(t->columns + 1, sizeof *e->cuts_of);
    if (!e->cuts || !e->dense || !e->cuts_of) return false;
    size_t all = 0, kept = 0;
    for (size_t i = 0; i < t->node_count; i++)
        if (t->node[i].column >= 0) e->cuts[all++] = (cut){t->node[i].column, t->node[i].threshold};
    qsort(e->cuts, all, sizeof *e->cuts, by_cut);
    for (size_t i = 0; i < all; i++)
        if (i == 0 || by_cut(&e->cuts[i], &e->cuts[kept - 1]) != 0) e->cuts[kept++] = e->cuts[i];
    e->cut_count = kept;
    for (size_t c = 0, i = 0; c < t->columns; c++) {
        e->cuts_of[c] = i;
        while (i < kept && e->cuts[i].column == (int32_t)c) i++;
        e->cuts_of[c + 1] = i;
        e->dense[c] = i > e->cuts_of[c] ? (int32_t)e->used++ : -1;
    }
    return true;
}

/* The place of a node's threshold among its column's. */
static size_t cut_of(const emitter *e, const cw_trees_node *node) {
    size_t low = e->cuts_of[node->column], high = e->cuts_of[node->column + 1];
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (e->cuts[middle].threshold <= node->threshold)
            low = middle;
        else
            high = middle;
    }
    return low - e->cuts_of[node->column];
}

/* ---- Trees become chunks ---- */

static int by_place(const void *a, const void *b) {
    const placed *x = a, *y = b;
    if (x->shared != y->shared) return x->shared > y->shared ? -1 : 1;
    if (x->class != y->class) return x->class < y->class ? -1 : 1;
    if (x->width != y->width) return x->width < y->width ? -1 : 1;
    return (x->tree > y->tree) - (x->tree < y->tree);
}

static size_t depth_below(const cw_trees *t, size_t node) {
    if (t->node[node].column < 0) return 0;
    size_t left = depth_below(t, node + 1), right = depth_below(t, t->node[node].next);
    return 1 + (left > right ? left : right);
}

/* Complete trees where they do not have many times the leaves of the largest. */
static size_t chunk_depth(const cw_trees *t, const placed *trees, size_t count) {
    size_t depth = 0, leaves = 0;
    for (size_t i = 0; i < count; i++) {
        size_t root = t->tree[trees[i].tree].root, end = cw_trees_tree_end(t, trees[i].tree),
               deep = depth_below(t, root);
        depth = deep > depth ? deep : depth;
        leaves = (end - root + 1) / 2 > leaves ? (end - root + 1) / 2 : leaves;
    }
    return depth <= SHALLOW && (size_t)1 << depth <= 8 * leaves ? depth : LINKED;
}

static bool find_chunks(emitter *e) {
    const cw_trees *t = e->t;
    size_t n = t->tree_count;
    e->order = cw_alloc_n(n, sizeof *e->order);
    e->chunks = cw_alloc_n(n, sizeof *e->chunks);
    if (!e->order || !e->chunks) return false;
    for (size_t i = 0; i < n; i++) {
        const cw_trees_tree *tree = &t->tree[i];
        bool shared = tree->width > 1;
        e->order[i] = (placed){shared, shared ? tree->first : (uint32_t)e->static_rank[tree->first],
                               tree->width, (uint32_t)i};
    }
    qsort(e->order, n, sizeof *e->order, by_place);
    for (size_t i = 0; i < n;) {
        size_t count = 1;
        while (count < LANES && i + count < n && e->order[i + count].class == e->order[i].class &&
               e->order[i + count].width == e->order[i].width)
            count++;
        const cw_trees_tree *tree = &t->tree[e->order[i].tree];
        e->chunks[e->chunk_count++] = (chunk){.first = tree->first,
                                              .width = tree->width,
                                              .from = i,
                                              .count = count,
                                              .depth = chunk_depth(t, e->order + i, count)};
        i += count;
    }
    return true;
}

/* Does everything fit the narrow packing? */
static bool is_narrow(const emitter *e) {
    const cw_trees *t = e->t;
    if (e->used > 256 || t->wide) return false;
    for (size_t c = 0; c < t->columns; c++)
        if (e->cuts_of[c + 1] - e->cuts_of[c] > 255) return false;
    for (size_t i = 0; i < e->chunk_count; i++) {
        size_t leaves = 1;
        for (size_t k = 0; k < e->chunks[i].count; k++) {
            uint32_t tree = e->order[e->chunks[i].from + k].tree;
            leaves += (cw_trees_tree_end(t, tree) - t->tree[tree].root + 1) / 2;
        }
        if (leaves > 32768) return false; /* also: no right child is further than 65535 */
    }
    return true;
}

/* ---- Leaves become slots ---- */

/* What makes any value positive. */
static int64_t offset_of(const emitter *e) {
    return e->t->wide ? CW_TREES_SUM : 32768;
}

/* What a walk ends with: of one class the value, made positive; of several the row of values, each different
 * one of a chunk written once. leaf NULL = adds nothing. */
static int64_t slot_of(emitter *e, const chunk *k, const cw_trees_node *leaf) {
    int32_t row[CW_MODEL_MOST];
    for (size_t c = 0; c < k->width; c++) row[c] = leaf ? cw_trees_value(e->t, leaf->next + c) : 0;
    if (k->width == 1) return (int64_t)*row + offset_of(e);
    size_t size = k->width * sizeof *row, at = cw_hash(row, size, 0) & (e->seen_size - 1);
    for (; e->seen[at]; at = (at + 1) & (e->seen_size - 1)) {
        const int64_t *held = e->value.at + k->value + (e->seen[at] - 1) * (size_t)k->width;
        size_t c = 0;
        while (c < k->width && held[c] == row[c]) c++;
        if (c == k->width) return e->seen[at] - 1;
    }
    for (size_t c = 0; c < k->width; c++) add(&e->value, row[c]);
    if (e->value.failed) return 0;
    e->seen[at] = (uint32_t)++e->row_count;
    return (int64_t)e->row_count - 1;
}

/* Room for twice the leaves of a chunk. */
static bool clear_seen(emitter *e, const chunk *k) {
    size_t leaves = 1, size = 64;
    for (size_t i = 0; i < k->count; i++) {
        uint32_t tree = e->order[k->from + i].tree;
        leaves += (cw_trees_tree_end(e->t, tree) - e->t->tree[tree].root + 1) / 2;
    }
    while (size < 2 * leaves) size *= 2;
    cw_free(e->seen);
    e->seen = cw_alloc_n(size, sizeof *e->seen);
    e->seen_size = size;
    e->row_count = 0;
    return e->seen;
}

/* ---- Chunks become tables ---- */

/* Node `heap` of a complete tree: the children of i are 2i and 2i + 1. Below a leaf all goes left. */
static void fill(emitter *e, const chunk *k, size_t lane, size_t heap, size_t depth,
                 const cw_trees_node *node) {
    size_t place = k->node + (heap - 1) * 2 * LANES + lane;
    if (depth == k->depth) {
        e->slot.at[k->slot + (heap - ((size_t)1 << depth)) * LANES + lane] = slot_of(e, k, node);
        return;
    }
    bool inner = node && node->column >= 0;
    e->node.at[place] = inner ? e->dense[node->column] : 0;
    e->node.at[place + LANES] = inner ? (int64_t)cut_of(e, node) : ((int64_t)1 << e->pack->cut_bits) - 1;
    fill(e, k, lane, 2 * heap, depth + 1, inner ? node + 1 : node);
    if (inner) fill(e, k, lane, 2 * heap + 1, depth + 1, e->t->node + node->next);
}

static void add_complete(emitter *e, chunk *k) {
    size_t leaves = (size_t)1 << k->depth;
    k->node = e->node.count;
    k->slot = e->slot.count;
    /* At least one: C has no empty tables. */
    for (size_t i = 0; i < (leaves > 1 ? leaves - 1 : 1) * 2 * LANES; i++) add(&e->node, 0);
    for (size_t i = 0; i < leaves * LANES; i++) add(&e->slot, 0);
    if (e->node.failed || e->slot.failed) return;
    for (size_t lane = 0; lane < LANES; lane++) {
        const cw_trees *t = e->t;
        bool there = lane < k->count;
        fill(e, k, lane, 1, 0, there ? t->node + t->tree[e->order[k->from + lane].tree].root : NULL);
    }
}

static void add_word(emitter *e, int64_t column, int64_t at, int64_t high) {
    add(&e->word, column | at << e->pack->column_bits | high << (e->pack->column_bits + e->pack->cut_bits));
}

static void add_linked(emitter *e, chunk *k) {
    const cw_trees *t = e->t;
    const int64_t leaf = ((int64_t)1 << e->pack->cut_bits) - 1;
    k->node = e->root.count;
    for (size_t lane = 0; lane < LANES; lane++) {
        add(&e->root, (int64_t)e->word.count);
        if (lane >= k->count) {
            add_word(e, 0, leaf, slot_of(e, k, NULL));
            continue;
        }
        uint32_t tree = e->order[k->from + lane].tree;
        for (size_t i = t->tree[tree].root; i < cw_trees_tree_end(t, tree); i++) {
            const cw_trees_node *node = t->node + i;
            if (node->column < 0)
                add_word(e, 0, leaf, slot_of(e, k, node));
            else
                add_word(e, e->dense[node->column], (int64_t)cut_of(e, node), (int64_t)(node->next - i));
        }
    }
}

static int64_t least_of(const emitter *e, const chunk *k) {
    const cw_trees *t = e->t;
    int64_t sum = 0;
    for (size_t i = 0; i < k->count; i++) {
        uint32_t tree = e->order[k->from + i].tree;
        int64_t least = CW_TREES_SUM;
        for (size_t n = t->tree[tree].root; n < cw_trees_tree_end(t, tree); n++)
            if (t->node[n].column < 0 && cw_trees_value(t, t->node[n].next) < least)
                least = cw_trees_value(t, t->node[n].next);
        sum += least;
    }
    return sum;
}

static bool fill_tables(emitter *e) {
    for (size_t i = 0; i < e->chunk_count; i++) {
        chunk *k = &e->chunks[i];
        if (!clear_seen(e, k)) return false;
        k->value = e->value.count;
        if (k->width == 1) k->least = least_of(e, k);
        if (k->depth == LINKED)
            add_linked(e, k);
        else
            add_complete(e, k);
    }
    /* What the remaining chunks of the same class can add, too. */
    for (size_t i = e->chunk_count; i-- > 1;)
        if (e->chunks[i].width == 1 && e->chunks[i - 1].width == 1 &&
            e->chunks[i].first == e->chunks[i - 1].first)
            e->chunks[i - 1].least += e->chunks[i].least;
    const table *all[] = {&e->node, &e->slot, &e->root, &e->word, &e->value};
    for (size_t i = 0; i < CW_COUNT(all); i++)
        if (all[i]->failed) return false;
    return true;
}

/* ---- Text ---- */

/* As printf, but @ stands for the prefix. */
static void put(emitter *e, const char *text) {
    for (const char *at; (at = strchr(text, '@')); text = at + 1)
        cw_buf_printf(e->out, "%.*s%s", (int)(at - text), text, e->prefix);
    cw_buf_put(e->out, text);
}

static void put_table(emitter *e, const char *type, const char *name, const table *t) {
    enum { A_LINE = 24 };
    if (t->count == 0) return;
    cw_buf_printf(e->out, "static const %s %s_%s[] = {", type, e->prefix, name);
    for (size_t i = 0; i < t->count; i++)
        cw_buf_printf(e->out, "%s%lld", i % A_LINE ? "," : i ? ",\n" : "\n", (long long)t->at[i]);
    cw_buf_put(e->out, "};\n\n");
}

/* Columns are padded to 2^n - 1 thresholds with the last one again: a binary search needs no end, and what
 * comes out is still above all cuts where it should be. */
static void put_cuts(emitter *e) {
    if (e->used == 0) return;
    put(e, "/* Thresholds of each column in use, filled up to 2^n - 1 with the last one. */\n"
           "static const float @_threshold[] = {\n");
    for (size_t c = 0; c < e->t->columns; c++) {
        size_t from = e->cuts_of[c], count = e->cuts_of[c + 1] - from, room = 1;
        if (count == 0) continue;
        while (room - 1 < count) room *= 2;
        for (size_t i = 0; i + 1 < room; i++) {
            cw_buf_double(e->out, (double)e->cuts[from + (i < count ? i : count - 1)].threshold);
            cw_buf_put(e->out, i % 8 == 7 ? "f,\n" : "f,");
        }
        cw_buf_put(e->out, "\n");
    }
    put(e, "};\n\n/* Column of x; its first threshold; n of the 2^n. */\n"
           "static const struct {\n    unsigned int column, first, bits;\n} @_used[] = {\n");
    for (size_t c = 0, first = 0; c < e->t->columns; c++) {
        size_t count = e->cuts_of[c + 1] - e->cuts_of[c], bits = 0;
        if (count == 0) continue;
        while (((size_t)1 << bits) - 1 < count) bits++;
        cw_buf_printf(e->out, "    {%zu, %zu, %zu},\n", c, first, bits);
        first += ((size_t)1 << bits) - 1;
    }
    put(e, "};\n\n");
}

static void put_chunks(emitter *e) {
    put(e,
        "/* Eight trees each, of classes first to first + width - 1. Complete trees: depth, where nodes and\n"
        " * slots begin; linked ones: depth 255, where their roots are. Then where rows of values begin, and "
        "the\n"
        " * least that this chunk and all further ones of the same class can add. */\n"
        "static const struct {\n    unsigned int first, width, depth, node, slot, value;\n    int least;\n"
        "} @_chunk[] = {\n");
    for (size_t i = 0; i < e->chunk_count; i++) {
        const chunk *k = &e->chunks[i];
        cw_buf_printf(e->out, "    {%u, %u, %zu, %zu, %zu, %zu, %lld},\n", k->first, k->width, k->depth,
                      k->node, k->slot, k->value, (long long)k->least);
    }
    put(e, "};\n\n");
}

/* Classes in static order with their own chunks. */
static void put_classes(emitter *e, size_t shared) {
    put(e, "/* Classes in static order: sum at the start; chunks of trees of their own. */\n"
           "static const struct {\n    int number, base;\n    unsigned int from, end;\n} @_class[] = {\n");
    for (size_t place = 0, at = shared; place < e->t->classes; place++) {
        size_t c = 0, from = at;
        while (e->static_rank[c] != (int32_t)place) c++;
        while (at < e->chunk_count && e->chunks[at].first == c) at++;
        cw_buf_printf(e->out, "    {%zu, %d, %zu, %zu},\n", c, (int)e->t->base[c], from, at);
    }
    put(e, "};\n\n");
}

/* `each` eight times with the lane's number for #, `between` between them. */
static void put_lanes(emitter *e, const char *each, const char *between) {
    for (int lane = 0; lane < LANES; lane++) {
        cw_buf text = {0};
        const char *from = each;
        for (const char *at; (at = strchr(from, '#')); from = at + 1)
            cw_buf_printf(&text, "%.*s%d", (int)(at - from), from, lane);
        cw_buf_put(&text, from);
        if (text.failed)
            e->out->failed = true;
        else
            put(e, text.text);
        if (lane + 1 < LANES) cw_buf_put(e->out, between);
        cw_buf_release(&text);
    }
}

static void put_linked_walk(emitter *e) {
    const unsigned column_bits = e->pack->column_bits, high = column_bits + e->pack->cut_bits;
    const unsigned long long column = (1ULL << column_bits) - 1, at = (1ULL << e->pack->cut_bits) - 1,
                             leaf = at << column_bits;
    char step[320];
    put(e, e->slot.count > 0 ? "    if (@_chunk[k].depth == 255) {\n" : "    {\n");
    put(e, "        /* A leaf has all bits of its cut set, and stays where it is. */\n"
           "        const unsigned int *root = @_root + @_chunk[k].node;\n");
    put_lanes(e, "        const @_word_t *w# = @_word + root[#];\n", "");
    put(e, "        @_word_t ");
    put_lanes(e, "n#", ", ");
    put(e, ", d;\n        do {\n");
    /* Masks, since some compilers make branches of what is chosen by ?: and rows cannot be foreseen. */
    snprintf(step, sizeof step,
             "            n# = *w#;\n            d = n# >> %u;\n"
             "            d ^= (d ^ 1) & (0 - (@_word_t)(code[n# & %llu] <= (n# >> %u & %llu)));\n"
             "            w# += d & (0 - (@_word_t)((n# & %llu) != %llu));\n",
             high, column, column_bits, at, leaf, leaf);
    put_lanes(e, step, "");
    put(e, "        } while ((");
    put_lanes(e, "n#", " & ");
    cw_buf_printf(e->out, " & %llu) != %llu);\n", leaf, leaf);
    snprintf(step, sizeof step, "        slot[#] = (unsigned int)(n# >> %u);\n", high);
    put_lanes(e, step, "");
    put(e, e->slot.count > 0 ? "        return;\n    }\n" : "    }\n");
}

/* Lanes count in nodes of the level, doubled: i is twice the number of the node, so that one base and a scale
 * of 8 reach its column and its cut. */
static void put_complete_walk(emitter *e) {
    put(e, "    {\n        const unsigned long depth = @_chunk[k].depth, leaves = 1ul << depth;\n"
           "        unsigned long level, ");
    put_lanes(e, "i# = 2", ", ");
    put(e, ";\n        const @_slot_t *s = @_slot + @_chunk[k].slot;\n"
           "        const @_code_t *c = @_node + @_chunk[k].node;\n"
           "        for (level = 0; level < depth; level++) {\n");
    put_lanes(e,
              "            i# = 2 * (i# + (unsigned long)(code[c[8 * i# + # - 16]] > c[8 * i# + # - 8]));\n",
              "");
    put(e, "        }\n");
    put_lanes(e, "        slot[#] = s[4 * (i# - 2 * leaves) + #];\n", "");
    put(e, "    }\n");
}

static void put_walk(emitter *e) {
    put(e, "/* Eight trees' slots. */\n"
           "static void @_walk(const @_code_t *code, unsigned int k, unsigned int *slot) {\n");
    if (e->root.count > 0) put_linked_walk(e);
    if (e->slot.count > 0) put_complete_walk(e);
    put(e, "}\n\n");
}

static void put_codes(emitter *e) {
    cw_buf_printf(e->out, "    %s code[%zu];\n", e->pack->code, e->used ? e->used : 1);
    if (e->used == 0) {
        put(e, "    (void)x; /* every tree is one leaf */\n    code[0] = 0;\n");
        return;
    }
    cw_buf_printf(e->out, "    for (i = 0; i < %zu; i++) {\n", e->used);
    put(e, "        const float v = (float)x[@_used[i].column], *t = @_threshold + @_used[i].first;\n"
           "        unsigned int n = 0, bit = @_used[i].bits;\n"
           "        while (bit-- > 0) n |= (unsigned int)!(v <= t[n + (1u << bit) - 1]) << bit;\n"
           "        code[i] = (@_code_t)n;\n"
           "    }\n");
}

/* Trees of several classes: all sums. Where they have the same classes, as forests do, the compiler is told.
 */
static void put_shared(emitter *e, size_t shared) {
    bool same = true;
    for (size_t i = 1; i < shared; i++)
        same = same && e->chunks[i].first == e->chunks[0].first && e->chunks[i].width == e->chunks[0].width;
    cw_buf_printf(e->out, "    for (i = 0; i < %zu; i++) {\n", shared);
    if (same)
        cw_buf_printf(e->out, "        const unsigned int first = %u, width = %u;\n", e->chunks[0].first,
                      e->chunks[0].width);
    else
        put(e, "        const unsigned int first = @_chunk[i].first, width = @_chunk[i].width;\n");
    cw_buf_printf(e->out, "        unsigned int k, lane, slot[%d];\n", LANES);
    put(e, "        for (k = 0; k < width && allowed && !allowed[first + k];) k++;\n"
           "        if (k == width) continue;\n"
           "        @_walk(code, i, slot);\n");
    cw_buf_printf(e->out, "        for (lane = 0; lane < %d; lane++) {\n", LANES);
    cw_buf_printf(e->out, "            const %s *v = ", e->t->wide ? "int" : "short");
    put(e, "@_value + @_chunk[i].value + slot[lane] * width;\n"
           "            for (k = 0; k < width; k++) sum[first + k] += v[k];\n"
           "        }\n    }\n");
}

static void put_own(emitter *e) {
    put(e, "/* What a chunk of trees of one class adds. */\n"
           "static int @_add(const @_code_t *code, unsigned int k) {\n");
    cw_buf_printf(e->out, "    unsigned int slot[%d];\n", LANES);
    put(e, "    @_walk(code, k, slot);\n    return (int)(");
    put_lanes(e, "slot[#]", " + ");
    cw_buf_printf(e->out, ") - %lld;\n}\n\n", (long long)(LANES * offset_of(e)));
}

/* Classes by their places in static order. The one that leads after the first chunk of each is finished
 * first: others then soon have to give up. limit: what a class must stay below to win, equal costs going to
 * the lower place. */
static void put_search(emitter *e, bool own) {
    size_t n = e->t->classes;
    cw_buf_printf(e->out, "    for (i = 0; i < %zu; i++) {\n", n);
    put(e, "        const int c = @_class[i].number;\n"
           "        if (allowed && !allowed[c]) continue;\n");
    if (own)
        put(e, "        if (@_class[i].from < @_class[i].end) sum[c] += @_add(code, @_class[i].from);\n");
    cw_buf_printf(e->out, "        if (best == %zu || sum[c] < least) {\n", n);
    put(e, "            best = i;\n            least = sum[c];\n        }\n    }\n");
    cw_buf_printf(e->out, "    if (best == %zu) return -1;\n", n);
    if (own) {
        put(e, "    lead = best;\n"
               "    least = 2147483647;\n");
        cw_buf_printf(e->out, "    for (i = 0; i <= %zu; i++) {\n", n);
        put(e, "        const unsigned int place = i == 0 ? lead : i - 1;\n"
               "        const int c = @_class[place].number, limit = place < best ? least + 1 : least;\n"
               "        int total = sum[c];\n"
               "        unsigned int k;\n"
               "        if ((allowed && !allowed[c]) || (i > 0 && place == lead)) continue;\n"
               "        for (k = @_class[place].from + 1; k < @_class[place].end; k++) {\n"
               "            if (total + @_chunk[k].least >= limit) break;\n"
               "            total += @_add(code, k);\n"
               "        }\n"
               "        if (k < @_class[place].end || total >= limit) continue;\n"
               "        best = place;\n        least = total;\n    }\n");
    }
    put(e, "    return @_class[best].number;\n}\n");
}

static void put_pick(emitter *e, size_t shared) {
    bool own = shared < e->chunk_count;
    if (own) put_own(e);
    put(e, "/* The best of the classes with allowed[class] != 0 (NULL = all), -1 = none. */\n"
           "static int @_pick(const double *x, const unsigned char *allowed) {\n");
    cw_buf_printf(e->out, "    int sum[%zu], least = 0;\n    unsigned int i, best = %zu%s;\n", e->t->classes,
                  e->t->classes, own ? ", lead" : "");
    put_codes(e);
    cw_buf_printf(e->out, "    for (i = 0; i < %zu; i++)", e->t->classes);
    put(e, " sum[@_class[i].number] = @_class[i].base;\n");
    if (shared > 0) put_shared(e, shared);
    put_search(e, own);
}

static void put_all(emitter *e) {
    const packing *p = e->pack;
    size_t shared = 0;
    while (shared < e->chunk_count && e->chunks[shared].width > 1) shared++;
    cw_buf_printf(e->out, "typedef %s %s_code_t;\n", p->code, e->prefix);
    put_cuts(e);
    if (e->slot.count > 0) {
        put(e,
            "/* Nodes of complete trees, level by level: columns of eight trees, then their cuts. Where the\n"
            " * code of the column is above the cut, node i goes to 2i + 1, else to 2i. */\n");
        put_table(e, p->code, "node", &e->node);
        put(e, "/* Their leaves: of one class its value, made positive; of several the number of the row of\n"
               " * values. */\n");
        cw_buf_printf(e->out, "typedef %s %s_slot_t;\n", p->slot, e->prefix);
        put_table(e, p->slot, "slot", &e->slot);
    }
    if (e->root.count > 0) {
        cw_buf_printf(
            e->out,
            "/* Linked trees: from low to high bits, %u of column, %u of cut, then the distance to the\n"
            " * right child; the left one is next. Of a leaf, its slot. */\n",
            p->column_bits, p->cut_bits);
        cw_buf_printf(e->out, "typedef %s %s_word_t;\n", p->word, e->prefix);
        put_table(e, p->word, "word", &e->word);
        put_table(e, "unsigned int", "root", &e->root);
    }
    put_table(e, e->t->wide ? "int" : "short", "value", &e->value);
    put_chunks(e);
    put_classes(e, shared);
    put_walk(e);
    put_pick(e, shared);
}

cw_status cw_trees_emit(const void *state, const char *prefix, const int32_t *static_rank, size_t classes,
                        cw_buf *out, cw_error *err) {
    emitter e = {.t = state, .prefix = prefix, .static_rank = static_rank, .out = out};
    if (classes != e.t->classes)
        return cw_fail(err, CW_MISMATCH, "the trees have %zu classes, not %zu", e.t->classes, classes);
    /* What 32-bit indices and the bits of the wide packing can hold; far beyond what compiles. */
    if (e.t->node_count > 1U << 22 || e.t->value_count > INT32_MAX)
        return cw_fail(err, CW_UNSUPPORTED, "the trees are too large for C: %zu nodes", e.t->node_count);
    bool ok = find_cuts(&e) && find_chunks(&e);
    e.pack = ok && is_narrow(&e) ? &narrow : &wide;
    ok = ok && fill_tables(&e);
    if (ok) put_all(&e);
    cw_free(e.cuts);
    cw_free(e.cuts_of);
    cw_free(e.dense);
    cw_free(e.order);
    cw_free(e.chunks);
    cw_free(e.seen);
    table *all[] = {&e.node, &e.slot, &e.root, &e.word, &e.value};
    for (size_t i = 0; i < CW_COUNT(all); i++) cw_free(all[i]->at);
    return ok && !out->failed ? CW_OK : cw_fail_memory(err);
}

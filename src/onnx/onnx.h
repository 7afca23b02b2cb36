/* onnx.h: inside view of exchanging models of trees as ONNX-ML (docs/formats.md). export.c writes; graph.c
 * finds the trees in a file and what becomes of their scores, ensemble.c turns them into a cw_trees, import.c
 * makes a model of it. The messages are those of onnx.proto, as protobuf-c holds them. */
#ifndef CW_ONNX_H
#define CW_ONNX_H

#include "../learn/trees.h"
#include "onnx.pb-c.h"
#include <float.h>
#include <math.h>

/* TensorProto.data_type and TypeProto.elem_type; AttributeProto.type. */
enum { ONNX_FLOAT = 1, ONNX_INT64 = 7, ONNX_DOUBLE = 11 };
enum {
    ONNX_AS_FLOAT = 1,
    ONNX_AS_INT,
    ONNX_AS_STRING,
    ONNX_AS_TENSOR,
    ONNX_AS_FLOATS = 6,
    ONNX_AS_INTS,
    ONNX_AS_STRINGS
};

/* metadata_props of files written here. */
#define CW_ONNX_MODEL "convwise.model" /* the model file but for what the graph says: JSON */

/* The largest float that is at most t; t is finite. */
static inline float cw_float_below(double t) {
    float f = t > FLT_MAX ? FLT_MAX : (float)t;
    return (double)f > t ? nextafterf(f, -INFINITY) : f;
}

/* The graph of a model: what export writes, and import compares with. Everything lies in the arena. */
typedef struct cw_onnx_arena {
    void **block;
    size_t count, capacity;
    bool failed;
} cw_onnx_arena;
void *cw_onnx_take(cw_onnx_arena *arena, size_t n,
                   size_t size); /* zeroed; NULL = out of memory, and failed is set */
void cw_onnx_release(cw_onnx_arena *arena);
/* CW_UNSUPPORTED: not a learner of trees. */
cw_status cw_onnx_graph(const cw_model *model, cw_onnx_arena *arena, Onnx__GraphProto **out, cw_error *err);

/* Text of a file as part of a message: at most 60 characters, printable. */
typedef struct cw_quoted {
    char text[64];
} cw_quoted;
cw_quoted cw_onnx_quote(const char *text);
const char *cw_onnx_text(const ProtobufCBinaryData *bytes, cw_quoted *out);

/* One node of trees, and how its scores count. */
typedef struct cw_onnx_part {
    const Onnx__NodeProto *node;
    size_t first; /* its first output's place among the model's scores */
} cw_onnx_part;

/* What graph.c finds. Borrowed from the file. */
typedef struct cw_onnx_found {
    bool classifier;
    bool most_wins;       /* the largest score wins, not the smallest */
    cw_onnx_part *part;   /* cw_free */
    size_t parts, scores; /* scores: over all parts */
    size_t columns;       /* of the input, 0 = the file does not say */
    size_t silent;        /* a score that no leaf adds to, SIZE_MAX = none; cw_onnx_trees sets it */
} cw_onnx_found;
cw_status cw_onnx_find(const Onnx__GraphProto *graph, cw_onnx_found *out, cw_error *err);
/* NULL = the node has none of that name. */
const Onnx__AttributeProto *cw_onnx_attribute(const Onnx__NodeProto *node, const char *name);

/* Sums of trees: the class of score s is class_of[s] (a permutation), cost = minus the score where the
 * largest wins. rounding: by how much a cost may be off. */
cw_status cw_onnx_trees(cw_onnx_found *found, size_t columns, const size_t *class_of, cw_trees **out,
                        double *rounding, cw_error *err);

#endif

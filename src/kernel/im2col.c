/* im2col.c: source windows as rows of a matrix, for the GEMM kinds. */
#include <string.h>
#include "kernel.h"

bool cw_im2col_is_plain(const cw_problem *p) {
    return p->kh == 1 && p->kw == 1 && p->sh == 1 && p->sw == 1 && !p->pt && !p->pl && !p->pb && !p->pr;
}

void cw_im2col_row(const cw_problem *p, const cw_sizes *sizes, const float *src, int64_t pixel, int64_t group,
                   float *row) {
    int64_t icg = p->ic / p->g, ow = sizes->ow, oh = sizes->oh;
    int64_t left = pixel % ow * p->sw - p->pl, top = pixel / ow % oh * p->sh - p->pt;
    const float *image = src + pixel / ow / oh * p->ih * p->iw * p->ic + group * icg;
    /* Neighbouring taps of a dense kernel lie side by side: one copy for the whole row of the window. */
    bool side_by_side = p->g == 1 && p->dw == 0 && left >= 0 && left + p->kw <= p->iw;
    for (int64_t i = 0; i < p->kh; i++) {
        int64_t y = top + i * (p->dh + 1);
        if (y < 0 || y >= p->ih) {
            memset(row, 0, (size_t)(p->kw * icg) * sizeof *row);
            row += p->kw * icg;
        } else if (side_by_side) {
            memcpy(row, image + (y * p->iw + left) * p->ic, (size_t)(p->kw * icg) * sizeof *row);
            row += p->kw * icg;
        } else {
            for (int64_t j = 0; j < p->kw; j++, row += icg) {
                int64_t x = left + j * (p->dw + 1);
                if (x < 0 || x >= p->iw)
                    memset(row, 0, (size_t)icg * sizeof *row);
                else
                    memcpy(row, image + (y * p->iw + x) * p->ic, (size_t)icg * sizeof *row);
            }
        }
    }
}

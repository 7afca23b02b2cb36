#!/usr/bin/env python3
"""Writes the layer tables of this folder: python3 derive.py DIR

Each network is built layer by layer on a tensor that carries its shape and
whether its values can be negative. Every convolution is recorded as it runs;
fully connected layers are only counted. DIR receives one <name>.txt per
network and totals.csv; a summary goes to standard output.
"""
import math
import os
import sys
from collections import namedtuple

# c x h x w activation of one image; nn: all values are non-negative
T = namedtuple("T", "c h w nn")

NON_NEGATIVE = {"relu", "relu6", "sigmoid", "hsigmoid"}
SIGNED = {None, "leaky", "silu", "hswish"}


def pair(v):
    return v if isinstance(v, tuple) else (v, v)


class Net:
    """Records the convolutions of one network in execution order."""

    def __init__(self, name, title, size, source):
        self.name, self.title, self.size, self.source = name, title, size, source
        self.layers = []                # (descriptor, name, zp: input or output can be negative)
        self.macs = self.fc_macs = 0

    def image(self):
        return T(3, self.size, self.size, False)

    def conv(self, x, oc, k, name, s=1, p=0, g=1, d=1, act="relu"):
        """k, s, p: int or (h, w); p may be 'same' (TensorFlow); d: 1 = dense."""
        assert act in NON_NEGATIVE | SIGNED and x.c % g == 0 and oc % g == 0
        (kh, kw), (sh, sw) = pair(k), pair(s)
        if p == "same":
            oh, ow = -(-x.h // sh), -(-x.w // sw)
            ph, pw = (max((o - 1) * t + (f - 1) * d + 1 - i, 0) // 2
                      for o, t, f, i in ((oh, sh, kh, x.h), (ow, sw, kw, x.w)))
        else:
            ph, pw = pair(p)
            oh, ow = ((i + 2 * q - (f - 1) * d - 1) // t + 1
                      for i, q, f, t in ((x.h, ph, kh, sh), (x.w, pw, kw, sw)))
        square = (x.h, oh, kh, sh, ph) == (x.w, ow, kw, sw, pw)
        t = "g%d" % g if g > 1 else ""
        t += "mb1ic%dih%d" % (x.c, x.h) + ("" if square else "iw%d" % x.w)
        t += "oc%doh%d" % (oc, oh) + ("" if square else "ow%d" % ow)
        t += "kh%d" % kh + ("" if square else "kw%d" % kw)
        t += "sh%d" % sh if sh > 1 or sw != sh else ""
        t += "sw%d" % sw if sw != sh else ""
        t += "dh%d" % (d - 1) if d > 1 else ""
        t += "ph%d" % ph + ("pw%d" % pw if pw != ph else "")
        self.layers.append((t, name, not x.nn or act not in NON_NEGATIVE))
        self.macs += oc * oh * ow * (x.c // g) * kh * kw
        return T(oc, oh, ow, act in NON_NEGATIVE)

    def dw(self, x, k, name, **kw):
        return self.conv(x, x.c, k, name, g=x.c, **kw)

    def squeeze_excite(self, x, mid, names, act, gate):
        """Scales x by a gate in [0, 1], so the sign of x is unchanged."""
        y = self.conv(T(x.c, 1, 1, x.nn), mid, 1, names[0], act=act)
        self.conv(y, x.c, 1, names[1], act=gate)
        return x

    def fc(self, *widths):
        self.fc_macs += sum(a * b for a, b in zip(widths, widths[1:]))


def pool(x, k, s, p=0, ceil=False):
    """Maximum or average pooling: keeps the channels and the sign."""
    f = (lambda n: -(-n // s)) if ceil else (lambda n: n // s)
    return T(x.c, f(x.h + 2 * p - k) + 1, f(x.w + 2 * p - k) + 1, x.nn)


def concat(*xs):
    assert len({(x.h, x.w) for x in xs}) == 1
    return T(sum(x.c for x in xs), xs[0].h, xs[0].w, all(x.nn for x in xs))


def add(a, b):
    assert a[:3] == b[:3]
    return a._replace(nn=a.nn and b.nn)


def relu(x):
    return x._replace(nn=True)


# ---------------------------------------------------------------- networks

def alexnet(n):
    x = n.conv(n.image(), 64, 11, "features.0", s=4, p=2)
    x = n.conv(pool(x, 3, 2), 192, 5, "features.3", p=2)
    x = n.conv(pool(x, 3, 2), 384, 3, "features.6", p=1)
    x = n.conv(x, 256, 3, "features.8", p=1)
    x = n.conv(x, 256, 3, "features.10", p=1)
    x = pool(x, 3, 2)
    n.fc(x.c * x.h * x.w, 4096, 4096, 1000)


def vgg16(n):
    x, i = n.image(), 0
    for oc, reps in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for _ in range(reps):
            x = n.conv(x, oc, 3, "features.%d" % i, p=1)
            i += 2
        x = pool(x, 2, 2)
        i += 1
    n.fc(x.c * x.h * x.w, 4096, 4096, 1000)


def googlenet(n):
    def inception(x, tag, c1, r3, c3, r5, c5, cp):
        tag = "inception_" + tag
        a = n.conv(x, c1, 1, tag + "/1x1")
        b = n.conv(x, r3, 1, tag + "/3x3_reduce")
        b = n.conv(b, c3, 3, tag + "/3x3", p=1)
        c = n.conv(x, r5, 1, tag + "/5x5_reduce")
        c = n.conv(c, c5, 5, tag + "/5x5", p=2)
        d = n.conv(pool(x, 3, 1, 1), cp, 1, tag + "/pool_proj")
        return concat(a, b, c, d)

    x = n.conv(n.image(), 64, 7, "conv1/7x7_s2", s=2, p=3)
    x = n.conv(pool(x, 3, 2, ceil=True), 64, 1, "conv2/3x3_reduce")
    x = n.conv(x, 192, 3, "conv2/3x3", p=1)
    x = pool(x, 3, 2, ceil=True)
    x = inception(x, "3a", 64, 96, 128, 16, 32, 32)
    x = inception(x, "3b", 128, 128, 192, 32, 96, 64)
    x = pool(x, 3, 2, ceil=True)
    x = inception(x, "4a", 192, 96, 208, 16, 48, 64)
    x = inception(x, "4b", 160, 112, 224, 24, 64, 64)
    x = inception(x, "4c", 128, 128, 256, 24, 64, 64)
    x = inception(x, "4d", 112, 144, 288, 32, 64, 64)
    x = inception(x, "4e", 256, 160, 320, 32, 128, 128)
    x = pool(x, 3, 2, ceil=True)
    x = inception(x, "5a", 256, 160, 320, 32, 128, 128)
    x = inception(x, "5b", 384, 192, 384, 48, 128, 128)
    n.fc(x.c, 1000)


def squeezenet1_1(n):
    x = n.conv(n.image(), 64, 3, "features.0", s=2)
    i = 2
    for stage in (((16, 64), (16, 64)), ((32, 128), (32, 128)),
                  ((48, 192), (48, 192), (64, 256), (64, 256))):
        x = pool(x, 3, 2, ceil=True)
        for sq, ex in stage:
            i += 1
            y = n.conv(x, sq, 1, "features.%d.squeeze" % i)
            x = concat(n.conv(y, ex, 1, "features.%d.expand1x1" % i),
                       n.conv(y, ex, 3, "features.%d.expand3x3" % i, p=1))
        i += 1
    n.conv(x, 1000, 1, "classifier.1")


def resnet18(n):
    x = pool(n.conv(n.image(), 64, 7, "conv1", s=2, p=3), 3, 2, 1)
    for i, c in enumerate((64, 128, 256, 512)):
        for j in range(2):
            tag, s = "layer%d.%d." % (i + 1, j), 2 if i and not j else 1
            y = n.conv(x, c, 3, tag + "conv1", s=s, p=1)
            y = n.conv(y, c, 3, tag + "conv2", p=1, act=None)
            if s != 1 or x.c != c:
                x = n.conv(x, c, 1, tag + "downsample.0", s=s, act=None)
            x = relu(add(y, x))
    n.fc(x.c, 1000)


def resnet50(n, width=64, g=1):
    """Stride in the 3x3 (v1.5). width 128, 32 groups: ResNeXt-50 32x4d."""
    x = pool(n.conv(n.image(), 64, 7, "conv1", s=2, p=3), 3, 2, 1)
    for i, reps in enumerate((3, 4, 6, 3)):
        mid, oc = width << i, 256 << i
        for j in range(reps):
            tag, s = "layer%d.%d." % (i + 1, j), 2 if i and not j else 1
            y = n.conv(x, mid, 1, tag + "conv1")
            y = n.conv(y, mid, 3, tag + "conv2", s=s, p=1, g=g)
            y = n.conv(y, oc, 1, tag + "conv3", act=None)
            if not j:
                x = n.conv(x, oc, 1, tag + "downsample.0", s=s, act=None)
            x = relu(add(y, x))
    n.fc(x.c, 1000)


def resnext50(n):
    resnet50(n, width=128, g=32)


def mobilenet_v1(n):
    x = n.conv(n.image(), 32, 3, "Conv2d_0", s=2, p="same", act="relu6")
    for i, (s, oc) in enumerate(((1, 64), (2, 128), (1, 128), (2, 256), (1, 256),
                                 (2, 512)) + ((1, 512),) * 5 + ((2, 1024), (1, 1024))):
        x = n.dw(x, 3, "Conv2d_%d_depthwise" % (i + 1), s=s, p="same", act="relu6")
        x = n.conv(x, oc, 1, "Conv2d_%d_pointwise" % (i + 1), act="relu6")
    n.fc(x.c, 1000)


def mobilenet_v2(n):
    x = n.conv(n.image(), 32, 3, "features.0.0", s=2, p=1, act="relu6")
    i = 1
    for t, c, reps, s in ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2),
                          (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)):
        for j in range(reps):
            tag, k, st = "features.%d.conv." % i, 0, s if j == 0 else 1
            y = x
            if t > 1:
                y = n.conv(y, x.c * t, 1, tag + "0.0", act="relu6")
                k = 1
            y = n.dw(y, 3, tag + "%d.0" % k, s=st, p=1, act="relu6")
            y = n.conv(y, c, 1, tag + "%d" % (k + 1), act=None)
            x = add(x, y) if st == 1 and x.c == c else y
            i += 1
    x = n.conv(x, 1280, 1, "features.18.0", act="relu6")
    n.fc(x.c, 1000)


def inception_v3(n):
    def chain(x, tag, *convs):
        for name, oc, k, kw in convs:
            x = n.conv(x, oc, k, tag + "." + name, **kw)
        return x

    w7, h7 = dict(p=(0, 3)), dict(p=(3, 0))

    def a(x, tag, cp):
        return concat(
            chain(x, tag, ("branch1x1", 64, 1, {})),
            chain(x, tag, ("branch5x5_1", 48, 1, {}), ("branch5x5_2", 64, 5, dict(p=2))),
            chain(x, tag, ("branch3x3dbl_1", 64, 1, {}), ("branch3x3dbl_2", 96, 3, dict(p=1)),
                  ("branch3x3dbl_3", 96, 3, dict(p=1))),
            chain(pool(x, 3, 1, 1), tag, ("branch_pool", cp, 1, {})))

    def b(x, tag):
        return concat(
            chain(x, tag, ("branch3x3", 384, 3, dict(s=2))),
            chain(x, tag, ("branch3x3dbl_1", 64, 1, {}), ("branch3x3dbl_2", 96, 3, dict(p=1)),
                  ("branch3x3dbl_3", 96, 3, dict(s=2))),
            pool(x, 3, 2))

    def c(x, tag, m):
        return concat(
            chain(x, tag, ("branch1x1", 192, 1, {})),
            chain(x, tag, ("branch7x7_1", m, 1, {}), ("branch7x7_2", m, (1, 7), w7),
                  ("branch7x7_3", 192, (7, 1), h7)),
            chain(x, tag, ("branch7x7dbl_1", m, 1, {}), ("branch7x7dbl_2", m, (7, 1), h7),
                  ("branch7x7dbl_3", m, (1, 7), w7), ("branch7x7dbl_4", m, (7, 1), h7),
                  ("branch7x7dbl_5", 192, (1, 7), w7)),
            chain(pool(x, 3, 1, 1), tag, ("branch_pool", 192, 1, {})))

    def d(x, tag):
        return concat(
            chain(x, tag, ("branch3x3_1", 192, 1, {}), ("branch3x3_2", 320, 3, dict(s=2))),
            chain(x, tag, ("branch7x7x3_1", 192, 1, {}), ("branch7x7x3_2", 192, (1, 7), w7),
                  ("branch7x7x3_3", 192, (7, 1), h7), ("branch7x7x3_4", 192, 3, dict(s=2))),
            pool(x, 3, 2))

    def split(x, tag, left, right):
        return concat(chain(x, tag, (left, 384, (1, 3), dict(p=(0, 1)))),
                      chain(x, tag, (right, 384, (3, 1), dict(p=(1, 0)))))

    def e(x, tag):
        p = chain(x, tag, ("branch1x1", 320, 1, {}))
        q = chain(x, tag, ("branch3x3_1", 384, 1, {}))
        q = split(q, tag, "branch3x3_2a", "branch3x3_2b")
        r = chain(x, tag, ("branch3x3dbl_1", 448, 1, {}),
                  ("branch3x3dbl_2", 384, 3, dict(p=1)))
        r = split(r, tag, "branch3x3dbl_3a", "branch3x3dbl_3b")
        return concat(p, q, r, chain(pool(x, 3, 1, 1), tag, ("branch_pool", 192, 1, {})))

    x = n.conv(n.image(), 32, 3, "Conv2d_1a_3x3", s=2)
    x = n.conv(x, 32, 3, "Conv2d_2a_3x3")
    x = n.conv(x, 64, 3, "Conv2d_2b_3x3", p=1)
    x = n.conv(pool(x, 3, 2), 80, 1, "Conv2d_3b_1x1")
    x = n.conv(x, 192, 3, "Conv2d_4a_3x3")
    x = pool(x, 3, 2)
    for tag, cp in (("Mixed_5b", 32), ("Mixed_5c", 64), ("Mixed_5d", 64)):
        x = a(x, tag, cp)
    x = b(x, "Mixed_6a")
    for tag, m in (("Mixed_6b", 128), ("Mixed_6c", 160), ("Mixed_6d", 160), ("Mixed_6e", 192)):
        x = c(x, tag, m)
    x = e(e(d(x, "Mixed_7a"), "Mixed_7b"), "Mixed_7c")
    n.fc(x.c, 1000)


def densenet121(n):
    """Batch norm and ReLU come before each convolution, so all but the first
    read non-negative data although every convolution output is signed."""
    x = pool(n.conv(n.image(), 64, 7, "features.conv0", s=2, p=3), 3, 2, 1)
    for i, reps in enumerate((6, 12, 24, 16), 1):
        for j in range(1, reps + 1):
            tag = "features.denseblock%d.denselayer%d." % (i, j)
            y = n.conv(relu(x), 128, 1, tag + "conv1", act="relu")
            x = concat(x, n.conv(y, 32, 3, tag + "conv2", p=1, act=None))
        if i < 4:
            x = pool(n.conv(relu(x), x.c // 2, 1, "features.transition%d.conv" % i,
                            act=None), 2, 2)
    n.fc(x.c, 1000)


def efficientnet_b0(n):
    x = n.conv(n.image(), 32, 3, "stem_conv", s=2, p="same", act="silu")
    for i, (t, k, c, reps, s) in enumerate((
            (1, 3, 16, 1, 1), (6, 3, 24, 2, 2), (6, 5, 40, 2, 2), (6, 3, 80, 3, 2),
            (6, 5, 112, 3, 1), (6, 5, 192, 4, 2), (6, 3, 320, 1, 1))):
        for j in range(reps):
            tag, st = "block%d%s_" % (i + 1, chr(97 + j)), s if j == 0 else 1
            y = x
            if t > 1:
                y = n.conv(y, x.c * t, 1, tag + "expand_conv", act="silu")
            y = n.dw(y, k, tag + "dwconv", s=st, p="same", act="silu")
            y = n.squeeze_excite(y, x.c // 4, (tag + "se_reduce", tag + "se_expand"),
                                 "silu", "sigmoid")
            y = n.conv(y, c, 1, tag + "project_conv", act=None)
            x = add(x, y) if st == 1 and x.c == c else y
    x = n.conv(x, 1280, 1, "top_conv", act="silu")
    n.fc(x.c, 1000)


def yolov3_tiny(n):
    def conv(x, oc, k, i, act="leaky"):
        return n.conv(x, oc, k, "conv_%d" % i, p=k // 2, act=act)

    x = n.image()
    for i, oc in ((0, 16), (2, 32), (4, 64), (6, 128), (8, 256)):
        route8 = x = conv(x, oc, 3, i)
        x = pool(x, 2, 2)
    x = conv(x, 512, 3, 10)             # then a 2x2 stride-1 pool that keeps 13x13
    x = conv(x, 1024, 3, 12)
    route13 = x = conv(x, 256, 1, 13)
    conv(conv(x, 512, 3, 14), 255, 1, 15, act=None)
    x = conv(route13, 128, 1, 18)
    x = concat(T(x.c, 2 * x.h, 2 * x.w, x.nn), route8)
    conv(conv(x, 256, 3, 21), 255, 1, 22, act=None)


def divisible(v, by=8):
    r = max(by, int(v + by / 2) // by * by)
    return r + by if r < 0.9 * v else r


def mobilenet_v3_body(n, prefix, dilated=False):
    """Returns the last feature map and the output of block 6 (stride 8)."""
    x = n.conv(n.image(), 16, 3, prefix + "0.0", s=2, p=1, act="hswish")
    rows = ((3, 16, 16, 0, "relu", 1), (3, 64, 24, 0, "relu", 2), (3, 72, 24, 0, "relu", 1),
            (5, 72, 40, 1, "relu", 2), (5, 120, 40, 1, "relu", 1), (5, 120, 40, 1, "relu", 1),
            (3, 240, 80, 0, "hswish", 2), (3, 200, 80, 0, "hswish", 1),
            (3, 184, 80, 0, "hswish", 1), (3, 184, 80, 0, "hswish", 1),
            (3, 480, 112, 1, "hswish", 1), (3, 672, 112, 1, "hswish", 1),
            (5, 672, 160, 1, "hswish", 2), (5, 960, 160, 1, "hswish", 1),
            (5, 960, 160, 1, "hswish", 1))
    for i, (k, ex, c, se, act, s) in enumerate(rows, 1):
        d = 2 if dilated and i >= 13 else 1
        tag, b, y = prefix + "%d.block." % i, 0, x
        if ex != x.c:
            y = n.conv(y, ex, 1, tag + "0.0", act=act)
            b = 1
        y = n.dw(y, k, tag + "%d.0" % b, s=1 if d > 1 else s, p=k // 2 * d, d=d, act=act)
        if se:
            b += 1
            y = n.squeeze_excite(y, divisible(ex // 4), (tag + "%d.fc1" % b, tag + "%d.fc2" % b),
                                 "relu", "hsigmoid")
        y = n.conv(y, c, 1, tag + "%d.0" % (b + 1), act=None)
        x = add(x, y) if s == 1 and x.c == c else y
        if i == 6:
            stride8 = x
    return n.conv(x, 960, 1, prefix + "16.0", act="hswish"), stride8


def mobilenet_v3_large(n):
    x, _ = mobilenet_v3_body(n, "features.")
    n.fc(x.c, 1280, 1000)


def deeplabv3_mobilenet_v3(n):
    x, aux = mobilenet_v3_body(n, "backbone.", dilated=True)
    y = [n.conv(x, 256, 1, "classifier.0.convs.0.0")]
    for i, d in enumerate((12, 24, 36), 1):
        y.append(n.conv(x, 256, 3, "classifier.0.convs.%d.0" % i, p=d, d=d))
    z = n.conv(T(x.c, 1, 1, x.nn), 256, 1, "classifier.0.convs.4.1")
    y.append(T(z.c, x.h, x.w, z.nn))
    x = n.conv(concat(*y), 256, 1, "classifier.0.project.0")
    x = n.conv(x, 256, 3, "classifier.1", p=1)
    n.conv(x, 21, 1, "classifier.4", act=None)
    x = n.conv(aux, aux.c // 4, 3, "aux_classifier.0", p=1)
    n.conv(x, 21, 1, "aux_classifier.4", act=None)


def shufflenet_v2(n):
    x = pool(n.conv(n.image(), 24, 3, "conv1.0", s=2, p=1), 3, 2, 1)
    for stage, (c, reps) in enumerate(((116, 4), (232, 8), (464, 4)), 2):
        h = c // 2
        for j in range(reps):
            tag, s = "stage%d.%d." % (stage, j), 1 if j else 2
            if j:                       # half of the channels passes through
                a = b = x._replace(c=h)
            else:
                a = n.dw(x, 3, tag + "branch1.0", s=2, p=1, act=None)
                a = n.conv(a, h, 1, tag + "branch1.2")
                b = x
            b = n.conv(b, h, 1, tag + "branch2.0")
            b = n.dw(b, 3, tag + "branch2.3", s=s, p=1, act=None)
            b = n.conv(b, h, 1, tag + "branch2.5")
            x = concat(a, b)
    x = n.conv(x, 1024, 1, "conv5.0")
    n.fc(x.c, 1000)


# file name, title, input size, builder, source,
# published multiply-adds, half a unit of the last digit, where published
TV = "torchvision 0.20 %s_Weights"
NETS = (
    ("alexnet", "AlexNet (one weird trick)", 224, alexnet,
     "Krizhevsky 2014 arXiv:1404.5997; torchvision alexnet (64/192/384/256/256 channels and no groups)",
     714e6, 5e5, TV % "AlexNet"),
    ("vgg16", "VGG-16", 224, vgg16,
     "Simonyan and Zisserman 2014 arXiv:1409.1556 configuration D; torchvision vgg16",
     15470e6, 5e6, TV % "VGG16"),
    ("googlenet", "GoogLeNet (Inception v1)", 224, googlenet,
     "Szegedy et al. 2014 arXiv:1409.4842 table 1 with 5x5 branches; layer names of Caffe bvlc_googlenet; no auxiliary classifiers",
     1.58e9, 5e6, "KamelAbdelouahab/CNN-Workload (Caffe bvlc_googlenet)"),
    ("squeezenet1_1", "SqueezeNet 1.1", 224, squeezenet1_1,
     "Iandola et al. 2016 arXiv:1602.07360; version 1.1 as torchvision squeezenet1_1",
     349e6, 5e5, TV % "SqueezeNet1_1"),
    ("resnet18", "ResNet-18", 224, resnet18,
     "He et al. 2015 arXiv:1512.03385; torchvision resnet18",
     1814e6, 5e5, TV % "ResNet18"),
    ("resnet50", "ResNet-50 v1.5", 224, resnet50,
     "He et al. 2015 arXiv:1512.03385; torchvision resnet50 (stride in the 3x3)",
     4089e6, 5e5, TV % "ResNet50"),
    ("mobilenet_v1", "MobileNet v1 1.0", 224, mobilenet_v1,
     "Howard et al. 2017 arXiv:1704.04861; TF-Slim mobilenet_v1 ('same' padding)",
     569e6, 5e5, "arXiv:1704.04861 tables 6 and 7"),
    ("mobilenet_v2", "MobileNet v2 1.0", 224, mobilenet_v2,
     "Sandler et al. 2018 arXiv:1801.04381; torchvision mobilenet_v2",
     301e6, 5e5, TV % "MobileNet_V2"),
    ("inception_v3", "Inception v3", 299, inception_v3,
     "Szegedy et al. 2015 arXiv:1512.00567; torchvision inception_v3 without the auxiliary classifier",
     5713e6, 5e5, TV % "Inception_V3"),
    ("densenet121", "DenseNet-121", 224, densenet121,
     "Huang et al. 2016 arXiv:1608.06993; torchvision densenet121",
     2834e6, 5e5, TV % "DenseNet121"),
    ("efficientnet_b0", "EfficientNet-B0", 224, efficientnet_b0,
     "Tan and Le 2019 arXiv:1905.11946; Keras layer names and TensorFlow 'same' padding; squeeze-excite as 1x1 convolutions",
     386e6, 5e5, TV % "EfficientNet_B0"),
    ("yolov3_tiny", "YOLOv3-tiny", 416, yolov3_tiny,
     "Redmon and Farhadi 2018 arXiv:1804.02767; Darknet cfg/yolov3-tiny.cfg (80 classes; numbered as in the cfg)",
     5.56e9 / 2, 5e6 / 2, "pjreddie.com/darknet/yolo (5.56 Bn FLOPs = twice the multiply-adds)"),
    ("mobilenet_v3_large", "MobileNet v3 Large 1.0", 224, mobilenet_v3_large,
     "Howard et al. 2019 arXiv:1905.02244; torchvision mobilenet_v3_large",
     217e6, 5e5, TV % "MobileNet_V3_Large"),
    ("shufflenet_v2_x1_0", "ShuffleNet v2 1.0x", 224, shufflenet_v2,
     "Ma et al. 2018 arXiv:1807.11164; torchvision shufflenet_v2_x1_0",
     145e6, 5e5, TV % "ShuffleNet_V2_X1_0"),
    ("resnext50_32x4d", "ResNeXt-50 32x4d", 224, resnext50,
     "Xie et al. 2016 arXiv:1611.05431; torchvision resnext50_32x4d",
     4230e6, 5e5, TV % "ResNeXt50_32X4D"),
    ("deeplabv3_mobilenet_v3_large", "DeepLabv3 with MobileNet v3 Large", 520, deeplabv3_mobilenet_v3,
     "Chen et al. 2017 arXiv:1706.05587; torchvision deeplabv3_mobilenet_v3_large with its second (auxiliary) output, which runs at inference",
     10452e6, 5e5, TV % "DeepLabV3_MobileNet_V3_Large"),
)


def main(out):
    os.makedirs(out, exist_ok=True)
    rows = ["network,conv_layers,conv_macs,fc_macs,published_macs,tolerance_pct,source"]
    for name, title, size, build, source, published, half, where in NETS:
        n = Net(name, title, size, source)
        build(n)
        with open(os.path.join(out, name + ".txt"), "w", newline="\n") as f:
            f.write("# network: %s\n# input: 1x3x%dx%d\n# source: %s\n" % (title, size, size, source))
            f.write("# macs: %d\n" % n.macs)
            f.write("# published: %.4ge9 multiply-adds (%s)\n" % (published / 1e9, where))
            f.write("# layers: %d\n" % len(n.layers))
            for desc, layer, zp in n.layers:
                f.write('%sn"%s"%s\n' % (desc, layer, ",zp" if zp else ""))
        # half a unit of the published figure's last digit, rounded up
        tol = math.ceil(half / published * 1e5) / 1e3
        rows.append("%s,%d,%d,%d,%d,%.3f,%s" % (
            name, len(n.layers), n.macs, n.fc_macs, published, tol, where))
        total = n.macs + n.fc_macs
        print("| %s | %d | %d | %d | %d | %d | %d | %+.3f | %.3f |" % (
            name, size, len(n.layers), len({d for d, _, _ in n.layers}), n.macs, n.fc_macs,
            published, 100 * (total - published) / published, tol))
    with open(os.path.join(out, "totals.csv"), "w", newline="\n") as f:
        f.write("\n".join(rows) + "\n")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__.strip())
    main(sys.argv[1])

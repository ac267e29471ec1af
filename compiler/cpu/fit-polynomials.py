#!/usr/bin/env python3
# ===- fit-polynomials.py - the coefficients of ExpandMath.cpp ---------------===#
#
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===------------------------------------------------------------------------===#
#
# Fits the polynomials that ExpandMath.cpp evaluates (that of erf afn is in
# compiler/ShortErf.h), rounds them to f32, and
# prints them, highest degree first, with their error: weighted least squares on
# Chebyshev nodes, the weights raised where the error is large (Lawson), which
# comes close to the minimax fit. Needs numpy and mpmath; nothing at build time
# runs it.
#
# ===------------------------------------------------------------------------===#
import mpmath
import numpy as np

mpmath.mp.prec = 120


def nodes(low, high, count=600):
    """Chebyshev nodes, dense at both ends."""
    t = np.cos(np.pi * (np.arange(count) + 0.5) / count)
    return low + (high - low) * (t + 1) / 2


def exact(function, points):
    return np.array([float(function(mpmath.mpf(float(p)))) for p in points])


def solve(matrix, right, weight):
    """Weighted least squares with scaled columns."""
    matrix = matrix * weight[:, None]
    scale = np.abs(matrix).max(axis=0)
    return np.linalg.lstsq(matrix / scale, right * weight, rcond=None)[0] / scale


def lawson(error, weight):
    weight = weight * np.sqrt(np.abs(error) / np.abs(error).max() + 1e-3)
    return weight / weight.max()


def fit_polynomial(function, low, high, degree, fixed=(), scale=None):
    """Coefficients from degree 0 up; `fixed` gives the first ones. The error is
    relative to the function, or to `scale`."""
    x = nodes(low, high)
    y = exact(function, x)
    base = np.abs(exact(scale, x) if scale else y)
    powers = np.arange(len(fixed), degree + 1)
    matrix = x[:, None] ** powers / base[:, None]
    known = sum(c * x**i for i, c in enumerate(fixed)) if fixed else 0 * x
    weight = np.ones_like(x)
    best, smallest = None, np.inf
    for _ in range(60):
        free = solve(matrix, (y - known) / base, weight)
        error = matrix @ free + (known - y) / base
        if np.abs(error).max() < smallest:
            best, smallest = free, np.abs(error).max()
        weight = lawson(error, weight)
    return list(fixed) + list(best), smallest


def show(name, coefficients, error):
    print(f"// {name}; error {error:.2g}")
    print(", ".join(f"{np.float32(c):.9g}f" for c in reversed(coefficients)))


# erf is a polynomial below this, 1 - exp2 of one above.
ERF_SPLIT = 0.921875
# 1 - erf is below half an ulp of 1 from 3.92 on.
ERF_TOP = 4.0


def tables():
    """(name, coefficients, error) of every polynomial of ExpandMath.cpp."""
    half = float(mpmath.log(2) / 2)
    two = mpmath.mpf(2)
    # Twice the function, because ExpandMath scales by half the power of two.
    yield ("kExp: 2 exp(r), |r| <= ln(2) / 2",
           *fit_polynomial(lambda r: 2 * mpmath.exp(r), -half, half, 6,
                           (2.0, 2.0)))
    yield ("kExpRough: 2 exp(r), |r| <= ln(2) / 2",
           *fit_polynomial(lambda r: 2 * mpmath.exp(r), -half, half, 3))
    yield ("kExp2: 2 exp2(r), |r| <= 1/2",
           *fit_polynomial(lambda r: 2 * two**r, -0.5, 0.5, 6, (2.0,)))

    # With s = x^2: tanh(x) = x + x s P(s); the error counts against tanh(x) / x.
    def tanh_rest(s):
        x = mpmath.sqrt(s)
        return (mpmath.tanh(x) / x - 1) / s
    yield ("kTanh: (tanh(x) / x - 1) / s, s = x^2, x <= 0.625",
           *fit_polynomial(tanh_rest, 1e-6, 0.625**2, 4, (),
                           lambda s: mpmath.tanh(mpmath.sqrt(s)) / s**1.5))

    # erf(x) = x + x P(s) below the split.
    def erf_rest(s):
        x = mpmath.sqrt(s)
        return mpmath.erf(x) / x - 1
    yield ("kErfSmall: erf(x) / x - 1, s = x^2, x <= kErfSplit",
           *fit_polynomial(erf_rest, 1e-8, ERF_SPLIT**2, 5, (),
                           lambda s: erf_rest(s) + 1))
    # 1 - erf(x) = exp2(x P(x)) above; an error of the exponent counts times
    # 1 - erf(x), and x is |x| at most ERF_TOP.
    yield ("kErfLarge: log2(1 - erf(x)) / x, x >= kErfSplit",
           *fit_polynomial(lambda x: mpmath.log(mpmath.erfc(x), 2) / x,
                           ERF_SPLIT, ERF_TOP, 5, (),
                           lambda x: 1 / (x * mpmath.erfc(x) * mpmath.log(2))))
    # Rough: erf(x) = x P(s) up to 3, where 1 - erf is 2.2e-5.
    yield ("kErfRough: erf(x) / x, s = x^2, x <= kErfRoughTop",
           *fit_polynomial(lambda s: erf_rest(s) + 1, 1e-6, 9.0, 8, (),
                           lambda s: 1 / mpmath.sqrt(s)))
    # Its exp2 may be less exact than the one above.
    yield ("kErfExp2: exp2(r), |r| <= 1/2",
           *fit_polynomial(lambda r: two**r, -0.5, 0.5, 5, (1.0,)))

    # With s = r^2: sin(r) = r + r s P(s), cos(r) = 1 - s / 2 + s^2 P(s).
    quarter = float(mpmath.pi / 4) * 1.0001

    def sin_rest(s):
        r = mpmath.sqrt(s)
        return (mpmath.sin(r) / r - 1) / s
    yield ("kSin: (sin(r) / r - 1) / s, s = r^2, |r| <= pi / 4",
           *fit_polynomial(sin_rest, 1e-6, quarter**2, 2, (),
                           lambda s: mpmath.sin(mpmath.sqrt(s)) / s**1.5))

    def cos_rest(s):
        return (mpmath.cos(mpmath.sqrt(s)) - 1 + s / 2) / s**2
    yield ("kCos: (cos(r) - 1 + s / 2) / s^2, s = r^2, |r| <= pi / 4",
           *fit_polynomial(cos_rest, 1e-4, quarter**2, 2, (),
                           lambda s: mpmath.cos(mpmath.sqrt(s)) / s**2))


def main():
    for name, coefficients, error in tables():
        show(name, coefficients, error)


if __name__ == "__main__":
    main()

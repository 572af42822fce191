"""Derives every number in docs/parameters.md, from the definitions and nothing else (Python, standard library).

    python3 parameters.py                        prints the tables
    python3 parameters.py --check PATH           compares them with those in the document at PATH, line by line

The document holds each table between `<!-- NAME -->` and `<!-- end -->`.
"""

import re
import sys
from decimal import Decimal, getcontext
from fractions import Fraction
from math import ceil, e, lgamma, log, log2, pi, sqrt

sys.dont_write_bytecode = True  # the source tree stays as it was
from security import KEY_WIDTH, N, own

getcontext().prec = 80
U = Fraction(1, 2**53)
P = 2**61 - 1
KEY_BOUND = 63
LARGEST_NORM_SQUARED = 2**17
CHECKS, SALT, SEAL = 2, 32, 1136

#        name      p   g  largest cohort
SETS = [("KSA-S24", 24, 6, 64), ("KSA-S32", 32, 7, 256), ("KSA-S40", 40, 8, 256)]
COHORTS = [3, 5, 10, 30, 64, 100, 128, 200, 256]


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return lines + ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]


def power(log_two):
    """2^x with x rounded up, so that a bound stays one."""
    return f"2^{ceil(log_two)}"


# --- Sets -----------------------------------------------------------------------------------------------------------


def sets():
    rows = [(name, p, g, p - g, p // 8, f"2^{62 - p}", most) for name, p, g, most in SETS]
    return table(["set", "p", "g", "mu", "bytes", "error width", "largest cohort"], rows)


# --- Noise ----------------------------------------------------------------------------------------------------------

# One participant's noise in units of the last bit sent: a Gaussian of a quarter, and rounding to whole units. Both have moment
# generating functions of at most exp(variance t^2 / 2), so Chernoff's bound for Gaussians holds for the sum.
VARIANCE = Fraction(1, 16) + Fraction(1, 12)


def log_failure(g, n):
    """log2 of a bound on the probability that n participants' noise reaches half of Delta."""
    z = 2 ** (g - 1) / sqrt(VARIANCE * n)
    return 1 - z * z / 2 * log2(e)


def noise():
    rows = []
    for n in COHORTS:
        cells = [power(log_failure(g, n)) if n <= most else "-" for _, _, g, most in SETS]
        rows.append((n, f"{sqrt(VARIANCE * n):.2f}", *cells))
    return table(["n", "width of the sum", *(name for name, *_ in SETS)], rows)


# --- What fits ------------------------------------------------------------------------------------------------------


def limb_bits(p, g, n):
    return p - g - 1 - (n - 1).bit_length()


def limbs():
    rows = []
    for n in COHORTS:
        rows.append((n, *(limb_bits(p, g, n) if n <= most else "-" for _, p, g, most in SETS)))
    for _, p, g, most in SETS:
        half = 2 ** (p - g - 1)
        # n sums of limbs in -2^w ..= 2^w - 1 stay within the signed sum.
        assert all(n * 2 ** limb_bits(p, g, n) <= half for n in range(3, most + 1))
    return table(["n", *(name for name, *_ in SETS)], rows)


# --- Shares ---------------------------------------------------------------------------------------------------------


def packing(n):
    """(log2 of the base, digits in an element, elements)"""
    bits = (2 * KEY_BOUND * n).bit_length()
    digits = 61 // bits
    assert sum(2 * KEY_BOUND * n << bits * k for k in range(digits)) < P
    return bits, digits, -(-N // digits)


def shares():
    rows = []
    for n in [5, 8, 10, 30, 32, 100, 200, 256]:
        bits, digits, elements = packing(n)
        share = 8 * (elements + CHECKS) + SALT
        sealed = share + SEAL
        threshold = 2 * n // 3 + 1
        public = 2 + 4 + n * (2 + 32) + 4 + 32 * n + CHECKS * (4 + 8 * threshold)
        up, down = n * sealed + public, n * (sealed + public)
        cells = (bits, digits, elements, sealed, 8 * elements, public, f"{up / 1e6:.2f}", f"{down / 1e6:.2f}")
        rows.append((n, *cells))
    return table(
        ["n", "bits a digit", "digits", "elements L", "sealed share", "reveal", "public part", "MB up", "MB down"], rows
    )


# --- Small vectors --------------------------------------------------------------------------------------------------

ELEMENT_BITS, MOST_ELEMENTS, CANARIES = 60, 512, 4


def digit_bits(n, most):
    bits = (2 * n * most).bit_length()
    # Sums of digits do not carry, and an element full of them is below p.
    assert n * 2 * most < 2**bits and 2**ELEMENT_BITS < P
    return bits


def vector_elements(n, values, most):
    """Elements of so many values of one block."""
    element, used = 0, 0
    for bits in [digit_bits(n, 1)] * CANARIES + [digit_bits(n, most)] * values:
        if used + bits > ELEMENT_BITS:
            element, used = element + 1, 0
        used += bits
    return element + 1


def most_values(n, most):
    beside, each = ELEMENT_BITS - CANARIES * digit_bits(n, 1), digit_bits(n, most)
    values = beside // each + (MOST_ELEMENTS - 1) * (ELEMENT_BITS // each)
    assert vector_elements(n, values, most) == MOST_ELEMENTS == vector_elements(n, values + 1, most) - 1
    return values


def small_vectors():
    rows = []
    for n in [5, 10, 100, 256]:
        widest = min((2**ELEMENT_BITS - 1) // (2 * n), 2**52)
        widest = "2^52" if widest == 2**52 else f"2^{log2(widest + 1):g} - 1"
        elements = vector_elements(n, 50, 10**6)
        lengths = (8 * (elements + CHECKS) + SALT + SEAL, 8 * elements)
        fits = [most_values(n, most) for most in [1, 10**3, 10**6, 10**9, 10**12]]
        rows.append((n, widest, *fits, digit_bits(n, 10**6), elements, *lengths))
    most = ["values of v_max = 1", "10^3", "10^6", "10^9", "10^12"]
    fifty = ["50 of 10^6: bits a digit", "elements", "sealed share", "reveal"]
    return table(["n", "largest v_max", *most, *fifty], rows)


# --- Products -------------------------------------------------------------------------------------------------------


def products():
    """The error of a coefficient is at most factor |x| |s|; |x| <= 2^(w - 1) sqrt N for pieces of w bits."""
    factor = (1 + U) ** 30 * (1 + 3 * U) ** 31 - 1
    assert factor < 124 * U < Fraction(1, 2**46)
    rows = []
    longest = [("one key", 32, 2, LARGEST_NORM_SQUARED), ("256 keys", 22, 3, 256**2 * LARGEST_NORM_SQUARED)]
    for name, width, pieces, norm_squared in longest:
        allowed = 2 ** (79 - 2 * (width - 1))
        assert norm_squared <= allowed and 64 <= width * pieces
        # At the allowed length the bound 2^-46 |x| |s| is one half exactly, and the factor is smaller than 2^-46.
        assert Fraction(4 ** (width - 1) * N * allowed, 4**46) == Fraction(1, 4)
        error = float(factor) * 2 ** (width - 1) * sqrt(N * norm_squared)
        rows.append((name, pieces, width, f"2^{log2(norm_squared):.0f}", f"2^{log2(allowed):.0f}", f"{error:.3f}"))
    return table(["product with", "pieces", "bits w", "longest squared norm", "proven up to", "error at most"], rows)


# --- Residual -------------------------------------------------------------------------------------------------------


def residual():
    rows = []
    for name, _, g, most in SETS:
        expected = float(VARIANCE) * most
        limit = 2 * expected
        uniform = 4**g / 12
        # Right keys: a chunk's mean square is twice what is expected (Chernoff, as for the noise).
        wrong_alarm = -(N / 2) * (1 - log(2)) / log(2)
        # Wrong keys: the volume of the ball of radius sqrt(N limit) in the cube of side 2^g.
        ball = N / 2 * log2(pi) + N / 2 * log2(N * limit) - lgamma(N / 2 + 1) / log(2)
        missed = ball - N * g
        cells = (f"{expected:.1f}", f"{limit:.1f}", f"{uniform:.0f}", power(wrong_alarm), power(missed))
        rows.append((name, most, *cells))
    return table(
        ["set", "n", "expected", "accepted up to", "wrong keys leave", "right keys refused", "wrong keys accepted"], rows
    )


# --- Sharing --------------------------------------------------------------------------------------------------------


def sharing():
    rows = []
    for n in [8, 32, 256]:
        elements = packing(n)[2]
        # Challenges are 128 bits modulo p, so no value is likelier than 1/p + 2^-128.
        one = log2(elements) + log2(Fraction(1, P) + Fraction(1, 2**128))
        rows.append((f"up to {n}", elements, power(one), power(2 * one), power(2 * one + 40)))
    return table(["cohort", "L", "one check", "both checks", "both, 2^40 attempts"], rows)


# --- Samplers -------------------------------------------------------------------------------------------------------


def key_tails():
    """The table of src/key.rs, by the same integer arithmetic."""
    one, half = 1 << 120, 1 << 60

    def times(a, b):
        (a1, a0), (b1, b0) = divmod(a, half), divmod(b, half)
        return a1 * b1 + (a1 * b0 + a0 * b1) // half

    term, total, sign, k = one, one, -1, 1
    while term:
        term = term // 2048 * 25 // k
        total, sign, k = total + sign * term, -sign, k + 1
    root = total
    weights, weight, odd = [one], one, root
    for _ in range(KEY_BOUND):
        weight, odd = times(weight, odd), times(odd, times(root, root))
        weights.append(2 * weight)
    tails, running = [], 0
    for value in reversed(weights[1:]):
        running += value
        tails.append(running)
    return [(tail << 127) // (running + one) for tail in reversed(tails)]


def key_probabilities(bound):
    """Of |s| = 0, 1, ..., bound for the discrete Gaussian restricted to that, in 80 digits."""
    square = 2 * Decimal(str(KEY_WIDTH)) ** 2
    weights = [(-(Decimal(k) ** 2) / square).exp() * (1 if k == 0 else 2) for k in range(bound + 1)]
    return [weight / sum(weights) for weight in weights]


def samplers():
    exact = key_probabilities(KEY_BOUND)
    tails = [Decimal(tail) / 2**127 for tail in key_tails()]
    reached = [Decimal(1), *tails, Decimal(0)]
    drawn = [before - after for before, after in zip(reached, reached[1:])]
    distance = sum(abs(a - b) for a, b in zip(drawn, exact)) / 2
    beyond = 1 - sum(key_probabilities(400)[: KEY_BOUND + 1])
    # A key is drawn again when sum s^2 > 2^17: Chernoff with the moment generating function of s^2.
    best = 0
    for step in range(1, 200):
        rate = Decimal(step) / 20000
        moment = sum(p * (rate * k * k).exp() for k, p in enumerate(exact))
        best = min(best, N * log2(moment) - float(rate * LARGEST_NORM_SQUARED) / log(2))
    rows = [
        ("key coefficient, table against the truncated Gaussian", power(log2(distance))),
        ("key coefficient, mass beyond 63", power(log2(beyond))),
        ("whole key, both", power(log2(N * (distance + beyond)))),
        ("whole key, drawn again for its length", power(best)),
    ]
    # Errors: positions within a layer of the ziggurat are multiples of 2^-53 of its edge, which is at most 3.92. As many of them
    # are rounded to an integer as lie within one unit, give or take one.
    for name, p, _, _ in SETS:
        spacing = log2(3.92) - 53 + (62 - p)
        rows.append((f"errors of {name} within 3.65 widths, relative error of each probability", power(spacing)))
    return table(["what", "at most"], rows)


# --- Spot check and security ----------------------------------------------------------------------------------------


def spot_check():
    rows = []
    for fraction in [0.01, 0.05, 0.2]:
        rows.append((f"{fraction:.0%}", *(f"{1 - (1 - fraction) ** k:.3f}" for k in [3, 20, 100, 300])))
    return table(["chunks altered", "k = 3", "20", "100", "300"], rows)


def security():
    published = {"KSA-S24": (252, 272), "KSA-S32": (181, 204), "KSA-S40": (137, 163)}
    rows = [(name, *published[name], block, core, samples) for name, block, core, samples in own()]
    return table(["set", "core-SVP", "MATZOV", "our block size", "our core-SVP", "samples used"], rows)


TABLES = [sets, noise, limbs, shares, small_vectors, products, residual, sharing, samplers, spot_check, security]


def main(arguments):
    tables = {make.__name__.replace("_", "-"): make() for make in TABLES}
    if arguments[:1] == ["--check"]:
        text = open(arguments[1], encoding="utf-8").read()
        found = dict(re.findall(r"<!-- ([a-z-]+) -->\n(.*?)\n<!-- end -->", text, re.DOTALL))
        wrong = [name for name, lines in tables.items() if found.get(name) != "\n".join(lines)]
        if wrong or set(found) != set(tables):
            sys.exit(f"these tables are not what the script derives: {wrong or set(found) ^ set(tables)}")
        print(f"{len(tables)} tables are as derived")
    else:
        for name, lines in tables.items():
            print(f"<!-- {name} -->", *lines, "<!-- end -->", "", sep="\n")


if __name__ == "__main__":
    main(sys.argv[1:])

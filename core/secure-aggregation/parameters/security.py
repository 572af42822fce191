"""How hard the ring-LWE problem behind an upload is, at half the widths in use (docs/parameters.md, "Security").

Prints core-SVP by a few lines of our own: the primal attack with the estimate of 2016 (Alkim, Ducas, Poeppelmann, Schwabe,
USENIX Security 2016, section 6.3), secrets and errors scaled to one width (Bai and Galbraith, ACISP 2014). With the lattice
estimator (github.com/malb/lattice-estimator, under Sage) on the path it prints its figures too:

    python3 security.py
    sage -python security.py

Only the first needs nothing but the standard library. It is a cross-check, not a replacement: the estimator knows more attacks.
"""

from math import e, log2, pi

N, LOG_Q = 2048, 64
KEY_WIDTH = 6.4
SETS = {"KSA-S24": 24, "KSA-S32": 32, "KSA-S40": 40}


def error_width(sent_bits):
    """Standard deviation of the errors, in units of 1 modulo 2^64."""
    return 2.0 ** (62 - sent_bits)


def log2_delta(block):
    """log2 of the root Hermite factor of BKZ with this block size (Chen, 2013)."""
    return log2((pi * block) ** (1 / block) * block / (2 * pi * e)) / (2 * (block - 1))


def succeeds(block, samples, log_secret, log_error):
    dimension = N + samples + 1
    log_volume = samples * LOG_Q + N * (log_error - log_secret)
    left = log_error + log2(block) / 2
    right = (2 * block - dimension - 1) * log2_delta(block) + log_volume / dimension
    return left <= right


def smallest_block(log_secret, log_error):
    """The smallest block size with which the primal attack succeeds, with as many samples as it likes."""
    low, high = 50, 2000
    while low < high:
        middle = (low + high) // 2
        if any(succeeds(middle, m, log_secret, log_error) for m in range(200, 6001, 10)):
            high = middle
        else:
            low = middle + 1
    return low


def samples_used(block, log_secret, log_error):
    return min(m for m in range(200, 6001, 10) if succeeds(block, m, log_secret, log_error))


def own():
    """(set, block size, core-SVP, samples) at half widths."""
    rows = []
    for name, sent_bits in SETS.items():
        log_secret, log_error = log2(KEY_WIDTH / 2), log2(error_width(sent_bits) / 2)
        block = smallest_block(log_secret, log_error)
        rows.append((name, block, round(0.292 * block, 1), samples_used(block, log_secret, log_error)))
    return rows


def estimator():
    from estimator import LWE, ND, RC

    for name, sent_bits in SETS.items():
        problem = LWE.Parameters(
            n=N,
            q=2**LOG_Q,
            Xs=ND.DiscreteGaussian(KEY_WIDTH / 2),
            Xe=ND.DiscreteGaussian(error_width(sent_bits) / 2),
        )
        for model in (RC.ADPS16, RC.MATZOV):
            found = LWE.estimate(problem, red_cost_model=model, deny_list=("arora-gb", "bkw"), quiet=True)
            name_of, cost = min(found.items(), key=lambda item: item[1]["rop"])
            print(f"{name}  {model.__class__.__name__}: 2^{log2(cost['rop']):.1f} ({name_of})")


if __name__ == "__main__":
    print("own, primal attack: set, block size, core-SVP in bits, samples")
    for row in own():
        print("  ", *row)
    try:
        estimator()
    except ImportError:
        print("The lattice estimator is not installed, so nothing more is computed here.")

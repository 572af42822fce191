"""KSA/1, written from the README beside this file, without the shipped code: every operation of the vectors.

An operation takes the `in` of a case and gives its `out`, or raises `Refused` with the stable code.
"""

import itertools
import math
import struct
from functools import lru_cache

import primitives
from primitives import sha256

N = 2048
P = 2**61 - 1
WORD = 2**64
KEY_BOUND = 63
LARGEST_KEY_NORM_SQUARED = 2**17
# p: bits sent, g: guard bits, the largest cohort.
SETS = {"KSA-S24": (24, 6, 64), "KSA-S32": (32, 7, 256), "KSA-S40": (40, 8, 256)}
CANARIES = [1, 0, 0, 0]


class Refused(Exception):
    """The input breaks a rule; the code says which."""


def refuse_if(condition, code):
    if condition:
        raise Refused(code)


# Bytes and hashes


def words(text):
    data = bytes.fromhex(text)
    assert len(data) % 8 == 0
    return list(struct.unpack(f"<{len(data) // 8}Q", data))


def signed_words(text):
    return [word - WORD if word >> 63 else word for word in words(text)]


def written(values):
    return b"".join((value % WORD).to_bytes(8, "little") for value in values).hex()


def of_parts(label, *parts):
    return sha256(b"".join(len(part).to_bytes(8, "big") + part for part in (label.encode(), *parts)))


def u16(value):
    return value.to_bytes(2, "big")


def u32(value):
    return value.to_bytes(4, "big")


def u64(value):
    return value.to_bytes(8, "big")


def prefixed(data):
    return u32(len(data)) + data


def listed(items):
    return u32(len(items)) + b"".join(items)


def increasing(items):
    return all(a < b for a, b in zip(items, items[1:]))


class Reader:
    """Reads a payload from its start; what is not there is malformed."""

    def __init__(self, data, code="round.malformed"):
        self.data, self.code = data, code

    def fixed(self, length):
        refuse_if(len(self.data) < length, self.code)
        taken, self.data = self.data[:length], self.data[length:]
        return taken

    def number(self, length):
        return int.from_bytes(self.fixed(length), "big")

    def id(self):
        number = self.number(2)
        refuse_if(number == 0, self.code)
        return number

    def prefixed(self):
        return self.fixed(self.number(4))

    def listed(self, read):
        count = self.number(4)
        refuse_if(count > len(self.data), self.code)
        return [read() for _ in range(count)]

    def end(self):
        refuse_if(self.data, self.code)


# Masks and products


@lru_cache(maxsize=None)
def mask_of(h1, index):
    cipher = primitives.aes128_round_keys(mask_seed(h1))
    block = lambda k: primitives.aes128(cipher, (index * (N // 2) + k).to_bytes(16, "little"))
    return tuple(words(b"".join(block(k) for k in range(N // 2)).hex()))


def mask_seed(h1):
    return primitives.hkdf_expand(primitives.hkdf_extract(b"", h1), b"KSA/1 masks", 16)


def mask(given):
    coefficients = mask_of(bytes.fromhex(given["h1"]), given["index"])
    return {"seed": mask_seed(bytes.fromhex(given["h1"])).hex(), **summary(coefficients)}


def summary(coefficients):
    whole = written(coefficients)
    return {"first": whole[:64], "sha256": sha256(bytes.fromhex(whole)).hex()}


def negacyclic(a, s):
    """a s in Z[X]/(X^N + 1), modulo 2^64, as one product of large integers: twelve bytes hold a coefficient of a times
    the positive part of s, and of a times its negative part."""

    def times(part):
        factor = int.from_bytes(b"".join(x.to_bytes(12, "little") for x in part), "little")
        product = (whole * factor).to_bytes(24 * N, "little")
        return [int.from_bytes(product[k : k + 12], "little") for k in range(0, 24 * N, 12)]

    assert sum(map(abs, s)) < 2**31
    whole = int.from_bytes(b"".join(x.to_bytes(12, "little") for x in a), "little")
    plus, minus = times([max(x, 0) for x in s]), times([max(-x, 0) for x in s])
    difference = [x - y for x, y in zip(plus, minus)]
    return [(difference[k] - difference[k + N]) % WORD for k in range(N)]


def product(given):
    a = given["a"]
    a = words(a["equal"]) * N if "equal" in a else mask_of(bytes.fromhex(a["h1"]), a["index"])
    return summary(negacyclic(a, small(given["s"])))


def small(text):
    return list(struct.unpack(f"<{N}h", bytes.fromhex(text)))


def key_of(text):
    key = list(struct.unpack(f"{N}b", bytes.fromhex(text)))
    assert max(map(abs, key)) <= KEY_BOUND and sum(x * x for x in key) <= LARGEST_KEY_NORM_SQUARED
    return key


# The field


def inverse(a):
    return pow(a, P - 2, P)


def field(given):
    a, b = words(given["a"])[0], words(given["b"])[0]
    results = {"sum": a + b, "difference": a - b, "product": a * b, "inverse": inverse(a)}
    return {name: written([value % P]) for name, value in results.items()}


def element_of(digest):
    return int.from_bytes(digest[:16], "big") % P


def element(given):
    return {"element": written([element_of(bytes.fromhex(given["digest"]))])}


def evaluate(polynomial, x):
    return sum(term * pow(x, k, P) for k, term in enumerate(polynomial)) % P


def weights_at(target, points):
    weights = []
    for i in points:
        others = [j for j in points if j != i]
        above = math.prod(target - j for j in others)
        weights.append(above * inverse(math.prod(i - j for j in others) % P) % P)
    return weights


def value_at(target, points, values):
    return sum(w * v for w, v in zip(weights_at(target, points), values)) % P


def interpolate(given):
    polynomial, points = words(given["polynomial"]), words(given["points"])
    values = [evaluate(polynomial, x) for x in points]
    first = points[: len(polynomial)]
    return {
        "values": written(values),
        "weights": written(weights_at(0, first)),
        "constant": written([value_at(0, first, values)]),
    }


def wrong_rows(points, rows, terms):
    """The fewest positions without which all rows lie on polynomials of `terms` terms, by trying them all."""
    for count in range((len(points) - terms) // 2 + 1):
        for wrong in itertools.combinations(range(len(points)), count):
            good = [k for k in range(len(points)) if k not in wrong]
            base, rest = good[:terms], good[terms:]
            at = [points[k] for k in base]
            fits = lambda k: all(
                sum(w * rows[b][e] for w, b in zip(weights, base)) % P == rows[k][e] for e in range(len(rows[k]))
            )
            for k in rest:
                weights = weights_at(points[k], at)
                if not fits(k):
                    break
            else:
                return list(wrong)
    raise Refused("reveals.inconsistent")


def correct(given):
    rows = [[value] for value in words(given["values"])]
    return {"wrong": wrong_rows(words(given["points"]), rows, given["threshold"])}


def packing(cohort):
    """Bits of a digit, and digits of an element."""
    bits = (126 * cohort).bit_length()
    return bits, 61 // bits


def elements_of(cohort):
    return -(-N // packing(cohort)[1])


def packed(key, cohort):
    bits, digits = packing(cohort)
    groups = [key[k : k + digits] for k in range(0, N, digits)]
    return [sum(x + 63 << bits * k for k, x in enumerate(group)) for group in groups]


def pack(given):
    return {"elements": written(packed(key_of(given["key"]), given["cohort"]))}


def unpacked(elements, cohort, keys):
    bits, digits = packing(cohort)
    sums = []
    for position, element in enumerate(elements):
        count = min(digits, N - position * digits)
        refuse_if(element >> bits * count, "reveals.implausible")
        sums += [(element >> bits * k & (1 << bits) - 1) - 63 * keys for k in range(count)]
    refuse_if(max(sums) > 63 * keys, "reveals.implausible")
    refuse_if(sum(x * x for x in sums) > LARGEST_KEY_NORM_SQUARED * keys**2, "reveals.implausible")
    return sums


def written_small(coefficients):
    return struct.pack(f"<{N}h", *coefficients).hex()


def unpack(given):
    return {"sum": written_small(unpacked(words(given["elements"]), given["cohort"], given["keys"]))}


# Values and coefficients


def checked_layout(blocks):
    names = [block["name"] for block in blocks]
    good = 0 < len(blocks) <= 1024 and len(set(names)) == len(names)
    good = good and sum(block["len"] for block in blocks) < 2**32
    for block in blocks:
        bound, resolution = block["bound"], block["resolution"]
        good = good and block["len"] > 0 and 0 < bound < math.inf and 0 < resolution < math.inf
        good = good and bound / resolution <= 2**52
    refuse_if(not good, "plan.malformed")
    return blocks


def limb_bits(name, admitted):
    sent, guard, _ = SETS[name]
    return sent - guard - 1 - (admitted - 1).bit_length()


def largest_step(block):
    return math.ceil(block["bound"] / block["resolution"])


def limbs_of(block, width):
    return max(1, -(-largest_step(block).bit_length() // width))


def coefficient_count(layout, name, admitted):
    width = limb_bits(name, admitted)
    return len(CANARIES) + sum(block["len"] * limbs_of(block, width) for block in layout)


def padded(count):
    return -(-count // N) * N


def quantised(layout, name, admitted, values):
    """Coefficients before padding, and how many values were clipped."""
    width, values, clamped = limb_bits(name, admitted), iter(values), 0
    coefficients = CANARIES[:]
    for block in layout:
        for _ in range(block["len"]):
            value = next(values)
            clipped = max(-block["bound"], min(block["bound"], value))
            clamped += clipped != value
            step = clipped / block["resolution"]
            assert step == int(step), "vectors hold whole numbers of steps"
            step = int(step)
            for _ in range(limbs_of(block, width) - 1):
                coefficients.append(step % 2**width)
                step >>= width
            coefficients.append(step)
    return coefficients, clamped


def quantise(given):
    coefficients, clamped = quantised(given["layout"], given["set"], given["admitted"], given["values"])
    return {"coefficients": written(coefficients), "length": padded(len(coefficients)), "clamped": clamped}


def decoded(layout, name, admitted, survivors, coefficients):
    width = limb_bits(name, admitted)
    refuse_if(len(coefficients) != padded(coefficient_count(layout, name, admitted)), "sum.length")
    refuse_if(coefficients[:4] != [survivors * canary for canary in CANARIES], "sum.canary")
    steps, at = [], 4
    for block in layout:
        count = limbs_of(block, width)
        for _ in range(block["len"]):
            limbs, at = coefficients[at : at + count], at + count
            refuse_if(any(not 0 <= limb <= survivors << width for limb in limbs[:-1]), "sum.overflow")
            refuse_if(abs(limbs[-1]) > survivors << width, "sum.overflow")
            step = sum(limb << width * k for k, limb in enumerate(limbs))
            refuse_if(abs(step) > survivors * largest_step(block), "sum.overflow")
            steps.append(step)
    refuse_if(any(coefficients[at:]), "sum.padding")
    return steps


def decode(given):
    coefficients = signed_words(given["coefficients"])
    coefficients += [0] * (given["length"] - len(coefficients))
    steps = decoded(given["layout"], given["set"], given["admitted"], given["survivors"], coefficients)
    return {"steps": written(steps)}


# Ciphertexts


def body_of(name, h1, index, key, message, errors):
    sent, guard, _ = SETS[name]
    product = negacyclic(mask_of(h1, index), key)
    return [(b + (m << 64 - sent + guard) + e) % WORD for b, m, e in zip(product, message, errors)]


def sent_of(name, body):
    sent = SETS[name][0]
    tops = [(b + 2 ** (63 - sent)) % WORD >> 64 - sent for b in body]
    return b"".join(top.to_bytes(sent // 8, "little") for top in tops)


def encrypt(given):
    h1, key = bytes.fromhex(given["h1"]), key_of(given["key"])
    message, errors = signed_words(given["message"]), words(given["errors"])
    body = body_of(given["set"], h1, given["index"], key, message, errors)
    return {"body": summary(body), "chunk": sent_of(given["set"], body).hex()}


def chunk_bytes(name):
    return N * SETS[name][0] // 8


def sum_of(name, updates, length):
    size = SETS[name][0] // 8
    read = lambda data: [int.from_bytes(data[k : k + size], "little") for k in range(0, len(data), size)]
    columns = zip([0] * (length // size), *map(read, updates))
    return b"".join((sum(column) % 256**size).to_bytes(size, "little") for column in columns)


def chunks_of(name, data):
    return [data[k : k + chunk_bytes(name)] for k in range(0, len(data), chunk_bytes(name))]


def folded(name, chunks, ids, updates):
    seen, length = set(), chunks * chunk_bytes(name)
    for sender, update in zip(ids, updates):
        refuse_if(not update or len(update) % chunk_bytes(name), "update.no-whole-chunks")
        refuse_if(len(update) != length, "aggregate.length")
        refuse_if(len(seen) == SETS[name][2], "aggregate.too-many")
        refuse_if(sender in seen, "aggregate.counted-twice")
        seen.add(sender)
    return sum_of(name, updates, length)


def hashed(name, data):
    return {"root": root_of(chunks_of(name, data)).hex(), "sha256": sha256(data).hex()}


def fold(given):
    updates = [bytes.fromhex(update) for update in given["updates"]]
    return hashed(given["set"], folded(given["set"], given["chunks"], given["ids"], updates))


# Merkle trees (RFC 6962, section 2.1)


def leaf(chunk):
    return sha256(b"\0" + chunk)


def above(left, right):
    return sha256(b"\1" + left + right)


def split(count):
    """The largest power of two below `count`."""
    return 1 << (count - 1).bit_length() - 1


def root_of(chunks):
    if len(chunks) == 1:
        return leaf(chunks[0])
    left = split(len(chunks))
    return above(root_of(chunks[:left]), root_of(chunks[left:]))


def path_of(chunks, index):
    if len(chunks) == 1:
        return []
    left = split(len(chunks))
    if index < left:
        return path_of(chunks[:left], index) + [root_of(chunks[left:])]
    return path_of(chunks[left:], index - left) + [root_of(chunks[:left])]


def merkle(given):
    chunks = [bytes.fromhex(chunk) for chunk in given["chunks"]]
    paths = [[step.hex() for step in path_of(chunks, index)] for index in range(len(chunks))]
    return {"root": root_of(chunks).hex(), "paths": paths}


def led_to(hash, index, count, path):
    """The root to which a path leads, or nothing."""
    if index >= count or (count == 1 and path) or (count > 1 and not path):
        return None
    if count == 1:
        return hash
    left = split(count)
    if index < left:
        below = led_to(hash, index, left, path[:-1])
        return below and above(below, path[-1])
    below = led_to(hash, index - left, count - left, path[:-1])
    return below and above(path[-1], below)


def merkle_path(given):
    path = [bytes.fromhex(step) for step in given["path"]]
    root = led_to(leaf(bytes.fromhex(given["chunk"])), given["index"], given["count"], path)
    return {"root": root and root.hex()}

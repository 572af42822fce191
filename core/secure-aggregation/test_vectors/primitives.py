"""The published primitives under KSA/1, written plainly from their standards: nothing here is fast or constant in time,
and none of it is for use with a secret.

AES-128 (FIPS 197), ChaCha20-Poly1305 (RFC 8439), X25519 (RFC 7748), Ed25519 (RFC 8032), ML-KEM-768 (FIPS 203), X-Wing
(draft-connolly-cfrg-xwing-kem), HKDF (RFC 5869), HPKE in base mode (RFC 9180).
"""

import hashlib
import hmac
from functools import lru_cache


def sha256(data):
    return hashlib.sha256(data).digest()


# AES-128


def _times_x(a):
    return ((a << 1) ^ 0x11B) & 0xFF if a & 0x80 else a << 1


def _sbox():
    box, p, q = [0x63] * 256, 1, 1
    while True:
        p ^= _times_x(p)  # p times 3, q divided by 3: they stay each other's inverse
        for shift in (1, 2, 4):
            q ^= q << shift & 0xFF
        if q & 0x80:
            q ^= 0x09
        turn = lambda n: (q << n | q >> (8 - n)) & 0xFF
        box[p] = q ^ turn(1) ^ turn(2) ^ turn(3) ^ turn(4) ^ 0x63
        if p == 1:
            return box


SBOX = _sbox()


def _tables():
    """For each row of the state: what a byte of it gives to its column after SubBytes and MixColumns."""
    columns = []
    for byte in SBOX:
        two = _times_x(byte)
        columns.append(two << 24 | byte << 16 | byte << 8 | two ^ byte)
    turn = lambda word, n: (word >> 8 * n | word << 32 - 8 * n) & 0xFFFFFFFF
    return [[turn(word, n) for word in columns] for n in range(4)]


TABLES = _tables()


def aes128_round_keys(key):
    words = [int.from_bytes(key[k : k + 4], "big") for k in range(0, 16, 4)]
    constant = 1
    for k in range(4, 44):
        word = words[-1]
        if k % 4 == 0:
            word = (word << 8 | word >> 24) & 0xFFFFFFFF
            word = int.from_bytes(bytes(SBOX[b] for b in word.to_bytes(4, "big")), "big") ^ constant << 24
            constant = _times_x(constant)
        words.append(words[k - 4] ^ word)
    return words


def aes128(round_keys, block):
    w = round_keys
    a, b, c, d = (int.from_bytes(block[k : k + 4], "big") ^ w[k // 4] for k in range(0, 16, 4))
    t0, t1, t2, t3 = TABLES
    for k in range(4, 40, 4):
        a, b, c, d = (
            t0[a >> 24] ^ t1[b >> 16 & 255] ^ t2[c >> 8 & 255] ^ t3[d & 255] ^ w[k],
            t0[b >> 24] ^ t1[c >> 16 & 255] ^ t2[d >> 8 & 255] ^ t3[a & 255] ^ w[k + 1],
            t0[c >> 24] ^ t1[d >> 16 & 255] ^ t2[a >> 8 & 255] ^ t3[b & 255] ^ w[k + 2],
            t0[d >> 24] ^ t1[a >> 16 & 255] ^ t2[b >> 8 & 255] ^ t3[c & 255] ^ w[k + 3],
        )
    s = SBOX
    last = lambda a, b, c, d: s[a >> 24] << 24 | s[b >> 16 & 255] << 16 | s[c >> 8 & 255] << 8 | s[d & 255]
    words = (last(a, b, c, d) ^ w[40], last(b, c, d, a) ^ w[41], last(c, d, a, b) ^ w[42], last(d, a, b, c) ^ w[43])
    return b"".join(word.to_bytes(4, "big") for word in words)


# ChaCha20-Poly1305


def _chacha_block(key, counter, nonce):
    words = lambda data: [int.from_bytes(data[k : k + 4], "little") for k in range(0, len(data), 4)]
    start = words(b"expand 32-byte k") + words(key) + [counter] + words(nonce)
    x = start[:]

    def quarter(a, b, c, d):
        for first, second, third, turn in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
            x[first] = (x[first] + x[second]) & 0xFFFFFFFF
            word = x[third] ^ x[first]
            x[third] = (word << turn | word >> (32 - turn)) & 0xFFFFFFFF

    for _ in range(10):
        for k in range(4):
            quarter(k, 4 + k, 8 + k, 12 + k)
        for k in range(4):
            quarter(k, 4 + (k + 1) % 4, 8 + (k + 2) % 4, 12 + (k + 3) % 4)
    return b"".join(((a + b) & 0xFFFFFFFF).to_bytes(4, "little") for a, b in zip(start, x))


def _chacha(key, nonce, data):
    stream = b"".join(_chacha_block(key, 1 + k, nonce) for k in range((len(data) + 63) // 64))
    return bytes(a ^ b for a, b in zip(data, stream))


def _poly1305(key, data):
    r = int.from_bytes(key[:16], "little") & 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF
    total = 0
    for k in range(0, len(data), 16):
        total = (total + int.from_bytes(data[k : k + 16] + b"\1", "little")) * r % (2**130 - 5)
    return ((total + int.from_bytes(key[16:], "little")) % 2**128).to_bytes(16, "little")


def _tag(key, nonce, associated, ciphertext):
    padded = lambda data: data + bytes(-len(data) % 16)
    lengths = len(associated).to_bytes(8, "little") + len(ciphertext).to_bytes(8, "little")
    return _poly1305(_chacha_block(key, 0, nonce)[:32], padded(associated) + padded(ciphertext) + lengths)


def aead_seal(key, nonce, associated, plaintext):
    ciphertext = _chacha(key, nonce, plaintext)
    return ciphertext + _tag(key, nonce, associated, ciphertext)


def aead_open(key, nonce, associated, sealed):
    """The plaintext, or nothing."""
    if len(sealed) < 16 or _tag(key, nonce, associated, sealed[:-16]) != sealed[-16:]:
        return None
    return _chacha(key, nonce, sealed[:-16])


# Curve25519

Q = 2**255 - 19


@lru_cache(maxsize=None)
def x25519(scalar, u=(9).to_bytes(32, "little")):
    k = int.from_bytes(scalar, "little") & ~7 & (1 << 254) - 1 | 1 << 254
    x1 = int.from_bytes(u, "little") % 2**255 % Q
    x2, z2, x3, z3, swapped = 1, 0, x1, 1, 0
    for bit in reversed(range(255)):
        now = k >> bit & 1
        if swapped != now:
            x2, x3, z2, z3 = x3, x2, z3, z2
        swapped = now
        a, b, c, d = x2 + z2, x2 - z2, x3 + z3, x3 - z3
        aa, bb, da, cb = a * a % Q, b * b % Q, d * a % Q, c * b % Q
        e = aa - bb
        x3, z3 = (da + cb) ** 2 % Q, x1 * (da - cb) ** 2 % Q
        x2, z2 = aa * bb % Q, e * (aa + 121665 * e) % Q
    if swapped:
        x2, z2 = x3, z3
    return (x2 * pow(z2, Q - 2, Q) % Q).to_bytes(32, "little")


# Ed25519, points as (X, Y, Z, T)

D = -121665 * pow(121666, Q - 2, Q) % Q
ORDER = 2**252 + 27742317777372353535851937790883648493
NEUTRAL = (0, 1, 1, 0)


def _plus(p, q):
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % Q, (p[1] + p[0]) * (q[1] + q[0]) % Q
    c, d = 2 * p[3] * q[3] * D % Q, 2 * p[2] * q[2] % Q
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % Q, g * h % Q, f * g % Q, e * h % Q


def _times(k, p):
    total = NEUTRAL
    while k:
        if k & 1:
            total = _plus(total, p)
        p, k = _plus(p, p), k >> 1
    return total


def _is_neutral(p):
    return p[0] % Q == 0 and (p[1] - p[2]) % Q == 0


def _point(data):
    """The point written as `data`, or nothing."""
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y % 2**255 % Q
    square = (y * y - 1) * pow(D * y * y + 1, Q - 2, Q) % Q
    x = pow(square, (Q + 3) // 8, Q)
    if x * x % Q != square:
        x = x * pow(2, (Q - 1) // 4, Q) % Q
    if x * x % Q != square:
        return None
    if x & 1 != sign:
        x = -x % Q
    return x, y, 1, x * y % Q


def _written(p):
    inverse = pow(p[2], Q - 2, Q)
    x, y = p[0] * inverse % Q, p[1] * inverse % Q
    return (y | (x & 1) << 255).to_bytes(32, "little")


BASE = _point((4 * pow(5, Q - 2, Q) % Q).to_bytes(32, "little"))


def _hash(*parts):
    return int.from_bytes(hashlib.sha512(b"".join(parts)).digest(), "little") % ORDER


@lru_cache(maxsize=None)
def ed25519_key_is_good(key):
    """A point, and not one of the eight of small order."""
    point = _point(key)
    return point is not None and not _is_neutral(_times(8, point))


@lru_cache(maxsize=None)
def ed25519_verify(key, message, signature):
    """Strictly: no key or R of small order, s below the group's order, and R exactly as computed."""
    r, s = signature[:32], int.from_bytes(signature[32:], "little")
    if s >= ORDER or not ed25519_key_is_good(key) or not ed25519_key_is_good(r):
        return False
    minus_k = -_hash(r, key, message) % ORDER
    return _written(_plus(_times(s, BASE), _times(minus_k, _point(key)))) == r


@lru_cache(maxsize=None)
def _ed25519_expand(seed):
    expanded = hashlib.sha512(seed).digest()
    scalar = int.from_bytes(expanded[:32], "little") & ~7 & (1 << 254) - 1 | 1 << 254
    return scalar, expanded[32:], _written(_times(scalar, BASE))


def ed25519_public(seed):
    return _ed25519_expand(seed)[2]


@lru_cache(maxsize=None)
def ed25519_sign(seed, message):
    scalar, prefix, public = _ed25519_expand(seed)
    nonce = _hash(prefix, message)
    r = _written(_times(nonce, BASE))
    return r + ((nonce + _hash(r, public, message) * scalar) % ORDER).to_bytes(32, "little")


# ML-KEM-768

M, K = 3329, 3
_reversed = lambda k: int(f"{k:07b}"[::-1], 2)
ZETAS = [pow(17, _reversed(k), M) for k in range(128)]
GAMMAS = [pow(17, 2 * _reversed(k) + 1, M) for k in range(128)]


def _ntt(f):
    f, k, length = f[:], 1, 128
    while length >= 2:
        for start in range(0, 256, 2 * length):
            zeta, k = ZETAS[k], k + 1
            for j in range(start, start + length):
                t = zeta * f[j + length] % M
                f[j], f[j + length] = (f[j] + t) % M, (f[j] - t) % M
        length //= 2
    return f


def _inverse_ntt(f):
    f, k, length = f[:], 127, 2
    while length <= 128:
        for start in range(0, 256, 2 * length):
            zeta, k = ZETAS[k], k - 1
            for j in range(start, start + length):
                t = f[j]
                f[j], f[j + length] = (t + f[j + length]) % M, zeta * (f[j + length] - t) % M
        length *= 2
    return [x * 3303 % M for x in f]


def _product(f, g):
    h = [0] * 256
    for k in range(128):
        a, b, c, d = f[2 * k], f[2 * k + 1], g[2 * k], g[2 * k + 1]
        h[2 * k], h[2 * k + 1] = (a * c + b * d * GAMMAS[k]) % M, (a * d + b * c) % M
    return h


def _sum(*terms):
    return [sum(column) % M for column in zip(*terms)]


def _encode(f, bits):
    return sum(x << bits * k for k, x in enumerate(f)).to_bytes(32 * bits, "little")


def _decode(data, bits):
    number = int.from_bytes(data, "little")
    return [number >> bits * k & (1 << bits) - 1 for k in range(256)]


def _compress(f, bits):
    return [((x << bits) + M // 2) // M & (1 << bits) - 1 for x in f]


def _decompress(f, bits):
    return [(x * M + (1 << bits - 1)) >> bits for x in f]


@lru_cache(maxsize=None)
def _matrix(rho):
    def uniform(i, j):
        stream, f = hashlib.shake_128(rho + bytes([j, i])).digest(1024), []
        for k in range(0, len(stream), 3):
            a, b, c = stream[k : k + 3] if k + 3 <= len(stream) else (255, 255, 255)
            f += [x for x in (a | (b & 15) << 8, b >> 4 | c << 4) if x < M]
        assert len(f) >= 256
        return f[:256]

    return [[uniform(i, j) for j in range(K)] for i in range(K)]


def _noise(seed, n):
    number = int.from_bytes(hashlib.shake_256(seed + bytes([n])).digest(128), "little")
    bit = lambda k: number >> k & 1
    return [(bit(4 * k) + bit(4 * k + 1) - bit(4 * k + 2) - bit(4 * k + 3)) % M for k in range(256)]


@lru_cache(maxsize=None)
def _mlkem_keys(d):
    expanded = hashlib.sha3_512(d + bytes([K])).digest()
    rho, sigma = expanded[:32], expanded[32:]
    a = _matrix(rho)
    s = [_ntt(_noise(sigma, n)) for n in range(K)]
    e = [_ntt(_noise(sigma, K + n)) for n in range(K)]
    t = [_sum(e[i], *(_product(a[i][j], s[j]) for j in range(K))) for i in range(K)]
    return s, b"".join(_encode(row, 12) for row in t) + rho


def _pke_encrypt(public, message, coins):
    t = [_decode(public[384 * i : 384 * i + 384], 12) for i in range(K)]
    a = _matrix(public[384 * K :])
    y = [_ntt(_noise(coins, n)) for n in range(K)]
    e1, e2 = [_noise(coins, K + n) for n in range(K)], _noise(coins, 2 * K)
    u = [_sum(e1[i], _inverse_ntt(_sum(*(_product(a[j][i], y[j]) for j in range(K))))) for i in range(K)]
    mu = _decompress(_decode(message, 1), 1)
    v = _sum(e2, mu, _inverse_ntt(_sum(*(_product(t[j], y[j]) for j in range(K)))))
    return b"".join(_encode(_compress(row, 10), 10) for row in u) + _encode(_compress(v, 4), 4)


def mlkem_key_is_good(public):
    t = [x for i in range(K) for x in _decode(public[384 * i : 384 * i + 384], 12)]
    return len(public) == 1184 and all(x < M for x in t)


@lru_cache(maxsize=None)
def mlkem_encapsulate(public, message):
    expanded = hashlib.sha3_512(message + hashlib.sha3_256(public).digest()).digest()
    return expanded[:32], _pke_encrypt(public, message, expanded[32:])


@lru_cache(maxsize=None)
def mlkem_decapsulate(d, z, ciphertext):
    s, public = _mlkem_keys(d)
    u = [_decompress(_decode(ciphertext[320 * i : 320 * i + 320], 10), 10) for i in range(K)]
    v = _decompress(_decode(ciphertext[320 * K :], 4), 4)
    w = _inverse_ntt(_sum(*(_product(s[j], _ntt(u[j])) for j in range(K))))
    message = _encode(_compress([(x - y) % M for x, y in zip(v, w)], 1), 1)
    secret, again = mlkem_encapsulate(public, message)
    return secret if again == ciphertext else hashlib.shake_256(z + ciphertext).digest(32)


# X-Wing


@lru_cache(maxsize=None)
def _xwing_expand(seed):
    expanded = hashlib.shake_256(seed).digest(96)
    return expanded[:32], expanded[32:64], expanded[64:]


def xwing_public(seed):
    d, _, x = _xwing_expand(seed)
    return _mlkem_keys(d)[1] + x25519(x)


def _xwing_combine(of_mlkem, of_x25519, ciphertext_x, public_x):
    return hashlib.sha3_256(of_mlkem + of_x25519 + ciphertext_x + public_x + b"\\.//^\\").digest()


def xwing_encapsulate(public, randomness):
    """64 bytes: 32 for ML-KEM, then 32 for X25519."""
    public_m, public_x = public[:1184], public[1184:]
    secret_m, ciphertext_m = mlkem_encapsulate(public_m, randomness[:32])
    ciphertext_x = x25519(randomness[32:])
    secret = _xwing_combine(secret_m, x25519(randomness[32:], public_x), ciphertext_x, public_x)
    return secret, ciphertext_m + ciphertext_x


def xwing_decapsulate(seed, encapsulated):
    d, z, x = _xwing_expand(seed)
    ciphertext_m, ciphertext_x = encapsulated[:1088], encapsulated[1088:]
    secret_m = mlkem_decapsulate(d, z, ciphertext_m)
    return _xwing_combine(secret_m, x25519(x, ciphertext_x), ciphertext_x, x25519(x))


# HKDF and HPKE


def _hmac(key, data):
    return hmac.new(key, data, hashlib.sha256).digest()


def hkdf_extract(salt, material):
    return _hmac(salt or bytes(32), material)


def hkdf_expand(key, info, length):
    out, block = b"", b""
    while len(out) < length:
        block = _hmac(key, block + info + bytes([len(out) // 32 + 1]))
        out += block
    return out[:length]


# X-Wing, HKDF-SHA256, ChaCha20-Poly1305
SUITE = b"HPKE" + bytes.fromhex("647a00010003")


def _hpke_key(shared_secret, info):
    extract = lambda salt, label, data: hkdf_extract(salt, b"HPKE-v1" + SUITE + label + data)
    expand = lambda key, label, context, length: hkdf_expand(
        key, length.to_bytes(2, "big") + b"HPKE-v1" + SUITE + label + context, length
    )
    context = b"\0" + extract(b"", b"psk_id_hash", b"") + extract(b"", b"info_hash", info)
    secret = extract(shared_secret, b"secret", b"")
    return expand(secret, b"key", context, 32), expand(secret, b"base_nonce", context, 12)


def hpke_seal(public, info, associated, plaintext, randomness):
    secret, encapsulated = xwing_encapsulate(public, randomness)
    key, nonce = _hpke_key(secret, info)
    return encapsulated + aead_seal(key, nonce, associated, plaintext)


def hpke_open(seed, info, associated, sealed):
    """The plaintext, or nothing."""
    if len(sealed) < 1120:
        return None
    key, nonce = _hpke_key(xwing_decapsulate(seed, sealed[:1120]), info)
    return aead_open(key, nonce, associated, sealed[1120:])


def self_check():
    """Published examples, so that a slip is found here and not as a riddle further up."""
    aes = aes128(aes128_round_keys(bytes(range(16))), bytes.fromhex("00112233445566778899aabbccddeeff"))
    assert aes.hex() == "69c4e0d86a7b0430d8cdb78070b4c55a", "FIPS 197, C.1"
    key, nonce = bytes(range(0x80, 0xA0)), bytes.fromhex("070000004041424344454647")
    text = b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, "
    text += b"sunscreen would be it."
    sealed = aead_seal(key, nonce, bytes.fromhex("50515253c0c1c2c3c4c5c6c7"), text)
    assert sealed[-16:].hex() == "1ae10b594f09e26a7e902ecbd0600691", "RFC 8439, 2.8.2"
    scalar = bytes.fromhex("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4")
    u = bytes.fromhex("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c")
    shared = "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552"
    assert x25519(scalar, u).hex() == shared, "RFC 7748, 5.2"
    seed = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    public = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    assert ed25519_public(seed).hex() == public, "RFC 8032, 7.1"
    assert ed25519_sign(seed, b"").hex().startswith("e5564300c360ac729086e2cc806e828a"), "RFC 8032, 7.1"
    assert ed25519_verify(ed25519_public(seed), b"", ed25519_sign(seed, b""))

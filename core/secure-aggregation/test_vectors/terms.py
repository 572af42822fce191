"""Rosters, plans and signed messages of KSA/1: their bytes, and what is refused."""

import re
import struct

import primitives
from ksa import (
    SETS,
    Reader,
    Refused,
    checked_layout,
    coefficient_count,
    increasing,
    listed,
    of_parts,
    padded,
    prefixed,
    refuse_if,
    u16,
    u32,
    u64,
)
from primitives import sha256

NAME = re.compile(r"[a-z0-9_-]{1,64}")
JOB = re.compile(r"[a-z0-9_.-]{1,64}")
REASON = re.compile(rb"[a-z0-9.-]{1,64}")

# Rosters


def roster_digest(given):
    member = lambda one: u16(one["id"]) + prefixed(one["name"].encode()) + bytes.fromhex(one["signing_key"])
    members = listed([member(one) for one in given["members"]])
    federation, key = given["federation"].encode(), bytes.fromhex(given["coordinator_key"])
    return of_parts("KSA/1 roster", federation, members, key)


def roster_statement(given):
    return b"KSA/1 roster endorsement" + roster_digest(given)


def checked_roster(given):
    """Keys by id."""
    members = given["members"]
    refuse_if(not 3 <= len(members) <= 256, "roster.size")
    names = [given["federation"]] + [one["name"] for one in members]
    refuse_if(not all(NAME.fullmatch(name) for name in names), "roster.name")
    refuse_if(not increasing([one["id"] for one in members]), "roster.order")
    for what in ("name", "signing_key"):
        refuse_if(len({one[what] for one in members}) < len(members), "roster.order")
    keys = {one["id"]: bytes.fromhex(one["signing_key"]) for one in members}
    refuse_if(not all(map(primitives.ed25519_key_is_good, keys.values())), "roster.key")
    statement = roster_statement(given)
    for id, key in keys.items():
        signatures = [one["signature"] for one in given["endorsements"] if one["member"] == id]
        genuine = lambda text: primitives.ed25519_verify(key, statement, bytes.fromhex(text))
        refuse_if(not any(map(genuine, signatures)), "roster.unsigned")
    return keys


def roster(given):
    checked_roster(given)
    return {"digest": roster_digest(given).hex(), "statement": roster_statement(given).hex()}


# Plans


def checked_plan(given):
    n, t, c = len(given["admitted"]), given["threshold"], given["colluding"]
    refuse_if(not JOB.fullmatch(given["job"]), "plan.malformed")
    refuse_if(not 3 <= n <= SETS[given["set"]][2], "plan.cohort")
    refuse_if(t > n, "plan.threshold-unreachable")
    refuse_if(2 * t <= n + c, "plan.quorum")
    refuse_if(t < c + 2, "plan.anonymity")
    refuse_if(not t <= given["min_survivors"] <= n, "plan.min-survivors")
    checked_layout(given["layout"])
    refuse_if(0 in given["deadlines"], "plan.deadline")
    refuse_if(0 in (given["round"], given["attempt"], given["preparation"]), "plan.number")
    refuse_if(not increasing(given["admitted"]), "plan.admitted")
    return given


def plan_bytes(given):
    def block(one):
        numbers = u32(one["len"]) + struct.pack(">dd", one["bound"], one["resolution"])
        return prefixed(one["name"].encode()) + numbers

    return b"".join(
        [
            prefixed(b"KSA/1"),
            prefixed(given["federation"].encode()),
            bytes.fromhex(given["roster"]),
            prefixed(given["job"].encode()),
            bytes.fromhex(given["agreement"]),
            u32(given["round"]),
            u32(given["attempt"]),
            u64(given["preparation"]),
            prefixed(given["set"].encode()),
            u16(given["threshold"]),
            u16(given["colluding"]),
            u16(given["min_survivors"]),
            listed([u16(id) for id in given["admitted"]]),
            bytes.fromhex(given["question"]),
            listed([block(one) for one in given["layout"]]),
            listed([u64(millis) for millis in given["deadlines"]]),
        ]
    )


def plan_digest(given):
    return of_parts("KSA/1 plan", plan_bytes(given))


def context_of(given):
    """ctx0."""
    numbers = u64(given["preparation"]) + u16(len(given["admitted"])) + u16(given["threshold"])
    numbers += u16(given["colluding"]) + u16(given["min_survivors"])
    texts = [given[key].encode() for key in ("federation", "job", "set")]
    return of_parts("KSA/1 ctx0", b"KSA/1", texts[0], bytes.fromhex(given["roster"]), texts[1], numbers, texts[2])


def plan_coefficients(given):
    return padded(coefficient_count(given["layout"], given["set"], len(given["admitted"])))


def plan(given):
    checked_plan(given)
    return {
        "bytes": plan_bytes(given).hex(),
        "ctx0": context_of(given).hex(),
        "digest": plan_digest(given).hex(),
        "fingerprint": of_parts("KSA/1 question", given["job"].encode(), given["place"].encode()).hex(),
        "coefficients": plan_coefficients(given),
    }


def read_plan(given):
    r = Reader(bytes.fromhex(given["bytes"]), "plan.malformed")

    def text():
        try:
            return r.prefixed().decode()
        except UnicodeDecodeError:
            raise Refused("plan.malformed") from None

    refuse_if(r.prefixed() != b"KSA/1", "plan.malformed")
    read = {"federation": text(), "roster": r.fixed(32).hex(), "job": text(), "agreement": r.fixed(32).hex()}
    read |= {"round": r.number(4), "attempt": r.number(4), "preparation": r.number(8), "set": text()}
    refuse_if(read["set"] not in SETS, "plan.malformed")
    read |= {"threshold": r.number(2), "colluding": r.number(2), "min_survivors": r.number(2)}
    read["admitted"] = r.listed(r.id)
    read["question"] = r.fixed(32).hex()
    double = lambda: struct.unpack(">d", r.fixed(8))[0]
    block = lambda: {"name": text(), "len": r.number(4), "bound": double(), "resolution": double()}
    read["layout"] = r.listed(block)
    read["deadlines"] = r.listed(lambda: r.number(8))
    refuse_if(len(read["deadlines"]) != 5, "plan.malformed")
    r.end()
    checked_plan(read)
    return {"ctx0": context_of(read).hex(), "digest": plan_digest(read).hex()}


# Payloads


def payload(kind, m):
    head = u16(m["id"])
    attempt = lambda: u32(m["round"]) + u32(m["attempt"])
    digest = lambda key: bytes.fromhex(m[key])
    if kind == "advertise":
        return head + prefixed(digest("kem_key")) + digest("nonce")
    if kind == "dealing":
        shares = [u16(one["to"]) + bytes.fromhex(one["sealed_sha256"]) for one in m["shares"]]
        return head + listed(shares) + public_part(m)
    if kind == "ack":
        verdict = lambda one: u16(one["dealer"]) + bytes.fromhex(one["dealing"]) + u16(one["ok"])
        return head + listed([verdict(one) for one in m["verdicts"]])
    if kind == "header":
        numbers = u64(m["preparation"]) + attempt()
        return head + digest("h1") + numbers + digest("plan") + u32(m["chunks"]) + digest("root")
    if kind == "certify":
        return head + digest("survivor_set")
    if kind == "reveal":
        return head + digest("survivor_set") + prefixed(digest("share_sum"))
    if kind == "void":
        return head + attempt()
    assert kind == "decline"
    return head + attempt() + prefixed(m["reason"].encode())


def public_part(public):
    """Terms of check polynomials are big-endian here, unlike the words of a share."""
    terms = lambda check: [bytes.fromhex(check[k : k + 16])[::-1] for k in range(0, len(check), 16)]
    checks = b"".join(listed(terms(check)) for check in public["checks"])
    return listed([bytes.fromhex(one) for one in public["commitments"]]) + checks


def read_payload(kind, data):
    """The fields that are needed again."""
    r = Reader(data)
    m = {"id": r.id()}
    if kind == "advertise":
        m["kem_key"] = r.prefixed()
        refuse_if(len(m["kem_key"]) != 1216, "round.malformed")
        r.fixed(32)
    elif kind == "dealing":
        r.listed(lambda: (r.id(), r.fixed(32)))
        r.listed(lambda: r.fixed(32))
        for _ in range(2):
            r.listed(lambda: r.number(8))
    elif kind == "ack":
        m["verdicts"] = r.listed(lambda: (r.id(), r.fixed(32), r.number(2)))
        refuse_if(any(ok > 1 for _, _, ok in m["verdicts"]), "round.malformed")
    elif kind == "header":
        m |= {"h1": r.fixed(32), "preparation": r.number(8), "round": r.number(4), "attempt": r.number(4)}
        m |= {"plan": r.fixed(32), "chunks": r.number(4), "root": r.fixed(32)}
    elif kind == "certify":
        m["survivor_set"] = r.fixed(32)
    elif kind == "reveal":
        m["survivor_set"] = r.fixed(32)
        refuse_if(len(r.prefixed()) > 4096, "round.malformed")
    elif kind == "void":
        m |= {"round": r.number(4), "attempt": r.number(4)}
    else:
        assert kind == "decline"
        r.fixed(8)
        refuse_if(not REASON.fullmatch(r.prefixed()), "round.malformed")
    r.end()
    return m


# Signatures


def statement(kind, ctx0, h1, payload):
    return b"KSA/1 " + kind.encode() + ctx0 + h1 + sha256(payload)


def signed(kind, ctx0, h1, seed, message):
    """Sender, payload and signature in one encoding."""
    data = payload(kind, message)
    signature = primitives.ed25519_sign(seed, statement(kind, ctx0, h1, data))
    return u16(message["id"]) + prefixed(data) + signature


def sign(given):
    context, kind = contexts(given), given["kind"]
    data = payload(kind, given["message"])
    whole = signed(kind, *context, bytes.fromhex(given["signing_seed"]), given["message"])
    return {"payload": data.hex(), "statement": statement(kind, *context, data).hex(), "signed": whole.hex()}


def contexts(given):
    return bytes.fromhex(given["ctx0"]), bytes.fromhex(given.get("h1", ""))


def read_signed(data):
    r = Reader(data)
    parts = r.id(), r.prefixed(), r.fixed(64)
    r.end()
    return parts


def verified(keys, kind, ctx0, h1, data):
    """The payload's fields, its bytes beside them."""
    sender, body, signature = read_signed(data)
    refuse_if(sender not in keys, "round.unknown-sender")
    genuine = primitives.ed25519_verify(keys[sender], statement(kind, ctx0, h1, body), signature)
    refuse_if(not genuine, "round.bad-signature")
    message = read_payload(kind, body)
    refuse_if(message["id"] != sender, "round.malformed")
    return message | {"payload": body}


def verify(given):
    keys = checked_roster(given["roster"])
    message = verified(keys, given["kind"], *contexts(given), bytes.fromhex(given["signed"]))
    return {"from": message["id"], "digest": sha256(message["payload"]).hex()}

"""What the messages of a round amount to: H1, survivor sets, shares, S, the sum."""

import primitives
from ksa import (
    N,
    P,
    SETS,
    WORD,
    body_of,
    chunk_bytes,
    chunks_of,
    decoded,
    element_of,
    elements_of,
    evaluate,
    folded,
    hashed,
    increasing,
    key_of,
    leaf,
    led_to,
    listed,
    mask_of,
    negacyclic,
    of_parts,
    packed,
    prefixed,
    quantised,
    refuse_if,
    root_of,
    sent_of,
    sum_of,
    u16,
    unpacked,
    value_at,
    words,
    written,
    written_small,
    wrong_rows,
)
from primitives import sha256
from terms import (
    checked_plan,
    checked_roster,
    context_of,
    plan_bytes,
    plan_coefficients,
    plan_digest,
    read_signed,
    roster_digest,
    signed,
    verified,
)


def decoded_list(texts):
    messages = [bytes.fromhex(text) for text in texts]
    for message in messages:
        read_signed(message)
    return messages


# Cohorts, survivor sets, certificates


class Cohort:
    def __init__(self, plan, roster, adverts):
        self.plan, self.adverts = checked_plan(plan), adverts
        self.keys = checked_roster(roster)
        self.ctx0 = context_of(plan)
        messages = [verified(self.keys, "advertise", self.ctx0, b"", advert) for advert in adverts]
        self.ids = [message["id"] for message in messages]
        refuse_if(not increasing(self.ids), "round.list")
        refuse_if(not set(self.ids) <= set(plan["admitted"]), "round.not-in-cohort")
        refuse_if(len(self.ids) < plan["threshold"], "round.too-few")
        self.kem_keys = {message["id"]: message["kem_key"] for message in messages}
        self.h1 = of_parts("KSA/1 H1", self.ctx0, *adverts)

    def verified(self, kind, data):
        message = verified(self.keys, kind, self.ctx0, self.h1, data)
        refuse_if(message["id"] not in self.ids, "round.not-in-cohort")
        return message


class Survivors:
    def __init__(self, cohort, signed_headers):
        plan, self.headers = cohort.plan, []
        expected = {
            "h1": cohort.h1,
            "preparation": plan["preparation"],
            "round": plan["round"],
            "attempt": plan["attempt"],
            "plan": plan_digest(plan),
            "chunks": plan_coefficients(plan) // N,
        }
        for data in signed_headers:
            header = cohort.verified("header", data)
            refuse_if(any(header[key] != value for key, value in expected.items()), "round.mismatch")
            self.headers.append(header)
        self.ids = [header["id"] for header in self.headers]
        refuse_if(not increasing(self.ids), "round.list")
        refuse_if(len(self.ids) < plan["min_survivors"], "round.too-few")
        self.digest = of_parts("KSA/1 survivors", cohort.h1, listed([prefixed(data) for data in signed_headers]))


def checked_certificate(cohort, survivors, signatures):
    messages = []
    for data in signatures:
        messages.append(cohort.verified("certify", data))
        refuse_if(messages[-1]["survivor_set"] != survivors.digest, "round.mismatch")
    refuse_if(not increasing([message["id"] for message in messages]), "round.list")
    refuse_if(len(messages) < cohort.plan["threshold"], "round.too-few")


def read_transcript(given):
    cohort = Cohort(given["plan"], given["roster"], decoded_list(given["adverts"]))
    survivors = Survivors(cohort, decoded_list(given["headers"]))
    checked_certificate(cohort, survivors, decoded_list(given["signatures"]))
    return cohort, survivors


def transcript_bytes(plan, *lists):
    return prefixed(plan_bytes(plan)) + b"".join(listed([prefixed(one) for one in each]) for each in lists)


def transcript(given):
    cohort, survivors = read_transcript(given)
    lists = [decoded_list(given[key]) for key in ("adverts", "headers", "signatures")]
    return {
        "h1": cohort.h1.hex(),
        "survivor_set": survivors.digest.hex(),
        "survivors": survivors.ids,
        "transcript_sha256": sha256(transcript_bytes(given["plan"], *lists)).hex(),
    }


def eligible(given):
    cohort = Cohort(given["plan"], given["roster"], decoded_list(given["adverts"]))
    acks = []
    for data in decoded_list(given["acks"]):
        ack = cohort.verified("ack", data)
        dealers = [dealer for dealer, _, _ in ack["verdicts"]]
        refuse_if(not set(dealers) <= set(cohort.ids), "round.not-in-cohort")
        refuse_if(not increasing(dealers), "round.list")
        acks.append(ack)
    refuse_if(not increasing([ack["id"] for ack in acks]), "round.list")
    about = [verdict for ack in acks for verdict in ack["verdicts"] if verdict[0] == given["dealer"]]
    good = sum(1 for _, seen, ok in about if ok and seen.hex() == given["dealing"])
    bad = sum(1 for _, _, ok in about if not ok)
    plan = given["plan"]
    tolerated = min(plan["colluding"], len(plan["admitted"]) - plan["threshold"])
    refuse_if(good < plan["threshold"] or bad > tolerated, "round.not-eligible")
    return {"complaints": bad}


def voided(given):
    plan = given["plan"]
    cohort = Cohort(plan, given["roster"], decoded_list(given["adverts"]))
    ids = []
    for data in decoded_list(given["voids"]):
        void = verified(cohort.keys, "void", cohort.ctx0, cohort.h1, data)
        refuse_if((void["round"], void["attempt"]) != (plan["round"], plan["attempt"]), "round.mismatch")
        refuse_if(void["id"] not in plan["admitted"], "round.not-in-cohort")
        ids.append(void["id"])
    refuse_if(not increasing(ids), "round.list")
    refuse_if(len(ids) < plan["threshold"], "round.too-few")
    return {"attempt": f"{plan['round']}.{plan['attempt']}", "promises": len(ids)}


# Sharing


# Labels of commitments and challenges.
LABELS = ("KSA/1 vss", "KSA/1 vss challenge")


def commitment(labels, h1, dealer, holder, share):
    return of_parts(labels[0], h1, u16(dealer) + u16(holder), share)


def challenges_of(labels, h1, dealer, commitments):
    part = lambda k: of_parts(labels[1], h1, u16(dealer), bytes([k]), b"".join(commitments))
    return [element_of(part(k)) for k in (1, 2)]


def combined(values, k, challenge):
    """Element l, from 1, weighted by the l-th power of the challenge; and a blinding value."""
    total, power = values[len(values) - 2 + k], 1
    for value in values[:-2]:
        power = power * challenge % P
        total += power * value
    return total % P


def deal(labels, elements, given, dealer, h1, cohort, threshold):
    """Shares of elements as bytes, commitments, challenges, check polynomials."""
    refuse_if(len(cohort) > 256 or not increasing(cohort), "share.cohort")
    refuse_if(not 2 <= threshold <= len(cohort), "share.threshold")
    rows = [elements + words(given["blinding"])]
    rows += [words(row) for row in given["rows"]]
    assert len(rows) == threshold and all(len(row) == len(elements) + 2 for row in rows)
    salts = bytes.fromhex(given["salts"])
    shares = []
    for slot, id in enumerate(cohort):
        powers = [pow(id, k, P) for k in range(threshold)]
        values = [sum(x * y for x, y in zip(powers, column)) % P for column in zip(*rows)]
        shares.append(bytes.fromhex(written(values)) + salts[32 * slot : 32 * slot + 32])
    commitments = [commitment(labels, h1, dealer, id, share) for id, share in zip(cohort, shares)]
    challenges = challenges_of(labels, h1, dealer, commitments)
    checks = [[combined(row, k, challenges[k]) for row in rows] for k in (0, 1)]
    public = {"commitments": [one.hex() for one in commitments], "checks": [written(check) for check in checks]}
    return shares, challenges, public


def shared(given, dealer, h1, cohort, threshold):
    return deal(LABELS, packed(key_of(given["key"]), len(cohort)), given, dealer, h1, cohort, threshold)


def share(given):
    shares, challenges, public = shared(
        given, given["dealer"], bytes.fromhex(given["h1"]), given["cohort"], given["threshold"]
    )
    return {"challenges": written(challenges), "public": public, "shares": [one.hex() for one in shares]}


def read_elements(data, count):
    refuse_if(len(data) != 8 * count, "share.length")
    elements = words(data.hex())
    refuse_if(any(element >= P for element in elements), "share.not-canonical")
    return elements


def verify_dealt(labels, given, count, threshold):
    """A share of `count` elements, blinding values apart."""
    cohort, holder, dealer = given["cohort"], given["holder"], given["dealer"]
    data, h1, public = bytes.fromhex(given["share"]), bytes.fromhex(given["h1"]), given["public"]
    refuse_if(len(data) != 8 * (count + 2) + 32, "share.length")
    values = read_elements(data[:-32], count + 2)
    commitments = [bytes.fromhex(one) for one in public["commitments"]]
    checks = [words(check) for check in public["checks"]]
    whole = len(commitments) == len(cohort) and all(len(check) == threshold for check in checks)
    refuse_if(not whole or any(term >= P for check in checks for term in check), "share.public-part")
    refuse_if(holder not in cohort, "share.holder")
    committed = commitments[cohort.index(holder)]
    refuse_if(committed != commitment(labels, h1, dealer, holder, data), "share.commitment")
    for k, challenge in enumerate(challenges_of(labels, h1, dealer, commitments)):
        refuse_if(combined(values, k, challenge) != evaluate(checks[k], holder), "share.polynomial")


def verify_share(given):
    verify_dealt(LABELS, given, elements_of(len(given["cohort"])), given["threshold"])
    return {"good": True}


# Seals

INFO = b"KSA/1 share"


def associated(sender, recipient, h1):
    return u16(sender) + u16(recipient) + h1


def seal(given):
    key = bytes.fromhex(given["kem_key"])
    refuse_if(len(key) != 1216 or not primitives.mlkem_key_is_good(key[:1184]), "seal.key")
    data = associated(given["sender"], given["recipient"], bytes.fromhex(given["h1"]))
    plaintext, randomness = bytes.fromhex(given["plaintext"]), bytes.fromhex(given["randomness"])
    return {"sealed": primitives.hpke_seal(key, INFO, data, plaintext, randomness).hex()}


def open_seal(given):
    seed = bytes.fromhex(given["kem_seed"])
    data = associated(given["sender"], given["recipient"], bytes.fromhex(given["h1"]))
    plaintext = primitives.hpke_open(seed, INFO, data, bytes.fromhex(given["sealed"]))
    refuse_if(plaintext is None, "seal.open")
    return {"kem_key": primitives.xwing_public(seed).hex(), "plaintext": plaintext.hex()}


# S


def restored(reveals, threshold, cohort, survivors):
    """S, and whose reveals were wrong. `reveals` are (id, elements)."""
    ids = [id for id, _ in reveals]
    refuse_if(len(set(ids)) < len(ids), "reveals.duplicate")
    refuse_if(len(ids) < threshold, "reveals.too-few")
    wrong = wrong_rows(ids, [row for _, row in reveals], threshold)
    good = [reveal for k, reveal in enumerate(reveals) if k not in wrong][:threshold]
    points = [id for id, _ in good]
    columns = zip(*(row for _, row in good))
    elements = [value_at(0, points, column) for column in columns]
    return unpacked(elements, cohort, survivors), [ids[k] for k in wrong]


def reconstruct(given):
    cohort, survivors = read_transcript(given)
    count = elements_of(len(cohort.ids))
    reveals = [(one["id"], read_elements(bytes.fromhex(one["share_sum"]), count)) for one in given["reveals"]]
    key_sum, wrong = restored(reveals, given["plan"]["threshold"], len(cohort.ids), len(survivors.ids))
    return {"key_sum": written_small(key_sum), "wrong": wrong}


def unmasked(name, h1, aggregate, key_sum, survivors):
    """Delta fits mu bits of sum; what rounding to it takes off must be as small as the survivors' noise."""
    sent, guard, _ = SETS[name]
    size, delta = sent // 8, 2 ** (64 - sent + guard)
    coefficients = []
    for index, chunk in enumerate(chunks_of(name, aggregate)):
        product = negacyclic(mask_of(h1, index), key_sum)
        squares = 0
        for k in range(N):
            top = int.from_bytes(chunk[size * k : size * k + size], "little") << 64 - sent
            raised = (top - product[k] + delta // 2) % WORD
            whole, rest = raised // delta, raised % delta - delta // 2
            coefficients.append(whole - 2 ** (sent - guard) if whole >> sent - guard - 1 else whole)
            squares += (rest / 2 ** (64 - sent)) ** 2
        refuse_if(squares / N > 2 * (1 / 16 + 1 / 12) * survivors, "unmask.residual")
    return coefficients


# Spot checks


def spot_check(given):
    _, survivors = read_transcript(given)
    name, index = given["plan"]["set"], given["index"]
    refuse_if(len(given["uploads"]) != len(survivors.ids), "spot-check.count")
    count = survivors.headers[0]["chunks"]
    refuse_if(index >= count, "spot-check.no-such-chunk")

    def leads_to(proof, root):
        chunk, path = bytes.fromhex(proof["chunk"]), [bytes.fromhex(step) for step in proof["path"]]
        return len(chunk) == chunk_bytes(name) and led_to(leaf(chunk), index, count, path) == root

    for header, upload in zip(survivors.headers, given["uploads"]):
        refuse_if(not leads_to(upload, header["root"]), "spot-check.upload")
    aggregate = given["aggregate"]
    refuse_if(not leads_to(aggregate, bytes.fromhex(given["aggregate_root"])), "spot-check.aggregate")
    chunks = [bytes.fromhex(upload["chunk"]) for upload in given["uploads"]]
    refuse_if(sum_of(name, chunks, chunk_bytes(name)).hex() != aggregate["chunk"], "spot-check.sum")
    return {"good": True}


# Whole rounds


def round(given):
    plan, people = given["plan"], given["participants"]
    name, n, threshold = plan["set"], len(plan["admitted"]), plan["threshold"]
    checked_roster(given["roster"])
    assert bytes.fromhex(plan["roster"]) == roster_digest(given["roster"])
    ctx0 = context_of(plan)
    seeds = {one["id"]: bytes.fromhex(one["signing_seed"]) for one in people}

    # A
    adverts = []
    for one in people:
        kem_key = primitives.xwing_public(bytes.fromhex(one["kem_seed"]))
        message = {"id": one["id"], "kem_key": kem_key.hex(), "nonce": one["nonce"]}
        adverts.append(signed("advertise", ctx0, b"", seeds[one["id"]], message))
    cohort = Cohort(plan, given["roster"], adverts)
    h1, ids = cohort.h1, cohort.ids
    say = lambda kind, message: signed(kind, ctx0, h1, seeds[message["id"]], message)

    # B
    dealings, bundles, sums = [], [], {id: [] for id in ids}
    for one in people:
        shares, _, public = shared(one, one["id"], h1, ids, threshold)
        message, bundle = {"id": one["id"], "shares": [], **public}, []
        for to, plaintext, randomness in zip(ids, shares, one["seal_randomness"]):
            data = associated(one["id"], to, h1)
            sealed = primitives.hpke_seal(cohort.kem_keys[to], INFO, data, plaintext, bytes.fromhex(randomness))
            seed = next(bytes.fromhex(other["kem_seed"]) for other in people if other["id"] == to)
            assert primitives.hpke_open(seed, INFO, data, sealed) == plaintext
            bundle.append(u16(to) + prefixed(sealed))
            message["shares"].append({"to": to, "sealed_sha256": sha256(sealed).hex()})
            if one["id"] in given["submits"]:
                sums[to].append(words(plaintext[:-48].hex()))
        dealings.append(say("dealing", message))
        bundles.append(sha256(listed(bundle)).hex())

    # C
    seen = lambda dealing: sha256(read_signed(dealing)[1]).hex()
    verdicts = [{"dealer": id, "dealing": seen(dealing), "ok": True} for id, dealing in zip(ids, dealings)]
    acks = [say("ack", {"id": id, "verdicts": verdicts}) for id in ids]

    # D
    updates, headers = [], []
    for one in people:
        if one["id"] not in given["submits"]:
            continue
        updates.append(update_of(one, plan, h1))
        header = {key: plan[key] for key in ("preparation", "round", "attempt")}
        header |= {"id": one["id"], "h1": h1.hex(), "plan": plan_digest(plan).hex()}
        chunks = chunks_of(name, updates[-1])
        headers.append(say("header", header | {"chunks": len(chunks), "root": root_of(chunks).hex()}))
    aggregate = folded(name, plan_coefficients(plan) // N, given["submits"], updates)

    # E, F
    survivors = Survivors(cohort, headers)
    certify = lambda id: {"id": id, "survivor_set": survivors.digest.hex()}
    signatures = [say("certify", certify(id)) for id in ids]
    checked_certificate(cohort, survivors, signatures)
    share_sums = [(id, [sum(column) % P for column in zip(*sums[id])]) for id in ids]
    reveals = [say("reveal", certify(id) | {"share_sum": written(row)}) for id, row in share_sums]
    key_sum, wrong = restored(share_sums, threshold, len(ids), len(survivors.ids))
    assert not wrong
    coefficients = unmasked(name, h1, aggregate, key_sum, len(survivors.ids))
    steps = written(decoded(plan["layout"], name, n, len(survivors.ids), coefficients))
    hexes = lambda messages: [message.hex() for message in messages]
    return {
        "ctx0": ctx0.hex(),
        "h1": h1.hex(),
        "adverts": hexes(adverts),
        "dealings": hexes(dealings),
        "bundles_sha256": bundles,
        "acks": hexes(acks),
        "uploads": [hashed(name, update) for update in updates],
        "headers": hexes(headers),
        "survivor_set": survivors.digest.hex(),
        "signatures": hexes(signatures),
        "reveals": hexes(reveals),
        "key_sum": written_small(key_sum),
        "aggregate": hashed(name, aggregate),
        "steps": steps,
        "sum_sha256": sha256(bytes.fromhex(written([len(survivors.ids)]) + steps)).hex(),
        "transcript_sha256": sha256(transcript_bytes(plan, adverts, headers, signatures)).hex(),
    }


def update_of(one, plan, h1):
    coefficients, _ = quantised(plan["layout"], plan["set"], len(plan["admitted"]), one["values"])
    coefficients += [0] * (plan_coefficients(plan) - len(coefficients))
    key, errors = key_of(one["encrypts_with"] or one["key"]), words(one["errors"])
    update = b""
    for index in range(len(coefficients) // N):
        part = slice(index * N, index * N + N)
        update += sent_of(plan["set"], body_of(plan["set"], h1, index, key, coefficients[part], errors[part]))
    return update

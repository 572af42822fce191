"""Small vectors, which are shared themselves: digits, shares, the sum from reveals."""

from ksa import CANARIES, largest_step, refuse_if, value_at, written, wrong_rows
from rounds import deal, read_elements, verify_dealt
from terms import checked_plan

# Labels of commitments and challenges.
LABELS = ("KSA/1 vector vss", "KSA/1 vector vss challenge")


def places(plan):
    """For each canary and value: its element, the bits below it, its own bits, the largest step."""
    checked_plan(plan)
    largest = [1] * len(CANARIES)
    for block in plan["layout"]:
        refuse_if(len(largest) + block["len"] > 60 * 512, "vector.not-small")
        largest += [largest_step(block)] * block["len"]
    found, element, used = [], 0, 0
    for most in largest:
        bits = (2 * len(plan["admitted"]) * most).bit_length()
        refuse_if(bits > 60, "vector.not-small")
        if used + bits > 60:
            element, used = element + 1, 0
        found.append((element, used, bits, most))
        used += bits
    refuse_if(element >= 512, "vector.not-small")
    return found


def elements_of(plan):
    return places(plan)[-1][0] + 1


def encoded(plan, values):
    digits, values = places(plan), iter(values)
    steps = CANARIES[:]
    for block in plan["layout"]:
        for _ in range(block["len"]):
            clipped = max(-block["bound"], min(block["bound"], next(values)))
            step = clipped / block["resolution"]
            assert step == int(step), "vectors hold whole numbers of steps"
            steps.append(int(step))
    elements = [0] * elements_of(plan)
    for (element, below, _, most), step in zip(digits, steps):
        elements[element] += step + most << below
    return elements


def encode_vector(given):
    return {"elements": written(encoded(given["plan"], given["values"]))}


def share_vector(given):
    plan, cohort = given["plan"], given["cohort"]
    elements = encoded(plan, given["values"])
    refuse_if(len(cohort) > len(plan["admitted"]), "share.cohort")
    shares, challenges, public = deal(
        LABELS, elements, given, given["dealer"], bytes.fromhex(given["h1"]), cohort, plan["threshold"]
    )
    return {"challenges": written(challenges), "public": public, "shares": [one.hex() for one in shares]}


def verify_vector_share(given):
    verify_dealt(LABELS, given, elements_of(given["plan"]), given["plan"]["threshold"])
    return {"good": True}


def open_vector(given):
    plan, survivors = given["plan"], given["survivors"]
    digits, threshold = places(plan), plan["threshold"]
    count = elements_of(plan)
    reveals = [(one["id"], read_elements(bytes.fromhex(one["share_sum"]), count)) for one in given["reveals"]]
    ids = [id for id, _ in reveals]
    refuse_if(len(set(ids)) < len(ids), "reveals.duplicate")
    refuse_if(len(ids) < threshold, "reveals.too-few")
    wrong = wrong_rows(ids, [row for _, row in reveals], threshold)
    good = [reveal for k, reveal in enumerate(reveals) if k not in wrong]
    points = [id for id, _ in good[:threshold]]
    elements = [value_at(0, points, column) for column in zip(*(row for _, row in good[:threshold]))]

    sums = []
    for element, below, bits, most in digits:
        sums.append((elements[element] >> below) % 2**bits - survivors * most)
        elements[element] -= (sums[-1] + survivors * most) << below
    refuse_if(any(elements), "sum.padding")
    refuse_if(sums[:4] != [survivors * canary for canary in CANARIES], "sum.canary")
    refuse_if(any(abs(x) > survivors * most for x, (_, _, _, most) in zip(sums, digits)), "sum.overflow")
    surplus = len(good) - threshold
    return {
        "steps": written(sums[4:]),
        "wrong": [ids[k] for k in wrong],
        "surplus": surplus,
        "checked": surplus > 0,
    }

#!/usr/bin/env python3
"""Derives every test vector of `v1` anew from its inputs, and sees every negative twin refused for the reason it names.

Needs Python 3.9 and its standard library, nothing else; none of it is the shipped code. Exits with 1 if anything differs.
"""

import copy
import json
import sys
import time
from pathlib import Path

import ksa
import primitives
import rounds
import small
import terms

OPERATIONS = {
    "mask": ksa.mask,
    "product": ksa.product,
    "pack": ksa.pack,
    "unpack": ksa.unpack,
    "field": ksa.field,
    "element": ksa.element,
    "interpolate": ksa.interpolate,
    "correct": ksa.correct,
    "quantise": ksa.quantise,
    "encrypt": ksa.encrypt,
    "fold": ksa.fold,
    "decode": ksa.decode,
    "merkle": ksa.merkle,
    "merkle-path": ksa.merkle_path,
    "roster": terms.roster,
    "plan": terms.plan,
    "read-plan": terms.read_plan,
    "sign": terms.sign,
    "verify": terms.verify,
    "transcript": rounds.transcript,
    "eligible": rounds.eligible,
    "voided": rounds.voided,
    "share": rounds.share,
    "verify-share": rounds.verify_share,
    "seal": rounds.seal,
    "open-seal": rounds.open_seal,
    "reconstruct": rounds.reconstruct,
    "spot-check": rounds.spot_check,
    "encode-vector": small.encode_vector,
    "share-vector": small.share_vector,
    "verify-vector-share": small.verify_vector_share,
    "open-vector": small.open_vector,
    "round": rounds.round,
}


def altered(given, change):
    """A copy of `given` with every step of `change` done."""
    given = copy.deepcopy(given)
    for step in change:
        *way, last = [int(part) if part.isdigit() else part for part in step["at"].split("/")[1:]]
        holder = given
        for part in way:
            holder = holder[part]
        target = holder[last]
        if "set" in step:
            holder[last] = step["set"]
        elif "flip" in step:
            data = bytearray.fromhex(target)
            data[step["flip"]] ^= 1
            holder[last] = data.hex()
        elif "cut" in step:
            holder[last] = target[: 2 * step["cut"]]
        elif "drop" in step:
            del target[step["drop"]]
        elif "repeat" in step:
            target.insert(step["repeat"], target[step["repeat"]])
        else:
            a, b = step["swap"]
            target[a], target[b] = target[b], target[a]
    return given


def at(value, pointer):
    for part in pointer.split("/")[1:]:
        value = value[int(part) if isinstance(value, list) else part]
    return value


def attempt(operation, given):
    """What comes out and no code, or a code."""
    try:
        return OPERATIONS[operation](given), None
    except ksa.Refused as refused:
        return None, str(refused)


def check_case(case):
    out, code = attempt(case["operation"], case["in"])
    if code is not None:
        return f"refused with {code}"
    if out != case["out"]:
        keys = sorted({*out, *case["out"]})
        return "differs in " + ", ".join(key for key in keys if out.get(key) != case["out"].get(key))
    return None


def check_twin(case, twin):
    out, code = attempt(case["operation"], altered(case["in"], twin["change"]))
    if "refused" in twin:
        return None if code == twin["refused"] else f"{code or 'accepted'}, where {twin['refused']} is due"
    if code is not None:
        return f"refused with {code}"
    pointer = twin["differs"]
    return f"{pointer} is the same" if at(out, pointer) == at(case["out"], pointer) else None


def main():
    began = time.monotonic()
    primitives.self_check()
    documents = sorted((Path(__file__).parent / "v1").glob("*.json"))
    wrong, counts = [], [0, 0]
    for path in documents:
        document = json.loads(path.read_text(encoding="utf-8"))
        assert document["schema"] == "syndic.test-vectors/1", path
        cases = {case["name"]: case for case in document["cases"]}
        assert len(cases) == len(document["cases"]), f"two cases of one name in {path}"
        found = [(name, check_case(case)) for name, case in cases.items()]
        for twin in document["twins"]:
            found.append((f"{twin['case']}: {twin['why']}", check_twin(cases[twin["case"]], twin)))
        counts = [counts[0] + len(cases), counts[1] + len(document["twins"])]
        wrong += [f"{path.stem}: {what}: {problem}" for what, problem in found if problem]
    for line in wrong:
        print(line, file=sys.stderr)
    print(f"{counts[0]} vectors and {counts[1]} negative twins in {len(documents)} documents derived anew in "
          f"{time.monotonic() - began:.1f} s, {len(wrong)} of them wrong")
    return 1 if wrong or not documents else 0


if __name__ == "__main__":
    sys.exit(main())

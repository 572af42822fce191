//! The operations that vectors name, each done by the shipped code.

use serde_json::Value;

use super::value::Code;
use super::{arithmetic, coding, messages, rounds, shares, small, terms};

/// Does `operation` on `input`: what comes out, or the stable code of the refusal.
pub(super) fn run(operation: &str, input: &Value) -> Result<Value, Code> {
    match operation {
        "mask" => Ok(arithmetic::mask(input)),
        "product" => Ok(arithmetic::product(input)),
        "pack" => Ok(arithmetic::pack(input)),
        "unpack" => arithmetic::unpack(input),
        "field" => Ok(arithmetic::field(input)),
        "element" => Ok(arithmetic::element(input)),
        "interpolate" => Ok(arithmetic::interpolate(input)),
        "correct" => arithmetic::correct(input),
        "quantise" => Ok(coding::quantise(input)),
        "encrypt" => Ok(coding::encrypt(input)),
        "fold" => coding::fold(input),
        "decode" => coding::decode(input),
        "roster" => terms::roster(input),
        "plan" => terms::plan(input),
        "read-plan" => terms::read_plan(input),
        "sign" => Ok(messages::sign(input)),
        "verify" => messages::verify(input),
        "transcript" => messages::transcript(input),
        "eligible" => messages::eligible(input),
        "voided" => messages::voided(input),
        "share" => shares::share(input),
        "verify-share" => shares::verify_share(input),
        "seal" => shares::seal(input),
        "open-seal" => shares::open_seal(input),
        "merkle" => Ok(shares::merkle(input)),
        "merkle-path" => Ok(shares::merkle_path(input)),
        "reconstruct" => shares::reconstruct(input),
        "spot-check" => shares::spot_check(input),
        "encode-vector" => small::encode(input),
        "share-vector" => small::share(input),
        "verify-vector-share" => small::verify_share(input),
        "open-vector" => small::open(input),
        "round" => rounds::round(input),
        other => panic!("there is no operation `{other}`"),
    }
}

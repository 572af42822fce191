//! A network as questions spell it.

use serde::{Deserialize, Serialize};

use super::Network;
use crate::packed::Numbers;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Spelled {
    hidden: Vec<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    embedding: Option<u32>,
    parameters: Numbers,
}

impl From<Network> for Spelled {
    fn from(Network { hidden, embedding, packed, parameters }: Network) -> Self {
        Self { hidden, embedding, parameters: Numbers { values: parameters, packed } }
    }
}

impl From<Spelled> for Network {
    fn from(Spelled { hidden, embedding, parameters: Numbers { values, packed } }: Spelled) -> Self {
        Self { hidden, embedding, packed, parameters: values }
    }
}

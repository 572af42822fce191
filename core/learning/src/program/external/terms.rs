//! The terms of training by an external trainer: which tensors, where they start, and how far a round may move them.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use syndic_round::Digest;

/// What a job fixes about training by an external trainer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExternalTerms {
    /// Name and version of the trainer that every institution runs, `numpy-logistic/1` for instance.
    pub trainer: String,
    /// The largest absolute change of one number in a round; what exceeds it is clipped at the institution.
    pub clip: f64,
    /// Which random numbers tensors start from that do not start from zeros.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub seed: u32,
    /// What the trainer is told beside the rows. Its meaning is the trainer's; institutions approve it with the job.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub settings: Map<String, Value>,
    /// The numbers that are learnt, in the order in which they travel.
    pub tensors: Vec<Tensor>,
}

/// One array of numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tensor {
    /// Unique within the job.
    pub name: String,
    /// Its extents, the slowest first; none for a single number.
    pub shape: Vec<u32>,
    /// Starts from normally distributed numbers of this standard deviation; without it from zeros.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub normal: Option<f64>,
}

impl ExternalTerms {
    /// Numbers in all tensors.
    pub fn elements(&self) -> usize {
        self.tensors.iter().map(Tensor::elements).fold(0, usize::saturating_add)
    }

    /// The numbers before the first round, in the order of the tensors, each row by row.
    pub fn start(&self) -> Vec<f64> {
        self.tensors.iter().flat_map(|tensor| tensor.start(self.seed)).collect()
    }

    /// The settings as one JSON object, keys in order.
    pub fn settings_json(&self) -> String {
        Value::Object(self.settings.clone()).to_string()
    }

    /// Checks them.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn check(&self) -> Result<(), String> {
        if !is_trainer(&self.trainer) {
            return Err(format!("`trainer` is a name and a version, `{EXAMPLE}` for instance"));
        }
        if !(SMALLEST_CLIP..=LARGEST_CLIP).contains(&self.clip) {
            return Err(format!("`clip` is from {SMALLEST_CLIP} to {LARGEST_CLIP}"));
        }
        if self.tensors.is_empty() || self.tensors.len() > MOST_TENSORS {
            return Err(format!("there are 1 to {MOST_TENSORS} tensors"));
        }
        for (position, tensor) in self.tensors.iter().enumerate() {
            tensor.check()?;
            if self.tensors[..position].iter().any(|earlier| earlier.name == tensor.name) {
                return Err(format!("two tensors are named `{}`", tensor.name));
            }
        }
        match self.elements() {
            elements if elements > MOST_ELEMENTS => {
                Err(format!("{elements} numbers are learnt, which are more than {MOST_ELEMENTS}"))
            }
            _ => Ok(()),
        }
    }
}

impl Tensor {
    /// Numbers in it.
    pub fn elements(&self) -> usize {
        self.shape.iter().map(|&extent| extent as usize).fold(1, usize::saturating_mul)
    }

    fn start(&self, seed: u32) -> Vec<f64> {
        let Some(deviation) = self.normal else { return vec![0.0; self.elements()] };
        let parts: [&[u8]; 2] = [&seed.to_be_bytes(), self.name.as_bytes()];
        let Digest(bytes) = Digest::of_parts("syndic external start", &parts);
        let mut state = bytes.iter().take(8).fold(0, |state, &byte| (state << 8) | u64::from(byte));
        (0..self.elements()).map(|_| deviation * normal(&mut state)).collect()
    }

    fn check(&self) -> Result<(), String> {
        let name = &self.name;
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
        if !(1..=64).contains(&name.len()) || !name.bytes().all(allowed) || name.starts_with(RESERVED) {
            return Err(format!(
                "a tensor's name has 1 to 64 letters, digits, `.`, `-` or `_`, and does not begin with `{RESERVED}`"
            ));
        }
        if self.shape.len() > MOST_EXTENTS || self.shape.contains(&0) {
            return Err(format!("`shape` of `{name}` has at most {MOST_EXTENTS} extents, none of them 0"));
        }
        match self.normal {
            Some(deviation) if !(deviation > 0.0 && deviation <= LARGEST_CLIP) => {
                Err(format!("`normal` of `{name}` is above 0 and at most {LARGEST_CLIP}"))
            }
            _ => Ok(()),
        }
    }
}

/// Whether `text` is the name and the version of a trainer, with a slash between them.
pub fn is_trainer(text: &str) -> bool {
    let is_word = |word: &str| {
        let allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.');
        (1..=64).contains(&word.len()) && word.bytes().all(allowed)
    };
    text.split_once('/').is_some_and(|(name, version)| is_word(name) && is_word(version))
}

/// A normally distributed number (Box and Muller, Ann. Math. Statist. 29, 1958).
fn normal(state: &mut u64) -> f64 {
    // Never 0, whose logarithm is none.
    let radius = libm::sqrt(-2.0 * libm::log(1.0 - uniform(state)));
    radius * libm::cos(std::f64::consts::TAU * uniform(state))
}

/// A uniform number in [0, 1), by SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
fn uniform(state: &mut u64) -> f64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}

fn is_zero(seed: &u32) -> bool {
    *seed == 0
}

/// The most numbers that are learnt: a question that holds them all, and its text, fit the 16 MiB of a blob.
pub const MOST_ELEMENTS: usize = 1_400_000;
/// The most tensors.
pub const MOST_TENSORS: usize = 256;
/// The most extents of a tensor.
pub const MOST_EXTENTS: usize = 8;
/// What names of tensors do not begin with: a model's file has numbers of its own.
pub(super) const RESERVED: &str = "syndic.";
/// The name and version in messages.
pub(crate) const EXAMPLE: &str = "numpy-logistic/1";

const SMALLEST_CLIP: f64 = 1e-6;
const LARGEST_CLIP: f64 = 1e6;

//! What entries claim: the blobs that they name, and what each is to its entry.

use std::collections::BTreeMap;

use syndic_round::Digest;

use crate::fact::Fact;
use crate::named::{Role, named};

/// The blobs that the entries so far name.
#[derive(Default)]
pub(crate) struct Claims {
    /// The first entry that names a blob, and what it is to it.
    named: BTreeMap<Digest, (u64, Role)>,
}

impl Claims {
    /// Takes the next entry into account, whose place is `index`.
    pub(crate) fn take(&mut self, index: u64, fact: &Fact) {
        for (role, digest) in named(fact) {
            self.named.entry(digest).or_insert((index, role));
        }
    }

    /// Whether an entry names the blob.
    pub(crate) fn has(&self, digest: &Digest) -> bool {
        self.named.contains_key(digest)
    }

    /// Every blob that is named, in the order of names, with the first entry that does.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&Digest, &(u64, Role))> {
        self.named.iter()
    }
}

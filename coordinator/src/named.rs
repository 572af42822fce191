//! The blobs that entries name, and what it means that one is gone.

use syndic_round::Digest;
use syndic_round::coordinator::Input;

use crate::fact::Fact;

/// What a blob is to an entry that names it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    SealedRoster,
    JobFile,
    Question,
    Model,
    Statistics,
    Card,
    SealedShares,
    Update,
    Sum,
    Transcript,
    KeySum,
    Aggregate,
}

impl Role {
    /// Its name in a sentence.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::SealedRoster => "sealed roster",
            Self::JobFile => "job file",
            Self::Question => "question",
            Self::Model => "model",
            Self::Statistics => "document of statistics",
            Self::Card => "model card",
            Self::SealedShares => "sealed shares",
            Self::Update => "update",
            Self::Sum => "sum",
            Self::Transcript => "transcript",
            Self::KeySum => "sum of keys",
            Self::Aggregate => "aggregate",
        }
    }

    /// Whether it goes when the updates of its job are erased.
    pub(crate) fn is_erasable(self) -> bool {
        matches!(self, Self::Update | Self::SealedShares | Self::Question)
    }

    /// What does not work without it.
    pub(crate) fn meaning(self) -> &'static str {
        match self {
            Self::Sum => "the coordinator does not start without it",
            Self::SealedShares | Self::Question => {
                "a round in progress that needs it ends without a result; rounds that are over are not affected"
            }
            Self::Update => {
                "a round in progress that needs it cannot be opened; of a round that is over, spot checks fail"
            }
            Self::Transcript | Self::KeySum | Self::Aggregate => {
                "spot checks of its round fail; its result is not affected"
            }
            Self::Model => {
                "the model is not affected where it was published, and follows from the sums again"
            }
            Self::Statistics => {
                "what it says is not affected where it was published; a coordinator that finds the very same from the sums once more \
                 stores it again"
            }
            Self::Card => "participants that do not have the model yet cannot fetch it",
            Self::JobFile => "participants that do not have the job yet cannot fetch it",
            Self::SealedRoster => "no round needs it; `roster.sealed.json` of the federation says the same",
        }
    }
}

/// The blobs that a fact names.
pub(crate) fn named(fact: &Fact) -> Vec<(Role, Digest)> {
    match fact {
        Fact::RosterSealed { blob, .. } => vec![(Role::SealedRoster, *blob)],
        Fact::JobAgreed { file, .. } => vec![(Role::JobFile, Digest::of(file.as_bytes()))],
        Fact::RoundOpened { plan, .. } => vec![(Role::Question, plan.question)],
        Fact::JobCompleted { model, .. } => vec![(Role::Model, *model)],
        Fact::JobDescribed(described) => vec![(Role::Statistics, described.document)],
        Fact::ModelStaged(staged) => {
            staged.approval.change.card.map(|card| (Role::Card, card)).into_iter().collect()
        }
        Fact::Heard { input: Input::Deal(_, bundle), .. } => vec![(Role::SealedShares, bundle.blob)],
        // An update that was shared itself has no bytes of its own.
        Fact::Heard { input: Input::Submit(_, upload), .. } if upload.bytes > 0 => {
            vec![(Role::Update, upload.blob)]
        }
        Fact::Heard { input: Input::Opened(opened), .. } => {
            let mut named = vec![(Role::Sum, opened.sum), (Role::Transcript, opened.transcript)];
            if let Some(ring) = opened.ring {
                named.extend([(Role::KeySum, ring.key_sum), (Role::Aggregate, ring.aggregate)]);
            }
            named
        }
        _ => Vec::new(),
    }
}

//! Who is missing in a round, and why: on record with its survivor set, or with its end where there is no sum.

use serde_json::{Value, json};
use syndic_round::coordinator::{Abandoned, Phase, Preparing, Round};
use syndic_round::message::Kind;
use syndic_round::{Carrier, ParticipantId};

use crate::engine::Open;

/// An admitted institution that did not do its part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// Who.
    pub participant: ParticipantId,
    /// Why.
    pub why: Why,
    /// Whether it is on record in this round that it signed two messages where one may exist.
    pub equivocated: bool,
}

/// Why somebody is missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// It was not connected when the round opened, and was not heard in it.
    Absent,
    /// It said no, with this code.
    Declined(String),
    /// It was there, or had been heard, and did not do this in time.
    Missed(Step),
    /// It did its part, but too few others hold the shares that would open its update.
    Unheld,
}

/// What is done in a round, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// Advertise a one-time key.
    Advertise,
    /// Share the key, or the update itself.
    Share,
    /// Acknowledge the shares.
    Acknowledge,
    /// Submit the update.
    Submit,
    /// Sign the survivor set.
    Certify,
    /// Reveal a sum of shares.
    Reveal,
}

impl Missing {
    /// Who is missing in a round whose survivor set was just frozen.
    pub fn in_set(before: &Open, next: &Round, survivors: &[ParticipantId]) -> Vec<Self> {
        let admitted = next.plan().terms.admitted.iter();
        let missing = admitted.filter(|id| !survivors.contains(id));
        missing.map(|id| Self::of(before, next, *id).unwrap_or_else(|| Self::unheld(before, *id))).collect()
    }

    /// Who did not do what the phase needed in which a round was abandoned. Where its job was stopped nobody is to blame.
    pub fn at_end(before: &Open, next: &Round, reason: &Abandoned) -> Vec<Self> {
        let awaited = match (before.round.phase(), reason) {
            (_, Abandoned::Stopped(_)) => return Vec::new(),
            (Phase::Preparing(Preparing::Advertising(_)), _) => Step::Advertise,
            (Phase::Preparing(Preparing::Sharing(_)), _) => Step::Share,
            (Phase::Preparing(Preparing::Acknowledging(_)), _) => Step::Acknowledge,
            (Phase::Collecting(_), _) => Step::Submit,
            (Phase::Certifying(_), _) => Step::Certify,
            _ => Step::Reveal,
        };
        let admitted = next.plan().terms.admitted.iter();
        let missing = admitted.filter_map(|id| Self::of(before, next, *id));
        missing.filter(|missing| missing.is_by(awaited)).collect()
    }

    fn of(before: &Open, next: &Round, participant: ParticipantId) -> Option<Self> {
        let why = match (next.declined().get(&participant), Step::after(next.last_heard(participant))) {
            (Some(code), _) => Why::Declined(code.clone()),
            (None, Some(Step::Advertise)) if before.absent.contains(&participant) => Why::Absent,
            (None, Some(step)) if step <= Step::Submit || !matches!(next.phase(), Phase::Certifying(_)) => {
                Why::Missed(step)
            }
            (None, _) => return None,
        };
        Some(Self { participant, why, equivocated: before.has_equivocated(participant) })
    }

    fn unheld(before: &Open, participant: ParticipantId) -> Self {
        Self { participant, why: Why::Unheld, equivocated: before.has_equivocated(participant) }
    }

    /// Whether it had not done what was `awaited`.
    fn is_by(&self, awaited: Step) -> bool {
        match self.why {
            Why::Absent | Why::Declined(_) => true,
            Why::Missed(step) => step <= awaited,
            Why::Unheld => false,
        }
    }

    /// For people; `carrier` is that of the round's vector.
    pub fn reason(&self, carrier: Carrier) -> String {
        let reason = match &self.why {
            Why::Absent => "was not connected when the round opened",
            Why::Declined(code) => return self.and_equivocated(format!("declined: {code}")),
            Why::Missed(step) => step.missed(carrier),
            Why::Unheld if carrier == Carrier::Ring => "its key shares were not held by enough others",
            Why::Unheld => "the shares of its update were not held by enough others",
        };
        self.and_equivocated(reason.into())
    }

    fn and_equivocated(&self, reason: String) -> String {
        if self.equivocated {
            format!("{reason}; it signed two messages where one may exist")
        } else {
            reason
        }
    }

    pub(crate) fn to_json(&self) -> Value {
        let mut value = json!({ "participant": self.participant, "why": self.why.name() });
        if let Why::Declined(code) = &self.why {
            value["code"] = json!(code);
        }
        if self.equivocated {
            value["equivocated"] = json!(true);
        }
        value
    }

    pub(crate) fn from_json(value: &Value) -> Option<Self> {
        let why = match value.get("why")?.as_str()? {
            "absent" => Why::Absent,
            "declined" => Why::Declined(value.get("code")?.as_str()?.into()),
            "unheld" => Why::Unheld,
            missed => Why::Missed(Step::ALL.into_iter().find(|step| step.name() == missed)?),
        };
        Some(Self {
            participant: serde_json::from_value(value.get("participant")?.clone()).ok()?,
            why,
            equivocated: value.get("equivocated").and_then(Value::as_bool).unwrap_or(false),
        })
    }
}

impl Why {
    fn name(&self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Declined(_) => "declined",
            Self::Missed(step) => step.name(),
            Self::Unheld => "unheld",
        }
    }
}

impl Step {
    const ALL: [Self; 6] =
        [Self::Advertise, Self::Share, Self::Acknowledge, Self::Submit, Self::Certify, Self::Reveal];

    /// What follows what was heard last; none where nothing does.
    fn after(heard: Option<Kind>) -> Option<Self> {
        match heard {
            None => Some(Self::Advertise),
            Some(Kind::Advertise) => Some(Self::Share),
            Some(Kind::Dealing) => Some(Self::Acknowledge),
            Some(Kind::Ack) => Some(Self::Submit),
            Some(Kind::Header) => Some(Self::Certify),
            Some(Kind::Certify) => Some(Self::Reveal),
            Some(Kind::Reveal | Kind::Void | Kind::Decline) => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Advertise => "advertise",
            Self::Share => "share",
            Self::Acknowledge => "acknowledge",
            Self::Submit => "submit",
            Self::Certify => "certify",
            Self::Reveal => "reveal",
        }
    }

    fn missed(self, carrier: Carrier) -> &'static str {
        match (self, carrier) {
            (Self::Advertise, _) => "was connected but did not advertise a key in time",
            (Self::Share, Carrier::Ring) => "vanished before it shared its key",
            (Self::Share, Carrier::Shares) => "vanished before it shared its update",
            (Self::Acknowledge, Carrier::Ring) => "vanished before it acknowledged the key shares",
            (Self::Acknowledge, Carrier::Shares) => {
                "vanished before it acknowledged the shares of the updates"
            }
            (Self::Submit, Carrier::Ring) => "vanished before it submitted its update",
            (Self::Submit, Carrier::Shares) => "vanished before it signed for its update",
            (Self::Certify, _) => "vanished before it signed the survivor set",
            (Self::Reveal, _) => "vanished before it revealed its sum of shares",
        }
    }
}

//! Saying: written down first, and said in the same bytes as often as it takes, until the coordinator has signed for it.

use std::collections::BTreeMap;

use ed25519_dalek::VerifyingKey;
use syndic_proto::convert::{PlaceRef, RoundRef};
use syndic_round::message::Kind;
use syndic_round::receipt::{Receipt, Received};
use syndic_round::{Place, RoundPlan, Signed};
use tonic::Status;

use super::error::{Declined, Undone};
use super::link::Link;
use super::seat::{Said, Seat};
use super::{Agent, leaving};

impl Agent {
    /// Makes a message durable before anybody hears of it (rule 4).
    pub(super) async fn write_down(
        &self,
        at: &PlaceRef,
        preparation: u64,
        all: &mut BTreeMap<Kind, Said>,
        kind: Kind,
        (signed, attached): (Signed, Vec<u8>),
    ) -> Result<(), Undone> {
        // If we crash here the message is written down but not sent; its secrets are gone, so the attempt is
        // declined after the restart (but for what can be said again without them, see `say_from_journal`), and no
        // second message of its kind can be written.
        let (job, bytes) = (at.job.as_str(), signed.to_bytes());
        let said = Said { signed, attached, is_leaving: kind != Kind::Header };
        if said.is_leaving {
            let leaving = leaving(at, kind, &said.bytes());
            self.journal.record_leaving(job, preparation, kind.into(), &bytes, &leaving).await?;
        } else {
            // An update is measured on its way, see `upload`.
            self.journal.record_message(job, preparation, kind.into(), &bytes).await?;
        }
        all.insert(kind, said);
        Ok(())
    }

    pub(super) async fn write_down_in(
        &self,
        seat: &mut Seat,
        kind: Kind,
        signed: Signed,
        attached: Vec<u8>,
    ) -> Result<(), Undone> {
        let at = PlaceRef::from(seat.round.clone());
        self.write_down(&at, seat.plan.terms.number, &mut seat.said, kind, (signed, attached)).await
    }

    /// Says what was written down, now or before.
    pub(super) async fn say(
        &self,
        link: &mut Link,
        at: &PlaceRef,
        all: &mut BTreeMap<Kind, Said>,
        kind: Option<Kind>,
    ) -> Result<(), Undone> {
        let Some((kind, said)) = kind.and_then(|kind| Some((kind, all.get_mut(&kind)?))) else {
            return Ok(());
        };
        if let (Kind::Header, Place::Round(id)) = (kind, at.place) {
            return self.upload(link, &RoundRef { job: at.job.clone(), id }, &said.signed).await;
        }
        if !std::mem::take(&mut said.is_leaving) {
            self.journal.sent(&leaving(at, kind, &said.bytes())).await?;
        }
        let receipt = link.say(at, kind, &said.signed, &said.attached).await?;
        self.check_receipt(at, kind, &said.signed, &receipt)
    }

    /// Without the coordinator's signed word a message counts as not said: the connection begins anew, and so does this.
    pub(super) fn check_receipt(
        &self,
        at: &PlaceRef,
        kind: Kind,
        message: &Signed,
        receipt: &Receipt,
    ) -> Result<(), Undone> {
        let federation = self.enrolment.federation();
        let what = Received { federation, job: &at.job, round: at.place.round(), kind, message };
        let key = VerifyingKey::from_bytes(&self.roster.roster().coordinator_key);
        match key {
            Ok(key) if receipt.is_for(&what, &key) => Ok(()),
            _ => Err(Status::unavailable("the coordinator's receipt does not verify").into()),
        }
    }

    /// After a restart the secrets of the round are gone, but an update whose header was written down, and what was
    /// written down about the survivor set, can still be said, in the same bytes; anything else is declined.
    pub(super) async fn say_from_journal(
        &self,
        link: &mut Link,
        round: &RoundRef,
        plan: &RoundPlan,
        kind: Option<Kind>,
    ) -> Result<(), Undone> {
        let Some(kind @ (Kind::Header | Kind::Certify | Kind::Reveal)) = kind else {
            return Err(Declined::Restarted.into());
        };
        let written = self.journal.message(plan.terms.job.as_str(), plan.terms.number, kind.into()).await?;
        let signed = written.and_then(|bytes| Signed::from_bytes(&bytes).ok()).ok_or(Declined::Restarted)?;
        if kind == Kind::Header {
            return self.upload(link, round, &signed).await;
        }
        let at = PlaceRef::from(round.clone());
        self.journal.sent(&leaving(&at, kind, &signed.to_bytes())).await?;
        let receipt = link.say(&at, kind, &signed, &[]).await?;
        self.check_receipt(&at, kind, &signed, &receipt)
    }
}

//! The steps of a round as a lying coordinator plays them, a whole group at a time.

use syndic_round::{RoundId, Signed};

use crate::liar::{Ask, Dealing, Liar};
use crate::offer::Owed;

/// What was said in one cohort so far; the liar may alter every list before it shows it.
#[derive(Clone, Debug)]
pub struct Table {
    /// What is asked.
    pub ask: Ask,
    /// Advertisements, in the order of ids.
    pub adverts: Vec<Signed>,
    /// Sharings, in the order of ids.
    pub dealings: Vec<Dealing>,
    /// Acknowledgements, in the order of ids.
    pub acks: Vec<Signed>,
    /// Headers, in the order of ids.
    pub headers: Vec<Signed>,
}

/// What each of a group answered: messages in the order of ids, and (participant, code) of those who declined.
#[derive(Clone, Debug)]
pub struct Answers<T = Signed> {
    /// Messages.
    pub said: Vec<T>,
    /// Refusals.
    pub declined: Vec<(u16, &'static str)>,
}

impl<T> Answers<T> {
    fn gather(who: &[u16], mut answer: impl FnMut(u16) -> Result<T, &'static str>) -> Self {
        let mut answers = Self { said: Vec::new(), declined: Vec::new() };
        for one in who {
            match answer(*one) {
                Ok(said) => answers.said.push(said),
                Err(code) => answers.declined.push((*one, code)),
            }
        }
        answers
    }

    /// The code with which all declined.
    ///
    /// # Panics
    /// When somebody did not, or they gave different codes.
    pub fn code(&self) -> &'static str {
        assert!(self.said.is_empty(), "somebody took it");
        let (_, first) = self.declined.first().expect("somebody was asked");
        assert!(self.declined.iter().all(|(_, code)| code == first), "{:?}", self.declined);
        first
    }
}

impl Liar {
    /// Plays a round honestly with these participants up to their updates.
    ///
    /// # Panics
    /// When somebody declines.
    pub fn play(&mut self, ask: &Ask, who: &[u16]) -> Table {
        let adverts = self.advertise(ask, who);
        assert_eq!(adverts.declined, [], "they take part");
        self.play_on(ask, &adverts.said, who)
    }

    /// Goes on from these advertisements up to the updates.
    ///
    /// # Panics
    /// When somebody declines.
    pub fn play_on(&mut self, ask: &Ask, adverts: &[Signed], who: &[u16]) -> Table {
        let dealings = self.deal(ask, adverts, who);
        assert_eq!(dealings.declined, [], "they share their keys");
        let acks = self.acknowledge(ask, adverts, &dealings.said, who);
        assert_eq!(acks.declined, [], "they acknowledge");
        let headers = self.submit(ask, adverts, &acks.said, who);
        assert_eq!(headers.declined, [], "they submit");
        let (dealings, acks, headers) = (dealings.said, acks.said, headers.said);
        Table { ask: ask.clone(), adverts: adverts.to_vec(), dealings, acks, headers }
    }

    /// Phase A.
    pub fn advertise(&mut self, ask: &Ask, who: &[u16]) -> Answers {
        Answers::gather(who, |one| match self.writes_for(one) {
            true => Ok(self.forge_advert(ask, one)),
            false => self.say(one, ask, Owed::Advertise),
        })
    }

    /// Phase B.
    pub fn deal(&mut self, ask: &Ask, adverts: &[Signed], who: &[u16]) -> Answers<Dealing> {
        Answers::gather(who, |one| match self.writes_for(one) {
            true => self.forge_dealing(ask, adverts, one).ok_or("no cohort"),
            false => self.show(one, ask, Owed::Deal(adverts.to_vec()), &[]),
        })
    }

    /// Phase C.
    pub fn acknowledge(
        &mut self,
        ask: &Ask,
        adverts: &[Signed],
        dealings: &[Dealing],
        who: &[u16],
    ) -> Answers {
        Answers::gather(who, |one| match self.writes_for(one) {
            true => Ok(self.forge_ack(ask, adverts, dealings, one)),
            false => self.say(one, ask, Owed::Acknowledge(shares_for(dealings, one))),
        })
    }

    /// Phase D.
    pub fn submit(&mut self, ask: &Ask, adverts: &[Signed], acks: &[Signed], who: &[u16]) -> Answers {
        Answers::gather(who, |one| match self.writes_for(one) {
            true => Ok(self.forge_header(ask, adverts, one)),
            false => self.say(one, ask, Owed::Submit(acks.to_vec())),
        })
    }

    /// Phase E, for the set of these headers.
    pub fn certify(&mut self, table: &Table, headers: &[Signed], who: &[u16]) -> Answers {
        let Table { ask, adverts, .. } = table;
        Answers::gather(who, |one| match self.writes_for(one) {
            true => self.forge_certify(ask, adverts, headers, one).ok_or("no set"),
            false => self.say(one, ask, Owed::Certify(headers.to_vec())),
        })
    }

    /// Phase F. The corrupted reveal nothing that the liar does not have.
    pub fn reveal(&mut self, ask: &Ask, signatures: &[Signed], who: &[u16]) -> Answers {
        self.reveal_again(ask, signatures, who, &[])
    }

    /// Phase F, with earlier attempts shown to be void.
    pub fn reveal_again(
        &mut self,
        ask: &Ask,
        signatures: &[Signed],
        who: &[u16],
        voided: &[(RoundId, Vec<Signed>)],
    ) -> Answers {
        let who: Vec<_> = who.iter().copied().filter(|one| !self.writes_for(*one)).collect();
        let shown = Owed::Reveal(signatures.to_vec());
        Answers::gather(&who, |one| self.show(one, ask, shown.clone(), voided).map(|(signed, _)| signed))
    }

    /// Promises never to reveal.
    pub fn void(&mut self, table: &Table, who: &[u16]) -> Answers {
        let Table { ask, adverts, .. } = table;
        Answers::gather(who, |one| match self.writes_for(one) {
            true => Ok(self.forge_void(ask, adverts, one)),
            false => self.say(one, ask, Owed::Void(adverts.to_vec())),
        })
    }

    fn say(&mut self, to: u16, ask: &Ask, owed: Owed) -> Result<Signed, &'static str> {
        self.show(to, ask, owed, &[]).map(|(signed, _)| signed)
    }
}

/// What each of these dealers sealed for `one`.
pub fn shares_for(dealings: &[Dealing], one: u16) -> Vec<(Signed, Vec<u8>)> {
    let share = |(public, sealed): &Dealing| {
        let share = sealed.iter().find(|(to, _)| to.get() == one)?;
        Some((public.clone(), share.1.clone()))
    };
    dealings.iter().filter_map(share).collect()
}

//! Who is at the door and who is inside, how many of whom, and who has to go.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustls::pki_types::CertificateDer;
use syndic_round::ParticipantId;
use tokio::sync::oneshot;

use super::peer::PeerIdentity;
use super::refusal::Refusal;
use super::terms::{Admission, Excluded};
use crate::limits::Limits;

/// All connections of a port, in the order in which they came.
pub(super) struct Census {
    limits: Limits,
    counted: Mutex<Counted>,
}

#[derive(Default)]
struct Counted {
    next: u64,
    /// In the handshake: whose they are is not known.
    unproved: BTreeMap<u64, Unproved>,
    proved: BTreeMap<u64, Proved>,
    by_source: BTreeMap<Source, usize>,
    by_member: BTreeMap<ParticipantId, usize>,
    turned_away: BTreeMap<&'static str, u64>,
}

struct Unproved {
    source: Source,
    /// Dropped when it has to give way.
    _stays: oneshot::Sender<Refusal>,
}

struct Proved {
    source: Source,
    peer: PeerIdentity,
    certificate: CertificateDer<'static>,
    cut: oneshot::Sender<Refusal>,
}

/// Where a connection comes from, as far as whoever sends it cannot choose at will: an IPv4 address, or 64 bits of IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Source(IpAddr);

/// A connection's place; free again when dropped.
pub(super) struct Place {
    census: Arc<Census>,
    number: u64,
}

/// How many connections there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Connections {
    /// In the handshake.
    pub unproved: usize,
    /// Of members.
    pub proved: usize,
    /// How many were turned away or cut off since the start, by the code of the reason.
    pub turned_away: BTreeMap<&'static str, u64>,
}

/// Resolves when a connection has to go, with the reason, or without one where it gives way to a newer one.
pub(super) type MustGo = oneshot::Receiver<Refusal>;

impl Census {
    pub(super) fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self { limits, counted: Mutex::default() })
    }

    /// Takes a connection from `address` in, and the oldest one that has not proved whose it is out where there is no room:
    /// honest handshakes take milliseconds, so whoever dawdles gives way to them.
    pub(super) fn enter(self: &Arc<Self>, address: IpAddr) -> Result<(Place, MustGo), Refusal> {
        let source = Source::of(address);
        let mut counted = self.lock();
        if counted.by_source.get(&source).copied().unwrap_or(0) >= self.limits.connections_per_address
            && !counted.make_room(Some(source))
        {
            return Err(Refusal::TooManyOfAddress);
        }
        let full = counted.unproved.len() >= self.limits.handshakes
            || counted.unproved.len() + counted.proved.len() >= self.limits.connections;
        if full && !counted.make_room(None) {
            return Err(Refusal::Full);
        }
        let (stays, must_go) = oneshot::channel();
        let number = counted.next;
        counted.next += 1;
        counted.unproved.insert(number, Unproved { source, _stays: stays });
        *counted.by_source.entry(source).or_default() += 1;
        Ok((Place { census: self.clone(), number }, must_go))
    }

    /// Tells those inside to go whom `admission` does not admit; who they were.
    pub(super) fn judge_again(&self, admission: &Admission) -> Vec<(PeerIdentity, Excluded)> {
        let mut counted = self.lock();
        let excluded: Vec<_> = counted
            .proved
            .iter()
            .filter_map(|(number, proved)| Some((*number, admission.check(&proved.certificate).err()?)))
            .collect();
        let mut gone = Vec::with_capacity(excluded.len());
        for (number, excluded) in excluded {
            if let Some(proved) = counted.forget_proved(number) {
                // Where nobody listens the connection has ended already.
                let _ = proved.cut.send(excluded.into());
                gone.push((proved.peer, excluded));
            }
        }
        gone
    }

    /// Counts somebody who was turned away, or cut off.
    pub(super) fn turned_away(&self, code: &'static str) {
        *self.lock().turned_away.entry(code).or_default() += 1;
    }

    pub(super) fn connections(&self) -> Connections {
        let counted = self.lock();
        Connections {
            unproved: counted.unproved.len(),
            proved: counted.proved.len(),
            turned_away: counted.turned_away.clone(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Counted> {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// The connection is `peer`'s, who showed `certificate`.
    pub(super) fn prove(
        &self,
        peer: PeerIdentity,
        certificate: CertificateDer<'static>,
    ) -> Result<MustGo, Refusal> {
        let mut counted = self.census.lock();
        let of_member = counted.by_member.get(&peer.id).copied().unwrap_or(0);
        if of_member >= self.census.limits.connections_per_member {
            return Err(Refusal::TooManyOfMember);
        }
        // It may have had to give way just now.
        let source = counted.forget_unproved(self.number).ok_or(Refusal::GaveWay)?.source;
        let (cut, must_go) = oneshot::channel();
        *counted.by_source.entry(source).or_default() += 1;
        *counted.by_member.entry(peer.id).or_default() += 1;
        counted.proved.insert(self.number, Proved { source, peer, certificate, cut });
        Ok(must_go)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counted = self.census.lock();
        counted.forget_unproved(self.number);
        counted.forget_proved(self.number);
    }
}

impl Counted {
    /// Sends the oldest unproved connection away, of `source` if it is given; whether there was one.
    fn make_room(&mut self, source: Option<Source>) -> bool {
        let fits = |unproved: &Unproved| source.is_none_or(|source| unproved.source == source);
        let oldest = self.unproved.iter().find(|(_, unproved)| fits(unproved)).map(|(number, _)| *number);
        oldest.is_some_and(|number| self.forget_unproved(number).is_some())
    }

    fn forget_unproved(&mut self, number: u64) -> Option<Unproved> {
        let unproved = self.unproved.remove(&number)?;
        one_less(&mut self.by_source, unproved.source);
        Some(unproved)
    }

    fn forget_proved(&mut self, number: u64) -> Option<Proved> {
        let proved = self.proved.remove(&number)?;
        one_less(&mut self.by_source, proved.source);
        one_less(&mut self.by_member, proved.peer.id);
        Some(proved)
    }
}

fn one_less<K: Ord>(counts: &mut BTreeMap<K, usize>, key: K) {
    if let Some(count) = counts.get_mut(&key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(&key);
        }
    }
}

impl Source {
    fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self(address.into()),
            IpAddr::V6(address) => {
                let network = u128::from(address) >> 64 << 64;
                Self(Ipv6Addr::from(network).into())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn census(limits: Limits) -> Arc<Census> {
        Census::new(limits)
    }

    fn member(number: u16) -> PeerIdentity {
        PeerIdentity {
            id: ParticipantId::new(number).unwrap(),
            name: "bank".into(),
            federation: "credit".into(),
            certificate_fingerprint: syndic_round::Digest::of(b""),
            serial: "07".into(),
            channel: None,
        }
    }

    fn certificate() -> CertificateDer<'static> {
        CertificateDer::from(b"none".to_vec())
    }

    fn here(last: u8) -> IpAddr {
        [192, 0, 2, last].into()
    }

    #[test]
    fn the_oldest_who_has_not_proved_anything_gives_way() {
        let census = census(Limits { handshakes: 2, ..Limits::default() });
        let (first, mut first_must_go) = census.enter(here(1)).unwrap();
        let (second, mut second_must_go) = census.enter(here(2)).unwrap();
        assert!(second_must_go.try_recv().is_err_and(|it| it == oneshot::error::TryRecvError::Empty));
        let _third = census.enter(here(3)).unwrap();
        assert!(first_must_go.try_recv().is_err_and(|it| it == oneshot::error::TryRecvError::Closed));
        assert!(second_must_go.try_recv().is_err_and(|it| it == oneshot::error::TryRecvError::Empty));
        assert_eq!(first.prove(member(1), certificate()).unwrap_err().code(), "net.gave-way");
        assert!(second.prove(member(2), certificate()).is_ok());
        assert_eq!(census.connections().proved, 1);
    }

    #[test]
    fn an_address_takes_no_room_from_others() {
        let census = census(Limits { connections_per_address: 2, ..Limits::default() });
        let (other, _other_must_go) = census.enter(here(1)).unwrap();
        let places: Vec<_> = (0..5).map(|_| census.enter(here(2)).unwrap()).collect();
        assert_eq!(census.connections().unproved, 3);
        assert!(other.prove(member(1), certificate()).is_ok());
        let (last, before_last) = (&places[4].0, &places[3].0);
        assert!(last.prove(member(2), certificate()).is_ok());
        assert!(before_last.prove(member(3), certificate()).is_ok());
        assert_eq!(census.enter(here(2)).err().unwrap().code(), "net.too-many-of-address");
        drop(places);
        assert!(census.enter(here(2)).is_ok(), "places are free again");
    }

    #[test]
    fn one_network_of_ipv6_is_one_address() {
        let of = |text: &str| Source::of(text.parse().unwrap());
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:1:2:3"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
    }

    #[test]
    fn a_member_has_so_many_connections_and_no_more() {
        let census = census(Limits { connections_per_member: 2, ..Limits::default() });
        let places: Vec<_> = (0..3).map(|_| census.enter(here(1)).unwrap().0).collect();
        let prove = |place: &Place, number| place.prove(member(number), certificate());
        assert!(prove(&places[0], 1).is_ok() && prove(&places[1], 1).is_ok());
        assert_eq!(prove(&places[2], 1).unwrap_err().code(), "net.too-many-of-member");
        assert!(prove(&places[2], 2).is_ok());
    }

    #[test]
    fn a_full_port_of_members_takes_nobody_new() {
        let census = census(Limits { connections: 2, ..Limits::default() });
        let places: Vec<_> = (1..3).map(|number| census.enter(here(number)).unwrap().0).collect();
        for (place, number) in places.iter().zip(1..) {
            place.prove(member(number), certificate()).unwrap();
        }
        assert_eq!(census.enter(here(3)).err().unwrap().code(), "net.full");
    }
}

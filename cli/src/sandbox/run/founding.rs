//! Founding the sandbox's federation: fresh keys and certificates for everybody, in the same steps as between
//! real hosts.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use ed25519_dalek::SigningKey;
use rand::rngs::SysRng;
use rand_core::UnwrapErr;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use syndic_coordinator::authority::Validity;
use syndic_coordinator::federation::{Federation, FederationError};
use syndic_coordinator::tls::{self, Incoming, Limits, ListenError};
use syndic_participant::enrol::{self, EnrolError, RosterReview};
use syndic_participant::keys::{Keys, KeysError};
use syndic_participant::policy::Policy;
use syndic_round::enrolment::Address;
use syndic_round::{SealedRoster, Timestamp};

use super::super::{Run, Site};
use super::Outfit;
use super::institution::Institution;
use crate::{Error, Result};

/// A federation that is ready to meet.
pub(super) struct Founded {
    pub(super) address: String,
    pub(super) incoming: Incoming,
    pub(super) roster: SealedRoster,
    pub(super) ledger_key: SigningKey,
    pub(super) institutions: Vec<Institution>,
}

/// Binds a loopback port, founds the federation, and enrols one institution for each site.
pub(super) async fn found(run: &Run<'_>, outfit: &Outfit) -> Result<Founded> {
    provide_descriptors(run.sites.len() as u64)?;
    let listener = tls::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await.map_err(listening)?;
    let port =
        listener.local_addr().map_err(|error| Error::world("net.cannot-listen", error.to_string()))?.port();
    let address = Address { host: Ipv4Addr::LOCALHOST.to_string(), port };
    let now = now();
    let mut rng = UnwrapErr(SysRng);
    let mut federation =
        Federation::create(NAME, vec![address.clone()], now, &mut rng).map_err(federation_failed)?;

    let mut members = Vec::with_capacity(run.sites.len());
    for site in &run.sites {
        let keys = Keys::generate(&site.name, &mut rng).map_err(keys_failed)?;
        let request = keys.signing_request().map_err(keys_failed)?;
        let bundle =
            federation.add_participant(&request, Validity::days(now, 1)).map_err(federation_failed)?;
        members.push((keys, bundle));
    }
    let mut endorsements = Vec::with_capacity(members.len());
    for (keys, bundle) in &members {
        let folder = run.state.join(keys.name());
        keys.write(&folder).map_err(keys_failed)?;
        let review = RosterReview::new(keys, bundle, federation.roster()).map_err(enrol_failed)?;
        endorsements.push(enrol::endorse(&folder, review).map_err(enrol_failed)?);
    }
    let endorsed = federation.seal(endorsements).map_err(federation_failed)?;
    let protection = run
        .job
        .protection_of(members.len())
        .map_err(|error| Error::input(error.code(), error.to_string()))?;
    let policy = Policy::allowing(run.job, &protection);
    let mut institutions = Vec::with_capacity(members.len());
    for ((keys, _), site) in members.iter().zip(&run.sites) {
        let folder = run.state.join(keys.name());
        enrol::pin(&folder, endorsed.clone()).map_err(enrol_failed)?;
        institutions.push(institution(run, &policy, folder, site, outfit));
    }
    let identity = federation.into_identity();
    let incoming = tls::accept(listener, &identity, Limits::default()).map_err(listening)?;
    let roster = endorsed.verify().map_err(|error| Error::world(error.code(), error.to_string()))?;
    let ledger_key = identity.ledger_key().clone();
    Ok(Founded { address: address.to_string(), incoming, roster, ledger_key, institutions })
}

fn institution(run: &Run<'_>, policy: &Policy, folder: PathBuf, site: &Site, outfit: &Outfit) -> Institution {
    Institution {
        name: site.name.clone(),
        folder,
        policy: policy.clone(),
        table: site.table.clone(),
        seed: run.seed,
        trainer: run.trainer.clone(),
        outfit: outfit.clone(),
    }
}

/// Every institution holds a journal and both ends of its connection. Without enough descriptors connections
/// would be refused for ever, so the soft limit is raised, and where that does not do the run is refused.
fn provide_descriptors(institutions: u64) -> Result<()> {
    let needed = 64 + 10 * institutions;
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= needed) {
        return Ok(());
    }
    let raised = Rlimit { current: Some(limit.maximum.map_or(needed, |most| most.min(needed))), ..limit };
    let enough =
        limit.maximum.is_none_or(|most| most >= needed) && setrlimit(Resource::Nofile, raised).is_ok();
    if enough {
        return Ok(());
    }
    let message = format!(
        "{institutions} institutions on one machine need {needed} open files, which the system does not allow"
    );
    Err(Error::world("sandbox.descriptors", message)
        .help("raise the limit with `ulimit -n`, or use fewer --participants"))
}

fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

fn listening(error: ListenError) -> Error {
    Error::world(error.code(), error.to_string()).help(error.help())
}

// Names, keys and rosters are the sandbox's own: what goes wrong with them is the disk's or the system's.

fn federation_failed(error: FederationError) -> Error {
    Error::world(error.code(), error.to_string()).help(error.help())
}

fn keys_failed(error: KeysError) -> Error {
    Error::world(error.code(), error.to_string()).help(error.help())
}

fn enrol_failed(error: EnrolError) -> Error {
    Error::world(error.code(), error.to_string()).help(error.help())
}

/// The federation's name: it is gone when the run is.
const NAME: &str = "sandbox";

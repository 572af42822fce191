//! `fsck`: whether what a coordinator keeps is whole, and what it says is so.
//!
//! Everything is derived again from the entries: the tree, every round with its signatures (by [`Audit`]), and the state (by
//! [`Engine`], as at a start). Every blob that an entry names is read and compared with its digest, and every file of the
//! published ledger with what the entries come to. Nothing is changed, but for the lock. What is wrong is gathered, not stopped
//! at, as far as what follows can still be believed.

mod findings;
mod published;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use syndic_ledger::{Accepted, History, Leaves, leaf_hash};
use syndic_round::coordinator::Input;
use syndic_round::{Digest, SealedRoster, Signatures, Sum, Timestamp};

use crate::audit::Audit;
use crate::boxed::Boxed;
use crate::claims::Claims;
use crate::config::Config;
use crate::daemon::DaemonError;
use crate::driver::CoordinatorError;
use crate::engine::Engine;
use crate::fact::Fact;
use crate::federation::{FederationError, load_sealed_roster};
use crate::store::config::Servers;
use crate::store::{
    Blobs, FolderBlobs, FolderLock, Log, SqliteLog, Store, StoreError, all_aside, all_stored,
};
pub use findings::{Damage, Findings};

/// What is looked at.
pub struct Kept<'a> {
    /// The roster that the ledger must belong to.
    pub roster: Arc<SealedRoster>,
    /// The log.
    pub log: &'a dyn Log,
    /// The blobs.
    pub blobs: &'a dyn Blobs,
    /// The names of all blobs that are stored, set aside or not.
    pub stored: BTreeSet<Digest>,
    /// The folder of the published ledger, if there is one.
    pub published: Option<&'a Path>,
}

/// Looks at what the configuration file at `path` names. The coordinator must not be running.
///
/// # Errors
/// [`DaemonError`] where it cannot be looked at. What is damaged is no error but a finding.
pub fn run(path: &Path) -> Boxed<'_, Result<Findings, DaemonError>> {
    Box::pin(async move {
        let config = Config::load(path)?;
        let roster = load_sealed_roster(&config.federation)?
            .ok_or_else(|| DaemonError::Unsealed(config.federation.display().to_string()))?;
        let published = config.publish.join("ledger");
        let published = published.is_dir().then_some(published.as_path());
        let looked = match &config.store {
            None => check_alone(Arc::new(roster), &config.state, published).await,
            Some(servers) => {
                let servers = servers.servers().map_err(FederationError::from)?;
                check_servers(roster, &config.state, &servers, published).await
            }
        };
        Ok(looked.map_err(CoordinatorError::Store)?)
    })
}

/// Looks at what the servers keep, while no coordinator works on them, and at the ledger in `published`.
async fn check_servers(
    roster: SealedRoster,
    state: &Path,
    servers: &Servers,
    published: Option<&Path>,
) -> Result<Findings, StoreError> {
    let federation = roster.roster().federation.clone();
    let Store { log, blobs, hold, .. } = Store::take(state, servers, &federation).await?;
    let stored = names(&*blobs).await?;
    let findings =
        check(Kept { roster: Arc::new(roster), log: &*log, blobs: &*blobs, stored, published }).await;
    hold.release().await;
    findings
}

/// Looks at the folder while no coordinator works on it: what one is in the middle of would be taken for damage.
async fn check_alone(
    roster: Arc<SealedRoster>,
    state: &Path,
    published: Option<&Path>,
) -> Result<Findings, StoreError> {
    let _alone = FolderLock::take(state).await?;
    check_files(roster, state, published).await
}

/// Looks at the files in the state folder `state`, and at the ledger in `published`.
///
/// # Errors
/// [`StoreError`] where they cannot be read at all.
pub async fn check_files(
    roster: Arc<SealedRoster>,
    state: &Path,
    published: Option<&Path>,
) -> Result<Findings, StoreError> {
    let looked = async {
        let (log, damage) = SqliteLog::examine(&state.join(LEDGER)).await?;
        let blobs = FolderBlobs::open(state).await?;
        let stored = names(&blobs).await?;
        let mut findings = check(Kept { roster, log: &log, blobs: &blobs, stored, published }).await?;
        for message in damage {
            findings.damaged("store.corrupt", LEDGER, message, RESTORE);
        }
        log.close().await?;
        Ok(findings)
    };
    match looked.await {
        Err(error @ (StoreError::Corrupt { .. } | StoreError::WrongFormat { .. })) => {
            let mut findings = Findings::default();
            findings.damaged(error.code(), LEDGER, error.to_string(), RESTORE);
            Ok(findings)
        }
        looked => looked,
    }
}

/// Looks at everything.
///
/// # Errors
/// [`StoreError`] where the store cannot be read at all.
pub async fn check(kept: Kept<'_>) -> Result<Findings, StoreError> {
    let mut check = Check {
        history: History::new(),
        leaves: Some(Leaves::new()),
        audit: Audit::new(kept.roster.endorsed()).ok(),
        engine: Some(Engine::new(kept.roster.clone())),
        claims: Claims::default(),
        findings: Findings { entries: kept.log.size().await?, ..Findings::default() },
    };
    let mut position = 0;
    while position < check.findings.entries {
        let entries = match kept.log.read(position, PAGE).await {
            // Which of them are damaged shows one by one.
            Err(StoreError::Corrupt { .. }) => one_by_one(&kept, position).await?,
            entries => entries?.into_iter().map(Ok).collect(),
        };
        for entry in entries {
            match entry {
                Ok(bytes) => check.entry(position, &bytes, kept.blobs).await?,
                Err(error) => check.lost(position, &error),
            }
            position += 1;
        }
    }
    check.blobs(&kept).await?;
    if let (Some(folder), Some(leaves)) = (kept.published, &check.leaves) {
        published::compare(folder, &kept, leaves, &mut check.findings).await?;
    }
    Ok(check.end())
}

/// The entries of a page in which something is damaged, each by itself.
async fn one_by_one(kept: &Kept<'_>, from: u64) -> Result<Vec<Result<Vec<u8>, StoreError>>, StoreError> {
    let mut entries = Vec::new();
    for position in from..(from + PAGE).min(kept.log.size().await?) {
        match kept.log.read(position, 1).await {
            Err(error @ StoreError::Corrupt { .. }) => entries.push(Err(error)),
            read => entries.extend(read?.into_iter().map(Ok)),
        }
    }
    Ok(entries)
}

/// A check, as far as it has come.
struct Check {
    history: History,
    /// Of all entries, also those that nothing else is made of any more; none once one could not be read.
    leaves: Option<Leaves>,
    /// None once an entry did not follow: nothing after it is to be believed.
    audit: Option<Audit>,
    /// None once the state cannot be derived any further.
    engine: Option<Engine>,
    /// The blobs that entries name.
    claims: Claims,
    findings: Findings,
}

impl Check {
    async fn entry(&mut self, index: u64, bytes: &[u8], blobs: &dyn Blobs) -> Result<(), StoreError> {
        if let Some(leaves) = &mut self.leaves {
            leaves.append(leaf_hash(bytes));
        }
        // After the first entry that breaks a rule none can be linked to it.
        if self.history.size() != index {
            return Ok(());
        }
        let accepted = match self.history.accept(bytes) {
            Ok(accepted) => accepted,
            Err(fault) => {
                self.broken(fault.code(), index, fault.to_string());
                return Ok(());
            }
        };
        match Fact::from_entry(index, &accepted.entry) {
            Ok(fact) => self.fact(&accepted, &fact, blobs).await,
            Err(error) => {
                self.broken("audit.unreadable", index, error.to_string());
                Ok(())
            }
        }
    }

    async fn fact(&mut self, accepted: &Accepted, fact: &Fact, blobs: &dyn Blobs) -> Result<(), StoreError> {
        let Accepted { index, entry, .. } = accepted;
        if let Some(Err(error)) = self.audit.as_mut().map(|audit| audit.take(*index, entry)) {
            self.findings.audited = self.audit.take().map(|audit| audit.found()).unwrap_or_default();
            self.broken(error.code(), *index, error.to_string());
        }
        self.claims.take(*index, fact);
        let Some(engine) = &mut self.engine else { return Ok(()) };
        let applied = match sum_of(engine, fact, blobs).await {
            Err(error @ (StoreError::Absent { .. } | StoreError::Corrupt { .. })) => Err(error.to_string()),
            Err(error) => return Err(error),
            Ok(sum) => engine
                .apply(Timestamp(entry.time.unix_ms()), fact, sum.as_ref(), Signatures::Unverified)
                .map_err(|error| error.to_string()),
        };
        if let Err(reason) = applied {
            self.engine = None;
            let message = format!("the state cannot be derived from here on: {reason}");
            self.findings.damaged("fsck.state", &format!("entry {index}"), message, MEND_FIRST);
        }
        Ok(())
    }

    /// Notes the first entry that breaks a rule.
    fn broken(&mut self, code: &str, index: u64, message: String) {
        self.engine = None;
        let message = format!("{message}; nothing after it is to be believed");
        self.findings.damaged(code, &format!("entry {index}"), message, RESTORE);
    }

    /// Notes an entry that cannot be read.
    fn lost(&mut self, index: u64, error: &StoreError) {
        (self.engine, self.leaves) = (None, None);
        self.findings.damaged(error.code(), &format!("entry {index}"), error.to_string(), RESTORE);
    }

    /// Reads every blob that an entry names, and finds those that none does.
    async fn blobs(&mut self, kept: &Kept<'_>) -> Result<(), StoreError> {
        for (digest, (index, role)) in self.claims.all() {
            match length(kept.blobs, digest).await {
                Ok(bytes) => {
                    self.findings.blobs += 1;
                    self.findings.blob_bytes += bytes;
                }
                Err(error @ (StoreError::Absent { .. } | StoreError::Corrupt { .. })) => {
                    let (name, meaning) = (role.name(), role.meaning());
                    let message = format!("{error}: the {name} that entry {index} names; {meaning}");
                    self.findings.damaged(error.code(), &format!("blob {digest}"), message, RESTORE_BLOB);
                }
                Err(error) => return Err(error),
            }
        }
        // What entries that could not be read name is not known.
        if self.history.size() == self.findings.entries {
            let unclaimed = kept.stored.iter().filter(|digest| !self.claims.has(digest));
            self.findings.unclaimed = unclaimed.copied().collect();
        }
        Ok(())
    }

    fn end(self) -> Findings {
        let Self { leaves, audit, history, mut findings, .. } = self;
        findings.root =
            leaves.and_then(|leaves| leaves.root(leaves.size()).ok()).map(|root| root.to_string());
        findings.rounds_open = history.rounds().open;
        if let Some(audit) = audit {
            findings.audited = audit.found();
        }
        findings
    }
}

/// The stored sum that a fact closes its round with.
async fn sum_of(engine: &Engine, fact: &Fact, blobs: &dyn Blobs) -> Result<Option<Sum>, StoreError> {
    let Fact::Heard { job, place, input: Input::Opened(opened), .. } = fact else { return Ok(None) };
    let Some(open) = engine.open_round(job, place.round()) else { return Ok(None) };
    let bytes = blobs.read(opened.sum).await?;
    Ok(Sum::from_bytes(open.round.plan().layout.clone(), &bytes))
}

/// The names of all blobs that are stored, set aside or not.
async fn names(blobs: &dyn Blobs) -> Result<BTreeSet<Digest>, StoreError> {
    let stored = all_stored(blobs).await?;
    let aside = all_aside(blobs).await?;
    Ok(stored.iter().chain(&aside).map(|blob| blob.digest).collect())
}

/// The length of a blob whose every byte was read and found right.
async fn length(blobs: &dyn Blobs, digest: Digest) -> Result<u64, StoreError> {
    let mut reader = blobs.reader(digest).await?;
    while reader.next().await?.is_some() {}
    Ok(reader.length())
}

/// The log's file in a state folder.
const LEDGER: &str = "ledger.sqlite";
/// Entries read at a time.
const PAGE: u64 = 1024;
const RESTORE: &str = "do not start the coordinator: restore the state folder from the newest backup in which this is whole; \
                       participants refuse a ledger that lacks what they have seen, and the published ledger tells how far it goes";
const RESTORE_BLOB: &str =
    "put the file of that name from any backup in its place: it is right where its SHA-256 is its name";
const MEND_FIRST: &str = "mend what is named besides, and check again";

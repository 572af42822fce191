//! `syndic-coordinator sweep`: a sweep by hand.

use std::path::Path;

use super::{Rule, Swept, days, sweep};
use crate::boxed::Boxed;
use crate::config::Config;
use crate::daemon::DaemonError;
use crate::driver::CoordinatorError;
use crate::federation::{FederationError, load_sealed_roster};
use crate::store::Store;

/// Sweeps what the configuration file at `path` names: a folder while no coordinator works on it, servers at any time.
///
/// # Errors
/// [`DaemonError`]; then nothing is removed that an entry names.
pub fn run(path: &Path, older_than_days: Option<u32>, is_dry: bool) -> Boxed<'_, Result<Swept, DaemonError>> {
    Box::pin(async move {
        let config = Config::load(path)?;
        let roster = load_sealed_roster(&config.federation)?
            .ok_or_else(|| DaemonError::Unsealed(config.federation.display().to_string()))?;
        let federation = &roster.roster().federation;
        let older_than = older_than_days.map_or(config.sweep.older_than(), days);
        let opened = match &config.store {
            None => Store::open(&config.state, None, federation).await,
            Some(servers) => {
                let servers = servers.servers().map_err(FederationError::from)?;
                Store::sweep(&config.state, &servers, federation).await
            }
        };
        let Store { log, blobs, hold, .. } = opened.map_err(CoordinatorError::Store)?;
        let swept = tokio::select! {
            swept = sweep(&*log, &*blobs, Rule { older_than, is_dry }) => swept,
            lost = hold.lost() => Err(lost.into()),
        };
        // If we crash here, or before, the lease ends by itself.
        hold.release().await;
        Ok(swept?)
    })
}

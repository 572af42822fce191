//! `syndic-coordinator migrate-store`: what a configuration says of both stores, and the move between them.

use std::path::Path;

use crate::boxed::Boxed;
use crate::config::{Config, ConfigError};
use crate::daemon::DaemonError;
use crate::driver::CoordinatorError;
use crate::federation::{FederationError, load_sealed_roster};
use crate::store::migration::{Moved, Target, migrate};

/// Moves the store of the coordinator that the file at `path` describes: its `state` is the one place, its `[store]` the other.
///
/// # Errors
/// [`DaemonError`]; then the ledger is where it was.
pub fn migrate_store(path: &Path, to: Target) -> Boxed<'_, Result<Moved, DaemonError>> {
    Box::pin(async move {
        let config = Config::load(path)?;
        let Some(servers) = &config.store else {
            let reason =
                "it has no `[store]`, which names the servers; it stays there for both directions".into();
            return Err(ConfigError::Malformed { path: path.into(), reason }.into());
        };
        let servers = servers.servers().map_err(FederationError::from)?;
        let roster = load_sealed_roster(&config.federation)?
            .ok_or_else(|| DaemonError::Unsealed(config.federation.display().to_string()))?;
        let moved = migrate(&config.state, &servers, &roster.roster().federation, to).await;
        Ok(moved.map_err(CoordinatorError::Store)?)
    })
}

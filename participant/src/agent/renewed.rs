//! What a running agent shows of itself: its certificate, read again before each connection.
//!
//! `syndic-participant renew` puts a bundle in place whole or not at all. An agent takes it up when it connects the next
//! time, which the coordinator sees to now and then; what is connected already goes on under the former certificate.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use syndic_round::enrolment::Bundle;
use tracing::{info, warn};

use crate::enrol::{Enrolment, read_installed_bundle};
use crate::tls::Connector;

/// How to connect now.
pub(super) struct Shown {
    /// Where a new bundle would be; nowhere where an enrolment is held in memory alone.
    folder: Option<PathBuf>,
    now: Mutex<Now>,
}

struct Now {
    connectors: Vec<Connector>,
    /// The bundle that was looked at last, whether it could be used or not.
    looked_at: Option<Bundle>,
}

impl Shown {
    pub(super) fn new(connectors: Vec<Connector>) -> Self {
        Self { folder: None, now: Mutex::new(Now { connectors, looked_at: None }) }
    }

    /// The same, with new bundles taken up from `folder`.
    pub(super) fn renewed_from(self, folder: PathBuf) -> Self {
        Self { folder: Some(folder), ..self }
    }

    #[cfg(feature = "tap")]
    pub(super) fn map(self, each: impl Fn(Connector) -> Connector) -> Self {
        let Now { connectors, looked_at } = self.now.into_inner().unwrap_or_else(PoisonError::into_inner);
        let now = Now { connectors: connectors.into_iter().map(each).collect(), looked_at };
        Self { now: Mutex::new(now), ..self }
    }

    /// The connectors of the bundle in the folder, if it is for `enrolment`; those of the one before it otherwise.
    pub(super) fn connectors(&self, enrolment: &Enrolment) -> Vec<Connector> {
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(folder) = &self.folder else { return now.connectors.clone() };
        match read_installed_bundle(folder) {
            Ok(bundle) if bundle == *enrolment.bundle() && now.looked_at.is_none() => {}
            Ok(bundle) if now.looked_at.as_ref() == Some(&bundle) => {}
            Ok(bundle) => {
                match enrolment.connectors_of(&bundle) {
                    Ok(connectors) => {
                        info!("the renewed bundle is in use from now on");
                        now.connectors = connectors;
                    }
                    Err(error) => {
                        let code = error.code();
                        warn!(code, %error, "the renewed bundle cannot be used; the one before it stays in use");
                    }
                }
                now.looked_at = Some(bundle);
            }
            Err(error) => {
                let code = error.code();
                warn!(code, %error, "the bundle cannot be read; the one before it stays in use");
            }
        }
        now.connectors.clone()
    }
}

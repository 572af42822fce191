//! `syndic model new-key`, `promote` and `withdraw`: an approver's key, and its word for what becomes of a model.
//!
//! The key never comes near the coordinator: what is signed here is a file, which whoever runs the coordinator hands in.

use ed25519_dalek::SigningKey;
use rand::RngExt as _;
use rand::rngs::StdRng;
use serde_json::json;
use syndic_coordinator::registry::{ApprovalFile, RegistryError};
use syndic_learning::release::check_release;
use syndic_participant::keys::{read_signing_key, write_signing_key};
use syndic_round::{Digest, JobId, Stage};

use super::args::{ApproveArgs, NewKeyArgs, PromoteArgs, WithdrawArgs};
use super::registry::{Folded, job_id};
use super::released::Released;
use crate::commands::print;
use crate::ledger::trust::Trust;
use crate::signing_key::no_key;
use crate::words::{listed, quoted};
use crate::{Error, Exit, Result, new_file};

/// Makes an approver's key.
///
/// # Errors
/// A file that is there already, or cannot be written.
pub fn new_key(args: &NewKeyArgs) -> Result<()> {
    let key = SigningKey::from_bytes(&rand::make_rng::<StdRng>().random());
    write_signing_key(&args.approver_key, &key).map_err(|error| no_key(&error, "--approver-key", NO_KEY))?;
    let public = hex::encode(key.verifying_key().to_bytes());
    print(&match args.json {
        true => format!("{}\n", json!({ "public_key": public, "approver_key": args.approver_key })),
        false => format!(
            "wrote {}; keep it where nobody else reads it\npublic key {public}\nnext: the operator of the federation names it, before members sign \
             the roster: syndic federation add-approver --dir DIR --name NAME --public-key {public}\n",
            args.approver_key.display()
        ),
    })
}

/// Approves that a model is promoted.
///
/// # Errors
/// A model or ledger that does not verify, with exit code 4; gates that are not passed, or a stage that does not follow, with
/// exit code 2. Then nothing is written.
pub fn promote(args: &PromoteArgs) -> Result<()> {
    let approve = &args.approve;
    let trust = pinned(approve)?;
    let released = Released::read(&args.model)?;
    let folded = with_approvers(approve, &trust)?;
    let job = job_id(released.job().unwrap_or_default())?;
    let model = folded.registry.model(&job);
    let model = model.ok_or_else(|| refused(&RegistryError::NoModel(job.clone())))?;
    let card = std::fs::read(&released.card_path);
    let card = card.map_err(|cause| Error::unreadable(&released.card_path, &cause))?;
    let weights = std::fs::read(&released.weights_path);
    let weights = weights.map_err(|cause| Error::unreadable(&released.weights_path, &cause))?;
    let named = Digest::of(&card);
    let file = folded.files.get(&job).map_or("", String::as_str);
    check_release(&weights, &card, (model.model, named), (&job, file), &model.figures).map_err(|error| {
        let place = released.card_path.display().to_string();
        Error::new(Exit::Unverified, error.code(), error.to_string()).place(place).help(error.help())
    })?;
    // A card that an approver has named before is the one that counts.
    if model.card.is_some_and(|known| known != named) {
        return Err(Error::new(
            Exit::Unverified,
            "model.other-card",
            "the card is not the one that was approved before",
        )
        .place(released.card_path.display().to_string())
        .help("take the card as participants have it, or withdraw the model"));
    }
    let card = model.card.is_none().then(|| String::from_utf8_lossy(&card).into_owned());
    let to = args.to.into();
    sign(&folded, (&job, to, Some(named)), card, approve)
}

/// Approves that a model is not used any more.
///
/// # Errors
/// As [`promote`].
pub fn withdraw(args: &WithdrawArgs) -> Result<()> {
    let folded = with_approvers(&args.approve, &pinned(&args.approve)?)?;
    sign(&folded, (&job_id(&args.job)?, Stage::Withdrawn, None), None, &args.approve)
}

fn sign(
    folded: &Folded,
    (job, to, card): (&JobId, Stage, Option<Digest>),
    text: Option<String>,
    args: &ApproveArgs,
) -> Result<()> {
    let key =
        read_signing_key(&args.approver_key).map_err(|error| no_key(&error, "--approver-key", NO_KEY))?;
    let (change, gates) =
        folded.registry.propose(job, to, card, args.reason.trim()).map_err(|error| refused(&error))?;
    let (from, replaces, ungated) = (change.from, change.replaces.clone(), change.ungated.clone());
    let approval = change.approve(folded.roster.digest(), &args.approver, &key);
    // A key that is not the approver's is found here and not at the coordinator.
    folded.registry.check(&approval, &folded.roster).map_err(|error| refused(&error))?;
    let name = approval.change.name.clone();
    new_file::write(&args.out, &ApprovalFile::of(approval, text).to_json())?;
    if args.json {
        return print(&format!(
            "{}\n",
            json!({
                "name": name, "job": job, "from": from, "to": to, "replaces": replaces, "approver": args.approver, "gates": gates,
                "ungated": ungated, "out": args.out,
            })
        ));
    }
    let mut told = format!("approved: `{name}` of job {job}, {from}, becomes {to}\n");
    for gate in gates {
        told += &format!("  {} {}: {}\n", gate.gate, gate.limit, gate.figure);
    }
    if let Some(replaced) = replaces {
        told += &format!("it takes the place of the model of job {replaced}, which becomes shadow\n");
        if !ungated.is_empty() {
            told += &format!(
                "WARNING: the job of {replaced} sets {}, and that of {job} does not: this model was never held against that. You have \
                 signed so; throw the file away if that is not meant\n",
                listed(&ungated)
            );
        }
    }
    print(&format!(
        "{told}next, on the coordinator's host: syndic-coordinator model stage {} --config coordinator.toml\n",
        quoted(&args.out)
    ))
}

/// The registry of a federation in which anybody may approve.
fn with_approvers(args: &ApproveArgs, trust: &Trust) -> Result<Folded> {
    let folded = Folded::open(&args.ledger, trust)?;
    if folded.roster.roster().approvers.is_empty() {
        let place = args.ledger.display().to_string();
        return Err(Error::input("model.no-approver", "the roster of this federation names no approver").place(place).help(
            "an operator names them before members sign the roster, with `syndic federation add-approver`; the federation of a demo or \
             sandbox has none",
        ));
    }
    Ok(folded)
}

/// Nobody approves on the word of a ledger that vouches for itself.
fn pinned(args: &ApproveArgs) -> Result<Trust> {
    match args.trust.trust()? {
        Trust::Itself => {
            Err(Error::input("options.missing", "an approval needs a ledger that somebody vouches for")
                .place("--key")
                .help("name the key that `syndic-participant pin` printed, with --key, or a --policy"))
        }
        trust => Ok(trust),
    }
}

fn refused(error: &RegistryError) -> Error {
    Error::input(error.code(), error.to_string()).help(error.help())
}

const NO_KEY: &str = "make one with `syndic model new-key`, or restore the file from a backup";

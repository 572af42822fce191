//! `syndic federation ...`: what the operator does once, before the first round.
//!
//! Each institution makes its keys and signs the roster on its own host with `syndic-participant`; here its
//! signing request is certified and the signatures are put together.

use std::fmt::Write as _;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use ed25519_dalek::VerifyingKey;
use rand::rngs::StdRng;
use syndic_coordinator::authority::{FileError, Validity};
use syndic_coordinator::federation::{
    Federation, FederationError, lock, read_endorsement, read_signing_request,
};
use syndic_ledger::VerifierKey;
use syndic_round::enrolment::Address;
use syndic_round::{Approver, Roster, Timestamp};

use crate::words::{counted, quoted};
use crate::{Error, Exit, Result};

/// Found a federation: authority, members, roster.
#[derive(Debug, Subcommand)]
pub enum FederationCommand {
    /// Make the federation's authority and the coordinator's keys
    #[command(after_help = "Example:\n  syndic federation init --name consumer_credit --dir federation \
                            --host hub.example.org --host 10.0.0.7:7443\n\nNext: `syndic federation \
                            add-participant` for each institution.")]
    Init(InitArgs),
    /// Certify an institution and put it on the draft roster
    #[command(after_help = "Example:\n  syndic federation add-participant --dir federation --csr \
                            bank_a.request.json\n\nThe institution made that file with `syndic-participant \
                            keygen`. Give it the bundle that this writes. The same request again renews its \
                            certificate.")]
    AddParticipant(AddParticipantArgs),
    /// Name somebody who may approve what becomes of models
    #[command(after_help = "Example:\n  syndic federation add-approver --dir federation --name model-risk \
                            --public-key 3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29\n\nWhoever approves makes \
                            the key with `syndic model new-key`, on a host of its own. Members see the approvers in the roster \
                            that they sign; a sealed roster takes no further ones, so name more than one.")]
    AddApprover(AddApproverArgs),
    /// Show the roster that every member signs
    #[command(
        after_help = "Example:\n  syndic federation roster --dir federation\n\nGive `roster.json` to every \
                            member, who runs on its own host:\n  syndic-participant endorse --dir DIR --bundle \
                            NAME.bundle.json --roster roster.json"
    )]
    Roster(RosterArgs),
    /// Close the roster with the signatures of all its members
    #[command(after_help = "Example:\n  syndic federation seal --dir federation --endorsement \
                            bank_a.endorsement.json bank_b.endorsement.json telco.endorsement.json\n\nGive \
                            `roster.sealed.json` to every member, who pins it, and start the coordinator.")]
    Seal(SealArgs),
}

/// Options of `syndic federation init`.
#[derive(Debug, Args)]
pub struct InitArgs {
    /// Name of the federation: a-z, 0-9, `-` and `_`
    #[arg(long)]
    name: String,
    /// Directory to make; holds private keys, so keep it on the operator's host
    #[arg(long)]
    dir: PathBuf,
    /// Where participants reach the coordinator; port 7443 unless given; may be repeated
    #[arg(long = "host", value_name = "HOST[:PORT]", required = true, value_parser = address)]
    hosts: Vec<Address>,
}

/// Options of `syndic federation add-participant`.
#[derive(Debug, Args)]
pub struct AddParticipantArgs {
    /// The federation's directory
    #[arg(long)]
    dir: PathBuf,
    /// The institution's signing request
    #[arg(long, value_name = "FILE")]
    csr: PathBuf,
    /// Days that the certificate holds, 1 to 3650
    #[arg(long, default_value_t = Federation::CERTIFICATE_DAYS, value_parser = clap::value_parser!(u32).range(1..=3650))]
    days: u32,
}

/// Options of `syndic federation add-approver`.
#[derive(Debug, Args)]
pub struct AddApproverArgs {
    /// The federation's directory
    #[arg(long)]
    dir: PathBuf,
    /// Name of the office, not of a person: a-z, 0-9, `-` and `_`
    #[arg(long)]
    name: String,
    /// Its public key, as `syndic model new-key` printed it
    #[arg(long, value_name = "HEX", value_parser = public_key)]
    public_key: [u8; 32],
}

/// Options of `syndic federation roster`.
#[derive(Debug, Args)]
pub struct RosterArgs {
    /// The federation's directory
    #[arg(long)]
    dir: PathBuf,
}

/// Options of `syndic federation seal`.
#[derive(Debug, Args)]
pub struct SealArgs {
    /// The federation's directory
    #[arg(long)]
    dir: PathBuf,
    /// The members' endorsements; may be repeated
    #[arg(long = "endorsement", value_name = "FILE", required = true, num_args = 1..)]
    endorsements: Vec<PathBuf>,
}

/// Does `command` at the time `now` and says what was done and what comes next.
///
/// # Errors
/// With the codes of [`FederationError`]; nothing is half-done.
pub fn run(command: FederationCommand, now: Timestamp) -> Result<String> {
    match command {
        FederationCommand::Init(args) => init(args, now),
        FederationCommand::AddParticipant(args) => add_participant(&args, now),
        FederationCommand::AddApprover(args) => add_approver(args),
        FederationCommand::Roster(args) => roster(&args),
        FederationCommand::Seal(args) => seal(&args),
    }
}

fn init(args: InitArgs, now: Timestamp) -> Result<String> {
    let federation = Federation::create(&args.name, args.hosts, now, &mut rand::make_rng::<StdRng>())?;
    federation.write(&args.dir)?;
    let addresses: Vec<String> = federation.identity().addresses().iter().map(Address::to_string).collect();
    let dir = args.dir.display();
    Ok(format!(
        "founded federation `{}` in {dir}, coordinator at {}\n\
         keep {dir}/authority.key.pem safe: whoever holds it decides who is let in\n\
         next: syndic federation add-participant --dir {} --csr NAME.request.json\n",
        args.name,
        addresses.join(", "),
        quoted(&args.dir)
    ))
}

fn add_participant(args: &AddParticipantArgs, now: Timestamp) -> Result<String> {
    let _lock = lock(&args.dir)?;
    let mut federation = Federation::load(&args.dir)?;
    let request = named(read_signing_request(&args.csr))?;
    let before = federation.roster().members.len();
    let bundle = federation.add_participant(&request, Validity::days(now, args.days))?;
    federation.write_member(&args.dir, &bundle)?;
    let did = if federation.roster().members.len() > before { "added" } else { "certified anew" };
    let written = args.dir.join("members").join(format!("{}.bundle.json", bundle.name));
    Ok(format!(
        "{did} `{}` as participant {}, certificate for {}\n\
         signing key {}\n\
         next: give {} to that institution; when all are in: syndic federation roster --dir {}\n",
        bundle.name,
        bundle.participant,
        counted(args.days as usize, "day", "days"),
        hex::encode(request.signing_key),
        written.display(),
        quoted(&args.dir)
    ))
}

fn add_approver(args: AddApproverArgs) -> Result<String> {
    let _lock = lock(&args.dir)?;
    let mut federation = Federation::load(&args.dir)?;
    let approver = Approver { name: args.name, key: args.public_key };
    federation.add_approver(approver.clone())?;
    federation.write_roster(&args.dir)?;
    Ok(format!(
        "`{}` may approve what becomes of models, with key {}\n\
         next: when all are in: syndic federation roster --dir {}\n",
        approver.name,
        hex::encode(approver.key),
        quoted(&args.dir)
    ))
}

fn public_key(text: &str) -> std::result::Result<[u8; 32], String> {
    let key = hex::decode(text).ok().and_then(|bytes| bytes.try_into().ok());
    key.ok_or_else(|| "give the 64 hexadecimal digits that `syndic model new-key` printed".to_owned())
}

fn roster(args: &RosterArgs) -> Result<String> {
    let federation = Federation::load(&args.dir)?;
    let roster = federation.roster();
    let mut text = String::new();
    let state = if federation.sealed().is_some() { "sealed" } else { "draft" };
    let members = counted(roster.members.len(), "member", "members");
    let _ = writeln!(text, "federation `{}`, {members}, {state}", roster.federation);
    let width = roster.members.iter().map(|member| member.name.len()).max().unwrap_or(0);
    for member in &roster.members {
        let key = hex::encode(member.signing_key);
        let _ = writeln!(text, "  {:>5}  {:width$}  key {key}", member.id.get(), member.name);
    }
    for approver in &roster.approvers {
        let _ = writeln!(text, "approver {:width$}  key {}", approver.name, hex::encode(approver.key));
    }
    let _ = writeln!(text, "coordinator key {}", hex::encode(roster.coordinator_key));
    if let Some(key) = ledger_key(roster) {
        let _ = writeln!(text, "ledger key      {key}");
    }
    let _ = writeln!(text, "roster digest   {}", roster.digest());
    let next = |file: &str| args.dir.join(file).display().to_string();
    let _ = match federation.sealed() {
        Some(_) => writeln!(text, "next: every member pins {}", next("roster.sealed.json")),
        None => writeln!(text, "next: every member endorses {}", next("roster.json")),
    };
    Ok(text)
}

fn seal(args: &SealArgs) -> Result<String> {
    let _lock = lock(&args.dir)?;
    let mut federation = Federation::load(&args.dir)?;
    let read = |path: &PathBuf| named(read_endorsement(path));
    let endorsements = args.endorsements.iter().map(read).collect::<Result<_>>()?;
    let endorsed = federation.seal(endorsements)?;
    federation.write_sealed(&args.dir, &endorsed)?;
    Ok(format!(
        "sealed the roster of `{}` with {} signatures, digest {}\n\
         next: give {} to every member, and start the coordinator\n",
        endorsed.roster.federation,
        endorsed.endorsements.len(),
        endorsed.roster.digest(),
        sealed_path(&args.dir).display()
    ))
}

/// The coordinator's key in the form that `syndic ledger verify --key` takes.
fn ledger_key(roster: &Roster) -> Option<VerifierKey> {
    let key = VerifyingKey::from_bytes(&roster.coordinator_key).ok()?;
    VerifierKey::new(&roster.ledger_origin(), key).ok()
}

fn sealed_path(dir: &Path) -> PathBuf {
    dir.join("roster.sealed.json")
}

fn address(text: &str) -> std::result::Result<Address, String> {
    Address::new(text)
        .ok_or_else(|| "give a DNS name or an IP address, with `:PORT` if it is not 7443".to_owned())
}

/// What was read from a file that the operator named, as against one that the federation's folder must have.
fn named<T>(read: std::result::Result<T, FederationError>) -> Result<T> {
    read.map_err(|error| match error {
        FederationError::File(FileError::Missing(path)) => {
            Error::unreadable(&path, &ErrorKind::NotFound.into())
        }
        FederationError::File(FileError::Io { path, source }) => Error::unreadable(&path, &source),
        error => error.into(),
    })
}

impl From<FederationError> for Error {
    fn from(error: FederationError) -> Self {
        let exit = match error.code() {
            "federation.io" | "authority.library" => Exit::World,
            "request.proof" | "request.csr" | "roster.unsigned" => Exit::Unverified,
            _ => Exit::Input,
        };
        Self::new(exit, error.code(), error.to_string()).help(error.help())
    }
}

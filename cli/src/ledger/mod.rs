//! `syndic ledger ...`: the reviewer's side of a ledger, all of it offline.
//!
//! | module | what it does |
//! |---|---|
//! | [`verify`] | checks a whole ledger; every other command goes through it |
//! | [`prove`] | one entry's proof in a file, and the check of such a file |
//! | [`reading`] | entries, told only once all of the ledger has verified |
//! | [`trust`] | by whose word a ledger is believed |
//! | [`folder`] | the files of a ledger |

pub mod args;
pub mod folder;
pub mod prove;
pub mod reading;
pub mod trust;
pub mod verify;

use console::style;

use crate::commands::{called_as, print};
use crate::words::quoted;
use crate::{Result, new_file};
use args::{LedgerCommand, ProveArgs, VerifyArgs};

/// Does what the command says.
///
/// # Errors
/// Whatever went wrong, for the person who called.
pub fn run(command: &LedgerCommand) -> Result<()> {
    match command {
        LedgerCommand::Verify(args) => verify(args),
        LedgerCommand::Prove(args) => prove(args),
    }
}

fn verify(args: &VerifyArgs) -> Result<()> {
    let trust = args.trust.trust()?;
    if args.dir.is_file() {
        let proved = prove::check(&args.dir, &trust)?;
        return print(&if args.json { prove::to_json(&proved) + "\n" } else { prove::render(&proved) });
    }
    let verified = verify::check(&args.dir, &trust)?;
    print(&if args.json { verify::to_json(&verified) + "\n" } else { verify::render(&verified) })
}

fn prove(args: &ProveArgs) -> Result<()> {
    let proof = prove::prove(&args.dir, args.index, &args.trust.trust()?)?.to_string();
    let Some(out) = &args.out else { return print(&proof) };
    new_file::write(out, &proof)?;
    let next = format!("{} ledger verify {} --key 'NAME+HASH+KEY'", called_as(), quoted(out));
    print(&format!("wrote {}\nnext: {}\n", out.display(), style(next).bold()))
}

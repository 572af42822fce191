//! `syndic ledger ...`: the reviewer's side of a ledger, all of it offline.
//!
//! | module | what it does |
//! |---|---|
//! | [`verify`] | checks a whole ledger; every other command goes through it |
//! | [`reading`] | entries, told only once all of the ledger has verified |
//! | [`told`], [`names`] | entries as people read them |
//! | [`search`], [`export`] | which entries, and for other programs |
//! | [`report`] | what it says of a job, on a page |
//! | [`prove`] | one entry's proof in a file, and the check of such a file |
//! | [`witness`] | the signature of a third party |
//! | [`convict`] | whether the log signed two histories |
//! | [`trust`] | by whose word a ledger is believed |
//! | [`earlier`] | whether it continues what it was |
//! | [`folder`] | the files of a ledger |

pub mod args;
pub mod convict;
pub mod earlier;
pub mod export;
pub mod folder;
pub mod names;
pub mod prove;
pub mod reading;
pub mod report;
pub mod search;
pub mod told;
pub mod trust;
pub mod verify;
pub mod witness;

use std::io::Write;

use console::style;

use crate::commands::{called_as, now, print, stream};
use crate::words::{counted, quoted, thousands};
use crate::{Error, Result, new_file};
use args::{
    ConvictArgs, ExportArgs, LedgerCommand, ProveArgs, ReportArgs, SearchArgs, ShowArgs, VerifyArgs,
    WitnessArgs,
};
use export::Format;
use folder::Folder;
use names::Names;
use reading::Chosen;
use search::Filter;
use witness::{State, Witness};

/// Does what the command says.
///
/// # Errors
/// Whatever went wrong, for the person who called.
pub fn run(command: &LedgerCommand) -> Result<()> {
    match command {
        LedgerCommand::Verify(args) => verify(args),
        LedgerCommand::Prove(args) => prove(args),
        LedgerCommand::Show(args) => show(args),
        LedgerCommand::Search(args) => search(args),
        LedgerCommand::Export(args) => export(args),
        LedgerCommand::Report(args) => report(args),
        LedgerCommand::Witness(args) => witness(args),
        LedgerCommand::Convict(args) => convict(args),
    }
}

fn verify(args: &VerifyArgs) -> Result<()> {
    let trust = args.trust.trust()?;
    if args.dir.is_file() {
        if args.from.is_some() {
            return Err(Error::input(
                "options.invalid",
                "a proof of one entry says nothing of a ledger's growth",
            )
            .place("--from")
            .help("name the folder of the ledger"));
        }
        let proved = prove::check(&args.dir, &trust)?;
        return print(&if args.json { prove::to_json(&proved) + "\n" } else { prove::render(&proved) });
    }
    let verified = verify::check_since(&args.dir, &trust, args.from.as_deref())?;
    print(&if args.json { verify::to_json(&verified) + "\n" } else { verify::render(&verified) })
}

fn prove(args: &ProveArgs) -> Result<()> {
    let proof = prove::prove(&args.dir, args.index, &args.trust.trust()?)?.to_string();
    let Some(out) = &args.out else { return print(&proof) };
    new_file::write(out, &proof)?;
    let next = format!("{} ledger verify {} --key 'NAME+HASH+KEY'", called_as(), quoted(out));
    print(&format!("wrote {}\nnext: {}\n", out.display(), style(next).bold()))
}

fn show(args: &ShowArgs) -> Result<()> {
    let (folder, trust) = (Folder::open(&args.dir)?, args.trust.trust()?);
    let names = Names::of(&folder)?;
    let wanted = |index: &u64| args.indexes.is_empty() || args.indexes.contains(index);
    let chosen = Chosen::from(folder, &trust, |accepted| wanted(&accepted.index))?;
    let size = chosen.verified.summary.size;
    if args.indexes.iter().any(|index| *index >= size) {
        return Err(prove::no_entry(size));
    }
    if args.json || args.indexes.is_empty() {
        return table(&chosen, &names, args.json);
    }
    stream(|output| {
        for told in chosen.told() {
            writeln!(output, "{}", told::details(&told?, &names))?;
        }
        Ok(writeln!(output, "{}", verify::verdict(&chosen.verified.summary))?)
    })
}

fn search(args: &SearchArgs) -> Result<()> {
    let (folder, trust) = (Folder::open(&args.dir)?, args.trust.trust()?);
    let names = Names::of(&folder)?;
    let (filter, mut room) = (Filter::of(&args.filter, &names)?, args.limit.unwrap_or(usize::MAX));
    let mut left_out = 0_usize;
    let chosen = Chosen::from(folder, &trust, |accepted| {
        let found = filter.takes(&accepted.entry);
        let shown = found && room > 0;
        room -= usize::from(shown);
        left_out += usize::from(found && !shown);
        shown
    })?;
    table(&chosen, &names, args.json)?;
    if left_out > 0 {
        eprintln!("{} not shown, by --limit", counted(left_out, "further entry is", "further entries are"));
    }
    Ok(())
}

/// The entries in a table for people, or as JSON lines, with a note where nobody vouches for the ledger.
fn table(chosen: &Chosen, names: &Names, json: bool) -> Result<()> {
    let summary = &chosen.verified.summary;
    if json {
        stream(|output| export::write(chosen, names, Format::Jsonl, output))?;
        note(chosen);
        return Ok(());
    }
    stream(|output| {
        write!(output, "{}", told::head())?;
        for told in chosen.told() {
            write!(output, "{}", told::row(&told?, names))?;
        }
        let count = counted(chosen.len(), "entry", "entries");
        Ok(writeln!(output, "\n{count} of {}; {}", thousands(summary.size), verify::verdict(summary))?)
    })
}

fn export(args: &ExportArgs) -> Result<()> {
    let (folder, trust) = (Folder::open(&args.dir)?, args.trust.trust()?);
    let names = Names::of(&folder)?;
    let filter = Filter::of(&args.filter, &names)?;
    let chosen = Chosen::from(folder, &trust, |accepted| filter.takes(&accepted.entry))?;
    let content = |output: &mut dyn Write| export::write(&chosen, &names, args.format, output);
    match &args.out {
        None => stream(content)?,
        Some(out) => {
            new_file::write_with(out, content)?;
            let count = counted(chosen.len(), "entry", "entries");
            print(&format!("wrote {} with {count}\n", out.display()))?;
        }
    }
    note(&chosen);
    Ok(())
}

fn report(args: &ReportArgs) -> Result<()> {
    let (folder, trust) = (Folder::open(&args.dir)?, args.trust.trust()?);
    let question = report::Question { job: &args.job, round: args.round };
    let said = report::report(folder, &trust, &question)?;
    let text = if args.json {
        said.to_json() + "\n"
    } else {
        let again = format!("{} ledger verify {}", called_as(), quoted(&args.dir));
        report::render(&said, &args.trust.again(again))
    };
    let Some(out) = &args.out else { return print(&text) };
    new_file::write(out, &text)?;
    print(&format!("wrote {}\n", out.display()))
}

fn witness(args: &WitnessArgs) -> Result<()> {
    let (Some(dir), Some(log), Some(state)) = (&args.dir, &args.log, &args.state) else {
        let witness = Witness::create(&args.name, &args.key)?;
        let made = format!("made {}, which only you can read\n", args.key.display());
        return print(&format!(
            "{made}public key, for policies:\nwitness {} {}\n",
            args.name,
            witness.public()
        ));
    };
    let witness = Witness::read(&args.name, &args.key)?;
    let (log, state) = (witness::log_key(log)?, State::new(state, args.begin));
    let signed = witness.sign(dir, log, &state, now().0 / 1000)?;
    match &args.out {
        None => signed.publish(dir)?,
        Some(out) => new_file::write(out, &signed.note)?,
    }
    let did = if signed.already { "had signed" } else { "signed" };
    let entries = counted(signed.size as usize, "entry", "entries");
    print(&format!("{} {did} the checkpoint of {entries}\n", args.name))
}

fn convict(args: &ConvictArgs) -> Result<()> {
    let key = convict::log_key(&args.key)?;
    let conviction = convict::convict(&args.paths, &key)?;
    if let Some(out) = &args.out {
        new_file::write(out, &conviction.to_file(&key))?;
    }
    print(&if args.json { conviction.to_json() + "\n" } else { conviction.render() })
}

/// Says beside output for programs that the ledger is self-consistent only, where it is.
fn note(chosen: &Chosen) {
    let summary = &chosen.verified.summary;
    if !summary.pinned {
        eprintln!("{}; name one with --key", verify::verdict(summary));
    }
}

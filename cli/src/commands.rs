//! What each command does: from arguments to calls of the library.

use std::io::Write;
use std::time::SystemTime;

use console::style;
use syndic_round::Timestamp;

use crate::args::{Beside, CheckArgs, Command, DemoArgs, InitArgs, JobCommand, SandboxArgs, ShowArgs};
use crate::job_check::{self, JobFile};
use crate::new_file::{Unwritten, Written};
use crate::sandbox::demo::DemoOptions;
use crate::sandbox::describe::describes;
use crate::sandbox::{Columns, SandboxOptions, Source, Stop, interrupt, several};
use crate::view::{self, Observer};
use crate::words::quoted;
use crate::{
    Error, Result, attack, federation, job_init, ledger, model, new_file, privacy, score, statistics,
};

/// Does what the command says.
///
/// # Errors
/// Whatever went wrong, for the person who called.
pub fn run(command: Command) -> Result<()> {
    match command {
        Command::Demo(args) => demo(args),
        Command::Sandbox(args) => sandbox(args),
        Command::Job(JobCommand::Check(args)) => check(&args),
        Command::Job(JobCommand::Init(args)) => init(&args),
        Command::Federation(command) => print(&federation::run(command, now())?),
        Command::Ledger(command) => ledger::run(&command),
        Command::Score(args) => score::run(&args),
        Command::Model(command) => model::run(&command),
        Command::Statistics(args) => statistics::run(&args),
        Command::Privacy(command) => privacy::run(&command),
        Command::Attack(args) => attack::run(&args),
    }
}

fn demo(args: DemoArgs) -> Result<()> {
    let options = DemoOptions {
        rounds: args.rounds,
        seed: args.seed,
        out: args.out,
        participants: args.participants,
        drop: !args.no_drop,
        command: called_as(),
    };
    execute(options.into(), args.show)
}

fn sandbox(args: SandboxArgs) -> Result<()> {
    let is_named = !args.compare.is_empty();
    if is_named && !args.compare.contains(&Beside::Pooled) {
        return Err(Error::input(
            "options.compare",
            "differences are to the pooled model, so it is always trained",
        )
        .place("--compare")
        .help("say --compare pooled, or --compare pooled,alone"));
    }
    let jobs = args.job.iter().map(|job| JobFile::read(job)).collect::<Result<Vec<_>>>()?;
    if let Some(job) = jobs.iter().find(|job| is_named && describes(job)) {
        return Err(Error::input("options.compare", "the job trains no model that could be compared")
            .place(format!("--compare, {}", job.name))
            .help("leave out --compare"));
    }
    let options = |job: &JobFile| SandboxOptions {
        job: job.clone(),
        source: Source::File(args.table.clone()),
        columns: Columns {
            site: args.site_column.clone(),
            fold: args.fold_column.clone(),
            test_fold: args.test_fold.clone(),
            validation_fold: args.validation_fold.clone(),
            participants: args.participants,
        },
        out: args.out.clone(),
        rounds: args.rounds,
        seed: args.seed,
        stop: if args.drop { Stop::One } else { Stop::Nobody },
        trainer: args.trainer.clone(),
        alone: !is_named || args.compare.contains(&Beside::Alone),
        citation: None,
        command: called_as(),
        demo: false,
    };
    match jobs.as_slice() {
        [job] => execute(options(job), args.show),
        jobs => {
            several::run(jobs.iter().map(options).collect(), &args.out, (args.show.json, args.show.quiet))
        }
    }
}

fn execute(options: SandboxOptions, show: ShowArgs) -> Result<()> {
    interrupt::execute(options, Observer::new(view::choose(show.json, show.quiet)))
}

fn check(args: &CheckArgs) -> Result<()> {
    let file = JobFile::read(&args.file)?;
    let job = job_check::check(&file)?;
    let members = args.institutions.map(usize::from);
    if let Some(members) = members {
        job_check::protection(&job, members)?;
    }
    if args.json {
        return print(&(job_check::to_json_among(&file, &job, members) + "\n"));
    }
    print(&job_check::render_among(&file, &job, members))
}

fn init(args: &InitArgs) -> Result<()> {
    let source = Source::File(args.table.clone());
    let text = job_init::text(&source, args.label.as_deref())?;
    let Some(out) = &args.out else { return print(&text) };
    new_file::write(out, &text)?;
    let next = format!("{} job check {}", called_as(), quoted(out));
    print(&format!("drafted {}\nnext: read every line of it, then {}\n", out.display(), style(next).bold()))
}

/// Writes to standard output; a reader that left is no error.
pub(crate) fn print(text: &str) -> Result<()> {
    stream(|output| Ok(output.write_all(text.as_bytes())?))
}

/// The same for what is too long to hold.
pub(crate) fn stream(content: impl FnOnce(&mut dyn Write) -> Written) -> Result<()> {
    let mut output = std::io::BufWriter::new(std::io::stdout().lock());
    match content(&mut output).and_then(|()| Ok(output.flush()?)) {
        Err(Unwritten::Content(error)) => Err(error),
        Err(Unwritten::File(cause)) if cause.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Error::world("output.unwritable", format!("standard output cannot be written: {cause}")))
        }
        _ => Ok(()),
    }
}

/// How this program was called, for commands that can be copied.
pub(crate) fn called_as() -> String {
    if std::env::var_os("CARGO").is_some() { "cargo run --release --".into() } else { "syndic".into() }
}

pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

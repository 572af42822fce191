//! `syndic privacy`: what differential privacy would cost.

mod accuracy;
pub mod args;
mod picture;
mod plan;
mod text;

use crate::commands::print;
use crate::{Error, Result, new_file};
use args::{PlanArgs, PrivacyCommand};
use plan::Plan;

/// Does what the command says.
///
/// # Errors
/// Options that make no sense, a target that no noise reaches, a file that cannot be written.
pub fn run(command: &PrivacyCommand) -> Result<()> {
    let PrivacyCommand::Plan(args) = command;
    plan(args)
}

fn plan(args: &PlanArgs) -> Result<()> {
    let plan = Plan::of(args)?;
    if let Some(path) = &args.plot {
        // Elsewhere the option for a new file is --out.
        let named = |error: Error| match error.code() {
            "file.exists" => error.place(format!("--plot {}", path.display())),
            _ => error,
        };
        new_file::write(path, &picture::render(&plan)).map_err(named)?;
    }
    if args.json { print(&plan.to_json()) } else { print(&text::render(&plan, args.plot.as_deref())) }
}

//! What the sandbox itself does around a job, next to the coordinator's events.

use serde::Serialize;
use syndic_coordinator::event::Phase;

use crate::words::{counted, thousands};

/// One thing that the sandbox does. In JSON it looks like an event.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Notice {
    /// The folder holds an earlier run, which gives way once this one is done.
    Replacing {
        /// The folder.
        out: String,
    },
    /// The table was read and split.
    Prepared {
        /// Job id.
        job: String,
        /// How it trains, with all terms.
        program: String,
        /// Name of the table.
        table: String,
        /// The institutions.
        sites: Vec<Site>,
        /// Rows kept for the test.
        test_rows: u64,
    },
    /// Nobody is stopped on purpose, since every sum needs all of them.
    NobodyToStop {
        /// How many there are.
        institutions: u16,
    },
    /// One institution will be stopped on purpose, and rounds wait less long for updates than the job file says.
    CollectShortened {
        /// How long they wait in this run, in seconds.
        collect_seconds: u32,
        /// How long they would wait as the job file says, in seconds.
        job_seconds: u32,
    },
    /// One institution will be stopped on purpose, and rounds wait less long for shares and reveals than the job file says,
    /// since updates are shared themselves.
    SharesShortened {
        /// How long they wait for shares, and for what is signed about them, in this run, in seconds.
        share_seconds: u32,
        /// How long they wait for reveals, in seconds.
        reveal_seconds: u32,
        /// How long they would wait for shares as the job file says, in seconds.
        job_share_seconds: u32,
        /// How long they would wait for reveals as the job file says, in seconds.
        job_reveal_seconds: u32,
    },
    /// The coordinator listens, and every participant has keys and a certificate.
    Listening {
        /// Address and port.
        address: String,
    },
    /// A participant is about to be stopped on purpose.
    Stopping {
        /// Who.
        participant: String,
        /// In which training round.
        training_round: u32,
        /// After its part of this phase.
        after: Phase,
    },
    /// The participant that was stopped is there again.
    Returned {
        /// Who.
        participant: String,
    },
    /// The federation is done; the same model is trained alone and pooled, for comparison.
    Comparing {
        /// How many models that makes.
        models: usize,
        /// Inputs of each of them.
        inputs: usize,
    },
    /// Some models for comparison are trained, and it takes long.
    Compared {
        /// How many.
        done: usize,
        /// Of how many.
        models: usize,
    },
}

/// An institution of the sandbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Site {
    /// Its name.
    pub name: String,
    /// Rows that it learns from.
    pub training_rows: u64,
    /// Positives among them.
    pub training_positives: u64,
}

impl Notice {
    /// The notice in plain words, on one or more lines.
    pub fn text(&self) -> String {
        match self {
            Self::Replacing { out } => {
                format!("{out} holds an earlier run; this one takes its place when it is done.")
            }
            Self::Prepared { job, program, table, sites, test_rows } => {
                prepared((job, program), table, sites, *test_rows)
            }
            Self::NobodyToStop { institutions } => format!(
                "Nobody is stopped on purpose: of {institutions} institutions each is needed to open a sum."
            ),
            Self::CollectShortened { collect_seconds, job_seconds } => format!(
                "One institution will be stopped on purpose, and its round waits for it. Rounds of this run therefore \
                 wait {} for updates, plenty for this table and these institutions, not the {} of the job file.",
                counted(*collect_seconds as usize, "second", "seconds"),
                thousands(u64::from(*job_seconds)),
            ),
            Self::SharesShortened {
                share_seconds,
                reveal_seconds,
                job_share_seconds,
                job_reveal_seconds,
            } => format!(
                "One institution will be stopped on purpose, and its round waits for it. Rounds of this run therefore \
                 wait {} for shares and {} for reveals, plenty for these institutions, not the {} and {} of the job file.",
                counted(*share_seconds as usize, "second", "seconds"),
                counted(*reveal_seconds as usize, "second", "seconds"),
                thousands(u64::from(*job_share_seconds)),
                thousands(u64::from(*job_reveal_seconds)),
            ),
            Self::Listening { address } => format!(
                "The coordinator listens on {address}. Every participant made its own keys and comes in over mutual TLS."
            ),
            Self::Stopping { participant, training_round, after } => format!(
                "On purpose: {participant} is stopped in the middle of round {training_round}, {}. \
                 The round goes on without it.",
                moment(*after)
            ),
            Self::Returned { participant } => format!("{participant} is back and takes part again."),
            Self::Comparing { inputs, .. } => {
                let mut text = String::from(
                    "For comparison only: the same model on each institution's rows alone, and on all rows in one place.",
                );
                if *inputs >= MANY_INPUTS {
                    text += &format!(
                        " With {} inputs that may take minutes: the time grows with the cube of their number.",
                        thousands(*inputs as u64)
                    );
                }
                text
            }
            Self::Compared { done, models } => {
                format!("  {done} of {models} models for comparison are trained.")
            }
        }
    }
}

fn prepared((job, program): (&str, &str), table: &str, sites: &[Site], test_rows: u64) -> String {
    let width = sites.iter().map(|site| site.name.len()).max().unwrap_or(0);
    let mut text = format!(
        "{job}: {}, {} of {table} kept aside for the test\n  {program}",
        counted(sites.len(), "institution", "institutions"),
        counted(test_rows as usize, "row", "rows")
    );
    const SHOWN: usize = 12;
    for site in sites.iter().take(SHOWN) {
        let share = 100.0 * site.training_positives as f64 / site.training_rows.max(1) as f64;
        text += &format!(
            "\n  {:width$}  {:>8} {} to learn from, {share:4.1} % positive",
            site.name,
            thousands(site.training_rows),
            if site.training_rows == 1 { "row" } else { "rows" }
        );
    }
    if sites.len() > SHOWN {
        text += &format!("\n  and {} more", sites.len() - SHOWN);
    }
    text
}

/// When in a round a participant is after its part of a phase.
fn moment(phase: Phase) -> &'static str {
    match phase {
        Phase::Advertise => "after it advertised its one-time key",
        Phase::Share => "after it dealt its shares",
        Phase::Acknowledge => "after the shares were exchanged",
        Phase::Collect => "after it submitted its update",
        Phase::Certify => "after it signed the survivor set",
        Phase::Reveal => "after it revealed its shares",
    }
}

/// From here on a model for comparison takes seconds at least.
const MANY_INPUTS: usize = 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deliberate_stop_is_announced_as_deliberate() {
        let stopping = Notice::Stopping {
            participant: "bank_online".into(),
            training_round: 7,
            after: Phase::Acknowledge,
        };
        assert_eq!(
            stopping.text(),
            "On purpose: bank_online is stopped in the middle of round 7, after the shares were exchanged. \
             The round goes on without it."
        );
    }

    #[test]
    fn a_notice_in_json_looks_like_an_event() {
        let returned = Notice::Returned { participant: "bank_online".into() };
        let json = serde_json::to_string(&returned).unwrap();
        assert_eq!(json, r#"{"event":"returned","participant":"bank_online"}"#);
    }

    #[test]
    fn a_comparison_that_takes_long_is_announced_as_long() {
        let text = |inputs| Notice::Comparing { models: 6, inputs }.text();
        assert!(text(3_000).ends_with(
            "With 3,000 inputs that may take minutes: the time grows with the cube of their number."
        ));
        assert!(!text(50).contains("minutes"));
    }

    #[test]
    fn a_shorter_deadline_is_told_beside_that_of_the_job_file() {
        let text = Notice::CollectShortened { collect_seconds: 5, job_seconds: 600 }.text();
        assert!(
            text.contains("wait 5 seconds for updates") && text.contains("not the 600 of the job file"),
            "{text}"
        );
    }

    #[test]
    fn shorter_deadlines_of_shares_are_told_beside_those_of_the_job_file() {
        let notice = Notice::SharesShortened {
            share_seconds: 5,
            reveal_seconds: 5,
            job_share_seconds: 60,
            job_reveal_seconds: 90,
        };
        let text = notice.text();
        assert!(text.contains("5 seconds for shares and 5 seconds for reveals"), "{text}");
        assert!(text.contains("not the 60 and 90 of the job file"), "{text}");
    }

    #[test]
    fn many_institutions_are_shortened() {
        let site = |number| Site { name: format!("s{number:02}"), training_rows: 10, training_positives: 1 };
        let sites = (0..20).map(site).collect();
        let program = "trees of depth 3".to_owned();
        let prepared =
            Notice::Prepared { job: "j".into(), program, table: "t.csv".into(), sites, test_rows: 5 }.text();
        assert!(prepared.lines().nth(1) == Some("  trees of depth 3"), "{prepared}");
        assert!(prepared.contains("20 institutions") && prepared.ends_with("and 8 more"), "{prepared}");
    }
}

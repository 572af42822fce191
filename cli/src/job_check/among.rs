//! Whether a number of institutions can have what a job asks for.

use syndic_learning::Job;
use syndic_learning::job::TermsError;
use syndic_round::{PlanError, Protection};

use crate::words::counted;
use crate::{Error, Result};

/// The protection in a federation of so many institutions.
///
/// # Errors
/// Where a job file is right in itself, and asks for what so many cannot have.
pub fn protection(job: &Job, institutions: usize) -> Result<Protection> {
    let refused = |error: &TermsError| {
        let so_many = counted(institutions, "institution", "institutions");
        let told =
            Error::input(error.code(), format!("the job does not fit {so_many}: {error}")).help(error.help());
        match error {
            // Nothing in the file is at fault.
            TermsError::Protection(PlanError::Cohort { .. }) => told,
            TermsError::Drawn { .. } => told.place("[cohort] each_round"),
            TermsError::Privacy(_) => told.place("[privacy]"),
            _ => told.place("[protection]"),
        }
    };
    if let Some(members) = &job.cohort.members
        && members.len() > institutions
    {
        let so_many = counted(institutions, "institution", "institutions");
        let message = format!("the job does not fit {so_many}: it names {} of them", members.len());
        return Err(Error::input("cohort.no-member", message)
            .place("[cohort] members")
            .help("give the number of all members of the federation, or name fewer in the job"));
    }
    job.protection_with(institutions).map_err(|error| refused(&error))
}

/// How many institutions a round admits, where the job says it or a federation of so many members does.
pub(super) fn admitted(job: &Job, members: Option<usize>) -> Option<u16> {
    // Where the job says it, it is the same among however many members.
    let fixed = job.cohort.members.is_some() || job.cohort.each_round.is_some();
    let members = members.or(fixed.then_some(0))?;
    u16::try_from(job.cohort.admitted(members)).ok()
}

/// The numbers of a round, for people.
pub(super) fn told(protection: &Protection) -> String {
    let (admitted, threshold) = (protection.admitted(), protection.threshold());
    let colluding = protection.colluding();
    format!("{admitted} in a round: {threshold} open a sum (t), {colluding} may collude (c)")
}

#[cfg(test)]
mod tests {
    use super::super::{JobFile, check, render_among, to_json_among};
    use super::*;
    use crate::sandbox::fixture::JOB;

    fn file(text: &str) -> JobFile {
        JobFile { name: "job.toml".into(), text: text.into() }
    }

    #[test]
    fn what_so_many_institutions_cannot_have_is_refused_with_its_place() {
        let fits = |text: &str, institutions| {
            protection(&check(&file(text)).unwrap(), institutions).map_err(|error| error.render())
        };
        let protected = |terms: &str| JOB.replacen("[protection]", &format!("[protection]\n{terms}"), 1);
        assert_eq!(fits(JOB, 5).unwrap().threshold(), 4);
        for (text, institutions, told) in [
            (protected("threshold = 6"), 5, ["in: [protection]", "help: lower `threshold`"]),
            (protected("min_survivors = 6"), 5, ["in: [protection]", "help: correct `min_survivors`"]),
            (format!("{JOB}\n[cohort]\neach_round = 5\n"), 4, ["cohort.drawn", "in: [cohort] each_round"]),
            (JOB.into(), 2, ["does not fit 2 institutions", "help: run the job among 3 or more"]),
            (
                format!("{JOB}\n[cohort]\nmembers = [\"a\", \"b\", \"c\", \"d\"]\n"),
                3,
                ["cohort.no-member", "in: [cohort] members"],
            ),
        ] {
            let error = fits(&text, institutions).unwrap_err();
            assert!(told.iter().all(|told| error.contains(told)), "{told:?}: {error}");
            assert!(error.contains("help: "), "{error}");
        }
    }

    #[test]
    fn with_a_number_of_institutions_a_check_tells_figures_in_place_of_formulas() {
        let shared = JOB.replacen("[protection]", "[protection]\nsmall_vectors = \"shared\"", 1);
        for (text, members) in
            [(shared.clone(), Some(5)), (format!("{shared}\n[cohort]\neach_round = 5\n"), None)]
        {
            let job = check(&file(&text)).unwrap();
            let summary = render_among(&file(&text), &job, members);
            let json = to_json_among(&file(&text), &job, members);
            let json: serde_json::Value = serde_json::from_str(&json).unwrap();

            assert!(summary.contains("5 in a round: 4 open a sum (t), 2 may collude (c)"), "{summary}");
            assert!(
                summary.contains("sign the survivor set        within     60 s, at least 4\n"),
                "{summary}"
            );
            assert!(!summary.contains("2n/3") && !summary.contains("at least t"), "{summary}");
            assert!(!summary.contains("3 to "), "{summary}");
            assert_eq!(json["institutions"], 5);
            assert_eq!(json["phases"][5]["needs"], 4);
            assert_eq!(json["vectors"][0]["shared"], serde_json::json!([[5, 5]]));
        }
    }
}

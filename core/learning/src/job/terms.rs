//! The terms that a job file has under a roster: what all its rounds have in common.
//!
//! The coordinator and every participant derive them from the same bytes, so that neither need believe the
//! other.

use syndic_round::vector::small_vector_elements;
use syndic_round::{
    Admission, Carrier, Deadlines, Digest, Layout, ParticipantId, PlanError, Protection, Roster,
};
use thiserror::Error;

use crate::privacy::PrivacyError;

use super::{Diagnostic, Job, ProtectionTerms, SmallVectors};

/// What all rounds of a job have in common.
#[derive(Clone, Debug, PartialEq)]
pub struct Terms {
    /// SHA-256 of the job file as it was agreed.
    pub agreement: Digest,
    /// Who may open what.
    pub protection: Protection,
    /// Whom its rounds admit.
    pub admission: Admission,
    /// How long phases may take.
    pub deadlines: Deadlines,
}

/// Why a file has no terms.
#[derive(Debug, Error)]
pub enum TermsError {
    /// The file is no job.
    #[error("{}", first_message(.0))]
    File(Vec<Diagnostic>),
    /// The job asks for a protection that this many institutions cannot have.
    #[error("the protection that the job asks for is impossible: {0}")]
    Protection(#[from] PlanError),
    /// The job is of an institution that the federation does not have.
    #[error("the job names an institution that is no member of this federation: `{0}`")]
    NoMember(String),
    /// More are to be drawn than the job has institutions.
    #[error("each round is to admit {drawn} institutions by lot, of {institutions}")]
    Drawn {
        /// How many each round admits.
        drawn: u16,
        /// Of how many.
        institutions: usize,
    },
    /// The job counts on the noise of more honest institutions than there are.
    #[error(transparent)]
    Privacy(#[from] PrivacyError),
}

impl TermsError {
    /// The stable code: a file has that of its first error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::File(diagnostics) => diagnostics.first().map_or("job.refused", |first| first.code),
            Self::Protection(error) => error.code(),
            Self::NoMember(_) => "cohort.no-member",
            Self::Drawn { .. } => "cohort.drawn",
            Self::Privacy(error) => error.code(),
        }
    }

    /// What to do about it.
    pub fn help(&self) -> &str {
        match self {
            Self::File(diagnostics) => diagnostics.first().map_or("", |first| &first.help),
            Self::Protection(error) => impossible(error),
            Self::NoMember(_) => "write the names as the roster has them",
            Self::Drawn { .. } => "lower `each_round`, or run the job with more institutions",
            Self::Privacy(error) => error.help(),
        }
    }
}

impl Terms {
    /// The job in `file`, and its terms for the members of `roster`.
    ///
    /// # Errors
    /// [`TermsError`].
    pub fn of(file: &str, roster: &Roster) -> Result<(Job, Self), TermsError> {
        let job = Job::from_toml(file).map_err(TermsError::File)?;
        let institutions = job.institutions(roster)?;
        let protection = job.protection_with(roster.members.len())?;
        let admission = match job.cohort.each_round {
            Some(drawn) => Admission::by_lot(institutions, drawn),
            None => Admission::of_all(institutions),
        };
        let deadlines = job.deadlines();
        Ok((job, Self { agreement: agreement(file), protection, admission, deadlines }))
    }
}

/// SHA-256 of a job file as it was agreed: what every round of the job is bound to.
pub fn agreement(file: &str) -> Digest {
    Digest::of(file.as_bytes())
}

impl ProtectionTerms {
    /// The protection among as many institutions as a round admits; what is left open has its default.
    ///
    /// # Errors
    /// [`PlanError`] names the rule that so many would break.
    pub fn among(&self, admitted: usize) -> Result<Protection, PlanError> {
        let Self { parameter_set, threshold, colluding, min_survivors, .. } = *self;
        let admitted = u16::try_from(admitted).unwrap_or(u16::MAX);
        let threshold = threshold.unwrap_or_else(|| Protection::default_threshold(admitted));
        let colluding = colluding.unwrap_or_else(|| Protection::largest_colluding(admitted, threshold));
        Protection::new(parameter_set, admitted, threshold, colluding, min_survivors.unwrap_or(threshold))
    }
}

impl Job {
    /// The institutions of the job, in the order of ids.
    fn institutions(&self, roster: &Roster) -> Result<Vec<ParticipantId>, TermsError> {
        let Some(names) = &self.cohort.members else {
            return Ok(roster.members.iter().map(|member| member.id).collect());
        };
        let of_name = |name: &String| {
            let member = roster.members.iter().find(|member| member.name == *name);
            member.map(|member| member.id).ok_or_else(|| TermsError::NoMember(name.clone()))
        };
        let mut institutions = names.iter().map(of_name).collect::<Result<Vec<_>, _>>()?;
        institutions.sort_unstable();
        Ok(institutions)
    }

    /// The protection in a federation with `members`; what the file leaves open has its default.
    ///
    /// # Errors
    /// [`PlanError`] names the rule that the job breaks with as many institutions as a round admits.
    pub fn protection_of(&self, members: usize) -> Result<Protection, PlanError> {
        self.protection.among(self.cohort.admitted(members))
    }

    /// The same, where as many have all that the job asks of their number.
    ///
    /// # Errors
    /// [`TermsError`]: a protection that they cannot have, more of them to be drawn than there are, more honest ones counted on.
    pub fn protection_with(&self, members: usize) -> Result<Protection, TermsError> {
        let protection = self.protection_of(members)?;
        let institutions = self.cohort.members.as_ref().map_or(members, Vec::len);
        if let Some(drawn) = self.cohort.each_round
            && usize::from(drawn) > institutions
        {
            return Err(TermsError::Drawn { drawn, institutions });
        }
        self.check_honest(&protection)?;
        Ok(protection)
    }

    /// What carries a vector of this layout to its sum, among `admitted` institutions.
    pub fn carrier_of(&self, layout: &Layout, admitted: u16) -> Carrier {
        match self.protection.small_vectors {
            SmallVectors::Shared if small_vector_elements(layout, admitted).is_some() => Carrier::Shares,
            SmallVectors::Shared | SmallVectors::Encrypted => Carrier::Ring,
        }
    }

    /// How long phases may take, in milliseconds.
    pub fn deadlines(&self) -> Deadlines {
        let millis = |seconds: u32| u64::from(seconds) * 1000;
        let deadlines = &self.rounds.deadlines;
        Deadlines {
            advertise: millis(deadlines.advertise_seconds),
            share: millis(deadlines.share_seconds),
            collect: millis(deadlines.collect_seconds),
            certify: millis(deadlines.certify_seconds),
            reveal: millis(deadlines.reveal_seconds),
        }
    }
}

/// What to do about a protection that a number of institutions cannot have.
pub(super) fn impossible(error: &PlanError) -> &'static str {
    match error {
        PlanError::Cohort { admitted: ..3, .. } => {
            "run the job among 3 or more: a sum over fewer would tell one of them what the other sent"
        }
        PlanError::Cohort { .. } => {
            "choose a `parameter_set` that serves as many, or let rounds admit fewer by lot, with `each_round` in [cohort]"
        }
        PlanError::Unreachable { .. } => "lower `threshold`, or leave it out: the default fits every number",
        PlanError::Survivors { .. } => "correct `min_survivors`, or leave it out: it is the threshold then",
        _ => {
            "leave out those of `threshold`, `colluding` and `min_survivors` that are given: the defaults fit every number"
        }
    }
}

/// In one line: whoever shows it adds the code, and `syndic job check` shows them all.
fn first_message(diagnostics: &[Diagnostic]) -> String {
    let Some((first, others)) = diagnostics.split_first() else { return "the job file is malformed".into() };
    let place = first.line.map_or_else(String::new, |line| format!("line {line}: "));
    // It may quote the file.
    let message = first.message.replace(char::is_control, " ");
    match others.len() {
        0 => format!("{place}{message}"),
        more => format!("{place}{message} (and {more} more)"),
    }
}

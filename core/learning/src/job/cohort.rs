//! Whom the rounds of a job admit: all members of the federation or those it names, and of these all or so many by lot.

use std::ops::Range;

use serde::{Deserialize, Serialize};
use toml::Spanned;

use super::ProtectionTerms;
use super::program::ProgramTerms;
use super::reader::{Reader, Section};
use super::terms::impossible;
use crate::contract::is_bare;

/// Whom the rounds of a job admit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CohortTerms {
    /// The institutions of the job, by the names that they have in the roster; without it all members of the federation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub members: Option<Vec<String>>,
    /// How many of them each round admits, by lot; without it all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub each_round: Option<u16>,
}

impl CohortTerms {
    pub(super) fn is_absent(&self) -> bool {
        *self == Self::default()
    }

    /// How many institutions each round admits in a federation with `members`.
    pub fn admitted(&self, members: usize) -> usize {
        let institutions = self.members.as_ref().map_or(members, Vec::len);
        self.each_round.map_or(institutions, usize::from)
    }
}

/// The section, and where it says how many a round admits.
pub(super) struct Written {
    pub(super) terms: CohortTerms,
    admitted_at: Option<Range<usize>>,
}

impl Written {
    /// Refuses a protection that as many as the job names cannot have; where it leaves the number open, that is known when it
    /// is handed in.
    pub(super) fn check_protection(&self, reader: &mut Reader<'_>, protection: &ProtectionTerms) {
        let Some(at) = &self.admitted_at else { return };
        let admitted = self.terms.admitted(0);
        if let Err(error) = protection.among(admitted) {
            let message = format!("of the {admitted} institutions that a round admits: {error}");
            reader.add(error.code(), Some(at.clone()), message, impossible(&error));
        }
    }
}

pub(super) fn cohort(
    reader: &mut Reader<'_>,
    root: &mut Section<'_>,
    program: Option<&ProgramTerms>,
) -> Written {
    let mut section = reader.section(root, "cohort", "[cohort]");
    let members = reader.texts(&mut section, "members");
    let each_round = reader.integer(&mut section, "each_round", 3..=u64::from(MOST));
    if let Some(members) = &members {
        check_members(reader, members);
    }
    if let Some(drawn) = &each_round {
        check_drawn(reader, drawn, members.as_ref(), program);
    }
    reader.close(section);
    let at_members = members.as_ref().map(|members| members.span());
    let admitted_at = each_round.as_ref().map(|drawn| drawn.span()).or(at_members);
    let terms = CohortTerms {
        members: members.map(|names| names.into_inner().into_iter().map(Spanned::into_inner).collect()),
        each_round: each_round.and_then(|drawn| u16::try_from(drawn.into_inner()).ok()),
    };
    Written { terms, admitted_at }
}

fn check_members(reader: &mut Reader<'_>, members: &Spanned<Vec<Spanned<String>>>) {
    let names = members.get_ref();
    for (position, name) in names.iter().enumerate() {
        if !is_bare(name.get_ref()) {
            let message = "a name of `members` is empty or has spaces around it";
            reader.add("job.bad-phrase", Some(name.span()), message, "write it as the roster has it");
        }
        if names[..position].iter().any(|earlier| earlier.get_ref() == name.get_ref()) {
            let message = format!("`{}` is named twice", name.get_ref());
            reader.add("cohort.twice", Some(name.span()), message, "name every institution once");
        }
    }
    if names.len() < 3 {
        let message = format!("the job is of {} institutions", names.len());
        let help = "name 3 or more, or remove `members`: the job is then of all members of the federation";
        reader.add("cohort.too-few", Some(members.span()), message, help);
    }
}

fn check_drawn(
    reader: &mut Reader<'_>,
    drawn: &Spanned<u64>,
    members: Option<&Spanned<Vec<Spanned<String>>>>,
    program: Option<&ProgramTerms>,
) {
    if let Some(members) = members.map(|members| members.get_ref().len() as u64)
        && *drawn.get_ref() > members
    {
        let message = format!("each round is to admit {} institutions, of {members}", drawn.get_ref());
        reader.add("cohort.drawn", Some(drawn.span()), message, "lower `each_round`, or name more `members`");
    }
    if program.is_some_and(|program| !program.averages()) {
        let message = "this program adds up what one set of institutions holds, round after round";
        let help = "remove `each_round`: a lot suits programs that average models trained locally, as `solver = \"fed-avg\"`";
        reader.add("cohort.not-by-lot", Some(drawn.span()), message, help);
    }
}

/// More than any parameter set serves.
const MOST: u16 = 256;

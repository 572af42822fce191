//! What a comparison with the training rows of a released model found, as the entry has it with which the job ends.
//!
//! An entry has no floating-point numbers: figures are decimal text. It has the rows in each bin as well, but for those that are too
//! few to be shown, so that with the job file of the same ledger whoever reads it can compute the figures anew.

use serde_json::{Map, Value, json};
use syndic_round::Digest;

use super::terms::ReleasedDriftTerms;
use crate::program::comparison::RowsCompared;
use crate::program::drift::against::found;
use crate::program::drift::counts::total;
use crate::program::drift::figures::{Bin, DriftFigures, SCORE, Shift, Standing};

/// How far rows are from those that a released model was trained on.
#[derive(Clone, Debug, PartialEq)]
pub struct DriftRecord {
    /// SHA-256 of the model's weights.
    pub model: Digest,
    /// Which rows are compared.
    pub rows: RowsCompared,
    /// Thresholds, rows and figures. Of its bins no more is on record than how many rows are in them now: edges, levels, and rows
    /// that the model was trained on are in the job file.
    figures: DriftFigures,
}

impl DriftRecord {
    /// What is recorded of these figures, rounded as an entry has them, so that all that follows is the same whether it was found
    /// now or read again.
    pub(super) fn of(terms: &ReleasedDriftTerms, figures: &DriftFigures) -> Self {
        let of_bins = |shift: &Shift| {
            let bare = |bin: &Bin| Bin {
                below: None,
                levels: Vec::new(),
                missing: bin.missing,
                reference: 0,
                current: bin.current,
            };
            let rounded = |figure: Option<f64>| figure.and_then(|figure| text(figure).parse().ok());
            Shift {
                name: shift.name.clone(),
                standing: shift.standing,
                psi: rounded(shift.psi),
                psi_by_chance: rounded(shift.psi_by_chance),
                ks: rounded(shift.ks),
                bins: shift.bins.iter().map(bare).collect(),
            }
        };
        let figures = DriftFigures {
            score: of_bins(&figures.score),
            columns: figures.columns.iter().map(of_bins).collect(),
            ..figures.clone()
        };
        Self { model: terms.model, rows: terms.rows, figures }
    }

    /// The figures, with bins that have no more than the rows in them now.
    pub fn figures(&self) -> &DriftFigures {
        &self.figures
    }

    /// What has drifted, in a sentence; none where nothing has.
    pub fn warning(&self) -> Option<String> {
        self.figures.warning("rows of all institutions")
    }

    /// The figures with the bins of the job file, if that is what its job can have found: the same bins, rows and thresholds, no
    /// more and no fewer counts left out than have to be, and where none is left out the very figures that follow from the counts.
    /// Where some are, the standing has to follow from the figures on record, and there has to be an index wherever rows were compared.
    pub fn audited(&self, terms: &ReleasedDriftTerms) -> Option<DriftFigures> {
        let reference = terms.figures();
        let own = &self.figures;
        let told = [&own.score].into_iter().chain(&own.columns);
        let known = [&reference.score].into_iter().chain(&reference.columns);
        let is_of_job = self.model == terms.model
            && self.rows == terms.rows
            && own.columns.len() == reference.columns.len()
            && own.reference_rows == reference.reference_rows
            && [own.watch_psi, own.max_psi] == [reference.watch_psi, reference.max_psi]
            && (own.max_ks, own.min_rows) == (reference.max_ks, reference.min_rows);
        let mut shifts =
            told.zip(known).map(|(told, known)| audited(told, known, &reference, own.current_rows));
        let score = shifts.next()??;
        let columns = shifts.collect::<Option<Vec<_>>>()?;
        is_of_job.then_some(DriftFigures { current_rows: own.current_rows, score, columns, ..reference })
    }

    /// The same as an entry has it.
    pub fn to_data(&self) -> Value {
        let figures = &self.figures;
        let optional = |figure: Option<f64>| figure.map(text);
        let of_shift = |shift: &Shift| {
            let current: Vec<Option<u64>> =
                shift.bins.iter().filter(|bin| !bin.missing).map(|bin| bin.current).collect();
            let mut told = json!({
                "name": shift.name,
                "psi": optional(shift.psi),
                "psi_by_chance": optional(shift.psi_by_chance),
                "ks": optional(shift.ks),
                "standing": shift.standing,
                "current": current,
            });
            if let Some(missing) = shift.bins.iter().find(|bin| bin.missing) {
                told["missing"] = json!(missing.current);
            }
            told
        };
        let threshold = |value: f64| Value::from(value.to_string());
        json!({
            "model": self.model.to_string(),
            "rows": self.rows,
            "watch_psi": threshold(figures.watch_psi),
            "max_psi": threshold(figures.max_psi),
            "max_ks": figures.max_ks.map(threshold),
            "min_rows": figures.min_rows,
            "reference_rows": figures.reference_rows,
            "current_rows": figures.current_rows,
            "score": of_shift(&figures.score),
            "columns": figures.columns.iter().map(of_shift).collect::<Vec<_>>(),
        })
    }

    /// What [`Self::to_data`] wrote; none where it cannot have written this.
    pub fn from_data(data: &Value) -> Option<Self> {
        let number = |text: &Value| text.as_str()?.parse().ok().filter(|figure: &f64| figure.is_finite());
        // A figure that there is none of is null, and one that is not told is none.
        let optional = |from: &Map<String, Value>, key: &str| match from.get(key)? {
            Value::Null => Some(None),
            told => number(told).map(Some),
        };
        let of_shift = |told: &Value| {
            let told = told.as_object()?;
            let count = |value: &Value| match value {
                Value::Null => Some(None),
                value => value.as_u64().map(Some),
            };
            let bin = |missing: bool, current: Option<u64>| Bin {
                below: None,
                levels: Vec::new(),
                missing,
                reference: 0,
                current,
            };
            let current = told.get("current")?.as_array()?.iter();
            let mut bins: Vec<Bin> =
                current.map(|value| Some(bin(false, count(value)?))).collect::<Option<_>>()?;
            if let Some(missing) = told.get("missing") {
                bins.push(bin(true, count(missing)?));
            }
            Some(Shift {
                name: told.get("name")?.as_str()?.into(),
                standing: serde_json::from_value(told.get("standing")?.clone()).ok()?,
                psi: optional(told, "psi")?,
                psi_by_chance: optional(told, "psi_by_chance")?,
                ks: optional(told, "ks")?,
                bins,
            })
        };
        let whole = |key: &str| data.get(key)?.as_u64();
        let figures = DriftFigures {
            watch_psi: number(data.get("watch_psi")?)?,
            max_psi: number(data.get("max_psi")?)?,
            max_ks: optional(data.as_object()?, "max_ks")?,
            min_rows: u32::try_from(whole("min_rows")?).ok()?,
            reference_rows: whole("reference_rows")?,
            current_rows: whole("current_rows")?,
            score: of_shift(data.get("score")?).filter(|shift| shift.name == SCORE)?,
            columns: data.get("columns")?.as_array()?.iter().map(of_shift).collect::<Option<_>>()?,
        };
        Some(Self {
            model: Digest::from_hex(data.get("model")?.as_str()?)?,
            rows: serde_json::from_value(data.get("rows")?.clone()).ok()?,
            figures,
        })
    }
}

/// A shift with the bins of the job file; none where these rows cannot have come to it.
fn audited(told: &Shift, known: &Shift, reference: &DriftFigures, rows: u64) -> Option<Shift> {
    let kinds = |shift: &Shift| shift.bins.iter().map(|bin| bin.missing).collect::<Vec<_>>();
    if told.name != known.name || kinds(told) != kinds(known) {
        return None;
    }
    let mut shift = Shift { bins: known.bins.clone(), ..told.clone() };
    shift.bins.iter_mut().zip(&told.bins).for_each(|(bin, now)| bin.current = now.current);
    let shown: Vec<u64> = told.bins.iter().filter_map(|bin| bin.current).collect();
    let hidden = told.bins.len() - shown.len();
    let rest = u128::from(rows).checked_sub(total(&shown))?;
    let is_untold = told.psi.is_none() && told.ks.is_none() && told.standing.is_none();
    if rows < u64::from(reference.min_rows) && !is_untold {
        return None;
    }
    if hidden > 0 {
        let floor = reference.min_rows;
        // Rows that are enough to be compared have an index wherever more than one bin has some: without it nothing would tell of
        // drift.
        let occupied =
            shift.bins.iter().filter(|bin| bin.reference > 0 || bin.current.is_some_and(|rows| rows > 0));
        let has_index = rows < u64::from(floor).max(1) || occupied.count() < 2 || told.psi.is_some();
        let follows = has_index && is_hidden_for_a_reason(&shown, hidden, rest, floor.into());
        return (follows && may_be_judged(&shift, reference)).then_some(shift);
    }
    let one = DriftFigures { score: known.clone(), columns: Vec::new(), ..reference.clone() };
    let again = found(&one, rows, &shown, &[]).score;
    let same = |one: Option<f64>, other: Option<f64>| one.map(text) == other.map(text);
    let is_so = same(again.psi, told.psi)
        && same(again.psi_by_chance, told.psi_by_chance)
        && same(again.ks, told.ks)
        && again.standing == told.standing;
    let least = shown.iter().min().copied().unwrap_or(0);
    (is_so && rest == 0 && least >= u64::from(reference.min_rows)).then_some(shift)
}

/// Whether these bins are left out since they have fewer rows than `floor`, or since the only one that has would follow from the
/// others. `rest` are the rows in them.
fn is_hidden_for_a_reason(shown: &[u64], hidden: usize, rest: u128, floor: u128) -> bool {
    let most_small = floor.saturating_sub(1);
    let least_shown = shown.iter().min().copied().map(u128::from);
    let most = match hidden {
        // It would follow from the others.
        1 if least_shown.is_some() => return false,
        // The only one, and the next smallest, which is no larger than any that is shown.
        2 => match least_shown {
            Some(least) => most_small + least.max(most_small),
            None => return true,
        },
        hidden => hidden as u128 * most_small,
    };
    rest <= most && least_shown.is_none_or(|least| least >= floor)
}

/// Whether the standing follows from the figures, which are on record to nine decimals: a figure that is a threshold to as many may
/// be above it or not.
fn may_be_judged(shift: &Shift, reference: &DriftFigures) -> bool {
    let judged = |by: f64| {
        let lowered = |figure: Option<f64>| figure.map(|figure| figure + by);
        Shift { psi: lowered(shift.psi), ks: lowered(shift.ks), ..shift.clone() }.judged(reference)
    };
    let (low, high): (Option<Standing>, Option<Standing>) = (judged(-ROUNDING), judged(ROUNDING));
    shift.standing == low || shift.standing == high
}

fn text(figure: f64) -> String {
    format!("{figure:.9}")
}

const ROUNDING: f64 = 1e-9;

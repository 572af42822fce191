//! Which programs take contracts whose columns may lack values.

use super::ProgramTerms;
use super::reader::Reader;
use crate::contract::Contract;

/// Refuses a nullable column where the program would not know what to make of a missing value.
pub(super) fn check(reader: &mut Reader<'_>, contract: &Contract, program: &ProgramTerms) {
    if takes_missing(program) {
        return;
    }
    if let Some(column) = contract.nullable().next() {
        let message =
            format!("column `{}` is nullable, and `{}` takes no missing values", column.name, program.name());
        let help = "fill the cells and remove `nullable`, or choose another program";
        reader.add("contract.nullable-unsupported", None, message, help);
    }
}

fn takes_missing(program: &ProgramTerms) -> bool {
    match program {
        ProgramTerms::LogisticRegression(_) | ProgramTerms::NeuralNetwork(_) => true,
        ProgramTerms::BoostedTrees(_) | ProgramTerms::Scorecard(_) => true,
        // Released models know what they make of it.
        ProgramTerms::Evaluation(_) => true,
        ProgramTerms::External(_) => false,
    }
}

//! The job that trains the same model without noise: what noise costs, and what it protects from, is seen beside it.

use super::{Job, LogisticRegressionTerms, Privacy, ProgramTerms, Rounds, Solver};

impl Job {
    /// The job that trains the same model without noise; none where this one adds none.
    pub fn without_noise(&self) -> Option<Self> {
        let program = match &self.program {
            ProgramTerms::LogisticRegression(LogisticRegressionTerms {
                l2,
                solver: Solver::NoisyGradient(_),
            }) => {
                let solver = Solver::Newton { encoding: Default::default(), class_weights: None };
                ProgramTerms::LogisticRegression(LogisticRegressionTerms { l2: *l2, solver })
            }
            ProgramTerms::NeuralNetwork(terms) if terms.noisy().is_some() => {
                ProgramTerms::NeuralNetwork(Box::new(terms.without_noise().into()))
            }
            ProgramTerms::BoostedTrees(terms) => {
                let best = terms.random()?.without_noise();
                // Each training round grows a tree.
                let rounds = Rounds { count: best.trees, ..self.rounds };
                let program = ProgramTerms::BoostedTrees(Box::new(best.into()));
                return Some(Self { program, rounds, privacy: Privacy::None {}, ..self.clone() });
            }
            ProgramTerms::Scorecard(terms) if self.noisy_scorecard().is_some() => {
                ProgramTerms::Scorecard(Box::new(terms.without_noise()))
            }
            // The same training without noise is a job of its own.
            program if self.privacy.institution_level().is_some() => program.clone(),
            _ => return None,
        };
        Some(Self { program, privacy: Privacy::None {}, ..self.clone() })
    }
}

//! Moves of a lying coordinator, drawn at random.

use rand::RngExt;
use rand_chacha::ChaCha20Rng;

use crate::strategy::{Move, Twist, Who};

/// Draws moves that get far often, and go astray as often.
pub(crate) struct Draw<'a> {
    rng: &'a mut ChaCha20Rng,
    all: Who,
    participants: u16,
    preparation: u64,
    attempt: u32,
    /// Whether the cohort of the last preparation was made ahead, and no round was shown with it yet.
    is_ahead: bool,
    /// Whether vectors are shared themselves, so that nothing of use is prepared ahead.
    shared: bool,
}

impl<'a> Draw<'a> {
    pub(crate) fn new(rng: &'a mut ChaCha20Rng, participants: u16, shared: bool) -> Self {
        let all = (1 << participants) - 1;
        Self { rng, all, participants, preparation: 0, attempt: 0, is_ahead: false, shared }
    }

    /// A strategy of a few attempts.
    pub(crate) fn moves(mut self) -> Vec<Move> {
        let mut moves = Vec::new();
        for _ in 0..self.rng.random_range(2..=5) {
            self.round(&mut moves);
        }
        moves
    }

    /// One attempt, with everything that may go wrong on its way.
    fn round(&mut self, moves: &mut Vec<Move>) {
        self.attempt += u32::from(!self.often(6));
        if self.shared && self.often(4) {
            self.crossed(moves);
        }
        let beside = if self.is_ahead || self.often(10) {
            self.bound(moves)
        } else {
            self.asked(moves);
            0
        };
        // What is made ahead meanwhile comes after the cohort of this attempt.
        let makes_ahead = self.often(if self.shared { 10 } else { 2 });
        let ahead = beside + if makes_ahead { self.prepared(moves) } else { 0 };
        for _ in 0..self.rng.random_range(1..=3) {
            let (back, of, to, twist) = (ahead + self.back(), self.survivors(), self.some(), self.twist());
            moves.push(Move::Certify { back, of, to, twist });
        }
        for _ in 0..self.rng.random_range(1..=4) {
            match self.rng.random_range(0..8) {
                0 => moves.push(Move::Restart { who: self.some() }),
                1 | 2 => moves.push(Move::Void { back: ahead + self.back(), to: self.some() }),
                3 => moves.push(Move::Snapshot),
                4 => moves.push(Move::RollBack { who: self.rng.random_range(1..=self.participants) }),
                _ => {}
            }
            let (back, of, to, twist) = (self.back(), self.all, self.some(), self.twist());
            moves.push(Move::Reveal { back, of, to, twist });
        }
    }

    /// An attempt that makes its own preparation, up to its updates.
    fn asked(&mut self, moves: &mut Vec<Move>) {
        let (id, slot, variant) = self.question();
        let weaker = self.often(25);
        self.preparation += u64::from(!self.often(6));
        let preparation = self.preparation.max(1);
        let to = self.most();
        moves.push(Move::Ask { id, preparation, slot, variant, weaker, to });
        if self.often(4) {
            // The others are asked something else in the same preparation.
            let (to, variant) = (self.all & !to, variant + 1);
            moves.push(Move::Ask { id, preparation, slot, variant, weaker, to });
        }
        for _ in 0..1 + u32::from(self.often(4)) {
            moves.push(Move::Share { back: 0, of: self.most(), to: self.most(), twist: self.twist() });
        }
        for _ in 0..1 + u32::from(self.often(4)) {
            let (back, of, to, twist) = (self.back(), self.most(), self.most(), self.twist());
            moves.push(Move::Submit { back, of, to, twist });
        }
    }

    /// Keys are asked for in two jobs under one number, and a vector of the one is to be shared in the cohort of the other.
    fn crossed(&mut self, moves: &mut Vec<Move>) {
        self.preparation += 1;
        let (preparation, weaker) = (self.preparation, false);
        let (id, slot, variant) = self.question();
        moves.push(Move::Ask { id, preparation, slot, variant, weaker, to: self.most() });
        moves.push(Move::Prepare { lax: !self.often(4), preparation, weaker, to: self.most() });
        // Another round than that in which the first number was claimed.
        moves.push(Move::TakeUp { back: self.back(), id: (3, id.1), slot, to: self.most() });
        moves.push(Move::Share { back: 0, of: self.most(), to: self.most(), twist: Twist::None });
    }

    /// One or two preparations made ahead; how many cohorts they make.
    fn prepared(&mut self, moves: &mut Vec<Move>) -> usize {
        let mut cohorts = 0;
        for _ in 0..1 + u32::from(self.often(4)) {
            self.preparation += u64::from(!self.often(6));
            let (preparation, weaker, to) = (self.preparation.max(1), self.often(25), self.most());
            moves.push(Move::Prepare { lax: false, preparation, weaker, to });
            for _ in 0..1 + u32::from(self.often(4)) {
                let (back, of, to, twist) = (self.back() / 2, self.most(), self.most(), self.twist());
                moves.push(Move::Share { back, of, to, twist });
                cohorts += 1;
            }
        }
        self.is_ahead = true;
        cohorts
    }

    /// An attempt that consumes a preparation made ahead, or one that was consumed before, up to its updates. How many
    /// tables came after it.
    fn bound(&mut self, moves: &mut Vec<Move>) -> usize {
        self.is_ahead = false;
        let (id, slot, variant) = self.question();
        let (back, of, to, twist) = (self.back(), self.most(), self.most(), self.twist());
        moves.push(Move::Bind { back, id, slot, variant, of, to, twist });
        let is_split = self.often(4);
        if is_split {
            // The others, or one more, are shown another attempt or another question with the same preparation.
            let (other, slot, variant) = self.question();
            let one = 1 << self.rng.random_range(0..self.participants);
            let (id, to) =
                (if self.often(2) { other } else { id }, if to == self.all { one } else { self.all & !to });
            moves.push(Move::Bind { back: back + 1, id, slot, variant, of, to, twist });
        }
        if !is_split && self.often(4) {
            let (back, of, to, twist) = (self.back(), self.most(), self.most(), self.twist());
            moves.push(Move::Submit { back, of, to, twist });
        }
        usize::from(is_split)
    }

    /// Round and attempt, place of the question, and its variant.
    fn question(&mut self) -> ((u32, u32), u32, u32) {
        let id = (self.rng.random_range(1..=2), self.attempt.max(1));
        (id, self.rng.random_range(1..=2), u32::from(self.often(8)))
    }

    fn often(&mut self, one_in: u32) -> bool {
        self.rng.random_ratio(1, one_in)
    }

    fn back(&mut self) -> usize {
        if self.often(4) { self.rng.random_range(0..4) } else { 0 }
    }

    /// All, or all but one, or any.
    fn most(&mut self) -> Who {
        match self.rng.random_range(0..20) {
            0..17 => self.all,
            17..19 => self.all & !(1 << self.rng.random_range(0..self.participants)),
            _ => self.rng.random_range(0..=self.all),
        }
    }

    /// All, or as often all but one: sets that differ by one are the dangerous ones.
    fn survivors(&mut self) -> Who {
        if self.often(2) { self.all } else { self.all & !(1 << self.rng.random_range(0..self.participants)) }
    }

    fn some(&mut self) -> Who {
        if self.often(2) { self.all } else { self.rng.random_range(0..=self.all) }
    }

    fn twist(&mut self) -> Twist {
        match self.rng.random_range(0..60) {
            0 => Twist::Shorter,
            1 => Twist::Repeated,
            2 => Twist::Reversed,
            3 => Twist::Mixed,
            4 => Twist::OtherPlan,
            _ => Twist::None,
        }
    }
}

//! The invariants, by the names that design and documentation give them.

/// What must hold after every step.
///
/// - `one_survivor_set`: an attempt has one survivor set, for whoever sees, signs or opens it.
/// - `no_double_reveal`: a participant reveals for one set, in the same bytes however often.
/// - `one_message_of_a_kind`: so it is with all its messages, across restarts.
/// - `threshold_before_sum`: a sum is opened only with t signatures and t reveals on record before it, over at least
///   max(t, u_min) survivors.
/// - `counted_once`: every survivor's update is in the sum once, nobody else's at all.
/// - `sum_is_exact`: the sum is the integer sum of the survivors' vectors.
/// - `rejection_is_noop`: a rejected input leaves round and ledger as they were.
/// - `replay_is_identity`: the ledger alone leads to the round in memory.
/// - `rounds_end`: with or without a result, by its deadlines.
/// - `nobody_honest_refused`: nobody declines but for a restart, a missed phase or a cheat.
/// - `nobody_honest_blamed`: no honest participant is complained of by another, or named as a wrong revealer.
/// - `nothing_beyond_one_sum`: all reveals ever made, lost ones too, together with all shares of the dishonest, open in a
///   cohort one combination of keys at most, and that is the sum over a certified set of at least u_min.
/// - `one_question_per_sum`: those in an opened set answered one question under one plan.
/// - `one_opening_per_question`: no question has sums over two different sets, in whatever attempts.
/// - `one_attempt_per_preparation`: keys that were made once serve one attempt, whoever made them ahead.
/// - `nobody_gone_waited_for`: who declined, as whoever lost its keys does, is asked for nothing but a promise never to
///   reveal, and nothing waits where nobody else owes anything.
///
/// Of vectors that are shared themselves, all of these, and in a form of their own:
///
/// - `shared_as_accepted`: a vector is shared by the terms of its own plan, which were accepted with the job that has it
///   shared, once its preparation is bound to that attempt and question; so never ahead.
/// - `one_reveal_more`: its sum is opened with more reveals than t, or when nobody else is waited for.
/// - `wrong_reveal_shows`: a sum is checked exactly where reveals beyond the threshold agree, and no more wrong ones pass
///   than can agree with each other. Where one passes all the same, the sum need not be exact.
///
/// With a lying coordinator, the three about sums before these two, `one_attempt_per_preparation`, `no_double_reveal`,
/// `shared_as_accepted`, and:
///
/// - `own_sharing`: who signs a set of shared vectors has acknowledged the very sharings that it is about.
/// - `void_or_opened`: no attempt has both reveals that open it and promises that void it.
/// - `never_panics`: whatever an honest participant is shown, it answers.
/// - `codes_are_known`: it declines with codes that the documentation names.
///
/// With one that tells several histories of its ledger:
///
/// - `one_history`: the heads that a participant believes are of one history, each continuing the one before.
/// - `fork_is_convicted`: who is shown the true growth of another history refuses it with evidence that convicts by the
///   ledger's key alone, and so do the heads of any two who were told histories that exclude each other, with the entries
///   of the longer one. Nobody is convicted, or refused, who told one (`nobody_honest_blamed`).
pub const INVARIANTS: [&str; 25] = [
    "one_survivor_set",
    "no_double_reveal",
    "one_message_of_a_kind",
    "threshold_before_sum",
    "counted_once",
    "sum_is_exact",
    "rejection_is_noop",
    "replay_is_identity",
    "rounds_end",
    "nobody_honest_refused",
    "nobody_honest_blamed",
    "nothing_beyond_one_sum",
    "one_question_per_sum",
    "one_opening_per_question",
    "one_attempt_per_preparation",
    "nobody_gone_waited_for",
    "shared_as_accepted",
    "one_reveal_more",
    "wrong_reveal_shows",
    "own_sharing",
    "void_or_opened",
    "one_history",
    "fork_is_convicted",
    "never_panics",
    "codes_are_known",
];

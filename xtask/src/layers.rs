//! The layers of docs/concepts.md as rules over a list of crates: who may depend on whom.

/// A crate of the workspace, as far as its layer is concerned.
#[derive(Clone, Default)]
pub(crate) struct Crate {
    /// Package name.
    pub(crate) name: String,
    /// Packages that it names in its manifest.
    pub(crate) direct: Vec<Edge>,
    /// Packages that its build needs, at any depth, build scripts included and tests excluded.
    pub(crate) transitive: Vec<String>,
    /// Text of its `lib.rs`; empty when it has none.
    pub(crate) library: String,
}

/// One dependency of a manifest.
#[derive(Clone)]
pub(crate) struct Edge {
    /// Package depended on.
    pub(crate) to: String,
    /// Whether only its tests need it.
    pub(crate) for_tests: bool,
}

/// Every breach of the layers, a sentence each.
pub(crate) fn breaches(crates: &[Crate]) -> Vec<String> {
    let mut found = Vec::new();
    for one in crates {
        found.extend(wrong_edges(one));
        found.extend(impure(one));
        found.extend(sees_what_is_behind_another(one));
        found.extend(uses_std(one));
    }
    for name in PURE {
        if !crates.iter().any(|one| one.name == name) {
            found.push(format!(
                "`{name}` is not a member of the workspace any more; mend the rules in xtask/src/layers.rs"
            ));
        }
    }
    found
}

/// Edges inside the workspace that no layer allows.
fn wrong_edges(one: &Crate) -> Vec<String> {
    let Some((_, allowed)) = EDGES.iter().find(|(name, _)| *name == one.name) else {
        return vec![format!(
            "`{}` has no place among the layers; give it one in xtask/src/layers.rs",
            one.name
        )];
    };
    let ours = |name: &str| EDGES.iter().any(|(member, _)| *member == name);
    // A test may reach sideways or downwards as it likes, except from one role to the other.
    let matters =
        |edge: &&Edge| !edge.for_tests || (ROLES.contains(&&*one.name) && ROLES.contains(&&*edge.to));
    one.direct
        .iter()
        .filter(|edge| ours(&edge.to) && edge.to != one.name)
        .filter(matters)
        .filter(|edge| !allowed.contains(&&*edge.to))
        .map(|edge| format!("`{}` must not depend on `{}`", one.name, edge.to))
        .collect()
}

/// What the pure crates must not reach: I/O, a runtime, a database, randomness of the system.
fn impure(one: &Crate) -> Vec<String> {
    if !PURE.contains(&&*one.name) {
        return Vec::new();
    }
    let mut found: Vec<String> = one
        .transitive
        .iter()
        .filter(|name| IMPURE.iter().any(|banned| name == banned || name.starts_with(&format!("{banned}-"))))
        .map(|name| format!("`{}` is pure and must not reach `{name}`, at any depth", one.name))
        .collect();
    for edge in one.direct.iter().filter(|edge| !edge.for_tests && SYSTEM_RANDOMNESS.contains(&&*edge.to)) {
        found.push(format!(
            "`{}` takes its randomness as an argument and must not depend on `{}`",
            one.name, edge.to
        ));
    }
    if NO_STD.contains(&&*one.name) {
        for name in one.transitive.iter().filter(|name| SYSTEM_RANDOMNESS.contains(&&***name)) {
            found.push(format!("`{}` must not reach `{name}`, at any depth", one.name));
        }
    }
    found
}

/// What one crate alone may see: tfhe has its own licence terms, and DataFusion its own weight.
fn sees_what_is_behind_another(one: &Crate) -> Vec<String> {
    let behind = BEHIND.iter().filter(|(_, keeper)| one.name != *keeper);
    let seen = behind.flat_map(|(what, keeper)| {
        let found = one.direct.iter().filter(move |edge| edge.to.starts_with(what));
        found.map(move |edge| format!("only `{keeper}` may depend on `{}`, not `{}`", edge.to, one.name))
    });
    seen.collect()
}

/// Without std the compiler itself forbids clocks, sockets, threads and unordered maps.
fn uses_std(one: &Crate) -> Option<String> {
    let declared = one.library.lines().any(|line| line.trim() == "#![no_std]");
    (NO_STD.contains(&&*one.name) && !declared)
        .then(|| format!("`{}` must declare `#![no_std]` in its lib.rs", one.name))
}

/// The crates under `core/`.
pub(crate) const PURE: [&str; 4] =
    ["syndic-round", "syndic-secure-aggregation", "syndic-learning", "syndic-ledger"];

const NO_STD: [&str; 2] = ["syndic-round", "syndic-ledger"];

const ROLES: [&str; 2] = ["syndic-coordinator", "syndic-participant"];

/// Banned with everything that carries their name in front, `tokio-rustls` for instance.
const IMPURE: [&str; 15] = [
    "tokio",
    "tonic",
    "hyper",
    "h2",
    "axum",
    "tower",
    "reqwest",
    "rustls",
    "sqlx",
    "rusqlite",
    "object_store",
    "mio",
    "async-std",
    "smol",
    "socket2",
];

/// Crates whose name begins so, and the member that they are behind.
const BEHIND: [(&str, &str); 4] = [
    ("tfhe", "syndic-secure-aggregation"),
    ("datafusion", "syndic-data"),
    ("arrow", "syndic-data"),
    ("parquet", "syndic-data"),
];

const SYSTEM_RANDOMNESS: [&str; 3] = ["rand", "getrandom", "rdrand"];

/// Every member, and the members that it may depend on.
const EDGES: [(&str, &[&str]); 15] = [
    ("syndic-round", &[]),
    ("syndic-ledger", &[]),
    ("syndic-secure-aggregation", &["syndic-round"]),
    ("syndic-learning", &["syndic-round"]),
    ("syndic-proto", &PURE),
    ("syndic-terminal", &[]),
    ("syndic-coordinator", &SERVICE),
    ("syndic-participant", &AGENT),
    ("syndic-data", &["syndic-learning"]),
    ("syndic", &EVERYTHING),
    ("syndic-simulation", &PURE),
    ("syndic-fuzz", &EVERYTHING),
    ("syndic-benches", &EVERYTHING),
    ("syndic-bench-round", &MEASURED),
    ("xtask", &[]),
];

const SERVICE: [&str; 6] = [
    "syndic-round",
    "syndic-secure-aggregation",
    "syndic-learning",
    "syndic-ledger",
    "syndic-proto",
    "syndic-terminal",
];

/// A service that reads an institution's rows.
const AGENT: [&str; 7] = [
    "syndic-round",
    "syndic-secure-aggregation",
    "syndic-learning",
    "syndic-ledger",
    "syndic-proto",
    "syndic-terminal",
    "syndic-data",
];

const EVERYTHING: [&str; 9] = [
    "syndic-round",
    "syndic-secure-aggregation",
    "syndic-learning",
    "syndic-ledger",
    "syndic-proto",
    "syndic-terminal",
    "syndic-coordinator",
    "syndic-participant",
    "syndic-data",
];

/// Everything that a round is made of, and the plain engine beside it.
const MEASURED: [&str; 7] = [
    "syndic-round",
    "syndic-secure-aggregation",
    "syndic-ledger",
    "syndic-proto",
    "syndic-coordinator",
    "syndic-participant",
    "syndic-simulation",
];

#[cfg(test)]
mod tests {
    use super::*;

    /// A workspace that keeps every rule.
    fn workspace() -> Vec<Crate> {
        EDGES
            .iter()
            .map(|(name, allowed)| Crate {
                name: (*name).into(),
                direct: allowed.iter().map(|to| needs(to)).collect(),
                library: "//! About.\n#![no_std]\n".into(),
                ..Crate::default()
            })
            .collect()
    }

    fn needs(to: &str) -> Edge {
        Edge { to: to.into(), for_tests: false }
    }

    fn in_tests(to: &str) -> Edge {
        Edge { to: to.into(), for_tests: true }
    }

    /// What is found after one change to one crate of a good workspace.
    fn after(name: &str, change: impl FnOnce(&mut Crate)) -> Vec<String> {
        let mut crates = workspace();
        change(crates.iter_mut().find(|one| one.name == name).unwrap());
        breaches(&crates)
    }

    #[test]
    fn a_workspace_that_keeps_the_rules_passes() {
        assert_eq!(breaches(&workspace()), Vec::<String>::new());
    }

    #[test]
    fn the_round_depends_on_no_other_crate_of_ours() {
        let found = after("syndic-round", |one| one.direct.push(needs("syndic-ledger")));
        assert_eq!(found, ["`syndic-round` must not depend on `syndic-ledger`"]);
    }

    #[test]
    fn the_two_roles_never_meet_not_even_in_tests() {
        let found = after("syndic-coordinator", |one| one.direct.push(in_tests("syndic-participant")));
        assert_eq!(found, ["`syndic-coordinator` must not depend on `syndic-participant`"]);
        assert_eq!(after("syndic-participant", |one| one.direct.push(needs("syndic-coordinator"))).len(), 1);
    }

    #[test]
    fn nothing_that_ships_depends_on_the_simulation_and_its_plain_engine() {
        for shipped in EDGES.iter().map(|(name, _)| *name).filter(|name| is_shipped(name)) {
            let found = after(shipped, |one| one.direct.push(needs("syndic-simulation")));
            assert_eq!(found, [format!("`{shipped}` must not depend on `syndic-simulation`")]);
        }
    }

    /// All but the tests, the gates and the measurements.
    fn is_shipped(name: &str) -> bool {
        !["syndic-simulation", "syndic-benches", "syndic-bench-round", "xtask"].contains(&name)
    }

    #[test]
    fn a_pure_crate_reaches_no_runtime_at_any_depth() {
        let found =
            after("syndic-learning", |one| one.transitive = vec!["serde".into(), "tokio-rustls".into()]);
        assert_eq!(found, ["`syndic-learning` is pure and must not reach `tokio-rustls`, at any depth"]);
        assert!(after("syndic-coordinator", |one| one.transitive.push("tokio".into())).is_empty());
    }

    #[test]
    fn a_pure_crate_takes_its_randomness_as_an_argument() {
        assert_eq!(after("syndic-secure-aggregation", |one| one.direct.push(needs("getrandom"))).len(), 1);
        assert!(after("syndic-secure-aggregation", |one| one.direct.push(in_tests("rand"))).is_empty());
        // tfhe brings a seeder of its own; the crates without std must not even carry one.
        assert!(after("syndic-secure-aggregation", |one| one.transitive.push("getrandom".into())).is_empty());
        assert_eq!(after("syndic-ledger", |one| one.transitive.push("getrandom".into())).len(), 1);
    }

    #[test]
    fn only_secure_aggregation_sees_tfhe() {
        let found = after("syndic-participant", |one| one.direct.push(in_tests("tfhe-csprng")));
        assert_eq!(
            found,
            ["only `syndic-secure-aggregation` may depend on `tfhe-csprng`, not `syndic-participant`"]
        );
        assert!(after("syndic-secure-aggregation", |one| one.direct.push(needs("tfhe"))).is_empty());
    }

    #[test]
    fn round_and_ledger_declare_no_std() {
        let found = after("syndic-ledger", |one| one.library = "// #![no_std]\n".into());
        assert_eq!(found, ["`syndic-ledger` must declare `#![no_std]` in its lib.rs"]);
    }

    #[test]
    fn a_new_member_needs_a_place_and_a_lost_one_is_noticed() {
        let mut crates = workspace();
        crates.retain(|one| one.name != "syndic-round");
        crates.push(Crate { name: "syndic-extra".into(), ..Crate::default() });
        assert_eq!(breaches(&crates).len(), 2);
    }
}

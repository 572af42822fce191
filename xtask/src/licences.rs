//! Licences, bans and sources of everything that is built into a binary, by the rules of `deny.toml`.
//!
//! With cargo-deny installed, cargo-deny does it. Without, the three checks below read the same file and look
//! at the same crates; they do not know of security advisories, and say so.

use std::collections::BTreeSet;
use std::fs;

use toml::{Table, Value};

use crate::gate::Failure;
use crate::{cargo, sources, spdx};

/// Checks the dependencies of every platform that `deny.toml` names.
pub(crate) fn check() -> Result<String, Failure> {
    let installed =
        cargo::cargo().args(["deny", "--version"]).output().is_ok_and(|output| output.status.success());
    if installed {
        println!("$ cargo deny check licenses bans sources");
        let status =
            cargo::cargo().args(["deny", "--locked", "check", "licenses", "bans", "sources"]).status();
        return if status.is_ok_and(|status| status.success()) {
            Ok("checked by cargo-deny; advisories are not part of this gate".into())
        } else {
            Err(Failure::new(HELP))
        };
    }
    let rules = Rules::read()?;
    let dependencies = dependencies(&rules.targets)?;
    let passed = format!(
        "{} crates hold to deny.toml; cargo-deny is not installed, so this was the built-in check \
         (security advisories were not looked at)",
        dependencies.len()
    );
    Failure::unless_empty(dependencies.iter().flat_map(|one| rules.findings(one)).collect(), passed, HELP)
}

/// The platforms that binaries are built for.
pub(crate) fn targets() -> Result<Vec<String>, Failure> {
    Ok(Rules::read()?.targets)
}

/// A crate from a registry or another place, as `cargo tree` shows it.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Dependency {
    name: String,
    version: String,
    /// What stands in brackets behind it when it is not from crates.io.
    origin: Option<String>,
    licence: String,
}

impl Dependency {
    /// Reads `name v1.2.3 (origin)|licence`.
    fn parse(line: &str) -> Option<Self> {
        let (package, licence) = line.split_once('|')?;
        let mut words = package.splitn(3, ' ');
        let name = words.next()?.to_owned();
        let version = words.next()?.trim_start_matches('v').to_owned();
        let rest = words.next().unwrap_or("").replace("(proc-macro)", "");
        let origin = rest.trim().trim_matches(['(', ')']).to_owned();
        let licence = licence.replace(" (*)", "").trim().to_owned();
        Some(Self { name, version, origin: (!origin.is_empty()).then_some(origin), licence })
    }

    fn is_ours(&self) -> bool {
        let root = sources::root().to_string_lossy().into_owned();
        self.origin.as_ref().is_some_and(|origin| origin.starts_with(&root))
    }
}

/// The part of `deny.toml` that is understood here.
struct Rules {
    targets: Vec<String>,
    allow: Vec<String>,
    /// Licence and the crate that alone may have it.
    exceptions: Vec<(String, String)>,
    bans: Vec<String>,
}

impl Rules {
    fn read() -> Result<Self, Failure> {
        let path = sources::root().join("deny.toml");
        let text = fs::read_to_string(path)
            .map_err(|error| Failure::new(format!("deny.toml cannot be read: {error}")))?;
        Self::parse(&text).map_err(Failure::new)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let table: Table = text.parse().map_err(|error| format!("deny.toml: {error}"))?;
        let list = |section: &str, key: &str| -> Result<Vec<Value>, String> {
            let found = table.get(section).and_then(|section| section.get(key)).and_then(Value::as_array);
            found.cloned().ok_or_else(|| format!("deny.toml has no list `{key}` in [{section}]"))
        };
        let names = |values: Vec<Value>, key: &str| -> Vec<String> {
            let name = |value: &Value| value.as_str().or_else(|| value.get(key)?.as_str()).map(str::to_owned);
            values.iter().filter_map(name).collect()
        };
        let mut exceptions = Vec::new();
        for exception in list("licenses", "exceptions")? {
            let name = exception.get("crate").and_then(Value::as_str).ok_or("an exception has no `crate`")?;
            for licence in
                exception.get("allow").and_then(Value::as_array).ok_or("an exception has no `allow`")?
            {
                exceptions.push((licence.as_str().unwrap_or_default().to_owned(), name.to_owned()));
            }
        }
        Ok(Self {
            targets: names(list("graph", "targets")?, "triple"),
            allow: names(list("licenses", "allow")?, "name"),
            exceptions,
            bans: names(list("bans", "deny")?, "crate"),
        })
    }

    fn findings(&self, one: &Dependency) -> Vec<String> {
        let mut found = Vec::new();
        let allowed = |licence: &str| {
            self.allow.iter().any(|allowed| allowed == licence)
                || self.exceptions.iter().any(|(allowed, name)| allowed == licence && *name == one.name)
        };
        let Dependency { name, version, origin, licence } = one;
        match spdx::satisfied(licence, &allowed) {
            Ok(true) => {}
            Ok(false) => found.push(format!("{name} {version}: licence `{licence}` is not allowed")),
            Err(error) => {
                found.push(format!("{name} {version}: licence `{licence}` is not understood: {error}"))
            }
        }
        if self.bans.contains(name) {
            found.push(format!("{name} {version} is banned"));
        }
        if let Some(origin) = origin.as_ref().filter(|_| !one.is_ours()) {
            found.push(format!("{name} {version} comes from {origin}, not from crates.io"));
        }
        found
    }
}

/// Everything built on these platforms, build scripts included. Tests' own dependencies are not shipped.
fn dependencies(targets: &[String]) -> Result<BTreeSet<Dependency>, Failure> {
    let mut all = BTreeSet::new();
    for target in targets {
        let lines = cargo::tree(&[
            "--workspace",
            "--edges",
            "normal,build",
            "--target",
            target,
            "--format",
            "{p}|{l}",
        ])?;
        for line in lines.iter().filter(|line| !line.trim().is_empty()) {
            let parsed = Dependency::parse(line).ok_or_else(|| {
                Failure::new(format!("`cargo tree` printed `{line}`, which is not understood"))
            })?;
            all.insert(parsed);
        }
    }
    Ok(all)
}

const HELP: &str =
    "choose another crate, or, if the licence is acceptable, add it to deny.toml with a reason";

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> Rules {
        Rules::parse(
            r#"
            [graph]
            targets = ["x86_64-unknown-linux-gnu"]
            [licenses]
            allow = ["MIT", "ISC"]
            exceptions = [{ crate = "tfhe", allow = ["BSD-3-Clause-Clear"] }]
            [bans]
            deny = [{ crate = "openssl", reason = "one TLS library" }]
            "#,
        )
        .unwrap()
    }

    fn findings(line: &str) -> Vec<String> {
        rules().findings(&Dependency::parse(line).unwrap())
    }

    #[test]
    fn an_allowed_crate_of_crates_io_passes() {
        assert_eq!(findings("serde v1.0.229|MIT OR Apache-2.0"), Vec::<String>::new());
        assert_eq!(findings("serde_derive v1.0.229 (proc-macro)|MIT (*)"), Vec::<String>::new());
    }

    #[test]
    fn a_licence_that_nobody_allowed_is_found() {
        assert_eq!(findings("x v1.0.0|GPL-3.0-only"), ["x 1.0.0: licence `GPL-3.0-only` is not allowed"]);
        assert_eq!(findings("x v1.0.0|").len(), 1, "no licence at all");
    }

    #[test]
    fn an_exception_serves_its_crate_only() {
        assert_eq!(findings("tfhe v1.8.2|BSD-3-Clause-Clear"), Vec::<String>::new());
        assert_eq!(findings("other v1.8.2|BSD-3-Clause-Clear").len(), 1);
    }

    #[test]
    fn a_banned_crate_is_found() {
        assert_eq!(findings("openssl v0.10.0|MIT"), ["openssl 0.10.0 is banned"]);
    }

    #[test]
    fn a_crate_from_elsewhere_is_found() {
        let found = findings("x v1.0.0 (https://example.org/x.git#abcdef)|MIT");
        assert_eq!(found, ["x 1.0.0 comes from https://example.org/x.git#abcdef, not from crates.io"]);
    }

    #[test]
    fn the_deny_file_of_this_workspace_is_understood() {
        let rules = Rules::read().unwrap();
        assert!(rules.allow.contains(&"Apache-2.0".to_owned()));
        assert!(rules.bans.contains(&"openssl".to_owned()));
        assert!(!rules.targets.is_empty());
    }
}

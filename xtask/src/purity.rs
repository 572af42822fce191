//! Reads the workspace through `cargo metadata` and `cargo tree`, and holds it against the layers.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

use crate::cargo;
use crate::gate::Failure;
use crate::layers::{self, Crate, Edge};

/// Checks who depends on whom, and that the crates under `core/` stay pure.
pub(crate) fn check() -> Result<String, Failure> {
    let mut crates = members(&cargo::metadata()?).map_err(|missing| {
        Failure::new(format!("`cargo metadata` printed no `{missing}` where one was expected"))
    })?;
    for one in crates.iter_mut().filter(|one| layers::PURE.contains(&one.name.as_str())) {
        one.transitive = reached(&one.name)?;
    }
    Failure::unless_empty(
        layers::breaches(&crates),
        format!("{} crates keep their layers", crates.len()),
        "move the code to the layer that may do this, or argue for another layering in docs/decisions/",
    )
}

/// The members of the workspace, without what they reach; the error names a key that is not there.
fn members(metadata: &Value) -> Result<Vec<Crate>, &'static str> {
    let mut members = Vec::new();
    for package in metadata["packages"].as_array().ok_or("packages")? {
        let name = package["name"].as_str().ok_or("name")?.to_owned();
        let mut direct = Vec::new();
        for one in package["dependencies"].as_array().ok_or("dependencies")? {
            let to = one["name"].as_str().ok_or("name")?.to_owned();
            direct.push(Edge { to, for_tests: one["kind"] == "dev" });
        }
        let library = package["targets"].as_array().ok_or("targets")?.iter().find(|target| {
            target["kind"].as_array().is_some_and(|kinds| kinds.iter().any(|kind| kind == "lib"))
        });
        let library = library
            .and_then(|target| fs::read_to_string(target["src_path"].as_str()?).ok())
            .unwrap_or_default();
        members.push(Crate { name, direct, library, transitive: Vec::new() });
    }
    Ok(members)
}

/// What a crate reaches with the features that it alone asks for; `cargo metadata` knows only the union.
fn reached(name: &str) -> Result<Vec<String>, Failure> {
    let lines = cargo::tree(&["--package", name, "--edges", "normal,build", "--format", "{p}"])?;
    let names = lines.iter().filter_map(|line| line.split(' ').next());
    let others: BTreeSet<&str> = names.filter(|found| *found != name && !found.is_empty()).collect();
    Ok(others.into_iter().map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn dependencies_of_tests_are_told_from_the_others() {
        let metadata = json!({ "packages": [{
            "name": "syndic-round",
            "targets": [],
            "dependencies": [
                { "name": "sha2", "kind": null }, { "name": "cc", "kind": "build" }, { "name": "rand", "kind": "dev" },
            ],
        }] });
        let members = members(&metadata).unwrap();
        let edges: Vec<_> = members[0].direct.iter().map(|edge| (edge.to.as_str(), edge.for_tests)).collect();
        assert_eq!(edges, [("sha2", false), ("cc", false), ("rand", true)]);
    }

    #[test]
    fn a_changed_format_is_an_error_and_no_pass() {
        assert_eq!(members(&json!({ "package": [] })).err(), Some("packages"));
    }

    #[test]
    fn this_workspace_keeps_its_layers() {
        assert!(check().is_ok(), "`cargo xtask purity` says why");
    }

    #[test]
    fn this_workspace_is_read_with_its_libraries() {
        let members = members(&cargo::metadata().unwrap()).unwrap();
        let round = members.iter().find(|one| one.name == "syndic-round").unwrap();
        assert!(round.library.contains("no_std"));
        assert!(reached("syndic-round").unwrap().contains(&"ed25519-dalek".to_owned()));
    }
}

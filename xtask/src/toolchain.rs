//! The oldest Rust that builds all of this: no dependency needs a newer one than the workspace declares, and the
//! README says the same.

use serde_json::Value;

use crate::gate::Failure;
use crate::{cargo, licences, sources};

/// Checks `rust-version` against every package that is built, and the README against it.
pub(crate) fn check() -> Result<String, Failure> {
    let packages =
        packages(&cargo::metadata_with_dependencies(&licences::targets()?)?).map_err(|missing| {
            Failure::new(format!("`cargo metadata` gave no `{missing}` that is understood"))
        })?;
    let read = |path: &str| std::fs::read_to_string(sources::root().join(path));
    let readme = read("README.md").map_err(|error| Failure::new(format!("README.md: {error}")))?;
    let ours = packages.iter().find(|package| package.name == OURS).and_then(|package| package.needs);
    let ours = ours.ok_or_else(|| Failure::new(format!("`{OURS}` declares no `rust-version`")))?;
    let passed = format!("{} packages build with Rust {}", packages.len(), ours.shown());
    Failure::unless_empty(
        findings(&packages, ours, &readme),
        passed,
        "raise `rust-version` in Cargo.toml and the version in the README, or take another version of the crate",
    )
}

/// A package, with the Rust that it needs if it says so.
struct Package {
    name: String,
    needs: Option<Version>,
}

/// Major, minor and patch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Version([u32; 3]);

impl Version {
    fn parse(text: &str) -> Option<Self> {
        let mut version = [0; 3];
        for (place, number) in text.split('.').enumerate() {
            *version.get_mut(place)? = number.parse().ok()?;
        }
        Some(Self(version))
    }

    /// Without a patch of zero, as people write it.
    fn shown(self) -> String {
        match self.0 {
            [major, minor, 0] => format!("{major}.{minor}"),
            [major, minor, patch] => format!("{major}.{minor}.{patch}"),
        }
    }
}

/// All packages; the error names a key that is missing or makes no sense.
fn packages(metadata: &Value) -> Result<Vec<Package>, &'static str> {
    let mut packages = Vec::new();
    for package in metadata["packages"].as_array().ok_or("packages")? {
        let name = package["name"].as_str().ok_or("name")?.to_owned();
        let needs = match &package["rust_version"] {
            Value::Null => None,
            version => Some(version.as_str().and_then(Version::parse).ok_or("rust_version")?),
        };
        packages.push(Package { name, needs });
    }
    Ok(packages)
}

fn findings(packages: &[Package], ours: Version, readme: &str) -> Vec<String> {
    let newer = packages.iter().filter_map(|package| Some((package, package.needs.filter(|it| *it > ours)?)));
    let mut found: Vec<String> = newer
        .map(|(package, needs)| {
            format!("`{}` needs Rust {}, newer than {}", package.name, needs.shown(), ours.shown())
        })
        .collect();
    if !readme.contains(&format!("Rust {} or newer", ours.shown())) {
        found.push(format!("README.md does not ask for Rust {} or newer", ours.shown()));
    }
    found
}

/// The member whose version, the same in all of them, is compared.
const OURS: &str = "syndic";

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(ours: &str, readme: &str) -> Vec<String> {
        let metadata = json!({ "packages": [
            { "name": "syndic", "rust_version": ours }, { "name": "quiet", "rust_version": null },
            { "name": "young", "rust_version": "1.94.1" }, { "name": "old", "rust_version": "1.9" },
        ] });
        findings(&packages(&metadata).unwrap(), Version::parse(ours).unwrap(), readme)
    }

    #[test]
    fn a_dependency_that_needs_a_newer_rust_is_found() {
        assert_eq!(found("1.94", "Rust 1.94 or newer"), ["`young` needs Rust 1.94.1, newer than 1.94"]);
        assert_eq!(found("1.95", "Rust 1.95 or newer"), Vec::<String>::new());
    }

    #[test]
    fn a_readme_with_another_version_is_found() {
        assert_eq!(found("1.95", "Rust 1.91 or newer"), ["README.md does not ask for Rust 1.95 or newer"]);
    }

    #[test]
    fn a_changed_format_is_an_error_and_no_pass() {
        assert_eq!(packages(&json!({ "package": [] })).err(), Some("packages"));
        let strange = json!({ "packages": [{ "name": "x", "rust_version": "stable" }] });
        assert_eq!(packages(&strange).err(), Some("rust_version"));
    }

    #[test]
    fn this_workspace_says_what_it_needs() {
        assert!(check().is_ok(), "`cargo xtask toolchain` says why");
    }
}

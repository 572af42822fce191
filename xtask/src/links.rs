//! Links between documents: each relative one leads to a file, and its anchor to a heading in it.

use std::path::{Component, Path, PathBuf};

use crate::gate::Failure;
use crate::sources::{self, Source};

/// Checks every Markdown file of the workspace.
pub(crate) fn check() -> Result<String, Failure> {
    let documents = sources::with_extensions(&["md"])?;
    let links: Vec<Link> = documents.iter().flat_map(links_of).collect();
    let read = |path: &str| std::fs::read_to_string(sources::root().join(path)).ok();
    let exists = |path: &str| sources::root().join(path).exists();
    let findings = links.iter().filter_map(|link| link.broken(&exists, &read)).collect();
    let passed = format!("{} links in {} documents", links.len(), documents.len());
    Failure::unless_empty(findings, passed, "correct the link, or write what it leads to")
}

/// A relative link.
#[derive(Debug, PartialEq, Eq)]
struct Link {
    /// Where it stands: file and line.
    from: String,
    /// The file that it leads to, from the root.
    to: String,
    anchor: Option<String>,
}

impl Link {
    fn broken(&self, exists: &dyn Fn(&str) -> bool, read: &dyn Fn(&str) -> Option<String>) -> Option<String> {
        let Self { from, to, anchor } = self;
        if !exists(to) {
            return Some(format!("{from}: there is no `{to}`"));
        }
        let anchor = anchor.as_ref().filter(|_| to.ends_with(".md"))?;
        let text = read(to).unwrap_or_default();
        let found = anchors(&text).any(|known| known == *anchor);
        (!found).then(|| format!("{from}: `{to}` has no heading for `#{anchor}`"))
    }
}

fn links_of(document: &Source) -> Vec<Link> {
    let mut links = Vec::new();
    for (number, line) in prose(&document.text) {
        for target in line.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            let (path, anchor) = target.split_once('#').map_or((target, None), |(path, to)| (path, Some(to)));
            let to = if path.is_empty() { document.path.clone() } else { resolve(&document.path, path) };
            let from = format!("{}:{}", document.path, number + 1);
            links.push(Link { from, to, anchor: anchor.map(str::to_owned) });
        }
    }
    links
}

/// `path` as seen from the folder of `document`, from the root.
fn resolve(document: &str, path: &str) -> String {
    let mut resolved = PathBuf::from(Path::new(document).parent().unwrap_or(Path::new("")));
    for part in Path::new(path).components() {
        match part {
            Component::ParentDir => drop(resolved.pop()),
            Component::CurDir => {}
            other => resolved.push(other),
        }
    }
    resolved.to_string_lossy().replace('\\', "/")
}

/// The lines that are no code, with their numbers from 0.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    text.lines().enumerate().filter(move |(_, line)| {
        let fence = line.starts_with("```");
        fenced ^= fence;
        !fence && !fenced && !line.starts_with("    ")
    })
}

/// The anchors of a document's headings, as they are commonly made: lower case, spaces to hyphens, the rest
/// of the punctuation dropped.
fn anchors(text: &str) -> impl Iterator<Item = String> {
    prose(text).map(|(_, line)| line).filter(|line| line.starts_with('#')).map(|line| {
        let kept = |c: &char| c.is_alphanumeric() || [' ', '-', '_'].contains(c);
        line.trim_start_matches('#')
            .trim()
            .to_lowercase()
            .chars()
            .filter(kept)
            .collect::<String>()
            .replace(' ', "-")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken(text: &str) -> Vec<String> {
        let document = Source { path: "docs/a.md".into(), text: text.into() };
        let exists = |path: &str| ["README.md", "docs/a.md", "docs/b.md"].contains(&path);
        let read =
            |_: &str| Some("# About\n## What is protected, and what is not\n```\n# note\n```\n".to_owned());
        links_of(&document).iter().filter_map(|link| link.broken(&exists, &read)).collect()
    }

    #[test]
    fn links_that_lead_somewhere_pass() {
        let text = "[b](b.md) and [up](../README.md#about), [here](#what-is-protected-and-what-is-not), \
                    [out](https://example.org/x.md)";
        assert_eq!(broken(text), Vec::<String>::new());
    }

    #[test]
    fn a_link_to_nothing_is_found_with_its_line() {
        assert_eq!(broken("\n[c](c.md)"), ["docs/a.md:2: there is no `docs/c.md`"]);
        assert_eq!(broken("[b](b.md#gone)"), ["docs/a.md:1: `docs/b.md` has no heading for `#gone`"]);
    }

    #[test]
    fn code_is_not_read() {
        assert!(broken("```\n[c](c.md)\n```\n    [d](d.md)\n").is_empty());
        assert_eq!(
            broken("```\n```\n[e](b.md#note)"),
            ["docs/a.md:3: `docs/b.md` has no heading for `#note`"]
        );
    }
}

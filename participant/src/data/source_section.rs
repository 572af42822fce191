//! `[data.sources.NAME]` of `participant.toml`: files of this host, objects of a bucket, or a query that PostgreSQL answers.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use syndic_data::{Database, Files, Format, Objects, Origin, Source};

/// One source. Which keys go together depends on where it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceSection {
    /// A file, a folder, or a file name with `*` in it.
    pub path: Option<PathBuf>,
    /// `s3://bucket/key`, `s3://bucket/prefix/`, or `postgres://user@host:port/database`.
    pub url: Option<String>,
    /// How files or objects are written.
    pub format: Option<Format>,
    /// What PostgreSQL is asked.
    pub query: Option<String>,
    /// A file with the password of PostgreSQL alone.
    pub password_file: Option<PathBuf>,
    /// Where an S3-compatible store answers that is not Amazon's.
    pub endpoint: Option<String>,
    /// The region that requests to the store are signed for.
    pub region: Option<String>,
    /// A file as `~/.aws/credentials`.
    pub credentials_file: Option<PathBuf>,
    /// Certificates, in PEM, of authorities that vouch for the server.
    pub authorities_file: Option<PathBuf>,
    /// The most megabytes that are copied to this host.
    pub max_mb: Option<u64>,
}

impl SourceSection {
    /// What is wrong with it, in words that quote none of its values.
    pub(super) fn misfit(&self, name: &str) -> Option<String> {
        let told = self.keys().or_else(|| self.source(name).misfit().map(Into::into))?;
        Some(format!("[data.sources.{name}]: {told}"))
    }

    fn keys(&self) -> Option<String> {
        let is_set = [
            ("query", self.query.is_some(), [false, false, true]),
            ("password_file", self.password_file.is_some(), [false, false, true]),
            ("format", self.format.is_some(), [true, true, false]),
            ("endpoint", self.endpoint.is_some(), [false, true, false]),
            ("region", self.region.is_some(), [false, true, false]),
            ("credentials_file", self.credentials_file.is_some(), [false, true, false]),
            ("authorities_file", self.authorities_file.is_some(), [false, true, true]),
            ("max_mb", self.max_mb.is_some(), [false, true, true]),
        ];
        let (kind, of) = match (&self.path, self.url.as_deref()) {
            (Some(_), None) => (0, "files of this host"),
            (None, Some(url)) if url.starts_with("s3://") => (1, "objects of a store"),
            (None, Some(url)) if is_database(url) => (2, "PostgreSQL"),
            (None, Some(_)) => {
                return Some("`url` begins neither with `s3://` nor with `postgres://`".into());
            }
            _ => return Some("it needs either `path` or `url`".into()),
        };
        if let Some((key, ..)) = is_set.iter().find(|(_, is_set, fits)| *is_set && !fits[kind]) {
            return Some(format!("`{key}` is no key of {of}"));
        }
        match kind {
            2 if self.query.as_deref().is_none_or(|query| query.trim().is_empty()) => {
                Some("it needs a `query` for PostgreSQL, as in `SELECT * FROM customers ORDER BY id`".into())
            }
            0 | 1 if self.format.is_none() => Some("it needs a `format`, \"csv\" or \"parquet\"".into()),
            _ => None,
        }
    }

    /// Makes paths relative to `folder`.
    pub(super) fn within(&mut self, folder: &Path) {
        let files =
            [&mut self.path, &mut self.password_file, &mut self.credentials_file, &mut self.authorities_file];
        files.into_iter().flatten().for_each(|path| *path = folder.join(&*path));
    }

    /// What a query reads, of a section without a [`misfit`](Self::misfit).
    pub(super) fn source(&self, name: &str) -> Source {
        let section = self.clone();
        let (format, max_mb) = (section.format.unwrap_or(Format::Csv), section.max_mb.unwrap_or(MOST_MB));
        let authorities_file = section.authorities_file;
        let origin = match section.url {
            None => Origin::Files(Files { path: section.path.unwrap_or_default(), format }),
            Some(url) if is_database(&url) => Origin::Database(Database {
                url,
                query: section.query.unwrap_or_default(),
                password_file: section.password_file,
                authorities_file,
                max_mb,
            }),
            Some(url) => Origin::Objects(Objects {
                url,
                format,
                endpoint: section.endpoint,
                region: section.region.unwrap_or_else(|| "us-east-1".into()),
                credentials_file: section.credentials_file,
                authorities_file,
                max_mb,
            }),
        };
        Source { name: name.into(), origin }
    }
}

fn is_database(url: &str) -> bool {
    url.starts_with("postgres://") || url.starts_with("postgresql://")
}

/// Megabytes that are copied where the configuration names no other number.
const MOST_MB: u64 = 10_240;

#[cfg(test)]
mod tests {
    use super::*;

    fn section(text: &str) -> SourceSection {
        toml::from_str(text).unwrap()
    }

    const LAKE: &str = "url = \"s3://lake/customers/\"\nformat = \"parquet\"\n";
    const CRM: &str = "url = \"postgres://reader@db.bank.example/crm\"\nquery = \"SELECT 1 AS one\"\n";

    #[test]
    fn a_source_is_what_its_keys_say() {
        let of = |text: &str| section(text).source("s").origin;
        assert!(matches!(of("path = \"a.csv\"\nformat = \"csv\"\n"), Origin::Files(_)));
        let Origin::Objects(lake) = of(LAKE) else { panic!("objects") };
        assert_eq!((lake.format, &*lake.region, lake.max_mb), (Format::Parquet, "us-east-1", MOST_MB));
        let Origin::Database(crm) = of(&format!("{CRM}max_mb = 7\n")) else { panic!("a database") };
        assert_eq!((&*crm.query, crm.max_mb), ("SELECT 1 AS one", 7));
        for good in ["path = \"a.csv\"\nformat = \"csv\"\n", LAKE, CRM] {
            assert_eq!(section(good).misfit("s"), None);
        }
    }

    #[test]
    fn files_that_it_names_are_relative_to_the_configuration() {
        let mut crm = section(&format!("{CRM}password_file = \"secrets/crm\"\n"));
        crm.within(Path::new("/etc/syndic"));
        assert_eq!(crm.password_file.unwrap(), Path::new("/etc/syndic/secrets/crm"));
    }

    #[test]
    fn keys_that_do_not_go_together_are_refused_by_name_and_no_value_repeated() {
        for (text, told) in [
            ("format = \"csv\"\n".into(), "either `path` or `url`"),
            (format!("{LAKE}path = \"a\"\n"), "either `path` or `url`"),
            ("url = \"ftp://sesame\"\n".into(), "begins neither"),
            ("path = \"sesame\"\n".into(), "needs a `format`"),
            ("url = \"s3://sesame/\"\n".into(), "needs a `format`"),
            ("url = \"postgres://u@db/sesame\"\n".into(), "needs a `query`"),
            (format!("{CRM}format = \"csv\"\n"), "`format` is no key of PostgreSQL"),
            (format!("{LAKE}query = \"SELECT 'sesame'\"\n"), "`query` is no key of objects"),
            ("path = \"sesame\"\nformat = \"csv\"\nmax_mb = 3\n".into(), "`max_mb` is no key of files"),
        ] {
            let shown = section(&text).misfit("s").unwrap();
            assert!(shown.contains(told) && !shown.contains("sesame"), "{text}: {shown}");
        }
    }

    #[test]
    fn what_documents_show_can_be_used() {
        let page = include_str!("../../../docs/data.md").replace("\n    ", "\n# ");
        for text in [&page, include_str!("../../../deploy/participant.toml")] {
            let lines = text.lines().map(|line| line.strip_prefix("# ").unwrap_or_default());
            let blocks: String = lines.map(|line| format!("{line}\n")).collect();
            let shown = blocks.split("[data.sources.").skip(1).map(|block| {
                let block = block.split("\n[").next().unwrap().split("\n\n").next().unwrap();
                section(block.split_once("]\n").unwrap().1)
            });
            let shown: Vec<SourceSection> = shown.collect();
            assert_eq!(shown.len(), 3, "{blocks}");
            assert_eq!(shown.iter().filter(|section| section.url.is_some()).count(), 2);
            assert!(shown.iter().all(|section| section.misfit("s").is_none()), "{shown:?}");
        }
    }

    #[cfg(feature = "sql")]
    #[test]
    fn an_address_that_cannot_be_used_is_refused_before_anybody_is_asked() {
        for (text, told) in [
            (CRM.replace("reader@", "reader:sesame@"), "holds a password"),
            (CRM.replace("/crm", "/crm?sslmode=disable"), "does not check who the server is"),
            (format!("{LAKE}endpoint = \"http://sesame.example\"\n"), "is not `https`"),
            (LAKE.replace("lake", "key:sesame@lake"), "no address of the form"),
        ] {
            let shown = section(&text).misfit("s").unwrap();
            assert!(shown.contains(told) && !shown.contains("sesame"), "{text}: {shown}");
        }
    }
}

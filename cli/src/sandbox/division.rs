//! Which institution a row belongs to: the table's own sites, merged or split to a wanted number.
//!
//! Fewer: the smallest sites are merged. With n wanted, the n largest keep their place; the others, in the
//! order of their names, join these in turn, also in the order of their names. More: again and again the site
//! with the most rows for a part is given one part more; its rows go to its parts in turn, in the order of
//! the table. Both are the same on every machine and depend on nothing but the table.

use std::collections::{BTreeMap, BTreeSet};

use crate::words::counted;
use crate::{Error, Result};

/// The fewest institutions of a federation: a sum of two shows each the other's update.
pub const FEWEST: usize = 3;
/// The most institutions that one machine plays.
pub const MOST: usize = 64;

/// Where the rows of each site go.
#[derive(Debug)]
pub(super) struct Division {
    institutions: Vec<String>,
    sites: BTreeMap<String, Share>,
}

#[derive(Debug)]
struct Share {
    /// Institutions that the site's rows go to in turn.
    parts: Vec<usize>,
    /// Rows given out so far.
    given: usize,
}

impl Division {
    /// A division of sites with these numbers of rows into `wanted` institutions, or as they are.
    ///
    /// # Errors
    /// When fewer than three or more than 64 institutions would result, or a part would have no row.
    pub(super) fn new(rows: &BTreeMap<String, u64>, wanted: Option<usize>) -> Result<Self> {
        let count = wanted.unwrap_or(rows.len());
        if !(FEWEST..=MOST).contains(&count) {
            return Err(out_of_range(count, wanted.is_some()));
        }
        if count > rows.len() { Self::split(rows, count) } else { Ok(Self::merged(rows, count)) }
    }

    /// The names of the institutions, in their order.
    pub(super) fn institutions(&self) -> &[String] {
        &self.institutions
    }

    /// The institution that the next row of `site` goes to; none for a site that was not counted.
    pub(super) fn place(&mut self, site: &str) -> Option<usize> {
        let share = self.sites.get_mut(site)?;
        let part = share.parts[share.given % share.parts.len()];
        share.given += 1;
        Some(part)
    }

    fn merged(rows: &BTreeMap<String, u64>, count: usize) -> Self {
        let mut by_size: Vec<(&String, u64)> = rows.iter().map(|(site, rows)| (site, *rows)).collect();
        // The sort is stable: of equal sites the first by name is kept.
        by_size.sort_by_key(|(_, rows)| std::cmp::Reverse(*rows));
        let mut institutions: Vec<String> =
            by_size[..count].iter().map(|(site, _)| (*site).clone()).collect();
        institutions.sort();
        let mut joining: Vec<&String> = by_size[count..].iter().map(|(site, _)| *site).collect();
        joining.sort();
        let kept = institutions.iter().enumerate().map(|(place, site)| (site.clone(), place));
        let joined = joining.into_iter().enumerate().map(|(turn, site)| (site.clone(), turn % count));
        let sites = kept.chain(joined).map(|(site, place)| (site, Share { parts: vec![place], given: 0 }));
        Self { sites: sites.collect(), institutions }
    }

    fn split(rows: &BTreeMap<String, u64>, count: usize) -> Result<Self> {
        let mut parts: BTreeMap<&String, u64> = rows.keys().map(|site| (site, 1)).collect();
        for _ in rows.len()..count {
            // Of equal ones the first by name: `max_by` keeps the last, hence the reversal.
            let largest = parts.iter().rev().max_by(|a, b| (rows[*a.0] * *b.1).cmp(&(rows[*b.0] * *a.1)));
            let Some(largest) = largest.map(|(site, _)| *site) else { continue };
            parts.entry(largest).and_modify(|number| *number += 1);
        }
        if let Some((site, number)) = parts.iter().find(|(site, number)| rows[**site] < **number) {
            let held = counted(rows[*site] as usize, "row", "rows");
            return Err(Error::input(
                "data.empty-site",
                format!(
                    "{count} institutions are too many: a site of {held} would be split into {number} parts"
                ),
            )
            .place("--participants")
            .help("ask for fewer institutions, or bring a larger table"));
        }
        let mut institutions = Vec::new();
        let mut sites = BTreeMap::new();
        for (site, number) in parts {
            let first = institutions.len();
            match number {
                1 => institutions.push(site.clone()),
                _ => institutions.extend((1..=number).map(|part| format!("{site}_{part}"))),
            }
            sites.insert(site.clone(), Share { parts: (first..institutions.len()).collect(), given: 0 });
        }
        if institutions.iter().collect::<BTreeSet<_>>().len() < institutions.len() {
            return Err(Error::input(
                "data.site-name",
                "a part of a split site would have the name of another site: that of the split one, `_` and a number",
            )
            .place("--participants")
            .help("ask for another number, or rename the site whose name ends so"));
        }
        Ok(Self { institutions, sites })
    }
}

fn out_of_range(count: usize, asked: bool) -> Error {
    let place = if asked { "--participants" } else { "--site-column" };
    let found = match (asked, count) {
        (true, 1) => "was asked for",
        (true, _) => "were asked for",
        (false, 1) => "is in the table",
        (false, _) => "are in the table",
    };
    let institutions = counted(count, "institution", "institutions");
    let reason = if count < FEWEST {
        "with fewer, an institution could work out another one's update from the sum"
    } else {
        "one machine plays no more; real federations run on separate hosts"
    };
    let help = match (asked, count < FEWEST) {
        (true, _) => format!("ask for {FEWEST} to {MOST}"),
        (false, true) => format!("use --participants {FEWEST} to split the sites, or another site column"),
        (false, false) => format!("use --participants {MOST} to merge sites, or another site column"),
    };
    Error::input(
        "data.site-count",
        format!("{institutions} {found}, but a sandbox has {FEWEST} to {MOST}: {reason}"),
    )
    .place(place)
    .help(help)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sites(rows: &[(&str, u64)]) -> BTreeMap<String, u64> {
        rows.iter().map(|(site, rows)| ((*site).into(), *rows)).collect()
    }

    #[test]
    fn sites_stay_as_they_are_by_default() {
        let mut division = Division::new(&sites(&[("c", 1), ("a", 5), ("b", 3)]), None).unwrap();
        assert_eq!(division.institutions(), ["a", "b", "c"]);
        assert_eq!((division.place("c"), division.place("a"), division.place("z")), (Some(2), Some(0), None));
    }

    #[test]
    fn the_smallest_sites_join_the_others_in_turn() {
        let rows = sites(&[("a", 9), ("b", 1), ("c", 8), ("d", 2), ("e", 7)]);
        let mut division = Division::new(&rows, Some(3)).unwrap();
        assert_eq!(division.institutions(), ["a", "c", "e"]);
        assert_eq!((division.place("b"), division.place("d")), (Some(0), Some(1)));
    }

    #[test]
    fn the_largest_sites_are_split_row_by_row() {
        let rows = sites(&[("a", 10), ("b", 4), ("c", 3)]);
        let mut division = Division::new(&rows, Some(5)).unwrap();
        assert_eq!(division.institutions(), ["a_1", "a_2", "a_3", "b", "c"]);
        let places: Vec<_> = (0..4).map(|_| division.place("a").unwrap()).collect();
        assert_eq!(places, [0, 1, 2, 0]);
    }

    #[test]
    fn equal_sites_are_split_by_name() {
        let rows = sites(&[("a", 4), ("b", 4), ("c", 4)]);
        assert_eq!(Division::new(&rows, Some(4)).unwrap().institutions(), ["a_1", "a_2", "b", "c"]);
    }

    #[test]
    fn too_few_and_too_many_institutions_are_refused_with_the_remedy() {
        let two = sites(&[("a", 4), ("b", 4)]);
        let error = Division::new(&two, None).unwrap_err();
        assert_eq!(error.code(), "data.site-count");
        assert!(error.render().contains("--participants 3"));
        assert_eq!(Division::new(&two, Some(2)).unwrap_err().code(), "data.site-count");
        assert_eq!(Division::new(&two, Some(65)).unwrap_err().code(), "data.site-count");
        let one = Division::new(&two, Some(1)).unwrap_err();
        assert!(one.to_string().starts_with("1 institution was asked for"), "{one}");
        assert_eq!(Division::new(&two, Some(3)).unwrap().institutions().len(), 3);
    }

    #[test]
    fn a_part_named_like_another_site_is_refused() {
        let rows = sites(&[("a", 20), ("a_1", 3), ("b", 3)]);
        let error = Division::new(&rows, Some(4)).unwrap_err();
        assert_eq!(error.code(), "data.site-name");
        assert!(!error.render().contains("a_1"), "{}", error.render());
    }

    #[test]
    fn a_part_without_rows_is_refused() {
        let rows = sites(&[("jane", 2), ("b", 1), ("c", 1)]);
        let error = Division::new(&rows, Some(6)).unwrap_err();
        assert_eq!(error.code(), "data.empty-site");
        let rendered = error.render();
        assert!(rendered.contains("a site of 1 row would be split into 2 parts"), "{rendered}");
        assert!(!rendered.contains("jane"), "{rendered}");
    }
}

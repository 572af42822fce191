//! Moments in UTC as RFC 3339 text with milliseconds, to and from the count since the Unix epoch.
//!
//! The civil calendar is computed here, without a clock or a time zone table. Leap seconds do not exist in
//! Unix time, so a second of 60 is refused.

use core::fmt;
use core::str::FromStr;

use serde::{Serialize, Serializer};

/// A moment between 1970-01-01T00:00:00.000Z and 9999-12-31T23:59:59.999Z, to the millisecond.
///
/// Printed and serialised as `2026-08-01T12:34:56.789Z`: always 24 characters, always `Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

/// Why a number or a text is no [`Timestamp`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    /// The year has more than four digits.
    #[error("the moment lies after the year 9999")]
    TooLate,
    /// Not of the form `2026-08-01T12:34:56.789Z`, or no such day or hour.
    #[error("the time is not a UTC moment of the form 2026-08-01T12:34:56.789Z")]
    Malformed,
}

impl TimeError {
    /// A stable name of the error, for scripts and documentation.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLate => "ledger.time-too-late",
            Self::Malformed => "ledger.time-malformed",
        }
    }
}

impl Timestamp {
    /// The last moment that four digits of year can write.
    pub const MAX: Self = Self(253_402_300_799_999);

    /// The moment `milliseconds` after the Unix epoch.
    ///
    /// # Errors
    /// [`TimeError::TooLate`] after the year 9999.
    pub const fn from_unix_ms(milliseconds: u64) -> Result<Self, TimeError> {
        if milliseconds > Self::MAX.0 { Err(TimeError::TooLate) } else { Ok(Self(milliseconds)) }
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub const fn unix_ms(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = civil_from_days(self.0 / DAY);
        let rest = self.0 % DAY;
        let (hour, minute) = (rest / 3_600_000, rest / 60_000 % 60);
        let (second, millisecond) = (rest / 1000 % 60, rest % 1000);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millisecond:03}Z")
    }
}

impl FromStr for Timestamp {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, TimeError> {
        let bytes = text.as_bytes();
        if bytes.len() != FORM.len() {
            return Err(TimeError::Malformed);
        }
        let fits = bytes.iter().zip(FORM).all(|(byte, form)| match form {
            b'0' => byte.is_ascii_digit(),
            _ => byte == form,
        });
        if !fits {
            return Err(TimeError::Malformed);
        }
        let number = |from: usize, to: usize| {
            bytes[from..to].iter().fold(0_u64, |value, digit| value * 10 + u64::from(digit - b'0'))
        };
        let (year, month, day) = (number(0, 4), number(5, 7), number(8, 10));
        let (hour, minute, second, millisecond) =
            (number(11, 13), number(14, 16), number(17, 19), number(20, 23));
        let real = year >= 1970
            && (1..=12).contains(&month)
            && (1..=days_in_month(year, month)).contains(&day)
            && hour < 24
            && minute < 60
            && second < 60;
        if !real {
            return Err(TimeError::Malformed);
        }
        let seconds = (hour * 60 + minute) * 60 + second;
        Ok(Self(days_from_civil(year, month, day) * DAY + seconds * 1000 + millisecond))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Days between 1970-01-01 and the given day of the Gregorian calendar, from 1970 on.
fn days_from_civil(year: u64, month: u64, day: u64) -> u64 {
    let earlier_months = (1..month).map(|m| days_in_month(year, m)).sum::<u64>();
    days_before_year(year) - days_before_year(1970) + earlier_months + day - 1
}

/// The year, month and day that lie `days` after 1970-01-01.
fn civil_from_days(days: u64) -> (u64, u64, u64) {
    let days = days + days_before_year(1970);
    // A mean Gregorian year has 365.2425 days and years are counted from 1: the quotient is one year too early,
    // or two where leap days are behind the mean.
    let mut year = days * 10_000 / 3_652_425;
    while days_before_year(year + 1) <= days {
        year += 1;
    }
    let mut rest = days - days_before_year(year);
    let mut month = 1;
    while rest >= days_in_month(year, month) {
        rest -= days_in_month(year, month);
        month += 1;
    }
    (year, month, rest + 1)
}

/// Days from the first day of year 1 to the first day of `year`, in the proleptic Gregorian calendar.
fn days_before_year(year: u64) -> u64 {
    let past = year.saturating_sub(1);
    past * 365 + past / 4 - past / 100 + past / 400
}

fn days_in_month(year: u64, month: u64) -> u64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if is_leap(year) => 29,
        2 => 28,
        _ => 31,
    }
}

fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

const DAY: u64 = 86_400_000;
const FORM: &[u8; 24] = b"0000-00-00T00:00:00.000Z";

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use proptest::prelude::*;

    #[test]
    fn known_moments_have_their_known_text() {
        for (ms, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_234_567_890_123, "2009-02-13T23:31:30.123Z"),
            (1_709_164_800_000, "2024-02-29T00:00:00.000Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
            (Timestamp::MAX.unix_ms(), "9999-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(Timestamp(ms).to_string(), text);
            assert_eq!(text.parse(), Ok(Timestamp(ms)));
        }
    }

    #[test]
    fn every_day_of_the_range_reads_back() {
        for day in 0..=Timestamp::MAX.unix_ms() / DAY {
            let (year, month, date) = civil_from_days(day);
            assert_eq!(days_from_civil(year, month, date), day);
        }
    }

    #[test]
    fn other_spellings_and_impossible_days_are_refused() {
        for text in [
            "",
            "2026-08-01T12:34:56Z",
            "2026-08-01T12:34:56.789+00:00",
            "2026-08-01t12:34:56.789z",
            "2026-08-01 12:34:56.789Z",
            "2026-02-29T00:00:00.000Z",
            "2100-02-29T00:00:00.000Z",
            "2026-13-01T00:00:00.000Z",
            "2026-00-01T00:00:00.000Z",
            "2026-01-00T00:00:00.000Z",
            "2026-01-01T24:00:00.000Z",
            "2026-01-01T00:60:00.000Z",
            "2016-12-31T23:59:60.000Z",
            "1969-12-31T23:59:59.999Z",
            "２026-08-01T12:34:56.7Z",
        ] {
            assert_eq!(text.parse::<Timestamp>(), Err(TimeError::Malformed), "{text}");
        }
        assert_eq!(Timestamp::from_unix_ms(Timestamp::MAX.unix_ms() + 1), Err(TimeError::TooLate));
    }

    proptest! {
        #[test]
        fn every_moment_reads_back_and_sorts_like_its_text(a in 0..=253_402_300_799_999_u64, b in 0..=253_402_300_799_999_u64) {
            let (a, b) = (Timestamp(a), Timestamp(b));
            prop_assert_eq!(a.to_string().parse(), Ok(a));
            prop_assert_eq!(a.cmp(&b), a.to_string().cmp(&b.to_string()));
        }
    }
}

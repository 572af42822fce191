//! Where the database is, and who we are there.

use std::fmt;
use std::str::FromStr;

use sqlx::postgres::{PgConnectOptions, PgSslMode};
use thiserror::Error;

/// The address of a database: `postgres://user@host:port/database`. Its password is never shown.
#[derive(Clone)]
pub struct PostgresAddress {
    options: PgConnectOptions,
    /// Host, port and database.
    shown: String,
}

/// An address that cannot be used. It does not repeat the address, which may hold a password.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum BadAddress {
    /// It is none.
    #[error("it is no address of the form `postgres://user@host:5432/database`")]
    Malformed,
    /// It names no database.
    #[error("it names no database; end it with `/` and the name of one")]
    NoDatabase,
    /// It holds a password, where everybody who may read the file reads it.
    #[error("it holds a password; put that into a file and name the file as `password_file`")]
    Password,
    /// It has a parameter that may be a secret, or one that is written in another way than its name.
    #[error(
        "it has a parameter other than host, hostaddr, port, dbname, user, sslmode, sslrootcert, sslcert, sslkey and options, \
         written so; put a password into a file and name the file as `password_file`"
    )]
    Parameter,
    /// It crosses a network without TLS.
    #[error(
        "`sslmode` `{0}` does not check who the server is; leave it out, and give its authority as `sslrootcert`"
    )]
    Unprotected(String),
}

impl FromStr for PostgresAddress {
    type Err = BadAddress;

    fn from_str(text: &str) -> Result<Self, BadAddress> {
        let rest = text
            .strip_prefix("postgres://")
            .or_else(|| text.strip_prefix("postgresql://"))
            .ok_or(BadAddress::Malformed)?;
        let (before, parameters) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, database) = before.split_once('/').unwrap_or((before, ""));
        let user = authority.rsplit_once('@').map_or("", |(user, _)| user);
        // A password with a `/` in it ends the authority early, and the rest of it would pass for a database, which is told.
        if user.contains(':') || database.contains('@') {
            return Err(BadAddress::Password);
        }
        if rest.contains('#') {
            return Err(BadAddress::Malformed);
        }
        // As they are written, so that no other way to write a key gets past: the client decodes them, takes a password, and logs
        // what it does not know with its value.
        let mut keys = parameters.split('&').map(|part| part.split('=').next().unwrap_or_default());
        if keys.any(|key| !key.is_empty() && !PARAMETERS.contains(&key)) {
            return Err(BadAddress::Parameter);
        }
        let options = PgConnectOptions::from_str(text).map_err(|_| BadAddress::Malformed)?;
        let database = options.get_database().ok_or(BadAddress::NoDatabase)?.to_owned();
        let is_here = options.get_socket().is_some() || is_loopback(options.get_host());
        let shown = match options.get_socket() {
            Some(socket) => format!("PostgreSQL at {}, database {database}", socket.display()),
            None => {
                format!("PostgreSQL at {}:{}, database {database}", options.get_host(), options.get_port())
            }
        };
        let mode = text.split(['?', '&']).find_map(|part| part.strip_prefix("sslmode="));
        let options = match (mode, is_here) {
            (Some("verify-full") | None, false) => options.ssl_mode(PgSslMode::VerifyFull),
            (Some(mode), false) => return Err(BadAddress::Unprotected(mode.into())),
            (_, true) => options,
        };
        Ok(Self { options, shown })
    }
}

impl PostgresAddress {
    /// The same with the password that the user logs in with.
    pub fn with_password(self, password: &str) -> Self {
        Self { options: self.options.password(password), ..self }
    }

    pub(super) fn options(&self) -> &PgConnectOptions {
        &self.options
    }
}

impl fmt::Display for PostgresAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for PostgresAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

fn is_loopback(host: &str) -> bool {
    host == "localhost"
        || host.starts_with('/')
        || host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// What may stand behind the `?`: no secret. The rules are those of an institution's sources.
const PARAMETERS: [&str; 10] =
    ["host", "hostaddr", "port", "dbname", "user", "sslmode", "sslrootcert", "sslcert", "sslkey", "options"];

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> BadAddress {
        PostgresAddress::from_str(text).unwrap_err()
    }

    #[test]
    fn a_password_in_an_address_is_refused_and_not_repeated() {
        let told = |text: &str| {
            let refused = refusal(text);
            assert!(!refused.to_string().contains("sesame"), "{refused}");
            refused
        };
        for address in [
            "postgres://syndic:sesame@db/syndic",
            "postgres://syndic:ses/ame@db/syndic",
            "postgres://syndic:1/sesame@db/syndic",
        ] {
            assert_eq!(told(address), BadAddress::Password, "{address}");
        }
        for parameters in [
            "password=sesame",
            "p%61ssword=sesame",
            "pass\tword=sesame",
            "PASSWORD=sesame",
            "sslmode=verify-full&pwd=sesame",
            "pwd=sesame",
            "syndic:sesame@db",
            "application_name=sesame",
        ] {
            let address = format!("postgres://syndic@db/syndic?{parameters}");
            assert_eq!(told(&address), BadAddress::Parameter, "{parameters}");
        }
        assert_eq!(told("postgres://u@db/d#password=sesame"), BadAddress::Malformed);
        for good in ["?", "?host=db2&port=1&user=syndic&dbname=x", "?options=-c%20search_path%3Dcrm"] {
            assert!(PostgresAddress::from_str(&format!("postgres://u@db/d{good}")).is_ok(), "{good}");
        }
    }

    #[test]
    fn a_password_that_was_given_apart_is_never_shown() {
        let address =
            PostgresAddress::from_str("postgres://syndic@db/syndic").unwrap().with_password("sesame");
        let shown = format!("{address} {address:?}");
        assert!(shown.contains("db:5432") && !shown.contains("sesame"), "{shown}");
    }

    #[test]
    fn who_the_server_is_is_checked_unless_it_is_on_this_host() {
        let mode = |text: &str| PostgresAddress::from_str(text).map(|address| address.options.get_ssl_mode());
        assert!(matches!(mode("postgres://u@db.bank.example/d"), Ok(PgSslMode::VerifyFull)));
        assert!(matches!(
            mode("postgres://u@db.bank.example/d?sslmode=verify-full"),
            Ok(PgSslMode::VerifyFull)
        ));
        for weak in ["disable", "prefer", "require", "verify-ca"] {
            let refused = refusal(&format!("postgres://u@db.bank.example/d?sslmode={weak}"));
            assert_eq!(refused, BadAddress::Unprotected(weak.into()));
        }
        for hidden in ["%73slmode=disable", "ssl%6Dode=disable", "ssl-mode=disable", "SSLMODE=disable"] {
            let refused = refusal(&format!("postgres://u@db.bank.example/d?{hidden}"));
            assert_eq!(refused, BadAddress::Parameter, "{hidden}");
        }
        let elsewhere = refusal("postgres://u@localhost/d?host=db.bank.example&sslmode=disable");
        assert_eq!(elsewhere, BadAddress::Unprotected("disable".into()));
        for here in ["localhost", "127.0.0.1", "[::1]"] {
            assert!(matches!(
                mode(&format!("postgres://u@{here}/d?sslmode=disable")),
                Ok(PgSslMode::Disable)
            ));
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        assert_eq!(refusal("mysql://u@db/d"), BadAddress::Malformed);
        assert_eq!(refusal("postgres://u@db:port/d"), BadAddress::Malformed);
        assert_eq!(refusal("postgres://u@db"), BadAddress::NoDatabase);
    }
}

//! Where a database or a bucket is. The rules are those of the coordinator's stores: no secret in an address, and no network
//! without TLS that checks who answers.

use object_store::path::Path as Key;
use sqlx::postgres::{PgConnectOptions, PgSslMode};

use crate::Objects;

/// How to connect to the database at `url`, without a password.
///
/// # Errors
/// Why it cannot be used; repeats nothing of it.
pub(super) fn postgres(url: &str) -> Result<PgConnectOptions, &'static str> {
    let rest = url
        .strip_prefix("postgres://")
        .or_else(|| url.strip_prefix("postgresql://"))
        .ok_or(NO_DATABASE_URL)?;
    let (before, parameters) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, database) = before.split_once('/').unwrap_or((before, ""));
    let user = authority.rsplit_once('@').map_or("", |(user, _)| user);
    // A password with a `/` in it ends the authority early, and the rest of it would pass for a database, which is told.
    if user.contains(':') || database.contains('@') {
        return Err(PASSWORD);
    }
    if rest.contains('#') {
        return Err(NO_DATABASE_URL);
    }
    // As they are written, so that no other way to write a key gets past: the client decodes them, takes a password, and logs
    // what it does not know with its value.
    let mut keys = parameters.split('&').map(|part| part.split('=').next().unwrap_or_default());
    if keys.any(|key| !key.is_empty() && !PARAMETERS.contains(&key)) {
        return Err(PARAMETER);
    }
    let options: PgConnectOptions = url.parse().map_err(|_| NO_DATABASE_URL)?;
    if options.get_database().is_none() {
        return Err(NO_DATABASE);
    }
    let is_here = options.get_socket().is_some() || is_loopback(options.get_host());
    let mode = url.split(['?', '&']).find_map(|part| part.strip_prefix("sslmode="));
    match (mode, is_here) {
        (_, true) => Ok(options),
        (Some("verify-full") | None, false) => Ok(options.ssl_mode(PgSslMode::VerifyFull)),
        (Some(_), false) => Err(WEAK_MODE),
    }
}

/// Host, port and database; never who asks.
pub(super) fn place(options: &PgConnectOptions) -> String {
    let database = options.get_database().unwrap_or_default();
    match options.get_socket() {
        Some(socket) => format!("database {database} of PostgreSQL at {}", socket.display()),
        None => format!("database {database} of PostgreSQL at {}:{}", options.get_host(), options.get_port()),
    }
}

/// A bucket, and which of its objects are meant.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Bucket {
    pub(super) name: String,
    pub(super) wanted: Wanted,
    /// The endpoint is on this host and speaks without TLS.
    pub(super) is_plain: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// One object.
    One(Key),
    /// Those directly below a prefix: whose names fit the pattern, or that end as the format says.
    Below(Key, Option<String>),
}

impl Bucket {
    /// # Errors
    /// Why the address cannot be used; repeats nothing of it.
    pub(super) fn of(objects: &Objects) -> Result<Self, &'static str> {
        let rest = objects.url.strip_prefix("s3://").ok_or(NO_BUCKET_URL)?;
        let (name, key) = rest.split_once('/').ok_or(NO_BUCKET_URL)?;
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        if name.is_empty() || !name.bytes().all(is_name) {
            return Err(NO_BUCKET_URL);
        }
        let parsed = |key: &str| Key::parse(key).map_err(|_| NO_BUCKET_URL);
        // What makes a signed address of it is a secret, and the key is told.
        if key.contains('?') {
            return Err(SIGNED);
        }
        let (folder, last) = key.rsplit_once('/').unwrap_or(("", key));
        let wanted = match last {
            "" => Wanted::Below(parsed(folder)?, None),
            pattern if pattern.contains('*') => Wanted::Below(parsed(folder)?, Some(pattern.into())),
            _ => Wanted::One(parsed(key)?),
        };
        // They may hold a secret, and the endpoint is told where the store is.
        if objects.endpoint.as_ref().is_some_and(|endpoint| endpoint.contains(['@', '?', '#'])) {
            return Err(ENDPOINT);
        }
        let is_plain = match &objects.endpoint {
            Some(endpoint) if endpoint.starts_with("http://") => {
                if !is_on_this_host(endpoint) {
                    return Err(UNPROTECTED);
                }
                true
            }
            Some(endpoint) if !endpoint.starts_with("https://") => return Err(UNPROTECTED),
            _ => false,
        };
        Ok(Self { name: name.into(), wanted, is_plain })
    }
}

fn is_on_this_host(endpoint: &str) -> bool {
    let authority = endpoint.trim_start_matches("http://").split('/').next().unwrap_or_default();
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
    !host.starts_with('/') && is_loopback(host)
}

fn is_loopback(host: &str) -> bool {
    host == "localhost"
        || host.starts_with('/')
        || host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

const NO_DATABASE_URL: &str = "`url` is no address of the form `postgres://user@host:5432/database`";
const NO_DATABASE: &str = "`url` names no database; end it with `/` and the name of one";
const PASSWORD: &str = "`url` holds a password; put that into a file and name the file as `password_file`";
/// What may stand behind the `?` of a database's address: no secret.
const PARAMETERS: [&str; 10] =
    ["host", "hostaddr", "port", "dbname", "user", "sslmode", "sslrootcert", "sslcert", "sslkey", "options"];
const PARAMETER: &str = "`url` has a parameter other than host, hostaddr, port, dbname, user, sslmode, sslrootcert, sslcert, sslkey \
     and options, written so; put a password into a file and name the file as `password_file`";
const WEAK_MODE: &str = "the `sslmode` of `url` does not check who the server is; leave it out";
const NO_BUCKET_URL: &str = "`url` is no address of the form `s3://bucket/key` or `s3://bucket/prefix/`";
const SIGNED: &str =
    "`url` has a `?`: it is `s3://bucket/key` alone, without signature; keys are in `credentials_file`";
const ENDPOINT: &str = "`endpoint` is no address of the form `https://host:port`, without `@`, `?` and `#`; keys are in `credentials_file`";
const UNPROTECTED: &str = "`endpoint` is not `https`, and not on this host";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Format;

    #[test]
    fn a_password_in_an_address_is_refused_and_not_repeated() {
        for url in [
            "postgres://reader:sesame@db/crm",
            "postgres://reader:ses/ame@db/crm",
            "postgres://reader:1/sesame@db/crm",
        ] {
            assert_eq!(postgres(url).unwrap_err(), PASSWORD, "{url}");
        }
        for parameters in [
            "password=sesame",
            "p%61ssword=sesame",
            "pass\tword=sesame",
            "PASSWORD=sesame",
            "sslmode=verify-full&pwd=sesame",
            "pwd=sesame",
            "reader:sesame@db",
            "application_name=sesame",
        ] {
            let told = postgres(&format!("postgres://reader@db/crm?{parameters}")).unwrap_err();
            assert_eq!(told, PARAMETER, "{parameters}");
        }
        assert_eq!(postgres("postgres://u@db/d#password=sesame").unwrap_err(), NO_DATABASE_URL);
        for good in ["?", "?host=db2&port=1&user=reader&dbname=x", "?options=-c%20search_path%3Dcrm"] {
            assert!(postgres(&format!("postgres://u@db/d{good}")).is_ok(), "{good}");
        }
        assert_eq!(postgres("mysql://u@db/d").unwrap_err(), NO_DATABASE_URL);
        assert_eq!(postgres("postgres://u@db:port/d").unwrap_err(), NO_DATABASE_URL);
    }

    #[test]
    fn who_the_server_is_is_checked_unless_it_is_on_this_host() {
        let mode = |url: &str| postgres(url).map(|options| options.get_ssl_mode());
        assert!(matches!(mode("postgres://u@db.bank.example/d"), Ok(PgSslMode::VerifyFull)));
        assert!(matches!(mode("postgres://u@db/d?sslmode=verify-full"), Ok(PgSslMode::VerifyFull)));
        assert_eq!(mode("postgres://u@db/d?sslmode=require").unwrap_err(), WEAK_MODE);
        assert!(matches!(mode("postgres://u@127.0.0.1/d?sslmode=disable"), Ok(PgSslMode::Disable)));
        let elsewhere = "postgres://u@localhost/d?host=db.bank.example&sslmode=disable";
        assert_eq!(mode(elsewhere).unwrap_err(), WEAK_MODE);
    }

    fn bucket(url: &str, endpoint: Option<&str>) -> Result<Bucket, &'static str> {
        Bucket::of(&Objects {
            url: url.into(),
            format: Format::Csv,
            endpoint: endpoint.map(Into::into),
            region: "us-east-1".into(),
            credentials_file: None,
            authorities_file: None,
            max_mb: 1,
        })
    }

    #[test]
    fn an_address_means_one_object_or_those_below_a_prefix() {
        let wanted = |url: &str| bucket(url, None).map(|bucket| bucket.wanted);
        let key = |text: &str| Key::parse(text).unwrap();
        assert_eq!(wanted("s3://b/a/c d.csv"), Ok(Wanted::One(key("a/c d.csv"))));
        assert_eq!(wanted("s3://b/a/"), Ok(Wanted::Below(key("a"), None)));
        assert_eq!(wanted("s3://b/"), Ok(Wanted::Below(Key::default(), None)));
        assert_eq!(wanted("s3://b/a/2026-*.csv"), Ok(Wanted::Below(key("a"), Some("2026-*.csv".into()))));
        for none in ["b/a", "s3://", "s3://b", "s3:///a", "s3://key:sesame@b/a", "s3://b/a//c"] {
            assert_eq!(wanted(none), Err(NO_BUCKET_URL), "{none}");
        }
        for signed in ["s3://b/a.csv?X-Amz-Signature=sesame", "s3://b/a/?X-Amz-Signature=sesame", "s3://b/?*"]
        {
            assert_eq!(wanted(signed), Err(SIGNED), "{signed}");
        }
    }

    #[test]
    fn an_endpoint_holds_no_secret() {
        for bad in [
            "http://localhost:1@evil.example",
            "https://key:sesame@s3.bank.example",
            "https://s3.bank.example/?token=sesame",
            "https://s3.bank.example#sesame",
        ] {
            assert_eq!(bucket("s3://b/a", Some(bad)), Err(ENDPOINT), "{bad}");
        }
    }

    #[test]
    fn requests_do_not_cross_a_network_without_tls() {
        for bad in ["http://s3.bank.example", "http://10.0.0.1:9000", "s3.bank.example"] {
            assert_eq!(bucket("s3://b/a", Some(bad)), Err(UNPROTECTED), "{bad}");
        }
        for good in
            ["http://127.0.0.1:9000", "http://localhost:9000", "http://[::1]:9000", "https://s3.bank.example"]
        {
            assert!(bucket("s3://b/a", Some(good)).is_ok(), "{good}");
        }
    }
}
